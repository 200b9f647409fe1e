"""Cells of a table that a spreadsheet opens."""

from __future__ import annotations

from undercroft.text import shown

__all__ = ["cell", "quoted"]

_FORMULA = frozenset("=+-@\t\r")


def cell(value: object) -> str:
    """A CSV cell that no spreadsheet takes for a formula and no terminal for an escape.

    Source: OWASP, CSV injection.
    """
    text = value if type(value) is str else str(value)
    return shown(f"'{text}" if text[:1] in _FORMULA else text)


def quoted(text: str) -> str:
    """A cell as it stands in the file, as ``csv.writer`` puts it: no cell has a line break in it."""
    if not (text.isascii() and text.isprintable()) or text[:1] in _FORMULA:
        text = cell(text)
    if '"' in text or "," in text:
        return '"' + text.replace('"', '""') + '"'
    return text
