"""Answers of earlier scans that still hold: the same pack about exactly the same resource."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from undercroft.identity import observation_id
from undercroft.model import LAYERS, Observation, Outcome, Severity, Threat
from undercroft.store.answers import columns_of
from undercroft.store.encode import load
from undercroft.store.feeds import EXPLOITABLE_SQL

__all__ = ["Again", "earlier", "recall"]


class Again(NamedTuple):
    """What has to be said once more before an old answer is taken for a new one."""

    rules: frozenset[str] = frozenset()
    """Ids of the rules whose answer depends on the time."""
    said: Sequence[Observation] = ()
    """What those rules say now."""


def earlier(connection: sqlite3.Connection, resource: int, body: int, pack: str) -> int | None:
    """The newest answer of a pack about a resource with this body; combinations aside."""
    found = connection.execute(
        "SELECT max(id) FROM judgement "
        "WHERE resource = ? AND body = ? AND pack = ? AND combined = 0",
        (resource, body, pack),
    ).fetchone()[0]
    return None if found is None else int(found)


def recall(
    connection: sqlite3.Connection, judgement: int, resource: str, again: Again
) -> list[Observation] | None:
    """What an answer consists of, as far as combinations ask: vulnerabilities without a trait and
    evidence are left out. None if it does not hold any more, or was not certain.
    """
    uncertain = connection.execute(
        "SELECT 1 FROM blind WHERE judgement = ? LIMIT 1", (judgement,)
    ).fetchone()
    if uncertain or any(said.outcome is not Outcome.FAIL for said in again.said):
        return None
    found: list[Observation] = []
    timed: dict[str, tuple[object, ...]] = {}
    for fid, rule, at, cve, *columns in connection.execute(
        "SELECT f.fid, u.name, f.at, f.cve, o.severity, o.layer, o.threat, o.title, o.evidence, "  # noqa: S608  (a constant of ours)
        "o.evidence_hash, o.traits, o.cvss, o.vector, o.weight FROM observation o "
        "JOIN finding f ON f.id = o.finding JOIN rule u ON u.id = f.rule "
        "LEFT JOIN vulnerability v ON v.cve = f.cve WHERE o.judgement = ? "
        f"AND (f.cve IS NULL OR o.traits <> '[]' OR {EXPLOITABLE_SQL})",
        (judgement,),
    ):
        severity, layer, threat, title, _, _, traits, cvss, vector, weight = columns
        if rule in again.rules:
            timed[fid] = tuple(columns)
        found.append(
            Observation(
                rule,
                resource,
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
    said = {observation_id(one): columns_of(one) for one in again.said}
    return found if said == timed else None
