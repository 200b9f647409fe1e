"""Answers of earlier scans that still hold: the same pack about exactly the same resource."""

# ruff: noqa: S608  (only constants of ours are put together; values are bound)

from __future__ import annotations

import sqlite3
from collections.abc import Sequence, Sized
from typing import NamedTuple

from undercroft.identity import observation_id
from undercroft.model import LAYERS, Observation, Outcome, Severity, Threat
from undercroft.store.answers import columns_of
from undercroft.store.encode import load
from undercroft.store.feeds import EXPLOITABLE_SQL

__all__ = ["Again", "Asked", "Recalled", "recall"]

_PART = 500
"""Resources per query."""


class Again(NamedTuple):
    """What has to be said once more before an old answer is taken for a new one."""

    rules: frozenset[str] = frozenset()
    """Ids of the rules whose answer depends on the time."""
    said: Sequence[Observation] = ()
    """What those rules say now."""


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
    said: list[Observation]
    """As far as combinations ask: vulnerabilities without a trait and evidence are left out."""


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
    said: dict[int, list[Observation]] = {judgement: [] for judgement in answered}
    timed: dict[int, dict[str, tuple[object, ...]]] = {judgement: {} for judgement in answered}
    for judgement, fid, rule, at, cve, *columns in connection.execute(
        "SELECT o.judgement, f.fid, u.name, f.at, f.cve, o.severity, o.layer, o.threat, o.title, "
        "o.evidence, o.evidence_hash, o.traits, o.cvss, o.vector, o.weight FROM observation o "
        "JOIN finding f ON f.id = o.finding JOIN rule u ON u.id = f.rule "
        f"LEFT JOIN vulnerability v ON v.cve = f.cve WHERE o.judgement IN ({_marks(answered)}) "
        f"AND (f.cve IS NULL OR o.traits <> '[]' OR {EXPLOITABLE_SQL})",
        tuple(answered),
    ):
        severity, layer, threat, title, _, _, traits, cvss, vector, weight = columns
        one = answered[judgement]
        if rule in one.again.rules:
            timed[judgement][fid] = tuple(columns)
        said[judgement].append(
            Observation(
                rule,
                one.key,
                Outcome.FAIL,
                at=load(at),
                severity=Severity.from_rank(severity),
                layer=LAYERS[layer],
                title=title,
                threat=Threat(threat),
                traits=tuple(load(traits)),
                cve=cve,
                cvss=cvss,
                vector=vector,
                weight=weight,
            )
        )
    return {
        one.key: Recalled(one.resource, judgement, said[judgement])
        for judgement, one in answered.items()
        if timed[judgement] == {observation_id(o): columns_of(o) for o in one.again.said}
    }


def _marks(bound: Sized) -> str:
    return ",".join("?" * len(bound))
