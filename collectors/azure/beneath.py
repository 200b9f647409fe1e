"""What services stand on, read by reference: storage, vaults, registries, disks, networks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from collectors.azure.errors import ArmError
from collectors.azure.facts import diagnostics, mappings, posture
from collectors.azure.ids import parse_id
from collectors.azure.inventory import Inventory
from collectors.azure.units import (
    AzureCollector,
    Losses,
    Node,
    Unit,
    Unread,
    absent,
    plan,
    resource_of,
)
from collectors.reading import Reading, side_by_side
from undercroft.model import Edge, Json, Resource
from undercroft.protocols import Collected, Meter
from undercroft.relations import Relation

__all__ = ["GROUPS", "Beneath"]

STORAGE = "Microsoft.Storage/storageAccounts"
CONTAINER = f"{STORAGE}/blobServices/containers"
VAULT = "Microsoft.KeyVault/vaults"
REGISTRY = "Microsoft.ContainerRegistry/registries"
DISK = "Microsoft.Compute/disks"
SUBNET = "Microsoft.Network/virtualNetworks/subnets"
_VERSION = "2026-09-01"
GROUPS: dict[str, tuple[str, ...]] = {
    "azure.storage.accounts": (STORAGE, CONTAINER),
    "azure.keyvault": (VAULT,),
    "azure.registry": (REGISTRY,),
    "azure.disk": (DISK,),
    "azure.network.cards": (
        "Microsoft.Network/networkInterfaces",
        "Microsoft.Network/privateEndpoints",
        SUBNET,
    ),
    "azure.network.groups": (
        "Microsoft.Network/networkSecurityGroups",
        "Microsoft.Network/publicIPAddresses",
    ),
}
"""Collector → types that it reads when something names them."""
_PARTS: dict[str, tuple[str, ...]] = {
    "azure.storage.blob-service": (),
    "azure.storage.containers": (CONTAINER,),
}


class Beneath(AzureCollector):
    """One of the groups."""

    def __init__(self, inventory: Inventory, name: str) -> None:
        super().__init__(inventory)
        self.name = name
        self.reads = GROUPS[name]
        self.parts = _PARTS if name == "azure.storage.accounts" else {}

    def __reduce__(self) -> tuple[Any, ...]:
        return (_made, (self.inventory, self.name, self.stage))

    def read(self, unit: Unit) -> Reading:
        """Each from the bulk inventory, with the few reads that its type needs besides."""
        unread = Unread()
        wanted = {stub.key: stub for stub in unit.wanted if stub.type != CONTAINER}
        containers = {stub.key: stub for stub in unit.wanted if stub.type == CONTAINER}
        for stub in containers.values():
            account = parse_id(stub.native_id.rsplit("/blobServices/", 1)[0])
            if account is not None and account.key not in wanted:
                wanted[account.key] = replace(
                    stub, key=account.key, type=STORAGE, native_id=account.text
                )

        def one(named: Resource) -> list[Collected]:
            arm = parse_id(named.native_id)
            if arm is None:
                return []
            unread.asked()
            try:
                config = self._config(unit.meter, named)
            except ArmError as error:
                if error.is_gone:
                    return [absent(named, self.name)]
                unread.failed(error)
                return []
            node = Node(arm, config, self.name)
            return self._describe(unit.meter, node, containers, unit.losses)

        for found in side_by_side(wanted.values(), one):
            yield from found
        return unread.ended()

    def _config(self, meter: Meter, named: Resource) -> dict[str, Any]:
        arm = parse_id(named.native_id)
        if arm is None or arm.type != SUBNET:
            assert arm is not None  # noqa: S101  (the caller looked)
            return self.inventory.fetch(meter, arm)
        outer = parse_id(arm.text.rsplit("/subnets/", 1)[0])
        network = self.inventory.fetch(meter, outer) if outer is not None else {}
        properties = network.get("properties")
        for subnet in mappings(properties.get("subnets") if isinstance(properties, dict) else None):
            if str(subnet.get("id")).lower() == arm.text.lower():
                return dict(subnet)
        return self.arm.get(meter, arm.text, "2026-03-01")

    def _describe(
        self, meter: Meter, node: Node, containers: dict[str, Resource], losses: Losses
    ) -> list[Collected]:
        kind = node.arm.type
        if kind == STORAGE:
            node.edges += plan(node, "StorageAccounts")
            posture(node)
            self._recovery(meter, node, losses)
            return [*resource_of(node), *self._containers(meter, node, containers, losses)]
        if kind == VAULT:
            node.edges += plan(node, "KeyVaults")
            posture(node)
            diagnostics(self.arm, meter, node)
        elif kind == REGISTRY:
            node.edges += plan(node, "Containers")
            posture(node)
        elif kind == DISK:
            self._disk(meter, node)
        return resource_of(node)

    def _recovery(self, meter: Meter, node: Node, losses: Losses) -> None:
        """``recovery``: what of deleted or overwritten blobs can be had again."""
        name = "azure.storage.blob-service"
        losses.asked(name)
        try:
            service = self.arm.get(meter, f"{node.arm.text}/blobServices/default", _VERSION)
        except ArmError as error:
            node.unknown["facts.recovery"] = error.unknown
            if not error.is_gone:
                losses.failed(name, error)
            return
        blob = Node(node.arm, service, self.name)
        recovery: dict[str, Json] = {
            "deleted_blobs": blob.get("deleteRetentionPolicy", "enabled") is True,
            "deleted_containers": blob.get("containerDeleteRetentionPolicy", "enabled") is True,
            "versions": blob.get("isVersioningEnabled") is True,
        }
        node.facts["recovery"] = recovery

    def _containers(
        self, meter: Meter, node: Node, wanted: dict[str, Resource], losses: Losses
    ) -> list[Collected]:
        """Containers that something names, and those that anybody may read."""
        name = "azure.storage.containers"
        losses.asked(name)
        path = f"{node.arm.text}/blobServices/default/containers"
        found: list[Collected] = []
        left = {key for key in wanted if key.startswith(f"{node.arm.key}/")}
        try:
            for item in self.arm.pages(meter, path, _VERSION):
                arm = parse_id(item.get("id"))
                if arm is None:
                    continue
                container = Node(arm, item, name, node)
                public = str(container.get("publicAccess") or "None").lower() != "none"
                if arm.key not in left and not public:
                    continue
                left.discard(arm.key)
                # A container is as open as its account lets it be.
                container.facts["account_allows"] = node.get("allowBlobPublicAccess") is not False
                container.facts["account_reachable"] = (
                    str(node.get("publicNetworkAccess") or "Enabled").lower() == "enabled"
                )
                found += resource_of(container)
                if public:
                    via = "blobServices/containers"
                    found.append(Edge(node.arm.key, arm.key, Relation.SAME_WORKLOAD, via))
                found.append(Edge(arm.key, node.arm.key, Relation.CONTAINED_IN, "id"))
        except ArmError as error:
            losses.failed(name, error)
            return found
        return [*found, *(absent(wanted[key], name) for key in sorted(left))]

    def _disk(self, meter: Meter, node: Node) -> None:
        """``host_encrypted``: whether the machine that it is attached to encrypts on its host."""
        owner = parse_id(node.config.get("managedBy") or node.get("managedBy"))
        try:
            machine = self.inventory.find(meter, owner) if owner is not None else None
        except ArmError as error:
            node.unknown["facts.host_encrypted"] = error.unknown
            return
        if machine is None:
            node.unknown["facts.host_encrypted"] = "not known: its machine was not read"
            return
        vm = Node(node.arm, machine, self.name)
        node.facts["host_encrypted"] = vm.get("securityProfile", "encryptionAtHost") is True


def _made(inventory: Inventory, name: str, stage: int) -> Beneath:
    collector = Beneath(inventory, name)
    collector.stage = stage
    return collector
