"""Smaller managed services that learn from data or keep it.

Glue, Translate, HealthLake, Forecast, Fraud Detector, Lookout for Equipment, Lex.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from collectors.aws.arns import Place, bucket, function, kms_key, log_group, named, role
from collectors.aws.kinds import Child, Kind, Read
from collectors.references import Reference, Target
from undercroft.model import Edge, Json, Resource
from undercroft.relations import Relation

__all__ = ["FRAUD_SETTINGS", "KINDS"]

_ROLE = Relation.USES_IDENTITY
_KEY = Relation.ENCRYPTED_WITH
_READS = Relation.READS_DATA_FROM
_WRITES = Relation.WRITES_TO


def _equipment(name: str, listed: str, key: str, title: str, *references: Reference) -> Kind:
    """A data set of Lookout for Equipment, or a model that learnt from one."""
    return Kind(
        family="lookoutequipment",
        name=name,
        type=f"lookoutequipment:{name}",
        segment=name,
        client="lookoutequipment",
        prefix="lookoutequipment",
        list_operation=listed,
        list_key=key,
        describe_operation=f"describe_{name}",
        identifiers=(title,),
        arn=f"{name.capitalize()}Arn",
        title=title,
        created="CreatedAt",
        service=True,
        references=(
            Reference("RoleArn", role, _ROLE),
            Reference("ServerSideKmsKeyId", kms_key, _KEY),
            *references,
        ),
    )


# ------------------------------------------------------------------------------------------- Lex

_LOGS = "conversationLogSettings"


def _log_group(place: Place, arn: str) -> Target | None:
    """A log group by its ARN: ``…:log-group:<name>:*``."""
    name = arn.partition(":log-group:")[2].removesuffix(":*")
    return log_group(place, name) if name else None


def _hooks(place: Place, alias: Resource) -> Iterator[Resource | Edge]:
    """The function that answers in each language."""
    languages = alias.config.get("botAliasLocaleSettings")
    for language, settings in languages.items() if isinstance(languages, Mapping) else ():
        hook: Json = settings
        for step in ("codeHookSpecification", "lambdaCodeHook", "lambdaARN"):
            hook = hook.get(step) if isinstance(hook, Mapping) else None
        target = function(place, hook) if isinstance(hook, str) else None
        if target is not None:
            yield target.stub
            via = f"botAliasLocaleSettings.{language}.codeHookSpecification.lambdaCodeHook"
            yield Edge(alias.key, target.stub.key, Relation.INVOKES_TOOL, via, detail=target.detail)


_BOT_ALIAS = Kind(
    family="lex",
    name="bot-alias",
    type="lex:bot-alias",
    segment="bot-alias",
    client="lexv2-models",
    prefix="lex",
    list_operation="list_bot_aliases",
    list_key="botAliasSummaries",
    describe_operation="describe_bot_alias",
    identifiers=("botId", "botAliasId"),
    arn="",
    title="botAliasName",
    created="creationDateTime",
    more=_hooks,
    references=(
        Reference(f"{_LOGS}.audioLogSettings[].destination.s3Bucket.s3BucketArn", bucket, _WRITES),
        Reference(f"{_LOGS}.audioLogSettings[].destination.s3Bucket.kmsKeyArn", kms_key, _KEY),
        Reference(
            f"{_LOGS}.textLogSettings[].destination.cloudWatch.cloudWatchLogGroupArn",
            _log_group,
            _WRITES,
        ),
    ),
)

FRAUD_SETTINGS = Kind(
    family="frauddetector",
    name="settings",
    type="frauddetector:settings",
    segment="settings",
    client="frauddetector",
    prefix="frauddetector",
    list_operation="",
    list_key="",
    describe_operation="",
    identifiers=(),
    arn="",
    title="",
    # One key for all that the service keeps in a region.
    reads=(
        Read(
            "Key",
            "get_kms_encryption_key",
            {},
            pick="kmsKey",
            answers=frozenset({"ResourceNotFoundException"}),
        ),
    ),
    references=(Reference("Key.kmsEncryptionKeyArn", kms_key, _KEY),),
)

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
    Kind(
        family="forecast",
        name="dataset",
        type="forecast:dataset",
        segment="dataset",
        client="forecast",
        prefix="forecast",
        list_operation="list_datasets",
        list_key="Datasets",
        describe_operation="describe_dataset",
        identifiers=("DatasetArn",),
        by_arn=True,
        arn="DatasetArn",
        title="DatasetName",
        service=True,
        references=(
            Reference("EncryptionConfig.RoleArn", role, _ROLE),
            Reference("EncryptionConfig.KMSKeyArn", kms_key, _KEY),
        ),
    ),
    Kind(
        family="frauddetector",
        name="model",
        type="frauddetector:model",
        segment="model",
        client="frauddetector",
        prefix="frauddetector",
        list_operation="get_models",
        list_key="models",
        # The list says all that matters of the model itself; its versions say what it learnt from.
        describe_operation="",
        identifiers=("modelType", "modelId"),
        arn="arn",
        title="modelId",
        created="createdTime",
        service=True,
        settings="frauddetector",
        reads=(
            Read(
                "Versions",
                "describe_model_versions",
                {"modelId": "modelId", "modelType": "modelType"},
                pick="modelVersionDetails",
                listed=True,
            ),
        ),
        references=(
            Reference("Versions[].externalEventsDetail.dataLocation", bucket, _READS),
            Reference("Versions[].externalEventsDetail.dataAccessRoleArn", role, _ROLE),
        ),
    ),
    _equipment(
        "dataset",
        "list_datasets",
        "DatasetSummaries",
        "DatasetName",
        Reference("IngestionInputConfiguration.S3InputConfiguration.Bucket", bucket, _READS),
    ),
    _equipment(
        "model",
        "list_models",
        "ModelSummaries",
        "ModelName",
        Reference(
            "DatasetArn", named("lookoutequipment", "dataset", "lookoutequipment:dataset"), _READS
        ),
        Reference("LabelsInputConfiguration.S3InputConfiguration.Bucket", bucket, _READS),
        Reference(
            "ModelDiagnosticsOutputConfiguration.S3OutputConfiguration.Bucket", bucket, _WRITES
        ),
        Reference("ModelDiagnosticsOutputConfiguration.KmsKeyId", kms_key, _KEY),
    ),
    Kind(
        family="lex",
        name="bot",
        type="lex:bot",
        segment="bot",
        client="lexv2-models",
        prefix="lex",
        list_operation="list_bots",
        list_key="botSummaries",
        describe_operation="describe_bot",
        identifiers=("botId",),
        arn="",
        title="botName",
        created="creationDateTime",
        service=True,
        children=(Child(_BOT_ALIAS, {"botId": "botId"}, Relation.SAME_WORKLOAD, "Aliases"),),
        references=(Reference("roleArn", role, _ROLE),),
    ),
)
