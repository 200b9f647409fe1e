"""Controls of frameworks that rules map to: what a filter by framework asks."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from undercroft.store.encode import clean

__all__ = ["Frameworks", "write"]

Frameworks = Mapping[str, Mapping[str, Sequence[str]]]
"""Rule id → framework → its controls."""


def write(connection: sqlite3.Connection, frameworks: Frameworks) -> None:
    """Keep these mappings instead of those of an earlier rule pack."""
    connection.executemany(
        "INSERT OR IGNORE INTO rule (name) VALUES (?)", [(clean(rule),) for rule in frameworks]
    )
    connection.execute("DELETE FROM control")
    connection.executemany(
        "INSERT OR IGNORE INTO control (rule, framework, control) "
        "SELECT id, ?, ? FROM rule WHERE name = ?",
        [
            (clean(framework), clean(control), clean(rule))
            for rule, mapping in frameworks.items()
            for framework, controls in mapping.items()
            for control in controls
        ],
    )
