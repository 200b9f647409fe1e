"""What a configuration refers to, as data: field path → what it names → relation."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlsplit

from collectors.azure.ids import SYSTEM_SUFFIX, ArmId, parse_id, stub
from collectors.azure.images import image_stub, parse_image
from collectors.references import Reference, Target
from collectors.references import link as link_fields
from undercroft.model import Edge, Json, Resource
from undercroft.relations import Relation

__all__ = ["REFERENCES", "identities", "link", "storage_name", "stored_in"]


def by_id(_: ArmId, text: str) -> Target | None:
    """An Azure resource id."""
    arm = parse_id(text)
    return Target(stub(arm)) if arm else None


def workspace_asset(source: ArmId, text: str) -> Target | None:
    """``azureml:name:version``, ``azureml://…`` or a resource id, as an asset of the workspace."""
    arm = parse_id(text)
    if arm is not None:
        return Target(stub(arm))
    return _azureml(source, text)


def image(_: ArmId, text: str) -> Target | None:
    """A container image."""
    found = parse_image(text)
    return Target(image_stub(found), found.detail) if found else None


_DATASTORE = re.compile(
    r"azureml://(?:subscriptions/(?P<sub>[^/]+)/resourcegroups/(?P<group>[^/]+)/(?:providers/"
    r"Microsoft\.MachineLearningServices/)?workspaces/(?P<ws>[^/]+)/)?datastores/(?P<name>[^/]+)"
    r"(?:/paths/(?P<path>.*))?",
    re.IGNORECASE,
)
_ASSET = re.compile(
    r"azureml://(?:locations/[^/]+/workspaces/[^/]+/)?(?P<kind>models|environments|data|codes)/"
    r"(?P<name>[^/]+)/versions/(?P<version>[^/]+)",
    re.IGNORECASE,
)
_BLOB_HOST = re.compile(
    r"(?P<account>[a-z0-9]{3,24})\.(?:z\d+\.)?(?:blob|dfs|file|web)\."
    r"(?:core\.(?:windows\.net|usgovcloudapi\.net|chinacloudapi\.cn)|storage\.azure\.net)"
)
_AI_HOST = re.compile(
    r"(?P<name>[a-z0-9-]+)\.(?:(?:openai|cognitiveservices|services\.ai)\.azure\.(?:com|us|cn)"
    r"|search\.(?:windows\.net|azure\.us|azure\.cn))"
)


def _azureml(source: ArmId, text: str) -> Target | None:
    home = _workspace_of(source)
    match = _DATASTORE.fullmatch(text)
    if match and (match["sub"] or home):
        where = home
        if match["sub"]:
            where = _workspace(match["sub"], match["group"], match["ws"])
        arm = parse_id(f"{where}/datastores/{match['name']}")
        return Target(stub(arm), match["path"] or "") if arm else None
    match = _ASSET.fullmatch(text)
    if match and home:
        arm = parse_id(f"{home}/{match['kind']}/{match['name']}/versions/{match['version']}")
        return Target(stub(arm)) if arm else None
    return None


def _workspace(subscription: str, group: str, name: str) -> str:
    return (
        f"/subscriptions/{subscription}/resourceGroups/{group}/providers/"
        f"Microsoft.MachineLearningServices/workspaces/{name}"
    )


def _workspace_of(arm: ArmId) -> str:
    """The workspace that a resource is part of, or nothing."""
    if not arm.type.startswith("Microsoft.MachineLearningServices/workspaces"):
        return ""
    return _workspace(arm.subscription, arm.group, arm.names[0])


def storage_name(text: str) -> tuple[str, str]:
    """(account, container) that an address of blob or file storage names; empty if none."""
    parts = urlsplit(text)
    match = _BLOB_HOST.fullmatch((parts.hostname or "").lower())
    if match is None:
        return "", ""
    if parts.scheme in {"abfss", "abfs", "wasbs", "wasb"}:
        return match["account"], parts.username or ""
    return match["account"], parts.path.strip("/").split("/")[0]


def named_storage(account: str, container: str = "") -> Resource:
    """A storage account of which only the name is known; names are unique in all of Azure."""
    arm = _unplaced("Microsoft.Storage/storageAccounts", account.lower())
    return stub(arm, container=container) if container else stub(arm)


def stored_in(arm: ArmId, account: str, container: str, via: str) -> list[Resource | Edge]:
    """The storage (and container of it) that a data store names by its bare name."""
    if not re.fullmatch(r"[a-z0-9]{3,24}", account.lower()):
        return []
    named = named_storage(account, container)
    return [named, Edge(arm.key, named.key, Relation.READS_DATA_FROM, via, detail=container)]


def _unplaced(kind: str, name: str) -> ArmId:
    """An id for what is known by its name alone; its true id is looked up later."""
    text = f"/subscriptions/-/providers/{kind}/{name}"
    return ArmId("-", "", kind, name, (name,), text)


def address(_: ArmId, text: str) -> Target | None:
    """The address of a service: storage, an AI account, a search service."""
    account, container = storage_name(text)
    if account:
        return Target(named_storage(account), container)
    host = (urlsplit(text).hostname or "").lower()
    match = _AI_HOST.fullmatch(host)
    if match is None:
        return None
    kind = "Microsoft.CognitiveServices/accounts"
    if ".search." in host:
        kind = "Microsoft.Search/searchServices"
    return Target(stub(_unplaced(kind, match["name"])))


_WRITES, _READS = Relation.WRITES_TO, Relation.READS_DATA_FROM
_NET, _KEY, _ID = Relation.PROTECTED_BY, Relation.ENCRYPTED_WITH, Relation.USES_IDENTITY
_SAME, _ART, _IMG = Relation.SAME_WORKLOAD, Relation.LOADS_ARTIFACT_FROM, Relation.RUNS_IMAGE
_ON, _CALL = Relation.RUNS_ON, Relation.INVOKES_TOOL


def _refs(
    relation: Relation, to: Callable[[ArmId, str], Target | None], *paths: str
) -> tuple[Reference, ...]:
    return tuple(Reference(path, to, relation) for path in paths)


_PRIVATE = _refs(
    _NET, by_id, "properties.privateEndpointConnections[].properties.privateEndpoint.id"
)
_ML = "Microsoft.MachineLearningServices"
_COG = "Microsoft.CognitiveServices"
_INSTANCE = "properties.properties"
REFERENCES: dict[str, tuple[Reference, ...]] = {
    f"{_ML}/workspaces": (
        *_refs(_WRITES, by_id, "properties.storageAccount", "properties.storageAccounts[]"),
        *_refs(_ID, by_id, "properties.keyVault", "properties.keyVaults[]"),
        *_refs(_IMG, by_id, "properties.containerRegistry", "properties.containerRegistries[]"),
        *_refs(_WRITES, by_id, "properties.applicationInsights"),
        *_refs(_KEY, by_id, "properties.encryption.keyVaultProperties.keyVaultArmId"),
        *_refs(_SAME, by_id, "properties.hubResourceId"),
        *_PRIVATE,
    ),
    f"{_ML}/workspaces/computes": (
        *_refs(_ON, by_id, "properties.resourceId"),
        *_refs(_NET, by_id, f"{_INSTANCE}.subnet.id"),
        *_refs(_IMG, image, f"{_INSTANCE}.customServices[].image.reference"),
    ),
    f"{_ML}/workspaces/onlineEndpoints": _refs(_ON, by_id, "properties.compute"),
    f"{_ML}/workspaces/onlineEndpoints/deployments": (
        *_refs(_SAME, workspace_asset, "properties.environmentId"),
        *_refs(_ART, workspace_asset, "properties.model"),
        *_refs(_SAME, workspace_asset, "properties.codeConfiguration.codeId"),
    ),
    f"{_ML}/workspaces/batchEndpoints/deployments": (
        *_refs(_SAME, workspace_asset, "properties.environmentId"),
        *_refs(_ART, workspace_asset, "properties.model.assetId"),
        *_refs(_SAME, workspace_asset, "properties.codeConfiguration.codeId"),
        *_refs(_ON, by_id, "properties.compute"),
    ),
    f"{_ML}/workspaces/jobs": (
        *_refs(_SAME, workspace_asset, "properties.environmentId"),
        *_refs(_ON, by_id, "properties.computeId"),
    ),
    f"{_ML}/workspaces/environments/versions": _refs(_IMG, image, "properties.image"),
    f"{_ML}/workspaces/models/versions": (
        *_refs(_ART, workspace_asset, "properties.modelUri"),
        *_refs(_ART, address, "properties.modelUri"),
    ),
    f"{_ML}/workspaces/data/versions": (
        *_refs(_READS, workspace_asset, "properties.dataUri"),
        *_refs(_READS, address, "properties.dataUri"),
    ),
    f"{_ML}/workspaces/connections": (
        *_refs(_CALL, by_id, "properties.metadata.ResourceId"),
        *_refs(_CALL, address, "properties.target"),
    ),
    f"{_ML}/registries": (
        *_refs(
            _IMG,
            by_id,
            "properties.regionDetails[].acrDetails[].systemCreatedAcrAccount.armResourceId.resourceId",
        ),
        *_refs(
            _READS,
            by_id,
            "properties.regionDetails[].storageAccountDetails[].systemCreatedStorageAccount"
            ".armResourceId.resourceId",
        ),
        *_refs(
            _NET, by_id, "properties.registryPrivateEndpointConnections[].properties.privateEndpoint.id"
        ),
    ),
    f"{_COG}/accounts": (
        *_refs(_READS, by_id, "properties.userOwnedStorage[].resourceId"),
        *_refs(_SAME, by_id, "properties.amlWorkspace.resourceId"),
        *_refs(_NET, by_id, "properties.networkInjections[].subnetArmId"),
        *_refs(_NET, by_id, "properties.networkAcls.virtualNetworkRules[].id"),
        *_refs(_WRITES, by_id, "properties.raiMonitorConfig.adxStorageResourceId"),
        *_PRIVATE,
    ),
    f"{_COG}/accounts/connections": (
        *_refs(_CALL, by_id, "properties.metadata.ResourceId"),
        *_refs(_CALL, address, "properties.target"),
    ),
    f"{_COG}/accounts/projects/connections": (
        *_refs(_CALL, by_id, "properties.metadata.ResourceId"),
        *_refs(_CALL, address, "properties.target"),
    ),
    f"{_COG}/accounts/projects/capabilityHosts": _refs(_NET, by_id, "properties.customerSubnet"),
    f"{_COG}/accounts/capabilityHosts": _refs(_NET, by_id, "properties.customerSubnet"),
    "Microsoft.Search/searchServices": (
        *_refs(
            _READS, by_id, "properties.sharedPrivateLinkResources[].properties.privateLinkResourceId"
        ),
        *_PRIVATE,
    ),
    "Microsoft.BotService/botServices": (
        *_refs(_READS, by_id, "properties.storageResourceId"),
        *_refs(_ID, by_id, "properties.msaAppMSIResourceId"),
        *_PRIVATE,
    ),
    "Microsoft.App/containerApps": (
        *_refs(
            _IMG, image, "properties.template.containers[].image",
            "properties.template.initContainers[].image",
        ),
        *_refs(_ID, by_id, "properties.configuration.registries[].identity"),
        *_refs(_CALL, address, "properties.template.containers[].env[].value"),
        *_refs(_ON, by_id, "properties.managedEnvironmentId", "properties.environmentId"),
    ),
    "Microsoft.App/sessionPools": (
        *_refs(_IMG, image, "properties.customContainerTemplate.containers[].image"),
        *_refs(_ID, by_id, "properties.managedIdentitySettings[].identity"),
        *_refs(_ON, by_id, "properties.environmentId"),
    ),
    "Microsoft.ContainerService/managedClusters": (
        *_refs(_NET, by_id, "properties.agentPoolProfiles[].vnetSubnetID"),
        *_refs(_ID, by_id, "properties.identityProfile.kubeletidentity.resourceId"),
    ),
    "Microsoft.Compute/virtualMachines": (
        *_refs(_NET, by_id, "properties.networkProfile.networkInterfaces[].id"),
        *_refs(
            _READS, by_id, "properties.storageProfile.osDisk.managedDisk.id",
            "properties.storageProfile.dataDisks[].managedDisk.id",
        ),
    ),
    "Microsoft.Databricks/workspaces": (
        *_refs(_NET, by_id, "properties.parameters.customVirtualNetworkId.value"),
        *_PRIVATE,
    ),
    "Microsoft.Network/networkInterfaces": (
        *_refs(_NET, by_id, "properties.networkSecurityGroup.id"),
        *_refs(
            _NET, by_id, "properties.ipConfigurations[].properties.publicIPAddress.id",
            "properties.ipConfigurations[].properties.subnet.id",
        ),
    ),
    "Microsoft.Network/virtualNetworks/subnets": _refs(
        _NET, by_id, "properties.networkSecurityGroup.id"
    ),
    "Microsoft.Storage/storageAccounts": _PRIVATE,
    "Microsoft.KeyVault/vaults": _PRIVATE,
    "Microsoft.ContainerRegistry/registries": _PRIVATE,
    "Microsoft.Compute/disks": _refs(_KEY, by_id, "properties.encryption.diskEncryptionSetId"),
}  # fmt: skip
"""Resource type → every field of it that makes an edge."""


def identities(arm: ArmId, config: Mapping[str, Json]) -> Iterator[tuple[str, Resource]]:
    """(path, stub) of every identity that a resource runs as; the principal is kept with it."""
    identity = config.get("identity")
    if not isinstance(identity, Mapping):
        return
    principal = identity.get("principalId")
    if isinstance(principal, str) and principal:
        own = parse_id(f"{arm.text}{SYSTEM_SUFFIX}")
        if own is not None:
            named = stub(own, principal=principal.lower(), owner=arm.text)
            yield "identity.principalId", named
    assigned = identity.get("userAssignedIdentities")
    for text, said in assigned.items() if isinstance(assigned, Mapping) else ():
        user = parse_id(text)
        if user is None:
            continue
        known = said.get("principalId") if isinstance(said, Mapping) else None
        named = stub(user, principal=known.lower()) if isinstance(known, str) else stub(user)
        yield "identity.userAssignedIdentities", named


def link(arm: ArmId, config: Mapping[str, Json]) -> Iterator[Resource | Edge]:
    """A stub and an edge for everything that a resource of this type names in its configuration."""
    for path, named in identities(arm, config):
        yield named
        yield Edge(arm.key, named.key, Relation.USES_IDENTITY, path)
    yield from link_fields(arm, arm.key, config, REFERENCES.get(arm.type, ()))
