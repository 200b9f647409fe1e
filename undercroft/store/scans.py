"""Scans as rows: listing, finding by name, renaming, deleting, and clearing up after dead ones."""

# ruff: noqa: S608  (only names of our own tables are put together; values are bound)

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

from undercroft.model import Coverage, CoverageStatus
from undercroft.store.connection import Database, bump
from undercroft.store.encode import clean, load
from undercroft.store.errors import AmbiguousError, NotFoundError, StoreError
from undercroft.store.schema import FINDING_INDEXES
from undercroft.views import ScanRow

__all__ = [
    "FINISHED",
    "PUBLISHED",
    "abandon",
    "clean_interrupted",
    "coverage",
    "delete",
    "find",
    "listing",
    "process_start",
    "prune",
    "rename",
    "row",
    "scored_otherwise",
]

FINISHED = "('complete', 'partial', 'failed')"
"""States of a scan that readers may open, as an SQL list."""

PUBLISHED = "390f368d4a7ac014"
"""Digest of the risk model's constants as published: known without working it out."""

_COLUMNS = (
    "id, uid, name, kind, state, started_at, finished_at, scope, services, resources, findings, "
    "gaps, calls, spared, model, host, pid, process_start"
)
_PER_SCAN = (
    "coverage",
    "snapshot",
    "edge",
    "closure",
    "tally",
    "standing",
    "weight",
    "block",
    "service",
)


def listing(database: Database) -> list[ScanRow]:
    """Every scan, newest first. One whose process is gone shows as interrupted."""
    rows = database.connection().execute(f"SELECT {_COLUMNS} FROM scan ORDER BY id DESC")
    return [_scan_row(found) for found in rows.fetchall()]


def row(connection: sqlite3.Connection, scan_id: int) -> ScanRow:
    """One scan by its row id. NotFoundError."""
    found = connection.execute(f"SELECT {_COLUMNS} FROM scan WHERE id = ?", (scan_id,)).fetchone()
    if found is None:
        msg = f"There is no scan {scan_id} in this cache."
        raise NotFoundError(msg)
    return _scan_row(found)


def find(database: Database, ref: str | None) -> ScanRow:
    """See ``Store.scan``."""
    scans = listing(database)
    text = (ref or "latest").strip()
    if text in ("latest", "previous"):
        # A scan that could not read anything holds no data worth opening while an older one does.
        holding = [scan for scan in scans if scan.state in ("complete", "partial")]
        holding = holding or [scan for scan in scans if scan.state == "failed"]
        place = 0 if text == "latest" else 1
        if len(holding) > place:
            return holding[place]
        msg = (
            "There is no scan in this cache yet."
            if not holding
            else "There is only one scan in this cache, so there is none before it."
        )
        raise NotFoundError(msg)
    exact = [s for s in scans if s.uid == text or str(s.id) == text]
    named = [s for s in scans if s.name == text]
    started = [s for s in scans if len(text) >= 4 and s.uid.startswith(text)]
    for found in (exact, named, started):
        if len(found) == 1:
            return found[0]
        if found:
            candidates = [f"{scan.id}  {scan.uid}  {scan.name}" for scan in found]
            msg = f"Several scans go by {text!r}; name one by its number: " + "; ".join(candidates)
            raise AmbiguousError(msg, candidates)
    msg = f"No scan goes by {text!r}."
    raise NotFoundError(msg)


def scored_otherwise(connection: sqlite3.Connection, digest: str) -> int | None:
    """The newest finished scan, if other constants of the risk model scored it than of this digest."""
    found = connection.execute(
        f"SELECT id, model FROM scan WHERE state IN {FINISHED} ORDER BY id DESC LIMIT 1"
    ).fetchone()
    return None if found is None or found[1] == digest else int(found[0])


def rename(database: Database, scan_id: int, name: str) -> None:
    """Give a scan another name."""
    with database.transaction() as connection:
        changed = connection.execute(
            "UPDATE scan SET name = ? WHERE id = ?", (clean(name.strip()), scan_id)
        ).rowcount
        if not changed:
            msg = f"There is no scan {scan_id} in this cache."
            raise NotFoundError(msg)
        bump(connection)


def delete(database: Database, scan_id: int) -> None:
    """Remove a scan and what only it refers to; findings keep their first day, events stay."""
    with database.transaction() as connection:
        found = row(connection, scan_id)
        if found.state == "running":
            msg = f"Scan {scan_id} is still running; cancel it first."
            raise StoreError(msg)
        _remove_rows(connection, scan_id)
        connection.execute("DELETE FROM scan WHERE id = ?", (scan_id,))
        _collect_garbage(connection)
        bump(connection)


def prune(database: Database, keep: int) -> list[ScanRow]:
    """See ``Store.prune_scans``: one scan per transaction, the oldest first."""
    older: list[ScanRow] = []
    held = 0
    for found in listing(database):
        if found.state == "running":
            continue
        if held >= keep:
            older.append(found)
        held += found.state in ("complete", "partial")
    for found in reversed(older):
        delete(database, found.id)
    return older


def coverage(database: Database, scan_id: int) -> list[Coverage]:
    """What each unit of a scan could see."""
    rows = database.connection().execute(
        "SELECT u.provider, u.scope, u.location, u.collector, c.status, c.reason, c.lists "
        "FROM coverage c JOIN unit u ON u.id = c.unit WHERE c.scan = ? "
        "ORDER BY u.provider, u.scope, u.location, u.collector",
        (scan_id,),
    )
    return [
        Coverage(
            provider, scope, location, name, CoverageStatus(status), reason, tuple(load(lists))
        )
        for provider, scope, location, name, status, reason, lists in rows.fetchall()
    ]


def abandon(database: Database, scan_id: int) -> None:
    """Record that a scan ended without a commit, and remove what it had written."""
    with database.transaction() as connection:
        ended = connection.execute(
            "UPDATE scan SET state = 'interrupted' WHERE id = ? AND state = 'running'", (scan_id,)
        ).rowcount
        if not ended:
            # It was committed in the same moment, or somebody else has cleared up already.
            return
        _remove_rows(connection, scan_id)
        connection.execute(
            "DELETE FROM finding WHERE first_scan = ? "
            "AND NOT EXISTS (SELECT 1 FROM state_row t WHERE t.finding = finding.id)",
            (scan_id,),
        )
        _collect_garbage(connection)
        for statement in FINDING_INDEXES.values():
            connection.execute(statement)
        bump(connection)


def clean_interrupted(database: Database) -> None:
    """Clear up after scans whose process died."""
    rows = database.connection().execute(
        "SELECT id, host, pid, process_start FROM scan WHERE state = 'running'"
    )
    for scan_id, host, pid, started in rows.fetchall():
        if not _alive(host, pid, started):
            abandon(database, scan_id)


def process_start(pid: int) -> str:
    """What tells a process from a later one with the same number; empty where not available."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    # The name in parentheses may hold spaces; the start time is the 20th field after it.
    fields = text.rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 else ""


def _alive(host: str, pid: int, started: str) -> bool:
    import socket  # brings much along, and is only needed where a scan is running

    if host != socket.gethostname() or os.name != "posix":
        # Another machine's process, or a system where asking would end it: leave it in peace.
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return not started or process_start(pid) == started


def _scan_row(found: tuple[Any, ...]) -> ScanRow:
    (*columns, host, pid, started) = found
    (scan_id, uid, name, kind, state, started_at, finished_at, scope, *rest) = columns
    if state == "running" and not _alive(host, pid, started):
        state = "interrupted"
    return ScanRow(scan_id, uid, name, kind, state, started_at, finished_at, load(scope), *rest)


def _remove_rows(connection: sqlite3.Connection, scan_id: int) -> None:
    from undercroft.store import lines

    lines.leave(connection, scan_id)
    for table in _PER_SCAN:
        connection.execute(f"DELETE FROM {table} WHERE scan = ?", (scan_id,))


def _collect_garbage(connection: sqlite3.Connection) -> None:
    """Remove shared rows that no scan refers to any more.

    Those of a scan that is still being written are safe: its snapshot rows refer to them, and both
    are written in one transaction.
    """
    from undercroft.store import wordings

    connection.execute(
        "DELETE FROM judgement WHERE id NOT IN ("
        "SELECT judgement FROM snapshot WHERE judgement IS NOT NULL "
        "UNION SELECT combined FROM snapshot WHERE combined IS NOT NULL "
        "UNION SELECT o.judgement FROM state_row s JOIN observation o ON o.id = s.observation)"
    )
    for table in ("observation", "blind"):
        connection.execute(f"DELETE FROM {table} WHERE judgement NOT IN (SELECT id FROM judgement)")
    connection.execute(
        "DELETE FROM body WHERE id NOT IN ("
        "SELECT body FROM snapshot UNION SELECT body FROM state_row)"
    )
    connection.execute("DELETE FROM content WHERE body NOT IN (SELECT id FROM body)")
    wordings.rebuild(connection)
