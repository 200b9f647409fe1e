"""One YAML entry → ``Rule`` or ``Combination``: types, allowed keys and values, with suggestions."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, TypeVar

from rules.check import check_combination, check_rule
from rules.schema import (
    Combination,
    Example,
    Fix,
    Need,
    PackError,
    Rule,
    SeverityWhen,
    TraitsWhen,
)
from undercroft.model import Layer, Presence, Severity, Threat
from undercroft.relations import Relation

__all__ = ["TRAITS", "read_entry", "retired_id"]

TRAITS = frozenset(
    {
        "blind",
        "cred",
        "egress",
        "exploit",
        "exploited",
        "exposed",
        "feeds",
        "mutable",
        "priv",
        "readable",
        "root",
        "sensitive",
        "unguarded",
        "vuln",
        "wide",
        "writable",
    }
)
"""What findings contribute to combinations and repairs; one set of names over all clouds.

``wide``: more rights than are used, mended as ``priv`` is, without being an ingredient by itself.
"""

OUTCOMES = ("fails", "passes", "unknown")
EXAMPLE_KEYS = {"config", "facts", "tags", "unknown", "resource", "now", "severity", "count"}
ESTATE_KEYS = {"root", "beneath", "others"}

_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_EnumT = TypeVar("_EnumT", bound=StrEnum)


class _Entry:
    """One mapping of a file: takes typed values out of it and complains about the rest."""

    def __init__(self, data: Mapping[str, Any], file: str, rule: str, path: str = "") -> None:
        self.data = data
        self.file = file
        self.rule = rule
        self.path = path
        self.asked: set[str] = set()

    def fail(self, problem: str, key: str = "") -> PackError:
        place = ".".join(part for part in (self.path, key) if part)
        return PackError(problem, file=self.file, rule=self.rule, key=place)

    def done(self) -> None:
        for key in self.data:
            if key not in self.asked:
                raise self.fail(f"is not a known key{_hint(str(key), self.asked)}", str(key))

    def raw(self, key: str) -> Any:
        self.asked.add(key)
        return self.data.get(key)

    def text(self, key: str, default: str | None = None) -> str:
        value = self.raw(key)
        if value is None and default is not None:
            return default
        if value is None:
            raise self.fail("is missing", key)
        if not isinstance(value, str) or not value.strip():
            raise self.fail("must be text", key)
        return value.strip()

    def number(self, key: str, default: float) -> float:
        value = self.raw(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.fail("must be a number", key)
        return value

    def enum(self, key: str, kind: type[_EnumT], default: _EnumT | None = None) -> _EnumT:
        value = self.raw(key)
        if value is None and default is not None:
            return default
        known = {str(member) for member in kind}
        if value is None or value not in known:
            shown = "is missing" if value is None else f'"{value}" is not one of its values'
            raise self.fail(f"{shown} ({', '.join(kind)}){_hint(str(value), known)}", key)
        return kind(value)

    def texts(self, key: str, allowed: frozenset[str] = frozenset()) -> tuple[str, ...]:
        value = self.raw(key)
        if value is None:
            return ()
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list) or not all(isinstance(i, str) and i for i in items):
            raise self.fail("must be a list of text", key)
        for item in items:
            if allowed and item not in allowed:
                raise self.fail(f'"{item}" is not known{_hint(item, allowed)}', key)
        return tuple(items)

    def mapping(self, key: str) -> dict[str, str]:
        value = self.raw(key)
        if value is None:
            return {}
        if not isinstance(value, dict) or not all(
            isinstance(name, str) and isinstance(item, str) for name, item in value.items()
        ):
            raise self.fail("must map names to text", key)
        return dict(value)

    def lists(self, key: str) -> dict[str, tuple[str, ...]]:
        value = self.raw(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self.fail("must be a mapping", key)
        inner = _Entry(value, self.file, self.rule, f"{self.path}{key}")
        return {str(name): inner.texts(name) for name in value}

    def children(self, key: str) -> list[_Entry]:
        value = self.raw(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.fail("must be a list of mappings", key)
        return [
            _Entry(item, self.file, self.rule, f"{key}[{position}]")
            for position, item in enumerate(value)
        ]

    def child(self, key: str) -> _Entry | None:
        value = self.raw(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.fail("must be a mapping", key)
        return _Entry(value, self.file, self.rule, f"{self.path}{'.' if self.path else ''}{key}")


def retired_id(data: Mapping[str, Any], file: str, position: int) -> str:
    """The rule that an entry with nothing but ``retired`` names. Raises ``PackError``."""
    entry = _Entry(data, file, f"entry {position}")
    rule_id = entry.text("retired")
    if not _ID.fullmatch(rule_id):
        raise entry.fail("must be the id of a rule that no longer exists", "retired")
    return rule_id


def read_entry(data: Mapping[str, Any], file: str, position: int) -> Rule | Combination:
    """Turn one parsed entry into a rule or a combination. Raises ``PackError``."""
    entry = _Entry(data, file, str(data.get("id") or f"entry {position}"))
    rule_id = entry.text("id")
    if not _ID.fullmatch(rule_id):
        raise entry.fail("must be lower-case words joined by hyphens", "id")
    if "needs" in data:
        combination = _combination(entry, rule_id)
        entry.done()
        check_combination(combination)
        return combination
    rule = _rule(entry, rule_id)
    entry.done()
    check_rule(rule)
    return rule


def _rule(entry: _Entry, rule_id: str) -> Rule:
    return Rule(
        id=rule_id,
        title=entry.text("title"),
        layer=entry.enum("layer", Layer),
        on=_types(entry, "on"),
        severity=entry.enum("severity", Severity),
        threat=entry.enum("threat", Threat),
        fails_when=entry.text("fails_when"),
        why=entry.text("why"),
        fix=_fix(entry),
        evidence=entry.texts("evidence"),
        traits=entry.texts("traits", TRAITS),
        traits_when=tuple(_traits_when(child) for child in entry.children("traits_when")),
        severity_when=tuple(_severity_when(child) for child in entry.children("severity_when")),
        each=entry.text("each", ""),
        at=entry.mapping("at"),
        show=entry.mapping("show"),
        identity_id=entry.text("identity_id", ""),
        cve=entry.text("cve", ""),
        cvss=entry.text("cvss", ""),
        vector=entry.text("vector", ""),
        presence=entry.enum("presence", Presence, Presence.READ),
        tier=int(entry.number("tier", 1)),
        version=int(entry.number("version", 1)),
        equivalents=entry.lists("equivalents"),
        frameworks=entry.lists("frameworks"),
        references=entry.texts("references"),
        examples=_examples(entry, EXAMPLE_KEYS),
        file=entry.file,
    )


def _combination(entry: _Entry, rule_id: str) -> Combination:
    needs = tuple(_need(child) for child in entry.children("needs"))
    # A link between resources is an ingredient, too.
    if len(needs) + sum(bool(need.via or need.shared_on) for need in needs) < 2:
        raise entry.fail("must name at least two ingredients", "needs")
    weight = entry.number("weight", 1.0)
    if not 0 < weight < math.inf:
        raise entry.fail("must be above 0", "weight")
    return Combination(
        id=rule_id,
        title=entry.text("title"),
        on=_types(entry, "on"),
        severity=entry.enum("severity", Severity),
        needs=needs,
        why=entry.text("why"),
        fix=_fix(entry),
        weight=float(weight),
        threat=entry.enum("threat", Threat, Threat.DIRECT),
        layer=entry.enum("layer", Layer, Layer.SERVICE),
        tier=int(entry.number("tier", 1)),
        version=int(entry.number("version", 1)),
        equivalents=entry.lists("equivalents"),
        frameworks=entry.lists("frameworks"),
        references=entry.texts("references"),
        examples=_examples(entry, ESTATE_KEYS),
        file=entry.file,
    )


def _need(entry: _Entry) -> Need:
    place = entry.text("place")
    if place not in ("root", "path", "beneath"):
        raise entry.fail(f'"{place}" is not root, path or beneath', "place")
    shared, produces = entry.child("shared_with"), entry.child("produces")
    need = Need(
        place=place,
        any_of=entry.texts("any_of"),
        also=entry.texts("also"),
        resource=entry.text("resource", ""),
        via=tuple(Relation(name) for name in entry.texts("via", frozenset(Relation))),
        along=entry.text("along", ""),
        layers=tuple(Layer(name) for name in entry.texts("layers", frozenset(Layer))),
        holder=entry.text("holder", ""),
        where=entry.text("where", ""),
        least=int(entry.number("least", 1)),
        label=entry.text("label", ""),
        shared_on=_types(shared, "on") if shared else (),
        shared_when=shared.text("when", "true") if shared else "",
        shared_least=int(shared.number("least", 1)) if shared else 1,
        produces_on=_types(produces, "on") if produces else (),
        produces_when=produces.text("when", "true") if produces else "",
        produces_through=produces.text("through") if produces else "",
        produces_from=produces.text("from") if produces else "",
        produces_to=produces.texts("to") if produces else (),
    )
    if need.along not in ("", "entry", "runtime", "own"):
        raise entry.fail(f'"{need.along}" is not entry, runtime or own', "along")
    for name in (*need.any_of, *need.also):
        trait = name.removeprefix("trait:")
        if trait != name and trait not in TRAITS:
            raise entry.fail(f'"{trait}" is no trait{_hint(trait, TRAITS)}', "any_of")
    if [bool(need.any_of), bool(need.resource), produces is not None].count(True) != 1:
        raise entry.fail("must hold exactly one of any_of, resource and produces")
    for part in (entry, shared, produces):
        if part is not None:
            part.done()
    return need


def _types(entry: _Entry, key: str) -> tuple[str, ...]:
    types = entry.texts(key)
    if not types:
        raise entry.fail("is missing", key)
    return types


def _fix(entry: _Entry) -> Fix:
    child = entry.child("fix")
    if child is None:
        raise entry.fail("is missing", "fix")
    fix = Fix(child.text("text"), child.text("command", ""))
    child.done()
    return fix


def _severity_when(entry: _Entry) -> SeverityWhen:
    found = SeverityWhen(entry.text("when"), entry.enum("severity", Severity))
    entry.done()
    return found


def _traits_when(entry: _Entry) -> TraitsWhen:
    found = TraitsWhen(entry.text("when"), entry.texts("traits", TRAITS))
    entry.done()
    return found


def _examples(entry: _Entry, allowed: set[str]) -> tuple[Example, ...]:
    examples: list[Example] = []
    for child in entry.children("examples"):
        if len(child.data) != 1:
            raise child.fail(f"must hold exactly one of {', '.join(OUTCOMES)}")
        expect = next(iter(child.data))
        if expect not in OUTCOMES:
            raise child.fail(f"is not a known key{_hint(str(expect), OUTCOMES)}", str(expect))
        inner = child.child(expect)
        data = inner.data if inner else {}
        for key in data:
            if key not in allowed:
                raise child.fail(f"is not a known key{_hint(str(key), allowed)}", f"{expect}.{key}")
        examples.append(Example(expect, data))
    return tuple(examples)


def _hint(word: str, known: Sequence[str] | set[str] | frozenset[str]) -> str:
    close = get_close_matches(word, list(known), n=1)
    return f'; did you mean "{close[0]}"?' if close else ""
