"""What is on the terminal, cell by cell, read back from Textual's own picture of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

__all__ = ["Cell", "Grid", "Look"]

# The geometry of the pictures that Rich makes (rich.console.Console.export_svg), in its own units.
_CELL_WIDTH = 12.2
_LINE_HEIGHT = 24.4
_BASELINE = 20
_BACKGROUND_TOP = 1.5
_RULE = re.compile(r"\.(\S+-r\d+) \{([^}]*)\}")
_SVG = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True, slots=True)
class Look:
    """How a cell's character is drawn."""

    colour: str = ""
    bold: bool = False
    italic: bool = False
    underline: bool = False
    strike: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """One character; a blank one has no look."""

    char: str = " "
    look: Look = Look()
    background: str = ""


@dataclass(slots=True)
class Grid:
    """``rows`` of equal width, top to bottom; ``background`` is what most of it stands on."""

    width: int
    height: int
    background: str
    rows: list[list[Cell]] = field(default_factory=list)

    @classmethod
    def read(cls, picture: str, width: int, height: int) -> Grid:
        """The cells of an SVG by Textual of a terminal of ``width`` × ``height``.

        Raises:
            ValueError: It is not such a picture.
        """
        root = ET.fromstring(picture)  # noqa: S314  (made by Textual in this process)
        style = root.findtext(f"{_SVG}style") or ""
        looks = {name: _look(rules) for name, rules in _RULE.findall(style)}
        chrome = root.find(f"{_SVG}rect")
        body = root.find(f"{_SVG}g[@clip-path]")
        if chrome is None or body is None:
            raise ValueError("this is no picture of a terminal")
        grid = cls(width, height, chrome.get("fill", "#000000"))
        grid.rows = [[Cell()] * width for _ in range(height)]
        for rect in body.findall(f"{_SVG}rect"):
            grid._fill(rect)
        for text in body.iter(f"{_SVG}text"):
            grid._write(text, looks)
        cells = Counter(cell.background for row in grid.rows for cell in row)
        grid.background = max(cells, key=lambda colour: cells[colour]) or grid.background
        return grid

    def _fill(self, rect: ET.Element) -> None:
        row = round((float(rect.get("y", "0")) - _BACKGROUND_TOP) / _LINE_HEIGHT)
        start = round(float(rect.get("x", "0")) / _CELL_WIDTH)
        cells = round(float(rect.get("width", "0")) / _CELL_WIDTH)
        for column in range(start, min(start + cells, self.width)):
            self.rows[row][column] = Cell(background=rect.get("fill", ""))

    def _write(self, text: ET.Element, looks: Mapping[str, Look]) -> None:
        row = round((float(text.get("y", "0")) - _BASELINE) / _LINE_HEIGHT)
        start = round(float(text.get("x", "0")) / _CELL_WIDTH)
        look = looks.get(text.get("class", ""), Look())
        for column, char in enumerate((text.text or "").replace("\xa0", " "), start):
            if column < self.width:
                background = self.rows[row][column].background
                self.rows[row][column] = Cell(char, look, background)

    def text(self) -> str:
        """The characters alone, one line per row, without blanks at the ends of lines."""
        return "\n".join("".join(cell.char for cell in row).rstrip() for row in self.rows)


def _look(rules: str) -> Look:
    values: dict[str, str] = {}
    for rule in rules.split(";"):
        name, _, value = rule.partition(":")
        values[name.strip()] = value.strip()
    decoration = values.get("text-decoration", "")
    return Look(
        colour=values.get("fill", ""),
        bold=values.get("font-weight") == "bold",
        italic=values.get("font-style") == "italic",
        underline=decoration == "underline",
        strike=decoration == "line-through",
    )
