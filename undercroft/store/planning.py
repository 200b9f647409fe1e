"""A plan of repairs with the names that people read: what to repair first, and what if."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from undercroft.risk.constants import RiskModel
from undercroft.risk.plan import Planner, RepairKey, Step
from undercroft.risk.repairs import CHOKE_POINT
from undercroft.store.read_plan import PlanWorld
from undercroft.views import ResourceRef

__all__ = ["Help", "Repair", "RepairPlan", "WhatIf"]

_RULES = 6


@dataclass(frozen=True, slots=True)
class Help:
    """What a repair or a plan does to one service."""

    service: ResourceRef
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Repair:
    """One repair in a plan, taken after those before it."""

    id: str
    """Names it within a scan, and from scan to scan: the resource's key and what is done to it."""
    words: str
    """What to do, as a phrase. Foreign text: clean before drawing."""
    mend: str
    resource: ResourceRef
    findings: int
    rules: tuple[str, ...]
    """The rules whose findings it mends, worst first; the first ones."""
    value: float
    """Points that it takes off over all services, once the earlier repairs are done."""
    total: float
    """Points over all services after it."""
    broken: int
    """Combinations that it breaks."""
    blast: int
    """AI services that stand on the resource; three or more make it a choke point."""
    helps: tuple[Help, ...]
    """Services that it helps, most first."""

    @property
    def choke_point(self) -> bool:
        """Whether three or more AI services stand on it."""
        return self.blast >= CHOKE_POINT


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What would be, were some repairs done. Their values do not add up; this is computed jointly."""

    before: float
    """Points over all services as they are."""
    after: float
    changes: tuple[Help, ...]
    """Every service that would change, most first."""
    model: RiskModel
    """By which the scan is scored."""


class RepairPlan:
    """Answers questions about repairs in one scan as it was when this was made. Safe to share between
    threads; writes nothing.
    """

    def __init__(self, found: PlanWorld) -> None:
        self._found = found
        self._lock = threading.Lock()
        self._base = Planner(found.world)
        self._greedy = Planner(found.world, self._base.before)
        self._rows: list[Repair] = []
        self._keys: dict[str, RepairKey] = {}
        self._ended = False

    @property
    def total(self) -> float:
        """Points over all services as they are."""
        return sum(self._base.before.values())

    def first(self, most: int) -> list[Repair]:
        """The greedy order: the best repair, then the best once that is done, and so on."""
        while True:
            # Step by step: what is asked meanwhile waits for one step and no longer.
            with self._lock:
                if len(self._rows) >= most or self._ended:
                    return self._rows[:most]
                step = self._greedy.best()
                if step is None:
                    self._ended = True
                else:
                    self._greedy.plan(step.repair)
                    self._rows.append(self._named(step))

    def what_if(self, repairs: Collection[str]) -> WhatIf:
        """Everything as it would be with these repairs (ids that ``first`` gave) done."""
        with self._lock:
            wanted = {self._keys[name] for name in repairs}
            for repair in [key for key in self._base.planned if key not in wanted]:
                self._base.unplan(repair)
            for repair in sorted(wanted - set(self._base.planned)):
                self._base.plan(repair)
            before, after = self._base.before, self._base.scores
            changes = [(s, before[s], after[s]) for s in before if before[s] - after[s] > 0]
            helps = self._helps(changes)
            return WhatIf(sum(before.values()), sum(after.values()), helps, self._found.world.model)

    def findings(self, repairs: Iterable[str]) -> list[str]:
        """Ids of the findings that these repairs mend."""
        with self._lock:
            members = [f for name in repairs for f in self._base.members(self._keys[name])]
            return [fid for fid, _, _ in self._found.findings(members)]

    def _named(self, step: Step) -> Repair:
        number, mend = step.repair
        resource = self._found.resources([number])[number]
        members = self._greedy.members(step.repair)
        named = self._found.findings(members[:200])
        name = f"{resource.key}#{mend}"
        self._keys[name] = step.repair
        return Repair(
            id=name,
            words=self._found.words(step.repair, resource.name or resource.key),
            mend=mend,
            resource=resource,
            findings=len(members),
            rules=tuple(dict.fromkeys(rule for _, rule, _ in named))[:_RULES],
            value=step.value,
            total=step.total,
            broken=step.broken,
            blast=len(self._greedy.above(number)),
            helps=self._helps(step.changes),
        )

    def _helps(self, changes: Sequence[tuple[int, float, float]]) -> tuple[Help, ...]:
        refs = self._found.resources([service for service, _, _ in changes])
        found = [Help(refs[service], before, after) for service, before, after in changes]
        found.sort(key=lambda one: (one.after - one.before, one.service.key))
        return tuple(found)
