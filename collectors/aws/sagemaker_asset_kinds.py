"""SageMaker's MLflow, parts of endpoints, feature stores, pipelines, work of people, partner apps."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from collectors.aws.arns import Arn, Place, bucket, function, image, kms_key, role, sagemaker
from collectors.aws.kinds import Kind, Tags
from collectors.aws.mentions import mentioned
from collectors.aws.references import vpc
from collectors.references import Reference, Target
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
_CALLS = Relation.INVOKES_TOOL

_TAGS = Tags("list_tags", "ResourceArn", "Tags")
_ENDPOINT = sagemaker("endpoint", "sagemaker:endpoint")
_COMPONENT = sagemaker("inference-component", "sagemaker:inference-component")
_MODEL = sagemaker("model", "sagemaker:model")


def _of_endpoint(place: Place, component: Resource) -> Iterator[Resource | Edge]:
    """An endpoint stands on the components that are deployed to it."""
    name = component.config.get("EndpointName")
    target = _ENDPOINT(place, name) if isinstance(name, str) and name else None
    if target is not None:
        yield target.stub
        yield Edge(target.stub.key, component.key, _SAME, "EndpointName", Certainty.STATED)


def _destination(place: Place, text: str) -> Target | None:
    """Where a router sends requests: an endpoint, or a component of one."""
    return (_ENDPOINT(place, text) or _COMPONENT(place, text)) if Arn.parse(text) else None


def _named_in_steps(place: Place, pipeline: Resource) -> Iterator[Resource | Edge]:
    return mentioned(place, pipeline, "PipelineDefinition", _READS)


def _catalogued(place: Place, group: Resource) -> Iterator[Resource | Edge]:
    """The table that makes a feature group's files queryable."""
    store = group.config.get("OfflineStoreConfig")
    catalog = store.get("DataCatalogConfig") if isinstance(store, Mapping) else None
    if not isinstance(catalog, Mapping) or not catalog.get("TableName"):
        return
    name = f"{catalog.get('Database')}/{catalog['TableName']}"
    table = place.stub(
        "glue:table",
        Layer.STORAGE,
        place.key("glue", "table", name),
        name,
        place.arn("glue", f"table/{name}"),
    )
    yield table
    yield Edge(
        group.key,
        table.key,
        _WRITES,
        "OfflineStoreConfig.DataCatalogConfig.TableName",
        Certainty.STATED,
    )


def _behind(_place: Place, config: Mapping[str, Json]) -> dict[str, Json]:
    """Versions as numbers, to be compared."""
    found = re.match(r"(\d+)\.(\d+)", str(config.get("MlflowVersion") or ""))
    return {"mlflow_major": int(found[1]), "mlflow_minor": int(found[2])} if found else {}


_LEARNING = "LabelingJobAlgorithmsConfig"
_ASYNC = "RoutingTargets[].AsyncInferenceConfig.OutputConfig"

KINDS: tuple[Kind, ...] = (
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
        name="inference-router",
        type="sagemaker:inference-router",
        segment="inference-router",
        list_operation="list_inference_routers",
        list_key="InferenceRouters",
        describe_operation="describe_inference_router",
        identifiers=("InferenceRouterName",),
        arn="InferenceRouterArn",
        title="InferenceRouterName",
        service=True,
        tags=_TAGS,
        references=(
            Reference("RoutingTargets[].Destinations[].ResourceArn", _destination, _SAME),
            Reference(f"{_ASYNC}.S3OutputPath", bucket, _WRITES),
            Reference(f"{_ASYNC}.S3FailurePath", bucket, _WRITES),
            Reference(f"{_ASYNC}.KmsKeyId", kms_key, _KEY),
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
        more=_catalogued,
        references=(
            Reference("OfflineStoreConfig.S3StorageConfig.S3Uri", bucket, _WRITES),
            Reference("OfflineStoreConfig.S3StorageConfig.ResolvedOutputS3Uri", bucket, _WRITES),
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
        name="labeling-job",
        type="sagemaker:labeling-job",
        segment="labeling-job",
        list_operation="list_labeling_jobs",
        list_key="LabelingJobSummaryList",
        history="CreationTimeAfter",
        describe_operation="describe_labeling_job",
        identifiers=("LabelingJobName",),
        arn="LabelingJobArn",
        title="LabelingJobName",
        # Its description has its tags.
        service=True,
        references=(
            Reference("InputConfig.DataSource.S3DataSource.ManifestS3Uri", bucket, _READS),
            Reference("LabelCategoryConfigS3Uri", bucket, _READS),
            Reference("HumanTaskConfig.UiConfig.UiTemplateS3Uri", bucket, _LOADS),
            Reference("OutputConfig.S3OutputPath", bucket, _WRITES),
            Reference("OutputConfig.KmsKeyId", kms_key, _KEY),
            Reference(f"{_LEARNING}.InitialActiveLearningModelArn", _MODEL, _LOADS),
            Reference(f"{_LEARNING}.LabelingJobResourceConfig.VolumeKmsKeyId", kms_key, _KEY),
            *vpc(f"{_LEARNING}.LabelingJobResourceConfig.VpcConfig"),
            Reference("HumanTaskConfig.PreHumanTaskLambdaArn", function, _CALLS),
            Reference(
                "HumanTaskConfig.AnnotationConsolidationConfig.AnnotationConsolidationLambdaArn",
                function,
                _CALLS,
            ),
            Reference("LabelingJobOutput.FinalActiveLearningModelArn", _MODEL, Relation.PRODUCES),
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
)
