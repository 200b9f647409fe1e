"""Networks of an estate: one VPC with one subnet each. What is not described is clean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.cloud.estate import Entry
from tests.cloud.moto_fidelity import ACCOUNT
from tests.cloud.texts import document, statement, tags

__all__ = ["Network", "build"]

_ENDPOINTS = ("s3", "ecr.dkr", "bedrock-runtime")


@dataclass(frozen=True, slots=True)
class Network:
    """Ids of what was built."""

    vpc: str
    subnet: str


def build(ec2: Any, entry: Entry) -> Network:
    """A VPC called ``<name>``, a subnet ``<name>-subnet``, and private ways to AWS (``<name>``).

    ``public``: its default route leads to an internet gateway, and it hands out public addresses.
    ``flow_logs: false``: nobody writes down its traffic. ``endpoints``: service → ``open`` or
    ``closed``, instead of the usual ones.
    """
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", **_called("vpc", entry.name))["Vpc"]["VpcId"]
    named = _called("subnet", f"{entry.name}-subnet")
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24", **named)["Subnet"]["SubnetId"]
    of_vpc = [{"Name": "vpc-id", "Values": [vpc]}]
    table = ec2.describe_route_tables(Filters=of_vpc)["RouteTables"][0]["RouteTableId"]
    if entry.get("public"):
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    endpoints = entry.get("endpoints", dict.fromkeys(_ENDPOINTS, "closed"))
    for service, policy in endpoints.items():
        _endpoint(ec2, entry, vpc, table, service, is_open=policy == "open")
    if entry.get("flow_logs", True):
        ec2.create_flow_logs(
            ResourceType="VPC",
            ResourceIds=[vpc],
            TrafficType="ALL",
            LogGroupName="flow",
            DeliverLogsPermissionArn=f"arn:aws:iam::{ACCOUNT}:role/flow",
        )
    return Network(vpc, subnet)


def _endpoint(ec2: Any, entry: Entry, vpc: str, table: str, service: str, *, is_open: bool) -> None:
    ours: Mapping[str, Any] = {"StringEquals": {"aws:ResourceAccount": ACCOUNT}}
    more = {} if is_open else {"Condition": ours}
    policy = statement(Principal="*", Action="*", Resource="*", **more)
    via_table = {"VpcEndpointType": "Gateway", "RouteTableIds": [table]}
    ec2.create_vpc_endpoint(
        VpcId=vpc,
        ServiceName=f"com.amazonaws.{entry.region}.{service}",
        PolicyDocument=document(policy),
        **(via_table if service == "s3" else {"VpcEndpointType": "Interface"}),
        **_called("vpc-endpoint", entry.name),
    )


def _called(kind: str, name: str) -> dict[str, Any]:
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": tags({"Name": name})}]}
