"""What AgentCore's runtimes and gateways share: credentials, policies, machines, a registry."""

from __future__ import annotations

from collections.abc import Mapping

from collectors.aws.arns import Arn, Place, bucket, by_arn, kms_key, role
from collectors.aws.kinds import Kind, Tags
from collectors.aws.references import SECRET, vpc
from collectors.references import Reference, Target
from undercroft.model import Json, Layer
from undercroft.relations import Relation

__all__ = [
    "AUTHORIZER",
    "CAPACITY",
    "CLIENT",
    "ENGINE",
    "INSTANCE_PROFILE",
    "KINDS",
    "PREFIX",
    "PROVIDER",
    "TAGS",
    "WORKER",
    "instance_profile",
    "jwt_facts",
]

CLIENT = "bedrock-agentcore-control"
PREFIX = "bedrock-agentcore"
TAGS = Tags("list_tags_for_resource", "resourceArn", "tags")
_ROLE = Relation.USES_IDENTITY
_KEY = Relation.ENCRYPTED_WITH

PROVIDER = by_arn(PREFIX, "token-vault", "bedrock-agentcore:credential-provider", Layer.IDENTITY)
WORKER = by_arn(
    PREFIX,
    "workload-identity-directory",
    "bedrock-agentcore:workload-identity",
    Layer.IDENTITY,
)
ENGINE = by_arn(PREFIX, "policy-engine", "bedrock-agentcore:policy-engine", Layer.IDENTITY)
CAPACITY = by_arn(PREFIX, "capacity-provider", "bedrock-agentcore:capacity-provider", Layer.VM)

_JWT = "authorizerConfiguration.customJWTAuthorizer"
AUTHORIZER: tuple[Reference, ...] = (
    Reference(f"{_JWT}.certificateConfigurations[].secretsManager.secretArn", SECRET, _ROLE),
    Reference(f"{_JWT}.certificateConfigurations[].s3.uri", bucket, Relation.LOADS_ARTIFACT_FROM),
    *vpc(f"{_JWT}.privateEndpoint.managedVpcResource", "subnetIds", "securityGroupIds"),
)
"""What the check of tokens names: certificates, and the network that their issuer is reached by."""


def jwt_facts(_place: Place, config: Mapping[str, Json]) -> dict[str, Json]:
    """Whether tokens are checked for whom they were made; nothing if no tokens are asked for."""
    authorizer = config.get("authorizerConfiguration")
    jwt = authorizer.get("customJWTAuthorizer") if isinstance(authorizer, Mapping) else None
    if not isinstance(jwt, Mapping):
        return {"jwt_open": False}
    limits = ("allowedAudience", "allowedClients", "allowedScopes", "customClaims")
    return {"jwt_open": not any(jwt.get(name) for name in limits)}


def instance_profile(place: Place, text: str) -> Target | None:
    """What gives machines of EC2 their role, by its ARN; its path is no part of its name."""
    arn = Arn.parse(text)
    if arn is None or arn.service != "iam" or not arn.resource.startswith("instance-profile/"):
        return None
    name = arn.name.rpartition("/")[2]
    key = place.key("iam", "instance-profile", name, account=arn.account, region="-")
    return Target(
        place.stub(
            "iam:instance-profile",
            Layer.IDENTITY,
            key,
            name,
            text,
            account=arn.account,
            region="-",
        )
    )


_EC2 = "computeConfiguration.ec2Configuration"
_LAUNCH = f"{_EC2}.launchTemplateSource.launchParameters"

KINDS: tuple[Kind, ...] = (
    Kind(
        family="agentcore",
        name="policy-engine",
        type="bedrock-agentcore:policy-engine",
        segment="policy-engine",
        client=CLIENT,
        prefix=PREFIX,
        layer=Layer.IDENTITY,
        list_operation="list_policy_engines",
        list_key="policyEngines",
        # The list says all that a description would.
        describe_operation="",
        identifiers=("policyEngineId",),
        arn="policyEngineArn",
        title="name",
        created="createdAt",
        references=(Reference("encryptionKeyArn", kms_key, _KEY),),
    ),
    Kind(
        family="agentcore",
        name="capacity-provider",
        type="bedrock-agentcore:capacity-provider",
        segment="capacity-provider",
        client=CLIENT,
        prefix=PREFIX,
        layer=Layer.VM,
        list_operation="list_capacity_providers",
        list_key="capacityProviders",
        describe_operation="get_capacity_provider",
        identifiers=("capacityProviderId",),
        arn="capacityProviderArn",
        title="name",
        created="createdAt",
        references=(
            Reference("permissionsConfiguration.capacityProviderOperatorRoleArn", role, _ROLE),
            Reference(f"{_LAUNCH}.instanceProfileArn", instance_profile, _ROLE),
            Reference(f"{_LAUNCH}.ephemeralVolumes[].ebs.kmsKeyId", kms_key, _KEY),
            Reference(f"{_EC2}.rootVolume.kmsKeyId", kms_key, _KEY),
            Reference(f"{_EC2}.volumes[].ebsConfiguration.kmsKeyId", kms_key, _KEY),
            *vpc(f"{_EC2}.vpcConfiguration", "subnets", "securityGroups"),
        ),
    ),
    Kind(
        family="agentcore",
        name="registry",
        type="bedrock-agentcore:registry",
        segment="registry",
        client=CLIENT,
        prefix=PREFIX,
        list_operation="list_registries",
        list_key="registries",
        describe_operation="get_registry",
        identifiers=("registryId",),
        arn="registryArn",
        title="name",
        created="createdAt",
        service=True,
        tags=TAGS,
        facts=jwt_facts,
        derived=("jwt_open",),
        references=AUTHORIZER,
    ),
    Kind(
        family="agentcore",
        name="oauth-provider",
        type="bedrock-agentcore:credential-provider",
        segment="token-vault",
        client=CLIENT,
        prefix=PREFIX,
        layer=Layer.IDENTITY,
        list_operation="list_oauth2_credential_providers",
        list_key="credentialProviders",
        describe_operation="get_oauth2_credential_provider",
        identifiers=("name",),
        by_arn=True,
        arn="credentialProviderArn",
        title="name",
        created="createdTime",
        references=(Reference("clientSecretArn.secretArn", SECRET, _ROLE),),
    ),
    Kind(
        family="agentcore",
        name="api-key-provider",
        type="bedrock-agentcore:credential-provider",
        segment="token-vault",
        client=CLIENT,
        prefix=PREFIX,
        layer=Layer.IDENTITY,
        list_operation="list_api_key_credential_providers",
        list_key="credentialProviders",
        describe_operation="get_api_key_credential_provider",
        identifiers=("name",),
        by_arn=True,
        arn="credentialProviderArn",
        title="name",
        created="createdTime",
        references=(Reference("apiKeySecretArn.secretArn", SECRET, _ROLE),),
    ),
    Kind(
        family="agentcore",
        name="workload-identity",
        type="bedrock-agentcore:workload-identity",
        segment="workload-identity-directory",
        client=CLIENT,
        prefix=PREFIX,
        layer=Layer.IDENTITY,
        list_operation="list_workload_identities",
        list_key="workloadIdentities",
        describe_operation="",
        identifiers=("name",),
        by_arn=True,
        arn="workloadIdentityArn",
        title="name",
    ),
)

INSTANCE_PROFILE = Kind(
    family="iam",
    name="instance-profile",
    type="iam:instance-profile",
    segment="instance-profile",
    client="iam",
    prefix="iam",
    layer=Layer.IDENTITY,
    list_operation="",
    list_key="",
    describe_operation="get_instance_profile",
    answer="InstanceProfile",
    identifiers=(),
    arguments={"InstanceProfileName": "$name"},
    arn="Arn",
    title="InstanceProfileName",
    created="CreateDate",
    references=(Reference("Roles[].Arn", role, _ROLE),),
)
