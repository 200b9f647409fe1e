"""The sums of services, computed from what each resource brings: no finding is read twice.

Per resource, layer and kind the worst hazards are kept in one row, largest first, with their
discounted sum. What a service makes of a hazard (attenuation, and its own tag) is the same for all
findings of a resource, so where one resource alone fills a layer of a service, that sum times this
is the layer; only layers that several resources fill are merged, from the kept hazards.
"""

# ruff: noqa: S608  (only names of our own tables are put together; values are bound)

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Collection, Iterator, Sequence
from operator import mul

from undercroft import risk
from undercroft.store.models import model_of

__all__ = ["scores", "write"]

_PART = 400
_COUNTED_SQL = "('open', 'reopened', 'fix_claimed', 'accepted')"
_ACTIVE_SQL = "('open', 'reopened', 'fix_claimed')"

_Part = tuple[float, float, bytes]
"""(what a hazard counts there, discounted sum before that, hazards as doubles)"""


def write(
    connection: sqlite3.Connection,
    scan_id: int,
    resources: Collection[int] | None = None,
    model: risk.RiskModel | None = None,
) -> None:
    """Work the rows of some resources out again, or of all that a service stands on, from
    ``tally`` and ``state``. ``model``: default the one by which the scan is scored.
    """
    model = model or model_of(connection, scan_id)
    kinds: list[tuple[int, int, int, int]] = []
    select = (
        "SELECT DISTINCT t.resource, t.layer, t.combined, t.status = 'accepted' FROM tally t "
        f"WHERE t.scan = ? AND t.status IN {_COUNTED_SQL} AND "
    )
    if resources is None:
        connection.execute("DELETE FROM weight WHERE scan = ?", (scan_id,))
        beneath = "t.resource IN (SELECT resource FROM closure WHERE scan = ?)"
        kinds = connection.execute(select + beneath, (scan_id, scan_id)).fetchall()
    else:
        for part in _parts(sorted(resources)):
            marks = ",".join("?" * len(part))
            connection.execute(
                f"DELETE FROM weight WHERE scan = ? AND resource IN ({marks})", (scan_id, *part)
            )
            kinds += connection.execute(
                f"{select}t.resource IN ({marks})", (scan_id, *part)
            ).fetchall()
    connection.executemany(
        "INSERT INTO weight (scan, resource, layer, combined, accepted, total, top) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        _rows(connection, scan_id, kinds, model),
    )


def _rows(
    connection: sqlite3.Connection,
    scan_id: int,
    kinds: Sequence[tuple[int, int, int, int]],
    model: risk.RiskModel,
) -> Iterator[tuple[int, int, int, int, int, float, bytes]]:
    for resource, layer, combined, accepted in kinds:
        states = "('accepted')" if accepted else _ACTIVE_SQL
        top = array(
            "d",
            (
                row[0]
                for row in connection.execute(
                    "SELECT hazard FROM state WHERE scan = ? AND resource = ? AND layer = ? "
                    f"AND combined = ? AND status IN {states} AND hazard > 0 "
                    "ORDER BY score DESC LIMIT ?",
                    (scan_id, resource, layer, combined, risk.DEPTH),
                )
            ),
        )
        if top:
            total = sum(map(mul, top, model.in_layer))
            yield scan_id, resource, layer, combined, accepted, total, top.tobytes()


def scores(
    connection: sqlite3.Connection, scan_id: int, services: Collection[int] | None = None
) -> dict[int, tuple[float, float]]:
    """Service → (residual, inherent) score, of some services or of all; 0 where nothing counts."""
    select = (
        # A combination weighs what its rule declares, however critical the service.
        "SELECT c.service, CASE w.combined WHEN 0 THEN c.attenuation * c.scale "
        "ELSE c.attenuation END, w.layer + 8 * w.combined, w.accepted, w.total, w.top "
        "FROM closure c CROSS JOIN weight w ON w.scan = c.scan AND w.resource = c.resource "
        "WHERE c.scan = ?"
    )
    found: dict[int, tuple[float, float]] = {}
    model = model_of(connection, scan_id)
    if services is None:
        _score_all(connection.execute(f"{select} ORDER BY c.service", (scan_id,)), found, model)
        return found
    for part in _parts(sorted(services)):
        marks = ",".join("?" * len(part))
        _score_all(
            connection.execute(
                f"{select} AND c.service IN ({marks}) ORDER BY c.service", (scan_id, *part)
            ),
            found,
            model,
        )
    return found


def _score_all(
    rows: Iterator[tuple[int, float, int, int, float, bytes]],
    found: dict[int, tuple[float, float]],
    model: risk.RiskModel,
) -> None:
    """Put the services that stream by, each as one run of rows, into ``found``."""
    now = -1
    active: dict[int, list[_Part]] = {}
    accepted: dict[int, list[_Part]] = {}
    for service, counts, layer, is_accepted, total, top in rows:
        if service != now:
            if now >= 0:
                found[now] = _both(active, accepted, model)
            now = service
            active = {}
            accepted = {}
        chosen = accepted if is_accepted else active
        part = (counts, total, top)
        if layer in chosen:
            chosen[layer].append(part)
        else:
            chosen[layer] = [part]
    if now >= 0:
        found[now] = _both(active, accepted, model)


def _both(
    active: dict[int, list[_Part]], accepted: dict[int, list[_Part]], model: risk.RiskModel
) -> tuple[float, float]:
    residual = _score(active, model)
    if not accepted:
        return residual, residual
    every = {
        layer: active.get(layer, []) + accepted.get(layer, [])
        for layer in active.keys() | accepted.keys()
    }
    return residual, _score(every, model)


def _score(layers: dict[int, list[_Part]], model: risk.RiskModel) -> float:
    sums = [
        parts[0][0] * parts[0][1] if len(parts) == 1 else _merged(parts, model)
        for parts in layers.values()
    ]
    sums.sort(reverse=True)
    total: float = sum(map(mul, sums, model.across))
    return risk.finding_score(total)


def _merged(parts: Sequence[_Part], model: risk.RiskModel) -> float:
    """A layer that several resources fill: all their hazards in one order."""
    values: list[float] = []
    for counts, _, top in parts:
        hazards = array("d")
        hazards.frombytes(top)
        values += [counts * hazard for hazard in hazards]
    values.sort(reverse=True)
    total: float = sum(map(mul, values, model.in_layer))
    return total


def _parts(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), _PART):
        yield ids[start : start + _PART]
