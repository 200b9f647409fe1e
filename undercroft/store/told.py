"""What combinations have to be told of a scan: its fails, the many ordinary vulnerabilities aside."""

# ruff: noqa: S608  (only constants of ours are put together; values are bound)

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from functools import lru_cache

from undercroft.model import LAYERS, Observation, Outcome, Severity, Threat
from undercroft.store.encode import load
from undercroft.store.feeds import exploitable_sql
from undercroft.store.models import model_of

__all__ = ["told"]


def told(
    connection: sqlite3.Connection, scan_id: int, asks_for: Callable[[str, tuple[str, ...]], bool]
) -> Iterator[Observation]:
    """Every fail of a resource that the scan itself looked at, without evidence, combinations aside.

    ``asks_for``: of ``Judge``; what it does not ask for is left out, and so are vulnerabilities that
    neither the report nor a feed calls exploitable. What feeds say is not marked.
    """
    likely = exploitable_sql(model_of(connection, scan_id))
    for key, rule, at, cve, severity, layer, threat, title, traits, cvss in connection.execute(
        "SELECT r.key, u.name, f.at, f.cve, o.severity, o.layer, o.threat, o.title, o.traits, "
        "o.cvss FROM snapshot s JOIN observation o ON o.judgement = s.judgement "
        "JOIN finding f ON f.id = o.finding JOIN rule u ON u.id = f.rule "
        "JOIN resource r ON r.id = s.resource LEFT JOIN vulnerability v ON v.cve = f.cve "
        "WHERE s.scan = ? AND s.carried = 0 "
        f"AND (f.cve IS NULL OR o.traits <> '[]' OR {likely})",
        (scan_id,),
    ):
        kept = _texts(traits)
        if cve is None and not asks_for(rule, kept):
            continue
        yield Observation(
            rule,
            key,
            Outcome.FAIL,
            at=load(at),
            severity=Severity.from_rank(severity),
            layer=LAYERS[layer],
            title=title,
            threat=_threat(threat),
            traits=kept,
            cve=cve,
            cvss=cvss,
        )


@lru_cache(maxsize=1024)
def _texts(stored: str) -> tuple[str, ...]:
    return tuple(load(stored))


_threat = lru_cache(maxsize=16)(Threat)
