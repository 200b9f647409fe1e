"""Effective status of a finding: a pure function of what scans saw, what people said, and now.

Scan time is compared with scan time only, so that a wrong clock on somebody's machine can neither
revive nor kill a decision. Nothing but an observation sets or leaves fixed and gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final

from undercroft.clock import stamp
from undercroft.model import Json, Outcome, Severity
from undercroft.records import dataclass
from undercroft.triage.events import Event, FindingFacts
from undercroft.triage.guards import tripped
from undercroft.triage.resolve import Resolved
from undercroft.triage.timeline import (
    BLIND,
    START,
    Moment,
    Sighting,
    Story,
    in_order,
    moments,
    story,
)
from undercroft.triage.when import instant, lapse_instant

__all__ = [
    "ACTIVE",
    "RETIRED_RULE",
    "Sighting",
    "State",
    "Status",
    "effective",
    "lapse_cause",
    "severity_in_force",
]


class State(StrEnum):
    """What the screens show."""

    OPEN = "open"
    REOPENED = "reopened"
    FIX_CLAIMED = "fix_claimed"
    ACCEPTED = "accepted"
    FALSE_POSITIVE = "false_positive"
    FIXED = "fixed"
    GONE = "gone"
    RETIRED = "retired"


ACTIVE: Final = frozenset({State.OPEN, State.REOPENED, State.FIX_CLAIMED})
"""States that call for work; the filter language's ``status:active``."""


RETIRED_RULE: Final = "retired"
"""Logic version of a rule that a pack still names but no longer has: its findings are retired."""


@dataclass(frozen=True, slots=True)
class Status:
    """The answer for one finding at one moment."""

    state: State
    cause: str = ""
    """Why it is reopened: ``regressed``, ``returned``, ``re-created``, ``fix ineffective``,
    ``expired`` or ``guard:<name>``; else empty."""
    unconfirmed: bool = False
    """The newest scan whose scope included the resource could not look."""
    unconfirmed_reason: str = ""
    decision: Event | None = None
    """The decision in force. Of what is fixed or gone: one that would apply again if it returned."""
    lapsed: Event | None = None
    """A decision that no longer holds (expired, a guard tripped, closed by a fix that did not last,
    a claim that proved wrong): an acceptance is offered again."""
    lapses_at: str | None = None
    """Instant (RFC 3339, UTC) at which the acceptance in force ends."""
    regressions: int = 0
    """How often a verified fix did not last."""
    reopened_at: str | None = None
    """When it was seen again after a verified fix, or after having been gone."""


_STATE_BY_DECISION: Final = {
    "accept": State.ACCEPTED,
    "false_positive": State.FALSE_POSITIVE,
    "claim_fixed": State.FIX_CLAIMED,
}
_STATE_BY_OUTCOME: Final = {Outcome.PASS: State.FIXED, Outcome.GONE: State.GONE}
_UNEVENTFUL: Final = Story()
_OPEN: Final = Status(State.OPEN)


def effective(
    sightings: Iterable[Sighting],
    resolved: Resolved,
    facts: FindingFacts,
    now: datetime,
    retired: bool = False,
) -> Status | None:
    """The status of one finding; None if it never failed, so that there is no finding.

    ``sightings``: one per source and scan whose scope includes the resource, in scan order; they are
    ordered by collection time here, scan order breaking ties. ``facts``: as of now. ``now``: aware.
    ``retired``: the rule no longer exists.
    """
    seen = list(sightings)
    decision = resolved.decision
    if not retired and seen and all(s.outcome is Outcome.FAIL for s in seen):
        # Most of a large estate: failing ever since, so there is no story to read, and mostly
        # nobody decided anything.
        if decision is None:
            return _OPEN
        told, closed = _UNEVENTFUL, False
    else:
        seen = in_order(seen)
        known = moments(seen)
        if not any(moment.outcome is Outcome.FAIL for moment in known):
            return None
        told = story(known)
        closed = decision is not None and _closed(decision, known)
        if retired or known[-1].outcome is not Outcome.FAIL:
            return Status(
                State.RETIRED if retired else _STATE_BY_OUTCOME[known[-1].outcome],
                decision=None if closed else decision,
                regressions=told.regressions,
                reopened_at=told.reopened_at,
            )
    state, cause, holds = _failing(seen, told, None if closed else decision, facts, now)
    blind = seen[-1].outcome in BLIND
    in_force = decision if holds and not closed else None
    ends = lapse_instant(in_force.payload) if in_force and state is State.ACCEPTED else None
    return Status(
        state,
        cause,
        unconfirmed=blind,
        unconfirmed_reason=seen[-1].reason if blind else "",
        decision=in_force,
        lapsed=decision if in_force is None else None,
        lapses_at=stamp(ends) if ends else None,
        regressions=told.regressions,
        reopened_at=told.reopened_at,
    )


def lapse_cause(decision: Event, facts: FindingFacts, now: datetime) -> str:
    """Why an ``accept`` or ``false_positive`` no longer holds; empty if it does.

    ``expired``, ``re-created`` (its ``incarnation`` guard) or ``guard:<name>``.
    """
    if decision.type == "accept":
        ends = lapse_instant(decision.payload)
        if ends is None or now >= ends:
            return "expired"
    guard = tripped(decision.type, decision.guards, facts)
    if guard == "incarnation":
        return "re-created"
    return f"guard:{guard}" if guard else ""


def severity_in_force(severity: Severity, resolved: Resolved, now: datetime) -> Severity:
    """The rule's severity, or what a person put in its place, until that ends."""
    override = resolved.override
    if override is None or (chosen := resolved.severity_override) is None:
        return severity
    ends = lapse_instant(override.payload)
    return chosen if ends is not None and now < ends else severity


def _failing(
    seen: Sequence[Sighting],
    told: Story,
    decision: Event | None,
    facts: FindingFacts,
    now: datetime,
) -> tuple[State, str, bool]:
    """State, cause, and whether the decision holds, of a finding that fails."""
    broken = ""
    if decision is not None:
        if decision.type == "claim_fixed":
            broken = "fix ineffective" if _failed_since(decision, seen) else ""
        else:
            broken = lapse_cause(decision, facts, now)
        if not broken:
            return _STATE_BY_DECISION[decision.type], "", True
    cause = told.comeback or broken
    return State.REOPENED if cause else State.OPEN, cause, False


def _closed(decision: Event, known: Sequence[Moment]) -> bool:
    """Whether an acceptance or claim has been ended by a verified fix or by the resource's end."""
    if decision.type == "false_positive":
        return False
    based_on = _time(decision.seen, "collected_at")
    failed = False
    for moment in known:
        # A scope may be older than the finding: what came before its first fail is not its end.
        failed = failed or moment.outcome is Outcome.FAIL
        if failed and moment.outcome is not Outcome.FAIL and moment.at > based_on:
            return True
    return False


def _failed_since(claim: Event, seen: Sequence[Sighting]) -> bool:
    """Whether it was seen failing after both what the claim was based on and the claimed fix."""
    since = max(_time(claim.seen, "collected_at"), _time(claim.payload, "fixed_at"))
    return any(s.outcome is Outcome.FAIL and s.at > since for s in seen)


def _time(mapping: Mapping[str, Json] | None, name: str) -> datetime:
    value = (mapping or {}).get(name)
    return (instant(value) if isinstance(value, str) else None) or START
