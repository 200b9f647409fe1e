"""Findings as exports need them: rows with evidence, decision and services, streamed in batches."""

# ruff: noqa: S608  (only names of our own columns are put together; values are bound)

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

from undercroft.store.ageing import BROKEN, ageings
from undercroft.store.choosing import BY_ID, JOINS, first
from undercroft.store.connection import Database
from undercroft.store.encode import REF_COLUMNS, ref_of
from undercroft.store.fresh import ensure_fresh
from undercroft.store.read_details import decision_view
from undercroft.store.read_findings import COLUMNS, finding_row
from undercroft.store.statuses import EVENT_COLUMNS, event_of
from undercroft.views import DecisionView, FindingRecord, Query, ResourceRef

__all__ = ["records"]

_FIRST, _BATCH = 100, 4_000
"""Findings read at once: somebody may want to see no more than the first; of many, more are read in
the order in which they lie in the file.
"""
_KEPT = 20_000
"""Owners whose services are remembered: findings of one owner come in runs in most orders."""


def records(
    database: Database, scan_id: int, query: Query, *, ages: bool
) -> Iterator[FindingRecord]:
    """See ``Store.iter_records``."""
    ensure_fresh(database, scan_id)
    above = _Above(scan_id)
    ids = list(first(database, scan_id, query, -1))
    start, size = 0, _FIRST
    while start < len(ids):
        yield from _batch(database, scan_id, ids[start : start + size], above, ages=ages)
        start, size = start + size, _BATCH


class _Above:
    """The services above the findings of a scan, each read once."""

    def __init__(self, scan_id: int) -> None:
        self._scan_id = scan_id
        self._services: dict[int, ResourceRef] = {}
        self._known: dict[int, tuple[ResourceRef, ...]] = {}

    def of(
        self, connection: sqlite3.Connection, owners: set[int]
    ) -> dict[int, tuple[ResourceRef, ...]]:
        """Those of at least these resources."""
        if len(self._known) > _KEPT:
            self._known.clear()
        new = owners - self._known.keys()
        found: dict[int, list[ResourceRef]] = {owner: [] for owner in new}
        pairs = connection.execute(
            "SELECT resource, service FROM closure "
            f"WHERE scan = ? AND resource IN ({','.join('?' * len(new))})",
            (self._scan_id, *new),
        ).fetchall()
        self._learn(connection, {service for _, service in pairs} - self._services.keys())
        for owner, service in pairs:
            if service in self._services:
                found[owner].append(self._services[service])
        for owner, refs in found.items():
            self._known[owner] = tuple(sorted(refs, key=lambda ref: (ref.name, ref.key)))
        return self._known

    def _learn(self, connection: sqlite3.Connection, services: set[int]) -> None:
        for number, *ref in connection.execute(
            f"SELECT r.id, {REF_COLUMNS} FROM snapshot s JOIN body b ON b.id = s.body "
            "JOIN resource r ON r.id = s.resource "
            f"WHERE s.scan = ? AND s.resource IN ({','.join('?' * len(services))})",
            (self._scan_id, *services),
        ):
            self._services[number] = ref_of(ref)


def _batch(
    database: Database, scan_id: int, ids: Sequence[int], above: _Above, *, ages: bool
) -> Iterator[FindingRecord]:
    connection = database.connection()
    found = {
        row[0]: (finding_row(row[1:25]), *row[25:])
        for row in connection.execute(
            f"SELECT t.id, {COLUMNS}, f.at, o.evidence, t.reason, t.decision, t.resource, "
            "(SELECT coalesce(v.due, '') FROM vulnerability v WHERE v.cve = f.cve "
            f"AND v.kev IS NOT NULL), {BROKEN if ages else 0} "
            f"FROM {BY_ID} {JOINS} WHERE t.scan = ? AND w.id IN ({','.join('?' * len(ids))})",
            (scan_id, *ids),
        )
    }
    services = above.of(connection, {entry[5] for entry in found.values()})
    decisions = _decisions(connection, {entry[4] for entry in found.values() if entry[4]})
    times = {}
    if ages:
        rows = [entry[0] for entry in found.values()]
        broken = {entry[0].id for entry in found.values() if entry[7]}
        times = ageings(connection, scan_id, rows, database.now(), broken)
    for number in ids:
        if number not in found:  # its scan was deleted while we were reading
            continue
        row, place, proof, reason, decision, owner, kev_due, _ = found[number]
        yield FindingRecord(
            row,
            place,
            proof,
            reason if row.unconfirmed else "",
            decisions.get(decision),
            services.get(owner, ()),
            times.get(row.id),
            kev_due is not None,
            kev_due or "",
        )


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
