"""Azure ML: workspaces and everything in them.

Lists go through the typed client (its paths, its paging) and are kept as the raw JSON that came,
because its models are older than the fields that matter. What it does not know is read plainly.
Endpoints and deployments come from Resource Graph where that answers, which saves a call per
endpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar

from collectors.azure import ml_facts as about
from collectors.azure.errors import ArmError, is_version_refusal
from collectors.azure.facts import diagnostics, is_sensitive, posture, strings
from collectors.azure.ids import parse_id
from collectors.azure.images import PUBLISHER
from collectors.azure.inventory import LISTED, Inventory
from collectors.azure.references import stored_in
from collectors.azure.session import UnmodelledError
from collectors.azure.units import (
    AzureCollector,
    Losses,
    Node,
    Unit,
    concat,
    plan,
    resource_of,
)
from collectors.reading import Ended, Reading, side_by_side
from undercroft.model import CoverageStatus, Edge, Layer, Resource
from undercroft.protocols import Collected, Meter
from undercroft.relations import Relation

__all__ = [
    "HOST",
    "ML",
    "VERSIONS",
    "MachineLearning",
    "MachineLearningReader",
]

ML = "Microsoft.MachineLearningServices"
VERSIONS = ("2024-10-01-preview", "2026-07-15-preview", "2025-12-01")
"""From the version that says most down to one that will stay; only previews tell of root access."""
HOST = "x-azure/managed-host"
"""A machine of the provider's that no list shows."""
JOB_LIMIT = 500
"""Jobs are history: at most so many of a workspace are read."""

Found = TypeVar("Found")
_Lister: TypeAlias = Callable[[Any, str, str, Any], Any]
"""(typed client, resource group, workspace, hook) → the pager of a list."""


@dataclass(frozen=True, slots=True)
class Child:
    """One list beneath a workspace."""

    name: str
    """The collector is ``azure.ml.<name>``."""
    segment: str
    held_by: Relation | None = None
    """How the workspace stands on it; None: it stands on the workspace."""
    lister: _Lister | None = None
    versioned: bool = False
    """The list gives containers; what counts is the newest version of each."""
    service: bool = False

    @property
    def type(self) -> str:
        """Resource type."""
        return f"{ML}/workspaces/{self.segment}" + "/versions" * self.versioned


CHILDREN = (
    Child("computes", "computes", None, lambda c, g, w, h: c.compute.list(g, w, raw_response_hook=h), service=True),
    Child("datastores", "datastores", Relation.READS_DATA_FROM, lambda c, g, w, h: c.datastores.list(g, w, raw_response_hook=h)),
    Child("connections", "connections", Relation.USES_IDENTITY, lambda c, g, w, h: c.workspace_connections.list(g, w, raw_response_hook=h)),
    Child("environments", "environments", Relation.RUNS_IMAGE, lambda c, g, w, h: c.environment_containers.list(g, w, raw_response_hook=h), versioned=True),
    Child("models", "models", Relation.LOADS_ARTIFACT_FROM, lambda c, g, w, h: c.model_containers.list(g, w, raw_response_hook=h), versioned=True),
    Child("data", "data", Relation.READS_DATA_FROM, lambda c, g, w, h: c.data_containers.list(g, w, raw_response_hook=h), versioned=True),
    Child("jobs", "jobs", Relation.SAME_WORKLOAD),
    Child("outbound-rules", "outboundRules", Relation.PROTECTED_BY),
    Child("online-endpoints", "onlineEndpoints", None, lambda c, g, w, h: c.online_endpoints.list(g, w, raw_response_hook=h), service=True),
    Child("batch-endpoints", "batchEndpoints", None, lambda c, g, w, h: c.batch_endpoints.list(g, w, raw_response_hook=h), service=True),
    Child("serverless-endpoints", "serverlessEndpoints", None, service=True),
)  # fmt: skip
_DEPLOYMENTS: dict[str, Callable[..., Any]] = {
    "onlineEndpoints": lambda c, g, w, e, h: c.online_deployments.list(g, w, e, raw_response_hook=h),
    "batchEndpoints": lambda c, g, w, e, h: c.batch_deployments.list(g, w, e, raw_response_hook=h),
}  # fmt: skip


class MachineLearningReader(AzureCollector):
    """What speaks to Azure ML: the version ladder, and the typed client with the plain reader."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (_made, (type(self), self.inventory, self.stage))

    def version(self, subscription: str) -> str:
        """The version that the subscription's workspaces were answered at."""
        return self.arm.spoken.get(subscription, VERSIONS[0])

    def listed(
        self,
        meter: Meter,
        subscription: str,
        path: str,
        lister: Callable[[Any, Any], Any] | None,
    ) -> tuple[list[dict[str, Any]], str]:
        """(items, API version) of a list."""
        return self._ladder(
            subscription,
            lambda version: self._read(meter, subscription, path, lister, version),
        )

    def one(self, meter: Meter, subscription: str, path: str) -> tuple[dict[str, Any], str]:
        """(answer, API version) of a single resource."""
        return self._ladder(subscription, lambda version: self.arm.get(meter, path, version))

    def settle(self, subscription: str, version: str) -> None:
        """Everything else in the subscription starts at the version that its workspaces spoke."""
        self.arm.spoken[subscription] = version

    def _ladder(self, subscription: str, read: Callable[[str], Found]) -> tuple[Found, str]:
        """Down the ladder until one version is answered. Raises ``ArmError``."""
        start = VERSIONS.index(self.version(subscription))
        for version in VERSIONS[start:]:
            try:
                return read(version), version
            except ArmError as error:
                if version == VERSIONS[-1] or not is_version_refusal(error):
                    raise
        raise AssertionError("the ladder has a last rung")

    def _read(
        self,
        meter: Meter,
        subscription: str,
        path: str,
        lister: Callable[[Any, Any], Any] | None,
        version: str,
    ) -> list[dict[str, Any]]:
        if lister is not None:
            client = self.arm.machine_learning(subscription, version)
            try:
                return self.arm.typed(meter, path, lambda hook: lister(client, hook))
            except UnmodelledError:
                pass
        return list(self.arm.pages(meter, path, version))

    def trusted(self, meter: Meter) -> tuple[frozenset[str], str]:
        """Registries whose images count as our own, and why the list may be short."""
        own = self.inventory.registries(meter)
        named = strings(self.arm.options.get("trusted_registries"))
        why = self.inventory.knows(meter, "Microsoft.ContainerRegistry/registries")
        return frozenset({PUBLISHER, *own, *(name.lower() for name in named)}), why

    def storage(self, meter: Meter) -> tuple[frozenset[str], str]:
        """Names of the storage accounts that are ours, and why the list may be short."""
        kind = "Microsoft.Storage/storageAccounts"
        why = self.inventory.knows(meter, kind)
        return self.inventory.names(meter, kind), why

    def describe(self, meter: Meter, node: Node, version: str) -> None:
        """Facts of whatever type a node has."""
        approved = about.approved_registries(self.arm.options)
        kind = node.arm.type.removeprefix(f"{ML}/workspaces/")
        node.facts["api_version"] = version
        if kind == "computes":
            about.about_compute(node, version, self.trusted(meter)[0])
        elif kind == "environments/versions":
            about.about_environment(node, *self.trusted(meter))
        elif kind == "models/versions":
            about.about_model(node, approved)
        elif kind == "datastores":
            about.about_datastore(node, *self.storage(meter))
            account = str(node.get("accountName") or "")
            inside = node.get("containerName") or node.get("filesystem") or ""
            node.edges += stored_in(node.arm, account, str(inside), "properties.accountName")
        elif kind == "data/versions":
            about.about_data(node, *self.storage(meter))
        elif kind == "connections":
            about.about_connection(node, self.trusted(meter)[0])
        elif kind == "outboundRules":
            about.about_outbound_rule(node)
        elif kind.endswith("/deployments") or kind == "serverlessEndpoints":
            about.about_deployment(node, approved)


def _made(kind: Callable[[Inventory], AzureCollector], inventory: Inventory, stage: int) -> Any:
    collector = kind(inventory)
    collector.stage = stage
    return collector


class MachineLearning(MachineLearningReader):
    """Workspaces (plain, hub and project) of a subscription and their children."""

    name = "azure.ml.workspaces"
    lists = (f"{ML}/workspaces",)
    parts: Mapping[str, tuple[str, ...]] = MappingProxyType(
        {
            **{f"azure.ml.{child.name}": (child.type,) for child in CHILDREN},
            "azure.ml.online-deployments": (f"{ML}/workspaces/onlineEndpoints/deployments", HOST),
            "azure.ml.batch-deployments": (f"{ML}/workspaces/batchEndpoints/deployments",),
        }
    )

    def read(self, unit: Unit) -> Reading:
        """List the workspaces, then everything in each of them, a few side by side."""
        meter, subscription = unit.meter, unit.subscription
        path = f"/subscriptions/{subscription}/providers/{ML}/workspaces"
        items, version = self.listed(
            meter,
            subscription,
            path,
            lambda c, h: c.workspaces.list_by_subscription(raw_response_hook=h),
        )
        self.settle(subscription, version)
        nodes = [
            Node(arm, item, self.name, service=True)
            for item in items
            if (arm := parse_id(item.get("id"))) is not None
        ]
        known = {node.arm.key: node.config for node in nodes}
        losses = unit.losses
        yield from concat(nodes, lambda node: self._workspace(meter, node, version, known, losses))
        return Ended()

    def _workspace(
        self,
        meter: Meter,
        node: Node,
        version: str,
        known: Mapping[str, Mapping[str, Any]],
        losses: Losses,
    ) -> list[Collected]:
        posture(node)
        diagnostics(self.arm, meter, node)
        node.facts["api_version"] = version
        node.facts["sensitive"] = is_sensitive(node.config.get("tags"))
        node.edges += plan(node, "CloudPosture")
        if not version.endswith("-preview"):
            why = f"not returned: only preview versions of the API say it, {version} was answered"
            node.facts.pop("wide_ranges", None)
            for path in (
                "config.properties.networkAcls",
                "config.properties.ipAllowlist",
                "facts.wide_ranges",
            ):
                node.unknown[path] = why
        hub = parse_id(node.get("hubResourceId"))
        isolation = about.isolation_of(node.config if hub is None else known.get(hub.key))
        found: list[Collected] = []
        for child in CHILDREN:
            name = f"azure.ml.{child.name}"
            losses.asked(name)
            try:
                children = self._children(meter, node, child, losses)
            except ArmError as error:
                losses.failed(name, error)
                if child.name == "computes":
                    node.unknown["facts.computes_in_network"] = error.unknown
                continue
            if child.name == "computes":
                node.facts["computes_in_network"] = _in_network(children)
            for one in children:
                _know_isolation(one, isolation)
                found += resource_of(one)
                if child.held_by is None:
                    node_to = Edge(one.arm.key, node.arm.key, Relation.CONTAINED_IN, "id")
                else:
                    node_to = Edge(node.arm.key, one.arm.key, child.held_by, child.segment)
                found.append(node_to)
                if child.segment in _DEPLOYMENTS:
                    found += self._deployments(meter, one, child, isolation, losses)
        return [*resource_of(node), *found]

    def _children(self, meter: Meter, node: Node, child: Child, losses: Losses) -> list[Node]:
        items, version = self._child_items(meter, node, child, losses)
        nodes = []
        for item in items:
            arm = parse_id(item.get("id"))
            if arm is None:
                continue
            one = Node(arm, item, f"azure.ml.{child.name}", node, child.service)
            self.describe(meter, one, version)
            nodes.append(one)
        return nodes

    def _child_items(
        self, meter: Meter, node: Node, child: Child, losses: Losses
    ) -> tuple[list[dict[str, Any]], str]:
        arm, path = node.arm, f"{node.arm.text}/{child.segment}"
        if child.type in LISTED:
            rows = self.inventory.beneath(meter, arm, child.type)
            if rows is not None:
                return rows, "resource graph"
        if child.name == "jobs":
            return self._jobs(meter, node, losses)
        lister = child.lister
        items, version = self.listed(
            meter,
            arm.subscription,
            path,
            (lambda c, h: lister(c, arm.group, arm.name, h)) if lister else None,
        )
        if child.name == "computes":
            items = [self._whole_compute(meter, item, version) for item in items]
        if child.versioned:
            items = self._newest(meter, items, version, f"azure.ml.{child.name}", losses)
        return items, version

    def _jobs(self, meter: Meter, node: Node, losses: Losses) -> tuple[list[dict[str, Any]], str]:
        version = self.version(node.arm.subscription)
        pages = self.arm.pages(meter, f"{node.arm.text}/jobs", version)
        items = list(islice(pages, JOB_LIMIT))
        if len(items) == JOB_LIMIT and next(pages, None) is not None:
            reason = f"only the first {JOB_LIMIT} jobs of {node.arm.name} were read"
            losses.failed("azure.ml.jobs", ArmError(CoverageStatus.TRUNCATED, reason))
        return items, version

    def _whole_compute(self, meter: Meter, item: dict[str, Any], version: str) -> dict[str, Any]:
        """A compute instance with all its settings: lists leave many of them out."""
        outer = item.get("properties")
        properties = outer if isinstance(outer, Mapping) else {}
        inner = properties.get("properties")
        told = isinstance(inner, Mapping) and inner.get("enableRootAccess") is not None
        if properties.get("computeType") != "ComputeInstance" or told:
            return item
        try:
            return self.arm.get(meter, str(item.get("id")), version)
        except ArmError:
            # What the list said stands; what it left out stays unanswered.
            return item

    def _newest(
        self,
        meter: Meter,
        containers: Iterable[Mapping[str, Any]],
        version: str,
        collector: str,
        losses: Losses,
    ) -> list[dict[str, Any]]:
        """The latest version of every asset; older ones count only where something names them."""
        wanted = []
        for container in containers:
            said = container.get("properties")
            latest = said.get("latestVersion") if isinstance(said, Mapping) else None
            if latest and parse_id(container.get("id")) is not None:
                wanted.append(f"{container['id']}/versions/{latest}")

        def one(path: str) -> dict[str, Any] | None:
            try:
                return self.arm.get(meter, path, version)
            except ArmError as error:
                if not error.is_gone:
                    losses.failed(collector, error)
                return None

        return [item for item in side_by_side(wanted, one) if item is not None]

    def _deployments(
        self, meter: Meter, endpoint: Node, child: Child, isolation: str | None, losses: Losses
    ) -> Iterator[Collected]:
        kind = f"{child.type}/deployments"
        name = f"azure.ml.{child.name.removesuffix('-endpoints')}-deployments"
        losses.asked(name)
        arm = endpoint.arm
        rows = self.inventory.beneath(meter, arm, kind)
        version = "resource graph"
        if rows is None:
            lister = _DEPLOYMENTS[child.segment]
            try:
                rows, version = self.listed(
                    meter,
                    arm.subscription,
                    f"{arm.text}/deployments",
                    lambda c, h: lister(c, arm.group, arm.names[0], arm.name, h),
                )
            except ArmError as error:
                losses.failed(name, error)
                return
        for row in rows:
            deployed = parse_id(row.get("id"))
            if deployed is None:
                continue
            node = Node(deployed, row, name, endpoint)
            self.describe(meter, node, version)
            _know_isolation(node, isolation)
            yield from resource_of(node)
            yield Edge(arm.key, deployed.key, Relation.SAME_WORKLOAD, "deployments")
            yield from _host(node)


def _in_network(computes: Iterable[Node]) -> bool:
    """Whether there are machines at all and every one of them is in a network of ours."""
    kinds = {"computeinstance", "amlcompute"}
    machines = [node for node in computes if str(node.get("computeType")).lower() in kinds]
    return bool(machines) and all(node.get("properties", "subnet", "id") for node in machines)


def _know_isolation(node: Node, isolation: str | None) -> None:
    if isolation is None:
        node.unknown["facts.isolation"] = "the hub of its workspace was not read"
    else:
        node.facts["isolation"] = isolation


def _host(node: Node) -> Iterator[Collected]:
    """The machine that a managed deployment runs on, which is the provider's."""
    size = node.get("instanceType")
    managed = str(node.get("endpointComputeType") or "Managed").lower() == "managed"
    if not isinstance(size, str) or not size or not managed:
        return
    key = f"{node.arm.key}/hosts/managed"
    yield Resource(
        key=key,
        provider="azure",
        account=node.arm.subscription,
        region="-",
        type=HOST,
        layer=Layer.VM,
        name=size,
        config={"instanceType": size},
        implied=True,
        collector=node.collector,
    )
    yield Edge(node.arm.key, key, Relation.RUNS_ON, "properties.instanceType")
