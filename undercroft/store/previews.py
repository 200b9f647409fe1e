"""What events would do: appended, worked out, and rolled back."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from undercroft.model import Severity
from undercroft.steps import Step, unwatched
from undercroft.store.connection import Database
from undercroft.store.decisions import concerned, place_events
from undercroft.store.refresh import refresh_findings
from undercroft.store.sharing import standing
from undercroft.triage.events import Event
from undercroft.triage.reports import StatusChange

__all__ = ["preview"]

_PART = 500
"""Findings between two words on how far it is."""


class _NotMeant(Exception):  # noqa: N818  (no error: the way out of a transaction)
    """Rolls back what was only tried."""


def preview(
    database: Database, drafts: Sequence[Event], step: Step = unwatched
) -> list[StatusChange]:
    """See ``Store.preview``."""
    found: list[StatusChange] = []
    try:
        with database.transaction() as connection:
            appended = place_events(connection, database.meta("replica"), drafts)
            findings = concerned(connection, appended)
            before = standing(connection, findings)
            refresh_findings(connection, findings, database.now(), step=step)
            after = standing(connection, findings)
            changed = [fid for fid in findings if fid in after and before.get(fid) != after[fid]]
            for number, fid in enumerate(changed):
                if number % _PART == 0:
                    step("comparing", number, len(changed))
                names = _names(connection, fid)
                was, now = before[fid], after[fid]
                found.append(
                    StatusChange(
                        fid,
                        *names,
                        before=was[:2],
                        after=now[:2],
                        severities=(
                            Severity.from_rank(was.severity),
                            Severity.from_rank(now.severity),
                        ),
                    )
                )
            raise _NotMeant
    except _NotMeant:
        return found


def _names(connection: sqlite3.Connection, finding: str) -> tuple[str, str]:
    row = connection.execute(
        "SELECT o.title, b.name FROM finding f JOIN state t ON t.finding = f.id "
        "JOIN observation o ON o.id = t.observation JOIN body b ON b.id = t.body "
        "WHERE f.fid = ? ORDER BY t.scan DESC LIMIT 1",
        (finding,),
    ).fetchone()
    return (row[0], row[1]) if row else ("", "")
