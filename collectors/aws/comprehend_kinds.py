"""Comprehend: language models of one's own, what serves them, and what trains them again and again."""

from __future__ import annotations

from collectors.aws.arns import Place, bucket, kms_key, named, role
from collectors.aws.kinds import ARN, Kind, Read, Tags
from collectors.aws.references import vpc
from collectors.references import Reference, Target
from undercroft.relations import Relation

__all__ = ["KINDS"]

_ROLE = Relation.USES_IDENTITY
_KEY = Relation.ENCRYPTED_WITH
_READS = Relation.READS_DATA_FROM
_WRITES = Relation.WRITES_TO
_LOADS = Relation.LOADS_ARTIFACT_FROM

_TAGS = Tags("list_tags_for_resource", "ResourceArn", "Tags")
_RECOGNIZER = named("comprehend", "entity-recognizer", "comprehend:model")
_CLASSIFIER = named("comprehend", "document-classifier", "comprehend:model")
_FLYWHEEL = named("comprehend", "flywheel", "comprehend:flywheel")


def _model(place: Place, arn: str) -> Target | None:
    """A custom model, of whichever of the two sorts its ARN says."""
    return _RECOGNIZER(place, arn) or _CLASSIFIER(place, arn)


def _learnt_from(*fields: str) -> tuple[Reference, ...]:
    """What a model was trained on."""
    augmented = ("S3Uri", "AnnotationDataS3Uri", "SourceDocumentsS3Uri")
    return tuple(
        Reference(f"InputDataConfig.{field}", bucket, _READS)
        for field in (*fields, *(f"AugmentedManifests[].{name}" for name in augmented))
    )


def _trained(name: str, listed: str, key: str, arn: str, references: tuple[Reference, ...]) -> Kind:
    """A custom model: the list says all that a description would."""
    return Kind(
        family="comprehend",
        name=name,
        type="comprehend:model",
        segment=name,
        client="comprehend",
        prefix="comprehend",
        list_operation=listed,
        list_key=key,
        describe_operation="",
        identifiers=(arn,),
        by_arn=True,
        arn=arn,
        title="",
        created="SubmitTime",
        service=True,
        tags=_TAGS,
        reads=(
            Read(
                "ResourcePolicy",
                "describe_resource_policy",
                {"ResourceArn": ARN},
                pick="ResourcePolicy",
                answers=frozenset({"ResourceNotFoundException"}),
                grants=("comprehend:ImportModel",),
            ),
        ),
        references=(
            Reference("DataAccessRoleArn", role, _ROLE),
            Reference("ModelKmsKeyId", kms_key, _KEY),
            Reference("VolumeKmsKeyId", kms_key, _KEY),
            *vpc("VpcConfig"),
            *references,
            Reference("OutputDataConfig.FlywheelStatsS3Prefix", bucket, _WRITES),
            # What it was imported from.
            Reference("SourceModelArn", _model, _LOADS),
        ),
    )


KINDS: tuple[Kind, ...] = (
    _trained(
        "entity-recognizer",
        "list_entity_recognizers",
        "EntityRecognizerPropertiesList",
        "EntityRecognizerArn",
        _learnt_from(
            "Documents.S3Uri",
            "Documents.TestS3Uri",
            "Annotations.S3Uri",
            "Annotations.TestS3Uri",
            "EntityList.S3Uri",
        ),
    ),
    _trained(
        "document-classifier",
        "list_document_classifiers",
        "DocumentClassifierPropertiesList",
        "DocumentClassifierArn",
        (
            *_learnt_from("S3Uri", "TestS3Uri", "Documents.S3Uri", "Documents.TestS3Uri"),
            Reference("OutputDataConfig.S3Uri", bucket, _WRITES),
            Reference("OutputDataConfig.KmsKeyId", kms_key, _KEY),
        ),
    ),
    Kind(
        family="comprehend",
        name="endpoint",
        type="comprehend:endpoint",
        segment="endpoint",
        client="comprehend",
        prefix="comprehend",
        list_operation="list_endpoints",
        list_key="EndpointPropertiesList",
        # The list says all that a description would.
        describe_operation="",
        identifiers=("EndpointArn",),
        by_arn=True,
        typed=True,
        arn="EndpointArn",
        title="",
        service=True,
        tags=_TAGS,
        references=(
            Reference("ModelArn", _model, Relation.SAME_WORKLOAD),
            Reference("DesiredModelArn", _model, Relation.SAME_WORKLOAD),
            Reference("DataAccessRoleArn", role, _ROLE),
            Reference("DesiredDataAccessRoleArn", role, _ROLE),
            # It puts a newer model behind the endpoint.
            Reference("FlywheelArn", _FLYWHEEL, _LOADS),
        ),
    ),
    Kind(
        family="comprehend",
        name="flywheel",
        type="comprehend:flywheel",
        segment="flywheel",
        client="comprehend",
        prefix="comprehend",
        list_operation="list_flywheels",
        list_key="FlywheelSummaryList",
        describe_operation="describe_flywheel",
        answer="FlywheelProperties",
        identifiers=("FlywheelArn",),
        by_arn=True,
        arn="FlywheelArn",
        title="",
        service=True,
        tags=_TAGS,
        references=(
            Reference("DataAccessRoleArn", role, _ROLE),
            Reference("DataLakeS3Uri", bucket, _READS),
            Reference("DataSecurityConfig.ModelKmsKeyId", kms_key, _KEY),
            Reference("DataSecurityConfig.VolumeKmsKeyId", kms_key, _KEY),
            Reference("DataSecurityConfig.DataLakeKmsKeyId", kms_key, _KEY),
            *vpc("DataSecurityConfig.VpcConfig"),
            Reference("ActiveModelArn", _model, Relation.PRODUCES),
        ),
    ),
)
