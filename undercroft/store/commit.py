"""The end of a scan: reach, statuses and scores are worked out, then it appears by one commit."""

# ruff: noqa: S608  (only names of our own tables are put together; values are bound)

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

from undercroft.clock import stamp
from undercroft.store import lines, rollup, scans
from undercroft.store.carry import carry_over
from undercroft.store.combos import settle_scan
from undercroft.store.connection import Database, bump
from undercroft.store.coverage import Units, assign_units
from undercroft.store.criticality import spread
from undercroft.store.decisions import concerned
from undercroft.store.encode import load
from undercroft.store.errors import StoreError
from undercroft.store.feeds import apply_to, imported
from undercroft.store.models import model_of
from undercroft.store.plain import Plain, write_others
from undercroft.store.reach import write_closure
from undercroft.store.refresh import refresh_findings
from undercroft.store.schema import FINDING_INDEXES
from undercroft.store.sightings import Scan
from undercroft.store.state_table import STATE_INDEXES
from undercroft.store.statuses import EVENT_COLUMNS, event_of, whole_book
from undercroft.views import ScanRow

__all__ = ["blind_services", "count_findings", "finish", "scan_of"]

_RESOURCES = 1_000
"""Resources per step: bounds memory, whatever the size of the estate."""
_DERIVED_TABLES = ("closure", "tally", "standing", "weight", "block", "service")
_MANY = 50_000
"""From this many findings on, a first load builds the indexes afterwards."""


def finish(
    database: Database,
    scan_id: int,
    *,
    calls: int,
    throttled: int,
    spared: int,
    now: datetime,
    criticality_tag: str,
) -> ScanRow:
    """Make a streamed scan visible. ``criticality_tag``: see ``Store.write_scan``.

    The long work is done before, in short transactions and out of sight. If another scan or a
    decision was committed meanwhile, what it changes is worked in before this scan appears.
    """
    now = now.astimezone(UTC)
    with database.transaction() as connection:
        for statement in FINDING_INDEXES.values():
            connection.execute(statement)
    assign_units(database, scan_id)
    carry_over(database, scan_id)
    while True:
        basis = _basis(database.connection(), scan_id)
        feeds = imported(database.connection())
        write_closure(database, scan_id)
        with database.transaction() as connection:
            joined = lines.join(connection, scan_id, basis.newest)
        _write_states(database, scan_id, basis.newest if joined else None, now, criticality_tag)
        with database.transaction() as connection:
            rollup.count_anew(connection, settle_scan(connection, scan_id))
            apply_to(connection, scan_id, rollup.made(connection))
            spread(connection, scan_id, criticality_tag)
        rollup.build(database, scan_id, basis.newest)
        with database.transaction() as connection:
            if _basis(connection, scan_id).holds(basis):
                if imported(connection) != feeds:
                    apply_to(connection, scan_id)
                    rollup.rebuild(connection, scan_id)
                _appear(connection, scan_id, basis.last_event, (calls, throttled, spared), now)
                break
            # Another scan appeared, and its sightings come before ours; or what is shared with the
            # one before was scored by other constants meanwhile, or its combinations are others.
            lines.leave(connection, scan_id)
            for table in _DERIVED_TABLES:
                connection.execute(f"DELETE FROM {table} WHERE scan = ?", (scan_id,))
    return scans.row(database.connection(), scan_id)


class _Basis(NamedTuple):
    """What the rows of a scan were worked out from."""

    newest: int | None
    """The newest finished scan before it."""
    model: str | None
    """By which that one was scored."""
    combinations: int
    """A sum that is another one once its combinations were evaluated anew."""
    last_event: int

    def holds(self, before: _Basis) -> bool:
        """Whether what was worked out from ``before`` is still right, decisions aside."""
        return self[:-1] == before[:-1]


def _basis(connection: sqlite3.Connection, scan_id: int) -> _Basis:
    newest, model = connection.execute(
        f"SELECT id, model FROM scan WHERE id < ? AND state IN {scans.FINISHED} "
        "ORDER BY id DESC LIMIT 1",
        (scan_id,),
    ).fetchone() or (None, None)
    combinations, last = connection.execute(
        "SELECT (SELECT coalesce(sum(combined), 0) FROM snapshot WHERE scan = ?), "
        "(SELECT coalesce(max(number), 0) FROM event)",
        (newest,),
    ).fetchone()
    return _Basis(newest, model, combinations, last)


def scan_of(
    connection: sqlite3.Connection,
    scan_id: int,
    now: datetime,
    criticality_tag: str,
) -> Scan:
    """What is the same for all rows of a scan."""
    uid, started_at, rules = connection.execute(
        "SELECT uid, started_at, rules FROM scan WHERE id = ?", (scan_id,)
    ).fetchone()
    units = Units(connection, scan_id)
    return Scan(
        id=scan_id,
        uid=uid,
        started_at=started_at,
        rules=load(rules),
        line=lines.line_of(connection, scan_id),
        units=units,
        blind_services=blind_services(connection, scan_id, gaps=units.gaps() > 0),
        book=whole_book(connection),
        now=now,
        criticality_tag=criticality_tag,
        model=model_of(connection, scan_id),
    )


def count_findings(connection: sqlite3.Connection, scan_id: int) -> int:
    """Findings of a scan that have not ended, once they are counted."""
    found = connection.execute(
        "SELECT coalesce(sum(findings), 0) FROM standing "
        "WHERE scan = ? AND status NOT IN ('fixed', 'gone', 'retired')",
        (scan_id,),
    ).fetchone()[0]
    return int(found)


def _write_states(
    database: Database,
    scan_id: int,
    before: int | None,
    now: datetime,
    criticality_tag: str,
) -> None:
    """``before``: the scan whose line this one goes on with."""
    connection = database.connection()
    scan = scan_of(connection, scan_id, now, criticality_tag)
    if not _is_first_big_load(connection):
        for step in _steps(connection, scan, before, indexed=True):
            with database.transaction() as writing:
                step(writing)
        return
    with database.transaction() as writing:
        for name in STATE_INDEXES:
            writing.execute(f"DROP INDEX IF EXISTS {name}")
        for step in _steps(connection, scan, before, indexed=False):
            step(writing)
        for name, definition in STATE_INDEXES.items():
            writing.execute(f"CREATE INDEX {name} {definition}")


def _steps(
    connection: sqlite3.Connection, scan: Scan, before: int | None, *, indexed: bool
) -> Iterator[Callable[[sqlite3.Connection], None]]:
    """What is to be done in one transaction each, in this order."""
    plain = Plain(connection, scan, before, indexed=indexed)
    left: list[int] = []

    def write_plain(writing: sqlite3.Connection, span: tuple[int, int]) -> None:
        left.extend(plain.write(writing, *span))

    def write_rest(writing: sqlite3.Connection) -> None:
        write_others(writing, scan, left[:_RESOURCES])
        del left[:_RESOURCES]

    for span in plain.spans(connection):
        yield partial(write_plain, span=span)
        while left:
            yield write_rest


def _is_first_big_load(connection: sqlite3.Connection) -> bool:
    """Nothing to read yet and much to write: nobody misses the indexes for a while."""
    if connection.execute("SELECT 1 FROM state_row LIMIT 1").fetchone() is not None:
        return False
    found = connection.execute("SELECT max(id) FROM observation").fetchone()[0]
    return bool(found and found > _MANY)


def blind_services(connection: sqlite3.Connection, scan_id: int, *, gaps: bool) -> frozenset[int]:
    """Services beneath which something could not be read. ``gaps``: whether a unit has one."""
    if gaps:
        # A listing that failed may have hidden any part of any service.
        found = connection.execute(
            "SELECT DISTINCT service FROM closure WHERE scan = ?", (scan_id,)
        )
    else:
        found = connection.execute(
            "SELECT DISTINCT c.service FROM closure c "
            "JOIN snapshot s ON s.scan = c.scan AND s.resource = c.resource "
            "JOIN body b ON b.id = s.body WHERE c.scan = ? AND b.unknowns > 0",
            (scan_id,),
        )
    return frozenset(row[0] for row in found)


def _appear(
    connection: sqlite3.Connection,
    scan_id: int,
    last_event: int,
    calls: tuple[int, int, int],
    now: datetime,
) -> None:
    """The one visible commit; runs inside the caller's transaction.

    ``calls``: made, made again after throttling, and spared.
    """
    state = connection.execute("SELECT state FROM scan WHERE id = ?", (scan_id,)).fetchone()
    if state != ("running",):
        msg = f"Scan {scan_id} was ended from outside while it was being saved."
        raise StoreError(msg)
    # Findings that another scan, not visible yet, happened to write down first are ours now.
    connection.execute(
        "UPDATE finding SET first_scan = ?1, first_seen = (SELECT first_seen FROM state "
        "WHERE finding = finding.id AND scan = ?1) WHERE first_scan IN ("
        "SELECT id FROM scan WHERE state = 'running' AND id <> ?1) "
        "AND EXISTS (SELECT 1 FROM state WHERE finding = finding.id AND scan = ?1)",
        (scan_id,),
    )
    resources, services, unread = connection.execute(
        "SELECT coalesce(sum(b.presence = 'read' AND NOT s.carried), 0), "
        "coalesce(sum(b.service AND b.presence <> 'absent'), 0), coalesce(sum(CASE WHEN s.carried THEN 0 ELSE b.unread END), 0) "
        "FROM snapshot s JOIN body b ON b.id = s.body WHERE s.scan = ?",
        (scan_id,),
    ).fetchone()
    covered = Units(connection, scan_id)
    units = covered.gaps()
    gaps = units + unread
    state = "partial" if gaps else "complete"
    if units and not resources and not covered.any_read():
        state = "failed"
    findings = count_findings(connection, scan_id)
    connection.execute(
        "UPDATE scan SET state = ?, finished_at = ?, services = ?, resources = ?, findings = ?, "
        "gaps = ?, calls = ?, throttled = ?, spared = ? WHERE id = ?",
        (state, stamp(now), services, resources, findings, gaps, *calls, scan_id),
    )
    made = [
        event_of(row)
        for row in connection.execute(
            f"SELECT {EVENT_COLUMNS} FROM event WHERE number > ?", (last_event,)
        ).fetchall()
    ]
    if made:
        refresh_findings(connection, concerned(connection, made), now, only=scan_id)
    connection.execute("UPDATE service SET saved = score, fed = 0 WHERE scan = ?", (scan_id,))
    bump(connection)
