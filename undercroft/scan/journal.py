"""What the finished units of a running scan have read, so that an interrupted one can go on.

A file beside the cache, readable by its owner only, in lines: each batch of items as it comes, and a
last line when its unit is through. What has no last line was not finished and does not count. Items
are redacted before they get here. The file goes when the scan is saved.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from undercroft.clock import stamp
from undercroft.model import (
    Certainty,
    Coverage,
    CoverageStatus,
    Edge,
    Json,
    Layer,
    Presence,
    Resource,
)
from undercroft.protocols import Collected, Scope, Target
from undercroft.relations import Relation
from undercroft.scan.unit import UnitResult

__all__ = ["Journal", "Recalled", "journal_path"]

_FORMAT = 2
_OLDEST = timedelta(days=1)
"""Units read longer ago than that are read again: a scan shall not mix weeks."""


def journal_path(cache: Path) -> Path:
    """The journal that belongs to a cache."""
    return cache.with_name(f"{cache.name}-unfinished")


@dataclass(frozen=True, slots=True)
class _Finished:
    places: tuple[tuple[int, int], ...]
    """Offset and length of each batch in the file."""
    result: UnitResult
    at: str


@dataclass(frozen=True, slots=True)
class Recalled:
    """A unit that need not be read again."""

    batches: Iterator[list[Collected]]
    result: UnitResult
    """How it ended, without its items."""


class Journal:
    """The journal of one scan; used by one thread."""

    def __init__(
        self, path: Path, scope: Scope, version: str, now: datetime, *, resume: bool
    ) -> None:
        """Begin anew, or, to ``resume``, go on from what an interrupted scan of the same left."""
        self._path = path
        self._now = now
        self._finished: dict[str, _Finished] = {}
        self._file: BinaryIO = os.fdopen(
            os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b"
        )
        head = json.dumps([_FORMAT, version, _digest(_asked(scope))]).encode() + b"\n"
        if not (resume and self._read(head)):
            self._finished.clear()
            self._file.seek(0)
            self._file.truncate()
            self._file.write(head)
        self._number = 0 if not resume else self._number_of_lines()
        self._file.seek(0, os.SEEK_END)

    @property
    def units(self) -> int:
        """How many units need not be read again."""
        return len(self._finished)

    @property
    def since(self) -> str:
        """When the first of them was read."""
        return min((unit.at for unit in self._finished.values()), default="")

    def recall(self, target: Target) -> Recalled | None:
        """What a unit read before the interruption, if it was finished and asked the same."""
        known = self._finished.get(_key(target))
        return None if known is None else Recalled(self._items(known.places), known.result)

    def begin(self) -> int:
        """A number for a unit that is about to be read."""
        self._number += 1
        return self._number

    def note(self, unit: int, items: Sequence[Collected]) -> None:
        """Keep a batch of a unit."""
        if items:
            self._write(unit, b"+", [_encode(item) for item in items])

    def end(self, unit: int, target: Target, result: UnitResult) -> None:
        """Note that a unit has come to its end; one that could not read everything is read again."""
        if not result.status.is_gap:
            said = [
                result.status.value,
                result.reason,
                result.resources,
                result.calls,
                result.throttled,
                result.spared,
            ]
            self._write(unit, b"=", [_key(target), stamp(self._now), *said])
            self._file.flush()

    def close(self, *, done: bool) -> None:
        """Stop writing. ``done``: the scan is saved and nothing is left to resume."""
        self._file.close()
        if done:
            self._path.unlink(missing_ok=True)

    def _write(self, unit: int, kind: bytes, content: list[Any]) -> None:
        self._file.write(b"%d %b %b\n" % (unit, kind, json.dumps(content).encode()))

    def _read(self, head: bytes) -> bool:
        """Find the finished units; False if this was another scan, or long ago."""
        self._file.seek(0)
        if self._file.readline() != head:
            return False
        oldest = stamp(self._now - _OLDEST)
        places: dict[bytes, list[tuple[int, int]]] = {}
        whole = self._file.tell()
        for line in self._file:
            if not line.endswith(b"\n"):
                # Written when the process ended.
                break
            unit, kind, content = line.split(b" ", 2)
            start = whole + len(line) - len(content)
            whole += len(line)
            if kind == b"+":
                places.setdefault(unit, []).append((start, len(content)))
                continue
            key, at, status, *numbers = json.loads(content)
            if at >= oldest:
                reason, resources, calls, throttled, spared = numbers
                result = UnitResult(
                    [], CoverageStatus(status), reason, resources, calls, throttled, spared=spared
                )
                self._finished[key] = _Finished(tuple(places.pop(unit, ())), result, at)
        self._file.truncate(whole)
        return True

    def _number_of_lines(self) -> int:
        """A number that no unit in the file has."""
        self._file.seek(0)
        return sum(1 for _ in self._file)

    def _items(self, places: Sequence[tuple[int, int]]) -> Iterator[list[Collected]]:
        for start, length in places:
            self._file.seek(start)
            batch = [_decode(item) for item in json.loads(self._file.read(length))]
            self._file.seek(0, os.SEEK_END)
            yield batch


def _asked(scope: Scope) -> Json:
    return [scope.provider, list(scope.accounts), list(scope.locations), dict(scope.options)]


def _key(target: Target) -> str:
    """Names what a unit was asked: where to look, how, and for which stubs."""
    wanted: list[Json] = [[stub.key, dict(stub.facts)] for stub in target.wanted]
    place: list[Json] = [target.collector, target.provider, target.scope, target.location]
    return _digest([place, dict(target.options), wanted])


def _digest(value: Json) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _encode(item: Collected) -> list[Any]:
    if isinstance(item, Resource):
        # Not asdict: it copies the whole configuration first.
        return ["r", {name: getattr(item, name) for name in Resource.__slots__}]
    return ["e" if isinstance(item, Edge) else "c", asdict(item)]


def _decode(coded: list[Any]) -> Collected:
    kind, fields = coded
    values: Mapping[str, Any] = fields
    if kind == "r":
        return Resource(
            **{
                **values,
                "layer": Layer(values["layer"]),
                "presence": Presence(values["presence"]),
            }
        )
    if kind == "e":
        return Edge(
            **{
                **values,
                "relation": Relation(values["relation"]),
                "certainty": Certainty(values["certainty"]),
            }
        )
    return Coverage(
        **{
            **values,
            "status": CoverageStatus(values["status"]),
            "lists": tuple(values["lists"]),
        }
    )
