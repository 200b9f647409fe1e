"""The many findings of a scan that have no story: failing, and nobody has decided anything.

What is as the scan before had it keeps its rows, which hold in this scan too. Of the others SQLite
itself puts most rows together from what was observed, without a Python object for each. What has a
story (decided about, carried over, unread, fixed just now) is worked out by ``sightings``.
"""

# ruff: noqa: S608  (only names of our own tables are put together; values are bound)

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from undercroft.store.criticality import NORMAL, levels
from undercroft.store.encode import dump
from undercroft.store.exploits import EXPLOIT_SQL
from undercroft.store.scans import FINISHED
from undercroft.store.sightings import INSERT_ROW, ROW_COLUMNS, Scan, rows
from undercroft.store.state_table import FOREVER, STORY
from undercroft.store.statuses import rate
from undercroft.triage.book import SCOPE_TYPES

__all__ = ["Plain", "spans", "write_others"]

_FORESEEN = (
    "accept",
    "assign",
    "claim_fixed",
    "clear",
    "false_positive",
    "note",
    "override_severity",
    "undo",
    *SCOPE_TYPES,
)
"""Types of event of which it is known which findings they may concern: the one that they name, or
those of a rule, or what an event concerned that they undo.
"""
_FINDINGS = 30_000
"""Per step: somebody who accepts a finding meanwhile waits for a third of a second at most, and no
page of an index is written much more often than it has to be."""
_RESOURCES = 5_000
_SHARED = 8
"""Times as many where most rows go on."""

_TABLES = (
    # How many findings there ever were of each resource of this run.
    "found_resource (resource INTEGER PRIMARY KEY, findings INTEGER NOT NULL)",
    # What the rows of a resource of this run have in common; ``same`` and ``later``: see ``_SAME``.
    (
        "plain_resource (resource INTEGER PRIMARY KEY, same INTEGER NOT NULL, "
        "later INTEGER NOT NULL, exposure TEXT NOT NULL, criticality TEXT NOT NULL)"
    ),
    # Of which every row goes on, and so does what counts them.
    "kept_resource (resource INTEGER PRIMARY KEY)",
    # All others that have findings.
    "made_resource (resource INTEGER PRIMARY KEY)",
    # Of these the findings whose row goes on.
    (
        "kept_finding (resource INTEGER, finding INTEGER, PRIMARY KEY (resource, finding)) "
        "WITHOUT ROWID"
    ),
    # Rules, or vulnerabilities, about which somebody said something, wherever they are found.
    "told_rule (rule INTEGER NOT NULL, cve TEXT)",
    # About whose findings, or one of them, somebody said something.
    "told_resource (resource INTEGER PRIMARY KEY)",
)

_EXPOSURE = (
    "CASE WHEN instr(o.traits, '\"egress\"') OR instr(o.traits, '\"exposed\"') THEN 'open' "
    "ELSE e.exposure END"
)
"""A way out is open itself, but lets nobody in to what else is wrong with its resource."""
_RATED = (
    f"o.severity, o.threat, f.cve IS NOT NULL, o.cvss, o.vector, o.weight, {_EXPOSURE}, "
    f"e.criticality, {EXPLOIT_SQL}"
)
_INSERT = (
    f"INSERT INTO state_row ({', '.join(ROW_COLUMNS)}) SELECT :line, s.scan, {FOREVER}, f.id, "
    "s.resource, s.body, o.id, f.rule, o.layer, 'fail', "
    "CASE b.presence WHEN 'read' THEN b.incarnation END, '', "
    f"{_EXPOSURE}, e.criticality, f.first_scan = s.scan, f.first_seen, NULL, f.combined, "
    f"f.tie, o.severity, 'open', '', 0, hazard_of({_RATED}), score_of({_RATED}) AS score, NULL, "
    "nullif(b.owner, ''), NULL, NULL, NULL, NULL, 0, NULL "
    "FROM temp.plain_resource e JOIN snapshot s ON s.scan = :scan AND s.resource = e.resource "
    "JOIN body b ON b.id = s.body CROSS JOIN observation o ON o.judgement = s.{answer} "
    "JOIN finding f ON f.id = o.finding WHERE s.carried = 0 AND "
)
"""``{answer}`` and the rest of the condition are put in when a scan is written."""
_IN_ORDER = " ORDER BY f.rule, score DESC, f.tie"
"""As the indexes have them: written so, a step of 10,000 rows costs 0.6 of what it costs unordered."""
_FIRST = "f.first_scan = s.scan"
"""Nobody has seen it before."""
_STILL = (
    # The newest scan before this one saw it failing, and so did every one before that: what has
    # been fixed, gone or unread shows in the row of the scan that said so.
    "f.first_scan <> s.scan AND EXISTS (SELECT 1 FROM state p WHERE p.finding = f.id "
    "AND p.scan = :before AND p.outcome = 'fail' AND p.status = 'open' AND p.cause = '' "
    "AND p.regressions = 0 AND p.reopened_at IS NULL AND p.decision IS NULL AND p.lapsed IS NULL "
    "AND p.unconfirmed = 0 AND p.collected_at <= s.collected_at)"
)
_UNDECIDED = (
    "NOT EXISTS (SELECT 1 FROM event v WHERE v.finding = f.fid) AND NOT EXISTS (SELECT 1 "
    "FROM temp.told_rule w WHERE w.rule = f.rule AND coalesce(w.cve, f.cve) IS f.cve)"
)
_ONCE = (
    "(s.combined IS NULL OR NOT EXISTS (SELECT 1 FROM observation c "
    "WHERE c.judgement = s.combined AND c.finding = o.finding))"
)
_OWN = f"e.same = 0 AND {_ONCE}"
_COMBINED = (
    "e.same < 2 AND NOT EXISTS (SELECT 1 FROM temp.kept_finding k "
    "WHERE k.resource = e.resource AND k.finding = f.id)"
)
"""Combinations may be others although nothing else is."""
_SAME = (
    # 2: every answer about it is the one that the scan before had; 1: all but combinations are.
    # What was carried over has no answer. The second one: whether it was read at a later instant;
    # such times are written alike, so that they sort as their instants do.
    "INSERT INTO temp.plain_resource SELECT s.resource, "
    "CASE WHEN q.resource IS NULL THEN 0 WHEN q.combined IS s.combined THEN 2 ELSE 1 END, "
    "coalesce(length(q.collected_at) = length(s.collected_at) "
    f"AND q.collected_at LIKE '%Z' AND s.collected_at LIKE '%Z', 0), 'unknown', '{NORMAL}' "
    "FROM snapshot s LEFT JOIN snapshot q ON q.scan = :shared "
    "AND q.resource = s.resource AND q.body = s.body AND q.judgement = s.judgement "
    "AND q.collected_at <= s.collected_at "
    "WHERE s.scan = :scan AND s.resource BETWEEN :low AND :high AND s.judgement IS NOT NULL"
)
_EXPOSE = (
    # Exposed itself, or by what else is wrong with the same resource.
    "UPDATE temp.plain_resource SET exposure = 'open' WHERE same < 2 AND EXISTS (SELECT 1 "
    "FROM snapshot s JOIN observation o ON o.judgement = s.judgement WHERE s.scan = :scan "
    "AND s.resource = plain_resource.resource AND instr(o.traits, '\"exposed\"'))"
)
_COUNT = (
    "INSERT INTO temp.found_resource SELECT resource, count(*) FROM finding "
    "WHERE resource BETWEEN :low AND :high GROUP BY resource"
)
_HELD = (
    f"(SELECT resource, count(*) AS n FROM state_row WHERE line = :line AND till = {FOREVER} "
    "AND resource BETWEEN :low AND :high GROUP BY resource)"
)
_KEEP = (
    # Every finding that there ever was of it has a row that goes on, and none of these a story.
    "INSERT INTO temp.kept_resource SELECT e.resource FROM temp.plain_resource e "
    f"JOIN {_HELD} t ON t.resource = e.resource "
    "JOIN temp.found_resource f ON f.resource = e.resource "
    "WHERE e.same = 2 AND t.n = f.findings "
    "AND e.resource NOT IN (SELECT resource FROM temp.told_resource) "
    "AND NOT EXISTS (SELECT 1 FROM state_row WHERE line = :line AND resource = e.resource "
    f"AND {STORY} AND till = {FOREVER})"
)
_MADE = (
    "INSERT INTO temp.made_resource SELECT f.resource FROM temp.found_resource f "
    "WHERE f.resource NOT IN (SELECT resource FROM temp.kept_resource)"
)
_KEEP_FINDINGS = (
    "INSERT INTO temp.kept_finding SELECT p.resource, p.finding FROM temp.plain_resource e "
    "JOIN snapshot s ON s.scan = :scan AND s.resource = e.resource "
    f"CROSS JOIN state_row p ON p.line = :line AND p.resource = e.resource AND p.till = {FOREVER} "
    "WHERE e.same > 0 AND e.resource NOT IN (SELECT resource FROM temp.kept_resource) "
    "AND p.decision IS NULL AND p.lapsed IS NULL "
    "AND p.turns_at IS NULL AND p.turned_at IS NULL AND p.unconfirmed = 0 "
    # Where combinations are others now, each row has to show that its own answer is not.
    "AND (e.same = 2 OR EXISTS (SELECT 1 FROM observation o WHERE o.id = p.observation "
    f"AND o.judgement = CASE p.combined WHEN 0 THEN s.judgement ELSE s.combined END AND {_ONCE})) "
    # Failing ever since, or one more sighting like the last one at the end of its story.
    "AND ((p.outcome = 'fail' AND p.status = 'open' AND p.cause = '' AND p.regressions = 0 "
    "AND p.reopened_at IS NULL) OR (p.combined = 0 AND e.later AND (p.outcome, p.status) "
    "IN (('fail', 'reopened'), ('pass', 'fixed')) AND NOT EXISTS (SELECT 1 FROM state x "
    "WHERE x.finding = p.finding AND x.scan < :before AND NOT "
    "(length(x.collected_at) = length(s.collected_at) AND x.collected_at LIKE '%Z' "
    "AND x.collected_at <= s.collected_at))))"
)
_UNTOLD = f"EXISTS (SELECT 1 FROM finding f WHERE f.id = p.finding AND {_UNDECIDED})"
_END = (
    f"UPDATE state_row SET till = :scan - 1 WHERE line = :line AND till = {FOREVER} "
    "AND since < :scan AND resource IN (SELECT resource FROM temp.plain_resource WHERE same = 0)"
)
_END_COMBINED = (
    # What was put together anew of a resource of which all else goes on.
    f"UPDATE state_row SET till = :scan - 1 WHERE line = :line AND till = {FOREVER} "
    "AND since < :scan AND combined "
    "AND resource IN (SELECT resource FROM temp.plain_resource WHERE same = 1) "
    "AND EXISTS (SELECT 1 FROM state_row w WHERE w.finding = state_row.finding "
    "AND w.line = :line AND w.since = :scan)"
)
_LEFT = (
    "SELECT f.resource FROM temp.found_resource f "
    "LEFT JOIN (SELECT resource, count(*) AS n FROM state_row WHERE line = :line "
    "AND since = :scan AND resource BETWEEN :low AND :high GROUP BY resource) t "
    "ON t.resource = f.resource LEFT JOIN (SELECT resource, count(*) AS n FROM temp.kept_finding "
    "WHERE resource BETWEEN :low AND :high GROUP BY resource) k ON k.resource = f.resource "
    "WHERE f.resource NOT IN (SELECT resource FROM temp.kept_resource) "
    "AND coalesce(t.n, 0) + coalesce(k.n, 0) <> f.findings"
)
_DONE = (
    "(EXISTS (SELECT 1 FROM state_row w WHERE w.finding = f.id AND w.line = :line "
    "AND w.since = :scan) OR EXISTS (SELECT 1 FROM temp.kept_finding k "
    "WHERE k.resource = f.resource AND k.finding = f.id))"
)
"""Whether ``finding f`` has the row that it is to have in this scan."""
_LEFT_UNINDEXED = (
    "SELECT DISTINCT f.resource FROM finding f WHERE f.resource BETWEEN :low AND :high "
    f"AND NOT {_DONE}"
)


class Plain:
    """Sees to the rows that need no thought, a run of resources at a time.

    What goes on as a whole is in ``temp.kept_resource`` afterwards: what counts such a resource in
    the scan before counts it in this one. All others that have findings are in
    ``temp.made_resource``.
    """

    def __init__(
        self, connection: sqlite3.Connection, scan: Scan, before: int | None, *, indexed: bool
    ) -> None:
        """``before``: the scan whose line this one goes on with. ``indexed``: the indexes of
        ``state_row`` are kept up with every row.
        """
        self._scan = scan
        self._shares = before is not None
        self._indexed = indexed
        newest = connection.execute(
            f"SELECT max(id) FROM scan WHERE id < ? AND state IN {FINISHED}", (scan.id,)
        ).fetchone()[0]
        self._bounds = {
            "scan": scan.id,
            "line": scan.line.number,
            "before": newest,
            "shared": before,
        }
        decided = connection.execute("SELECT 1 FROM event LIMIT 1").fetchone() is not None
        marks = ",".join("?" * len(_FORESEEN))
        # What else is said may concern anything, and is for the careful way to judge.
        self._may = (
            connection.execute(
                f"SELECT 1 FROM event WHERE type NOT IN ({marks}) LIMIT 1", _FORESEEN
            ).fetchone()
            is None
        )
        known = _FIRST if newest is None else f"({_FIRST} OR {_STILL})"
        order = _IN_ORDER if indexed else ""
        made = f"{known} AND {_UNDECIDED}{order}" if decided else f"{known}{order}"
        self._insert_own = f"{_INSERT.format(answer='judgement')}{_OWN} AND {made}"
        self._insert_combined = f"{_INSERT.format(answer='combined')}{_COMBINED} AND {made}"
        self._keep_findings = f"{_KEEP_FINDINGS} AND {_UNTOLD}" if decided else _KEEP_FINDINGS
        by = partial(rate, scan.model)
        connection.create_function("hazard_of", 9, lambda *of: by(*of)[0], deterministic=True)
        connection.create_function("score_of", 9, lambda *of: by(*of)[1], deterministic=True)
        for table in _TABLES:
            connection.execute(f"CREATE TEMP TABLE IF NOT EXISTS {table}")
            connection.execute(f"DELETE FROM temp.{table.partition(' ')[0]}")
        if decided:
            self._note_decided(connection)

    def _note_decided(self, connection: sqlite3.Connection) -> None:
        """What people said something about, into ``temp.told_rule`` and ``temp.told_resource``."""
        connection.executemany(
            "INSERT INTO temp.told_rule SELECT id, ? FROM rule WHERE name = ?",
            ((cve, rule) for rule, cve in self._scan.book.subjects),
        )
        if not self._shares:
            return
        rules = "(SELECT rule FROM temp.told_rule WHERE cve IS NULL) w"
        for select in (
            "event v CROSS JOIN finding f ON f.fid = v.finding",
            "temp.told_rule w CROSS JOIN finding f ON f.cve = w.cve COLLATE NOCASE",
            f"{rules} CROSS JOIN state_row f ON f.line = :line AND f.rule = w.rule",
        ):
            connection.execute(
                f"INSERT OR IGNORE INTO temp.told_resource SELECT DISTINCT f.resource FROM {select}",
                self._bounds,
            )

    def spans(self, connection: sqlite3.Connection) -> Iterator[tuple[int, int]]:
        """The runs of resources to call ``write`` with, in this order."""
        many = _SHARED if self._shares else 1
        return spans(connection, resources=_RESOURCES * many, findings=_FINDINGS * many)

    def write(self, connection: sqlite3.Connection, low: int, high: int) -> list[int]:
        """See to the rows of the resources from ``low`` to ``high``; those of which some are left.

        Runs inside the caller's transaction.
        """
        bounds = {**self._bounds, "low": low, "high": high}
        connection.execute("DELETE FROM temp.found_resource")
        connection.execute(_COUNT, bounds)
        if self._may:
            self._choose(connection, bounds)
            if self._shares:
                connection.execute(_KEEP, bounds)
                connection.execute(self._keep_findings, bounds)
                connection.execute(_END, bounds)
            connection.execute(self._insert_own, bounds)
            connection.execute(self._insert_combined, bounds)
            if self._shares:
                connection.execute(_END_COMBINED, bounds)
        connection.execute(_MADE, bounds)
        left = _LEFT if self._indexed else _LEFT_UNINDEXED
        return [row[0] for row in connection.execute(left, bounds)]

    def _choose(self, connection: sqlite3.Connection, bounds: dict[str, Any]) -> None:
        """What the rows of a resource have in common, into ``temp.plain_resource``."""
        connection.execute("DELETE FROM temp.plain_resource")
        connection.execute(_SAME, bounds)
        connection.execute(_EXPOSE, bounds)
        others = connection.execute("SELECT resource FROM temp.plain_resource WHERE same < 2")
        worth = levels(
            connection, self._scan.id, self._scan.criticality_tag, [row[0] for row in others]
        )
        connection.executemany(
            "UPDATE temp.plain_resource SET criticality = ? WHERE resource = ?",
            ((level, resource) for resource, level in worth.items()),
        )


_INSERT_ROW = (
    f"INSERT INTO state_row ({', '.join(ROW_COLUMNS)}) VALUES ({', '.join('?' * len(ROW_COLUMNS))})"
)
_FINDING = ROW_COLUMNS.index("finding")
_SAID = [n for n, name in enumerate(ROW_COLUMNS) if name not in {"line", "since", "till", "is_new"}]


def write_others(connection: sqlite3.Connection, scan: Scan, resources: Sequence[int]) -> None:
    """The rows of some resources that ``Plain`` left, in the caller's transaction.

    A row that says nothing else than the one before goes on, all others end.
    """
    former = {
        row[1 + _FINDING]: row
        for row in connection.execute(
            f"SELECT t.id, {', '.join(f't.{name}' for name in ROW_COLUMNS)} FROM state_row t "
            "WHERE t.line = :line AND t.resource IN (SELECT value FROM json_each(:resources)) "
            f"AND t.till = {FOREVER} AND t.since < :scan AND NOT EXISTS (SELECT 1 "
            "FROM temp.kept_finding k WHERE k.resource = t.resource AND k.finding = t.finding)",
            {"line": scan.line.number, "scan": scan.id, "resources": dump(list(resources))},
        )
    }
    new = []
    for row in rows(connection, scan, resources, _DONE):
        known = former.get(row[_FINDING])
        if known is not None and all(known[1 + place] == row[place] for place in _SAID):
            del former[row[_FINDING]]
        else:
            new.append(row)
    connection.executemany(
        "UPDATE state_row SET till = ? WHERE id = ?",
        [(scan.id - 1, row[0]) for row in former.values()],
    )
    connection.executemany(INSERT_ROW, new)


def spans(
    connection: sqlite3.Connection, *, resources: int = _RESOURCES, findings: int = _FINDINGS
) -> Iterator[tuple[int, int]]:
    """Runs of resources that findings were ever made about, each with a bounded number of them."""
    last = 0
    while True:
        found = connection.execute(
            "SELECT resource, count(*) FROM finding WHERE resource > ? "
            "GROUP BY resource ORDER BY resource LIMIT ?",
            (last, resources),
        ).fetchall()
        if not found:
            return
        start, number = 0, 0
        for place, (_, more) in enumerate(found):
            number += more
            if number >= findings or place == len(found) - 1:
                yield found[start][0], found[place][0]
                start, number = place + 1, 0
        last = found[-1][0]
