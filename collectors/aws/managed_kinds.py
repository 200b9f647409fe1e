"""Smaller managed services that learn from data or keep it: Glue, Translate, HealthLake."""

from __future__ import annotations

from collectors.aws.arns import bucket, kms_key, role
from collectors.aws.kinds import Kind
from collectors.references import Reference
from undercroft.relations import Relation

__all__ = ["KINDS"]

_ROLE = Relation.USES_IDENTITY
_KEY = Relation.ENCRYPTED_WITH

KINDS: tuple[Kind, ...] = (
    Kind(
        family="glue",
        name="ml-transform",
        type="glue:ml-transform",
        segment="mlTransform",
        client="glue",
        prefix="glue",
        list_operation="get_ml_transforms",
        list_key="Transforms",
        # The list says all that a description would.
        describe_operation="",
        identifiers=("TransformId",),
        arn="",
        title="Name",
        created="CreatedOn",
        service=True,
        references=(
            Reference("Role", role, _ROLE),
            Reference("TransformEncryption.MlUserDataEncryption.KmsKeyId", kms_key, _KEY),
        ),
    ),
    Kind(
        family="translate",
        name="job",
        type="translate:job",
        segment="text-translation-job",
        client="translate",
        prefix="translate",
        list_operation="list_text_translation_jobs",
        list_key="TextTranslationJobPropertiesList",
        describe_operation="",
        identifiers=("JobId",),
        arn="",
        title="JobName",
        created="SubmittedTime",
        service=True,
        references=(
            Reference("DataAccessRoleArn", role, _ROLE),
            Reference("InputDataConfig.S3Uri", bucket, Relation.READS_DATA_FROM),
            Reference("OutputDataConfig.S3Uri", bucket, Relation.WRITES_TO),
            Reference("OutputDataConfig.EncryptionKey.Id", kms_key, _KEY),
        ),
    ),
    Kind(
        family="healthlake",
        name="datastore",
        type="healthlake:datastore",
        segment="datastore/fhir",
        client="healthlake",
        prefix="healthlake",
        list_operation="list_fhir_datastores",
        list_key="DatastorePropertiesList",
        describe_operation="",
        identifiers=("DatastoreId",),
        arn="DatastoreArn",
        title="DatastoreName",
        created="CreatedAt",
        service=True,
        references=(Reference("SseConfiguration.KmsEncryptionConfig.KmsKeyId", kms_key, _KEY),),
    ),
)
