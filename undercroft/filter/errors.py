"""The one error of the filter language."""

from __future__ import annotations

__all__ = ["FilterError"]


class FilterError(ValueError):
    """A filter line that cannot be understood; its text is a sentence for the person who typed it."""

    def __init__(self, message: str, position: int, suggestion: str = "") -> None:
        super().__init__(message)
        self.message = message
        """Complete, with position and suggestion: ``unknown key 'sevrity' at 1: did you mean …``."""
        self.position = position
        """Zero-based offset into the line (the message counts from 1)."""
        self.suggestion = suggestion
        """What to put there instead; empty if nothing is near."""
