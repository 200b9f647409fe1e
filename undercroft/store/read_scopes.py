"""Rule scopes as they are now, conflicts between copies, and decisions that no longer do anything."""

# ruff: noqa: S608  (only names of our own tables are put together; values are bound)

from __future__ import annotations

from collections.abc import Sequence

from undercroft.store.connection import Database
from undercroft.store.decisions import event_rows
from undercroft.store.fresh import ensure_fresh
from undercroft.store.read_findings import COLUMNS, JOINS, finding_row
from undercroft.store.scans import FINISHED
from undercroft.store.scoped import covered
from undercroft.store.sharing import known_disputes
from undercroft.store.statuses import EVENT_COLUMNS, event_of, whole_book
from undercroft.triage.events import Event
from undercroft.triage.reports import ScopeRow
from undercroft.triage.scopes import Scope, scope_of
from undercroft.triage.when import lapse_instant
from undercroft.views import EventRow, FindingRow

__all__ = ["conflicts", "covered_now", "lapsed_acceptance", "scopes", "unused"]

_OVER = "('fixed', 'gone', 'retired')"
_PART = 500


def covered_now(database: Database, scope: Scope, scan_id: int) -> list[FindingRow]:
    """Findings of a scan that a scope covers and that still stand, worst first."""
    ensure_fresh(database, scan_id)
    with database.snapshot() as connection:
        found: list[FindingRow] = []
        ids = covered(connection, scope, scan_id)
        for start in range(0, len(ids), _PART):
            part = ids[start : start + _PART]
            rows = connection.execute(
                f"SELECT {COLUMNS} FROM state t {JOINS} WHERE t.scan = ? AND f.fid IN "
                f"({','.join('?' * len(part))}) AND t.status NOT IN {_OVER}",
                (scan_id, *part),
            )
            found += [finding_row(row) for row in rows.fetchall()]
    return sorted(found, key=lambda row: (-row.score, row.id))


def scopes(database: Database, scan_id: int) -> list[ScopeRow]:
    """Every rule scope ever accepted, newest first, with what it covers in a scan."""
    now = database.now()
    with database.snapshot() as connection:
        events = [
            event_of(row)
            for row in connection.execute(
                f"SELECT {EVENT_COLUMNS} FROM event WHERE type IN ('scope_accept', 'scope_seen') "
                "ORDER BY lamport, id"
            ).fetchall()
        ]
        if not events:
            return []
        book = whole_book(connection)
    seen: dict[str, set[str]] = {}
    for event in events:
        if event.type == "scope_seen" and event.id not in book.dead:
            seen.setdefault(str(event.payload.get("target")), set()).update(_covers(event))
    found = []
    for event in events:
        scope = scope_of(event)
        if event.type != "scope_accept" or scope is None:
            continue
        state = "active"
        ends = lapse_instant(event.payload)
        if event.id in book.dead:
            state = "undone"
        elif event.id in book.ended:
            state = "ended"
        elif ends is None or now >= ends:
            state = "lapsed"
        here = covered_now(database, scope, scan_id) if state == "active" else []
        known = {*_covers(event), *seen.get(event.id, ())}
        found.append(
            ScopeRow(
                event=event.id,
                words=scope.words(),
                rule=scope.rule,
                state=state,
                reason=str(event.payload.get("reason", "")),
                until=str(event.payload.get("until", "")),
                owner=str(event.payload.get("owner", "")),
                actor=event.actor,
                at=event.at,
                covers=len(here),
                newly=tuple(row for row in here if row.id not in known),
            )
        )
    found.reverse()
    return found


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
                f"WHERE t.status NOT IN {_OVER}",
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


def _covers(event: Event) -> Sequence[str]:
    covers = event.payload.get("covers")
    if isinstance(covers, Sequence) and not isinstance(covers, str):
        return [str(name) for name in covers]
    return []
