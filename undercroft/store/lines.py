"""Lines of scans, each of which goes on from the one before, and the rows that they share.

A row of ``state_row`` holds from the scan ``since`` to the scan ``till``, in all scans of its line
between them. A new scan joins the line of the one before it if most of it is as it was; else it
begins a line of its own, so that nobody walks past rows of scans that have nothing in common. Only
one scan at a time is being written to a line.
"""

# ruff: noqa: S608  (only names of our own tables are put together; values are bound)

from __future__ import annotations

import sqlite3
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from undercroft.store.state_table import ALIKE, FOREVER

__all__ = ["Line", "Lines", "change", "end", "join", "leave", "line_of"]

_PART = 500


class Line(NamedTuple):
    """Where the rows of one scan are."""

    number: int
    till: int
    """To which scan a row holds that is written for it."""


def join(connection: sqlite3.Connection, scan_id: int, before: int | None) -> bool:
    """Let a scan that is being written go on with the line of the one before it, if that is worth
    it; else begin a line. Whether it goes on. Inside the caller's transaction.
    """
    goes_on = before is not None and _goes_on(connection, scan_id, before)
    connection.execute(
        "INSERT INTO line (scan, line) VALUES (?1, coalesce("
        "(SELECT line FROM line WHERE scan = ?2), ?1))",
        (scan_id, before if goes_on else None),
    )
    return goes_on


def _goes_on(connection: sqlite3.Connection, scan_id: int, before: int) -> bool:
    line = connection.execute("SELECT line FROM line WHERE scan = ?", (before,)).fetchone()
    if line is None:
        return False
    # Somebody is writing to it, or has gone on from there.
    newest = connection.execute("SELECT max(scan) FROM line WHERE line = ?", line).fetchone()
    # Another version of this program, or other constants, may have weighed otherwise.
    (alike,) = connection.execute(
        "SELECT count(DISTINCT weighed_by || ' ' || model) = 1 FROM scan WHERE id IN (?, ?)",
        (scan_id, before),
    ).fetchone()
    if newest != (before,) or not alike:
        return False
    # Of what was judged: what is only named has no findings.
    judged = "(SELECT count(*) FROM snapshot WHERE scan = {} AND judgement IS NOT NULL)"
    same, here, there = connection.execute(
        f"SELECT count(*), {judged.format('?1')}, {judged.format('?2')} FROM snapshot s "
        "JOIN snapshot q ON q.scan = ?2 AND q.resource = s.resource AND q.body = s.body "
        "AND q.judgement = s.judgement WHERE s.scan = ?1",
        (scan_id, before),
    ).fetchone()
    if 2 * same < max(here, there):
        return False
    rows, held = connection.execute(
        "SELECT (SELECT count(*) FROM state_row WHERE line = ?), "
        "(SELECT coalesce(sum(findings), 0) FROM standing WHERE scan = ?)",
        (*line, before),
    ).fetchone()
    return bool(rows <= 2 * held)


def leave(connection: sqlite3.Connection, scan_id: int) -> None:
    """Remove a scan from its line, with the rows that hold in no other. In the caller's transaction.

    What it had ended goes on, if it was the newest.
    """
    found = connection.execute("SELECT line FROM line WHERE scan = ?", (scan_id,)).fetchone()
    if found is None:
        return
    (line,) = found
    connection.execute("DELETE FROM line WHERE scan = ?", (scan_id,))
    before, after = connection.execute(
        "SELECT coalesce(max(CASE WHEN scan < ?2 THEN scan END), 0), "
        "min(CASE WHEN scan > ?2 THEN scan END) FROM line WHERE line = ?1",
        (line, scan_id),
    ).fetchone()
    connection.execute(
        "DELETE FROM state_row WHERE line = ? AND since > ? AND till < ?",
        (line, before, FOREVER + 1 if after is None else after),
    )
    if after is None:
        connection.execute(
            "UPDATE state_row SET till = ?3 WHERE line = ?1 AND till >= ?2 AND till < ?3",
            (line, before, FOREVER),
        )


def line_of(connection: sqlite3.Connection, scan_id: int) -> Line:
    """The line of a scan that has one."""
    number, after = connection.execute(
        "SELECT n.line, (SELECT min(a.scan) FROM line a JOIN scan s ON s.id = a.scan "
        "WHERE a.line = n.line AND a.scan > n.scan AND s.state <> 'running') "
        "FROM line n WHERE n.scan = ?",
        (scan_id,),
    ).fetchone()
    return Line(number, FOREVER if after is None else after - 1)


class Lines:
    """Which scans there are in each line: the finished ones.

    A scan that is being written has no say: what is changed in the newest finished one goes for it,
    and it works decisions in by itself before it appears.
    """

    def __init__(self, connection: sqlite3.Connection, also: Collection[int] = ()) -> None:
        """``also``: scans that count, finished or not."""
        self._scans: dict[int, list[int]] = {}
        for scan, line, finished in connection.execute(
            "SELECT n.scan, n.line, s.state <> 'running' FROM line n "
            "JOIN scan s ON s.id = n.scan ORDER BY n.scan"
        ):
            if finished or scan in also:
                self._scans.setdefault(line, []).append(scan)

    def scans(self, line: int, since: int, till: int) -> Sequence[int]:
        """In which a row holds, oldest first."""
        scans = self._scans.get(line, [])
        return scans[bisect_left(scans, since) : bisect_right(scans, till)]


class _Row(NamedTuple):
    id: int
    line: int
    since: int
    till: int
    is_new: int
    values: tuple[Any, ...]
    """Of the columns that were asked for."""


def change(
    connection: sqlite3.Connection, columns: Sequence[str], changes: Iterable[Sequence[Any]]
) -> None:
    """Write columns of rows in some of the scans in which they hold, in the caller's transaction.

    ``changes``: (row of ``state_row``, scan, values…). Where that means different things to scans
    that shared a row, it is parted; the newest of them keep it.
    """
    wanted: dict[int, dict[int, tuple[Any, ...]]] = {}
    scans: set[int] = set()
    for row, scan, *values in changes:
        wanted.setdefault(row, {})[scan] = tuple(values)
        scans.add(scan)
    lines = Lines(connection, scans)
    write = f"UPDATE state_row SET {', '.join(f'{name} = ?' for name in columns)} WHERE id = ?"
    for rows in _rows(connection, list(wanted), columns):
        alike: list[Sequence[Any]] = []
        for row in rows:
            said = wanted[row.id]
            runs: list[tuple[int, tuple[Any, ...] | None]] = []
            for scan in lines.scans(row.line, row.since, row.till):
                values_there = said.get(scan)
                if values_there == row.values:
                    values_there = None
                if not runs or runs[-1][1] != values_there:
                    runs.append((scan, values_there))
            ids = _part(connection, row, [first for first, _ in runs])
            alike += [
                (*values_there, number)
                for number, (_, values_there) in zip(ids, runs, strict=True)
                if values_there is not None
            ]
        connection.executemany(write, alike)


def _part(connection: sqlite3.Connection, row: _Row, firsts: Sequence[int]) -> list[int]:
    """Part a row into as many as there are first scans; their ids."""
    if len(firsts) < 2:
        return [row.id][: len(firsts)]
    connection.execute(
        "UPDATE state_row SET since = ?, is_new = 0 WHERE id = ?", (firsts[-1], row.id)
    )
    bounds = [row.since, *firsts[1:]]
    return [
        *(_copy(connection, row, since, after - 1) for since, after in pairwise(bounds)),
        row.id,
    ]


def _copy(connection: sqlite3.Connection, row: _Row, since: int, till: int) -> int:
    cursor = connection.execute(
        f"INSERT INTO state_row (line, since, till, is_new, {ALIKE}) "
        f"SELECT line, ?, ?, ?, {ALIKE} FROM state_row WHERE id = ?",
        (since, till, int(bool(row.is_new) and since == row.since), row.id),
    )
    return int(cursor.lastrowid or 0)


def end(connection: sqlite3.Connection, scan_id: int, rows: Sequence[int]) -> None:
    """Remove rows from one scan; in others they go on. In the caller's transaction."""
    lines = Lines(connection, {scan_id})
    for found in _rows(connection, rows):
        for row in found:
            scans = lines.scans(row.line, row.since, row.till)
            earlier = [scan for scan in scans if scan < scan_id]
            later = [scan for scan in scans if scan > scan_id]
            if earlier and later:
                _copy(connection, row, later[0], row.till)
            if earlier:
                connection.execute(
                    "UPDATE state_row SET till = ? WHERE id = ?", (scan_id - 1, row.id)
                )
            elif later:
                connection.execute(
                    "UPDATE state_row SET since = ?, is_new = 0 WHERE id = ?", (later[0], row.id)
                )
            else:
                connection.execute("DELETE FROM state_row WHERE id = ?", (row.id,))


def _rows(
    connection: sqlite3.Connection, ids: Sequence[int], columns: Sequence[str] = ()
) -> Iterator[list[_Row]]:
    names = ", ".join(("id", "line", "since", "till", "is_new", *columns))
    for start in range(0, len(ids), _PART):
        part = ids[start : start + _PART]
        yield [
            _Row._make((*row[:5], row[5:]))
            for row in connection.execute(
                f"SELECT {names} FROM state_row WHERE id IN ({','.join('?' * len(part))})", part
            )
        ]
