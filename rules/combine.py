"""Combinations: findings beneath one service that are worse together.

Only presence counts, never absence: adding a finding can add a combination, not remove one. A
finding that is unknown, or a resource that could not be read, makes a combination possible
(unknown), so that blindness never looks like safety.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from rules.expression import Expression, bind, compile_expression
from rules.paths import MISSING, is_unread, lookup
from rules.patterns import any_match
from rules.schema import Combination, Need, Pack
from undercroft.model import Evidence, Json, Layer, Observation, Outcome, Presence, Resource
from undercroft.protocols import GraphView
from undercroft.relations import Relation

__all__ = ["Combiner"]

_RUNTIME = frozenset(
    {Relation.SAME_WORKLOAD, Relation.RUNS_ON, Relation.RUNS_IMAGE, Relation.PROTECTED_BY}
)
_ALONG = {
    "entry": _RUNTIME - {Relation.RUNS_IMAGE},
    "runtime": _RUNTIME,
    "own": frozenset(Relation) - {Relation.CONTAINED_IN},
}
"""What ``Need.along`` follows."""
_NO_RELATION: frozenset[Relation] = frozenset()
_MOST_COMPONENTS = 32
"""Resources that are listed for one ingredient of a combination; all of them count."""


class _Component(NamedTuple):
    """One thing that satisfies an ingredient, or may satisfy it."""

    key: str
    certain: bool
    rank: int
    attenuation: float
    value: Json
    reason: str = ""

    @property
    def order(self) -> tuple[bool, int, float, str, str]:
        """Certain first, then worst, then nearest; the rest makes it reproducible."""
        return (not self.certain, -self.rank, -self.attenuation, self.key, str(self.value))


_ORDER = attrgetter("order")


class Combiner:
    """Finds the combinations of a pack in an estate."""

    def __init__(self, pack: Pack) -> None:
        self._pack = pack
        self._wanted = {
            token
            for entry in pack.combinations
            for need in entry.needs
            for token in (*need.any_of, *need.also)
        }
        self._tokens: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = {}
        self._by_type: dict[str, list[Combination]] = {}
        self._possible: dict[str, set[tuple[str, Layer]]] = {}

    def combine(
        self, graph: GraphView, fails: Mapping[str, Sequence[Observation]]
    ) -> list[Observation]:
        """Every combination that holds or may hold. See ``Engine.combine``."""
        if not self._pack.combinations:
            return []
        estate = _Estate(graph, self._index(fails))
        found: list[Observation] = []
        for key in estate.services:
            service = estate.service(key)
            if service is None or service.presence is not Presence.READ:
                continue
            combinations = self._combinations(service.type)
            if combinations:
                view = _View(estate, service, self._could_have)
                found += (o for c in combinations if (o := view.observe(c)) is not None)
        return found

    def _combinations(self, resource_type: str) -> list[Combination]:
        if resource_type not in self._by_type:
            self._by_type[resource_type] = [
                entry for entry in self._pack.combinations if any_match(entry.on, resource_type)
            ]
        return self._by_type[resource_type]

    def _could_have(self, resource_type: str) -> set[tuple[str, Layer]]:
        """(rule id or trait, layer) pairs that a resource of this type might fail."""
        if resource_type not in self._possible:
            self._possible[resource_type] = {
                (token, rule.layer)
                for rule in self._pack.rules
                if any_match(rule.on, resource_type)
                for token in (
                    rule.id,
                    *(f"trait:{trait}" for trait in rule.traits),
                    *(f"trait:{trait}" for when in rule.traits_when for trait in when.traits),
                )
            }
        return self._possible[resource_type]

    def parts(self, observations: Iterable[Observation]) -> list[Observation]:
        """What an ingredient may be made of; see ``Engine.parts``."""
        best: dict[tuple[object, ...], Observation] = {}
        for one in observations:
            if one.outcome not in (Outcome.FAIL, Outcome.UNKNOWN):
                continue
            tokens = self.tokens(one.rule, one.traits)
            if tokens:
                place = (one.rule, one.layer, one.outcome, tokens)
                known = best.get(place)
                if known is None or _is_listed_before(one, known):
                    best[place] = one
        return list(best.values())

    def tokens(self, rule: str, traits: tuple[str, ...]) -> tuple[str, ...]:
        """Those by which some ingredient asks for what a rule says with these traits."""
        known = self._tokens.get((rule, traits))
        if known is None:
            said = (rule, *(f"trait:{trait}" for trait in traits))
            known = tuple(token for token in said if token in self._wanted)
            self._tokens[rule, traits] = known
        return known

    def _index(
        self, fails: Mapping[str, Sequence[Observation]]
    ) -> dict[str, list[tuple[str, Observation]]]:
        """Resource key → (token that some ingredient asks for, observation)."""
        index: dict[str, list[tuple[str, Observation]]] = {}
        alike: dict[int, list[tuple[str, Observation]]] = {}
        for key, observations in fails.items():
            # Many resources may share one list.
            hits = alike.get(id(observations))
            if hits is None:
                hits = alike[id(observations)] = [
                    (token, one)
                    for one in self.parts(observations)
                    for token in self.tokens(one.rule, one.traits)
                ]
            if hits:
                index[key] = hits
        return index


class _Estate:
    """The graph with what is worked out once for all services."""

    def __init__(
        self, graph: GraphView, index: Mapping[str, list[tuple[str, Observation]]]
    ) -> None:
        self.graph = graph
        self.index = index
        self.services = list(graph.services())
        self._shared: dict[tuple[tuple[str, ...], str], dict[str, list[tuple[str, bool]]]] = {}
        self._service: dict[str, Resource | None] = {}
        self._onto: dict[str, tuple[tuple[str, Relation], ...]] = {}
        self._made: dict[Need, dict[str, list[tuple[str, str, bool]]]] = {}

    def service(self, key: str) -> Resource | None:
        """An AI service. All are looked at once, and once more for each kind of thing they share."""
        if key not in self._service:
            self._service[key] = self.graph.resource(key)
        return self._service[key]

    def onto(self, key: str) -> tuple[tuple[str, Relation], ...]:
        """See ``GraphView.onto``; asked for what thousands of services stand on."""
        if key not in self._onto:
            self._onto[key] = tuple(self.graph.onto(key))
        return self._onto[key]

    def sharers(self, need: Need, component: str) -> list[tuple[str, bool]]:
        """Services of the ingredient's kind that stand on ``component`` → whether for certain."""
        place = (need.shared_on, need.shared_when)
        if place not in self._shared:
            table: dict[str, list[tuple[str, bool]]] = {}
            for service, certain in self._others(need.shared_on, need.shared_when):
                for key in self.graph.beneath(service):
                    table.setdefault(key, []).append((service, certain))
            self._shared[place] = table
        return self._shared[place].get(component, [])

    def made_into(self, need: Need, value: str) -> list[tuple[str, str, bool]]:
        """(service, resource through which, certain) that serve the product ``value``."""
        if need not in self._made:
            table: dict[str, list[tuple[str, str, bool]]] = {}
            for service, certain in self._others(need.produces_on, need.produces_when):
                for key in self.graph.beneath(service):
                    through = self.graph.resource(key)
                    if through is None or through.type != need.produces_through:
                        continue
                    for text in _values(through, need.produces_to):
                        table.setdefault(text, []).append((service, key, certain))
            self._made[need] = table
        return self._made[need].get(value, [])

    def _others(self, types: tuple[str, ...], when: str) -> Iterator[tuple[str, bool]]:
        condition = compile_expression(when)
        for key in self.services:
            service = self.service(key)
            if service is None or not any_match(types, service.type):
                continue
            verdict = _ask(condition, {"other": service})
            if verdict is not False:
                yield key, verdict is True


class _View:
    """One service and everything beneath it."""

    def __init__(self, estate: _Estate, service: Resource, could_have: Any) -> None:
        self.estate = estate
        self.service = service
        self.could_have = could_have
        self.beneath = {**estate.graph.beneath(service.key), service.key: 1.0}
        self.hits: dict[str, list[tuple[str, float, Observation]]] = {}
        for key, attenuation in self.beneath.items():
            for token, observation in estate.index.get(key, ()):
                self.hits.setdefault(token, []).append((key, attenuation, observation))
        self._unread: list[Resource] | None = None
        self._along: dict[str, dict[str, set[Relation]]] = {}

    def observe(self, combination: Combination) -> Observation | None:
        """The observation if every ingredient is there or may be there, else None."""
        if any(map(self._lacks, combination.needs)):
            return None
        ingredients: list[list[_Component]] = []
        doubts: list[_Component] = []
        for need in combination.needs:
            components = list(self._components(need))
            if len(components) > 1:
                components.sort(key=_ORDER)
            first: dict[str, _Component] = {}
            for component in components:
                first.setdefault(component.key, component)
            if len(first) < need.least:
                return None
            ingredients.append(components)
            # Certain ones first: so many of them make it certain.
            doubts += [c for c in list(first.values())[: need.least] if not c.certain][:1]
        return Observation(
            rule=combination.id,
            resource=self.service.key,
            outcome=Outcome.UNKNOWN if doubts else Outcome.FAIL,
            severity=combination.severity,
            layer=combination.layer,
            title=combination.title,
            threat=combination.threat,
            weight=combination.weight,
            evidence=tuple(
                evidence
                for slot, (need, found) in enumerate(
                    zip(combination.needs, ingredients, strict=True)
                )
                for evidence in _listed(slot, need, found)
            ),
            reason="; ".join(dict.fromkeys(doubt.reason for doubt in doubts)),
        )

    def _lacks(self, need: Need) -> bool:
        """Whether nothing says what the ingredient is made of: most services lack most of them."""
        return not (
            need.produces_on
            or need.resource
            or self._unread_beneath()
            or not self.hits.keys().isdisjoint(need.any_of)
        )

    def _components(self, need: Need) -> Iterator[_Component]:
        if need.produces_on:
            yield from self._products(need)
            return
        candidates = self._resources(need) if need.resource else self._findings(need)
        for component in candidates:
            if need.via and not self._stands(need, component.key):
                continue
            if need.along and component.key not in self._reached(need.along):
                continue
            if need.also:
                with_it = self._others_of(need, component.key)
                if not with_it and not self._is_unread(component.key):
                    continue
                certain = Outcome.FAIL in with_it.values()
                component = self._and(component, certain, need, component.key)  # noqa: PLW2901
                component = _noting(component, {"also": sorted(with_it)})  # noqa: PLW2901
            if need.shared_on:
                others = self.estate.sharers(need, component.key)
                others = [other for other in others if other[0] != self.service.key]
                if len(others) < need.shared_least:
                    continue
                # Certain ones first: so many of them make it certain.
                others.sort(key=lambda other: (not other[1], other[0]))
                other, certain = others[need.shared_least - 1]
                component = self._and(component, certain, need, other)  # noqa: PLW2901
            if need.where:
                verdict = self._where(need, component.key)
                if verdict is False:
                    continue
                doubt = "" if verdict is True else f" ({verdict})"
                component = self._and(component, not doubt, need, f"{component.key}{doubt}")  # noqa: PLW2901
            yield component

    def _stands(self, need: Need, key: str) -> bool:
        """Whether something on the path stands on it by one of the relations that are asked for."""
        return not self._reached("own").get(key, _NO_RELATION).isdisjoint(need.via)

    def _reached(self, along: str) -> Mapping[str, set[Relation]]:
        """What is reached along some relations → those by which anything reached stands on it."""
        if along not in self._along:
            found: dict[str, set[Relation]] = {self.service.key: set()}
            waiting = [self.service.key]
            while waiting:
                for key, relation in self.estate.onto(waiting.pop()):
                    if key not in self.beneath or relation not in _ALONG[along]:
                        continue
                    if key not in found:
                        found[key] = set()
                        waiting.append(key)
                    found[key].add(relation)
            self._along[along] = found
        return self._along[along]

    def _others_of(self, need: Need, key: str) -> dict[str, Outcome]:
        """Rules among ``need.also`` that speak of the same resource → fail if any does, or unknown."""
        found: dict[str, Outcome] = {}
        for token, observation in self.estate.index.get(key, ()):
            if token in need.also and found.get(observation.rule) is not Outcome.FAIL:
                found[observation.rule] = observation.outcome
        return found

    @staticmethod
    def _and(component: _Component, certain: bool, need: Need, what: str) -> _Component:
        if certain or not component.certain:
            return component
        reason = f"cannot tell whether there is: {need.label or 'a link'}; see {what}"
        return component._replace(certain=False, reason=reason)

    def _findings(self, need: Need) -> Iterator[_Component]:
        for token in need.any_of:
            for key, attenuation, observation in self.hits.get(token, ()):
                if not self._placed(need, key):
                    continue
                if need.layers and observation.layer not in need.layers:
                    continue
                certain = observation.outcome is Outcome.FAIL
                yield _Component(
                    key,
                    certain,
                    observation.severity.rank,
                    attenuation,
                    {**_told(observation), "need": need.label},
                    "" if certain else f"{observation.title}: {observation.reason}",
                )
        for resource in self._unread_beneath():
            if self._placed(need, resource.key) and self._might(need, resource):
                yield self._unseen(need, resource)

    def _resources(self, need: Need) -> Iterator[_Component]:
        for key, attenuation in self.beneath.items():
            resource = self.estate.graph.resource(key)
            if resource is not None and resource.type == need.resource and self._placed(need, key):
                value: Json = {"resource": resource.name, "need": need.label}
                yield _Component(key, True, 0, attenuation, value)

    def _products(self, need: Need) -> Iterator[_Component]:
        path = need.produces_from
        if is_unread(self.service.unknown, path):
            yield _Component(
                self.service.key,
                False,
                0,
                1.0,
                {"need": need.label},
                f"{path} could not be read",
            )
            return
        for value in _values(self.service, (path,)):
            for service, through, certain in self.estate.made_into(need, value):
                yield _Component(
                    through,
                    certain,
                    0,
                    1.0,
                    {"served_by": service, "value": value, "need": need.label},
                    "" if certain else f"whether {service} is in service could not be read",
                )

    def _placed(self, need: Need, key: str) -> bool:
        if need.place == "path":
            return True
        return (key == self.service.key) == (need.place == "root")

    def _is_unread(self, key: str) -> bool:
        return any(resource.key == key for resource in self._unread_beneath())

    def _might(self, need: Need, resource: Resource) -> bool:
        return any(
            token in need.any_of and (not need.layers or layer in need.layers)
            for token, layer in self.could_have(resource.type)
        )

    def _unseen(self, need: Need, resource: Resource) -> _Component:
        name = resource.name or resource.key
        return _Component(
            resource.key,
            False,
            0,
            self.beneath[resource.key],
            {"resource": name, "need": need.label},
            f"{resource.type} {name} could not be read",
        )

    def _unread_beneath(self) -> list[Resource]:
        if self._unread is None:
            graph = self.estate.graph
            resources = (graph.resource(key) for key in self.beneath if graph.is_stub(key))
            self._unread = [resource for resource in resources if resource is not None]
        return self._unread

    def _where(self, need: Need, key: str) -> Any:
        """True if the condition holds for some holder, False if for none, else the doubt."""
        component = self.estate.graph.resource(key)
        if component is None:
            return "the component could not be read"
        condition = compile_expression(need.where)
        bound = {"root": self.service, "component": component}
        doubt: Any = False
        for holder in self._holders(need.holder):
            verdict = _ask(condition, {**bound, "holder": holder})
            if verdict is True:
                return True
            if verdict is not False:
                doubt = verdict
        return doubt

    def _holders(self, resource_type: str) -> Iterable[Resource]:
        if not resource_type:
            return (self.service,)
        resources = (self.estate.graph.resource(key) for key in self.beneath)
        return (r for r in resources if r is not None and r.type == resource_type)


def _told(one: Observation) -> dict[str, Json]:
    """What a combination says of a finding that is part of it."""
    return {
        "rule": one.rule,
        "at": dict(one.at),
        "title": one.title,
        "severity": str(one.severity),
    }


def _is_listed_before(one: Observation, other: Observation) -> bool:
    """As ``_Component.order`` has it for two findings of one resource that are as certain."""
    if one.severity is not other.severity:
        return one.severity.rank > other.severity.rank
    return str(_told(one)) < str(_told(other))


def _listed(slot: int, need: Need, found: Sequence[_Component]) -> Iterator[Evidence]:
    """One ingredient as evidence: per resource the worst that makes it, and what else would.

    ``slot`` tells the ingredients apart; ``any_of``, ``also`` and ``layers`` say which findings of
    the resource keep the ingredient there, so that readers know what breaks it. An ingredient
    without ``any_of`` is there whatever is repaired; ``more`` counts resources that are not listed.
    """
    wanted = [c for c in found if c.certain or not found[0].certain]
    first: dict[str, _Component] = {}
    for component in wanted:
        first.setdefault(component.key, component)
    asked: dict[str, Json] = {"slot": slot}
    if need.any_of:
        asked["any_of"] = list(need.any_of)
    if need.also:
        asked["also_any_of"] = list(need.also)
    if need.layers:
        asked["layers"] = [layer.value for layer in need.layers]
    if len(first) > _MOST_COMPONENTS:
        asked["more"] = len(first) - _MOST_COMPONENTS
    for component in list(first.values())[:_MOST_COMPONENTS]:
        yield Evidence(component.key, _noting(component, asked).value)


def _noting(component: _Component, more: Mapping[str, Json]) -> _Component:
    value = component.value if isinstance(component.value, Mapping) else {}
    return component._replace(value={**value, **more})


def _values(resource: Resource, paths: Iterable[str]) -> list[str]:
    """The texts at these paths of a resource."""
    root = {"config": resource.config, "facts": resource.facts, "tags": resource.tags}
    found: list[str] = []
    for path in paths:
        value = lookup(root, path)
        items = value if isinstance(value, list | tuple) else (value,)
        found += (item for item in items if item is not MISSING and isinstance(item, str) and item)
    return found


def _ask(expression: Expression, resources: Mapping[str, Resource]) -> Any:
    """True, False or the text of a doubt, about resources bound under names."""
    data = {
        name: {
            "key": resource.key,
            "type": resource.type,
            "name": resource.name,
            "account": resource.account,
            "region": resource.region,
            "presence": resource.presence.value,
            # What is read only when looked into (see GraphView) is no dict, which CEL asks for.
            "config": dict(resource.config),
            "facts": dict(resource.facts),
            "tags": resource.tags,
        }
        for name, resource in resources.items()
    }
    unknown = {
        f"{name}.{path}": reason
        for name, resource in resources.items()
        for path, reason in resource.unknown.items()
    }
    # Whether something that was not read exists is not known either.
    unknown |= {
        f"{name}.presence": "was not read"
        for name, resource in resources.items()
        if resource.presence is Presence.STUB
    }
    if any(r.presence is Presence.STUB for n, r in resources.items() if n in ("holder", "other")):
        return "was not read"
    if unknown and expression.touches(unknown, data):
        return expression.guarded(unknown, data).value()
    return expression.eval(bind(data)).value()
