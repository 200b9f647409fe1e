"""Kendra, Q Business and Comprehend: what answers from documents, and what they are read from."""

from __future__ import annotations

from collectors.aws.arns import bucket, kms_key, role
from collectors.aws.kinds import ARN, Child, Kind, Read, Tags
from collectors.aws.q_kinds import APPLICATION, documents
from collectors.aws.references import SECRET, vpc
from collectors.references import Reference
from undercroft.model import Layer
from undercroft.relations import Relation

__all__ = ["KINDS"]

_ROLE = Relation.USES_IDENTITY
_KEY = Relation.ENCRYPTED_WITH
_READS = Relation.READS_DATA_FROM

_KENDRA_SOURCE = Kind(
    family="kendra",
    name="data-source",
    type="kendra:data-source",
    segment="data-source",
    client="kendra",
    prefix="kendra",
    layer=Layer.SERVICE,
    list_operation="list_data_sources",
    list_key="SummaryItems",
    describe_operation="describe_data_source",
    identifiers=("IndexId", "Id"),
    arn="",
    title="Name",
    created="CreatedAt",
    references=(
        Reference("RoleArn", role, _ROLE),
        Reference("Configuration.S3Configuration.BucketName", bucket, _READS),
        Reference("Configuration.*Configuration.SecretArn", SECRET, _ROLE),
        *documents("Configuration.TemplateConfiguration.Template"),
        *vpc("VpcConfiguration", "SubnetIds"),
    ),
)


def _comprehend(name: str, listed: str, key: str, arn: str) -> Kind:
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
        tags=Tags("list_tags_for_resource", "ResourceArn", "Tags"),
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
        ),
    )


KINDS: tuple[Kind, ...] = (
    Kind(
        family="kendra",
        name="index",
        type="kendra:index",
        segment="index",
        client="kendra",
        prefix="kendra",
        list_operation="list_indices",
        list_key="IndexConfigurationSummaryItems",
        describe_operation="describe_index",
        identifiers=("Id",),
        arn="",
        title="Name",
        created="CreatedAt",
        service=True,
        tags=Tags("list_tags_for_resource", "ResourceARN", "Tags"),
        children=(Child(_KENDRA_SOURCE, {"IndexId": "Id"}, _READS, "DataSources"),),
        references=(
            Reference("RoleArn", role, _ROLE),
            Reference("ServerSideEncryptionConfiguration.KmsKeyId", kms_key, _KEY),
        ),
    ),
    APPLICATION,
    _comprehend(
        "entity-recognizer",
        "list_entity_recognizers",
        "EntityRecognizerPropertiesList",
        "EntityRecognizerArn",
    ),
    _comprehend(
        "document-classifier",
        "list_document_classifiers",
        "DocumentClassifierPropertiesList",
        "DocumentClassifierArn",
    ),
)
