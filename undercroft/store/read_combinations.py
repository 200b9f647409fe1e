"""Combinations as attack paths, and those that nobody could tell."""

# ruff: noqa: S608  (only names of our own columns are put together; values are bound)

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from undercroft.model import Severity
from undercroft.risk.paths import AttackPath, Cut, Link, Possible
from undercroft.risk.plan import Item
from undercroft.risk.repairs import cost_of, words_of
from undercroft.store.combos import Components
from undercroft.store.connection import Database
from undercroft.store.encode import REF_COLUMNS, load, ref_of
from undercroft.store.errors import NotFoundError
from undercroft.store.fresh import ensure_fresh
from undercroft.store.reach import path_to
from undercroft.store.read_findings import COLUMNS, JOINS, finding_row
from undercroft.views import ResourceRef

__all__ = ["attack_path", "possible"]


def attack_path(database: Database, scan_id: int, finding_id: str) -> AttackPath:
    """See ``Store.attack_path``. NotFoundError."""
    ensure_fresh(database, scan_id)
    with database.snapshot() as connection:
        found = connection.execute(
            f"SELECT {COLUMNS}, t.resource, o.evidence, coalesce(o.weight, 0) "
            f"FROM state t {JOINS} WHERE f.fid = ? AND t.scan = ? AND t.combined",
            (finding_id, scan_id),
        ).fetchone()
        if found is None:
            msg = f"This scan has no combination {finding_id}."
            raise NotFoundError(msg)
        *columns, service, evidence, weight = found
        reading = _Reading(connection, scan_id, service)
        parts = [
            (str(key), value)
            for key, value in load(evidence)
            if isinstance(value, dict) and "slot" in value
        ]
        links = tuple(reading.link(key, value) for key, value in parts)
        return AttackPath(finding_row(columns), weight, links, reading.cuts(parts))


def possible(database: Database, scan_id: int, limit: int = 1000) -> list[Possible]:
    """See ``Store.possible_combinations``."""
    return [
        Possible(ref_of(ref), rule, reason)
        for rule, reason, *ref in database.connection().execute(
            f"SELECT u.name, d.reason, {REF_COLUMNS} FROM snapshot s "
            "JOIN blind d ON d.judgement = s.combined JOIN rule u ON u.id = d.rule "
            "JOIN body b ON b.id = s.body JOIN resource r ON r.id = s.resource "
            "WHERE s.scan = ? AND s.combined IS NOT NULL ORDER BY b.name, r.key, u.name LIMIT ?",
            (scan_id, limit),
        )
    ]


class _Reading:
    """What is read once for all parts of one combination."""

    def __init__(self, connection: sqlite3.Connection, scan_id: int, service: int) -> None:
        self._connection = connection
        self._scan = scan_id
        self._service = service
        self._components = Components(connection, scan_id)

    def link(self, key: str, value: Mapping[str, Any]) -> Link:
        number, ref = self._resource(key)
        groups = self._components.groups(key, value)
        first = groups[0] if groups else []
        finding, title, severity = self._finding(first, value)
        return Link(
            need=str(value.get("need", "")),
            slot=int(value["slot"]),
            resource=ref,
            key=key,
            path=path_to(self._connection, self._scan, self._service, number) if number else (),
            title=title,
            severity=severity,
            finding=finding,
            alive=all(groups),
        )

    def cuts(self, parts: Sequence[tuple[str, Mapping[str, Any]]]) -> tuple[Cut, ...]:
        """Per ingredient what it takes to end it, cheapest first."""
        found: list[tuple[tuple[int, int, int], Cut]] = []
        for slot in sorted({int(value["slot"]) for _, value in parts}):
            here = [(key, value) for key, value in parts if int(value["slot"]) == slot]
            needed: dict[tuple[str, str], str] = {}
            for key, value in here:
                groups = self._components.groups(key, value)
                if not groups or "more" in value:
                    break  # there by its mere presence, or in more places than are known
                if not all(groups):
                    continue  # already ended
                # Ending one of the groups is enough; the one with the fewest kinds of repair.
                group = min(groups, key=lambda items: len({item.mend for item in items}))
                for item in group:
                    needed.setdefault((key, item.mend), self._words(key, item))
            else:
                if needed:
                    cost = sum(cost_of(mend) for _, mend in needed)
                    label = str(here[0][1].get("need", ""))
                    cut = Cut(slot, label, tuple(dict.fromkeys(needed.values())))
                    found.append(((len(needed), cost, slot), cut))
        return tuple(cut for _, cut in sorted(found, key=lambda pair: pair[0]))

    def _words(self, key: str, item: Item) -> str:
        _, ref = self._resource(key)
        _, title, _ = self._finding([item], {})
        return words_of(item.mend, ref.name if ref else key, title)

    def _finding(
        self, items: Iterable[Item], value: Mapping[str, Any]
    ) -> tuple[str, str, Severity | None]:
        """(id, title, severity) of the worst; what the evidence says if there is none any more."""
        worst = max(items, key=lambda item: (item.hazard, -item.finding), default=None)
        if worst is None:
            known = str(value.get("severity", ""))
            severity = Severity(known) if known in set(Severity) else None
            return "", str(value.get("title", "")), severity
        fid, title, rank = self._connection.execute(
            "SELECT f.fid, o.title, t.severity FROM state t JOIN finding f ON f.id = t.finding "
            "JOIN observation o ON o.id = t.observation WHERE t.finding = ? AND t.scan = ?",
            (worst.finding, self._scan),
        ).fetchone()
        return fid, title, Severity.from_rank(rank)

    def _resource(self, key: str) -> tuple[int, ResourceRef | None]:
        row = self._connection.execute(
            f"SELECT s.resource, {REF_COLUMNS} FROM resource r "
            "JOIN snapshot s ON s.scan = ? AND s.resource = r.id JOIN body b ON b.id = s.body "
            "WHERE r.key = ?",
            (self._scan, key),
        ).fetchone()
        return (0, None) if row is None else (row[0], ref_of(row[1:]))
