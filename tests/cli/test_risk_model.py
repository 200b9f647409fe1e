"""The risk model's constants from the settings to the last number, by command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Command


@pytest.fixture
def policy(
    undercroft: Command,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Callable[[str], object]:
    """Writes the settings."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "undercroft").mkdir()
    return (tmp_path / "undercroft/config.toml").write_text


def test_a_policy_scores_the_newest_scan_again(
    undercroft: Command, policy: Callable[[str], object]
) -> None:
    before = undercroft("explain", "open-desk", "--format", "json").json
    assert before["changed"] == {}
    policy("[risk.sums]\nin_layer = 0.25\n[risk.relations]\nuses_identity = 0.5\n")
    done = undercroft("explain", "open-desk")
    assert "The scores of 'first' are by risk model 1+" in done.err
    assert (
        "relations.uses_identity 0.5 instead of 0.9, sums.in_layer 0.25 instead of 0.5" in done.out
    )
    assert "0.25^k · 0.6^j" in done.out
    after = undercroft("explain", "open-desk", "--format", "json")
    assert "Scoring" not in after.err
    assert after.json["changed"]["sums.in_layer"] == {"value": 0.25, "published": 0.5}
    assert after.json["risk_constants"] != before["risk_constants"]
    assert after.json["residual"]["S"] < before["residual"]["S"]
    assert "in_layer 0.25 (changed from 0.5)" in undercroft("explain", "open-desk", "--all").out
    assert "risk model 1+" in undercroft("export", "--format", "markdown").out
    said = undercroft("config", "risk")
    assert "uses_identity 0.5 (changed from 0.9)" in said.out
    assert "as SSVC does" in said.err
    assert "sums.in_layer 0.25" in undercroft("doctor").out
    policy("")
    assert "are by risk model 1 now" in undercroft("findings").err
    back = undercroft("explain", "open-desk", "--format", "json").json
    assert back["residual"] == before["residual"]


def test_what_is_wrong_in_it_is_said(undercroft: Command, policy: Callable[[str], object]) -> None:
    policy("[risk.threat]\nknown_exploited = 0.5\n")
    assert "risk.threat.known_exploited (0.5)" in undercroft("findings", status=2).err
    policy("[risk.threat]\nknown_exploited = 0.96\npublic_exploit = 0.96\n")
    assert "less than 92%" in undercroft("config", "show").err
    assert undercroft("config", "risk", "--format", "toml").out.startswith("[risk.impact]\n")


def test_a_cache_that_may_only_be_read_says_whose_scores_they_are(
    undercroft: Command, policy: Callable[[str], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    from undercroft.store import ReadOnlyError, connection

    def refused(path: Path) -> None:
        raise ReadOnlyError(f"{path} may only be read")

    policy("[risk.sums]\nin_layer = 0.3\n")
    # Tests may run as root, whom no permission stops.
    monkeypatch.setattr(connection, "_prepare", refused)
    done = undercroft("services")
    assert "by risk model 1, not 1+" in done.err
    assert "the cache may only be read" in done.err
