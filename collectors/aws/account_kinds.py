"""What is set once for an account or a region, for every AI service in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from collectors.aws.arns import Place, account, bucket, kms_key, log_group, role
from collectors.aws.bedrock_served_kinds import guarded
from collectors.aws.kinds import Each, Kind, Read, constant
from collectors.aws.watch_reads import OF_ACCOUNT, OF_REGION, OPT_OUT_NEEDS, opt_out_facts
from collectors.references import Reference
from collectors.values import mappings
from undercroft.model import Certainty, Edge, Json, Resource
from undercroft.relations import Relation

__all__ = ["ACCOUNT", "ACCOUNT_REGION", "BEDROCK_SETTINGS"]


_LOGS = "ModelInvocationLogging"


def _enforced(place: Place, region: Resource) -> Iterator[Resource | Edge]:
    """The guardrails that stand before every model call in a region."""
    for index, one in enumerate(mappings(region.config.get("EnforcedGuardrails"))):
        via = f"EnforcedGuardrails[{index}].guardrailArn"
        named = one.get("guardrailArn") or one.get("guardrailId")
        yield from guarded(place, region, via, named, one.get("guardrailVersion"))


BEDROCK_SETTINGS = Kind(
    family="bedrock",
    name="settings",
    type="bedrock:settings",
    segment="settings",
    client="bedrock",
    prefix="bedrock",
    list_operation="",
    list_key="",
    describe_operation="",
    identifiers=(),
    arn="",
    title="",
    more=_enforced,
    reads=(
        Read(
            _LOGS,
            "get_model_invocation_logging_configuration",
            {},
            pick="loggingConfig",
        ),
        Read(
            "ModelInvocationLogBucket",
            "get_bucket_encryption",
            {"Bucket": f"{_LOGS}.s3Config.bucketName"},
            pick="ServerSideEncryptionConfiguration",
            answers=frozenset({"ServerSideEncryptionConfigurationNotFoundError", "NoSuchBucket"}),
            client="s3",
        ),
        Read(
            "ModelInvocationLogGroups",
            "describe_log_groups",
            {"logGroupNamePrefix": f"{_LOGS}.cloudWatchConfig.logGroupName"},
            pick="logGroups",
            listed=True,
            client="logs",
        ),
        Read("DataRetention", "get_account_data_retention", {}),
        Read("Guardrails", "list_guardrails", {}, pick="guardrails", listed=True),
        Read(
            "EnforcedGuardrails",
            "list_enforced_guardrails_configuration",
            {},
            pick="guardrailsConfig",
            listed=True,
        ),
        Read(
            "Agents", "list_agents", {}, pick="agentSummaries", listed=True, client="bedrock-agent"
        ),
        Read("Flows", "list_flows", {}, pick="flowSummaries", listed=True, client="bedrock-agent"),
        Read(
            "KnowledgeBases",
            "list_knowledge_bases",
            {},
            pick="knowledgeBaseSummaries",
            listed=True,
            client="bedrock-agent",
        ),
        Read(
            "Prompts",
            "list_prompts",
            {},
            pick="promptSummaries",
            listed=True,
            client="bedrock-agent",
        ),
        Read(
            "TokenVault",
            "get_token_vault",
            {},
            answers=frozenset({"ResourceNotFoundException"}),
            client="bedrock-agentcore-control",
        ),
        Read(
            "OauthProviders",
            "list_oauth2_credential_providers",
            {},
            pick="credentialProviders",
            listed=True,
            client="bedrock-agentcore-control",
        ),
        Read(
            "ApiKeyProviders",
            "list_api_key_credential_providers",
            {},
            pick="credentialProviders",
            listed=True,
            client="bedrock-agentcore-control",
        ),
    ),
    references=(
        Reference(f"{_LOGS}.s3Config.bucketName", bucket, Relation.WRITES_TO),
        Reference(f"{_LOGS}.cloudWatchConfig.logGroupName", log_group, Relation.WRITES_TO),
        Reference(f"{_LOGS}.cloudWatchConfig.roleArn", role, Relation.USES_IDENTITY),
        Reference(
            f"{_LOGS}.cloudWatchConfig.largeDataDeliveryS3Config.bucketName",
            bucket,
            Relation.WRITES_TO,
        ),
        Reference("TokenVault.kmsConfiguration.kmsKeyArn", kms_key, Relation.ENCRYPTED_WITH),
    ),
)


def _in_account(place: Place, region: Resource) -> Iterator[Resource | Edge]:
    whole = account(place)
    yield whole
    yield Edge(region.key, whole.key, Relation.CONTAINED_IN, "account", Certainty.DEFAULT)


ACCOUNT_REGION = Kind(
    family="account",
    name="region",
    type="account:region",
    segment="region",
    client="inspector2",
    prefix="account",
    list_operation="",
    list_key="",
    describe_operation="",
    identifiers=(),
    arn="",
    title="",
    more=_in_account,
    reads=(
        Read("Inspector", "batch_get_account_status", {}, pick="accounts"),
        Read(
            "Detectors",
            "list_detectors",
            {},
            pick="DetectorIds",
            listed=True,
            each=(Each("Detector", "get_detector", {"DetectorId": "id"}),),
            client="guardduty",
        ),
        Read("HasModels", "list_models", {}, pick="Models", exists=True, client="sagemaker"),
        Read(
            "HasApprovedModels",
            "list_model_packages",
            {
                "ModelApprovalStatus": constant("Approved"),
                "ModelPackageType": constant("Both"),
            },
            pick="ModelPackageSummaryList",
            exists=True,
            where=lambda _place, config: config.get("HasModels") is True,
            client="sagemaker",
        ),
        *OF_REGION,
    ),
)


def _account_facts(place: Place, config: Mapping[str, Json]) -> dict[str, Json]:
    return {**_recorded(config), **opt_out_facts(place, config)}


def _recorded(config: Mapping[str, Json]) -> dict[str, Json]:
    """Whether some trail writes down what is done in every region, and what AI services are asked."""
    running = [
        trail
        for trail in mappings(config.get("Trails"))
        if isinstance(status := trail.get("Status"), Mapping) and status.get("IsLogging") is True
    ]
    return {
        "recorded_everywhere": any(
            trail.get("IsMultiRegionTrail") is True and _manages(trail.get("Selectors"))
            for trail in running
        ),
        "ai_data_events": any(_is_about_ai(trail.get("Selectors")) for trail in running),
    }


def _manages(selectors: Json) -> bool:
    if not isinstance(selectors, Mapping):
        return False
    classic = any(
        entry.get("IncludeManagementEvents") is True and entry.get("ReadWriteType") == "All"
        for entry in mappings(selectors.get("EventSelectors"))
    )
    return classic or any(
        field == "eventCategory" and "Management" in values
        for field, values in _advanced(selectors)
    )


def _is_about_ai(selectors: Json) -> bool:
    return isinstance(selectors, Mapping) and any(
        field == "resources.type"
        and any(str(value).startswith(("AWS::Bedrock", "AWS::SageMaker")) for value in values)
        for field, values in _advanced(selectors)
    )


def _advanced(selectors: Mapping[str, Json]) -> Iterator[tuple[str, list[Json]]]:
    for selector in mappings(selectors.get("AdvancedEventSelectors")):
        for field in mappings(selector.get("FieldSelectors")):
            values = field.get("Equals")
            yield str(field.get("Field")), list(values) if isinstance(values, list) else []


ACCOUNT = Kind(
    family="account",
    name="account",
    type="account",
    segment="account",
    client="cloudtrail",
    prefix="account",
    list_operation="",
    list_key="",
    describe_operation="",
    identifiers=(),
    arn="",
    title="",
    facts=_account_facts,
    derived=("recorded_everywhere", "ai_data_events", *OPT_OUT_NEEDS),
    needs={
        "recorded_everywhere": ("Trails",),
        "ai_data_events": ("Trails",),
        **OPT_OUT_NEEDS,
    },
    reads=(
        Read(
            "Trails",
            "describe_trails",
            {},
            pick="trailList",
            listed=True,
            each=(
                Each("Status", "get_trail_status", {"Name": "TrailARN"}),
                Each("Selectors", "get_event_selectors", {"TrailName": "TrailARN"}),
            ),
        ),
        Read(
            "PublicAccessBlock",
            "get_public_access_block",
            {"AccountId": "$account"},
            pick="PublicAccessBlockConfiguration",
            answers=frozenset({"NoSuchPublicAccessBlockConfiguration"}),
            client="s3control",
        ),
        *OF_ACCOUNT,
    ),
)
