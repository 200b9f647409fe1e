"""Places in long lists: which rows a page shows, however far down it is.

The first pages come straight from an index. Somebody who jumps about in a list gets its whole order
remembered: eight bytes a row, and every later page costs the same wherever it is.
"""

from __future__ import annotations

import threading
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

__all__ = ["NEAR", "Positions"]

NEAR = 1_000
"""Rows that are skipped faster than anything could be remembered."""
_KEPT = 2
"""Lists remembered at once."""
_MOST = 2_000_000
"""Rows of a list that is remembered."""

Key = tuple[object, ...]


class Positions:
    """Orders of lists, each remembered from the second look far down. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._orders: OrderedDict[Key, array[int] | None] = OrderedDict()

    def page(
        self, key: Key, offset: int, limit: int, read: Callable[[int], Iterable[int]]
    ) -> Sequence[int] | None:
        """Ids at some places of a list (``limit`` below 0: to its end), or None if it is not known.

        ``key`` names the list and the state of the file; ``read`` gives the first ids of the list.
        """
        with self._lock:
            seen = key in self._orders
            order = self._orders.setdefault(key, None)
            self._orders.move_to_end(key)
            while len(self._orders) > _KEPT:
                self._orders.popitem(last=False)
        if order is None:
            if not seen:
                return None
            order = array("q", read(_MOST))
            with self._lock:
                self._orders[key] = order
        end = len(order) if limit < 0 else offset + limit
        if len(order) == _MOST and (limit < 0 or end > _MOST):
            return None
        return order[offset:end]
