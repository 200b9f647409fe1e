"""A table over rows that live elsewhere: holds the visible pages only, asks for the others.

Line API: each frame draws the visible lines from pages in a bounded cache. A page that is missing
is asked for once (``RowsNeeded``); its answer carries the generation it belongs to, and answers to
old questions are dropped. See ``tui.screens.loader`` for the other end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar

from textual import events
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive

from tui.keymap import bind
from tui.widgets.columns import Column, Run
from tui.widgets.marks import Marks
from tui.widgets.pages import Pages
from tui.widgets.table_lines import TableLines

__all__ = ["VirtualTable"]

RowT = TypeVar("RowT")


class VirtualTable(TableLines[RowT], can_focus=True):
    """Rows with a cursor, marks and a sort order; subclass or pass ``columns``."""

    PAGE: ClassVar[int] = 64
    PAGES: ClassVar[int] = 32
    """Pages kept: more than any terminal shows at once."""
    BINDINGS: ClassVar[list[BindingType]] = bind(
        "table.down",
        "table.up",
        "table.top",
        "table.bottom",
        "table.page_down",
        "table.page_up",
        "table.half_down",
        "table.half_up",
        "table.open",
        "table.mark",
        "table.range",
        "table.all",
        "table.sort",
        "table.reverse",
        "table.columns",
    )

    cursor: reactive[int] = reactive(0, repaint=False)

    class Event(Message):
        """Something about one table."""

        def __init__(self, table: VirtualTable[Any]) -> None:
            super().__init__()
            self.table = table

        @property
        def control(self) -> VirtualTable[Any]:
            """For ``@on`` selectors."""
            return self.table

    class RowsNeeded(Event):
        """A page is visible and not there: ``accept`` is awaited."""

        def __init__(
            self, table: VirtualTable[Any], generation: int, start: int, count: int
        ) -> None:
            super().__init__(table)
            self.generation = generation
            self.start = start
            self.count = count

    class RangeNeeded(RowsNeeded):
        """These rows are to be marked, and not all are there: ``mark`` is awaited."""

    class Highlighted(Event):
        """The cursor's row is another one, or has arrived, or changed. Only the newest matters."""

        def __init__(self, table: VirtualTable[Any], index: int, row: RowT | None) -> None:
            super().__init__(table)
            self.index = index
            self.row = row

        def can_replace(self, message: Message) -> bool:
            """A held-down key becomes one update."""
            return isinstance(message, VirtualTable.Highlighted) and message.table is self.table

    class Opened(Event):
        """Enter on a row."""

        def __init__(self, table: VirtualTable[Any], index: int, row: RowT) -> None:
            super().__init__(table)
            self.index = index
            self.row = row

    class Sorted(Event):
        """Another order is asked for."""

        def __init__(self, table: VirtualTable[Any], key: str, descending: bool) -> None:
            super().__init__(table)
            self.key = key
            self.descending = descending

    class Marked(Event):
        """The selection changed."""

    class Refused(Event):
        """A key that cannot act now; says why."""

        def __init__(self, table: VirtualTable[Any], why: str) -> None:
            super().__init__(table)
            self.why = why

    def __init__(
        self,
        columns: Sequence[Column[RowT]],
        *,
        key: Callable[[RowT], str],
        id: str | None = None,  # noqa: A002  (Textual's own name)
        classes: str | None = None,
        head: bool = True,
        markable: bool = True,
    ) -> None:
        super().__init__(columns, key=key, id=id, classes=classes, head=head)
        self.markable = markable
        self.generation = 0
        self.counting = False
        """There are more rows than ``total`` says; how many is being counted."""
        self._to_the_end = False
        """The last row was asked for before it was known which that is."""
        self.marks = Marks()
        self.range_start: int | None = None
        """Where a range began, while one is being drawn out."""
        self._pages: Pages[RowT] = Pages(self.PAGE, self.PAGES)

    # What is shown

    def reset(
        self, total: int, *, cursor: int = 0, keep: bool = False, counting: bool = False
    ) -> int:
        """Another question: ``total`` rows, none of them here yet. Returns the new generation.

        ``keep`` goes on drawing the old rows until the new ones arrive (for a reload in place).
        ``counting``: there may be more, which ``grow`` will say.
        """
        self.counting, self._to_the_end = counting, False
        if keep:
            self._pages.outdate()
        else:
            self._pages.clear()
        self._begin(total, cursor)
        return self.generation

    def grow(self, total: int) -> None:
        """The number of rows is known now; what is on screen stays where it is."""
        at_the_end, self.counting, self._to_the_end = self._to_the_end, False, False
        self.total = total
        self.virtual_size = Size(0, total + self.head)
        self.cursor = total - 1 if at_the_end else min(self.cursor, max(0, total - 1))
        self.refresh()

    def show_rows(self, rows: Sequence[RowT], *, cursor: int = 0) -> None:
        """A list that is all there: nothing will be asked for."""
        self.counting = self._to_the_end = False
        self._pages.fill(rows)
        self._begin(len(rows), cursor)

    def _begin(self, total: int, cursor: int) -> None:
        self.generation += 1
        self.range_start = None
        self.total = total
        self.virtual_size = Size(0, total + self.head)
        self.cursor = max(0, min(cursor, total - 1))
        self._show_cursor()
        self.refresh()
        self._tell()

    def accept(self, generation: int, start: int, rows: Sequence[RowT]) -> None:
        """Take a page in, unless it answers an old question."""
        if generation != self.generation:
            return
        self._pages.put(start, rows)
        self._refresh_rows(start, self.PAGE)
        if start <= self.cursor < start + self.PAGE:
            self._tell()

    def forget(self, generation: int, start: int) -> None:
        """A page that was asked for will not come; ask again if it is still visible."""
        if generation == self.generation:
            self._pages.forget(start)
            self._refresh_rows(start, self.PAGE)

    def say(self, *lines: Sequence[Run] | str) -> None:
        """Lines drawn in the middle while there are no rows."""
        self.notes = tuple(
            ((line, "muted"),) if isinstance(line, str) else tuple(line) for line in lines
        )
        self.refresh()

    @property
    def quiet(self) -> frozenset[str]:
        """Binding ids that the footer need not show: they do nothing here."""
        ordered = any(column.sortable for column in self.declared)
        idle = {"table.mark": self.markable, "table.sort": ordered, "table.reverse": ordered}
        return frozenset(name for name, acts in idle.items() if not acts)

    def row_at(self, index: int) -> RowT | None:
        """The row at a position, if it is here."""
        return self._pages.row(index) if 0 <= index < self.total else None

    @property
    def row(self) -> RowT | None:
        """The row under the cursor, if it is here."""
        return self.row_at(self.cursor)

    def sort_by(self, key: str, descending: bool) -> None:
        """Show an order in the head (the rows come from whoever answers ``Sorted``)."""
        self.sort_key, self.sort_descending = key, descending
        self.refresh()

    # For subclasses

    def can_mark(self, row: RowT) -> bool:  # noqa: ARG002  (for subclasses)
        """Whether this row can be part of a selection."""
        return True

    # What the drawing asks

    def wanted_row(self, index: int) -> RowT | None:
        """The row, asking for its page if it is missing."""
        start = self._pages.missing(index)
        if start is not None:
            count = min(self.PAGE, self.total - start)
            self.post_message(self.RowsNeeded(self, self.generation, start, count))
        return self._pages.row(index)

    def is_current(self, index: int) -> bool:
        """Whether the cursor is there."""
        return index == self.cursor

    def is_marked(self, index: int, row: RowT) -> bool:
        """Whether it is selected, or inside the range that is being drawn out."""
        if not self.markable or not self.can_mark(row):
            return False
        if self.range_start is not None:
            low, high = sorted((self.range_start, self.cursor))
            if low <= index <= high:
                return True
        return self.key(row) in self.marks

    # Size and position

    def on_resize(self) -> None:
        """Other columns may fit now; the cursor stays in sight."""
        self.lay_out()
        self._show_cursor()

    @property
    def _height(self) -> int:
        return max(1, self.size.height - self.head)

    def validate_cursor(self, cursor: int) -> int:
        """Stay on the list."""
        return max(0, min(cursor, self.total - 1))

    def watch_cursor(self, old: int, new: int) -> None:
        """Repaint the two lines concerned and follow the cursor."""
        if old == new:
            return
        if self.range_start is None:
            self._refresh_rows(old, 1)
            self._refresh_rows(new, 1)
        else:
            self.refresh()
        self._show_cursor()
        self._tell()

    def _show_cursor(self) -> None:
        top = round(self.scroll_y)
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, force=True)
        elif self.cursor >= top + self._height:
            self.scroll_to(y=self.cursor - self._height + 1, animate=False, force=True)

    def _tell(self) -> None:
        if self.is_attached:
            self.post_message(self.Highlighted(self, self.cursor, self.row))

    def _refresh_rows(self, start: int, count: int) -> None:
        y = start + self.head - round(self.scroll_y)
        self.refresh(Region(0, y, self.size.width, count))

    # Keys and mouse

    def action_move(self, by: int) -> None:
        """Move the cursor by rows."""
        self._to_the_end = False
        self.cursor += by

    def action_page(self, pages: float) -> None:
        """Move the cursor, and the view with it, by a part of the height."""
        by = max(1, round(self._height * abs(pages)) - (1 if abs(pages) >= 1 else 0))
        self.cursor += by if pages > 0 else -by

    def action_top(self) -> None:
        """To the first row."""
        self._to_the_end = False
        self.cursor = 0

    def action_bottom(self) -> None:
        """To the last row."""
        self._to_the_end = self.counting
        self.cursor = self.total - 1

    def action_open(self) -> None:
        """Go deeper, into the row under the cursor."""
        if (row := self.row) is not None:
            self.post_message(self.Opened(self, self.cursor, row))

    def action_mark(self) -> None:
        """Select the row, or end a range; then one down."""
        if self.range_start is not None:
            self.action_range()
            return
        row = self.row
        if self._cannot_mark() or row is None:
            return
        if self.can_mark(row):
            self.marks.toggle(self.key(row))
            self._refresh_rows(self.cursor, 1)
            self.post_message(self.Marked(self))
        self.cursor += 1

    def action_range(self) -> None:
        """Begin a range at the cursor, or select the one that was begun."""
        if self._cannot_mark() or not self.total:
            return
        if self.range_start is None:
            self.range_start = self.cursor
            self._refresh_rows(self.cursor, 1)
            self.post_message(self.Marked(self))
            return
        low, high = sorted((self.range_start, self.cursor))
        self.range_start = None
        here = [self.row_at(index) for index in range(low, high + 1)]
        rows = [row for row in here if row is not None]
        if len(rows) == len(here):
            self.mark(self.generation, [self.key(row) for row in rows if self.can_mark(row)])
        else:
            self.post_message(self.RangeNeeded(self, self.generation, low, high - low + 1))
        self.refresh()

    def mark(self, generation: int, ids: Sequence[str]) -> None:
        """Select these rows (the answer to ``RangeNeeded``)."""
        if generation != self.generation:
            return
        self.marks.add(ids)
        self.refresh()
        self.post_message(self.Marked(self))

    def action_all(self) -> None:
        """Select all rows that match; once more: none."""
        if self.counting:
            why = "It is still being counted how many rows these are: once more in a moment."
            self.post_message(self.Refused(self, why))
        elif not self._cannot_mark() and self.total:
            self.range_start = None
            self.marks.all()
            self.refresh()
            self.post_message(self.Marked(self))

    def _cannot_mark(self) -> bool:
        if not self.markable:
            self.post_message(self.Refused(self, "Rows of this list cannot be selected."))
        return not self.markable

    def clear_marks(self) -> bool:
        """Select nothing; whether anything was."""
        had = bool(self.marks) or self.range_start is not None
        self.marks.clear()
        self.range_start = None
        if had:
            self.refresh()
            self.post_message(self.Marked(self))
        return had

    def action_sort(self) -> None:
        """Sort by the next column."""
        sortable = [column for column in self.visible_columns if column.sortable]
        if not sortable:
            self.post_message(self.Refused(self, "This list has one order."))
            return
        keys = [column.key for column in sortable]
        after = keys.index(self.sort_key) + 1 if self.sort_key in keys else 0
        column = sortable[after % len(sortable)]
        self._sort(column.key, column.descending)

    def action_reverse(self) -> None:
        """Turn the order round."""
        if "table.reverse" in self.quiet:
            self.post_message(self.Refused(self, "This list has one order."))
            return
        self._sort(self.sort_key, not self.sort_descending)

    def _sort(self, key: str, descending: bool) -> None:
        self.sort_by(key, descending)
        self.post_message(self.Sorted(self, key, descending))

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor; on the cursor's row it opens; on the head it sorts."""
        y = event.y
        if y < self.head:
            column = self.column_at(event.x)
            if column is not None and column.sortable:
                same = column.key == self.sort_key
                self._sort(column.key, not self.sort_descending if same else column.descending)
            return
        index = y - self.head + round(self.scroll_y)
        if index >= self.total:
            return
        if index == self.cursor and event.chain > 1:
            self.action_open()
        self.cursor = index
