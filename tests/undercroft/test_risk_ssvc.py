"""The finding's formula against the SSVC deployer tree, the public yardstick it is calibrated to."""

from __future__ import annotations

import statistics

from undercroft.risk import DEFAULT, RiskModel
from undercroft.risk.ssvc import concordance, in_words, rows


def test_it_orders_as_ssvc_does() -> None:
    assert len(rows(DEFAULT)) == 72
    agreeing, pairs = concordance(DEFAULT)
    assert pairs == 1481
    assert agreeing / pairs >= 0.92
    assert agreeing == 1368
    assert in_words(DEFAULT) == (True, "it orders 1,368 of 1,481 pairs (92.4%) as SSVC does")


def test_the_mean_grows_with_the_outcome() -> None:
    means = [
        statistics.mean(hazard for hazard, outcome in rows(DEFAULT) if outcome == wanted)
        for wanted in range(4)
    ]
    assert [round(mean, 2) for mean in means] == [0.03, 0.20, 0.52, 1.03]
    assert min(hazard for hazard, outcome in rows(DEFAULT) if outcome == 3) >= 0.86


def test_other_constants_are_held_against_it_too() -> None:
    flat = RiskModel.from_policy({"threat": {"public_exploit": 0.96, "known_exploited": 0.96}})
    enough, said = in_words(flat)
    assert not enough
    assert "look at it again" in said
    agreeing, pairs = concordance(flat)
    assert agreeing / pairs < 0.92
    assert f"{agreeing:,} of {pairs:,}" in said
