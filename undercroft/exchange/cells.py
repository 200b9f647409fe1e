"""Cells of a table that a spreadsheet opens."""

from __future__ import annotations

from collections.abc import Sequence

from undercroft.text import shown

__all__ = ["cell", "cells"]

_FORMULA = frozenset("=+-@\t\r")


def cell(value: object) -> str:
    """A CSV cell that no spreadsheet takes for a formula and no terminal for an escape.

    Source: OWASP, CSV injection.
    """
    text = value if type(value) is str else str(value)
    return shown(f"'{text}" if text[:1] in _FORMULA else text)


def cells(texts: Sequence[str]) -> Sequence[str]:
    """A row of them. Nearly all need nothing, which is found out for the whole row at once."""
    whole = "".join(texts)
    plain = whole.isascii() and whole.isprintable()
    if plain and _FORMULA.isdisjoint([text[:1] for text in texts]):
        return texts
    return [cell(text) for text in texts]
