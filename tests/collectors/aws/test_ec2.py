"""EC2 collectors against moto over HTTP, and against an endpoint that misbehaves."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from typing import Any, cast

import pytest

from collectors.aws.ec2 import Ec2AiInstances, _Lookup
from collectors.aws.ec2_network import Ec2Network
from collectors.aws.ec2_templates import Ec2Templates, started_from
from collectors.aws.ec2_volumes import Ec2Volumes
from collectors.aws.session import Clients
from collectors.aws.units import Unit
from tests.collectors.aws import modelled
from tests.collectors.aws.conftest import ACCOUNT, REGION, Answer, Proxy
from tests.collectors.aws.lower_layers import PLACE
from tests.collectors.aws.sagemaker_kit import Found
from undercroft.model import CoverageStatus, Edge, Layer, Presence, Resource
from undercroft.protocols import Meter, Scope
from undercroft.relations import Relation

HERE = f"aws/aws/{ACCOUNT}/{REGION}"
DENIED = Answer.xml_error("UnauthorizedOperation", 403)


def ai_instances(clients: Clients, meter: Meter | None = None) -> Found:
    collector = Ec2AiInstances(clients)
    (target,) = collector.targets(Scope("aws"), ())
    return Found(collector.collect(target, meter or Meter()))


ON = {"accounts": [{"accountId": ACCOUNT, "resourceState": {"ec2": {"status": "ENABLED"}}}]}


@pytest.fixture(autouse=True)
def inspector(aws: Proxy) -> None:
    """It is on, and knows of nothing."""
    aws.always["POST /status/batch/get"] = Answer.json(ON)
    aws.always["POST /findings/list"] = Answer.json({"findings": []})


def covered(aws: Proxy, machine: str, code: str = "ACTIVE", reason: str = "SUCCESSFUL") -> None:
    """Let Inspector look at an instance, or say why it does not."""
    status = {"statusCode": code, "reason": reason}
    resource = {"resourceId": machine, "scanType": "PACKAGE", "scanStatus": status}
    aws.always["POST /coverage/list"] = Answer.json({"coveredResources": [resource]})


def run(seed: Any, instance_type: str, image: str = "", **kwargs: Any) -> str:
    ec2 = seed("ec2")
    image = image or ec2.register_image(Name="plain", RootDeviceName="/dev/sda1")["ImageId"]
    answer = ec2.run_instances(
        ImageId=image, InstanceType=instance_type, MinCount=1, MaxCount=1, **kwargs
    )
    return str(answer["Instances"][0]["InstanceId"])


def deep_learning_image(seed: Any) -> str:
    name = "Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 22.04) 20250101"
    return str(seed("ec2").register_image(Name=name, RootDeviceName="/dev/sda1")["ImageId"])


def links(found: Found, src: str) -> set[tuple[Relation, str, str]]:
    return {
        (edge.relation, edge.via, edge.dst.removeprefix(f"{HERE}/"))
        for edge in found.edges
        if edge.src == f"{HERE}/{src}" and edge.relation is not Relation.CONTAINED_IN
    }


def test_an_accelerated_instance_is_an_ai_service(clients: Clients, aws: Proxy, seed: Any) -> None:
    iam = seed("iam")
    iam.create_role(RoleName="gpu", AssumeRolePolicyDocument="{}", Path="/ml/")
    iam.create_instance_profile(InstanceProfileName="gpu-profile", Path="/ml/")
    iam.add_role_to_instance_profile(InstanceProfileName="gpu-profile", RoleName="gpu")
    told = {"Name": "jupyter", "team": "ml", "eks:cluster-name": "c", "eks:nodegroup-name": "n"}
    tags = [{"Key": key, "Value": value} for key, value in told.items()]
    machine = run(
        seed,
        "p3.2xlarge",
        IamInstanceProfile={"Name": "gpu-profile"},
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
    )
    ordinary = run(seed, "t3.micro")
    covered(aws, machine)
    aws.seen.clear()
    meter = Meter()
    found = ai_instances(clients, meter)
    assert not any(ordinary in key for key in found.resources)

    service = found.resources[f"{HERE}/ec2/ai-instance/{machine}"]
    assert (service.type, service.layer, service.service) == (
        "ec2:ai-instance",
        Layer.SERVICE,
        True,
    )
    assert service.name == "jupyter"
    assert service.tags["team"] == "ml"
    instance = found.resources[f"{HERE}/ec2/instance/{machine}"]
    assert (instance.type, instance.layer, instance.service) == ("ec2:instance", Layer.VM, False)
    assert instance.facts["ai_marker"] == "accelerator"
    assert instance.facts["ami_found"] is True
    assert instance.facts["public_ip"] == instance.config["PublicIpAddress"]
    assert instance.facts["roles"] == [f"arn:aws:iam::{ACCOUNT}:role/ml/gpu"]
    image: Any = instance.config["Image"]
    assert image["ImageId"] == instance.config["ImageId"]
    assert instance.unknown == {}

    assert links(found, f"ec2/ai-instance/{machine}") == {
        (Relation.RUNS_ON, "InstanceId", f"ec2/instance/{machine}")
    }
    assert links(found, "eks/nodegroup/c/n") == {
        (Relation.RUNS_ON, "Tags[eks:nodegroup-name]", f"ec2/instance/{machine}")
    }
    said = links(found, f"ec2/instance/{machine}")
    assert (
        Relation.USES_IDENTITY,
        "IamInstanceProfile.Arn",
        f"aws/aws/{ACCOUNT}/-/iam/role/ml/gpu",
    ) in said
    kinds = {(relation, target.split("/")[1]) for relation, _, target in said}
    assert (Relation.PROTECTED_BY, "subnet") in kinds
    assert (Relation.PROTECTED_BY, "security-group") in kinds
    assert (Relation.READS_DATA_FROM, "volume") in kinds
    assert {edge.dst for edge in found.edges} <= {*found.stubs, *found.resources}
    assert found.coverage.status is CoverageStatus.COMPLETE
    assert found.coverage.lists == ("ec2:ai-instance", "ec2:instance")
    # Two instances: one list, one call each for images, types and what leads to them, one script,
    # one profile; Inspector thrice.
    assert sorted(aws.seen) == [
        "DescribeImages",
        "DescribeInstanceAttribute",
        "DescribeInstanceTypes",
        "DescribeInstances",
        "DescribeTargetGroups",
        "GetCallerIdentity",
        "GetInstanceProfile",
        "POST /coverage/list",
        "POST /findings/list",
        "POST /status/batch/get",
    ]


def test_a_deep_learning_image_is_an_ai_service(clients: Clients, seed: Any) -> None:
    machine = run(seed, "t3.large", deep_learning_image(seed))
    found = ai_instances(clients)
    instance = found.resources[f"{HERE}/ec2/instance/{machine}"]
    assert instance.facts["ai_marker"] == "dlami"
    image: Any = instance.config["Image"]
    assert image["Name"].startswith("Deep Learning ")
    assert instance.facts["roles"] == []


def test_an_image_that_is_gone(clients: Clients, aws: Proxy, seed: Any) -> None:
    image = deep_learning_image(seed)
    machine = run(seed, "p3.2xlarge", image)
    seed("ec2").deregister_image(ImageId=image)
    covered(aws, machine)
    instance = ai_instances(clients).resources[f"{HERE}/ec2/instance/{machine}"]
    assert instance.facts["ami_found"] is False
    assert "Image" not in instance.config
    assert instance.unknown == {}


def allowed(state: str, *providers: str) -> Answer:
    listed = "".join(f"<item>{name}</item>" for name in providers)
    criterion = f"<item><imageProviderSet>{listed}</imageProviderSet></item>"
    text = f"<r><state>{state}</state><imageCriterionSet>{criterion}</imageCriterionSet></r>"
    return Answer(200, text.encode(), "text/xml")


@pytest.mark.parametrize(
    ("image", "answer", "trusted"),
    [
        ({"OwnerId": ACCOUNT}, DENIED, True),
        ({"OwnerId": "1", "ImageOwnerAlias": "amazon"}, DENIED, False),
        ({"OwnerId": "444455556666"}, allowed("enabled", "amazon", "444455556666"), True),
        ({"OwnerId": "444455556666"}, allowed("audit-mode", "444455556666"), True),
        ({"OwnerId": "444455556666"}, allowed("disabled", "444455556666"), False),
        ({"OwnerId": "999988887777"}, allowed("enabled", "444455556666"), False),
        ({"OwnerId": "999988887777"}, DENIED, "denied: needs ec2:GetAllowedImagesSettings"),
    ],
)
def test_publishers_that_the_region_allows(
    clients: Clients, aws: Proxy, image: Any, answer: Answer, trusted: bool | str
) -> None:
    aws.always["GetAllowedImagesSettings"] = answer
    lookup = _Lookup(clients, Unit(PLACE, (), Meter()))
    told = [lookup.trusts(image) for _ in range(2)]
    assert [getattr(one, "unknown", one) for one in told] == [trusted, trusted]
    assert aws.seen.count("GetAllowedImagesSettings") <= 1


def test_terminated_instances_are_history(clients: Clients, seed: Any) -> None:
    machine = run(seed, "p3.2xlarge")
    seed("ec2").terminate_instances(InstanceIds=[machine])
    assert ai_instances(clients).resources == {}


def test_no_instances_cost_one_call(clients: Clients, aws: Proxy) -> None:
    meter = Meter()
    clients.identity()
    found = ai_instances(clients, meter)
    assert found.coverage.status is CoverageStatus.COMPLETE
    assert meter.calls == 1


def test_instances_that_may_not_be_listed(clients: Clients, aws: Proxy) -> None:
    aws.always["DescribeInstances"] = DENIED
    found = ai_instances(clients)
    assert found.coverage.status is CoverageStatus.DENIED
    assert found.coverage.reason.startswith("needs ec2:DescribeInstances")


def test_images_that_may_not_be_read_leave_the_unit_incomplete(
    clients: Clients, aws: Proxy, seed: Any
) -> None:
    machine = run(seed, "p3.2xlarge")
    aws.always["DescribeImages"] = DENIED
    found = ai_instances(clients)
    instance = found.resources[f"{HERE}/ec2/instance/{machine}"]
    assert instance.unknown["facts.ami_found"] == "denied: needs ec2:DescribeImages"
    assert instance.unknown["config.Image"] == "denied: needs ec2:DescribeImages"
    assert "ami_found" not in instance.facts
    assert found.coverage.status is CoverageStatus.DENIED
    assert "Deep Learning AMIs could not be told" in found.coverage.reason
    assert found.coverage.lists == ()


def test_types_that_may_not_be_read_are_told_by_name(
    clients: Clients, aws: Proxy, seed: Any
) -> None:
    machine = run(seed, "g5.xlarge")
    run(seed, "m5.large")
    aws.always["DescribeInstanceTypes"] = DENIED
    found = ai_instances(clients)
    assert f"{HERE}/ec2/instance/{machine}" in found.resources
    assert len(found.resources) == 2
    assert found.coverage.status is CoverageStatus.COMPLETE
    assert "told by family name" in found.coverage.reason


def test_a_profile_that_may_not_be_read(clients: Clients, aws: Proxy, seed: Any) -> None:
    seed("iam").create_instance_profile(InstanceProfileName="p")
    machine = run(seed, "p3.2xlarge", IamInstanceProfile={"Name": "p"})
    covered(aws, machine)
    aws.always["GetInstanceProfile"] = Answer.xml_error("AccessDenied", 403)
    instance = ai_instances(clients).resources[f"{HERE}/ec2/instance/{machine}"]
    assert instance.unknown == {"facts.roles": "denied: needs iam:GetInstanceProfile"}
    assert "roles" not in instance.facts


def test_a_profile_that_is_gone(clients: Clients, aws: Proxy, seed: Any) -> None:
    seed("iam").create_instance_profile(InstanceProfileName="p")
    machine = run(seed, "p3.2xlarge", IamInstanceProfile={"Name": "p"})
    aws.always["GetInstanceProfile"] = Answer.xml_error("NoSuchEntity", 404)
    instance = ai_instances(clients).resources[f"{HERE}/ec2/instance/{machine}"]
    assert instance.facts["roles"] == []


# ------------------------------------------------------------------------------- what starts on it

SCRIPT = """#!/bin/bash
set -e
export AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYzQ3vT8kL2a
"""


def test_a_start_script_is_examined_and_not_kept(clients: Clients, seed: Any) -> None:
    machine, quiet = run(seed, "g5.xlarge", UserData=SCRIPT), run(seed, "g5.xlarge")
    found = ai_instances(clients)
    instance = found.resources[f"{HERE}/ec2/instance/{machine}"]
    (secret,) = cast("Any", instance.facts["user_data_secrets"])
    assert (secret["name"], secret["lines"]) == ("AWS_SECRET_ACCESS_KEY", [3])
    assert "wJalr" not in repr(found.resources)
    assert "set -e" not in repr(found.resources)
    assert found.resources[f"{HERE}/ec2/instance/{quiet}"].facts["user_data_secrets"] == []


def test_a_start_script_that_cannot_be_examined(clients: Clients, aws: Proxy, seed: Any) -> None:
    machine = run(seed, "g5.xlarge", UserData=b"\x00\x01\x02\xff" * 9)
    path = "facts.user_data_secrets"
    instance = ai_instances(clients).resources[f"{HERE}/ec2/instance/{machine}"]
    assert instance.unknown[path] == "error: the user data is not text"
    aws.always["DescribeInstanceAttribute"] = DENIED
    instance = ai_instances(clients).resources[f"{HERE}/ec2/instance/{machine}"]
    assert instance.unknown[path] == "denied: needs ec2:DescribeInstanceAttribute"
    assert "user_data_secrets" not in instance.facts


def test_an_ipv6_address_counts_where_the_route_leads_outside(
    clients: Clients, aws: Proxy, seed: Any
) -> None:
    ec2 = seed("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]
    block = ec2.describe_vpcs(VpcIds=[vpc["VpcId"]])["Vpcs"][0]["Ipv6CidrBlockAssociationSet"][0]
    network = block["Ipv6CidrBlock"].replace("/56", "/64")
    subnet = ec2.create_subnet(VpcId=vpc["VpcId"], CidrBlock="10.9.1.0/24", Ipv6CidrBlock=network)[
        "Subnet"
    ]["SubnetId"]
    machine = run(seed, "g5.xlarge", SubnetId=subnet, Ipv6AddressCount=1)

    def reachable() -> Any:
        instance = ai_instances(clients).resources[f"{HERE}/ec2/instance/{machine}"]
        return instance.facts.get("public_ipv6", instance.unknown.get("facts.public_ipv6"))

    assert reachable() == []
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc["VpcId"])
    tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])
    ec2.create_route(
        RouteTableId=tables["RouteTables"][0]["RouteTableId"],
        DestinationIpv6CidrBlock="::/0",
        GatewayId=gateway,
    )
    assert len(reachable()) == 1
    aws.always["DescribeRouteTables"] = DENIED
    assert reachable() == "denied: needs ec2:DescribeRouteTables"


# ------------------------------------------------------------------------------------ read by id


def stub(kind: str, identifier: str, account: str = ACCOUNT) -> Resource:
    return Resource(
        key=f"aws/aws/{account}/{REGION}/ec2/{kind}/{identifier}",
        provider="aws",
        account=account,
        region=REGION,
        type=f"ec2:{kind}",
        layer=Layer.STORAGE if kind == "volume" else Layer.NETWORK,
        name=identifier,
        presence=Presence.STUB,
    )


def volumes(clients: Clients, *identifiers: str) -> Found:
    collector = Ec2Volumes(clients)
    (target,) = collector.targets(Scope("aws"), [stub("volume", name) for name in identifiers])
    return Found(collector.collect(target, Meter()))


def test_volumes_and_their_keys(clients: Clients, seed: Any) -> None:
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1-2"
    volume = seed("ec2").create_volume(
        AvailabilityZone=f"{REGION}a", Size=1, Encrypted=True, KmsKeyId=key
    )["VolumeId"]
    found = volumes(clients, volume, "vol-gone")
    read = found.resources[f"{HERE}/ec2/volume/{volume}"]
    assert read.layer is Layer.STORAGE
    assert read.config["Encrypted"] is True
    assert found.edges == [
        Edge(read.key, f"{HERE}/kms/key/1-2", Relation.ENCRYPTED_WITH, "KmsKeyId")
    ]
    assert found.resources[f"{HERE}/ec2/volume/vol-gone"].presence is Presence.ABSENT


def test_snapshots_that_anybody_may_copy(clients: Clients, aws: Proxy, seed: Any) -> None:
    ec2 = seed("ec2")
    volume = ec2.create_volume(AvailabilityZone=f"{REGION}a", Size=1)["VolumeId"]
    _private, public = (ec2.create_snapshot(VolumeId=volume)["SnapshotId"] for _ in range(2))
    ec2.modify_snapshot_attribute(
        SnapshotId=public,
        Attribute="createVolumePermission",
        OperationType="add",
        GroupNames=["all"],
    )
    read = volumes(clients, volume).resources[f"{HERE}/ec2/volume/{volume}"]
    assert read.facts["public_snapshots"] == [public]
    aws.always["DescribeSnapshots"] = DENIED
    aws.always["GetEbsEncryptionByDefault"] = DENIED
    assert read.facts["encrypted_by_default"] is False
    read = volumes(clients, volume).resources[f"{HERE}/ec2/volume/{volume}"]
    assert read.unknown == {
        "facts.public_snapshots": "denied: needs ec2:DescribeSnapshots",
        "facts.encrypted_by_default": "denied: needs ec2:GetEbsEncryptionByDefault",
    }
    assert "public_snapshots" not in read.facts


def templates(clients: Clients, *versions: tuple[str, str]) -> Found:
    """What groups of nodes start from that name these."""
    found: list[Resource] = []
    for identifier, version in versions:
        launch = {"launchTemplate": {"id": identifier, "version": version}}
        nodes = replace(stub("nodegroup", "n"), config=launch)
        found += [item for item in started_from(PLACE, nodes) if isinstance(item, Resource)]
    collector = Ec2Templates(clients)
    (target,) = collector.targets(Scope("aws"), found)
    return Found(collector.collect(target, Meter()))


def test_templates_that_nodes_start_from(clients: Clients, aws: Proxy, seed: Any) -> None:
    data = {
        "MetadataOptions": {"HttpTokens": "optional"},
        "SecurityGroupIds": ["sg-1"],
        "UserData": b64encode(SCRIPT.encode()).decode(),
    }
    made = seed("ec2").create_launch_template(LaunchTemplateName="gpu", LaunchTemplateData=data)
    name = made["LaunchTemplate"]["LaunchTemplateId"]
    found = templates(clients, (name, "1"), (name, "7"), ("lt-0123456789abcdef0", "1"))
    read = found.resources[f"{HERE}/ec2/launch-template/{name}/1"]
    assert (read.name, read.presence) == ("gpu", Presence.READ)
    assert "wJalr" not in repr(read)
    problems = {"aws-ec2-template-imdsv1", "aws-ec2-userdata-secret"}
    assert modelled.findings(modelled.Read(found.items)) == {"gpu": problems}
    assert [e.dst.rpartition("/")[2] for e in found.edges] == ["sg-1"]
    gone = [r.name for r in found.resources.values() if r.presence is Presence.ABSENT]
    assert gone == [f"{name}/7", "lt-0123456789abcdef0/1"]
    aws.always["DescribeLaunchTemplateVersions"] = DENIED
    found = templates(clients, (name, "1"))
    reason = "denied: needs ec2:DescribeLaunchTemplateVersions"
    assert [s.unknown["config"] for s in found.stubs.values()] == [reason]
    assert found.coverage.status is CoverageStatus.DENIED
    assert list(started_from(PLACE, stub("nodegroup", "n"))) == []


def test_denied_is_not_absent(clients: Clients, aws: Proxy) -> None:
    aws.always["DescribeVolumes"] = DENIED
    found = volumes(clients, "vol-1")
    assert found.resources == {}
    assert found.coverage.status is CoverageStatus.DENIED


def test_only_this_accounts_things_are_asked_for(clients: Clients, aws: Proxy) -> None:
    stubs = [stub("security-group", "sg-1", "999999999999"), stub("volume", "vol-1")]
    assert list(Ec2Network(clients).targets(Scope("aws"), stubs)) == []


def test_what_inspector_knows_of_an_instance(clients: Clients, aws: Proxy, seed: Any) -> None:
    machine = run(seed, "g4dn.xlarge")
    hole = {
        "severity": "CRITICAL",
        "status": "ACTIVE",
        "resources": [{"id": machine, "type": "AWS_EC2_INSTANCE"}],
        "packageVulnerabilityDetails": {
            "vulnerabilityId": "CVE-2025-23266",
            "vulnerablePackages": [{"name": "nvidia-container-toolkit", "version": "1.17.0"}],
        },
    }
    aws.always["POST /findings/list"] = Answer.json({"findings": [hole]})
    instance = ai_instances(clients).resources[f"{HERE}/ec2/instance/{machine}"]
    listed: Any = instance.facts["vulnerabilities"]
    assert [(v["id"], v["severity"]) for v in listed] == [("CVE-2025-23266", "critical")]
    assert "POST /coverage/list" not in aws.seen, "what it reports it has looked at"
    aws.always["POST /findings/list"] = Answer.error("AccessDeniedException", 403)
    instance = ai_instances(clients).resources[f"{HERE}/ec2/instance/{machine}"]
    assert instance.unknown["facts.vulnerabilities"] == "denied: needs inspector2:ListFindings"
    off = {"accounts": [{"accountId": ACCOUNT, "resourceState": {"ec2": {"status": "DISABLED"}}}]}
    aws.always["POST /status/batch/get"] = Answer.json(off)
    instance = ai_instances(clients).resources[f"{HERE}/ec2/instance/{machine}"]
    assert "vulnerabilities" not in instance.facts, "nothing reported is not nothing there"
    assert "does not scan" in instance.unknown["facts.vulnerabilities"]


@pytest.mark.parametrize(
    ("code", "reason", "unknown"),
    [
        ("ACTIVE", "SUCCESSFUL", ""),
        ("ACTIVE", "PENDING_INITIAL_SCAN", "does not scan this instance: PENDING_INITIAL_SCAN"),
        ("INACTIVE", "UNMANAGED_EC2_INSTANCE", "does not scan this instance: UNMANAGED"),
    ],
)
def test_silence_of_inspector_counts_where_it_looks(
    clients: Clients, aws: Proxy, seed: Any, code: str, reason: str, unknown: str
) -> None:
    machine = run(seed, "g5.xlarge")
    covered(aws, machine, code, reason)
    instance = ai_instances(clients).resources[f"{HERE}/ec2/instance/{machine}"]
    assert (instance.facts.get("vulnerabilities") == []) is (unknown == "")
    assert unknown in instance.unknown.get("facts.vulnerabilities", "")
    if unknown:
        for answer, said in (
            (Answer.json({"coveredResources": []}), "Inspector does not scan this instance"),
            (Answer.error("AccessDenied", 403), "denied: needs inspector2:ListCoverage"),
        ):
            aws.always["POST /coverage/list"] = answer
            instance = ai_instances(clients).resources[f"{HERE}/ec2/instance/{machine}"]
            assert instance.unknown["facts.vulnerabilities"] == said
