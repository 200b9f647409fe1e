"""Scores over the saved scans, and what moved them."""

# ruff: noqa: S608  (only names of our own tables are put together; values are bound)

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from undercroft.risk.trends import Cause, Change, Entry, TrendPoint, attribute
from undercroft.store import scans
from undercroft.store.connection import Database
from undercroft.store.encode import load
from undercroft.store.fresh import ensure_fresh
from undercroft.store.rollup import score_items
from undercroft.views import ScanRow

__all__ = ["change_of", "change_of_all", "trend", "trends_of"]

_PART = 400
_MOST = 500
"""Services whose change is taken apart for the whole; the ones that moved most."""
_VISIBLE = 0.05


def trend(database: Database, scan_id: int) -> list[TrendPoint]:
    """See ``Store.trend``."""
    connection = database.connection()
    rows = connection.execute(
        "SELECT v.scan, sum(v.score), count(*) FROM service v JOIN scan s ON s.id = v.scan "
        f"WHERE v.scan <= ? AND s.state IN {scans.FINISHED} GROUP BY v.scan ORDER BY v.scan",
        (scan_id,),
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
            "SELECT r.key, v.scan, v.score FROM resource r JOIN service v ON v.resource = r.id "
            f"WHERE r.key IN ({','.join('?' * len(part))})",
            tuple(part),
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
        before, after, causes = _Compared(connection, since.id, scan_id).service(row[0])
    return Change(since, before, after, _largest_first(causes))


def change_of_all(database: Database, scan_id: int) -> Change | None:
    """See ``Store.change_of_all``."""
    ensure_fresh(database, scan_id)
    with database.snapshot() as connection:
        since = _scan_before(connection, scan_id)
        if since is None:
            return None
        moved = connection.execute(
            "SELECT v.resource, abs(v.score - coalesce(p.score, 0)) AS by FROM service v "
            "LEFT JOIN service p ON p.scan = ? "
            "AND p.resource = v.resource WHERE v.scan = ? "
            "AND abs(v.score - coalesce(p.score, 0)) >= ? UNION "
            "SELECT p.resource, p.score FROM service p LEFT JOIN service v ON v.scan = ? "
            "AND v.resource = p.resource WHERE p.scan = ? AND v.resource IS NULL "
            "ORDER BY by DESC, 1",
            (since.id, scan_id, _VISIBLE, scan_id, since.id),
        ).fetchall()
        compared = _Compared(connection, since.id, scan_id)
        sums: dict[str, tuple[float, int]] = {}
        for service, _ in moved[:_MOST]:
            for cause in compared.service(service)[2]:
                points, findings = sums.get(cause.name, (0.0, 0))
                sums[cause.name] = (points + cause.points, findings + cause.findings)
        totals = [
            connection.execute(
                "SELECT coalesce(sum(score), 0) FROM service WHERE scan = ?", (each,)
            ).fetchone()[0]
            for each in (since.id, scan_id)
        ]
    causes = [Cause(name, points, findings) for name, (points, findings) in sums.items()]
    return Change(since, totals[0], totals[1], _largest_first(causes), max(len(moved) - _MOST, 0))


class _Compared:
    """Two scans, and why a finding counts in one of them as it does not in the other."""

    def __init__(self, connection: sqlite3.Connection, before: int, after: int) -> None:
        self._connection = connection
        self._before, self._after = before, after
        self._rules = [self._versions(before), self._versions(after)]

    def service(self, number: int) -> tuple[float, float, list[Cause]]:
        """(score before, after, causes) of one service."""
        entries = [self._entries(scan, number) for scan in (self._before, self._after)]
        return attribute(entries[0], entries[1], lambda finding: self._cause(finding, entries))

    def _entries(self, scan: int, service: int) -> dict[str, Entry]:
        return {
            item.finding: Entry(item.layer, value)
            for item, value in score_items(self._connection, scan, service)
            if not item.accepted
        }

    def _cause(self, finding: str, entries: Sequence[Mapping[str, Entry]]) -> str:
        then, now = (self._state(finding, scan) for scan in (self._before, self._after))
        rule = (now or then or ("",))[0]
        old, new = (rules.get(rule) for rules in self._rules)
        if finding not in entries[1]:
            return self._why_gone(now, new)
        if finding not in entries[0]:
            return self._why_there(then, now, old)
        if old != new:
            return "rules"
        if then and now and then[2] != now[2] and then[4] == now[4]:
            # The same rating, exposure, criticality and place, another weight.
            return "feed" if now[5] else "structure"
        return "structure"

    @staticmethod
    def _why_gone(now: tuple[Any, ...] | None, rule: str | None) -> str:
        status = now[1] if now else ""
        if status in ("accepted", "false_positive"):
            return "decision"
        if status in ("fixed", "gone"):
            return "fixed"
        if status == "retired" or rule is None:
            return "rules"
        return "structure"

    @staticmethod
    def _why_there(
        then: tuple[Any, ...] | None, now: tuple[Any, ...] | None, rule: str | None
    ) -> str:
        if then is not None and then[1] in ("accepted", "false_positive"):
            return "decision"
        if then is not None and then[1] not in ("fixed", "gone", "retired"):
            return "structure"
        if rule is None:
            return "rules"
        if then is None and now is not None and not now[6]:
            return "coverage"
        return "new"

    def _state(self, finding: str, scan: int) -> tuple[Any, ...] | None:
        """(rule, status, hazard, layer, (severity, exposure, criticality), is CVE, first seen there or not)."""
        row = self._connection.execute(
            "SELECT u.name, t.status, t.hazard, t.layer, t.severity || t.exposure || t.criticality, "
            "f.cve IS NOT NULL, coalesce((SELECT b.presence <> 'stub' FROM snapshot s "
            "JOIN body b ON b.id = s.body WHERE s.scan = ? AND s.resource = t.resource), 1) "
            "FROM finding f JOIN state t ON t.finding = f.id AND t.scan = ? "
            "JOIN rule u ON u.id = f.rule WHERE f.fid = ?",
            (self._before, scan, finding),
        ).fetchone()
        return None if row is None else tuple(row)

    def _versions(self, scan: int) -> Mapping[str, str]:
        found: Mapping[str, str] = load(
            self._connection.execute("SELECT rules FROM scan WHERE id = ?", (scan,)).fetchone()[0]
        )
        return found


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
