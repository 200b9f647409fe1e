"""Feeds in the cache: what is known about the exploitation of a vulnerability, and its weight.

One feed of a kind at a time, with its date. It is applied to every saved scan, so that scans are
compared under the same knowledge; what an import changed is said when it is made.
"""

# ruff: noqa: S608  (only names of our own tables are put together; values are bound)

from __future__ import annotations

import math
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from undercroft import risk
from undercroft.clock import stamp
from undercroft.feeds import (
    EPSS,
    KEV,
    Exploitable,
    FeedInfo,
    ParsedFeed,
)
from undercroft.model import Severity
from undercroft.store.connection import Database, bump
from undercroft.store.exploits import EXPLOIT_SQL, EXPLOITED
from undercroft.store.lines import Lines, change
from undercroft.store.models import model_of, models
from undercroft.store.statuses import rate
from undercroft.triage.scopes import scope_of

__all__ = [
    "NOTHING_KNOWN",
    "Known",
    "apply_to",
    "apply_to_findings",
    "dated",
    "exploitable",
    "exploitable_sql",
    "import_feed",
    "imported",
    "known",
    "listing",
    "weigh_again",
]

_PART = 400
_ROWS = (
    "SELECT t.id, t.line, t.since, t.till, t.resource, t.severity, o.severity, o.cvss, o.vector, "
    f"t.exposure, t.criticality, {EXPLOIT_SQL}, v.epss, v.kev IS NOT NULL, t.hazard FROM finding f "
)
_KNOWN = (
    "JOIN observation o ON o.id = t.observation LEFT JOIN vulnerability v ON v.cve = f.cve "
    "WHERE f.cve IS NOT NULL"
)


class Known(NamedTuple):
    """What feeds say about one vulnerability."""

    epss: float | None
    kev: str | None
    """Day on which it was added to the catalogue."""
    due: str | None = None
    """Day until which the catalogue wants it mended."""


NOTHING_KNOWN = Known(None, None)


def listing(database: Database) -> list[FeedInfo]:
    """See ``Store.feeds``."""
    return [
        FeedInfo(*row)
        for row in database.connection().execute(
            "SELECT name, version, dated, imported_at, entries FROM feed ORDER BY name"
        )
    ]


def import_feed(database: Database, feed: ParsedFeed) -> int:
    """See ``Store.import_feed``."""
    from undercroft.store import rollup
    from undercroft.store.causes import by_feed
    from undercroft.store.refresh import refresh_findings

    column = feed.name
    with database.transaction() as connection, by_feed(connection):
        connection.execute(f"UPDATE vulnerability SET {column} = NULL")
        connection.executemany(
            f"INSERT INTO vulnerability (cve, {column}) VALUES (?, ?) "
            f"ON CONFLICT (cve) DO UPDATE SET {column} = excluded.{column}",
            feed.values.items(),
        )
        if feed.name == KEV:
            connection.execute("UPDATE vulnerability SET due = NULL")
            connection.executemany(
                "UPDATE vulnerability SET due = ? WHERE cve = ?",
                ((day, cve) for cve, day in feed.due.items()),
            )
        connection.execute("DELETE FROM vulnerability WHERE epss IS NULL AND kev IS NULL")
        connection.execute(
            "INSERT OR REPLACE INTO feed (name, version, dated, imported_at, entries) "
            "VALUES (?, ?, ?, ?, ?)",
            (feed.name, feed.version, feed.dated, stamp(database.now()), len(feed.values)),
        )
        # Every vulnerability, also those that the feed no longer names: they go back to the neutral
        # value.
        every = f"{_ROWS} CROSS JOIN state_row t ON t.finding = f.id {_KNOWN}"
        touched = _reweigh(connection, connection.execute(every))
        for scan_id, resources in touched.items():
            rollup.refresh(connection, scan_id, resources)
        # Decisions that are guarded by what feeds say may lapse by it.
        refresh_findings(connection, _decided(connection), database.now())
        bump(connection)
    return sum(len(resources) for resources in touched.values())


def _decided(connection: sqlite3.Connection) -> list[str]:
    """Vulnerabilities that somebody accepted or called a false positive, one by one or as a rule."""
    from undercroft.store.scoped import covered
    from undercroft.store.statuses import EVENT_COLUMNS, event_of

    found = {
        str(row[0]): None
        for row in connection.execute(
            "SELECT DISTINCT f.fid FROM event e JOIN finding f ON f.fid = e.finding "
            "WHERE e.type IN ('accept', 'false_positive') AND f.cve IS NOT NULL"
        )
    }
    for row in connection.execute(
        f"SELECT {EVENT_COLUMNS} FROM event WHERE type = 'scope_accept'"
    ).fetchall():
        scope = scope_of(event_of(row))
        if scope is not None:
            found |= dict.fromkeys(covered(connection, scope))
    return list(found)


def apply_to(
    connection: sqlite3.Connection, scan_id: int, resources: Sequence[int] | None = None
) -> set[int]:
    """Give the vulnerabilities of a scan whose rows were just written, or of some resources of it,
    what feeds know of them. Returns the resources where that changed anything.
    """
    if not _any(connection):
        return set()
    rows = f"{_ROWS} CROSS JOIN state t ON t.finding = f.id AND t.scan = ? {_KNOWN}"
    if resources is None:
        return _reweigh(connection, connection.execute(rows, (scan_id,)), scan_id)[scan_id]
    touched: set[int] = set()
    for start in range(0, len(resources), _PART):
        part = resources[start : start + _PART]
        found = connection.execute(
            f"{rows} AND f.resource IN ({','.join('?' * len(part))})", (scan_id, *part)
        )
        touched |= _reweigh(connection, found, scan_id)[scan_id]
    return touched


def imported(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Which feeds there are, and since when: another answer means that hazards have moved."""
    return connection.execute("SELECT name, imported_at FROM feed ORDER BY name").fetchall()


def apply_to_findings(
    connection: sqlite3.Connection, findings: Collection[str], only: int | None
) -> None:
    """The same for some findings that were just worked out again, in every scan. ``only``: that is
    being written, but has a say.
    """
    if not _any(connection):
        return
    wanted = list(findings)
    for start in range(0, len(wanted), _PART):
        part = wanted[start : start + _PART]
        found = connection.execute(
            f"{_ROWS} CROSS JOIN state_row t ON t.finding = f.id {_KNOWN} "
            f"AND v.cve IS NOT NULL AND f.fid IN ({','.join('?' * len(part))})",
            part,
        )
        _reweigh(connection, found, only)


def known(connection: sqlite3.Connection, cves: Iterable[str]) -> dict[str, Known]:
    """CVE → what feeds say, of those that they name."""
    found: dict[str, Known] = {}
    wanted = list(dict.fromkeys(cves))
    for start in range(0, len(wanted), _PART):
        part = wanted[start : start + _PART]
        for cve, *said in connection.execute(
            f"SELECT cve, epss, kev, due FROM vulnerability WHERE cve IN ({','.join('?' * len(part))})",
            part,
        ):
            found[cve] = Known(*said)
    return found


def exploitable_sql(model: risk.RiskModel) -> str:
    """Whether ``vulnerability v`` of ``observation o`` counts as exploitable: as ``Exploitable.mark``."""
    likely = f"v.epss >= {model.likely_epss!r} AND coalesce(o.cvss, 0) >= {model.dangerous_cvss!r}"
    return f"(v.kev IS NOT NULL OR ({likely}))"


def exploitable(database: Database, model: risk.RiskModel) -> Exploitable:
    """See ``Store.exploitable``."""

    def named(condition: str) -> frozenset[str]:
        return frozenset(
            row[0]
            for row in database.connection().execute(
                f"SELECT cve FROM vulnerability WHERE {condition}"
            )
        )

    likely = named(f"epss >= {model.likely_epss!r}")
    return Exploitable(named("kev IS NOT NULL"), likely, model.dangerous_cvss)


def dated(
    hazard: risk.Hazard, what: Known | None, feeds: Sequence[FeedInfo], model: risk.RiskModel
) -> risk.Hazard:
    """A vulnerability's hazard with what feeds know, each reason with the day of the feed."""
    if what is None:
        return hazard
    known = hazard.factors["T"][1]
    if known == risk.EVIDENCE and what.kev is None:
        return hazard
    value, reason = risk.exploitation(
        what.epss, kev=what.kev is not None, exploit=known == risk.PUBLIC, model=model
    )
    day = {feed.name: feed.dated for feed in feeds}
    if what.kev is not None:
        reason = (
            f"known exploited since {what.kev or 'an unknown day'} (KEV of {day.get(KEV, '?')})"
        )
    elif what.epss is not None and reason.startswith("EPSS"):
        reason = f"{reason} of {day.get(EPSS, '?')}"
    factors = {**hazard.factors, "T": (value, reason)}
    return risk.Hazard(math.prod(number for number, _ in factors.values()), factors)


def _any(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM feed LIMIT 1").fetchone() is not None


def _reweigh(
    connection: sqlite3.Connection, rows: Iterable[Sequence[Any]], also: int | None = None
) -> dict[int, set[int]]:
    """Write the hazards that have changed. Scan → the resources whose findings these are.

    ``also``: a scan that counts while it is being written.
    """
    by = models(connection)
    lines = Lines(connection, () if also is None else {also})
    changes: list[tuple[int, int, float, float]] = []
    touched: dict[int, set[int]] = {} if also is None else {also: set()}
    for row, line, since, till, resource, *deciding, before in rows:
        for scan in lines.scans(line, since, till):
            hazard, score = _rated(by[scan], *deciding)
            if hazard != before:
                changes.append((row, scan, hazard, score))
                touched.setdefault(scan, set()).add(resource)
    change(connection, ("hazard", "score"), changes)
    return touched


def weigh_again(
    connection: sqlite3.Connection, scan_id: int, rows: Iterable[Sequence[Any]]
) -> None:
    """Write the hazards of any findings of a scan that its model weighs otherwise than they are.

    ``rows``: row of ``state_row``, severity in force, severity as rated, threat, whether it is a
    vulnerability, base score, vector, declared weight, exposure, criticality, what its report knows
    of exploits, EPSS, whether it is in KEV, hazard as it is.
    """
    model = model_of(connection, scan_id)
    changes: list[tuple[int, int, float, float]] = []
    for number, severity, rated, threat, cve, cvss, vector, weight, *rest in rows:
        exposure, criticality, exploit, epss, kev, before = rest
        if cve:
            of = (severity, rated, cvss, vector, exposure, criticality, exploit, epss, kev)
            hazard, score = _rated(model, *of)
        else:
            # A base score or a declared weight belongs to the severity that it came with.
            base, declared = (cvss, weight) if severity == rated else (None, None)
            hazard, score = rate(
                model, severity, threat, 0, base, vector, declared, exposure, criticality, exploit
            )
        if hazard != before:
            changes.append((number, scan_id, hazard, score))
    change(connection, ("hazard", "score"), changes)


@lru_cache(maxsize=65536)
def _rated(
    model: risk.RiskModel,
    severity: int,
    rated: int,
    cvss: float | None,
    vector: str | None,
    exposure: str,
    criticality: str,
    exploit: int,
    epss: float | None,
    kev: int,
) -> tuple[float, float]:
    """Hazard and score of a vulnerability. A base score belongs to the severity that it came with."""
    hazard = risk.hazard(
        Severity.from_rank(severity),
        None,
        risk.Exposure(exposure),
        cvss if severity == rated else None,
        vector,
        epss,
        bool(kev) or exploit == EXPLOITED,
        risk.Criticality(criticality),
        exploit=exploit > 0,
        model=model,
    )
    return hazard.value, risk.finding_score(hazard)
