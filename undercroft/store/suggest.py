"""Values that occur in a scan or in the history, offered while somebody types a filter."""

# ruff: noqa: S608  (only names of our own tables and columns are put together; values are bound)

from __future__ import annotations

from undercroft.filter import KEYS
from undercroft.store.connection import Database

__all__ = ["event_values", "values"]

_BODIES = "FROM snapshot s JOIN body b ON b.id = s.body WHERE s.scan = :scan AND "
_SEEN = "EXISTS (SELECT 1 FROM state t WHERE t.finding = f.id AND t.scan = :scan)"
# Few, each of many findings: from one to the next through the index.
_PACKAGES = (
    "WITH RECURSIVE p (value) AS (SELECT * FROM (SELECT n.package FROM finding n "
    "WHERE n.package > '' COLLATE NOCASE ORDER BY n.package COLLATE NOCASE LIMIT 1) "
    "UNION ALL SELECT (SELECT n.package FROM finding n WHERE n.package > p.value COLLATE NOCASE "
    "ORDER BY n.package COLLATE NOCASE LIMIT 1) FROM p WHERE p.value IS NOT NULL) "
    "SELECT value FROM p WHERE value LIKE :within ESCAPE '\\' "
    f"AND EXISTS (SELECT 1 FROM finding f WHERE f.package = p.value COLLATE NOCASE AND {_SEEN}) "
    "ORDER BY value NOT LIKE :start ESCAPE '\\', value LIMIT :limit"
)
# Very many: those that begin so come from the index, and others only where there are not enough.
_CVES = (
    "SELECT DISTINCT f.cve FROM finding f WHERE f.cve LIKE :pattern ESCAPE '\\' "
    f"AND {_SEEN} ORDER BY f.cve COLLATE NOCASE LIMIT :limit"
)
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
    "owner": (
        "o.owner",
        (
            "FROM (SELECT owner FROM state WHERE scan = :scan AND owner IS NOT NULL UNION "
            "SELECT b.owner FROM service v JOIN body b ON b.id = v.body WHERE v.scan = :scan) o WHERE "
        ),
    ),
}

# An offer need not be complete, but it must come while somebody types, however long the log is.
_NEWEST = "e.number > (SELECT max(number) FROM event) - 20000"
_EVENTS = f"FROM event e WHERE {_NEWEST} AND "
_EVENT_SOURCES = {
    "who": ("e.actor", _EVENTS),
    "finding": ("e.finding", _EVENTS),
    "batch": ("e.batch", _EVENTS),
    "resource": (
        "b.name",
        (
            f"FROM (SELECT DISTINCT e.finding AS fid FROM event e WHERE {_NEWEST}) d "
            "JOIN finding f ON f.fid = d.fid JOIN body b ON b.id = "
            "(SELECT t.body FROM state t WHERE t.finding = f.id ORDER BY t.scan DESC LIMIT 1) WHERE "
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
    if key == "cve":
        return _cves(database, scan_id, typed, limit)
    if key == "package":
        rows = database.connection().execute(
            _PACKAGES, {"scan": scan_id, **_patterns(typed), "limit": max(limit, 0)}
        )
        return [str(row[0]) for row in rows.fetchall()]
    if key in _SOURCES:
        expr, source = _SOURCES[key]
        return _ask(database, expr, source, {"scan": scan_id}, typed, limit)
    known = KEYS[key].values if key in KEYS else ()
    return [value for value in known if value.startswith(typed.lower())][:limit]


def event_values(database: Database, key: str, prefix: str, limit: int = 20) -> list[str]:
    """See ``Store.history_suggestions``; empty for a key whose values are not free."""
    if key not in _EVENT_SOURCES:
        return []
    expr, source = _EVENT_SOURCES[key]
    return _ask(database, expr, source, {}, prefix.strip().strip('"'), limit)


def _ask(
    database: Database,
    expr: str,
    source: str,
    params: dict[str, object],
    typed: str,
    limit: int,
) -> list[str]:
    rows = database.connection().execute(
        f"SELECT DISTINCT {expr} AS value {source}"
        f"{expr} LIKE :within ESCAPE '\\' AND {expr} <> '' "
        f"ORDER BY {expr} NOT LIKE :start ESCAPE '\\', value LIMIT :limit",
        {**params, **_patterns(typed), "limit": max(limit, 0)},
    )
    return [str(row[0]) for row in rows.fetchall()]


def _cves(database: Database, scan_id: int, typed: str, limit: int) -> list[str]:
    found: dict[str, None] = {}
    for pattern in reversed(_patterns(typed).values()):
        if len(found) < limit:
            rows = database.connection().execute(
                _CVES, {"scan": scan_id, "pattern": pattern, "limit": limit}
            )
            found.update(dict.fromkeys(str(row[0]) for row in rows.fetchall()))
    return list(found)[:limit]


def _patterns(typed: str) -> dict[str, str]:
    escaped = typed.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return {"within": f"%{escaped}%", "start": f"{escaped}%"}
