"""A rule, compiled: how one resource is asked one question.

Answers come in three values. Evidence, titles and the rest are only worked out for what fails.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rules.expression import Expression, bind, compile_expression, compile_table, plain_data
from rules.moments import Moments
from rules.paths import MISSING, is_unread, lookup
from rules.schema import Rule
from undercroft.model import Evidence, Observation, Outcome, Resource, Severity

__all__ = ["PLACEHOLDER", "Program"]

_ITEM_PATH = re.compile(r"item((\.\w+)+)")
PLACEHOLDER = re.compile(r"\{(at|show)\.(\w+)\}")
"""What a rule's title may hold."""
_NOWHERE: Mapping[str, str] = {}
"""The place of a finding that its resource can only have once."""
_MOST_ITEMS = 2_000
"""Items of a list per evaluation: the CEL library ends one that goes through more than 10,000."""
_MOST_EVIDENCE = 12
"""Places shown for one finding that has several (the same package in several digests)."""


class Program:
    """One compiled rule."""

    __slots__ = ("_cells", "_fixed", "_paths", "_severities", "_table", "_traits", "fails", "rule")

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.fails = compile_expression(rule.fails_when)
        self._severities = [(compile_expression(w.when), w.severity) for w in rule.severity_when]
        self._traits = [(compile_expression(w.when), w.traits) for w in rule.traits_when]
        self._cells = _cells(rule)
        self._table = compile_table(self._table_text()) if rule.each else None
        self._paths = rule.evidence or (self.fails.paths if not rule.each else ("item",))
        self._fixed = not (
            rule.identity_id or rule.severity_when or rule.traits_when or rule.show or rule.cve
        )

    @property
    def timeless(self) -> bool:
        """Whether the answer depends on the resource alone, not on the time."""
        return not any("now" in expression.names for expression in self._expressions())

    @property
    def moments(self) -> Moments:
        """When the answer may change as time goes by."""
        return Moments(self._expressions(), self.rule.each)

    def _expressions(self) -> list[Expression]:
        return [
            self.fails,
            *(expression for expression, _ in self._severities),
            *(expression for expression, _ in self._traits),
            *self._cells.values(),
        ]

    def touches(self, unknown: Mapping[str, str], data: Mapping[str, Any]) -> bool:
        """Whether something that the answer needs could not be read."""
        if self.rule.each and is_unread(unknown, self.rule.each):
            return True
        return any(expression.touches(unknown, data) for expression in self._expressions())

    def judge(self, resource: Resource, data: Mapping[str, Any]) -> Sequence[Observation]:
        """Every fail, and one unknown if something could not be decided (the careful way)."""
        if self.rule.each:
            return self._judge_each(resource, data)
        verdict = _ask(self.fails, resource, data)
        if verdict is False:
            return ()
        if verdict is True:
            return (self._failed(resource, data, {}),)
        return (self.undecided(resource, data, verdict),)

    def fail(self, resource: Resource, data: Mapping[str, Any]) -> Observation:
        """The observation for a resource whose condition came out true."""
        if not self._fixed:
            return self._failed(resource, data, {})
        rule = self.rule
        # In the order of the fields: naming fourteen of them doubles the cost of the commonest fail.
        return Observation(
            rule.id,
            resource.key,
            Outcome.FAIL,
            _NOWHERE,
            rule.severity,
            rule.layer,
            rule.title,
            rule.threat,
            self._evidence(data, None),
            rule.traits,
        )

    def judge_list(
        self, resource: Resource, data: Mapping[str, Any], activation: Any
    ) -> Sequence[Observation]:
        """As ``judge`` for a rule with ``each``, in one evaluation if no item is in doubt."""
        if self._table is None:
            raise TypeError(f"{self.rule.id} has no list")
        items = lookup(data, self.rule.each)
        names = list(self._cells)
        merged = _Merged()
        for part, bound in _parts(data, self.rule.each, items, activation):
            value = self._table.eval(bound)
            if value.type().name() == "ERROR":
                return self._judge_each(resource, data)
            for position, row in enumerate(value.plain_value()):
                if row:
                    cells = dict(zip(names, row[3:], strict=True))
                    merged.add(
                        self._item_failed(data, part[position], cells, row[1], row[2], resource)
                    )
        return merged.observations()

    def _table_text(self) -> str:
        """CEL for all items at once: per item no cells if it passes, else one text per detail."""
        severity = '""'
        for position, (expression, _) in reversed(list(enumerate(self._severities))):
            severity = f'(({expression.text}) ? "{position}" : {severity})'
        traits = '""'
        for position, (expression, _) in enumerate(self._traits):
            traits += f' + (({expression.text}) ? "{position}," : "")'
        cells = ['"f"', severity, traits, *(cell.text for cell in self._cells.values())]
        return f"{self.rule.each}.map(item, ({self.fails.text}) ? [{', '.join(cells)}] : [])"

    def _judge_each(self, resource: Resource, data: Mapping[str, Any]) -> Sequence[Observation]:
        rule = self.rule
        items = lookup(data, rule.each)
        if is_unread(resource.unknown, rule.each) or not isinstance(items, list | tuple):
            return (self.undecided(resource, data, f"{rule.each} is not a list"),)
        data = {name: plain_data(value) for name, value in data.items()}
        merged = _Merged()
        doubt: Observation | None = None
        for item in items:
            bound = {**data, "item": item}
            verdict = _ask(self.fails, resource, bound)
            if verdict is False:
                continue
            if verdict is not True:
                doubt = doubt or self.undecided(resource, bound, verdict)
                continue
            cells = {name: _text(cell, bound) for name, cell in self._cells.items()}
            if any(cells[f"at.{name}"] is None for name in rule.at):
                reason = f"an item of {rule.each} does not say which one it is"
                doubt = doubt or self.undecided(resource, bound, reason)
                continue
            severity = next(
                (
                    str(position)
                    for position, (expression, _) in enumerate(self._severities)
                    if _ask(expression, resource, bound) is True
                ),
                "",
            )
            traits = "".join(
                f"{position},"
                for position, (expression, _) in enumerate(self._traits)
                if _ask(expression, resource, bound) is True
            )
            known = {name: text or "" for name, text in cells.items()}
            merged.add(self._item_failed(data, item, known, severity, traits, resource))
        return (*merged.observations(), *([doubt] if doubt else ()))

    def _item_failed(
        self,
        data: Mapping[str, Any],
        item: Any,
        cells: Mapping[str, str],
        severity: str,
        traits: str,
        resource: Resource,
    ) -> Observation:
        rule = self.rule
        extra = [t for position in traits.split(",") if position for t in self._trait(position)]
        return self._observation(
            resource,
            cells,
            self._severities[int(severity)][1] if severity else rule.severity,
            tuple(dict.fromkeys((*rule.traits, *extra))),
            self._evidence(data, item),
        )

    def _trait(self, position: str) -> tuple[str, ...]:
        return self._traits[int(position)][1]

    def _failed(
        self, resource: Resource, data: Mapping[str, Any], cells: Mapping[str, str]
    ) -> Observation:
        rule = self.rule
        severity, traits = rule.severity, rule.traits
        if not self._fixed:
            cells = {name: _text(cell, data) or "" for name, cell in self._cells.items()}
            for expression, raised in self._severities:
                if _ask(expression, resource, data) is True:
                    severity = raised
                    break
            for expression, more in self._traits:
                if _ask(expression, resource, data) is True:
                    traits = tuple(dict.fromkeys((*traits, *more)))
        return self._observation(resource, cells, severity, traits, self._evidence(data, None))

    def _observation(
        self,
        resource: Resource,
        cells: Mapping[str, str],
        severity: Severity,
        traits: tuple[str, ...],
        evidence: tuple[Evidence, ...],
    ) -> Observation:
        rule = self.rule
        cve = cells.get("cve", "").upper() or None
        return Observation(
            rule=rule.id,
            resource=resource.key,
            outcome=Outcome.FAIL,
            at={name: cells[f"at.{name}"] for name in rule.at},
            severity=severity,
            layer=rule.layer,
            title=PLACEHOLDER.sub(lambda m: cells.get(f"{m[1]}.{m[2]}", ""), rule.title)
            if "{" in rule.title
            else rule.title,
            threat=rule.threat,
            evidence=evidence,
            traits=traits,
            cve=cve,
            cvss=_number(cells.get("cvss", "")),
            vector=cells.get("vector") or None,
            identity=f"VULN:{cve}" if cve else rule.identity_id,
        )

    def _evidence(self, data: Mapping[str, Any], item: Any) -> tuple[Evidence, ...]:
        found: list[Evidence] = []
        for path in self._paths:
            if path == "item":
                found.append(Evidence(f"{self.rule.each}[]", item))
                continue
            if path.startswith("item."):
                value = lookup({"item": item}, path)
                path = f"{self.rule.each}[]{path.removeprefix('item')}"  # noqa: PLW2901
            else:
                value = lookup(data, path)
            found.append(Evidence(path, None if value is MISSING else value))
        return tuple(found)

    def undecided(self, resource: Resource, data: Mapping[str, Any], error: str) -> Observation:
        """The observation for a resource about which the rule cannot say anything."""
        rule = self.rule
        return Observation(
            rule=rule.id,
            resource=resource.key,
            outcome=Outcome.UNKNOWN,
            severity=rule.severity,
            layer=rule.layer,
            title=PLACEHOLDER.sub("…", rule.title),
            threat=rule.threat,
            traits=rule.traits,
            reason=self._reason(resource.unknown, data, error),
        )

    def _reason(self, unknown: Mapping[str, str], data: Mapping[str, Any], error: str) -> str:
        paths = [*([self.rule.each] if self.rule.each else []), *self.fails.paths]
        for path in paths:
            for gap, why in unknown.items():
                if is_unread((gap,), path):
                    return f"{gap}: {why}"
        for path in paths:
            if lookup(data, path) is MISSING:
                return f"{path} is not in what was read"
        return f"cannot be decided: {error.splitlines()[0]}"


def _parts(
    data: Mapping[str, Any], path: str, items: Any, activation: Any
) -> Iterator[tuple[Sequence[Any], Any]]:
    """A list in parts that one evaluation may go through, each with what it is to be evaluated on."""
    if not isinstance(items, list | tuple) or len(items) <= _MOST_ITEMS:
        yield items, activation
        return
    root, *rest = path.split(".")
    for start in range(0, len(items), _MOST_ITEMS):
        part = items[start : start + _MOST_ITEMS]
        inner: Any = part
        for depth in range(len(rest), 0, -1):
            above = lookup(data, ".".join([root, *rest[: depth - 1]]))
            inner = {**above, rest[depth - 1]: inner}
        yield part, bind({**data, root: inner})


class _Merged:
    """Fails of one rule on one resource; two of the same identity become one, the worse one."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, tuple[tuple[str, str], ...]], Observation] = {}

    def add(self, new: Observation) -> None:
        place = (new.identity, tuple(new.at.items()))
        old = self._found.get(place)
        if old is None:
            self._found[place] = new
            return
        worse = new if (new.severity.rank, new.cvss or 0.0) > _weight(old) else old
        traits = tuple(dict.fromkeys((*old.traits, *new.traits)))
        evidence = tuple(
            [*old.evidence, *(e for e in new.evidence if e not in old.evidence)][:_MOST_EVIDENCE]
        )
        self._found[place] = replace(worse, traits=traits, evidence=evidence)

    def observations(self) -> tuple[Observation, ...]:
        return tuple(self._found.values())


def _weight(observation: Observation) -> tuple[int, float]:
    return observation.severity.rank, observation.cvss or 0.0


def _cells(rule: Rule) -> dict[str, Expression]:
    """Name of a detail → the expression for its text; those of ``at`` must have a value."""
    wanted = {f"at.{name}": text for name, text in rule.at.items()}
    optional = {f"show.{name}": text for name, text in rule.show.items()}
    optional |= {
        name: text
        for name, text in (("cve", rule.cve), ("cvss", rule.cvss), ("vector", rule.vector))
        if text
    }
    for name, text in optional.items():
        match = _ITEM_PATH.fullmatch(text)
        wanted[name] = f'has({text}) && {text} != null ? string({text}) : ""' if match else text
    return {name: compile_expression(text, result="string") for name, text in wanted.items()}


def _ask(expression: Expression, resource: Resource, data: Mapping[str, Any]) -> Any:
    """True, False, or the text of what stands in the way."""
    if resource.unknown and expression.touches(resource.unknown, data):
        return expression.guarded(resource.unknown, data).value()
    return expression.eval(bind(data)).value()


def _text(expression: Expression, data: Mapping[str, Any]) -> str | None:
    value = expression.eval(bind(data))
    return str(value.value()) if value.type().name() == "STRING" else None


def _number(text: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
