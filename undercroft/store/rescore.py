"""The newest scan scored by other constants than it was. Older ones keep the numbers that they have."""

# ruff: noqa: S608  (only names of our own tables are put together; values are bound)

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from undercroft.risk import RiskModel
from undercroft.store import rollup
from undercroft.store.causes import by_model
from undercroft.store.connection import Database, bump
from undercroft.store.criticality import spread
from undercroft.store.exploits import EXPLOIT_SQL
from undercroft.store.feeds import weigh_again
from undercroft.store.models import keep, model_of
from undercroft.store.plain import spans
from undercroft.store.reach import closure_rows, count_services, insert
from undercroft.store.scans import scored_otherwise

__all__ = ["score_again"]


def score_again(database: Database, model: RiskModel, criticality_tag: str) -> RiskModel | None:
    """See ``Store.score_again``."""
    if scored_otherwise(database.connection(), model.digest) is None:
        return None
    with database.transaction() as connection, by_model(connection):
        scan_id = scored_otherwise(connection, model.digest)
        if scan_id is None:
            return None
        before = model_of(connection, scan_id)
        connection.execute(
            "UPDATE scan SET model = ? WHERE id = ?", (keep(connection, model), scan_id)
        )
        if before.reaches_otherwise(model):
            _reach(connection, scan_id, model)
        connection.execute(
            "UPDATE closure SET scale = 1.0 WHERE scan = ? AND scale <> 1.0", (scan_id,)
        )
        for low, high in spans(connection):
            weigh_again(connection, scan_id, _between(connection, scan_id, low, high))
        spread(connection, scan_id, criticality_tag)
        rollup.rebuild(connection, scan_id)
        bump(connection)
    return before


def _reach(connection: sqlite3.Connection, scan_id: int, model: RiskModel) -> None:
    """What stands on what, along paths that weigh otherwise now."""
    connection.execute("DELETE FROM closure WHERE scan = ?", (scan_id,))
    for rows in closure_rows(connection, scan_id, model):
        insert(connection, rows)
    count_services(connection, scan_id)


def _between(
    connection: sqlite3.Connection, scan_id: int, low: int, high: int
) -> Iterator[Sequence[Any]]:
    """What decides the weight of the findings of some resources: see ``feeds.weigh_again``."""
    yield from connection.execute(
        "SELECT t.id, t.severity, o.severity, o.threat, f.cve IS NOT NULL, o.cvss, o.vector, "
        f"o.weight, t.exposure, t.criticality, {EXPLOIT_SQL}, v.epss, v.kev IS NOT NULL, t.hazard "
        "FROM state t JOIN finding f ON f.id = t.finding JOIN observation o ON o.id = t.observation "
        "LEFT JOIN vulnerability v ON v.cve = f.cve "
        "WHERE t.scan = ? AND t.resource BETWEEN ? AND ?",
        (scan_id, low, high),
    ).fetchall()
