"""SageMaker's clusters, servers, registries and workspaces: what jobs and endpoints are made from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from collectors.aws.arns import (
    Place,
    bucket,
    by_arn,
    file_system,
    image,
    kms_key,
    role,
    sagemaker,
)
from collectors.aws.hosts import Host, only
from collectors.aws.kinds import ARN, Kind, Read, Tags
from collectors.aws.references import SECRET, vpc
from collectors.references import Reference, Target
from collectors.values import mappings
from undercroft.model import Certainty, Edge, Json, Layer, Resource
from undercroft.relations import Relation

__all__ = ["KINDS"]

_ROLE = Relation.USES_IDENTITY
_KEY = Relation.ENCRYPTED_WITH
_READS = Relation.READS_DATA_FROM
_WRITES = Relation.WRITES_TO
_LOADS = Relation.LOADS_ARTIFACT_FROM
_IMAGE = Relation.RUNS_IMAGE
_SAME = Relation.SAME_WORKLOAD

_TAGS = Tags("list_tags", "ResourceArn", "Tags")
_ENDPOINT = sagemaker("endpoint", "sagemaker:endpoint")
_MODEL = sagemaker("model", "sagemaker:model")
_DOMAIN = sagemaker("domain", "sagemaker:domain")
_CLUSTER = by_arn("eks", "cluster", "eks:cluster", Layer.CONTAINER)
_STUDIO_IMAGE = sagemaker("image", "sagemaker:image", Layer.CONTAINER)
_FSX = file_system("fsx")

_NODE_FIELDS = (
    "InstanceType",
    "CurrentCount",
    "CurrentImageId",
    "CurrentImageReleaseVersion",
    "ImageVersionStatus",
    "AutoPatchConfig",
    "SoftwareUpdateStatus",
)


def _lustre(place: Place, text: str) -> Target | None:
    """A file system by its address: ``fs-0123.fsx.eu-west-1.amazonaws.com``."""
    identifier = text.partition(".")[0]
    return _FSX(place, identifier) if identifier.startswith("fs-") else None


def _nodes(config: Mapping[str, Json]) -> Iterator[Host]:
    """One host per group of nodes: the instances themselves are in AWS's account."""
    for field in ("InstanceGroups", "RestrictedInstanceGroups"):
        for index, group in enumerate(mappings(config.get(field))):
            name = str(group.get("InstanceGroupName") or index)
            yield Host(name, f"{field}[{index}].InstanceType", only(group, _NODE_FIELDS))


def _app_host(config: Mapping[str, Json]) -> Iterator[Host]:
    spec = config.get("ResourceSpec")
    if isinstance(spec, Mapping) and spec.get("InstanceType"):
        yield Host("", "ResourceSpec.InstanceType", only(spec, ("InstanceType",)))


def _of_endpoint(place: Place, component: Resource) -> Iterator[Resource | Edge]:
    """An endpoint stands on the components that are deployed to it."""
    name = component.config.get("EndpointName")
    target = _ENDPOINT(place, name) if isinstance(name, str) and name else None
    if target is not None:
        yield target.stub
        yield Edge(target.stub.key, component.key, _SAME, "EndpointName", Certainty.STATED)


def _of_domain(place: Place, part: Resource) -> Iterator[Resource | Edge]:
    """A domain stands on its spaces and apps: who works in them works in the domain."""
    identifier = part.config.get("DomainId")
    target = _DOMAIN(place, identifier) if isinstance(identifier, str) and identifier else None
    if target is not None:
        yield target.stub
        yield Edge(target.stub.key, part.key, _SAME, "DomainId", Certainty.STATED)


_ECR = re.compile(r"\d{12}\.dkr[.-]ecr[a-z0-9.-]*/\S+")
_LONGEST = 2_000


def _named_in_steps(place: Place, pipeline: Resource) -> Iterator[Resource | Edge]:
    """Images and buckets that the steps of a pipeline name, wherever in their definition."""
    text = pipeline.config.get("PipelineDefinition")
    try:
        definition = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return
    said = set[str]()
    for value in _texts(definition):
        if len(value) > _LONGEST:
            continue
        target, relation = None, _READS
        if value.startswith("s3://"):
            target = bucket(place, value)
        elif _ECR.fullmatch(value):
            target, relation = image(place, value), _IMAGE
        if target is not None and target.stub.key not in said:
            said.add(target.stub.key)
            yield target.stub
            yield Edge(
                pipeline.key,
                target.stub.key,
                relation,
                "PipelineDefinition",
                Certainty.INFERRED,
                target.detail,
            )


def _texts(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, Mapping):
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item


def _behind(_place: Place, config: Mapping[str, Json]) -> dict[str, Json]:
    """Versions as numbers, to be compared."""
    found = re.match(r"(\d+)\.(\d+)", str(config.get("MlflowVersion") or ""))
    return {"mlflow_major": int(found[1]), "mlflow_minor": int(found[2])} if found else {}


def _groups(at: str) -> tuple[Reference, ...]:
    return (
        Reference(f"{at}.ExecutionRole", role, _ROLE),
        *vpc(f"{at}.OverrideVpcConfig"),
        Reference(f"{at}.InstanceStorageConfigs[].EbsVolumeConfig.VolumeKmsKeyId", kms_key, _KEY),
        Reference(f"{at}.InstanceStorageConfigs[].FsxLustreConfig.DnsName", _lustre, _READS),
        Reference(f"{at}.InstanceStorageConfigs[].FsxOpenZfsConfig.DnsName", _lustre, _READS),
    )


_SPACE = "SpaceSettings"

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
        references=(
            Reference("Orchestrator.Eks.ClusterArn", _CLUSTER, Relation.RUNS_ON),
            Reference("ClusterRole", role, _ROLE),
            *_groups("InstanceGroups[]"),
            Reference("InstanceGroups[].LifeCycleConfig.SourceS3Uri", bucket, _LOADS),
            *_groups("RestrictedInstanceGroups[]"),
            *vpc("VpcConfig"),
        ),
    ),
    Kind(
        name="mlflow-tracking-server",
        type="sagemaker:mlflow-tracking-server",
        segment="mlflow-tracking-server",
        list_operation="list_mlflow_tracking_servers",
        list_key="TrackingServerSummaries",
        describe_operation="describe_mlflow_tracking_server",
        identifiers=("TrackingServerName",),
        arn="TrackingServerArn",
        title="TrackingServerName",
        service=True,
        tags=_TAGS,
        facts=_behind,
        derived=("mlflow_major", "mlflow_minor"),
        references=(
            Reference("ArtifactStoreUri", bucket, _WRITES),
            Reference("RoleArn", role, _ROLE),
        ),
    ),
    Kind(
        name="mlflow-app",
        type="sagemaker:mlflow-app",
        segment="mlflow-app",
        list_operation="list_mlflow_apps",
        list_key="Summaries",
        describe_operation="describe_mlflow_app",
        identifiers=("Arn",),
        by_arn=True,
        arn="Arn",
        title="Name",
        service=True,
        tags=_TAGS,
        facts=_behind,
        derived=("mlflow_major", "mlflow_minor"),
        references=(
            Reference("ArtifactStoreUri", bucket, _WRITES),
            Reference("KmsKeyId", kms_key, _KEY),
            Reference("RoleArn", role, _ROLE),
        ),
    ),
    Kind(
        name="inference-component",
        type="sagemaker:inference-component",
        segment="inference-component",
        list_operation="list_inference_components",
        list_key="InferenceComponents",
        describe_operation="describe_inference_component",
        identifiers=("InferenceComponentName",),
        arn="InferenceComponentArn",
        title="InferenceComponentName",
        more=_of_endpoint,
        references=tuple(
            reference
            for at in ("Specification", "Specifications[]")
            for reference in (
                Reference(f"{at}.ModelName", _MODEL, _SAME),
                Reference(f"{at}.Container.DeployedImage.ResolvedImage", image, _IMAGE),
                Reference(f"{at}.Container.ArtifactUrl", bucket, _LOADS),
            )
        ),
    ),
    Kind(
        name="feature-group",
        type="sagemaker:feature-group",
        segment="feature-group",
        list_operation="list_feature_groups",
        list_key="FeatureGroupSummaries",
        describe_operation="describe_feature_group",
        identifiers=("FeatureGroupName",),
        arn="FeatureGroupArn",
        title="FeatureGroupName",
        layer=Layer.STORAGE,
        references=(
            Reference("OfflineStoreConfig.S3StorageConfig.S3Uri", bucket, _WRITES),
            Reference("OfflineStoreConfig.S3StorageConfig.KmsKeyId", kms_key, _KEY),
            Reference("OnlineStoreConfig.SecurityConfig.KmsKeyId", kms_key, _KEY),
            Reference("RoleArn", role, _ROLE),
        ),
    ),
    Kind(
        name="pipeline",
        type="sagemaker:pipeline",
        segment="pipeline",
        list_operation="list_pipelines",
        list_key="PipelineSummaries",
        describe_operation="describe_pipeline",
        identifiers=("PipelineName",),
        arn="PipelineArn",
        title="PipelineName",
        service=True,
        tags=_TAGS,
        more=_named_in_steps,
        references=(Reference("RoleArn", role, _ROLE),),
    ),
    Kind(
        name="model-package-group",
        type="sagemaker:model-package-group",
        segment="model-package-group",
        list_operation="list_model_package_groups",
        list_key="ModelPackageGroupSummaryList",
        # The list says all that matters of the group itself.
        describe_operation="",
        identifiers=("ModelPackageGroupName",),
        arn="ModelPackageGroupArn",
        title="ModelPackageGroupName",
        reads=(
            Read(
                "ResourcePolicy",
                "get_model_package_group_policy",
                {"ModelPackageGroupName": "ModelPackageGroupName"},
                pick="ResourcePolicy",
                answers=frozenset({"ValidationException"}),
                grants=(
                    "sagemaker:DescribeModelPackage",
                    "sagemaker:CreateModelPackage",
                    "sagemaker:UpdateModelPackage",
                ),
            ),
        ),
    ),
    Kind(
        name="model-package",
        type="sagemaker:model-package",
        segment="model-package",
        list_operation="",
        list_key="",
        describe_operation="describe_model_package",
        identifiers=(),
        arguments={"ModelPackageName": ARN},
        arn="ModelPackageArn",
        title="",
        references=(
            *tuple(
                reference
                for at in (
                    "InferenceSpecification.Containers[]",
                    "AdditionalInferenceSpecifications[].Containers[]",
                )
                for reference in (
                    Reference(f"{at}.Image", image, _IMAGE),
                    Reference(f"{at}.ModelDataUrl", bucket, _LOADS),
                    Reference(f"{at}.ModelDataSource.S3DataSource.S3Uri", bucket, _LOADS),
                    Reference(f"{at}.AdditionalS3DataSource.S3Uri", bucket, _LOADS),
                )
            ),
            Reference("SourceUri", bucket, _LOADS),
            Reference("SecurityConfig.KmsKeyId", kms_key, _KEY),
            Reference("ValidationSpecification.ValidationRole", role, _ROLE),
        ),
    ),
    Kind(
        name="image",
        type="sagemaker:image",
        segment="image",
        layer=Layer.CONTAINER,
        list_operation="",
        list_key="",
        describe_operation="describe_image",
        identifiers=("ImageName",),
        arn="ImageArn",
        title="ImageName",
        reads=(
            Read(
                "LatestVersion",
                "describe_image_version",
                {"ImageName": "ImageName"},
                answers=frozenset({"ResourceNotFound"}),
            ),
        ),
        references=(
            Reference("RoleArn", role, _ROLE),
            Reference("LatestVersion.ContainerImage", image, _IMAGE),
        ),
    ),
    Kind(
        name="code-repository",
        type="sagemaker:code-repository",
        segment="code-repository",
        list_operation="",
        list_key="",
        describe_operation="describe_code_repository",
        identifiers=("CodeRepositoryName",),
        arn="CodeRepositoryArn",
        title="CodeRepositoryName",
        references=(Reference("GitConfig.SecretArn", SECRET, _ROLE),),
    ),
    Kind(
        name="space",
        type="sagemaker:space",
        segment="space",
        within="domain",
        list_operation="list_spaces",
        list_key="Spaces",
        describe_operation="describe_space",
        identifiers=("DomainId", "SpaceName"),
        arn="SpaceArn",
        title="SpaceName",
        more=_of_domain,
        references=(
            Reference(
                f"{_SPACE}.CustomFileSystems[].EFSFileSystem.FileSystemId",
                file_system("efs"),
                _READS,
            ),
            Reference(
                f"{_SPACE}.CustomFileSystems[].FSxLustreFileSystem.FileSystemId", _FSX, _READS
            ),
            Reference(f"{_SPACE}.CustomFileSystems[].S3FileSystem.S3Uri", bucket, _READS),
            Reference(
                f"{_SPACE}.*AppSettings.DefaultResourceSpec.SageMakerImageArn",
                _STUDIO_IMAGE,
                _IMAGE,
            ),
        ),
    ),
    Kind(
        name="app",
        type="sagemaker:app",
        segment="app",
        within="domain",
        list_operation="list_apps",
        list_key="Apps",
        gone=("Deleted", "Failed"),
        # The list says all that matters, and a description would need to know whose app it is.
        describe_operation="",
        identifiers=("DomainId", "AppType", "AppName"),
        arn="",
        title="AppName",
        hosts=_app_host,
        more=_of_domain,
        references=(Reference("ResourceSpec.SageMakerImageArn", _STUDIO_IMAGE, _IMAGE),),
    ),
    Kind(
        name="flow-definition",
        type="sagemaker:flow-definition",
        segment="flow-definition",
        list_operation="list_flow_definitions",
        list_key="FlowDefinitionSummaries",
        describe_operation="describe_flow_definition",
        identifiers=("FlowDefinitionName",),
        arn="FlowDefinitionArn",
        title="FlowDefinitionName",
        references=(
            Reference("OutputConfig.S3OutputPath", bucket, _WRITES),
            Reference("OutputConfig.KmsKeyId", kms_key, _KEY),
            Reference("RoleArn", role, _ROLE),
        ),
    ),
    Kind(
        name="partner-app",
        type="sagemaker:partner-app",
        segment="partner-app",
        list_operation="list_partner_apps",
        list_key="Summaries",
        describe_operation="describe_partner_app",
        identifiers=("Arn",),
        by_arn=True,
        arn="Arn",
        title="Name",
        service=True,
        tags=_TAGS,
        references=(
            Reference("ExecutionRoleArn", role, _ROLE),
            Reference("KmsKeyId", kms_key, _KEY),
        ),
    ),
    Kind(
        name="hub",
        type="sagemaker:hub",
        segment="hub",
        list_operation="list_hubs",
        list_key="HubSummaries",
        describe_operation="describe_hub",
        identifiers=("HubName",),
        arn="HubArn",
        title="HubName",
        references=(Reference("S3StorageConfig.S3OutputPath", bucket, _WRITES),),
    ),
)
