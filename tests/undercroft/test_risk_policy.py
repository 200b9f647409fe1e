"""Constants of the risk model set by a policy: what is refused, and what holds with all the rest."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.settings import SettingsError, load
from undercroft.graph import Graph
from undercroft.model import Edge, Severity, Threat
from undercroft.relations import ATTENUATION, CUTOFF, Relation
from undercroft.risk import (
    DEFAULT,
    TABLE,
    ConstantsError,
    Criticality,
    Exposure,
    RiskModel,
    band,
    criticality_there,
    exploitation,
    hazard,
    printed,
    service_score,
)
from undercroft.store.scans import PUBLISHED

Policy = dict[str, dict[str, float]]


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"thread": {}}, "thread is not known; did you mean threat?"),
        ({"threat": {"public_exploits": 1}}, "threat.public_exploits is not known; did you mean"),
        ({"relations": {"produces": 0.5}}, "relations.produces is not known"),
        ({"threat": 1}, "threat must be a table, [risk.threat]"),
        (3, "must be tables"),
        ({"threat": {"direct": "much"}}, "threat.direct must be a number"),
        ({"threat": {"direct": True}}, "threat.direct must be a number"),
        ({"threat": {"direct": math.nan}}, "threat.direct must be from"),
        ({"automatable": {"no": 1.1}}, "automatable.no is always 1"),
        ({"criticality": {"normal": 2}}, "criticality.normal is always 1"),
        ({"sums": {"in_layer": 0.51}}, "sums.in_layer must be from 0 to 0.5, not 0.51"),
        ({"sums": {"cutoff": 0}}, "sums.cutoff must be from 0.01"),
        ({"relations": {"runs_on": 1.01}}, "relations.runs_on must be from 0 to 1"),
        ({"relations": {"runs_on": 0.12345}}, "relations.runs_on may have 4 decimals"),
        ({"threat": {"known_exploited": 0.9}}, "evidence outranks any estimate"),
        ({"threat": {"epss_span": 0.71}}, "evidence outranks any estimate"),
        ({"threat": {"epss_missing": 0}}, "threat.epss_missing must be from 0.01"),
        ({"threat": {"epss_missing": 0.2}}, "what is unknown lies between"),
        ({"threat": {"hardening": 0.8}}, "threat.conditional (0.7) must not be below"),
        ({"exposure": {"unknown": 0.5}}, "what is unknown lies between"),
        ({"exposure": {"small": 1.1}}, "more exposed may not weigh less"),
        ({"criticality": {"low": 1.1}}, "worth more may not weigh less"),
        ({"impact": {"high": 9.6}}, "worse may not weigh less"),
        ({"impact": {"low": 4.0}}, "many low findings of a layer would outweigh one medium"),
        ({"impact": {"medium": 6.0}}, "many medium findings of a layer would outweigh one high"),
        ({"bands": {"high": 70}}, "bands.critical must be above bands.high"),
    ],
)  # fmt: skip
def test_what_would_break_a_promise_is_refused(policy: object, said: str) -> None:
    with pytest.raises(ConstantsError, match="risk") as caught:
        RiskModel.from_policy(policy)
    assert said in str(caught.value)


def test_the_settings_name_file_and_place(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[risk.sums]\nin_layer = 0.4\n[risk.bands]\ncritical = 80\n")
    model = load(file).risk
    assert model is not None
    assert model.changes() == {"sums.in_layer": (0.4, 0.5), "bands.critical": (80.0, 70.0)}
    assert model.name == f"1+{model.digest[:8]}"
    assert "in_layer 0.4 (changed from 0.5)" in "\n".join(model.lines())
    file.write_text("[risk.sums]\nin_layers = 0.4\n")
    with pytest.raises(SettingsError, match=r"config\.toml: risk\.sums\.in_layers is not known"):
        load(file)
    file.write_text("risk = 3\n")
    with pytest.raises(SettingsError, match=r"config\.toml: risk\.GROUP must be tables"):
        load(file)


def test_one_table_has_them_all() -> None:
    assert load(Path("/nowhere")).risk is None
    assert DEFAULT.name == "1"
    assert DEFAULT.changes() == {}
    assert RiskModel.from_policy({g: dict(v) for g, v in TABLE.items()}).digest == DEFAULT.digest
    assert DEFAULT.attenuation == ATTENUATION
    assert DEFAULT.cutoff == CUTOFF
    # A published model stays what it is: other constants are another version.
    assert DEFAULT.digest == PUBLISHED == "390f368d4a7ac014"


ONE = st.floats(0.02, 1.0)
rising = st.lists(ONE, min_size=5, max_size=5).map(sorted)


@st.composite
def models(draw: st.DrawFn) -> RiskModel:
    """Any model that a policy may ask for, as far as the search finds them."""
    low, medium, high, critical = sorted(draw(st.floats(0.5, 9.9)) for _ in range(4))
    in_layer = draw(st.floats(0.0, 0.5))
    factor = (1 / (1 - in_layer)) ** 0.5 * 1.001
    medium = max(medium, low * factor)
    high = max(high, medium * factor)
    critical = max(critical, high)
    threat = draw(rising)
    exposure = draw(rising)
    worth = draw(rising)
    policy: Policy = {
        "impact": {
            "low": low / critical * 10,
            "medium": medium / critical * 10,
            "high": high / critical * 10,
            "critical": 10.0,
            "scale": draw(st.floats(0.1, 5)),
        },
        "threat": {
            "hardening": threat[0],
            "conditional": threat[1],
            "direct": threat[2],
            "epss_floor": threat[0],
            "epss_missing": threat[1],
            "epss_span": threat[3] - threat[0],
            "public_exploit": threat[2],
            "known_exploited": threat[4],
        },
        "exposure": dict(zip(("small", "unknown", "controlled", "open"), exposure, strict=False)),
        "criticality": {
            "very_low": worth[0],
            "low": worth[1],
            "high": 1 + worth[2],
            "very_high": 1 + worth[3],
        },
        "automatable": {"yes": 1 + draw(ONE)},
        "relations": {name: round(draw(st.floats(0, 1)), 4) for name in TABLE["relations"]},
        "sums": {
            "in_layer": in_layer,
            "across_layers": draw(st.floats(0.0, 0.9)),
            "cutoff": draw(st.floats(0.01, 0.5)),
        },
    }
    return RiskModel.from_policy(policy)


@settings(max_examples=30)
@given(models(), st.data())
def test_the_properties_hold_with_any_of_them(model: RiskModel, data: st.DataObject) -> None:
    def weight(severity: Severity, threat: Threat, exposure: Exposure) -> float:
        return hazard(severity, threat, exposure, model=model).value

    drawn = data.draw(
        st.lists(
            st.tuples(
                st.sampled_from(Severity), st.sampled_from(Threat), st.sampled_from(Exposure),
                st.sampled_from(("service", "container", "identity")),
            ),
            min_size=1,
            max_size=12,
        )
    )  # fmt: skip
    items = [(f"f{n}", layer, weight(*of)) for n, (*of, layer) in enumerate(drawn)]
    whole = service_score(items, model=model)
    less = service_score(items[1:], model=model)
    # P1, P2, P3, P4
    assert 0 <= whole.value < 100
    assert less.value <= whole.value + 1e-9
    assert service_score(reversed(items), model=model) == whole
    assert math.isclose(math.fsum(line.points for line in whole.lines), whole.value, abs_tol=1e-9)
    value, points = printed(whole)
    assert round(sum(points), 1) == value
    # P2: worse, better known or more exposed never weighs less
    ranked = sorted(Severity, key=lambda severity: severity.rank)
    weights = [weight(one, Threat.DIRECT, Exposure.OPEN) for one in ranked]
    assert weights == sorted(weights)
    estimates = [exploitation(p, model=model)[0] for p in (0.0, 0.01, 0.5, 1.0)]
    assert estimates == sorted(estimates)
    evidence = exploitation(None, kev=True, model=model)[0]
    assert max(*estimates, exploitation(None, model=model)[0]) <= evidence + 1e-12
    # P6, with as many as one layer may have
    for lesser, worse in ((Severity.LOW, Severity.MEDIUM), (Severity.MEDIUM, Severity.HIGH)):
        many = [(f"f{n}", "vm", weight(lesser, Threat.DIRECT, Exposure.OPEN)) for n in range(64)]
        one = [("g", "vm", weight(worse, Threat.DIRECT, Exposure.OPEN))]
        most, least = (service_score(i, model=model).hazard for i in (many, one))
        assert most <= least + 1e-9
    # P7
    assert exploitation(None, model=model)[0] > 0
    assert "assumed" in exploitation(None, model=model)[1]
    # Of two tags that of the higher level counts.
    there = criticality_there(Criticality.LOW, Criticality.HIGH, model)
    assert math.isclose(
        there * model.criticality[Criticality.LOW], model.criticality[Criticality.HIGH]
    )


def test_reach_follows_the_relations_as_set() -> None:
    edges = [
        Edge("s", "image", Relation.RUNS_IMAGE, "x"),
        Edge("s", "account", Relation.CONTAINED_IN, "x"),
    ]
    model = RiskModel.from_policy(
        {"relations": {"runs_image": 0.3, "contained_in": 0.0}, "sums": {"cutoff": 0.25}}
    )
    found = Graph(edges, attenuation=model.attenuation, cutoff=model.cutoff)
    assert found.beneath("s") == {"s": 1.0, "image": 0.3}
    far = RiskModel.from_policy({"sums": {"cutoff": 0.96}})
    assert Graph(edges, attenuation=far.attenuation, cutoff=far.cutoff).beneath("s") == {"s": 1.0}


def test_bands_as_set() -> None:
    model = RiskModel.from_policy({"bands": {"critical": 90, "high": 50, "medium": 5}})
    assert [band(score, model) for score in (89, 50, 49, 5, 4, 0)] == [
        Severity.HIGH, Severity.HIGH, Severity.MEDIUM, Severity.MEDIUM, Severity.LOW, None,
    ]  # fmt: skip
