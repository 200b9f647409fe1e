"""One finding or one resource with everything around it, and finding them by what people type."""

# ruff: noqa: S608  (only names of our own columns are put together; values are bound)

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from undercroft.identity import short_id
from undercroft.model import Outcome, Presence
from undercroft.store import decisions, feeds, scans
from undercroft.store.ageing import BROKEN, ageings
from undercroft.store.connection import Database
from undercroft.store.encode import (
    BODY_COLUMNS,
    REF_COLUMNS,
    edge_of,
    evidence_of,
    load,
    ref_of,
    resource_of,
)
from undercroft.store.errors import AmbiguousError, NotFoundError
from undercroft.store.exploits import exploit_of
from undercroft.store.fresh import ensure_fresh
from undercroft.store.models import model_of
from undercroft.store.reach import path_to
from undercroft.store.read_findings import COLUMNS, JOINS, finding_row
from undercroft.store.scoped import place_of
from undercroft.store.statuses import EVENT_COLUMNS, Seen, book_for, event_of, weigh
from undercroft.triage.events import Event
from undercroft.triage.resolve import Resolved
from undercroft.triage.scopes import scope_of
from undercroft.views import (
    DecisionView,
    EventRow,
    FindingDetail,
    ResourceDetail,
    ResourceRef,
    ScanRow,
)

__all__ = [
    "decision_view",
    "finding",
    "resolve_finding",
    "resolve_resource",
    "resource",
    "services_of",
]

_CANDIDATES = 12
_PART = 400


def finding(database: Database, scan_id: int, finding_id: str) -> FindingDetail:
    """See ``Store.finding``."""
    ensure_fresh(database, scan_id)
    with database.snapshot() as connection:
        row = connection.execute(
            f"SELECT {COLUMNS}, f.at, o.evidence, o.traits, o.cvss, o.vector, o.weight, "
            "o.threat, o.evidence_hash, o.severity, t.outcome, t.collected_at, t.incarnation, t.reason, "
            f"t.exposure, t.criticality, t.decision, t.lapsed, t.resource, {BROKEN} "
            f"FROM state t {JOINS} WHERE f.fid = ? AND t.scan = ?",
            (finding_id, scan_id),
        ).fetchone()
        if row is None:
            msg = f"This scan does not know the finding {short_id(finding_id)}."
            raise NotFoundError(msg)
        shown = finding_row(row[:24])
        at, evidence, traits, cvss, vector, weight, threat, evidence_hash, severity, *rest = row[
            24:
        ]
        outcome, collected_at, incarnation, reason, exposure, criticality, *rest = rest
        decision, lapsed, owner, broken = rest
        seen = Seen(
            finding=finding_id,
            scan="",
            collected_at=collected_at,
            outcome=Outcome(outcome),
            incarnation=incarnation,
            severity=severity,
            threat=threat,
            cvss=cvss,
            vector=vector,
            weight=weight,
            cve=shown.cve,
            exposure=exposure,
            evidence_hash=evidence_hash,
            rule_version=None,
            owner_tag="",
            criticality=criticality,
            exploit=exploit_of(traits),
        )
        model = model_of(connection, scan_id)
        book = book_for(connection, [finding_id])
        names = book.aliases(finding_id)
        events = decisions.event_rows(
            connection, f"WHERE finding IN ({','.join('?' * len(names))})", names, book.dead
        )
        resolved = book.resolved(finding_id, place_of(connection, book, finding_id))
        exploited = feeds.known(connection, [shown.cve]).get(shown.cve) if shown.cve else None
        replaced = {str(e.payload.get("replaces")) for e in events if e.type == "note" and e.live}
        return FindingDetail(
            row=shown,
            at=load(at),
            evidence=evidence_of(evidence),
            traits=tuple(load(traits)),
            cvss=cvss,
            unconfirmed_reason=reason if shown.unconfirmed else "",
            decision=_decision(connection, decision),
            lapsed=_decision(connection, lapsed),
            notes=tuple(e for e in events if e.type == "note" and e.live and e.id not in replaced),
            services=tuple(_above(connection, scan_id, [owner])),
            events=tuple(events),
            rated=_rated(connection, resolved),
            conflict=tuple(decision_view(event) for event in resolved.decisions)
            if resolved is not None and resolved.conflict
            else (),
            hazard=feeds.dated(
                weigh(seen, shown.severity, model),
                exploited,
                feeds.listing(database),
                model,
            ).factors,
            ageing=ageings(
                connection, scan_id, [shown], database.now(), [finding_id] if broken else ()
            ).get(finding_id),
            kev=exploited is not None and exploited.kev is not None,
            kev_due=(exploited.due or "") if exploited is not None else "",
        )


def resolve_finding(database: Database, text: str) -> str:
    """See ``Store.resolve_finding``."""
    typed = text.strip().lower()
    start = typed if typed.startswith("f1-") else f"f1-{typed}"
    # The last character of the range is above every letter and digit of an id.
    rows = database.connection().execute(
        "SELECT f.fid, (SELECT o.title || ' · ' || b.name FROM state t "
        "JOIN observation o ON o.id = t.observation JOIN body b ON b.id = t.body "
        "WHERE t.finding = f.id ORDER BY t.scan DESC LIMIT 1) FROM finding f "
        "WHERE f.fid >= ? AND f.fid < ? AND EXISTS (SELECT 1 FROM state t "
        f"JOIN scan s ON s.id = t.scan WHERE t.finding = f.id AND s.state IN {scans.FINISHED}) "
        "ORDER BY f.fid LIMIT ?",
        (start, start + "~", _CANDIDATES + 1),
    )
    found = rows.fetchall() if typed and typed != "f1-" else []
    if not found:
        msg = f"No finding's id begins with {text!r}."
        raise NotFoundError(msg)
    if len(found) == 1:
        return str(found[0][0])
    candidates = [f"{fid} {title or ''}".strip() for fid, title in found[:_CANDIDATES]]
    more = " and more" if len(found) > _CANDIDATES else ""
    msg = f"Several findings' ids begin with {text!r}: {'; '.join(candidates)}{more}."
    raise AmbiguousError(msg, [str(fid) for fid, _ in found])


def resolve_resource(database: Database, scan_id: int, text: str) -> str:
    """See ``Store.resolve_resource``."""
    connection = database.connection()
    base = (
        "SELECT r.key, b.type, b.service FROM snapshot s JOIN body b ON b.id = s.body "
        "JOIN resource r ON r.id = s.resource WHERE s.scan = ? AND "
    )
    for condition in ("r.key = ?", "b.native_id = ?", "b.name = ?", "b.name = ? COLLATE NOCASE"):
        found = connection.execute(f"{base}{condition} ORDER BY r.key", (scan_id, text)).fetchall()
        if condition.startswith("b.native_id") and not text:
            continue
        found = [row for row in found if row[2]] or found
        if len(found) == 1:
            return str(found[0][0])
        if found:
            keys = [str(row[0]) for row in found]
            msg = f"Several resources go by {text!r}: {'; '.join(keys[:_CANDIDATES])}."
            raise AmbiguousError(msg, keys)
    msg = f"This scan has no resource that goes by {text!r}."
    raise NotFoundError(msg)


def resource(database: Database, scan_id: int, key: str) -> ResourceDetail:
    """See ``Store.resource``. NotFoundError."""
    ensure_fresh(database, scan_id)
    columns = BODY_COLUMNS.replace("hash, ", "b.", 1).replace(", ", ", b.")
    with database.snapshot() as connection:
        row = connection.execute(
            f"SELECT s.resource, {columns}, c.tags, c.config, c.facts, c.unknown, c.provenance, "
            "s.collected_at FROM snapshot s JOIN body b ON b.id = s.body "
            "JOIN content c ON c.body = s.body JOIN resource r ON r.id = s.resource "
            "WHERE s.scan = ? AND r.key = ?",
            (scan_id, key),
        ).fetchone()
        if row is None:
            msg = f"This scan has no resource {key!r}."
            raise NotFoundError(msg)
        number = int(row[0])
        services = [
            (ref_of(found[1:]), path_to(connection, scan_id, found[0], number))
            for found in connection.execute(
                f"SELECT c.service, {REF_COLUMNS} FROM closure c "
                "JOIN snapshot s ON s.scan = c.scan AND s.resource = c.service "
                "JOIN body b ON b.id = s.body JOIN resource r ON r.id = c.service "
                "WHERE c.scan = ? AND c.resource = ? ORDER BY b.name, r.key",
                (scan_id, number),
            ).fetchall()
        ]
        findings = connection.execute(
            f"SELECT {COLUMNS} FROM state t {JOINS} WHERE t.scan = ? AND t.resource = ? "
            # The plus keeps SQLite off the index of that order.
            "ORDER BY +t.score DESC, t.tie",
            (scan_id, number),
        ).fetchall()
        return ResourceDetail(
            resource=resource_of(key, row[1:]),
            beneath=_neighbours(connection, scan_id, number, "src", "dst"),
            dependants=_neighbours(connection, scan_id, number, "dst", "src"),
            services=tuple(services),
            findings=tuple(finding_row(found) for found in findings),
            history=_history(connection, number),
        )


def services_of(database: Database, scan_id: int, finding_ids: Sequence[str]) -> list[ResourceRef]:
    """See ``Store.services_of``."""
    connection = database.connection()
    owners: set[int] = set()
    for start in range(0, len(finding_ids), _PART):
        part = list(finding_ids[start : start + _PART])
        owners.update(
            row[0]
            for row in connection.execute(
                f"SELECT resource FROM finding WHERE fid IN ({','.join('?' * len(part))})", part
            )
        )
    return _above(connection, scan_id, sorted(owners))


def _above(
    connection: sqlite3.Connection, scan_id: int, owners: Sequence[int]
) -> list[ResourceRef]:
    found: dict[str, ResourceRef] = {}
    for start in range(0, len(owners), _PART):
        part = list(owners[start : start + _PART])
        for row in connection.execute(
            f"SELECT DISTINCT {REF_COLUMNS} FROM closure c "
            "JOIN snapshot s ON s.scan = c.scan AND s.resource = c.service "
            "JOIN body b ON b.id = s.body JOIN resource r ON r.id = c.service "
            f"WHERE c.scan = ? AND c.resource IN ({','.join('?' * len(part))})",
            (scan_id, *part),
        ):
            found[row[0]] = ref_of(row)
    return sorted(found.values(), key=lambda ref: (ref.name, ref.key))


def _neighbours(
    connection: sqlite3.Connection, scan_id: int, number: int, near: str, far: str
) -> tuple[tuple[Any, ResourceRef], ...]:
    return tuple(
        (edge_of(row[:6]), ref_of(row[6:]))
        for row in connection.execute(
            "SELECT DISTINCT sk.key, dk.key, e.relation, e.via, e.certainty, e.detail, "
            f"{REF_COLUMNS} FROM edge e JOIN resource sk ON sk.id = e.src "
            "JOIN resource dk ON dk.id = e.dst "
            f"JOIN snapshot s ON s.scan = e.scan AND s.resource = e.{far} "
            f"JOIN body b ON b.id = s.body JOIN resource r ON r.id = e.{far} "
            f"WHERE e.scan = ? AND e.{near} = ? ORDER BY b.layer, e.relation, b.name, r.key, e.via",
            (scan_id, number),
        ).fetchall()
    )


def _history(connection: sqlite3.Connection, number: int) -> tuple[tuple[ScanRow, str], ...]:
    rows = connection.execute(
        "SELECT s.scan, s.body, CASE WHEN s.carried THEN 'stub' ELSE b.presence END FROM snapshot s JOIN body b ON b.id = s.body "
        f"JOIN scan c ON c.id = s.scan WHERE s.resource = ? AND c.state IN {scans.FINISHED} "
        "ORDER BY s.scan",
        (number,),
    ).fetchall()
    found: list[tuple[ScanRow, str]] = []
    read: int | None = None
    for scan_id, body, presence in rows:
        if presence == Presence.READ:
            word = "first" if read is None else "same" if read == body else "changed"
            read = body
        else:
            word = "absent" if presence == Presence.ABSENT else "stub"
        found.append((scans.row(connection, scan_id), word))
    return tuple(reversed(found))


def _decision(connection: sqlite3.Connection, event_id: str | None) -> DecisionView | None:
    if event_id is None:
        return None
    row = connection.execute(
        f"SELECT {EVENT_COLUMNS} FROM event WHERE id = ?", (event_id,)
    ).fetchone()
    return None if row is None else decision_view(event_of(row))


def _rated(connection: sqlite3.Connection, resolved: Resolved | None) -> EventRow | None:
    override = resolved.override if resolved is not None else None
    if override is None:
        return None
    return decisions.event_rows(connection, "WHERE id = ?", [override.id], frozenset())[0]


def decision_view(event: Event) -> DecisionView:
    """A decision as screens and exports show it."""
    payload = event.payload

    def text(name: str) -> str | None:
        value = payload.get(name)
        return value if isinstance(value, str) and value else None

    scope = scope_of(event)
    return DecisionView(
        kind="accept" if event.type == "scope_accept" else event.type,
        reason=text("reason") or text("note") or "",
        until=text("until"),
        owner=text("owner"),
        actor=event.actor,
        at=event.at,
        event=event.id,
        scope=scope.words() if scope is not None else "",
    )
