"""Combinations of the newest scan evaluated anew, after what is known about exploitation changed."""

# ruff: noqa: S608  (only names of our own tables are put together; values are bound)

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from undercroft.graph import Graph
from undercroft.model import Observation, Outcome, Presence, Resource
from undercroft.protocols import Judge
from undercroft.store import rollup
from undercroft.store.answers import Answer, Answers
from undercroft.store.causes import by_feed, by_model
from undercroft.store.combos import ALIVE, settle_scan
from undercroft.store.commit import count_findings, scan_of
from undercroft.store.connection import Database, bump
from undercroft.store.encode import edge_of, resource_of
from undercroft.store.feeds import exploitable
from undercroft.store.lazy import LazyResources
from undercroft.store.lines import end
from undercroft.store.models import model_of
from undercroft.store.parts import Parts
from undercroft.store.scans import FINISHED
from undercroft.store.sightings import INSERT_ROW, rows
from undercroft.store.told import told
from undercroft.store.writer import RESOURCE

__all__ = ["Recombined", "combine_again"]

_PART = 400


@dataclass(frozen=True, slots=True)
class Recombined:
    """What changed in the newest scan when its combinations were evaluated anew."""

    appeared: tuple[str, ...] = ()
    """Titles, in order; a title stands once per service."""
    ended: tuple[str, ...] = ()
    other_rules: bool = False
    """The scan was judged by another rule pack, so nothing was evaluated."""


def combine_again(
    database: Database, judge: Judge, criticality_tag: str, *, model: bool = False
) -> Recombined:
    """See ``Store.combine_again``."""
    found = (
        database.connection()
        .execute(
            "SELECT id, pack, started_at FROM scan WHERE id = "
            f"(SELECT max(id) FROM scan WHERE state IN {FINISHED})"
        )
        .fetchone()
    )
    if found is None:
        return Recombined()
    scan_id, pack, started_at = found
    if pack != judge.version:
        return Recombined(other_rules=True)
    with database.snapshot() as connection:
        estate = _Estate(database, connection, scan_id)
        answers: dict[str, list[Observation]] = {key: [] for key in estate.judged}
        for one in judge.combine(estate.graph, estate.fails(judge, started_at)):
            if one.resource in answers:
                answers[one.resource].append(one)
    with database.transaction() as writing:
        before = _holding(writing, scan_id)
        changed = _write(writing, scan_id, pack, estate, answers)
        if not changed:
            return Recombined()
        with by_model(writing) if model else by_feed(writing):
            _derive(database, writing, scan_id, changed, criticality_tag)
        after = _holding(writing, scan_id)
        bump(writing)
    return Recombined(
        tuple(sorted(title for fid, title in after.items() if fid not in before)),
        tuple(sorted(title for fid, title in before.items() if fid not in after)),
    )


class _Estate:
    """A saved scan as it was when its combinations were evaluated first.

    What was carried over from earlier scans afterwards counts as not read: then as now.
    """

    def __init__(self, database: Database, connection: sqlite3.Connection, scan_id: int) -> None:
        self._connection = connection
        self._scan = scan_id
        self._lookup = LazyResources(connection, scan_id)
        self._carried = {
            key
            for (key,) in connection.execute(
                "SELECT r.key FROM snapshot s JOIN resource r ON r.id = s.resource "
                "WHERE s.scan = ? AND s.carried = 1",
                (scan_id,),
            )
        }
        self.judged: dict[str, tuple[int, int, str]] = {}
        """Service that was read → (resource, body, collected_at)."""
        services = []
        for key, presence, carried, *place in connection.execute(
            "SELECT r.key, b.presence, s.carried, s.resource, s.body, s.collected_at "
            "FROM snapshot s JOIN body b ON b.id = s.body JOIN resource r ON r.id = s.resource "
            "WHERE s.scan = ? AND b.service = 1",
            (scan_id,),
        ):
            services.append(key)
            if presence == Presence.READ and not carried:
                self.judged[key] = (place[0], place[1], place[2])
        edges = [
            edge_of(row)
            for row in connection.execute(
                "SELECT s.key, d.key, e.relation, e.via, e.certainty, e.detail FROM edge e "
                "JOIN resource s ON s.id = e.src JOIN resource d ON d.id = e.dst "
                "JOIN snapshot n ON n.scan = e.scan AND n.resource = e.src AND n.carried = 0 "
                "WHERE e.scan = ? ORDER BY e.id",
                (scan_id,),
            )
        ]
        model = model_of(connection, scan_id)
        self.graph = Graph(
            edges,
            services=services,
            lookup=self._resource,
            attenuation=model.attenuation,
            cutoff=model.cutoff,
        )
        self._exploitable = exploitable(database, model)

    def _resource(self, key: str) -> Resource | None:
        found = self._lookup.resource(key)
        if found is not None and key in self._carried:
            return replace(found, presence=Presence.STUB)
        return found

    def fails(self, judge: Judge, now: str) -> Mapping[str, Sequence[Observation]]:
        """Resource key → what combinations look at."""
        parts = Parts(judge, self._exploitable)
        keys = sorted(self.graph.beneath_services())
        for key, said in told(self._connection, self._scan, judge.asks_for, keys):
            parts.add_told(key, said)
        for one in self._unknown(judge, now):
            parts.add_more(one.resource, [one])
        return parts.found

    def _unknown(self, judge: Judge, now: str) -> Iterator[Observation]:
        """What could not be told is saved in fewer words than combinations ask for: asked again."""
        for row in self._connection.execute(
            f"SELECT {RESOURCE} WHERE s.scan = ? AND s.carried = 0 "
            "AND EXISTS (SELECT 1 FROM blind d WHERE d.judgement = s.judgement)",
            (self._scan,),
        ):
            for one in judge.judge(resource_of(row[0], row[1:]), now):
                if one.outcome is Outcome.UNKNOWN:
                    yield one


def _write(
    connection: sqlite3.Connection,
    scan_id: int,
    pack: str,
    estate: _Estate,
    answers: dict[str, list[Observation]],
) -> list[int]:
    """Save the answers; the services (resources) about which another one is given than before."""
    given = [
        (Answer(resource, body, collected_at, answers[key], combined=True), None)
        for key, (resource, body, collected_at) in estate.judged.items()
    ]
    judgements = Answers(scan_id, pack).write(connection, given)
    changed = []
    for (answer, _), judgement in zip(given, judgements, strict=True):
        updated = connection.execute(
            "UPDATE snapshot SET combined = ?1 WHERE scan = ?2 AND resource = ?3 "
            "AND combined IS NOT ?1",
            (judgement, scan_id, answer.resource),
        )
        if updated.rowcount:
            changed.append(answer.resource)
    return sorted(changed)


def _derive(
    database: Database,
    connection: sqlite3.Connection,
    scan_id: int,
    services: Sequence[int],
    criticality_tag: str,
) -> None:
    """The rows of the combinations of some services, and what counts them."""
    scan = scan_of(connection, scan_id, database.now(), criticality_tag)
    for start in range(0, len(services), _PART):
        part = services[start : start + _PART]
        former = connection.execute(
            f"SELECT id FROM state WHERE scan = ? AND resource IN ({','.join('?' * len(part))}) "
            "AND combined",
            (scan_id, *part),
        )
        end(connection, scan_id, [row[0] for row in former])
        connection.executemany(INSERT_ROW, list(rows(connection, scan, part)))
    settle_scan(connection, scan_id)
    rollup.refresh(connection, scan_id, services)
    connection.execute(
        "UPDATE scan SET findings = ? WHERE id = ?", (count_findings(connection, scan_id), scan_id)
    )


def _holding(connection: sqlite3.Connection, scan_id: int) -> dict[str, str]:
    """Finding id → title of the combinations that hold."""
    return dict(
        connection.execute(
            # By way of the services: going through all that is alive takes seconds.
            "SELECT f.fid, o.title FROM service v "
            "CROSS JOIN state t ON t.scan = v.scan AND t.resource = v.resource "
            "JOIN finding f ON f.id = t.finding JOIN observation o ON o.id = t.observation "
            f"WHERE v.scan = ? AND t.combined AND t.status IN {ALIVE}",
            (scan_id,),
        ).fetchall()
    )
