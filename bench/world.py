"""What the figures share: the estate, its answers and a saved scan, each made once and when needed."""

from __future__ import annotations

import gc
import shutil
import sqlite3
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from bench.estate import Size, SyntheticCollector
from bench.process import PYTHON, environment, first_line
from rules import Engine, Pack, load_pack
from undercroft.model import Observation, Resource
from undercroft.protocols import Collected, Meter, Scope
from undercroft.store import Store
from undercroft.views import ScanRow

__all__ = ["NOW", "Scanned", "Steps", "World", "clock", "stamp"]

_PATIENCE = 3_600.0
"""Seconds for a scan."""

_MANY = 300_000
"""Findings from which on work that grows with them is measured once."""

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
"""The bench's present moment: what is measured must not depend on the calendar."""


def stamp(moment: datetime) -> str:
    """RFC 3339."""
    return moment.isoformat().replace("+00:00", "Z")


class Steps(NamedTuple):
    """CPU seconds of the steps of one scan."""

    collect: float
    """Redacting, linking and writing what was read included."""
    judge: float
    """Writing the answers included."""
    save: float


class Scanned(NamedTuple):
    """What one scan in a process of its own cost."""

    steps: Steps
    peak: float
    """MB."""


class World:
    """One run's estate; a context manager that removes its files."""

    def __init__(self, size: Size, rounds: int | None = None) -> None:
        """``rounds``: how often to repeat what is repeated, instead of what each figure prefers."""
        self.size = size
        self._rounds = rounds
        self.folder = Path(tempfile.mkdtemp(prefix="undercroft-bench-"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def rounds(self, preferred: int, *, grows: bool = False) -> int:
        """How often to repeat a measurement.

        Once where the work ``grows`` with the findings and there are many, whatever was asked for:
        the longer something takes, the less a moment's disturbance weighs in it.
        """
        return 1 if grows and self.size.findings > _MANY else self._rounds or preferred

    def items(self, *, changed: float = 0.0) -> list[Collected]:
        """The whole estate, collected."""
        collector = SyntheticCollector(self.size, changed=changed)
        return [
            item
            for target in collector.targets(Scope("aws"), ())
            for item in collector.collect(target, Meter())
        ]

    @cached_property
    def estate(self) -> list[Collected]:
        """The estate as it is at first."""
        found = self.items()
        freeze()
        return found

    @property
    def resources(self) -> list[Resource]:
        """The estate's resources."""
        return [item for item in self.estate if isinstance(item, Resource)]

    @cached_property
    def pack(self) -> Pack:
        """The shipped rules."""
        return load_pack()

    @cached_property
    def engine(self) -> Engine:
        """The shipped rules, compiled; warm."""
        engine = Engine(self.pack)
        for type_ in {resource.type for resource in self.resources}:
            engine.rules_for(type_)
        return engine

    @cached_property
    def answers(self) -> dict[str, Sequence[Observation]]:
        """What the rules say about each resource of the estate."""
        now = stamp(NOW)
        found = {resource.key: self.engine.judge(resource, now) for resource in self.resources}
        freeze()
        return found

    @cached_property
    def first(self) -> Scanned:
        """The first scan of the estate, into ``saved``."""
        return self.run(self.folder / "first.db")

    @property
    def saved(self) -> tuple[Path, Steps]:
        """The estate in a cache, and what scanning it cost."""
        return self.folder / "first.db", self.first.steps

    def run(
        self,
        path: Path,
        *,
        changed: float = 0.0,
        most_shared: bool = False,
        size: Size | None = None,
    ) -> Scanned:
        """Scan the estate into a cache, in a process of its own, so that nothing else is counted."""
        size = size or self.size
        command = (
            PYTHON,
            "-m",
            "bench.scanning",
            path,
            size.services,
            size.resources,
            size.findings,
            changed,
            int(most_shared),
        )
        _, said = first_line([str(part) for part in command], environment(self.folder), _PATIENCE)
        return Scanned(Steps(*said["steps"]), said["peak"])

    @cached_property
    def store(self) -> Store:
        """The cache with the estate, open for reading."""
        return Store.open(self.saved[0], read_only=True, clock=clock)

    @cached_property
    def scan(self) -> ScanRow:
        """The scan in it."""
        return self.store.scan()

    def bare(self) -> sqlite3.Connection:
        """A plain connection to the same cache, set up as the store's own."""
        connection = sqlite3.connect(
            f"file:{self.saved[0]}?mode=ro", uri=True, isolation_level=None
        )
        connection.execute("PRAGMA cache_size = -8000")
        return connection

    def copy(self, name: str) -> Path:
        """The saved cache once more, to write to."""
        target = self.folder / name
        source = sqlite3.connect(self.saved[0])
        try:
            source.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            source.close()
        shutil.copyfile(self.saved[0], target)
        return target


def freeze() -> None:
    """Keep what lives for the whole run out of the garbage collector's way, and so out of figures."""
    gc.collect()
    gc.freeze()


def clock() -> datetime:
    """Always the same moment."""
    return NOW
