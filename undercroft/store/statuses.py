"""From what scans saw and people said to the derived columns of a finding in a scan."""

# ruff: noqa: S608  (only names of our own tables are put together; values are bound)

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from undercroft import risk
from undercroft.clock import stamp
from undercroft.model import Outcome, Severity, Threat
from undercroft.records import dataclass
from undercroft.store.criticality import NORMAL
from undercroft.store.encode import load
from undercroft.store.exploits import EXPLOITED
from undercroft.store.renames import renames
from undercroft.triage.book import WHOLE_LOG_TYPES, Book
from undercroft.triage.events import Event, FindingFacts
from undercroft.triage.resolve import Resolved
from undercroft.triage.status import (
    RETIRED_RULE,
    Sighting,
    State,
    effective,
    severity_in_force,
)
from undercroft.triage.when import lapse_instant

__all__ = [
    "EVENT_COLUMNS",
    "Derived",
    "Seen",
    "book_for",
    "derive",
    "event_of",
    "events_for",
    "facts_of",
    "rate",
    "versions_in",
    "versions_of",
    "weigh",
    "whole_book",
]

EVENT_COLUMNS = (
    "id, v, type, finding, scope, payload, guards, seen, actor, at, lamport, replica, seq, prev, "
    "parents, batch, tool, nonce, sig"
)
_JSON_FIELDS = frozenset({"scope", "payload", "guards", "seen", "parents"})
_UNDECIDED: Final = Resolved()
_PART: Final = 500
"""Findings per query."""


class Derived(NamedTuple):
    """The columns of ``state`` that decisions and the clock can change, in this order."""

    severity: int
    status: str
    cause: str
    unconfirmed: int
    hazard: float
    score: float
    until: str | None
    owner: str | None
    decision: str | None
    lapsed: str | None
    turns_at: str | None
    """Next instant at which the clock alone changes this row."""
    turned_at: str | None
    """Last instant at which it did: a clock before it must compute the row again."""
    regressions: int
    reopened_at: str | None


@dataclass(frozen=True, slots=True)
class Seen:
    """What does not depend on people: the finding as the scan in question knows it."""

    finding: str
    scan: str
    """Uid."""
    collected_at: str
    outcome: Outcome
    incarnation: str | None
    severity: int
    """Rank that the rule gave it."""
    threat: str
    cvss: float | None
    vector: str | None
    weight: float | None
    """Hazard that the rule declares: combinations have one."""
    cve: str | None
    exposure: str
    evidence_hash: str
    rule_version: str | None
    owner_tag: str
    kev: bool | None = None
    """In a known-exploited catalogue; None: no feed says. Asked only of what was decided about."""
    epss: float | None = None
    criticality: str = NORMAL
    """What the resource's tags say."""
    exploit: int = 0
    """What the report knows of exploits: see ``store.exploits``."""


def weigh(seen: Seen, severity: Severity, model: risk.RiskModel) -> risk.Hazard:
    """The hazard of a finding as it was seen, at a severity that a person may have changed.

    A base score or a declared weight belongs to the severity that the rule gave, and goes with it.
    """
    as_rated = severity.rank == seen.severity
    return _weight(
        model,
        severity,
        seen.threat,
        seen.cve is not None,
        seen.cvss if as_rated else None,
        seen.vector,
        seen.weight if as_rated else None,
        seen.exposure,
        seen.criticality,
        seen.exploit,
    )


@lru_cache(maxsize=4096)
def rate(
    model: risk.RiskModel,
    severity: int,
    threat: str,
    is_vulnerability: int,
    cvss: float | None,
    vector: str | None,
    weight: float | None,
    exposure: str,
    criticality: str,
    exploit: int,
) -> tuple[float, float]:
    """Hazard and score of a finding as the rule rated it, from the columns that decide them."""
    rated = Severity.from_rank(severity)
    hazard = _weight(
        model,
        rated,
        threat,
        bool(is_vulnerability),
        cvss,
        vector,
        weight,
        exposure,
        criticality,
        exploit,
    ).value
    return hazard, risk.finding_score(hazard)


@lru_cache(maxsize=4096)
def _weight(
    model: risk.RiskModel,
    severity: Severity,
    threat: str,
    is_vulnerability: bool,
    cvss: float | None,
    vector: str | None,
    weight: float | None,
    exposure: str,
    criticality: str,
    exploit: int,
) -> risk.Hazard:
    # A large estate has millions of findings and a few hundred different weights.
    if weight is not None:
        return risk.combination_hazard(weight)
    return risk.hazard(
        severity,
        None if is_vulnerability else Threat(threat),
        risk.Exposure(exposure),
        cvss,
        vector,
        criticality=risk.Criticality(criticality),
        kev=exploit == EXPLOITED,
        exploit=exploit > 0,
        model=model,
    )


def derive(
    sightings: Sequence[Sighting],
    resolved: Resolved | None,
    seen: Seen,
    now: datetime,
    model: risk.RiskModel,
) -> Derived | None:
    """The derived columns of one finding in one scan; None if it never failed.

    ``sightings``: of this scan and those before it, in scan order. ``model``: by which the scan is
    scored.
    """
    rated = Severity.from_rank(seen.severity)
    retired = seen.rule_version == RETIRED_RULE
    if resolved is None and not retired and all(s.outcome is Outcome.FAIL for s in sightings):
        # Most of a large estate: failing ever since, and nobody decided anything.
        weight = weigh(seen, rated, model).value
        score = risk.finding_score(weight)
        return Derived(
            severity=rated.rank,
            status=State.OPEN.value,
            cause="",
            unconfirmed=0,
            hazard=weight,
            score=score,
            until=None,
            owner=seen.owner_tag or None,
            decision=None,
            lapsed=None,
            turns_at=None,
            turned_at=None,
            regressions=0,
            reopened_at=None,
        )
    decided = resolved or _UNDECIDED
    status = effective(sightings, decided, facts_of(seen), now, retired)
    if status is None:
        return None
    severity = severity_in_force(rated, decided, now)
    hazard = weigh(seen, severity, model).value
    instants = [_end(status.decision or status.lapsed), _end(decided.override)]
    ahead = [moment for moment in instants if moment is not None and moment > now]
    behind = [moment for moment in instants if moment is not None and moment <= now]
    accept = status.decision if status.decision and status.decision.type == "accept" else None
    return Derived(
        severity=severity.rank,
        status=status.state.value,
        cause=status.cause,
        unconfirmed=int(status.unconfirmed),
        hazard=hazard,
        score=risk.finding_score(hazard),
        until=_text(accept, "until"),
        owner=decided.assignee or _text(accept, "owner") or seen.owner_tag or None,
        decision=status.decision.id if status.decision else None,
        lapsed=status.lapsed.id if status.lapsed else None,
        turns_at=stamp(min(ahead)) if ahead else None,
        turned_at=stamp(max(behind)) if behind else None,
        regressions=status.regressions,
        reopened_at=status.reopened_at,
    )


def facts_of(seen: Seen) -> FindingFacts:
    """What guards of decisions compare."""
    return FindingFacts(
        finding=seen.finding,
        severity=Severity.from_rank(seen.severity),
        kev=seen.kev,
        epss=seen.epss,
        exposure=seen.exposure,
        incarnation=seen.incarnation,
        evidence_hash=seen.evidence_hash,
        rule_version=seen.rule_version,
        scan=seen.scan,
        collected_at=seen.collected_at,
        outcome=seen.outcome,
    )


def event_of(row: Sequence[Any]) -> Event:
    """An event from ``EVENT_COLUMNS``; whether it was tampered with is for ``verify`` to say."""
    names = EVENT_COLUMNS.split(", ")
    data = {
        name: load(value) if value is not None and name in _JSON_FIELDS else value
        for name, value in zip(names, row, strict=True)
    }
    return Event.from_json(data, check=False)


def whole_book(connection: sqlite3.Connection) -> Book:
    """What people said about every finding."""
    rows = connection.execute(f"SELECT {EVENT_COLUMNS} FROM event").fetchall()
    return Book(_as_now_called(connection, map(event_of, rows)))


def book_for(connection: sqlite3.Connection, findings: Iterable[str]) -> Book:
    """What people said about some findings, whatever else those are called."""
    return Book(events_for(connection, findings))


def events_for(connection: sqlite3.Connection, findings: Iterable[str]) -> list[Event]:
    """The events of ``book_for``."""
    marks = ",".join("?" * len(WHOLE_LOG_TYPES))
    general = [
        event_of(row)
        for row in connection.execute(
            f"SELECT {EVENT_COLUMNS} FROM event WHERE type IN ({marks}) OR finding IS NULL",
            WHOLE_LOG_TYPES,
        ).fetchall()
    ]
    found = {event.id: event for event in general}
    aliases = Book(event for event in general if event.type in {"alias.link", "undo"})
    names = list({name for finding in findings for name in aliases.aliases(finding)})
    for start in range(0, len(names), _PART):
        part = names[start : start + _PART]
        for row in connection.execute(
            f"SELECT {EVENT_COLUMNS} FROM event WHERE finding IN ({','.join('?' * len(part))})",
            part,
        ).fetchall():
            found.setdefault(row[0], event_of(row))
    return _as_now_called(connection, found.values())


def _as_now_called(connection: sqlite3.Connection, events: Iterable[Event]) -> list[Event]:
    """Events whose scopes name their rules as these are called now; they keep their ids."""
    known = renames(connection)
    if not known:
        return list(events)
    return [
        replace(event, scope={**event.scope, "rule": name}, stored_id=event.id)
        if event.scope is not None and (name := known.get(str(event.scope.get("rule"))))
        else event
        for event in events
    ]


@lru_cache(maxsize=32)
def versions_of(rules: str) -> Mapping[str, str]:
    """Rule id → logic version from a scan's JSON, read once: thousands of findings ask for it."""
    found: Mapping[str, str] = load(rules)
    return found


def versions_in(connection: sqlite3.Connection) -> dict[int, Mapping[str, str]]:
    """Scan → rule id → logic version, of every scan."""
    return {
        scan: versions_of(rules) for scan, rules in connection.execute("SELECT id, rules FROM scan")
    }


def _end(event: Event | None) -> datetime | None:
    if event is None or event.type not in ("accept", "override_severity"):
        return None
    return lapse_instant(event.payload)


def _text(event: Event | None, name: str) -> str | None:
    value = event.payload.get(name) if event is not None else None
    return value if isinstance(value, str) and value else None
