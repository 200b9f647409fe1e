"""Choosing columns by key press: hidden, moved, widened, remembered."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tui.conftest import AppMaker
from tests.tui.piloting import screen_text
from tests.tui.test_listing import findings, press
from tui.settings import Settings, load
from tui.widgets.columns import Column, Wish, arranged, place, read_wishes, wishes_text

COLUMNS = (
    Column("a", "A", 4, str, grow=1),
    Column("b", "B", 6, str, drop=1),
    Column("c", "C", 5, str, grow=3, most=9),
)


def test_wishes_are_read_as_written_and_nonsense_is_passed_over() -> None:
    wishes = (Wish("c", width=12), Wish("a", shown=False), Wish("b"))
    assert read_wishes(wishes_text(wishes)) == wishes
    assert read_wishes("a=x = - a=²  a=99999 b=7 b") == (Wish("b", width=7),)


def test_order_width_and_what_is_not_named() -> None:
    columns = arranged(COLUMNS, read_wishes("c=12 gone -a"))
    assert [column.key for column in columns] == ["c", "b"]
    assert [placed.width for placed in place(columns, 60)] == [12, 6]
    assert arranged(COLUMNS, read_wishes("-a -b -c")) == COLUMNS
    narrow = arranged(COLUMNS, read_wishes("a=2"))
    assert place(narrow, 60)[0].width == 2


@pytest.mark.parametrize("width", [10, 14, 30])
def test_a_wished_width_never_exceeds_the_room(width: int) -> None:
    placed = place(arranged(COLUMNS, read_wishes("c=100")), width)
    assert sum(column.width for column in placed) + len(placed) - 1 <= width


async def test_a_choice_survives_a_restart(large_app: AppMaker, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    app = large_app(config=Settings(path=path))
    async with app.run_test(size=(120, 30)) as pilot:
        screen = await findings(pilot)
        before = [column.key for column in screen.table.declared]
        await press(pilot, "vertical_line")
        assert "show or hide" in screen_text(app)
        assert "J later" in screen_text(app)
        await press(pilot, "space", "j", "J", "right", "right", "enter")
        moved = [before[2], before[1], *before[3:]]
        assert [column.key for column in screen.table.columns] == moved
        wide = screen.table.declared[1].width + 2
    again = large_app(config=load(path))
    async with again.run_test(size=(120, 30)) as pilot:
        screen = await findings(pilot)
        assert [column.key for column in screen.table.columns] == moved
        assert screen.table.columns[1].most == wide
        await press(pilot, "vertical_line", "0", "enter")
        assert screen.table.columns == screen.table.declared


async def test_escape_changes_nothing_and_one_column_stays(
    large_app: AppMaker, tmp_path: Path
) -> None:
    app = large_app(config=Settings(path=tmp_path / "config.toml"))
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await findings(pilot)
        columns = screen.table.columns
        hide_all = [key for _ in columns for key in ("space", "j")]
        await press(pilot, "vertical_line", *hide_all, "enter")
        assert "One column has to stay" in screen_text(app)
        await press(pilot, "escape")
        assert screen.table.columns == columns
        assert not (tmp_path / "columns.toml").exists()
