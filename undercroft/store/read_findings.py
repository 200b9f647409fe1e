"""The findings table: windows, counts, streams and groups."""

# ruff: noqa: S608  (only names of our own columns are put together; values are bound)

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from undercroft.model import LAYERS, Severity
from undercroft.store.choosing import BY_ID, JOINS, counted, first, page
from undercroft.store.connection import Database
from undercroft.store.fresh import ensure_fresh
from undercroft.views import FindingRow, Query

__all__ = ["COLUMNS", "JOINS", "count", "finding_row", "iterate", "window"]

COLUMNS = (
    "f.fid, u.name, o.title, t.severity, t.status, t.cause, t.unconfirmed, t.layer, b.provider, "
    "b.account, b.region, r.key, b.native_id, b.name, b.type, t.score, f.cve, f.package, "
    "t.services, t.first_seen, t.last_seen, t.until, t.owner, t.is_new"
)
_SEVERITY, _UNCONFIRMED, _LAYER, _NEW = (
    FindingRow._fields.index(name) for name in ("severity", "unconfirmed", "layer", "new")
)
_STREAM = 2_000


def window(
    database: Database, scan_id: int, query: Query, offset: int = 0, limit: int | None = None
) -> list[FindingRow]:
    """See ``Store.findings``."""
    ensure_fresh(database, scan_id)
    ids = page(database, scan_id, query, max(offset, 0), -1 if limit is None else max(limit, 0))
    return list(_rows(database, scan_id, ids))


def count(database: Database, scan_id: int, query: Query) -> int:
    """See ``Store.count_findings``."""
    ensure_fresh(database, scan_id)
    return counted(database, scan_id, query)


def iterate(database: Database, scan_id: int, query: Query) -> Iterator[FindingRow]:
    """See ``Store.iter_findings``: the order is fixed at the start, rows are read as they are used."""
    ensure_fresh(database, scan_id)
    yield from _rows(database, scan_id, list(first(database, scan_id, query, -1)))


def _rows(database: Database, scan_id: int, ids: Sequence[int]) -> Iterator[FindingRow]:
    """Rows of some ids, in their order."""
    for start in range(0, len(ids), _STREAM):
        part = ids[start : start + _STREAM]
        rows = {
            row[0]: finding_row(row[1:])
            for row in database.connection().execute(
                f"SELECT t.id, {COLUMNS} FROM {BY_ID} {JOINS} "
                f"WHERE t.scan = ? AND w.id IN ({','.join('?' * len(part))})",
                (scan_id, *part),
            )
        }
        yield from (rows[number] for number in part if number in rows)


def finding_row(row: Sequence[Any]) -> FindingRow:
    """A row from ``COLUMNS``, whose order is that of the fields."""
    found = list(row)
    found[_SEVERITY] = Severity.from_rank(found[_SEVERITY])
    found[_UNCONFIRMED] = bool(found[_UNCONFIRMED])
    found[_LAYER] = LAYERS[found[_LAYER]]
    found[_NEW] = bool(found[_NEW])
    return FindingRow._make(found)
