"""What is being typed at the cursor, so that a screen can offer keys or values for it."""

from __future__ import annotations

from typing import Literal

from undercroft.filter.keys import KEYS, Keys
from undercroft.records import dataclass

__all__ = ["Completion", "complete", "offers"]

_OPERATORS = (">=", "<=", "!=", ":", "=", ">", "<")


@dataclass(frozen=True, slots=True)
class Completion:
    """What to offer, and what part of the line to replace with the choice."""

    kind: Literal["key", "value"]
    key: str
    """The key whose value is typed; empty while a key or a word is."""
    prefix: str
    """What of it is typed already, without quotes."""
    start: int
    """Offset at which the part to be replaced begins; it ends at the cursor."""


def complete(text: str, cursor: int, keys: Keys = KEYS) -> Completion:
    """What is being typed at ``cursor`` (clamped to the line). Never fails, whatever the line."""
    cursor = max(0, min(cursor, len(text)))
    start = _word_start(text, cursor)
    while start < cursor and text[start] in "-(":
        start += 1
    typed = text[start:cursor]
    place, operator = _operator(typed)
    if not operator or typed.startswith('"'):
        return Completion("key", "", typed.replace('"', ""), start)
    key = typed[:place].lower().replace('"', "")
    value = start + place + len(operator)
    comma = _last_comma(text, value, cursor)
    value = comma + 1 if comma >= 0 else value
    known = key if ("tag" if key.startswith("tag.") else key) in keys else ""
    return Completion("value", known, text[value:cursor].replace('"', ""), value)


def offers(completion: Completion, limit: int = 20, keys: Keys = KEYS) -> list[tuple[str, str]]:
    """Keys (with their operator) or fixed values that begin so, each with a line of help.

    Values of open-ended keys are for the caller to look up in the store.
    """
    prefix = completion.prefix.lower()
    if completion.kind == "key":
        found = [
            ("tag." if key.kind == "tag" else f"{key.name}:", key.help)
            for key in keys.values()
            if key.name.startswith(prefix)
        ]
    elif (key := keys.get(completion.key)) is not None:
        found = [
            (value, key.help if value not in key.groups else ", ".join(key.groups[value]))
            for value in dict.fromkeys((*key.groups, *key.values))
            if value.startswith(prefix)
        ]
    else:
        found = []
    return found[:limit]


def _word_start(text: str, cursor: int) -> int:
    """Where the word at the cursor begins; a space inside quotes does not end a word."""
    start, quoted, position = 0, False, 0
    while position < cursor:
        character = text[position]
        if quoted and character == "\\" and text[position + 1 : position + 2] in {'"', "\\"}:
            position += 2
            continue
        if character == '"':
            quoted = not quoted
        elif not quoted and (character.isspace() or character in "()"):
            start = position + 1
        position += 1
    return min(start, cursor)


def _operator(typed: str) -> tuple[int, str]:
    quoted = False
    for place, character in enumerate(typed):
        if character == '"':
            quoted = not quoted
        elif not quoted:
            for operator in _OPERATORS:
                if typed.startswith(operator, place):
                    return place, operator
    return 0, ""


def _last_comma(text: str, start: int, cursor: int) -> int:
    last, quoted = -1, False
    for position in range(start, cursor):
        if text[position] == '"':
            quoted = not quoted
        elif text[position] == "," and not quoted:
            last = position
    return last
