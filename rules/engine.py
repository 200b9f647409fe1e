"""The judge that a scan is handed: every rule of a pack over every resource it is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rules.expression import bind, plain_data
from rules.moments import Moments
from rules.patterns import any_match
from rules.program import Program
from rules.schema import Pack
from undercroft.clock import stamp
from undercroft.model import Observation, Presence, Resource
from undercroft.protocols import GraphView

if TYPE_CHECKING:
    from rules.combine import Combiner

__all__ = ["Engine", "variables"]

_FOREIGN = ("Non-CEL value type", "out of range for")
"""What the CEL library says about a value it cannot hold (a tuple, a 128-bit number)."""


def variables(resource: Resource, now: str) -> dict[str, Any]:
    """What a rule's expressions see of a resource."""
    return {
        "config": resource.config,
        "facts": resource.facts,
        "tags": resource.tags,
        "resource": {
            "key": resource.key,
            "type": resource.type,
            "name": resource.name,
            "account": resource.account,
            "region": resource.region,
            "implied": resource.implied,
        },
        "now": now,
    }


@dataclass(frozen=True, slots=True)
class _Plan:
    """The programs for one resource type, grouped by how they are run."""

    single: tuple[tuple[Any, Program], ...]
    lists: tuple[Program, ...]
    absent: tuple[Program, ...]
    stub: tuple[Program, ...]
    ids: tuple[str, ...]
    timed: frozenset[str] = frozenset()
    """Ids of those that look at the time."""

    def only(self, rules: frozenset[str]) -> _Plan:
        """The same for some of its rules."""
        return _Plan(
            single=tuple(entry for entry in self.single if entry[1].rule.id in rules),
            lists=tuple(program for program in self.lists if program.rule.id in rules),
            absent=tuple(program for program in self.absent if program.rule.id in rules),
            stub=tuple(program for program in self.stub if program.rule.id in rules),
            ids=tuple(rule for rule in self.ids if rule in rules),
            timed=rules,
        )


class Engine:
    """Applies a pack. Implements ``undercroft.protocols.Judge``; keeps no state between calls."""

    def __init__(self, pack: Pack) -> None:
        self.pack = pack
        self.version = pack.version
        self._programs = [Program(rule) for rule in pack.rules]
        self._plans: dict[str, _Plan] = {}
        self._timed: dict[str, _Plan] = {}
        self._moments: dict[str, list[Moments]] = {}

    @cached_property
    def _combiner(self) -> Combiner:
        from rules.combine import Combiner

        return Combiner(self.pack)

    def judge(self, resource: Resource, now: str) -> Sequence[Observation]:
        """Every fail and unknown about one resource.

        Of what was not read (a stub) or does not exist (absent), only the rules about that speak.
        """
        return self._judge(self._plan(resource.type), resource, now)

    def judge_timed(self, resource: Resource, now: str) -> Sequence[Observation]:
        """As ``judge``, asking only ``timed_rules``."""
        kind = resource.type
        if kind not in self._timed:
            plan = self._plan(kind)
            self._timed[kind] = plan.only(plan.timed)
        return self._judge(self._timed[kind], resource, now)

    def _judge(self, plan: _Plan, resource: Resource, now: str) -> Sequence[Observation]:
        data = variables(resource, now)
        if resource.presence is not Presence.READ:
            programs = plan.stub if resource.presence is Presence.STUB else plan.absent
            return [found for program in programs for found in program.judge(resource, data)]
        unknown = resource.unknown
        activation = bind(data)
        found: list[Observation] = []
        for evaluate, program in plan.single:
            if unknown and program.touches(unknown, data):
                found += program.judge(resource, data)
                continue
            try:
                verdict = evaluate(activation).value()
            except RuntimeError as error:
                # A list longer than the library goes through.
                found.append(program.undecided(resource, data, str(error)))
                continue
            if verdict is False:
                continue
            if verdict is True:
                found.append(program.fail(resource, data))
            else:
                found += self._doubtful(program, resource, data, verdict)
        for program in plan.lists:
            if unknown and program.touches(unknown, data):
                found += program.judge(resource, data)
            else:
                found += program.judge_list(resource, data, activation)
        return found

    def _doubtful(
        self, program: Program, resource: Resource, data: Mapping[str, Any], error: str
    ) -> Sequence[Observation]:
        if any(text in error for text in _FOREIGN):
            return program.judge(resource, {name: plain_data(data[name]) for name in data})
        return (program.undecided(resource, data, error),)

    def rules_for(self, resource_type: str) -> Sequence[str]:
        """Ids of the rules and combinations that are asked of a resource type."""
        return self._plan(resource_type).ids

    def timed_rules(self, resource_type: str) -> frozenset[str]:
        """Ids of the rules for this type whose answer depends on the time."""
        return self._plan(resource_type).timed

    def holds_until(self, resource: Resource, now: str) -> str | None:
        """The first instant from ``now`` on at which the answer about a resource may be another one.

        RFC 3339 as ``clock.stamp`` writes it; None if it never is. ``now`` if that cannot be told.
        """
        if not self.timed_rules(resource.type):
            return None
        if resource.type not in self._moments:
            self._moments[resource.type] = [
                program.moments
                for program in self._programs
                if not program.timeless and any_match(program.rule.on, resource.type)
            ]
        data = variables(resource, now)
        moment = datetime.fromisoformat(now)
        found = (moments.next(data, moment) for moments in self._moments[resource.type])
        ahead = [instant for instant in found if instant is not None]
        return stamp(min(ahead)) if ahead else None

    def parts(self, observations: Iterable[Observation]) -> Sequence[Observation]:
        """Of what was said about one resource, as much as ``combine`` has to be told.

        What no combination asks for is left out. Of several that serve alike (thousands of
        critical vulnerabilities of one image) the one that a combination would name stays.
        """
        return self._combiner.parts(observations)

    def asks_for(self, rule: str, traits: tuple[str, ...]) -> bool:
        """Whether some combination asks for a rule or for one of these traits."""
        return bool(self._combiner.tokens(rule, traits))

    def combine(
        self, graph: GraphView, fails: Mapping[str, Sequence[Observation]]
    ) -> Sequence[Observation]:
        """Combinations that hold (fail) or may hold (unknown), each owned by a service.

        ``fails`` may carry unknown observations too; they make a combination possible instead of
        absent. So does a resource beneath the service that could not be read at all.
        """
        return self._combiner.combine(graph, fails)

    def _plan(self, resource_type: str) -> _Plan:
        plan = self._plans.get(resource_type)
        if plan is None:
            plan = self._plans[resource_type] = self._make_plan(resource_type)
        return plan

    def _make_plan(self, resource_type: str) -> _Plan:
        chosen = [
            program for program in self._programs if any_match(program.rule.on, resource_type)
        ]
        read = [program for program in chosen if program.rule.presence is Presence.READ]
        combinations = (
            entry.id for entry in self.pack.combinations if any_match(entry.on, resource_type)
        )
        return _Plan(
            single=tuple((p.fails.eval, p) for p in read if not p.rule.each),
            lists=tuple(program for program in read if program.rule.each),
            absent=tuple(p for p in chosen if p.rule.presence is Presence.ABSENT),
            stub=tuple(p for p in chosen if p.rule.presence is Presence.STUB),
            ids=(*(program.rule.id for program in chosen), *combinations),
            timed=frozenset(program.rule.id for program in chosen if not program.timeless),
        )
