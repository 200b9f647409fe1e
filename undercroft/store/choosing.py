"""Which findings a list shows, in which order: their row ids and their number.

Two ways lead to the first page. Where what is asked for is frequent, the index of the list's order
(or of what it is sorted by, and from there to the findings) is walked until enough was met. Where it is rare, that walk would touch every row in an order that the
disk does not have: then all that match are collected by what names them and sorted. A walk that has
gone on for too long is given up for the other way.
"""

# ruff: noqa: S608  (only names of our own tables and columns are put together; values are bound)

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from undercroft.filter import FilterError
from undercroft.store.columns import condition, finding_columns
from undercroft.store.connection import Database
from undercroft.store.encode import LAYER_NUMBER
from undercroft.store.errors import NotFoundError, StoreError
from undercroft.store.lookup import Lookup
from undercroft.store.positions import NEAR
from undercroft.views import Query

__all__ = [
    "BY_ID",
    "JOINS",
    "SORTS",
    "Condition",
    "counted",
    "first",
    "kept_counts",
    "page",
    "where",
]

_JOIN = {
    "f": "JOIN finding f ON f.id = t.finding",
    "u": "JOIN rule u ON u.id = t.rule",
    "o": "JOIN observation o ON o.id = t.observation",
    "b": "JOIN body b ON b.id = t.body",
    "r": "JOIN resource r ON r.id = t.resource",
}
JOINS = " ".join(_JOIN.values())
BY_ID = "state_row w CROSS JOIN state t ON t.id = w.id"
"""``state t`` from rows ``w`` that are known by id. Of the view alone SQLite would read all there is
of a scan and look at the ids.
"""
_ORDER = "t.score DESC, t.tie"
SORTS = {
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
    "resource_key": "r.key COLLATE NOCASE",
    "resource_id": "b.native_id COLLATE NOCASE",
    "resource_name": "b.name COLLATE NOCASE",
    "resource_type": "b.type",
    "score": "t.score",
    "cve": "f.cve COLLATE NOCASE",
    "package": "f.package COLLATE NOCASE",
    "services": "t.services",
    "first_seen": "t.first_seen",
    "last_seen": "t.last_seen",
    "until": "t.until",
    "owner": "t.owner",
    "new": "t.is_new",
}
"""Column of a row → what it is sorted by."""
_MAY_BE_NULL = {"cve", "package", "until", "owner"}

_OF_BODIES = (
    "body b CROSS JOIN state t ON t.body = b.id "
    "AND t.resource IN (SELECT s.resource FROM snapshot s WHERE s.body = b.id)"
)
_LED = {
    "resource_name": _OF_BODIES,
    "resource_id": _OF_BODIES,
    "resource_key": "resource r CROSS JOIN state t ON t.resource = r.id",
    "rule": "rule u CROSS JOIN state t ON t.rule = u.id",
    "cve": "finding f CROSS JOIN state t ON t.finding = f.id AND f.cve COLLATE NOCASE >= ''",
    "package": "finding f CROSS JOIN state t ON t.finding = f.id AND f.package COLLATE NOCASE >= ''",
}
"""Column of a row → from what has an index in its order to the findings: the first of a list come
without looking at all of it.
"""

_PATIENCE = 400_000
"""Steps of SQLite's machine (some 20 ms) before a walk is given up."""
_LONGER = 5
"""Times as many for what is frequent, where the other way reads all there is."""
_GATHERED = 5_000
"""Rows that are collected and sorted without trying to walk first."""
_BY_NAME = ("(finding=?", "state_until", "state_owner", "state_unconfirmed")
"""How a plan tells that it collects few rows."""
_BY_RESOURCE = "line=? AND resource=?"
_READS_ALL = "(line=?)"
_TALLIED = ("severity", "status", "layer", "combination", "service", "rule")
"""Keys that can be asked of the counts per resource as well as of findings."""


class Condition(NamedTuple):
    """What is asked of ``state t``."""

    text: str
    params: list[Any]
    resources: list[int]
    """Resources that it names one by one."""
    is_frequent: bool
    """Whether something in it holds for so many findings that each row is asked."""

    @property
    def is_near(self) -> bool:
        """Whether it would be asked otherwise of a whole list."""
        return "EXISTS" in self.text

    @property
    def is_all(self) -> bool:
        """Whether it asks for nothing but a scan."""
        return self.text == "t.scan = ?"


def where(database: Database, scan: int, query: Query, *, near: bool = False) -> Condition:
    """The condition of a query. FilterError; NotFoundError for its service. ``near``: for a walk."""
    lookup = Lookup(database, scan, near=near)
    return _where(database, lookup, query, finding_columns(lookup))


def _where(database: Database, lookup: Lookup, query: Query, columns: Any) -> Condition:
    parts, values = ["t.scan = ?"], [lookup.scan]
    params: list[Any] = list(values)
    text, bound = condition(query.filter, columns, database.clock())
    if text != "1":
        parts.append(f"({text})")
        params += bound
    if query.service is not None:
        service = _service(database.connection(), lookup.scan, query.service)
        beneath = "SELECT resource FROM closure WHERE scan = ? AND service = ?"
        text, bound = lookup.among("t.resource", beneath, [lookup.scan, service])
        parts.append(text)
        params += bound
    if query.layer is not None:
        parts.append("t.layer = ?")
        params.append(LAYER_NUMBER[query.layer])
    return Condition(" AND ".join(parts), params, lookup.resources, lookup.is_frequent)


def page(database: Database, scan: int, query: Query, start: int, rows: int) -> Sequence[int]:
    """The row ids of one page (``rows`` below 0: to the end), however far down."""
    if start > NEAR:
        asked = where(database, scan, query, near=True)
        # The same question finds what was remembered, as long as nobody has written since.
        key = (database.meta("revision"), _statement(query, asked, _order(query)), *asked.params)
        known = database.positions.page(
            key, start, rows, lambda most: first(database, scan, query, most)
        )
        if known is not None:
            return known
    return list(first(database, scan, query, rows, start))


def first(database: Database, scan: int, query: Query, most: int, skip: int = 0) -> Iterator[int]:
    """The row ids of the first ``most`` findings of a list (below 0: all) after ``skip`` others."""
    connection = database.connection()
    order = _order(query)
    walked = where(database, scan, query, near=0 <= most <= NEAR)
    if 0 <= most <= NEAR and query.sort in _LED:
        found = _led(database, query, walked, most, skip)
        if found is not None:
            return iter(found)
    statement = _statement(query, walked, order)
    if walked.is_all or (0 <= most <= NEAR and _walks(database, query, walked, statement)):
        found = _patiently(
            database,
            statement,
            (*walked.params, most, skip),
            patience=None if walked.is_all else _patience(database, query, walked),
        )
        if found is not None:
            return iter(found)
    chosen = where(database, scan, query) if walked.is_near else walked
    # The plus keeps SQLite off the index of the order.
    return (
        row[0]
        for row in connection.execute(
            _statement(query, chosen, f"+{order}"), (*chosen.params, most, skip)
        )
    )


def _led(
    database: Database, query: Query, walked: Condition, most: int, skip: int
) -> list[int] | None:
    """The same from what the list is sorted by; None where that cannot tell, or takes too long."""
    if _LED[query.sort] is _OF_BODIES and Lookup(database, walked.params[0]).strays() != []:
        return None
    if not walked.is_all and _names_few(database, query, walked):
        return None
    statement = (
        f"SELECT t.id FROM {_LED[query.sort]} WHERE {walked.text} "
        f"ORDER BY {_by(query)}, {_ORDER} LIMIT ? OFFSET ?"
    )
    found = _patiently(database, statement, (*walked.params, most, skip), patience=_PATIENCE)
    # What has no value, and is not in here, comes last.
    enough = found is not None and (len(found) == most or query.sort not in _MAY_BE_NULL)
    return found if enough else None


def counted(database: Database, scan: int, query: Query) -> int:
    """How many findings a list has; from the counts that are kept, where these can tell."""
    connection = database.connection()
    kept = kept_counts(database, scan, query)
    if kept is None:
        chosen = where(database, scan, query)
        row = connection.execute(f"SELECT count(*) FROM state t WHERE {chosen.text}", chosen.params)
    else:
        row = connection.execute(
            f"SELECT coalesce(sum(t.findings), 0) FROM tally t WHERE {kept.text}", kept.params
        )
    return int(row.fetchone()[0])


def kept_counts(database: Database, scan: int, query: Query) -> Condition | None:
    """The query as a condition on ``tally t``, if the counts that are kept per resource can tell."""
    lookup = Lookup(database, scan)
    columns = finding_columns(lookup)
    try:
        return _where(database, lookup, query, {key: columns[key] for key in _TALLIED})
    except FilterError:
        return None


def _service(connection: sqlite3.Connection, scan: int, key: str) -> int:
    found = connection.execute(
        "SELECT v.resource FROM service v JOIN resource r ON r.id = v.resource "
        "WHERE v.scan = ? AND r.key = ?",
        (scan, key),
    ).fetchone()
    if found is None:
        msg = f"This scan has no AI service {key!r}."
        raise NotFoundError(msg)
    return int(found[0])


def _walks(database: Database, query: Query, asked: Condition, statement: str) -> bool:
    """Whether the order has an index, and nothing names few enough rows to collect them."""
    if "TEMP B-TREE" in _plan(database, statement, asked):
        return False
    return not _names_few(database, query, asked)


def _names_few(database: Database, query: Query, asked: Condition) -> bool:
    """Whether the query names so few rows that they are best collected."""
    collected = _how_collected(database, query, asked)
    if any(name in collected for name in _BY_NAME):
        return True
    if _BY_RESOURCE not in collected:
        return False
    marks = ",".join("?" * len(asked.resources))
    (rows,) = (
        database.connection()
        .execute(
            f"SELECT coalesce(sum(findings), 0) FROM tally WHERE scan = ? AND resource IN ({marks})",
            (asked.params[0], *asked.resources),
        )
        .fetchone()
    )
    return bool(rows <= _GATHERED)


def _patience(database: Database, query: Query, asked: Condition) -> int:
    """Steps after which a walk is given up."""
    reads_all = _READS_ALL in _how_collected(database, query, asked)
    return _PATIENCE * _LONGER if asked.is_frequent and reads_all else _PATIENCE


def _how_collected(database: Database, query: Query, asked: Condition) -> str:
    """The plan for all that match, whatever the order."""
    return _plan(database, _statement(query, asked, f"+{_order(query)}"), asked)


def _plan(database: Database, statement: str, asked: Condition) -> str:
    """How SQLite would go about it; asked once per statement."""
    known = database.plans
    found = known.get(statement)
    if found is None:
        steps = database.connection().execute(
            f"EXPLAIN QUERY PLAN {statement}", (*asked.params, 1, 0)
        )
        found = "\n".join(step[3] for step in steps.fetchall())
        if len(known) > 500:
            known.clear()
        known[statement] = found
    return found


def _patiently(
    database: Database, statement: str, params: tuple[Any, ...], *, patience: int | None
) -> list[int] | None:
    """The rows, or None if that takes more steps than this."""
    connection = database.connection()
    if patience is not None:
        connection.set_progress_handler(lambda: 1, patience)
    try:
        return [row[0] for row in connection.execute(statement, params)]
    except sqlite3.OperationalError as error:
        if patience is None or error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        return None
    finally:
        if patience is not None:
            database.look_up_now_and_then()


def _statement(query: Query, asked: Condition, order: str) -> str:
    """Ids only: an index may hold all that choosing takes, and what is passed over is not read."""
    alias = SORTS.get(query.sort, "t.score").partition(".")[0]
    # Only what the order asks for: the default order needs no other table.
    join = f"{_JOIN[alias]} " if alias in _JOIN else ""
    return f"SELECT t.id FROM state t {join}WHERE {asked.text} ORDER BY {order} LIMIT ? OFFSET ?"


def _order(query: Query) -> str:
    if not query.sort:
        return _ORDER if query.descending else "t.score ASC, t.tie DESC"
    expr = SORTS.get(query.sort)
    if expr is None:
        msg = f"Findings cannot be sorted by {query.sort!r}, only by {', '.join(SORTS)}."
        raise StoreError(msg)
    if expr == "t.score":
        return _ORDER if query.descending else "t.score ASC, t.tie"
    # What has no value comes last in either direction.
    last = f"{expr} IS NULL, " if query.sort in _MAY_BE_NULL else ""
    return f"{last}{_by(query)}, {_ORDER}"


def _by(query: Query) -> str:
    return f"{SORTS[query.sort]} {'DESC' if query.descending else 'ASC'}"
