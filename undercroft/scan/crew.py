"""Runs units on an executor and hands their results to one thread, as they come."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TypeAlias

from undercroft.model import CoverageStatus, Resource
from undercroft.protocols import (
    Cancelled,
    Collected,
    Collector,
    Meter,
    Progress,
    Remembers,
    Target,
)
from undercroft.scan.journal import Journal
from undercroft.scan.unit import UnitResult, failed, run_unit

__all__ = ["Crew", "Memory", "Report", "Unit"]

Unit: TypeAlias = tuple[Collector, Target]
Report: TypeAlias = Callable[[Progress], None]
Memory: TypeAlias = Callable[[Target, str], tuple[Resource, ...]]
"""What an earlier scan of the same reader read in a unit."""
_Message: TypeAlias = "tuple[int, Target, list[Collected] | Future[UnitResult]]"
"""Number of a unit in the journal, what it is, and a batch of it or its end."""

_LOOK_UP = 0.5
"""Seconds after which a wait for units in other processes looks at the cancel flag."""


_AHEAD = 16
"""Batches that units in threads may have read before any is saved: bounds memory."""


class Crew:
    """Units of all stages of one scan; counts what they did.

    Threads share the cancel flag and hand over batches while they run; on any other executor a unit
    is one call that returns everything.
    """

    def __init__(
        self,
        executor: Executor,
        salt: bytes,
        stop: threading.Event,
        report: Report,
        journal: Journal | None = None,
        memory: Memory | None = None,
    ) -> None:
        """``journal`` remembers what units read, and units that it remembers are not run.

        ``memory`` tells collectors that ask for it what an earlier scan read.
        """
        self._executor = executor
        self._shared = isinstance(executor, ThreadPoolExecutor)
        self._salt = salt
        self._stop = stop
        self._report = report
        self._journal = journal
        self._memory = memory
        self._abandoned = threading.Event()
        self._messages: queue.SimpleQueue[_Message] = queue.SimpleQueue()
        self._room = threading.Semaphore(_AHEAD)
        self._done = 0
        self._total = 0
        self.calls = 0
        self.throttled = 0
        self.spared = 0

    def run(self, units: Sequence[Unit], save: Callable[[list[Collected]], None]) -> None:
        """Run units together; ``save`` gets what they read, in batches, on the calling thread.

        Raises:
            Cancelled: the scan was asked to stop; units in threads have ended by then.
        """
        self._total += len(units)
        for _, target in units:
            self._tell("planned", target)
        if self._journal:
            units = [unit for unit in units if not self._recalled(self._journal, unit[1], save)]
        futures: list[Future[UnitResult]] = []
        try:
            for collector, target in units:
                number = self._journal.begin() if self._journal else 0
                future = self._submit(number, collector, target)
                futures.append(future)
                future.add_done_callback(partial(self._ended, number, target))
            waiting = len(units)
            while waiting:
                number, target, said = self._next()
                if isinstance(said, Future):
                    waiting -= 1
                    save(self._finish(number, target, said))
                    continue
                if self._journal:
                    self._journal.note(number, said)
                save(said)
                self._room.release()
        except BaseException:
            self._abandoned.set()
            for future in futures:
                future.cancel()
            if self._shared:
                wait(futures)
            if self._journal:
                self._keep_rest(self._journal)
            raise

    def _keep_rest(self, journal: Journal) -> None:
        """What has been read and was waiting to be saved need not be read again either."""
        with suppress(queue.Empty):
            while True:
                number, target, said = self._messages.get_nowait()
                if not isinstance(said, Future):
                    journal.note(number, said)
                elif said.done() and not said.cancelled() and said.exception() is None:
                    result = said.result()
                    if not result.cancelled:
                        journal.note(number, result.items)
                        journal.end(number, target, result)

    def _recalled(
        self, journal: Journal, target: Target, save: Callable[[list[Collected]], None]
    ) -> bool:
        """Whether a unit was read before an interruption; what it read is saved then."""
        known = journal.recall(target)
        if known is None:
            return False
        for batch in known.batches:
            save(batch)
        self._count(target, known.result, recalled=True)
        return True

    def _submit(self, number: int, collector: Collector, target: Target) -> Future[UnitResult]:
        try:
            if self._shared:
                return self._executor.submit(self._in_thread, number, collector, target)
            informed = self._informed(collector, target)
            return self._executor.submit(run_unit, collector, informed, self._salt)
        except RuntimeError as error:
            # An executor whose workers have died takes no more work; the unit is reported so.
            future: Future[UnitResult] = Future()
            future.set_exception(error)
            return future

    def _informed(self, collector: Collector, target: Target) -> Target:
        """The target with what is known; in threads that is looked up when its turn has come."""
        if self._memory is None or not isinstance(collector, Remembers):
            return target
        return replace(target, known=self._memory(target, collector.reader))

    def _ended(self, number: int, target: Target, future: Future[UnitResult]) -> None:
        self._messages.put((number, target, future))

    def _in_thread(self, number: int, collector: Collector, target: Target) -> UnitResult:
        meter = Meter(cancelled=self._stopped)
        self._tell("unit_started", target)

        def sink(items: list[Collected], resources: int) -> None:
            # Nobody makes room any more once the scan is to stop.
            while not self._room.acquire(timeout=_LOOK_UP) and not self._stopped():
                pass
            self._messages.put((number, target, items))
            self._tell(
                "unit_progress",
                target,
                calls=meter.calls,
                throttled=meter.throttled,
                resources=resources,
            )

        informed = self._informed(collector, target)
        return run_unit(collector, informed, self._salt, meter, sink)

    def _stopped(self) -> bool:
        return self._stop.is_set() or self._abandoned.is_set()

    def _next(self) -> _Message:
        while True:
            if self._stop.is_set():
                raise Cancelled
            try:
                return self._messages.get(timeout=_LOOK_UP)
            except queue.Empty:
                continue

    def _finish(self, number: int, target: Target, future: Future[UnitResult]) -> list[Collected]:
        try:
            result = future.result()
        except CancelledError:
            raise Cancelled from None
        except Exception as error:  # noqa: BLE001  (a worker that died costs its own unit only)
            result = failed(target, self._salt, error)
        if result.cancelled:
            raise Cancelled
        if self._journal:
            self._journal.note(number, result.items)
            self._journal.end(number, target, result)
        self._count(target, result)
        return result.items

    def _count(self, target: Target, result: UnitResult, *, recalled: bool = False) -> None:
        self._done += 1
        self.calls += result.calls
        self.throttled += result.throttled
        self.spared += result.spared
        self._tell(
            "unit_done",
            target,
            calls=result.calls,
            throttled=result.throttled,
            spared=result.spared,
            resources=result.resources,
            status=result.status,
            reason=result.reason,
            recalled=recalled,
        )

    def _tell(
        self,
        kind: str,
        target: Target,
        *,
        calls: int = 0,
        throttled: int = 0,
        spared: int = 0,
        resources: int = 0,
        status: CoverageStatus | None = None,
        reason: str = "",
        recalled: bool = False,
    ) -> None:
        """Counts are the unit's own; ``done`` and ``total`` are the scan's."""
        self._report(
            Progress(
                kind,
                target.collector,
                target.scope,
                target.location,
                done=self._done,
                total=self._total,
                calls=calls,
                throttled=throttled,
                spared=spared,
                resources=resources,
                status=status,
                reason=reason,
                recalled=recalled,
            )
        )
