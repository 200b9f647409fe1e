"""Looking for cyclic garbage less often while much is made that holds none."""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Iterator

__all__ = ["seldom"]

_THRESHOLDS = (20_000, 20, 50)
"""Objects made, and collections of the younger generations, between two looks."""

_lock = threading.Lock()
_before: list[tuple[int, int, int]] = []
_inside = 0


@contextlib.contextmanager
def seldom() -> Iterator[None]:
    """A scan makes millions of small records without cycles; looking for some among them, as often
    as a program of a usual size should, costs a tenth of it. May be nested and used by threads.
    """
    global _inside  # noqa: PLW0603  (the collector is the whole process's, too)
    with _lock:
        if not _inside:
            _before[:] = [gc.get_threshold()]
            # Whoever has turned it off (a first of 0) knows why.
            if _before[0][0]:
                gc.set_threshold(*_THRESHOLDS)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                gc.set_threshold(*_before.pop())
