"""Timing in turns, and figures: each compares two things measured in this run."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple

__all__ = ["Figure", "Pair", "cpu", "in_turns", "settled"]

Clock = Callable[[], float]


class Pair(NamedTuple):
    """Two things measured in turns."""

    ours: float
    """Median, in whatever the measurement returned."""
    bare: float
    """Median."""
    ratio: float
    """Median of the ratios pair by pair: steadier than the ratio of the medians on a noisy machine."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that was measured, and its budget."""

    what: str
    ours: float
    """In ``unit``."""
    bare: float
    """The yardstick, in ``unit``."""
    budget: float | None
    """Largest ratio (or difference) allowed; None: for information only."""
    unit: Literal["ms", "MB", "calls"] = "ms"
    kind: Literal["ratio", "difference"] = "ratio"
    """What is compared with the budget: ours / bare, or ours - bare."""
    paired: float | None = None
    """The ratio where it was taken pair by pair."""
    note: str = ""
    """What the figure is made of, in one line."""
    parts: dict[str, float] = field(default_factory=dict)
    """Where our time went, in ``unit``."""

    @classmethod
    def of(
        cls,
        what: str,
        pair: Pair,
        budget: float | None,
        *,
        note: str = "",
        parts: dict[str, float] | None = None,
    ) -> Figure:
        """A ratio of two times in seconds."""
        milli = {name: seconds * 1000 for name, seconds in (parts or {}).items()}
        return cls(
            what,
            pair.ours * 1000,
            pair.bare * 1000,
            budget,
            paired=pair.ratio,
            note=note,
            parts=milli,
        )

    @property
    def value(self) -> float:
        """What is compared with the budget."""
        if self.kind == "difference":
            return self.ours - self.bare
        if self.paired is not None:
            return self.paired
        return self.ours / self.bare if self.bare else float("inf")

    @property
    def verdict(self) -> str:
        """``met``, ``NOT MET``, or empty where there is no budget."""
        if self.budget is None:
            return ""
        return "met" if self.value <= self.budget else "NOT MET"

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "value": self.value, "verdict": self.verdict}


def in_turns(
    ours: Callable[[], object],
    bare: Callable[[], object],
    *,
    rounds: int,
    clock: Clock = time.process_time,
    warm: bool = True,
) -> Pair:
    """Run both by turns and return medians, in seconds of ``clock`` (CPU time of this process)."""

    def once(work: Callable[[], object]) -> float:
        start = clock()
        work()
        return clock() - start

    return settled(lambda: once(ours), lambda: once(bare), rounds=rounds, warm=warm)


def settled(
    ours: Callable[[], float], bare: Callable[[], float], *, rounds: int, warm: bool = True
) -> Pair:
    """As ``in_turns`` for work that measures itself. The order changes from round to round."""
    if warm:
        ours()
        bare()
    gc.collect()
    first: list[float] = []
    second: list[float] = []
    for number in range(rounds):
        if number % 2:
            second.append(bare())
            first.append(ours())
        else:
            first.append(ours())
            second.append(bare())
    ratios = [a / b if b else float("inf") for a, b in zip(first, second, strict=True)]
    return Pair(statistics.median(first), statistics.median(second), statistics.median(ratios))


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of one call, all threads of this process."""
    start = time.process_time()
    work()
    return time.process_time() - start
