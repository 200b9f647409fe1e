"""The yardstick for reads: the SQL somebody would write by hand for one screen, and nothing else."""

from __future__ import annotations

import sqlite3
from typing import Any

__all__ = ["COLUMNS", "JOINS", "page", "tower"]

COLUMNS = (
    "f.fid, u.name, o.title, t.severity, t.status, t.cause, t.unconfirmed, t.layer, b.provider, "
    "b.account, b.region, r.key, b.native_id, b.name, b.type, t.score, f.cve, f.package, "
    "t.services, t.first_seen, t.last_seen, t.until, t.owner, t.is_new"
)
"""What a row of the findings table shows."""
JOINS = (
    "JOIN finding f ON f.id = t.finding JOIN rule u ON u.id = t.rule "
    "JOIN observation o ON o.id = t.observation JOIN body b ON b.id = t.body "
    "JOIN resource r ON r.id = t.resource"
)
_ACTIVE = "('open', 'reopened', 'fix_claimed')"
_TOWER = (
    # The service and its six blocks.
    (
        "SELECT v.*, b.name, b.type, b.provider, b.account, b.region, b.owner FROM service v "
        "JOIN body b ON b.id = v.body WHERE v.scan = ?1 AND v.resource = ?2"
    ),
    "SELECT layer, worst, open, accepted FROM block WHERE scan = ?1 AND service = ?2",
    # Everything beneath it, what is unread there, and the last hop that leads to it.
    (
        "SELECT c.resource, c.attenuation, r.key, b.native_id, b.name, b.type, b.layer, b.provider, "
        "b.account, b.region, b.presence, b.implied, b.service, x.unknown, e.src, e.relation, e.via, "
        "e.certainty FROM closure c JOIN snapshot s ON s.scan = c.scan AND s.resource = c.resource "
        "JOIN body b ON b.id = s.body JOIN content x ON x.body = b.id "
        "JOIN resource r ON r.id = c.resource LEFT JOIN edge e ON e.id = c.edge "
        "WHERE c.scan = ?1 AND c.service = ?2"
    ),
    # Its counts.
    (
        "SELECT t.resource, t.layer, t.status, max(t.severity), sum(t.findings) FROM closure c "
        "CROSS JOIN tally t ON t.scan = c.scan AND t.resource = c.resource "
        "WHERE c.scan = ?1 AND c.service = ?2 GROUP BY 1, 2, 3"
    ),
)
_CONTRIBUTIONS = (
    "SELECT f.fid, o.title, t.layer, t.severity, b.name, t.hazard * c.attenuation FROM closure c "
    "CROSS JOIN state t ON t.scan = c.scan AND t.resource = c.resource "
    "JOIN finding f ON f.id = t.finding JOIN observation o ON o.id = t.observation "
    f"JOIN body b ON b.id = t.body WHERE c.scan = ?1 AND c.service = ?2 AND t.status IN {_ACTIVE} "
    "ORDER BY t.hazard * c.attenuation DESC LIMIT ?3"
)


def page(
    connection: sqlite3.Connection,
    condition: str,
    order: str,
    params: tuple[Any, ...],
    *,
    limit: int,
    source: str = "state t",
) -> list[tuple[Any, ...]]:
    """One page of findings: chosen first, then joined with what a row shows."""
    return connection.execute(
        f"SELECT {COLUMNS} FROM (SELECT t.* FROM {source} WHERE {condition} "
        f"ORDER BY {order} LIMIT {limit}) t {JOINS} ORDER BY {order}",
        params,
    ).fetchall()


def tower(
    connection: sqlite3.Connection, scan: int, service: int, contributions: int
) -> list[list[tuple[Any, ...]]]:
    """The rows behind one service's tower, with as many findings as its bill has lines."""
    found = [connection.execute(text, (scan, service)).fetchall() for text in _TOWER]
    found.append(connection.execute(_CONTRIBUTIONS, (scan, service, contributions)).fetchall())
    return found
