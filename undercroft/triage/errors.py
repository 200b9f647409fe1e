"""The refusal of a decision."""

from __future__ import annotations

__all__ = ["DecisionError"]


class DecisionError(ValueError):
    """A decision that cannot be recorded; the text says why, and what to do instead."""
