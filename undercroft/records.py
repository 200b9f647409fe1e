"""``dataclass`` as the standard library has it, but finished when a class is first used.

The standard one writes and compiles six methods for each class as it is declared, a third of a
millisecond each; a program that starts declares hundreds of classes and uses a few. Here a class
gets its fields at once, and those methods with its first instance. To a type checker it is the same
decorator, and ``fields``, ``replace`` and ``asdict`` work as ever.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

_METHODS = ("__init__", "__repr__", "__eq__", "__hash__")

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(*, frozen: bool = False, slots: bool = False) -> Any:
        """As ``dataclasses.dataclass``, with these two of its options."""

        def declare(cls: type) -> type:
            missing = [name for name in _METHODS if name not in cls.__dict__]
            cls = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)(cls)
            for name in missing:
                setattr(cls, name, _finishing(cls, name, missing, frozen))
            if frozen:
                cls.__setattr__ = cls.__delattr__ = _refuse
                if slots:
                    cls.__getstate__, cls.__setstate__ = _state, _set_state
            elif "__hash__" in missing:
                cls.__hash__ = None
            return cls

        return declare


def _finishing(cls: Any, name: str, missing: list[str], frozen: bool) -> Any:
    """A method that puts the real ones into the class, itself included, and calls that."""

    def method(self: Any, *args: Any, **named: Any) -> Any:
        _finish(cls, missing, frozen)
        return getattr(cls, name)(self, *args, **named)

    return method


def _finish(cls: Any, missing: list[str], frozen: bool) -> None:
    """Have the standard library make the methods for a class with the same fields, and take them."""
    space: dict[str, Any] = {
        "__annotations__": {},
        "__doc__": cls.__name__,
        "__module__": cls.__module__,
    }
    for field in dataclasses.fields(cls):
        space["__annotations__"][field.name] = field.type
        space[field.name] = _copy(field)
    if hasattr(cls, "__post_init__"):
        space["__post_init__"] = None  # only that there is one
    made: Any = dataclasses.dataclass(frozen=frozen)(type(cls.__name__, (), space))
    for name in missing:
        setattr(cls, name, getattr(made, name))


def _copy(field: dataclasses.Field[Any]) -> Any:
    given: dict[str, Any] = {
        name: value
        for name in ("default", "default_factory")
        if (value := getattr(field, name)) is not dataclasses.MISSING
    }
    return dataclasses.field(
        init=field.init,
        repr=field.repr,
        hash=field.hash,
        compare=field.compare,
        kw_only=field.kw_only,
        **given,
    )


def _refuse(_self: Any, name: str, *_: Any) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot change field {name!r}")


def _state(self: Any) -> list[Any]:
    """For pickle and copy, which cannot set the attributes of what is frozen."""
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _set_state(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)
