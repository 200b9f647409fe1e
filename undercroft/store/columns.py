"""How each key of the filter language is asked of findings and of services.

Text is looked for in the small tables that name things (rules, bodies, services), not in the large
one; see ``Lookup``.
"""

# ruff: noqa: S608  (only names of our own tables and whole numbers are put together)

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from undercroft.filter import TEXT, Bindable, Column, Columns, Placed, any_of, parse, to_sql
from undercroft.model import LAYERS, Severity
from undercroft.store.lookup import Lookup
from undercroft.store.wordings import called

__all__ = ["condition", "finding_columns", "service_columns"]

_SEVERITIES: Mapping[str, Bindable] = {severity.value: severity.rank for severity in Severity}
_LAYERS: Mapping[str, Bindable] = {layer.value: number for number, layer in enumerate(LAYERS)}
_FREQUENT = 100_000
"""Findings that are no longer collected to find the first of a list."""
_TAGS = "json_each(c.tags) j"


def condition(text: str, columns: Columns, now: datetime) -> Placed:
    """A filter line as an SQL condition with its parameters. FilterError.

    Times count from the minute: the same question, asked again, is to find what was remembered.
    """
    if not text.strip():
        return "1", []
    return to_sql(parse(text), columns, now.replace(second=0, microsecond=0))


def finding_columns(lookup: Lookup) -> Columns:
    """Keys → columns, for ``state t`` of one scan."""
    scan = lookup.scan

    def body(expr: str, kind: str = "name") -> Column:
        # Bodies are few and shared.
        return Column(expr, "name" if kind == "name" else "exact", place=lookup.bodies)

    rule = lookup.rules
    finding = lookup.by_id("t.finding", "finding f", _FREQUENT)
    key = lookup.by_id("t.resource", "resource r")
    vulnerable = lookup.by(
        "t.finding",
        "SELECT g.id FROM vulnerability v JOIN finding g ON g.cve = v.cve COLLATE NOCASE WHERE ",
    )

    def service(expr: str, which: str) -> Column:
        # CROSS JOIN: from the service to what is beneath it, and not through the whole closure.
        beneath = f"y CROSS JOIN closure x ON x.scan = {scan} AND x.service = y.service"
        select = f"SELECT DISTINCT x.resource FROM ({which} AND ("
        return Column(expr, "name", place=lookup.by("t.resource", select, f")) {beneath}"))

    read = (
        "SELECT s.resource AS service FROM body b CROSS JOIN snapshot s ON s.body = b.id "
        f"WHERE s.scan = {scan}"
    )

    def word(_: str, params: list[Bindable]) -> Placed:
        (pattern,) = params
        return any_of(
            [
                *called(lookup, pattern),
                *(
                    place(f"{expr} LIKE ? ESCAPE '\\'", [pattern])
                    for expr, place in (
                        ("u.name", rule),
                        ("b.name", lookup.bodies),
                        ("r.key", key),
                    )
                ),
            ]
        )

    # A whole list is read faster from end to end than through an index that has few values.
    few = "" if lookup.near else "+"
    return {
        TEXT: Column("", "contains", place=word),
        "severity": Column(f"{few}t.severity", values=_SEVERITIES),
        "status": Column(f"{few}t.status"),
        "layer": Column("t.layer", values=_LAYERS),
        "cloud": body("b.provider", "exact"),
        "account": body("b.account"),
        "region": body("b.region"),
        "service": (
            service("b.name", read),
            service("r.key", "SELECT r.id AS service FROM resource r WHERE true"),
            service("b.native_id", read),
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
        "kev": Column("(v.kev IS NOT NULL)", "flag", place=vulnerable),
        "epss": Column("v.epss", "number", place=vulnerable),
        "score": Column("t.score", "number"),
        "owner": Column("t.owner", "name"),
        "tag": Column(
            "j.value",
            "name",
            name_expr="j.key",
            within=(
                f"EXISTS (SELECT 1 FROM content c, {_TAGS} WHERE c.body = t.body AND "
                if lookup.near
                else f"t.body IN (SELECT c.body FROM content c, {_TAGS} WHERE ",
                ")",
            ),
        ),
        "new": Column("t.is_new", "flag"),
        "since": Column("t.first_seen", "time"),
        "seen": Column("t.last_seen", "time"),
        "lapses": Column("t.until", "date"),
        "lapsed": Column("t.turned_at", "time", within=("(t.cause = 'expired' AND ", ")")),
        "combination": Column("t.combined", "flag"),
        "framework": tuple(
            Column(expr, "name", place=lookup.controls)
            for expr in ("k.framework", "k.control", "(k.framework || ':' || k.control)")
        ),
        "unconfirmed": Column("t.unconfirmed", "flag"),
        "id": Column("f.fid", fold="lower", place=finding),
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
    "lapsed",
    "framework",
    "unconfirmed",
    "id",
    "resource",
)
_ANY_STATE = frozenset({"status", "id", "resource"})
"""Keys that also find a service by what has been repaired or is gone."""


def service_columns(lookup: Lookup) -> Columns:
    """Keys → columns, for ``service v`` with ``body b`` and ``resource r`` of one scan.

    What is said of findings is asked of those beneath the service; what is said of a place, of the
    service itself.
    """
    scan = lookup.scan
    findings = finding_columns(lookup)
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
