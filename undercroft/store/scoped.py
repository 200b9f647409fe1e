"""Which findings of the cache a rule scope covers, and where a finding is."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

from undercroft.store.encode import load
from undercroft.store.renames import renames
from undercroft.triage.book import Book
from undercroft.triage.scopes import Place, Scope

__all__ = ["OVER", "covered", "place", "place_of"]

OVER = "('fixed', 'gone', 'retired')"
"""Statuses of what calls for nothing any more."""

_TAGS_NOW = (
    "(SELECT c.tags FROM state t JOIN content c ON c.body = t.body "
    "WHERE t.finding = f.id ORDER BY t.scan DESC LIMIT 1)"
)


def covered(
    connection: sqlite3.Connection,
    scope: Scope,
    scan_id: int | None = None,
    *,
    standing: bool = False,
) -> list[str]:
    """Ids of the findings that a scope covers: of one scan, or of all; in the order of their ids.

    ``standing``: of one scan, those that are neither fixed nor gone nor retired.
    """
    where, params = ["u.name = ?"], [renames(connection).get(scope.rule, scope.rule)]
    if scope.cve is not None:
        where.append("f.cve = ?")
        params.append(scope.cve)
    if scope.resource:
        where.append("r.key = ?")
        params.append(scope.resource)
    if scope.prefix:
        where.append("substr(r.key, 1, ?) = ?")
        params += [len(scope.prefix), scope.prefix]  # type: ignore[list-item]  # bound, not text
    if standing and scan_id is not None:
        where.append(f"t.status NOT IN {OVER}")
    tags = _TAGS_NOW if scope.tags else "'{}'"
    if scan_id is None:
        source = "finding f JOIN rule u ON u.id = f.rule"
    else:
        tags = "c.tags" if scope.tags else "'{}'"
        # CROSS JOIN keeps this order: there is an index on (scan, rule).
        source = (
            "rule u CROSS JOIN state t ON t.scan = ? AND t.rule = u.id "
            "JOIN finding f ON f.id = t.finding JOIN content c ON c.body = t.body"
        )
        params.insert(0, scan_id)  # type: ignore[arg-type]
    rows = connection.execute(
        f"SELECT f.fid, {tags} FROM {source} JOIN resource r ON r.id = f.resource "  # noqa: S608
        f"WHERE {' AND '.join(where)} ORDER BY f.fid",
        params,
    )
    return [fid for fid, text in rows.fetchall() if _tagged(scope, text)]


def place(
    connection: sqlite3.Connection,
    rule: str,
    cve: str | None,
    resource: int,
    body: int,
    *,
    tagged: bool,
) -> Place:
    """Where a finding is, from its row ids; ``tagged``: whether any scope asks for tags."""
    key = connection.execute("SELECT key FROM resource WHERE id = ?", (resource,)).fetchone()[0]
    tags: dict[str, str] = {}
    if tagged:
        row = connection.execute("SELECT tags FROM content WHERE body = ?", (body,)).fetchone()
        tags = load(row[0]) if row else {}
    return Place(rule, cve, key, tags)


def place_of(connection: sqlite3.Connection, book: Book, finding: str) -> Place | None:
    """Where a finding is now; None if no scope asks for it, or the cache does not know it."""
    row = connection.execute(
        "SELECT u.name, f.cve, f.resource, coalesce((SELECT t.body FROM state t "
        "WHERE t.finding = f.id ORDER BY t.scan DESC LIMIT 1), 0) "
        "FROM finding f JOIN rule u ON u.id = f.rule WHERE f.fid = ?",
        (finding,),
    ).fetchone()
    if row is None or not book.scoped(row[0]):
        return None
    return place(connection, *row, tagged=book.tagged(row[0]))


def _tagged(scope: Scope, text: Any) -> bool:
    if not scope.tags:
        return True
    tags = load(text) if isinstance(text, str) else {}
    return _all_equal(scope.tags.items(), tags)


def _all_equal(wanted: Iterable[tuple[str, str]], tags: dict[str, Any]) -> bool:
    return all(tags.get(name) == value for name, value in wanted)
