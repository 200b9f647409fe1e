"""Every field that is read exists in the SDK's own model: a typo would otherwise read nothing."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import botocore.session
import pytest

from collectors.aws import hosts, references
from collectors.aws.ec2_named import NAMED, NamedKind
from collectors.aws.sagemaker_kinds import KINDS, Kind
from collectors.aws.session import Clients


def reaches(shape: Any, path: str) -> bool:
    """Whether ``path`` (as ``values.find`` reads it) leads to something in ``shape``."""
    return any(_walk(shape, path.split(".")))


def _walk(shape: Any, steps: list[str]) -> Iterator[bool]:
    if not steps:
        yield True
        return
    name, listed = steps[0].removesuffix("[]"), steps[0].endswith("[]")
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
    return kind.name


@pytest.mark.parametrize("kind", KINDS, ids=by_name)
def test_sagemaker_references(kind: Kind, sagemaker: Any) -> None:
    output = api(sagemaker, kind.describe_operation).output_shape
    missing = [ref.path for ref in kind.references if not reaches(output, ref.path)]
    assert missing == []


@pytest.mark.parametrize("kind", KINDS, ids=by_name)
def test_sagemaker_names(kind: Kind, sagemaker: Any) -> None:
    describe = api(sagemaker, kind.describe_operation)
    if kind.list_operation:
        listing = api(sagemaker, kind.list_operation)
        item = listing.output_shape.members[kind.list_key].member
        assert set(kind.identifiers) <= set(item.members)
    assert set(kind.identifiers) == set(describe.input_shape.members)
    assert {*kind.identifiers, kind.arn, kind.title, "CreationTime"} <= set(
        describe.output_shape.members
    )


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
    ),
    "describe_regions": ("Regions[].RegionName",),
}


@pytest.mark.parametrize("operation", EC2_FIELDS)
def test_ec2_fields(operation: str, ec2: Any) -> None:
    output = api(ec2, operation).output_shape
    assert [path for path in EC2_FIELDS[operation] if not reaches(output, path)] == []


@pytest.mark.parametrize("kind", NAMED, ids=lambda kind: kind.segment)
def test_ec2_types_that_are_read_by_id(kind: NamedKind, ec2: Any) -> None:
    operation = api(ec2, kind.operation)
    assert "Filters" in operation.input_shape.members
    item = operation.output_shape.members[kind.list_key].member
    assert {kind.identifier, kind.title or kind.identifier, "Tags"} <= set(item.members)
    assert all(reaches(item, ref.path) for ref in kind.references)


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


def test_every_listing_can_be_paged(aws: Any) -> None:
    client = Clients().client("sagemaker")
    listed = [kind.list_operation for kind in KINDS if kind.list_operation]
    assert len(listed) >= 7
    assert all(client.can_paginate(operation) for operation in listed)
