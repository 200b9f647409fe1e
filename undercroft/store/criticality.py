"""How much a resource matters, as the person who tagged it says (factor M of the risk model)."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import lru_cache

from undercroft.risk import Criticality, RiskModel, criticality_there
from undercroft.store.encode import dump, load
from undercroft.store.models import model_of

__all__ = ["NORMAL", "level_of", "levels", "spread"]

NORMAL = Criticality.NORMAL.value
_LEVELS = frozenset(level.value for level in Criticality)


@lru_cache(maxsize=4096)
def level_of(tags: str, name: str) -> str:
    """The level in a resource's tags (JSON, as stored); normal without a tag of that name.

    Names and values are compared without regard to case, and ``Very High``, ``very-high`` and
    ``very_high`` are the same: not every cloud allows spaces or capitals. A value that is no level
    counts as none. ``name`` empty: nobody asks for a tag.
    """
    if not name or tags == "{}":
        return NORMAL
    # Sorted: tags that differ in case only must not take turns.
    for tag, value in sorted(load(tags).items()):
        if tag.casefold() == name.casefold():
            level = str(value).strip().casefold().replace(" ", "_").replace("-", "_")
            if level in _LEVELS:
                return level
    return NORMAL


def levels(
    connection: sqlite3.Connection, scan_id: int, name: str, resources: Sequence[int]
) -> dict[int, str]:
    """Resource → level, of those that somebody tagged."""
    if not name:
        return {}
    found = (
        (resource, level_of(tags, name))
        for resource, tags in connection.execute(
            "SELECT s.resource, c.tags FROM snapshot s JOIN content c ON c.body = s.body "
            "WHERE s.scan = ? AND s.resource IN (SELECT value FROM json_each(?)) "
            "AND c.tags <> '{}'",
            (scan_id, dump(list(resources))),
        )
    )
    return {resource: level for resource, level in found if level != NORMAL}


def spread(connection: sqlite3.Connection, scan_id: int, name: str) -> None:
    """Write into ``closure`` what tagged services make of the findings beneath them.

    Once the scan's ``state`` is written, inside the caller's transaction.
    """
    tagged = {
        service: level
        for service, tags in connection.execute(
            "SELECT s.resource, c.tags FROM snapshot s JOIN body b ON b.id = s.body "
            "JOIN content c ON c.body = s.body "
            "WHERE s.scan = ? AND b.service = 1 AND c.tags <> '{}'",
            (scan_id,),
        )
        if (level := level_of(tags, name)) != NORMAL
    }
    if not tagged:
        return
    # As its findings were weighed: what was carried over keeps the level that it was seen with.
    own = dict(
        connection.execute(
            "SELECT DISTINCT resource, criticality FROM state "
            "WHERE scan = ? AND criticality <> ? AND NOT combined",
            (scan_id, NORMAL),
        ).fetchall()
    )
    model = model_of(connection, scan_id)
    for service, level in sorted(tagged.items()):
        connection.execute(
            "UPDATE closure SET scale = ? WHERE scan = ? AND service = ?",
            (_scale(NORMAL, level, model), scan_id, service),
        )
        connection.executemany(
            "UPDATE closure SET scale = ? WHERE scan = ? AND service = ? AND resource = ?",
            [
                (_scale(own[resource], level, model), scan_id, service, resource)
                for (resource,) in connection.execute(
                    "SELECT resource FROM closure WHERE scan = ? AND service = ?",
                    (scan_id, service),
                ).fetchall()
                if resource in own
            ],
        )


def _scale(resource: str, service: str, model: RiskModel) -> float:
    return criticality_there(Criticality(resource), Criticality(service), model)
