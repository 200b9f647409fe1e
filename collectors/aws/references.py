"""What AWS configurations refer to, one table per resource type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from collectors.aws.arns import (
    Arn,
    Place,
    bucket,
    by_arn,
    code_repository,
    ec2,
    file_system,
    function,
    image,
    kms_key,
    role,
    sagemaker,
)
from collectors.references import Reference, Target
from collectors.values import find
from undercroft.model import Edge, Layer, Resource
from undercroft.relations import Relation

__all__ = [
    "ALGORITHM",
    "DOMAIN",
    "ENDPOINT",
    "ENDPOINT_CONFIG",
    "GROUP",
    "INSTANCE",
    "MODEL",
    "NOTEBOOK_INSTANCE",
    "SECRET",
    "SUBNET",
    "TRAINING_JOB",
    "USER_PROFILE",
    "VOLUME",
    "pinned_images",
    "resource_spec",
    "studio_apps",
    "vector_index",
    "vpc",
]


SUBNET = ec2("subnet", Layer.NETWORK)
GROUP = ec2("security-group", Layer.NETWORK)
_VOLUME = ec2("volume", Layer.STORAGE)
SECRET = by_arn("secretsmanager", "secret", "secretsmanager:secret", Layer.IDENTITY)
_HUB_CONTENT = by_arn("sagemaker", "hub-content", "sagemaker:hub-content", Layer.SERVICE)
_MODEL_PACKAGE = sagemaker("model-package", "sagemaker:model-package")
_STUDIO_SCRIPT = sagemaker("studio-lifecycle-config", "sagemaker:lifecycle-config", Layer.VM)
_STUDIO_IMAGE = sagemaker("image", "sagemaker:image", Layer.CONTAINER)
_IMAGE_VERSION = sagemaker("image-version", "sagemaker:image-version", Layer.CONTAINER)
ALGORITHM = sagemaker("algorithm", "sagemaker:algorithm", Layer.CONTAINER)
_NOTEBOOK_SCRIPT = sagemaker(
    "notebook-instance-lifecycle-config", "sagemaker:lifecycle-config", Layer.VM
)

_IDENTITY = Relation.USES_IDENTITY
_SAME = Relation.SAME_WORKLOAD
_ARTIFACT = Relation.LOADS_ARTIFACT_FROM
_WRITES = Relation.WRITES_TO
_READS = Relation.READS_DATA_FROM
_NETWORK = Relation.PROTECTED_BY
_KEY = Relation.ENCRYPTED_WITH
_IMAGE = Relation.RUNS_IMAGE
_INVOKES = Relation.INVOKES_TOOL


def vpc(
    at: str, subnets: str = "Subnets", groups: str = "SecurityGroupIds"
) -> tuple[Reference, ...]:
    """Subnets and security groups of a VPC configuration at ``at``, as its service spells them."""
    return (
        Reference(f"{at}.{subnets}[]", SUBNET, _NETWORK),
        Reference(f"{at}.{groups}[]", GROUP, _NETWORK),
    )


def vector_index(place: Place, text: str) -> Target | None:
    """An index of a vector bucket by its ARN: ``…:bucket/<bucket>/index/<index>``."""
    arn = Arn.parse(text)
    parts = arn.resource.split("/") if arn else []
    if arn is None or arn.service != "s3vectors" or parts[::2] != ["bucket", "index"]:
        return None
    key = place.key(
        "s3vectors", "index", f"{parts[1]}/{parts[3]}", account=arn.account, region=arn.region
    )
    stub = place.stub(
        "s3vectors:index",
        Layer.STORAGE,
        key,
        f"{parts[1]}/{parts[3]}",
        text,
        account=arn.account,
        region=arn.region,
    )
    return Target(stub)


NOTEBOOK_INSTANCE = (
    Reference("RoleArn", role, _IDENTITY),
    Reference("SubnetId", SUBNET, _NETWORK),
    Reference("SecurityGroups[]", GROUP, _NETWORK),
    Reference("KmsKeyId", kms_key, _KEY),
    Reference("NotebookInstanceLifecycleConfigName", _NOTEBOOK_SCRIPT, _SAME),
    Reference("DefaultCodeRepository", code_repository, _SAME),
    Reference("AdditionalCodeRepositories[]", code_repository, _SAME),
)


def resource_spec(at: str) -> tuple[Reference, ...]:
    """What an app is started with."""
    return (
        Reference(f"{at}.SageMakerImageArn", _STUDIO_IMAGE, _IMAGE),
        Reference(f"{at}.SageMakerImageVersionArn", _IMAGE_VERSION, _IMAGE),
        Reference(f"{at}.LifecycleConfigArn", _STUDIO_SCRIPT, _SAME),
    )


def studio_apps(at: str) -> tuple[Reference, ...]:
    """What the settings of apps name, in a domain, a profile or a space."""
    return (
        *resource_spec(f"{at}.*AppSettings.DefaultResourceSpec"),
        Reference(f"{at}.*AppSettings.LifecycleConfigArns[]", _STUDIO_SCRIPT, _SAME),
        Reference(f"{at}.*AppSettings.CodeRepositories[].RepositoryUrl", code_repository, _SAME),
        Reference(f"{at}.*AppSettings.CustomImages[].ImageName", _STUDIO_IMAGE, _IMAGE),
    )


def pinned_images(place: Place, resource: Resource) -> Iterator[Resource | Edge]:
    """The versions of Studio images that settings insist on; elsewhere the newest is used."""
    for at, custom in find(resource.config, "*Settings.*AppSettings.CustomImages[]"):
        if not isinstance(custom, Mapping) or not custom.get("ImageVersionNumber"):
            continue
        target = _IMAGE_VERSION(place, f"{custom.get('ImageName')}/{custom['ImageVersionNumber']}")
        if target is not None:
            yield target.stub
            yield Edge(resource.key, target.stub.key, _IMAGE, f"{at}.ImageVersionNumber")


def _studio(at: str) -> tuple[Reference, ...]:
    """What settings of a Studio domain or profile name."""
    return (
        Reference(f"{at}.ExecutionRole", role, _IDENTITY),
        Reference(f"{at}.SecurityGroups[]", GROUP, _NETWORK),
        *studio_apps(at),
        Reference(
            f"{at}.CustomFileSystemConfigs[].EFSFileSystemConfig.FileSystemId",
            file_system("efs"),
            _READS,
        ),
        Reference(
            f"{at}.CustomFileSystemConfigs[].FSxLustreFileSystemConfig.FileSystemId",
            file_system("fsx"),
            _READS,
        ),
        Reference(f"{at}.CustomFileSystemConfigs[].S3FileSystemConfig.S3Uri", bucket, _READS),
    )


def _user(at: str) -> tuple[Reference, ...]:
    return (
        *_studio(at),
        Reference(f"{at}.SharingSettings.S3OutputPath", bucket, _WRITES),
        Reference(f"{at}.SharingSettings.S3KmsKeyId", kms_key, _KEY),
        Reference(f"{at}.CanvasAppSettings.WorkspaceSettings.S3ArtifactPath", bucket, _WRITES),
        Reference(f"{at}.CanvasAppSettings.WorkspaceSettings.S3KmsKeyId", kms_key, _KEY),
        Reference(
            f"{at}.CanvasAppSettings.GenerativeAiSettings.AmazonBedrockRoleArn", role, _IDENTITY
        ),
        Reference(
            f"{at}.CanvasAppSettings.IdentityProviderOAuthSettings[].SecretArn", SECRET, _IDENTITY
        ),
    )


DOMAIN = (
    *_user("DefaultUserSettings"),
    *_studio("DefaultSpaceSettings"),
    Reference("DomainSettings.SecurityGroupIds[]", GROUP, _NETWORK),
    Reference(
        "DomainSettings.RStudioServerProDomainSettings.DomainExecutionRoleArn", role, _IDENTITY
    ),
    Reference("SubnetIds[]", SUBNET, _NETWORK),
    Reference("KmsKeyId", kms_key, _KEY),
    Reference("HomeEfsFileSystemId", file_system("efs"), _READS),
)

USER_PROFILE = _user("UserSettings")


def _container(at: str) -> tuple[Reference, ...]:
    return (
        Reference(f"{at}.Image", image, _IMAGE),
        Reference(f"{at}.ModelDataUrl", bucket, _ARTIFACT),
        Reference(f"{at}.ModelDataSource.S3DataSource.S3Uri", bucket, _ARTIFACT),
        Reference(f"{at}.ModelDataSource.S3DataSource.ManifestS3Uri", bucket, _ARTIFACT),
        Reference(
            f"{at}.ModelDataSource.S3DataSource.HubAccessConfig.HubContentArn",
            _HUB_CONTENT,
            _ARTIFACT,
        ),
        Reference(f"{at}.AdditionalModelDataSources[].S3DataSource.S3Uri", bucket, _ARTIFACT),
        Reference(
            f"{at}.AdditionalModelDataSources[].S3DataSource.ManifestS3Uri", bucket, _ARTIFACT
        ),
        Reference(
            f"{at}.AdditionalModelDataSources[].S3DataSource.HubAccessConfig.HubContentArn",
            _HUB_CONTENT,
            _ARTIFACT,
        ),
        Reference(f"{at}.ModelPackageName", _MODEL_PACKAGE, _SAME),
        Reference(
            f"{at}.ImageConfig.RepositoryAuthConfig.RepositoryCredentialsProviderArn",
            function,
            _INVOKES,
        ),
    )


MODEL = (
    *_container("PrimaryContainer"),
    *_container("Containers[]"),
    Reference("ExecutionRoleArn", role, _IDENTITY),
    *vpc("VpcConfig"),
)

_MODEL_NAME = sagemaker("model", "sagemaker:model")


def _variants(at: str) -> tuple[Reference, ...]:
    return (
        Reference(f"{at}.ModelName", _MODEL_NAME, _SAME),
        Reference(f"{at}.InstancePools[].ModelNameOverride", _MODEL_NAME, _SAME),
        Reference(f"{at}.CoreDumpConfig.DestinationS3Uri", bucket, _WRITES),
        Reference(f"{at}.CoreDumpConfig.KmsKeyId", kms_key, _KEY),
    )


ENDPOINT_CONFIG = (
    *_variants("ProductionVariants[]"),
    *_variants("ShadowProductionVariants[]"),
    Reference("DataCaptureConfig.DestinationS3Uri", bucket, _WRITES),
    Reference("DataCaptureConfig.KmsKeyId", kms_key, _KEY),
    Reference("AsyncInferenceConfig.OutputConfig.S3OutputPath", bucket, _WRITES),
    Reference("AsyncInferenceConfig.OutputConfig.S3FailurePath", bucket, _WRITES),
    Reference("AsyncInferenceConfig.OutputConfig.KmsKeyId", kms_key, _KEY),
    Reference("KmsKeyId", kms_key, _KEY),
    Reference("ExecutionRoleArn", role, _IDENTITY),
    *vpc("VpcConfig"),
)

ENDPOINT = (
    Reference(
        "EndpointConfigName", sagemaker("endpoint-config", "sagemaker:endpoint-config"), _SAME
    ),
    Reference("ProductionVariants[].DeployedImages[].ResolvedImage", image, _IMAGE),
    Reference("ShadowProductionVariants[].DeployedImages[].ResolvedImage", image, _IMAGE),
)

TRAINING_JOB = (
    Reference("AlgorithmSpecification.TrainingImage", image, _IMAGE),
    Reference("AlgorithmSpecification.AlgorithmName", ALGORITHM, _IMAGE),
    Reference(
        "AlgorithmSpecification.TrainingImageConfig.TrainingRepositoryAuthConfig"
        ".TrainingRepositoryCredentialsProviderArn",
        function,
        _INVOKES,
    ),
    Reference("InputDataConfig[].DataSource.S3DataSource.S3Uri", bucket, _READS),
    Reference(
        "InputDataConfig[].DataSource.S3DataSource.HubAccessConfig.HubContentArn",
        _HUB_CONTENT,
        _ARTIFACT,
    ),
    Reference("InputDataConfig[].DataSource.DatasetSource.DatasetArn", _HUB_CONTENT, _READS),
    Reference("OutputDataConfig.S3OutputPath", bucket, _WRITES),
    Reference("OutputDataConfig.KmsKeyId", kms_key, _KEY),
    Reference("CheckpointConfig.S3Uri", bucket, _WRITES),
    Reference("DebugHookConfig.S3OutputPath", bucket, _WRITES),
    Reference("ProfilerConfig.S3OutputPath", bucket, _WRITES),
    Reference("TensorBoardOutputConfig.S3OutputPath", bucket, _WRITES),
    Reference("ResourceConfig.VolumeKmsKeyId", kms_key, _KEY),
    Reference("OutputModelPackageArn", _MODEL_PACKAGE, Relation.PRODUCES),
    Reference("RoleArn", role, _IDENTITY),
    *vpc("VpcConfig"),
)

INSTANCE = (
    Reference("SubnetId", SUBNET, _NETWORK),
    Reference("SecurityGroups[].GroupId", GROUP, _NETWORK),
    Reference("NetworkInterfaces[].SubnetId", SUBNET, _NETWORK),
    Reference("NetworkInterfaces[].Groups[].GroupId", GROUP, _NETWORK),
    Reference("BlockDeviceMappings[].Ebs.VolumeId", _VOLUME, _READS),
)

VOLUME = (Reference("KmsKeyId", kms_key, _KEY),)
