"""Rows of ``state_row`` for a new scan: what failed, and what became of everything that failed before."""

# ruff: noqa: S608  (only names of our own tables are put together; values are bound)

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from undercroft.model import Outcome, Presence
from undercroft.risk import RiskModel
from undercroft.store.coverage import Absence, Units
from undercroft.store.criticality import level_of
from undercroft.store.encode import dump, load
from undercroft.store.exploits import exploit_of
from undercroft.store.feeds import NOTHING_KNOWN, Known, known
from undercroft.store.lines import Line
from undercroft.store.scans import FINISHED
from undercroft.store.scoped import place
from undercroft.store.statuses import Derived, Seen, derive
from undercroft.triage.book import Book
from undercroft.triage.status import RETIRED_RULE, Sighting

__all__ = ["DERIVED_COLUMNS", "INSERT_ROW", "ROW_COLUMNS", "Scan", "rows"]

DERIVED_COLUMNS = Derived._fields
ROW_COLUMNS = (
    "line",
    "since",
    "till",
    "finding",
    "resource",
    "body",
    "observation",
    "rule",
    "layer",
    "outcome",
    "incarnation",
    "reason",
    "exposure",
    "criticality",
    "is_new",
    "first_seen",
    "last_seen",
    "combined",
    "tie",
    *DERIVED_COLUMNS,
)

INSERT_ROW = (
    f"INSERT INTO state_row ({', '.join(ROW_COLUMNS)}) VALUES ({', '.join('?' * len(ROW_COLUMNS))})"
)
"""Writes one of ``rows``."""


class Scan(NamedTuple):
    """What is the same for all rows of one scan."""

    id: int
    uid: str
    started_at: str
    rules: Mapping[str, str]
    line: Line
    units: Units
    blind_services: frozenset[int]
    """Services beneath which something could not be read."""
    book: Book
    """What people said."""
    now: datetime
    criticality_tag: str
    model: RiskModel
    """By which it is scored."""


class _Here(NamedTuple):
    """A resource as this scan knows it."""

    body: int
    collected_at: str
    presence: str
    incarnation: str | None
    owner: str
    carried: int
    """As an earlier scan saw it: this one could not look."""
    tags: str
    """JSON, as stored."""


class _Fail(NamedTuple):
    observation: int
    layer: int
    severity: int
    threat: str
    cvss: float | None
    vector: str | None
    weight: float | None
    evidence_hash: str
    open_itself: bool
    exploit: int


class _Finding(NamedTuple):
    id: int
    fid: str
    tie: int
    rule: int
    rule_name: str
    resource: int
    cve: str | None
    combined: bool
    first_scan: int
    first_seen: str
    first_is_hidden: bool


class _Before(NamedTuple):
    """The newest row of a finding in an earlier scan, and its whole story."""

    sightings: list[Sighting]
    observation: int
    body: int
    exposure: str
    criticality: str
    last_seen: str


HAS_ROW = "EXISTS (SELECT 1 FROM state w WHERE w.finding = f.id AND w.scan = :scan)"
"""Whether ``finding f`` has a row that holds in the scan ``:scan``."""


def rows(
    connection: sqlite3.Connection, scan: Scan, resources: Sequence[int], done: str = HAS_ROW
) -> Iterator[tuple[Any, ...]]:
    """``ROW_COLUMNS`` of every finding of some resources that this scan has a word on.

    Findings that are ``done`` (a condition on ``finding f``) are left out.
    """
    yield from _Step(connection, scan, resources, done).rows()


class _Step:
    """Some resources, with everything about them read in a handful of queries."""

    def __init__(
        self, connection: sqlite3.Connection, scan: Scan, resources: Sequence[int], done: str
    ) -> None:
        self._connection = connection
        self._scan = scan
        among = f"IN ({','.join('?' * len(resources))})"
        bounds = (scan.id, *resources)
        self._here = {
            row[0]: _Here(*row[1:])
            for row in connection.execute(
                "SELECT s.resource, s.body, s.collected_at, b.presence, b.incarnation, b.owner, s.carried, "
                "c.tags FROM snapshot s JOIN body b ON b.id = s.body JOIN content c ON c.body = b.id "
                f"WHERE s.scan = ? AND s.resource {among}",
                bounds,
            )
        }
        self._fails: dict[int, _Fail] = {}
        self._exposed: set[int] = set()
        for column in ("judgement", "combined"):
            for resource, finding, traits, *fail in connection.execute(
                "SELECT s.resource, o.finding, o.traits, o.id, o.layer, o.severity, o.threat, "
                "o.cvss, o.vector, o.weight, o.evidence_hash FROM snapshot s "
                f"JOIN observation o ON o.judgement = s.{column} "
                f"WHERE s.scan = ? AND s.resource {among}",
                bounds,
            ):
                exposed = '"exposed"' in traits
                open_itself = exposed or '"egress"' in traits
                self._fails[finding] = _Fail._make((*fail, open_itself, exploit_of(traits)))
                # A combination tells of others' exposure; only what a resource itself shows counts.
                if exposed and column == "judgement":
                    self._exposed.add(resource)
        self._blind = {
            (resource, rule): reason
            for column in ("judgement", "combined")
            for resource, rule, reason in connection.execute(
                "SELECT s.resource, d.rule, d.reason FROM snapshot s "
                f"JOIN blind d ON d.judgement = s.{column} "
                f"WHERE s.scan = ? AND s.resource {among}",
                bounds,
            )
        }
        self._findings = [
            _Finding(*row)
            for row in connection.execute(
                "SELECT f.id, f.fid, f.tie, f.rule, u.name, f.resource, f.cve, f.combined, "
                "f.first_scan, f.first_seen, coalesce(s.state = 'running', 0) FROM finding f "
                "JOIN rule u ON u.id = f.rule LEFT JOIN scan s ON s.id = f.first_scan "
                f"WHERE f.resource IN (SELECT value FROM json_each(:resources)) AND NOT {done} "
                "ORDER BY f.resource, f.tie",
                {"resources": dump(list(resources)), "scan": scan.id, "line": scan.line.number},
            )
        ]
        self._before = self._history(among, resources)
        self._join_aliases()
        self._absent: dict[int, Absence] = {}

    def _history(self, among: str, resources: Sequence[int]) -> dict[int, _Before]:
        found: dict[int, _Before] = {}
        for (
            finding,
            uid,
            collected_at,
            outcome,
            incarnation,
            reason,
            *rest,
        ) in self._connection.execute(
            "SELECT t.finding, s.uid, t.collected_at, t.outcome, t.incarnation, t.reason, "
            "t.observation, t.body, t.exposure, t.criticality, t.last_seen FROM finding f "
            "CROSS JOIN state t ON t.finding = f.id JOIN scan s ON s.id = t.scan "
            f"WHERE f.resource {among} AND t.scan < ? "
            f"AND s.state IN {FINISHED} ORDER BY t.finding, t.scan",
            (*resources, self._scan.id),
        ):
            sighting = Sighting(uid, collected_at, Outcome(outcome), incarnation, reason)
            known = found.get(finding)
            sightings = known.sightings if known else []
            sightings.append(sighting)
            found[finding] = _Before(sightings, *rest)
        return found

    def _join_aliases(self) -> None:
        """A finding that is known by a second id is carried on under the first."""
        groups = self._scan.book.alias_groups()
        if not groups:
            return
        by_name = {finding.fid: finding for finding in self._findings}
        for kept, *others in groups:
            if kept not in by_name:
                continue
            for other in (by_name[name] for name in others if name in by_name):
                if (fail := self._fails.pop(other.id, None)) is not None:
                    self._fails.setdefault(by_name[kept].id, fail)
                self._findings.remove(other)

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """One row per finding of these resources that this scan has a word on."""
        for finding in self._findings:
            row = self._row(finding)
            if row is not None:
                yield row

    def _row(self, finding: _Finding) -> tuple[Any, ...] | None:
        scan = self._scan
        here = self._here.get(finding.resource)
        before = self._before.get(finding.id)
        fail = self._fails.get(finding.id)
        if fail is None and before is None:
            return None
        outcome, reason = (Outcome.FAIL, "") if fail else self._outcome(finding, here)
        if outcome is None:
            return None
        looked = here is not None and not here.carried
        collected_at = here.collected_at if here and looked else scan.started_at
        read = looked and here is not None and here.presence == Presence.READ
        incarnation = here.incarnation if here and read else None
        if fail is not None and here is not None:
            observation, body = fail.observation, here.body
            # A way out is open itself, but lets nobody in to what else is wrong there.
            exposed = fail.open_itself or finding.resource in self._exposed
            exposure, last_seen = "open" if exposed else "unknown", collected_at
        elif before is not None:
            observation, exposure, last_seen = before.observation, before.exposure, before.last_seen
            body = here.body if here and read else before.body
            fail = self._last_fail(before.observation)
        else:
            return None
        sightings = before.sightings if before else []
        if here is not None and body == here.body:
            criticality = level_of(here.tags, scan.criticality_tag)
        else:
            assert before is not None  # noqa: S101  (else the body is the one that is here)
            criticality = before.criticality
        where = (
            place(
                self._connection,
                finding.rule_name,
                finding.cve,
                finding.resource,
                body,
                tagged=scan.book.tagged(finding.rule_name),
            )
            if scan.book.scoped(finding.rule_name)
            else None
        )
        said = scan.book.resolved(finding.fid, where)
        exploited = self._exploited(finding.cve) if said is not None else NOTHING_KNOWN
        seen = Seen(
            finding=finding.fid,
            scan=scan.uid,
            collected_at=collected_at,
            outcome=outcome,
            incarnation=incarnation,
            severity=fail.severity,
            threat=fail.threat,
            cvss=fail.cvss,
            vector=fail.vector,
            weight=fail.weight,
            cve=finding.cve,
            exposure=exposure,
            evidence_hash=fail.evidence_hash,
            rule_version=scan.rules.get(finding.rule_name),
            owner_tag=here.owner if here else "",
            kev=exploited.kev is not None or None,
            epss=exploited.epss,
            criticality=criticality,
            exploit=fail.exploit,
        )
        sighting = Sighting(scan.uid, collected_at, outcome, incarnation, reason)
        derived = derive([*sightings, sighting], said, seen, scan.now, scan.model)
        if derived is None:
            return None
        mine = finding.first_scan == scan.id or finding.first_is_hidden
        is_new = before is None and mine
        return (
            scan.line.number,
            scan.id,
            scan.line.till,
            finding.id,
            finding.resource,
            body,
            observation,
            finding.rule,
            fail.layer,
            outcome.value,
            incarnation,
            reason,
            exposure,
            criticality,
            int(is_new),
            collected_at if is_new and finding.first_scan != scan.id else finding.first_seen,
            None if outcome is Outcome.FAIL else last_seen,
            int(finding.combined),
            finding.tie,
            *derived,
        )

    def _exploited(self, cve: str | None) -> Known:
        """What feeds know about a vulnerability: guards of decisions look at it."""
        if cve is None:
            return NOTHING_KNOWN
        return known(self._connection, [cve]).get(cve, NOTHING_KNOWN)

    def _outcome(self, finding: _Finding, here: _Here | None) -> tuple[Outcome | None, str]:
        """What the scan says about a finding that it did not report."""
        if here is None:
            return self._missing(finding.resource)
        if here.carried:
            outcome, reason = self._missing(finding.resource)
            if outcome is Outcome.UNKNOWN:
                return outcome, reason
            return Outcome.NOT_RUN, "what leads to it could not be read"
        if here.presence == Presence.ABSENT:
            return Outcome.GONE, ""
        if here.presence == Presence.STUB:
            outcome, reason = self._missing(finding.resource)
            if outcome is Outcome.UNKNOWN:
                return outcome, reason
            # Something still refers to it, so it is not gone, whatever was listed.
            return Outcome.UNKNOWN, "it was not read in this scan"
        if self._scan.rules.get(finding.rule_name) == RETIRED_RULE:
            return Outcome.NOT_RUN, "the rule is retired"
        if finding.rule_name not in self._scan.rules:
            return Outcome.NOT_RUN, "the rule was not part of this scan"
        blind = self._blind.get((finding.resource, finding.rule))
        if blind is not None:
            return Outcome.UNKNOWN, blind
        if finding.combined and finding.resource in self._scan.blind_services:
            # One of its parts may be there and merely not have been seen.
            return Outcome.UNKNOWN, "something beneath this service could not be read"
        return Outcome.PASS, ""

    def _missing(self, resource: int) -> Absence:
        known = self._absent.get(resource)
        if known is None:
            row = self._connection.execute(
                "SELECT u.provider, u.scope, u.location, u.collector, b.type, b.provider, "
                "b.account, b.region, b.collector FROM snapshot s JOIN scan c ON c.id = s.scan "
                "JOIN body b ON b.id = s.body LEFT JOIN unit u ON u.id = s.unit "
                "WHERE s.resource = ? AND s.scan < ? AND b.presence <> 'stub' "
                f"AND c.state IN {FINISHED} ORDER BY s.scan DESC LIMIT 1",
                (resource, self._scan.id),
            ).fetchone()
            known = Absence(None)
            if row is not None:
                unit = row[:4] if row[0] is not None else row[5:]
                known = self._scan.units.absence(unit, row[4])
            self._absent[resource] = known
        return known

    def _last_fail(self, observation: int) -> _Fail:
        row = self._connection.execute(
            "SELECT id, layer, severity, threat, cvss, vector, weight, evidence_hash, traits "
            "FROM observation WHERE id = ?",
            (observation,),
        ).fetchone()
        traits = set(load(row[-1]))
        open_itself = not traits.isdisjoint({"exposed", "egress"})
        return _Fail._make((*row[:-1], open_itself, exploit_of(row[-1])))
