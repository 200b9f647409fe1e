"""Dotted paths into a resource: ``config.VpcConfig.Subnets``, ``config.Variants[].ModelName``.

``[]`` stands for every item of a list. Paths are data of rules and screens, not expressions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

__all__ = ["MISSING", "covers", "is_unread", "lookup"]


class _Missing:
    """What a path leads to if nothing is there; tells absence from an explicit null."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()


def lookup(root: Mapping[str, Any], path: str) -> Any:
    """The value at ``path``, or ``MISSING``; with ``[]``, the list of all values that exist."""
    parts, through_list, rest = _split(path)
    value: Any = root
    for part in parts:
        # dict first: checking against the abstract Mapping costs more than the lookup itself.
        if not isinstance(value, dict) and not isinstance(value, Mapping):
            return MISSING
        if part not in value:
            return MISSING
        value = value[part]
    if not through_list:
        return value
    if not isinstance(value, list | tuple):
        return MISSING
    if not rest:
        return list(value)
    found: list[Any] = []
    for item in value:
        inner = lookup(item, rest) if isinstance(item, Mapping) else MISSING
        if isinstance(inner, _Missing):
            continue
        if "[]" in rest:
            found.extend(inner)
        else:
            found.append(inner)
    return found


@lru_cache(maxsize=4096)
def _split(path: str) -> tuple[tuple[str, ...], bool, str]:
    """Names up to the first list, whether there is one, and the path within its items."""
    head, marker, rest = path.partition("[]")
    return tuple(head.split(".")) if head else (), bool(marker), rest.removeprefix(".")


def covers(upper: str, path: str) -> bool:
    """Whether ``path`` is ``upper`` itself or lies beneath it."""
    return path.startswith(upper) and (len(path) == len(upper) or path[len(upper)] in ".[")


def is_unread(unknown: Iterable[str], path: str, *, present: bool | None = None) -> bool:
    """Whether what ``path`` leads to is not fully known.

    ``present`` tells a question about presence (``has``) from one about the value: presence is
    known as soon as anything is there, a value only if nothing beneath it is missing.
    """
    for gap in unknown:
        if covers(gap, path):
            return True
        if covers(path, gap) and not present:
            return True
    return False
