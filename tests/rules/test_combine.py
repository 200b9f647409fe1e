"""Combinations over a graph: who owns them, what breaks them, what only makes them possible."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import Engine, load_text
from tests.rules.support import NOW, resource, rule_text
from undercroft.graph import Graph
from undercroft.model import Edge, Layer, Observation, Outcome, Presence, Resource, Severity
from undercroft.relations import Relation

PACK = load_text(
    rule_text("facts.root == true", rule_id="root-shell", on="nb", more="  traits: [root]\n")
    + rule_text(
        "facts.admin == true", rule_id="admin", on="role", more="  traits: [priv]\n"
    ).replace("layer: service", "layer: identity")
    + rule_text("facts.open == true", rule_id="open-policy", on="role").replace(
        "layer: service", "layer: identity"
    )
    + """
- id: takeover
  title: Takeover
  on: nb
  severity: critical
  needs:
    - {label: root, place: root, any_of: [root-shell]}
    - {label: rights, place: beneath, any_of: ["trait:priv"], layers: [identity]}
  why: x
  fix: {text: x}
- id: open-admin
  title: Open administrator
  on: nb
  severity: high
  needs:
    - {place: root, any_of: [root-shell]}
    - {place: path, any_of: [admin], also: [open-policy]}
  why: x
  fix: {text: x}
- id: shared
  title: Shared with production
  on: nb
  severity: high
  needs:
    - {place: root, any_of: [root-shell]}
    - {place: beneath, resource: role, shared_with: {on: ep, when: other.facts.live == true}}
  why: x
  fix: {text: x}
"""
)
ENGINE = Engine(PACK)


def estate(resources: list[Resource], edges: list[tuple[str, str]]) -> Graph:
    table = {item.key: item for item in resources}
    return Graph(
        [Edge(src, dst, Relation.USES_IDENTITY, "RoleArn") for src, dst in edges],
        services=[item.key for item in resources if item.type in ("nb", "ep")],
        lookup=table.get,
    )


def combine(resources: list[Resource], edges: list[tuple[str, str]]) -> list[Observation]:
    judged: Mapping[str, Any] = {item.key: ENGINE.judge(item, NOW) for item in resources}
    return list(ENGINE.combine(estate(resources, edges), judged))


def notebook(key: str = "nb", **facts: Any) -> Resource:
    return resource(facts={"root": True, **facts}, key=key, kind="nb")


def role(key: str = "role", *, unknown: tuple[str, ...] = (), **facts: Any) -> Resource:
    known = {"admin": True, "open": False, **facts}
    return resource(
        facts={name: value for name, value in known.items() if f"facts.{name}" not in unknown},
        key=key,
        kind="role",
        layer=Layer.IDENTITY,
        unknown=unknown,
        name=key,
    )


def rules(found: list[Observation], outcome: Outcome = Outcome.FAIL) -> list[tuple[str, str]]:
    return [(o.rule, o.resource) for o in found if o.outcome is outcome]


def test_findings_that_meet_are_a_finding_of_the_service() -> None:
    (found,) = combine([notebook(), role()], [("nb", "role")])
    assert (found.rule, found.resource, found.at, found.layer) == (
        "takeover",
        "nb",
        {},
        Layer.SERVICE,
    )
    components = [(e.path, e.value["rule"], e.value["need"]) for e in found.evidence]  # type: ignore[index,call-overload]
    assert components == [("nb", "root-shell", "root"), ("role", "admin", "rights")]


@pytest.mark.parametrize("gone", ["root", "admin"])
def test_without_one_ingredient_there_is_none(gone: str) -> None:
    found = combine([notebook(root=gone != "root"), role(admin=gone != "admin")], [("nb", "role")])
    assert found == []


def test_many_that_serve_alike_are_kept_as_one() -> None:
    rank = [Severity.MEDIUM, Severity.HIGH, Severity.HIGH]
    flaws = [
        Observation(
            "cve", "role", outcome, at={"package": f"p{number}"}, severity=severity,
            layer=layer, title="a flaw", traits=traits,
        )
        for number, severity in enumerate(rank)
        for layer in (Layer.IDENTITY, Layer.VM)
        for outcome in (Outcome.UNKNOWN, Outcome.FAIL)
        for traits in (("priv",), ("priv", "root"), ("unheard",), ())
    ]  # fmt: skip
    kept = ENGINE.parts(flaws)
    assert {(o.layer, o.outcome, o.at["package"]) for o in kept} == {
        (layer, outcome, "p1")
        for layer in (Layer.IDENTITY, Layer.VM)
        for outcome in (Outcome.UNKNOWN, Outcome.FAIL)
    }
    assert len(kept) == 4
    assert ENGINE.parts(kept) == kept
    graph = estate([notebook(), role()], [("nb", "role")])
    root = ENGINE.judge(notebook(), NOW)
    (found,) = ENGINE.combine(graph, {"nb": root, "role": flaws})
    assert found.evidence[1].value["at"] == {"package": "p1"}  # type: ignore[index,call-overload]
    assert ENGINE.combine(graph, {"nb": root, "role": kept}) == [found]


def test_what_is_not_beneath_does_not_count() -> None:
    assert combine([notebook(), role()], []) == []


def test_two_ways_to_one_role_are_one_combination() -> None:
    middle = [resource(key=key, kind="other") for key in ("a", "b")]
    edges = [("nb", "a"), ("nb", "b"), ("a", "role"), ("b", "role"), ("role", "nb")]
    (found,) = combine([notebook(), role(), *middle], edges)
    assert [e.path for e in found.evidence] == ["nb", "role"]


def test_each_service_owns_its_own() -> None:
    found = combine([notebook("n1"), notebook("n2"), role()], [("n1", "role"), ("n2", "role")])
    assert rules(found) == [("takeover", "n1"), ("takeover", "n2")]


def test_an_accepted_ingredient_still_counts() -> None:
    # Acceptance is a decision of people; a combination is about what the scan saw.
    fails = {item.key: ENGINE.judge(item, NOW) for item in (notebook(), role())}
    graph = estate([notebook(), role()], [("nb", "role")])
    assert rules(list(ENGINE.combine(graph, fails))) == [("takeover", "nb")]


def test_a_finding_that_is_left_out_breaks_it() -> None:
    # The pipeline leaves out what is known to be a false positive.
    graph = estate([notebook(), role()], [("nb", "role")])
    fails = {"nb": ENGINE.judge(notebook(), NOW), "role": ()}
    assert ENGINE.combine(graph, fails) == []


def test_an_unknown_ingredient_makes_it_possible() -> None:
    (found,) = combine([notebook(), role(unknown=("facts.admin",))], [("nb", "role")])
    assert (found.outcome, found.rule) == (Outcome.UNKNOWN, "takeover")
    assert "facts.admin: denied" in found.reason


def test_a_resource_that_could_not_be_read_makes_it_possible() -> None:
    stub = resource(key="role", kind="role", presence=Presence.STUB, name="SomeRole")
    (found,) = (o for o in combine([notebook(), stub], [("nb", "role")]) if o.rule == "takeover")
    assert (found.outcome, found.reason) == (Outcome.UNKNOWN, "role SomeRole could not be read")


def test_a_certain_ingredient_outweighs_an_unread_one() -> None:
    stub = resource(key="stub", kind="role", presence=Presence.STUB)
    (found,) = (
        o
        for o in combine([notebook(), role(), stub], [("nb", "role"), ("nb", "stub")])
        if o.rule == "takeover"
    )
    assert found.outcome is Outcome.FAIL
    assert [e.path for e in found.evidence] == ["nb", "role"]


def test_a_service_that_was_not_read_owns_nothing() -> None:
    stub = resource(key="nb", kind="nb", presence=Presence.STUB)
    assert combine([stub, role()], [("nb", "role")]) == []


def test_also_asks_for_two_findings_of_one_resource() -> None:
    split = [notebook(), role("r1"), role("r2", admin=False, open=True)]
    edges = [("nb", "r1"), ("nb", "r2")]
    assert ("open-admin", "nb") not in rules(combine(split, edges))
    assert ("open-admin", "nb") in rules(combine([notebook(), role(open=True)], [("nb", "role")]))
    doubt = combine([notebook(), role(unknown=("facts.open",))], [("nb", "role")])
    assert rules(doubt, Outcome.UNKNOWN) == [("open-admin", "nb")]


def test_shared_with_asks_for_another_service_on_the_same_resource() -> None:
    endpoint = resource(facts={"live": True}, key="ep", kind="ep")
    both = [("nb", "role"), ("ep", "role")]
    quiet = role(admin=False)
    assert rules(combine([notebook(), quiet, endpoint], both)) == [("shared", "nb")]
    assert combine([notebook(), quiet, endpoint], [("nb", "role")]) == []
    idle = resource(facts={"live": False}, key="ep", kind="ep")
    assert combine([notebook(), quiet, idle], both) == []
    unread = resource(key="ep", kind="ep", unknown=["facts.live"])
    assert rules(combine([notebook(), quiet, unread], both), Outcome.UNKNOWN) == [("shared", "nb")]


@given(st.lists(st.sampled_from(["root", "admin", "open"]), unique=True), st.randoms())
def test_more_findings_never_take_a_combination_away(flags: list[str], random: Random) -> None:
    def found(on: list[str]) -> set[tuple[str, str]]:
        items = [
            notebook(root="root" in on),
            role(admin="admin" in on, open="open" in on),
        ]
        random.shuffle(items)
        return set(rules(combine(items, [("nb", "role")])))

    everything = found(["root", "admin", "open"])
    assert found(flags) <= everything
    for flag in flags:
        assert found([f for f in flags if f != flag]) <= found(flags)


FEEDS = load_text(
    rule_text(
        "facts.open == true", rule_id="open-bucket", on="bucket", more="  traits: [writable]\n"
    )
    + """
- id: poison
  title: Poison
  on: nb
  severity: high
  needs:
    - {label: open and feeding, place: beneath, any_of: ["trait:writable"], via: [reads_data_from]}
  why: x
  fix: {text: x}
- id: crowd
  title: Crowd
  on: nb
  severity: high
  needs:
    - {place: beneath, resource: bucket, shared_with: {on: nb, least: 2}}
  why: x
  fix: {text: x}
"""
)


def feeding(*edges: tuple[str, str, Relation]) -> list[Observation]:
    items = [
        *(resource(key=key, kind="nb") for key in ("n1", "n2", "n3")),
        resource(key="step", kind="other"),
        resource(facts={"open": True}, key="data", kind="bucket"),
    ]
    engine = Engine(FEEDS)
    table = {item.key: item for item in items}
    graph = Graph(
        [Edge(src, dst, relation, "x") for src, dst, relation in edges],
        services=["n1", "n2", "n3"],
        lookup=table.get,
    )
    return list(
        engine.combine(graph, {key: engine.judge(item, NOW) for key, item in table.items()})
    )


def test_via_asks_how_a_resource_is_stood_on() -> None:
    reads, writes, same = Relation.READS_DATA_FROM, Relation.WRITES_TO, Relation.SAME_WORKLOAD
    assert rules(feeding(("n1", "data", reads))) == [("poison", "n1")]
    assert rules(feeding(("n1", "data", writes))) == []
    assert rules(feeding(("n1", "step", same), ("step", "data", reads))) == [("poison", "n1")]
    # Somebody else feeding on it is nothing to this service.
    assert rules(feeding(("n1", "data", writes), ("n2", "data", reads))) == [("poison", "n2")]


def test_shared_with_may_ask_for_several() -> None:
    writes = Relation.WRITES_TO
    assert feeding(("n1", "data", writes), ("n2", "data", writes)) == []
    crowd = feeding(*((key, "data", writes) for key in ("n1", "n2", "n3")))
    assert rules(crowd) == [("crowd", "n1"), ("crowd", "n2"), ("crowd", "n3")]


def test_evidence_says_what_keeps_each_ingredient_there() -> None:
    (found,) = combine([notebook(), role()], [("nb", "role")])
    first, second = (item.value for item in found.evidence)
    assert isinstance(first, Mapping)
    assert isinstance(second, Mapping)
    assert (first["slot"], first["any_of"]) == (0, ["root-shell"])
    assert (second["slot"], second["any_of"], second["layers"]) == (1, ["trait:priv"], ["identity"])
