"""Until when an answer of a rule that looks at the time stays as it is.

Rules compare the present with instants that stand in the resource or in the rule: ``timestamp(now)
- timestamp(config.CreateDate) > duration("2160h")``. Between two of the instants at which such a
comparison turns, every answer is the same. An expression that uses ``now`` in any other way is not
understood, and has to be asked again each time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from rules.expression import Expression, Token, tokens
from rules.paths import MISSING, lookup

__all__ = ["Moments"]

_COMPARES = frozenset({"<", "<=", ">", ">="})
_BEFORE = frozenset({"", "(", "&&", "||", "?", ":", ",", "!"})
_AFTER = frozenset({"", ")", "&&", "||", "?", ":", ","})
_PARTS = re.compile(r"(\d+)(h|m|s)")
_SECONDS = {"h": 3600, "m": 60, "s": 1}
_NO_TIME = timedelta()
_MACROS = frozenset({"all", "exists", "exists_one", "filter", "map"})
_ROOTS = ("config", "facts", "tags", "resource")
_NOT_AN_INSTANT = (None, "")
"""What the rules' language takes for no instant either: such a comparison is an error at any time."""


class _UnclearError(Exception):
    """It cannot be told when the answer changes."""


@dataclass(frozen=True, slots=True)
class _Turn:
    """A comparison turns at an instant ``after`` what ``source`` (a path or a literal) says."""

    source: str
    literal: bool
    after: timedelta
    reads: tuple[str, ...]
    """Paths beneath which an element of a list is looked for."""


class Moments:
    """Of one rule with the expressions that it consists of."""

    __slots__ = ("_each", "_turns")

    def __init__(self, expressions: Sequence[Expression], each: str) -> None:
        """``each``: path of the list whose items the rule asks about one by one; mostly empty."""
        self._each = each
        self._turns: tuple[_Turn, ...] | None
        try:
            self._turns = tuple(
                turn
                for expression in expressions
                if "now" in expression.names
                for turn in _turns(expression, each)
            )
        except _UnclearError:
            self._turns = None

    def next(self, data: Mapping[str, Any], now: datetime) -> datetime | None:
        """The first instant, not before ``now``, at which the answer may change; None: it never does.

        ``now`` itself where that cannot be told. ``data``: what the expressions see.
        """
        if self._turns is None:
            return now
        first: datetime | None = None
        try:
            for turn in self._turns:
                for value in self._values(turn, data):
                    if value in _NOT_AN_INSTANT:
                        continue
                    if not isinstance(value, str):
                        return now
                    moment = _instant(value) + turn.after
                    if moment >= now and (first is None or moment < first):
                        first = moment
        except (_UnclearError, OverflowError):
            return now
        return first

    def _values(self, turn: _Turn, data: Mapping[str, Any]) -> Iterator[Any]:
        """Everything that the compared expression may stand for."""
        if turn.literal:
            yield turn.source
            return
        root, _, rest = turn.source.partition(".")
        if root in _ROOTS:
            value = lookup(data, turn.source)
            if value is not MISSING:
                yield value
        elif root == "item" and self._each:
            items = lookup(data, self._each)
            for item in items if isinstance(items, list | tuple) else ():
                value = lookup(item, rest) if isinstance(item, Mapping) else MISSING
                if value is not MISSING:
                    yield value
        else:
            # The element of some list that the expression goes through.
            name = rest.rpartition(".")[2]
            for path in turn.reads:
                yield from _named(lookup(data, path), name)


def _named(value: Any, name: str) -> Iterator[Any]:
    """Whatever goes by a name anywhere within a value."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key == name:
                yield inner
            yield from _named(inner, name)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _named(inner, name)


@lru_cache(maxsize=4096)
def _instant(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _UnclearError from None
    # Without an offset: what the rules' language would make of it is not for us to guess.
    if moment.tzinfo is None:
        raise _UnclearError
    return moment.astimezone(UTC)


def _turns(expression: Expression, each: str) -> Iterator[_Turn]:
    """Where ``now`` stands in an expression, and what it is compared with. _UnclearError."""
    stream = tokens(expression.text)
    texts = [token.text for token in stream]
    reads = (*expression.paths, *([each] if each else []))
    for macro, bracket, variable in zip(texts, texts[1:], texts[2:], strict=False):
        if macro in _MACROS and bracket == "(" and variable in {*_ROOTS, "item", "now"}:
            raise _UnclearError  # there it stands for something else
    for place, token in enumerate(stream):
        if token.kind == "name" and token.text == "now" and (not place or texts[place - 1] != "."):
            turn = _turn(stream, texts, place, reads)
            root, _, field = turn.source.partition(".")
            known = turn.literal or root in _ROOTS or (root == "item" and each)
            if not known and (not field or "map" in texts):
                # An element that is compared itself, or that was made up on the way.
                raise _UnclearError
            yield turn


def _turn(stream: list[Token], texts: list[str], place: int, reads: tuple[str, ...]) -> _Turn:
    start, end = place - 2, place + 1
    if start < 0 or texts[start : place + 2] != ["timestamp", "(", "now", ")"]:
        raise _UnclearError
    before = texts[start - 1] if start else ""
    after = texts[end + 1] if end + 1 < len(texts) else ""
    if before in _BEFORE and after == "-":
        # now - X > duration: turns that long after X.
        source, literal, last = _operand(stream, end + 2, "timestamp")
        if _text(texts, last + 1) not in _COMPARES:
            raise _UnclearError
        length, _, last = _operand(stream, last + 2, "duration")
        turn = _Turn(source, literal, _duration(length), reads)
    elif before in _BEFORE and after in _COMPARES:
        source, literal, last = _operand(stream, end + 2, "timestamp")
        turn = _Turn(source, literal, _NO_TIME, reads)
    elif before in _COMPARES:
        # X < now + duration: turns that long before X.
        source, literal, first = _operand_before(stream, start - 2)
        if (texts[first - 1] if first else "") not in _BEFORE:
            raise _UnclearError
        last, shift = end, _NO_TIME
        if after in ("+", "-"):
            length, _, last = _operand(stream, end + 2, "duration")
            shift = _duration(length) if after == "-" else -_duration(length)
        turn = _Turn(source, literal, shift, reads)
    else:
        raise _UnclearError
    if _text(texts, last + 1) not in _AFTER:
        raise _UnclearError
    return turn


def _text(texts: Sequence[str], place: int) -> str:
    return texts[place] if place < len(texts) else ""


def _operand(stream: list[Token], place: int, function: str) -> tuple[str, bool, int]:
    """``function(X)`` from ``place`` on: X, whether it is a literal, and where it ends."""
    texts = [token.text for token in stream]
    if texts[place : place + 2] != [function, "("]:
        raise _UnclearError
    end = place + 2
    while end < len(texts) and texts[end] != ")":
        end += 1
    return *_path(stream[place + 2 : end]), end


def _operand_before(stream: list[Token], end: int) -> tuple[str, bool, int]:
    """The same for ``timestamp(X)`` that ends there: X, whether it is a literal, where it starts."""
    texts = [token.text for token in stream]
    if end < 0 or texts[end] != ")":
        raise _UnclearError
    start = end
    while start >= 0 and texts[start] != "(":
        start -= 1
    if start < 1 or texts[start - 1] != "timestamp":
        raise _UnclearError
    return *_path(stream[start + 1 : end]), start - 1


def _path(inner: Sequence[Token]) -> tuple[str, bool]:
    """A dotted path or a plain text literal. _UnclearError for anything else."""
    if len(inner) == 1 and inner[0].kind == "string" and inner[0].text[0] in "\"'":
        text = inner[0].text
        if text.startswith(('"""', "'''")) or "\\" in text:
            raise _UnclearError
        return text[1:-1], True
    names, dots = inner[::2], inner[1::2]
    if (
        len(names) != len(dots) + 1
        or any(token.kind != "name" for token in names)
        or any(token.text != "." for token in dots)
    ):
        raise _UnclearError
    return "".join(token.text for token in inner), False


def _duration(text: str) -> timedelta:
    if _PARTS.sub("", text) or not text:
        raise _UnclearError
    return timedelta(seconds=sum(int(n) * _SECONDS[unit] for n, unit in _PARTS.findall(text)))
