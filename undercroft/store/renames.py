"""Rules that go on under another name: what was decided about all of a rule goes along.

A log is never changed, so a decision within a scope names the rule as it was called then.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping

__all__ = ["keep", "renames"]

_KEY = "renamed"


def renames(connection: sqlite3.Connection) -> Mapping[str, str]:
    """Earlier name of a rule → what it is called now."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (_KEY,)).fetchone()
    found: dict[str, str] = json.loads(row[0]) if row else {}
    return found


def keep(connection: sqlite3.Connection, pairs: Iterable[tuple[int, int]]) -> None:
    """Remember that rules (rows of ``rule``) are called otherwise: (earlier, now)."""
    known = dict(renames(connection))
    for pair in pairs:
        old, new = (
            connection.execute("SELECT name FROM rule WHERE id = ?", (number,)).fetchone()[0]
            for number in pair
        )
        known = {name: new if now == old else now for name, now in known.items()}
        known[old] = new
        # An older pack brings back an older name.
        known.pop(new, None)
    connection.execute(
        "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)",
        (_KEY, json.dumps(known, sort_keys=True)),
    )
