"""Keys that come faster than what they set off go where they were meant to go."""

from __future__ import annotations

from pathlib import Path

from textual import events
from textual.pilot import Pilot

from tests.tui.piloting import estate_app, settle
from tui.app import UndercroftApp
from tui.dialogs.accept import AcceptDialog
from tui.dialogs.base import ReasonArea
from tui.dialogs.prompts import PromptDialog
from tui.screens.findings import FindingsScreen
from tui.screens.services import ServicesScreen
from tui.settings import Settings

KEYS = {" ": "space", "-": "minus", "/": "slash", "\t": "tab", "\r": "enter", ":": "colon"}


async def type_at_once(pilot: Pilot[None], text: str, paste: str = "") -> None:
    """All in one go, as a terminal hands over what was pasted or typed while it was busy."""
    for letter in text:
        key = KEYS.get(letter, letter)
        pilot.app.post_message(events.Key(key, letter))
    if paste:
        pilot.app.post_message(events.Paste(paste))
    await settle(pilot)


async def test_what_is_typed_in_one_go_arrives_where_it_was_meant(tmp_path: Path) -> None:
    config = Settings(path=tmp_path / "config.toml")
    app: UndercroftApp = estate_app(tmp_path, screen="findings", config=config)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        screen = app.screen
        assert isinstance(screen, FindingsScreen)
        # Into a dialog that the first key opens; F, q and j would do something on the list.
        await type_at_once(pilot, "aFq jobs run", paste=" and pasted")
        dialog: object = app.screen
        assert isinstance(dialog, AcceptDialog)
        assert dialog.query_one(ReasonArea).text == "Fq jobs run and pasted"
        await pilot.press("escape")
        # Into the filter line, out of it, on with the list, and into a dialog from there.
        await type_at_once(pilot, "/aws\rjjkmquick\r")
        assert screen.query_now.filter == "aws"
        assert (screen.table.cursor, screen.table.total) == (1, 3)
        assert app.settings.views["quick"] == "findings: aws"
        # Back, and deeper, with what is on each screen when its key comes.
        await type_at_once(pilot, "Hj/fraud\rm")
        asked: object = app.screen
        assert isinstance(asked, PromptDialog)
        await type_at_once(pilot, "second\r")
        home: object = app.screen
        assert isinstance(home, ServicesScreen)
        assert app.settings.views["second"] == "services: fraud"
