"""What combinations hang on: which living findings keep each of their ingredients there.

A component that turned out to be a false positive breaks its combination between two scans; an
accepted one does not: accepting an ingredient must not silence the dish.
"""

# ruff: noqa: S608  (only names of our own tables are put together; values are bound)

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from undercroft.feeds import EXPLOITABLE_TRAIT
from undercroft.model import LAYERS
from undercroft.risk.plan import Combo, Item, RepairKey
from undercroft.risk.repairs import mend_of
from undercroft.store.encode import load
from undercroft.store.feeds import exploitable_sql
from undercroft.store.lines import change
from undercroft.store.models import model_of
from undercroft.store.scans import FINISHED
from undercroft.triage.status import State

__all__ = [
    "ALIVE",
    "BROKEN",
    "ITEM_COLUMNS",
    "ITEM_JOINS",
    "Components",
    "alive_among",
    "broken",
    "combined_among",
    "combo_of",
    "item_of",
    "settle",
    "settle_scan",
    "unsettled",
]

ALIVE = ("open", "reopened", "fix_claimed", "accepted")
_ALIVE_SQL = "('open', 'reopened', 'fix_claimed', 'accepted')"
BROKEN = "a part is a false positive"
"""Cause of a combination that lost a component by decision."""
ITEM_COLUMNS = "t.finding, t.layer, t.hazard, u.name, o.traits, f.cve IS NOT NULL"
"""What ``item_of`` reads, by way of ``ITEM_JOINS``."""
ITEM_JOINS = (
    "JOIN observation o ON o.id = t.observation JOIN rule u ON u.id = t.rule "
    "JOIN finding f ON f.id = t.finding"
)
_PART = 400
_T = TypeVar("_T")
_LAYER_NAMES = [layer.value for layer in LAYERS]


def item_of(row: Sequence[Any]) -> Item:
    """An item from ``ITEM_COLUMNS``."""
    finding, layer, hazard, rule, traits, vulnerability = row
    mend = _mend(rule, layer, traits, bool(vulnerability))
    return Item(finding, _LAYER_NAMES[layer], hazard, mend)


@lru_cache(maxsize=4096)
def _mend(rule: str, layer: int, traits: str, vulnerability: bool) -> str:
    # An estate has as many of these as rules, and findings by the million.
    return mend_of(rule, LAYERS[layer], load(traits), vulnerability=vulnerability)


_ANY: frozenset[str] = frozenset()


class _Group(NamedTuple):
    """The living findings of a resource that make one thing that an ingredient asks of it."""

    items: list[Item]
    findings: frozenset[int]
    repairs: frozenset[RepairKey]


class Components:
    """The living findings of resources that combinations hang on, read once each."""

    def __init__(self, connection: sqlite3.Connection, scan_id: int, *, feeds: bool = True) -> None:
        """``feeds``: whether what they call exploitable counts as such."""
        self._connection = connection
        self._scan = scan_id
        self._exploitable = exploitable_sql(model_of(connection, scan_id)) if feeds else "0"
        self._known: dict[str, list[tuple[Item, frozenset[str], int]]] = {}
        self._groups: dict[tuple[str, frozenset[str], frozenset[str]], _Group] = {}

    def of(self, key: str) -> list[tuple[Item, frozenset[str], int]]:
        """(item, tokens that it answers to, resource) of every living finding of a resource."""
        if key not in self._known:
            rows = self._connection.execute(
                f"SELECT {ITEM_COLUMNS}, {self._exploitable}, t.resource FROM resource r "
                "CROSS JOIN state t ON t.scan = ? AND t.resource = r.id "
                f"{ITEM_JOINS} LEFT JOIN vulnerability v ON v.cve = f.cve WHERE r.key = ? AND NOT t.combined AND t.status IN {_ALIVE_SQL}",
                (self._scan, key),
            ).fetchall()
            self._known[key] = [
                (
                    item_of(row[:-2]),
                    _tokens(row[3], row[4], bool(row[-2])),
                    row[-1],
                )
                for row in rows
            ]
        return self._known[key]

    def knows(self, key: str) -> bool:
        """Whether that resource was read already."""
        return key in self._known

    def resource(self, key: str) -> int:
        """Number of the resource of that key, as far as it has living findings; else 0."""
        found = self.of(key)
        return found[0][-1] if found else 0

    def groups(self, key: str, value: Mapping[str, Any]) -> list[list[Item]]:
        """Per thing that an ingredient asks of this resource the living findings that make it.

        Empty if it asks for nothing but the resource; an empty group is one that has ended.
        """
        return [group.items for group in self.asked(key, value)]

    def asked(self, key: str, value: Mapping[str, Any]) -> list[_Group]:
        """The same, with the findings and what mends them as sets."""
        groups = []
        for asked in ("any_of", "also_any_of"):
            tokens = frozenset(value.get(asked, ()))
            if tokens:
                layers = frozenset(value.get("layers", ())) if asked == "any_of" else _ANY
                groups.append(self._group(key, tokens, layers))
        return groups

    def _group(self, key: str, tokens: frozenset[str], layers: frozenset[str]) -> _Group:
        # Thousands of services ask the same of an image with thousands of findings.
        group = self._groups.get((key, tokens, layers))
        if group is None:
            items = [
                item
                for item, answers, _ in self.of(key)
                if not answers.isdisjoint(tokens) and (not layers or item.layer in layers)
            ]
            resource = self.resource(key)
            group = self._groups[key, tokens, layers] = _Group(
                items,
                frozenset(item.finding for item in items),
                frozenset(RepairKey(resource, item.mend) for item in items),
            )
        return group


@lru_cache(maxsize=4096)
def _tokens(rule: str, traits: str, exploitable: bool) -> frozenset[str]:
    said = [*load(traits), *([EXPLOITABLE_TRAIT] if exploitable else [])]
    return frozenset({rule, *(f"trait:{trait}" for trait in said)})


def combo_of(finding: int, hazard: float, evidence: Iterable[Any], components: Components) -> Combo:
    """A combination from its evidence (see ``rules.combine``), with what each ingredient hangs on."""
    slots: dict[int, list[tuple[frozenset[int], ...]]] = {}
    repairs: set[RepairKey] = set()
    for key, value in evidence:
        if not isinstance(value, dict) or "slot" not in value:
            continue
        living = components.asked(key, value)
        groups = [group.findings for group in living]
        for group in living:
            repairs |= group.repairs
        # More resources than were listed make this ingredient: no repair is known to end it.
        if "more" in value:
            groups = []
        slots.setdefault(int(value["slot"]), []).append(tuple(groups))
    needs = tuple(tuple(slots[slot]) for slot in sorted(slots))
    return Combo(finding, hazard, needs, frozenset(repairs))


def broken(
    evidence: Iterable[Any], components: Components, among: Collection[str] | None = None
) -> bool:
    """Whether a combination has lost all living components of some ingredient.

    ``among``: only ingredients that something at these resources makes, too, are looked at.
    """
    slots: dict[int, list[tuple[str, Mapping[str, Any]]]] = {}
    for key, value in evidence:
        if isinstance(value, dict) and "slot" in value:
            slots.setdefault(int(value["slot"]), []).append((key, value))
    if among is not None:
        slots = {s: parts for s, parts in slots.items() if any(key in among for key, _ in parts)}
    # What was read already first: a role that thousands share is often the answer.
    unread = {s: sum(not components.knows(key) for key, _ in parts) for s, parts in slots.items()}
    return not all(
        any("more" in value or all(components.groups(key, value)) for key, value in slots[slot])
        for slot in sorted(slots, key=unread.__getitem__)
    )


def unsettled(
    connection: sqlite3.Connection, scan_id: int, resources: Collection[int]
) -> list[str]:
    """Combinations (finding ids) that may no longer be as they are, once findings of some resources
    came to life or ended. Those that hold by what is left there are not among them.
    """
    components = Components(connection, scan_id)
    keys = {
        row[0]
        for part in _parts(sorted(resources))
        for row in connection.execute(
            f"SELECT key FROM resource WHERE id IN ({_marks(part)})", part
        ).fetchall()
    }
    found = []
    for _, fid, _, text, status in _dependants(connection, scan_id, resources):
        evidence = load(text)
        if keys.isdisjoint(key for key, _ in evidence):
            continue
        if status not in ALIVE or broken(evidence, components, keys):
            found.append(fid)
    return found


def _dependants(
    connection: sqlite3.Connection, scan_id: int, resources: Collection[int]
) -> list[tuple[int, str, int, str, str]]:
    """(row, finding id, service, evidence, status) of combinations at the services above resources."""
    found: dict[int, tuple[int, str, int, str, str]] = {}
    for part in _parts(sorted(resources)):
        for row in connection.execute(
            "SELECT t.id, f.fid, t.resource, o.evidence, t.status FROM ("
            "SELECT DISTINCT service FROM closure WHERE scan = ? "
            f"AND resource IN ({_marks(part)})) c "
            "CROSS JOIN state t ON t.scan = ? AND t.resource = c.service AND t.combined "
            "JOIN finding f ON f.id = t.finding JOIN observation o ON o.id = t.observation",
            (scan_id, *part, scan_id),
        ):
            found[row[0]] = row
    return list(found.values())


def alive_among(
    connection: sqlite3.Connection, findings: Collection[str], only: int | None
) -> set[tuple[int, int, int]]:
    """(scan, resource, finding) where those findings keep a combination that they are a part of.

    In all finished scans, or ``only`` in that one.
    """
    return {
        found
        for part in _parts(list(findings))
        for found in connection.execute(
            f"SELECT t.scan, t.resource, t.finding FROM {_among(part, only)} "
            f"AND NOT t.combined AND t.status IN {_ALIVE_SQL}",
            part,
        )
    }


def combined_among(
    connection: sqlite3.Connection, findings: Mapping[str, Collection[int] | None], only: int | None
) -> dict[int, dict[int, str]]:
    """Scan → row → evidence of those findings that are combinations, each in some scans or in all;
    in scans as above.
    """
    found: dict[int, dict[int, str]] = {}
    for part in _parts(list(findings)):
        for scan_id, row, fid, evidence in connection.execute(
            "SELECT t.scan, t.id, f.fid, "
            "(SELECT o.evidence FROM observation o WHERE o.id = t.observation) "
            f"FROM {_among(part, only)} AND t.combined",
            part,
        ):
            within = findings[fid]
            if within is None or scan_id in within:
                found.setdefault(scan_id, {})[row] = evidence
    return found


def _among(part: Sequence[str], only: int | None) -> str:
    scans = f"s.state IN {FINISHED}" if only is None else f"s.id = {only:d}"
    return (
        "finding f CROSS JOIN state t ON t.finding = f.id JOIN scan s ON s.id = t.scan "
        f"WHERE {scans} AND f.fid IN ({_marks(part)})"
    )


def settle(connection: sqlite3.Connection, combinations: Mapping[int, Mapping[int, str]]) -> None:
    """Give combinations that are broken by a decision the status of the part that broke them.

    ``combinations``: scan → row → evidence; their other columns are up to date already.
    """
    lost: list[tuple[int, int]] = []
    for scan_id, rows in combinations.items():
        components = Components(connection, scan_id)
        lost += [
            (row, scan_id) for row, evidence in rows.items() if broken(load(evidence), components)
        ]
    living = {
        row
        for part in _parts([row for row, _ in lost])
        for (row,) in connection.execute(
            f"SELECT id FROM state_row WHERE id IN ({_marks(part)}) AND status IN {_ALIVE_SQL}",
            part,
        )
    }
    change(
        connection,
        ("status", "cause"),
        [
            (row, scan_id, State.FALSE_POSITIVE.value, BROKEN)
            for row, scan_id in lost
            if row in living
        ],
    )


def settle_scan(connection: sqlite3.Connection, scan_id: int) -> set[int]:
    """The same for a whole scan whose rows were just written; the services it was looked at for."""
    resources = {
        row[0]
        for row in connection.execute(
            # DISTINCT would go through the whole scan in the order of its resources.
            "SELECT resource FROM state WHERE scan = ? AND status = 'false_positive'",
            (scan_id,),
        )
    }
    found = _dependants(connection, scan_id, resources)
    settle(connection, {scan_id: {row: evidence for row, _, _, evidence, _ in found}})
    return {service for _, _, service, _, _ in found}


def _parts(numbers: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for start in range(0, len(numbers), _PART):
        yield numbers[start : start + _PART]


def _marks(part: Sequence[object]) -> str:
    return ",".join("?" * len(part))
