"""Where models of SageMaker are kept to be used again: the registry, hubs, algorithms."""

from __future__ import annotations

from collections.abc import Iterator

from collectors.aws.arns import Place, bucket, image, kms_key, role, sagemaker
from collectors.aws.kinds import ARN, Kind, Read
from collectors.aws.mentions import mentioned
from collectors.aws.references import ALGORITHM
from collectors.references import Reference
from collectors.values import find
from undercroft.model import Certainty, Edge, Layer, Resource
from undercroft.relations import Relation

__all__ = ["KINDS"]

_ROLE = Relation.USES_IDENTITY
_KEY = Relation.ENCRYPTED_WITH
_WRITES = Relation.WRITES_TO
_LOADS = Relation.LOADS_ARTIFACT_FROM
_IMAGE = Relation.RUNS_IMAGE

_HUB = sagemaker("hub", "sagemaker:hub")


def _containers(at: str) -> tuple[Reference, ...]:
    inside = f"{at}.Containers[]"
    return (
        Reference(f"{inside}.Image", image, _IMAGE),
        Reference(f"{inside}.ModelDataUrl", bucket, _LOADS),
        Reference(f"{inside}.ModelDataSource.S3DataSource.S3Uri", bucket, _LOADS),
        Reference(f"{inside}.AdditionalModelDataSources[].S3DataSource.S3Uri", bucket, _LOADS),
        Reference(f"{inside}.AdditionalS3DataSource.S3Uri", bucket, _LOADS),
    )


def _by_digest(place: Place, package: Resource) -> Iterator[Resource | Edge]:
    """The very image that was registered: a tag may have moved on since."""
    for specification in ("InferenceSpecification", "AdditionalInferenceSpecifications[]"):
        digests = dict(find(package.config, f"{specification}.Containers[].ImageDigest"))
        for at, reference in find(package.config, f"{specification}.Containers[].Image"):
            digest = digests.get(f"{at}Digest")
            if not isinstance(reference, str) or not isinstance(digest, str) or "@" in reference:
                continue
            head, _, last = reference.rpartition("/")
            target = image(place, f"{head}/{last.partition(':')[0]}@{digest}")
            if target is not None:
                yield target.stub
                yield Edge(
                    package.key,
                    target.stub.key,
                    _IMAGE,
                    f"{at}Digest",
                    Certainty.STATED,
                    target.detail,
                )


def _in_document(place: Place, content: Resource) -> Iterator[Resource | Edge]:
    return mentioned(place, content, "HubContentDocument", _LOADS)


KINDS: tuple[Kind, ...] = (
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
        more=_by_digest,
        references=(
            *_containers("InferenceSpecification"),
            *_containers("AdditionalInferenceSpecifications[]"),
            Reference("SourceUri", bucket, _LOADS),
            Reference(
                "SourceAlgorithmSpecification.SourceAlgorithms[].AlgorithmName", ALGORITHM, _LOADS
            ),
            Reference(
                "SourceAlgorithmSpecification.SourceAlgorithms[].ModelDataUrl", bucket, _LOADS
            ),
            Reference("SecurityConfig.KmsKeyId", kms_key, _KEY),
            Reference("ValidationSpecification.ValidationRole", role, _ROLE),
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
    Kind(
        name="hub-content",
        type="sagemaker:hub-content",
        segment="hub-content",
        list_operation="",
        list_key="",
        describe_operation="describe_hub_content",
        identifiers=("HubName", "HubContentType", "HubContentName", "HubContentVersion"),
        arn="HubContentArn",
        title="HubContentName",
        more=_in_document,
        references=(Reference("HubArn", _HUB, _LOADS),),
    ),
    Kind(
        name="algorithm",
        type="sagemaker:algorithm",
        segment="algorithm",
        layer=Layer.CONTAINER,
        list_operation="",
        list_key="",
        describe_operation="describe_algorithm",
        identifiers=("AlgorithmName",),
        arn="AlgorithmArn",
        title="AlgorithmName",
        references=(
            Reference("TrainingSpecification.TrainingImage", image, _IMAGE),
            Reference("TrainingSpecification.AdditionalS3DataSource.S3Uri", bucket, _LOADS),
            *_containers("InferenceSpecification"),
            Reference("ValidationSpecification.ValidationRole", role, _ROLE),
        ),
    ),
)
