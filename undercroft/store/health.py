"""Whether the file and the decision log in it are whole."""

from __future__ import annotations

import sqlite3

from undercroft.store import decisions
from undercroft.store.connection import Database
from undercroft.triage.events import verify

__all__ = ["problem"]


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


def _damaged(found: object) -> str:
    return f"the file is damaged: {found}; restore it from a copy"
