"""Text whose long lines go on beneath where their words began, with a tree's guides drawn on."""

from __future__ import annotations

import re

from rich.cells import cell_len
from textual.content import Content
from textual.geometry import Size
from textual.widgets import Static

__all__ = ["HangingText", "hanging"]

_LEAD = re.compile(r"[ │├└─]*(?:[^\w\s\"'‘“(\[{<‹]\s+)?")
"""Indentation and guides, and one sign with the space after it (a severity, a bullet, ``$``)."""
_FAIR = 12
"""Cells: words that have less room begin at the edge instead."""


def hanging(text: Content, width: int) -> Content:
    """The text in lines of at most ``width`` cells, each line's rest indented like its words."""
    if width <= 0:
        return text
    rows: list[Content] = []
    for line in text.split("\n", allow_blank=True):
        if line.cell_length <= width:
            rows.append(line)
            continue
        found = _LEAD.match(line.plain)
        lead = found.group() if found else ""
        if width - cell_len(lead) < _FAIR:
            lead = ""
        first, *rest = line[len(lead) :].wrap(width - cell_len(lead))
        rail = Content.styled("".join(map(_goes_on, lead)), "$faint")
        rows.append(line[: len(lead)] + first)
        rows += [rail + row for row in rest]
    return Content("\n").join(rows)


def _goes_on(char: str) -> str:
    """What stands beneath a character of a lead: a guide that goes on, or as much space."""
    return "│" if char in "│├" else " " * cell_len(char)


class HangingText(Static):
    """A static text that wraps so."""

    DEFAULT_CSS = "HangingText { width: 1fr; height: auto; }"

    def render(self) -> Content:
        """The text as it fits."""
        return self._fitted(self.content_size.width)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002  (Textual's signature)
        """So many lines it takes."""
        return self._fitted(width).plain.count("\n") + 1

    def _fitted(self, width: int) -> Content:
        text = self.visual
        if not isinstance(text, Content):
            raise TypeError("only text can be shown here")
        return hanging(text, width)
