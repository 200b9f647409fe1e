"""Which lines of the history a filter asks for: ``who:ann kind:accept since:30d live:yes bucket``."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from undercroft.filter import And, Keys, Node, Not, Or, Term, Value, Word, parse
from undercroft.filter.keys import Key, flag, key_table, name
from undercroft.filter.values import bound, expand, span
from undercroft.triage.when import instant
from undercroft.triage.wording import KINDS, kind_words
from undercroft.views import EventRow

__all__ = ["EVENT_KEYS", "searching"]

Test = Callable[[EventRow], bool]


def _slug(words: str) -> str:
    """As a filter writes it: without spaces."""
    return words.replace(" ", "-")


EVENT_KEYS: Final[Keys] = key_table(
    name("who", "who decided: part of the name or address", "ann"),
    Key(
        "kind",
        "what was done, in the words of the list",
        "enum",
        tuple(map(_slug, KINDS.values())),
        {
            **{name: _slug(words) for name, words in KINDS.items()},
            **{name.replace("_", "-"): _slug(words) for name, words in KINDS.items()},
            "fp": "false-positive",
            "fixed": "claimed-fixed",
            "claim": "claimed-fixed",
            "reopen": "reopened",
            "severity": "rated",
            "scope": "rule",
            "link": "two-ids-joined",
        },
        {
            "accepted": ("accepted", "rule-accepted"),
            "rated": ("rated", "rule-rated"),
            "rule": ("rule-accepted", "rule-rated", "rule-in-force-again", "newly-covered-seen"),
        },
        example="kind:accepted",
    ),
    name("finding", "part of the finding's id", "f1-abcd2345"),
    name("resource", "part of the resource's name", "MLExec"),
    Key("since", "decided since a day or an age ago", "since", example="since:30d"),
    flag("live", "not undone"),
    name("batch", "part of the id that decisions made together share", "4f1a"),
    flag("conflict", "one of several that copies made without knowing of each other"),
)
"""What lines about the history may ask."""

_TEXTS: Final[Mapping[str, Callable[[EventRow], str]]] = {
    "who": lambda row: row.actor,
    "finding": lambda row: row.finding or "",
    "resource": lambda row: row.resource_name,
    "batch": lambda row: row.batch or "",
}
_FLAGS: Final[Mapping[str, Callable[[EventRow], bool]]] = {
    "live": lambda row: row.live,
    "conflict": lambda row: row.conflict,
}
_COMPARED: Final[Mapping[str, Callable[[datetime, datetime], bool]]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
}


def searching(text: str, now: datetime) -> Test:
    """Whether a line of the history is one that the filter ``text`` asks for.

    ``now`` is aware; ages count from it and days are those of its zone.

    Raises:
        FilterError: it cannot be understood.
    """
    return _test(parse(text, EVENT_KEYS), now)


def _test(node: Node, now: datetime) -> Test:
    match node:
        case Word():
            return _word(node.value)
        case Term():
            return _term(node, now)
        case Not():
            denied = _test(node.child, now)
            return lambda row: not denied(row)
        case And():
            every = [_test(child, now) for child in node.children]
            return lambda row: all(test(row) for test in every)
        case Or():
            some = [_test(child, now) for child in node.children]
            return lambda row: any(test(row) for test in some)


def _term(term: Term, now: datetime) -> Test:
    key = EVENT_KEYS[term.key]
    if key.name == "since":
        tests = [_since(term, value, now) for value in term.values]
        return lambda row: any(test(row) for test in tests)
    if key.name in _TEXTS:
        read, several = _TEXTS[key.name], [_holding(value) for value in term.values]
        return lambda row: any(holds(read(row)) for holds in several)
    wanted = {word for value in term.values for word in expand(key, term.op, value)}
    if key.kind == "flag":
        is_set = _FLAGS[key.name]
        return lambda row: ("yes" if is_set(row) else "no") in wanted
    return lambda row: _slug(kind_words(row.type, row.finding)) in wanted


def _since(term: Term, value: Value, now: datetime) -> Test:
    """As in lists of findings, what has no time that can be read is not since any."""
    sign, edge = bound(">=" if term.op == ":" else term.op, span("since", value.text, now, term.at))
    compare = _COMPARED[sign]
    return lambda row: (moment := instant(row.at)) is not None and compare(moment, edge)


def _holding(value: Value) -> Callable[[str], bool]:
    """Whether the value occurs in a text, without regard to case; ``""`` asks for no text at all."""
    if not any(value.parts):
        return lambda text: bool(text) is value.is_wild
    needle, *rest = (part.casefold() for part in value.parts)
    if not rest:
        return lambda text: needle in text.casefold()

    def holds(text: str) -> bool:
        folded, place = text.casefold(), 0
        # The first place for each part leaves the most room for the rest.
        for part in (needle, *rest):
            found = folded.find(part, place)
            if found < 0:
                return False
            place = found + len(part)
        return True

    return holds


def _word(value: Value) -> Test:
    holds = _holding(value)
    if value.is_wild:
        return lambda row: any(map(holds, _words(row)))
    # At once: no line can hold the character between them.
    return lambda row: holds("\0".join(_words(row)))


def _words(row: EventRow) -> tuple[str, ...]:
    return (
        row.type,
        kind_words(row.type, row.finding),
        row.actor,
        row.title,
        row.resource_name,
        row.reason,
        row.finding or "",
        row.at,
        row.scope,
    )
