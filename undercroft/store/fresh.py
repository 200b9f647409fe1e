"""Whether the clock has changed what a scan's rows say: asked before every read."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from datetime import datetime

from undercroft.clock import stamp
from undercroft.store.connection import Database
from undercroft.store.errors import BusyError

__all__ = ["ensure_fresh", "stale"]

_STALE = (
    "SELECT finding FROM state WHERE scan = ?1 AND turns_at IS NOT NULL AND turns_at <= ?2 "
    "UNION SELECT finding FROM state WHERE scan = ?1 AND turned_at IS NOT NULL AND turned_at > ?2"
)


def ensure_fresh(database: Database, scan_id: int) -> None:
    """Honour every expiry up to this moment in one scan, before it is read.

    Cheap when there is nothing to do. A store that may not write goes on with a private copy. While
    somebody else is writing, what the clock has changed since shows with the first read after that.
    """
    now = database.now()
    connection = database.connection()
    if connection.in_transaction or not stale(connection, scan_id, now):
        return
    # Most reads never need what works statuses out.
    from undercroft.store.refresh import bring_up_to_date

    with suppress(BusyError):
        bring_up_to_date(database, scan_id, now)


def stale(connection: sqlite3.Connection, scan_id: int, now: datetime) -> list[int]:
    """Findings whose row in a scan the clock has changed."""
    rows = connection.execute(_STALE, (scan_id, stamp(now))).fetchall()
    return [int(row[0]) for row in rows]
