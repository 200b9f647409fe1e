"""Values that occur in a scan, offered while somebody types a filter."""

from __future__ import annotations

from undercroft.filter import KEYS
from undercroft.store.connection import Database

__all__ = ["values"]

_BODIES = "FROM snapshot s JOIN body b ON b.id = s.body WHERE s.scan = :scan AND "
_FINDINGS = "FROM finding f WHERE f.id IN (SELECT finding FROM state WHERE scan = :scan) AND "
_SOURCES = {
    "cloud": ("b.provider", _BODIES),
    "account": ("b.account", _BODIES),
    "region": ("b.region", _BODIES),
    "type": ("b.type", _BODIES),
    "resource": ("b.name", _BODIES),
    "service": (
        "v.name",
        "FROM service v WHERE v.scan = :scan AND ",
    ),
    "rule": (
        "u.name",
        (
            "FROM rule u WHERE EXISTS (SELECT 1 FROM state t WHERE t.scan = :scan AND t.rule = u.id) "
            "AND "
        ),
    ),
    "framework": ("(k.framework || ':' || k.control)", "FROM control k WHERE "),
    "cve": ("f.cve", _FINDINGS),
    "package": ("f.package", _FINDINGS),
    "owner": (
        "o.owner",
        (
            "FROM (SELECT owner FROM state WHERE scan = :scan AND owner IS NOT NULL UNION "
            "SELECT b.owner FROM service v JOIN body b ON b.id = v.body WHERE v.scan = :scan) o WHERE "
        ),
    ),
}


def values(database: Database, scan_id: int, key: str, prefix: str, limit: int = 20) -> list[str]:
    """See ``Store.suggestions``; empty for a key whose values are free or not known."""
    typed = prefix.strip().strip('"')
    if key == "tag" or key.startswith("tag."):
        expr = "j.value" if key.startswith("tag.") else "j.key"
        name = key.removeprefix("tag.") if key.startswith("tag.") else None
        source = (
            "FROM snapshot s JOIN content c ON c.body = s.body, json_each(c.tags) j "
            "WHERE s.scan = :scan AND (:name IS NULL OR j.key = :name COLLATE NOCASE) AND "
        )
        return _ask(database, expr, source, {"scan": scan_id, "name": name}, typed, limit)
    if key in _SOURCES:
        expr, source = _SOURCES[key]
        return _ask(database, expr, source, {"scan": scan_id}, typed, limit)
    known = KEYS[key].values if key in KEYS else ()
    return [value for value in known if value.startswith(typed.lower())][:limit]


def _ask(
    database: Database,
    expr: str,
    source: str,
    params: dict[str, object],
    typed: str,
    limit: int,
) -> list[str]:
    escaped = typed.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    rows = database.connection().execute(
        f"SELECT DISTINCT {expr} AS value {source}"
        f"{expr} LIKE :within ESCAPE '\\' AND {expr} <> '' "
        f"ORDER BY {expr} NOT LIKE :start ESCAPE '\\', value LIMIT :limit",
        {
            **params,
            "within": f"%{escaped}%",
            "start": f"{escaped}%",
            "limit": max(limit, 0),
        },
    )
    return [str(row[0]) for row in rows.fetchall()]
