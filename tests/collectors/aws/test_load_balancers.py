"""Load balancers before AI work: who gets through as a table, and the readers against moto."""

from __future__ import annotations

from typing import Any

import pytest

from collectors.aws.ec2 import Ec2AiInstances
from collectors.aws.ecs_workloads import SERVICE
from collectors.aws.guard import READS
from collectors.aws.load_balancer_facts import open_listeners
from collectors.aws.load_balancers import BALANCER, GROUP_OF_TARGETS, LoadBalancers
from collectors.aws.session import Clients
from collectors.aws.target_groups import TARGET_GROUP, TargetGroups
from collectors.aws.units import Unit
from collectors.references import link
from tests.collectors.aws.conftest import Answer, Proxy
from tests.collectors.aws.lower_layers import PLACE
from tests.collectors.aws.sagemaker_kit import Found
from tests.collectors.aws.test_ec2 import run
from tests.collectors.aws.test_network import WORLD, Network, fails
from tests.collectors.aws.test_sdk_contract import reaches
from undercroft.model import CoverageStatus, Presence
from undercroft.protocols import Meter, Scope

GROUP = "arn:group"
TO_GROUP = {"Type": "forward", "TargetGroupArn": GROUP}
WEIGHED = {"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": GROUP}]}}
ELSEWHERE = {"Type": "forward", "TargetGroupArn": "arn:other"}
NOTHING = {"Type": "fixed-response"}
ASK = {"Type": "authenticate-oidc", "AuthenticateOidcConfig": {"ClientId": "c"}}
ASK_ANYWAY = {
    "Type": "authenticate-cognito",
    "AuthenticateCognitoConfig": {"OnUnauthenticatedRequest": "allow"},
}


def door(protocol: str, first: int, last: int) -> dict[str, Any]:
    return {"protocol": protocol, "from_port": first, "to_port": last, "cidr": "0.0.0.0/0"}


@pytest.mark.parametrize(
    ("listener", "doors", "asks"),
    [
        ({"DefaultActions": [TO_GROUP]}, None, False),
        ({"DefaultActions": [WEIGHED]}, [door("tcp", 443, 443)], False),
        ({"DefaultActions": [TO_GROUP]}, [door("-1", 0, 65535)], False),
        ({"DefaultActions": [TO_GROUP]}, [door("udp", 443, 443), door("tcp", 80, 80)], None),
        ({"DefaultActions": [TO_GROUP]}, [], None),
        ({"Protocol": "UDP", "DefaultActions": [TO_GROUP]}, [door("17", 443, 443)], False),
        ({"DefaultActions": [ELSEWHERE]}, None, None),
        ({"DefaultActions": [NOTHING], "Rules": [{"Actions": [TO_GROUP]}]}, None, False),
        ({"DefaultActions": [NOTHING], "Rules": [{"Actions": [ELSEWHERE]}]}, None, None),
        ({"DefaultActions": [ASK, TO_GROUP]}, None, True),
        ({"DefaultActions": [ASK_ANYWAY, TO_GROUP]}, None, False),
        ({"DefaultActions": [{"Type": "jwt-validation"}, TO_GROUP]}, None, True),
        ({"DefaultActions": [ASK, TO_GROUP], "Rules": [{"Actions": [WEIGHED]}]}, None, False),
        (
            {"DefaultActions": [TO_GROUP], "MutualAuthentication": {"Mode": "verify"}},
            None,
            True,
        ),
        (
            {"DefaultActions": [TO_GROUP], "MutualAuthentication": {"Mode": "passthrough"}},
            None,
            False,
        ),
    ],
)
def test_who_gets_through(listener: Any, doors: Any, asks: bool | None) -> None:
    balancer: Any = {"Scheme": "internet-facing", "LoadBalancerName": "chat"}
    whole = {"Port": 443, "Protocol": "HTTPS", **listener}
    found: Any = open_listeners(GROUP, balancer, [whole], doors)
    assert [entry["asks"] for entry in found] == ([] if asks is None else [asks])
    assert open_listeners(GROUP, {"Scheme": "internal"}, [whole], doors) == []


class Estate:
    """A load balancer with a listener before a target group, as they are wanted."""

    def __init__(self, seed: Any) -> None:
        self.net = Network(seed("ec2"))
        self.elb = seed("elbv2")
        gateway = self.net.gateway()
        self.subnets = [self.net.subnet(GatewayId=gateway) for _ in range(2)]

    def group(self, name: str, kind: str = "instance") -> str:
        made = self.elb.create_target_group(
            Name=name, Protocol="HTTP", Port=80, VpcId=self.net.vpc, TargetType=kind
        )
        return str(made["TargetGroups"][0]["TargetGroupArn"])

    def balancer(self, name: str, group: str, scheme: str = "internet-facing") -> str:
        doors = self.net.group(f"{name}-doors")
        self.net.ec2.authorize_security_group_ingress(
            GroupId=doors,
            IpPermissions=[{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": WORLD}],
        )
        made = self.elb.create_load_balancer(
            Name=name, Subnets=self.subnets, SecurityGroups=[doors], Scheme=scheme
        )["LoadBalancers"][0]["LoadBalancerArn"]
        forward = {"Type": "forward", "TargetGroupArn": group}
        self.elb.create_listener(
            LoadBalancerArn=made, Protocol="HTTP", Port=80, DefaultActions=[forward]
        )
        return str(made)


def read(clients: Clients, *groups: str) -> Found:
    collector = LoadBalancers(clients)
    stubs = [named.stub for group in groups if (named := TARGET_GROUP(PLACE, group))]
    (target,) = collector.targets(Scope("aws"), stubs)
    return Found(collector.collect(target, Meter()))


def test_what_faces_the_internet(clients: Clients, aws: Proxy, seed: Any) -> None:
    estate = Estate(seed)
    outside, inside = estate.group("outside"), estate.group("inside")
    public = estate.balancer("public", outside)
    estate.balancer("private", inside, "internal")
    aws.seen.clear()
    found = read(clients, outside, inside, outside.replace("outside", "gone"))
    assert (found.coverage.status, found.coverage.reason) == (CoverageStatus.COMPLETE, "")
    told = {r.name: r for r in found.resources.values()}
    assert told["outside"].facts["open_listeners"] == [
        {"balancer": "public", "port": 80, "protocol": "HTTP", "asks": False}
    ]
    assert told["inside"].facts["open_listeners"] == []
    assert [r.presence for r in found.resources.values()].count(Presence.ABSENT) == 1
    assert list(fails(found).values()) == [{"aws-elb-ai-open", "aws-elb-ai-plaintext"}]
    linked = {(e.src.rpartition("/")[0].split("/")[-1], e.dst.split("/")[5]) for e in found.edges}
    assert ("outside", "loadbalancer") in linked
    assert {kind for src, kind in linked if src == "public"} == {"subnet", "security-group"}
    assert {edge.dst for edge in found.edges} <= {*found.stubs, *found.resources}
    assert sorted(aws.seen) == [
        "DescribeListeners",
        "DescribeLoadBalancers",
        "DescribeRules",
        "DescribeSecurityGroups",
        "DescribeTargetGroups",
        "GetCallerIdentity",
    ]
    for operation, action in (
        ("DescribeRules", "elasticloadbalancing:DescribeRules"),
        ("DescribeSecurityGroups", "ec2:DescribeSecurityGroups"),
        ("DescribeLoadBalancers", "elasticloadbalancing:DescribeLoadBalancers"),
    ):
        aws.always = {operation: Answer.xml_error("AccessDenied", 403)}
        found = read(clients, outside)
        (group,) = (r for r in found.resources.values() if r.name == "outside")
        assert group.unknown == {"facts.open_listeners": f"denied: needs {action}"}
        assert action in found.coverage.reason
    assert public in {r.native_id for r in told.values()}


def test_which_groups_lead_to_machines_and_clusters(
    clients: Clients, aws: Proxy, seed: Any
) -> None:
    estate = Estate(seed)
    machine = run(seed, "g5.xlarge", SubnetId=estate.subnets[0])
    by_id = estate.group("by-id")
    by_address = estate.group("by-address", "ip")
    unused, other = estate.group("unused"), estate.group("other")
    described = seed("ec2").describe_instances(InstanceIds=[machine])
    address = described["Reservations"][0]["Instances"][0]["PrivateIpAddress"]
    for group, target in ((by_id, machine), (by_address, address), (unused, machine)):
        estate.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": target}])
    for number, group in enumerate((by_id, by_address, other)):
        estate.balancer(f"b{number}", group)
    estate.elb.add_tags(
        ResourceArns=[by_id], Tags=[{"Key": "elbv2.k8s.aws/cluster", "Value": "gpu"}]
    )
    estate.elb.add_tags(
        ResourceArns=[other], Tags=[{"Key": "kubernetes.io/cluster/gpu", "Value": "owned"}]
    )
    collector = Ec2AiInstances(clients)
    (target,) = collector.targets(Scope("aws"), ())
    found = Found(collector.collect(target, Meter()))
    (instance,) = (r for r in found.resources.values() if r.type == "ec2:instance")
    assert set(instance.facts["target_groups"]) == {by_id, by_address}  # type: ignore[arg-type]
    behind = {e.dst.split("/")[6] for e in found.edges if "/targetgroup/" in e.dst}
    assert behind == {"by-id", "by-address"}
    assert aws.seen.count("DescribeTargetHealth") == 3
    groups = TargetGroups(clients, Unit(PLACE, (), Meter()))
    assert groups.of_clusters(["gpu", "cpu"]) == {"gpu": [by_id, other], "cpu": []}
    aws.always["DescribeTargetGroups"] = Answer.xml_error("AccessDenied", 403)
    found = Found(collector.collect(target, Meter()))
    (instance,) = (r for r in found.resources.values() if r.type == "ec2:instance")
    reason = "denied: needs elasticloadbalancing:DescribeTargetGroups"
    assert instance.unknown["facts.target_groups"] == reason
    assert reason in found.coverage.reason
    assert TargetGroups(clients, Unit(PLACE, (), Meter())).of_clusters([]) == {}


def test_services_name_their_groups() -> None:
    arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/chat/0123"
    config: Any = {"taskSets": [{"loadBalancers": [{"targetGroupArn": arn}]}]}
    stub, edge = link(PLACE, "service", config, SERVICE)
    assert (stub.type, edge.relation) == ("elbv2:target-group", "protected_by")  # type: ignore[union-attr]


FIELDS = {
    "DescribeTargetGroups": [
        *(f"TargetGroups[].{n}" for n in ("TargetGroupArn", "TargetGroupName", "VpcId")),
        "TargetGroups[].TargetType",
        *(f"TargetGroups[].{ref.path}" for ref in GROUP_OF_TARGETS),
    ],
    "DescribeTargetHealth": ["TargetHealthDescriptions[].Target.Id"],
    "DescribeTags": [f"TagDescriptions[].{n}" for n in ("ResourceArn", "Tags[].Key")],
    "DescribeLoadBalancers": [
        *(f"LoadBalancers[].{n}" for n in ("LoadBalancerArn", "LoadBalancerName", "Scheme")),
        *(f"LoadBalancers[].{ref.path}" for ref in BALANCER),
    ],
    "DescribeListeners": [
        *(f"Listeners[].{n}" for n in ("ListenerArn", "Port", "Protocol")),
        "Listeners[].MutualAuthentication.Mode",
        *(
            f"Listeners[].DefaultActions[].{name}"
            for name in (
                "Type",
                "TargetGroupArn",
                "ForwardConfig.TargetGroups[].TargetGroupArn",
                "AuthenticateOidcConfig.OnUnauthenticatedRequest",
                "AuthenticateCognitoConfig.OnUnauthenticatedRequest",
            )
        ),
    ],
    "DescribeRules": ["Rules[].Actions[].Type", "Rules[].Actions[].TargetGroupArn"],
}


@pytest.mark.parametrize("operation", FIELDS)
def test_fields_exist(operation: str, service_models: dict[str, Any]) -> None:
    output = service_models["elbv2"].operation_model(operation).output_shape
    assert [path for path in FIELDS[operation] if not reaches(output, path)] == []
    assert operation in READS["elbv2"]
