"""How a table is drawn: line by line, each segment in a style, cells cut to their width."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.text import clip
from tui.widgets.columns import Column, Placed, Run, Wish, arranged, fit_runs, place
from tui.widgets.inks import Inks

__all__ = ["TableLines"]

RowT = TypeVar("RowT")
_EDGE = 3
"""Cells before the first column: cursor, mark, space."""
_ROOMY = 110
"""From this width on, columns stand two cells apart."""
_BASES = {
    "head": ("muted", "head-background"),
    "sorted": ("signature", "head-background"),
    "pending": ("faint", ""),
    "marked": ("plain", "mark-background"),
    "cursor": ("plain", "cursor-blurred-background"),
    "focused": ("strong", "cursor-background"),
}
"""What a line or a title is drawn in before its tones: roles of ink and ground."""
_BASES_PLAIN = {
    "head": Style(underline=True),
    "sorted": Style(bold=True, underline=True),
    "pending": Style(dim=True),
    "focused": Style(reverse=True),
}
"""What says the same where the terminal's own colours are used."""


class TableLines(ScrollView, Generic[RowT]):
    """The drawn part of a table; what is drawn is the subclass's business."""

    DEFAULT_CSS = """
    TableLines {
        background: $background; color: $plain; overflow-x: hidden; overflow-y: auto;
        scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0;
    }
    """

    class Arriving(Message):
        """The table is there: who keeps the person's wishes may ``choose`` its columns."""

        def __init__(self, table: TableLines[Any]) -> None:
            super().__init__()
            self.table = table

    class ColumnsWanted(Message):
        """The person wants to choose columns."""

        def __init__(self, table: TableLines[Any]) -> None:
            super().__init__()
            self.table = table

    def __init__(
        self,
        columns: Sequence[Column[RowT]],
        *,
        key: Callable[[RowT], str],
        id: str | None = None,  # noqa: A002  (Textual's own name)
        classes: str | None = None,
        head: bool = True,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.columns = tuple(columns)
        self.declared = self.columns
        """All columns, as the table came with them."""
        self.wishes: tuple[Wish, ...] = ()
        self.key = key
        self.head = 1 if head else 0
        self.total = 0
        self.sort_key = ""
        self.sort_descending = True
        self.notes: tuple[tuple[Run, ...], ...] = ()
        """Lines drawn instead of rows: empty, loading, error, no match."""
        self._fitted: tuple[int, tuple[Placed[RowT], ...]] = (0, ())
        """For which room the columns were placed, and how."""
        self._styles: dict[tuple[str, str], Style] = {}
        self._inks = Inks(self)

    # For subclasses

    def wanted_row(self, index: int) -> RowT | None:
        """The row for a visible line, if it is here; else it is asked for."""
        raise NotImplementedError

    def is_current(self, index: int) -> bool:  # noqa: ARG002  (for subclasses)
        """Whether the cursor is on this row."""
        return False

    def is_marked(self, index: int, row: RowT) -> bool:  # noqa: ARG002  (for subclasses)
        """Whether the row is part of the selection."""
        return False

    def whole(self, row: RowT) -> Sequence[Run] | None:  # noqa: ARG002  (for subclasses)
        """Runs for a row that is drawn over all columns (a heading); None for an ordinary one."""
        return None

    # Columns

    @property
    def _room(self) -> int:
        """Cells for all columns with the gaps between them."""
        return max(1, self.scrollable_content_region.width - _EDGE - 1)

    @property
    def _gap(self) -> int:
        return 2 if self._room >= _ROOMY else 1

    @property
    def _placed(self) -> tuple[Placed[RowT], ...]:
        """The columns that fit, and their widths; worked out when drawn, so that the first frame has
        them although nobody has been told its size yet.
        """
        if self._fitted[0] != self._room:
            self._fitted = (self._room, place(self.columns, self._room, self._gap))
        return self._fitted[1]

    def lay_out(self) -> None:
        """Choose anew the columns that fit, and their widths."""
        self._fitted = (0, ())
        self.refresh()

    def on_mount(self) -> None:
        """Ask whether the person wants other columns."""
        self.post_message(self.Arriving(self))

    def action_columns(self) -> None:
        """Choose columns, their order and widths."""
        self.post_message(self.ColumnsWanted(self))

    def choose(self, wishes: Sequence[Wish]) -> None:
        """Show the columns as the person wishes."""
        self.wishes = tuple(wishes)
        self.columns = arranged(self.declared, self.wishes)
        self.lay_out()

    @property
    def visible_columns(self) -> tuple[Column[RowT], ...]:
        """The columns that fit at this width."""
        return tuple(placed.column for placed in self._placed)

    def width_of(self, key: str) -> int:
        """How wide a column is now; 0 if it is not shown."""
        return next((placed.width for placed in self._placed if placed.column.key == key), 0)

    def column_at(self, x: int) -> Column[RowT] | None:
        """The column under a cell of the line."""
        x -= _EDGE
        for placed in self._placed:
            if 0 <= x < placed.width:
                return placed.column
            x -= placed.width + self._gap
        return None

    # Styles

    def notify_style_update(self) -> None:
        """Another theme: forget resolved colours."""
        self._inks.forget()
        self._styles.clear()
        super().notify_style_update()

    def watch_has_focus(self, has_focus: bool) -> None:
        """The cursor's colour depends on it."""
        self._styles.clear()
        super().watch_has_focus(has_focus)

    def _style(self, base: str, tone: str) -> Style:
        style = self._styles.get((base, tone))
        if style is None:
            style = self.rich_style
            if base:
                how = "focused" if base == "cursor" and self.has_focus else base
                style += self._inks.pair(*_BASES[how])
                if self._inks.plain_terminal and how in _BASES_PLAIN:
                    style += _BASES_PLAIN[how]
            if tone:
                style += self._inks.tone(tone)
            self._styles[base, tone] = style
        return style

    # Lines

    def render_line(self, y: int) -> Strip:
        """One line of the head, of a row, or of the note."""
        width = self.size.width
        if y < self.head:
            return self._draw_head(width)
        if self.total == 0:
            return self._draw_note(y - self.head, width)
        index = y - self.head + round(self.scroll_y)
        if index >= self.total:
            return Strip.blank(width, self._style("", ""))
        return self._draw_row(index, self.wanted_row(index), width)

    def _draw_head(self, width: int) -> Strip:
        plain, chosen = self._style("head", ""), self._style("sorted", "")
        segments = [Segment(" " * _EDGE, plain)]
        for index, placed in enumerate(self._placed):
            column = placed.column
            if index:
                segments.append(Segment(" " * self._gap, plain))
            title, style = placed.title, plain
            if column.key == self.sort_key:
                style = chosen
                arrow = "↓" if self.sort_descending else "↑"
                title = f"{clip(title, placed.width - 1)}{arrow}"
            for text, _ in fit_runs(title, placed.width, right=column.right):
                segments.append(Segment(text, style))
        return Strip(segments).adjust_cell_length(width, plain)

    def _draw_note(self, line: int, width: int) -> Strip:
        blank = self._style("", "")
        height = max(1, self.size.height - self.head)
        first = max(0, (height - len(self.notes)) // 3)
        if not first <= line < first + len(self.notes):
            return Strip.blank(width, blank)
        cells = fit_runs(self.notes[line - first], max(1, width - 4))
        used = cell_len("".join(text for text, _ in cells).rstrip())
        segments = [Segment(" " * max(2, (width - used) // 2), blank)]
        segments += [Segment(text, self._style("", tone)) for text, tone in cells]
        return Strip(segments).adjust_cell_length(width, blank)

    def _draw_row(self, index: int, row: RowT | None, width: int) -> Strip:
        current = self.is_current(index)
        if row is None:
            base = "cursor" if current else "pending"
            style = self._style(base, "faint")
            return Strip([Segment("   …", style)]).adjust_cell_length(width, style)
        marked = self.is_marked(index, row)
        base = "cursor" if current else "marked" if marked else ""
        edge = ("▌" if current else " ") + ("● " if marked else "  ")
        return self._draw_runs([(edge, "signature"), *self._cells(row)], base, width)

    def _cells(self, row: RowT) -> Iterator[Run]:
        """A row's runs, those that part its columns included."""
        heading = self.whole(row)
        if heading is not None:
            yield from fit_runs(heading, self._room)
            return
        gap = (" " * self._gap, "")
        for position, placed in enumerate(self._placed):
            if position:
                yield gap
            column = placed.column
            yield from fit_runs(column.cell(row), placed.width, right=column.right)

    def _draw_runs(self, runs: Iterable[Run], base: str, width: int) -> Strip:
        """Neighbours in one tone as one segment; blanks look the same in each."""
        segments: list[Segment] = []
        text = tone = ""
        for more, other in runs:
            if other == tone or not more or more.isspace():
                text += more
            elif not text or text.isspace():
                text, tone = text + more, other
            else:
                segments.append(Segment(text, self._style(base, tone)))
                text, tone = more, other
        segments.append(Segment(text, self._style(base, tone)))
        return Strip(segments).adjust_cell_length(width, self._style(base, ""))
