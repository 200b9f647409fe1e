"""The services list, one service's tower, and what calls for action."""

# ruff: noqa: S608  (only names of our own columns are put together; values are bound)

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from undercroft import risk
from undercroft.clock import stamp
from undercroft.model import LAYERS, Layer
from undercroft.store import scans
from undercroft.store.connection import Database
from undercroft.store.encode import REF_COLUMNS, load, ref_of, severity_of
from undercroft.store.errors import NotFoundError, StoreError
from undercroft.store.fresh import ensure_fresh
from undercroft.store.models import model_of
from undercroft.store.reach import path_to
from undercroft.store.rollup import ACTIVE_SQL, score_items
from undercroft.views import (
    Contribution,
    LayerTotals,
    Query,
    ServiceRow,
    Today,
    Tower,
    TowerLayer,
    TowerResource,
)

__all__ = ["count", "today", "tower", "window"]

_CHANGE = (
    "v.score - (SELECT p.score FROM service p JOIN scan s ON s.id = p.scan "
    "WHERE p.resource = v.resource AND p.scan < v.scan "
    f"AND s.state IN {scans.FINISHED} ORDER BY p.scan DESC LIMIT 1)"
)
_COLUMNS = (
    "v.resource, r.key, b.native_id, b.name, b.type, b.provider, b.account, b.region, v.score, "
    f"v.inherent, {_CHANGE} AS change, v.worst, v.open, v.accepted, v.claimed, v.combinations, "
    "b.owner, v.unconfirmed, v.unread"
)
_FROM = "FROM service v JOIN body b ON b.id = v.body JOIN resource r ON r.id = v.resource"
_ALL = "v.scan = ?"
_SORTS = {
    "key": "r.key",
    "native_id": "b.native_id",
    "name": "v.name",
    "type": "b.type",
    "provider": "b.provider",
    "account": "b.account",
    "region": "b.region",
    "score": "v.score",
    "inherent": "v.inherent",
    "change": _CHANGE,
    "worst": "v.worst",
    "open": "v.open",
    "accepted": "v.accepted",
    "claimed": "v.claimed",
    "combinations": "v.combinations",
    "owner": "nullif(b.owner, '')",
    "unconfirmed": "v.unconfirmed",
    "unread": "v.unread",
}
_ORDER = "v.score DESC, v.name, v.resource"
_MARKS = 400
_LAPSING = timedelta(days=14)


def window(
    database: Database, scan_id: int, query: Query, offset: int = 0, limit: int | None = None
) -> list[ServiceRow]:
    """See ``Store.services``."""
    ensure_fresh(database, scan_id)
    where, params = _where(database, scan_id, query)
    connection = database.connection()
    rows = connection.execute(
        f"SELECT {_COLUMNS} {_FROM} WHERE {where} ORDER BY {_order(query)} LIMIT ? OFFSET ?",
        (*params, -1 if limit is None else max(limit, 0), max(offset, 0)),
    ).fetchall()
    return _service_rows(connection, scan_id, rows)


def count(database: Database, scan_id: int, query: Query) -> int:
    """See ``Store.count_services``."""
    ensure_fresh(database, scan_id)
    where, params = _where(database, scan_id, query)
    # Every service has a name and a body: nothing is to be looked up where nothing asks for it.
    source = "FROM service v" if where == _ALL else _FROM
    row = database.connection().execute(f"SELECT count(*) {source} WHERE {where}", params)
    return int(row.fetchone()[0])


def tower(database: Database, scan_id: int, service_key: str) -> Tower:
    """See ``Store.tower``. NotFoundError."""
    ensure_fresh(database, scan_id)
    with database.snapshot() as connection:
        rows = connection.execute(
            f"SELECT {_COLUMNS} {_FROM} WHERE v.scan = ? AND r.key = ?", (scan_id, service_key)
        ).fetchall()
        if not rows:
            msg = f"This scan has no AI service {service_key!r}."
            raise NotFoundError(msg)
        service_id = int(rows[0][0])
        service = _service_rows(connection, scan_id, rows)[0]
        layers = _tower_layers(connection, scan_id, service_id, service)
        contributions = _contributions(connection, scan_id, service_id)
    return Tower(service, layers, contributions)


def today(database: Database, scan_id: int, unconfirmed_days: int) -> Today:
    """See ``Store.today``."""
    ensure_fresh(database, scan_id)
    now = database.clock()
    with database.snapshot() as connection:
        new, reopened, unconfirmed = connection.execute(
            f"SELECT coalesce(sum(CASE WHEN status IN {ACTIVE_SQL} THEN is_new END), 0), "
            "coalesce(sum(CASE WHEN status = 'reopened' THEN findings END), 0), "
            "coalesce(sum(unconfirmed), 0) FROM standing WHERE scan = ?",
            (scan_id,),
        ).fetchone()
        lapsing = connection.execute(
            "SELECT count(*) FROM state WHERE scan = ? AND status = 'accepted' AND until <= ?",
            (scan_id, (now + _LAPSING).date().isoformat()),
        ).fetchone()[0]
        unseen = _unseen(connection, scan_id, now - timedelta(days=unconfirmed_days))
    gaps = tuple(unit for unit in scans.coverage(database, scan_id) if unit.status.is_gap)
    return Today(
        new,
        reopened,
        lapsing,
        unconfirmed,
        gaps,
        unseen=sum(number for _, number in unseen),
        unseen_reason=unseen[0][0] if unseen else "",
    )


def _unseen(connection: sqlite3.Connection, scan_id: int, since: datetime) -> list[tuple[str, int]]:
    """Why unconfirmed findings could not be looked at since then, with their number; most first."""
    return connection.execute(
        "SELECT reason, count(*) FROM state WHERE scan = ? AND unconfirmed = 1 AND last_seen < ? "
        "GROUP BY reason ORDER BY count(*) DESC, reason",
        (scan_id, stamp(since)),
    ).fetchall()


def _where(database: Database, scan_id: int, query: Query) -> tuple[str, list[Any]]:
    parts = [_ALL]
    values: list[Any] = [scan_id]
    if query.filter.strip():
        # The first screen asks for no filter, and does not wait for what understands one.
        from undercroft.store.columns import condition, service_columns
        from undercroft.store.lookup import Lookup

        columns = service_columns(Lookup(database, scan_id))
        text, bound = condition(query.filter, columns, database.clock())
        parts.append(f"({text})")
        values += bound
    if query.service is not None:
        parts.append("r.key = ?")
        values.append(query.service)
    if query.layer is not None:
        parts.append(
            "EXISTS (SELECT 1 FROM block k WHERE k.scan = v.scan AND k.service = v.resource "
            "AND k.layer = ? AND k.open > 0)"
        )
        values.append(LAYERS.index(query.layer))
    return " AND ".join(parts), values


def _order(query: Query) -> str:
    if not query.sort:
        return _ORDER if query.descending else "v.score ASC, v.name DESC, v.resource DESC"
    expr = _SORTS.get(query.sort)
    if expr is None:
        msg = f"Services cannot be sorted by {query.sort!r}, only by {', '.join(_SORTS)}."
        raise StoreError(msg)
    direction = "DESC" if query.descending else "ASC"
    if query.sort == "score" and query.descending:
        return _ORDER
    return f"{expr} IS NULL, {expr} {direction}, {_ORDER}"


def _service_rows(
    connection: sqlite3.Connection, scan_id: int, rows: Sequence[Sequence[Any]]
) -> list[ServiceRow]:
    blocks = _blocks(connection, scan_id, [row[0] for row in rows])
    found = []
    for row in rows:
        resource, key, native_id, name, type_, provider, account, region, *numbers = row
        score, inherent, change, worst, opened, accepted, claimed, combinations, *rest = numbers
        owner, unconfirmed, unread = rest
        found.append(
            ServiceRow(
                key=key,
                native_id=native_id,
                name=name,
                type=type_,
                provider=provider,
                account=account,
                region=region,
                score=score,
                inherent=inherent,
                change=change,
                worst=severity_of(worst),
                layers=blocks[resource],
                open=opened,
                accepted=accepted,
                claimed=claimed,
                combinations=combinations,
                owner=owner,
                unconfirmed=unconfirmed,
                unread=unread,
            )
        )
    return found


def _blocks(
    connection: sqlite3.Connection, scan_id: int, services: Sequence[int]
) -> dict[int, dict[Layer, LayerTotals]]:
    empty = LayerTotals(None, 0)
    found = {service: dict.fromkeys(LAYERS, empty) for service in services}
    for start in range(0, len(services), _MARKS):
        part = services[start : start + _MARKS]
        for service, layer, worst, opened in connection.execute(
            "SELECT service, layer, worst, open FROM block "
            f"WHERE scan = ? AND service IN ({','.join('?' * len(part))})",
            (scan_id, *part),
        ):
            found[service][LAYERS[layer]] = LayerTotals(severity_of(worst), opened)
    return found


def _tower_layers(
    connection: sqlite3.Connection, scan_id: int, service_id: int, service: ServiceRow
) -> tuple[TowerLayer, ...]:
    accepted = dict(
        connection.execute(
            "SELECT layer, accepted FROM block WHERE scan = ? AND service = ?",
            (scan_id, service_id),
        ).fetchall()
    )
    resources = _tower_resources(connection, scan_id, service_id)
    return tuple(
        TowerLayer(
            layer,
            service.layers[layer].worst,
            service.layers[layer].open,
            accepted.get(number, 0),
            tuple(sorted(resources[layer], key=_worst_first)),
        )
        for number, layer in enumerate(LAYERS)
    )


def _tower_resources(
    connection: sqlite3.Connection, scan_id: int, service_id: int
) -> dict[Layer, list[TowerResource]]:
    """Layer → the resources of that layer, and others that own findings of it."""
    tallies: dict[tuple[int, int], tuple[int | None, int, int]] = {}
    for resource, layer, *counts in connection.execute(
        "SELECT t.resource, t.layer, "
        f"max(CASE WHEN t.status IN {ACTIVE_SQL} THEN t.severity END), "
        f"sum(CASE WHEN t.status IN {ACTIVE_SQL} THEN t.findings ELSE 0 END), "
        "sum(CASE WHEN t.status = 'accepted' THEN t.findings ELSE 0 END) "
        "FROM closure c CROSS JOIN tally t ON t.scan = c.scan AND t.resource = c.resource "
        "WHERE c.scan = ? AND c.service = ? GROUP BY t.resource, t.layer",
        (scan_id, service_id),
    ):
        worst, opened, accepted = counts
        tallies[resource, layer] = (worst, opened, accepted)
    found: dict[Layer, list[TowerResource]] = {layer: [] for layer in LAYERS}
    for resource, attenuation, unknown, *ref in connection.execute(
        f"SELECT c.resource, c.attenuation, x.unknown, {REF_COLUMNS} FROM closure c "
        "JOIN snapshot s ON s.scan = c.scan AND s.resource = c.resource "
        "JOIN body b ON b.id = s.body JOIN content x ON x.body = b.id "
        "JOIN resource r ON r.id = c.resource WHERE c.scan = ? AND c.service = ?",
        (scan_id, service_id),
    ).fetchall():
        reference = ref_of(ref)
        own = LAYERS.index(reference.layer)
        path = path_to(connection, scan_id, service_id, resource)
        unread = tuple(sorted(load(unknown).items()))
        counted = {layer for number, layer in tallies if number == resource}
        for layer in sorted(counted | {own}):
            worst, opened, accepted = tallies.get((resource, layer), (None, 0, 0))
            if layer != own and not opened and not accepted:
                continue
            found[LAYERS[layer]].append(
                TowerResource(
                    reference,
                    path,
                    attenuation,
                    severity_of(worst),
                    opened,
                    accepted,
                    unread if layer == own else (),
                )
            )
    return found


def _contributions(
    connection: sqlite3.Connection, scan_id: int, service_id: int
) -> tuple[Contribution, ...]:
    score = risk.service_score(
        (
            (item.finding, item.layer, value)
            for item, value in score_items(connection, scan_id, service_id)
            if not item.accepted
        ),
        model=model_of(connection, scan_id),
    )
    lines = [line for line in score.lines if line.points > 0]
    names: dict[str, tuple[Any, ...]] = {}
    for start in range(0, len(lines), _MARKS):
        part = [line.finding for line in lines[start : start + _MARKS]]
        for fid, *rest in connection.execute(
            "SELECT f.fid, o.title, t.layer, t.severity, b.name FROM finding f "
            # CROSS JOIN keeps this order: the other way round reads the whole scan.
            "CROSS JOIN state t ON t.finding = f.id AND t.scan = ? "
            "JOIN observation o ON o.id = t.observation JOIN body b ON b.id = t.body "
            f"WHERE f.fid IN ({','.join('?' * len(part))})",
            (scan_id, *part),
        ):
            names[fid] = tuple(rest)
    found = []
    for line in lines:
        title, layer, severity, resource = names[line.finding]
        rank = severity_of(severity)
        if rank is not None:
            found.append(
                Contribution(line.finding, title, LAYERS[layer], rank, resource, line.points)
            )
    return tuple(found)


def _worst_first(resource: TowerResource) -> tuple[int, int, float, str, str]:
    rank = resource.worst.rank if resource.worst else -1
    return (-rank, -resource.open, -resource.attenuation, resource.ref.name, resource.ref.key)
