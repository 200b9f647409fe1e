"""What is set once per region of an account, for every AI service in it."""

from __future__ import annotations

from collectors.aws.arns import bucket, log_group, role
from collectors.aws.kinds import Kind, Read
from collectors.references import Reference
from undercroft.relations import Relation

__all__ = ["BEDROCK_SETTINGS"]


_LOGS = "ModelInvocationLogging"

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
    ),
)
