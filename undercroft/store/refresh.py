"""Bringing derived rows up to date after a decision, or because the clock went past an instant."""

# ruff: noqa: S608  (only names of our own tables are put together; values are bound)

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from undercroft.model import Outcome
from undercroft.steps import Step, unwatched
from undercroft.store import rollup
from undercroft.store.combos import alive_among, combined_among, settle, unsettled
from undercroft.store.connection import Database, bump
from undercroft.store.exploits import EXPLOIT_SQL
from undercroft.store.feeds import apply_to_findings
from undercroft.store.fresh import stale
from undercroft.store.lines import change
from undercroft.store.models import models
from undercroft.store.scans import FINISHED
from undercroft.store.scoped import place
from undercroft.store.sightings import DERIVED_COLUMNS
from undercroft.store.statuses import Seen, book_for, derive, versions_in
from undercroft.triage.status import Sighting

__all__ = ["bring_up_to_date", "refresh_findings", "states_of"]

_TOLD = 500
"""Findings between two words on how far it is."""
_WAIT = 0.2
"""Seconds that a read waits for a writer before it goes on with what is there."""


def refresh_findings(
    connection: sqlite3.Connection,
    findings: Iterable[str],
    now: datetime,
    *,
    only: int | None = None,
    step: Step = unwatched,
) -> None:
    """Work out some findings again, in every finished scan that has a word on them, and what counts
    them. Runs inside the caller's transaction. ``only``: that scan, finished or not, and no other.
    """
    within = {fid: None if only is None else {only} for fid in findings}
    touched, turned = _work_out(connection, within, now, only, step)
    if only is not None:
        # What was decided in the scan before this one goes for it already, but for what hangs on it.
        turned = touched
    # What came to life or ended may complete or break combinations of the services above.
    above: dict[str, set[int]] = {}
    for scan_id, resources in turned.items():
        for fid in unsettled(connection, scan_id, resources):
            above.setdefault(fid, set()).add(scan_id)
    also, _ = _work_out(connection, above, now, only)
    for scan_id, resources in also.items():
        touched.setdefault(scan_id, set()).update(resources)
    settle(connection, combined_among(connection, {**above, **within}, only))
    for number, (scan_id, resources) in enumerate(touched.items()):
        step("counting", number, len(touched))
        rollup.refresh(connection, scan_id, resources)


_ByScan = dict[int, set[int]]
"""Scan → resources."""


def _work_out(
    connection: sqlite3.Connection,
    findings: Mapping[str, Collection[int] | None],
    now: datetime,
    only: int | None,
    step: Step = unwatched,
) -> tuple[_ByScan, _ByScan]:
    """Write the derived columns of some findings, each in some scans or in all finished ones.

    Returns what was touched, and what of that came to life or ended.
    """
    book = book_for(connection, findings)
    touched: _ByScan = {}
    updates: list[Sequence[Any]] = []
    versions = versions_in(connection)
    by = models(connection)
    for number, (fid, within) in enumerate(findings.items()):
        if number % _TOLD == 0:
            step("working out", number, len(findings))
        sightings: list[Sighting] = []
        for row in states_of(connection, fid, only, versions):
            scan_id, state_id, resource, body, rule, sighting, seen = row
            sightings.append(sighting)
            if within is not None and scan_id not in within:
                continue
            where = (
                place(connection, rule, seen.cve, resource, body, tagged=book.tagged(rule))
                if book.scoped(rule)
                else None
            )
            derived = derive(sightings, book.resolved(fid, where), seen, now, by[scan_id])
            if derived is not None:
                updates.append((state_id, scan_id, *derived))
                touched.setdefault(scan_id, set()).add(resource)
    before = alive_among(connection, findings, only)
    change(connection, DERIVED_COLUMNS, updates)
    apply_to_findings(connection, findings, only)
    turned: _ByScan = {}
    for scan_id, resource, _ in before ^ alive_among(connection, findings, only):
        turned.setdefault(scan_id, set()).add(resource)
    return touched, turned


def bring_up_to_date(database: Database, scan_id: int, now: datetime) -> None:
    """Work out again what the clock has changed in one scan; of ``ensure_fresh``. BusyError."""
    if database.read_only:
        database.work_on_copy()
    with database.transaction(on_copy=True, wait=_WAIT) as writing:
        ids = stale(writing, scan_id, now)
        fids = [
            writing.execute("SELECT fid FROM finding WHERE id = ?", (number,)).fetchone()[0]
            for number in ids
        ]
        refresh_findings(writing, fids, now)
        bump(writing)


def states_of(
    connection: sqlite3.Connection,
    fid: str,
    only: int | None,
    versions: Mapping[int, Mapping[str, str]],
) -> list[tuple[int, int, int, int, str, Sighting, Seen]]:
    """Scan, row, resource, body, rule, sighting and facts of one finding in every scan, oldest first.

    ``versions``: of ``versions_in``.
    """
    found = []
    for row in connection.execute(
        "SELECT t.scan, t.id, t.resource, s.uid, t.collected_at, t.outcome, "
        "t.incarnation, t.reason, o.severity, o.threat, o.cvss, o.vector, o.weight, f.cve, "
        "t.exposure, t.criticality, o.evidence_hash, u.name, b.owner, t.body, "
        f"{EXPLOIT_SQL}, v.kev IS NOT NULL, v.epss "
        "FROM finding f LEFT JOIN vulnerability v ON v.cve = f.cve "
        "JOIN state t ON t.finding = f.id JOIN scan s ON s.id = t.scan "
        "JOIN observation o ON o.id = t.observation JOIN body b ON b.id = t.body "
        "JOIN rule u ON u.id = f.rule "
        f"WHERE f.fid = ? AND (s.state IN {FINISHED} OR s.id = ?) ORDER BY t.scan",
        (fid, only),
    ).fetchall():
        scan_id, state_id, resource, uid, collected_at, outcome, incarnation, reason = row[:8]
        (
            severity,
            threat,
            cvss,
            vector,
            weight,
            cve,
            exposure,
            criticality,
            evidence,
            rule,
            owner,
            body,
            exploit,
            *known,
        ) = row[8:]
        found.append(
            (
                scan_id,
                state_id,
                resource,
                body,
                rule,
                Sighting(uid, collected_at, Outcome(outcome), incarnation, reason),
                Seen(
                    finding=fid,
                    scan=uid,
                    collected_at=collected_at,
                    outcome=Outcome(outcome),
                    incarnation=incarnation,
                    severity=severity,
                    threat=threat,
                    cvss=cvss,
                    vector=vector,
                    weight=weight,
                    cve=cve,
                    exposure=exposure,
                    evidence_hash=evidence,
                    rule_version=versions[scan_id].get(rule),
                    owner_tag=owner,
                    kev=bool(known[0]) or None,
                    epss=known[1],
                    criticality=criticality,
                    exploit=exploit,
                ),
            )
        )
    return found
