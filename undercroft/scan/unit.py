"""One unit of a scan: run a collector on a target, take secrets out, survive its failure.

Everything here may run in another thread or process; what goes in and comes out is picklable.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from undercroft.model import Coverage, CoverageStatus, Resource, bulk
from undercroft.protocols import Cancelled, Collected, Collector, Meter, Target
from undercroft.redact import redact_item, redact_text

__all__ = ["BATCH", "Sink", "UnitResult", "failed", "in_words", "run_unit"]

BATCH = 100
"""Items that leave a unit together."""
_WEIGHT = 1_000
"""Entries in them at most, give or take one resource."""

_LONGEST_REASON = 500

Sink = Callable[[list[Collected], int], None]
"""Takes a batch while the unit runs, with the number of resources so far."""


@dataclass(frozen=True, slots=True)
class UnitResult:
    """How a unit ended."""

    items: list[Collected]
    """What no sink has taken yet."""
    status: CoverageStatus
    """The unit's own verdict on what it could see; a gap outweighs everything else."""
    reason: str
    resources: int
    calls: int
    throttled: int
    cancelled: bool = False
    spared: int = 0


def run_unit(
    collector: Collector,
    target: Target,
    salt: bytes,
    meter: Meter | None = None,
    sink: Sink | None = None,
) -> UnitResult:
    """Run one unit to its end; never raises for what the collector does, except on interrupts.

    A failure costs one coverage record of status ``error``; what was yielded before it is kept.
    ``meter`` and ``sink`` only exist within one process.
    """
    meter = meter or Meter()
    run = _Run(target, salt, meter, sink)
    try:
        for item in collector.collect(target, meter):
            meter.check()
            run.take(item)
    except Cancelled:
        return run.result(cancelled=True)
    except Exception as error:  # noqa: BLE001  (a collector's failure is a fact about coverage)
        run.take(_coverage(target, CoverageStatus.ERROR, in_words(error, target)))
    if not run.covered:
        # It came to its end without a word: nothing was missed, nothing is proven gone either.
        run.take(_coverage(target, CoverageStatus.COMPLETE, ""))
    return run.result()


class _Run:
    """What has come out of a unit so far."""

    def __init__(self, target: Target, salt: bytes, meter: Meter, sink: Sink | None) -> None:
        self._target = target
        self._salt = salt
        self._meter = meter
        self._sink = sink
        self._items: list[Collected] = []
        self._status = CoverageStatus.COMPLETE
        self._reason = ""
        self._resources = 0
        self._weight = 0
        self.covered = False

    def take(self, item: Collected) -> None:
        item = redact_item(item, self._salt)
        if isinstance(item, Coverage):
            self.covered = True
            if item.status.is_gap or not self._status.is_gap:
                self._status, self._reason = item.status, item.reason
        elif isinstance(item, Resource):
            self._resources += 1
        self._items.append(item)
        self._weight += bulk(item) if isinstance(item, Resource) else 1
        if self._sink is not None and (len(self._items) >= BATCH or self._weight >= _WEIGHT):
            self._sink(self._items, self._resources)
            self._items = []
            self._weight = 0

    def result(self, *, cancelled: bool = False) -> UnitResult:
        return UnitResult(
            self._items,
            self._status,
            self._reason,
            self._resources,
            self._meter.calls,
            self._meter.throttled,
            cancelled,
            self._meter.spared,
        )


def _coverage(target: Target, status: CoverageStatus, reason: str) -> Coverage:
    return Coverage(
        target.provider, target.scope, target.location, target.collector, status, reason
    )


def in_words(error: BaseException, target: Target) -> str:
    """One line about a failure: what, where, and its own message (not yet redacted)."""
    message = " ".join(str(error).split())[:_LONGEST_REASON]
    place = f"{target.scope} {target.location}".strip()
    return f"{type(error).__name__} while reading {target.collector} in {place}: {message}"


def failed(target: Target, salt: bytes, error: BaseException) -> UnitResult:
    """The result of a unit whose executor gave up on it (a worker died, it could not be sent)."""
    reason = redact_text(in_words(error, target), salt)
    item = _coverage(target, CoverageStatus.ERROR, reason)
    return UnitResult([item], CoverageStatus.ERROR, reason, 0, 0, 0)
