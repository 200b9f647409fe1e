"""The late ``dataclass`` against the standard library's."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import pytest

from undercroft import records

T = TypeVar("T")


@records.dataclass(frozen=True, slots=True)
class Kept(Generic[T]):
    """At the top of a module, as pickle wants it."""

    name: str
    value: T
    tags: list[str] = dataclasses.field(default_factory=list, compare=False)


def declared(dataclass: Callable[..., Any], **options: bool) -> Any:
    @dataclass(**options)
    class Point:
        """Doc."""

        x: int
        y: int = 2
        tags: list[str] = dataclasses.field(default_factory=list, compare=False, repr=False)

        def __post_init__(self) -> None:
            if self.x < 0:
                raise ValueError(self.x)

    @dataclass(**options)
    class Named(Point):
        """Doc."""

        name: str = "n"

        def __repr__(self) -> str:
            return f"<{self.name}>"

    return Named if options.get("frozen") else Point


@pytest.mark.parametrize(
    "options", [{"frozen": True, "slots": True}, {"slots": True}, {"frozen": True}, {}]
)
def test_behaves_as_the_standard_one(options: dict[str, bool]) -> None:
    def outcome(work: Callable[[], Any]) -> Any:
        try:
            return work()
        except Exception as error:  # noqa: BLE001  (which one is the outcome)
            return type(error)

    def behaviour(cls: Any) -> list[Any]:
        one, same, other = cls(1), cls(1, 2, ["t"]), cls(x=3, y=4)
        return [
            one == same,
            one != other,
            one == 5,
            outcome(lambda: hash(one) == hash(same)),
            repr(other).rpartition(".")[2],
            outcome(lambda: setattr(one, "x", 5)),
            outcome(lambda: delattr(one, "y")),
            outcome(lambda: cls(-1)),
            outcome(cls),
            outcome(lambda: cls(1, q=2)),
            dataclasses.asdict(other),
            dataclasses.replace(other, x=9).x,
            cls.__match_args__,
            copy.deepcopy(other) == other,
            one.tags is not cls(1).tags,
            hasattr(one, "__dict__"),
        ]

    assert behaviour(declared(records.dataclass, **options)) == behaviour(
        declared(dataclasses.dataclass, **options)
    )


def test_can_be_pickled_and_compared_before_its_first_instance() -> None:
    kept = Kept("a", 1.5, ["t"])
    again = pickle.loads(pickle.dumps(kept))
    assert (again, again.tags) == (kept, ["t"])
    raw = object.__new__(declared(records.dataclass, frozen=True, slots=True))
    raw.__setstate__([1, 2, [], "n"])
    assert raw == raw.__class__(1)


def test_methods_are_made_with_the_first_instance() -> None:
    cls = declared(records.dataclass, frozen=True, slots=True)
    assert "method" in cls.__init__.__name__
    cls(1)
    assert cls.__init__.__name__ == "__init__"
