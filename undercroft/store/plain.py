"""The many findings of a scan that have no story: failing, and nobody has decided anything.

Their rows are put together by SQLite itself, without a Python object for each: copied from the scan
before where resource and answer are the same, else made of what was observed. What has a story
(decided about, carried over, unread, fixed just now) is left to ``sightings``.
"""

# ruff: noqa: S608  (only names of our own tables are put together; values are bound)

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from functools import partial

from undercroft.store.criticality import NORMAL, levels
from undercroft.store.exploits import EXPLOIT_SQL
from undercroft.store.models import model_of
from undercroft.store.scans import FINISHED
from undercroft.store.statuses import rate

__all__ = ["Plain", "spans"]

_OWN_EVENTS = (
    "accept",
    "assign",
    "claim_fixed",
    "clear",
    "false_positive",
    "note",
    "override_severity",
    "undo",
)
"""Types of event that are about the finding they name, if they name one, or undo such a one."""
_FINDINGS = 30_000
"""Per step: somebody who accepts a finding meanwhile waits for a third of a second at most, and no
page of an index is written much more often than it has to be."""
_RESOURCES = 5_000
_PART = 500
"""Resources per query."""

_COLUMNS = (
    "scan, finding, resource, body, observation, rule, layer, outcome, collected_at, incarnation, "
    "reason, exposure, criticality, services, is_new, first_seen, last_seen, combined, tie, severity, status, "
    "cause, unconfirmed, hazard, score, until, owner, decision, lapsed, turns_at, turned_at, "
    "regressions, reopened_at"
)
_EXPOSURE = "CASE WHEN instr(o.traits, '\"egress\"') THEN 'open' ELSE e.exposure END"
"""A way out is open itself, but lets nobody in to what else is wrong with its resource."""
_RATED = (
    f"o.severity, o.threat, f.cve IS NOT NULL, o.cvss, o.vector, o.weight, {_EXPOSURE}, "
    f"e.criticality, {EXPLOIT_SQL}"
)
_INSERT = (
    f"INSERT INTO state ({_COLUMNS}) SELECT s.scan, f.id, s.resource, s.body, o.id, f.rule, "
    "o.layer, 'fail', s.collected_at, CASE b.presence WHEN 'read' THEN b.incarnation END, '', "
    f"{_EXPOSURE}, e.criticality, e.services, f.first_scan = s.scan, f.first_seen, s.collected_at, f.combined, "
    f"f.tie, o.severity, 'open', '', 0, hazard_of({_RATED}), score_of({_RATED}) AS score, NULL, "
    "nullif(b.owner, ''), NULL, NULL, NULL, NULL, 0, NULL "
    "FROM temp.plain_resource e JOIN snapshot s ON s.scan = :scan AND s.resource = e.resource "
    "JOIN body b ON b.id = s.body CROSS JOIN observation o ON o.judgement = s.judgement "
    "JOIN finding f ON f.id = o.finding "
)
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
_UNDECIDED = "NOT EXISTS (SELECT 1 FROM event v WHERE v.finding = f.fid)"
_ONCE = (
    "(s.combined IS NULL OR NOT EXISTS (SELECT 1 FROM observation c "
    "WHERE c.judgement = s.combined AND c.finding = o.finding))"
)
_SAME = (
    # 2: every answer about it is the one that the scan before had; 1: all but combinations are.
    # What was carried over has no answer.
    "SELECT s.resource, CASE WHEN q.resource IS NULL THEN 0 WHEN q.combined IS s.combined THEN 2 "
    "ELSE 1 END FROM snapshot s LEFT JOIN snapshot q ON q.scan = :before "
    "AND q.resource = s.resource AND q.body = s.body AND q.judgement = s.judgement "
    "AND :copies "
    "WHERE s.scan = :scan AND s.resource BETWEEN :low AND :high AND s.judgement IS NOT NULL"
)
_COPY = (
    f"INSERT INTO state ({_COLUMNS}) SELECT s.scan, p.finding, p.resource, p.body, p.observation, "
    "p.rule, p.layer, p.outcome, s.collected_at, p.incarnation, p.reason, p.exposure, "
    "p.criticality, e.services, 0, p.first_seen, "
    "CASE p.outcome WHEN 'fail' THEN s.collected_at ELSE p.last_seen END, p.combined, p.tie, "
    "p.severity, p.status, p.cause, 0, p.hazard, p.score, NULL, p.owner, NULL, NULL, NULL, NULL, "
    "p.regressions, p.reopened_at "
    "FROM temp.plain_resource e JOIN snapshot s ON s.scan = :scan AND s.resource = e.resource "
    "CROSS JOIN state p ON p.scan = :before AND p.resource = e.resource "
)
_UNTOLD = (
    "NOT EXISTS (SELECT 1 FROM event v JOIN finding f ON f.fid = v.finding WHERE f.id = p.finding)"
)
_LATER = (
    # Such times are written alike, so that they sort as their instants do.
    "(length({0}) = length(s.collected_at) AND {0} LIKE '%Z' AND s.collected_at LIKE '%Z' "
    "AND {0} <= s.collected_at)"
)
_AGAIN = (
    "e.same > 0 AND p.criticality = e.criticality AND p.decision IS NULL AND p.lapsed IS NULL "
    "AND p.turns_at IS NULL AND p.turned_at IS NULL AND p.unconfirmed = 0 "
    "AND p.collected_at <= s.collected_at "
    # Where combinations are others now, each row has to show that its own answer is not.
    "AND (e.same = 2 OR EXISTS (SELECT 1 FROM observation o WHERE o.id = p.observation "
    f"AND o.judgement = CASE p.combined WHEN 0 THEN s.judgement ELSE s.combined END AND {_ONCE})) "
    # Failing ever since, or one more sighting like the last one at the end of its story.
    "AND ((p.outcome = 'fail' AND p.status = 'open' AND p.cause = '' AND p.regressions = 0 "
    "AND p.reopened_at IS NULL) OR (p.combined = 0 AND (p.outcome, p.status) "
    "IN (('fail', 'reopened'), ('pass', 'fixed')) "
    f"AND {_LATER.format('p.collected_at')} AND NOT EXISTS (SELECT 1 FROM state x "
    f"WHERE x.finding = p.finding AND x.scan < :before AND NOT {_LATER.format('x.collected_at')})))"
)
_KEPT = (
    # Every row that the scan before had, no more, and none of a combination.
    "INSERT INTO temp.kept_resource SELECT e.resource FROM temp.plain_resource e "
    "JOIN (SELECT resource, count(*) AS n FROM state WHERE scan = :scan "
    "AND resource BETWEEN :low AND :high GROUP BY resource) t ON t.resource = e.resource "
    "JOIN (SELECT resource, count(*) AS n FROM state WHERE scan = :before "
    "AND resource BETWEEN :low AND :high GROUP BY resource) p ON p.resource = e.resource "
    "JOIN (SELECT resource, count(*) AS n FROM finding "
    "WHERE resource BETWEEN :low AND :high GROUP BY resource) f ON f.resource = e.resource "
    "JOIN snapshot s ON s.scan = :scan AND s.resource = e.resource "
    "WHERE e.same = 2 AND s.combined IS NULL AND t.n = p.n AND t.n = f.n"
)
_LEFT = (
    "SELECT f.resource FROM (SELECT resource, count(*) AS n FROM finding "
    "WHERE resource BETWEEN :low AND :high GROUP BY resource) f "
    "LEFT JOIN (SELECT resource, count(*) AS n FROM state WHERE scan = :scan "
    "AND resource BETWEEN :low AND :high GROUP BY resource) t ON t.resource = f.resource "
    "WHERE t.n IS NOT f.n"
)
_LEFT_UNINDEXED = (
    "SELECT DISTINCT f.resource FROM finding f WHERE f.resource BETWEEN :low AND :high "
    "AND NOT EXISTS (SELECT 1 FROM state t WHERE t.finding = f.id AND t.scan = :scan)"
)


class Plain:
    """Writes the rows that need no thought, a run of resources at a time.

    What was copied as a whole is in ``temp.kept_resource`` afterwards: what counts such a resource
    in the scan before counts it in this one.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        scan_id: int,
        above: Mapping[int, int],
        criticality_tag: str,
        *,
        indexed: bool,
    ) -> None:
        """``indexed``: the indexes of ``state`` are kept up with every row."""
        self._scan = scan_id
        self._tag = criticality_tag
        self._above = above
        self._indexed = indexed
        self._before = connection.execute(
            f"SELECT max(id) FROM scan WHERE id < ? AND state IN {FINISHED}", (scan_id,)
        ).fetchone()[0]
        # Another version of this program, or other constants, may have weighed otherwise.
        self._copies = connection.execute(
            "SELECT count(*) = 2 AND count(DISTINCT weighed_by || model) = 1 FROM scan "
            "WHERE id IN (?, ?)",
            (scan_id, self._before),
        ).fetchone()[0]
        decided = connection.execute("SELECT 1 FROM event LIMIT 1").fetchone() is not None
        marks = ",".join("?" * len(_OWN_EVENTS))
        # What is decided about many findings at once is for the careful way to judge.
        self._may = (
            connection.execute(
                f"SELECT 1 FROM event WHERE type NOT IN ({marks}) "
                "OR (finding IS NULL AND type <> 'undo') LIMIT 1",
                _OWN_EVENTS,
            ).fetchone()
            is None
        )
        known = _FIRST if self._before is None else f"({_FIRST} OR {_STILL})"
        order = _IN_ORDER if indexed else ""
        made = ["e.same = 0", "s.carried = 0", known, _ONCE, *([_UNDECIDED] if decided else [])]
        self._insert = f"{_INSERT} WHERE {' AND '.join(made)}{order}"
        again = [_AGAIN, *([_UNTOLD] if decided else [])]
        self._copy = f"{_COPY} WHERE {' AND '.join(again)} ORDER BY p.rule, p.score DESC, p.tie"
        by = partial(rate, model_of(connection, scan_id))
        connection.create_function("hazard_of", 9, lambda *of: by(*of)[0], deterministic=True)
        connection.create_function("score_of", 9, lambda *of: by(*of)[1], deterministic=True)
        connection.execute(
            "CREATE TEMP TABLE IF NOT EXISTS plain_resource ("
            "resource INTEGER PRIMARY KEY, same INTEGER NOT NULL, exposure TEXT NOT NULL, "
            "criticality TEXT NOT NULL, services INTEGER NOT NULL)"
        )
        connection.execute(
            "CREATE TEMP TABLE IF NOT EXISTS kept_resource (resource INTEGER PRIMARY KEY)"
        )
        connection.execute("DELETE FROM temp.kept_resource")

    def write(self, connection: sqlite3.Connection, low: int, high: int) -> list[int]:
        """Write rows of the resources from ``low`` to ``high``; those of which some are left.

        Runs inside the caller's transaction.
        """
        bounds = {"scan": self._scan, "before": self._before, "low": low, "high": high}
        if self._may:
            self._choose(connection, low, high)
            if self._copies:
                connection.execute(self._copy, bounds)
                connection.execute(_KEPT, bounds)
            connection.execute(self._insert, bounds)
        left = _LEFT if self._indexed else _LEFT_UNINDEXED
        return [row[0] for row in connection.execute(left, bounds)]

    def _choose(self, connection: sqlite3.Connection, low: int, high: int) -> None:
        """What the rows of a resource have in common, into ``temp.plain_resource``."""
        connection.execute("DELETE FROM temp.plain_resource")
        bounds = {"scan": self._scan, "before": self._before, "low": low, "high": high}
        same = connection.execute(_SAME, {**bounds, "copies": self._copies}).fetchall()
        others = [resource for resource, known in same if not known]
        # Exposed itself, or by what else is wrong with the same resource.
        exposed: set[int] = set()
        for start in range(0, len(others), _PART):
            part = others[start : start + _PART]
            exposed.update(
                row[0]
                for row in connection.execute(
                    "SELECT DISTINCT s.resource FROM snapshot s JOIN observation o "
                    f"ON o.judgement = s.judgement WHERE s.scan = ? AND s.resource "
                    f"IN ({','.join('?' * len(part))}) AND instr(o.traits, '\"exposed\"')",
                    (self._scan, *part),
                )
            )
        worth = levels(connection, self._scan, self._tag, low, high)
        connection.executemany(
            "INSERT INTO temp.plain_resource VALUES (?, ?, ?, ?, ?)",
            (
                (
                    resource,
                    known,
                    "open" if resource in exposed else "unknown",
                    worth.get(resource, NORMAL),
                    self._above.get(resource, 0),
                )
                for resource, known in same
            ),
        )


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
