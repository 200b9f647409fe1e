"""Accepting very many findings at once, and undoing it, against appending the same rows."""

from __future__ import annotations

import sqlite3
from datetime import date
from itertools import islice
from pathlib import Path

from bench.measure import Figure, cpu
from bench.world import NOW, World
from undercroft.store import Store
from undercroft.triage.decide import Triage
from undercroft.views import Query

__all__ = ["bulk"]

_MANY = 100_000
"""As many as one batch is built for."""


def bulk(world: World) -> list[Figure]:
    """One batch by filter and its undo; everything that counts the findings is brought up to date."""
    path = world.copy("bulk.db")
    with Store.open(path, clock=lambda: NOW) as store:
        triage = Triage(store, actor="bench <bench@example.com>", clock=lambda: NOW)
        scan = store.scan().id
        found: list[str] = []
        parts = {
            "choose": cpu(
                lambda: found.extend(
                    row.id
                    for row in islice(store.iter_findings(scan, Query("status:active")), _MANY)
                )
            ),
            "accept": cpu(
                lambda: triage.accept(
                    found,
                    reason="measured and found bearable",
                    until=date(2027, 6, 1),
                    owner="bench",
                    scan_id=scan,
                )
            ),
        }
        undo = cpu(triage.undo)
    rows = _events(path)
    bare = cpu(lambda: _append(world.folder / "bulk-bare.db", rows))
    note = f"{len(found):,} findings; bare: the same events in one table, no index"
    return [
        Figure(
            "accept many by filter",
            1000 * sum(parts.values()),
            1000 * bare,
            None,
            note=note,
            parts={name: seconds * 1000 for name, seconds in parts.items()},
        ),
        Figure("undo it", 1000 * undo, 1000 * bare, None, note=note),
    ]


def _events(path: Path) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute("SELECT * FROM event WHERE type <> 'undo'").fetchall()
    finally:
        connection.close()


def _append(path: Path, rows: list[tuple[object, ...]]) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        columns = ", ".join(f"c{index}" for index in range(len(rows[0])))
        connection.execute(f"CREATE TABLE event ({columns})")
        connection.execute("BEGIN")
        marks = ", ".join("?" * len(rows[0]))
        connection.executemany(f"INSERT INTO event VALUES ({marks})", rows)
        connection.execute("COMMIT")
    finally:
        connection.close()
