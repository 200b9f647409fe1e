"""One service by key press: drilling in and back, layers, panes, deciding, undoing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from tests.tui.estate import HOSTILE
from tests.tui.piloting import estate_app, screen_text, settle
from tui.app import UndercroftApp
from tui.dialogs.base import ReasonArea
from tui.screens.findings import FindingsScreen
from tui.screens.service import ServiceScreen
from tui.screens.services import ServicesScreen
from tui.text import shown
from tui.widgets.detail import DetailPane
from undercroft.model import Layer

AppMaker = Callable[..., UndercroftApp]
REST = 0.12
"""Longer than the cursor has to rest before details are read."""


async def press(pilot: Pilot[Any], *keys: str) -> None:
    """Press keys one by one and wait for what they set off."""
    for key in keys:
        await pilot.press(key)
    await settle(pilot)
    await pilot.pause(REST)
    await settle(pilot)


async def opened(pilot: Pilot[Any], *keys: str) -> ServiceScreen:
    """A service's screen, from home."""
    await press(pilot)
    await press(pilot, *keys, "enter")
    screen = pilot.app.screen
    assert isinstance(screen, ServiceScreen)
    return screen


async def test_deeper_and_back_to_exactly_where_one_was(large_app: AppMaker) -> None:
    app = large_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "s", "s", "s", "S", *["j"] * 14)
        home = app.screen
        assert isinstance(home, ServicesScreen)
        before = (home.table.cursor, home.table.sort_key, home.table.sort_descending)
        row = home.table.row
        assert row is not None
        await press(pilot, "enter")
        assert getattr(app.screen, "key", "") == row.key
        await press(pilot, "h")
        assert app.screen_stack == [home]
        assert (home.table.cursor, home.table.sort_key, home.table.sort_descending) == before
        assert home.table.row is not None
        assert home.table.row.key == row.key


async def test_enter_goes_level_by_level_and_escape_back(tmp_path: Path) -> None:
    app = estate_app(tmp_path)
    async with app.run_test(size=(160, 45)) as pilot:
        screen = await opened(pilot, "j")
        assert screen.chosen_layer is Layer.IDENTITY
        assert screen.trail == ("services", "fraud-scoring", "identity")
        await press(pilot, "enter")
        assert screen.focused is screen.table
        assert screen.trail[-3:] == ("identity", "MLExec", "The role is an administrator")
        await press(pilot, "enter")
        assert isinstance(screen.focused, DetailPane)
        await press(pilot, "escape")
        assert screen.focused is screen.table
        await press(pilot, "left", "backspace")
        assert isinstance(app.screen, ServicesScreen)


async def test_the_path_that_leads_down_is_shown(tmp_path: Path) -> None:
    app = estate_app(tmp_path)
    async with app.run_test(size=(160, 45)) as pilot:
        await opened(pilot, "j")
        await press(pilot, "enter")
        text = screen_text(app)
        assert "How it is reached" in text
        assert "ProductionVariants[0].ModelName → fraud-v3" in text
        assert "ExecutionRoleArn → MLExec" in text
        assert "facts.admin" in text


async def test_numbers_jump_to_layers(tmp_path: Path) -> None:
    app = estate_app(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot)
        await press(pilot, "j", "4")
        screen = app.screen
        assert isinstance(screen, ServiceScreen)
        assert screen.tower_view.selected == 3
        assert screen.focused is screen.table
        assert shown(f"Anyone may read {HOSTILE}")[:30] in screen_text(app)
        await press(pilot, "6")
        assert screen.tower_view.selected == 5
        assert "Nothing of this service is on the network layer" in screen_text(app)
        await press(pilot, "1")
        assert "config.LifecycleConfig" not in screen_text(app)


async def test_what_could_not_be_read_is_on_the_resource(tmp_path: Path) -> None:
    app = estate_app(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot)
        await press(pilot, "1")
        text = screen_text(app)
        assert "? config.LifecycleConfig: denied: needs sagemaker:DescribeLifecycle" in text


async def test_each_layer_remembers_its_cursor(large_app: AppMaker) -> None:
    app = large_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot)
        await press(pilot, "2", *["j"] * 9)
        screen = app.screen
        assert isinstance(screen, ServiceScreen)
        there = screen.table.cursor
        await press(pilot, "5", "2")
        assert screen.table.cursor == there


async def test_eighty_columns_show_one_pane_at_a_time(large_app: AppMaker) -> None:
    app = large_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot)
        panes = [screen.query_one(name) for name in ("#left", "#middle", "#right")]
        for at, key in ((0, ""), (1, "enter"), (2, "enter"), (0, "tab"), (2, "shift+tab")):
            if key:
                await press(pilot, key)
            assert [pane.display for pane in panes] == [index == at for index in range(3)]


async def test_accept_and_undo_in_place(tmp_path: Path) -> None:
    app = estate_app(tmp_path)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        screen = await opened(pilot, "j")
        await press(pilot, "enter")
        cursor = screen.table.cursor
        await press(pilot, "a")
        app.screen.query_one(ReasonArea).text = "it is replaced in two weeks"
        app.screen.query_one("#owner", Input).value = "platform"
        await press(pilot, "enter")
        await press(pilot, "enter")  # critical: asks a second time, with names
        assert app.screen is screen
        text = screen_text(app)
        assert "Accepted 1 finding until" in text
        assert "u undoes it" in text
        assert screen.table.cursor == cursor
        row = screen.current_finding()
        assert row is not None
        assert row.status == "accepted"
        await press(pilot, "u")
        assert "ctrl+r" in screen_text(app) or "^r" in screen_text(app)
        row = screen.current_finding()
        assert row is not None
        assert row.status == "open"
        await press(pilot, "ctrl+r")
        row = screen.current_finding()
        assert row is not None
        assert row.status == "accepted"


async def test_all_that_match_are_accepted_as_one(large_app: AppMaker) -> None:
    app = large_app(screen="findings", filter="package:deb/curl")
    async with app.run_test(size=(100, 40), notifications=True) as pilot:
        await press(pilot)
        screen = app.screen
        assert isinstance(screen, FindingsScreen)
        await press(pilot, "asterisk", "f")
        await press(pilot, "enter")
        assert "30 findings" in screen_text(app)
        rows = [screen.table.row_at(index) for index in range(30)]
        assert {row.status for row in rows if row} == {"fix_claimed"}
        assert not screen.table.marks
        await press(pilot, "u")
        rows = [screen.table.row_at(index) for index in range(30)]
        assert {row.status for row in rows if row} == {"open"}


async def test_a_resource_is_no_finding(tmp_path: Path) -> None:
    app = estate_app(tmp_path)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, "j")
        await press(pilot, "enter", "k", "a")
        assert "cursor is on a resource" in screen_text(app)


async def test_read_only_refuses_and_says_why(tmp_path: Path) -> None:
    estate_app(tmp_path)
    app = estate_app(tmp_path, empty=True, read_only=True)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await press(pilot, "F", "a")
        text = screen_text(app)
        assert "· read-only" in text
        assert "reading only" in text


async def test_copying_uses_the_true_value(tmp_path: Path) -> None:
    app = estate_app(tmp_path, screen="findings")
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await press(pilot)
        await press(pilot, "G", "y")
        assert f"Anyone may read {HOSTILE}" in app.clipboard
        assert shown(HOSTILE) in screen_text(app)
        await press(pilot, "k", "Y")
        assert app.clipboard.startswith("aws sagemaker update-notebook-instance")
        await press(pilot, "k", "Y")
        assert "no fix command" in screen_text(app)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_no_colour_starts_and_paints(
    large_app: AppMaker, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = large_app()
    async with app.run_test(size=size) as pilot:
        await opened(pilot)
        await press(pilot, "enter", "enter", "escape", "escape")
        assert app.theme == "undercroft-ansi"
        assert app.native_ansi_color
        assert "▸  2 container" in screen_text(app) or "2 container" in screen_text(app)
        app.export_screenshot()  # every segment has a style


@pytest.mark.parametrize("theme", ["undercroft-light", "undercroft-ansi", "nord", "textual-light"])
async def test_every_theme_paints_every_screen(large_app: AppMaker, theme: str) -> None:
    app = large_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot)
        app.theme = theme
        await press(pilot, "enter", "enter", "escape", "F", "z")
        app.export_screenshot()
