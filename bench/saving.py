"""Saving a scan against raw ``executemany`` of the same rows, and saving it again nearly unchanged."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from bench import sql
from bench.measure import Figure, Pair, cpu, settled
from bench.world import NOW, World, clock
from undercroft.store import Store

__all__ = ["memory", "rescan", "saving"]

_CHANGED = 0.01
_ROUNDS = 2


def saving(world: World) -> list[Figure]:
    """A first scan: everything around the findings (bodies, reach, statuses, scores) is in ours."""
    connection = world.bare()
    rows = connection.execute(
        f"SELECT {sql.COLUMNS}, f.at, o.evidence, o.traits, o.cvss, o.vector "
        f"FROM state t {sql.JOINS} WHERE t.scan = ? ORDER BY t.id",
        (world.scan.id,),
    ).fetchall()
    connection.close()
    files = count()
    parts: dict[str, float] = {}

    def ours() -> float:
        parts.update(_save(world, world.folder / f"saved-{next(files)}.db"))
        return sum(parts.values())

    def bare() -> float:
        path = world.folder / f"raw-{next(files)}.db"
        return cpu(lambda: _raw(path, rows))

    _ = world.answers  # worked out before the clock starts
    pair = settled(ours, bare, rounds=world.rounds(_ROUNDS), warm=False)
    note = f"{len(rows):,} findings; bare: the same rows, {len(rows[0])} columns, no index"
    return [Figure.of("save a scan", pair, 2.0, note=note, parts=parts)]


def _raw(path: Path, rows: list[tuple[Any, ...]]) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    columns = ", ".join(f"c{index}" for index in range(len(rows[0])))
    connection.execute(f"CREATE TABLE finding ({columns})")
    connection.execute("BEGIN")
    marks = ", ".join("?" * len(rows[0]))
    connection.executemany(f"INSERT INTO finding VALUES ({marks})", rows)
    connection.execute("COMMIT")
    connection.close()


def _save(world: World, path: Path) -> dict[str, float]:
    """CPU seconds of each step of saving what was collected and judged."""
    items, answers = world.estate, world.answers
    with (
        Store.open(path, clock=clock) as store,
        store.write_scan(
            name="bench",
            kind="live",
            scope={"provider": "aws"},
            rules=world.pack.logic_versions(),
            pack=world.pack.version,
        ) as writer,
    ):

        def observe() -> None:
            for key, observations in answers.items():
                writer.observe(key, observations)

        return {
            "add": cpu(lambda: writer.add(items)),
            "observe": cpu(observe),
            "commit": cpu(lambda: writer.commit(calls=0, throttled=0, now=NOW)),
        }


def rescan(world: World) -> list[Figure]:
    """The whole pipeline over the same estate, one resource in a hundred changed."""
    _, first = world.saved
    second = world.run(world.copy("again.db"), changed=_CHANGED).steps
    after, before = second.judge + second.save, first.judge + first.save
    note = "bare: the first scan, ms " + ", ".join(
        f"{name} {seconds * 1000:,.0f}" for name, seconds in first._asdict().items()
    )
    return [
        Figure.of(
            "judge and save, 1 % changed",
            Pair(after, before, after / before),
            0.1,
            note=note,
            parts=second._asdict(),
        )
    ]


def memory(world: World) -> list[Figure]:
    """Peak memory of a whole scan against the same estate with a tenth of the findings."""
    path, _ = world.saved
    size = world.size
    fewer = world.run(path.with_name("fewer.db"), size=replace(size, findings=size.findings // 10))
    note = f"{size.findings:,} and {size.findings // 10:,} findings on {size.resources:,} resources"
    return [
        Figure(
            "scan: peak memory, ten times the findings",
            world.first.peak,
            fewer.peak,
            None,
            unit="MB",
            kind="difference",
            note=note,
        )
    ]
