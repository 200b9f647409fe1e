"""What a rule pack said about a resource, kept once for as long as it says the same."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from undercroft.identity import observation_id, tie_break
from undercroft.model import Observation, Outcome
from undercroft.store.encode import LAYER_NUMBER, clean, dump, evidence_hash

__all__ = ["Answer", "Answers"]


class Answer(NamedTuple):
    """Everything that was said about one resource at once."""

    resource: int
    body: int
    collected_at: str
    observations: Sequence[Observation]
    combined: bool
    """Toxic combinations, which depend on more than the resource."""


class Answers:
    """Writes the answers of one scan."""

    def __init__(self, scan: int, pack: str) -> None:
        self._scan = scan
        self._pack = pack
        self._rules: dict[str, int] = {}

    def write(
        self, connection: sqlite3.Connection, answer: Answer, before: int | None = None
    ) -> int:
        """The judgement's row id; nothing is written if the same was answered before.

        ``before``: the judgement that this scan has given on the resource already, to be added to.
        """
        observations = answer.observations
        fails = _distinct(o for o in observations if o.outcome is Outcome.FAIL)
        blind = {
            (o.rule, dump(o.at)): clean(o.reason)
            for o in observations
            if o.outcome is Outcome.UNKNOWN
        }
        columns = {fid: _columns(found) for fid, found in fails.items()}
        if before is not None:
            columns = {**_columns_of(connection, before), **columns}
            blind = {**_blind_of(connection, before), **blind}
        said = hashlib.sha256(
            dump(
                [
                    [[fid, *columns[fid]] for fid in sorted(columns)],
                    [[*name, blind[name]] for name in sorted(blind)],
                ]
            ).encode()
        ).digest()
        identity = (answer.resource, answer.body, self._pack, int(answer.combined), said)
        found = connection.execute(
            "SELECT id FROM judgement WHERE resource = ? AND body = ? AND pack = ? "
            "AND combined = ? AND answer = ?",
            identity,
        ).fetchone()
        if found is not None:
            return int(found[0])
        cursor = connection.execute(
            "INSERT INTO judgement (resource, body, pack, combined, answer) VALUES (?, ?, ?, ?, ?)",
            identity,
        )
        judgement = int(cursor.lastrowid or 0)
        connection.executemany(
            "INSERT INTO blind (judgement, rule, at, reason) VALUES (?, ?, ?, ?)",
            (
                (judgement, self._rule(connection, rule), at, reason)
                for (rule, at), reason in blind.items()
            ),
        )
        self._findings(connection, answer, fails)
        connection.executemany(
            "INSERT INTO observation (judgement, finding, severity, layer, threat, title, "
            "evidence, evidence_hash, traits, cvss, vector, weight) "
            "VALUES (?, (SELECT id FROM finding WHERE fid = ?), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            ((judgement, fid, *values) for fid, values in columns.items()),
        )
        return judgement

    def _findings(
        self, connection: sqlite3.Connection, answer: Answer, fails: Mapping[str, Observation]
    ) -> None:
        connection.executemany(
            "INSERT OR IGNORE INTO finding (fid, tie, rule, resource, at, cve, package, combined, "
            "first_scan, first_seen) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    fid,
                    tie_break(fid),
                    self._rule(connection, fail.rule),
                    answer.resource,
                    dump(fail.at),
                    None if fail.cve is None else clean(fail.cve),
                    clean(fail.at["package"]) if "package" in fail.at else None,
                    int(answer.combined),
                    self._scan,
                    answer.collected_at,
                )
                for fid, fail in fails.items()
            ),
        )

    def _rule(self, connection: sqlite3.Connection, name: str) -> int:
        found = self._rules.get(name)
        if found is None:
            connection.execute("INSERT OR IGNORE INTO rule (name) VALUES (?)", (clean(name),))
            row = connection.execute("SELECT id FROM rule WHERE name = ?", (clean(name),))
            found = self._rules[name] = int(row.fetchone()[0])
        return found


def _distinct(fails: Iterable[Observation]) -> dict[str, Observation]:
    """Finding id → its fail; of two about one finding, the more severe one."""
    found: dict[str, Observation] = {}
    for fail in fails:
        fid = observation_id(fail)
        known = found.get(fid)
        if known is None or _weight(fail) > _weight(known):
            found[fid] = fail
    return found


def _weight(fail: Observation) -> tuple[int, float, str]:
    return (fail.severity.rank, fail.cvss or 0.0, fail.title)


def _columns(fail: Observation) -> tuple[Any, ...]:
    return (
        fail.severity.rank,
        LAYER_NUMBER[fail.layer],
        fail.threat.value,
        clean(fail.title),
        dump([[item.path, item.value] for item in fail.evidence]),
        evidence_hash(fail),
        dump(list(fail.traits)),
        fail.cvss,
        None if fail.vector is None else clean(fail.vector),
        fail.weight,
    )


def _columns_of(connection: sqlite3.Connection, judgement: int) -> dict[str, tuple[Any, ...]]:
    return {
        fid: tuple(values)
        for fid, *values in connection.execute(
            "SELECT f.fid, o.severity, o.layer, o.threat, o.title, o.evidence, o.evidence_hash, "
            "o.traits, o.cvss, o.vector, o.weight FROM observation o "
            "JOIN finding f ON f.id = o.finding WHERE o.judgement = ?",
            (judgement,),
        ).fetchall()
    }


def _blind_of(connection: sqlite3.Connection, judgement: int) -> dict[tuple[str, str], str]:
    return {
        (rule, at): reason
        for rule, at, reason in connection.execute(
            "SELECT u.name, d.at, d.reason FROM blind d JOIN rule u ON u.id = d.rule "
            "WHERE d.judgement = ?",
            (judgement,),
        ).fetchall()
    }
