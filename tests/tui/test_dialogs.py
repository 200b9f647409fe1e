"""Dialogs about findings, by key press: validation, hints, results, cancel, hostile strings."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, ClassVar

import pytest
from textual import events
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from rules.schema import Fix
from tests.tui.estate import HOSTILE
from tests.tui.piloting import screen_text, settle, text_of
from tui.dialogs.accept import AcceptDialog
from tui.dialogs.base import Choice, Choices
from tui.dialogs.context import Context
from tui.dialogs.decision import FalsePositiveDialog, NoteDialog, ReopenDialog
from tui.dialogs.fixed import FixedDialog
from tui.dialogs.prompts import ChooseDialog, ConfirmDialog, PromptDialog
from tui.dialogs.rating import AssignDialog, RateDialog
from tui.dialogs.results import Accept, Assign, FalsePositive, Fixed, Note, Rate, Reopen
from tui.keystrokes import KeystrokesApp
from tui.themes import THEMES
from undercroft.model import Layer, Presence, Severity
from undercroft.views import DecisionView, ResourceRef

TODAY = date(2026, 11, 23)
REASON = "inside VPC"
"""As short as a reason may be: every key takes its time."""
UNSET = object()


class DialogApp(KeystrokesApp):
    ENABLE_COMMAND_PALETTE: ClassVar[bool] = False

    def __init__(self, dialog: Screen[Any]) -> None:
        super().__init__()
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = "undercroft-dark"
        self.dialog = dialog
        self.answer: Any = UNSET

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return dict(THEMES[0].variables)

    def on_mount(self) -> None:
        self.push_screen(self.dialog, self.take)

    def take(self, answer: Any) -> None:
        self.answer = answer


def ref(name: str) -> ResourceRef:
    return ResourceRef(
        key=name,
        native_id="arn",
        name=name,
        type="sagemaker:endpoint",
        layer=Layer.SERVICE,
        provider="aws",
        account="123456789012",
        region="eu-west-1",
        presence=Presence.READ,
        implied=False,
        service=True,
    )


PLAIN = Context(owners=("ml-platform", "data-engineering"))
NAMES = ("fraud-scoring", "support-rag", "vision", HOSTILE)
CRITICAL = Context(critical=2, services=tuple(ref(name) for name in NAMES), owners=("ml-platform",))


def accept(context: Context = PLAIN, count: int = 3) -> AcceptDialog:
    return AcceptDialog(f"The role {HOSTILE}", count, today=TODAY, load=lambda: context)


async def run(
    dialog: Screen[Any], keys: Callable[[Pilot[None]], Any], size: tuple[int, int] = (80, 24)
) -> DialogApp:
    app = DialogApp(dialog)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await keys(pilot)
        await settle(pilot)
    return app


async def test_accept_returns_reason_date_and_owner() -> None:
    async def keys(pilot: Pilot[None]) -> None:
        await pilot.press(*REASON, "tab", "tab", *"ml", "right", "enter")

    app = await run(accept(), keys)
    assert app.answer == Accept(REASON, date(2027, 2, 21), "ml-platform")


async def test_accept_says_how_many_characters_are_missing_and_stays() -> None:
    async def keys(pilot: Pilot[None]) -> None:
        await pilot.press(*"too short")
        assert text_of(pilot.app, "#reason-hint") == "1 more character"
        await pilot.press("enter")
        assert "1 more character" in text_of(pilot.app, ".dialog-message")
        await pilot.press("s")
        assert text_of(pilot.app, "#reason-hint").startswith("✓")

    assert (await run(accept(), keys)).answer is UNSET


DAYS = {
    "30d": date(2026, 12, 23),
    "2w": date(2026, 12, 7),
    "3m": date(2027, 2, 23),
    "eoq": date(2026, 12, 31),
    "2027-01-31": date(2027, 1, 31),
}


async def test_accept_reads_shorthand_and_shows_the_date() -> None:
    async def keys(pilot: Pilot[None]) -> None:
        await pilot.press(*REASON, "tab")
        for typed, day in DAYS.items():
            await pilot.press("ctrl+a", "ctrl+k", *typed)
            hint = text_of(pilot.app, "#until-hint")
            assert hint.startswith("✓")
            assert f"{day:%-d %B %Y}" in hint
        await pilot.press("tab", *"me", "enter")

    assert (await run(accept(), keys)).answer == Accept(REASON, DAYS["2027-01-31"], "me")


async def test_accept_refuses_other_dates_with_a_sentence() -> None:
    said = {"": "Say until when", "soon": "soon", "2026-01-01": "2026-01-01", "900d": "365"}

    async def keys(pilot: Pilot[None]) -> None:
        await pilot.press(*REASON, "tab")
        for typed, word in said.items():
            await pilot.press("ctrl+a", "ctrl+k", *typed, "enter")
            assert word in text_of(pilot.app, ".dialog-message")
            assert pilot.app.screen.query_one("#until", Input).has_focus

    assert (await run(accept(), keys)).answer is UNSET


async def test_accept_arrows_go_through_the_usual_dates() -> None:
    async def keys(pilot: Pilot[None]) -> None:
        field = pilot.app.screen.query_one("#until", Input)
        await pilot.press("tab", "down")
        assert field.value == "6m"
        await pilot.press("down")
        assert field.value == "30d", "round the end"
        await pilot.press("down")
        assert field.value == "eoq"
        assert "31 Dec" in text_of(pilot.app, "#quick")

    await run(accept(), keys)


async def test_accept_needs_an_owner() -> None:
    async def keys(pilot: Pilot[None]) -> None:
        await pilot.press(*REASON, "enter")
        assert "answers for it" in text_of(pilot.app, ".dialog-message")
        assert pilot.app.screen.query_one("#owner", Input).has_focus

    assert (await run(accept(), keys)).answer is UNSET


async def test_a_critical_one_names_every_service_and_asks_twice() -> None:
    async def keys(pilot: Pilot[None]) -> None:
        assert "2 of these 3 findings are critical" in text_of(pilot.app, "#weight")
        await pilot.press(*REASON, "tab", "tab", *"me", "enter")
        text = screen_text(pilot.app)
        assert all(name in text for name in NAMES[:3])
        assert "[bold red]x[/]␛[31m=cmd()" in text
        await pilot.press("escape")
        assert not pilot.app.screen.query(".-sure")
        await pilot.press("enter", "enter")

    app = await run(accept(CRITICAL), keys)
    assert app.answer == Accept(REASON, date(2027, 2, 21), "me")


async def test_enter_before_the_services_are_known_waits_for_them() -> None:
    gate = threading.Event()

    def load() -> Context:
        gate.wait(5)
        return CRITICAL

    dialog = AcceptDialog("x", 1, today=TODAY, load=load)
    app = DialogApp(dialog)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(*REASON, "tab", "tab", *"me", "enter")
        assert "Looking up" in text_of(app, ".dialog-message")
        gate.set()
        await settle(pilot)
        assert pilot.app.screen.query(".-sure"), "asked by itself as soon as it was known"
        await pilot.press("enter")
        await settle(pilot)
    assert isinstance(app.answer, Accept)


async def test_a_failed_look_up_is_said_and_does_not_block() -> None:
    def load() -> Context:
        raise OSError("disk full [bold]")

    dialog = AcceptDialog("x", 1, today=TODAY, load=load)

    async def keys(pilot: Pilot[None]) -> None:
        assert "disk full [bold]" in text_of(pilot.app, ".dialog-message")
        await pilot.press(*REASON, "tab", "tab", *"me", "enter")

    assert isinstance((await run(dialog, keys)).answer, Accept)


async def test_a_lapsed_acceptance_is_offered_again() -> None:
    lapsed = DecisionView("accept", REASON, "2026-11-01", "ml-platform", "bob", "2026-08-01", "e")

    async def keys(pilot: Pilot[None]) -> None:
        await pilot.press("enter")

    app = await run(accept(Context(lapsed=lapsed), count=1), keys)
    assert app.answer == Accept(REASON, date(2027, 2, 21), "ml-platform")


@pytest.mark.parametrize(
    "dialog",
    [
        lambda: accept(CRITICAL),
        lambda: FalsePositiveDialog(HOSTILE, 1),
        lambda: FixedDialog(HOSTILE, 2),
        lambda: NoteDialog(HOSTILE, 1),
        lambda: ReopenDialog(HOSTILE, 1),
        lambda: ConfirmDialog("Delete?", HOSTILE),
        lambda: PromptDialog("Rename", HOSTILE, enter="rename"),
        lambda: ChooseDialog("Undo", HOSTILE, [Choice("a", HOSTILE, HOSTILE)]),
    ],
)
@pytest.mark.parametrize("size", [(80, 24), (40, 12)])
async def test_every_dialog_shows_hostile_text_and_its_keys_and_leaves_by_escape(
    dialog: Callable[[], Screen[Any]], size: tuple[int, int]
) -> None:
    async def keys(pilot: Pilot[None]) -> None:
        text = screen_text(pilot.app)
        assert "\x1b" not in text
        assert "esc" in text, "the keys stay in sight"
        if size == (80, 24):
            assert "[bold red]x[/]␛[31m=cmd()" in text
        await pilot.press("escape")

    assert (await run(dialog(), keys, size)).answer is None


async def test_false_positive_returns_category_and_reason() -> None:
    async def keys(pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        assert "10 more characters" in text_of(pilot.app, ".dialog-message")
        await pilot.press("shift+tab", "down", "down", "tab", *REASON, "enter")

    app = await run(FalsePositiveDialog("x", 1), keys)
    assert app.answer == FalsePositive(REASON, "wrong_rule_logic")


async def test_fixed_shows_the_fix_copies_the_command_and_takes_one_key() -> None:
    context = Context(fixes=(Fix("Turn it off.", "aws sagemaker stop"), Fix("Look.", "")))

    async def keys(pilot: Pilot[None]) -> None:
        text = screen_text(pilot.app)
        assert "Turn it off." in text
        assert "$ aws sagemaker stop" in text
        assert "Only a scan can confirm it" in text
        await pilot.press("y")
        assert pilot.app.clipboard == "aws sagemaker stop"
        await pilot.press("enter")

    app = await run(FixedDialog("x", 2, load=lambda: context), keys)
    assert app.answer == Fixed("")


async def test_fixed_takes_a_note() -> None:
    async def keys(pilot: Pilot[None]) -> None:
        await pilot.press("tab", *"ticket 7y", "enter")

    assert (await run(FixedDialog("x", 1), keys)).answer == Fixed("ticket 7y")


async def test_note_keeps_line_breaks_and_refuses_nothing() -> None:
    async def keys(pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        assert "Write something" in text_of(pilot.app, ".dialog-message")
        await pilot.press("a", "ctrl+j", "b", "enter")

    assert (await run(NoteDialog("x", 1), keys)).answer == Note("a\nb")


async def test_reopen_shows_the_decision_and_wants_a_reason() -> None:
    view = DecisionView("accept", HOSTILE, "2027-01-01", "ml", "bob", "2026-11-01T10:00:00Z", "e")

    async def keys(pilot: Pilot[None]) -> None:
        text = screen_text(pilot.app)
        assert "accepted until 2027-01-01 by bob on 2026-11-01" in text
        assert "“[bold red]x[/]␛[31m=cmd()”" in text
        await pilot.press(*REASON, "enter")

    app = await run(ReopenDialog("x", 1, load=lambda: Context(in_force=view)), keys)
    assert app.answer == Reopen(REASON)


async def test_confirm_wants_a_letter_not_enter() -> None:
    async def keys(pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        assert "Press y" in text_of(pilot.app, ".dialog-message")
        await pilot.press("y")

    assert (await run(ConfirmDialog("Delete?", "All of it."), keys)).answer is True


async def test_a_long_detail_goes_on_beneath_where_it_began() -> None:
    async def keys(pilot: Pilot[None]) -> None:
        rows = screen_text(pilot.app).splitlines()
        first = next(index for index, row in enumerate(rows) if "● one" in row)
        begin = rows[first].index("word")
        assert rows[first + 1].index("word") == begin
        assert "○ other" in rows[first + 2]
        await pilot.click(Choices, offset=(4, 2))
        await pilot.press("enter")

    options = [Choice("a", "one", "word " * 20), Choice("b", "other", HOSTILE)]
    assert (await run(ChooseDialog("Undo", "x", options), keys)).answer == "b"


async def test_choose_returns_what_the_arrows_chose() -> None:
    async def keys(pilot: Pilot[None]) -> None:
        await pilot.press("down", "enter")

    options = [Choice("batch", "all 14"), Choice("one", "only this")]
    assert (await run(ChooseDialog("Undo", "x", options), keys)).answer == "one"


async def test_the_longest_acceptance_bounds_what_is_offered() -> None:
    async def keys(pilot: Pilot[None]) -> None:
        until = pilot.app.screen.query_one("#until", Input)
        assert until.value == "40d"
        until.value = "41d"
        await pilot.press(*REASON, "tab", "tab", *"me", "enter")
        assert "more than 40 days away" in text_of(pilot.app, "#until-hint")
        assert "6m" not in text_of(pilot.app, "#quick")
        until.value = "40d"
        await pilot.press("enter")

    dialog = AcceptDialog("x", 1, today=TODAY, max_days=40, load=Context)
    assert (await run(dialog, keys)).answer == Accept(REASON, TODAY + timedelta(days=40), "me")


async def test_rating_starts_from_what_holds_and_wants_a_reason_and_a_day() -> None:
    async def keys(pilot: Pilot[None]) -> None:
        assert "now high" in text_of(pilot.app, "#rated-now")
        await pilot.press("right", "right", "enter")
        assert "more characters" in text_of(pilot.app, ".dialog-message")
        await pilot.press(*REASON, "tab", "down", "enter")

    context = Context(severity=Severity.HIGH)
    dialog = RateDialog("The role", 1, today=TODAY, max_days=365, load=lambda: context)
    app = await run(dialog, keys)
    assert app.answer == Rate(Severity.LOW, REASON, date(2027, 5, 23))


async def test_enter_does_not_overtake_letters_that_come_with_it() -> None:
    async def keys(pilot: Pilot[None]) -> None:
        for letter in "ml-platform":
            pilot.app.post_message(events.Key(letter, letter))
        for _ in range(2):
            pilot.app.post_message(events.Key("enter", "\r"))

    app = await run(AssignDialog("The role", 1), keys)
    assert app.answer == Assign("ml-platform")
