"""Scores over the saved scans, and what moved them."""

# ruff: noqa: S608  (only names of our own tables are put together; values are bound)

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from undercroft.risk.trends import Cause, Change, TrendPoint
from undercroft.store import scans
from undercroft.store.causes import Compared
from undercroft.store.connection import Database
from undercroft.store.fresh import ensure_fresh
from undercroft.views import ScanRow

__all__ = ["change_of", "change_of_all", "trend", "trends_of"]

_PART = 400
_MOST = 500
"""Services whose change is taken apart for the whole; the ones that moved most."""
_VISIBLE = 0.05
_THEN = "CASE WHEN v.scan = ? THEN v.score ELSE coalesce(v.saved, v.score) END"
"""Of the scan that is looked at the score as it is, of earlier ones as it was when they were saved."""


def trend(database: Database, scan_id: int) -> list[TrendPoint]:
    """See ``Store.trend``."""
    connection = database.connection()
    rows = connection.execute(
        f"SELECT v.scan, sum({_THEN}), count(*) FROM service v JOIN scan s ON s.id = v.scan "
        f"WHERE v.scan <= ? AND s.state IN {scans.FINISHED} GROUP BY v.scan ORDER BY v.scan",
        (scan_id, scan_id),
    ).fetchall()
    return [TrendPoint(scans.row(connection, scan), total, many) for scan, total, many in rows]


def trends_of(
    database: Database, scan_id: int, keys: Sequence[str]
) -> dict[str, list[float | None]]:
    """See ``Store.trends_of``."""
    connection = database.connection()
    order = [
        row[0]
        for row in connection.execute(
            f"SELECT id FROM scan WHERE id <= ? AND state IN {scans.FINISHED} ORDER BY id",
            (scan_id,),
        )
    ]
    place = {scan: index for index, scan in enumerate(order)}
    found: dict[str, list[float | None]] = {key: [None] * len(order) for key in keys}
    for start in range(0, len(keys), _PART):
        part = keys[start : start + _PART]
        for key, scan, score in connection.execute(
            f"SELECT r.key, v.scan, {_THEN} FROM resource r JOIN service v ON v.resource = r.id "
            f"WHERE r.key IN ({','.join('?' * len(part))})",
            (scan_id, *part),
        ):
            if scan in place:
                found[key][place[scan]] = score
    return found


def change_of(database: Database, scan_id: int, service_key: str) -> Change | None:
    """See ``Store.change_of``."""
    ensure_fresh(database, scan_id)
    with database.snapshot() as connection:
        since = _scan_before(connection, scan_id)
        row = connection.execute("SELECT id FROM resource WHERE key = ?", (service_key,)).fetchone()
        if since is None or row is None or not _knows(connection, since.id, row[0]):
            return None
        before, after, causes = Compared(connection, since.id, scan_id).service(row[0])
    return Change(since, before, after, _largest_first(causes))


def change_of_all(database: Database, scan_id: int) -> Change | None:
    """See ``Store.change_of_all``."""
    ensure_fresh(database, scan_id)
    with database.snapshot() as connection:
        since = _scan_before(connection, scan_id)
        if since is None:
            return None
        moved = connection.execute(
            "SELECT v.resource, abs(v.score - coalesce(p.saved, p.score, 0)) AS by FROM service v "
            "LEFT JOIN service p ON p.scan = ? AND p.resource = v.resource WHERE v.scan = ? "
            "AND by >= ? UNION "
            "SELECT p.resource, coalesce(p.saved, p.score) FROM service p LEFT JOIN service v "
            "ON v.scan = ? AND v.resource = p.resource WHERE p.scan = ? AND v.resource IS NULL "
            "ORDER BY by DESC, 1",
            (since.id, scan_id, _VISIBLE, scan_id, since.id),
        ).fetchall()
        compared = Compared(connection, since.id, scan_id)
        sums: dict[str, tuple[float, int]] = {}
        for service, _ in moved[:_MOST]:
            for cause in compared.service(service)[2]:
                points, findings = sums.get(cause.name, (0.0, 0))
                sums[cause.name] = (points + cause.points, findings + cause.findings)
        before, after = (
            connection.execute(
                f"SELECT coalesce(sum({column}), 0) FROM service WHERE scan = ?", (each,)
            ).fetchone()[0]
            for each, column in ((since.id, "coalesce(saved, score)"), (scan_id, "score"))
        )
    causes = [Cause(name, points, findings) for name, (points, findings) in sums.items()]
    return Change(since, before, after, _largest_first(causes), max(len(moved) - _MOST, 0))


def _scan_before(connection: sqlite3.Connection, scan_id: int) -> ScanRow | None:
    row = connection.execute(
        f"SELECT max(id) FROM scan WHERE id < ? AND state IN {scans.FINISHED}", (scan_id,)
    ).fetchone()
    return None if row[0] is None else scans.row(connection, row[0])


def _knows(connection: sqlite3.Connection, scan_id: int, service: int) -> bool:
    row = connection.execute(
        "SELECT 1 FROM service WHERE scan = ? AND resource = ?", (scan_id, service)
    ).fetchone()
    return row is not None


def _largest_first(causes: Sequence[Cause]) -> tuple[Cause, ...]:
    kept = [cause for cause in causes if abs(cause.points) >= _VISIBLE]
    return tuple(sorted(kept, key=lambda cause: (-abs(cause.points), cause.name)))
