"""Taking over what others decided on copies: a union, and what it changed."""

# ruff: noqa: S608  (only names of our own tables are put together; values are bound)

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

from undercroft.store.connection import Database
from undercroft.store.replica import is_shared
from undercroft.store.scans import FINISHED
from undercroft.store.scoped import place_of
from undercroft.store.statuses import book_for, whole_book
from undercroft.triage.events import Event
from undercroft.triage.reports import MergeReport

__all__ = [
    "disputes",
    "in_conflict",
    "known_disputes",
    "known_ids",
    "report",
    "standing",
]

_PART = 500


class Standing(NamedTuple):
    """How a finding stands."""

    status: str
    cause: str
    severity: int
    """Rank of what is in force."""


def standing(connection: sqlite3.Connection, findings: Sequence[str]) -> dict[str, Standing]:
    """Finding → how it stands in the newest finished scan."""
    found: dict[str, Standing] = {}
    for start in range(0, len(findings), _PART):
        part = findings[start : start + _PART]
        for fid, *how in connection.execute(
            "SELECT f.fid, t.status, t.cause, t.severity FROM finding f CROSS JOIN state t "
            "ON t.finding = f.id AND t.scan = (SELECT max(id) FROM scan "
            f"WHERE state IN {FINISHED}) WHERE f.fid IN ({','.join('?' * len(part))})",
            part,
        ):
            found[fid] = Standing(*how)
    return found


def in_conflict(connection: sqlite3.Connection, findings: Iterable[str]) -> frozenset[str]:
    """Those of the findings about which copies disagree."""
    wanted = list(findings)
    book = book_for(connection, wanted)
    return frozenset(
        finding
        for finding in wanted
        if (resolved := book.resolved(finding, place_of(connection, book, finding))) is not None
        and resolved.conflict
    )


def disputes(connection: sqlite3.Connection) -> dict[str, tuple[Event, ...]]:
    """Finding → the decisions that copies made without knowing of each other, the one in force
    first; findings in the order of their ids.
    """
    if not is_shared(connection):
        # Whoever decides on one copy knows what was decided there.
        return {}
    book = whole_book(connection)
    found = {}
    for (finding,) in connection.execute(
        "SELECT DISTINCT finding FROM event WHERE finding IS NOT NULL ORDER BY finding"
    ).fetchall():
        resolved = book.resolved(finding, place_of(connection, book, finding))
        if resolved is not None and resolved.conflict:
            found[str(finding)] = resolved.decisions
    return found


_KNOWN: WeakKeyDictionary[Database, tuple[str, dict[str, tuple[Event, ...]]]] = WeakKeyDictionary()
"""Cache → its revision and the disputes in it: lists ask again for every reload."""


def known_disputes(database: Database) -> dict[str, tuple[Event, ...]]:
    """``disputes``, worked out once for as long as nobody writes."""
    revision = database.meta("revision")
    known = _KNOWN.get(database)
    if known is None or known[0] != revision:
        known = _KNOWN[database] = (revision, disputes(database.connection()))
    return known[1]


def known_ids(connection: sqlite3.Connection, ids: Sequence[str]) -> set[str]:
    """Those of the ids that the log has."""
    found: set[str] = set()
    for start in range(0, len(ids), _PART):
        part = ids[start : start + _PART]
        found |= {
            row[0]
            for row in connection.execute(
                f"SELECT id FROM event WHERE id IN ({','.join('?' * len(part))})", part
            )
        }
    return found


def report(
    database: Database,
    new: Sequence[Event],
    findings: Sequence[str],
    earlier: tuple[dict[str, Standing], frozenset[str]],
) -> MergeReport:
    """What a merge did, once it is done."""
    with database.snapshot() as connection:
        after = standing(connection, findings)
        disputed = in_conflict(connection, findings)
    statuses, conflicts = earlier
    return MergeReport(
        events=len(new),
        conflicts=tuple(sorted(disputed - conflicts)),
        changed=tuple(
            (finding, before.status if before else "", after[finding].status)
            for finding in sorted(after)
            if (before := statuses.get(finding)) is None or before[:2] != after[finding][:2]
        ),
    )
