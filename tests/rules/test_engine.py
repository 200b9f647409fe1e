"""How one resource is judged: three values, evidence, places."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from rules import Engine
from tests.rules.support import NOW, of, outcome, pack_of, resource, rule_text
from undercroft.model import Evidence, Outcome, Presence, Severity


@pytest.mark.parametrize(
    ("condition", "config", "expected"),
    [
        ('config.A == "bad"', {"A": "bad"}, "fail"),
        ('config.A == "bad"', {"A": "good"}, "pass"),
        ('config.A == "bad"', {}, "unknown"),
        ("has(config.A)", {}, "pass"),
        ("!has(config.A)", {}, "fail"),
        ("has(config.A.B)", {"A": {}}, "pass"),
        ("has(config.A.B)", {}, "unknown"),
        ('has(config.A) && config.A.B == "x"', {}, "pass"),
        ('!has(config.A) || config.A.B == "x"', {}, "fail"),
        ("config.A > 1", {"A": "text"}, "unknown"),
        ("config.A", {"A": None}, "unknown"),
        ("config.A", {"A": True}, "fail"),
        ("config.L.exists(x, x == 1)", {"L": [1, None]}, "fail"),
        ('config.L.exists(x, x.k == "v")', {"L": [{}]}, "unknown"),
        ('config.L.exists(x, x.k == "v")', {"L": [{}, {"k": "v"}]}, "fail"),
    ],
)
def test_a_condition_is_true_false_or_undecided(
    condition: str, config: dict[str, Any], expected: str
) -> None:
    assert outcome(condition, config) == expected


@pytest.mark.parametrize(
    ("condition", "config", "unknown", "expected"),
    [
        # What could not be read is neither there nor absent.
        ("has(config.A)", {}, ["config.A"], "unknown"),
        ("!has(config.A)", {}, ["config.A"], "unknown"),
        ('!has(config.A) || config.A == "x"', {}, ["config.A"], "unknown"),
        # A gap above covers everything beneath it, not its neighbours of similar name.
        ("has(config.A.B)", {"A": {}}, ["config.A"], "unknown"),
        ("has(config.A)", {}, ["config"], "unknown"),
        ("has(config.AB)", {}, ["config.A"], "pass"),
        # A gap beneath: that something is there is known, what it is as a whole is not.
        ("has(config.A)", {"A": {"C": 1}}, ["config.A.B"], "fail"),
        ("has(config.A)", {}, ["config.A.B"], "unknown"),
        ("size(config.A) > 0", {"A": [1]}, ["config.A[0].B"], "unknown"),
        # A value that a list call happened to return is not trusted if it is marked unread.
        ('config.A == "x"', {"A": "y"}, ["config.A"], "unknown"),
        # The rest may decide alone.
        ('config.B == "x" || has(config.A)', {"B": "x"}, ["config.A"], "fail"),
        ('config.B == "x" && has(config.A)', {"B": "y"}, ["config.A"], "pass"),
        ('config.B == "x" && has(config.A)', {"B": "x"}, ["config.A"], "unknown"),
        ('has(config.A) && config.A == "x" || config.B == "x"', {"B": "x"}, ["config.A"], "fail"),
        # Another path's gap is none of this rule's business.
        ('config.A == "x"', {"A": "x"}, ["config.B", "tags"], "fail"),
        # Words within texts and fields of other things are no paths.
        ('config.B == "has(config.A)"', {"B": "has(config.A)"}, ["config.A"], "fail"),
        (
            "config.L.exists(x, x.config.A == 1)",
            {"L": [{"config": {"A": 1}}]},
            ["config.A"],
            "fail",
        ),
        # Methods are not fields.
        ('config.A.startsWith("x")', {"A": "xy"}, ["config.A.startsWith"], "unknown"),
        ('config.A.exists(k, config.A[k] == "v")', {"A": {"k": "v"}}, ["config.A"], "unknown"),
        ('"k" in config.A', {"A": {}}, ["config.A"], "unknown"),
    ],
)
def test_what_could_not_be_read_never_passes_or_fails(
    condition: str, config: dict[str, Any], unknown: list[str], expected: str
) -> None:
    assert outcome(condition, config, unknown=unknown) == expected


def test_tags_and_facts_can_be_unread_too() -> None:
    assert outcome("!has(tags.owner)", unknown=["tags"]) == "unknown"
    assert outcome("!has(tags.owner)") == "fail"
    assert outcome("facts.public == true", unknown=["facts.public"]) == "unknown"


def test_the_reason_names_the_gap_and_why() -> None:
    engine = Engine(pack_of(rule_text("has(config.Policy)")))
    (found,) = engine.judge(resource(unknown={"config.Policy": "denied: needs s3:X"}), NOW)
    assert found.reason == "config.Policy: denied: needs s3:X"


def test_the_reason_names_a_field_that_the_answer_lacks() -> None:
    engine = Engine(pack_of(rule_text('config.A.B == "x"')))
    (found,) = engine.judge(resource({"A": {}}), NOW)
    assert found.reason == "config.A.B is not in what was read"


def test_a_fail_carries_what_decided() -> None:
    text = rule_text(
        more="  evidence: [config.A, config.Missing, 'config.L[].N']\n  traits: [root]\n"
    )
    (found,) = Engine(pack_of(text)).judge(
        resource({"A": "bad", "L": [{"N": 1}, {}, {"N": 2}]}), NOW
    )
    assert found.evidence == (
        Evidence("config.A", "bad"),
        Evidence("config.Missing", None),
        Evidence("config.L[].N", [1, 2]),
    )
    assert (found.outcome, found.at, found.traits) == (Outcome.FAIL, {}, ("root",))
    assert (found.severity, found.title, found.cve) == (Severity.HIGH, "A title", None)


def test_evidence_is_what_the_condition_reads_unless_it_says_otherwise() -> None:
    (found,) = Engine(pack_of(rule_text('config.A == "bad" && has(config.B)'))).judge(
        resource({"A": "bad", "B": 1}), NOW
    )
    assert [evidence.path for evidence in found.evidence] == ["config.A", "config.B"]


def test_severity_and_traits_may_depend_on_the_resource() -> None:
    more = """
  severity_when:
    - {when: 'config.Missing == 1', severity: low}
    - {when: 'config.N > 1', severity: critical}
  traits: [root]
  traits_when:
    - {when: 'config.N > 1', traits: [vuln, root]}
"""
    engine = Engine(pack_of(rule_text(more=more)))
    (worse,) = engine.judge(resource({"A": "bad", "N": 2}), NOW)
    (plain,) = engine.judge(resource({"A": "bad"}), NOW)
    assert (worse.severity, worse.traits) == (Severity.CRITICAL, ("root", "vuln"))
    assert (plain.severity, plain.traits) == (Severity.HIGH, ("root",))


EACH = """
- id: ports
  title: "{show.word} port {at.port} is open"
  layer: network
  on: x:y
  severity: medium
  threat: direct
  each: facts.open
  fails_when: item.port != 443
  at: {port: string(item.port)}
  show: {word: 'item.port < 1024 ? "Low" : "High"'}
  severity_when: [{when: item.port == 22, severity: high}]
  evidence: [item, item.cidr]
  why: x
  fix: {text: x}
"""


def test_each_item_is_a_finding_of_its_own() -> None:
    engine = Engine(pack_of(EACH))
    items = [{"port": 22, "cidr": "::/0"}, {"port": 443}, {"port": 8888, "cidr": None}]
    found = engine.judge(resource(facts={"open": items}), NOW)
    assert [(o.at["port"], str(o.severity), o.title) for o in found] == [
        ("22", "high", "Low port 22 is open"),
        ("8888", "medium", "High port 8888 is open"),
    ]
    assert found[0].evidence == (
        Evidence("facts.open[]", {"port": 22, "cidr": "::/0"}),
        Evidence("facts.open[].cidr", "::/0"),
    )


def test_two_items_at_one_place_are_one_finding_the_worse_one() -> None:
    text = EACH.replace("item.port == 22", "item.port == 22 && item.cidr == 'b'")
    items = [{"port": 22, "cidr": "a"}, {"port": 22, "cidr": "b"}]
    (found,) = Engine(pack_of(text)).judge(resource(facts={"open": items}), NOW)
    assert found.severity is Severity.HIGH
    assert [e.value for e in found.evidence if e.path.endswith("cidr")] == ["a", "b"]


def test_an_item_in_doubt_hides_no_other_item() -> None:
    found = Engine(pack_of(EACH)).judge(resource(facts={"open": [{}, {"port": 22}]}), NOW)
    assert [o.at for o in of(found, Outcome.FAIL)] == [{"port": "22"}]
    assert len(of(found, Outcome.UNKNOWN)) == 1


def test_a_list_of_any_length_is_judged_to_its_end() -> None:
    items = [{"port": number, "open": number % 2 == 0} for number in range(12_001)]
    text = rule_text("item.open", more="  each: facts.open\n  at: {port: string(item.port)}\n")
    answers = Engine(pack_of(text)).judge(resource(facts={"open": items}), NOW)
    assert [answer.outcome for answer in answers] == [Outcome.FAIL] * 6_001
    assert {answer.at["port"] for answer in answers} == {str(n) for n in range(0, 12_001, 2)}


def test_a_condition_that_goes_on_for_too_long_is_unknown() -> None:
    many = [{"a": number} for number in range(12_000)]
    text = rule_text("facts.many.exists(one, one.a == -1)")
    (answer,) = Engine(pack_of(text)).judge(resource(facts={"many": many}), NOW)
    assert answer.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("facts", "unknown"),
    [({}, []), ({}, ["facts.open"]), ({"open": []}, ["facts.open"]), ({"open": "text"}, [])],
)
def test_a_list_that_could_not_be_read_is_unknown(
    facts: dict[str, Any], unknown: list[str]
) -> None:
    (found,) = Engine(pack_of(EACH)).judge(resource(facts=facts, unknown=unknown), NOW)
    assert found.outcome is Outcome.UNKNOWN
    assert found.title == "… port … is open"


def test_braces_in_cloud_text_are_text() -> None:
    text = EACH.replace("string(item.port)", "item.name").replace("item.port != 443", "'true'")
    items = [{"name": "{show.word}[bold]{at.port}", "port": 1}]
    (found,) = Engine(pack_of(text)).judge(resource(facts={"open": items}), NOW)
    assert found.title == "Low port {show.word}[bold]{at.port} is open"


def test_a_vulnerability_has_an_identity_of_its_own() -> None:
    text = """
- id: flaw
  title: "{show.fixed}"
  layer: container
  on: x:y
  severity: medium
  threat: conditional
  each: facts.found
  fails_when: 'true'
  at: {package: item.package}
  show: {fixed: item.fixed}
  cve: item.id
  cvss: item.cvss
  vector: item.vector
  why: x
  fix: {text: x}
"""
    items = [{"id": "cve-2024-1", "package": "deb/a", "cvss": 7.5, "vector": None, "fixed": None}]
    (found,) = Engine(pack_of(text)).judge(resource(facts={"found": items}), NOW)
    assert (found.identity, found.cve, found.cvss) == ("VULN:CVE-2024-1", "CVE-2024-1", 7.5)
    assert (found.vector, found.title) == (None, "")


def test_what_was_not_read_is_only_judged_by_rules_about_that() -> None:
    texts = [
        rule_text("facts.exists == false", rule_id=name, more=f"  presence: {name}\n")
        for name in ("absent", "stub", "read")
    ]
    engine = Engine(pack_of(*texts))
    for presence in Presence:
        found = engine.judge(resource(facts={"exists": False}, presence=presence), NOW)
        assert [observation.rule for observation in found] == [str(presence)]
    assert list(engine.rules_for("x:y")) == ["absent", "stub", "read"]


def test_types_match_with_a_star() -> None:
    engine = Engine(pack_of(rule_text(on="sagemaker:*"), rule_text(rule_id="two", on="a/*/c")))
    assert list(engine.rules_for("sagemaker:model")) == ["one"]
    assert list(engine.rules_for("a/b/c")) == ["two"]
    assert list(engine.rules_for("a.b/c")) == []
    assert list(engine.rules_for("xsagemaker:model")) == []


def test_only_rules_about_time_make_a_type_depend_on_it() -> None:
    text = 'timestamp(now) - timestamp(config.T) > duration("24h")'
    engine = Engine(pack_of(rule_text(text), rule_text('config.A == "now"', rule_id="two", on="z")))
    assert engine.timed_rules("x:y") == {"one"}
    assert not engine.timed_rules("z")
    assert outcome(text, {"T": "2026-05-01T00:00:00Z"}) == "fail"
    assert outcome(text, {"T": "2026-05-31T12:00:00Z"}) == "pass"
    assert outcome(text, {"T": ""}) == "unknown"


@pytest.mark.parametrize("value", [("a", "b"), ["a", 2**70], {"deep": [("a",)]}])
def test_values_that_cel_cannot_hold_are_made_plain(value: Any) -> None:
    assert outcome('config.A == "bad"', {"A": "bad", "B": value}) == "fail"
    assert outcome("has(config.B) && size(config.B) > 0", {"B": value}) == "fail"


def test_nulls_are_never_handed_out_by_the_library() -> None:
    # It loses a reference to None each time, and Python 3.11 aborts when none is left.
    engine = Engine(pack_of(EACH, rule_text("config.A", rule_id="two")))
    nulls = resource(
        {"A": None}, {"open": [{"port": 1, "cidr": None}, {"cidr": None}, {"port": None}]}
    )
    engine.judge(nulls, NOW)
    before = sys.getrefcount(None)
    for _ in range(300):
        engine.judge(nulls, NOW)
    assert sys.getrefcount(None) > before - 150
