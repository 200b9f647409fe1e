"""The decision log in the cache: appended to, read, and never changed."""

# ruff: noqa: S608  (only names of our own tables are put together; values are bound)

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from undercroft.steps import Step, unwatched
from undercroft.store.connection import Database, bump
from undercroft.store.encode import clean, dump
from undercroft.store.errors import NotFoundError
from undercroft.store.refresh import refresh_findings
from undercroft.store.replica import own_replica
from undercroft.store.scans import FINISHED
from undercroft.store.scoped import covered, place_of
from undercroft.store.sharing import (
    in_conflict,
    known_disputes,
    known_ids,
    report,
    standing,
)
from undercroft.store.statuses import EVENT_COLUMNS, book_for, event_of
from undercroft.triage.events import Event, seal
from undercroft.triage.reports import MergeReport
from undercroft.triage.resolve import Undone
from undercroft.triage.scopes import is_scoped, scope_of
from undercroft.triage.searching import searching
from undercroft.triage.undoing import Line
from undercroft.views import EventRow

__all__ = [
    "append",
    "concerned",
    "event_rows",
    "events",
    "history",
    "lines",
    "merge",
    "one",
    "place_events",
]

_LINE = (
    "id, type, actor, at, finding, batch, lamport, json_extract(payload, '$.target'), "
    "json_extract(payload, '$.until')"
)
_TARGETED = ("undo", "scope_end", "scope_seen")
_LEADS_ON = ("undo", "scope_accept", "scope_end", "alias.link")
"""Types whose events may concern other findings than the one they name; so may what names none."""
_JSON = ("scope", "payload", "guards", "seen")
_PART = 500
"""Events between two words on how far it is."""


def append(database: Database, drafts: Sequence[Event], step: Step = unwatched) -> list[Event]:
    """See ``Store.append_events``."""
    if not drafts:
        return []
    if not database.read_only:
        # Before the transaction, where the setting has no effect: a decision that was shown as made
        # survives a power failure too, not only the end of the process.
        database.connection().execute("PRAGMA synchronous = FULL")
    try:
        with database.transaction() as connection:
            replica = own_replica(connection, database.path)
            appended = place_events(connection, replica, drafts, step)
            findings = concerned(connection, appended)
            refresh_findings(connection, findings, database.now(), step=step)
            bump(connection)
            step("saving", 0, 1)
    finally:
        if not database.read_only:
            database.connection().execute("PRAGMA synchronous = NORMAL")
    return appended


def merge(database: Database, found: Sequence[Event]) -> MergeReport:
    """See ``Store.merge_events``."""
    ordered = list({event.id: event for event in found}.values())
    with database.snapshot() as connection:
        known = known_ids(connection, [event.id for event in ordered])
        new = [event for event in ordered if event.id not in known]
        # What an undo takes back may come with the same file.
        concerns = concerned(connection, new, among=ordered)
        before = standing(connection, concerns), in_conflict(connection, concerns)
    append(database, new)
    return report(database, new, concerns, before)


def events(database: Database, finding: str | None = None) -> list[Event]:
    """All events, or those of one finding, in (lamport, id) order."""
    where, params = ("WHERE finding = ? ", (finding,)) if finding is not None else ("", ())
    rows = database.connection().execute(
        f"SELECT {EVENT_COLUMNS} FROM event {where}ORDER BY lamport, id", params
    )
    return [event_of(row) for row in rows.fetchall()]


def so_far(database: Database) -> tuple[int, str]:
    """See ``Store.decided_so_far``."""
    connection = database.connection()
    last = connection.execute(
        "SELECT id FROM event ORDER BY lamport DESC, id DESC LIMIT 1"
    ).fetchone()
    many = connection.execute("SELECT count(*) FROM event").fetchone()[0]
    return int(many), str(last[0]) if last else ""


def one(database: Database, event_id: str) -> Event:
    """See ``Store.event``."""
    row = (
        database.connection()
        .execute(f"SELECT {EVENT_COLUMNS} FROM event WHERE id = ?", (event_id,))
        .fetchone()
    )
    if row is None:
        msg = f"No decision is called {event_id}."
        raise NotFoundError(msg)
    return event_of(row)


def lines(
    database: Database,
    *,
    kind: str = "",
    name: str = "",
    actor: str = "",
) -> Iterator[Line]:
    """See ``Store.event_lines``."""
    asked = {"type = ?": kind, "actor = ?": actor}
    where = [condition for condition, value in asked.items() if value]
    params = [value for value in asked.values() if value]
    if name:
        # Two searches by index; OR would read the whole log.
        where.append(
            "number IN (SELECT number FROM event WHERE id = ? "
            "UNION SELECT number FROM event WHERE batch = ?)"
        )
        params += [name, name]
    condition = f"WHERE {' AND '.join(where)} " if where else ""
    for row in database.connection().execute(
        f"SELECT {_LINE} FROM event {condition}ORDER BY lamport DESC, id DESC", params
    ):
        yield Line(*row)


def history(database: Database, text: str = "", limit: int | None = None) -> list[EventRow]:
    """See ``Store.history``."""
    with database.snapshot() as connection:
        undone = Undone(
            (line.lamport, line.id, line.batch, line.target)
            for line in lines(database, kind="undo")
        )
        disputed = {event.id for events in known_disputes(database).values() for event in events}
        wanted = searching(text, database.now())
        # From the newest on, and no further than was asked for: a batch can be very large.
        newest = connection.execute(
            f"SELECT {EVENT_COLUMNS} FROM event ORDER BY lamport DESC, id DESC"
        )
        rows = _worded(
            connection, newest, lambda event: undone.covers(event.id, event.batch, event.lamport)
        )
        marked = (row._replace(conflict=True) if row.id in disputed else row for row in rows)
        return list(islice(filter(wanted, marked), None if limit is None else max(limit, 0)))


def event_rows(
    connection: sqlite3.Connection, where: str, params: Sequence[Any], dead: frozenset[str]
) -> list[EventRow]:
    """Events with the words that name what they are about, in (lamport, id) order."""
    rows = connection.execute(
        f"SELECT {EVENT_COLUMNS} FROM event {where} ORDER BY lamport, id", params
    ).fetchall()
    return list(_worded(connection, rows, lambda event: event.id in dead))


def _worded(
    connection: sqlite3.Connection, rows: Iterable[Any], is_dead: Callable[[Event], bool]
) -> Iterator[EventRow]:
    names: dict[str, tuple[str, str]] = {}
    for row in rows:
        event = event_of(row)
        title = resource = ""
        if event.finding is not None:
            if event.finding not in names:
                names[event.finding] = _names(connection, event.finding)
            title, resource = names[event.finding]
        reason = event.payload.get("reason") or event.payload.get("text") or ""
        reason = reason or event.payload.get("note") or ""
        target = event.payload.get("target")
        yield EventRow(
            id=event.id,
            type=event.type,
            at=event.at,
            actor=event.actor,
            finding=event.finding,
            title=title,
            resource_name=resource,
            reason=str(reason),
            payload=event.payload,
            batch=event.batch,
            live=not is_dead(event),
            target=target if event.type in _TARGETED and isinstance(target, str) else None,
            scope=scope.words() if (scope := scope_of(event)) is not None else "",
        )


def concerned(
    connection: sqlite3.Connection, appended: Iterable[Event], *, among: Iterable[Event] = ()
) -> list[str]:
    """The findings whose status these events may change: undoing leads back to what is undone.

    ``among``: events that are not in the log yet and may be what is undone.
    """
    found: dict[str, None] = {}
    seen: set[str] = set()
    waiting = list(appended)
    named: dict[str, list[Event]] = {}
    for event in among:
        for name in {event.id, event.batch or event.id}:
            named.setdefault(name, []).append(event)
    while waiting:
        event = waiting.pop()
        if event.id in seen:
            continue
        seen.add(event.id)
        if event.finding is not None:
            found[event.finding] = None
        scope = scope_of(event) if is_scoped(event) else None
        if scope is not None:
            found |= dict.fromkeys(covered(connection, scope))
        other = event.payload.get("alias")
        if event.type == "alias.link" and isinstance(other, str):
            found[other] = None
        target = event.payload.get("target")
        if event.type in {"undo", "scope_end"} and isinstance(target, str):
            waiting += named.get(target, ())
            found |= dict.fromkeys(
                row[0]
                for row in connection.execute(
                    "SELECT finding FROM event WHERE (id = ?1 OR batch = ?1) "
                    "AND finding IS NOT NULL",
                    (target,),
                )
            )
            waiting += [
                event_of(row)
                for row in connection.execute(
                    f"SELECT {EVENT_COLUMNS} FROM event WHERE (id = ? OR batch = ?) "
                    f"AND (type IN ({','.join('?' * len(_LEADS_ON))}) OR finding IS NULL)",
                    (target, target, *_LEADS_ON),
                ).fetchall()
            ]
    aliases = book_for(connection, ())
    return list(dict.fromkeys(name for fid in found for name in aliases.aliases(fid)))


def place_events(
    connection: sqlite3.Connection,
    replica: str,
    drafts: Sequence[Event],
    step: Step = unwatched,
) -> list[Event]:
    """Give drafts their place in the log and write them, inside the caller's transaction."""
    new = [draft for draft in drafts if not draft.replica]
    # Events from another copy already have their place; ours get theirs after them.
    _insert(connection, [event for event in drafts if event.replica])
    last = connection.execute(
        "SELECT seq, id FROM event WHERE replica = ? ORDER BY seq DESC LIMIT 1", (replica,)
    ).fetchone()
    lamport = connection.execute("SELECT coalesce(max(lamport), 0) FROM event").fetchone()[0]
    new = [_after_all_it_covers(connection, draft) for draft in new]
    heads = _heads(connection, {draft.finding for draft in new if draft.finding is not None})
    seq, last_id = last or (0, None)
    sealed: list[Event] = []
    for start in range(0, len(new), _PART):
        step("recording", start, len(new))
        part = seal(new[start : start + _PART], replica, seq, last_id, lamport, heads)
        _insert(connection, part)
        seq, last_id, lamport = part[-1].seq, part[-1].id, part[-1].lamport
        heads |= {event.finding: (event.id,) for event in part if event.finding is not None}
        sealed += part
    places = iter(sealed)
    return [event if event.replica else next(places) for event in drafts]


def _heads(connection: sqlite3.Connection, findings: set[str]) -> dict[str, tuple[str, ...]]:
    """Finding → the newest events that a decision on it is made in knowledge of."""
    book = book_for(connection, findings)
    return {
        finding: book.heads(finding, place_of(connection, book, finding)) for finding in findings
    }


def _after_all_it_covers(connection: sqlite3.Connection, draft: Event) -> Event:
    """A decision within a scope is made in knowledge of what was said about the findings it covers,
    and of what was decided within the same boundary, where that covers nothing.
    """
    scope = scope_of(draft) if is_scoped(draft) else None
    if scope is None:
        return draft
    heads = _heads(connection, set(covered(connection, scope)))
    known = {event.id for event in book_for(connection, ()).standing(scope)}
    known.update(head for one in heads.values() for head in one)
    return replace(draft, parents=tuple(sorted(known)))


def _insert(connection: sqlite3.Connection, found: Iterable[Event]) -> None:
    columns = EVENT_COLUMNS.split(", ")
    connection.executemany(
        f"INSERT OR IGNORE INTO event ({EVENT_COLUMNS}) VALUES ({', '.join('?' * len(columns))})",
        (tuple(_stored(event, name) for name in columns) for event in found),
    )


def _stored(event: Event, name: str) -> Any:
    value = getattr(event, name)
    if name in _JSON:
        return None if value is None else dump(value)
    if name == "parents":
        return dump(list(value))
    return clean(value) if isinstance(value, str) else value


def _names(connection: sqlite3.Connection, finding: str) -> tuple[str, str]:
    """Title and resource name of a finding, as the newest scan that has it knows them."""
    row = connection.execute(
        "SELECT o.title, b.name FROM finding f JOIN state t ON t.finding = f.id "
        "JOIN scan s ON s.id = t.scan JOIN observation o ON o.id = t.observation "
        "JOIN body b ON b.id = t.body "
        f"WHERE f.fid = ? AND s.state IN {FINISHED} ORDER BY t.scan DESC LIMIT 1",
        (finding,),
    ).fetchone()
    return (row[0], row[1]) if row else ("", "")
