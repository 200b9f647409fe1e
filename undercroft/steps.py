"""How far long work is, for whoever wants to hear it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

__all__ = ["Step", "unwatched"]

Step: TypeAlias = Callable[[str, int, int], None]
"""Hears what is being done, how much of it is done, and how much there is, several times a second.

Raises ``protocols.Cancelled`` to stop it; the work then leaves everything as it was.
"""


def unwatched(what: str, done: int, total: int) -> None:
    """A ``Step`` that nobody listens to."""
