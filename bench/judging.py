"""Judging against the bare CEL library: the same expressions on the same resources."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from bench.measure import Figure, in_turns
from bench.world import NOW, World, stamp
from rules.engine import variables
from rules.expression import bind
from rules.patterns import any_match
from rules.program import Program
from undercroft.model import Presence, Resource

__all__ = ["judging"]

_SAMPLE = 3
"""Every third image is enough."""
_Evaluate = Callable[[Any], Any]


def judging(world: World) -> list[Figure]:
    """CPU time of every rule over every resource: settings, and lists of vulnerabilities."""
    now = stamp(NOW)
    plans = {type_: _expressions(world, type_) for type_ in {item.type for item in world.resources}}

    def figure(what: str, resources: Sequence[Resource]) -> Figure:
        found = sum(len(world.engine.judge(resource, now)) for resource in resources)

        def ours() -> None:
            for resource in resources:
                world.engine.judge(resource, now)

        def bare() -> None:
            for resource in resources:
                activation = bind(variables(resource, now))
                single, lists = plans[resource.type]
                for evaluate in single:
                    with suppress(RuntimeError):  # a list longer than the library goes through
                        evaluate(activation).value()
                for evaluate in lists:
                    with suppress(RuntimeError):
                        evaluate(activation).plain_value()

        asked = {sum(map(len, plans[resource.type])) for resource in resources}
        note = f"{len(resources):,} resources, {found:,} answers, rules {_span(asked)} each"
        return Figure.of(
            what,
            in_turns(ours, bare, rounds=world.rounds(3, grows=True), warm=False),
            2.0,
            note=note,
        )

    images = [item for item in world.resources if item.type == "ecr:image"]
    others = [item for item in world.resources if item.type != "ecr:image"]
    return [
        figure("judge resources with settings", others),
        figure("judge images with vulnerability lists", images[::_SAMPLE]),
    ]


def _expressions(world: World, type_: str) -> tuple[list[_Evaluate], list[_Evaluate]]:
    """The compiled expressions that a resource type is asked: conditions, and those over lists."""
    single: list[_Evaluate] = []
    lists: list[_Evaluate] = []
    for rule in world.pack.rules:
        if rule.presence is not Presence.READ or not any_match(rule.on, type_):
            continue
        program = Program(rule)
        table = program._table  # noqa: SLF001  (one evaluation for all items: what is compared)
        if table is None:
            single.append(program.fails.eval)
        else:
            lists.append(table.eval)
    return single, lists


def _span(numbers: set[int]) -> str:
    return str(min(numbers)) if len(numbers) == 1 else f"{min(numbers)} to {max(numbers)}"
