"""Findings by what they have in common: rule, resource, service, account, layer, package, …"""

# ruff: noqa: S608  (only names of our own tables and columns are put together; values are bound)

from __future__ import annotations

import sqlite3
from typing import Any

from undercroft.model import LAYERS, Severity
from undercroft.store.choosing import kept_counts, where
from undercroft.store.connection import Database
from undercroft.store.encode import severity_of
from undercroft.store.errors import StoreError
from undercroft.store.fresh import ensure_fresh
from undercroft.views import GroupRow, Query

__all__ = ["groups"]

_BY_COUNTS = {
    "rule": "t.rule",
    "resource": "t.resource",
    "service": "t.resource",
    "account": "t.resource",
    "layer": "t.layer",
    "severity": "t.severity",
    "status": "t.status",
}
"""Property → what findings are put together by at first; resources are told apart in any case."""
_BODY = (
    "coalesce((SELECT s.body FROM snapshot s WHERE s.scan = :scan AND s.resource = g.resource), "
    # What this scan did not read keeps the body that was read last.
    "(SELECT t.body FROM state t WHERE t.scan = :scan AND t.resource = g.resource LIMIT 1))"
)
_ABOVE = "temp.grouped g CROSS JOIN closure x ON x.scan = :scan AND x.resource = g.resource"
_RULE = (
    "SELECT u.name, CASE WHEN u.name = 'cve' THEN 'known vulnerabilities' ELSE (SELECT o.title "
    "FROM state t JOIN observation o ON o.id = t.observation WHERE t.scan = :scan "
    "AND t.rule = :value ORDER BY t.score DESC, t.tie LIMIT 1) END FROM rule u WHERE u.id = :value"
)
"""Labelled by its worst finding."""
_SERVICE = (
    "SELECT r.key, b.name FROM service v JOIN resource r ON r.id = v.resource "
    "JOIN body b ON b.id = v.body WHERE v.scan = :scan AND v.resource = :value"
)
_NAMED = {"rule": _RULE, "service": _SERVICE}
"""How the value and label of a group are asked for."""
_RESOURCES = (
    # All at once: these groups are very many.
    "SELECT r.key, b.name, g.findings, g.worst, (SELECT count(*) FROM closure x "
    "WHERE x.scan = :scan AND x.resource = g.resource) FROM temp.grouped g "
    f"JOIN resource r ON r.id = g.resource JOIN body b ON b.id = {_BODY}"
)


def groups(database: Database, scan_id: int, query: Query, by: str) -> list[GroupRow]:
    """See ``Store.group_findings``; the largest groups of the worst severity come first."""
    ensure_fresh(database, scan_id)
    if by == "package":
        return sorted(_by_package(database, scan_id, query), key=_worst_first)
    if by not in _BY_COUNTS:
        known = ", ".join((*_BY_COUNTS, "package"))
        msg = f"Findings cannot be grouped by {by!r}, only by {known}."
        raise StoreError(msg)
    connection = database.connection()
    scan = {"scan": scan_id}
    _gather(connection, database, scan_id, query, by)
    try:
        if by == "account":
            connection.execute(
                f"UPDATE temp.grouped AS g SET value = (SELECT b.account FROM body b WHERE b.id = {_BODY})",
                scan,
            )
        if by == "resource":
            named = connection.execute(_RESOURCES, scan).fetchall()
            return sorted(
                (
                    GroupRow(key, name, n, severity_of(worst), services)
                    for key, name, n, worst, services in named
                ),
                key=_worst_first,
            )
        if by == "service":
            totals = connection.execute(
                "SELECT x.service, sum(g.findings), max(g.worst), 1 "
                f"FROM {_ABOVE} GROUP BY x.service",
                scan,
            ).fetchall()
        else:
            totals = connection.execute(
                "SELECT g.value, sum(g.findings), max(g.worst), (SELECT count(*) "
                "FROM (SELECT DISTINCT x.service FROM temp.grouped h CROSS JOIN closure x "
                "ON x.scan = :scan AND x.resource = h.resource WHERE h.value = g.value)) "
                "FROM temp.grouped g GROUP BY g.value",
                scan,
            ).fetchall()
        found = [
            GroupRow(*_words(connection, scan_id, by, value), n, severity_of(worst), services)
            for value, n, worst, services in totals
        ]
    finally:
        connection.execute("DROP TABLE temp.grouped")
    return sorted(found, key=_worst_first)


def _gather(
    connection: sqlite3.Connection, database: Database, scan_id: int, query: Query, by: str
) -> None:
    """Count by property and resource, into a table of this connection's own."""
    kept = kept_counts(database, scan_id, query)
    if kept is not None:
        asked, source, number = kept, "tally t", "sum(t.findings)"
    else:
        asked, source, number = where(database, scan_id, query), "state t", "count(*)"
    connection.execute("DROP TABLE IF EXISTS temp.grouped")
    connection.execute(
        "CREATE TABLE temp.grouped (value, resource INTEGER, findings INTEGER, worst INTEGER)"
    )
    connection.execute(
        f"INSERT INTO temp.grouped SELECT {_BY_COUNTS[by]}, t.resource, {number}, "
        f"max(t.severity) FROM {source} WHERE {asked.text} GROUP BY 1, 2",
        asked.params,
    )
    connection.execute("CREATE INDEX temp.grouped_value ON grouped (value, resource)")


def _by_package(database: Database, scan_id: int, query: Query) -> list[GroupRow]:
    """Group by what the counts do not know."""
    connection = database.connection()
    asked = where(database, scan_id, query)
    found = connection.execute(
        "SELECT coalesce(f.package, ''), coalesce(max(f.package), 'no package'), count(*), "
        "max(t.severity), group_concat(DISTINCT t.resource) FROM state t "
        f"JOIN finding f ON f.id = t.finding WHERE {asked.text} GROUP BY 1",
        asked.params,
    ).fetchall()
    return [
        GroupRow(
            name,
            words,
            n,
            severity_of(worst),
            connection.execute(
                "SELECT count(DISTINCT x.service) FROM json_each('[' || ? || ']') j "
                "CROSS JOIN closure x ON x.scan = ? AND x.resource = j.value",
                (resources, scan_id),
            ).fetchone()[0],
        )
        for name, words, n, worst, resources in found
    ]


def _words(connection: sqlite3.Connection, scan_id: int, by: str, value: Any) -> tuple[str, str]:
    """Value and label of a group."""
    if by in _NAMED:
        row = connection.execute(_NAMED[by], {"scan": scan_id, "value": value}).fetchone()
        return str(row[0]), str(row[1])
    if by == "layer":
        value = LAYERS[value].value
    elif by == "severity":
        value = Severity.from_rank(value).value
    return str(value), str(value)


def _worst_first(row: GroupRow) -> tuple[int, int, str, str]:
    return (-(row.worst.rank if row.worst else -1), -row.findings, row.label, row.value)
