"""How each key of the filter language is asked of findings and of services.

Text is looked for in the small tables that name things (rules, bodies, services), never in the large
one; the large one is then asked by number, which its indexes serve.
"""

# ruff: noqa: S608  (only names of our own tables and whole numbers are put together)

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from undercroft.filter import TEXT, Column, Columns, parse, to_sql
from undercroft.filter.columns import Bindable
from undercroft.model import LAYERS, Severity
from undercroft.store.connection import Database, stamp

__all__ = ["condition", "finding_columns", "service_columns"]

_SEVERITIES: Mapping[str, Bindable] = {severity.value: severity.rank for severity in Severity}
_LAYERS: Mapping[str, Bindable] = {layer.value: number for number, layer in enumerate(LAYERS)}
_TAGS = "json_each(c.tags) j"


def condition(database: Database, text: str, columns: Columns) -> tuple[str, list[Bindable]]:
    """A filter line as an SQL condition with its parameters. FilterError."""
    if not text.strip():
        return "1", []
    return to_sql(parse(text), columns, database.clock())


@lru_cache(maxsize=64)
def finding_columns(scan: int) -> Columns:
    """Keys → columns, for ``state t`` of one scan."""

    def body(expr: str, kind: str = "name") -> Column:
        # Bodies are few and shared; the scan's own are found through its snapshot. A row of a
        # resource that this scan did not read keeps the body that was read last.
        return Column(
            expr,
            "name" if kind == "name" else "exact",
            within=("t.body IN (SELECT b.id FROM body b WHERE ", ")"),
        )

    rule = ("t.rule IN (SELECT u.id FROM rule u WHERE ", ")")
    finding = ("t.finding IN (SELECT f.id FROM finding f WHERE ", ")")
    service = (
        (
            f"t.resource IN (SELECT x.resource FROM closure x WHERE x.scan = {scan} AND x.service IN "
            "(SELECT v.resource FROM service v JOIN body b ON b.id = v.body "
            f"JOIN resource r ON r.id = v.resource WHERE v.scan = {scan} AND ("
        ),
        ")))",
    )
    key = ("t.resource IN (SELECT r.id FROM resource r WHERE ", ")")
    return {
        TEXT: (
            Column("u.name", "contains", within=rule),
            Column(
                "o.title",
                "contains",
                within=("t.observation IN (SELECT o.id FROM observation o WHERE ", ")"),
            ),
            Column("f.cve", "contains", within=finding),
            Column("f.package", "contains", within=finding),
            Column(
                "b.name",
                "contains",
                within=("t.body IN (SELECT b.id FROM body b WHERE ", ")"),
            ),
            Column("r.key", "contains", within=key),
        ),
        "severity": Column("t.severity", values=_SEVERITIES),
        "status": Column("t.status"),
        "layer": Column("t.layer", values=_LAYERS),
        "cloud": body("b.provider", "exact"),
        "account": body("b.account"),
        "region": body("b.region"),
        "service": _each(("b.name", "r.key", "b.native_id"), service),
        "resource": (
            body("b.name"),
            body("b.native_id"),
            Column("r.key", "name", within=key),
        ),
        "type": body("b.type"),
        "rule": Column("u.name", "name", within=rule),
        "cve": Column("f.cve", "name", within=finding),
        "package": Column("f.package", "name", within=finding),
        # No feed yet says whether something is exploited, or how likely that is.
        "kev": Column("NULL", "flag"),
        "epss": Column("NULL", "number"),
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
        "since": Column("t.first_seen", "time", encode=stamp),
        "lapses": Column("t.until", "date"),
        "combination": Column("t.combined", "flag"),
        "framework": Column("NULL", "name"),
        "unconfirmed": Column("t.unconfirmed", "flag"),
        "id": Column("f.fid", "name", within=finding),
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
    "lapses",
    "framework",
    "unconfirmed",
    "id",
    "resource",
)
_ANY_STATE = frozenset({"status", "id", "resource"})
"""Keys that also find a service by what has been repaired or is gone."""


@lru_cache(maxsize=64)
def service_columns(scan: int) -> Columns:
    """Keys → columns, for ``service v`` with ``body b`` and ``resource r`` of one scan.

    What is said of findings is asked of those beneath the service; what is said of a place, of the
    service itself.
    """
    findings = finding_columns(scan)
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
    before, after = column.within
    return Column(
        column.expr,
        column.kind,
        fold=column.fold,
        values=column.values,
        name_expr=column.name_expr,
        encode=column.encode,
        within=(
            (
                f"v.resource IN (SELECT x.service FROM closure x WHERE x.scan = {scan} "
                "AND x.resource IN (SELECT t.resource FROM state t "
                f"WHERE t.scan = {scan} AND {standing}({before}"
            ),
            f"{after})))",
        ),
    )


def _each(expressions: Sequence[str], within: tuple[str, str]) -> tuple[Column, ...]:
    return tuple(Column(expr, "name", within=within) for expr in expressions)
