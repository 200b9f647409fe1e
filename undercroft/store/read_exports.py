"""Findings as exports need them: rows with evidence, decision and services, streamed in batches."""

# ruff: noqa: S608  (only names of our own columns are put together; values are bound)

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime

from undercroft.store.ageing import ageings
from undercroft.store.connection import Database
from undercroft.store.encode import REF_COLUMNS, evidence_of, load, ref_of
from undercroft.store.read_details import decision_view
from undercroft.store.read_findings import iterate
from undercroft.store.statuses import EVENT_COLUMNS, event_of
from undercroft.views import DecisionView, FindingRecord, FindingRow, Query, ResourceRef

__all__ = ["records"]

_BATCH = 500
_KEPT = 20_000
"""Owners whose services are remembered: findings of one owner come in runs in most orders."""


def records(database: Database, scan_id: int, query: Query) -> Iterator[FindingRecord]:
    """See ``Store.iter_records``."""
    services: dict[int, tuple[ResourceRef, ...]] = {}
    rows = iterate(database, scan_id, query)
    while batch := [row for _, row in zip(range(_BATCH), rows, strict=False)]:
        if len(services) > _KEPT:
            services.clear()
        yield from _batch(database.connection(), scan_id, batch, services, database.now())


def _batch(
    connection: sqlite3.Connection,
    scan_id: int,
    batch: Sequence[FindingRow],
    services: dict[int, tuple[ResourceRef, ...]],
    now: datetime,
) -> Iterator[FindingRecord]:
    marks = ",".join("?" * len(batch))
    extras = {
        row[0]: row[1:]
        for row in connection.execute(
            "SELECT f.fid, f.at, o.evidence, t.reason, t.decision, t.resource, v.kev IS NOT NULL "
            "FROM finding f LEFT JOIN vulnerability v ON v.cve = f.cve "
            # CROSS JOIN keeps this order: the other way round reads the whole scan.
            "CROSS JOIN state t ON t.finding = f.id JOIN observation o ON o.id = t.observation "
            f"WHERE t.scan = ? AND f.fid IN ({marks})",
            (scan_id, *(row.id for row in batch)),
        )
    }
    _learn(connection, scan_id, {extra[4] for extra in extras.values()} - services.keys(), services)
    decisions = _decisions(connection, {extra[3] for extra in extras.values() if extra[3]})
    times = ageings(connection, scan_id, batch, now)
    for row in batch:
        if row.id not in extras:  # its scan was deleted while we were reading
            continue
        at, evidence, reason, decision, owner, kev = extras[row.id]
        yield FindingRecord(
            row=row,
            at=load(at),
            evidence=evidence_of(evidence),
            unconfirmed_reason=reason if row.unconfirmed else "",
            decision=decisions.get(decision),
            services=services.get(owner, ()),
            ageing=times.get(row.id),
            kev=bool(kev),
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
