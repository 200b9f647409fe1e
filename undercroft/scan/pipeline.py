"""Runs a scan from the first unit to the commit, on one coordinating thread.

Units run on any executor and hand over what they read in batches; only this thread writes. Nothing
is visible to readers of the store before the commit at the end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from undercroft.clock import stamp, utc_now
from undercroft.feeds import Exploitable
from undercroft.graph import Graph
from undercroft.model import Json, Observation, Presence, Resource
from undercroft.protocols import (
    Cancelled,
    Collected,
    Collector,
    Judge,
    Progress,
    Remembers,
    Scope,
    Target,
)
from undercroft.redact import redact_options, redact_text
from undercroft.risk import DEFAULT, RiskModel
from undercroft.scan.crew import Crew, Memory, Report, Unit
from undercroft.scan.estate import Estate
from undercroft.scan.journal import Journal, journal_path
from undercroft.scan.turns import take_turns
from undercroft.scan.unit import failed
from undercroft.store.answers import Holds
from undercroft.store.parts import Parts
from undercroft.store.recall import Again
from undercroft.text import count
from undercroft.triage.limits import CRITICALITY_TAG

if TYPE_CHECKING:
    from undercroft.store import ScanWriter, Store
    from undercroft.views import ScanRow

__all__ = ["run_scan"]

_ASK_EVERY = 50
"""Resources judged between two looks at the cancel flag."""


def run_scan(
    store: Store,
    collectors: Sequence[Collector],
    judge: Judge,
    scope: Scope,
    *,
    name: str = "",
    kind: str = "live",
    jobs: int = 8,
    executor: Executor | None = None,
    keep: bool = False,
    resume: bool = False,
    full: bool = False,
    criticality_tag: str = CRITICALITY_TAG,
    model: RiskModel | None = None,
    progress: Callable[[Progress], None] | None = None,
    cancelled: threading.Event | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> ScanRow:
    """Collect, judge and save one scan; returns it as saved.

    ``executor`` runs the units (default: ``jobs`` threads) and is not shut down here. In another
    process a unit hears of a cancellation only before it starts, and reports when it has ended.
    ``keep``: what units read is kept beside the cache until the scan is saved; then ``resume`` goes
    on from what an interrupted scan of the same scope left, if there is such.
    ``full``: everything is read again, also what an earlier scan read and has not changed since.
    ``criticality_tag`` names the tag that says what a resource is worth; ``model`` has the constants
    that its findings are weighed by (None: those published).
    ``progress`` is called from several threads.

    Raises:
        Cancelled: ``cancelled`` was set; the scan is recorded as interrupted, earlier scans are as
            they were. The same goes for any other exception that leaves here.
    """
    stop = cancelled or threading.Event()
    report: Report = progress or _unheard
    salt = store.salt()
    writer = store.write_scan(
        name=redact_text(name, salt),
        kind=kind,
        scope=redact_options(_scope(scope, collectors), salt),
        rules=judge.pack.logic_versions(),
        pack=judge.version,
        renamed=judge.pack.renamed(),
        frameworks=judge.pack.frameworks(),
        criticality_tag=criticality_tag,
        model=model,
    )
    with ExitStack() as stack:
        stack.enter_context(writer)
        run = _Run(writer, judge, stop, report, clock, store.exploitable(model), model or DEFAULT)
        journal = None
        if keep or resume:
            how = f"{_version()} full" if full else _version()
            journal = Journal(journal_path(store.path), scope, how, clock(), resume=resume)
            stack.callback(journal.close, done=False)
        if resume and journal is not None:
            report(Progress("resumed", reason=_said(journal)))
        try:
            memory = None if full else store.memory()
            crew = run.collect(collectors, scope, salt, executor, jobs, journal, memory)
            calls, throttled = crew.calls, crew.throttled
            services = run.judge()
            run.combine(services)
            run.check()
            report(Progress("saving", calls=calls, throttled=throttled))
            row = writer.commit(calls=calls, throttled=throttled, spared=crew.spared, now=clock())
            if journal is not None:
                journal.close(done=True)
        except Cancelled:
            report(Progress("cancelled"))
            raise
    report(
        Progress(
            "done",
            calls=calls,
            throttled=throttled,
            spared=crew.spared,
            resources=row.resources,
        )
    )
    return row


class _Run:
    """The steps of one scan, in the order in which they are called."""

    def __init__(
        self,
        writer: ScanWriter,
        judge: Judge,
        stop: threading.Event,
        report: Report,
        clock: Callable[[], datetime],
        exploitable: Exploitable,
        model: RiskModel,
    ) -> None:
        self._model = model
        self._writer = writer
        self._judge = judge
        self._stop = stop
        self._report = report
        self._clock = clock
        self._estate = Estate()
        self._parts = Parts(judge, exploitable)

    def check(self) -> None:
        """Raise ``Cancelled`` if the scan was asked to stop."""
        if self._stop.is_set():
            raise Cancelled

    def collect(
        self,
        collectors: Sequence[Collector],
        scope: Scope,
        salt: bytes,
        executor: Executor | None,
        jobs: int,
        journal: Journal | None,
        memory: Memory | None,
    ) -> Crew:
        """Run all units, stage by stage; who ran them, with what it counted."""
        stages: dict[int, list[Collector]] = {}
        for collector in collectors:
            stages.setdefault(collector.stage, []).append(collector)
        with ExitStack() as stack:
            if executor is None:
                executor = stack.enter_context(
                    ThreadPoolExecutor(max(jobs, 1), thread_name_prefix="unit")
                )
            crew = Crew(executor, salt, self._stop, self._report, journal, memory)
            for stage in sorted(stages):
                self.check()
                wanted = self._estate.wanted()
                units: list[Unit] = []
                for collector in stages[stage]:
                    units += self._plan(collector, scope, wanted, salt)
                crew.run([*take_turns(units)], self._save)
                self._writer.add(self._estate.link())
        return crew

    def _plan(
        self, collector: Collector, scope: Scope, wanted: Sequence[Resource], salt: bytes
    ) -> list[Unit]:
        """The units of one collector; if it cannot even say, that is one gap."""
        try:
            return [(collector, target) for target in collector.targets(scope, wanted)]
        except Exception as error:  # noqa: BLE001  (a collector's failure is a fact about coverage)
            where = scope.accounts[0] if scope.accounts else "-"
            target = Target(collector.name, scope.provider, where, "-")
            self._save(failed(target, salt, error).items)
            return []

    def judge(self) -> list[str]:
        """Judge every resource; keys of the AI services, those that the linker found included."""
        writer = self._writer
        now = stamp(self._clock())
        total = len(self._estate)
        self._report(Progress("judging", done=0, total=total))
        orphans = self._estate.orphans()
        services = self._estate.services() | orphans
        writer.add(replace(found, service=True) for found in writer.read(sorted(orphans)))
        # Most of an estate is as it was, and what was said about it holds.
        done = writer.use_again(now)
        for part in writer.resource_pages(unjudged=True):
            self.check()
            self._report(Progress("judging", done=done, total=total, resources=done))
            self._judge_all(part, now)
            done += len(part)
        return sorted(services)

    def _judge_all(self, resources: Sequence[Resource], now: str) -> None:
        """Judge what has changed, or may have by now."""
        judge, writer = self._judge, self._writer
        asked: list[tuple[Resource, Again]] = []
        holding: dict[str, Holds] = {}
        for resource in resources:
            holds = holding[resource.key] = Holds(now, judge.holds_until(resource, now))
            if resource.presence is not Presence.STUB:
                rules = judge.timed_rules(resource.type)
                said = judge.judge_timed(resource, now) if rules else ()
                asked.append((resource, Again(rules, said, holds)))
        recalled = writer.recall(asked)
        for number, resource in enumerate(resources):
            if resource.key in recalled:
                continue
            if number % _ASK_EVERY == 0:
                self.check()
            observations = judge.judge(resource, now)
            if resource.presence is Presence.STUB and not observations:
                continue
            writer.observe(resource.key, observations, holds=holding[resource.key])
            self._parts.add(resource.key, observations)

    def combine(self, services: Iterable[str]) -> None:
        """Toxic combinations of every service; an empty answer is an answer too."""
        self.check()
        writer = self._writer
        graph = Graph(
            self._estate.edges,
            services=services,
            lookup=writer.resource,
            stubs=self._estate.stubs(),
            attenuation=self._model.attenuation,
            cutoff=self._model.cutoff,
        )
        for key, said in writer.said(self._judge.asks_for, graph.beneath_services()):
            self._parts.add_told(key, said)
        answers: dict[str, list[Observation]] = {key: [] for key in graph.services()}
        for found in self._judge.combine(graph, self._parts.found):
            answers.setdefault(found.resource, []).append(found)
        for key, observations in answers.items():
            writer.observe(key, observations, combined=True)

    def _save(self, batch: Iterable[Collected]) -> None:
        now = stamp(self._clock())
        self._writer.add(
            replace(item, collected_at=now)
            if isinstance(item, Resource) and not item.collected_at
            else item
            for item in self._estate.take(batch)
        )


def _said(journal: Journal) -> str:
    if not journal.units:
        return "nothing is left of an interrupted scan of the same; everything is read"
    units = count(journal.units, "unit")
    return f"{units} read since {journal.since[:16]} before the interruption, not read again"


def _version() -> str:
    from importlib.metadata import version

    return version("undercroft")


def _unheard(event: Progress) -> None:
    """Nobody listens."""


def _scope(scope: Scope, collectors: Sequence[Collector]) -> dict[str, Json]:
    """What the scan was asked for, and by whom it was read: later scans may rely on their like."""
    readers = {found.reader for found in collectors if isinstance(found, Remembers)}
    return {
        "readers": sorted(readers),
        "provider": scope.provider,
        "accounts": list(scope.accounts),
        "locations": list(scope.locations),
        "options": dict(scope.options),
    }
