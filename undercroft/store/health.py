"""Whether the file and the decision log in it are whole, and how much room the file takes."""

from __future__ import annotations

import sqlite3

from undercroft.store import decisions
from undercroft.store.connection import Database
from undercroft.triage.events import verify

__all__ = ["compact", "problem", "space"]

_WORTH = 0.25
"""Share of the file that is free from which on it is written anew."""
_LEAST = 16_000_000
"""Bytes below which nobody minds."""


def problem(database: Database) -> str:
    """The first thing that is wrong, in words; empty if nothing is."""
    try:
        found = database.connection().execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            return _damaged(found)
        broken = verify(decisions.events(database))
    except sqlite3.DatabaseError as error:
        # Damage in the wrong page ends even the check.
        return _damaged(error)
    if broken:
        return f"the decision log is broken at event {broken[0].event[:10]}: {broken[0].message}"
    return ""


def space(database: Database) -> tuple[int, int]:
    """Bytes of the file, and of those the ones that nothing is in."""
    connection = database.connection()
    size, pages, free = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_size", "page_count", "freelist_count")
    )
    return size * pages, size * free


def compact(database: Database) -> int:
    """Give room back if it is worth writing the file anew; bytes that became free on the medium.

    Somebody else who is writing comes first: then it is left for the next time.
    """
    before, free = space(database)
    if free < max(_LEAST, _WORTH * before):
        return 0
    connection = database.connection()
    try:
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.OperationalError:
        return 0
    return before - space(database)[0]


def _damaged(found: object) -> str:
    return f"the file is damaged: {found}; restore it from a copy"
