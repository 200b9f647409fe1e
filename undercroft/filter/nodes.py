"""The tree that a filter line means, and its way back into a line."""

from __future__ import annotations

import unicodedata
from dataclasses import field
from typing import Final, TypeAlias

from undercroft.records import dataclass

__all__ = [
    "RESERVED",
    "And",
    "Node",
    "Not",
    "Or",
    "Term",
    "Value",
    "Word",
    "can_be_typed",
    "typed",
    "unparse",
]

RESERVED: Final = frozenset({"and", "or", "not"})
"""Words that mean something unless they are quoted."""

_BREAKS_WORD: Final = frozenset('()":<>=!')
_BREAKS_VALUE: Final = frozenset('()",<>=!')


@dataclass(frozen=True, slots=True)
class Value:
    """A text with wildcards: literal parts with anything (or nothing) between them."""

    parts: tuple[str, ...]
    """One part: no wildcard. A ``*`` inside a part is a literal one."""

    @property
    def is_wild(self) -> bool:
        """Whether it holds a wildcard."""
        return len(self.parts) > 1

    @property
    def text(self) -> str:
        """As typed, without quotes."""
        return "*".join(self.parts)


@dataclass(frozen=True, slots=True)
class Word:
    """A plain word: occurs anywhere in the text of a row."""

    value: Value
    at: int = field(default=0, compare=False)
    """Zero-based offset in the line it came from."""


@dataclass(frozen=True, slots=True)
class Term:
    """``key:value``, ``key:a,b`` or a comparison; aliases are already resolved."""

    key: str
    op: str
    """``:``, ``>=``, ``<=``, ``>`` or ``<``."""
    values: tuple[Value, ...]
    """Any of them may match; exactly one with a comparison."""
    tag: str = ""
    """NAME of ``tag.NAME``."""
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    """Everything that the child does not match."""

    child: Node


@dataclass(frozen=True, slots=True)
class And:
    """All of them; without children: everything."""

    children: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of them."""

    children: tuple[Node, ...]


Node: TypeAlias = "Word | Term | Not | And | Or"


def can_be_typed(character: str) -> bool:
    """Whether a line may hold it: control characters and lone surrogates cannot be bound to a query."""
    return unicodedata.category(character) not in {"Cc", "Cs"} or character.isspace()


def typed(text: str) -> str:
    """How this very text is typed after ``key:``, whatever it holds.

    What cannot be typed becomes a wildcard.
    """
    parts = [""]
    for character in text:
        if can_be_typed(character):
            parts[-1] += character
        elif len(parts) == 1 or parts[-1]:
            parts.append("")
    return _value(Value(tuple(parts)))


def unparse(node: Node) -> str:
    """The line that parses to this tree; the empty line for a tree that matches everything."""
    match node:
        case Word():
            return _word(node.value)
        case Term():
            name = f"tag.{_tag(node.tag)}" if node.key == "tag" else node.key
            return f"{name}{node.op}{','.join(_value(value) for value in node.values)}"
        case Not():
            return f"-{_within(node.child, And, Or)}"
        case And():
            return " ".join(_within(child, And, Or) for child in node.children)
        case Or():
            return " or ".join(_within(child, Or) for child in node.children)


def _within(node: Node, *grouped: type) -> str:
    text = unparse(node)
    return f"({text})" if isinstance(node, grouped) else text


def _word(value: Value) -> str:
    first, *rest = value.parts
    reserved = not rest and first.lower() in RESERVED
    if reserved or first.startswith("-") or (not first and not rest):
        first = _quoted(first)
    else:
        first = _bare(first, _BREAKS_WORD)
    return "*".join([first, *(_bare(part, _BREAKS_WORD) for part in rest)])


def _value(value: Value) -> str:
    if value.parts == ("",):
        return '""'
    return "*".join(_bare(part, _BREAKS_VALUE) for part in value.parts)


def _tag(name: str) -> str:
    return _bare(name, _BREAKS_WORD | {",", "*"})


def _bare(part: str, breaks: frozenset[str] | set[str]) -> str:
    if any(c in breaks or c == "*" or c.isspace() for c in part):
        return _quoted(part)
    return part


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
