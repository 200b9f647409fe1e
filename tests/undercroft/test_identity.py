"""Identity: what a finding's id depends on, and what it must not depend on."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undercroft.identity import (
    aws_key,
    azure_key,
    canonical_json,
    digest,
    finding_id,
    gcp_key,
    image_key,
    observation_id,
    short_id,
    tie_break,
)
from undercroft.model import Evidence, Layer, Observation, Outcome, Severity

_TEXT = st.text(max_size=20)
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**53), max_value=2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=20,
)
_AT = st.dictionaries(_TEXT, _TEXT, max_size=4)
_BASE = Observation("nb-root", "aws/aws/1/us-east-1/sagemaker/notebook-instance/nb", Outcome.FAIL)


# Examples of RFC 8785, appendix B and section 3.2.
@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (5e-324, "5e-324"),
        (-5e-324, "-5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (9007199254740992.0, "9007199254740992"),
        (295147905179352830000.0, "295147905179352830000"),
        (9.999999999999997e22, "9.999999999999997e+22"),
        (1e23, "1e+23"),
        (999999999999999700000.0, "999999999999999700000"),
        (1e21, "1e+21"),
        (9.999999999999997e-7, "9.999999999999997e-7"),
        (0.000001, "0.000001"),
        (333333333.33333329, "333333333.3333333"),
        (-0.0000033333333333333333, "-0.0000033333333333333333"),
        (1424953923781206.2, "1424953923781206.2"),
        (4.5, "4.5"),
        (0.002, "0.002"),
        (1e-27, "1e-27"),
    ],
)
def test_numbers_are_written_as_ecmascript_does(number: float, text: str) -> None:
    assert canonical_json(number) == text


def test_keys_sort_by_utf16_code_units() -> None:
    keys = ["\u20ac", "\r", "\uff61", "1", "\U0001f600", "\u0080", "\u00f6"]
    ordered = list(json.loads(canonical_json(dict.fromkeys(keys, 0))))
    assert ordered == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\uff61"]


def test_text_is_escaped_no_more_than_needed() -> None:
    assert canonical_json('€$\u000f\nA\'B"\\\\"/\x7f') == '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/\x7f"'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_json_cannot_say_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="not a JSON number"):
        canonical_json(value)


@pytest.mark.parametrize("value", [b"bytes", {1: "a"}, {"a": object()}])
def test_what_is_not_json_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        canonical_json(value)  # type: ignore[arg-type]


def test_a_lone_surrogate_never_stops_a_scan() -> None:
    assert canonical_json("a\ud800") == '"a\\ud800"'
    assert finding_id("r", "k", {"name": "\ud800"}).startswith("f1-")


@given(_JSON)
def test_canonical_text_reads_back_and_is_stable(value: object) -> None:
    text = canonical_json(value)  # type: ignore[arg-type]
    again = json.loads(text)
    assert canonical_json(again) == text


@given(_JSON)
def test_equal_texts_in_another_normal_form_are_equal(value: object) -> None:
    def decomposed(item: object) -> object:
        if isinstance(item, str):
            return unicodedata.normalize("NFD", item)
        if isinstance(item, list):
            return [decomposed(entry) for entry in item]
        return item

    if not isinstance(value, dict):
        left = canonical_json(value)  # type: ignore[arg-type]
        assert left == canonical_json(decomposed(value))  # type: ignore[arg-type]
        assert digest(value) == digest(decomposed(value))  # type: ignore[arg-type]


@given(_TEXT, _TEXT, _AT)
def test_an_id_is_well_formed_and_its_short_form_is_its_beginning(
    rule: str, key: str, at: dict[str, str]
) -> None:
    fid = finding_id(rule, key, at)
    assert len(fid) == 35
    assert set(fid.removeprefix("f1-")) <= set("abcdefghijklmnopqrstuvwxyz234567")
    assert fid.removeprefix("f1-").startswith(short_id(fid))
    assert len(short_id(fid)) == 8


@given(_AT)
def test_the_order_of_keys_does_not_matter(at: dict[str, str]) -> None:
    assert finding_id("r", "k", at) == finding_id("r", "k", dict(reversed(at.items())))


@given(
    st.sampled_from(Severity),
    st.sampled_from(Layer),
    _TEXT,
    _TEXT,
    st.floats(min_value=0, max_value=10),
)
def test_wording_severity_evidence_and_versions_do_not_matter(
    severity: Severity, layer: Layer, title: str, value: str, cvss: float
) -> None:
    changed = replace(
        _BASE,
        severity=severity,
        layer=layer,
        title=title,
        cvss=cvss,
        evidence=(Evidence("config.Version", value),),
        traits=("root",),
        reason=title,
    )
    assert observation_id(changed) == observation_id(_BASE)


@pytest.mark.parametrize(
    "other",
    [
        replace(_BASE, rule="nb-internet"),
        replace(_BASE, resource=_BASE.resource + "2"),
        replace(_BASE, at={"port": "22"}),
        replace(_BASE, identity="VULN:CVE-2023-38545"),
    ],
)
def test_another_rule_resource_or_place_is_another_finding(other: Observation) -> None:
    assert observation_id(other) != observation_id(_BASE)


def test_two_ports_and_two_packages_are_two_findings() -> None:
    ports = [replace(_BASE, at={"port": port}) for port in ("22", "8888")]
    packages = [
        replace(_BASE, rule="cve", identity="VULN:CVE-1", at={"package": f"deb/{name}"})
        for name in ("curl", "libcurl4")
    ]
    assert len({observation_id(found) for found in (*ports, *packages)}) == 4


def test_a_renamed_rule_keeps_its_findings() -> None:
    renamed = replace(_BASE, rule="nb-root-access", identity="nb-root")
    assert observation_id(renamed) == observation_id(_BASE)


def test_the_algorithm_never_changes() -> None:
    # If this fails, every decision that anybody ever made is lost.
    assert observation_id(_BASE) == "f1-yn2q3lyc3ufpo2gkqftkydind7o5qsf7"


@given(st.lists(st.tuples(_TEXT, _TEXT), min_size=2, max_size=30))
def test_the_tie_break_sorts_as_the_text_does(names: list[tuple[str, str]]) -> None:
    ids = [finding_id(rule, key, {}) for rule, key in names]
    assert sorted(ids) == sorted(ids, key=lambda fid: (tie_break(fid), fid))
    assert all(0 <= tie_break(fid) < 2**60 for fid in ids)


def test_keys_of_every_cloud() -> None:
    assert aws_key("AWS", "1", "", "IAM", "role", "R") == "aws/aws/1/-/iam/role/R"
    assert (
        azure_key("/Subscriptions/S/resourceGroups/G/") == "azure/subscriptions/s/resourcegroups/g"
    )
    assert azure_key("/SUBSCRIPTIONS/s/ResourceGroups/g") == azure_key(
        "/subscriptions/S/resourcegroups/G"
    )
    assert gcp_key("p", "aiplatform", "", "endpoints", "1") == "gcp/p/aiplatform/-/endpoints/1"


@pytest.mark.parametrize("host", ["", "docker.io", "index.docker.io", "registry-1.docker.io"])
def test_every_spelling_of_the_default_registry_is_one(host: str) -> None:
    assert image_key(host, "python") == "image/docker.io/library/python"
    assert image_key(host, "org/app") == "image/docker.io/org/app"


def test_an_image_has_neither_tag_nor_other_registry() -> None:
    assert image_key("GHCR.io", "org/app") == "image/ghcr.io/org/app"
