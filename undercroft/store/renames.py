"""Rules that go on under another name: what was decided about all of a rule goes along.

A log is never changed, so a decision within a scope names the rule as it was called then.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping

__all__ = ["keep", "notice", "renames"]

_KEY = "renamed"


def renames(connection: sqlite3.Connection) -> Mapping[str, str]:
    """Earlier name of a rule → what it is called now."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (_KEY,)).fetchone()
    found: dict[str, str] = json.loads(row[0]) if row else {}
    return found


def keep(connection: sqlite3.Connection, pairs: Iterable[tuple[int, int]]) -> None:
    """Remember that rules (rows of ``rule``) are called otherwise: (earlier, now)."""

    def name(rule: int) -> str:
        row = connection.execute("SELECT name FROM rule WHERE id = ?", (rule,)).fetchone()
        return str(row[0])

    _keep(connection, [(name(old), name(new)) for old, new in pairs])


def notice(
    connection: sqlite3.Connection, renamed: Mapping[str, str], rules: Collection[str]
) -> None:
    """Remember renames of rules that have found nothing: no finding will tell of these.

    ``renamed``: first name of a rule → what it is called now; ``rules``: all names of now.
    """
    known = renames(connection)
    pairs = {known.get(first, first): now for first, now in renamed.items()}
    # An older pack brings back an older name.
    pairs |= {now: name for name, now in known.items() if name in rules and now not in rules}
    _keep(
        connection,
        [
            (old, now)
            for old, now in pairs.items()
            if old != now and old not in rules and not _has_found(connection, old)
        ],
    )


def _has_found(connection: sqlite3.Connection, rule: str) -> bool:
    found = connection.execute(
        "SELECT 1 FROM finding WHERE rule = (SELECT id FROM rule WHERE name = ?) LIMIT 1", (rule,)
    ).fetchone()
    return found is not None


def _keep(connection: sqlite3.Connection, pairs: Collection[tuple[str, str]]) -> None:
    if not pairs:
        return
    known = dict(renames(connection))
    for old, new in pairs:
        known = {name: new if now == old else now for name, now in known.items()}
        known[old] = new
        # An older pack brings back an older name.
        known.pop(new, None)
    connection.execute(
        "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)",
        (_KEY, json.dumps(known, sort_keys=True)),
    )
