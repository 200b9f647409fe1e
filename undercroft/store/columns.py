"""How each key of the filter language is asked of findings and of services.

Text is looked for in the small tables that name things (rules, bodies, services), never in the large
one; the large one is then asked by number, which its indexes serve. The numbers are looked up
before: as a subquery SQLite would rather walk the whole list in its order and ask of each row.
"""

# ruff: noqa: S608  (only names of our own tables and whole numbers are put together)

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from undercroft.filter import TEXT, Bindable, Column, Columns, Placed, parse, to_sql
from undercroft.model import LAYERS, Severity
from undercroft.store.connection import Database

__all__ = ["Lookup", "condition", "finding_columns", "service_columns"]

_SEVERITIES: Mapping[str, Bindable] = {severity.value: severity.rank for severity in Severity}
_LAYERS: Mapping[str, Bindable] = {layer.value: number for number, layer in enumerate(LAYERS)}
_FEEDS = "SELECT {} FROM finding g JOIN vulnerability v ON v.cve = g.cve WHERE g.id = t.finding"
_TAGS = "json_each(c.tags) j"
_MANY = 200
"""Numbers that one lookup hands over; what names more stays a subquery, which is then no worse."""
_MOST = 10_000
"""Numbers in one condition, however many words it has: SQLite limits what can be bound."""


_FINDING = ("t.finding IN (SELECT f.id FROM finding f WHERE ", ")")


class Lookup:
    """Answers subqueries of one condition beforehand, as long as they give few numbers."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._left = _MOST

    def among(self, expr: str, select: str, params: list[Bindable]) -> Placed:
        """``expr IN (select)``; with the numbers themselves if there are few."""
        most = min(_MANY, self._left)
        found = self._connection.execute(f"{select} LIMIT ?", (*params, most + 1)).fetchall()
        if len(found) > most:
            return f"{expr} IN ({select})", params
        self._left -= len(found)
        if not found:
            return "0", []
        return f"{expr} IN ({','.join('?' * len(found))})", [row[0] for row in found]

    def by(self, expr: str, select: str, end: str = "") -> Callable[[str, list[Bindable]], Placed]:
        """How a column is placed whose condition chooses what ``select`` gives."""
        return lambda sql, params: self.among(expr, f"{select}{sql}{end}", params)


def condition(
    database: Database, text: str, scan: int, columns: Callable[[Lookup, int], Columns]
) -> Placed:
    """A filter line as an SQL condition with its parameters. FilterError.

    ``columns``: ``finding_columns`` or ``service_columns``.
    """
    if not text.strip():
        return "1", []
    lookup = Lookup(database.connection())
    return to_sql(parse(text), columns(lookup, scan), database.clock())


def finding_columns(lookup: Lookup, scan: int) -> Columns:
    """Keys → columns, for ``state t`` of one scan."""

    def body(expr: str, kind: str = "name") -> Column:
        # Bodies are few and shared; the scan's own are found through its snapshot. A row of a
        # resource that this scan did not read keeps the body that was read last.
        return Column(
            expr,
            "name" if kind == "name" else "exact",
            within=("t.body IN (SELECT b.id FROM body b WHERE ", ")"),
        )

    rule = lookup.by("t.rule", "SELECT u.id FROM rule u WHERE ")
    finding = lookup.by("t.finding", "SELECT f.id FROM finding f WHERE ")
    key = lookup.by("t.resource", "SELECT r.id FROM resource r WHERE ")

    def service(expr: str, join: str = "") -> Column:
        beneath = lookup.by(
            "t.resource",
            f"SELECT DISTINCT x.resource FROM closure x WHERE x.scan = {scan} AND x.service IN "
            f"(SELECT v.resource FROM service v {join} WHERE v.scan = {scan} AND (",
            "))",
        )
        return Column(expr, "name", place=beneath)

    return {
        TEXT: (
            # Any of these may match, so no index would be used: subqueries are as good.
            Column("u.name", "contains", within=("t.rule IN (SELECT u.id FROM rule u WHERE ", ")")),
            Column(
                "o.title",
                "contains",
                within=("t.observation IN (SELECT o.id FROM observation o WHERE ", ")"),
            ),
            Column("f.cve", "contains", within=_FINDING),
            Column("f.package", "contains", within=_FINDING),
            Column(
                "b.name",
                "contains",
                within=("t.body IN (SELECT b.id FROM body b WHERE ", ")"),
            ),
            Column(
                "r.key",
                "contains",
                within=("t.resource IN (SELECT r.id FROM resource r WHERE ", ")"),
            ),
        ),
        "severity": Column("t.severity", values=_SEVERITIES),
        "status": Column("t.status"),
        "layer": Column("t.layer", values=_LAYERS),
        "cloud": body("b.provider", "exact"),
        "account": body("b.account"),
        "region": body("b.region"),
        "service": (
            service("v.name"),
            service("r.key", "JOIN resource r ON r.id = v.resource"),
            service("b.native_id", "JOIN body b ON b.id = v.body"),
        ),
        "resource": (
            body("b.name"),
            body("b.native_id"),
            Column("r.key", "name", place=key),
        ),
        "type": body("b.type"),
        "rule": Column("u.name", "name", place=rule),
        "cve": Column("f.cve", "name", place=finding),
        "package": Column("f.package", "name", place=finding),
        "kev": Column(f"({_FEEDS.format('v.kev IS NOT NULL')})", "flag"),
        "epss": Column(f"({_FEEDS.format('v.epss')})", "number"),
        "score": Column("t.score", "number"),
        "owner": Column("t.owner", "name"),
        "tag": Column(
            "j.value",
            "name",
            name_expr="j.key",
            within=(
                f"t.body IN (SELECT c.body FROM content c, {_TAGS} WHERE ",
                ")",
            ),
        ),
        "new": Column("t.is_new", "flag"),
        "since": Column("t.first_seen", "time"),
        "seen": Column("t.last_seen", "time"),
        "lapses": Column("t.until", "date"),
        "combination": Column("t.combined", "flag"),
        "framework": Column("NULL", "name"),
        "unconfirmed": Column("t.unconfirmed", "flag"),
        "id": Column("f.fid", "name", place=finding),
    }


_OF_FINDINGS = (
    "severity",
    "status",
    "layer",
    "rule",
    "cve",
    "package",
    "kev",
    "epss",
    "new",
    "since",
    "seen",
    "lapses",
    "framework",
    "unconfirmed",
    "id",
    "resource",
)
_ANY_STATE = frozenset({"status", "id", "resource"})
"""Keys that also find a service by what has been repaired or is gone."""


def service_columns(lookup: Lookup, scan: int) -> Columns:
    """Keys → columns, for ``service v`` with ``body b`` and ``resource r`` of one scan.

    What is said of findings is asked of those beneath the service; what is said of a place, of the
    service itself.
    """
    findings = finding_columns(lookup, scan)
    found: dict[str, Column | Sequence[Column]] = {
        TEXT: (
            Column("b.name", "contains"),
            Column("b.type", "contains"),
            Column("r.key", "contains"),
            Column("b.owner", "contains"),
        ),
        "cloud": Column("b.provider"),
        "account": Column("b.account", "name"),
        "region": Column("b.region", "name"),
        "service": (
            Column("b.name", "name"),
            Column("r.key", "name"),
            Column("b.native_id", "name"),
        ),
        "type": Column("b.type", "name"),
        "score": Column("v.score", "number"),
        "owner": Column("b.owner", "name"),
        "combination": Column("v.combinations > 0", "flag"),
        "tag": Column(
            "j.value",
            "name",
            name_expr="j.key",
            within=(
                f"EXISTS (SELECT 1 FROM content c, {_TAGS} WHERE c.body = v.body AND ",
                ")",
            ),
        ),
    }
    for key in _OF_FINDINGS:
        columns = findings[key]
        single = (columns,) if isinstance(columns, Column) else columns
        found[key] = tuple(_beneath(column, scan, any_state=key in _ANY_STATE) for column in single)
    return found


def _beneath(column: Column, scan: int, *, any_state: bool) -> Column:
    standing = "" if any_state else "t.status NOT IN ('fixed', 'gone', 'retired') AND "

    def place(sql: str, params: list[Bindable]) -> Placed:
        inner, values = column.placed(sql, params)
        if inner == "0":
            return inner, values
        return (
            f"v.resource IN (SELECT x.service FROM closure x WHERE x.scan = {scan} "
            "AND x.resource IN (SELECT t.resource FROM state t "
            f"WHERE t.scan = {scan} AND {standing}({inner})))"
        ), values

    return replace(column, place=place)
