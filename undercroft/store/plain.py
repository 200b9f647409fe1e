"""The many findings of a scan that have no story: failing, and nobody has decided anything.

Their rows are put together by SQLite itself, without a Python object for each. What has a story
(fixed once, decided about, carried over, unread) is left to ``sightings``.
"""

# ruff: noqa: S608  (only names of our own tables are put together; values are bound)

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping

from undercroft.store.criticality import NORMAL, levels
from undercroft.store.exploits import EXPLOIT_SQL
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
"""Types of event that name the finding they are about, or undo such a one."""
_FINDINGS = 10_000
"""Per step: short enough that somebody who accepts a finding meanwhile hardly waits."""
_RESOURCES = 500

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


class Plain:
    """Writes the rows that need no thought, a run of resources at a time."""

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
        self._before = connection.execute(
            f"SELECT max(id) FROM scan WHERE id < ? AND state IN {FINISHED}", (scan_id,)
        ).fetchone()[0]
        decided = connection.execute("SELECT 1 FROM event LIMIT 1").fetchone() is not None
        marks = ",".join("?" * len(_OWN_EVENTS))
        # What is decided about many findings at once is for the careful way to judge.
        self._may = (
            connection.execute(
                f"SELECT 1 FROM event WHERE type NOT IN ({marks}) LIMIT 1", _OWN_EVENTS
            ).fetchone()
            is None
        )
        known = _FIRST if self._before is None else f"({_FIRST} OR {_STILL})"
        conditions = ["s.carried = 0", known, _ONCE, *([_UNDECIDED] if decided else [])]
        order = _IN_ORDER if indexed else ""
        self._insert = f"{_INSERT} WHERE {' AND '.join(conditions)}{order}"
        connection.create_function("hazard_of", 9, lambda *of: rate(*of)[0], deterministic=True)
        connection.create_function("score_of", 9, lambda *of: rate(*of)[1], deterministic=True)
        connection.execute(
            "CREATE TEMP TABLE IF NOT EXISTS plain_resource ("
            "resource INTEGER PRIMARY KEY, exposure TEXT NOT NULL, criticality TEXT NOT NULL, "
            "services INTEGER NOT NULL)"
        )

    def write(self, connection: sqlite3.Connection, low: int, high: int) -> list[int]:
        """Write rows of the resources from ``low`` to ``high``; those of which some are left.

        Runs inside the caller's transaction.
        """
        bounds = (self._scan, low, high)
        if self._may:
            connection.execute("DELETE FROM temp.plain_resource")
            # Exposed itself, or by what else is wrong with the same resource.
            exposed = {
                row[0]
                for row in connection.execute(
                    "SELECT DISTINCT s.resource FROM snapshot s JOIN observation o "
                    "ON o.judgement = s.judgement WHERE s.scan = ? "
                    "AND s.resource BETWEEN ? AND ? AND instr(o.traits, '\"exposed\"')",
                    bounds,
                )
            }
            worth = levels(connection, self._scan, self._tag, low, high)
            connection.executemany(
                "INSERT INTO temp.plain_resource VALUES (?, ?, ?, ?)",
                (
                    (
                        resource,
                        "open" if resource in exposed else "unknown",
                        worth.get(resource, NORMAL),
                        self._above.get(resource, 0),
                    )
                    for (resource,) in connection.execute(
                        "SELECT resource FROM snapshot WHERE scan = ? "
                        "AND resource BETWEEN ? AND ? AND judgement IS NOT NULL",
                        bounds,
                    ).fetchall()
                ),
            )
            connection.execute(self._insert, {"scan": self._scan, "before": self._before})
        return [
            row[0]
            for row in connection.execute(
                "SELECT DISTINCT f.resource FROM finding f WHERE f.resource BETWEEN ? AND ? "
                "AND NOT EXISTS (SELECT 1 FROM state t WHERE t.finding = f.id AND t.scan = ?)",
                (low, high, self._scan),
            )
        ]


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
