"""Decisions about rules as they are now, conflicts between copies, and decisions that no longer do anything."""

# ruff: noqa: S608  (only names of our own tables are put together; values are bound)

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from undercroft.store.connection import Database
from undercroft.store.decisions import event_rows
from undercroft.store.fresh import ensure_fresh
from undercroft.store.read_details import decision_view
from undercroft.store.read_findings import COLUMNS, JOINS, finding_row
from undercroft.store.scans import FINISHED
from undercroft.store.scoped import OVER, covered, place_of
from undercroft.store.sharing import known_disputes
from undercroft.store.statuses import EVENT_COLUMNS, book_for, event_of, events_for, whole_book
from undercroft.triage.book import Book
from undercroft.triage.events import Event, order_key
from undercroft.triage.reports import Ruling, ScopeRow
from undercroft.triage.resolve import severity_of
from undercroft.triage.scopes import Scope, is_scoped, scope_of, whole
from undercroft.triage.when import lapse_instant
from undercroft.views import EventRow, FindingRow

__all__ = [
    "conflicts",
    "covered_now",
    "lapsed_acceptance",
    "newly_covered",
    "rated_alone",
    "rulings",
    "scopes",
    "unused",
]

_PART = 500


def covered_now(database: Database, scope: Scope, scan_id: int) -> list[str]:
    """Ids of the findings of a scan that a scope covers and that still stand."""
    ensure_fresh(database, scan_id)
    with database.snapshot() as connection:
        return covered(connection, scope, scan_id, standing=True)


def _rows(database: Database, scan_id: int, ids: Sequence[str]) -> tuple[FindingRow, ...]:
    """Findings of a scan, worst first."""
    found: list[FindingRow] = []
    with database.snapshot() as connection:
        for start in range(0, len(ids), _PART):
            part = ids[start : start + _PART]
            rows = connection.execute(
                f"SELECT {COLUMNS} FROM state t {JOINS} WHERE t.scan = ? AND f.fid IN "
                f"({','.join('?' * len(part))})",
                (scan_id, *part),
            )
            found += [finding_row(row) for row in rows.fetchall()]
    return tuple(sorted(found, key=lambda row: (-row.score, row.id)))


def scopes(database: Database, scan_id: int) -> list[ScopeRow]:
    """Everything ever decided within a rule scope, newest first, with what it covers in a scan."""
    found = []
    for event, scope, state, known in _scoped(database):
        here = covered_now(database, scope, scan_id) if state == "active" else []
        rating = event.type == "override_severity"
        newly = [] if rating else [fid for fid in here if fid not in known]
        found.append(
            ScopeRow(
                event=event.id,
                words=scope.words(),
                subject=scope.subject,
                where=scope.where(),
                rule=scope.rule,
                state=state,
                reason=str(event.payload.get("reason", "")),
                until=str(event.payload.get("until", "")),
                owner=str(event.payload.get("owner", "")),
                actor=event.actor,
                at=event.at,
                covers=len(here),
                newly=_rows(database, scan_id, newly),
                severity=severity_of(event) if rating else None,
            )
        )
    found.reverse()
    return found


def _scoped(database: Database) -> list[tuple[Event, Scope, str, set[str]]]:
    """Decisions within a scope, oldest first: each with its scope, its state (see ``ScopeRow``), and
    the findings of which somebody knows that it covers them.
    """
    with database.snapshot() as connection:
        events = sorted(events_for(connection, ()), key=order_key)
    if not any(map(is_scoped, events)):
        return []
    book, now = Book(events), database.now()
    seen: dict[str, set[str]] = {}
    for event in events:
        if event.type == "scope_seen" and event.id not in book.dead:
            seen.setdefault(str(event.payload.get("target")), set()).update(_covers(event))
    found = []
    for event in filter(is_scoped, events):
        scope = scope_of(event)
        if scope is None:
            continue
        same = [other for other in book.standing(scope) if other.type == event.type]
        state = "active"
        if event.id in book.dead:
            state = "undone"
        elif event.id in book.ended:
            state = "ended"
        elif any(event.id in other.parents for other in same):
            state = "replaced"
        elif not _runs(event, now):
            state = "lapsed"
        found.append((event, scope, state, {*_covers(event), *seen.get(event.id, ())}))
    return found


def rulings(database: Database) -> dict[str, Ruling]:
    """Rule → what holds for it as a whole; rules about which nothing does are left out."""
    now = database.now()
    with database.snapshot() as connection:
        book = book_for(connection, ())
    found = {}
    for rule in book.rules:
        held = book.resolved("", whole(rule))
        if held is None:
            continue
        off, rated = (
            event if event is not None and _runs(event, now) else None
            for event in (held.decision, held.override)
        )
        if off is not None or rated is not None:
            found[rule] = Ruling(
                off=decision_view(off) if off is not None else None,
                rated=decision_view(rated) if rated is not None else None,
                severity=severity_of(rated) if rated is not None else None,
            )
    return found


def rated_alone(database: Database, findings: Iterable[str]) -> int:
    """How many of these findings are rated otherwise by a decision about nothing but them."""
    now, asked = database.now(), frozenset(findings)
    with database.snapshot() as connection:
        names = [
            row[0]
            for row in connection.execute(
                "SELECT DISTINCT finding FROM event "
                "WHERE type = 'override_severity' AND finding IS NOT NULL"
            )
        ]
        if not names:
            return 0
        book = book_for(connection, names)
        rated, known = 0, {other for name in names for other in book.aliases(name)}
        for finding in asked & known:
            held = book.resolved(finding, place_of(connection, book, finding))
            override = held.override if held is not None else None
            rated += override is not None and override.scope is None and _runs(override, now)
        return rated


def conflicts(database: Database) -> list[tuple[str, tuple[EventRow, ...]]]:
    """Finding → the decisions that copies made without knowing of each other, the one that holds
    first; findings in the order of their ids.
    """
    with database.snapshot() as connection:
        found = []
        for finding, decisions in known_disputes(database).items():
            ids = [event.id for event in decisions]
            marks = ",".join("?" * len(ids))
            rows = event_rows(connection, f"WHERE id IN ({marks})", ids, frozenset())
            found.append((finding, tuple(sorted(rows, key=lambda row: ids.index(row.id)))))
        return found


def newly_covered(database: Database, scan_id: int) -> int:
    """How many findings acceptances of rules have come to cover and nobody has marked as seen."""
    newly = 0
    for event, scope, state, known in _scoped(database):
        if event.type == "scope_accept" and state == "active":
            newly += len(set(covered_now(database, scope, scan_id)) - known)
    return newly


def unused(database: Database, scan_id: int) -> list[EventRow]:
    """Acceptances and false positives in force on nothing that a scan saw failing, newest first."""
    ensure_fresh(database, scan_id)
    with database.snapshot() as connection:
        book = whole_book(connection)
        standing = {
            row[0]
            for row in connection.execute(
                "SELECT f.fid FROM event e JOIN finding f ON f.fid = e.finding "
                "JOIN state t ON t.finding = f.id AND t.scan = ? "
                f"WHERE t.status NOT IN {OVER}",
                (scan_id,),
            )
        }
        idle = []
        for (finding,) in connection.execute(
            "SELECT DISTINCT finding FROM event WHERE type IN ('accept', 'false_positive')"
        ).fetchall():
            resolved = book.resolved(finding)
            decision = resolved.decision if resolved is not None else None
            if decision is not None and decision.type != "claim_fixed" and finding not in standing:
                idle.append(decision.id)
        rows: list[EventRow] = []
        for start in range(0, len(idle), _PART):
            part = idle[start : start + _PART]
            marks = ",".join("?" * len(part))
            rows += event_rows(connection, f"WHERE id IN ({marks})", part, book.dead)
    empty = {
        scope.event
        for scope in scopes(database, scan_id)
        if scope.state == "active" and not scope.covers
    }
    if empty:
        with database.snapshot() as connection:
            marks = ",".join("?" * len(empty))
            rows += event_rows(connection, f"WHERE id IN ({marks})", sorted(empty), book.dead)
    return sorted(rows, key=lambda row: (row.at, row.id), reverse=True)


def lapsed_acceptance(database: Database, finding: str, scan_id: int | None) -> Event | None:
    """See ``DecisionStore.lapsed_acceptance``; from the newest scan unless one is named."""
    connection = database.connection()
    if scan_id is None:
        scan_id = connection.execute(
            f"SELECT max(id) FROM scan WHERE state IN {FINISHED}"
        ).fetchone()[0]
    if scan_id is None:
        return None
    ensure_fresh(database, scan_id)
    columns = ", ".join(f"e.{name}" for name in EVENT_COLUMNS.split(", "))
    row = (
        database.connection()
        .execute(
            f"SELECT {columns} FROM finding f JOIN state t ON t.finding = f.id AND t.scan = ? "
            "JOIN event e ON e.id = t.lapsed WHERE f.fid = ? AND e.type IN ('accept', 'scope_accept')",
            (scan_id, finding),
        )
        .fetchone()
    )
    return None if row is None else event_of(row)


def _runs(event: Event, now: datetime) -> bool:
    ends = lapse_instant(event.payload)
    return ends is not None and now < ends


def _covers(event: Event) -> Sequence[str]:
    covers = event.payload.get("covers")
    if isinstance(covers, Sequence) and not isinstance(covers, str):
        return [str(name) for name in covers]
    return []
