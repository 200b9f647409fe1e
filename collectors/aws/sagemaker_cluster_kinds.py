"""HyperPod: clusters of machines that train together, and what starts, holds and schedules them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from collectors.aws.arns import Place, bucket, by_arn, file_system, kms_key, role
from collectors.aws.hosts import Host, only
from collectors.aws.kinds import Kind, Read, Tags
from collectors.aws.references import SECRET, vpc
from collectors.references import Reference, Target
from collectors.values import mappings
from undercroft.model import Json, Layer
from undercroft.relations import Relation

__all__ = ["KINDS"]

_ROLE = Relation.USES_IDENTITY
_KEY = Relation.ENCRYPTED_WITH
_READS = Relation.READS_DATA_FROM
_WRITES = Relation.WRITES_TO
_LOADS = Relation.LOADS_ARTIFACT_FROM

_TAGS = Tags("list_tags", "ResourceArn", "Tags")
_CLUSTER = by_arn("eks", "cluster", "eks:cluster", Layer.CONTAINER)
_FSX = file_system("fsx")

_GROUP_FIELDS = (
    "InstanceType",
    "CurrentCount",
    "CurrentImageId",
    "CurrentImageReleaseVersion",
    "ImageVersionStatus",
    "AutoPatchConfig",
    "SoftwareUpdateStatus",
)
_NODE_FIELDS = (
    "InstanceId",
    "InstanceType",
    "CurrentImageReleaseVersion",
    "ImageVersionStatus",
    "LastSoftwareUpdateTime",
)
_STATES = ("UpToDate", "UpdateAvailable", "SecurityUpdateRequired", "EndOfLife")
"""What AWS says of the image of a node, from best to worst."""


def _lustre(place: Place, text: str) -> Target | None:
    """A file system by its address: ``fs-0123.fsx.eu-west-1.amazonaws.com``."""
    identifier = text.partition(".")[0]
    return _FSX(place, identifier) if identifier.startswith("fs-") else None


def _of_group(config: Mapping[str, Json], name: str) -> list[Mapping[str, Json]]:
    nodes = mappings(config.get("Nodes"))
    return [node for node in nodes if node.get("InstanceGroupName") == name]


def _nodes(config: Mapping[str, Json]) -> Iterator[Host]:
    """One host per group of nodes, with what is said of each: the instances are in AWS's account."""
    for field in ("InstanceGroups", "RestrictedInstanceGroups"):
        for index, group in enumerate(mappings(config.get(field))):
            name = str(group.get("InstanceGroupName") or index)
            said = only(group, _GROUP_FIELDS)
            if machines := [only(node, _NODE_FIELDS) for node in _of_group(config, name)]:
                said["Nodes"] = list(machines)
            yield Host(name, f"{field}[{index}].InstanceType", said)


def _images(_place: Place, config: Mapping[str, Json]) -> dict[str, Json]:
    """The worst that is said of the images of each group, by the group or by any of its nodes.

    A group of which nothing is said is left out.
    """
    found: list[Json] = []
    for field in ("InstanceGroups", "RestrictedInstanceGroups"):
        for index, group in enumerate(mappings(config.get(field))):
            name = str(group.get("InstanceGroupName") or index)
            said = [
                each
                for each in (group, *_of_group(config, name))
                if each.get("ImageVersionStatus") in _STATES
            ]
            if not said:
                continue
            worst = max(said, key=lambda each: _STATES.index(str(each["ImageVersionStatus"])))
            found.append(
                {
                    "group": name,
                    "status": worst["ImageVersionStatus"],
                    "release": worst.get("CurrentImageReleaseVersion"),
                }
            )
    return {"node_images": found}


def _groups(at: str) -> tuple[Reference, ...]:
    return (
        Reference(f"{at}.ExecutionRole", role, _ROLE),
        *vpc(f"{at}.OverrideVpcConfig"),
        Reference(f"{at}.InstanceStorageConfigs[].EbsVolumeConfig.VolumeKmsKeyId", kms_key, _KEY),
        Reference(f"{at}.InstanceStorageConfigs[].FsxLustreConfig.DnsName", _lustre, _READS),
        Reference(f"{at}.InstanceStorageConfigs[].FsxOpenZfsConfig.DnsName", _lustre, _READS),
    )


KINDS: tuple[Kind, ...] = (
    Kind(
        name="cluster",
        type="sagemaker:cluster",
        segment="cluster",
        list_operation="list_clusters",
        list_key="ClusterSummaries",
        describe_operation="describe_cluster",
        identifiers=("ClusterName",),
        arn="ClusterArn",
        title="ClusterName",
        service=True,
        tags=_TAGS,
        hosts=_nodes,
        facts=_images,
        derived=("node_images",),
        needs={"node_images": ("InstanceGroups", "RestrictedInstanceGroups", "Nodes")},
        reads=(
            # Of restricted groups only their nodes say how old their image is.
            Read(
                "Nodes",
                "list_cluster_nodes",
                {"ClusterName": "ClusterName"},
                pick="ClusterNodeSummaries",
                listed=True,
            ),
        ),
        references=(
            Reference("Orchestrator.Eks.ClusterArn", _CLUSTER, Relation.RUNS_ON),
            Reference("ClusterRole", role, _ROLE),
            *_groups("InstanceGroups[]"),
            Reference("InstanceGroups[].LifeCycleConfig.SourceS3Uri", bucket, _LOADS),
            *_groups("RestrictedInstanceGroups[]"),
            Reference("RestrictedInstanceGroups[].EnvironmentConfig.S3OutputPath", bucket, _WRITES),
            Reference("Orchestrator.Slurm.AccountingDatabase.SecretArn", SECRET, _ROLE),
            *vpc("VpcConfig"),
        ),
    ),
)
