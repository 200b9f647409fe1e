"""What to repair first: the worked example to the digit, exactness against brute force, combinations."""

from __future__ import annotations

import math
from random import Random

import pytest

from undercroft.model import LAYERS, Layer, Severity, Threat
from undercroft.risk import COMBINATION, Exposure, hazard, service_score
from undercroft.risk.plan import Combo, Item, Planner, RepairKey, World
from undercroft.risk.repairs import SETTING, cost_of, mend_of, words_of

CHURN, NB1, IMAGE, ROLE, BUCKET = range(1, 6)
VECTOR = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
WEIGHTS = {
    1: hazard(Severity.CRITICAL, cvss=9.8, vector=VECTOR, epss=0.26),
    2: hazard(Severity.HIGH, cvss=7.5, epss=0.01),
    3: hazard(Severity.HIGH, Threat.DIRECT, Exposure.OPEN),
    4: hazard(Severity.HIGH, Threat.CONDITIONAL),
    5: hazard(Severity.HIGH, Threat.CONDITIONAL),
    6: hazard(Severity.MEDIUM, Threat.DIRECT, Exposure.OPEN),
    7: hazard(Severity.LOW, Threat.HARDENING),
}


def item(finding: int, layer: Layer, mend: str = "") -> Item:
    return Item(finding, layer.value, WEIGHTS[finding].value, mend or f"F{finding}")


def part(*findings: int) -> tuple[tuple[frozenset[int], ...], ...]:
    return ((frozenset(findings),),)


def example() -> World:
    """Endpoint ``churn`` and notebook ``nb1`` of the model's own example, one repair per finding."""
    fixes = {
        (BUCKET, 3), (ROLE, 4), (NB1, 5), (NB1, 6),
    }  # fmt: skip
    repairs = {finding: RepairKey(resource, f"F{finding}") for resource, finding in fixes}
    return World(
        reach={
            CHURN: [(CHURN, 1.0), (IMAGE, 0.95), (ROLE, 0.9), (BUCKET, 0.8)],
            NB1: [(NB1, 1.0), (ROLE, 0.9), (BUCKET, 0.8)],
        },
        items={
            IMAGE: [item(1, Layer.CONTAINER), item(2, Layer.CONTAINER)],
            BUCKET: [item(3, Layer.STORAGE)],
            ROLE: [item(4, Layer.IDENTITY)],
            NB1: [item(5, Layer.SERVICE), item(6, Layer.SERVICE)],
            CHURN: [item(7, Layer.SERVICE)],
        },
        combos={
            CHURN: [Combo(104, 1.2, (part(3),), frozenset({repairs[3]}))],
            NB1: [
                Combo(
                    106,
                    0.8,
                    (part(5), part(6), part(4)),
                    frozenset({repairs[f] for f in (4, 5, 6)}),
                )
            ],
        },
    )


@pytest.mark.parametrize(
    ("finding", "owner", "value"),
    [
        (3, BUCKET, 25.6),
        (4, ROLE, 17.0),
        (5, NB1, 16.1),
        (6, NB1, 14.8),
        (1, IMAGE, 3.9),
        (2, IMAGE, 0.9),
    ],
)
def test_the_worked_example(finding: int, owner: int, value: float) -> None:
    step = Planner(example()).evaluate(RepairKey(owner, f"F{finding}"))
    assert round(step.value, 1) == value


def test_the_worked_example_to_the_last_digit() -> None:
    planner = Planner(example())
    assert {round(score, 1) for score in planner.scores.values()} == {86.1, 76.1}
    assert round(planner.evaluate(RepairKey(CHURN, "F7")).value, 2) == 0.04
    bucket = planner.evaluate(RepairKey(BUCKET, "F3"))
    assert [round(before - after, 1) for _, before, after in bucket.changes] == [21.6, 4.0]
    assert bucket.broken == 1
    assert [len(planner.above(owner)) for owner in (BUCKET, ROLE, IMAGE)] == [2, 2, 1]


def test_the_bucket_comes_first_and_the_critical_flaw_does_not() -> None:
    planner = Planner(example())
    steps = planner.greedy(10)
    assert steps[0].repair == RepairKey(BUCKET, "F3")
    assert steps[0].total == pytest.approx(sum(planner.before.values()) - steps[0].value)
    assert math.isclose(sum(step.value for step in steps), planner.saved)
    assert len(steps) == 7
    assert all(score == 0 for score in planner.scores.values())


def test_a_plan_leaves_no_trace() -> None:
    planner = Planner(example())
    before = dict(planner.scores)
    best = planner.best()
    repair = RepairKey(ROLE, "F4")
    planner.plan(repair)
    assert planner.scores != before
    planner.plan(RepairKey(NB1, "F5"))
    planner.unplan(repair)
    planner.unplan(RepairKey(NB1, "F5"))
    assert planner.scores == before
    assert planner.saved == 0
    assert planner.best() == best


def test_joint_value_is_not_the_sum() -> None:
    """F4 and F5 both break the same combination: together they save less than apart."""
    planner = Planner(example())
    apart = sum(
        planner.evaluate(key).value for key in (RepairKey(ROLE, "F4"), RepairKey(NB1, "F5"))
    )
    planner.plan(RepairKey(ROLE, "F4"))
    planner.plan(RepairKey(NB1, "F5"))
    assert planner.saved < apart - 5


def test_a_component_that_needs_two_findings_dies_with_either() -> None:
    both = Combo(1, 1.0, (((frozenset({1}), frozenset({2})),),))
    assert both.holds(())
    assert not both.holds({1})
    assert not both.holds({2})
    either = Combo(1, 1.0, (((frozenset({1, 2}),),),))
    assert either.holds({1})
    assert not either.holds({1, 2})
    two_resources = Combo(1, 1.0, (((frozenset({1}),), (frozenset({2}),)),))
    assert two_resources.holds({1})
    by_its_mere_presence = Combo(1, 1.0, (((),),))
    assert by_its_mere_presence.holds({1, 2, 3})


def random_world(random: Random) -> World:
    resources, services = range(10, 16), range(1, 5)
    number = iter(range(1000))
    items = {
        resource: [
            Item(next(number), random.choice(LAYERS).value, random.choice((0.1, 0.4, 0.7)), mend)
            for mend in random.choices("abc", k=random.randrange(1, 5))
        ]
        for resource in resources
    }
    owned = {i.finding: RepairKey(r, i.mend) for r, found in items.items() for i in found}
    reach = {
        service: [
            (service, 1.0),
            *((r, random.choice((0.3, 0.8, 1.0))) for r in random.sample(resources, 3)),
        ]
        for service in services
    }
    combos = {}
    for service in services:
        beneath = [i.finding for r, _ in reach[service] for i in items.get(r, ())]
        picked = [random.sample(beneath, min(2, len(beneath))) for _ in range(2)]
        combos[service] = [
            Combo(
                2000 + service,
                random.choice((0.5, 1.2)),
                tuple(part(*chosen) for chosen in picked),
                frozenset(owned[f] for chosen in picked for f in chosen),
            )
        ]
    return World(reach, items, combos)


def brute_force(world: World, removed: set[int]) -> float:
    total = 0.0
    for reached in world.reach.values():
        lines = [
            (str(i.finding), i.layer, i.hazard * a)
            for resource, a in reached
            for i in world.items.get(resource, ())
            if i.finding not in removed
        ]
        lines += [
            (str(c.finding), COMBINATION, c.hazard * a)
            for resource, a in reached
            for c in world.combos.get(resource, ())
            if c.holds(removed)
        ]
        total += service_score(lines).value
    return total


def test_greedy_is_exact_on_random_estates() -> None:
    """Bounds only save work: at every step the choice is the best of all, computed by brute force."""
    for seed in range(60):
        world = random_world(Random(seed))
        planner = Planner(world)
        removed: set[int] = set()
        for step in planner.greedy(4):
            now = brute_force(world, removed)
            values = {
                repair: now - brute_force(world, removed | set(planner.members(repair)))
                for repair in Planner(world).repairs()
            }
            assert step.value == pytest.approx(max(values.values())), f"seed {seed}"
            assert step.value == pytest.approx(values[step.repair]), f"seed {seed}"
            removed |= set(planner.members(step.repair))
            assert step.total == pytest.approx(brute_force(world, removed)), f"seed {seed}"


def test_what_was_cut_is_read_before_it_is_taken_away() -> None:
    every = [Item(n, "container", 0.3, "rebuild") for n in range(100)]
    kept = [Item(200, "container", 0.2, "pin")]
    world = World({1: [(2, 1.0)]}, {2: [*every[:64], *kept]}, cut={2}, load=lambda _: every + kept)
    planner = Planner(world)
    step = planner.plan(RepairKey(2, "rebuild"))
    assert len(planner.members(RepairKey(2, "rebuild"))) == 100
    assert step.total == pytest.approx(service_score([("200", "container", 0.2)]).value)


@pytest.mark.parametrize(
    ("layer", "traits", "vulnerability", "expected"),
    [
        (Layer.CONTAINER, (), True, "rebuild"),
        (Layer.CONTAINER, ("vuln",), False, "rebuild"),
        (Layer.VM, ("vuln",), False, "renew"),
        (Layer.IDENTITY, ("priv", "exposed"), False, "narrow"),
        (Layer.IDENTITY, ("wide",), False, "narrow"),
        (Layer.STORAGE, ("exposed", "writable"), False, "close"),
        (Layer.NETWORK, ("exposed",), False, "close"),
        (Layer.CONTAINER, ("mutable",), False, "pin"),
        (Layer.IDENTITY, ("cred",), False, "vault"),
        (Layer.SERVICE, ("root",), False, "setting:a-rule"),
    ],
)
def test_one_action_mends(
    layer: Layer, traits: tuple[str, ...], vulnerability: bool, expected: str
) -> None:
    mend = mend_of("a-rule", layer, traits, vulnerability=vulnerability)
    assert mend == expected
    assert "thing" in words_of(mend, "thing", "A title")
    assert 1 <= cost_of(mend) <= 5


def test_a_switch_is_cheaper_than_a_rebuild() -> None:
    assert cost_of("close") < cost_of(SETTING + "x") < cost_of("rebuild") < cost_of("renew")
