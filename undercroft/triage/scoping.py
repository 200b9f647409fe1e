"""Decisions about more than the findings at hand: rule scopes, and two ids of one finding."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

from undercroft.model import Json, Severity
from undercroft.triage.decide import Action, Triage, acceptance
from undercroft.triage.errors import DecisionError
from undercroft.triage.events import Event, FindingFacts
from undercroft.triage.guards import EPSS_STEPS
from undercroft.triage.scopes import Scope

__all__ = ["accept_scope", "end_scope", "link", "mark_seen", "scope_guards"]


def accept_scope(
    triage: Triage,
    scope: Scope,
    covers: Sequence[str],
    *,
    reason: str,
    until: date,
    owner: str,
    guards_off: Collection[str] = (),
    scan_id: int | None = None,
) -> Action:
    """Tolerate a rule within a boundary until the end of a day, findings to come included.

    ``covers``: ids of the findings that it covers now; what it covers later counts as newly covered
    until somebody has seen it. It lapses for a finding that is worse than the worst of these.

    Raises:
        DecisionError: it covers nothing now, or what ``Triage.accept`` refuses.
    """
    payload = acceptance(triage, reason=reason, until=until, owner=owner)
    known = triage.store.facts_for(list(covers), scan_id)
    if not known:
        raise DecisionError(f"nothing is covered by {scope.words()}: widen it, or check the rule")
    newest = max(known.values(), key=lambda facts: facts.collected_at)
    return triage.record(
        [
            Event(
                type="scope_accept",
                actor=triage.actor,
                at=triage.stamp(),
                scope=scope.to_json(),
                payload={**payload, "covers": sorted(known)},
                guards=scope_guards(list(known.values()), off=guards_off),
                seen={
                    "scan": newest.scan,
                    "collected_at": newest.collected_at,
                    "outcome": newest.outcome.value,
                },
            )
        ],
        sorted(known),
    )


def scope_guards(facts: Sequence[FindingFacts], *, off: Collection[str] = ()) -> dict[str, Json]:
    """The worst of what is covered: something worse than that was not meant.

    Incarnation and evidence belong to one resource and guard no scope.
    """
    known = [one.epss for one in facts if one.epss is not None]
    recorded: dict[str, Json] = {
        "severity": max((one.severity for one in facts), key=_rank).value,
        "kev": any(one.kev for one in facts),
        "epss": max(known, default=min(EPSS_STEPS) / 2),
        "exposure": "open" if any(one.exposure == "open" for one in facts) else "unknown",
    }
    return {name: value for name, value in recorded.items() if name not in off}


def end_scope(triage: Triage, target: str, *, reason: str) -> Action:
    """End a rule scope (its event id) before its day; everybody may, with a reason."""
    event = _scope(triage, target)
    reason = triage.checked_reason(reason)
    return triage.record(
        [
            Event(
                type="scope_end",
                actor=triage.actor,
                at=triage.stamp(),
                payload={"target": event.id, "reason": reason},
            )
        ],
        (),
    )


def mark_seen(triage: Triage, target: str, newly: Sequence[str]) -> Action:
    """Say that one has seen what a rule scope has come to cover; it goes on covering it."""
    event = _scope(triage, target)
    if not newly:
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


def _scope(triage: Triage, target: str) -> Event:
    found = [event for event in triage.store.events() if event.id == target]
    if not found or found[0].type != "scope_accept":
        raise DecisionError(f"no rule scope is called {target[:12]}: see the list of scopes")
    return found[0]


def _rank(severity: Severity) -> int:
    return severity.rank
