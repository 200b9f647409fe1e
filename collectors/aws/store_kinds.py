"""What AI services reach beside buckets, roles and images: functions, vector stores, file systems,
Kubernetes. Read only where something names one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from collectors.aws.arns import Place, by_arn, image, kms_key, role
from collectors.aws.ec2_templates import started_from
from collectors.aws.hosts import Host, only
from collectors.aws.kinds import ARN, Child, Each, Kind, Read, constant
from collectors.aws.policy.documents import PolicyError, parse_policy, wildcard_match
from collectors.aws.policy.trust import deputies
from collectors.aws.references import GROUP, SUBNET, vpc
from collectors.aws.target_groups import standing_behind
from collectors.references import Reference
from collectors.values import mappings
from undercroft.model import Edge, Json, Layer, Resource
from undercroft.relations import Relation

__all__ = ["KINDS"]

_ROLE = Relation.USES_IDENTITY
_KEY = Relation.ENCRYPTED_WITH
_NETWORK = Relation.PROTECTED_BY
_MISSING = frozenset({"ResourceNotFoundException"})
_NAME = "$name"
_BALANCERS = "elasticloadbalancing.amazonaws.com"


# ------------------------------------------------------------------------------------- functions


def _function_facts(_place: Place, config: Mapping[str, Json]) -> dict[str, Json]:
    """Whether an address of its own lets anybody in, and which AI services may call it for anybody."""
    urls = list(mappings(config.get("FunctionUrlConfigs")))
    facts: dict[str, Json] = {
        "open_urls": [url.get("FunctionUrl") for url in urls if url.get("AuthType") == "NONE"]
    }
    policy = config.get("Policy")
    try:
        statements = parse_policy(policy) if isinstance(policy, str | Mapping) else ()
    except PolicyError:
        return facts
    facts["open_deputies"] = sorted(deputies(statements, "lambda:InvokeFunction"))
    return facts


def _is_image(_place: Place, config: Mapping[str, Json]) -> bool:
    return config.get("PackageType") == "Image"


def _runtime(config: Mapping[str, Json]) -> Iterator[Host]:
    """What AWS runs a function on and looks after, as far as the function says."""
    yield Host("", "Runtime", only(config, _MANAGED))


_MANAGED = ("Runtime", "RuntimeVersionConfig", "Architectures", "PackageType")


def _behind_balancers(place: Place, function: Resource) -> Iterator[Resource | Edge]:
    """The target groups that lead to a function: its policy lets them call it, by name."""
    policy = function.config.get("Policy")
    try:
        statements = parse_policy(policy) if isinstance(policy, str | Mapping) else ()
    except PolicyError:
        return
    for statement in statements:
        if statement.allow and any(who == _BALANCERS for _, who in statement.principals):
            sources = [c.values for c in statement.conditions if c.key == "aws:sourcearn"]
            groups = [arn for values in sources for arn in values]
            yield from standing_behind(place, function.key, groups, "Policy")


_LAYER = by_arn("lambda", "layer", "lambda:layer", Layer.CONTAINER)

_FUNCTION = Kind(
    family="lambda",
    name="function",
    type="lambda:function",
    segment="function",
    client="lambda",
    prefix="lambda",
    layer=Layer.CONTAINER,
    list_operation="",
    list_key="",
    describe_operation="get_function_configuration",
    identifiers=(),
    arguments={"FunctionName": ARN},
    arn="FunctionArn",
    title="FunctionName",
    created="",
    facts=_function_facts,
    derived=("open_urls", "open_deputies"),
    more=_behind_balancers,
    hosts=_runtime,
    reads=(
        Read(
            "Policy",
            "get_policy",
            {"FunctionName": ARN},
            pick="Policy",
            answers=_MISSING,
            grants=("lambda:InvokeFunction", "lambda:InvokeFunctionUrl"),
        ),
        Read(
            "FunctionUrlConfigs",
            "list_function_url_configs",
            {"FunctionName": ARN},
            pick="FunctionUrlConfigs",
            listed=True,
            answers=_MISSING,
        ),
        Read(
            "Code",
            "get_function",
            {"FunctionName": ARN},
            pick="Code",
            # Not the link to the code, which whoever has it can follow.
            fields=("ImageUri", "ResolvedImageUri"),
            where=_is_image,
        ),
    ),
    references=(
        Reference("Role", role, _ROLE),
        Reference("Code.ResolvedImageUri", image, Relation.RUNS_IMAGE),
        Reference("Layers[].Arn", _LAYER, Relation.LOADS_ARTIFACT_FROM),
        Reference("KMSKeyArn", kms_key, _KEY),
        *vpc("VpcConfig", "SubnetIds"),
    ),
)


# ---------------------------------------------------------------------------------- vector stores


def _covering(policies: Json, kind: str, name: str) -> Iterator[Mapping[str, Json]]:
    """The entries of policies that speak of a collection (or of indexes in it)."""
    for policy in mappings(policies):
        detail = policy.get("Detail")
        for entry in mappings(detail.get("policy") if isinstance(detail, Mapping) else None):
            for rule in mappings(entry.get("Rules")):
                if rule.get("ResourceType") != kind:
                    continue
                patterns = rule.get("Resource")
                listed = patterns if isinstance(patterns, list) else []
                if any(
                    wildcard_match(str(pattern).split("/", 2)[1], name)
                    for pattern in listed
                    if str(pattern).count("/")
                ):
                    yield {**entry, "Permission": rule.get("Permission")}


_WRITES = ("aoss:*", "aoss:WriteDocument", "aoss:DeleteIndex", "aoss:UpdateIndex")


def _collection_facts(_place: Place, config: Mapping[str, Json]) -> dict[str, Json]:
    """Whether the internet reaches a collection, and who else than named roles may write to it."""
    name = str(config.get("name") or "")
    public = [
        entry
        for entry in _covering(config.get("NetworkPolicies"), "collection", name)
        if entry.get("AllowFromPublic") is True
    ]
    writers: list[Json] = []
    for entry in _covering(config.get("AccessPolicies"), "index", name):
        allowed, principals = entry.get("Permission"), entry.get("Principal")
        if not isinstance(allowed, list) or not set(map(str, allowed)) & set(_WRITES):
            continue
        writers += [
            who
            for who in (principals if isinstance(principals, list) else [])
            if who == "*" or str(who).endswith((":root", "/*", "*"))
        ]
    return {"public_network": bool(public), "broad_writers": list(dict.fromkeys(writers))}


_COLLECTION = Kind(
    family="aoss",
    name="collection",
    type="aoss:collection",
    segment="collection",
    client="opensearchserverless",
    prefix="aoss",
    layer=Layer.STORAGE,
    list_operation="",
    list_key="",
    describe_operation="batch_get_collection",
    answer="collectionDetails",
    identifiers=(),
    arguments={"ids": f"{_NAME}[]"},
    batch=100,
    batch_by="id",
    arn="arn",
    title="name",
    created="createdDate",
    facts=_collection_facts,
    derived=("public_network", "broad_writers"),
    reads=(
        Read(
            "NetworkPolicies",
            "list_security_policies",
            {"type": constant("network")},
            pick="securityPolicySummaries",
            listed=True,
            shared=True,
            each=(
                Each(
                    "Detail",
                    "get_security_policy",
                    {"type": "type", "name": "name"},
                    "securityPolicyDetail",
                ),
            ),
        ),
        Read(
            "AccessPolicies",
            "list_access_policies",
            {"type": constant("data")},
            pick="accessPolicySummaries",
            listed=True,
            shared=True,
            each=(
                Each(
                    "Detail",
                    "get_access_policy",
                    {"type": "type", "name": "name"},
                    "accessPolicyDetail",
                ),
            ),
        ),
    ),
    references=(Reference("kmsKeyArn", kms_key, _KEY),),
)


def _domain_facts(place: Place, config: Mapping[str, Json]) -> dict[str, Json]:
    from collectors.aws.describing import policy_facts

    arn = str(config.get("ARN") or "")
    found, _ = policy_facts(
        config.get("AccessPolicies"), ("es:ESHttpGet", "es:ESHttpPut"), place, arn
    )
    return found


_DOMAIN = Kind(
    family="opensearch",
    name="domain",
    type="opensearch:domain",
    segment="domain",
    client="opensearch",
    prefix="es",
    layer=Layer.STORAGE,
    list_operation="",
    list_key="",
    describe_operation="describe_domains",
    answer="DomainStatusList",
    identifiers=(),
    arguments={"DomainNames": f"{_NAME}[]"},
    arn="ARN",
    title="DomainName",
    created="",
    facts=_domain_facts,
    derived=("public", "open_to"),
    references=(
        Reference("EncryptionAtRestOptions.KmsKeyId", kms_key, _KEY),
        Reference("VPCOptions.SubnetIds[]", SUBNET, _NETWORK),
        Reference("VPCOptions.SecurityGroupIds[]", GROUP, _NETWORK),
    ),
)

_VECTORS = Kind(
    family="s3vectors",
    name="bucket",
    type="s3vectors:vector-bucket",
    segment="bucket",
    client="s3vectors",
    prefix="s3vectors",
    layer=Layer.STORAGE,
    list_operation="",
    list_key="",
    describe_operation="get_vector_bucket",
    answer="vectorBucket",
    identifiers=(),
    arguments={"vectorBucketArn": ARN},
    arn="vectorBucketArn",
    title="vectorBucketName",
    created="creationTime",
    reads=(
        Read(
            "Policy",
            "get_vector_bucket_policy",
            {"vectorBucketArn": ARN},
            pick="policy",
            answers=frozenset({"NotFoundException"}),
            grants=("s3vectors:QueryVectors", "s3vectors:GetVectors", "s3vectors:PutVectors"),
        ),
    ),
    references=(Reference("encryptionConfiguration.kmsKeyArn", kms_key, _KEY),),
)


_VECTOR_INDEX = Kind(
    family="s3vectors",
    name="index",
    type="s3vectors:index",
    segment="index",
    client="s3vectors",
    prefix="s3vectors",
    layer=Layer.STORAGE,
    list_operation="",
    list_key="",
    describe_operation="get_index",
    answer="index",
    identifiers=(),
    arguments={"indexArn": ARN},
    arn="indexArn",
    title="indexName",
    created="creationTime",
    # It may be encrypted with another key than its bucket.
    references=(Reference("encryptionConfiguration.kmsKeyArn", kms_key, _KEY),),
)


# ----------------------------------------------------------------------------------- file systems

_EFS = Kind(
    family="efs",
    name="file-system",
    type="efs:file-system",
    segment="file-system",
    client="efs",
    prefix="elasticfilesystem",
    layer=Layer.STORAGE,
    list_operation="",
    list_key="",
    describe_operation="describe_file_systems",
    answer="FileSystems",
    identifiers=(),
    arguments={"FileSystemId": _NAME},
    arn="FileSystemArn",
    title="Name",
    reads=(
        Read(
            "Policy",
            "describe_file_system_policy",
            {"FileSystemId": _NAME},
            pick="Policy",
            answers=frozenset({"PolicyNotFound"}),
            grants=("elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"),
        ),
        Read(
            "MountTargets",
            "describe_mount_targets",
            {"FileSystemId": _NAME},
            pick="MountTargets",
            listed=True,
            each=(
                Each(
                    "SecurityGroups",
                    "describe_mount_target_security_groups",
                    {"MountTargetId": "MountTargetId"},
                    "SecurityGroups",
                ),
            ),
        ),
        Read(
            "AccessPoints",
            "describe_access_points",
            {"FileSystemId": _NAME},
            pick="AccessPoints",
            listed=True,
        ),
    ),
    references=(
        Reference("KmsKeyId", kms_key, _KEY),
        Reference("MountTargets[].SubnetId", SUBNET, _NETWORK),
        Reference("MountTargets[].SecurityGroups[]", GROUP, _NETWORK),
    ),
)

_FSX = Kind(
    family="fsx",
    name="file-system",
    type="fsx:file-system",
    segment="file-system",
    client="fsx",
    prefix="fsx",
    layer=Layer.STORAGE,
    list_operation="",
    list_key="",
    describe_operation="describe_file_systems",
    answer="FileSystems",
    identifiers=(),
    arguments={"FileSystemIds": f"{_NAME}[]"},
    arn="ResourceARN",
    title="FileSystemId",
    # Whose key it is only the key says: every file system has one.
    reads=(Read("Key", "describe_key", {"KeyId": "KmsKeyId"}, pick="KeyMetadata", client="kms"),),
    references=(
        Reference("KmsKeyId", kms_key, _KEY),
        Reference("SubnetIds[]", SUBNET, _NETWORK),
    ),
)


# ------------------------------------------------------------------------------------- Kubernetes

_RELEASE = re.compile(r"-(\d{4})(\d{2})(\d{2})$")


def _node_facts(_place: Place, config: Mapping[str, Json]) -> dict[str, Json]:
    """When the image of the nodes was made, from the name of its release."""
    found = _RELEASE.search(str(config.get("releaseVersion") or ""))
    return {"released": f"{found[1]}-{found[2]}-{found[3]}T00:00:00Z"} if found else {}


_NODES = Kind(
    family="eks",
    name="nodegroup",
    type="eks:nodegroup",
    segment="nodegroup",
    client="eks",
    prefix="eks",
    layer=Layer.VM,
    list_operation="list_nodegroups",
    list_key="nodegroups",
    describe_operation="describe_nodegroup",
    answer="nodegroup",
    identifiers=("clusterName", "nodegroupName"),
    arn="nodegroupArn",
    title="nodegroupName",
    created="createdAt",
    facts=_node_facts,
    derived=("released",),
    more=started_from,
    references=(
        Reference("nodeRole", role, _ROLE),
        Reference("subnets[]", SUBNET, _NETWORK),
        Reference("remoteAccess.sourceSecurityGroups[]", GROUP, _NETWORK),
    ),
)

_FARGATE = Kind(
    family="eks",
    name="fargate-profile",
    type="eks:fargate-profile",
    segment="fargateprofile",
    client="eks",
    prefix="eks",
    layer=Layer.VM,
    list_operation="list_fargate_profiles",
    list_key="fargateProfileNames",
    describe_operation="describe_fargate_profile",
    answer="fargateProfile",
    identifiers=("clusterName", "fargateProfileName"),
    arn="fargateProfileArn",
    title="fargateProfileName",
    created="createdAt",
    references=(
        Reference("podExecutionRoleArn", role, _ROLE),
        Reference("subnets[]", SUBNET, _NETWORK),
    ),
)

_EKS = Kind(
    family="eks",
    name="cluster",
    type="eks:cluster",
    segment="cluster",
    client="eks",
    prefix="eks",
    layer=Layer.CONTAINER,
    list_operation="",
    list_key="",
    describe_operation="describe_cluster",
    answer="cluster",
    identifiers=(),
    arguments={"name": _NAME},
    arn="arn",
    title="name",
    created="createdAt",
    children=(
        Child(_NODES, {"clusterName": "name"}, Relation.RUNS_ON, "nodegroups"),
        Child(_FARGATE, {"clusterName": "name"}, Relation.RUNS_ON, "fargateProfileNames"),
    ),
    reads=(
        Read(
            "PodIdentities",
            "list_pod_identity_associations",
            {"clusterName": "name"},
            pick="associations",
            listed=True,
            # The list does not say which role a pod works as.
            each=(
                Each(
                    "Association",
                    "describe_pod_identity_association",
                    {"clusterName": "clusterName", "associationId": "associationId"},
                    "association",
                ),
            ),
        ),
    ),
    references=(
        Reference("roleArn", role, _ROLE),
        Reference("PodIdentities[].Association.roleArn", role, _ROLE),
        Reference("encryptionConfig[].provider.keyArn", kms_key, _KEY),
        *vpc("resourcesVpcConfig", "subnetIds", "securityGroupIds"),
    ),
)

KINDS: tuple[Kind, ...] = (
    _FUNCTION,
    _COLLECTION,
    _DOMAIN,
    _VECTORS,
    _VECTOR_INDEX,
    _EFS,
    _FSX,
    _EKS,
)
