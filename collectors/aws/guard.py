"""The read list: every AWS operation this program may send, and the hook that refuses the rest.

The table is both the lock and the documentation: ``doctor aws --policy`` prints the IAM policy that
allows exactly these operations.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from undercroft.model import Json

__all__ = [
    "MANAGED_POLICY",
    "READS",
    "ROLE_NAME",
    "ROLE_POLICIES",
    "SPARING",
    "WriteRefusedError",
    "iam_action",
    "iam_actions",
    "install",
    "policy_document",
    "policy_documents",
    "policy_size",
]

MANAGED_POLICY = 6_144
ROLE_POLICIES = 10_240
"""Characters of a managed policy, and of all inline policies of a role. Source: IAM quotas."""

ROLE_NAME = "UndercroftRead"
"""The role that an organisation scan assumes in each member account unless told otherwise."""

READS: dict[str, frozenset[str]] = {
    "sts": frozenset({"GetCallerIdentity"}),
    "organizations": frozenset(
        {
            "ListAccounts",
            "DescribeOrganization",
            "ListPolicies",
            "DescribePolicy",
            "ListTargetsForPolicy",
        }
    ),
    "resourcegroupstaggingapi": frozenset({"GetResources"}),
    "sagemaker": frozenset(
        {
            "ListNotebookInstances",
            "DescribeNotebookInstance",
            "DescribeNotebookInstanceLifecycleConfig",
            "DescribeStudioLifecycleConfig",
            "ListDomains",
            "DescribeDomain",
            "ListUserProfiles",
            "DescribeUserProfile",
            "ListModels",
            "DescribeModel",
            "ListEndpointConfigs",
            "DescribeEndpointConfig",
            "ListEndpoints",
            "DescribeEndpoint",
            "ListTrainingJobs",
            "DescribeTrainingJob",
            "ListTags",
            "GetEndpointPolicy",
            "ListSpaces",
            "DescribeSpace",
            "ListApps",
            "DescribeImage",
            "DescribeImageVersion",
            "DescribeCodeRepository",
            "ListInferenceComponents",
            "DescribeInferenceComponent",
            "ListInferenceExperiments",
            "DescribeInferenceExperiment",
            "ListInferenceRouters",
            "DescribeInferenceRouter",
            "ListLabelingJobs",
            "DescribeLabelingJob",
            "ListProcessingJobs",
            "DescribeProcessingJob",
            "ListTransformJobs",
            "DescribeTransformJob",
            "ListHyperParameterTuningJobs",
            "DescribeHyperParameterTuningJob",
            "ListAutoMLJobs",
            "DescribeAutoMLJobV2",
            "ListDataQualityJobDefinitions",
            "DescribeDataQualityJobDefinition",
            "ListModelQualityJobDefinitions",
            "DescribeModelQualityJobDefinition",
            "ListModelBiasJobDefinitions",
            "DescribeModelBiasJobDefinition",
            "ListModelExplainabilityJobDefinitions",
            "DescribeModelExplainabilityJobDefinition",
            "ListMonitoringSchedules",
            "DescribeMonitoringSchedule",
            "ListFeatureGroups",
            "DescribeFeatureGroup",
            "ListPipelines",
            "DescribePipeline",
            "ListModelPackageGroups",
            "ListModelPackages",
            "GetModelPackageGroupPolicy",
            "DescribeModelPackage",
            "ListClusters",
            "DescribeCluster",
            "ListClusterNodes",
            "ListMlflowTrackingServers",
            "DescribeMlflowTrackingServer",
            "ListMlflowApps",
            "DescribeMlflowApp",
            "ListFlowDefinitions",
            "DescribeFlowDefinition",
            "ListPartnerApps",
            "DescribePartnerApp",
            "ListHubs",
            "DescribeHub",
            "DescribeHubContent",
            "DescribeAlgorithm",
        }
    ),
    "bedrock": frozenset(
        {
            "ListCustomModels",
            "GetCustomModel",
            "ListModelCustomizationJobs",
            "GetModelCustomizationJob",
            "ListImportedModels",
            "GetImportedModel",
            "ListModelImportJobs",
            "GetModelImportJob",
            "ListCustomModelDeployments",
            "GetCustomModelDeployment",
            "ListProvisionedModelThroughputs",
            "GetProvisionedModelThroughput",
            "ListGuardrails",
            "GetGuardrail",
            "ListEnforcedGuardrailsConfiguration",
            "ListInferenceProfiles",
            "ListModelInvocationJobs",
            "ListEvaluationJobs",
            "GetEvaluationJob",
            "ListMarketplaceModelEndpoints",
            "GetMarketplaceModelEndpoint",
            "GetModelInvocationLoggingConfiguration",
            "GetAccountDataRetention",
            "GetResourcePolicy",
            "ListTagsForResource",
        }
    ),
    "bedrock-agent": frozenset(
        {
            "ListAgents",
            "GetAgent",
            "ListAgentAliases",
            "GetAgentVersion",
            "ListAgentActionGroups",
            "GetAgentActionGroup",
            "ListAgentKnowledgeBases",
            "ListAgentCollaborators",
            "ListKnowledgeBases",
            "GetKnowledgeBase",
            "ListDataSources",
            "GetDataSource",
            "ListVpcConfigurations",
            "ListFlows",
            "GetFlow",
            "ListFlowAliases",
            "GetFlowVersion",
            "ListPrompts",
            "GetPrompt",
            "GetResourcePolicy",
            "ListTagsForResource",
        }
    ),
    "bedrock-data-automation": frozenset(
        {"ListDataAutomationProjects", "GetDataAutomationProject"}
    ),
    "bedrock-agentcore-control": frozenset(
        {
            "ListAgentRuntimes",
            "GetAgentRuntime",
            "ListAgentRuntimeEndpoints",
            "ListGateways",
            "GetGateway",
            "ListGatewayTargets",
            "GetGatewayTarget",
            "ListMemories",
            "GetMemory",
            "ListBrowsers",
            "GetBrowser",
            "ListCodeInterpreters",
            "GetCodeInterpreter",
            "ListHarnesses",
            "GetHarness",
            "ListPolicyEngines",
            "ListCapacityProviders",
            "GetCapacityProvider",
            "ListRegistries",
            "GetRegistry",
            "ListWorkloadIdentities",
            "ListOauth2CredentialProviders",
            "GetOauth2CredentialProvider",
            "ListApiKeyCredentialProviders",
            "GetApiKeyCredentialProvider",
            "GetTokenVault",
            "GetResourcePolicy",
            "ListTagsForResource",
        }
    ),
    "ec2": frozenset(
        {
            "DescribeRegions",
            "DescribeInstances",
            "DescribeInstanceTypes",
            "DescribeInstanceAttribute",
            "DescribeImages",
            "DescribeVolumes",
            "DescribeSecurityGroups",
            "DescribeSubnets",
            "DescribeRouteTables",
            "DescribeInternetGateways",
            "DescribeNatGateways",
            "DescribeVpcs",
            "DescribeVpcEndpoints",
            "DescribeFlowLogs",
            "DescribeNetworkInterfaces",
            "DescribeNetworkAcls",
            "GetAllowedImagesSettings",
            "GetEbsEncryptionByDefault",
            "DescribeLaunchTemplateVersions",
            "DescribeSnapshots",
            "DescribeSnapshotAttribute",
        }
    ),
    "ecr": frozenset(
        {
            "DescribeRepositories",
            "DescribeImages",
            "DescribeImageScanFindings",
            "GetRepositoryPolicy",
            "GetRegistryScanningConfiguration",
            "GetSigningConfiguration",
            "DescribeImageSigningStatus",
            "BatchGetRepositoryScanningConfiguration",
            "ListTagsForResource",
        }
    ),
    "inspector2": frozenset({"BatchGetAccountStatus", "ListFindings", "ListCoverage"}),
    "s3": frozenset(
        {
            "HeadBucket",
            "ListObjectsV2",
            "GetBucketLocation",
            "GetPublicAccessBlock",
            "GetBucketPolicy",
            "GetBucketPolicyStatus",
            "GetBucketAcl",
            "GetBucketOwnershipControls",
            "GetBucketEncryption",
            "GetBucketVersioning",
            "GetBucketLogging",
            "GetBucketTagging",
            "GetBucketReplication",
            "ListBuckets",
        }
    ),
    "s3control": frozenset({"GetPublicAccessBlock"}),
    "iam": frozenset(
        {
            "GetAccountAuthorizationDetails",
            "ListServiceSpecificCredentials",
            "GetInstanceProfile",
            "GetRole",
            "ListRolePolicies",
            "GetRolePolicy",
            "ListAttachedRolePolicies",
            "GetPolicy",
            "GetPolicyVersion",
        }
    ),
    "lambda": frozenset(
        {
            "ListFunctions",
            "GetFunction",
            "GetFunctionConfiguration",
            "GetPolicy",
            "ListFunctionUrlConfigs",
            "ListTags",
        }
    ),
    "opensearchserverless": frozenset(
        {
            "BatchGetCollection",
            "ListSecurityPolicies",
            "GetSecurityPolicy",
            "ListAccessPolicies",
            "GetAccessPolicy",
        }
    ),
    "opensearch": frozenset({"DescribeDomains"}),
    "s3vectors": frozenset({"GetVectorBucket", "GetVectorBucketPolicy", "GetIndex"}),
    "efs": frozenset(
        {
            "DescribeFileSystems",
            "DescribeFileSystemPolicy",
            "DescribeMountTargets",
            "DescribeMountTargetSecurityGroups",
            "DescribeAccessPoints",
        }
    ),
    "fsx": frozenset({"DescribeFileSystems"}),
    "elbv2": frozenset(
        {
            "DescribeTargetGroups",
            "DescribeTargetHealth",
            "DescribeLoadBalancers",
            "DescribeListeners",
            "DescribeRules",
            "DescribeTags",
        }
    ),
    "batch": frozenset({"DescribeJobDefinitions"}),
    "ecs": frozenset(
        {
            "ListClusters",
            "ListServices",
            "DescribeServices",
            "DescribeTaskDefinition",
            "ListTasks",
            "DescribeTasks",
            "DescribeContainerInstances",
        }
    ),
    "eks": frozenset(
        {
            "ListClusters",
            "DescribeCluster",
            "ListNodegroups",
            "DescribeNodegroup",
            "ListFargateProfiles",
            "DescribeFargateProfile",
            "ListPodIdentityAssociations",
            "DescribePodIdentityAssociation",
        }
    ),
    "kendra": frozenset(
        {
            "ListIndices",
            "DescribeIndex",
            "ListDataSources",
            "DescribeDataSource",
            "ListTagsForResource",
        }
    ),
    "qbusiness": frozenset(
        {
            "ListApplications",
            "GetApplication",
            "ListIndices",
            "ListDataSources",
            "GetDataSource",
            "ListRetrievers",
            "GetRetriever",
            "ListPlugins",
            "GetPlugin",
            "ListWebExperiences",
            "GetWebExperience",
            "ListTagsForResource",
        }
    ),
    "secretsmanager": frozenset({"DescribeSecret", "GetResourcePolicy"}),
    "ssm": frozenset({"DescribeParameters"}),
    "glue": frozenset({"GetMLTransforms"}),
    "translate": frozenset({"ListTextTranslationJobs"}),
    "healthlake": frozenset({"ListFHIRDatastores"}),
    "forecast": frozenset({"ListDatasets", "DescribeDataset"}),
    "frauddetector": frozenset({"GetModels", "DescribeModelVersions", "GetKMSEncryptionKey"}),
    "lookoutequipment": frozenset(
        {"ListDatasets", "DescribeDataset", "ListModels", "DescribeModel"}
    ),
    "lexv2-models": frozenset({"ListBots", "DescribeBot", "ListBotAliases", "DescribeBotAlias"}),
    "comprehend": frozenset(
        {
            "ListEntityRecognizers",
            "ListDocumentClassifiers",
            "ListEndpoints",
            "ListFlywheels",
            "DescribeFlywheel",
            "DescribeResourcePolicy",
            "ListTagsForResource",
        }
    ),
    "cloudtrail": frozenset({"DescribeTrails", "GetTrailStatus", "GetEventSelectors"}),
    "guardduty": frozenset({"ListDetectors", "GetDetector"}),
    "macie2": frozenset(
        {"GetMacieSession", "GetAutomatedDiscoveryConfiguration", "DescribeBuckets"}
    ),
    "securityhub": frozenset({"GetEnabledStandards"}),
    "logs": frozenset({"DescribeLogGroups"}),
    "kms": frozenset({"DescribeKey", "GetKeyPolicy", "GetKeyRotationStatus"}),
}
"""Botocore service name → API operation names. An operation that is not here is never sent."""

_PREFIXES: dict[str, str] = {
    "bedrock-agent": "bedrock",
    "bedrock-agentcore-control": "bedrock-agentcore",
    "bedrock-data-automation": "bedrock",
    "efs": "elasticfilesystem",
    "elbv2": "elasticloadbalancing",
    "lexv2-models": "lex",
    "opensearch": "es",
    "opensearchserverless": "aoss",
    "resourcegroupstaggingapi": "tag",
}
"""Where IAM calls a service otherwise than botocore does."""

_ACTIONS: dict[tuple[str, str], str] = {
    ("s3", "HeadBucket"): "s3:ListBucket",
    ("s3", "ListBuckets"): "s3:ListAllMyBuckets",
    ("s3", "ListObjectsV2"): "s3:ListBucket",
    ("s3", "GetPublicAccessBlock"): "s3:GetBucketPublicAccessBlock",
    ("s3", "GetBucketEncryption"): "s3:GetEncryptionConfiguration",
    ("s3", "GetBucketReplication"): "s3:GetReplicationConfiguration",
    ("s3control", "GetPublicAccessBlock"): "s3:GetAccountPublicAccessBlock",
}
"""Where the IAM action is not ``<service>:<operation>``."""

_SIGNING_IN = frozenset({("sts", "GetCallerIdentity"), ("organizations", "ListAccounts")})
"""What finds the accounts, before one is read."""

_CREDENTIALS: dict[str, frozenset[str]] = {
    "sts": frozenset({"AssumeRole", "AssumeRoleWithWebIdentity"}),
    "sso": frozenset({"GetRoleCredentials"}),
    "sso-oidc": frozenset({"CreateToken"}),
    "signin": frozenset({"CreateOAuth2Token"}),
}
"""What the SDK itself sends to get credentials. No client of ours may."""

_INSTEAD = frozenset(
    {"iam:GetRole", "iam:ListRolePolicies", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies"}
)
"""Asked only where ``iam:GetAccountAuthorizationDetails`` is refused, which says all of it at once."""

SPARING = frozenset({"tag:GetResources"})
"""Only saves calls: where it is refused, tags are asked for one by one and nothing is lost."""


class WriteRefusedError(RuntimeError):
    """An operation outside the read list was about to be sent; nothing was."""

    def __init__(self, service: str, operation: str) -> None:
        super().__init__(f"{service}:{operation} is not in the read list; nothing was sent")
        self.service = service
        self.operation = operation


def install(events: Any, *, signing_in: bool = False) -> None:
    """Make every client of these ``events`` raise ``WriteRefusedError`` for what is not in ``READS``.

    ``events``: a client's, or a session's, which every client that is made of it takes over; a
    session has to let through what the SDK sends for credentials (``signing_in``).

    Hooked twice: before parameters are even validated, and again before the request is handed to
    the endpoint (which a caller reaches who bypasses the first).
    """

    def refuse_writes(model: Any, **_: Any) -> None:
        service = model.service_model.service_name
        if model.name in READS.get(service, ()):
            return
        if not (signing_in and model.name in _CREDENTIALS.get(service, ())):
            raise WriteRefusedError(service, model.name)

    events.register_first("provide-client-params", refuse_writes)
    events.register_first("before-call", refuse_writes)


def iam_action(service: str, operation: str) -> str:
    """The IAM action that allows ``operation``, such as ``s3:ListAllMyBuckets``."""
    named = f"{_PREFIXES.get(service, service)}:{operation}"
    return _ACTIONS.get((service, operation), named)


def iam_actions() -> list[str]:
    """Every IAM action that reading an account needs, sorted.

    ``sts:GetCallerIdentity`` needs no grant; finding the accounts is not part of reading them, and
    what is asked only instead of something refused is not needed where nothing is.
    """
    return sorted(
        {
            iam_action(service, operation)
            for service, operations in READS.items()
            for operation in operations
            if (service, operation) not in _SIGNING_IN
        }
        - _INSTEAD
    )


def policy_document(options: Mapping[str, Json] | None = None) -> dict[str, Json]:
    """An IAM policy that allows exactly what a scan reads, and nothing else.

    With the options of a scan of several accounts also what signing in to those needs:
    ``role_arn``, ``role_arns``, ``organization``, ``role_name``. Whoever signs in gets the whole
    policy; the roles that are assumed need its first statement.
    """
    asked = options or {}
    actions: list[Json] = [*iam_actions()]
    reads: dict[str, Json] = {
        "Sid": "UndercroftReadOnly",
        "Effect": "Allow",
        "Action": actions,
        "Resource": "*",
    }
    statements: list[Json] = [reads]
    named = asked.get("role_arns") or asked.get("role_arn") or ()
    roles: list[Json] = [named] if isinstance(named, str) else [*cast("list[Json]", named)]
    if asked.get("organization"):
        statements.append(
            {
                "Sid": "UndercroftOrganization",
                "Effect": "Allow",
                "Action": "organizations:ListAccounts",
                "Resource": "*",
            }
        )
        roles.append(f"arn:*:iam::*:role/{asked.get('role_name') or ROLE_NAME}")
    if roles:
        statements.append(
            {
                "Sid": "UndercroftSignIn",
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Resource": roles,
            }
        )
    return {"Version": "2012-10-17", "Statement": statements}


def policy_documents(options: Mapping[str, Json] | None = None) -> list[dict[str, Json]]:
    """``policy_document`` as several that together allow the same, each small enough to be a
    managed policy. The actions of one service stay together where they fit.
    """
    whole: Any = policy_document(options)
    reads, *others = whole["Statement"]
    by_service: dict[str, list[Json]] = {}
    for action in reads["Action"]:
        by_service.setdefault(action.partition(":")[0], []).append(action)
    parts: list[list[Json]] = [[]]
    for actions in by_service.values():
        if _too_large(whole, reads, parts[-1] + actions):
            parts.append([])
        for action in actions:
            if _too_large(whole, reads, [*parts[-1], action]):
                parts.append([])
            parts[-1].append(action)
    documents: list[dict[str, Json]] = [
        {**whole, "Statement": [{**reads, "Sid": f"{reads['Sid']}{number}", "Action": actions}]}
        for number, actions in enumerate(parts, 1)
    ]
    if others:
        documents.append({**whole, "Statement": others})
    return documents


def _too_large(whole: Mapping[str, Json], reads: Mapping[str, Json], actions: list[Json]) -> bool:
    size = policy_size({**whole, "Statement": [{**reads, "Action": actions}]})
    return size + len("00") > MANAGED_POLICY


def policy_size(document: Mapping[str, Json]) -> int:
    """Characters of a policy as IAM counts them: without white space."""
    return len(json.dumps(document, separators=(",", ":")))
