"""Tables on standard output: aligned and coloured on a terminal, tab-separated in a pipe."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import click

from undercroft.text import shown

__all__ = ["print_json", "print_rows", "severity_style", "terminal_width", "width_of"]

_NARROWEST = 8
"""Columns are not cut below this; a terminal that is narrower yet wraps."""

_SEVERITY_COLOURS = {
    "critical": {"fg": "bright_red", "bold": True},
    "high": {"fg": "red"},
    "medium": {"fg": "yellow"},
    "low": {"fg": "blue"},
    "info": {"fg": "cyan"},
}


def terminal_width() -> int | None:
    """Columns of the terminal that standard output is, or None if it is none."""
    if not sys.stdout.isatty():
        return None
    import shutil  # slow to import, and a pipe does without

    return shutil.get_terminal_size((100, 24)).columns


def severity_style(text: str) -> str:
    """``critical`` in its colour; the word itself stays, colour never stands alone."""
    colours: Any = _SEVERITY_COLOURS.get(text.strip())
    return click.style(text, **colours) if colours and not os.environ.get("NO_COLOR") else text


def width_of(text: str) -> int:
    """Terminal cells that clean text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def print_rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; on a narrow terminal the widest columns give way."""
    width = terminal_width()
    if width is None:
        for row in (head, *rows):
            click.echo("\t".join(shown(value) for value in row))
        return
    table = [[shown(value) for value in row] for row in (head, *rows)]
    widths = [max(width_of(row[index]) for row in table) for index in range(len(head))]
    while sum(widths) + 2 * (len(widths) - 1) > width and max(widths) > _NARROWEST:
        widths[widths.index(max(widths))] -= 1
    for number, row in enumerate(table):
        cells = [_fit(value, size) for value, size in zip(row, widths, strict=True)]
        if number == 0:
            click.echo(click.style("  ".join(cells).rstrip(), bold=True))
        else:
            click.echo("  ".join(severity_style(value) for value in cells).rstrip())


def _fit(text: str, size: int) -> str:
    if width_of(text) <= size:
        return text + " " * (size - width_of(text))
    kept = ""
    for char in text:
        if width_of(kept + char) > size - 1:
            break
        kept += char
    return kept + "…" + " " * (size - 1 - width_of(kept))


def print_json(document: object) -> None:
    """A JSON document; escapes everything that a terminal could act on."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=True))
