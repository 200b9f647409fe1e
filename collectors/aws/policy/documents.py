"""A policy document taken apart: statements, principals, conditions, patterns.

Accepts what AWS hands out: JSON text, URL-encoded JSON text, or an already decoded mapping, with
single values and lists used interchangeably.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

__all__ = [
    "Condition",
    "PolicyError",
    "Statement",
    "decode",
    "parse_policy",
    "wildcard_match",
]


class PolicyError(ValueError):
    """The text is not a policy document."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One test of a statement: ``operator`` over ``key`` with ``values`` (any of them)."""

    operator: str
    """Lower case, without the set prefix and the ``IfExists`` suffix: ``stringequals``."""
    key: str
    """Lower case, as condition keys are not case-sensitive: ``aws:sourceaccount``."""
    values: tuple[str, ...]
    if_exists: bool = False
    """Also true when the request does not carry the key (``…IfExists``, ``ForAllValues:…``)."""

    @property
    def negative(self) -> bool:
        """Whether it excludes its values instead of asking for one of them."""
        return "not" in self.operator


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. Of ``actions``/``not_actions`` (and the like) one is always empty."""

    label: str
    """Its ``Sid``, or ``statement 3`` (counted from 1)."""
    allow: bool
    actions: tuple[str, ...]
    not_actions: tuple[str, ...]
    resources: tuple[str, ...]
    not_resources: tuple[str, ...]
    principals: tuple[tuple[str, str], ...]
    """(kind, value): ``("AWS", "*")``, ``("Service", "sagemaker.amazonaws.com")``."""
    not_principals: tuple[tuple[str, str], ...]
    conditions: tuple[Condition, ...]

    def covers_action(self, action: str) -> bool:
        """Whether it speaks of this action (never case-sensitive)."""
        if self.not_actions:
            return not any(wildcard_match(p, action, fold=True) for p in self.not_actions)
        return any(wildcard_match(p, action, fold=True) for p in self.actions)

    def covers_resource(self, resource: str) -> bool:
        """Whether it speaks of this resource; a statement without resources (trust) covers all."""
        if self.not_resources:
            return not any(wildcard_match(p, resource) for p in self.not_resources)
        return not self.resources or any(wildcard_match(p, resource) for p in self.resources)


def decode(document: str | Mapping[str, Any]) -> dict[str, Any]:
    """The document as a dictionary. Raises PolicyError if it is not JSON or not an object."""
    if isinstance(document, Mapping):
        return dict(document)
    text = document.strip()
    if text.startswith("%"):
        text = unquote(text)
    try:
        value = json.loads(text)
    except ValueError as error:
        raise PolicyError(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise PolicyError("a policy must be an object")
    return value


def parse_policy(document: str | Mapping[str, Any]) -> tuple[Statement, ...]:
    """Every statement of a policy document. Raises PolicyError if it is not one."""
    listed = decode(document).get("Statement", [])
    statements = [listed] if isinstance(listed, Mapping) else listed
    if not isinstance(statements, Sequence) or isinstance(statements, str):
        raise PolicyError("Statement must be a list")
    return tuple(_statement(item, index) for index, item in enumerate(statements, start=1))


def wildcard_match(pattern: str, text: str, *, fold: bool = False) -> bool:
    """IAM's patterns: ``*`` any run of characters, ``?`` exactly one, everything else itself."""
    if fold:
        pattern, text = pattern.lower(), text.lower()
    if pattern == "*":
        return True
    if "*" not in pattern and "?" not in pattern:
        return pattern == text
    return _match(pattern, text)


def _match(pattern: str, text: str) -> bool:
    # Two places and one way back: never slower than pattern times text, unlike a regular
    # expression, since patterns come from whoever wrote the policy.
    at = here = 0
    star = resume = -1
    while here < len(text):
        if at < len(pattern) and pattern[at] == "*":
            star, resume = at, here
            at += 1
        elif at < len(pattern) and pattern[at] in ("?", text[here]):
            at += 1
            here += 1
        elif star >= 0:
            resume += 1
            at, here = star + 1, resume
        else:
            return False
    return all(character == "*" for character in pattern[at:])


def _statement(item: object, index: int) -> Statement:
    if not isinstance(item, Mapping):
        raise PolicyError(f"statement {index} must be an object")
    effect = item.get("Effect")
    if effect not in ("Allow", "Deny"):
        raise PolicyError(f"statement {index} must say Allow or Deny")
    return Statement(
        label=str(item.get("Sid") or f"statement {index}"),
        allow=effect == "Allow",
        actions=_strings(item.get("Action")),
        not_actions=_strings(item.get("NotAction")),
        resources=_strings(item.get("Resource")),
        not_resources=_strings(item.get("NotResource")),
        principals=tuple(_principals(item.get("Principal"))),
        not_principals=tuple(_principals(item.get("NotPrincipal"))),
        conditions=tuple(_conditions(item.get("Condition"))),
    )


def _strings(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(_text(entry) for entry in value)
    return (_text(value),)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _principals(value: object) -> Iterable[tuple[str, str]]:
    if value is None:
        return
    if isinstance(value, Mapping):
        for kind, entries in value.items():
            for entry in _strings(entries):
                yield str(kind), entry
    else:
        for entry in _strings(value):
            yield "AWS", entry


def _conditions(value: object) -> Iterable[Condition]:
    if not isinstance(value, Mapping):
        return
    for written, tests in value.items():
        prefix, _, operator = str(written).lower().rpartition(":")
        # "For all values" is true of a request without the key, too.
        if_exists = operator.endswith("ifexists") or prefix == "forallvalues"
        operator = operator.removesuffix("ifexists")
        if isinstance(tests, Mapping):
            for key, values in tests.items():
                yield Condition(operator, str(key).lower(), _strings(values), if_exists)
