"""What earlier scans read, for collectors that ask again only about what has changed."""

# ruff: noqa: S608  (only names of our own tables are put together; values are bound)

from __future__ import annotations

from array import array
from threading import Lock

from undercroft.model import Resource
from undercroft.protocols import Target
from undercroft.store.connection import Database
from undercroft.store.encode import load, resource_of
from undercroft.store.scans import FINISHED
from undercroft.store.writer import RESOURCE

__all__ = ["Memory"]

_PAGE = 500


class Memory:
    """One look back; used from several threads."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._lock = Lock()
        self._scans: list[tuple[int, tuple[str, ...]]] = [
            (scan, tuple(load(scope).get("readers") or ()))
            for scan, scope in database.connection().execute(
                f"SELECT id, scope FROM scan WHERE kind = 'live' AND state IN {FINISHED} "
                "ORDER BY id DESC"
            )
        ]
        self._places: dict[int, dict[tuple[str, ...], dict[str, array[int]]]] = {}
        """Scan → provider, account, region → collector → resources."""

    def of(self, target: Target, reader: str) -> tuple[Resource, ...]:
        """What the newest scan by ``reader`` that had this unit read in it, parts included."""
        scan = self._newest(target, reader)
        if scan is None:
            return ()
        there = self._of_scan(scan).get((target.provider, target.scope, target.location), {})
        part = f"{target.collector}."
        wanted = [
            number
            for collector, numbers in there.items()
            if collector == target.collector or collector.startswith(part)
            for number in numbers
        ]
        connection = self._db.connection()
        found: list[Resource] = []
        for start in range(0, len(wanted), _PAGE):
            numbers = wanted[start : start + _PAGE]
            rows = connection.execute(
                f"SELECT {RESOURCE} WHERE s.scan = ? "
                f"AND s.resource IN ({','.join('?' * len(numbers))})",
                (scan, *numbers),
            )
            found += [resource_of(row[0], row[1:]) for row in rows.fetchall()]
        return tuple(found)

    def _newest(self, target: Target, reader: str) -> int | None:
        connection = self._db.connection()
        for scan, readers in self._scans:
            if reader in readers:
                covered = connection.execute(
                    "SELECT 1 FROM unit u JOIN coverage c ON c.unit = u.id AND c.scan = ? "
                    "WHERE u.provider = ? AND u.scope = ? AND u.location = ? AND u.collector = ?",
                    (scan, target.provider, target.scope, target.location, target.collector),
                ).fetchone()
                if covered is not None:
                    return scan
        return None

    def _of_scan(self, scan: int) -> dict[tuple[str, ...], dict[str, array[int]]]:
        """Where each resource of a scan was read, from one walk over it."""
        with self._lock:
            if scan not in self._places:
                places: dict[tuple[str, ...], dict[str, array[int]]] = {}
                rows = self._db.connection().execute(
                    "SELECT b.provider, b.account, b.region, b.collector, s.resource "
                    "FROM snapshot s JOIN body b ON b.id = s.body "
                    "WHERE s.scan = ? AND s.carried = 0 AND b.presence = 'read' AND b.implied = 0",
                    (scan,),
                )
                for provider, account, region, collector, resource in rows:
                    there = places.setdefault((provider, account, region), {})
                    there.setdefault(collector, array("q")).append(resource)
                self._places[scan] = places
            return self._places[scan]
