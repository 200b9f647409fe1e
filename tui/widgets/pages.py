"""The few pages of a long list that are here: bounded, and never asked for twice. No interface."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Generic, TypeVar

__all__ = ["Pages"]

RowT = TypeVar("RowT")


class Pages(Generic[RowT]):
    """Rows by position, a page at a time."""

    def __init__(self, size: int, keep: int) -> None:
        self.size = size
        self.keep = keep
        self._pages: OrderedDict[int, Sequence[RowT]] = OrderedDict()
        self._stale: set[int] = set()
        self._wanted: set[int] = set()
        self._complete = False

    def fill(self, rows: Sequence[RowT]) -> None:
        """All rows there are: nothing will ever be missing."""
        self.clear()
        self._complete = True
        for start in range(0, len(rows), self.size):
            self._pages[start] = rows[start : start + self.size]

    def clear(self) -> None:
        """Nothing is here, nothing was asked for."""
        self._complete = False
        self._wanted.clear()
        self._stale.clear()
        self._pages.clear()

    def outdate(self) -> None:
        """What is here may be shown until it is replaced; all of it is missing."""
        self._complete = False
        self._wanted.clear()
        self._stale = set(self._pages)

    def row(self, index: int) -> RowT | None:
        """The row at a position, if it is here (perhaps outdated)."""
        start = index - index % self.size
        page = self._pages.get(start)
        return page[index - start] if page is not None and 0 <= index - start < len(page) else None

    def missing(self, index: int) -> int | None:
        """The page of this position, if it has to be asked for; remembers that it was."""
        start = index - index % self.size
        if start in self._pages:
            self._pages.move_to_end(start)
            if start not in self._stale:
                return None
        if self._complete or start in self._wanted:
            return None
        self._wanted.add(start)
        return start

    def put(self, start: int, rows: Sequence[RowT]) -> None:
        """Take a page in; the page that was used longest ago makes room."""
        self._wanted.discard(start)
        self._stale.discard(start)
        self._pages[start] = rows
        self._pages.move_to_end(start)
        while len(self._pages) > self.keep:
            gone, _ = self._pages.popitem(last=False)
            self._stale.discard(gone)

    def forget(self, start: int) -> None:
        """A page that was asked for will not come: it may be asked for again."""
        self._wanted.discard(start)

    def __len__(self) -> int:
        return len(self._pages)
