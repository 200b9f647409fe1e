"""Findings as exports need them: rows with evidence, decision and services, streamed in batches."""

# ruff: noqa: S608  (only names of our own columns are put together; values are bound)

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

from undercroft.store.ageing import ageings
from undercroft.store.choosing import JOINS, first
from undercroft.store.connection import Database
from undercroft.store.encode import REF_COLUMNS, evidence_of, load, ref_of
from undercroft.store.fresh import ensure_fresh
from undercroft.store.read_details import decision_view
from undercroft.store.read_findings import COLUMNS, finding_row
from undercroft.store.statuses import EVENT_COLUMNS, event_of
from undercroft.views import DecisionView, FindingRecord, FindingRow, Query, ResourceRef

__all__ = ["records"]

_BATCH = 500
_KEPT = 20_000
"""Owners whose services are remembered: findings of one owner come in runs in most orders."""


_ROW = len(FindingRow._fields)


def records(
    database: Database, scan_id: int, query: Query, *, ages: bool
) -> Iterator[FindingRecord]:
    """See ``Store.iter_records``."""
    ensure_fresh(database, scan_id)
    services: dict[int, tuple[ResourceRef, ...]] = {}
    ids = list(first(database, scan_id, query, -1))
    for start in range(0, len(ids), _BATCH):
        if len(services) > _KEPT:
            services.clear()
        yield from _batch(database, scan_id, ids[start : start + _BATCH], services, ages=ages)


def _batch(
    database: Database,
    scan_id: int,
    ids: Sequence[int],
    services: dict[int, tuple[ResourceRef, ...]],
    *,
    ages: bool,
) -> Iterator[FindingRecord]:
    connection = database.connection()
    found = {
        row[-1]: (finding_row(row[:_ROW]), *row[_ROW:-1])
        for row in connection.execute(
            f"SELECT {COLUMNS}, f.at, o.evidence, t.reason, t.decision, t.resource, "
            "(SELECT coalesce(v.due, '') FROM vulnerability v WHERE v.cve = f.cve "
            "AND v.kev IS NOT NULL), t.id "
            f"FROM state t {JOINS} WHERE t.id IN ({','.join('?' * len(ids))})",
            ids,
        )
    }
    _learn(connection, scan_id, {entry[5] for entry in found.values()} - services.keys(), services)
    decisions = _decisions(connection, {entry[4] for entry in found.values() if entry[4]})
    rows = [entry[0] for entry in found.values()]
    times = ageings(connection, scan_id, rows, database.now()) if ages else {}
    for number in ids:
        if number not in found:  # its scan was deleted while we were reading
            continue
        row, at, evidence, reason, decision, owner, kev_due = found[number]
        yield FindingRecord(
            row=row,
            at=load(at),
            evidence=evidence_of(evidence),
            unconfirmed_reason=reason if row.unconfirmed else "",
            decision=decisions.get(decision),
            services=services.get(owner, ()),
            ageing=times.get(row.id),
            kev=kev_due is not None,
            kev_due=kev_due or "",
        )


def _learn(
    connection: sqlite3.Connection,
    scan_id: int,
    owners: set[int],
    services: dict[int, tuple[ResourceRef, ...]],
) -> None:
    found: dict[int, list[ResourceRef]] = {owner: [] for owner in owners}
    for row in connection.execute(
        f"SELECT c.resource, {REF_COLUMNS} FROM closure c "
        "JOIN snapshot s ON s.scan = c.scan AND s.resource = c.service "
        "JOIN body b ON b.id = s.body JOIN resource r ON r.id = c.service "
        f"WHERE c.scan = ? AND c.resource IN ({','.join('?' * len(owners))}) "
        "ORDER BY b.name, r.key",
        (scan_id, *owners),
    ):
        found[row[0]].append(ref_of(row[1:]))
    services |= {owner: tuple(refs) for owner, refs in found.items()}


def _decisions(connection: sqlite3.Connection, ids: set[str]) -> dict[str, DecisionView]:
    return {
        event.id: decision_view(event)
        for event in map(
            event_of,
            connection.execute(
                f"SELECT {EVENT_COLUMNS} FROM event WHERE id IN ({','.join('?' * len(ids))})",
                tuple(ids),
            ),
        )
    }
