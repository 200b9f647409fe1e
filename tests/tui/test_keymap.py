"""Keys: declared once, remappable, clashes refused with both names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tui.app import UndercroftApp, focus_chains
from tui.keymap import FOOTER, KEYS, KeymapError, bind, checked, declared
from tui.settings import Settings, SettingsError, load
from undercroft.triage.limits import ServiceLevel


def test_every_binding_has_an_id_and_no_prefix_of_tmux_or_screen() -> None:
    for chain in focus_chains():
        for node in chain:
            for base in node.__mro__:
                if not base.__module__.startswith("tui."):
                    continue
                for binding in base.__dict__.get("BINDINGS", ()):
                    assert binding.id, (base, binding)
                    keys = set(binding.key.split(","))
                    assert not keys & {"ctrl+a", "ctrl+b"}, binding


def test_shared_keys_do_not_clash_by_default() -> None:
    from tui.screens.findings import FindingsScreen
    from tui.screens.service import ServiceScreen
    from tui.screens.services import ServicesScreen
    from tui.widgets.detail import DetailPane
    from tui.widgets.table import VirtualTable
    from tui.widgets.tower import TowerView

    for screen in (ServicesScreen, ServiceScreen, FindingsScreen):
        for part in (VirtualTable, TowerView, DetailPane):
            taken: dict[str, str] = {}
            for name, keys in (declared(screen) | declared(part)).items():
                for key in keys:
                    assert taken.setdefault(key, name) == name


def test_remapping_is_normalised() -> None:
    assert checked({"finding.accept": "Q, ctrl+y"}, focus_chains()) == {
        "finding.accept": "Q,ctrl+y"
    }
    assert checked({"view.filter": "~"}, focus_chains()) == {"view.filter": "tilde"}


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"finding.accept": "f"}, ("finding.accept", "finding.fixed", " f;")),
        ({"finding.accept": "j"}, ("finding.accept", "table.down")),
        ({"finding.accept": "Q", "finding.fixed": "Q"}, ("finding.accept", "finding.fixed")),
        ({"finding.acept": "X"}, ("finding.acept", "nearest is finding.accept")),
        ({"finding.accept": "X,"}, ("finding.accept", "empty")),
        ({"finding.accept": "X Y"}, ("finding.accept", "commas")),
    ],
)
def test_unusable_keys_are_refused_by_name(keys: dict[str, str], words: tuple[str, ...]) -> None:
    with pytest.raises(KeymapError) as caught:
        UndercroftApp(None, config=Settings(keys=keys))
    for word in words:
        assert word in str(caught.value)


def test_swapping_two_keys_is_no_clash() -> None:
    assert checked({"finding.accept": "f", "finding.fixed": "a"}, focus_chains())


def test_footer_names_exist() -> None:
    assert set(FOOTER) <= set(KEYS)
    assert bind("app.quit")


def test_settings_file(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    assert load(path).keys == {}
    path.write_text('theme = "nord"\n[keys]\n"finding.accept" = "A"\n[views]\nmine = "findings: x"')
    settings = load(path)
    assert (settings.theme, settings.keys, settings.views) == (
        "nord",
        {"finding.accept": "A"},
        {"mine": "findings: x"},
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("them = 'x'", ("'them'", "did you mean theme")),
        ("theme = 3", ("theme must be a text",)),
        ("keys = 3", ("keys must be a table",)),
        ("[keys]\nx = 3", ('keys."x" must be a text',)),
        ("theme = ", ("config.toml",)),
    ],
)
def test_a_bad_settings_file_names_the_place(
    tmp_path: Path, text: str, words: tuple[str, ...]
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load(path)
    for word in (*words, str(path)):
        assert word in str(caught.value)


def test_service_levels_are_days(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[service_level]\ncritical = 7\nkev = 14")
    assert load(path).service_level.days == {"critical": 7, "kev": 14}
    path.write_text('[service_level]\ncritical = 7\nkev = "catalogue"')
    assert load(path).service_level == ServiceLevel({"critical": 7}, catalogue=True)
    for text, words in (
        ("[service_level]\nurgent = 1", "service_level.urgent is not known; known: critical"),
        ("[service_level]\nhigh = 0", "service_level.high must be a number of days"),
        ("[service_level]\nhigh = true", "service_level.high must be a number of days"),
        ("service_level = 3", "must be a table"),
    ):
        path.write_text(text)
        with pytest.raises(SettingsError, match=re.escape(words)):
            load(path)


def test_limits_of_triage_are_days(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    assert (load(path).unconfirmed_days, load(path).max_accept_days) == (30, 365)
    path.write_text("unconfirmed_days = 14\nmax_accept_days = 60")
    assert (load(path).unconfirmed_days, load(path).max_accept_days) == (14, 60)
    path.write_text('max_accept_days = "a year"')
    with pytest.raises(SettingsError, match="max_accept_days must be a number of days"):
        load(path)
