"""Resources of one scan by key, for whoever walks its graph.

A walk asks many resources for their type or name and few for more, and an image may list tens of
thousands of vulnerabilities: configuration and facts are read when somebody looks into them.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from undercroft.model import Json, Resource
from undercroft.store.encode import BODY_COLUMNS, clean, load, resource_of

__all__ = ["LazyResources"]

_RECENT = 2_000
"""Resources kept at hand; services of one team share most of what they stand on."""
_LETTERS = 4_000_000
"""Of the configurations and facts kept at hand, as JSON; read, they take several times as much."""
_COLUMNS = BODY_COLUMNS.replace("hash, ", "b.", 1).replace(", ", ", b.")

_Part = Literal["config", "facts"]


class LazyResources:
    """Answers ``Graph``'s question for a resource; for the thread that made ``connection``.

    Where a resource comes from (``provenance``) is left out: no walk asks for it.
    """

    def __init__(self, connection: sqlite3.Connection, scan_id: int) -> None:
        self._connection = connection
        self._scan = scan_id
        self._recent: OrderedDict[str, Resource | None] = OrderedDict()
        self._parts: OrderedDict[tuple[int, _Part], tuple[Mapping[str, Json], int]] = OrderedDict()
        self._letters = 0

    def resource(self, key: str) -> Resource | None:
        """The resource of that key as the scan has it, or None."""
        if key in self._recent:
            self._recent.move_to_end(key)
            return self._recent[key]
        found = self._recent[key] = self._read(key)
        if len(self._recent) > _RECENT:
            self._recent.popitem(last=False)
        return found

    def forget(self, key: str) -> None:
        """It has been written anew."""
        self._recent.pop(key, None)

    def _read(self, key: str) -> Resource | None:
        row = self._connection.execute(
            # Nothing that is stored behind the facts unless there is something: they may be long.
            f"SELECT s.body, {_COLUMNS}, c.tags, '', '', "  # noqa: S608  (columns of ours)
            "CASE WHEN b.unknowns > 0 THEN c.unknown ELSE '{}' END, '', "
            "s.collected_at FROM resource r "
            "JOIN snapshot s ON s.scan = ? AND s.resource = r.id JOIN body b ON b.id = s.body "
            "JOIN content c ON c.body = s.body WHERE r.key = ?",
            (self._scan, clean(key)),
        ).fetchone()
        if row is None:
            return None
        body = row[0]
        return resource_of(
            key,
            row[1:],
            config=_Later(lambda: self._part(body, "config")),
            facts=_Later(lambda: self._part(body, "facts")),
        )

    def _part(self, body: int, column: _Part) -> Mapping[str, Json]:
        known = self._parts.get((body, column))
        if known is not None:
            self._parts.move_to_end((body, column))
            return known[0]
        text: str = self._connection.execute(
            f"SELECT {column} FROM content WHERE body = ?",  # noqa: S608  (one of two)
            (body,),
        ).fetchone()[0]
        found: Mapping[str, Json] = load(text)
        self._parts[body, column] = found, len(text)
        self._letters += len(text)
        while self._letters > _LETTERS and len(self._parts) > 1:
            _, (_, letters) = self._parts.popitem(last=False)
            self._letters -= letters
        return found


class _Later(Mapping[str, Any]):
    """A part of a resource, read when somebody looks into it."""

    __slots__ = ("_read",)

    def __init__(self, read: Callable[[], Mapping[str, Json]]) -> None:
        self._read = read

    def __getitem__(self, name: str) -> Any:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __repr__(self) -> str:
        return repr(self._read())
