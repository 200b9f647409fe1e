"""What the interface knows about scanning: a request, who runs it, and how it is going.

The interface knows no cloud SDK. Whoever wires the program together hands it a ``ScanStarter`` and
a function that looks what is configured on this machine.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import field, replace
from typing import TypeAlias

from textual.app import App
from textual.message import Message
from textual.message_pump import MessagePump

from tui.text import PROVIDERS
from undercroft.model import CoverageStatus
from undercroft.protocols import Cancelled, Progress
from undercroft.records import dataclass
from undercroft.text import count, standing
from undercroft.views import ScanRow

__all__ = [
    "Discovery",
    "Found",
    "Preflight",
    "ScanBoard",
    "ScanRequest",
    "ScanRun",
    "ScanStarter",
    "UnitLine",
]


@dataclass(frozen=True, slots=True)
class ScanRequest:
    """What a person asked to be scanned."""

    provider: str
    profile: str = ""
    """Profile, project or subscription as it is called on this machine; empty: the default."""
    locations: tuple[str, ...] = ()
    """Regions; empty: those that the provider says are enabled."""
    name: str = ""
    wide: bool = False
    """More than ``profile``: the organisation that it belongs to, or the one that is named."""
    wide_name: str = ""
    """AWS: the role to assume in each account. Google Cloud: the organisation's number. Azure: the
    management group.
    """
    resume: bool = False
    """Go on from what an interrupted scan of the same had read."""


ScanStarter: TypeAlias = Callable[
    [ScanRequest, Callable[[Progress], None], threading.Event], ScanRow
]
"""Runs a scan to its end in the calling thread; progress may come from other threads."""


_EVERYTHING = {"gcp": "all projects", "azure": "all subscriptions"}
"""What an unnamed set of credentials reads."""


@dataclass(frozen=True, slots=True)
class Found:
    """A set of credentials, or another source, that this machine could scan with."""

    provider: str
    label: str
    """The profile, project or subscription; what goes into ``ScanRequest.profile``."""
    detail: str = ""
    ready: bool = True
    hint: str = ""
    """What to do when it is not ready, in words."""
    locations: tuple[str, ...] = ()
    """Regions that its configuration names."""

    @property
    def title(self) -> str:
        """Provider and name, as they are listed."""
        name = self.label or _EVERYTHING.get(self.provider, "environment")
        return f"{PROVIDERS.get(self.provider, self.provider)} · {name}"


@dataclass(frozen=True, slots=True)
class Preflight:
    """What a permission check found before a scan."""

    identity: str
    """Who the credentials belong to."""
    account: str = ""
    locations: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    """What would not be readable, each with what to do about it."""

    @property
    def ready(self) -> bool:
        """Whether there is somebody to scan as; problems only narrow what can be read."""
        return bool(self.identity)


@dataclass(frozen=True, slots=True)
class Discovery:
    """Everything that was found, and how to check one of them without scanning."""

    found: tuple[Found, ...] = ()
    check: Callable[[ScanRequest], Preflight] | None = None
    """Slow (asks the provider): called in a worker."""
    unfinished: str = ""
    """When an interrupted scan left what it had read, RFC 3339; empty if none did."""


@dataclass(frozen=True, slots=True)
class UnitLine:
    """One collector in one account and location, as it stands now."""

    collector: str
    scope: str
    location: str
    state: str = "waiting"
    """waiting, running, stopped, or the value of the unit's ``CoverageStatus``."""
    calls: int = 0
    throttled: int = 0
    resources: int = 0
    reason: str = ""

    @property
    def is_gap(self) -> bool:
        """Whether it ended without having read everything."""
        return self.state in _GAP_STATES


_GAP_STATES = frozenset(status.value for status in CoverageStatus if status.is_gap)
_PHASES = {"judging": "judging", "saving": "saving", "done": "done", "cancelled": "cancelled"}


@dataclass(slots=True)
class ScanBoard:
    """All units of a running scan. Fed from any thread through ``ScanRun``; pure otherwise."""

    units: dict[tuple[str, str, str], UnitLine] = field(default_factory=dict)
    phase: str = "starting"
    """starting, reading, judging, saving, done, cancelled or failed."""
    done: int = 0
    total: int = 0
    calls: int = 0
    throttled: int = 0
    resources: int = 0

    def apply(self, event: Progress) -> None:
        """Take one event in; totals never run backwards, whatever order threads report in."""
        if event.kind in _PHASES:
            self.phase = _PHASES[event.kind]
        elif self.phase == "starting":
            self.phase = "reading"
        if event.kind in _PHASES:
            # Counts resources now, not units.
            return
        self.done = max(self.done, event.done)
        self.total = max(self.total, event.total)
        if not event.collector:
            return
        key = (event.scope, event.location, event.collector)
        line = self.units.get(key) or UnitLine(event.collector, event.scope, event.location)
        state = line.state
        if event.kind in {"unit_started", "unit_progress"} and state == "waiting":
            state = "running"
        elif event.kind == "unit_done":
            state = (event.status or CoverageStatus.COMPLETE).value
        self.units[key] = replace(
            line,
            state=state,
            calls=max(line.calls, event.calls),
            throttled=max(line.throttled, event.throttled),
            resources=max(line.resources, event.resources),
            reason=event.reason or line.reason,
        )
        self.calls = sum(unit.calls for unit in self.units.values())
        self.throttled = sum(unit.throttled for unit in self.units.values())
        self.resources = sum(unit.resources for unit in self.units.values())

    def close(self) -> None:
        """The scan has ended: what had not come to its own end was stopped."""
        for key, unit in self.units.items():
            if unit.state in {"waiting", "running"}:
                self.units[key] = replace(unit, state="stopped")

    def gaps(self) -> Iterator[UnitLine]:
        """Units that could not be read to the end."""
        return (unit for unit in self.units.values() if unit.is_gap)

    @property
    def finished(self) -> bool:
        """Whether nothing will happen any more."""
        return self.phase in {"done", "cancelled", "failed"}

    @property
    def share(self) -> float:
        """Finished units over known units, 0 to 1."""
        return self.done / self.total if self.total else 0.0


class ScanRun:
    """One scan that runs in a worker thread of the app, whatever screen is on top."""

    class Changed(Message, bubble=False):
        """Something happened; only the newest one matters."""

        def __init__(self, run: ScanRun) -> None:
            super().__init__()
            self.run = run

        def can_replace(self, message: Message) -> bool:
            """A flood of progress becomes one repaint."""
            return isinstance(message, ScanRun.Changed) and message.run is self.run

    class Finished(Message, bubble=False):
        """The scan ended: with a saved scan, or with a sentence why not."""

        def __init__(self, run: ScanRun, row: ScanRow | None, error: str) -> None:
            super().__init__()
            self.run = run
            self.row = row
            self.error = error

    def __init__(self, request: ScanRequest) -> None:
        self.request = request
        self.board = ScanBoard()
        self.row: ScanRow | None = None
        self.error = ""
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._watchers: set[MessagePump] = set()

    def start(self, app: App[None], starter: ScanStarter) -> None:
        """Run it in a thread worker of the app."""
        app.run_worker(
            lambda: self._work(app, starter),
            name="scan",
            group="scan",
            thread=True,
            exit_on_error=False,
        )

    def attach(self, watcher: MessagePump) -> None:
        """From now on ``watcher`` gets ``Changed`` messages."""
        with self._lock:
            self._watchers.add(watcher)
        watcher.post_message(self.Changed(self))

    def detach(self, watcher: MessagePump) -> None:
        """No more messages to ``watcher``."""
        with self._lock:
            self._watchers.discard(watcher)

    def cancel(self) -> None:
        """Ask it to stop between two calls. Saved scans and decisions are not touched."""
        self._stop.set()
        self._tell()

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop and has not ended yet."""
        return self._stop.is_set() and not self.board.finished

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return not self.board.finished

    def snapshot(self) -> tuple[UnitLine, ...]:
        """The units as they are now, in the order in which they became known."""
        with self._lock:
            return tuple(self.board.units.values())

    def summary(self) -> str:
        """How it stands, in one sentence."""
        board, row = self.board, self.row
        if self.error:
            return f"The scan failed: {self.error}"
        if board.phase == "cancelled":
            return "Scan cancelled; nothing was saved, and earlier scans are untouched."
        if row is not None and board.phase == "done":
            gaps = f"; {row.gaps} could not be read" if row.gaps else ""
            services = count(row.services, "AI service")
            return f"Scan finished: {services}, {standing(row.findings)}{gaps}."
        if self.stopping:
            return "Stopping after the calls that are under way…"
        if board.phase == "reading":
            return f"Reading: {board.done} of {board.total} units, {count(board.calls, 'call')}."
        return f"{board.phase.capitalize()}…"

    def progress(self, event: Progress) -> None:
        """Take an event from the pipeline; called from its threads."""
        with self._lock:
            self.board.apply(event)
        self._tell()

    def _work(self, app: App[None], starter: ScanStarter) -> None:
        try:
            self.row = starter(self.request, self.progress, self._stop)
        except Cancelled:
            self.board.phase = "cancelled"
        except Exception as error:  # noqa: BLE001  (the scan's own failure is shown, never a crash)
            cancelled = self._stop.is_set()
            self.board.phase = "cancelled" if cancelled else "failed"
            self.error = "" if cancelled else str(error) or type(error).__name__
        else:
            self.board.phase = "cancelled" if self.row.state == "interrupted" else "done"
        with self._lock:
            self.board.close()
        self._tell()
        app.post_message(self.Finished(self, self.row, self.error))

    def _tell(self) -> None:
        with self._lock:
            watchers = tuple(self._watchers)
        for watcher in watchers:
            watcher.post_message(self.Changed(self))
