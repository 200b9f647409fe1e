"""What combinations have to be told of a scan: its fails, the many ordinary vulnerabilities aside."""

# ruff: noqa: S608  (only constants of ours are put together; values are bound)

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from itertools import groupby
from operator import itemgetter

from undercroft.model import LAYERS, Observation, Outcome, Severity, Threat
from undercroft.store.encode import dump, load
from undercroft.store.feeds import exploitable_sql
from undercroft.store.models import model_of

__all__ = ["told"]


_ALIKE = 65_536
"""Things that are said, of which each is one object however many resources it is said of."""


def told(
    connection: sqlite3.Connection,
    scan_id: int,
    asks_for: Callable[[str, tuple[str, ...]], bool],
    keys: Iterable[str],
) -> Iterator[tuple[str, list[Observation]]]:
    """(key, fails) of those resources that the scan itself looked at, combinations aside.

    Without evidence, and without the resource: what is said of many resources is told in the same
    words. ``asks_for``: of ``Judge``; what it does not ask for is left out, and so are
    vulnerabilities that neither the report nor a feed calls exploitable. What feeds say is not
    marked. ``keys``: as stored, each once.
    """
    say = lru_cache(maxsize=_ALIKE)(partial(_observation, asks_for))
    likely = exploitable_sql(model_of(connection, scan_id))
    rows = connection.execute(
        "SELECT k.value, u.name, f.at, f.cve, o.severity, o.layer, o.threat, o.title, o.traits, "
        "o.cvss FROM json_each(?) k CROSS JOIN resource r ON r.key = k.value "
        "CROSS JOIN snapshot s ON s.scan = ? AND s.resource = r.id AND s.carried = 0 "
        "CROSS JOIN observation o ON o.judgement = s.judgement "
        "JOIN finding f ON f.id = o.finding JOIN rule u ON u.id = f.rule "
        "LEFT JOIN vulnerability v ON v.cve = f.cve "
        f"WHERE f.cve IS NULL OR o.traits <> '[]' OR {likely}",
        (dump(list(keys)), scan_id),
    )
    for key, of_one in groupby(rows, key=itemgetter(0)):
        fails = [one for row in of_one if (one := say(*row[1:])) is not None]
        if fails:
            yield key, fails


def _observation(
    asks_for: Callable[[str, tuple[str, ...]], bool],
    rule: str,
    at: str,
    cve: str | None,
    severity: int,
    layer: int,
    threat: str,
    title: str,
    stored_traits: str,
    cvss: float | None,
) -> Observation | None:
    traits = tuple(load(stored_traits))
    if cve is None and not asks_for(rule, traits):
        return None
    return Observation(
        rule,
        "",
        Outcome.FAIL,
        at=load(at),
        severity=Severity.from_rank(severity),
        layer=LAYERS[layer],
        title=title,
        threat=Threat(threat),
        traits=traits,
        cve=cve,
        cvss=cvss,
    )
