"""The other end of a table: answers its questions from a worker thread, the newest first."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from textual.message import Message
from textual.screen import Screen

from tui.widgets.table import VirtualTable

__all__ = ["LoadFailed", "Loader", "RowsReady"]

RowT = TypeVar("RowT")
_WAITING = 6
"""Pages that may wait; while somebody holds a key down, older wishes are forgotten."""


class RowsReady(Message):
    """A page for a table; ``rows`` is None if it was not fetched because it is no longer needed."""

    def __init__(
        self, table: VirtualTable[RowT], generation: int, start: int, rows: Sequence[RowT] | None
    ) -> None:
        super().__init__()
        self.table = table
        self.generation = generation
        self.start = start
        self.rows = rows

    def deliver(self) -> None:
        """Hand the page to its table."""
        if self.rows is None:
            self.table.forget(self.generation, self.start)
        else:
            self.table.accept(self.generation, self.start, self.rows)


class LoadFailed(Message):
    """Something could not be read; says what."""

    def __init__(self, sentence: str) -> None:
        super().__init__()
        self.sentence = sentence


class Loader(Generic[RowT]):
    """Fetches pages for one table of one screen, one at a time."""

    def __init__(self, screen: Screen[None], table: VirtualTable[RowT]) -> None:
        self._screen = screen
        self._table = table
        self._lock = threading.Lock()
        self._waiting: list[tuple[int, int, int]] = []
        self._running = False
        self._fetch: Callable[[int, int], Sequence[RowT]] | None = None

    def read_from(self, fetch: Callable[[int, int], Sequence[RowT]]) -> None:
        """From now on rows come from ``fetch(start, count)``, called in a worker thread."""
        with self._lock:
            self._fetch = fetch
            self._waiting.clear()

    def request(self, event: VirtualTable.RowsNeeded) -> None:
        """Queue a page; starts a worker if none is busy."""
        with self._lock:
            self._waiting.append((event.generation, event.start, event.count))
            forgotten = self._waiting[:-_WAITING]
            del self._waiting[:-_WAITING]
            start_worker = not self._running
            self._running = True
        for generation, start, _ in forgotten:
            self._screen.post_message(RowsReady(self._table, generation, start, None))
        if start_worker:
            self._screen.run_worker(
                self._work, thread=True, group=f"rows-{id(self)}", exit_on_error=False
            )

    def _work(self) -> None:
        while True:
            with self._lock:
                fetch = self._fetch
                if not self._waiting or fetch is None:
                    self._running = False
                    return
                generation, start, count = self._waiting.pop()
            try:
                rows = fetch(start, count)
            except Exception as error:  # noqa: BLE001  (a failed read becomes a sentence on screen)
                self._screen.post_message(LoadFailed(str(error) or type(error).__name__))
                with self._lock:
                    self._running = False
                    self._waiting.clear()
                return
            self._screen.post_message(RowsReady(self._table, generation, start, rows))
