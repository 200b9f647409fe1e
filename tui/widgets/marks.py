"""Which rows are selected: some of them, or all that match except some. Never a list of millions."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["Marks"]


class Marks:
    """A selection over rows that have ids."""

    def __init__(self) -> None:
        self.everything = False
        """All rows of the list are selected, except ``excluded``."""
        self.ids: set[str] = set()
        """Selected one by one (when not ``everything``)."""
        self.excluded: set[str] = set()
        """Taken out again (when ``everything``)."""

    def __contains__(self, row: str) -> bool:
        return row not in self.excluded if self.everything else row in self.ids

    def __bool__(self) -> bool:
        return self.everything or bool(self.ids)

    def count(self, total: int) -> int:
        """How many rows are selected, of a list of ``total`` rows."""
        return max(0, total - len(self.excluded)) if self.everything else len(self.ids)

    def toggle(self, row: str) -> None:
        """Select a row, or take it out."""
        chosen = self.excluded if self.everything else self.ids
        chosen.symmetric_difference_update({row})

    def add(self, rows: Iterable[str]) -> None:
        """Select these as well."""
        if self.everything:
            self.excluded.difference_update(rows)
        else:
            self.ids.update(rows)

    def all(self) -> None:
        """Select every row of the list; once more: none."""
        if self.everything and not self.excluded:
            self.clear()
            return
        self.everything = True
        self.ids.clear()
        self.excluded.clear()

    def clear(self) -> None:
        """Select nothing."""
        self.everything = False
        self.ids.clear()
        self.excluded.clear()
