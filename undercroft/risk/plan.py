"""What to repair first, and what would change: exact, greedy, over all services at once.

A repair takes findings away, and with them every combination that loses its last component for some
ingredient. Values do not add up, since repairs share combinations and the sums have diminishing
returns; so everything here is computed again from the items, never added.

Only what may win is computed: a repair's worth at one service is at most what its lines count for.
Leaving lines out of an ordered weighted sum moves others up, and sorting a sum never lowers it, so
``H`` falls by at most the effective hazard of what goes.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import field
from operator import itemgetter, mul
from types import MappingProxyType
from typing import NamedTuple

from undercroft.records import dataclass
from undercroft.risk.constants import DEFAULT, DEPTH, RiskModel
from undercroft.risk.model import finding_score

__all__ = ["Combo", "Item", "Planner", "RepairKey", "Step", "World"]

_SLACK = 1e-6
"""Bounds are kept up by adding and subtracting floats; so much may have been lost in it."""

_Brings = list[tuple[str, float, list[float]]]
"""What a resource brings into the sums above it: (layer, discounted sum, worst hazards first)."""
_NOTHING: Mapping[int, _Brings] = MappingProxyType({})
_NONE: Set[int] = frozenset()


class RepairKey(NamedTuple):
    """One action on one resource."""

    resource: int
    mend: str


_Worst = tuple[float, int, str, RepairKey]
"""A living finding of a resource: (hazard, finding, layer, what mends it)."""


_Counts = tuple[float, int, Collection[RepairKey]]
"""What counts in a service: (hazard there, finding, repairs that take it away or break it)."""


class Item(NamedTuple):
    """One finding of a resource, as it enters the sums of the services above."""

    finding: int
    layer: str
    hazard: float
    mend: str


@dataclass(frozen=True, slots=True)
class Combo:
    """A combination that a service owns: it holds as long as every need has a living component.

    ``needs``: per ingredient its components; per component the sets of findings of which each must
    keep one alive. A component without sets is there whatever is repaired.
    """

    finding: int
    hazard: float
    needs: tuple[tuple[tuple[frozenset[int], ...], ...], ...]
    repairs: frozenset[RepairKey] = frozenset()
    """Every repair that takes some of these findings away."""

    def holds(self, removed: Collection[int]) -> bool:
        """Whether it is still there when these findings are gone."""
        return all(
            any(all(not alive.issubset(removed) for alive in component) for component in components)
            for components in self.needs
        )


@dataclass(slots=True)
class World:
    """One scan's hazards, ready for what-if."""

    reach: dict[int, list[tuple[int, float]]]
    """Service → (resource, what a hazard counts there) of all with items or combinations beneath it:
    attenuation, and what the service's own tag makes of it."""
    items: dict[int, list[Item]]
    """Resource → its items, worst first; at most some per layer for those in ``cut``."""
    combos: dict[int, list[Combo]] = field(default_factory=dict)
    """Service → its combinations."""
    inherits: dict[int, list[tuple[int, float]]] | None = None
    """Service → (what has combinations, attenuation); None: as ``reach`` says, nobody is tagged."""
    cut: set[int] = field(default_factory=set)
    """Resources of which ``items`` holds only the worst."""
    model: RiskModel = DEFAULT
    """By which the scan is scored."""
    load: Callable[[int], list[Item]] | None = None
    """Reads every item of a resource in ``cut``."""

    def all_items(self, resource: int) -> list[Item]:
        """Every item of a resource, read in full if it was cut."""
        if resource in self.cut and self.load is not None:
            self.items[resource] = self.load(resource)
            self.cut.discard(resource)
        return self.items.get(resource, [])


@dataclass(frozen=True, slots=True)
class Step:
    """One repair of a plan, taken after those before it."""

    repair: RepairKey
    value: float
    """Points that it takes off, over all services, once the earlier ones are done."""
    total: float
    """Points over all services after it."""
    changes: tuple[tuple[int, float, float], ...]
    """(service, score before, score after) of every service that it helps."""
    broken: int
    """Combinations that it breaks."""


class Planner:
    """A plan that grows repair by repair. Nothing is ever written; to leave it is to undo it."""

    def __init__(self, world: World, scores: Mapping[int, float] | None = None) -> None:
        """A plan without repairs. ``scores``: what another planner of this world found, to save work."""
        self.world = world
        self._in_layer, self._across = world.model.in_layer, world.model.across
        self.planned: list[RepairKey] = []
        self._above: dict[int, list[int]] = {}
        for service, reached in world.reach.items():
            for resource, _ in reached:
                self._above.setdefault(resource, []).append(service)
        self._owners: dict[RepairKey, set[int]] = {}
        for owner, combos in world.combos.items():
            for combo in combos:
                for repair in combo.repairs:
                    self._owners.setdefault(repair, set()).add(owner)
        self._inherits = (
            world.inherits
            if world.inherits is not None
            else {
                service: [one for one in reached if one[0] in world.combos]
                for service, reached in world.reach.items()
            }
        )
        self._removed: set[int] = set()
        self._brought: dict[int, _Brings] = {}
        self._known: dict[int, list[_Worst]] = {}
        self._held: dict[int, bool] = {}
        self._scores = dict(scores or {s: self._score(s) for s in world.reach})
        self._before = dict(self._scores)
        self._bounds: dict[RepairKey, float] = {}
        self._heap: list[tuple[float, RepairKey]] = []
        self._shares: dict[int, dict[RepairKey, float]] = {}
        self._exact: dict[RepairKey, float] = {}

    # What is

    @property
    def before(self) -> Mapping[int, float]:
        """Service → score as it is."""
        return self._before

    @property
    def scores(self) -> Mapping[int, float]:
        """Service → score with everything planned done."""
        return self._scores

    @property
    def saved(self) -> float:
        """Points that the whole plan takes off together."""
        return math.fsum(self._before[s] - self._scores[s] for s in self._scores)

    def repairs(self) -> Iterator[RepairKey]:
        """Every repair there is."""
        for resource in self._above:
            yield from dict.fromkeys(
                RepairKey(resource, item.mend) for item in self.world.items.get(resource, ())
            )

    def members(self, repair: RepairKey) -> list[int]:
        """The findings that a repair takes away, worst first."""
        items = self.world.all_items(repair.resource)
        return [item.finding for item in items if item.mend == repair.mend]

    def above(self, resource: int) -> Sequence[int]:
        """The services that stand on a resource: its blast radius."""
        return self._above.get(resource, ())

    def touched(self, repair: RepairKey) -> list[int]:
        """The services that a repair may change: above its resource, or above a combination of it."""
        found = set(self._above.get(repair.resource, ()))
        for owner in self._owners.get(repair, ()):
            found.update(self._above.get(owner, ()))
        return sorted(found)

    # What would be

    def evaluate(self, repair: RepairKey) -> Step:
        """What a repair would change on top of the plan, without planning it."""
        without = {repair.resource: self._brings(repair.resource, repair.mend)}
        owners = self._owners.get(repair, ())
        removed = self._removed.union(self.members(repair)) if owners else self._removed
        broken = {
            combo.finding
            for owner in owners
            for combo in self.world.combos[owner]
            if repair in combo.repairs and self._holds(combo) and not combo.holds(removed)
        }
        changes = []
        for service in self.touched(repair):
            before = self._scores[service]
            after = self._score(service, without, broken)
            if before - after > 0:
                changes.append((service, before, after))
        value = math.fsum(before - after for _, before, after in changes)
        total = math.fsum(self._scores.values()) - value
        return Step(repair, value, total, tuple(changes), len(broken))

    def plan(self, repair: RepairKey) -> Step:
        """Take a repair into the plan."""
        step = self.evaluate(repair)
        self.planned.append(repair)
        self._removed |= set(self.members(repair))
        self._settle(repair)
        return step

    def unplan(self, repair: RepairKey) -> None:
        """Take a repair out of the plan again."""
        self.planned.remove(repair)
        self._removed = {f for kept in self.planned for f in self.members(kept)}
        self._settle(repair)

    def best(self) -> Step | None:
        """The repair that takes off most on top of the plan; None if nothing takes off anything.

        Of equal ones the smaller key, so that the order is always the same.
        """
        if not self._bounds:
            for service in self.world.reach:
                self._bound(service)
            self._heap = [(-bound, repair) for repair, bound in self._bounds.items()]
            heapq.heapify(self._heap)
        heap = self._heap
        looked: list[tuple[float, RepairKey]] = []
        winner: tuple[float, RepairKey] | None = None
        while heap and (winner is None or heap[0][0] <= winner[0] + _SLACK):
            negative, repair = heapq.heappop(heap)
            # A bound that has changed since was put in once more.
            if -negative != self._bounds[repair] or negative > -1e-9 or repair in self.planned:
                continue
            looked.append((negative, repair))
            if repair not in self._exact:
                self._exact[repair] = self.evaluate(repair).value
            found = (-self._exact[repair], repair)
            if winner is None or found < winner:
                winner = found
        for entry in looked:
            heapq.heappush(heap, entry)
        return self.evaluate(winner[1]) if winner is not None and winner[0] < 0 else None

    def greedy(self, most: int) -> list[Step]:
        """Plan the best repair, compute again, repeat: ``most`` steps or until nothing is left."""
        steps: list[Step] = []
        while len(steps) < most and (step := self.best()) is not None:
            self.plan(step.repair)
            steps.append(step)
        return steps

    # How

    def _sum(self, hazards: Iterable[float]) -> float:
        """A layer's sum, with diminishing returns."""
        total: float = sum(map(mul, sorted(hazards, reverse=True), self._in_layer))
        return total

    def _holds(self, combo: Combo) -> bool:
        """Whether a combination is there once the plan is done."""
        held = self._held.get(combo.finding)
        if held is None:
            held = self._held[combo.finding] = combo.holds(self._removed)
        return held

    def _holding(self, service: int) -> Iterator[tuple[Combo, float]]:
        """Combinations that hold beneath a service, each with its hazard there."""
        combos = self.world.combos
        for owner, attenuation in self._inherits[service]:
            for combo in combos[owner]:
                if self._holds(combo):
                    yield combo, combo.hazard * attenuation

    def _brings(self, resource: int, mend: str | None = None) -> _Brings:
        """What a resource brings into sums as planned, or if ``mend`` were done as well."""
        world = self.world
        items = world.items.get(resource, ()) if mend is None else world.all_items(resource)
        found: dict[str, list[float]] = {}
        for item in items:
            if item.mend != mend and item.finding not in self._removed:
                found.setdefault(item.layer, []).append(item.hazard)
        brings = []
        for layer, hazards in found.items():
            hazards.sort(reverse=True)
            brings.append((layer, sum(map(mul, hazards, self._in_layer)), hazards[:DEPTH]))
        return brings

    def _worst(self, resource: int) -> list[_Worst]:
        """The findings of a resource that may count as planned, worst first in each layer."""
        worst = self._known.get(resource)
        if worst is None:
            found: dict[str, list[_Worst]] = {}
            for item in self.world.items.get(resource, ()):
                if item.finding not in self._removed:
                    found.setdefault(item.layer, []).append(
                        (item.hazard, item.finding, item.layer, RepairKey(resource, item.mend))
                    )
            for members in found.values():
                members.sort(reverse=True)
            worst = [one for members in found.values() for one in members[:DEPTH]]
            self._known[resource] = worst
        return worst

    def _score(
        self, service: int, without: Mapping[int, _Brings] = _NOTHING, broken: Set[int] = _NONE
    ) -> float:
        """The score of a service; ``without``: what some resources would bring instead of what
        they bring now, ``broken``: combinations that would no longer hold.

        The same sum as ``service_score``, resource by resource instead of finding by finding:
        what a hazard counts is the same for all findings of a resource, so where one alone fills a
        layer its discounted sum is known.
        """
        layers: dict[str, list[tuple[float, float, list[float]]]] = {}
        for resource, counts in self.world.reach[service]:
            brings = without.get(resource)
            if brings is None:
                brings = self._brought.get(resource)
            if brings is None:
                brings = self._brought[resource] = self._brings(resource)
            for layer, total, hazards in brings:
                layers.setdefault(layer, []).append((counts, total, hazards))
        sums = [
            parts[0][0] * parts[0][1]
            if len(parts) == 1
            else self._sum(a * hazard for a, _, hazards in parts for hazard in hazards)
            for parts in layers.values()
        ]
        sums.append(
            self._sum(h for combo, h in self._holding(service) if combo.finding not in broken)
        )
        sums.sort(reverse=True)
        return finding_score(sum(map(mul, sums, self._across)))

    def _settle(self, repair: RepairKey) -> None:
        """Bring up to date what a repair, planned or no longer planned, has changed."""
        touched = self.touched(repair)
        self._brought.pop(repair.resource, None)
        self._known.pop(repair.resource, None)
        for owner in self._owners.get(repair, ()):
            for combo in self.world.combos[owner]:
                self._held.pop(combo.finding, None)
        for service in touched:
            self._scores[service] = self._score(service)
        if self._bounds:
            changed: set[RepairKey] = set()
            for service in touched:
                # What does something there, before or after, is worth something else now.
                changed.update(self._shares.get(service, ()))
                self._bound(service)
                changed.update(self._shares[service])
            for other in changed:
                self._exact.pop(other, None)
                heapq.heappush(self._heap, (-self._bounds[other], other))

    def _bound(self, service: int) -> None:
        """Put one service's part into the bounds of the repairs beneath it."""
        for repair, share in self._shares.pop(service, {}).items():
            self._bounds[repair] -= share
        layers: dict[str, list[_Counts]] = {}
        for resource, counts in self.world.reach[service]:
            for hazard, finding, layer, repair in self._worst(resource):
                layers.setdefault(layer, []).append((hazard * counts, finding, (repair,)))
        held: list[_Counts] = [(v, c.finding, c.repairs) for c, v in self._holding(service)]
        ranked: list[tuple[float, list[_Counts]]] = []
        for members in (*layers.values(), held):
            members.sort(key=_by_value, reverse=True)
            ranked.append((sum(map(mul, (one[0] for one in members), self._in_layer)), members))
        ranked.sort(key=_by_sum, reverse=True)
        sums: dict[RepairKey, float] = {}
        for (_, members), across in zip(ranked, self._across, strict=False):
            for (value, _, repairs), weight in zip(members, self._in_layer, strict=False):
                for repair in repairs:
                    sums[repair] = sums.get(repair, 0.0) + value * weight * across
        rest = 100.0 - finding_score(sum(map(mul, (one[0] for one in ranked), self._across)))
        shares = {repair: rest * math.expm1(value) for repair, value in sums.items() if value > 0}
        self._shares[service] = shares
        for repair, share in shares.items():
            self._bounds[repair] = self._bounds.get(repair, 0.0) + share


_by_value = itemgetter(0, 1)
_by_sum = itemgetter(0)
