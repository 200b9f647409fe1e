"""A screen whose heart is one table over the store: loading, filtering, sorting, its empty states."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from textual import on
from textual.binding import BindingType
from textual.content import Content

from tui.keymap import bind
from tui.screens.acting import ActingScreen
from tui.screens.base import Fetched
from tui.screens.loader import Loader
from tui.text import count, styled
from tui.widgets.filter_line import FilterLine
from tui.widgets.table import VirtualTable
from undercroft.views import Query

if TYPE_CHECKING:
    from undercroft.store import Store

__all__ = ["ListingScreen"]

RowT = TypeVar("RowT")
_SOON = 0.05
"""Seconds after which rows are shown although they have not been counted yet."""


class ListingScreen(ActingScreen, Generic[RowT]):
    """Subclasses compose a table with id ``list`` and a `FilterLine`, and say how to read rows."""

    AUTO_FOCUS: ClassVar[str | None] = "#list"
    NOUN: ClassVar[str] = "row"
    BINDINGS: ClassVar[list[BindingType]] = bind("view.filter", "view.export", "view.save")

    def __init__(self) -> None:
        super().__init__()
        self.query_now = Query()
        self._stood: dict[Query, int] = {}
        """Where the cursor was in lists that were shown before."""
        self._first = True
        self._wish = ""
        """A filter that was asked for before the screen was there."""

    @abstractmethod
    def read_count(self, store: Store, scan_id: int, query: Query) -> int:
        """How many rows there are. Called in a worker."""

    @abstractmethod
    def read_rows(
        self, store: Store, scan_id: int, query: Query, start: int, count: int
    ) -> Sequence[RowT]:
        """A window of rows. Called in a worker."""

    @property
    def table(self) -> VirtualTable[RowT]:
        """The table."""
        return self.query_one("#list", VirtualTable)

    @property
    def filter_line(self) -> FilterLine:
        """The filter line."""
        return self.query_one(FilterLine)

    def on_mount(self) -> None:
        """Tie the table to the store."""
        self.loader: Loader[RowT] = Loader(self, self.table)
        self._say_loading()
        if self._wish:
            self.set_filter(self._wish)

    def set_filter(self, text: str) -> None:
        """Filter by this line."""
        if self.is_mounted:
            self.filter_line.set(text)
        else:
            self._wish = text

    # Reading

    def reload(self) -> None:
        """Read again, in place."""
        if self.undercroft.scan is None:
            self._say_loading()
            self.table.reset(0)
            self._first = True
            return
        self._read(keep=not self._first, cursor=self.table.cursor)

    def _read(self, *, keep: bool, cursor: int) -> None:
        query, page = self.query_now, VirtualTable.PAGE
        start = cursor - cursor % page
        self.table.cursor = cursor
        stood = self.table.cursor

        def place() -> int:
            # Whoever moved on while it was read stays there.
            return cursor if self.table.cursor == stood else self.table.cursor

        shown = threading.Event()
        if not keep:
            self._say_loading()

        def show_early(rows: Sequence[RowT]) -> None:
            shown.set()
            self.show_rows(
                query, start, start + len(rows), rows, cursor=place(), keep=keep, counting=True
            )

        def work(store: Store, scan_id: int) -> tuple[int, Sequence[RowT]]:
            # Whoever types on asks anew with every letter.
            with store.giving_up(lambda: self._asked["list"] != generation):
                return read(store, scan_id)

        def read(store: Store, scan_id: int) -> tuple[int, Sequence[RowT]]:
            rows = self.read_rows(store, scan_id, query, start, page)
            if start == 0 and len(rows) < page:
                return len(rows), rows
            # Counting may take much longer than reading: nobody waits for it to see the rows.
            early = Fetched("list", generation, lambda: show_early(rows))
            timer = threading.Timer(_SOON, lambda: self.post_message(early))
            timer.daemon = True
            if rows:
                timer.start()
            try:
                return self.read_count(store, scan_id, query), rows
            finally:
                timer.cancel()

        def done(answer: tuple[int, Sequence[RowT]]) -> None:
            total, rows = answer
            if shown.is_set() and self.table.counting:
                self.table.grow(total)
                self.draw_note()
            else:
                self.show_rows(query, start, total, rows, cursor=place(), keep=keep)
            self.loaded(total)

        generation = self.fetch("list", work, done, self._failed)

    def show_rows(
        self,
        query: Query,
        start: int,
        total: int,
        rows: Sequence[RowT],
        *,
        cursor: int = 0,
        keep: bool = False,
        counting: bool = False,
    ) -> None:
        """Show a page that starts at ``start``; others are read as ``query`` says when needed."""
        store, scan = self.undercroft.store, self.undercroft.scan
        if store is None or scan is None:
            return
        self._first = False
        self.loader.read_from(
            lambda start, count: self.read_rows(store, scan.id, query, start, count)
        )
        if total == 0:
            self._say_empty()
        generation = self.table.reset(total, cursor=cursor, keep=keep, counting=counting)
        self.table.accept(generation, start, rows)
        self.draw_note()

    def loaded(self, total: int) -> None:
        """The list is there."""

    def _failed(self, sentence: str) -> None:
        self._first = True
        self.table.reset(0)
        self.table.say(
            (("▲ ", "severity-high"), ("The list could not be read", "strong")),
            "",
            sentence,
        )

    @on(VirtualTable.RowsNeeded, "#list")
    def _rows_needed(self, event: VirtualTable.RowsNeeded) -> None:
        event.stop()
        self.loader.request(event)

    @on(VirtualTable.RangeNeeded, "#list")
    def _range_needed(self, event: VirtualTable.RangeNeeded) -> None:
        event.stop()
        query, generation = self.query_now, event.generation
        start, number = event.start, event.count

        def done(rows: Sequence[RowT]) -> None:
            self.table.mark(generation, [self.table.key(row) for row in rows])

        self.fetch(
            "range",
            lambda store, scan_id: self.read_rows(store, scan_id, query, start, number),
            done,
        )

    # What stands there instead of rows

    def _say_loading(self) -> None:
        app = self.undercroft
        if app.open_error:
            self.table.say(
                (("▲ ", "severity-high"), ("The cache could not be opened", "strong")),
                "",
                app.open_error,
                "",
                ((app.mapped("app.quit"), "signature"), (" quits", "muted")),
            )
        elif app.scan is None:
            self.table.say(*app.nothing_yet())
        else:
            self.table.say("reading…")

    def _say_empty(self) -> None:
        key = self.undercroft.key_of("view.filter", "/")
        if self.query_now.filter:
            nothing = [("No ", "muted"), (f"{self.NOUN} matches ", "muted")]
            change = [(key, "signature"), (" changes the filter, ", "muted")]
            self.table.say(
                [*nothing, (self.query_now.filter, "strong")],
                "",
                [
                    *change,
                    (self.undercroft.mapped("view.back"), "signature"),
                    (" clears it", "muted"),
                ],
            )
        else:
            self.table.say(*self.empty_words())

    def empty_words(self) -> tuple[str, ...]:
        """What to say when there is nothing, without a filter."""
        return (f"No {self.NOUN} in this scan.",)

    # Filter, sort, marks

    def action_filter(self) -> None:
        """Type a filter."""
        self.filter_line.open()

    @on(FilterLine.Changed)
    def _filter_changed(self, event: FilterLine.Changed) -> None:
        query = self.query_now
        self.table.clear_marks()
        wanted = Query(event.text, query.sort, query.descending, query.service, query.layer)
        self._read(keep=True, cursor=self._turn_to(wanted))

    @on(FilterLine.Closed)
    def _filter_closed(self) -> None:
        self.table.focus()

    @on(VirtualTable.Sorted, "#list")
    def _sorted(self, event: VirtualTable.Sorted) -> None:
        query = self.query_now
        wanted = Query(query.filter, event.key, event.descending, query.service, query.layer)
        self._read(keep=True, cursor=self._turn_to(wanted))

    def _turn_to(self, query: Query) -> int:
        """Ask this from now on. Returns where the cursor stood when it was last asked."""
        self._stood[self.query_now] = self.table.cursor
        self.query_now = query
        return self._stood.get(query, 0)

    @on(VirtualTable.Marked, "#list")
    def _marked(self) -> None:
        self.draw_note()

    def draw_note(self) -> None:
        """How many there are, and how many are selected."""
        table = self.table
        parts: list[Content] = []
        marked = table.marks.count(table.total)
        if table.range_start is not None:
            parts.append(Content.styled("range…  ", "bold $signature"))
        if marked:
            parts.append(Content.styled(f"● {marked:,} selected  ", "bold $signature"))
        more = "at least " if table.counting else ""
        parts.append(styled(more + count(table.total, self.NOUN), "$muted"))
        if self.query_now.filter:
            verb = " matches" if table.total == 1 else " match"
            parts.append(Content.styled(verb, "$muted"))
        self.note = Content.assemble(*parts)

    def action_back(self) -> None:
        """First out of the selection, then out of the filter, then out of the screen."""
        if self.table.clear_marks():
            return
        if self.query_now.filter:
            self.filter_line.set("")
            return
        super().action_back()

    def action_save_view(self) -> None:
        """Keep this filter under a name."""
        self.undercroft.save_view(self.NAME, self.query_now.filter)

    def action_export(self) -> None:
        """Write what is shown to a file."""
        self.undercroft.export(self.query_now, self.table.total, f"{self.NOUN}s")
