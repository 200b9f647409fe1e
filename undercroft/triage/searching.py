"""Looking through the history: ``who:ann kind:accept since:30d live:yes bucket``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from difflib import get_close_matches
from typing import Final

from undercroft.filter.values import span
from undercroft.triage.errors import DecisionError
from undercroft.triage.when import instant
from undercroft.views import EventRow

__all__ = ["KEYS", "searching"]

Test = Callable[[EventRow], bool]

KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "accept": ("accept", "scope_accept"),
    "accepted": ("accept", "scope_accept"),
    "scope": ("scope_accept", "scope_end", "scope_seen"),
    "fixed": ("claim_fixed",),
    "claim": ("claim_fixed",),
    "false-positive": ("false_positive",),
    "reopen": ("clear",),
    "reopened": ("clear",),
    "comment": ("note",),
    "severity": ("override_severity",),
    "link": ("alias.link",),
}
"""Other words for types of event."""
KEYS: Final = ("who", "kind", "finding", "since", "live", "batch", "resource", "conflict")


def searching(text: str, now: datetime) -> Test:
    """Whether a line of the history is one that ``text`` asks for; every word must apply.

    Raises:
        DecisionError: an unknown key or a value that it cannot have; says what there is.
    """
    tests = [_test(word, now) for word in text.split()]
    return lambda row: all(test(row) for test in tests)


def _test(word: str, now: datetime) -> Test:
    key, colon, value = word.partition(":")
    name = key.casefold()
    if not colon or not key.isalpha():
        needle = word.casefold()
        return lambda row: needle in _text(row)
    if name not in KEYS:
        near = get_close_matches(name, KEYS, 1)
        hint = f": did you mean {near[0]}" if near else f": there are {', '.join(KEYS)}"
        raise DecisionError(f"the history has no key {key!r}{hint}")
    wanted = value.casefold()
    match name:
        case "who":
            return lambda row: wanted in row.actor.casefold()
        case "kind":
            kinds = KINDS.get(wanted, (wanted.replace("-", "_"), wanted))
            return lambda row: row.type in kinds
        case "finding":
            start = wanted if wanted.startswith("f1-") else f"f1-{wanted}"
            return lambda row: (row.finding or "").startswith(start)
        case "batch":
            return lambda row: (row.batch or "").startswith(value)
        case "resource":
            return lambda row: wanted in row.resource_name.casefold()
        case "live" | "conflict":
            if wanted not in {"yes", "no"}:
                raise DecisionError(f"{name}:{value} is neither {name}:yes nor {name}:no")
            yes = wanted == "yes"
            if name == "live":
                return lambda row: row.live is yes
            return lambda row: row.conflict is yes
        case _:
            try:
                start_at = span("since", value, now).start
            except ValueError as error:
                msg = f"since:{value} is no time: write since:30d or since:2026-11-01"
                raise DecisionError(msg) from error
            return lambda row: (moment := instant(row.at)) is not None and moment >= start_at


def _text(row: EventRow) -> str:
    parts = (
        row.type,
        row.actor,
        row.title,
        row.resource_name,
        row.reason,
        row.finding or "",
        row.at,
        row.scope,
    )
    return "\n".join(parts).casefold()
