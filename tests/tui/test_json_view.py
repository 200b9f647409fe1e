"""The JSON pane at the keyboard."""

from __future__ import annotations

from typing import ClassVar

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from tests.tui.estate import HOSTILE
from tests.tui.piloting import screen_text, text_of
from tui.themes import THEMES
from tui.widgets.json_pane import JsonPane
from tui.widgets.json_tree import JsonTree, Mark
from undercroft.model import Json, Severity

DOCUMENT: dict[str, Json] = {
    "config": {
        "Name": HOSTILE,
        "RootAccess": "Enabled",
        "OnStart": "#!/bin/bash\nset -e\n" + "long " * 40,
        "Variants": [{"Model": "a"}, {"Model": "b"}],
    },
    "facts": {"public": True},
}
MARKS = (
    Mark("config.RootAccess", Severity.HIGH, "Notebook users have root"),
    Mark("facts.public", Severity.LOW, f"Public {HOSTILE}"),
)


class JsonApp(App[None]):
    ENABLE_COMMAND_PALETTE: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = "undercroft-dark"

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return dict(THEMES[0].variables)

    def compose(self) -> ComposeResult:
        yield JsonPane()

    def on_mount(self) -> None:
        unread = {"config.Policy": "denied: needs s3:GetBucketPolicy"}
        pane = self.query_one(JsonPane)
        pane.view.focus()
        pane.show(JsonTree.build(DOCUMENT, unread, MARKS))

    @property
    def path(self) -> str:
        line = self.query_one(JsonPane).view.current
        return line.path if line else ""


async def start(pilot: Pilot[None]) -> JsonApp:
    await pilot.pause()
    app = pilot.app
    assert isinstance(app, JsonApp)
    return app


async def test_it_opens_at_the_first_marked_field_and_says_which_finding_it_is() -> None:
    async with JsonApp().run_test(size=(80, 24)) as pilot:
        app = await start(pilot)
        assert app.path == "config.RootAccess"
        assert "high: Notebook users have root" in text_of(app, ".json-place")
        row = next(row for row in screen_text(app).splitlines() if "RootAccess" in row)
        assert row.startswith("▲")
        assert "◂ Notebook users have root" in row


async def test_hostile_text_is_drawn_literally() -> None:
    async with JsonApp().run_test(size=(80, 24)) as pilot:
        app = await start(pilot)
        text = screen_text(app)
        assert '"[bold red]x[/]␛[31m=cmd()"' in text
        assert "\x1b" not in text


@pytest.mark.parametrize("width", [30, 80, 200])
async def test_nothing_is_cut_off(width: int) -> None:
    async with JsonApp().run_test(size=(width, 60)) as pilot:
        app = await start(pilot)
        shown = "".join(row.strip() for row in screen_text(app).splitlines())
        assert shown.count("long") == 40
        assert "GetBucketPolicy" in shown


async def test_brackets_go_through_the_marked_fields() -> None:
    async with JsonApp().run_test(size=(80, 24)) as pilot:
        app = await start(pilot)
        await pilot.press("right_square_bracket")
        assert app.path == "facts.public"
        await pilot.press("right_square_bracket")
        assert app.path == "config.RootAccess"
        await pilot.press("left_square_bracket")
        assert app.path == "facts.public"


@pytest.mark.parametrize("key", ["enter", "space", "z"])
async def test_folding(key: str) -> None:
    async with JsonApp().run_test(size=(80, 24)) as pilot:
        app = await start(pilot)
        view = app.query_one(JsonPane).view
        view.go_to("config.Variants[0].Model")
        await pilot.press(key)
        assert app.path == "config.Variants[0]"
        assert "Model: " in screen_text(app), "only one of the two is folded"
        await pilot.press("k", key)
        assert "Model: " not in screen_text(app)


async def test_fold_all_and_back_keeps_the_place_in_sight() -> None:
    async with JsonApp().run_test(size=(80, 24)) as pilot:
        app = await start(pilot)
        app.query_one(JsonPane).view.go_to("config.Variants[1].Model")
        await pilot.press("Z")
        assert app.path == "config.Variants"
        await pilot.press("Z")
        assert "Model" in screen_text(app)


async def test_search_goes_to_matches_also_in_folded_parts() -> None:
    async with JsonApp().run_test(size=(80, 24)) as pilot:
        app = await start(pilot)
        await pilot.press("Z", "slash", *"model", "enter")
        assert app.path == "config.Variants[0].Model"
        assert "1/2" in text_of(app, ".json-place")
        await pilot.press("n")
        assert app.path == "config.Variants[1].Model"
        await pilot.press("N")
        assert app.path == "config.Variants[0].Model"
        await pilot.press("escape")
        assert app.query_one(JsonPane).view.needle == ""


async def test_a_search_that_finds_nothing_says_so() -> None:
    async with JsonApp().run_test(size=(80, 24)) as pilot:
        app = await start(pilot)
        await pilot.press("slash", *"zzz")
        assert "nothing matches 'zzz'" in text_of(app, ".json-place")


async def test_copying_gives_the_true_value_and_the_path() -> None:
    async with JsonApp().run_test(size=(80, 24)) as pilot:
        app = await start(pilot)
        view = app.query_one(JsonPane).view
        view.go_to("config.Name")
        await pilot.press("y")
        assert app.clipboard == HOSTILE
        view.go_to("config.Variants[0]")
        await pilot.press("y")
        assert app.clipboard == '{\n  "Model": "a"\n}'
        await pilot.press("Y")
        assert app.clipboard == "config.Variants[0]"


async def test_moving_to_the_end_and_back() -> None:
    async with JsonApp().run_test(size=(40, 10)) as pilot:
        app = await start(pilot)
        await pilot.press("G")
        assert app.path == "facts.public"
        assert "public" in screen_text(app)
        await pilot.press("g")
        assert app.path == "config"
        await pilot.press("ctrl+d", "j", "k", "ctrl+u")
        assert app.path == "config"
