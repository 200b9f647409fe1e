"""AI services that Resource Graph lists whole: search, bots, apps, clusters, machines, Databricks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from collectors.azure import defender
from collectors.azure.errors import ArmError
from collectors.azure.facts import diagnostics, image_entry, mappings, posture, strings
from collectors.azure.ids import parse_id
from collectors.azure.images import PUBLISHER, serves_models
from collectors.azure.inventory import Inventory
from collectors.azure.network import open_ports
from collectors.azure.units import (
    AzureCollector,
    Losses,
    Node,
    Unit,
    Unread,
    absent,
    concat,
    plan,
    resource_of,
)
from collectors.reading import Ended, Reading, side_by_side
from undercroft.model import Edge, Resource
from undercroft.protocols import Collected, Meter
from undercroft.relations import Relation

__all__ = ["KINDS", "ServiceList", "ServicesReferenced"]

_GPU = re.compile(r"^standard_n|gpu", re.IGNORECASE)
_AI_ADDRESS = re.compile(
    r"\.(openai|cognitiveservices|services\.ai|search|inference\.ml)\.(azure\.|windows\.net)",
    re.IGNORECASE,
)
_AI_PUBLISHERS = frozenset({"microsoft-dsvm", "nvidia"})
SEARCH = "Microsoft.Search/searchServices"
BOT = "Microsoft.BotService/botServices"
APP = "Microsoft.App/containerApps"
POOL = "Microsoft.App/sessionPools"
AKS = "Microsoft.ContainerService/managedClusters"
VM = "Microsoft.Compute/virtualMachines"
DATABRICKS = "Microsoft.Databricks/workspaces"
KINDS = {
    "azure.search": SEARCH,
    "azure.bot.services": BOT,
    "azure.containerapp.apps": APP,
    "azure.sessionpool": POOL,
    "azure.aks": AKS,
    "azure.vm": VM,
    "azure.databricks": DATABRICKS,
}
"""Collector → the type that it lists."""
_PARTS: dict[str, dict[str, tuple[str, ...]]] = {
    "azure.bot.services": {"azure.bot.channels": (f"{BOT}/channels",)},
    "azure.containerapp.apps": {"azure.containerapp.auth": ()},
}


class _Services(AzureCollector):
    """How one of them is described."""

    def describe(self, meter: Meter, node: Node, losses: Losses) -> list[Collected]:
        """The resource, its children and what it refers to."""
        found: list[Collected] = []
        kind = node.arm.type
        if kind in {SEARCH, BOT, DATABRICKS}:
            posture(node)
        if kind == SEARCH:
            diagnostics(self.arm, meter, node)
        elif kind == BOT:
            found = self._channels(meter, node, losses)
        elif kind == APP:
            self._app(meter, node, losses)
        elif kind == AKS:
            node.edges += plan(node, "Containers")
        elif kind == VM:
            self._machine(meter, node)
        return [*resource_of(node), *found]

    def _channels(self, meter: Meter, node: Node, losses: Losses) -> list[Collected]:
        name = "azure.bot.channels"
        losses.asked(name)
        found: list[Collected] = []
        try:
            channels = list(self.arm.pages(meter, f"{node.arm.text}/channels", "2022-09-15"))
        except ArmError as error:
            losses.failed(name, error)
            return []
        for item in channels:
            arm = parse_id(item.get("id"))
            if arm is None:
                continue
            channel = Node(arm, item, name, node)
            channel.facts["open_sites"] = [
                str(site.get("siteName") or site.get("siteId") or "a site")
                for site in mappings(channel.get("properties", "sites"))
                if site.get("isEnabled") is True and _is_open(site)
            ]
            found += resource_of(channel)
            found.append(Edge(node.arm.key, arm.key, Relation.SAME_WORKLOAD, "channels"))
        return found

    def _app(self, meter: Meter, node: Node, losses: Losses) -> None:
        """``signed_in`` and ``images``."""
        trusted = {PUBLISHER, *self.inventory.registries(meter)}
        trusted |= {n.lower() for n in strings(self.arm.options.get("trusted_registries"))}
        node.facts["images"] = [image_entry(image, trusted) for image in _images(node)]
        if node.get("configuration", "ingress", "external") is not True:
            return
        name = "azure.containerapp.auth"
        losses.asked(name)
        try:
            settings = list(self.arm.pages(meter, f"{node.arm.text}/authConfigs", "2026-07-01"))
        except ArmError as error:
            if not error.is_gone:
                losses.failed(name, error)
                node.unknown["facts.signed_in"] = error.unknown
                return
            settings = []
        node.facts["signed_in"] = any(_asks_who(one.get("properties")) for one in settings)

    def _machine(self, meter: Meter, node: Node) -> None:
        """Ports, missing updates and vulnerabilities of one virtual machine."""

        def find(text: str) -> Mapping[str, Any]:
            arm = parse_id(text)
            found = self.inventory.find(meter, arm) if arm is not None else None
            if found is None:
                raise LookupError(text)
            return found

        try:
            node.facts["public"], ports = open_ports(node.config, find)
            node.facts["open_ports"] = list(ports)
        except (LookupError, ArmError) as error:
            why = error.unknown if isinstance(error, ArmError) else "not read: parts of its network"
            node.unknown["facts.public"] = node.unknown["facts.open_ports"] = why
        node.edges += plan(node, "VirtualMachines")
        defender.about_machine(self.inventory, meter, node)
        self._patches(meter, node)

    def _patches(self, meter: Meter, node: Node) -> None:
        """``missing_updates``: what the machine itself last reported."""
        try:
            view = self.arm.get(meter, f"{node.arm.text}/instanceView", "2026-04-01")
        except ArmError as error:
            node.unknown["facts.missing_updates"] = error.unknown
            return
        status = view.get("patchStatus")
        summary = status.get("availablePatchSummary") if isinstance(status, Mapping) else None
        count = (
            summary.get("criticalAndSecurityPatchCount") if isinstance(summary, Mapping) else None
        )
        if isinstance(count, int):
            node.facts["missing_updates"] = count
        else:
            node.unknown["facts.missing_updates"] = "not assessed: the machine reported no updates"


class ServiceList(_Services):
    """Everything of one type in a subscription that has to do with AI."""

    def __init__(self, inventory: Inventory, name: str) -> None:
        super().__init__(inventory)
        self.name = name
        self._kind = KINDS[name]
        # Of machines, clusters and apps only those that look like AI are listed: one that is gone
        # from here may be there still, without its graphics card.
        self.lists = (self._kind,)
        self.parts = _PARTS.get(name, {})

    def __reduce__(self) -> tuple[Any, ...]:
        return (_made, (self.inventory, self.name, self.stage))

    def read(self, unit: Unit) -> Reading:
        """From the bulk inventory, with the few reads that each type needs besides."""
        rows = self.inventory.resources(unit.meter, unit.subscription, self._kind)
        nodes = []
        for row in rows:
            arm = parse_id(row.get("id"))
            node = Node(arm, row, self.name, service=True) if arm is not None else None
            if node is not None and is_ai(node):
                nodes.append(node)
        yield from concat(nodes, lambda node: self.describe(unit.meter, node, unit.losses))
        return Ended()


def _made(inventory: Inventory, name: str, stage: int) -> ServiceList:
    collector = ServiceList(inventory, name)
    collector.stage = stage
    return collector


class ServicesReferenced(_Services):
    """Machines and clusters that are attached to a workspace, and accounts that others call."""

    name = "azure.attached"
    reads = (VM, AKS, DATABRICKS, SEARCH)

    def read(self, unit: Unit) -> Reading:
        """Each from the bulk inventory; one that is not in it is asked for by its id."""
        unread = Unread()

        def one(named: Resource) -> list[Collected]:
            arm = parse_id(named.native_id)
            if arm is None:
                return []
            unread.asked()
            try:
                row = self.inventory.fetch(unit.meter, arm)
            except ArmError as error:
                if error.is_gone:
                    return [absent(named, self.name)]
                unread.failed(error)
                return []
            return self.describe(unit.meter, Node(arm, row, self.name), unit.losses)

        for found in side_by_side(unit.wanted, one):
            yield from found
        return unread.ended()


def is_ai(node: Node) -> bool:
    """Whether a machine, cluster or app serves AI; the other types always do."""
    kind = node.arm.type
    if kind == VM:
        publisher = str(node.get("storageProfile", "imageReference", "publisher")).lower()
        size = str(node.get("hardwareProfile", "vmSize"))
        return publisher in _AI_PUBLISHERS or bool(_GPU.search(size))
    if kind == AKS:
        pools = mappings(node.get("agentPoolProfiles"))
        return node.get("aiToolchainOperatorProfile", "enabled") is True or any(
            _GPU.search(str(pool.get("vmSize"))) for pool in pools
        )
    if kind == APP:
        profile = str(node.get("workloadProfileName") or "")
        values = (str(env.get("value") or "") for env in _environment(node))
        return (
            bool(_GPU.search(profile))
            or serves_models(_images(node))
            or any(_AI_ADDRESS.search(value) for value in values)
        )
    return True


def _containers(node: Node) -> Iterator[Mapping[str, Any]]:
    for name in ("containers", "initContainers"):
        yield from mappings(node.get("template", name))


def _images(node: Node) -> list[str]:
    return [str(one["image"]) for one in _containers(node) if one.get("image")]


def _environment(node: Node) -> Iterator[Mapping[str, Any]]:
    for container in _containers(node):
        yield from mappings(container.get("env"))


def _is_open(site: Mapping[str, Any]) -> bool:
    origins = strings(site.get("trustedOrigins"))
    return site.get("isSecureSiteEnabled") is not True or not origins or "*" in origins


def _asks_who(properties: Any) -> bool:
    if not isinstance(properties, Mapping):
        return False
    platform, rules = properties.get("platform"), properties.get("globalValidation")
    on = isinstance(platform, Mapping) and platform.get("enabled") is True
    action = rules.get("unauthenticatedClientAction") if isinstance(rules, Mapping) else None
    return on and str(action or "").lower() != "allowanonymous"
