"""Networks: pure facts as tables, and the collector against moto over HTTP."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest

from collectors.aws.ec2_network import Ec2Network
from collectors.aws.network_facts import (
    RouteTables,
    acl_lets_in,
    addresses,
    endpoint_service,
    is_watched,
    open_egress,
    open_ingress,
    open_policy,
    ways_out,
)
from collectors.aws.session import Clients
from rules import Engine, load_pack
from tests.collectors.aws.conftest import ACCOUNT, Proxy
from tests.collectors.aws.sagemaker_kit import Found
from tests.collectors.aws.test_ec2 import DENIED, HERE, links, stub
from undercroft.model import CoverageStatus, Outcome, Presence
from undercroft.protocols import Meter, Scope
from undercroft.relations import Relation

WORLD = [{"CidrIp": "0.0.0.0/0"}]


def test_everything_open() -> None:
    config: Any = {
        "IpPermissions": [
            {"IpProtocol": "-1", "IpRanges": WORLD},
            {"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1, "IpRanges": WORLD},
            {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "UserIdGroupPairs": [{}]},
            {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{}]},
        ],
        "IpPermissionsEgress": [{"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}],
    }
    whole = {"protocol": "-1", "from_port": 0, "to_port": 65535}
    assert open_ingress(config) == [
        {**whole, "cidr": "0.0.0.0/0"},
        {"protocol": "icmp", "from_port": 8, "to_port": -1, "cidr": "0.0.0.0/0"},
    ]
    assert open_egress(config) == [{**whole, "cidr": "::/0"}]
    assert open_ingress({}) == []


JUPYTER: dict[str, Any] = {
    "protocol": "tcp",
    "from_port": 8888,
    "to_port": 8890,
    "cidr": "0.0.0.0/0",
}


def rule(number: int, action: str, source: str = "0.0.0.0/0", of: str = "6", *ports: int) -> Any:
    found: dict[str, Any] = {"RuleNumber": number, "RuleAction": action, "Protocol": of}
    found["Ipv6CidrBlock" if ":" in source else "CidrBlock"] = source
    return {**found, "PortRange": {"From": ports[0], "To": ports[1]}} if ports else found


REST = rule(32767, "deny", of="-1")


@pytest.mark.parametrize(
    ("rules", "entry", "let_in"),
    [
        ([rule(100, "allow", of="-1"), REST], {}, True),
        ([REST], {}, False),
        ([rule(100, "allow"), REST], {}, True),
        ([rule(100, "allow", of="17"), REST], {}, False),
        ([rule(100, "allow", of="17"), REST], {"protocol": "-1"}, True),
        ([rule(100, "allow", "10.0.0.0/8"), REST], {}, False),
        ([rule(100, "allow", "203.0.0.0/8"), REST], {}, True),
        ([rule(100, "allow", "0.0.0.0/0", "6", 443, 443), REST], {}, False),
        ([rule(100, "allow", "0.0.0.0/0", "6", 8890, 9000), REST], {}, True),
        ([rule(90, "deny", "0.0.0.0/0", "6", 8888, 8890), rule(100, "allow")], {}, False),
        ([rule(90, "deny", "0.0.0.0/0", "6", 8888, 8889), rule(100, "allow")], {}, True),
        ([rule(100, "allow"), rule(110, "deny", of="-1")], {}, True),
        ([rule(90, "deny", "203.0.113.0/24"), rule(100, "allow")], {}, True),
        ([rule(90, "deny", of="6"), rule(100, "allow", of="-1")], {"protocol": "-1"}, True),
        ([rule(100, "allow"), REST], {"cidr": "::/0"}, False),
        ([rule(101, "allow", "::/0"), REST], {"cidr": "::/0"}, True),
        ([{**rule(100, "allow"), "Egress": True}, REST], {}, False),
    ],
)
def test_whom_a_network_acl_lets_in(rules: Any, entry: Any, let_in: bool) -> None:
    assert acl_lets_in({"Entries": rules}, {**JUPYTER, **entry}) is let_in


def test_addresses_that_are_known_outside() -> None:
    elastic = {"Association": {"PublicIp": "198.51.100.7"}}
    interface: Any = {
        **elastic,
        "PrivateIpAddresses": [elastic, {"Association": {"PublicIp": "198.51.100.8"}}, {}],
        "Ipv6Addresses": [{"Ipv6Address": "2001:db8::7"}],
    }
    assert addresses(interface, v6=False) == ["198.51.100.7", "198.51.100.8"]
    assert addresses(interface, v6=True) == ["2001:db8::7"]
    assert addresses({}, v6=False) == addresses({}, v6=True) == []


@pytest.mark.parametrize(
    ("route", "kind"),
    [
        ({"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"}, "internet-gateway"),
        ({"DestinationIpv6CidrBlock": "::/0", "GatewayId": "igw-1"}, "internet-gateway"),
        ({"DestinationCidrBlock": "128.0.0.0/1", "GatewayId": "igw-1"}, "internet-gateway"),
        ({"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1"}, "nat-gateway"),
        (
            {"DestinationIpv6CidrBlock": "::/0", "EgressOnlyInternetGatewayId": "eigw-1"},
            "egress-only-internet-gateway",
        ),
        ({"DestinationCidrBlock": "0.0.0.0/0", "TransitGatewayId": "tgw-1"}, "elsewhere"),
        ({"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "vgw-1"}, "elsewhere"),
        ({"DestinationCidrBlock": "203.0.113.0/24", "GatewayId": "igw-1"}, ""),
        ({"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local"}, ""),
        ({"DestinationPrefixListId": "pl-1", "GatewayId": "vpce-1"}, ""),
        ({"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1", "State": "blackhole"}, ""),
    ],
)
def test_where_a_route_leads(route: Any, kind: str) -> None:
    found = ways_out({}, {"Routes": [route]})
    assert [way.kind for way in found] == ([kind] if kind else [])


@pytest.mark.parametrize(
    ("mode", "kinds"),
    [
        ("off", ["internet-gateway", "nat-gateway"]),
        ("block-ingress", ["nat-gateway"]),
        ("block-bidirectional", []),
    ],
)
def test_an_account_may_block_internet_gateways(mode: str, kinds: list[str]) -> None:
    subnet = {"BlockPublicAccessStates": {"InternetGatewayBlockMode": mode}}
    routes = [
        {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"},
        {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1"},
    ]
    assert [way.kind for way in ways_out(subnet, {"Routes": routes})] == kinds


def test_the_table_of_a_subnet() -> None:
    tables: Any = [
        {"VpcId": "vpc-2", "RouteTableId": "other", "Associations": [{"Main": True}]},
        {"VpcId": "vpc-1", "RouteTableId": "main", "Associations": [{"Main": True}]},
        {"VpcId": "vpc-1", "RouteTableId": "own", "Associations": [{"SubnetId": "s-1"}]},
    ]

    def of(subnet: str, vpc: str = "vpc-1") -> Any:
        return (RouteTables(tables).of({"SubnetId": subnet, "VpcId": vpc}) or {}).get(
            "RouteTableId"
        )

    assert (of("s-1"), of("s-2"), of("s-2", "vpc-3")) == ("own", "main", None)


@pytest.mark.parametrize(
    ("logged", "watched"),
    [
        ([("vpc-1", "ACTIVE")], True),
        ([("vpc-1", "INACTIVE")], False),
        ([("s-1", "ACTIVE"), ("s-2", "ACTIVE")], True),
        ([("s-1", "ACTIVE")], False),
        ([], False),
    ],
)
def test_who_is_watched(logged: list[tuple[str, str]], watched: bool) -> None:
    logs = [{"ResourceId": of, "FlowLogStatus": status} for of, status in logged]
    assert is_watched("vpc-1", ["s-1", "s-2"], logs) is watched


@pytest.mark.parametrize(
    ("name", "service"),
    [
        ("com.amazonaws.us-east-1.s3", "s3"),
        ("com.amazonaws.eu-west-1.ecr.dkr", "ecr.dkr"),
        ("com.amazonaws.us-east-1.sagemaker.runtime-fips", "sagemaker.runtime-fips"),
        ("cn.com.amazonaws.cn-north-1.ecr.api", "ecr.api"),
        ("aws.sagemaker.us-east-1.studio", "sagemaker.studio"),
        ("com.amazonaws.vpce.us-east-1.vpce-svc-1", "us-east-1.vpce-svc-1"),
        ("somebody.else", "somebody.else"),
    ],
)
def test_what_an_endpoint_is_for(name: str, service: str) -> None:
    assert endpoint_service(name) == service


def allowed(**more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*", **more}


OURS = {"StringEquals": {"aws:ResourceOrgID": "o-1"}}
NOT_OURS = {"StringNotEquals": {"aws:ResourceOrgID": "o-1"}}


@pytest.mark.parametrize(
    ("statements", "is_open"),
    [
        ([allowed()], True),
        ([allowed(Action="s3:*", Principal={"AWS": "*"})], True),
        ([allowed(Action="ecr:*")], False),
        ([allowed(Condition=OURS)], False),
        ([allowed(Condition={"Bool": {"aws:SecureTransport": "true"}})], True),
        ([allowed(Resource="arn:aws:s3:::ours/*")], False),
        ([allowed(Principal={"AWS": "123456789012"})], False),
        ([allowed(), allowed(Effect="Deny", Condition=NOT_OURS)], False),
        ([allowed(), allowed(Effect="Deny", Action="s3:DeleteObject")], True),
        ([], False),
    ],
)
def test_policies_of_endpoints(statements: Any, is_open: bool) -> None:
    assert open_policy(json.dumps({"Statement": statements}), "s3") is is_open


# ------------------------------------------------------------------------------------ over HTTP


class Network:
    """One VPC to be built."""

    def __init__(self, ec2: Any, block: str = "10.0.0.0/16") -> None:
        self.ec2 = ec2
        self.vpc = ec2.create_vpc(CidrBlock=block)["Vpc"]["VpcId"]
        self._next = 0
        self._block = block.split(".")

    def subnet(self, **target: str) -> str:
        """A subnet whose default route leads to ``target``."""
        self._next += 1
        block = f"{self._block[0]}.{self._block[1]}.{self._next}.0/24"
        subnet = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=block)["Subnet"]["SubnetId"]
        if target:
            table = self.table()
            self.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
            self.ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **target)
        return str(subnet)

    def table(self) -> str:
        return str(self.ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"])

    def gateway(self) -> str:
        made = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=made, VpcId=self.vpc)
        return str(made)

    def nat(self, subnet: str, **more: str) -> str:
        made = self.ec2.create_nat_gateway(SubnetId=subnet, **more)
        return str(made["NatGateway"]["NatGatewayId"])

    def group(self, name: str) -> str:
        made = self.ec2.create_security_group(GroupName=name, Description="d", VpcId=self.vpc)
        return str(made["GroupId"])

    def endpoint(self, service: str, policy: Any = None, **more: Any) -> str:
        document = {"Statement": [policy or allowed(Condition=OURS)]}
        made = self.ec2.create_vpc_endpoint(
            VpcId=self.vpc,
            ServiceName=f"com.amazonaws.us-east-1.{service}",
            PolicyDocument=json.dumps(document),
            **more,
        )
        return str(made["VpcEndpoint"]["VpcEndpointId"])

    def log(self) -> None:
        self.ec2.create_flow_logs(
            ResourceType="VPC",
            ResourceIds=[self.vpc],
            TrafficType="ALL",
            LogDestinationType="s3",
            LogDestination="arn:aws:s3:::flow-logs",
        )


def network(clients: Clients, subnets: list[str], groups: list[str] | None = None) -> Found:
    collector = Ec2Network(clients)
    stubs = [stub("subnet", name) for name in subnets]
    stubs += [stub("security-group", name) for name in groups or ()]
    (target,) = collector.targets(Scope("aws"), stubs)
    return Found(collector.collect(target, Meter()))


@cache
def _engine() -> Engine:
    return Engine(load_pack())


def fails(found: Found) -> dict[str, set[str]]:
    """Last part of the key → ids of the rules it fails."""
    answer = dict[str, set[str]]()
    for key, resource in found.resources.items():
        for seen in _engine().judge(resource, "2026-06-01T00:00:00Z"):
            if seen.outcome is Outcome.FAIL:
                answer.setdefault(key.rpartition("/")[2], set()).add(seen.rule)
    return answer


def test_a_network_with_every_problem_and_one_with_none(
    clients: Clients, aws: Proxy, seed: Any
) -> None:
    ec2 = seed("ec2")
    seed("s3").create_bucket(Bucket="flow-logs")
    bad, good = Network(ec2), Network(ec2, "10.1.0.0/16")
    public = bad.subnet(GatewayId=bad.gateway())
    behind = bad.subnet(NatGatewayId=bad.nat(public))
    talkative = bad.group("talkative")
    leaky = bad.endpoint("sagemaker.api", allowed(), VpcEndpointType="Interface")
    bad.endpoint("logs", allowed(), VpcEndpointType="Interface")
    inside = good.subnet()
    main = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [good.vpc]}])
    table = main["RouteTables"][0]["RouteTableId"]
    quiet = good.group("quiet")
    storage = good.endpoint("s3", VpcEndpointType="Gateway", RouteTableIds=[table])
    good.endpoint("ecr.dkr", VpcEndpointType="Interface")
    good.endpoint("bedrock-runtime", VpcEndpointType="Interface")
    good.log()
    aws.seen.clear()
    found = network(clients, [public, behind, inside], [talkative, quiet])
    assert found.coverage.status is CoverageStatus.COMPLETE
    assert (found.coverage.reason, found.coverage.lists) == ("", ())
    assert fails(found) == {
        public: {"aws-subnet-public"},
        talkative: {"aws-sg-egress-open"},
        bad.vpc: {
            "aws-vpc-no-flow-logs",
            "aws-vpc-no-ai-endpoints",
            "aws-bedrock-no-vpc-endpoint",
        },
        leaky: {"aws-vpc-endpoint-open-policy"},
    }
    assert found.resources[f"{HERE}/ec2/vpc/{good.vpc}"].facts == {
        "watched": True,
        "endpoints": ["bedrock-runtime", "ecr.dkr", "s3"],
    }
    assert {name for _, _, name in links(found, f"ec2/subnet/{inside}")} == {
        f"ec2/route-table/{table}"
    }
    contained = {e.dst for e in found.edges if e.relation is Relation.CONTAINED_IN}
    assert contained == {f"{HERE}/ec2/vpc/{name}" for name in (good.vpc, bad.vpc)}
    kinds = {r.type for r in found.resources.values()}
    assert {"ec2:internet-gateway", "ec2:nat-gateway", "ec2:route-table"} < kinds
    known = {*found.resources, *found.stubs}
    assert {edge.dst for edge in found.edges} <= known
    assert f"{HERE}/ec2/vpc-endpoint/{storage}" in known
    assert sorted(aws.seen) == [
        "DescribeFlowLogs",
        "DescribeInternetGateways",
        "DescribeNatGateways",
        "DescribeRouteTables",
        "DescribeSecurityGroups",
        "DescribeSubnets",
        "DescribeVpcEndpoints",
        "DescribeVpcs",
        "GetCallerIdentity",
    ]


def test_a_private_nat_gateway_is_no_way_out(clients: Clients, seed: Any) -> None:
    net = Network(seed("ec2"))
    inner = net.subnet()
    behind = net.subnet(NatGatewayId=net.nat(inner, ConnectivityType="private"))
    found = network(clients, [behind], [net.group("g")])
    assert found.resources[f"{HERE}/ec2/subnet/{behind}"].facts == {"public": False, "ways_out": []}
    assert "aws-sg-egress-open" not in set().union(*fails(found).values())


def test_what_is_open_and_reached_by_nobody(clients: Clients, aws: Proxy, seed: Any) -> None:
    net = Network(seed("ec2"))
    group, subnet = net.group("jupyter"), net.subnet(GatewayId=net.gateway())
    open_to = [{"IpProtocol": "tcp", "FromPort": 8888, "ToPort": 8888, "IpRanges": WORLD}]
    net.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=open_to)
    face = net.ec2.create_network_interface(SubnetId=subnet, Groups=[group])["NetworkInterface"]

    def seen() -> tuple[Any, Any, str]:
        found = network(clients, [subnet], [group])
        read = found.resources[f"{HERE}/ec2/security-group/{group}"]
        opened: Any = read.facts["open_ingress"]
        (entry,) = opened
        judged = _engine().judge(read, "2026-06-01T00:00:00Z")
        (problem,) = [one for one in judged if one.rule == "aws-sg-ai-port-open"]
        told = read.facts.get("interfaces", read.unknown.get("facts.interfaces"))
        assert ("exposed" in problem.traits) is ("closed_by" not in entry)
        return told, entry.get("closed_by", ""), problem.severity

    assert seen() == (1, "no interface behind it has a public address", "medium")
    address = net.ec2.allocate_address(Domain="vpc")["AllocationId"]
    net.ec2.associate_address(AllocationId=address, NetworkInterfaceId=face["NetworkInterfaceId"])
    assert seen() == (1, "", "critical")
    acl = net.ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [net.vpc]}])
    name = acl["NetworkAcls"][0]["NetworkAclId"]
    net.ec2.delete_network_acl_entry(NetworkAclId=name, RuleNumber=100, Egress=False)
    assert seen() == (1, f"network ACL {name}", "medium")
    aws.always["DescribeNetworkAcls"] = DENIED
    assert seen() == (1, "", "critical"), "what is not known to be closed is open"
    aws.always["DescribeNetworkInterfaces"] = DENIED
    assert seen() == ("denied: needs ec2:DescribeNetworkInterfaces", "", "critical")


def test_groups_and_what_is_open_to_the_world(clients: Clients, aws: Proxy, seed: Any) -> None:
    net = Network(seed("ec2"))
    group = net.group("jupyter")
    ranges = [{"CidrIp": "0.0.0.0/0"}, {"CidrIp": "10.0.0.0/8"}]
    permission = {"IpProtocol": "tcp", "FromPort": 8888, "ToPort": 8890, "IpRanges": ranges}
    net.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    found = network(clients, ["subnet-gone"], [group, group, "sg-gone"])
    read = found.resources[f"{HERE}/ec2/security-group/{group}"]
    assert (read.name, read.presence) == ("jupyter", Presence.READ)
    assert read.facts["open_ingress"] == [
        {"protocol": "tcp", "from_port": 8888, "to_port": 8890, "cidr": "0.0.0.0/0"}
    ]
    assert read.facts["ways_out"] == [], "no subnet of it is known: all of its VPC count"
    for gone in ("security-group/sg-gone", "subnet/subnet-gone"):
        assert found.resources[f"{HERE}/ec2/{gone}"].presence is Presence.ABSENT


def test_what_may_not_be_read_costs_only_what_needs_it(
    clients: Clients, aws: Proxy, seed: Any
) -> None:
    net = Network(seed("ec2"))
    subnet, group = net.subnet(GatewayId=net.gateway()), net.group("g")
    for operation in ("DescribeRouteTables", "DescribeFlowLogs", "DescribeVpcEndpoints"):
        aws.always[operation] = DENIED
    found = network(clients, [subnet], [group])
    read = found.resources[f"{HERE}/ec2/subnet/{subnet}"]
    assert read.unknown["facts.public"] == "denied: needs ec2:DescribeRouteTables"
    read = found.resources[f"{HERE}/ec2/security-group/{group}"]
    assert read.unknown == {"facts.ways_out": "denied: needs ec2:DescribeRouteTables"}
    assert read.facts["open_ingress"] == []
    read = found.resources[f"{HERE}/ec2/vpc/{net.vpc}"]
    assert read.unknown == {
        "facts.watched": "denied: needs ec2:DescribeFlowLogs",
        "facts.endpoints": "denied: needs ec2:DescribeVpcEndpoints",
    }
    assert fails(found) == {}
    assert found.coverage.status is CoverageStatus.DENIED
    aws.always["DescribeSubnets"] = aws.always["DescribeSecurityGroups"] = DENIED
    found = network(clients, [subnet], [group])
    assert found.resources == {}, "denied is not absent"


def test_a_way_that_leads_where_we_cannot_look_is_unknown(clients: Clients, seed: Any) -> None:
    net = Network(seed("ec2"))
    gateway = net.ec2.create_transit_gateway()["TransitGateway"]["TransitGatewayId"]
    subnet, group = net.subnet(TransitGatewayId=gateway), net.group("g")
    found = network(clients, [subnet], [group])
    read = found.resources[f"{HERE}/ec2/subnet/{subnet}"]
    assert read.facts == {"public": False}
    reason = f"error: where {gateway} leads to is not read"
    assert read.unknown == {"facts.ways_out": reason}
    group_ = found.resources[f"{HERE}/ec2/security-group/{group}"]
    assert group_.unknown == {"facts.ways_out": reason}


def test_hundreds_are_read_in_batches(clients: Clients, aws: Proxy) -> None:
    found = network(clients, [], [f"sg-{index:03}" for index in range(450)])
    assert aws.seen.count("DescribeSecurityGroups") == 3
    assert len(found.resources) == 450


def test_a_shared_network_is_its_owners_to_see(clients: Clients, aws: Proxy, seed: Any) -> None:
    from collectors.aws.arns import Place
    from collectors.aws.ec2_network_reads import Surroundings

    class Shared:
        """A VPC that another account shares with this one: its tables are not shown."""

        def named(self, operation: str, *_: Any, **__: Any) -> Any:
            subnets = [{"SubnetId": "s-1", "VpcId": "vpc-1", "OwnerId": "999999999999"}]
            vpcs = [{"VpcId": "vpc-1", "OwnerId": "999999999999"}]
            return {"describe_subnets": subnets, "describe_vpcs": vpcs}.get(operation, [])

    shared: Any = Shared()
    around = Surroundings(Place("aws", ACCOUNT, "us-east-1"), shared, ["s-1"], [])
    assert set(around.of_subnet(around.read_subnets["s-1"]).unknown) == {
        "facts.public",
        "facts.ways_out",
    }
    vpcs: Any = around.vpcs
    assert set(around.of_vpc("vpc-1", vpcs["vpc-1"]).unknown) == {
        "facts.watched",
        "facts.endpoints",
    }
