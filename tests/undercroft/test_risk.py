"""Risk model 1: its stated properties, and its worked example to the digit."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undercroft.model import LAYERS, Severity, Threat
from undercroft.risk import (
    COMBINATION,
    Criticality,
    Exposure,
    band,
    combination_hazard,
    finding_score,
    hazard,
    printed,
    service_score,
)

AUTOMATABLE = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
NAMES = (*(layer.value for layer in LAYERS), COMBINATION)

Item = tuple[str, str, float]

hazards = st.builds(
    lambda *args: hazard(*args).value,
    st.none() | st.sampled_from(Severity),
    st.none() | st.sampled_from(Threat),
    st.sampled_from(Exposure),
    st.none() | st.floats(-1, 11),
    st.none() | st.just(AUTOMATABLE),
    st.none() | st.floats(-0.5, 1.5),
    st.booleans(),
    st.sampled_from(Criticality),
)
# One id names one finding, and a finding has one layer.
item = st.builds(
    lambda number, value: (f"f{number:02}", NAMES[number % len(NAMES)], value),
    st.integers(0, 40),
    hazards | st.floats(0, 50),
)
items = st.lists(item, max_size=30)

F = {
    "F1": hazard(Severity.CRITICAL, cvss=9.8, vector=AUTOMATABLE, epss=0.26),
    "F2": hazard(Severity.HIGH, cvss=7.5, epss=0.01),
    "F3": hazard(Severity.HIGH, Threat.DIRECT, Exposure.OPEN),
    "F4": hazard(Severity.HIGH, Threat.CONDITIONAL),
    "F5": hazard(Severity.HIGH, Threat.CONDITIONAL),
    "F6": hazard(Severity.MEDIUM, Threat.DIRECT, Exposure.OPEN),
    "F7": hazard(Severity.LOW, Threat.HARDENING),
}


def _reaches(finding: str, layer: str, attenuation: float = 1.0) -> Item:
    return finding, layer, F[finding].value * attenuation


CHURN: list[Item] = [
    _reaches("F1", "container", 0.95),
    _reaches("F2", "container", 0.95),
    _reaches("F3", "storage", 0.8),
    _reaches("F4", "identity", 0.9),
    _reaches("F7", "service"),
]
C4: Item = ("C4", COMBINATION, combination_hazard(1.2).value)
NB1: list[Item] = [
    _reaches("F3", "storage", 0.8),
    _reaches("F4", "identity", 0.9),
    _reaches("F5", "service"),
    _reaches("F6", "service"),
]
C6: Item = ("C6", COMBINATION, combination_hazard(0.8).value)


@pytest.mark.parametrize(
    ("finding", "expected"),
    [
        ("F1", 0.7415),
        ("F2", 0.2228),
        ("F3", 0.7200),
        ("F4", 0.4032),
        ("F5", 0.4032),
        ("F6", 0.3403),
        ("F7", 0.0225),
    ],
)
def test_worked_example_hazards(finding: str, expected: float) -> None:
    assert round(F[finding].value, 4) == expected
    assert math.isclose(
        F[finding].value, math.prod(value for value, _ in F[finding].factors.values())
    )


def test_worked_example_churn() -> None:
    score = service_score([C4, *CHURN])
    assert round(score.hazard, 4) == 1.9748
    total, points = printed(score)
    assert total == 86.1
    assert [line.finding for line in score.lines] == ["C4", "F1", "F3", "F4", "F2", "F7"]
    assert points == (52.3, 18.4, 9.1, 3.4, 2.8, 0.1)
    assert [round(line.effective, 4) for line in score.lines] == [
        1.2,
        0.4226,
        0.2074,
        0.0784,
        0.0635,
        0.0029,
    ]
    assert [(line.layer_rank, line.rank) for line in score.lines] == [
        (0, 0),
        (1, 0),
        (2, 0),
        (3, 0),
        (1, 1),
        (4, 0),
    ]
    assert band(score.value) is Severity.CRITICAL


def test_worked_example_notebook() -> None:
    score = service_score([C6, *NB1])
    assert round(score.hazard, 4) == 1.4304
    assert printed(score) == (76.1, (42.6, 18.4, 7.7, 4.2, 3.2))
    assert [line.finding for line in score.lines] == ["C6", "F3", "F5", "F4", "F6"]


def test_worked_example_without_combinations() -> None:
    """By hand: churn = .7044 + .6(.5760) + .36(.3629) + .216(.0225) + .5(.2116);
    nb1 = .5760 + .6(.4032 + .5 * .3403) + .36(.3629)."""
    churn = service_score(CHURN)
    by_hand = 0.70440 + 0.10582 + 0.6 * 0.57600 + 0.36 * 0.36288 + 0.216 * 0.02250
    assert math.isclose(churn.hazard, by_hand, abs_tol=2e-5)
    assert round(churn.value, 1) == round(100 * (1 - math.exp(-by_hand)), 1) == 72.5

    notebook = service_score(NB1)
    # The service layer sums to .4032 + .1702 = .5734, just under storage's .5760.
    by_hand = 0.57600 + 0.6 * (0.40320 + 0.17016) + 0.36 * 0.36288
    assert math.isclose(notebook.hazard, by_hand, abs_tol=2e-5)
    assert [line.finding for line in notebook.lines] == ["F3", "F5", "F4", "F6"]


def test_worked_example_acceptance() -> None:
    """Accepting F3 leaves it out of the residual; the combination stays until accepted itself."""
    without = [entry for entry in CHURN if entry[0] != "F3"]
    assert round(service_score([C4, *without]).value, 1) == 83.8
    without = [entry for entry in NB1 if entry[0] != "F3"]
    # By hand: .8 + .6(.4032 + .1702) + .36(.3629) = 1.27465.
    residual = service_score([C6, *without])
    assert math.isclose(residual.hazard, 1.27465, abs_tol=1e-5)
    assert math.isclose(service_score([C6, *NB1]).value - residual.value, 4.0, abs_tol=0.05)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (hazard(Severity.CRITICAL, None, Exposure.OPEN, 9.8, AUTOMATABLE, kev=True), 72.65),
        (hazard(Severity.CRITICAL), 30.62),
        (hazard(Severity.HIGH, Threat.DIRECT, Exposure.OPEN), 51.32),
        (hazard(Severity.MEDIUM, Threat.HARDENING), 10.32),
        (hazard(Severity.INFO, Threat.DIRECT), 0.0),
    ],
)
def test_single_findings(value: object, expected: float) -> None:
    assert round(finding_score(value), 2) == expected  # type: ignore[arg-type]


@given(items)
def test_p1_bounded(estate: list[Item]) -> None:
    score = service_score(estate)
    assert 0.0 <= score.value < 100.0
    assert 0.0 <= printed(score)[0] < 100.0


@given(st.floats(0, 1e6))
def test_p1_a_single_score_is_bounded(value: float) -> None:
    assert 0.0 <= finding_score(value) < 100.0


@pytest.mark.parametrize("value", [-0.1, math.inf, math.nan])
def test_nonsense_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        service_score([("f", "service", value)])


@given(items, item)
def test_p2_adding_never_lowers(estate: list[Item], extra: Item) -> None:
    before, after = service_score(estate), service_score([*estate, extra])
    assert after.hazard >= before.hazard - 1e-9
    assert after.value >= before.value - 1e-9


@given(items.filter(bool), st.data(), st.floats(1, 3))
def test_p2_growing_never_lowers(estate: list[Item], data: st.DataObject, factor: float) -> None:
    index = data.draw(st.integers(0, len(estate) - 1))
    finding, layer, value = estate[index]
    grown = [*estate[:index], (finding, layer, value * factor), *estate[index + 1 :]]
    assert service_score(grown).hazard >= service_score(estate).hazard - 1e-9


@given(
    st.lists(st.sampled_from(Severity), min_size=2, max_size=2),
    st.none() | st.sampled_from(Threat),
)
def test_p2_worse_severity_never_lowers(pair: list[Severity], threat: Threat | None) -> None:
    lower, upper = sorted(pair, key=lambda severity: severity.rank)
    assert hazard(lower, threat).value <= hazard(upper, threat).value


@given(st.sampled_from(Severity), st.floats(0, 1), st.floats(0, 1), st.booleans())
def test_p2_more_threat_never_lowers(
    severity: Severity, one: float, other: float, exploit: bool
) -> None:
    lower, upper = sorted((one, other))
    assert (
        hazard(severity, epss=lower).value
        <= hazard(severity, epss=upper, exploit=exploit).value
        <= hazard(severity, epss=upper, exploit=True).value
        <= hazard(severity, epss=upper, kev=True).value
    )


@given(items, st.randoms(use_true_random=False))
def test_p3_order_independent(estate: list[Item], random: object) -> None:
    shuffled = list(estate)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert repr(service_score(shuffled)) == repr(service_score(estate))


@given(items)
def test_p3_the_quick_form_agrees(estate: list[Item]) -> None:
    quick, full = service_score(estate, lines=False), service_score(estate)
    assert (quick.value, quick.hazard) == (full.value, full.hazard)


@given(items)
def test_p4_the_lines_add_up(estate: list[Item]) -> None:
    score = service_score(estate)
    assert math.isclose(math.fsum(line.points for line in score.lines), score.value, abs_tol=1e-9)
    total, points = printed(score)
    assert len(points) == len(score.lines)
    assert sum(round(point * 10) for point in points) == round(total * 10)
    assert all(point >= 0 for point in points)


def test_p4_holds_beyond_the_summing_depth() -> None:
    many = [(f"f{i:03}", "container", 0.5) for i in range(300)]
    score = service_score(many)
    assert len(score.lines) == 300
    assert score.value == service_score(many, lines=False).value
    assert math.isclose(sum(line.points for line in score.lines), score.value)


@given(items)
def test_p5_duplicates_collapse(estate: list[Item]) -> None:
    assert service_score(estate) == service_score(estate + estate)
    assert len({line.finding for line in service_score(estate).lines}) == len(
        service_score(estate).lines
    )


def test_p5_the_strongest_of_several_ways_counts() -> None:
    assert service_score([("f", "storage", 0.3), ("f", "storage", 0.5)]) == service_score(
        [("f", "storage", 0.5)]
    )


@pytest.mark.parametrize("threat", [None, *Threat])
@pytest.mark.parametrize("exposure", list(Exposure))
def test_p6_severity_beats_volume(threat: Threat | None, exposure: Exposure) -> None:
    order = (Severity.LOW, Severity.MEDIUM, Severity.HIGH)
    for lesser, greater in itertools.pairwise(order):
        small = hazard(lesser, threat, exposure).value
        large = hazard(greater, threat, exposure).value
        # The limit of endlessly many is h · (1 + ½ + ¼ + …) = 2h.
        assert 2 * small < large
        crowd = service_score([(f"f{i}", "container", small) for i in range(500)])
        assert crowd.value < service_score([("one", "container", large)]).value


@given(items.filter(bool))
def test_p6_a_layer_stays_under_twice_its_worst(estate: list[Item]) -> None:
    one_layer = [(finding, "vm", value) for finding, _, value in estate]
    worst = max(value for _, _, value in one_layer)
    assert service_score(one_layer).hazard <= 2 * worst


def test_p7_unknown_is_stated_and_neutral() -> None:
    nothing = hazard(None)
    assert nothing.value > 0
    for letter in ("B", "T", "X", "A"):
        assert "assumed" in nothing.factors[letter][1]
    assert nothing.factors["T"][0] == 0.45
    assert nothing.factors["X"][0] == 1.0


@pytest.mark.parametrize("cvss", [0.0, -3.0, 77.0, math.nan])
def test_an_impossible_base_score_is_no_score(cvss: float) -> None:
    assert hazard(Severity.HIGH, cvss=cvss) == hazard(Severity.HIGH)


@pytest.mark.parametrize(
    ("vector", "automatable"),
    [
        (AUTOMATABLE, True),
        ("AV:N/AC:L/PR:N/UI:N", True),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", True),
        ("CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", False),
        ("CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:H", False),
        ("AV:N/AC:L/Au:N/C:P/I:P/A:P", False),
        ("", False),
        ("[bold]::/", False),
    ],
)
def test_automatable_by_vector(vector: str, automatable: bool) -> None:
    assert hazard(Severity.HIGH, vector=vector).factors["A"][0] == (1.2 if automatable else 1.0)


def test_a_public_exploit_is_a_floor() -> None:
    assert hazard(Severity.HIGH, epss=0.001, exploit=True).factors["T"] == (
        0.55,
        "public exploit",
    )
    assert hazard(Severity.HIGH, epss=0.97, exploit=True).factors["T"][0] > 0.9


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        (70.0, Severity.CRITICAL),
        (69.9, Severity.HIGH),
        (45.0, Severity.HIGH),
        (20.0, Severity.MEDIUM),
        (0.1, Severity.LOW),
        (0.0, None),
    ],
)
def test_bands(score: float, expected: Severity | None) -> None:
    assert band(score) is expected
