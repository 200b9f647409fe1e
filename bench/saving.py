"""Saving a scan against raw ``executemany``, and saving it again nearly unchanged."""

from __future__ import annotations

import sqlite3
import statistics
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

from bench import sql
from bench.measure import Figure, Pair, cpu, settled
from bench.world import NOW, World, clock
from undercroft.store import Store

__all__ = ["memory", "rescan", "saving"]

_CHANGED = 0.01
_ROUNDS = 2


def saving(world: World) -> list[Figure]:
    """A first scan, against two yardsticks: the rows that it leaves in every table, with their
    indexes built afterwards; and only what the findings table shows, in one table without an index.
    """
    files = count()
    parts: dict[str, float] = {}

    def ours() -> float:
        parts.update(_save(world, world.folder / f"saved-{next(files)}.db"))
        return sum(parts.values())

    def same() -> float:
        return _same_rows(world, world.folder / f"same-{next(files)}.db")

    def shown() -> float:
        return _shown_rows(world, world.folder / f"shown-{next(files)}.db")

    _ = world.answers  # worked out before the clock starts
    rounds = world.rounds(_ROUNDS, grows=True)
    pair = settled(ours, same, rounds=rounds, warm=False)
    one = statistics.median(shown() for _ in range(rounds))
    return [
        Figure.of(
            "save a scan",
            pair,
            2.0,
            note="bare: the same rows of all tables by executemany, then their indexes",
            parts=parts,
        ),
        Figure.of(
            "save a scan, against one table",
            Pair(pair.ours, one, pair.ours / one),
            None,
            note=f"bare: {world.scan.findings:,} rows of what lists and exports show, no index",
        ),
    ]


def _raw(path: Path) -> sqlite3.Connection:
    """A new file, set up as ours is while a scan is saved."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA cache_size = -96000")
    connection.execute("BEGIN")
    return connection


def _same_rows(world: World, path: Path) -> float:
    """CPU seconds of writing every row of the saved cache; reading it is not counted."""
    source = world.bare()
    target = _raw(path)
    spent = 0.0
    tables = source.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' "
        "ESCAPE '!' AND name NOT LIKE '!_%' ESCAPE '!'"
    ).fetchall()
    for name, statement in tables:
        rows = source.execute(f"SELECT * FROM {name}").fetchall()
        if not rows:
            continue
        target.execute(statement)
        insert = f"INSERT INTO {name} VALUES ({', '.join('?' * len(rows[0]))})"
        spent += cpu(partial(target.executemany, insert, rows))
        indexes = source.execute(
            "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? "
            "AND sql IS NOT NULL",
            (name,),
        )
        for (index,) in indexes.fetchall():
            spent += cpu(partial(target.execute, index))
    spent += cpu(partial(target.execute, "COMMIT"))
    target.close()
    source.close()
    return spent


def _shown_rows(world: World, path: Path) -> float:
    """CPU seconds of writing what is shown and exported of each finding."""
    source = world.bare()
    rows = source.execute(
        f"SELECT {sql.COLUMNS}, f.at, o.evidence, o.traits, o.cvss, o.vector "
        f"FROM state t {sql.JOINS} WHERE t.scan = ? ORDER BY t.id",
        (world.scan.id,),
    ).fetchall()
    source.close()
    target = _raw(path)
    columns = ", ".join(f"c{index}" for index in range(len(rows[0])))
    target.execute(f"CREATE TABLE finding ({columns})")
    insert = f"INSERT INTO finding VALUES ({', '.join('?' * len(rows[0]))})"
    spent = cpu(partial(target.executemany, insert, rows))
    spent += cpu(partial(target.execute, "COMMIT"))
    target.close()
    return spent


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
    """The whole pipeline over the same estate, one resource in a hundred changed: once such as come,
    and once those on which most hangs among them.
    """
    _, first = world.saved
    before = first.judge + first.save
    note = "bare: the first scan, ms " + ", ".join(
        f"{name} {seconds * 1000:,.0f}" for name, seconds in first._asdict().items()
    )
    found = []
    for what, most_shared in (
        ("judge and save, 1 % changed", False),
        ("the same, the most shared among it", True),
    ):
        path = world.copy("again.db")
        again = world.run(path, changed=_CHANGED, most_shared=most_shared).steps
        after = again.judge + again.save
        pair = Pair(after, before, after / before)
        found.append(Figure.of(what, pair, 0.1, note=note, parts=again._asdict()))
    return found


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
