"""What every Azure unit has in common: one subscription, a tree of reads, and what was lost."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from collectors.azure.errors import ArmError
from collectors.azure.ids import ArmId, layer_of, parse_id, stub, title_of
from collectors.azure.inventory import Inventory
from collectors.azure.references import link
from collectors.reading import Ended, Reading, once, side_by_side
from undercroft.model import Coverage, CoverageStatus, Edge, Json, Presence, Resource
from undercroft.protocols import Collected, Meter, Scope, Target
from undercroft.relations import Relation

__all__ = [
    "NOWHERE",
    "AzureCollector",
    "Losses",
    "Node",
    "Unit",
    "Unread",
    "absent",
    "concat",
    "plan",
    "resource_of",
]

NOWHERE = "-"


@dataclass(frozen=True, slots=True)
class Unit:
    """One subscription to read, or what is wanted of it."""

    subscription: str
    wanted: tuple[Resource, ...]
    meter: Meter
    losses: Losses


@dataclass(slots=True)
class Node:
    """One resource as it was read, with what belongs to it."""

    arm: ArmId
    config: dict[str, Any]
    collector: str
    parent: Node | None = None
    service: bool = False
    facts: dict[str, Json] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    edges: list[Resource | Edge] = field(default_factory=list)
    """Further stubs and edges that no single field states."""

    @property
    def properties(self) -> Mapping[str, Any]:
        """``properties`` of its configuration; empty if there are none."""
        found = self.config.get("properties")
        return found if isinstance(found, Mapping) else {}

    def get(self, *path: str) -> Any:
        """What ``properties`` hold at a path, or None."""
        value: Any = self.properties
        for step in path:
            if not isinstance(value, Mapping):
                return None
            value = value.get(step)
        return value


class Losses:
    """What reads of one kind of child failed, over all parents: one coverage record in the end."""

    def __init__(self, parts: Mapping[str, tuple[str, ...]]) -> None:
        self._lists = parts
        self._parents: Counter[str] = Counter()
        self._failed: dict[str, list[ArmError]] = {}

    def asked(self, collector: str) -> None:
        """One parent more was asked for its children."""
        self._parents[collector] += 1

    def failed(self, collector: str, error: ArmError) -> None:
        """It did not answer."""
        self._failed.setdefault(collector, []).append(error)

    def coverage(self, subscription: str) -> Iterator[Coverage]:
        """One record per kind of child: complete only if every parent answered (or there is none)."""
        for collector in self._lists:
            parents, failures = self._parents[collector], self._failed.get(collector, [])
            gaps = [error for error in failures if error.status is not CoverageStatus.NOT_ENABLED]
            status, reason, lists = CoverageStatus.COMPLETE, "", self._lists[collector]
            if gaps:
                worst = max(gaps, key=lambda error: _ORDER.index(error.status))
                status, lists = worst.status, ()
                reason = worst.reason
                if parents > 1:
                    reason = f"{len(gaps)} of {parents}: {reason}"
            elif failures and len(failures) == parents:
                status, reason = CoverageStatus.NOT_ENABLED, failures[0].reason
            yield Coverage("azure", subscription, NOWHERE, collector, status, reason, lists)


_ORDER = (
    CoverageStatus.COMPLETE,
    CoverageStatus.NOT_ENABLED,
    CoverageStatus.SKIPPED,
    CoverageStatus.NOT_REQUESTED,
    CoverageStatus.TRUNCATED,
    CoverageStatus.DENIED,
    CoverageStatus.THROTTLED,
    CoverageStatus.ERROR,
)


class Unread:
    """What a unit was to read by reference and could not, for its own record."""

    def __init__(self) -> None:
        self._asked = 0
        self._errors: list[ArmError] = []

    def asked(self) -> None:
        """One more was asked for."""
        self._asked += 1

    def failed(self, error: ArmError) -> None:
        """It was not answered."""
        self._errors.append(error)

    def ended(self) -> Ended:
        """How the unit ended: complete, or the worst of its failures."""
        if not self._errors:
            return Ended()
        worst = max(self._errors, key=lambda error: _ORDER.index(error.status))
        count = f"{len(self._errors)} of {self._asked} not read: " if self._asked > 1 else ""
        return Ended(f"{count}{worst.reason}", worst.status)


class AzureCollector(ABC):
    """A unit per subscription (or per subscription that ``wanted`` names, if ``reads`` says which).

    Subclasses set the class attributes and read; an ``ArmError`` that leaves ``read`` becomes the
    unit's coverage record.
    """

    name: str
    stage: int = 0
    """Decided where all collectors are in view: ``collectors.azure.collectors``."""
    lists: tuple[str, ...] = ()
    """Types that a complete unit has enumerated to the end."""
    parts: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    """Kinds of children with a coverage record of their own → types that a complete one enumerates."""
    reads: tuple[str, ...] = ()
    """Types this collector reads by reference; empty: it lists, and runs in every subscription."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self.arm = inventory.arm

    def targets(self, scope: Scope, wanted: Sequence[Resource]) -> Iterator[Target]:
        """The units to run. Never raises: missing credentials surface in each unit's coverage."""
        del scope  # The session was made of the same options.
        if self.reads:
            yield from self._referenced(wanted)
            return
        try:
            chosen = self.arm.subscriptions()
        except ArmError:
            yield Target(self.name, "azure", NOWHERE, NOWHERE)
            return
        for subscription in chosen:
            yield Target(self.name, "azure", subscription.id.lower(), NOWHERE)
        if not chosen:
            yield Target(self.name, "azure", NOWHERE, NOWHERE)

    def _referenced(self, wanted: Sequence[Resource]) -> Iterator[Target]:
        try:
            ours = {s.id.lower() for s in self.arm.subscriptions() if s.readable}
        except ArmError:
            return
        places: dict[str, list[Resource]] = {}
        for named in wanted:
            if named.type in self.reads and named.account in ours:
                places.setdefault(named.account, []).append(named)
        for subscription, stubs in sorted(places.items()):
            yield Target(self.name, "azure", subscription, NOWHERE, tuple(stubs))

    def collect(self, target: Target, meter: Meter) -> Iterator[Collected]:
        """Read one unit; its coverage comes last, that of its parts before it."""
        losses = Losses(self.parts)
        try:
            refusal = self._refusal(target, meter)
            if refusal is not None:
                reason, status = refusal
            else:
                items = self.read(Unit(target.scope, target.wanted, meter, losses))
                reason, status = yield from self._placed(items, meter)
        except ArmError as error:
            reason, status = error.reason, error.status
        for part in losses.coverage(target.scope):
            # What the whole could not do, its parts could not do either.
            failed = status not in {CoverageStatus.COMPLETE, CoverageStatus.TRUNCATED}
            if failed and not part.status.is_gap:
                yield replace(part, status=status, reason=reason, lists=())
            else:
                yield part
        lists = self.lists if status is CoverageStatus.COMPLETE else ()
        yield Coverage("azure", target.scope, target.location, self.name, status, reason, lists)

    def _refusal(self, target: Target, meter: Meter) -> tuple[str, CoverageStatus] | None:
        chosen = {s.id.lower(): s for s in self.arm.subscriptions(meter)}
        if target.scope == NOWHERE:
            if self.reads:
                return None
            return "the credentials see no subscription", CoverageStatus.DENIED
        known = chosen.get(target.scope)
        if known is None or known.state == "NotVisible":
            why = f"the credentials do not see subscription {target.scope}; check its id and tenant"
            return why, CoverageStatus.DENIED
        if not known.readable:
            return f"the subscription is {known.state.lower()}", CoverageStatus.SKIPPED
        return None

    @abstractmethod
    def read(self, unit: Unit) -> Reading:
        """Everything this unit can read; raises ``ArmError`` where it cannot go on."""

    def _placed(self, items: Reading, meter: Meter) -> Reading:
        """The same items, with what is only known by name put where it is."""
        places: dict[str, str] = {}
        seen = set[tuple[str, str]]()
        while True:
            try:
                item = next(items)
            except StopIteration as stop:
                ended: Ended = stop.value
                return ended
            yield from once(self._place(item, places, meter), seen)

    def _place(self, item: Collected, places: dict[str, str], meter: Meter) -> Iterator[Collected]:
        if (
            isinstance(item, Resource)
            and item.account == NOWHERE
            and item.native_id.startswith("/")
        ):
            arm = self.inventory.named(meter, item.type, item.name)
            if arm is None:
                yield item
                return
            places[item.key] = arm.text
            yield stub(arm)
            container = item.facts.get("container")
            inside = parse_id(f"{arm.text}/blobServices/default/containers/{container}")
            if container and inside is not None:
                yield stub(inside)
            return
        if isinstance(item, Edge) and item.dst in places:
            arm = parse_id(places[item.dst])
            if arm is not None:
                container = item.detail.partition("/")[0]
                inside = parse_id(f"{arm.text}/blobServices/default/containers/{container}")
                yield replace(item, dst=arm.key)
                if container and inside is not None and arm.type.startswith("Microsoft.Storage/"):
                    yield stub(inside)
                    yield replace(item, dst=inside.key, detail="")
                return
        yield item


def resource_of(node: Node) -> list[Collected]:
    """A node as a resource, with everything that it refers to."""
    config = node.config
    tags = config.get("tags")
    properties = node.properties
    created = properties.get("creationTime") or properties.get("createdAt")
    resource = Resource(
        key=node.arm.key,
        provider="azure",
        account=node.arm.subscription,
        region=_region(node),
        type=node.arm.type,
        layer=layer_of(node.arm.type),
        name=title_of(node.arm),
        native_id=node.arm.text,
        tags={str(k): str(v) for k, v in tags.items()} if isinstance(tags, Mapping) else {},
        config=config,
        facts=node.facts,
        unknown=node.unknown,
        incarnation=created if isinstance(created, str) else None,
        service=node.service,
        collector=node.collector,
    )
    return [resource, *link(node.arm, config), *node.edges]


def _region(node: Node) -> str:
    at: Node | None = node
    while at is not None:
        location = at.config.get("location")
        if isinstance(location, str) and location:
            return location.replace(" ", "").lower()
        at = at.parent
    return NOWHERE


def plan(node: Node, name: str) -> list[Resource | Edge]:
    """The Defender plan that should watch over a node, as a stub and an edge."""
    arm = parse_id(
        f"/subscriptions/{node.arm.subscription}/providers/Microsoft.Security/pricings/{name}"
    )
    if arm is None:
        return []
    return [stub(arm), Edge(node.arm.key, arm.key, Relation.PROTECTED_BY, f"Defender: {name}")]


def concat(
    nodes: Iterable[Node], work: Callable[[Node], list[Collected]], workers: int = 4
) -> Iterator[Collected]:
    """What ``work`` finds beneath every node, a few side by side, in their order."""
    for found in side_by_side(nodes, work, workers):
        yield from found


def absent(named: Resource, collector: str) -> Resource:
    """What the provider says does not exist."""
    return replace(named, presence=Presence.ABSENT, collector=collector)
