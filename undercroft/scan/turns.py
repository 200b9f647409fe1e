"""The order in which units start: accounts take turns, a few at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

from undercroft.scan.crew import Unit

__all__ = ["take_turns"]

AT_ONCE = 8
"""Accounts that take turns. A cloud limits calls per account, so the load is spread over several;
not over all, so that what a collector keeps for an account (sessions, connections) can be let go."""


def take_turns(units: Iterable[Unit], at_once: int = AT_ONCE) -> Iterator[Unit]:
    """The same units, one of each account in turn; the next account joins when one is through.

    Within an account the order stays.
    """
    waiting: dict[str, deque[Unit]] = {}
    for unit in units:
        waiting.setdefault(unit[1].scope, deque()).append(unit)
    queues = iter(waiting.values())
    turns = deque(islice(queues, at_once))
    while turns:
        queue = turns.popleft()
        yield queue.popleft()
        if queue:
            turns.append(queue)
        elif (joining := next(queues, None)) is not None:
            turns.append(joining)
