"""Working out the status of 10,000 findings: what a decision, an expiry or a new scan sets off."""

from __future__ import annotations

import statistics
from datetime import timedelta
from typing import NamedTuple

from bench.measure import Figure, cpu
from bench.world import NOW, World, stamp
from undercroft.model import Outcome, Severity
from undercroft.triage.events import Event, FindingFacts, seal
from undercroft.triage.resolve import Resolved, resolve_all
from undercroft.triage.status import Sighting, effective

__all__ = ["statuses"]

_FINDINGS = 10_000
_ALLOWED = 0.1
"""Seconds."""
_WEEKS = 3
_ROUNDS = 9


class _Case(NamedTuple):
    sightings: tuple[Sighting, ...]
    facts: FindingFacts
    event: Event | None


def statuses(world: World) -> list[Figure]:
    """One in five was decided about, one in five was fixed once; three scans saw all of them."""
    cases = [_case(number) for number in range(_FINDINGS)]
    drafts = [case.event for case in cases if case.event is not None]
    events = seal(drafts, replica="bench", last_seq=0, last_id=None, lamport=0, heads={})
    undecided = Resolved()
    said: dict[str, Resolved] = {}

    def resolve() -> None:
        said.update(resolve_all(events))

    def work_out() -> None:
        for case in cases:
            effective(case.sightings, said.get(case.facts.finding, undecided), case.facts, NOW)

    resolving = statistics.median(cpu(resolve) for _ in range(world.rounds(_ROUNDS)))
    working = statistics.median(cpu(work_out) for _ in range(world.rounds(_ROUNDS)))
    return [
        Figure(
            f"status of {_FINDINGS:,} findings",
            working * 1000,
            _ALLOWED * 1000,
            1.0,
            note="three scans each; bare: the time allowed",
        ),
        Figure(
            f"resolve {len(events):,} decisions",
            resolving * 1000,
            _ALLOWED * 1000,
            1.0,
            note="bare: the time allowed",
        ),
    ]


def _case(number: int) -> _Case:
    name = f"f1-{number:064x}"
    was_fixed = number % 5 == 1
    outcomes = [Outcome.FAIL, Outcome.PASS if was_fixed else Outcome.FAIL, Outcome.FAIL]
    sightings = tuple(
        Sighting(f"scan-{week}", _week(week), outcome, "2026-01-01T00:00:00Z")
        for week, outcome in enumerate(outcomes)
    )
    facts = FindingFacts(
        finding=name,
        severity=Severity.HIGH,
        exposure="internal",
        incarnation="2026-01-01T00:00:00Z",
        evidence_hash="",
        rule_version="1",
        scan=f"scan-{_WEEKS - 1}",
        collected_at=_week(_WEEKS - 1),
        outcome=Outcome.FAIL,
    )
    return _Case(sightings, facts, _decision(name, number) if number % 5 == 0 else None)


def _decision(finding: str, number: int) -> Event:
    # Half of the acceptances are over.
    until = (NOW + timedelta(days=30 if number % 2 else -1)).date().isoformat()
    return Event(
        "accept",
        "Ann <ann@example.com>",
        _week(0),
        finding=finding,
        payload={
            "reason": "the risk is known",
            "until": until,
            "zone": "UTC",
            "lapses_at": f"{until}T00:00:00Z",
            "owner": "platform",
        },
        guards={"severity": "high"},
        seen={"scan": "scan-0", "collected_at": _week(0), "outcome": "fail"},
    )


def _week(number: int) -> str:
    return stamp(NOW - timedelta(weeks=_WEEKS - number))
