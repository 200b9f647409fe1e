"""Two JSON values, field by field: what is different between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from undercroft.model import Json

__all__ = ["ABSENT", "FieldChange", "field_changes"]


class _Absent:
    """Stands for a field that is not there, which is not the same as null."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()
_NAMES: Final = ("Name", "name", "Key", "key", "Id", "id", "Arn", "Sid", "Value")


class FieldChange(NamedTuple):
    """One field of one value."""

    path: str
    """Such as ``VpcConfig.Subnets[2]`` or ``Tags[Key=env].Value``."""
    before: Json | _Absent
    after: Json | _Absent


def field_changes(before: Json, after: Json, path: str = "") -> Iterator[FieldChange]:
    """Every smallest part that differs, in the order of the fields' names.

    Elements of a list that carry a name of their own are paired by it, others by their place.
    """
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in sorted({*before, *after}):
            inner = f"{path}.{name}" if path else name
            yield from _pair(before.get(name, ABSENT), after.get(name, ABSENT), inner)
    elif _is_list(before) and _is_list(after):
        yield from _lists(before, after, path)  # type: ignore[arg-type]  # as just asked
    elif before != after or isinstance(before, bool) is not isinstance(after, bool):
        yield FieldChange(path, before, after)


def _pair(before: Json | _Absent, after: Json | _Absent, path: str) -> Iterator[FieldChange]:
    if isinstance(before, _Absent) or isinstance(after, _Absent):
        yield FieldChange(path, before, after)
    else:
        yield from field_changes(before, after, path)


def _lists(before: Sequence[Json], after: Sequence[Json], path: str) -> Iterator[FieldChange]:
    name = next((n for n in _NAMES if _names(before, n) and _names(after, n)), None)
    if name is not None:
        one = {str(item[name]): item for item in before if isinstance(item, Mapping)}
        two = {str(item[name]): item for item in after if isinstance(item, Mapping)}
        for value in sorted({*one, *two}):
            yield from _pair(
                one.get(value, ABSENT), two.get(value, ABSENT), f"{path}[{name}={value}]"
            )
        return
    for index in range(max(len(before), len(after))):
        yield from _pair(
            before[index] if index < len(before) else ABSENT,
            after[index] if index < len(after) else ABSENT,
            f"{path}[{index}]",
        )


def _names(items: Sequence[Json], name: str) -> bool:
    """Whether every element is an object with a text of its own under this name."""
    values = [item.get(name) if isinstance(item, Mapping) else None for item in items]
    texts = {value for value in values if isinstance(value, str)}
    return bool(items) and len(texts) == len(items)


def _is_list(value: Json) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)
