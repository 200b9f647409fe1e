"""Every rule carries examples; here they are run. ``undercroft rules test`` shows the result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rules.engine import Engine
from rules.schema import Combination, Example, Pack, Rule
from undercroft.model import Layer, Observation, Outcome, Presence, Resource
from undercroft.relations import Relation

__all__ = ["ExampleResult", "run_examples"]

NOW = "2026-06-01T00:00:00Z"
"""The time at which examples are judged unless they say otherwise."""

_EXPECTED = {"fails": Outcome.FAIL, "passes": None, "unknown": Outcome.UNKNOWN}


@dataclass(frozen=True, slots=True)
class ExampleResult:
    """What came of one example."""

    rule: str
    index: int
    """Position among the rule's examples, from 0."""
    expect: str
    ok: bool
    detail: str = ""
    """What came out instead; empty if ok."""


def run_examples(pack: Pack) -> list[ExampleResult]:
    """Judge every example of every rule and combination of the pack."""
    engine = Engine(pack)
    results: list[ExampleResult] = []
    for rule in pack.rules:
        for index, example in enumerate(rule.examples):
            found = _judge(engine, rule, example)
            results.append(_compare(rule.id, index, example, found))
    for combination in pack.combinations:
        for index, example in enumerate(combination.examples):
            found = _combine(engine, pack, combination, example)
            results.append(_compare(combination.id, index, example, found))
    return results


def _judge(engine: Engine, rule: Rule, example: Example) -> list[Observation]:
    data = example.data
    described: Mapping[str, Any] = data.get("resource") or {}
    resource_type = described.get("type") or rule.on[0].replace("*", "example")
    resource = Resource(
        key=described.get("key", "example"),
        provider="example",
        account=described.get("account", "111122223333"),
        region=described.get("region", "eu-central-1"),
        type=resource_type,
        layer=rule.layer,
        name=described.get("name", "example"),
        tags=data.get("tags") or {},
        config=data.get("config") or {},
        facts=data.get("facts") or {},
        unknown=_unknown(data),
        implied=bool(described.get("implied")),
        presence=rule.presence,
    )
    found = engine.judge(resource, data.get("now") or NOW)
    return [observation for observation in found if observation.rule == rule.id]


def _unknown(data: Mapping[str, Any]) -> dict[str, str]:
    return dict.fromkeys(data.get("unknown") or (), "denied: an example")


def _compare(
    rule: str, index: int, example: Example, found: Sequence[Observation]
) -> ExampleResult:
    wanted = _EXPECTED[example.expect]
    fails = [o for o in found if o.outcome is Outcome.FAIL]
    problem = ""
    if wanted is None and found:
        problem = f"{found[0].outcome}: {found[0].title} {found[0].reason}".strip()
    elif wanted is not None and not any(o.outcome is wanted for o in found):
        problem = f"{found[0].outcome}: {found[0].reason}" if found else "passes"
    elif wanted is Outcome.UNKNOWN and fails:
        problem = f"fails: {fails[0].title}"
    elif "severity" in example.data and fails[0].severity != example.data["severity"]:
        problem = f"severity {fails[0].severity}"
    elif "count" in example.data and len(fails) != example.data["count"]:
        problem = f"{len(fails)} findings"
    return ExampleResult(rule, index, example.expect, not problem, problem)


class _SmallEstate:
    """The graph of a combination's example: a root, what is beneath it, and other services."""

    def __init__(
        self,
        root: Resource,
        beneath: Iterable[Resource],
        others: _Others,
        onto: Mapping[str, Iterable[tuple[str, Relation]]],
    ) -> None:
        self._onto = onto
        self._beneath = {root.key: [root.key, *(r.key for r in beneath)]}
        self._resources = {root.key: root} | {r.key: r for r in beneath}
        for other, lower in others:
            self._beneath[other.key] = [other.key, *(r.key for r in lower)]
            self._resources |= {r.key: r for r in (other, *lower) if r.key not in self._resources}

    def resource(self, key: str) -> Resource | None:
        return self._resources.get(key)

    def is_stub(self, key: str) -> bool:
        found = self._resources.get(key)
        return found is not None and found.presence is Presence.STUB

    def services(self) -> Iterable[str]:
        return list(self._beneath)

    def beneath(self, key: str) -> Mapping[str, float]:
        return dict.fromkeys(self._beneath[key], 1.0)

    def onto(self, key: str) -> Iterable[tuple[str, Relation]]:
        return self._onto.get(key, ())


_Others = Sequence[tuple[Resource, Sequence[Resource]]]


def _combine(
    engine: Engine, pack: Pack, combination: Combination, example: Example
) -> list[Observation]:
    data = example.data
    root = _resource(data.get("root") or {}, "root", combination.on[0].replace("*", "example"))
    described = list(_numbered(data.get("beneath") or (), "beneath"))
    beneath = [_resource(item, key, "") for key, item in described]
    observations = {root.key: _observations(pack, data.get("root") or {}, root)}
    for (_, item), resource in zip(described, beneath, strict=True):
        observations[resource.key] = _observations(pack, item, resource)
    others: list[tuple[Resource, Sequence[Resource]]] = []
    # What does not say how it is stood on is a part of the workload.
    onto = {
        root.key: [
            (resource.key, Relation(item.get("via", Relation.SAME_WORKLOAD)))
            for (_, item), resource in zip(described, beneath, strict=True)
        ]
    }
    for key, item in _numbered(data.get("others") or (), "other"):
        lower = [
            _resource(child, name, "")
            for name, child in _numbered(item.get("beneath") or (), f"{key}/beneath")
        ]
        others.append((_resource(item, key, ""), lower))
    found = engine.combine(_SmallEstate(root, beneath, others, onto), observations)
    return [o for o in found if o.rule == combination.id and o.resource == root.key]


def _numbered(items: Iterable[Any], prefix: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
    return ((f"{prefix}[{position}]", item) for position, item in enumerate(items))


def _resource(item: Mapping[str, Any], key: str, resource_type: str) -> Resource:
    return Resource(
        key=item.get("key", key),
        provider="example",
        account="111122223333",
        region="eu-central-1",
        type=item.get("type", resource_type),
        layer=Layer.SERVICE,
        name=item.get("name", key),
        config=item.get("config") or {},
        facts=item.get("facts") or {},
        unknown=_unknown({"unknown": item.get("unread")}),
        presence=Presence(item.get("presence", "read")),
    )


def _observations(pack: Pack, item: Mapping[str, Any], resource: Resource) -> list[Observation]:
    """Observations as the named rules would make them; ``traits`` (or ``doubtful`` ones, with a
    ``layer``) as some rule would.
    """
    found: list[Observation] = [
        Observation(
            rule="example",
            resource=resource.key,
            outcome=outcome,
            layer=Layer(item.get("layer", Layer.SERVICE)),
            title="An example",
            traits=tuple(item[key]),
            reason="" if outcome is Outcome.FAIL else "denied: an example",
        )
        for key, outcome in (("traits", Outcome.FAIL), ("doubtful", Outcome.UNKNOWN))
        if item.get(key)
    ]
    for key, outcome in (("fails", Outcome.FAIL), ("unknown", Outcome.UNKNOWN)):
        for rule_id in item.get(key) or ():
            rule = pack.find(rule_id)
            if not isinstance(rule, Rule):
                raise KeyError(f"{rule_id} is no rule of this pack")
            traits = (*rule.traits, *(t for when in rule.traits_when for t in when.traits))
            found.append(
                Observation(
                    rule=rule.id,
                    resource=resource.key,
                    outcome=outcome,
                    severity=rule.severity,
                    layer=rule.layer,
                    title=rule.title,
                    traits=traits,
                    reason="" if outcome is Outcome.FAIL else "denied: an example",
                )
            )
    return found
