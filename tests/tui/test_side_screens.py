"""Resource, scans, history, rules, help, welcome and palette, by key press on a real cache."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.widgets import Input

from tests.tui.estate import ADMIN, BUCKET, HOSTILE, NOTEBOOK, ODD, ROLE, ROOT, repair
from tests.tui.piloting import estate_app, screen_text, settle, text_of
from tui.app import UndercroftApp
from tui.commands import UndercroftCommands
from tui.dialogs.accept import AcceptDialog
from tui.dialogs.export import path_problem
from tui.dialogs.exporting import export_dialog
from tui.dialogs.prompts import ConfirmDialog, PromptDialog
from tui.dialogs.results import Accept, FalsePositive
from tui.dialogs.undo import UndoDialog
from tui.scanning import ScanRequest
from tui.screens.first_run import FirstRunScreen
from tui.screens.help import HelpScreen
from tui.screens.history import HistoryScreen
from tui.screens.resource import ResourceScreen
from tui.screens.rules import RulesScreen
from tui.screens.scans import ScansScreen
from tui.widgets.json_pane import JsonPane
from undercroft.protocols import Progress
from undercroft.triage.decide import Triage
from undercroft.views import Query, ScanRow

SHOWN = "[bold red]x[/]␛[31m=cmd()"
SIZES = [(80, 24), (120, 40), (200, 60)]


def resource(app: UndercroftApp) -> ResourceScreen:
    assert isinstance(app.screen, ResourceScreen)
    return app.screen


# Resource


async def test_resource_opens_at_the_field_that_a_finding_is_about(tmp_path: Path) -> None:
    app = estate_app(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.show_resource(NOTEBOOK)
        await settle(pilot)
        line = app.screen.query_one(JsonPane).view.current
        assert line is not None
        assert line.path == "config.RootAccess"
        text = screen_text(app)
        assert "◂ Notebook users have root" in text
        assert "could not be read: denied: needs" in text
        assert "▲ 1 field not read" in text
        assert "services › research" in text


async def test_resource_panes_by_tab_and_what_they_say(tmp_path: Path) -> None:
    app = estate_app(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.show_resource(BUCKET)
        await settle(pilot)
        assert "configuration   beneath 1   above 2   findings 1   history 2" in screen_text(app)
        await pilot.press("tab")
        await settle(pilot)
        assert "training-data is encrypted with weights" in screen_text(app)
        assert "weights  not read" in screen_text(app)
        await pilot.press("tab")
        await settle(pilot)
        assert SHOWN in screen_text(app)
        await pilot.press("tab", "tab", "tab")
        assert resource(app).pane == "json"
        await pilot.press("shift+tab")
        assert resource(app).pane == "history"


async def test_blast_radius_shows_the_path_and_enter_goes_there(tmp_path: Path) -> None:
    app = estate_app(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.show_resource(ROLE, pane="above")
        await settle(pilot)
        text = screen_text(app)
        assert "fraud-scoring" in text
        assert "ExecutionRoleArn" in text
        assert "research" in text
        await pilot.press("enter")
        await settle(pilot)
        assert not isinstance(app.screen, ResourceScreen)


async def test_beneath_goes_deeper_and_back_restores_the_place(tmp_path: Path) -> None:
    app = estate_app(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.show_resource(NOTEBOOK, pane="beneath")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert resource(app).key == ROLE
        assert "services › research › MLExec" in screen_text(app)
        await pilot.press("escape")
        await settle(pilot)
        assert resource(app).key == NOTEBOOK
        assert resource(app).pane == "beneath"


async def test_a_finding_leads_to_its_field_and_can_be_accepted_there(tmp_path: Path) -> None:
    app = estate_app(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.show_resource(ROLE, pane="findings")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        line = app.screen.query_one(JsonPane).view.current
        assert line is not None
        assert line.path == "facts.admin"
        await pilot.press("a")
        await settle(pilot)
        assert isinstance(app.screen, AcceptDialog)
        assert "2 AI services would carry it" in screen_text(app)
        await pilot.press(*"only in the sandbox", "tab", "tab", *"ml", "enter", "enter")
        await settle(pilot)
        assert resource(app).pane == "json"
        await pilot.press("shift+tab", "shift+tab")
        await settle(pilot)
        assert "accepted until 2027-02-21" in screen_text(app)


async def test_a_key_that_cannot_act_says_why(tmp_path: Path) -> None:
    app = estate_app(tmp_path)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        app.show_resource(ROLE)
        await settle(pilot)
        await pilot.press("g", "a")
        await settle(pilot)
        assert "No finding points at this line" in screen_text(app)


async def test_a_stub_says_that_it_was_not_read(tmp_path: Path) -> None:
    app = estate_app(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.show_resource(BUCKET, pane="beneath")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert "not read: only named by others" in screen_text(app)
        assert "not collected" in screen_text(app)


@pytest.mark.parametrize("size", SIZES)
async def test_a_hostile_resource_is_drawn_literally(tmp_path: Path, size: tuple[int, int]) -> None:
    app = estate_app(tmp_path)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        app.show_resource(ODD)
        for theme in ("undercroft-dark", "undercroft-light", "undercroft-ansi"):
            app.theme = theme
            await settle(pilot)
            assert SHOWN in screen_text(app)
            assert "\x1b" not in screen_text(app)


# Scans


async def test_scans_show_coverage_in_words(tmp_path: Path) -> None:
    app = estate_app(tmp_path, screen="scans")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        text = screen_text(app)
        assert isinstance(app.screen, ScansScreen)
        assert "▸ after" in text
        assert "▲ aws.kms" in text
        assert "needs kms:DescribeKey" in text
        await pilot.press("j")
        await settle(pilot)
        assert "3 of 3 units read to the end" in screen_text(app)


async def test_scans_rename_delete_and_open(tmp_path: Path) -> None:
    app = estate_app(tmp_path, screen="scans")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("j", "r")
        assert isinstance(app.screen, PromptDialog)
        await pilot.press("end", *" 47", "enter")
        await settle(pilot)
        assert "weekly 47" in screen_text(app)
        await pilot.press("x")
        assert isinstance(app.screen, ConfirmDialog)
        await pilot.press("n")
        await settle(pilot)
        assert app.store is not None
        assert len(app.store.scans()) == 2
        await pilot.press("g", "x", "y")
        await settle(pilot)
        assert [scan.name for scan in app.store.scans()] == ["weekly 47"]
        assert app.scan is not None
        assert app.scan.name == "weekly 47", "what was shown is gone: the next one is shown"


async def test_scans_say_why_they_cannot_write(tmp_path: Path) -> None:
    estate_app(tmp_path)
    reading = estate_app(tmp_path, empty=True, read_only=True, screen="scans")
    async with reading.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        await pilot.press("x")
        await settle(pilot)
        assert "scans cannot be saved" in " ".join(screen_text(reading).replace("│", " ").split())
        assert not isinstance(reading.screen, ConfirmDialog)


# History


def decide(app: UndercroftApp, *, actor: str = "ada <ada@example.com>") -> None:
    assert app.store is not None
    triage = Triage(app.store, actor=actor, clock=app.clock)
    Accept(f"a good reason {HOSTILE}", app.clock().date(), "ml").apply(triage, [ADMIN, ROOT])


async def test_history_lists_filters_and_undoes(tmp_path: Path) -> None:
    app = estate_app(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        decide(app)
        app.go("history")
        await settle(pilot)
        assert isinstance(app.screen, HistoryScreen)
        text = screen_text(app)
        assert text.count("accepted until 2026-11-23") >= 2
        assert f"“a good reason {SHOWN}”" in text
        assert "one of 2 decided together" in text
        await pilot.press("slash", *"administrator", "enter")
        await settle(pilot)
        assert app.screen.table.total == 1
        assert "one of 2 decided together" in screen_text(app), "whatever the filter leaves"
        await pilot.press("escape")
        await settle(pilot)
        assert app.screen.table.total == 2
        await pilot.press("U")
        await settle(pilot)
        assert "all 2" in screen_text(app)
        await pilot.press("enter")
        await settle(pilot)
        assert "2 findings would change" in screen_text(app)
        await pilot.press("enter")
        await settle(pilot)
        assert app.store is not None
        assert app.scan is not None
        assert app.store.finding(app.scan.id, ADMIN).row.status == "open"
        assert app.store.finding(app.scan.id, ROOT).row.status == "open"
        assert "↶" in screen_text(app)


async def test_undoing_somebody_elses_decision_asks_for_a_reason(tmp_path: Path) -> None:
    app = estate_app(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert app.store is not None
        triage = Triage(app.store, actor="bob <bob@example.com>", clock=app.clock)
        FalsePositive("not in use at all", "not_applicable").apply(triage, [ADMIN])
        app.go("history")
        await settle(pilot)
        await pilot.press("U")
        await settle(pilot)
        assert isinstance(app.screen, UndoDialog)
        assert "bob <bob@example.com> made this decision" in screen_text(app)
        await pilot.press(*"it is in use", "enter")
        await settle(pilot)
        assert app.scan is not None
        assert app.store.finding(app.scan.id, ADMIN).row.status == "open"


async def test_an_empty_history_says_what_will_stand_there(tmp_path: Path) -> None:
    app = estate_app(tmp_path, screen="history")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "No decision yet." in screen_text(app)


# Rules


async def test_rules_with_hits_come_first_and_show_everything(tmp_path: Path) -> None:
    app = estate_app(tmp_path, screen="rules")
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settle(pilot)
        assert isinstance(app.screen, RulesScreen)
        text = screen_text(app)
        assert "3 rules, 1 with findings" in text
        assert "sort" not in text.splitlines()[-1]
        assert "off / on" in text.splitlines()[-1]
        assert 'config.RootAccess == "Enabled"' in text
        assert "$ aws sagemaker update-notebook-instance" in text
        await pilot.press("slash", *"odd", "enter")
        await settle(pilot)
        assert f"Odd {SHOWN} ‹name›" in screen_text(app)
        await pilot.press("escape", "slash", *"nothing")
        await settle(pilot)
        assert "No rule contains “nothing”." in screen_text(app)
        await pilot.press("escape", "S")
        await settle(pilot)
        assert "This list has one order." in screen_text(app)


async def test_enter_on_a_rule_shows_its_findings(tmp_path: Path) -> None:
    app = estate_app(tmp_path, screen="rules")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert "Notebook users have root" in screen_text(app)
        assert "The role is an administrator" not in screen_text(app)


async def test_without_a_scan_no_rule_is_decided_about(tmp_path: Path) -> None:
    app = estate_app(tmp_path, empty=True)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        await pilot.press("colon", *"rules", "enter")
        await settle(pilot)
        assert isinstance(app.screen, RulesScreen)
        assert "off / on" not in screen_text(app)
        await pilot.press("x")
        await settle(pilot)
        assert "There is no scan yet." in screen_text(app)


# Help


@pytest.mark.parametrize("size", SIZES)
async def test_help_comes_from_the_bindings_of_the_screen_beneath(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    app = estate_app(tmp_path, screen="scans")
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await pilot.press("question_mark")
        await settle(pilot)
        assert isinstance(app.screen, HelpScreen)
        text = screen_text(app)
        assert "scans.new" in text
        await pilot.press(*"rename")
        await settle(pilot)
        text = screen_text(app)
        assert "scans.rename" in text
        assert "scans.new" not in text
        await pilot.press("escape")
        assert isinstance(app.screen, ScansScreen)


async def test_help_shows_remapped_keys(tmp_path: Path) -> None:
    app = estate_app(tmp_path, screen="scans")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.set_keymap({"scans.new": "f5"})
        await pilot.press("question_mark", *"scans.new")
        await settle(pilot)
        row = next(row for row in screen_text(app).splitlines() if "New scan" in row)
        assert "f5" in row.casefold()


async def test_scans_and_findings_say_the_same_number(tmp_path: Path) -> None:
    app = estate_app(tmp_path, screen="scans")
    repair(tmp_path / "cache.db")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "2 findings standing" in screen_text(app)
        await pilot.press("F")
        await settle(pilot)
        assert "3 findings: 2 standing, 1 fixed or gone" in screen_text(app)


# Welcome


def no_scan(
    request: ScanRequest, progress: Callable[[Progress], None], stop: threading.Event
) -> ScanRow:
    raise AssertionError("nothing was to be started")


async def test_an_empty_cache_welcomes_with_what_was_found(tmp_path: Path) -> None:
    app = estate_app(tmp_path, empty=True, starter=no_scan)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert isinstance(app.screen, FirstRunScreen)
        text = screen_text(app)
        assert "See what your AI services stand on." in text
        assert "AWS · default" in text
        assert "n scan now  d open the demo  i open a file" in text
        assert "run aws sso login --profile dev" in text
        await pilot.press("enter")
        await settle(pilot)
        assert "Reads only" in screen_text(app), "the scan setup"


async def test_welcome_opens_a_file_and_says_when_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "given").mkdir()
    estate_app(tmp_path / "given")
    app = estate_app(tmp_path, empty=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("down", "down", "enter")
        await settle(pilot)
        assert "⏎ open   esc cancel" in screen_text(app)
        field = app.screen.query_one(Input)
        field.value = str(tmp_path / "nothing.db")
        await pilot.press("enter")
        assert "There is no file" in text_of(app, ".dialog-message")
        field.value = str(tmp_path / "given" / "cache.db")
        await pilot.press("enter")
        await settle(pilot)
        assert app.scan is not None
        assert not isinstance(app.screen, FirstRunScreen)


# Palette


async def test_palette_finds_screens_services_scans_and_themes(tmp_path: Path) -> None:
    app = estate_app(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        commands = UndercroftCommands(app.screen)
        await commands.startup()
        names = [hit.text async for hit in commands.search("fraud")]
        assert names == ["service: fraud-scoring"]
        hostile = [hit async for hit in commands.search("bold red")]
        assert {hit.text for hit in hostile} == {f"service: {SHOWN}", f"scan: after {SHOWN}"}
        assert all("\x1b" not in str(hit.prompt) for hit in hostile)
        assert "theme: undercroft-light" in [hit.text async for hit in commands.search("light")]
        offered = [hit.text async for hit in commands.discover()]
        assert "go: findings" in offered
        assert "do: undo" in offered


# Export


async def test_export_writes_what_is_shown_and_overwrites_nothing(tmp_path: Path) -> None:
    app = estate_app(tmp_path)
    done: list[object] = []
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert app.store is not None
        assert app.scan is not None
        dialog = export_dialog(
            store=app.store,
            scan_id=app.scan.id,
            query=Query(filter="severity>=high"),
            total=2,
            now=app.clock(),
        )
        app.push_screen(dialog, done.append)
        await settle(pilot)
        text = screen_text(app)
        assert "2 findings · filter: severity>=high" in text
        assert "id,severity,status" in text
        await pilot.press("right", "right")
        await settle(pilot)
        field = app.screen.query_one("#path", Input)
        assert field.value.endswith(".jsonl")
        taken = tmp_path / "taken.jsonl"
        taken.write_text("mine")
        field.value = str(taken)
        await pilot.press("enter")
        await settle(pilot)
        assert "will not be overwritten" in text_of(app, ".dialog-message")
        field.value = str(tmp_path / "new.jsonl")
        await pilot.press("enter")
        await settle(pilot)
    assert taken.read_text() == "mine"
    assert len((tmp_path / "new.jsonl").read_text().splitlines()) == 2
    assert len(done) == 1


def test_path_problems_are_sentences(tmp_path: Path) -> None:
    assert path_problem("") == "Name a file."
    assert "is a folder" in path_problem(str(tmp_path))
    assert "There is no folder" in path_problem(str(tmp_path / "a" / "b.csv"))
    assert path_problem(str(tmp_path / "b.csv")) == ""
