"""Azure resource ids: taken apart, in one spelling, and as stubs of what they name."""

from __future__ import annotations

import re
from typing import NamedTuple

from undercroft.identity import azure_key
from undercroft.model import Layer, Presence, Resource

__all__ = [
    "IDENTITY",
    "SYSTEM_IDENTITY",
    "TYPES",
    "ArmId",
    "layer_of",
    "parse_id",
    "stub",
    "title_of",
    "type_of",
]

SYSTEM_IDENTITY = "Microsoft.ManagedIdentity/identities"
"""The identity that Azure makes for one resource; its id is the owner's and a suffix."""
IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
SYSTEM_SUFFIX = "/providers/Microsoft.ManagedIdentity/identities/default"

_ML = "Microsoft.MachineLearningServices"
_COG = "Microsoft.CognitiveServices"
TYPES: dict[str, Layer] = {
    f"{_ML}/workspaces": Layer.SERVICE,
    f"{_ML}/workspaces/computes": Layer.SERVICE,
    f"{_ML}/workspaces/onlineEndpoints": Layer.SERVICE,
    f"{_ML}/workspaces/onlineEndpoints/deployments": Layer.SERVICE,
    f"{_ML}/workspaces/batchEndpoints": Layer.SERVICE,
    f"{_ML}/workspaces/batchEndpoints/deployments": Layer.SERVICE,
    f"{_ML}/workspaces/serverlessEndpoints": Layer.SERVICE,
    f"{_ML}/workspaces/environments/versions": Layer.CONTAINER,
    f"{_ML}/workspaces/models/versions": Layer.STORAGE,
    f"{_ML}/workspaces/codes/versions": Layer.STORAGE,
    f"{_ML}/workspaces/data/versions": Layer.STORAGE,
    f"{_ML}/workspaces/datastores": Layer.STORAGE,
    f"{_ML}/workspaces/jobs": Layer.SERVICE,
    f"{_ML}/workspaces/schedules": Layer.SERVICE,
    f"{_ML}/workspaces/connections": Layer.IDENTITY,
    f"{_ML}/workspaces/outboundRules": Layer.NETWORK,
    f"{_ML}/registries": Layer.SERVICE,
    f"{_COG}/accounts": Layer.SERVICE,
    f"{_COG}/accounts/deployments": Layer.SERVICE,
    f"{_COG}/accounts/raiPolicies": Layer.SERVICE,
    f"{_COG}/accounts/projects": Layer.SERVICE,
    f"{_COG}/accounts/connections": Layer.IDENTITY,
    f"{_COG}/accounts/projects/connections": Layer.IDENTITY,
    f"{_COG}/accounts/capabilityHosts": Layer.SERVICE,
    f"{_COG}/accounts/projects/capabilityHosts": Layer.SERVICE,
    "Microsoft.Search/searchServices": Layer.SERVICE,
    "Microsoft.BotService/botServices": Layer.SERVICE,
    "Microsoft.BotService/botServices/channels": Layer.SERVICE,
    "Microsoft.App/containerApps": Layer.SERVICE,
    "Microsoft.App/sessionPools": Layer.CONTAINER,
    "Microsoft.App/managedEnvironments": Layer.CONTAINER,
    "Microsoft.ContainerService/managedClusters": Layer.CONTAINER,
    "Microsoft.Compute/virtualMachines": Layer.VM,
    "Microsoft.Compute/disks": Layer.STORAGE,
    "Microsoft.Databricks/workspaces": Layer.SERVICE,
    "Microsoft.Network/networkInterfaces": Layer.NETWORK,
    "Microsoft.Network/networkSecurityGroups": Layer.NETWORK,
    "Microsoft.Network/publicIPAddresses": Layer.NETWORK,
    "Microsoft.Network/privateEndpoints": Layer.NETWORK,
    "Microsoft.Network/virtualNetworks": Layer.NETWORK,
    "Microsoft.Network/virtualNetworks/subnets": Layer.NETWORK,
    "Microsoft.Storage/storageAccounts": Layer.STORAGE,
    "Microsoft.Storage/storageAccounts/blobServices/containers": Layer.STORAGE,
    "Microsoft.KeyVault/vaults": Layer.STORAGE,
    "Microsoft.ContainerRegistry/registries": Layer.CONTAINER,
    "Microsoft.Insights/components": Layer.STORAGE,
    "Microsoft.DocumentDB/databaseAccounts": Layer.STORAGE,
    "Microsoft.Security/pricings": Layer.NETWORK,
    "Microsoft.Authorization/roleDefinitions": Layer.IDENTITY,
    IDENTITY: Layer.IDENTITY,
    f"{IDENTITY}/federatedIdentityCredentials": Layer.IDENTITY,
    SYSTEM_IDENTITY: Layer.IDENTITY,
}
"""Every type that is read or named, as it is written here, and the layer it stands on."""
_SPELLING = {name.lower(): name for name in TYPES}
_ID = re.compile(r"/?subscriptions/(?P<subscription>[^/]+)(?:/resourcegroups/(?P<group>[^/]+))?/providers/(?P<rest>.+)", re.IGNORECASE)  # fmt: skip


class ArmId(NamedTuple):
    """A resource id taken apart."""

    subscription: str
    group: str
    type: str
    """In the spelling of ``TYPES`` if it is listed there."""
    name: str
    """Name of the last step."""
    names: tuple[str, ...]
    """Names of all steps beneath the provider, outermost first."""
    text: str

    @property
    def key(self) -> str:
        """Resource key."""
        return azure_key(self.text)


def type_of(text: str) -> str:
    """A type in the one spelling that rules use."""
    return _SPELLING.get(text.lower(), text)


def layer_of(resource_type: str) -> Layer:
    """Where a type stands; what is not known counts as a service."""
    return TYPES.get(resource_type, Layer.SERVICE)


def parse_id(text: object) -> ArmId | None:
    """Take an id apart; None if ``text`` is not one. The last provider in it counts."""
    match = _ID.fullmatch(text.rstrip("/")) if isinstance(text, str) else None
    if match is None:
        return None
    rest = re.split(r"/providers/", match["rest"], flags=re.IGNORECASE)[-1].split("/")
    names = tuple(rest[2::2])
    if len(rest) < 3 or len(rest) % 2 == 0 or not all(rest):
        return None
    kind = type_of("/".join((rest[0], *rest[1::2])))
    group = match["group"] or ""
    whole = f"/{match.group(0).strip('/')}"
    return ArmId(match["subscription"].lower(), group, kind, names[-1], names, whole)


def title_of(arm: ArmId) -> str:
    """What people call it: its name, with what it is part of where names repeat."""
    if arm.type == SYSTEM_IDENTITY:
        owner = parse_id(arm.text.removesuffix(SYSTEM_SUFFIX))
        return f"{title_of(owner)} (system-assigned)" if owner else arm.name
    if arm.type.startswith("Microsoft.Storage/") or len(arm.names) == 1:
        return "/".join(name for name in arm.names if name != "default" or len(arm.names) == 1)
    return "/".join(arm.names[1:])


def stub(arm: ArmId, layer: Layer | None = None, **facts: str) -> Resource:
    """Something that is named here and not yet read."""
    return Resource(
        key=arm.key,
        provider="azure",
        account=arm.subscription,
        region="-",
        type=arm.type,
        layer=layer or layer_of(arm.type),
        name=title_of(arm),
        native_id=arm.text,
        facts=dict(facts),
        presence=Presence.STUB,
    )
