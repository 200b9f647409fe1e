"""The closure: what each AI service of a scan stands on, written once so that no reader walks."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from undercroft.store.connection import Database
from undercroft.store.encode import edge_of
from undercroft.store.models import model_of
from undercroft.views import Path, Step

if TYPE_CHECKING:
    from undercroft.risk import RiskModel

__all__ = ["closure_rows", "count_services", "insert", "path_to", "write_closure"]

_BATCH = 20_000
Row = tuple[int, int, int, float, int, int | None]


def write_closure(database: Database, scan_id: int) -> None:
    """Write ``closure`` for every AI service, and how many of them stand on each resource."""
    reading = database.connection()
    for rows in closure_rows(reading, scan_id, model_of(reading, scan_id)):
        with database.transaction() as connection:
            insert(connection, rows)
    with database.transaction() as connection:
        count_services(connection, scan_id)


def count_services(connection: sqlite3.Connection, scan_id: int) -> None:
    """Write into ``snapshot`` how many AI services stand on each resource."""
    connection.execute(
        "UPDATE snapshot SET services = (SELECT count(*) FROM closure c "
        "WHERE c.scan = snapshot.scan AND c.resource = snapshot.resource) WHERE scan = ?",
        (scan_id,),
    )


def closure_rows(
    connection: sqlite3.Connection, scan_id: int, model: RiskModel
) -> Iterator[list[Row]]:
    """(scan, service, resource, attenuation, hops, last edge) of everything beneath every AI
    service, in batches.
    """
    from undercroft.graph import Graph  # not for a path, which readers ask for

    numbers: dict[tuple[str, str, str, str, str], int] = {}
    keys: dict[str, int] = {}

    def edges() -> Iterator[Any]:
        for number, src, dst, src_id, dst_id, *rest in connection.execute(
            "SELECT e.id, s.key, d.key, e.src, e.dst, e.relation, e.via, e.certainty, e.detail "
            "FROM edge e JOIN resource s ON s.id = e.src JOIN resource d ON d.id = e.dst "
            "WHERE e.scan = ? ORDER BY e.id",
            (scan_id,),
        ).fetchall():
            keys[src], keys[dst] = src_id, dst_id
            edge = edge_of((src, dst, *rest))
            numbers.setdefault((src, dst, edge.relation, edge.via, edge.detail), number)
            yield edge

    services = dict(
        connection.execute(
            "SELECT r.key, r.id FROM snapshot s JOIN body b ON b.id = s.body "
            "JOIN resource r ON r.id = s.resource "
            "WHERE s.scan = ? AND b.service = 1 AND b.presence <> 'absent'",
            (scan_id,),
        ).fetchall()
    )
    keys.update(services)
    graph = Graph(edges(), services=services, attenuation=model.attenuation, cutoff=model.cutoff)
    rows: list[Row] = []
    for service, reached in graph.closure():
        for key, attenuation, hops, previous in reached:
            edge = graph.edge(previous, key) if previous else None
            number = (
                None
                if edge is None
                else numbers[edge.src, edge.dst, edge.relation, edge.via, edge.detail]
            )
            rows.append((scan_id, keys[service], keys[key], attenuation, hops, number))
        if len(rows) >= _BATCH:
            yield rows
            rows = []
    yield rows


def insert(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Write a batch of ``closure_rows``."""
    connection.executemany(
        "INSERT INTO closure (scan, service, resource, attenuation, hops, edge) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        sorted(rows, key=itemgetter(1, 2)),
    )


def path_to(connection: sqlite3.Connection, scan_id: int, service: int, resource: int) -> Path:
    """The best path from a service down to a resource, from the closure's last hops."""
    steps: list[Step] = []
    # The closure is a tree per service; its depth is bounded by the cut-off, the loop by the set.
    seen: set[int] = set()
    while resource != service and resource not in seen:
        seen.add(resource)
        row = connection.execute(
            "SELECT e.src, sr.key, coalesce(sb.name, sr.key), dr.key, coalesce(db.name, dr.key), "
            "e.relation, e.via, e.certainty "
            "FROM closure c JOIN edge e ON e.id = c.edge "
            "JOIN resource sr ON sr.id = e.src JOIN resource dr ON dr.id = e.dst "
            "LEFT JOIN snapshot ss ON ss.scan = c.scan AND ss.resource = e.src "
            "LEFT JOIN body sb ON sb.id = ss.body "
            "LEFT JOIN snapshot ds ON ds.scan = c.scan AND ds.resource = e.dst "
            "LEFT JOIN body db ON db.id = ds.body "
            "WHERE c.scan = ? AND c.service = ? AND c.resource = ?",
            (scan_id, service, resource),
        ).fetchone()
        if row is None:
            return ()
        src, src_key, src_name, dst_key, dst_name, relation, via, certainty = row
        steps.append(Step(src_key, src_name, dst_key, dst_name, relation, via, certainty))
        resource = src
    return tuple(reversed(steps))
