"""What a plan of repairs is computed from: hazards per resource, reach, and what combinations hang on."""

# ruff: noqa: S608  (only names of our own tables are put together; values are bound)

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field

from undercroft import risk
from undercroft.risk.plan import Combo, Item, RepairKey, World
from undercroft.risk.repairs import words_of
from undercroft.store.combos import ITEM_COLUMNS, ITEM_JOINS, Components, combo_of, item_of
from undercroft.store.connection import Database
from undercroft.store.encode import REF_COLUMNS, load, ref_of
from undercroft.store.fresh import ensure_fresh
from undercroft.store.models import model_of
from undercroft.store.rollup import ACTIVE_SQL
from undercroft.views import ResourceRef

__all__ = ["PlanWorld", "load_world"]

_PART = 400
_GROUPS = (
    "SELECT y.resource, y.layer, sum(y.findings) AS many FROM "
    "(SELECT DISTINCT resource FROM closure WHERE scan = ?) x "
    "CROSS JOIN tally y ON y.scan = ? AND y.resource = x.resource "
    f"WHERE NOT y.combined AND y.status IN {ACTIVE_SQL} GROUP BY y.resource, y.layer"
)
"""How many findings count of what lies beneath a service, by layer."""


@dataclass(frozen=True, slots=True)
class PlanWorld:
    """A world, and the names of what is in it, read when they are asked for."""

    world: World
    database: Database
    scan_id: int
    refs: dict[int, ResourceRef] = field(default_factory=dict)
    """What was named so far."""

    def resources(self, numbers: Sequence[int]) -> dict[int, ResourceRef]:
        """Resources (services too) by number."""
        connection = self.database.connection()
        unnamed = [number for number in numbers if number not in self.refs]
        for start in range(0, len(unnamed), _PART):
            part = unnamed[start : start + _PART]
            for number, *ref in connection.execute(
                f"SELECT s.resource, {REF_COLUMNS} FROM snapshot s JOIN body b ON b.id = s.body "
                "JOIN resource r ON r.id = s.resource "
                f"WHERE s.scan = ? AND s.resource IN ({','.join('?' * len(part))})",
                (self.scan_id, *part),
            ):
                self.refs[number] = ref_of(ref)
        return {number: self.refs[number] for number in numbers if number in self.refs}

    def findings(self, numbers: Sequence[int]) -> list[tuple[str, str, str]]:
        """(finding id, rule, title) in the order of ``numbers``."""
        connection = self.database.connection()
        found: dict[int, tuple[str, str, str]] = {}
        for start in range(0, len(numbers), _PART):
            part = list(numbers[start : start + _PART])
            for number, *names in connection.execute(
                "SELECT t.finding, f.fid, u.name, o.title FROM finding f "
                f"CROSS JOIN state t ON t.finding = f.id AND t.scan = ? "
                "JOIN observation o ON o.id = t.observation JOIN rule u ON u.id = t.rule "
                f"WHERE f.id IN ({','.join('?' * len(part))})",
                (self.scan_id, *part),
            ):
                found[number] = tuple(names)
        return [found[number] for number in numbers]

    def words(self, repair: RepairKey, name: str) -> str:
        """A repair in words."""
        members = [i for i in self.world.items[repair.resource] if i.mend == repair.mend]
        title = self.findings([members[0].finding])[0][2] if members else ""
        return words_of(repair.mend, name, title)


def load_world(database: Database, scan_id: int) -> PlanWorld:
    """Everything active in a scan that some service inherits. Accepted findings are left as they are:
    a plan starts from the residual score.
    """
    ensure_fresh(database, scan_id)
    with database.snapshot() as connection:
        items, cut = _items(connection, scan_id)
        reach: dict[int, list[tuple[int, float]]] = {
            row[0]: []
            for row in connection.execute(
                "SELECT resource FROM service WHERE scan = ? ORDER BY resource", (scan_id,)
            )
        }
        combos = _combos(connection, scan_id)
        inherits: dict[int, list[tuple[int, float]]] = {service: [] for service in reach}
        for service, resource, attenuation, scale in connection.execute(
            "SELECT service, resource, attenuation, scale FROM closure WHERE scan = ?", (scan_id,)
        ):
            if service not in reach:
                continue
            if resource in combos:
                inherits[service].append((resource, attenuation))
            if resource in items or resource in combos:
                reach[service].append((resource, attenuation * scale))
        model = model_of(connection, scan_id)
    world = World(reach, items, combos, inherits, cut, model)
    world.load = lambda resource: _every(database.connection(), scan_id, resource)
    return PlanWorld(world, database, scan_id)


def _items(connection: sqlite3.Connection, scan_id: int) -> tuple[dict[int, list[Item]], set[int]]:
    """Resource → its findings that count, worst first, of everything beneath a service; and of which
    resources there are more.
    """
    found: dict[int, list[Item]] = {}
    cut: set[int] = set()
    for resource, layer in connection.execute(
        f"SELECT resource, layer FROM ({_GROUPS}) WHERE many > {risk.DEPTH}", (scan_id, scan_id)
    ).fetchall():
        rows = connection.execute(
            f"SELECT {ITEM_COLUMNS} FROM state t {ITEM_JOINS} WHERE t.scan = ? AND t.resource = ? "
            f"AND t.layer = ? AND NOT t.combined AND t.status IN {ACTIVE_SQL} AND t.hazard > 0 "
            "ORDER BY t.score DESC LIMIT ?",
            (scan_id, resource, layer, risk.DEPTH),
        )
        found.setdefault(resource, []).extend(item_of(row) for row in rows)
        cut.add(resource)
    # Most have few, and are read at once.
    for resource, *row in connection.execute(
        f"SELECT t.resource, {ITEM_COLUMNS} FROM ({_GROUPS}) g "
        "CROSS JOIN state t ON t.scan = ? AND t.resource = g.resource AND t.layer = g.layer "
        f"{ITEM_JOINS} WHERE g.many <= {risk.DEPTH} AND NOT t.combined "
        f"AND t.status IN {ACTIVE_SQL} AND t.hazard > 0",
        (scan_id, scan_id, scan_id),
    ):
        found.setdefault(resource, []).append(item_of(row))
    for items in found.values():
        items.sort(key=_worst_first)
    return found, cut


def _worst_first(item: Item) -> tuple[float, int]:
    return -item.hazard, item.finding


def _every(connection: sqlite3.Connection, scan_id: int, resource: int) -> list[Item]:
    rows = connection.execute(
        f"SELECT {ITEM_COLUMNS} FROM state t {ITEM_JOINS} WHERE t.scan = ? AND t.resource = ? "
        f"AND NOT t.combined AND t.status IN {ACTIVE_SQL} AND t.hazard > 0 ORDER BY t.score DESC",
        (scan_id, resource),
    )
    return [item_of(row) for row in rows]


def _combos(connection: sqlite3.Connection, scan_id: int) -> dict[int, list[Combo]]:
    """Service → its active combinations and what each hangs on, from their evidence."""
    found: dict[int, list[Combo]] = {}
    components = Components(connection, scan_id)
    for service, finding, hazard, evidence in connection.execute(
        "SELECT t.resource, t.finding, t.hazard, o.evidence FROM service v "
        "CROSS JOIN state t ON t.scan = v.scan AND t.resource = v.resource "
        "JOIN observation o ON o.id = t.observation "
        f"WHERE v.scan = ? AND t.combined AND t.status IN {ACTIVE_SQL} AND t.hazard > 0 "
        "ORDER BY t.finding",
        (scan_id,),
    ).fetchall():
        found.setdefault(service, []).append(combo_of(finding, hazard, load(evidence), components))
    return found
