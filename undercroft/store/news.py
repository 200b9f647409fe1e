"""What calls for a look at decisions: told without all that knows them where there is nothing."""

# ruff: noqa: S608  (only conditions of our own are put together; values are bound)

from __future__ import annotations

from undercroft.store.connection import Database
from undercroft.store.fresh import ensure_fresh
from undercroft.store.replica import is_shared

__all__ = ["lapsed", "news"]


def news(database: Database, scan_id: int) -> tuple[int, int]:
    """Findings that scopes have come to cover and nobody has seen, and those in conflict."""
    connection = database.connection()
    newly = conflicts = 0
    scoped = connection.execute("SELECT 1 FROM event WHERE type = 'scope_accept' LIMIT 1")
    if scoped.fetchone() is not None:
        from undercroft.store.read_scopes import newly_covered

        newly = newly_covered(database, scan_id)
    if is_shared(connection):
        from undercroft.store.sharing import known_disputes

        conflicts = len(known_disputes(database))
    return newly, conflicts


def lapsed(database: Database, scan_id: int, since: str, most: int) -> tuple[int, list[str]]:
    """See ``Store.lapsed``."""
    ensure_fresh(database, scan_id)
    where = "t.scan = ? AND t.cause = 'expired' AND t.turned_at >= ?"
    with database.snapshot() as connection:
        (number,) = connection.execute(
            f"SELECT count(*) FROM state t WHERE {where}", (scan_id, since)
        ).fetchone()
        if not number or not most:
            return number, []
        rows = connection.execute(
            f"SELECT f.fid FROM state t JOIN finding f ON f.id = t.finding WHERE {where} LIMIT ?",
            (scan_id, since, most),
        ).fetchall()
    return number, [row[0] for row in rows]
