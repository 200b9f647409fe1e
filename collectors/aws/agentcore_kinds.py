"""The Bedrock AgentCore types that are read: runtimes, gateways, memories, tools, harnesses."""

from __future__ import annotations

from collections.abc import Mapping

from collectors.aws.agentcore_shared_kinds import (
    AUTHORIZER,
    CAPACITY,
    CLIENT,
    ENGINE,
    PREFIX,
    PROVIDER,
    TAGS,
    WORKER,
    jwt_facts,
)
from collectors.aws.arns import (
    Place,
    bucket,
    by_arn,
    function,
    image,
    kms_key,
    model,
    named,
    role,
)
from collectors.aws.hosts import session_host
from collectors.aws.kinds import ARN, Child, Kind, Read
from collectors.aws.references import SECRET, vpc
from collectors.aws.values import mappings
from collectors.references import Reference
from undercroft.model import Json, Layer
from undercroft.relations import Relation

__all__ = ["KINDS"]

_ROLE = Relation.USES_IDENTITY
_KEY = Relation.ENCRYPTED_WITH
_READS = Relation.READS_DATA_FROM
_WRITES = Relation.WRITES_TO
_LOADS = Relation.LOADS_ARTIFACT_FROM
_CALLS = Relation.INVOKES_TOOL


_RUNTIME = by_arn(PREFIX, "runtime", "bedrock-agentcore:runtime", Layer.SERVICE)
_GATEWAY = by_arn(PREFIX, "gateway", "bedrock-agentcore:gateway", Layer.SERVICE)
_MEMORY = by_arn(PREFIX, "memory", "bedrock-agentcore:memory", Layer.STORAGE)
_BROWSER = by_arn(PREFIX, "browser-custom", "bedrock-agentcore:browser", Layer.SERVICE)
_INTERPRETER = by_arn(
    PREFIX, "code-interpreter-custom", "bedrock-agentcore:code-interpreter", Layer.SERVICE
)
_ACCESS_POINT = by_arn("elasticfilesystem", "access-point", "efs:access-point", Layer.STORAGE)
_REST_API = named("apigateway", "restapis", "apigateway:rest-api")
_FIREWALL = by_arn("wafv2", "webacl", "wafv2:web-acl", Layer.NETWORK)
_STREAM = by_arn("kinesis", "stream", "kinesis:stream", Layer.STORAGE)
_S3_FILES = by_arn("s3files", "file-system", "s3files:file-system", Layer.STORAGE)


_STRATEGY = "strategies[].configuration"


def _policy(*actions: str) -> Read:
    return Read(
        "ResourcePolicy",
        "get_resource_policy",
        {"resourceArn": ARN},
        pick="policy",
        answers=frozenset({"ResourceNotFoundException"}),
        grants=actions,
    )


def _network(at: str = "networkConfiguration.vpcConfig") -> tuple[Reference, ...]:
    return vpc(at, "subnets", "securityGroups")


def _external(_place: Place, config: Mapping[str, Json]) -> dict[str, Json]:
    """Addresses outside AWS's own services that tools are served from."""
    found: list[Json] = []
    targets = config.get("targetConfiguration")
    for protocol, field in (
        ("mcp", "mcpServer"),
        ("http", "passthrough"),
        ("inference", "provider"),
    ):
        inner = targets.get(protocol) if isinstance(targets, Mapping) else None
        server = inner.get(field) if isinstance(inner, Mapping) else None
        if isinstance(server, Mapping) and server.get("endpoint"):
            found.append(server["endpoint"])
    for tool in mappings(config.get("tools")):
        settings = tool.get("config")
        remote = settings.get("remoteMcp") if isinstance(settings, Mapping) else None
        if isinstance(remote, Mapping) and remote.get("url"):
            found.append(remote["url"])
    for skill in mappings(config.get("skills")):
        git = skill.get("git")
        if isinstance(git, Mapping) and git.get("url"):
            found.append(git["url"])
    outside: list[Json] = [url for url in found if not _of_aws(str(url))]
    return {"external_tools": outside}


def _of_aws(url: str) -> bool:
    host = url.partition("://")[2].partition("/")[0].partition(":")[0].lower()
    return host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".on.aws", ".api.aws"))


_TARGET = Kind(
    family="agentcore",
    name="gateway-target",
    type="bedrock-agentcore:gateway-target",
    segment="gateway-target",
    client=CLIENT,
    prefix=PREFIX,
    list_operation="list_gateway_targets",
    list_key="items",
    describe_operation="get_gateway_target",
    identifiers=("gatewayIdentifier", "targetId"),
    arn="",
    title="name",
    created="createdAt",
    facts=_external,
    derived=("external_tools",),
    references=(
        Reference("targetConfiguration.mcp.lambda.lambdaArn", function, _CALLS),
        Reference("targetConfiguration.mcp.lambda.toolSchema.s3.uri", bucket, _LOADS),
        Reference("targetConfiguration.mcp.openApiSchema.s3.uri", bucket, _LOADS),
        Reference("targetConfiguration.mcp.smithyModel.s3.uri", bucket, _LOADS),
        Reference("targetConfiguration.mcp.mcpServer.mcpToolSchema.s3.uri", bucket, _LOADS),
        Reference("targetConfiguration.mcp.apiGateway.restApiId", _REST_API, _CALLS),
        Reference("targetConfiguration.http.agentcoreRuntime.arn", _RUNTIME, _CALLS),
        Reference("targetConfiguration.http.agentcoreRuntime.schema.source.s3.uri", bucket, _LOADS),
        Reference("targetConfiguration.http.passthrough.schema.source.s3.uri", bucket, _LOADS),
        Reference(
            "credentialProviderConfigurations[].credentialProvider.oauthCredentialProvider"
            ".providerArn",
            PROVIDER,
            _ROLE,
        ),
        Reference(
            "credentialProviderConfigurations[].credentialProvider.apiKeyCredentialProvider"
            ".providerArn",
            PROVIDER,
            _ROLE,
        ),
        Reference("certificateConfigurations[].secretsManager.secretArn", SECRET, _ROLE),
        Reference("certificateConfigurations[].s3.uri", bucket, _LOADS),
        *vpc("privateEndpoint.managedVpcResource", "subnetIds", "securityGroupIds"),
    ),
)

_RUNS_WITH: tuple[Reference, ...] = (
    Reference("roleArn", role, _ROLE),
    Reference(
        "agentRuntimeArtifact.containerConfiguration.containerUri",
        image,
        Relation.RUNS_IMAGE,
    ),
    Reference("agentRuntimeArtifact.codeConfiguration.code.s3.bucket", bucket, _LOADS),
    Reference("filesystemConfigurations[].efsAccessPoint.accessPointArn", _ACCESS_POINT, _READS),
    Reference("filesystemConfigurations[].s3FilesAccessPoint.accessPointArn", _S3_FILES, _READS),
    # Machines of one's own, in place of those that AWS starts for each session.
    Reference("capacityProviderConfiguration.capacityProviderArn", CAPACITY, Relation.RUNS_ON),
    Reference("workloadIdentityDetails.workloadIdentityArn", WORKER, _ROLE),
    *_network("networkConfiguration.networkModeConfig"),
    *AUTHORIZER,
)


_FILES: tuple[Reference, ...] = (
    Reference("filesystemConfigurations[].efsConfiguration.accessPointArn", _ACCESS_POINT, _READS),
    Reference("filesystemConfigurations[].s3FilesConfiguration.accessPointArn", _S3_FILES, _READS),
)


def _is_apart(item: Mapping[str, Json]) -> bool:
    """Whether an endpoint may serve another version than the newest, which the runtime itself is."""
    return item.get("name") != "DEFAULT" and bool(item.get("liveVersion"))


_SERVED = Kind(
    family="agentcore",
    name="runtime-endpoint",
    type="bedrock-agentcore:runtime-endpoint",
    segment="runtime-endpoint",
    client=CLIENT,
    prefix=PREFIX,
    list_operation="list_agent_runtime_endpoints",
    list_key="runtimeEndpoints",
    keep=_is_apart,
    # What it serves is a version of the runtime.
    describe_operation="get_agent_runtime",
    identifiers=("agentRuntimeId", "name"),
    arguments={"agentRuntimeId": "agentRuntimeId", "agentRuntimeVersion": "liveVersion"},
    arn="agentRuntimeEndpointArn",
    title="name",
    created="",
    hosts=session_host,
    facts=jwt_facts,
    derived=("jwt_open",),
    references=_RUNS_WITH,
)

_ITS_RUNTIME = "environment.agentCoreRuntimeEnvironment"

KINDS: tuple[Kind, ...] = (
    Kind(
        family="agentcore",
        name="runtime",
        type="bedrock-agentcore:runtime",
        segment="runtime",
        client=CLIENT,
        prefix=PREFIX,
        list_operation="list_agent_runtimes",
        list_key="agentRuntimes",
        describe_operation="get_agent_runtime",
        identifiers=("agentRuntimeId",),
        arn="agentRuntimeArn",
        title="agentRuntimeName",
        created="createdAt",
        service=True,
        settings="bedrock",
        tags=TAGS,
        hosts=session_host,
        facts=jwt_facts,
        derived=("jwt_open",),
        reads=(_policy("bedrock-agentcore:InvokeAgentRuntime"),),
        children=(
            Child(
                _SERVED,
                {"agentRuntimeId": "agentRuntimeId"},
                Relation.SAME_WORKLOAD,
                "runtimeEndpoints",
            ),
        ),
        references=_RUNS_WITH,
    ),
    Kind(
        family="agentcore",
        name="gateway",
        type="bedrock-agentcore:gateway",
        segment="gateway",
        client=CLIENT,
        prefix=PREFIX,
        list_operation="list_gateways",
        list_key="items",
        describe_operation="get_gateway",
        identifiers=("gatewayId",),
        arguments={"gatewayIdentifier": "gatewayId"},
        arn="gatewayArn",
        title="name",
        created="createdAt",
        service=True,
        settings="bedrock",
        tags=TAGS,
        facts=jwt_facts,
        derived=("jwt_open",),
        reads=(_policy("bedrock-agentcore:InvokeGateway"),),
        children=(Child(_TARGET, {"gatewayIdentifier": "gatewayId"}, _CALLS, "Targets"),),
        references=(
            Reference("roleArn", role, _ROLE),
            Reference("kmsKeyArn", kms_key, _KEY),
            Reference("interceptorConfigurations[].interceptor.lambda.arn", function, _CALLS),
            Reference("customTransformConfiguration.lambda.arn", function, _CALLS),
            Reference("policyEngineConfiguration.arn", ENGINE, Relation.PROTECTED_BY),
            Reference("webAclArn", _FIREWALL, Relation.PROTECTED_BY),
            Reference("workloadIdentityDetails.workloadIdentityArn", WORKER, _ROLE),
            *AUTHORIZER,
        ),
    ),
    Kind(
        family="agentcore",
        name="memory",
        type="bedrock-agentcore:memory",
        segment="memory",
        client=CLIENT,
        prefix=PREFIX,
        layer=Layer.STORAGE,
        list_operation="list_memories",
        list_key="memories",
        describe_operation="get_memory",
        answer="memory",
        identifiers=("id",),
        arguments={"memoryId": "id"},
        arn="arn",
        title="name",
        created="createdAt",
        references=(
            Reference("encryptionKeyArn", kms_key, _KEY),
            Reference("memoryExecutionRoleArn", role, _ROLE),
            Reference(
                "streamDeliveryResources.resources[].kinesis.dataStreamArn", _STREAM, _WRITES
            ),
            Reference(
                f"{_STRATEGY}.selfManagedConfiguration.invocationConfiguration"
                ".payloadDeliveryBucketName",
                bucket,
                _WRITES,
            ),
            *(
                Reference(
                    f"{_STRATEGY}.{step}.custom*Configuration.*Override.modelId", model, _LOADS
                )
                for step in ("extraction", "consolidation", "reflection")
            ),
        ),
    ),
    Kind(
        family="agentcore",
        name="browser",
        type="bedrock-agentcore:browser",
        segment="browser-custom",
        client=CLIENT,
        prefix=PREFIX,
        list_operation="list_browsers",
        list_key="browserSummaries",
        list_arguments={"type": "CUSTOM"},
        describe_operation="get_browser",
        identifiers=("browserId",),
        arn="browserArn",
        title="name",
        created="createdAt",
        service=True,
        settings="bedrock",
        tags=TAGS,
        references=(
            Reference("executionRoleArn", role, _ROLE),
            Reference("recording.s3Location.bucket", bucket, _WRITES),
            Reference("enterprisePolicies[].location.s3.bucket", bucket, _LOADS),
            Reference("certificates[].location.secretsManager.secretArn", SECRET, _ROLE),
            *_FILES,
            *_network(),
        ),
    ),
    Kind(
        family="agentcore",
        name="code-interpreter",
        type="bedrock-agentcore:code-interpreter",
        segment="code-interpreter-custom",
        client=CLIENT,
        prefix=PREFIX,
        list_operation="list_code_interpreters",
        list_key="codeInterpreterSummaries",
        list_arguments={"type": "CUSTOM"},
        describe_operation="get_code_interpreter",
        identifiers=("codeInterpreterId",),
        arn="codeInterpreterArn",
        title="name",
        created="createdAt",
        service=True,
        settings="bedrock",
        tags=TAGS,
        references=(
            Reference("executionRoleArn", role, _ROLE),
            Reference("certificates[].location.secretsManager.secretArn", SECRET, _ROLE),
            *_FILES,
            *_network(),
        ),
    ),
    Kind(
        family="agentcore",
        name="harness",
        type="bedrock-agentcore:harness",
        segment="harness",
        client=CLIENT,
        prefix=PREFIX,
        list_operation="list_harnesses",
        list_key="harnesses",
        describe_operation="get_harness",
        answer="harness",
        identifiers=("harnessId",),
        arn="arn",
        title="harnessName",
        created="createdAt",
        service=True,
        settings="bedrock",
        tags=TAGS,
        facts=lambda place, config: {**_external(place, config), **jwt_facts(place, config)},
        derived=("external_tools", "jwt_open"),
        references=(
            Reference("executionRoleArn", role, _ROLE),
            *AUTHORIZER,
            Reference("model.*ModelConfig.apiKeyArn", PROVIDER, _ROLE),
            Reference(
                "tools[].config.agentCoreGateway.outboundAuth.oauth.providerArn", PROVIDER, _ROLE
            ),
            Reference("skills[].git.auth.credentialArn", PROVIDER, _ROLE),
            Reference("hooks[].*.target.lambda.arn", function, _CALLS),
            *_network(f"{_ITS_RUNTIME}.networkConfiguration.networkModeConfig"),
            Reference(
                f"{_ITS_RUNTIME}.filesystemConfigurations[].efsAccessPoint.accessPointArn",
                _ACCESS_POINT,
                _READS,
            ),
            Reference(
                f"{_ITS_RUNTIME}.filesystemConfigurations[].s3FilesAccessPoint.accessPointArn",
                _S3_FILES,
                _READS,
            ),
            Reference("model.bedrockModelConfig.modelId", model, _LOADS),
            Reference("tools[].config.agentCoreBrowser.browserArn", _BROWSER, _CALLS),
            Reference("tools[].config.agentCoreGateway.gatewayArn", _GATEWAY, _CALLS),
            Reference(
                "tools[].config.agentCoreCodeInterpreter.codeInterpreterArn", _INTERPRETER, _CALLS
            ),
            Reference("skills[].s3.uri", bucket, _LOADS),
            Reference(
                f"{_ITS_RUNTIME}.agentRuntimeArn",
                _RUNTIME,
                Relation.RUNS_ON,
            ),
            Reference(
                "environmentArtifact.containerConfiguration.containerUri",
                image,
                Relation.RUNS_IMAGE,
            ),
            Reference("memory.agentCoreMemoryConfiguration.arn", _MEMORY, _WRITES),
            Reference("memory.managedMemoryConfiguration.arn", _MEMORY, _WRITES),
            Reference("memory.managedMemoryConfiguration.encryptionKeyArn", kms_key, _KEY),
        ),
    ),
)
