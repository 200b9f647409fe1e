"""What can go wrong with a cache, each with a sentence for the person in front of it."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "AmbiguousError",
    "BusyError",
    "GivenUpError",
    "NewerSchemaError",
    "NotFoundError",
    "OlderSchemaError",
    "ReadOnlyError",
    "StoreError",
]


class StoreError(Exception):
    """The cache cannot do what was asked; the message is a sentence."""


class NotFoundError(StoreError):
    """Nothing goes by that name."""


class AmbiguousError(StoreError):
    """Several things go by that name; ``candidates`` lists them."""

    def __init__(self, message: str, candidates: Sequence[str]) -> None:
        super().__init__(message)
        self.candidates = tuple(candidates)


class BusyError(StoreError):
    """Somebody else has been writing for longer than one would wait."""


class GivenUpError(StoreError):
    """Nobody waits for the answer any more."""


class NewerSchemaError(StoreError):
    """The file was written by a newer release."""


class OlderSchemaError(StoreError):
    """The file was written by an older release, and may not be changed here."""


class ReadOnlyError(StoreError):
    """The cache was opened for reading only."""
