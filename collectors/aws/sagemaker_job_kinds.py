"""SageMaker's jobs besides training: processing, transform, tuning, AutoML, monitoring, experiments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from collectors.aws.arns import Place, bucket, image, kms_key, role, sagemaker
from collectors.aws.hosts import Host, only
from collectors.aws.kinds import Kind, Tags
from collectors.aws.references import vpc
from collectors.references import Reference
from collectors.values import find
from undercroft.model import Certainty, Edge, Json, Resource
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
_JOB = sagemaker("training-job", "sagemaker:training-job")
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


def _watched(place: Place, job: Resource) -> Iterator[Resource | Edge]:
    """An endpoint hands its captured data to what watches it."""
    for path in ("EndpointName", "*JobInput.EndpointInput.EndpointName"):
        for at, name in find(job.config, path):
            target = _ENDPOINT(place, name) if isinstance(name, str) and name else None
            if target is not None:
                yield target.stub
                yield Edge(target.stub.key, job.key, _WRITES, at, Certainty.STATED)


def _definition(name: str, segment: str, operation: str, field: str) -> Kind:
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
        ),
    )


def _training(at: str) -> tuple[Reference, ...]:
    return (
        Reference(f"{at}.AlgorithmSpecification.TrainingImage", image, _IMAGE),
        Reference(f"{at}.InputDataConfig[].DataSource.S3DataSource.S3Uri", bucket, _READS),
        Reference(f"{at}.OutputDataConfig.S3OutputPath", bucket, _WRITES),
        Reference(f"{at}.OutputDataConfig.KmsKeyId", kms_key, _KEY),
        Reference(f"{at}.ResourceConfig.VolumeKmsKeyId", kms_key, _KEY),
        Reference(f"{at}.CheckpointConfig.S3Uri", bucket, _WRITES),
        Reference(f"{at}.RoleArn", role, _ROLE),
        *vpc(f"{at}.VpcConfig"),
    )


_SCHEDULED = "MonitoringScheduleConfig.MonitoringJobDefinition"

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
            Reference("RoleArn", role, _ROLE),
            *vpc("SecurityConfig.VpcConfig"),
        ),
    ),
    _definition("data-quality-job", "data-quality-job-definition", "data_quality", "DataQuality"),
    _definition(
        "model-quality-job", "model-quality-job-definition", "model_quality", "ModelQuality"
    ),
    _definition("model-bias-job", "model-bias-job-definition", "model_bias", "ModelBias"),
    _definition(
        "model-explainability-job",
        "model-explainability-job-definition",
        "model_explainability",
        "ModelExplainability",
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
        title="MonitoringScheduleName",
        more=_watched,
        references=(
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
            Reference("ModelVariants[].ModelName", _MODEL, _SAME),
            Reference("DataStorageConfig.Destination", bucket, _WRITES),
            Reference("DataStorageConfig.KmsKey", kms_key, _KEY),
            Reference("KmsKey", kms_key, _KEY),
            Reference("RoleArn", role, _ROLE),
        ),
    ),
)
