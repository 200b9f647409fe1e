"""Texts of very many rows, made without making anything else: what came before is remembered, and
JSON as the cache keeps it is not read to be written again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from undercroft.views import ResourceRef

__all__ = ["OfServices", "Remembered", "items", "only_item", "spaced"]

_KEPT = 20_000
_load = json.JSONDecoder().decode
_dump = json.JSONEncoder().encode


class Remembered(dict[str, str]):
    """Text → what ``make`` makes of it; most texts of an export come again and again."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[str], str]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, text: str) -> str:
        if len(self) >= _KEPT:
            self.clear()
        found = self[text] = self._make(text)
        return found


class OfServices:
    """The services above a finding → a text; most findings share theirs with others."""

    def __init__(self, make: Callable[[Sequence[ResourceRef]], str]) -> None:
        self._make = make
        # The tuples are kept, so that none gets the identity of another.
        self._known: dict[int, tuple[Sequence[ResourceRef], str]] = {}

    def text(self, services: Sequence[ResourceRef]) -> str:
        """Made once for each tuple of services."""
        known = self._known.get(id(services))
        if known is None:
            if len(self._known) >= _KEPT:
                self._known.clear()
            known = self._known[id(services)] = services, self._make(services)
        return known[1]


def _with_spaces(piece: str) -> str:
    return piece.replace(",", ", ").replace(":", ": ")


_pieces = Remembered(_with_spaces)
"""Of JSON, what stands between its strings."""


def spaced(text: str) -> str:
    """What ``json.dumps`` writes for the value of ``text``, as ``store.encode.dump`` wrote it: ASCII,
    without any spaces.
    """
    return _dump(_load(text)) if "\\" in text else _apart(text, '"')


def items(text: str) -> list[tuple[str, str]]:
    """Path and value (as JSON) of each item of stored evidence: ``[["facts.admin",true]]``."""
    found = only_item(text)
    return [(path, _dump(value)) for path, value in _load(text)] if found is None else [found]


def only_item(text: str, quote: str = '"') -> tuple[str, str] | None:
    """The same of evidence that is one item in printable ASCII, as nearly all is; None of other.

    ``quote``: what is written for the quotes in the value.
    """
    if "\\" in text or '],["' in text or "\x7f" in text or text == "[]":
        return None
    path = text[3 : text.index('"', 3)]
    return path, _apart(text, quote)[len(path) + 4 + 2 * len(quote) : -2]


def _apart(text: str, quote: str) -> str:
    # No string has a quote in it: every other piece is a string.
    parts = text.split('"')
    parts[::2] = map(_pieces.__getitem__, parts[::2])
    return quote.join(parts)
