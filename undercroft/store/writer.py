"""Streaming one scan into the cache, out of sight until it is committed."""

# ruff: noqa: S608  (only names of our own tables are put together; values are bound)

from __future__ import annotations

import os
import socket
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from itertools import count
from types import TracebackType
from typing import Any, NamedTuple, Self

from undercroft import __version__
from undercroft.clock import stamp
from undercroft.garbage import seldom
from undercroft.model import (
    Coverage,
    CoverageStatus,
    Edge,
    Json,
    Observation,
    Presence,
    Resource,
    bulk,
)
from undercroft.risk import RiskModel
from undercroft.store import commit as commits
from undercroft.store import controls, renames, scans
from undercroft.store.answers import Answer, Answers, Holds
from undercroft.store.connection import Database
from undercroft.store.encode import (
    BODY_COLUMNS,
    Body,
    body_of,
    clean,
    dump,
    edge_of,
    load,
    resource_of,
)
from undercroft.store.errors import NotFoundError, StoreError
from undercroft.store.lazy import LazyResources
from undercroft.store.models import keep
from undercroft.store.recall import Again, Asked, recall, use_again
from undercroft.store.schema import FINDING_INDEXES
from undercroft.store.told import told
from undercroft.views import ScanRow

__all__ = ["RESOURCE", "ScanWriter"]

_BATCH = 2_000
"""Rows per transaction: short enough that somebody who accepts a finding meanwhile never waits."""
_ANSWERS = 10_000
"""The same for observations, whose index is written in no order: fewer, larger steps cost less."""
_AT_ONCE = 10_000
"""Resources whose answers are looked for in one transaction."""
_PART = 500
"""Keys per query."""
RESOURCE = (
    f"r.key, {BODY_COLUMNS.replace('hash, ', 'b.', 1).replace(', ', ', b.')}, c.tags, c.config, "
    "c.facts, c.unknown, c.provenance, s.collected_at FROM snapshot s "
    "JOIN resource r ON r.id = s.resource JOIN body b ON b.id = s.body "
    "JOIN content c ON c.body = s.body"
)
_CONFIG, _FACTS = 18, 19
"""Where the long texts are, counted from ``s.resource``."""
_LETTERS = 1_000_000
"""Of configurations and facts in one page of resources: some hold thousands of vulnerabilities."""
_BODY_VALUES = ", ".join("?" * len(BODY_COLUMNS.split(",")))


class _Known(NamedTuple):
    """What has been written about one resource of this scan."""

    resource: int
    body: int
    hash: bytes
    presence: Presence
    collected_at: str


class ScanWriter:
    """One scan being written; leaving the context without ``commit`` records it as interrupted.

    May be used from several threads, one call at a time each.
    """

    def __init__(
        self,
        database: Database,
        *,
        name: str,
        kind: str,
        scope: Mapping[str, Json],
        rules: Mapping[str, str],
        pack: str,
        renamed: Mapping[str, str],
        frameworks: controls.Frameworks | None,
        criticality_tag: str,
        model: RiskModel,
    ) -> None:
        self._db = database
        self._criticality_tag = criticality_tag
        self._pack = clean(pack)
        self._started = stamp(database.now())
        self._lock = threading.RLock()
        self._resources: dict[str, Resource] = {}
        self._weight = 0
        self._edges: list[Edge] = []
        self._answers: dict[tuple[str, bool], list[Observation]] = {}
        self._waiting = 0
        self._answered: dict[tuple[str, bool], int] = {}
        self._holds: dict[str, Holds | None] = {}
        self._reused: set[str] = set()
        self._known: dict[str, _Known] = {}
        self._given: dict[str, Resource] = {}
        """What ``resources`` gave out last, just as it is stored."""
        self._keys: dict[str, int] = {}
        self._done = False
        self._room = ExitStack()
        self.uid = uuid.uuid4().hex
        with database.transaction() as connection:
            if connection.execute("SELECT 1 FROM finding LIMIT 1").fetchone() is None:
                for index in FINDING_INDEXES:
                    connection.execute(f"DROP INDEX IF EXISTS {index}")
            cursor = connection.execute(
                "INSERT INTO scan (uid, name, kind, state, started_at, scope, rules, pack, model, "
                "host, pid, process_start, weighed_by) "
                "VALUES (?, ?, ?, 'running', ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    self.uid,
                    clean(name),
                    clean(kind),
                    self._started,
                    dump(scope),
                    dump(rules),
                    self._pack,
                    keep(connection, model),
                    socket.gethostname(),
                    os.getpid(),
                    scans.process_start(os.getpid()),
                    f"{__version__} {clean(criticality_tag)}",
                ),
            )
            self.scan_id = int(cursor.lastrowid or 0)
            renames.notice(connection, renamed, rules)
            if frameworks is not None:
                controls.write(connection, frameworks)
        self._book = Answers(self.scan_id, self._pack)
        self._lookup = LazyResources(database.connection(), self.scan_id)

    def __enter__(self) -> Self:
        self._room.enter_context(self._db.roomy())
        self._room.enter_context(seldom())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._room:
            if not self._done:
                self._done = True
                scans.abandon(self._db, self.scan_id)

    def add(self, items: Iterable[Resource | Edge | Coverage]) -> None:
        """Stream what was collected to disk, in short transactions.

        A later resource of the same key replaces an earlier one, except that a stub never replaces
        what was read.
        """
        for item in items:
            with self._lock:
                if isinstance(item, Resource):
                    self._take(item)
                elif isinstance(item, Edge):
                    self._edges.append(item)
                else:
                    self._cover(item)
                if self._weight + len(self._edges) >= _BATCH:
                    self._flush(answers=False)

    def recall(self, resources: Sequence[tuple[Resource, Again]]) -> set[str]:
        """Keys of the resources about which the same pack said before exactly what it says now.

        Those answers are used again. Whoever is not among them has to be observed. See
        ``recall.Again`` for what depends on the time.
        """
        with self._lock:
            for resource, _ in resources:
                known = self._known.get(resource.key)
                given = self._given.get(resource.key) is resource
                if not given and (known is None or known.hash != body_of(resource).hash):
                    self._take(resource)
            self._flush(answers=False)
            asked = [
                Asked(resource.key, known.resource, known.body, again)
                for resource, again in resources
                for known in (self._known[resource.key],)
            ]
            # In the transaction that found them: deleting a scan removes answers that nobody
            # refers to.
            with self._db.transaction() as connection:
                found = recall(connection, self._pack, asked)
                connection.executemany(
                    "UPDATE snapshot SET judgement = ? WHERE scan = ? AND resource = ?",
                    [(one.judgement, self.scan_id, one.resource) for one in found.values()],
                )
            self._reused.update(found)
            return set(found)

    def observe(
        self,
        resource_key: str,
        observations: Sequence[Observation],
        *,
        combined: bool = False,
        holds: Holds | None = None,
    ) -> None:
        """Record what the pack said about a resource of this scan.

        An empty answer is one too: without it the resource has not been judged, and will have to be
        next time. Several calls add up. ``combined``: toxic combinations, which depend on more than
        the resource and are therefore never used again. ``holds``: how long the answer, all of which
        is in this call, stays the same. NotFoundError if the scan has no such resource.
        """
        with self._lock:
            if resource_key not in self._known and resource_key not in self._resources:
                msg = f"This scan has no resource {resource_key!r} to observe."
                raise NotFoundError(msg)
            # What is said beyond an answer that is used again can only be about combinations.
            place = (resource_key, combined or resource_key in self._reused)
            if not combined:
                self._holds[resource_key] = None if place in self._answers else holds
            self._answers.setdefault(place, []).extend(observations)
            self._waiting += len(observations)
            if len(self._answers) >= _ANSWERS or self._waiting >= _ANSWERS:
                self._flush()

    def resources(self) -> Iterator[Resource]:
        """What has been added, in no particular order. Adding meanwhile is allowed."""
        for page in self.resource_pages():
            yield from page

    def use_again(self, now: str) -> int:
        """Use again what the same pack said about exactly the same, as far as it is known to hold.

        How many resources that answers for; they need no ``recall``. ``now``: as ``clock.stamp``
        writes it.
        """
        with self._lock:
            self._flush(answers=False)
            names = {known.resource: key for key, known in self._known.items()}
            found = 0
            numbers = sorted(names)
            for start in range(0, len(numbers), _AT_ONCE):
                part = numbers[start : start + _AT_ONCE]
                # In the transaction that found them: see ``recall``.
                with self._db.transaction() as connection:
                    used = use_again(connection, self.scan_id, self._pack, now, part[0], part[-1])
                self._reused.update(names[number] for number in used)
                found += len(used)
        return found

    def said(
        self, asks_for: Callable[[str, tuple[str, ...]], bool], keys: Iterable[str]
    ) -> Iterator[tuple[str, list[Observation]]]:
        """What was used again of some resources, as far as combinations ask for it: see ``told``."""
        with self._lock:
            self._flush()
            reused = {clean(key): key for key in sorted(keys) if key in self._reused}
        for stored, fails in told(self._db.connection(), self.scan_id, asks_for, reused):
            yield reused[stored], fails

    def read(self, keys: Iterable[str]) -> Iterator[Resource]:
        """Those of some keys that have been added, as they were."""
        with self._lock:
            self._flush(answers=False)
            numbers = [self._known[key].resource for key in keys if key in self._known]
        for start in range(0, len(numbers), _PART):
            part = numbers[start : start + _PART]
            marks = ",".join("?" * len(part))
            found = self._db.connection().execute(
                f"SELECT {RESOURCE} WHERE s.scan = ? AND s.resource IN ({marks})",
                (self.scan_id, *part),
            )
            for row in found.fetchall():
                yield resource_of(row[0], row[1:])

    def resource_pages(self, *, unjudged: bool = False) -> Iterator[list[Resource]]:
        """As ``resources``, in lists that are bounded by what they hold.

        ``unjudged``: only those of which nothing has been said.
        """
        last = 0
        those = "AND s.judgement IS NULL " if unjudged else ""
        while True:
            with self._lock:
                self._flush(answers=False)
            rows: list[tuple[Any, ...]] = []
            letters = 0
            found = self._db.connection().execute(
                f"SELECT s.resource, {RESOURCE} "
                f"WHERE s.scan = ? AND s.resource > ? {those}ORDER BY s.resource LIMIT 500",
                (self.scan_id, last),
            )
            for row in found:
                rows.append(row)
                letters += len(row[_CONFIG]) + len(row[_FACTS])
                if letters > _LETTERS:
                    break
            found.close()
            if not rows:
                return
            last = rows[-1][0]
            self._given = {row[1]: resource_of(row[1], row[2:]) for row in rows}
            yield list(self._given.values())

    def resource(self, key: str) -> Resource | None:
        """What has been added under a key, or None; see ``LazyResources``. For one thread."""
        with self._lock:
            self._flush(answers=False)
            return self._lookup.resource(key)

    def edges(self) -> Iterator[Edge]:
        """What has been added, in the order in which it was."""
        last = 0
        while True:
            with self._lock:
                self._flush()
            rows = (
                self._db.connection()
                .execute(
                    "SELECT e.id, s.key, d.key, e.relation, e.via, e.certainty, e.detail "
                    "FROM edge e JOIN resource s ON s.id = e.src JOIN resource d ON d.id = e.dst "
                    "WHERE e.scan = ? AND e.id > ? ORDER BY e.id LIMIT 5000",
                    (self.scan_id, last),
                )
                .fetchall()
            )
            if not rows:
                return
            last = rows[-1][0]
            for row in rows:
                yield edge_of(row[1:])

    def commit(self, *, calls: int, throttled: int, now: datetime, spared: int = 0) -> ScanRow:
        """Work out reach, statuses and scores, then let the scan appear, all of it at once."""
        with self._lock:
            if self._done:
                msg = "This scan has already been committed or given up."
                raise StoreError(msg)
            self._flush()
            row = commits.finish(
                self._db,
                self.scan_id,
                calls=calls,
                throttled=throttled,
                spared=spared,
                now=now,
                criticality_tag=self._criticality_tag,
            )
            self._done = True
            return row

    def _take(self, resource: Resource) -> None:
        if resource.presence is Presence.STUB:
            waiting = self._resources.get(resource.key)
            known = self._known.get(resource.key)
            if waiting is not None and waiting.presence is not Presence.STUB:
                return
            if waiting is None and known is not None and known.presence is not Presence.STUB:
                return
        self._resources[resource.key] = resource
        self._weight += bulk(resource)

    def _cover(self, item: Coverage) -> None:
        """Several words on one unit: whatever could not be read outweighs what could."""
        with self._db.transaction() as connection:
            names = (item.provider, item.scope, item.location, item.collector)
            connection.execute(
                "INSERT OR IGNORE INTO unit (provider, scope, location, collector) "
                "VALUES (?, ?, ?, ?)",
                names,
            )
            unit = connection.execute(
                "SELECT id FROM unit WHERE provider = ? AND scope = ? AND location = ? "
                "AND collector = ?",
                names,
            ).fetchone()[0]
            before = connection.execute(
                "SELECT status, reason, lists FROM coverage WHERE scan = ? AND unit = ?",
                (self.scan_id, unit),
            ).fetchone()
            status, reason, lists = item.status, item.reason, set(item.lists)
            if before is not None:
                lists |= set(load(before[2]))
                if not status.is_gap and CoverageStatus(before[0]).is_gap:
                    status, reason = CoverageStatus(before[0]), before[1]
                elif status.is_gap and CoverageStatus(before[0]).is_gap and before[1] != reason:
                    reason = f"{before[1]}; {reason}"
            connection.execute(
                "INSERT OR REPLACE INTO coverage (scan, unit, status, reason, lists) "
                "VALUES (?, ?, ?, ?, ?)",
                (self.scan_id, unit, status.value, clean(reason), dump(sorted(lists))),
            )

    def _flush(self, *, answers: bool = True) -> None:
        """Write what is waiting. Answers can wait for longer: many at once cost less."""
        if not (self._resources or self._edges or (answers and self._answers)):
            return
        with self._db.transaction() as connection:
            self._write_resources(connection)
            self._write_edges(connection)
            if answers:
                self._write_answers(connection)

    def _resource_ids(self, connection: sqlite3.Connection, keys: Iterable[str]) -> None:
        wanted = [(key, clean(key)) for key in keys if key not in self._keys]
        stored = list({name: None for _, name in wanted})
        numbers: dict[str, int] = {}
        for start in range(0, len(stored), _PART):
            part = stored[start : start + _PART]
            connection.executemany(
                "INSERT OR IGNORE INTO resource (key) VALUES (?)", [(name,) for name in part]
            )
            marks = ",".join("?" * len(part))
            numbers.update(
                connection.execute(f"SELECT key, id FROM resource WHERE key IN ({marks})", part)
            )
        self._keys.update((key, numbers[name]) for key, name in wanted)

    def _body_ids(
        self, connection: sqlite3.Connection, bodies: Mapping[bytes, Body]
    ) -> dict[bytes, int]:
        """Hash → row id; what is not stored yet is written."""
        found: dict[bytes, int] = {}
        hashes = sorted(bodies)
        for start in range(0, len(hashes), _PART):
            part = hashes[start : start + _PART]
            marks = ",".join("?" * len(part))
            found.update(
                connection.execute(f"SELECT hash, id FROM body WHERE hash IN ({marks})", part)
            )
        # Numbers are given out here: asking for each row's own would cost more than writing it.
        number = connection.execute("SELECT coalesce(max(id), 0) FROM body").fetchone()[0]
        new = [hash_ for hash_ in bodies if hash_ not in found]
        found.update(zip(new, count(number + 1), strict=False))
        connection.executemany(
            f"INSERT INTO body (id, {BODY_COLUMNS}) VALUES (?, {_BODY_VALUES})",
            [(found[hash_], *bodies[hash_].row) for hash_ in new],
        )
        connection.executemany(
            "INSERT INTO content (body, tags, config, facts, unknown, provenance) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            [(found[hash_], *bodies[hash_].content) for hash_ in new],
        )
        return found

    def _write_resources(self, connection: sqlite3.Connection) -> None:
        if not self._resources:
            return
        self._resource_ids(connection, self._resources)
        bodies = {key: body_of(resource) for key, resource in self._resources.items()}
        ids = self._body_ids(connection, {body.hash: body for body in bodies.values()})
        rows = []
        for key, resource in self._resources.items():
            self._given.pop(key, None)
            self._lookup.forget(key)
            body = bodies[key].hash
            body_id = ids[body]
            collected_at = resource.collected_at or self._started
            before = self._known.get(key)
            if before is not None and before.body != body_id:
                # Another configuration: what was said about the first one says nothing about it.
                self._answered.pop((key, False), None)
                self._reused.discard(key)
            self._known[key] = _Known(
                self._keys[key], body_id, body, resource.presence, collected_at
            )
            rows.append((self.scan_id, self._keys[key], body_id, collected_at))
        connection.executemany(
            "INSERT INTO snapshot (scan, resource, body, collected_at) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (scan, resource) DO UPDATE SET judgement = "
            "CASE WHEN body = excluded.body THEN judgement END, body = excluded.body, "
            "collected_at = excluded.collected_at",
            rows,
        )
        self._resources.clear()
        self._weight = 0

    def _write_edges(self, connection: sqlite3.Connection) -> None:
        if not self._edges:
            return
        self._resource_ids(connection, (key for e in self._edges for key in (e.src, e.dst)))
        connection.executemany(
            "INSERT INTO edge (scan, src, dst, relation, via, certainty, detail) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    self.scan_id,
                    self._keys[edge.src],
                    self._keys[edge.dst],
                    edge.relation.value,
                    clean(edge.via),
                    edge.certainty.value,
                    clean(edge.detail),
                )
                for edge in self._edges
            ),
        )
        self._edges.clear()

    def _write_answers(self, connection: sqlite3.Connection) -> None:
        if not self._answers:
            return
        waiting = []
        for place, observations in self._answers.items():
            known = self._known[place[0]]
            key, combined = place
            before = self._answered.get(place)
            holds = None if combined or before is not None else self._holds.get(key)
            answer = Answer(
                known.resource, known.body, known.collected_at, observations, combined, holds
            )
            waiting.append((answer, before))
        judgements = self._book.write(connection, waiting)
        self._answered.update(zip(self._answers, judgements, strict=True))
        for column, combined in (("judgement", False), ("combined", True)):
            connection.executemany(
                f"UPDATE snapshot SET {column} = ? WHERE scan = ? AND resource = ?",
                [
                    (judgement, self.scan_id, answer.resource)
                    for judgement, (answer, _) in zip(judgements, waiting, strict=True)
                    if answer.combined is combined
                ],
            )
        self._answers.clear()
        self._holds.clear()
        self._waiting = 0
