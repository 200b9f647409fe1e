"""Every field that is read exists in the SDK's own model: a typo would otherwise read nothing."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import botocore.session
import pytest
from botocore.model import StructureShape

from collectors.aws import hosts, network_facts, references
from collectors.aws.catalogue import EVERY
from collectors.aws.ec2_network import ROUTES
from collectors.aws.ec2_templates import TEMPLATE
from collectors.aws.guard import READS
from collectors.aws.kinds import Kind


def reaches(shape: Any, path: str) -> bool:
    """Whether ``path`` (as ``values.find`` reads it) leads to something in ``shape``."""
    return any(_walk(shape, path.split(".")))


def _walk(shape: Any, steps: list[str]) -> Iterator[bool]:
    if not steps:
        yield True
        return
    name, listed = steps[0].removesuffix("[]"), steps[0].endswith("[]")
    if getattr(shape, "is_document_type", False):
        yield True  # any JSON
    if shape.type_name != "structure":
        return
    for member, inner in shape.members.items():
        if not fnmatchcase(member, name) or listed != (inner.type_name == "list"):
            continue
        yield from _walk(inner.member if listed else inner, steps[1:])


@pytest.fixture(scope="module")
def sagemaker() -> Any:
    return botocore.session.Session().get_service_model("sagemaker")


@pytest.fixture(scope="module")
def ec2() -> Any:
    return botocore.session.Session().get_service_model("ec2")


def api(model: Any, method: str) -> Any:
    """The operation behind a Python method name."""
    from botocore import xform_name

    return next(
        model.operation_model(name) for name in model.operation_names if xform_name(name) == method
    )


def by_name(kind: Kind) -> str:
    return f"{kind.family}.{kind.name}"


@pytest.fixture(scope="module")
def model() -> Any:
    session = botocore.session.Session()
    return cache(session.get_service_model)


def answer_of(kind: Kind, model: Any) -> Any:
    """The shape that a kind's configuration has, and what its list says of it."""
    service = model(kind.client)
    listed = item_of(kind, model)
    if not kind.describe_operation:
        return listed or EMPTY
    shape = api(service, kind.describe_operation).output_shape
    if kind.answer:
        shape = shape.members[kind.answer]
        shape = shape.member if shape.type_name == "list" else shape
    return shape


EMPTY = StructureShape("Nothing", {"type": "structure", "members": {}}, None)
"""What a kind has of its own that consists of further reads only."""


def item_of(kind: Kind, model: Any) -> Any:
    if not kind.list_operation:
        return None
    listing = api(model(kind.client), kind.list_operation)
    return listing.output_shape.members[kind.list_key].member


def fields_known(kind: Kind, model: Any) -> set[str]:
    """Every field that an argument may come from."""
    shapes = [item_of(kind, model), answer_of(kind, model)]
    known = {name for s in shapes if s is not None for name in getattr(s, "members", ())}
    inherited = {
        argument
        for parent in EVERY
        for child in parent.children
        if child.kind is kind
        for argument in child.arguments
    }
    return (
        known
        | inherited
        | {"$name", "$arn", "$account", "$1", "$2", *kind.identifiers}
        | {r.into for r in kind.reads}
    )


def source_of(text: str) -> str:
    return text.removesuffix("[]").split(".")[0]


def fits(kind: Kind, arguments: Any, operation: Any, model: Any) -> None:
    """Every argument exists, every required one is given, every field it comes from exists."""
    shape = operation.input_shape
    members = set(shape.members) if shape else set()
    required = set(shape.required_members) if shape else set()
    assert set(arguments) <= members, (kind.name, operation.name)
    assert required <= set(arguments), (kind.name, operation.name)
    sources = {source_of(source) for source in arguments.values()}
    assert {s for s in sources if not s.startswith("=")} <= fields_known(kind, model)


@pytest.mark.parametrize("kind", EVERY, ids=by_name)
def test_references(kind: Kind, model: Any) -> None:
    output = answer_of(kind, model)
    added = {read.into: read for read in kind.reads}
    for ref in kind.references:
        first, _, rest = ref.path.partition(".")
        read = added.get(first.removesuffix("[]"))
        if read is None:
            assert reaches(output, ref.path), ref.path
            continue
        shape = api(model(read.client or kind.client), read.operation).output_shape
        inside = shape.members[read.pick] if read.pick else shape
        inner, _, last = rest.partition(".")
        more = {each.into: each for each in read.each}.get(inner.removesuffix("[]"))
        if more is not None:
            answer = api(model(read.client or kind.client), more.operation).output_shape
            assert reaches(answer, f"{more.pick}{'[]' * inner.endswith('[]')}.{last}".rstrip("."))
            continue
        assert reaches(inside.member if read.listed else inside, rest), ref.path


@pytest.mark.parametrize("kind", EVERY, ids=by_name)
def test_names(kind: Kind, model: Any) -> None:
    service, item, output = model(kind.client), item_of(kind, model), answer_of(kind, model)
    if item is not None:
        listing = api(service, kind.list_operation)
        assert set(kind.list_arguments) <= set(listing.input_shape.members)
        assert not kind.history or kind.history in listing.input_shape.members
        inherited = fields_known(kind, model) - set(getattr(item, "members", ()))
        assert item.type_name == "string" or set(kind.identifiers) <= {*item.members, *inherited}
    if kind.describe_operation:
        fits(kind, kind.describe_arguments, api(service, kind.describe_operation), model)
    known = {*output.members, *getattr(item, "members", ())}
    if kind.identifiers:
        assert {kind.arn or kind.title, kind.title or kind.arn} - {""} <= known
    if kind.created and {"CreationTime", "createdAt", "CreatedAt"} & set(output.members):
        assert kind.created in output.members


@pytest.mark.parametrize("kind", EVERY, ids=by_name)
def test_further_reads(kind: Kind, model: Any) -> None:
    for read in kind.reads:
        operation = api(model(read.client or kind.client), read.operation)
        fits(kind, read.arguments, operation, model)
        assert not read.pick or read.pick in operation.output_shape.members
        for more in read.each:
            inner = api(model(read.client or kind.client), more.operation)
            listed = operation.output_shape.members[read.pick].member
            known = set(getattr(listed, "members", ())) | {"id"}
            assert set(more.arguments.values()) <= known
            required = set(inner.input_shape.required_members)
            assert required <= set(more.arguments) <= set(inner.input_shape.members)
            assert not more.pick or more.pick in inner.output_shape.members
        codes = {shape.name for shape in operation.error_shapes}
        assert not codes or read.answers <= {*codes, "ValidationException"}
        if read.shared:
            listed = operation.output_shape.members[read.pick].member
            own = {name for name, of in read.arguments.items() if not of.startswith("=")}
            assert own <= set(listed.members)
    for child in kind.children:
        operation = api(model(child.kind.client), child.kind.list_operation)
        fits(kind, child.arguments, operation, model)
    if kind.tags:
        operation = api(model(kind.client), kind.tags.operation)
        assert kind.tags.key in operation.output_shape.members
        assert {kind.tags.argument} == set(operation.input_shape.required_members)


@pytest.mark.parametrize("kind", EVERY, ids=by_name)
def test_everything_a_kind_asks_may_be_asked(kind: Kind, model: Any) -> None:
    asked = {(kind.client, kind.list_operation), (kind.client, kind.describe_operation)}
    asked |= {(read.client or kind.client, read.operation) for read in kind.reads}
    asked |= {(r.client or kind.client, e.operation) for r in kind.reads for e in r.each}
    if kind.service and kind.tags:
        asked.add((kind.client, kind.tags.operation))
    missing = [
        (service, method)
        for service, method in asked
        if method and api(model(service), method).name not in READS[service]
    ]
    assert missing == []


def test_names_of_kinds_are_their_own() -> None:
    assert len({(kind.family, kind.name) for kind in EVERY}) == len(EVERY)


FIELDS_OF_HOSTS = {
    "describe_notebook_instance": hosts._NOTEBOOK_FIELDS,
    "describe_endpoint_config": (
        *(f"ProductionVariants[].{field}" for field in ("VariantName", "InstanceType")),
        "ProductionVariants[].ServerlessConfig",
        "ShadowProductionVariants[].InferenceAmiVersion",
        "KmsKeyId",
    ),
    "describe_training_job": (
        *(f"ResourceConfig.{field}" for field in hosts._JOB_FIELDS),
        "ResourceConfig.InstanceGroups[].InstanceGroupName",
        "InputDataConfig[].DataSource.FileSystemDataSource.FileSystemType",
        "InputDataConfig[].DataSource.FileSystemDataSource.DirectoryPath",
        "ModelArtifacts.S3ModelArtifacts",
    ),
    "describe_endpoint": ("EndpointStatus",),
    "list_tags": ("Tags[].Key", "Tags[].Value"),
}


@pytest.mark.parametrize("operation", FIELDS_OF_HOSTS)
def test_fields_that_code_reads(operation: str, sagemaker: Any) -> None:
    output = api(sagemaker, operation).output_shape
    fields = [field for field in FIELDS_OF_HOSTS[operation] if field not in LISTS]
    assert [field for field in fields if not reaches(output, field)] == []


LISTS = {"AcceleratorTypes"}
"""Kept whole, whatever is in them."""


def test_variant_fields(sagemaker: Any) -> None:
    output = api(sagemaker, "describe_endpoint_config").output_shape
    for field in ("ProductionVariants", "ShadowProductionVariants"):
        assert set(hosts._VARIANT_FIELDS) <= set(output.members[field].member.members)


EC2_FIELDS = {
    "describe_instances": (
        "Reservations[].Instances[].IamInstanceProfile.Arn",
        "Reservations[].Instances[].InstanceId",
        "Reservations[].Instances[].InstanceType",
        "Reservations[].Instances[].ImageId",
        "Reservations[].Instances[].PublicIpAddress",
        "Reservations[].Instances[].LaunchTime",
        "Reservations[].Instances[].State",
        "Reservations[].Instances[].MetadataOptions.HttpTokens",
        "Reservations[].Instances[].VpcId",
        "Reservations[].Instances[].NetworkInterfaces[].SubnetId",
        "Reservations[].Instances[].NetworkInterfaces[].Ipv6Addresses[].Ipv6Address",
        "Reservations[].Instances[].Tags[].Key",
        *(f"Reservations[].Instances[].{ref.path}" for ref in references.INSTANCE),
    ),
    "describe_images": ("Images[].ImageId", "Images[].Name"),
    "describe_instance_types": (
        "InstanceTypes[].InstanceType",
        "InstanceTypes[].GpuInfo",
        "InstanceTypes[].NeuronInfo",
        "InstanceTypes[].InferenceAcceleratorInfo",
    ),
    "describe_security_groups": (
        "SecurityGroups[].IpPermissions[].IpProtocol",
        "SecurityGroups[].IpPermissions[].FromPort",
        "SecurityGroups[].IpPermissions[].ToPort",
        "SecurityGroups[].IpPermissions[].IpRanges[].CidrIp",
        "SecurityGroups[].IpPermissions[].Ipv6Ranges[].CidrIpv6",
        "SecurityGroups[].IpPermissionsEgress[].IpProtocol",
        *(f"SecurityGroups[].{name}" for name in ("GroupId", "GroupName", "VpcId")),
    ),
    "describe_subnets": (
        *(f"Subnets[].{name}" for name in ("SubnetId", "VpcId", "MapPublicIpOnLaunch")),
        "Subnets[].BlockPublicAccessStates.InternetGatewayBlockMode",
    ),
    "describe_route_tables": (
        *(f"RouteTables[].{name}" for name in ("RouteTableId", "VpcId")),
        *(f"RouteTables[].Associations[].{name}" for name in ("Main", "SubnetId")),
        *(
            f"RouteTables[].Routes[].{name}"
            for name in (
                "State",
                "DestinationCidrBlock",
                "DestinationIpv6CidrBlock",
                "NatGatewayId",
                "EgressOnlyInternetGatewayId",
                *network_facts._ELSEWHERE,
            )
        ),
        *(f"RouteTables[].{ref.path}" for ref in ROUTES),
    ),
    "describe_nat_gateways": tuple(
        f"NatGateways[].{name}" for name in ("NatGatewayId", "ConnectivityType")
    ),
    "describe_internet_gateways": ("InternetGateways[].InternetGatewayId",),
    "describe_vpcs": ("Vpcs[].VpcId", "Vpcs[].OwnerId"),
    "describe_vpc_endpoints": (
        *(
            f"VpcEndpoints[].{name}"
            for name in (
                "VpcEndpointId",
                "VpcEndpointType",
                "VpcId",
                "ServiceName",
                "State",
                "PolicyDocument",
                "RouteTableIds[]",
            )
        ),
    ),
    "describe_flow_logs": ("FlowLogs[].ResourceId", "FlowLogs[].FlowLogStatus"),
    "describe_network_interfaces": tuple(
        f"NetworkInterfaces[].{name}"
        for name in (
            "SubnetId",
            "Groups[].GroupId",
            "Association.PublicIp",
            "PrivateIpAddresses[].Association.PublicIp",
            "Ipv6Addresses[].Ipv6Address",
        )
    ),
    "describe_network_acls": (
        "NetworkAcls[].NetworkAclId",
        "NetworkAcls[].Associations[].SubnetId",
        *(
            f"NetworkAcls[].Entries[].{name}"
            for name in (
                "Egress",
                "RuleNumber",
                "RuleAction",
                "Protocol",
                "CidrBlock",
                "Ipv6CidrBlock",
                "PortRange.From",
                "PortRange.To",
            )
        ),
    ),
    "describe_volumes": (
        "Volumes[].VolumeId",
        *(f"Volumes[].{ref.path}" for ref in references.VOLUME),
    ),
    "describe_launch_template_versions": tuple(
        f"LaunchTemplateVersions[].{path}"
        for path in (
            "LaunchTemplateName",
            "LaunchTemplateData.UserData",
            "LaunchTemplateData.MetadataOptions.HttpTokens",
            *(ref.path for ref in TEMPLATE),
        )
    ),
    "get_ebs_encryption_by_default": ("EbsEncryptionByDefault",),
    "get_allowed_images_settings": ("State", "ImageCriteria[].ImageProviders[]"),
    "describe_snapshots": ("Snapshots[].SnapshotId", "Snapshots[].VolumeId"),
    "describe_snapshot_attribute": ("CreateVolumePermissions[].Group",),
    "describe_instance_attribute": ("UserData.Value",),
    "describe_regions": ("Regions[].RegionName",),
}


@pytest.mark.parametrize("operation", EC2_FIELDS)
def test_ec2_fields(operation: str, ec2: Any) -> None:
    output = api(ec2, operation).output_shape
    assert [path for path in EC2_FIELDS[operation] if not reaches(output, path)] == []


@pytest.mark.parametrize("operation", EC2_FIELDS)
def test_ec2_operations_are_in_the_read_list(operation: str, ec2: Any) -> None:
    assert api(ec2, operation).name in READS["ec2"]


@pytest.mark.parametrize(
    ("operation", "parameter"),
    [("describe_flow_logs", "Filter"), ("describe_nat_gateways", "Filter")]
    + [
        (f"describe_{name}", "Filters")
        for name in (
            "internet_gateways",
            "network_acls",
            "network_interfaces",
            "route_tables",
            "security_groups",
            "snapshots",
            "subnets",
            "volumes",
            "vpc_endpoints",
            "vpcs",
        )
    ],
)
def test_what_filters_are_called(operation: str, parameter: str, ec2: Any) -> None:
    assert parameter in api(ec2, operation).input_shape.members


def test_instance_profiles() -> None:
    model: Any = botocore.session.Session().get_service_model("iam")
    output = api(model, "get_instance_profile").output_shape
    assert reaches(output, "InstanceProfile.Roles[].Arn")


def test_the_walker_notices_a_typo(sagemaker: Any) -> None:
    output = api(sagemaker, "describe_model").output_shape
    assert reaches(output, "Containers[].Image")
    assert not reaches(output, "Containers.Image")
    assert not reaches(output, "Containers[].Imgae")
    assert not reaches(output, "VpcConfig.Subnets")


def test_every_listing_can_be_paged(model: Any) -> None:
    loader = botocore.session.Session().get_component("data_loader")
    asked = {(kind.client, kind.list_operation) for kind in EVERY if kind.list_operation}
    asked |= {(r.client or k.client, r.operation) for k in EVERY for r in k.reads if r.listed}
    for service, method in sorted(asked):
        operation = api(model(service), method)
        known = loader.load_service_model(service, "paginators-1")["pagination"]
        # Without a paginator the token itself is followed.
        tokens = {"NextToken", "nextToken"} & set(operation.output_shape.members)
        whole = not {name for name in operation.output_shape.members if "oken" in name}
        assert operation.name in known or whole or tokens & set(operation.input_shape.members)
