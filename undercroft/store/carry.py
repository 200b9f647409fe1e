"""What a scan could not look at keeps standing as it was last seen, so that blindness never helps.

A service whose listing was denied stays in the list, on everything that it stood on; its findings
are marked as unconfirmed. Only gaps carry: what a complete listing does not name is gone, and what
was not asked for is not part of the scan.
"""

# ruff: noqa: S608  (only names of our own tables are put together; values are bound)

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from undercroft.model import Outcome
from undercroft.store.connection import Database
from undercroft.store.coverage import Units
from undercroft.store.scans import FINISHED

__all__ = ["carry_over"]


class _Last(NamedTuple):
    """Where a resource was last seen."""

    resource: int
    scan: int
    body: int
    unit: int | None
    collected_at: str


def carry_over(database: Database, scan_id: int) -> None:
    """Take over from earlier scans what stands in the blind spots of this one."""
    connection = database.connection()
    units = Units(connection, scan_id)
    if not units.blind():
        return
    waiting = _hidden(connection, scan_id, units)
    carried: dict[int, _Last] = {last.resource: last for last in waiting}
    edges: list[tuple[int, int]] = []
    while waiting:
        last = waiting.pop()
        edges.append((last.resource, last.scan))
        # What it stood on may have been reached through it only, and therefore not been read.
        for beneath in _beneath(connection, scan_id, last):
            if beneath.resource not in carried:
                carried[beneath.resource] = beneath
                waiting.append(beneath)
    with database.transaction() as writing:
        _write(writing, scan_id, carried.values(), edges)


def _hidden(connection: sqlite3.Connection, scan_id: int, units: Units) -> list[_Last]:
    """Resources read before whose unit has a gap now."""
    found = []
    rows = connection.execute(
        "SELECT s.resource, s.scan, s.body, s.unit, s.collected_at, b.type, "
        "u.provider, u.scope, u.location, u.collector, b.provider, b.account, b.region, "
        "b.collector FROM (SELECT p.resource, max(p.scan) AS scan FROM snapshot p "
        "JOIN scan c ON c.id = p.scan JOIN body q ON q.id = p.body "
        f"WHERE p.scan < ?1 AND c.state IN {FINISHED} AND q.presence <> 'stub' "
        "GROUP BY p.resource) n JOIN snapshot s ON s.scan = n.scan AND s.resource = n.resource "
        "JOIN body b ON b.id = s.body LEFT JOIN unit u ON u.id = s.unit "
        "WHERE b.presence = 'read' AND NOT EXISTS (SELECT 1 FROM snapshot h "
        "JOIN body g ON g.id = h.body WHERE h.scan = ?1 AND h.resource = s.resource "
        "AND g.presence <> 'stub')",
        (scan_id,),
    ).fetchall()
    for row in rows:
        unit = row[6:10] if row[6] is not None else row[10:14]
        if units.absence(unit, row[5]).outcome is Outcome.UNKNOWN:
            found.append(_Last(*row[:5]))
    return found


def _beneath(connection: sqlite3.Connection, scan_id: int, last: _Last) -> list[_Last]:
    """What a carried resource stood on directly and this scan does not know at all."""
    return [
        _Last(*row)
        for row in connection.execute(
            "SELECT DISTINCT s.resource, s.scan, s.body, s.unit, s.collected_at "
            "FROM edge e JOIN snapshot s ON s.scan = e.scan AND s.resource = e.dst "
            "WHERE e.scan = ? AND e.src = ? AND NOT EXISTS (SELECT 1 FROM snapshot h "
            "WHERE h.scan = ? AND h.resource = e.dst)",
            (last.scan, last.resource, scan_id),
        ).fetchall()
    ]


def _write(
    connection: sqlite3.Connection,
    scan_id: int,
    carried: Iterable[_Last],
    edges: Iterable[tuple[int, int]],
) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO snapshot (scan, resource, body, unit, collected_at, carried) "
        "VALUES (?, ?, ?, ?, ?, 1)",
        ((scan_id, last.resource, last.body, last.unit, last.collected_at) for last in carried),
    )
    connection.executemany(
        "INSERT INTO edge (scan, src, dst, relation, via, certainty, detail) "
        "SELECT ?1, src, dst, relation, via, certainty, detail FROM edge o "
        "WHERE o.scan = ?2 AND o.src = ?3 AND NOT EXISTS (SELECT 1 FROM edge k WHERE k.scan = ?1 "
        "AND k.src = o.src AND k.dst = o.dst AND k.relation = o.relation AND k.via = o.via)",
        ((scan_id, scan, resource) for resource, scan in edges),
    )
