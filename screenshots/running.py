"""A real scan of the demo estate that stands still half-way, so that it can be looked at."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from collectors.demo import load_demo
from collectors.demo.estate import DemoCollector
from screenshots.stage import NOW, now
from tui import wiring
from tui.scanning import ScanRequest
from undercroft.model import Resource
from undercroft.protocols import Collected, Collector, Meter, Progress, Scope, Target
from undercroft.scan import run_scan
from undercroft.scan.turns import take_turns
from undercroft.store import Store
from undercroft.views import ScanRow

__all__ = ["HeldScan"]

_THROUGH = 9
"""Units that are read to their end."""
_JOBS = 3
"""Units that then stand still at once."""
_PATIENCE = 10.0


@dataclass(slots=True)
class _Held:
    """A demo collector that reads nothing until it is let go."""

    inner: DemoCollector
    held: threading.Semaphore
    go_on: threading.Event
    name: str = ""
    stage: int = 0

    def targets(self, scope: Scope, wanted: Sequence[Resource]) -> Iterator[Target]:
        """As the collector itself."""
        return self.inner.targets(scope, wanted)

    def collect(self, target: Target, meter: Meter) -> Iterator[Collected]:
        """Everything, once it may."""
        self.held.release()
        self.go_on.wait()
        meter.check()
        yield from self.inner.collect(target, meter)


class HeldScan:
    """Starts one scan that waits half-way until `let_go`."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._held = threading.Semaphore(0)
        self._through = threading.Event()
        self._go_on = threading.Event()

    def start(
        self,
        request: ScanRequest,
        progress: Callable[[Progress], None],
        cancelled: threading.Event,
    ) -> ScanRow:
        """A ``ScanStarter`` over a cache of its own."""
        collectors = load_demo(NOW).scans[-1].collectors
        gaps = [one for one in collectors if not any(isinstance(i, Resource) for i in one.items)]
        ordered = [*gaps, *(one for one in collectors if one not in gaps)]
        scope = Scope(request.provider)
        units = [(one, target) for one in ordered for target in one.targets(scope, ())]
        first = [id(one) for one, _ in take_turns(units)][:_THROUGH]
        held: list[Collector] = [
            one if id(one) in first else _Held(one, self._held, self._go_on, one.name)
            for one in ordered
        ]

        def tell(event: Progress) -> None:
            progress(event)
            if event.kind == "unit_done" and event.done == _THROUGH:
                self._through.set()

        with Store.open(self._cache, clock=now) as store:
            return run_scan(
                store,
                held,
                wiring.engine(),
                scope,
                name=request.name,
                jobs=_JOBS,
                progress=tell,
                cancelled=cancelled,
                clock=now,
            )

    def wait(self) -> None:
        """Until it stands still. Blocks: call it in a thread."""
        for _ in range(_JOBS):
            if not self._held.acquire(timeout=_PATIENCE):
                raise TimeoutError("the scan does not come to where it is held")
        if not self._through.wait(_PATIENCE):
            raise TimeoutError("the scan's first units do not end")

    def let_go(self) -> None:
        """Let it run to its end."""
        self._go_on.set()
