"""Answers of earlier scans that still hold: the same pack about exactly the same resource."""

# ruff: noqa: S608  (only constants of ours are put together; values are bound)

from __future__ import annotations

import sqlite3
from collections.abc import Sequence, Sized
from typing import NamedTuple

from undercroft.identity import observation_id
from undercroft.model import Observation, Outcome
from undercroft.store.answers import Holds, columns_of

__all__ = ["Again", "Asked", "Recalled", "recall", "use_again"]

_PART = 500
"""Resources per query."""


class Again(NamedTuple):
    """What has to be said once more before an old answer is taken for a new one."""

    rules: frozenset[str] = frozenset()
    """Ids of the rules whose answer depends on the time."""
    said: Sequence[Observation] = ()
    """What those rules say now."""
    holds: Holds | None = None
    """If that is known."""


class Asked(NamedTuple):
    """A resource about which an old answer is looked for."""

    key: str
    resource: int
    body: int
    again: Again


class Recalled(NamedTuple):
    """An old answer that still holds."""

    resource: int
    judgement: int


def recall(
    connection: sqlite3.Connection, pack: str, asked: Sequence[Asked]
) -> dict[str, Recalled]:
    """Resource key → the newest answer of a pack about a resource with this body, combinations aside.

    Missing is what was never answered, was not certain, or does not hold any more.
    """
    found: dict[str, Recalled] = {}
    for start in range(0, len(asked), _PART):
        found.update(_recall(connection, pack, asked[start : start + _PART]))
    return found


def _recall(
    connection: sqlite3.Connection, pack: str, asked: Sequence[Asked]
) -> dict[str, Recalled]:
    sure = [one for one in asked if all(o.outcome is Outcome.FAIL for o in one.again.said)]
    newest = {
        (resource, body): judgement
        for resource, body, judgement in connection.execute(
            f"SELECT resource, body, max(id) FROM judgement WHERE resource IN ({_marks(sure)}) "
            "AND pack = ? AND combined = 0 GROUP BY resource, body",
            (*(one.resource for one in sure), pack),
        )
    }
    answered = {
        judgement: one
        for one in sure
        if (judgement := newest.get((one.resource, one.body))) is not None
    }
    uncertain = connection.execute(
        f"SELECT DISTINCT judgement FROM blind WHERE judgement IN ({_marks(answered)})",
        tuple(answered),
    ).fetchall()
    for (judgement,) in uncertain:
        del answered[judgement]
    timed: dict[int, dict[str, tuple[object, ...]]] = {judgement: {} for judgement in answered}
    asking = {judgement: one for judgement, one in answered.items() if one.again.rules}
    rules = sorted({rule for one in asking.values() for rule in one.again.rules})
    for judgement, rule, fid, *columns in connection.execute(
        "SELECT o.judgement, u.name, f.fid, o.severity, o.layer, o.threat, o.title, o.evidence, "
        "o.evidence_hash, o.traits, o.cvss, o.vector, o.weight FROM observation o "
        f"JOIN finding f ON f.id = o.finding JOIN rule u ON u.id = f.rule "
        f"WHERE o.judgement IN ({_marks(asking)}) AND u.name IN ({_marks(rules)})",
        (*asking, *rules),
    ):
        if rule in answered[judgement].again.rules:
            timed[judgement][fid] = tuple(columns)
    found = {
        one.key: Recalled(one.resource, judgement)
        for judgement, one in answered.items()
        if timed[judgement] == {observation_id(o): columns_of(o) for o in one.again.said}
    }
    connection.executemany(
        "UPDATE judgement SET asked_at = ?, holds_until = ? WHERE id = ?",
        [
            (*one.again.holds, found[one.key].judgement)
            for one in sure
            if one.key in found and one.again.holds is not None
        ],
    )
    return found


def use_again(
    connection: sqlite3.Connection, scan_id: int, pack: str, now: str, low: int, high: int
) -> list[int]:
    """Give the resources of a scan from ``low`` to ``high`` that were read, and not judged yet, the
    newest answer of a pack about just this body, where that is certain and known to hold at ``now``.

    Nothing of body or answer is read for it. Returns the resources.
    """
    return [
        row[0]
        for row in connection.execute(
            "UPDATE snapshot SET judgement = n.judgement FROM ("
            "SELECT s.resource, max(j.id) AS judgement FROM snapshot s "
            "JOIN body b ON b.id = s.body "
            "JOIN judgement j ON j.resource = s.resource AND j.body = s.body "
            "WHERE s.scan = :scan AND s.resource BETWEEN :low AND :high AND s.judgement IS NULL "
            "AND b.presence <> 'stub' AND j.pack = :pack AND j.combined = 0 "
            "GROUP BY s.resource) n JOIN judgement a ON a.id = n.judgement "
            "WHERE snapshot.scan = :scan AND snapshot.resource = n.resource "
            "AND a.asked_at <= :now AND (a.holds_until IS NULL OR a.holds_until > :now) "
            "AND NOT EXISTS (SELECT 1 FROM blind d WHERE d.judgement = a.id) "
            "RETURNING resource",
            {"scan": scan_id, "pack": pack, "now": now, "low": low, "high": high},
        ).fetchall()
    ]


def _marks(bound: Sized) -> str:
    return ",".join("?" * len(bound))
