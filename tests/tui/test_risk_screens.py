"""Fix first and combinations, by key press: what if without a trace, claims, a checklist, a path."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tui.piloting import PACK, screen_text, settle, text_of
from tests.undercroft.store_kit import Clock, notebook, only, poisoned, save
from tui.app import UndercroftApp
from tui.dialogs.fixed import FixedDialog
from tui.screens.combinations import CombinationsScreen
from tui.screens.fix_first import FixFirstScreen
from tui.screens.resource import ResourceScreen
from undercroft.model import Observation, Outcome
from undercroft.relations import Relation
from undercroft.store import Store
from undercroft.views import Query

SIZES = [(80, 24), (140, 40)]


def an_app(tmp_path: Path, screen: str) -> UndercroftApp:
    clock = Clock()
    path = tmp_path / "cache.db"
    estate = poisoned()
    nb = estate.resources[0]
    doubt = Observation("combo", nb.key, Outcome.UNKNOWN, reason="the role could not be read")
    estate.combinations[nb.key].append(doubt)
    with Store.open(path, clock=clock) as store:
        save(store, estate, clock, name="here")
    return UndercroftApp(
        path, actor="ada <ada@example.com>", clock=clock, rules_pack=lambda: PACK, screen=screen
    )


def total(app: UndercroftApp) -> float:
    assert app.store is not None
    assert app.scan is not None
    return sum(row.score for row in app.store.services(app.scan.id, Query()))


@pytest.mark.parametrize("size", SIZES)
async def test_what_if_leaves_no_trace(tmp_path: Path, size: tuple[int, int]) -> None:
    app = an_app(tmp_path, "fix_first")
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        assert isinstance(app.screen, FixFirstScreen)
        before = total(app)
        assert "Close train to outsiders" in screen_text(app)
        footer = screen_text(app).splitlines()[-1]
        assert "space plan  f claim  e checklist" in footer, "what the screen is there for"
        assert f"risk over all services {before:.1f}" in text_of(app, "#total")
        await pilot.press("space")
        await settle(pilot)
        assert "would be" in text_of(app, "#total")
        assert ", 1 service helped" in text_of(app, "#total")
        assert "If this were done" in screen_text(app)
        await pilot.press("asterisk")
        await settle(pilot)
        assert "would be 0.0" in text_of(app, "#total")
        await pilot.press("escape")
        await settle(pilot)
        assert "space plans a repair" in text_of(app, "#total")
        assert isinstance(app.screen, FixFirstScreen), "the first escape leaves the plan"
        assert total(app) == before
        assert app.store is not None
        assert app.store.events() == []


async def test_a_plan_becomes_claims(tmp_path: Path) -> None:
    app = an_app(tmp_path, "fix_first")
    async with app.run_test(size=(140, 40)) as pilot:
        await settle(pilot)
        await pilot.press("space", "space")
        await settle(pilot)
        await pilot.press("f")
        await settle(pilot)
        assert isinstance(app.screen, FixedDialog)
        assert "2 planned repairs" in screen_text(app)
        await pilot.press("enter")
        await settle(pilot)
        assert isinstance(app.screen, FixFirstScreen)
        assert app.store is not None
        assert app.scan is not None
        claimed = app.store.findings(app.scan.id, Query(filter="status:fix_claimed"))
        assert {row.rule for row in claimed} == {"bucket-public", "nb-root"}
        assert "planned" not in screen_text(app)


async def test_a_plan_becomes_a_checklist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    app = an_app(tmp_path, "fix_first")
    async with app.run_test(size=(140, 40)) as pilot:
        await settle(pilot)
        await pilot.press("space")
        await settle(pilot)
        await pilot.press("e")
        await settle(pilot)
        assert "1 repair as a Markdown checklist" in screen_text(app)
        await pilot.press("enter")
        await settle(pilot)
        (written,) = tmp_path.glob("undercroft-repairs-*.md")
        text = written.read_text()
        assert text.count("- [ ] ") == 1
        assert "**Close train to outsiders**" in text
        assert "## Scores as they would be" in text


async def test_a_repair_leads_to_its_resource_and_back(tmp_path: Path) -> None:
    app = an_app(tmp_path, "fix_first")
    async with app.run_test(size=(140, 40)) as pilot:
        await settle(pilot)
        before = app.screen
        await pilot.press("enter")
        await settle(pilot)
        resource = app.screen
        assert isinstance(resource, ResourceScreen)
        assert "train" in resource.trail
        await pilot.press("escape")
        await settle(pilot)
        assert app.screen is before


@pytest.mark.parametrize("size", SIZES)
async def test_a_combination_is_a_path(tmp_path: Path, size: tuple[int, int]) -> None:
    app = an_app(tmp_path, "services")
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await pilot.press("T")
        await settle(pilot)
        await pilot.pause(0.2)
        await settle(pilot)
        assert isinstance(app.screen, CombinationsScreen)
        assert "2 combinations" in screen_text(app), "one holds, one may hold"
        assert app.store is not None
        assert app.scan is not None
        finding = only(app.store.findings(app.scan.id, Query()), "toxic")
        path = app.store.attack_path(app.scan.id, finding.id)
        assert [(link.need, link.alive) for link in path.links] == [
            ("part 0", True),
            ("part 1", True),
        ]
        assert [step.via for step in path.links[1].path] == ["config.DefaultBucket"]
        assert path.cuts[0].repairs == ("Close train to outsiders",)
        if size[0] > 100:
            text = screen_text(app)
            assert "├─ part 0" in text
            assert "bucket-public on train on train" in text
            assert "via DefaultBucket → train" in text
            assert "✂ Close train to outsiders" in text
        await pilot.press("e")
        await settle(pilot)
        assert "1 finding · filter: combination:yes" in screen_text(app)
        await pilot.press("escape", "j")
        await pilot.pause(0.2)
        await settle(pilot)
        assert "possible: Everything at once" in screen_text(app)
        assert "the role could not be read" in screen_text(app)
        assert "Because." in screen_text(app), "why the rule is there, with nothing else opened"
        await pilot.press("enter")
        await settle(pilot)
        assert "services › nb" in screen_text(app)


@pytest.mark.parametrize("size", SIZES)
async def test_the_overview_is_a_heat_map(tmp_path: Path, size: tuple[int, int]) -> None:
    app = an_app(tmp_path, "services")
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await pilot.press("O")
        await settle(pilot)
        text = screen_text(app)
        assert f"risk over all services  █  {total(app):.1f}  1 service, 1 scan" in text
        assert "no scan before it" in text
        (row,) = [line for line in text.splitlines() if " nb " in line]
        assert row.count("◆C") == 2, "the combination, and the bucket"
        await pilot.press("enter")
        await settle(pilot)
        assert "services › nb" in screen_text(app)


async def test_the_whole_bill_on_a_key(tmp_path: Path) -> None:
    app = an_app(tmp_path, "services")
    async with app.run_test(size=(140, 50)) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        await pilot.press("i")
        await settle(pilot)
        text = screen_text(app)
        assert "services › nb › bill" in text
        assert "no feed imported" in text
        assert "0.5^0 · 0.6^0" in text
        printed = [
            float(line[:7])
            for line in text.splitlines()
            if line[:7].strip().replace(".", "").isdigit()
        ]
        assert round(sum(printed[:-1]), 1) == printed[-1]
        await pilot.press("escape")
        await settle(pilot)
        assert "services › nb" in screen_text(app)


async def test_a_choke_point_is_marked(tmp_path: Path) -> None:
    clock = Clock()
    path = tmp_path / "cache.db"
    estate = poisoned()
    bucket = estate.resources[1]
    for name in ("second", "third"):
        other = estate.add(notebook(name))
        estate.link(other, bucket, Relation.READS_DATA_FROM)
    with Store.open(path, clock=clock) as store:
        save(store, estate, clock)
    app = UndercroftApp(path, clock=clock, rules_pack=lambda: PACK, screen="fix_first")
    async with app.run_test(size=(140, 40)) as pilot:
        await settle(pilot)
        assert "choke point: 3 AI services stand on it" in screen_text(app)
        await pilot.press("b")
        await settle(pilot)
        assert "◈ choke point" in screen_text(app)


async def test_without_a_scan_nothing_pretends_to_be_worked_out(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    with Store.open(path):
        pass
    app = UndercroftApp(path, actor="ada <ada@example.com>", rules_pack=lambda: PACK)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("W")
        await settle(pilot)
        assert isinstance(app.screen, FixFirstScreen)
        assert "working out" not in screen_text(app)
        assert "no scan yet" in screen_text(app)
        await pilot.press("H")
        await settle(pilot)
        assert "Scan now" in screen_text(app), "home is the welcome as long as nothing is scanned"
