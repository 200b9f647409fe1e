"""Decisions in words: what was done, and why something was not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from undercroft.text import count
from undercroft.triage.events import Event
from undercroft.triage.scopes import scope_of
from undercroft.triage.when import instant

__all__ = [
    "ALLOWED",
    "KINDS",
    "ago",
    "describe",
    "kind_words",
    "refusal",
    "replaced_words",
    "skipped",
    "told",
]

_WORK: Final = frozenset({"open", "reopened", "fix_claimed"})
ALLOWED: Final[Mapping[str, frozenset[str]]] = {
    "accept": _WORK | {"accepted"},
    "false_positive": _WORK | {"accepted"},
    "claim_fixed": frozenset({"open", "reopened", "accepted"}),
    "clear": frozenset({"accepted", "false_positive", "fix_claimed"}),
}
"""Decision → states that it may be made in; any other type may be made in every state."""

KINDS: Final[Mapping[str, str]] = {
    "accept": "accepted",
    "false_positive": "false positive",
    "claim_fixed": "claimed fixed",
    "clear": "reopened",
    "assign": "assigned",
    "override_severity": "rated",
    "note": "comment",
    "tag": "tagged",
    "undo": "undone",
    "scope_accept": "rule accepted",
    "scope_rating": "rule rated",
    "scope_end": "rule in force again",
    "scope_seen": "newly covered seen",
    "alias.link": "two ids joined",
}
"""Type of event → what it did, in a word or two; ``scope_rating`` is the rating of a rule."""

_SHOWN: Final = {
    "open": "open",
    "reopened": "reopened",
    "fix_claimed": "claimed fixed",
    "accepted": "accepted",
    "false_positive": "marked as false positive",
    "fixed": "fixed",
    "gone": "gone",
    "retired": "retired",
}
_VERB: Final = {
    "accept": "accepted",
    "false_positive": "marked as false positive",
    "claim_fixed": "claimed fixed",
    "clear": "reopened",
}
_SCAN_ONLY: Final = {
    "fixed": "the last scan saw it fixed, and only a scan can change that",
    "gone": "its resource is gone, and only a scan can change that",
    "retired": "its rule is retired, so nothing can be decided about it",
}


def refusal(kind: str, states: Sequence[str]) -> str:
    """Why none of the findings in these states can be decided upon in this way."""
    if len(states) > 1:
        listed = _listed(states)
        advice = (
            "only a scan can change that"
            if set(states) <= _SCAN_ONLY.keys()
            else _advice(kind, next(state for state in states if state not in _SCAN_ONLY))
        )
        return f"none of these {len(states)} findings can be {_VERB[kind]}: {listed}; {advice}"
    state = states[0]
    if state in _SCAN_ONLY:
        return f"this finding cannot be {_VERB[kind]}: {_SCAN_ONLY[state]}"
    return f"this finding is {_already(kind, state)}{_SHOWN[state]}: {_advice(kind, state)}"


def skipped(states: Sequence[str]) -> str:
    """What to add to a summary when some of the findings were left alone."""
    return f" ({len(states)} skipped: {_listed(states)})" if states else ""


def describe(events: Sequence[Event]) -> str:
    """What one action did, from its own events: ``accepted 14 findings until 2027-02-21``."""
    if not events:
        return "nothing"
    number = len({event.finding for event in events if event.finding is not None})
    days = {str(event.payload.get("until")) for event in events}
    return told(events[0], number, (min(days), max(days)))


def kind_words(kind: str, finding: str | None) -> str:
    """What an event of this type did; one that rates no finding rates a rule."""
    if kind == "override_severity" and finding is None:
        kind = "scope_rating"
    return KINDS.get(kind, kind.replace("_", " "))


def told(first: Event, number: int, days: tuple[str, str]) -> str:
    """The same, from its first event, the number of its findings, and the first and last of its days."""
    findings = count(number, "finding")
    payload = first.payload
    match first.type:
        case "accept":
            return f"accepted {findings} until {' … '.join(dict.fromkeys(days))}"
        case "false_positive":
            what = "a false positive" if number == 1 else "false positives"
            return f"marked {findings} as {what}"
        case "claim_fixed":
            return f"claimed {findings} fixed: the next scan will verify"
        case "clear":
            return f"reopened {findings}"
        case "note":
            return f"commented on {findings}"
        case "assign":
            assignee = payload.get("assignee")
            return f"assigned {findings} to {assignee}" if assignee else f"unassigned {findings}"
        case "override_severity":
            until = payload.get("until")
            scope = scope_of(first) if first.finding is None else None
            if scope is not None:
                return f"rated {scope.words()} as {payload.get('severity')} until {until}"
            return f"rated {findings} as {payload.get('severity')} until {until}"
        case "scope_accept":
            covers = payload.get("covers")
            now = len(covers) if isinstance(covers, Sequence) else 0
            until = payload.get("until")
            scope = scope_of(first)
            what = scope.words() if scope is not None else "a rule"
            return f"accepted {what} (now {count(now, 'finding')}) until {until}"
        case "scope_end":
            return "ended what was decided about a rule"
        case "scope_seen":
            return "marked what a rule's acceptance has come to cover as seen"
        case "alias.link":
            return "joined two ids of one finding"
        case _:
            return f"{first.type.replace('_', ' ')} on {findings}"


def ago(at: str, now: datetime) -> str:
    """How long ago an event was, roughly; empty if it does not say."""
    moment = instant(at)
    if moment is None:
        return ""
    passed = now - moment
    if passed < timedelta(minutes=1):
        return "just now"
    for unit, step in (
        ("day", timedelta(days=1)),
        ("h", timedelta(hours=1)),
        ("min", timedelta(minutes=1)),
    ):
        if passed >= step:
            number = passed // step
            return f"{count(number, 'day')} ago" if unit == "day" else f"{number} {unit} ago"
    return "just now"


def _listed(states: Iterable[str]) -> str:
    counted = Counter(states)
    return ", ".join(f"{number} {_SHOWN.get(state, state)}" for state, number in counted.items())


def _already(kind: str, state: str) -> str:
    same = {"claim_fixed": "fix_claimed", "false_positive": "false_positive"}.get(kind)
    return "already " if state == same or kind == "clear" else ""


def _advice(kind: str, state: str) -> str:
    if kind == "clear":
        return "there is no decision to withdraw"
    if kind == "claim_fixed" and state == "fix_claimed":
        return "the next scan will verify it"
    return "reopen it first"


def replaced_words(alone: int) -> str:
    """What the rating of a rule does to ratings of single findings."""
    if alone == 1:
        return "1 of them has a rating of its own, which gives way to this"
    return f"{alone:,} of them have ratings of their own, which give way to this"
