"""Decisions about more than the findings at hand: rules, and two ids of one finding."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from undercroft.model import Json, Severity
from undercroft.triage.book import Book
from undercroft.triage.decide import Action, Triage, acceptance
from undercroft.triage.errors import DecisionError
from undercroft.triage.events import Event, FindingFacts
from undercroft.triage.guards import EPSS_STEPS
from undercroft.triage.scopes import Scope, is_scoped, scope_of

__all__ = ["Ahead", "accept_scope", "end_scope", "link", "mark_seen", "rate_scope", "scope_guards"]


class Ahead(NamedTuple):
    """What a decision about a rule rests on while the rule finds nothing."""

    severity: Severity
    """What the rule says."""
    scan: str
    """Uid of the scan in which it finds nothing."""
    collected_at: str
    """When that was."""


def accept_scope(
    triage: Triage,
    scope: Scope,
    covers: Sequence[str],
    *,
    reason: str,
    until: date,
    owner: str,
    guards_off: Collection[str] = (),
    ahead: Ahead | None = None,
    scan_id: int | None = None,
) -> Action:
    """Tolerate a rule within a boundary until the end of a day, findings to come included.

    ``covers``: ids of the findings that it covers now; what it covers later counts as newly covered
    until somebody has seen it. It lapses for a finding that is worse than the worst of these.
    ``ahead``: what to go by if it covers none.

    Raises:
        DecisionError: it covers nothing now and may not, or what ``Triage.accept`` refuses.
    """
    payload = acceptance(triage, reason=reason, until=until, owner=owner)
    known = triage.store.facts_for(list(covers), scan_id)
    payload["covers"] = sorted(known)
    guards = scope_guards(list(known.values()), ahead, off=guards_off)
    return _record(triage, "scope_accept", scope, known, payload, ahead, guards)


def rate_scope(
    triage: Triage,
    scope: Scope,
    covers: Sequence[str],
    *,
    severity: Severity,
    reason: str,
    until: date,
    ahead: Ahead | None = None,
    scan_id: int | None = None,
) -> Action:
    """Rate a rule otherwise than it says, within a boundary, until the end of a day.

    Findings to come are included. ``covers`` and ``ahead``: as for ``accept_scope``.

    Raises:
        DecisionError: it covers nothing now and may not, or what ``override_severity`` refuses.
    """
    reason = triage.checked_reason(reason)
    payload: dict[str, Json] = {"severity": severity.value, "reason": reason, **triage.ends(until)}
    known = triage.store.facts_for(list(covers), scan_id)
    return _record(triage, "override_severity", scope, known, payload, ahead)


def _record(
    triage: Triage,
    kind: str,
    scope: Scope,
    known: Mapping[str, FindingFacts],
    payload: dict[str, Json],
    ahead: Ahead | None,
    guards: dict[str, Json] | None = None,
) -> Action:
    """A decision within a scope that covers the findings of ``known`` now."""
    event = Event(
        type=kind,
        actor=triage.actor,
        at=triage.stamp(),
        scope=scope.to_json(),
        payload=payload,
        guards=guards,
        seen=_seen(scope, list(known.values()), ahead),
    )
    return triage.record([event], sorted(known))


def _seen(scope: Scope, facts: Sequence[FindingFacts], ahead: Ahead | None) -> dict[str, Json]:
    """What was looked at. DecisionError if that is nothing."""
    if facts:
        newest = max(facts, key=lambda one: one.collected_at)
        scan, at, outcome = newest.scan, newest.collected_at, newest.outcome.value
        return {"scan": scan, "collected_at": at, "outcome": outcome}
    if ahead is None:
        raise DecisionError(f"nothing is covered by {scope.words()}: widen it, or check the rule")
    return {"scan": ahead.scan, "collected_at": ahead.collected_at}


def scope_guards(
    facts: Sequence[FindingFacts], ahead: Ahead | None = None, *, off: Collection[str] = ()
) -> dict[str, Json]:
    """The worst of what is covered: something worse than that was not meant.

    Incarnation and evidence belong to one resource and guard no scope; nor does exposure where
    nothing is covered yet, since nothing can become more exposed than it was.
    """
    known = [one.epss for one in facts if one.epss is not None]
    severities = [one.severity for one in facts] or [ahead.severity if ahead else Severity.INFO]
    recorded: dict[str, Json] = {
        "severity": max(severities, key=_rank).value,
        "kev": any(one.kev for one in facts),
        "epss": max(known, default=min(EPSS_STEPS) / 2),
    }
    if facts:
        exposed = any(one.exposure == "open" for one in facts)
        recorded["exposure"] = "open" if exposed else "unknown"
    return {name: value for name, value in recorded.items() if name not in off}


def end_scope(triage: Triage, target: str, *, reason: str) -> Action:
    """End a decision within a scope (its event id) before its day; everybody may, with a reason.

    What it took the place of, the same for the same boundary, ends with it: nothing that is older
    comes back.
    """
    reason = triage.checked_reason(reason)
    event, book = _scope(triage, target)
    scope = scope_of(event)
    same = book.standing(scope) if scope is not None else []
    targets = {event.id, *(other.id for other in same if other.type == event.type)}
    return triage.record(
        [
            Event(
                type="scope_end",
                actor=triage.actor,
                at=triage.stamp(),
                payload={"target": one, "reason": reason},
            )
            for one in (event.id, *sorted(targets - {event.id}))
        ],
        (),
    )


def mark_seen(triage: Triage, target: str, newly: Sequence[str]) -> Action:
    """Say that one has seen what a rule scope has come to cover; it goes on covering it."""
    event, _ = _scope(triage, target)
    if event.type != "scope_accept" or not newly:
        raise DecisionError("it covers nothing that has not been seen")
    return triage.record(
        [
            Event(
                type="scope_seen",
                actor=triage.actor,
                at=triage.stamp(),
                payload={"target": event.id, "covers": sorted(newly)},
            )
        ],
        (),
    )


def link(triage: Triage, kept: str, other: str, *, reason: str = "") -> Action:
    """Join two ids of one finding: what was said about either holds for both.

    ``kept``: the older one, under which later scans carry it on.

    Raises:
        DecisionError: they are one already, or one of them is not known.
    """
    if kept == other:
        raise DecisionError("these are one and the same finding")
    known = triage.store.facts_for([kept, other])
    for name in (kept, other):
        if name not in known:
            raise DecisionError(f"no finding is called {name} here: look it up again")
    payload: dict[str, Json] = {"alias": other}
    if reason.strip():
        payload["reason"] = reason.strip()
    return triage.record(
        [
            Event(
                type="alias.link",
                actor=triage.actor,
                at=triage.stamp(),
                finding=kept,
                payload=payload,
            )
        ],
        (kept, other),
    )


def _scope(triage: Triage, target: str) -> tuple[Event, Book]:
    log = triage.store.events()
    found = [event for event in log if event.id == target]
    if not found or not is_scoped(found[0]):
        raise DecisionError(f"no rule scope is called {target[:12]}: see the list of scopes")
    return found[0], Book(log)


def _rank(severity: Severity) -> int:
    return severity.rank
