"""Counts and scores above findings: per resource, per block of a tower, per service.

Everything here can be computed again for some resources only, so that a decision touches the few
services above what was decided and nothing else.
"""

# ruff: noqa: S608  (only names of our own tables are put together; values are bound)

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from undercroft import risk
from undercroft.model import LAYERS
from undercroft.store import weights
from undercroft.store.connection import Database

__all__ = ["ACTIVE", "Item", "Items", "build", "made", "rebuild", "refresh", "score_items"]

ACTIVE = ("open", "reopened", "fix_claimed")
ACTIVE_SQL = "('open', 'reopened', 'fix_claimed')"
_COUNTED_SQL = "('open', 'reopened', 'fix_claimed', 'accepted')"
_BATCH = 2_000
_MARKS = 400
_SERVICE = (
    "body", "name", "score", "inherent", "worst", "open", "accepted", "claimed", "combinations",
    "unconfirmed", "unread",
)  # fmt: skip
_WRITE_SERVICE = (
    f"INSERT INTO service (scan, resource, {', '.join(_SERVICE)}) "
    f"VALUES (?, ?, {', '.join('?' * len(_SERVICE))}) ON CONFLICT (scan, resource) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _SERVICE)
)
"""Keeps what is there about the score's past."""


class Item(NamedTuple):
    """One finding as it enters a service's sum."""

    finding: str
    layer: str
    hazard: float
    accepted: bool


Items = dict[int, list[Item]]
"""Resource id → its findings that count, worst first."""


def made(connection: sqlite3.Connection) -> list[int]:
    """Resources of the scan being written whose rows are not all those of the scan before: see
    ``plain.Plain``.
    """
    return [row[0] for row in connection.execute("SELECT resource FROM temp.made_resource")]


def count_anew(connection: sqlite3.Connection, resources: Collection[int]) -> None:
    """Do not take over what counts some resources of the scan being written."""
    rows = [(resource,) for resource in resources]
    connection.executemany("DELETE FROM temp.kept_resource WHERE resource = ?", rows)
    connection.executemany("INSERT OR IGNORE INTO temp.made_resource VALUES (?)", rows)


def build(database: Database, scan_id: int, before: int | None) -> None:
    """Everything of a new scan, in short transactions. ``before``: the scan that it was copied from."""
    with database.transaction() as connection:
        _build_tally(connection, scan_id, before)
    with database.transaction() as connection:
        _blocks(connection, scan_id, None)
    with database.transaction() as connection:
        _build_weights(connection, scan_id, before)
    connection = database.connection()
    services = _services(connection, scan_id, None)
    scores = weights.scores(connection, scan_id)
    for start in range(0, len(services), _BATCH):
        with database.transaction() as writing:
            _write_services(writing, scan_id, services[start : start + _BATCH], scores)


_KEPT = "resource IN (SELECT resource FROM temp.kept_resource)"
"""Of which what is counted in the scan before is counted in this one."""


def _build_tally(connection: sqlite3.Connection, scan_id: int, before: int | None) -> None:
    if not _any_kept(connection):
        _tally(connection, scan_id, None)
        return
    connection.execute(
        # Nothing that was copied is new, nor could any of it not be looked at.
        "INSERT INTO tally (scan, resource, layer, rule, status, severity, combined, findings, "
        "unconfirmed, is_new) "
        "SELECT ?, resource, layer, rule, status, severity, combined, findings, 0, 0 "
        f"FROM tally WHERE scan = ? AND {_KEPT}",
        (scan_id, before),
    )
    _add_up(connection, scan_id, 1)
    _tally(connection, scan_id, made(connection))


def _build_weights(connection: sqlite3.Connection, scan_id: int, before: int | None) -> None:
    if not _any_kept(connection):
        weights.write(connection, scan_id)
        return
    beneath = "(SELECT resource FROM closure WHERE scan = ?)"
    connection.execute(
        "INSERT INTO weight (scan, resource, layer, combined, accepted, total, top) "
        "SELECT ?, resource, layer, combined, accepted, total, top FROM weight "
        f"WHERE scan = ? AND {_KEPT} AND resource IN {beneath}",
        (scan_id, before, scan_id),
    )
    # Nothing is weighed that no service stands on.
    others = connection.execute(
        f"SELECT DISTINCT resource FROM closure WHERE scan = ? AND (NOT {_KEPT} "
        f"OR resource NOT IN {beneath})",
        (scan_id, before),
    )
    weights.write(connection, scan_id, [row[0] for row in others])


def _any_kept(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM temp.kept_resource LIMIT 1").fetchone() is not None


def rebuild(connection: sqlite3.Connection, scan_id: int) -> None:
    """Everything of a scan that readers see already, inside the caller's transaction."""
    _tally(connection, scan_id, None)
    _blocks(connection, scan_id, None)
    weights.write(connection, scan_id)
    services = _services(connection, scan_id, None)
    scores = weights.scores(connection, scan_id)
    for start in range(0, len(services), _BATCH):
        _write_services(connection, scan_id, services[start : start + _BATCH], scores)


def refresh(connection: sqlite3.Connection, scan_id: int, resources: Collection[int]) -> None:
    """What stands above some resources, inside the caller's transaction."""
    if not resources:
        return
    _tally(connection, scan_id, resources)
    above: set[int] = set()
    for part in _parts(resources):
        above.update(
            row[0]
            for row in connection.execute(
                "SELECT DISTINCT service FROM closure "
                f"WHERE scan = ? AND resource IN ({_marks(part)})",
                (scan_id, *part),
            )
        )
    if not above:
        return
    _blocks(connection, scan_id, above)
    weights.write(connection, scan_id, resources)
    services = _services(connection, scan_id, above)
    scores = weights.scores(connection, scan_id, above)
    for start in range(0, len(services), _BATCH):
        _write_services(connection, scan_id, services[start : start + _BATCH], scores)


def score_items(
    connection: sqlite3.Connection, scan_id: int, service: int
) -> list[tuple[Item, float]]:
    """What enters one service's sum, finding by finding, each with what it counts there: its hazard
    after attenuation, and as critical as the service is said to be.
    """
    items = _items(connection, scan_id, [service])
    return [
        (item, item.hazard * attenuation * (1.0 if item.layer == risk.COMBINATION else scale))
        for resource, attenuation, scale in connection.execute(
            "SELECT resource, attenuation, scale FROM closure WHERE scan = ? AND service = ?",
            (scan_id, service),
        )
        for item in items.get(resource, ())
    ]


def _tally(connection: sqlite3.Connection, scan_id: int, resources: Collection[int] | None) -> None:
    for part, clause in _restrict(resources, "resource"):
        _add_up(connection, scan_id, -1, part, clause)
        connection.execute(f"DELETE FROM tally WHERE scan = ?{clause}", (scan_id, *part))
        connection.execute(
            "INSERT INTO tally (scan, resource, layer, rule, status, severity, combined, findings, "
            "unconfirmed, is_new) "
            "SELECT scan, resource, layer, rule, status, severity, combined, count(*), "
            f"sum(unconfirmed), sum(is_new) FROM state WHERE scan = ?{clause} "
            "GROUP BY resource, layer, rule, status, severity, combined",
            (scan_id, *part),
        )
        _add_up(connection, scan_id, 1, part, clause)


def _add_up(
    connection: sqlite3.Connection,
    scan_id: int,
    sign: int,
    part: Sequence[int] = (),
    clause: str = "",
) -> None:
    """Add what ``tally`` says of some resources, or all, to the sums of the scan; or take it away."""
    connection.execute(
        "INSERT INTO standing (scan, status, findings, unconfirmed, is_new) "
        "SELECT scan, status, ?1 * sum(findings), ?1 * sum(unconfirmed), ?1 * sum(is_new) "
        f"FROM tally WHERE scan = ?{clause} GROUP BY status ON CONFLICT DO UPDATE SET "
        + ", ".join(
            f"{name} = {name} + excluded.{name}" for name in ("findings", "unconfirmed", "is_new")
        ),
        (sign, scan_id, *part),
    )


def _blocks(connection: sqlite3.Connection, scan_id: int, services: Collection[int] | None) -> None:
    for part, clause in _restrict(services, "service"):
        connection.execute(f"DELETE FROM block WHERE scan = ?{clause}", (scan_id, *part))
        connection.execute(
            "INSERT INTO block (scan, service, layer, worst, open, accepted) "
            "SELECT c.scan, c.service, t.layer, "
            f"max(CASE WHEN t.status IN {ACTIVE_SQL} THEN t.severity END), "
            f"sum(CASE WHEN t.status IN {ACTIVE_SQL} THEN t.findings ELSE 0 END), "
            "sum(CASE WHEN t.status = 'accepted' THEN t.findings ELSE 0 END) "
            "FROM closure c CROSS JOIN tally t ON t.scan = c.scan AND t.resource = c.resource "
            f"WHERE c.scan = ?{clause.replace('service', 'c.service')} "
            "GROUP BY c.service, t.layer",
            (scan_id, *part),
        )


def _services(
    connection: sqlite3.Connection, scan_id: int, services: Collection[int] | None
) -> list[tuple[int, int, str]]:
    """(resource, body, name) of AI services of a scan."""
    found: list[tuple[int, int, str]] = []
    for part, clause in _restrict(services, "s.resource"):
        found += connection.execute(
            "SELECT s.resource, s.body, b.name FROM snapshot s JOIN body b ON b.id = s.body "
            f"WHERE s.scan = ? AND b.service = 1 AND b.presence <> 'absent'{clause}",
            (scan_id, *part),
        ).fetchall()
    return found


def _items(connection: sqlite3.Connection, scan_id: int, services: Collection[int]) -> Items:
    """The findings that count of every resource beneath some services.

    Of each resource, layer and kind no more than ``risk.DEPTH``, by way of an index in the order of their
    weight: an image with thousands of findings costs no more than one with a hundred.
    """
    found: Items = {}
    for resource, layer, combined, accepted in _kinds(connection, scan_id, services):
        name = risk.COMBINATION if combined else LAYERS[layer].value
        states = "('accepted')" if accepted else ACTIVE_SQL
        found.setdefault(resource, []).extend(
            Item(finding, name, hazard, bool(accepted))
            for finding, hazard in connection.execute(
                "SELECT f.fid, t.hazard FROM state t JOIN finding f ON f.id = t.finding "
                "WHERE t.scan = ? AND t.resource = ? AND t.layer = ? AND t.combined = ? "
                f"AND t.status IN {states} ORDER BY t.score DESC LIMIT ?",
                (scan_id, resource, layer, combined, risk.DEPTH),
            )
        )
    return found


def _kinds(
    connection: sqlite3.Connection, scan_id: int, services: Collection[int]
) -> list[tuple[int, int, int, int]]:
    """(resource, layer, combined, accepted) of which there is something that counts."""
    select = (
        "SELECT DISTINCT t.resource, t.layer, t.combined, t.status = 'accepted' FROM tally t "
        f"WHERE t.scan = ? AND t.status IN {_COUNTED_SQL}"
    )
    found: dict[tuple[int, int, int, int], None] = {}
    for part in _parts(services):
        for row in connection.execute(
            f"{select} AND t.resource IN (SELECT c.resource FROM closure c WHERE c.scan = ? "
            f"AND c.service IN ({_marks(part)}))",
            (scan_id, scan_id, *part),
        ):
            found[row] = None
    return list(found)


def _write_services(
    connection: sqlite3.Connection,
    scan_id: int,
    services: Sequence[tuple[int, int, str]],
    scores: Mapping[int, tuple[float, float]],
) -> None:
    counts = _counts(connection, scan_id, [service for service, _, _ in services])
    rows = []
    for service, body, name in services:
        score, every = scores.get(service, (0.0, 0.0))
        rows.append((scan_id, service, body, name, score, every, *counts[service]))
    connection.executemany(_WRITE_SERVICE, rows)


def _counts(
    connection: sqlite3.Connection, scan_id: int, services: Collection[int]
) -> dict[int, tuple[Any, ...]]:
    """worst, open, accepted, claimed, combinations, unconfirmed, unread of each service."""
    found: dict[int, tuple[Any, ...]] = {}
    for part in _parts(services):
        marks = _marks(part)
        unread = dict(
            connection.execute(
                "SELECT c.service, sum(b.unread + s.carried) FROM closure c "
                "JOIN snapshot s ON s.scan = c.scan AND s.resource = c.resource "
                f"JOIN body b ON b.id = s.body WHERE c.scan = ? AND c.service IN ({marks}) "
                "GROUP BY c.service",
                (scan_id, *part),
            ).fetchall()
        )
        counted = {
            row[0]: row[1:]
            for row in connection.execute(
                "SELECT c.service, "
                f"max(CASE WHEN t.status IN {ACTIVE_SQL} THEN t.severity END), "
                f"sum(CASE WHEN t.status IN {ACTIVE_SQL} THEN t.findings ELSE 0 END), "
                "sum(CASE WHEN t.status = 'accepted' THEN t.findings ELSE 0 END), "
                "sum(CASE WHEN t.status = 'fix_claimed' THEN t.findings ELSE 0 END), "
                f"sum(CASE WHEN t.combined AND t.status IN {ACTIVE_SQL} "
                "THEN t.findings ELSE 0 END), sum(t.unconfirmed) "
                "FROM closure c CROSS JOIN tally t ON t.scan = c.scan AND t.resource = c.resource "
                f"WHERE c.scan = ? AND c.service IN ({marks}) GROUP BY c.service",
                (scan_id, *part),
            )
        }
        for service in part:
            values = counted.get(service, (None, 0, 0, 0, 0, 0))
            found[service] = (*values, unread.get(service) or 0)
    return found


def _restrict(ids: Collection[int] | None, column: str) -> Iterator[tuple[Sequence[int], str]]:
    """(parameters, further condition) for all rows, or for those of some ids in parts."""
    if ids is None:
        yield (), ""
        return
    for part in _parts(ids):
        yield part, f" AND {column} IN ({_marks(part)})"


def _parts(ids: Collection[int]) -> Iterator[Sequence[int]]:
    ordered = sorted(ids)
    for start in range(0, len(ordered), _MARKS):
        yield ordered[start : start + _MARKS]


def _marks(part: Sequence[int]) -> str:
    return ",".join("?" * len(part))
