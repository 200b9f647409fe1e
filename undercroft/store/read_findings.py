"""The findings table: windows, counts, streams and groups."""

# ruff: noqa: S608  (only names of our own columns are put together; values are bound)

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from undercroft.model import LAYERS, Severity
from undercroft.store.columns import Lookup, condition, finding_columns
from undercroft.store.connection import Database
from undercroft.store.encode import LAYER_NUMBER, severity_of
from undercroft.store.errors import NotFoundError, StoreError
from undercroft.store.fresh import ensure_fresh
from undercroft.views import FindingRow, GroupRow, Query

__all__ = ["COLUMNS", "JOINS", "count", "finding_row", "groups", "iterate", "where", "window"]

COLUMNS = (
    "f.fid, u.name, o.title, t.severity, t.status, t.cause, t.unconfirmed, t.layer, b.provider, "
    "b.account, b.region, r.key, b.native_id, b.name, b.type, t.score, f.cve, f.package, "
    "t.services, t.first_seen, t.last_seen, t.until, t.owner, t.is_new"
)
_JOIN = {
    "f": "JOIN finding f ON f.id = t.finding",
    "u": "JOIN rule u ON u.id = t.rule",
    "o": "JOIN observation o ON o.id = t.observation",
    "b": "JOIN body b ON b.id = t.body",
    "r": "JOIN resource r ON r.id = t.resource",
}
JOINS = " ".join(_JOIN.values())
_ORDER = "t.score DESC, t.tie"
_SORTS = {
    "id": "f.fid",
    "rule": "u.name",
    "title": "o.title",
    "severity": "t.severity",
    "status": "t.status",
    "cause": "t.cause",
    "unconfirmed": "t.unconfirmed",
    "layer": "t.layer",
    "provider": "b.provider",
    "account": "b.account",
    "region": "b.region",
    "resource_key": "r.key",
    "resource_id": "b.native_id",
    "resource_name": "b.name",
    "resource_type": "b.type",
    "score": "t.score",
    "cve": "f.cve",
    "package": "f.package",
    "services": "t.services",
    "first_seen": "t.first_seen",
    "last_seen": "t.last_seen",
    "until": "t.until",
    "owner": "t.owner",
    "new": "t.is_new",
}
_MAY_BE_NULL = {"f.cve", "f.package", "t.until", "t.owner"}
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
    condition_, params = where(database, scan_id, query)
    order = _order(query)
    if _few_resources(condition_):
        # Their findings are sorted sooner than the whole list is walked in its order.
        order = order.replace("t.score", "+t.score", 1)
    # Ids first: an index may hold all that choosing takes, and rows that are passed over are not read.
    ids = (
        f"SELECT t.id FROM state t {_sort_joins(query)}WHERE {condition_} ORDER BY {order} LIMIT ?"
    )
    connection = database.connection()
    start, rows = max(offset, 0), -1 if limit is None else max(limit, 0)

    def first(most: int) -> Iterator[int]:
        return (row[0] for row in connection.execute(ids, (*params, most)))

    remembered = database.positions.page(
        (database.meta("revision"), ids, *params), start, rows, first
    )
    if remembered is not None:
        return list(_rows(database, remembered))
    found = connection.execute(
        f"SELECT {COLUMNS} FROM ({ids} OFFSET ?) w CROSS JOIN state t ON t.id = w.id {JOINS} "
        f"ORDER BY {order}",
        (*params, rows, start),
    )
    return [finding_row(row) for row in found.fetchall()]


def count(database: Database, scan_id: int, query: Query) -> int:
    """See ``Store.count_findings``."""
    ensure_fresh(database, scan_id)
    condition_, params = where(database, scan_id, query)
    row = database.connection().execute(f"SELECT count(*) FROM state t WHERE {condition_}", params)
    return int(row.fetchone()[0])


def iterate(database: Database, scan_id: int, query: Query) -> Iterator[FindingRow]:
    """See ``Store.iter_findings``: the order is fixed at the start, rows are read as they are used."""
    ensure_fresh(database, scan_id)
    condition_, params = where(database, scan_id, query)
    ids = [
        row[0]
        for row in database.connection().execute(
            f"SELECT t.id FROM state t {_sort_joins(query)}WHERE {condition_} "
            f"ORDER BY {_order(query)}",
            params,
        )
    ]
    yield from _rows(database, ids)


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
    condition_, params = where(database, scan_id, query)
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


def where(database: Database, scan_id: int, query: Query) -> tuple[str, list[Any]]:
    """The condition of a query on ``state t``. FilterError; NotFoundError for its service."""
    parts, params = ["t.scan = ?"], [scan_id]
    values: list[Any] = list(params)
    text, bound = condition(database, query.filter, scan_id, finding_columns)
    if text != "1":
        parts.append(f"({text})")
        values += bound
    if query.service is not None:
        connection = database.connection()
        row = connection.execute(
            "SELECT v.resource FROM service v JOIN resource r ON r.id = v.resource "
            "WHERE v.scan = ? AND r.key = ?",
            (scan_id, query.service),
        )
        found = row.fetchone()
        if found is None:
            msg = f"This scan has no AI service {query.service!r}."
            raise NotFoundError(msg)
        beneath = "SELECT resource FROM closure WHERE scan = ? AND service = ?"
        text, bound = Lookup(connection).among("t.resource", beneath, [scan_id, found[0]])
        parts.append(text)
        values += bound
    if query.layer is not None:
        parts.append("t.layer = ?")
        values.append(LAYER_NUMBER[query.layer])
    return " AND ".join(parts), values


def finding_row(row: Sequence[Any]) -> FindingRow:
    """A row from ``COLUMNS``."""
    fid, rule, title, severity, status, cause, unconfirmed, layer, *rest = row
    provider, account, region, key, native_id, name, type_, score, cve, package, *rest = rest
    services, first_seen, last_seen, until, owner, is_new = rest
    return FindingRow(
        id=fid,
        rule=rule,
        title=title,
        severity=Severity.from_rank(severity),
        status=status,
        cause=cause,
        unconfirmed=bool(unconfirmed),
        layer=LAYERS[layer],
        provider=provider,
        account=account,
        region=region,
        resource_key=key,
        resource_id=native_id,
        resource_name=name,
        resource_type=type_,
        score=score,
        cve=cve,
        package=package,
        services=services,
        first_seen=first_seen,
        last_seen=last_seen,
        until=until,
        owner=owner,
        new=bool(is_new),
    )


def _order(query: Query) -> str:
    if not query.sort:
        return _ORDER if query.descending else "t.score ASC, t.tie DESC"
    expr = _SORTS.get(query.sort)
    if expr is None:
        msg = f"Findings cannot be sorted by {query.sort!r}, only by {', '.join(_SORTS)}."
        raise StoreError(msg)
    direction = "DESC" if query.descending else "ASC"
    if expr == "t.score":
        return _ORDER if query.descending else "t.score ASC, t.tie"
    # What has no value comes last in either direction.
    last = f"{expr} IS NULL, " if expr in _MAY_BE_NULL else ""
    return f"{last}{expr} {direction}, {_ORDER}"


def _few_resources(condition_: str) -> bool:
    """Whether only findings of some resources, named one by one, are asked for."""
    return "t.resource IN (?" in condition_ and not any(
        word in condition_ for word in (" OR ", "NOT ")
    )


def _sort_joins(query: Query) -> str:
    """Only what the order asks for: the default order needs no other table."""
    alias = _SORTS.get(query.sort, "t.score").partition(".")[0]
    return f"{_JOIN[alias]} " if alias in _JOIN else ""


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
