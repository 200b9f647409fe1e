"""The table over rows that live elsewhere: a million of them, asked for a page at a time."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
from textual import on
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.screen import Screen

from tests.tui.piloting import settle
from tui.screens.loader import Loader, RowsReady
from tui.themes import role_defaults
from tui.widgets.columns import Column
from tui.widgets.scrollbar import ThinBar
from tui.widgets.table import VirtualTable

MANY = 1_000_000
PAGE = VirtualTable.PAGE


class Rows(Screen[None]):
    """One table; what is asked for is written down, and answered when ``open`` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []
        self.open = threading.Event()
        self.open.set()

    def compose(self) -> ComposeResult:
        column: Column[int] = Column("n", "N", 8, lambda row: (f"row {row}", "plain"))
        yield VirtualTable([column], key=str, id="list")

    @property
    def table(self) -> VirtualTable[int]:
        return self.query_one(VirtualTable)

    def on_mount(self) -> None:
        self.loader: Loader[int] = Loader(self, self.table)
        self.loader.read_from(self.fetch)
        self.table.reset(MANY)
        self.table.focus()

    def fetch(self, start: int, count: int) -> Sequence[int]:
        self.asked.append(start)
        self.open.wait(20)
        return range(start, start + count)

    @on(VirtualTable.RowsNeeded)
    def needed(self, event: VirtualTable.RowsNeeded) -> None:
        self.loader.request(event)

    @on(RowsReady)
    def ready(self, event: RowsReady) -> None:
        event.deliver()


class Million(App[None]):
    def get_theme_variable_defaults(self) -> dict[str, str]:
        return role_defaults(self.current_theme)

    def get_default_screen(self) -> Screen[None]:
        return Rows()


def rows_of(pilot: Pilot[None]) -> Rows:
    screen = pilot.app.screen
    assert isinstance(screen, Rows)
    return screen


async def test_a_million_rows() -> None:
    async with Million().run_test(size=(40, 20)) as pilot:
        screen = rows_of(pilot)
        table = screen.table
        await settle(pilot)
        assert (screen.asked, table.row) == ([0], 0)
        # To the end and back: only what is seen is read, and once.
        await pilot.press("G")
        await settle(pilot)
        assert (table.cursor, table.row) == (MANY - 1, MANY - 1)
        assert screen.asked[1:] == [MANY - PAGE], "whose first row is a multiple of the page"
        assert table.scroll_y == table.max_scroll_y == MANY + 1 - 20
        await pilot.press("g")
        await settle(pilot)
        assert table.row == 0
        assert len(screen.asked) <= 3
        # Somewhere in the middle, and another height: the cursor stays in sight.
        table.cursor = MANY // 2
        for height in (10, 30, 20):
            await pilot.resize_terminal(40, height)
            await settle(pilot)
            top = round(table.scroll_y)
            assert top <= table.cursor <= top + height - 2
            assert table.row == MANY // 2
        # A selection of all is no list of a million names.
        await pilot.press("asterisk")
        assert table.marks.everything
        assert table.marks.count(table.total) == MANY
        assert not table.marks.ids
        await pilot.press("space")
        assert table.marks.count(table.total) == MANY - 1
        assert table.marks.excluded == {str(MANY // 2)}


async def test_the_newest_question_is_answered_first_and_old_answers_are_dropped() -> None:
    async with Million().run_test(size=(40, 20)) as pilot:
        screen = rows_of(pilot)
        table = screen.table
        await settle(pilot)
        screen.open.clear()
        places = [number * 100 * PAGE for number in range(1, 10)]
        for place in places:
            table.cursor = place
            await pilot.pause()
        assert screen.asked[1:] == [places[0]], "one at a time, and nobody waits for it"
        await pilot.press("j")
        assert table.cursor == places[-1] + 1, "keys work meanwhile"
        screen.open.set()
        await settle(pilot)
        later = screen.asked[2:]
        assert later[0] == places[-1], "the newest first"
        assert not set(places[1:3]) & set(later), "what nobody looks at any more is not read"
        assert table.row == places[-1] + 1
        old = table.generation
        table.reset(10)
        table.accept(old, 0, [-1] * 10)
        assert table.row_at(0) is None


@pytest.mark.parametrize(("rows", "seen"), [(100, 10), (MANY, 20), (25, 20)])
def test_the_scrollbar_is_in_proportion(rows: int, seen: int) -> None:
    def drawn(position: float) -> str:
        found = ThinBar.render_bar(20, rows, seen, position)
        return "".join(segment.text for segment in found.segments)

    top, middle, bottom = drawn(0), drawn((rows - seen) / 2), drawn(rows - seen)
    length = top.count("▐")
    assert length == max(1, round(20 * seen / rows))
    assert top == "▐" * length + " " * (20 - length)
    assert bottom == top[::-1]
    assert abs(middle.index("▐") - (20 - length) / 2) <= 1
    assert drawn(10 * rows) == bottom
