"""Columns of a table: what a cell says, and which columns fit into a width. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeAlias, TypeVar

from rich.cells import cell_len

from tui.text import clip, shown

__all__ = [
    "Cell",
    "Column",
    "Placed",
    "Run",
    "Wish",
    "arranged",
    "complete",
    "fit_runs",
    "place",
    "read_wishes",
    "runs",
    "wishes_text",
]

RowT = TypeVar("RowT")

Run: TypeAlias = tuple[str, str]
"""A piece of text and the tone (`tui.themes.TONES`) that it is drawn in; an empty tone is plain."""

_BEFORE_OTHERS = 1000
"""A share beside which declared ones are nothing."""

Cell: TypeAlias = "str | Run | Sequence[Run]"


class Column(NamedTuple, Generic[RowT]):
    """One column."""

    key: str
    """Name of the row's field: what ``Query.sort`` gets."""
    title: str
    width: int
    """Least width, in cells."""
    cell: Callable[[RowT], Cell]
    short: str = ""
    """Title where the whole one does not fit; empty: the whole one, cut off."""
    room: int = 0
    """Width below which ``short`` is shown even if the whole one would fit: its neighbours' would not."""
    right: bool = False
    """Aligned to the right."""
    comfort: int = 0
    """Width below which others are dropped for its sake; 0 is ``width``."""
    grow: int = 0
    """Share of the room that is left over; 0 stays at ``width``."""
    most: int = 0
    """Greatest width; 0 is no limit."""
    drop: int = 0
    """When room is short the largest number goes first; 0 always stays."""
    sortable: bool = True
    descending: bool = False
    """Whether its first sort shows the largest first."""
    wide: int = 0
    """Leave it out below this table width even if it would fit; 0 is never."""
    until: int = 0
    """Leave it out from this table width on (another column says it better); 0 is never."""


class Placed(NamedTuple, Generic[RowT]):
    """A column with the width that it got."""

    column: Column[RowT]
    width: int

    @property
    def title(self) -> str:
        """The column's title, the short one where the other does not fit."""
        column = self.column
        needed = max(cell_len(column.title), column.room)
        return column.title if needed <= self.width else column.short or column.title


class Wish(NamedTuple):
    """How a person wants one column; a sequence of them is also the order."""

    key: str
    shown: bool = True
    width: int = 0
    """In cells; 0 is as it fits."""


def read_wishes(text: str) -> tuple[Wish, ...]:
    """Wishes from ``title=40 -account region``; words that are none are passed over."""
    found: dict[str, Wish] = {}
    for word in text.split():
        key, _, width = word.removeprefix("-").partition("=")
        if key and (not width or (width.isascii() and width.isdigit() and len(width) < 4)):
            found.setdefault(key, Wish(key, not word.startswith("-"), int(width or 0)))
    return tuple(found.values())


def wishes_text(wishes: Sequence[Wish]) -> str:
    """What `read_wishes` reads."""
    return " ".join(
        ("" if wish.shown else "-") + wish.key + (f"={wish.width}" if wish.width else "")
        for wish in wishes
    )


def complete(columns: Sequence[Column[RowT]], wishes: Sequence[Wish]) -> tuple[Wish, ...]:
    """One wish per column: those given for columns that exist, then the others as declared."""
    keys = [column.key for column in columns]
    given = [wish for wish in wishes if wish.key in keys]
    named = {wish.key for wish in given}
    return (*given, *(Wish(key) for key in keys if key not in named))


def arranged(columns: Sequence[Column[RowT]], wishes: Sequence[Wish]) -> tuple[Column[RowT], ...]:
    """The columns as wished; all as declared if nothing would be left.

    A wished width is kept as far as there is room: wider than declared, it grows before others.
    """
    by_key = {column.key: column for column in columns}
    found: list[Column[RowT]] = []
    for wish in complete(columns, wishes):
        column = by_key[wish.key]
        if wish.width:
            least = min(column.width, wish.width)
            column = column._replace(
                width=least, comfort=wish.width, most=wish.width, grow=_BEFORE_OTHERS
            )
        if wish.shown:
            found.append(column)
    return tuple(found) or tuple(columns)


def place(columns: Sequence[Column[RowT]], width: int, gap: int = 1) -> tuple[Placed[RowT], ...]:
    """The columns that fit into ``width`` cells, in their order, with their widths."""
    kept = [
        column
        for column in columns
        if column.wide <= width and not (column.until and column.until <= width)
    ]

    def comfortable() -> int:
        wanted = sum(max(column.width, column.comfort) for column in kept)
        return wanted + gap * (len(kept) - 1)

    while len(kept) > 1 and comfortable() > width:
        droppable = [column for column in kept if column.drop]
        if not droppable:
            break
        kept.remove(max(reversed(droppable), key=lambda column: column.drop))
    widths = {column.key: column.width for column in kept}
    spare = width - sum(widths.values()) - gap * (len(kept) - 1)
    growing = [column for column in kept if column.grow]
    while spare > 0 and growing:
        shares = sum(column.grow for column in growing)
        given = 0
        for column in list(growing):
            more = max(1, spare * column.grow // shares)
            more = min(more, spare - given)
            if column.most:
                more = min(more, column.most - widths[column.key])
            widths[column.key] += max(0, more)
            given += max(0, more)
            if column.most and widths[column.key] >= column.most:
                growing.remove(column)
            if given >= spare:
                break
        if given == 0:
            break
        spare -= given
    return tuple(Placed(column, widths[column.key]) for column in kept)


def runs(cell: Cell) -> tuple[Run, ...]:
    """A cell as runs of text, whichever way it was given."""
    if isinstance(cell, str):
        return ((cell, ""),)
    if isinstance(cell, tuple) and len(cell) == 2 and isinstance(cell[0], str):
        return ((cell[0], str(cell[1])),)
    return tuple((str(text), str(tone)) for text, tone in cell)


def fit_runs(cell: Cell, width: int, *, right: bool = False) -> list[Run]:
    """The cell's runs, cleaned and cut or padded to exactly ``width`` terminal cells."""
    fitted: list[Run] = []
    room = width
    pieces = runs(cell)
    for index, (foreign, tone) in enumerate(pieces):
        if room <= 0:
            break
        text = shown(foreign)
        size = cell_len(text)
        last = index == len(pieces) - 1
        if size > room or (size == room and not last and any(t for t, _ in pieces[index + 1 :])):
            cut = clip(text + " …", room)
            fitted.append((cut, tone))
            room -= cell_len(cut)
            break
        fitted.append((text, tone))
        room -= size
    if room > 0:
        padding = (" " * room, "")
        if right:
            fitted.insert(0, padding)
        else:
            fitted.append(padding)
    return fitted
