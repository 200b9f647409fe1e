"""SageMaker's jobs besides training: processing, transform, tuning, monitoring and more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from collectors.aws.arns import Place, bucket, image, kms_key, role, sagemaker
from collectors.aws.hosts import Host, only
from collectors.aws.kinds import Kind, Tags
from collectors.aws.references import ALGORITHM, vpc
from collectors.aws.sagemaker_kinds import mounts
from collectors.references import Reference
from collectors.values import find, mappings
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
_CONFIG = sagemaker("endpoint-config", "sagemaker:endpoint-config")
_MODEL = sagemaker("model", "sagemaker:model")
_JOB = sagemaker("training-job", "sagemaker:training-job")
_FEATURES = sagemaker("feature-group", "sagemaker:feature-group", Layer.STORAGE)
_SCHEDULED = "MonitoringScheduleConfig.MonitoringJobDefinition"
_DEFINITIONS = {
    sort: sagemaker(f"{segment}-job-definition", "sagemaker:monitoring-job")
    for sort, segment in (
        ("DataQuality", "data-quality"),
        ("ModelQuality", "model-quality"),
        ("ModelBias", "model-bias"),
        ("ModelExplainability", "model-explainability"),
    )
}
_FIELDS = (
    "InstanceType",
    "InstanceCount",
    "VolumeSizeInGB",
    "VolumeKmsKeyId",
    "TransformAmiVersion",
)


def _group(path: str, config: Mapping[str, Json]) -> Iterator[Host]:
    for at, cluster in find(config, path):
        if isinstance(cluster, Mapping) and cluster.get("InstanceType"):
            yield Host("", f"{at}.InstanceType", only(cluster, _FIELDS))


def _processing_hosts(config: Mapping[str, Json]) -> Iterator[Host]:
    return _group("ProcessingResources.ClusterConfig", config)


def _transform_hosts(config: Mapping[str, Json]) -> Iterator[Host]:
    return _group("TransformResources", config)


def _monitoring_hosts(config: Mapping[str, Json]) -> Iterator[Host]:
    yield from _group("JobResources.ClusterConfig", config)
    yield from _group(f"{_SCHEDULED}.MonitoringResources.ClusterConfig", config)


def _tuning_hosts(config: Mapping[str, Json]) -> Iterator[Host]:
    """The machines of the jobs that a tuning job starts, per definition."""
    for field in ("TrainingJobDefinition", "TrainingJobDefinitions"):
        found = config.get(field)
        several = isinstance(found, list)
        for index, definition in enumerate(mappings(found if several else [found])):
            at = f"{field}[{index}]" if several else field
            name = str(definition.get("DefinitionName") or (index if several else ""))
            for inside in ("ResourceConfig", "HyperParameterTuningResourceConfig"):
                resources = definition.get(inside)
                if not isinstance(resources, Mapping):
                    continue
                choices = [resources, *mappings(resources.get("InstanceConfigs"))]
                types = [one["InstanceType"] for one in choices if one.get("InstanceType")]
                if types:
                    kept = {**only(resources, _FIELDS), "InstanceType": types[0]}
                    yield Host(name, f"{at}.{inside}.InstanceType", kept)


def _tuned(place: Place, job: Resource) -> Iterator[Resource | Edge]:
    for at in ("TrainingJobDefinition", "TrainingJobDefinitions[]"):
        yield from mounts(place, job, f"{at}.InputDataConfig[]")


def _scheduled(place: Place, schedule: Resource) -> Iterator[Resource | Edge]:
    """An endpoint hands its data to the schedule, and that runs what a definition says."""
    yield from _watched(place, schedule)
    config = schedule.config.get("MonitoringScheduleConfig")
    name = config.get("MonitoringJobDefinitionName") if isinstance(config, Mapping) else None
    if not isinstance(config, Mapping) or not isinstance(name, str) or not name:
        return
    sort = _DEFINITIONS.get(str(config.get("MonitoringType")))
    target = sort(place, name) if sort else None
    if target is not None:
        yield target.stub
        via = "MonitoringScheduleConfig.MonitoringJobDefinitionName"
        yield Edge(schedule.key, target.stub.key, _SAME, via, Certainty.STATED)


def _watched(place: Place, job: Resource) -> Iterator[Resource | Edge]:
    """An endpoint hands its captured data to what watches it."""
    for path in (
        "EndpointName",
        "*JobInput.EndpointInput.EndpointName",
        f"{_SCHEDULED}.MonitoringInputs[].EndpointInput.EndpointName",
    ):
        for at, name in find(job.config, path):
            target = _ENDPOINT(place, name) if isinstance(name, str) and name else None
            if target is not None:
                yield target.stub
                yield Edge(target.stub.key, job.key, _WRITES, at, Certainty.STATED)


def _scripts(at: str) -> tuple[Reference, ...]:
    """Code that is run before and after the analysis."""
    return (
        Reference(f"{at}.RecordPreprocessorSourceUri", bucket, _LOADS),
        Reference(f"{at}.PostAnalyticsProcessorSourceUri", bucket, _LOADS),
    )


def _definition(name: str, segment: str, operation: str, field: str, *more: Reference) -> Kind:
    """A job that checks an endpoint's data or answers by schedule."""
    return Kind(
        name=name,
        type="sagemaker:monitoring-job",
        segment=segment,
        list_operation=f"list_{operation}_job_definitions",
        list_key="JobDefinitionSummaries",
        describe_operation=f"describe_{operation}_job_definition",
        identifiers=("MonitoringJobDefinitionName",),
        arguments={"JobDefinitionName": "MonitoringJobDefinitionName"},
        arn="JobDefinitionArn",
        title="JobDefinitionName",
        hosts=_monitoring_hosts,
        more=_watched,
        references=(
            Reference(f"{field}AppSpecification.ImageUri", image, _IMAGE),
            Reference(f"{field}BaselineConfig.ConstraintsResource.S3Uri", bucket, _READS),
            Reference(
                f"{field}JobInput.BatchTransformInput.DataCapturedDestinationS3Uri", bucket, _READS
            ),
            Reference(
                f"{field}JobOutputConfig.MonitoringOutputs[].S3Output.S3Uri", bucket, _WRITES
            ),
            Reference(f"{field}JobOutputConfig.KmsKeyId", kms_key, _KEY),
            Reference("JobResources.ClusterConfig.VolumeKmsKeyId", kms_key, _KEY),
            Reference("RoleArn", role, _ROLE),
            *vpc("NetworkConfig.VpcConfig"),
            *more,
        ),
    )


def _training(at: str) -> tuple[Reference, ...]:
    return (
        Reference(f"{at}.AlgorithmSpecification.TrainingImage", image, _IMAGE),
        Reference(f"{at}.AlgorithmSpecification.AlgorithmName", ALGORITHM, _IMAGE),
        Reference(f"{at}.InputDataConfig[].DataSource.S3DataSource.S3Uri", bucket, _READS),
        Reference(f"{at}.OutputDataConfig.S3OutputPath", bucket, _WRITES),
        Reference(f"{at}.OutputDataConfig.KmsKeyId", kms_key, _KEY),
        Reference(f"{at}.*ResourceConfig.VolumeKmsKeyId", kms_key, _KEY),
        Reference(f"{at}.CheckpointConfig.S3Uri", bucket, _WRITES),
        Reference(f"{at}.RoleArn", role, _ROLE),
        *vpc(f"{at}.VpcConfig"),
    )


KINDS: tuple[Kind, ...] = (
    Kind(
        name="processing-job",
        type="sagemaker:processing-job",
        segment="processing-job",
        list_operation="list_processing_jobs",
        list_key="ProcessingJobSummaries",
        history="CreationTimeAfter",
        describe_operation="describe_processing_job",
        identifiers=("ProcessingJobName",),
        arn="ProcessingJobArn",
        title="ProcessingJobName",
        service=True,
        tags=_TAGS,
        hosts=_processing_hosts,
        references=(
            Reference("AppSpecification.ImageUri", image, _IMAGE),
            Reference("ProcessingInputs[].S3Input.S3Uri", bucket, _READS),
            Reference(
                "ProcessingInputs[].DatasetDefinition.*Definition.OutputS3Uri", bucket, _READS
            ),
            Reference("ProcessingInputs[].DatasetDefinition.*Definition.KmsKeyId", kms_key, _KEY),
            Reference(
                "ProcessingInputs[].DatasetDefinition.RedshiftDatasetDefinition.ClusterRoleArn",
                role,
                _ROLE,
            ),
            Reference(
                "ProcessingOutputConfig.Outputs[].FeatureStoreOutput.FeatureGroupName",
                _FEATURES,
                _WRITES,
            ),
            Reference("ProcessingOutputConfig.Outputs[].S3Output.S3Uri", bucket, _WRITES),
            Reference("ProcessingOutputConfig.KmsKeyId", kms_key, _KEY),
            Reference("ProcessingResources.ClusterConfig.VolumeKmsKeyId", kms_key, _KEY),
            Reference("RoleArn", role, _ROLE),
            *vpc("NetworkConfig.VpcConfig"),
        ),
    ),
    Kind(
        name="transform-job",
        type="sagemaker:transform-job",
        segment="transform-job",
        list_operation="list_transform_jobs",
        list_key="TransformJobSummaries",
        history="CreationTimeAfter",
        describe_operation="describe_transform_job",
        identifiers=("TransformJobName",),
        arn="TransformJobArn",
        title="TransformJobName",
        service=True,
        tags=_TAGS,
        hosts=_transform_hosts,
        references=(
            Reference("ModelName", _MODEL, _SAME),
            Reference("TransformInput.DataSource.S3DataSource.S3Uri", bucket, _READS),
            Reference("TransformOutput.S3OutputPath", bucket, _WRITES),
            Reference("TransformOutput.KmsKeyId", kms_key, _KEY),
            Reference("TransformResources.VolumeKmsKeyId", kms_key, _KEY),
            Reference("DataCaptureConfig.DestinationS3Uri", bucket, _WRITES),
            Reference("DataCaptureConfig.KmsKeyId", kms_key, _KEY),
        ),
    ),
    Kind(
        name="tuning-job",
        type="sagemaker:tuning-job",
        segment="hyper-parameter-tuning-job",
        list_operation="list_hyper_parameter_tuning_jobs",
        list_key="HyperParameterTuningJobSummaries",
        history="CreationTimeAfter",
        describe_operation="describe_hyper_parameter_tuning_job",
        identifiers=("HyperParameterTuningJobName",),
        arn="HyperParameterTuningJobArn",
        title="HyperParameterTuningJobName",
        hosts=_tuning_hosts,
        more=_tuned,
        references=(
            *_training("TrainingJobDefinition"),
            *_training("TrainingJobDefinitions[]"),
            Reference("BestTrainingJob.TrainingJobName", _JOB, Relation.PRODUCES),
        ),
    ),
    Kind(
        name="automl-job",
        type="sagemaker:automl-job",
        segment="automl-job",
        list_operation="list_auto_ml_jobs",
        list_key="AutoMLJobSummaries",
        history="CreationTimeAfter",
        describe_operation="describe_auto_ml_job_v2",
        identifiers=("AutoMLJobName",),
        arn="AutoMLJobArn",
        title="AutoMLJobName",
        references=(
            Reference("AutoMLJobInputDataConfig[].DataSource.S3DataSource.S3Uri", bucket, _READS),
            Reference("OutputDataConfig.S3OutputPath", bucket, _WRITES),
            Reference("OutputDataConfig.KmsKeyId", kms_key, _KEY),
            Reference("SecurityConfig.VolumeKmsKeyId", kms_key, _KEY),
            Reference("AutoMLProblemTypeConfig.*Config.FeatureSpecificationS3Uri", bucket, _READS),
            Reference(
                "AutoMLComputeConfig.EmrServerlessComputeConfig.ExecutionRoleARN", role, _ROLE
            ),
            Reference("BestCandidate.InferenceContainers[].ModelDataUrl", bucket, _WRITES),
            Reference("ModelDeployResult.EndpointName", _ENDPOINT, Relation.PRODUCES),
            Reference("RoleArn", role, _ROLE),
            *vpc("SecurityConfig.VpcConfig"),
        ),
    ),
    _definition(
        "data-quality-job",
        "data-quality-job-definition",
        "data_quality",
        "DataQuality",
        *_scripts("DataQualityAppSpecification"),
        Reference("DataQualityBaselineConfig.StatisticsResource.S3Uri", bucket, _READS),
    ),
    _definition(
        "model-quality-job",
        "model-quality-job-definition",
        "model_quality",
        "ModelQuality",
        *_scripts("ModelQualityAppSpecification"),
        Reference("ModelQualityJobInput.GroundTruthS3Input.S3Uri", bucket, _READS),
    ),
    _definition(
        "model-bias-job",
        "model-bias-job-definition",
        "model_bias",
        "ModelBias",
        Reference("ModelBiasAppSpecification.ConfigUri", bucket, _LOADS),
        Reference("ModelBiasJobInput.GroundTruthS3Input.S3Uri", bucket, _READS),
    ),
    _definition(
        "model-explainability-job",
        "model-explainability-job-definition",
        "model_explainability",
        "ModelExplainability",
        Reference("ModelExplainabilityAppSpecification.ConfigUri", bucket, _LOADS),
    ),
    Kind(
        name="monitoring-schedule",
        type="sagemaker:monitoring-job",
        segment="monitoring-schedule",
        list_operation="list_monitoring_schedules",
        list_key="MonitoringScheduleSummaries",
        describe_operation="describe_monitoring_schedule",
        identifiers=("MonitoringScheduleName",),
        arn="MonitoringScheduleArn",
        passing=("LastMonitoringExecutionSummary",),
        title="MonitoringScheduleName",
        hosts=_monitoring_hosts,
        more=_scheduled,
        references=(
            *_scripts(f"{_SCHEDULED}.MonitoringAppSpecification"),
            Reference(f"{_SCHEDULED}.BaselineConfig.*Resource.S3Uri", bucket, _READS),
            Reference(
                f"{_SCHEDULED}.MonitoringInputs[].BatchTransformInput.DataCapturedDestinationS3Uri",
                bucket,
                _READS,
            ),
            Reference(f"{_SCHEDULED}.MonitoringAppSpecification.ImageUri", image, _IMAGE),
            Reference(
                f"{_SCHEDULED}.MonitoringOutputConfig.MonitoringOutputs[].S3Output.S3Uri",
                bucket,
                _WRITES,
            ),
            Reference(f"{_SCHEDULED}.MonitoringOutputConfig.KmsKeyId", kms_key, _KEY),
            Reference(
                f"{_SCHEDULED}.MonitoringResources.ClusterConfig.VolumeKmsKeyId", kms_key, _KEY
            ),
            Reference(f"{_SCHEDULED}.RoleArn", role, _ROLE),
            *vpc(f"{_SCHEDULED}.NetworkConfig.VpcConfig"),
        ),
    ),
    Kind(
        name="inference-experiment",
        type="sagemaker:inference-experiment",
        segment="inference-experiment",
        list_operation="list_inference_experiments",
        list_key="InferenceExperiments",
        describe_operation="describe_inference_experiment",
        identifiers=("Name",),
        arn="Arn",
        title="Name",
        references=(
            Reference("EndpointMetadata.EndpointName", _ENDPOINT, _SAME),
            Reference("EndpointMetadata.EndpointConfigName", _CONFIG, _SAME),
            Reference("ModelVariants[].ModelName", _MODEL, _SAME),
            Reference("DataStorageConfig.Destination", bucket, _WRITES),
            Reference("DataStorageConfig.KmsKey", kms_key, _KEY),
            Reference("KmsKey", kms_key, _KEY),
            Reference("RoleArn", role, _ROLE),
        ),
    ),
)
