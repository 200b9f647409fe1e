"""What the units of every cloud have in common: how they end, what they lost, calls side by side."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, TypeAlias, TypeVar

from undercroft.model import CoverageStatus, Presence, Resource
from undercroft.protocols import Collected

__all__ = ["BATCH", "WORKERS", "Ended", "Gaps", "Reading", "batches", "once", "side_by_side"]


class Ended(NamedTuple):
    """How a unit ended that could go on to its end."""

    reason: str = ""
    """What a reader should know, also if the unit is complete."""
    status: CoverageStatus = CoverageStatus.COMPLETE


Reading: TypeAlias = Generator[Collected, None, Ended]
"""What a unit yields, and how it ended."""

BATCH = 200
"""How many ids one filtered call takes."""
WORKERS = 4
"""Calls in flight per unit: small, since units run side by side already."""

Item = TypeVar("Item")
Found = TypeVar("Found")


class Gaps:
    """Counts what was read only in part, for one sentence at the end of a unit."""

    def __init__(self) -> None:
        self._total = 0
        self._reasons: Counter[str] = Counter()

    def note(self, found: Iterable[Collected]) -> None:
        """Look at what is about to be yielded."""
        for item in found:
            if isinstance(item, Resource) and item.presence is Presence.READ and not item.implied:
                self._total += 1
                self._reasons.update(set(item.unknown.values()))

    def sentence(self) -> str:
        """``3 of 12 read in part (denied: needs sagemaker:DescribeModel)``, or empty."""
        return "; ".join(
            f"{count} of {self._total} read in part ({reason})"
            for reason, count in self._reasons.most_common()
        )


def side_by_side(
    items: Iterable[Item], work: Callable[[Item], Found], workers: int = WORKERS
) -> Iterator[Found]:
    """``work(item)`` for every item, a few at a time, in the order of ``items``.

    Never holds more than a few results. An exception from ``work`` or from ``items`` ends it; calls
    that have begun are waited for, the rest are not made.
    """
    pending: deque[Future[Found]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="read") as pool:
        try:
            for item in items:
                pending.append(pool.submit(work, item))
                if len(pending) >= 2 * workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def once(found: Iterable[Collected], seen: set[tuple[str, str]]) -> Iterator[Collected]:
    """``found`` without the stubs that are in ``seen`` already: a thousand models share one role.

    Two stubs of one image that carry different references are different.
    """
    for item in found:
        if isinstance(item, Resource) and item.presence is Presence.STUB:
            name = (item.key, repr(item.facts))
            if name in seen:
                continue
            seen.add(name)
        yield item


def batches(items: Iterable[Item], size: int = BATCH) -> Iterator[list[Item]]:
    """``items`` in lists of at most ``size``."""
    batch: list[Item] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
