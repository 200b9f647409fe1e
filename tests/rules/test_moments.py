"""Until when an answer that depends on the time stays as it is."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import pytest

from rules import Engine, load_pack
from rules.program import Program
from tests.rules.support import NOW, pack_of, resource, rule_text
from undercroft.clock import stamp
from undercroft.model import Resource

OLD = 'timestamp(now) - timestamp(config.T) > duration("24h")'
LISTED = "config.L.exists(one, has(one.T) && timestamp(one.T) < timestamp(now))"
SOON = 'timestamp(config.T) < timestamp(now) + duration("48h")'
CHANGES = """  each: facts.found
  at: {id: item.id}
"""


def _until(condition: str, config: Any, *, more: str = "", facts: Any = None) -> str | None:
    engine = Engine(pack_of(rule_text(condition, more=more)))
    return engine.holds_until(resource(config, facts), NOW)


@pytest.mark.parametrize(
    ("condition", "config", "expected"),
    [
        ('config.A == "now"', {"A": "x"}, None),
        (OLD, {"T": "2026-05-31T12:00:00Z"}, "2026-06-01T12:00:00.000000Z"),
        (OLD, {"T": "2026-05-31T12:00:00+02:00"}, "2026-06-01T10:00:00.000000Z"),
        # It has turned already, and nothing makes it turn back.
        (OLD, {"T": "2026-05-01T00:00:00Z"}, None),
        # An error at any time.
        (OLD, {"T": ""}, None),
        (OLD, {"T": None}, None),
        (OLD, {}, None),
        (SOON, {"T": "2026-06-04T00:00:00Z"}, "2026-06-02T00:00:00.000000Z"),
        (LISTED, {"L": [{"T": "2027-01-01T00:00:00Z"}, {"T": "2026-07-01T00:00:00Z"}, {}]},
         "2026-07-01T00:00:00.000000Z"),
        (f"{OLD} || {SOON}", {"T": "2026-06-04T00:00:00Z"}, "2026-06-02T00:00:00.000000Z"),
        ('timestamp(now) > timestamp("2026-10-31T23:59:59Z")', {}, "2026-10-31T23:59:59.000000Z"),
        # At this very moment: whether it has turned is for the rule to say.
        (OLD, {"T": "2026-05-31T00:00:00Z"}, stamp(datetime.fromisoformat(NOW))),
    ],
)  # fmt: skip
def test_an_answer_holds_until_a_comparison_turns(
    condition: str, config: Any, expected: str | None
) -> None:
    assert _until(condition, config) == expected


@pytest.mark.parametrize(
    ("condition", "config"),
    [
        # What the rules' language makes of these is its own affair.
        (OLD, {"T": "yesterday"}),
        (OLD, {"T": "2026-05-31T12:00:00"}),
        (OLD, {"T": 1_780_000_000}),
        # Uses of the present that are not understood.
        ('now.startsWith("2026")', {}),
        ("timestamp(now).getFullYear() > 2026", {}),
        ('timestamp(now) - duration("1h") > timestamp(config.T)', {"T": "2026-01-01T00:00:00Z"}),
        ('timestamp(now) - timestamp(config.T) > duration(config.D)', {"T": "", "D": "1h"}),
        ("timestamp(now) > timestamp(config[config.K])", {"K": "T"}),
        ("config.L.exists(one, timestamp(one) < timestamp(now))", {"L": []}),
        ("config.L.exists(now, now == 1)", {"L": []}),
        (f"[{OLD}][0]", {}),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_asked_again(condition: str, config: Any) -> None:
    assert _until(condition, config) == stamp(datetime.fromisoformat(NOW))


def test_items_of_a_list_are_looked_at() -> None:
    condition = "timestamp(now) > timestamp(item.T)"
    items = [{"id": "a", "T": "2027-01-01T00:00:00Z"}, {"id": "b", "T": "2026-08-01T00:00:00Z"}]
    found = _until(condition, {}, more=CHANGES, facts={"found": items})
    assert found == "2026-08-01T00:00:00.000000Z"


def test_every_shipped_rule_about_time_is_understood() -> None:
    for program in map(Program, load_pack().rules):
        moments = program.moments
        assert moments._turns is not None, program.rule.id
        assert bool(moments._turns) is not program.timeless, program.rule.id


def test_no_answer_changes_before_it_says_so() -> None:
    rng = random.Random(5)
    start = datetime.fromisoformat(NOW)

    def day() -> str:
        return stamp(start + timedelta(hours=rng.randrange(-100, 100)))

    engine = Engine(pack_of(*(
        rule_text(text, rule_id=f"r{number}")
        for number, text in enumerate(
            (OLD, LISTED, SOON, f"!({OLD}) && {LISTED}", f"has(config.U) && {SOON} || {LISTED}",
             'config.A ? timestamp(now) <= timestamp(config.T) : timestamp(config.T) >= timestamp(now) - duration("1h30m")')
        )
    )))  # fmt: skip

    def answer(found: Resource, now: datetime) -> list[tuple[str, str]]:
        return [(str(o.outcome), o.rule) for o in engine.judge_timed(found, stamp(now))]

    turned = 0
    for _ in range(60):
        config = {"T": day(), "L": [{"T": day()}, {}], "A": rng.random() < 0.5}
        found = resource(config | ({"U": 1} if rng.random() < 0.5 else {}))
        now = start + timedelta(hours=rng.randrange(-120, 120), minutes=1)
        until = engine.holds_until(found, stamp(now))
        end = datetime.fromisoformat(until) if until else now + timedelta(days=400)
        assert end > now
        expected = answer(found, now)
        for _ in range(4):
            assert answer(found, now + (end - now) * rng.random()) == expected
        turned += answer(found, end + timedelta(seconds=1)) != expected
    assert turned > 20
