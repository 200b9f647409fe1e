"""Versions follow what decides, not how it is worded."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import load_pack
from rules.schema import Fix, Rule
from rules.version import WORDING, logic_version, pack_version
from tests.rules.support import pack_of, rule_text
from undercroft.model import Severity

PACK = load_pack()


@given(st.sampled_from(PACK.rules), st.text(), st.text(), st.text(), st.lists(st.text()))
def test_rewording_a_rule_keeps_its_version(
    rule: Rule, title: str, why: str, fix: str, references: list[str]
) -> None:
    reworded = replace(
        rule,
        title=title,
        why=why,
        fix=Fix(fix, fix),
        references=tuple(references),
        equivalents={"tool": tuple(references)},
        frameworks={},
        examples=(),
        file=title,
    )
    assert logic_version(reworded) == rule.logic_version


@pytest.mark.parametrize(
    "change",
    [
        {"fails_when": "true"},
        {"on": ("other:type",)},
        {"severity": Severity.INFO},
        {"traits": ("blind",)},
        {"evidence": ("config.Other",)},
        {"each": "facts.other"},
        {"at": {"other": "item.x"}},
        {"version": 2},
    ],
)
def test_changing_what_decides_changes_the_version(change: dict[str, Any]) -> None:
    rule = next(rule for rule in PACK.rules if rule.id == "aws-sagemaker-notebook-root-access")
    assert logic_version(replace(rule, **change)) != rule.logic_version


def test_every_field_is_either_wording_or_counts() -> None:
    decides = {
        "id", "layer", "on", "severity", "threat", "fails_when", "evidence", "traits",
        "traits_when", "severity_when", "each", "at", "cve", "cvss", "vector", "presence", "version",
    }  # fmt: skip
    assert set(Rule.__dataclass_fields__) == decides | (WORDING - {"label"})


@given(st.randoms())
def test_the_order_of_rules_does_not_matter(random: Random) -> None:
    versions = list(PACK.logic_versions().items())
    random.shuffle(versions)
    assert pack_version(dict(versions)) == PACK.version


def test_the_pack_version_follows_its_rules() -> None:
    one = pack_of(rule_text())
    assert one.version == pack_of(rule_text().replace("A title", "Another title")).version
    assert one.version != pack_of(rule_text('config.A == "worse"')).version
    assert one.version != pack_of(rule_text(), rule_text(rule_id="two")).version
