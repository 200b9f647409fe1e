"""What a scan's coverage says about resources that it did not read: gone, not known, or not asked."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from undercroft.model import CoverageStatus, Outcome
from undercroft.store.connection import Database
from undercroft.store.encode import load

__all__ = ["Absence", "Units", "assign_units"]

_NOT_ASKED = frozenset({CoverageStatus.NOT_REQUESTED})
_EMPTY = frozenset({CoverageStatus.COMPLETE, CoverageStatus.NOT_ENABLED})


class Absence(NamedTuple):
    """What it means that a scan did not read a resource; no outcome: it was out of scope."""

    outcome: Outcome | None
    reason: str = ""


class _Unit(NamedTuple):
    status: CoverageStatus
    reason: str
    lists: frozenset[str]


class Units:
    """The coverage units of one scan."""

    def __init__(self, connection: sqlite3.Connection, scan_id: int) -> None:
        self._units: dict[tuple[str, str, str, str], _Unit] = {}
        for provider, scope, location, collector, status, reason, lists in connection.execute(
            "SELECT u.provider, u.scope, u.location, u.collector, c.status, c.reason, c.lists "
            "FROM coverage c JOIN unit u ON u.id = c.unit WHERE c.scan = ?",
            (scan_id,),
        ).fetchall():
            self._units[provider, scope, location, collector] = _Unit(
                CoverageStatus(status), reason, frozenset(load(lists))
            )

    def absence(self, unit: tuple[str, str, str, str], kind: str) -> Absence:
        """A resource of type ``kind`` that ``unit`` read before is missing: what does that mean?"""
        provider, scope, location, collector = unit
        found: _Unit | None = None
        # A unit that failed as a whole speaks for its parts: "aws.sagemaker" for
        # "aws.sagemaker.endpoint".
        name = collector
        while found is None and name:
            found = self._units.get((provider, scope, location, name))
            name = name.rpartition(".")[0]
        if found is None:
            found = self._whole_account(provider, scope, collector)
        parts = self._parts(unit, kind)
        if found is None or found.status in _NOT_ASKED:
            gap = next((part for part in parts if part.status.is_gap), None)
            return Absence(None) if gap is None else Absence(Outcome.UNKNOWN, _why(gap))
        if found.status is CoverageStatus.NOT_ENABLED:
            return Absence(Outcome.GONE, found.reason)
        if found.status not in _EMPTY:
            return Absence(Outcome.UNKNOWN, _why(found))
        if kind in found.lists:
            return Absence(Outcome.GONE)
        gap = next((part for part in parts if part.status.is_gap), None)
        if gap is not None:
            return Absence(Outcome.UNKNOWN, _why(gap))
        if any(kind in part.lists and part.status in _EMPTY for part in parts):
            return Absence(Outcome.GONE)
        return Absence(Outcome.NOT_RUN, "no AI service stands on it any more")

    def _whole_account(self, provider: str, scope: str, collector: str) -> _Unit | None:
        """A unit without a location that could not look anywhere: it speaks for every location."""
        name = collector
        while name:
            found = self._units.get((provider, scope, "-", name))
            if found is not None:
                off = found.status is CoverageStatus.NOT_ENABLED or found.status.is_gap
                return found if off else None
            name = name.rpartition(".")[0]
        return None

    def _parts(self, unit: tuple[str, str, str, str], kind: str) -> list[_Unit]:
        """Units of the same place that read parts of the collector's types, the best match first."""
        provider, scope, location, collector = unit
        short = kind.rpartition(":")[2]
        found = [
            (key[3].rpartition(".")[2] != short, key[3], part)
            for key, part in self._units.items()
            if key[:3] == (provider, scope, location) and key[3].startswith(f"{collector}.")
        ]
        found.sort(key=lambda entry: entry[:2])
        exact = [part for other, _, part in found if not other]
        return exact or [part for _, _, part in found]

    def blind(self) -> bool:
        """Whether anything that was asked for was not seen."""
        return any(
            unit.status not in _EMPTY and unit.status not in _NOT_ASKED
            for unit in self._units.values()
        )

    def gaps(self) -> int:
        """Units that should have been read and could not be."""
        return sum(unit.status.is_gap for unit in self._units.values())

    def any_read(self) -> bool:
        """Whether at least one unit was read to its end; that it found nothing is an answer."""
        return any(unit.status is CoverageStatus.COMPLETE for unit in self._units.values())


def assign_units(database: Database, scan_id: int) -> None:
    """Note with every resource that was read which unit read it.

    The collector names itself; its unit is the one of the resource's own place, else the account's
    only one, else the only one there is. What stays open is noted as unknown.
    """
    connection = database.connection()
    units: dict[tuple[str, str], list[tuple[int, str, str]]] = {}
    for unit, provider, scope, location, collector in connection.execute(
        "SELECT u.id, u.provider, u.scope, u.location, u.collector FROM coverage c "
        "JOIN unit u ON u.id = c.unit WHERE c.scan = ?",
        (scan_id,),
    ).fetchall():
        name = collector
        while name:
            # Parts are known to the whole by name too, so that a part without a record of its own
            # still finds the unit that it belongs to.
            units.setdefault((provider, name), []).append((unit, scope, location))
            name = name.rpartition(".")[0]
    places: dict[tuple[str, str, str, str], int | None] = {}
    rows = connection.execute(
        "SELECT DISTINCT b.provider, b.account, b.region, b.collector FROM snapshot s "
        "JOIN body b ON b.id = s.body WHERE s.scan = ? AND b.presence <> 'stub'",
        (scan_id,),
    ).fetchall()
    for provider, account, region, collector in rows:
        places[provider, account, region, collector] = _choose(
            _named(units, provider, collector), account, region
        )
    with database.transaction() as writing:
        for (provider, account, region, collector), unit in places.items():
            if unit is not None:
                writing.execute(
                    "UPDATE snapshot SET unit = ? WHERE scan = ? AND body IN ("
                    "SELECT id FROM body WHERE provider = ? AND account = ? AND region = ? "
                    "AND collector = ? AND presence <> 'stub')",
                    (unit, scan_id, provider, account, region, collector),
                )


def _named(
    units: dict[tuple[str, str], list[tuple[int, str, str]]], provider: str, collector: str
) -> list[tuple[int, str, str]]:
    name = collector
    while name:
        found = units.get((provider, name))
        if found:
            return found
        name = name.rpartition(".")[0]
    return []


def _choose(candidates: list[tuple[int, str, str]], account: str, region: str) -> int | None:
    for wanted in (
        [c for c in candidates if c[1:] == (account, region)],
        [c for c in candidates if c[1:] == (account, "-")],
        [c for c in candidates if c[1] == account],
        [c for c in candidates if c[2] == region],
        candidates,
    ):
        if len(wanted) == 1:
            return wanted[0][0]
        if wanted:
            return None
    return None


def _why(unit: _Unit) -> str:
    return f"{unit.status.value}: {unit.reason}" if unit.reason else unit.status.value
