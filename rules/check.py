"""Whether an entry makes sense beyond its keys and types: every expression compiles, every path is one.

Compiling here costs nothing twice: compiled expressions are kept.
"""

from __future__ import annotations

import re

from rules.expression import Expression, compile_expression
from rules.program import PLACEHOLDER, Program
from rules.schema import Combination, PackError, Rule

__all__ = ["check_combination", "check_rule"]

_EVIDENCE = re.compile(r"(config|facts|tags|resource|item)((\.\w+)|\[\])*")
_LIST_PATH = re.compile(r"(config|facts)(\.\w+)+")
_GRAPH_NAMES = frozenset({"root", "component", "holder", "other"})


def check_rule(rule: Rule) -> None:
    """Compile everything that a rule holds. Raises ``PackError`` naming the key."""
    expressions = {"fails_when": rule.fails_when, "cve": rule.cve, "cvss": rule.cvss}
    expressions |= {"vector": rule.vector}
    expressions |= {f"at.{name}": text for name, text in rule.at.items()}
    expressions |= {f"show.{name}": text for name, text in rule.show.items()}
    expressions |= {f"severity_when[{i}].when": w.when for i, w in enumerate(rule.severity_when)}
    expressions |= {f"traits_when[{i}].when": w.when for i, w in enumerate(rule.traits_when)}
    for key, text in expressions.items():
        if text:
            kind = "bool" if key == "fails_when" or key.endswith(".when") else "string"
            names = _check(rule, key, text, kind).names
            if names & _GRAPH_NAMES:
                raise _problem(rule, key, "may not look at other resources")
            if "item" in names and not rule.each:
                raise _problem(rule, key, 'speaks of "item" but the rule has no each')
    if rule.each and not _LIST_PATH.fullmatch(rule.each):
        raise _problem(rule, "each", "must be the path of a list, such as facts.open_ingress")
    if rule.at and not rule.each:
        raise _problem(rule, "at", "needs each")
    for path in rule.evidence:
        if not _EVIDENCE.fullmatch(path) or (path.startswith("item") and not rule.each):
            raise _problem(rule, "evidence", f'"{path}" is not a path')
    for group, name in PLACEHOLDER.findall(rule.title):
        if name not in (rule.at if group == "at" else rule.show):
            raise _problem(rule, "title", f"{{{group}.{name}}} is not defined")
    try:
        Program(rule)
    except ValueError as error:
        raise _problem(rule, "each", str(error)) from None


def check_combination(combination: Combination) -> None:
    """Compile every expression of a combination. Raises ``PackError`` naming the key."""
    for position, need in enumerate(combination.needs):
        for key, text, allowed in (
            ("where", need.where, {"root", "component", "holder"}),
            ("shared_with.when", need.shared_when, {"other"}),
            ("produces.when", need.produces_when, {"other"}),
        ):
            if not text:
                continue
            place = f"needs[{position}].{key}"
            names = _check(combination, place, text, "bool").names
            foreign = names & ((_GRAPH_NAMES | {"config", "facts", "tags", "now"}) - allowed)
            if "holder" in names and not need.holder:
                raise _problem(combination, place, 'speaks of "holder" but there is none')
            for root in sorted(foreign):
                raise _problem(combination, place, f'"{root}" means nothing here')


def _check(entry: Rule | Combination, key: str, text: str, kind: str) -> Expression:
    try:
        return compile_expression(text, result=kind)
    except ValueError as error:
        raise _problem(entry, key, str(error)) from None


def _problem(entry: Rule | Combination, key: str, problem: str) -> PackError:
    return PackError(problem, file=entry.file, rule=entry.id, key=key)
