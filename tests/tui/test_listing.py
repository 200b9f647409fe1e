"""Lists by key press, on a real cache: moving, sorting, filtering, marking, states."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from textual.events import Paste
from textual.pilot import Pilot

from tests.tui.estate import HOSTILE, NOW
from tests.tui.large import CVES, SERVICES
from tests.tui.piloting import estate_app, screen_text, settle
from tui.app import UndercroftApp
from tui.screens.findings import FindingsScreen
from tui.screens.services import ServicesScreen
from tui.settings import Settings, load
from tui.text import shown
from tui.widgets.filter_line import FilterLine
from tui.widgets.table import VirtualTable
from undercroft.store import Store
from undercroft.triage.decide import Triage
from undercroft.views import FindingRow, Query

AppMaker = Callable[..., UndercroftApp]
FINDINGS = 191


async def press(pilot: Pilot[Any], *keys: str) -> None:
    """Press keys one by one and wait for what they set off."""
    for key in keys:
        await pilot.press(key)
    await settle(pilot)


def typed(text: str) -> tuple[str, ...]:
    """A text as key presses."""
    names = {" ": "space", ":": "colon", ">": "greater_than_sign", "=": "equals_sign"}
    return tuple(names.get(char, char) for char in text)


async def findings(pilot: Pilot[Any]) -> FindingsScreen:
    """The findings screen, from home."""
    await settle(pilot)
    await press(pilot, "F")
    screen = pilot.app.screen
    assert isinstance(screen, FindingsScreen)
    return screen


async def test_home_lists_services_worst_first(large_app: AppMaker) -> None:
    app = large_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        screen = app.screen
        assert isinstance(screen, ServicesScreen)
        assert screen.table.total == SERVICES
        scores = [row.score for index in range(20) if (row := screen.table.row_at(index))]
        assert scores == sorted(scores, reverse=True)
        text = screen_text(app)
        assert "estate · 12 min ago" in text
        assert "4 parts not read" in text
        assert "denied: needs kms:" in text
        assert "largest contributions" in text


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_nothing_is_cut_off_at_the_edges(large_app: AppMaker, size: tuple[int, int]) -> None:
    app = large_app()
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        lines = screen_text(app).splitlines()
        assert len(lines) == size[1]
        assert "undercroft" in lines[0]
        assert "S  C  V  D  I  N" in lines[3]
        assert "? help" in lines[-1]


async def test_moving(large_app: AppMaker) -> None:
    app = large_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await findings(pilot)
        table = screen.table
        await press(pilot, "j", "j", "down", "k")
        assert table.cursor == 2
        await press(pilot, "G")
        assert table.cursor == FINDINGS - 1
        assert table.row is not None
        await press(pilot, "g")
        assert table.cursor == 0
        await press(pilot, "pagedown")
        page = table.cursor
        assert 10 < page < 24
        await press(pilot, "ctrl+d")
        assert page < table.cursor < 2 * page
        await press(pilot, "ctrl+u", "pageup")
        assert table.cursor == 0
        await press(pilot, "up")
        assert table.cursor == 0


async def test_only_visible_pages_are_read(
    large_app: AppMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int | None]] = []
    real = Store.findings

    def counted(
        self: Store, scan: int, query: Query, offset: int = 0, limit: int | None = None
    ) -> list[FindingRow]:
        asked.append((offset, limit))
        return real(self, scan, query, offset, limit)

    monkeypatch.setattr(Store, "findings", counted)
    app = large_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await findings(pilot)
        assert asked == [(0, 64)]
        await press(pilot, *["j"] * 40)
        assert asked == [(0, 64)]
        await press(pilot, "G")
        assert asked[1:] == [(128, 63)]


async def test_rows_are_there_before_they_are_counted(
    large_app: AppMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = threading.Event()
    real = Store.count_findings

    def slowly(self: Store, scan: int, query: Query) -> int:
        counted.wait(20)
        return real(self, scan, query)

    app = large_app()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        monkeypatch.setattr(Store, "count_findings", slowly)
        app.go("findings")
        table: VirtualTable[Any] | None = None
        while table is None or not table.counting:
            await pilot.pause(0.02)
            table = next(iter(app.screen.query("FindingsScreen #list").results(VirtualTable)), None)
        await pilot.press("j")
        assert (table.row_at(0) is not None, table.cursor) == (True, 1)
        assert "at least 64 findings" in screen_text(app)
        await pilot.press("asterisk")
        await pilot.pause()
        assert not table.marks, "of how many, nobody could say yet"
        await pilot.press("G")
        counted.set()
        await settle(pilot)
        assert (table.total, table.cursor) == (FINDINGS, FINDINGS - 1)
        assert table.row is not None
        await press(pilot, "asterisk")
        assert f"{FINDINGS} selected" in screen_text(app)


async def test_sorting_by_the_next_column_and_back(large_app: AppMaker) -> None:
    app = large_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await findings(pilot)
        table = screen.table

        def column(name: str) -> Sequence[str]:
            rows = (table.row_at(index) for index in range(60))
            return [str(getattr(row, name)) for row in rows if row is not None]

        await press(pilot, "s", "s")
        assert table.sort_key == "title"
        assert column("title") == sorted(column("title"))
        assert "FINDING↑" in screen_text(app)
        await press(pilot, "S")
        assert column("title") == sorted(column("title"), reverse=True)
        assert "FINDING↓" in screen_text(app)


async def test_filter_narrows_while_typing_and_escape_takes_it_back(large_app: AppMaker) -> None:
    app = large_app()
    async with app.run_test(size=(100, 30)) as pilot:
        screen = await findings(pilot)
        screen.table.cursor = 150
        await press(pilot, "slash", *typed("severity>=high"))
        assert screen.table.cursor == 0
        some = screen.table.total
        assert 0 < some < FINDINGS
        await press(pilot, *typed(" CVE-2024-1000"))
        assert screen.table.total == 1
        await press(pilot, "enter", "escape")
        assert (screen.table.cursor, screen.table.total) == (150, FINDINGS)
        assert len(app.screen_stack) == 2
        await press(pilot, "escape")
        assert len(app.screen_stack) == 1
        await press(pilot, "F")
        assert (app.screen, screen.table.cursor) == (screen, 150)


async def test_filter_completes_keys_and_values(large_app: AppMaker) -> None:
    app = large_app()
    async with app.run_test(size=(100, 30)) as pilot:
        screen = await findings(pilot)
        line = screen.query_one(FilterLine)
        await press(pilot, "slash", *typed("sev"), "tab")
        assert line.input.value == "severity:"
        await press(pilot, "c", "tab")
        assert line.input.value == "severity:critical"
        assert screen.query_now.filter == "severity:critical"
        await press(pilot, "ctrl+u", *typed("package:cu"), "tab")
        assert line.input.value == "package:deb/curl"
        assert screen.table.total == CVES // 5
        await press(pilot, "escape", "escape")
        assert screen.focused is screen.table


async def test_a_bad_filter_says_where_and_changes_nothing(large_app: AppMaker) -> None:
    app = large_app()
    async with app.run_test(size=(100, 30)) as pilot:
        screen = await findings(pilot)
        await press(pilot, "slash", *typed("curl"))
        before = screen.table.total
        screen.filter_line.input.post_message(Paste(" sevrity:high"))
        await settle(pilot)
        text = screen_text(app)
        assert "unknown key 'sevrity' at 6" in text
        assert "severity" in text
        assert screen.table.total == before


async def test_a_bad_filter_of_a_saved_view_or_the_command_line_is_there_to_be_mended(
    large_app: AppMaker,
) -> None:
    app = large_app(screen="findings", filter="sevrity:high")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        text = screen_text(app)
        assert "sevrity:high" in text
        assert "unknown key 'sevrity' at 1: did you mean 'severity'?" in text
        await press(pilot, *["backspace"] * 12, *typed("severity:low"), "enter")
        assert isinstance(app.screen, FindingsScreen)
        assert app.screen.query_now.filter == "severity:low"
        assert 0 < app.screen.table.total < FINDINGS


async def test_no_match_says_so_and_how_to_go_on(large_app: AppMaker) -> None:
    app = large_app(screen="findings", filter="package:nonesuch")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        text = screen_text(app)
        assert "No finding matches package:nonesuch" in text
        assert "esc clears it" in text


async def test_marks_one_range_all_and_exclusions(large_app: AppMaker) -> None:
    app = large_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await findings(pilot)
        await press(pilot, "space", "j", "v", "j", "j", "v")
        assert screen.selected_findings().count == 4
        assert "4 selected" in screen_text(app)
        await press(pilot, "asterisk", "g", "space")
        chosen = screen.selected_findings()
        assert (chosen.count, len(chosen.excluded), chosen.ids) == (FINDINGS - 1, 1, ())
        assert app.store is not None
        assert len(chosen.resolve(app.store)) == FINDINGS - 1
        await press(pilot, "escape")
        assert screen.selected_findings().count == 1


async def test_a_range_over_pages_that_were_never_shown(large_app: AppMaker) -> None:
    app = large_app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await findings(pilot)
        await press(pilot, "v", "G", "v")
        assert screen.selected_findings().count == FINDINGS
        assert len(screen.selected_findings().ids) == FINDINGS


async def test_groups_go_through_and_open(large_app: AppMaker) -> None:
    app = large_app()
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        screen = await findings(pilot)
        await press(pilot, "z")
        assert screen.group_by == "rule"
        assert screen.groups.row is not None
        group = screen.groups.row
        await press(pilot, "a")
        assert "open it to act" in screen_text(app)
        await press(pilot, "enter")
        assert screen.table.total == group.findings
        assert screen.trail[-2:] == ("by rule", group.label)
        await press(pilot, "escape")
        assert screen.grouped
        seen = []
        for _ in range(7):
            await press(pilot, "z")
            seen.append(screen.group_by)
            if screen.group_by == "package":
                bare = next(
                    row for i in range(9) if (row := screen.groups.row_at(i)) and not row.value
                )
                assert bare.label == "no package"
                while screen.groups.row is not bare:
                    await press(pilot, "j")
                await press(pilot, "enter")
                assert screen.table.total == bare.findings
                await press(pilot, "escape")
        assert seen == ["resource", "service", "layer", "account", "package", "severity", ""]
        assert screen.focused is screen.table


async def test_what_cannot_be_done_says_why(large_app: AppMaker) -> None:
    app = large_app()
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await settle(pilot)
        for key, words in (("a", "acts on findings"), ("space", "cannot be selected")):
            await press(pilot, key)
            assert words in screen_text(app)
        await press(pilot, "escape")
        assert "outermost" in screen_text(app)


async def test_hostile_names_are_literal(tmp_path: Path) -> None:
    app = estate_app(tmp_path)
    literal = shown(HOSTILE)
    async with app.run_test(size=(160, 45)) as pilot:
        await settle(pilot)
        assert f"after {literal}" in screen_text(app)
        await press(pilot, "G")
        assert screen_text(app).count(literal) >= 3
        await press(pilot, "F", "G")
        assert f"Anyone may read {literal}" in screen_text(app)
        await press(pilot, "slash", *typed("resource:"), "tab")
        assert "\x1b" not in screen_text(app)


async def test_another_process_decides_and_the_list_follows(tmp_path: Path) -> None:
    app = estate_app(tmp_path, screen="findings")
    async with app.run_test(size=(120, 30)) as pilot:
        await settle(pilot)
        await press(pilot, "j")
        app._look()  # the poll, without waiting for its second
        assert app.db is not None
        other = Store.open(app.db, clock=lambda: NOW)
        scan = other.scan()
        worst = other.findings(scan.id, Query(), 0, 1)[0]
        triage = Triage(other, actor="ben <ben@example.com>", clock=lambda: NOW)
        until = (NOW + timedelta(days=30)).date()
        triage.accept([worst.id], reason="the role is being replaced", until=until, owner="ben")
        other.close()
        await settle(pilot)
        app._poll()
        await settle(pilot)
        assert "to 2026-12-23" in screen_text(app)
        screen = app.screen
        assert isinstance(screen, FindingsScreen)
        assert screen.table.cursor == 1


async def test_a_remapped_key_works_and_is_shown(large_app: AppMaker) -> None:
    app = large_app(config=Settings(keys={"table.sort": "f3", "app.help": "f1"}))
    async with app.run_test(size=(120, 30)) as pilot:
        screen = await findings(pilot)
        await press(pilot, "f3")
        assert screen.table.sort_key == "severity"
        bar = screen_text(app).splitlines()[-1]
        assert "f3 sort" in bar
        assert "f1 help" in bar


async def test_a_view_is_saved_and_gone_to(large_app: AppMaker, tmp_path: Path) -> None:
    settings = Settings(path=tmp_path / "config.toml")
    app = large_app(config=settings)
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await press(pilot)
        await press(pilot, "apostrophe")
        assert "No view is saved yet" in screen_text(app)
        screen = await findings(pilot)
        await press(pilot, "slash", *typed("severity:critical"), "enter")
        number = screen.table.total
        await press(pilot, "m", *typed("worst"), "enter")
        await press(pilot, "escape", "escape")
        assert len(app.screen_stack) == 1
        await press(pilot, "apostrophe", "enter")
        assert app.screen_stack[-1] == screen
        assert screen.table.total == number
    assert load(tmp_path / "config.toml").views == {"worst": "findings: severity:critical"}


async def test_an_unreadable_cache_says_why(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    path.write_bytes(b"this is no database, although it is a file\n" * 40)
    app = UndercroftApp(path, clock=lambda: NOW)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        text = screen_text(app)
        assert "could not be opened" in text
        assert "q quits" in text


async def test_the_frame_is_there_before_the_cache(tmp_path: Path) -> None:
    import threading

    gate = threading.Event()

    def prepare(report: Callable[[str], None]) -> Path:
        report("judging 12 of 40 resources")
        gate.wait(10)
        return Path(tmp_path / "never.db")

    app = UndercroftApp(None, prepare=prepare, demo=True, clock=lambda: NOW)
    async with app.run_test(size=(80, 24)) as pilot:
        for _ in range(50):
            await pilot.pause(0.02)
            if "judging 12 of 40" in screen_text(app):
                break
        text = screen_text(app)
        gate.set()
        assert "undercroft" in text
        assert "SERVICE" in text
        assert "judging 12 of 40 resources" in text


@pytest.mark.parametrize("name", ["fix-first", "fix_first"])
async def test_a_screen_is_named_as_its_command_is(large_app: AppMaker, name: str) -> None:
    app = large_app(screen=name)
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        assert type(app.screen).__name__ == "FixFirstScreen"


async def test_a_screen_that_is_not_there_is_said(large_app: AppMaker) -> None:
    app = large_app(screen="fix-last")
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        (said,) = app._notifications
        assert "'fix-last'" in said.message
        assert "fix-first" in said.message
