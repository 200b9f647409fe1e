"""Changes, accepted rules, the day's list, undo with its consequences, accepting again."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from tests.tui.estate import ADMIN, HOSTILE, NOW, PUBLIC, ROOT, seed
from tests.tui.piloting import PACK, estate_app, screen_text, settle
from tui.app import UndercroftApp
from tui.dialogs.accept import AcceptDialog
from tui.dialogs.base import Choices, ReasonArea
from tui.dialogs.rating import RateDialog
from tui.dialogs.recording import RecordingDialog
from tui.dialogs.results import Note
from tui.dialogs.undo import UndoDialog
from tui.saved_views import opened_before, remember_opened
from tui.screens.changes import ChangesScreen
from tui.screens.findings import FindingsScreen
from tui.screens.history import HistoryScreen
from tui.screens.rules import RulesScreen
from tui.screens.scans import ScansScreen
from tui.screens.scopes import ScopesScreen
from tui.screens.services import ServicesScreen
from tui.selection import Selection
from tui.settings import Settings
from tui.widgets.finding_text import Advice, finding_text
from undercroft.clock import stamp, utc_now
from undercroft.model import Severity
from undercroft.store import Store
from undercroft.text import shown
from undercroft.triage.decide import Action, Triage
from undercroft.triage.scopes import Scope
from undercroft.triage.scoping import accept_scope
from undercroft.views import Query

ScreenT = TypeVar("ScreenT")
SHOWN = shown(HOSTILE)
ADA = "ada <ada@example.com>"


def triage(app: UndercroftApp, actor: str = ADA) -> Triage:
    assert app.store is not None
    return Triage(app.store, actor=actor, clock=app.clock)


def at(app: UndercroftApp, kind: type[ScreenT]) -> ScreenT:
    """The screen on top, which has to be of this kind."""
    screen: object = app.screen
    assert isinstance(screen, kind)
    return screen


def status(app: UndercroftApp, finding: str) -> str:
    assert app.store is not None
    assert app.scan is not None
    return app.store.finding(app.scan.id, finding).row.status


async def press(pilot: Pilot[None], *keys: str) -> None:
    await pilot.press(*keys)
    await settle(pilot)


async def show(pilot: Pilot[None], app: UndercroftApp, finding: str) -> None:
    app.show_finding(finding)
    await settle(pilot)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_changes_findings_configuration_and_back(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    app = estate_app(tmp_path)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await press(pilot, "X")
        at(app, ChangesScreen)
        text = screen_text(app)
        assert "weekly" in text
        assert f"after {SHOWN}" in text
        assert "✦ 1 new" in text
        assert "2 findings as before" in text
        assert "Notebook users have root" in text
        if size[0] > 80:
            assert "+ Enabled" in text
        await press(pilot, "z")
        text = screen_text(app)
        assert "configuration 1" in text
        assert "research" in text
        assert "− Disabled" in text
        await press(pilot, "z")
        assert "aws.kms" in screen_text(app)
        await press(pilot, "z", "enter")
        assert "research" in screen_text(app)
        await press(pilot, "escape")
        await press(pilot, "z", "enter")
        found = at(app, FindingsScreen)
        assert found.query_now.filter == f"id:{ROOT}"


async def test_changes_against_a_chosen_scan(tmp_path: Path) -> None:
    app = estate_app(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "C", "d")
        at(app, ScansScreen)
        await press(pilot, "j", "d")
        at(app, ChangesScreen)
        assert "✦ 1 new" in screen_text(app)
        await press(pilot, "o")
        assert "What changed since which scan?" in screen_text(app)
        await press(pilot, "enter")
        at(app, ChangesScreen)


async def test_changes_against_another_cache(tmp_path: Path) -> None:
    app = estate_app(tmp_path)
    other = seed(tmp_path / "other.db")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "X", "o", "down")
        assert "another cache…" in screen_text(app)
        await press(pilot, "enter")
        app.screen.query_one("#prompt", Input).value = str(other)
        await press(pilot, "enter")
        at(app, ChangesScreen)
        text = screen_text(app)
        assert "no finding changed" in text
        assert "3 findings as before" in text
        # An older scan of this cache again.
        await press(pilot, "o", "enter")
        assert "✦ 1 new" in screen_text(app)
        await press(pilot, "o", "down", "enter")
        app.screen.query_one("#prompt", Input).value = str(tmp_path / "none.db")
        await press(pilot, "enter")
        assert "✦ 1 new" in screen_text(app)


async def test_the_days_list_leads_to_what_it_counts(tmp_path: Path) -> None:
    app = estate_app(tmp_path)
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        triage(app).accept(
            [PUBLIC], reason="public sample data", until=NOW.date() + timedelta(days=3), owner="ml"
        )
        await settle(pilot)
        at(app, ServicesScreen).reload()
        await settle(pilot)
        await press(pilot, "t")
        text = screen_text(app)
        assert "first seen in this scan" in text
        assert "acceptances that end within 14 days" in text
        await press(pilot, "down", "enter")
        assert at(app, FindingsScreen).table.total == 1


async def test_undo_shows_first_what_it_would_change(tmp_path: Path) -> None:
    app = estate_app(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        until = NOW.date() + timedelta(days=30)
        triage(app).claim_fixed([ADMIN])
        triage(app).accept([ADMIN], reason=f"why not {HOSTILE}", until=until, owner="ml")
        await press(pilot, "D", "U")
        at(app, UndoDialog)
        text = screen_text(app)
        assert "1 finding would change" in text
        assert "accepted → fix claimed" in text
        assert status(app, ADMIN) == "accepted"
        await press(pilot, "escape")
        assert status(app, ADMIN) == "accepted"
        await press(pilot, "U", "enter")
        assert status(app, ADMIN) == "fix_claimed"
        await press(pilot, "ctrl+r")
        assert status(app, ADMIN) == "accepted"


async def test_history_is_searched_by_keys_and_verified(tmp_path: Path) -> None:
    app = estate_app(tmp_path)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settle(pilot)
        triage(app).note([ADMIN], text="seen it")
        triage(app, "bob").claim_fixed([ROOT])
        await press(pilot, "D")
        at(app, HistoryScreen)
        await press(pilot, "slash", *"-who:b", "tab", "enter")
        assert at(app, HistoryScreen).table.total == 1
        assert "-who:bob" in screen_text(app), "as it occurs"
        await press(pilot, "escape")
        assert at(app, HistoryScreen).table.total == 2
        await press(pilot, "slash", *"kind:no")
        assert "'no' at 6 is no value of 'kind': did you mean 'comment'?" in screen_text(app)
        await press(pilot, "escape", *"whom:bob", "enter")
        assert "unknown key 'whom' at 1: did you mean 'who'?" in screen_text(app)
        assert "/ whom:bob" in screen_text(app), "to be mended"
        await press(pilot, "escape", "escape", "question_mark", *"decided")
        assert "decided since a day or an age ago" in screen_text(app), "the keys of decisions"
        await press(pilot, "escape", "V")
        assert "every chain is whole" in screen_text(app)


async def test_a_lapsed_acceptance_is_made_again_by_one_key(tmp_path: Path) -> None:
    app = estate_app(tmp_path)
    async with app.run_test(size=(160, 40), notifications=True) as pilot:
        await settle(pilot)
        assert app.store is not None
        earlier = Triage(app.store, actor=ADA, clock=lambda: NOW - timedelta(days=31))
        for finding in (PUBLIC, ADMIN):
            earlier.accept(
                [finding], reason="public sample data", until=earlier.today, owner="data-team"
            )
        await show(pilot, app, PUBLIC)
        assert "“Accept again” renews it" in screen_text(app)
        await press(pilot, "A")
        assert status(app, PUBLIC) == "accepted"
        assert "undoes it" in screen_text(app)
        await press(pilot, "A")
        assert "no acceptance of this finding has lapsed" in screen_text(app).replace("\n", " ")
        # What is critical asks again, with the reason of last time.
        await show(pilot, app, ADMIN)
        await press(pilot, "A")
        at(app, AcceptDialog)
        assert "public sample data" in screen_text(app)


async def test_no_accepted_rule_says_what_would_be_here_and_which_key_does_it(
    tmp_path: Path,
) -> None:
    app = estate_app(tmp_path, config=Settings(keys={"finding.accept": "B"}))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "D", "L")
        at(app, ScopesScreen)
        text = screen_text(app)
        assert "services › accepted rules " in text
        assert "0 accepted rules" in text
        assert "end it" not in text.splitlines()[-1], "there is nothing to end"
        assert "s sort" not in text.splitlines()[-1], "this list has one order"
        assert "F goes to the findings, B accepts one" in text


async def test_accepted_rules_before_the_first_scan(tmp_path: Path) -> None:
    app = estate_app(tmp_path, empty=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.go("accepted-rules")
        await settle(pilot)
        assert "There is no scan yet." in screen_text(app)


async def test_accepted_rules_show_what_they_have_come_to_cover(tmp_path: Path) -> None:
    app = estate_app(tmp_path)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settle(pilot)
        assert app.store is not None
        assert app.scan is not None
        scope = Scope("bucket-public")
        accept_scope(
            triage(app),
            scope,
            app.store.covered(scope, app.scan.id),
            reason=f"sample data {HOSTILE}",
            until=NOW.date() + timedelta(days=9),
            owner="ml",
        )
        # As if the finding had come later.
        events = [event for event in app.store.events() if event.type == "scope_accept"]
        assert events[0].payload["covers"] == [PUBLIC]
        app.go("accepted_rules")
        await settle(pilot)
        at(app, ScopesScreen)
        text = screen_text(app)
        assert "covers 1 finding now" in text
        assert "x end it" in text.splitlines()[-1]
        assert "o seen" not in text.splitlines()[-1]
        assert f"“sample data {SHOWN}”" in text
        await press(pilot, "o")
        assert "covers nothing that has not been seen" in screen_text(app)
        await press(pilot, "x", *"the data is real now", "enter")
        assert status(app, PUBLIC) == "open"
        assert "ended" in screen_text(app)


async def test_a_rule_is_rated_switched_off_and_back(tmp_path: Path) -> None:
    app = estate_app(tmp_path, screen="rules")
    admin = replace(PACK.rules[0], id="role-admin", severity=Severity.CRITICAL)
    app.rules_pack = lambda: replace(PACK, rules=(*PACK.rules, admin))
    async with app.run_test(size=(140, 40)) as pilot:
        await settle(pilot)
        assert app.store is not None
        assert app.scan is not None
        table = at(app, RulesScreen).table
        triage(app).override_severity(
            [ADMIN], severity=Severity.INFO, reason="only samples", until=NOW.date()
        )
        await press(pilot, "exclamation_mark", "right", "right", "right")
        now = str(app.screen.query_one("#rated-now", Static).render())
        assert "1 finding now (1 of them has a rating of its own, which gives way to this)" in now
        triage(app).undo()
        app.screen.query_one(ReasonArea).text = "it has a boundary"
        await press(pilot, "enter")
        assert (table.row, table.cursor) == (admin, 1), "low now, and the cursor went along"
        assert "Rated low instead of critical until 2027-02-21" in screen_text(app)
        detail = app.store.finding(app.scan.id, ADMIN)
        assert detail.row.severity is Severity.LOW
        told = finding_text(detail, path=None, advice=Advice(), now=NOW).plain
        assert "Rated low until 2027-02-21 by ada" in told
        assert "as a rule: role-admin everywhere\n“it has a boundary”" in told
        await press(pilot, "exclamation_mark", "right", "right")
        app.screen.query_one(ReasonArea).text = "as it says again"
        await press(pilot, "enter")
        assert app.store.finding(app.scan.id, ADMIN).row.severity is Severity.CRITICAL
        await press(pilot, "j", "x", "enter")
        text = screen_text(app)
        assert "The reason needs 10 more characters" in text
        assert "1 finding now, and what the rule finds there later" in text
        app.screen.query_one(ReasonArea).text = f"only samples {HOSTILE}"
        app.screen.query_one("#owner", Input).value = "ml"
        await press(pilot, "enter")
        assert status(app, ROOT) == "accepted"
        text = screen_text(app)
        assert "Off until 2027-02-21 by ada" in text
        assert f"“only samples {SHOWN}”" in text
        assert ", 1 off" in text
        assert "open all the same" not in text
        triage(app).reopen([ROOT], reason="not this one, it is public")
        at(app, RulesScreen).reload()
        await settle(pilot)
        assert "1 finding open all the same" in screen_text(app)
        triage(app).undo()
        await press(pilot, "x", "n", "enter")
        assert "The reason needs 9 more characters" in screen_text(app)
        app.screen.query_one("#reason", Input).value = "real data now"
        await press(pilot, "enter")
        assert status(app, ROOT) == "open"
        assert ", 1 off" not in screen_text(app)


async def test_another_process_is_seen_within_two_seconds(tmp_path: Path) -> None:
    app = estate_app(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "F")
        assert "= to" not in screen_text(app)
        with Store.open(tmp_path / "cache.db", clock=lambda: NOW) as other:
            scan = other.scan()
            assert other.count_findings(scan.id, Query()) == 3
            Triage(other, actor="bob", clock=lambda: NOW).accept(
                [ADMIN], reason="agreed in the review", until=NOW.date(), owner="ml"
            )
        for _ in range(20):
            await pilot.pause(0.1)
            if "= to 2026-11-23" in screen_text(app):
                break
        else:
            raise AssertionError(screen_text(app))


async def test_accepting_a_rule_counts_as_one_chooses(tmp_path: Path) -> None:
    app = estate_app(tmp_path)
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await settle(pilot)
        await show(pilot, app, PUBLIC)
        await press(pilot, "a")
        assert "this one only" in screen_text(app)
        app.screen.query_one(ReasonArea).text = "public sample data"
        await press(pilot, "tab", "tab", *"ml", "tab", "right")
        assert "1 finding now, and what the rule finds there later" in screen_text(app)
        await press(pilot, "right", "right", "tab", *"env=none")
        assert "0 findings now" in screen_text(app)
        await press(pilot, "enter")
        assert "It covers nothing" in screen_text(app)
        await press(pilot, "ctrl+u", *"broken", "enter")
        assert "Write tags as name=value" in screen_text(app)
        await press(pilot, "ctrl+u", "enter")
        assert status(app, PUBLIC) == "accepted"
        assert "bucket-public everywhere (now 1 finding)" in screen_text(app)
        assert app.store is not None
        (event,) = app.store.events()
        assert (event.type, event.scope) == ("scope_accept", {"rule": "bucket-public"})
        await press(pilot, "u")
        assert status(app, PUBLIC) == "open"


async def test_a_critical_rule_names_the_services_and_asks_twice(tmp_path: Path) -> None:
    app = estate_app(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await show(pilot, app, ADMIN)
        await press(pilot, "a")
        app.screen.query_one(ReasonArea).text = "bounded by its boundary"
        await press(pilot, "tab", "tab", *"ml", "tab", "right", "right")
        await press(pilot, "enter")
        text = screen_text(app)
        assert "Press enter once more" in text
        assert "env=dev" not in text, "nothing is to be filled in any more"
        assert "fraud-scoring" in text
        assert "research" in text
        assert status(app, ADMIN) == "open"
        await press(pilot, "enter")
        assert status(app, ADMIN) == "accepted"
        assert app.store is not None
        (event,) = app.store.events()
        assert event.scope == {"rule": "role-admin", "prefix": "aws/aws/123456789012/"}


async def test_the_top_line_names_what_undo_would_take_back(tmp_path: Path) -> None:
    app = estate_app(tmp_path)
    async with app.run_test(size=(120, 30)) as pilot:
        await settle(pilot)
        assert "u undoes:" not in screen_text(app)
        app.decide(Note("seen"), Selection((ADMIN,)))
        await settle(pilot)
        assert "u undoes: commented on 1 finding" in screen_text(app)
        await press(pilot, "u")
        assert "u undoes:" not in screen_text(app)


async def test_the_palette_names_what_undo_is_about(tmp_path: Path) -> None:
    app = estate_app(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        triage(app).claim_fixed([ADMIN])
        await press(pilot, "colon", *"do: undo")
        assert "claimed 1 finding fixed: the next scan will verify, just now" in screen_text(app)


async def test_a_long_decision_says_how_far_it_is_and_can_be_stopped(tmp_path: Path) -> None:
    app = estate_app(tmp_path, screen="findings")
    go = threading.Event()

    class Patient(Note):
        def apply(self, triage: Triage, findings: Sequence[str]) -> Action:
            go.wait(30)
            return super().apply(triage, findings)

    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert app.store is not None
        app.PATIENCE = 0.01  # type: ignore[misc]  # of this app only
        for stop in (True, False):
            served: list[bool] = []
            app.decide(Patient("seen"), Selection((ROOT,)), partial(served.append, True))
            while not isinstance(app.screen, RecordingDialog):
                await pilot.pause(0.01)
            await pilot.pause(0.05)
            assert "looking up" in screen_text(app)
            if stop:
                await pilot.press("escape")
                await pilot.pause(0.05)
                assert "stopping" in screen_text(app)
            go.set()
            await settle(pilot)
            at(app, FindingsScreen)
            assert len(app.store.events()) == len(served) == (0 if stop else 1)
            said = [notification.message for notification in app._notifications]
            assert ("Stopped: nothing was recorded." in said) is stop
            app.clear_notifications()
            go.clear()


async def test_looking_ahead_says_how_far_it_is_and_can_be_stopped(tmp_path: Path) -> None:
    app = estate_app(tmp_path, screen="history")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.PATIENCE = 0.01  # type: ignore[misc]  # of this app only
        app.decide(Note("seen"), Selection((ROOT,)))
        await settle(pilot)
        for stop in (True, False):
            with app._deciding:  # as if another decision took its time
                await pilot.press("U")
                while not isinstance(app.screen, RecordingDialog):
                    await pilot.pause(0.01)
                assert "Looking ahead" in screen_text(app)
                if stop:
                    await pilot.press("escape")
                    await pilot.pause(0.05)
            await settle(pilot)
            if stop:
                at(app, HistoryScreen)
        at(app, UndoDialog)


async def test_assigned_and_rated_for_a_selection_and_undone(tmp_path: Path) -> None:
    app = estate_app(tmp_path, screen="findings")
    async with app.run_test(size=(160, 45)) as pilot:
        await settle(pilot)
        assert app.store is not None
        assert app.scan is not None

        def now(finding: str) -> tuple[str | None, str]:
            assert app.store is not None
            assert app.scan is not None
            row = app.store.finding(app.scan.id, finding).row
            return row.owner, row.severity.value

        before = {finding: now(finding) for finding in (ROOT, ADMIN)}
        await press(pilot, "asterisk", "@")
        await press(pilot, *"data-team", "enter")
        assert {now(finding)[0] for finding in before} == {"data-team"}
        await show(pilot, app, ROOT)
        await press(pilot, "!")
        at(app, RateDialog).query_one("#severity", Choices).chosen = 4
        app.screen.query_one(ReasonArea).text = "only a sandbox without data"
        await press(pilot, "enter")
        assert now(ROOT) == ("data-team", "info")
        text = screen_text(app)
        assert "Assigned to data-team" in text
        assert "Rated info until 2027-02-21" in text
        await press(pilot, "u", "u")
        assert {finding: now(finding) for finding in before} == before


async def test_what_expired_since_one_was_here_is_marked(tmp_path: Path) -> None:
    config = tmp_path / "config" / "config.toml"
    app = estate_app(tmp_path, config=Settings(path=config))
    assert app.db is not None
    remember_opened(config, app.db, stamp(NOW - timedelta(days=40)))
    with Store.open(app.db) as store:
        earlier = Triage(store, actor=ADA, clock=lambda: NOW - timedelta(days=31))
        for finding, days in ((PUBLIC, 0), (ADMIN, 60)):
            until = earlier.today + timedelta(days=days)
            earlier.accept([finding], reason="public sample data", until=until, owner="ml")
    async with app.run_test(size=(120, 30)) as pilot:
        await settle(pilot)
        assert "◕ 1 expired" in screen_text(app)
        await press(pilot, "t")
        assert "since you were here, 40 d ago" in screen_text(app)
        choices = app.screen.query_one(Choices)
        choices.chosen = [choice.value for choice in choices.options].index(app.lapses.filter)
        await press(pilot, "enter")
        assert at(app, FindingsScreen).table.total == 1
        assert "◕ " in screen_text(app)
    assert opened_before(config, app.db) == stamp(min(NOW, utc_now()))
