"""Exports against ``sqlite3 -csv`` over one SQL statement with the same texts."""

from __future__ import annotations

import csv
import os
import shutil
from functools import partial

from bench import sql
from bench.measure import Figure, cpu, settled
from bench.process import run_cpu
from bench.world import NOW, World, stamp
from undercroft import __version__
from undercroft.exchange import Format, Head, export_findings
from undercroft.views import Query

__all__ = ["exporting"]

_FILTER = "severity:critical"
"""One finding in seven: what counts is the cost of a row."""
_RAW = (
    "WITH above AS MATERIALIZED (SELECT c.resource, group_concat(b.name, ' | ') AS names "
    "FROM closure c JOIN service v ON v.scan = c.scan AND v.resource = c.service "
    "JOIN body b ON b.id = v.body WHERE c.scan = ?1 GROUP BY c.resource) "
    f"SELECT {sql.COLUMNS}, f.at, o.evidence, t.reason, t.decision, a.names FROM state t "
    f"{sql.JOINS} LEFT JOIN above a ON a.resource = t.resource WHERE t.scan = ?1 AND t.severity = 4 "
    "ORDER BY t.score DESC, t.tie"
)


def exporting(world: World) -> list[Figure]:
    """Every critical finding, with evidence and the services above it, to a file."""
    store, scan = world.store, world.scan
    head = Head(__version__, scan, store.coverage(scan.id), _FILTER, stamp(NOW))
    target = world.folder / "export"
    connection = world.bare()

    tool = shutil.which("sqlite3")

    def bare() -> float:
        if tool is None:
            return cpu(written_in_python)
        command = (tool, "-csv", str(world.saved[0]), _RAW.replace("?1", str(scan.id)))
        with target.open("wb") as out:
            return run_cpu(command, os.environ, out)

    def written_in_python() -> None:
        with target.open("w", encoding="utf-8", newline="") as out:
            csv.writer(out).writerows(connection.execute(_RAW, (scan.id,)))

    yardstick = "sqlite3 -csv" if tool else "csv.writer (there is no sqlite3 program)"
    number = store.count_findings(scan.id, Query(_FILTER))
    found = []
    for what, form in (("export CSV", Format.CSV), ("export JSON Lines", Format.JSONL)):

        def ours(form: Format = form) -> None:
            with target.open("w", encoding="utf-8", newline="") as out:
                records = store.iter_records(
                    scan.id, Query(_FILTER), ages=form.has_ages(head.level)
                )
                export_findings(records, head, form, out)

        pair = settled(partial(cpu, ours), bare, rounds=world.rounds(3, grows=True), warm=False)
        note = f"{number:,} findings; bare: {yardstick} over one statement with the same texts"
        found.append(Figure.of(what, pair, 3.0, note=note))
    connection.close()
    return found
