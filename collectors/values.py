"""A cloud's answers as plain JSON, and the field paths that reach into them."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, NamedTuple

from undercroft.model import Json

__all__ = ["find", "jsonable", "mappings", "when"]


_PLAIN = frozenset({str, bool, int, float, type(None)})


def jsonable(value: Any) -> Any:
    """``value`` with times as RFC 3339 strings in UTC and bytes as base64 text."""
    # By exact type first: most of an answer is text, and asking for a Mapping is slow.
    kind = type(value)
    if kind in _PLAIN or isinstance(value, str | int | float):
        return value
    if kind is dict or isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    if isinstance(value, datetime):
        return when(value)
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode("ascii")
    return str(value)


def when(moment: datetime) -> str:
    """RFC 3339 in UTC. A time without a zone is taken as UTC, as clouds mean it."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")


def find(value: Json, path: str) -> Iterator[tuple[str, Json]]:
    """Every place that ``path`` reaches, as (concrete path, value there).

    A path is field names joined by dots; ``Name[]`` goes through a list, and a name with ``*``
    matches fields: ``Containers[].Image`` → ``Containers[0].Image``. Absent fields reach nothing.
    """
    steps = _steps(path)
    if isinstance(value, Mapping) and (steps[0].wild or steps[0].name in value):
        yield from _walk(value, steps, 0, "")


class _Step(NamedTuple):
    name: str
    through_list: bool
    wild: bool


@lru_cache(maxsize=1024)
def _steps(path: str) -> tuple[_Step, ...]:
    return tuple(
        _Step(step.removesuffix("[]"), step.endswith("[]"), "*" in step) for step in path.split(".")
    )


def _walk(value: Json, steps: tuple[_Step, ...], index: int, at: str) -> Iterator[tuple[str, Json]]:
    if index == len(steps):
        yield at, value
        return
    if not isinstance(value, Mapping):
        return
    step = steps[index]
    names = [key for key in value if fnmatchcase(key, step.name)] if step.wild else (step.name,)
    for name in names:
        if name not in value:
            continue
        here = f"{at}.{name}" if at else name
        found = value[name]
        if not step.through_list:
            yield from _walk(found, steps, index + 1, here)
        elif isinstance(found, Sequence) and not isinstance(found, str):
            for number, item in enumerate(found):
                yield from _walk(item, steps, index + 1, f"{here}[{number}]")


def mappings(value: Json) -> Iterator[Mapping[str, Json]]:
    """The objects in a list; nothing if it is not a list."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        yield from (item for item in value if isinstance(item, Mapping))
