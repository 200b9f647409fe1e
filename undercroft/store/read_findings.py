"""The findings table: windows, counts, streams and groups."""

# ruff: noqa: S608  (only names of our own columns are put together; values are bound)

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from undercroft.model import LAYERS, Severity
from undercroft.store.choosing import JOINS, counted, first, page, where
from undercroft.store.connection import Database
from undercroft.store.encode import severity_of
from undercroft.store.errors import StoreError
from undercroft.store.fresh import ensure_fresh
from undercroft.views import FindingRow, GroupRow, Query

__all__ = ["COLUMNS", "JOINS", "count", "finding_row", "groups", "iterate", "window"]

COLUMNS = (
    "f.fid, u.name, o.title, t.severity, t.status, t.cause, t.unconfirmed, t.layer, b.provider, "
    "b.account, b.region, r.key, b.native_id, b.name, b.type, t.score, f.cve, f.package, "
    "t.services, t.first_seen, t.last_seen, t.until, t.owner, t.is_new"
)
_SEVERITY, _UNCONFIRMED, _LAYER, _NEW = (
    FindingRow._fields.index(name) for name in ("severity", "unconfirmed", "layer", "new")
)
_GROUPS = {
    # value, label, further grouping
    "rule": (
        "u.name",
        "CASE WHEN u.name = 'cve' THEN 'known vulnerabilities' ELSE max(o.title) END",
    ),
    "resource": ("r.key", "max(b.name)"),
    "account": ("b.account", "b.account"),
    "layer": ("t.layer", "t.layer"),
    "package": ("coalesce(f.package, '')", "coalesce(max(f.package), 'no package')"),
    "severity": ("t.severity", "t.severity"),
    "status": ("t.status", "t.status"),
}
_STREAM = 2_000


def window(
    database: Database, scan_id: int, query: Query, offset: int = 0, limit: int | None = None
) -> list[FindingRow]:
    """See ``Store.findings``."""
    ensure_fresh(database, scan_id)
    ids = page(database, scan_id, query, max(offset, 0), -1 if limit is None else max(limit, 0))
    return list(_rows(database, ids))


def count(database: Database, scan_id: int, query: Query) -> int:
    """See ``Store.count_findings``."""
    ensure_fresh(database, scan_id)
    return counted(database, scan_id, query)


def iterate(database: Database, scan_id: int, query: Query) -> Iterator[FindingRow]:
    """See ``Store.iter_findings``: the order is fixed at the start, rows are read as they are used."""
    ensure_fresh(database, scan_id)
    yield from _rows(database, list(first(database, scan_id, query, -1)))


def _rows(database: Database, ids: Sequence[int]) -> Iterator[FindingRow]:
    """Rows of some ids, in their order."""
    for start in range(0, len(ids), _STREAM):
        part = ids[start : start + _STREAM]
        rows = {
            row[0]: finding_row(row[1:])
            for row in database.connection().execute(
                f"SELECT t.id, {COLUMNS} FROM state t {JOINS} "
                f"WHERE t.id IN ({','.join('?' * len(part))})",
                part,
            )
        }
        yield from (rows[number] for number in part if number in rows)


def groups(database: Database, scan_id: int, query: Query, by: str) -> list[GroupRow]:
    """See ``Store.group_findings``; the largest groups of the worst severity come first."""
    ensure_fresh(database, scan_id)
    condition_, params, _ = where(database, scan_id, query)
    connection = database.connection()
    if by == "service":
        return _by_service(connection, scan_id, condition_, params)
    if by not in _GROUPS:
        msg = f"Findings cannot be grouped by {by!r}, only by {', '.join((*_GROUPS, 'service'))}."
        raise StoreError(msg)
    value, label = _GROUPS[by]
    found = [
        _group(by, *row)
        for row in connection.execute(
            f"SELECT {value}, {label}, count(*), max(t.severity), group_concat(DISTINCT t.resource) "
            f"FROM state t {JOINS} WHERE {condition_} GROUP BY 1",
            params,
        ).fetchall()
    ]
    counted = _distinct_services(connection, scan_id, [resources for _, resources in found])
    rows = [
        GroupRow(row.value, row.label, row.findings, row.worst, services)
        for (row, _), services in zip(found, counted, strict=True)
    ]
    return sorted(rows, key=_worst_first)


def finding_row(row: Sequence[Any]) -> FindingRow:
    """A row from ``COLUMNS``, whose order is that of the fields."""
    found = list(row)
    found[_SEVERITY] = Severity.from_rank(found[_SEVERITY])
    found[_UNCONFIRMED] = bool(found[_UNCONFIRMED])
    found[_LAYER] = LAYERS[found[_LAYER]]
    found[_NEW] = bool(found[_NEW])
    return FindingRow._make(found)


def _by_service(
    connection: sqlite3.Connection, scan_id: int, condition_: str, params: Sequence[Any]
) -> list[GroupRow]:
    rows = connection.execute(
        "SELECT r.key, b.name, sum(g.findings), max(g.worst) FROM ("
        "SELECT t.resource, count(*) AS findings, max(t.severity) AS worst FROM state t "
        f"WHERE {condition_} GROUP BY t.resource) g "
        "JOIN closure x ON x.scan = ? AND x.resource = g.resource "
        "JOIN service v ON v.scan = x.scan AND v.resource = x.service "
        "JOIN resource r ON r.id = v.resource JOIN body b ON b.id = v.body GROUP BY v.resource",
        (*params, scan_id),
    ).fetchall()
    found = [GroupRow(key, name, n, severity_of(worst), 1) for key, name, n, worst in rows]
    return sorted(found, key=_worst_first)


def _group(
    by: str, value: Any, label: Any, findings: int, worst: int, resources: str
) -> tuple[GroupRow, str]:
    if by == "layer":
        value = label = LAYERS[value].value
    elif by == "severity":
        value = label = Severity.from_rank(value).value
    row = GroupRow(str(value), str(label), findings, severity_of(worst), 0)
    return row, resources


def _distinct_services(
    connection: sqlite3.Connection, scan_id: int, groups_: Sequence[str]
) -> list[int]:
    return [
        int(
            connection.execute(
                "SELECT count(DISTINCT x.service) FROM json_each('[' || ? || ']') j "
                "CROSS JOIN closure x ON x.scan = ? AND x.resource = j.value",
                (resources, scan_id),
            ).fetchone()[0]
        )
        for resources in groups_
    ]


def _worst_first(row: GroupRow) -> tuple[int, int, str, str]:
    return (-(row.worst.rank if row.worst else -1), -row.findings, row.label, row.value)
