"""For screens that read the cache itself and not one scan of it: they also work while it has none."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from tui.screens.base import BaseScreen, Fetched

if TYPE_CHECKING:
    from undercroft.store import Store

__all__ = ["ReadingScreen"]

T = TypeVar("T")


class ReadingScreen(BaseScreen):
    """Adds ``read``."""

    def read(self, concern: str, work: Callable[[Store], T], done: Callable[[T], None]) -> None:
        """Like ``fetch``, without a scan: runs ``work(store)`` in a worker, then ``done``."""
        store = self.undercroft.store
        if store is None:
            return
        self.run_slow(concern, lambda: work(store), done)

    def run_slow(self, concern: str, work: Callable[[], T], done: Callable[[T], None]) -> None:
        """Run anything slow in a worker, then ``done``; a later call for the concern wins."""
        generation = self._asked.get(concern, 0) + 1
        self._asked[concern] = generation

        def run() -> None:
            try:
                value = work()
            except Exception as error:  # noqa: BLE001  (a failed read becomes a sentence on screen)
                sentence = str(error) or type(error).__name__
                failed = Fetched(concern, generation, lambda: self.load_failed(sentence))
                self.post_message(failed)
            else:
                self.post_message(Fetched(concern, generation, lambda: done(value)))

        self.run_worker(run, thread=True, group=concern, exclusive=True, exit_on_error=False)
