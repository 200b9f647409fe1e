"""What a rule pack said about a resource, kept once for as long as it says the same."""

# ruff: noqa: S608  (only names of our own tables are put together; values are bound)

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from undercroft.identity import observation_id, tie_break
from undercroft.model import Observation, Outcome
from undercroft.store import renames, wordings
from undercroft.store.encode import LAYER_NUMBER, clean, dump, evidence_text

__all__ = ["Answer", "Answers", "Holds", "columns_of"]


_PART = 500
"""Resources per query."""
_WORDINGS = 100_000
"""Wordings that are remembered as written."""
_TITLE = 3
_EVIDENCE = 4
"""Where the text of the evidence is in ``columns_of``; its hash comes after it."""


class Holds(NamedTuple):
    """How long an answer stays the same, as far as the clock is concerned."""

    asked_at: str
    """RFC 3339, as ``clock.stamp`` writes it."""
    until: str | None
    """Instant before which every later answer is the same; None: for ever."""


class Answer(NamedTuple):
    """Everything that was said about one resource at once."""

    resource: int
    body: int
    collected_at: str
    observations: Sequence[Observation]
    combined: bool
    """Toxic combinations, which depend on more than the resource."""
    holds: Holds | None = None
    """If it is known how long it stays the same."""


class _New(NamedTuple):
    """An answer that was not given before, with what it consists of."""

    answer: Answer
    judgement: int
    fails: Mapping[str, Observation]
    columns: Mapping[str, Sequence[Any]]


class Answers:
    """Writes the answers of one scan."""

    def __init__(self, scan: int, pack: str) -> None:
        self._scan = scan
        self._pack = pack
        self._rules: dict[str, int] = {}
        self._worded: set[wordings.Wording] = set()

    def write(
        self, connection: sqlite3.Connection, answers: Sequence[tuple[Answer, int | None]]
    ) -> list[int]:
        """The judgements' row ids; nothing is written of what was answered just so before.

        With each answer comes the judgement that this scan has given on the resource already, to
        be added to. Runs inside the caller's transaction.
        """
        # Numbers are given out here: asking for each row's own would cost more than writing it.
        number = _last(connection, "judgement")
        given = self._given(connection, {answer.resource for answer, _ in answers})
        found: list[int] = []
        new: list[_New] = []
        judgements: list[tuple[Any, ...]] = []
        blinds: list[tuple[Any, ...]] = []
        held: list[tuple[str, str | None, int]] = []
        for answer, before in answers:
            fails, columns, blind = _said(connection, answer, before)
            place = (
                answer.resource,
                answer.body,
                int(answer.combined),
                _fingerprint(columns, blind),
            )
            judgement = given.get(place)
            if judgement is None:
                number += 1
                judgement = given[place] = number
                resource, body, combined, hash_ = place
                holds = answer.holds or (None, None)
                judgements.append((number, resource, body, self._pack, combined, hash_, *holds))
                blinds += [
                    (number, self._rule(connection, rule), at, reason)
                    for (rule, at), reason in blind.items()
                ]
                if columns:
                    new.append(_New(answer, number, fails, columns))
            elif answer.holds is not None:
                held.append((*answer.holds, judgement))
            found.append(judgement)
        connection.executemany(
            "INSERT INTO judgement (id, resource, body, pack, combined, answer, asked_at, "
            "holds_until) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            judgements,
        )
        connection.executemany(
            "UPDATE judgement SET asked_at = ?, holds_until = ? WHERE id = ?", held
        )
        connection.executemany(
            "INSERT INTO blind (judgement, rule, at, reason) VALUES (?, ?, ?, ?)", blinds
        )
        self._write_findings(connection, new)
        return found

    def _given(
        self, connection: sqlite3.Connection, resources: Iterable[int]
    ) -> dict[tuple[int, int, int, bytes], int]:
        """(resource, body, combined, hash) → the answer that this pack gave before."""
        return {
            (resource, body, combined, hash_): judgement
            for part in _parts(resources)
            for resource, body, combined, hash_, judgement in connection.execute(
                "SELECT resource, body, combined, answer, id FROM judgement "
                f"WHERE resource IN ({_marks(part)}) AND pack = ?",
                (*part, self._pack),
            )
        }

    def _write_findings(self, connection: sqlite3.Connection, new: Sequence[_New]) -> None:
        number = _last(connection, "finding")
        findings: list[tuple[Any, ...]] = []
        observations: list[tuple[Any, ...]] = []
        renamed: list[tuple[int, int]] = []
        names: set[tuple[int, int]] = set()
        called: set[wordings.Wording] = set()
        # A finding belongs to one resource, so the rest of the table need not be asked.
        known = {
            fid: (found, rule)
            for part in _parts({one.answer.resource for one in new})
            for fid, found, rule in connection.execute(
                f"SELECT fid, id, rule FROM finding WHERE resource IN ({_marks(part)})", part
            )
        }
        for answer, judgement, fails, columns in new:
            for fid, fail in fails.items():
                rule = self._rule(connection, fail.rule)
                if fid not in known:
                    number += 1
                    known[fid] = (number, rule)
                    findings.append((number, *self._finding(answer, fid, fail, rule)))
                elif known[fid][1] != rule:
                    # A renamed rule goes on with its findings under its new name.
                    renamed.append((rule, known[fid][0]))
                    wordings.rename(connection, known[fid][1], rule)
                    names.add((known[fid][1], rule))
                wording = (fail.cve or "", fail.at.get("package", ""), rule, columns[fid][_TITLE])
                if wording not in self._worded:
                    called.add(wording)
            observations += [(judgement, known[fid][0], *values) for fid, values in columns.items()]
        connection.executemany("UPDATE finding SET rule = ? WHERE id = ?", renamed)
        if names:
            renames.keep(connection, names)
        connection.executemany(
            "INSERT INTO finding (id, fid, tie, rule, resource, at, cve, package, combined, "
            "first_scan, first_seen) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            findings,
        )
        connection.executemany(
            "INSERT INTO observation (judgement, finding, severity, layer, threat, title, "
            "evidence, evidence_hash, traits, cvss, vector, weight) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            observations,
        )
        if called:
            wordings.write(
                connection,
                [(clean(cve), clean(package), rule, title) for cve, package, rule, title in called],
            )
            if len(self._worded) > _WORDINGS:
                self._worded.clear()
            self._worded |= called

    def _finding(self, answer: Answer, fid: str, fail: Observation, rule: int) -> tuple[Any, ...]:
        at = fail.at
        return (
            fid,
            tie_break(fid),
            rule,
            answer.resource,
            dump(at),
            None if fail.cve is None else clean(fail.cve),
            clean(at["package"]) if "package" in at else None,
            int(answer.combined),
            self._scan,
            answer.collected_at,
        )

    def _rule(self, connection: sqlite3.Connection, name: str) -> int:
        found = self._rules.get(name)
        if found is None:
            connection.execute("INSERT OR IGNORE INTO rule (name) VALUES (?)", (clean(name),))
            row = connection.execute("SELECT id FROM rule WHERE name = ?", (clean(name),))
            found = self._rules[name] = int(row.fetchone()[0])
        return found


_Blind = dict[tuple[str, str], str]
"""(rule, discriminator) → reason."""


def _said(
    connection: sqlite3.Connection, answer: Answer, before: int | None
) -> tuple[dict[str, Observation], dict[str, Sequence[Any]], _Blind]:
    """The fails of an answer, and with what the judgement ``before`` says: their columns, and what
    could not be told.
    """
    fails = _distinct(o for o in answer.observations if o.outcome is Outcome.FAIL)
    blind = {
        (o.rule, dump(o.at)): clean(o.reason)
        for o in answer.observations
        if o.outcome is Outcome.UNKNOWN
    }
    columns: dict[str, Sequence[Any]] = {fid: columns_of(found) for fid, found in fails.items()}
    if before is not None:
        columns = {**_stored_columns(connection, before), **columns}
        blind = {**_blind_of(connection, before), **blind}
    return fails, columns, blind


def _last(connection: sqlite3.Connection, table: str) -> int:
    found = connection.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()[0]
    return int(found)


def _parts(numbers: Iterable[int]) -> Iterator[Sequence[int]]:
    ordered = sorted(numbers)
    for start in range(0, len(ordered), _PART):
        yield ordered[start : start + _PART]


def _marks(part: Sequence[int]) -> str:
    return ",".join("?" * len(part))


def _fingerprint(
    columns: Mapping[str, Sequence[Any]], blind: Mapping[tuple[str, str], str]
) -> bytes:
    """Hash of a whole answer; of what decided, its own hash stands for the text."""
    said = [
        (fid, *values[:_EVIDENCE], *values[_EVIDENCE + 1 :])
        for fid, values in sorted(columns.items())
    ]
    doubts = [(*place, reason) for place, reason in sorted(blind.items())]
    return hashlib.sha256(repr((said, doubts)).encode("utf-8", "replace")).digest()


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


def columns_of(fail: Observation) -> tuple[Any, ...]:
    """What ``observation`` holds of a fail, from ``severity`` to ``weight``."""
    return (
        fail.severity.rank,
        LAYER_NUMBER[fail.layer],
        fail.threat.value,
        clean(fail.title),
        *evidence_text(fail),
        _list(fail.traits),
        fail.cvss,
        None if fail.vector is None else clean(fail.vector),
        fail.weight,
    )


@lru_cache(maxsize=1024)
def _list(texts: tuple[str, ...]) -> str:
    return dump(list(texts))


def _stored_columns(connection: sqlite3.Connection, judgement: int) -> dict[str, tuple[Any, ...]]:
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
