"""Draws a grid as an SVG: small, the same on every machine, whole blocks where a terminal has them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from html import escape, unescape
from itertools import groupby
from pathlib import Path

from screenshots.grid import Cell, Grid, Look

__all__ = ["FONTS", "draw", "monospace_font", "text_of", "write_png"]

FONTS = "'JetBrains Mono','Fira Code','DejaVu Sans Mono','Cascadia Mono',Menlo,Consolas,monospace"
"""Whichever of these a reader has."""

_WIDE, _HIGH = 10, 21
"""Of a cell, in pixels."""
_SIZE = 16.6
"""Of the font: a cell is as wide as a character of a common monospace font at this size."""
_BASE = 16
_NAMESPACE = 'xmlns="http://www.w3.org/2000/svg" role="img"'
_MARGIN = 12
_BAR = 30
_BLOCKS: dict[str, tuple[float, float, float, float]] = {
    "█": (0, 0, 1, 1),
    "▀": (0, 0, 1, 1 / 2),
    "▄": (0, 1 / 2, 1, 1 / 2),
    "▌": (0, 0, 1 / 2, 1),
    "▐": (1 / 2, 0, 1 / 2, 1),
    "▔": (0, 0, 1, 1 / 8),
    "▁": (0, 7 / 8, 1, 1 / 8),
    "▂": (0, 6 / 8, 1, 2 / 8),
    "▃": (0, 5 / 8, 1, 3 / 8),
    "▅": (0, 3 / 8, 1, 5 / 8),
    "▆": (0, 2 / 8, 1, 6 / 8),
    "▇": (0, 1 / 8, 1, 7 / 8),
    "▏": (0, 0, 1 / 8, 1),
    "▎": (0, 0, 2 / 8, 1),
    "▍": (0, 0, 3 / 8, 1),
    "▋": (0, 0, 5 / 8, 1),
    "▊": (0, 0, 6 / 8, 1),
    "▉": (0, 0, 7 / 8, 1),
    "▕": (7 / 8, 0, 1 / 8, 1),
    "─": (0, 0.46, 1, 0.07),
    "━": (0, 0.42, 1, 0.14),
    "│": (0.43, 0, 0.14, 1),
    "┃": (0.36, 0, 0.28, 1),
}
"""Characters that fill their cell to its edges → x, y, width, height as shares of the cell."""
_DOTS = (("#ff5f57", 0), ("#febc2e", 20), ("#28c840", 40))
_TEXT = re.compile(r'<text data-row="(\d+)" x="([\d.]+)"[^>]*>([^<]*)</text>')
_LENGTH = re.compile(r' textLength="\d+"')
_PREFERRED = ("DejaVu Sans Mono", "Noto Sans Mono", "Liberation Mono", "Fira Code", "Menlo")


def draw(grid: Grid, title: str) -> str:
    """The picture: a terminal window with ``title`` on its bar."""
    width, height = grid.width * _WIDE, grid.height * _HIGH
    full = (width + 2 * _MARGIN, height + _MARGIN + _BAR)
    classes = _classes(grid)
    rules = "".join(f".{name}{{{_css(look)}}}" for look, name in classes.items())
    dots = "".join(f'<circle cx="{20 + x}" cy="15" r="6" fill="{c}"/>' for c, x in _DOTS)
    size = f'width="{full[0]}" height="{full[1]}"'
    name = escape(title)
    parts = [
        f'<svg {_NAMESPACE} viewBox="0 0 {full[0]} {full[1]}" {size} aria-label="{name}">',
        f"<style>text{{font-family:{FONTS};font-size:{_SIZE}px}}{rules}</style>",
        f'<rect {size} rx="8" fill="{grid.background}" stroke="#808080" stroke-opacity=".4"/>',
        dots,
        f'<text x="{full[0] / 2:g}" y="20" text-anchor="middle" fill="#888888">{name}</text>',
        f'<g transform="translate({_MARGIN},{_BAR})">',
    ]
    for number, row in enumerate(grid.rows):
        parts += _backgrounds(number, row, grid.background)
        parts += _characters(number, row, classes)
    parts += ["</g>", "</svg>"]
    return "\n".join(parts) + "\n"


def _classes(grid: Grid) -> dict[Look, str]:
    """Looks in the order in which they first occur, each with a short name."""
    found: dict[Look, str] = {}
    for row in grid.rows:
        for cell in row:
            if cell.char != " ":
                found.setdefault(cell.look, f"c{len(found)}")
    return found


def _css(look: Look) -> str:
    rules = [f"fill:{look.colour}"]
    if look.bold:
        rules.append("font-weight:700")
    if look.italic:
        rules.append("font-style:italic")
    return ";".join(rules)


def _backgrounds(number: int, row: list[Cell], around: str) -> Iterator[str]:
    column = 0
    for colour, run in groupby(row, key=lambda cell: cell.background):
        cells = len(list(run))
        if colour and colour != around:
            yield (
                f'<rect x="{column * _WIDE}" y="{number * _HIGH}" width="{cells * _WIDE}"'
                f' height="{_HIGH}" fill="{colour}" shape-rendering="crispEdges"/>'
            )
        column += cells


def _characters(number: int, row: list[Cell], classes: dict[Look, str]) -> Iterator[str]:
    top = number * _HIGH
    for start, text, look in _runs(row):
        left, wide = start * _WIDE, len(text) * _WIDE
        if look.underline or look.strike:
            y = top + (_BASE + 2 if look.underline else _HIGH // 2)
            yield f'<rect x="{left}" y="{y}" width="{wide}" height="1" fill="{look.colour}"/>'
        shares = _BLOCKS.get(text[0])
        if shares is not None:
            x, y_, w, h = shares
            # The characters stay in the file as invisible text, for search and for the check.
            yield (
                f'<rect x="{left + x * _WIDE:g}" y="{top + y_ * _HIGH:g}"'
                f' width="{wide if w == 1 else w * _WIDE:g}" height="{h * _HIGH:g}"'
                f' fill="{look.colour}" shape-rendering="crispEdges"/>'
            )
        yield (
            f'<text data-row="{number}" x="{left}" y="{top + _BASE}" class="{classes[look]}"'
            + (' opacity="0"' if shares is not None else "")
            + (f' textLength="{wide}"' if len(text) > 1 else "")
            + f">{escape(text).replace(' ', '&#160;')}</text>"
        )


def _runs(row: list[Cell]) -> Iterator[tuple[int, str, Look]]:
    """Stretches of one look without blanks at their ends.

    A character outside ASCII stands alone: another font may have to lend it, with another width.
    """
    column = 0
    while column < len(row):
        char, look = row[column].char, row[column].look
        end = column + 1
        if char == " " and not look.underline:
            column = end
            continue
        if char in _BLOCKS and _BLOCKS[char][2] == 1:
            while end < len(row) and row[end].char == char and row[end].look == look:
                end += 1
        elif char.isascii():
            while end < len(row) and row[end].char.isascii() and _goes_on(row, end, look):
                end += 1
        text = "".join(cell.char for cell in row[column:end])
        kept = text if look.underline else text.rstrip()
        if kept:
            yield column, kept, look
        column = end


def _goes_on(row: list[Cell], column: int, look: Look) -> bool:
    """Whether this cell belongs to the run before it; one blank may stand between words."""
    cell = row[column]
    if look.underline or cell.char != " ":
        return cell.look == look
    after = row[column + 1] if column + 1 < len(row) else Cell()
    return not cell.look.underline and after.char != " "


def text_of(svg: str) -> str:
    """What can be read in a picture that `draw` made, row by row, blanks where nothing stands."""
    lines: dict[int, str] = {}
    for row, x, text in _TEXT.findall(svg):
        column = round(float(x) / _WIDE)
        line = lines.get(int(row), "").ljust(column)
        lines[int(row)] = line + unescape(text).replace("\xa0", " ")
    return "\n".join(lines.get(row, "").rstrip() for row in range(max(lines, default=-1) + 1))


def monospace_font() -> str:
    """A monospace font of this machine; empty if it cannot be told or there is none."""
    try:
        done = subprocess.run(
            ["fc-list", ":spacing=mono", "family"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    families = {name.strip() for name in re.split(r"[,\n]", done.stdout) if name.strip()}
    return next((name for name in _PREFERRED if name in families), min(families, default=""))


def write_png(svg: str, path: Path, font: str, scale: float = 1.5) -> None:
    """The same as PNG, in a font of this machine."""
    import cairosvg

    # The lengths are for readers whose font is of another width; here they would only add error.
    fitted = _LENGTH.sub("", svg.replace(FONTS, f"'{font}'"))
    cairosvg.svg2png(bytestring=fitted.encode(), write_to=str(path), scale=scale)
