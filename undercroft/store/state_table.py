"""``state``: how each finding stands in each scan, with all that lists filter and sort by.

Derived: whatever is in here can be computed again from observations, events and the clock. What is
as it was in the scan before is not written again: a row of ``state_row`` holds from one scan to
another of the same line (see ``lines``), and ``state`` is a view that has it once for each of them.
"""

# ruff: noqa: S608  (only names of our own tables are put together)

from __future__ import annotations

import sqlite3

__all__ = ["ALIKE", "FOREVER", "STATE_INDEXES", "STORY", "introduce"]

FOREVER = 2**31 - 1
"""``till`` of a row that nothing has ended yet: later than any scan."""

_KEPT = (
    "finding, resource, body, observation, rule, layer, severity, outcome, incarnation, reason, "
    "status, cause, unconfirmed, exposure, criticality, hazard, score, first_seen, until, owner, "
    "decision, lapsed, turns_at, turned_at, regressions, reopened_at, combined, tie"
)
"""The same in every scan of a row."""
ALIKE = f"{_KEPT}, last_seen"
"""The same, as far as it is written."""
_TABLE = (
    """CREATE TABLE line (
        scan INTEGER PRIMARY KEY, line INTEGER NOT NULL) STRICT""",
    # last_seen: none where it fails, which is to say in this scan.
    """CREATE TABLE state_row (
        id INTEGER PRIMARY KEY, line INTEGER NOT NULL, since INTEGER NOT NULL,
        till INTEGER NOT NULL, finding INTEGER NOT NULL, resource INTEGER NOT NULL,
        body INTEGER NOT NULL, observation INTEGER NOT NULL, rule INTEGER NOT NULL,
        layer INTEGER NOT NULL, severity INTEGER NOT NULL, outcome TEXT NOT NULL,
        incarnation TEXT, reason TEXT NOT NULL, status TEXT NOT NULL, cause TEXT NOT NULL,
        unconfirmed INTEGER NOT NULL, exposure TEXT NOT NULL, criticality TEXT NOT NULL,
        hazard REAL NOT NULL, score REAL NOT NULL, is_new INTEGER NOT NULL,
        first_seen TEXT NOT NULL, last_seen TEXT, until TEXT, owner TEXT, decision TEXT,
        lapsed TEXT, turns_at TEXT, turned_at TEXT, regressions INTEGER NOT NULL,
        reopened_at TEXT, combined INTEGER NOT NULL, tie INTEGER NOT NULL) STRICT""",
)
_HERE = "FROM snapshot s WHERE s.scan = n.scan AND s.resource = t.resource"
_COLLECTED = (
    # A scan that did not look says so from its beginning.
    f"coalesce((SELECT s.collected_at {_HERE} AND s.carried = 0), "
    "(SELECT c.started_at FROM scan c WHERE c.id = n.scan))"
)
_VIEW = (
    "CREATE VIEW state AS SELECT t.id, n.scan, t.line, t.since, t.till, "
    + ", ".join(f"t.{name}" for name in _KEPT.split(", "))
    # What differs from scan to scan is told from the scan. It is only worked out where it is asked for.
    + f", {_COLLECTED} AS collected_at, coalesce(t.last_seen, {_COLLECTED}) AS last_seen, "
    f"coalesce((SELECT s.services {_HERE}), 0) AS services, "
    "(t.is_new AND t.since = n.scan) AS is_new "
    # CROSS JOIN: from the scan to its rows.
    "FROM line n CROSS JOIN state_row t ON t.line = n.line AND t.since <= n.scan AND t.till >= n.scan"
)

STORY = (
    "(outcome <> 'fail' OR status <> 'open' OR cause <> '' OR unconfirmed <> 0 OR regressions <> 0 "
    "OR decision IS NOT NULL OR lapsed IS NOT NULL OR turns_at IS NOT NULL "
    "OR turned_at IS NOT NULL OR reopened_at IS NOT NULL)"
)
"""More is to be said about a row than that it fails and nobody has decided anything."""
_SPAN = "since, till"
"""At the end of an index that lists walk: rows of other scans are passed over without being read."""
_BY_FINDING = f"CREATE UNIQUE INDEX state_finding ON state_row (finding, line, {_SPAN})"
STATE_INDEXES = {
    "state_order": f"ON state_row (line, score DESC, tie, {_SPAN})",
    "state_status": f"ON state_row (line, status, score DESC, tie, {_SPAN})",
    "state_severity": f"ON state_row (line, severity DESC, score DESC, tie, {_SPAN})",
    "state_rule": f"ON state_row (line, rule, score DESC, tie, {_SPAN})",
    "state_resource": f"ON state_row (line, resource, score DESC, {_SPAN})",
    # Few rows have these: whoever asks for them is not to walk past all others.
    "state_turns": "ON state_row (line, turns_at) WHERE turns_at IS NOT NULL",
    "state_turned": "ON state_row (line, turned_at) WHERE turned_at IS NOT NULL",
    "state_until": "ON state_row (line, until) WHERE until IS NOT NULL",
    "state_owner": "ON state_row (line, owner COLLATE NOCASE) WHERE owner IS NOT NULL",
    "state_unconfirmed": "ON state_row (line, score DESC, tie) WHERE unconfirmed = 1",
    "state_story": f"ON state_row (line, resource) WHERE {STORY}",
}
"""Every order and equality that lists ask for, each ending in the default order.

Name → definition: a first big load drops them and builds them afterwards, which is several times
cheaper than maintaining them row by row.
"""


def introduce(connection: sqlite3.Connection) -> None:
    """Turn the table ``state`` of an older cache, one row per scan and finding, into such rows.

    Each scan of it has a line of its own; the next scan goes on with the newest one's.
    """
    for statement in _TABLE:
        connection.execute(statement)
    connection.execute("INSERT INTO line SELECT id, id FROM scan WHERE state <> 'running'")
    connection.execute("ALTER TABLE snapshot ADD COLUMN services INTEGER NOT NULL DEFAULT 0")
    connection.execute(
        "UPDATE snapshot SET services = (SELECT count(*) FROM closure c "
        "WHERE c.scan = snapshot.scan AND c.resource = snapshot.resource)"
    )
    connection.execute(
        f"INSERT INTO state_row (id, line, since, till, is_new, last_seen, {_KEPT}) "
        f"SELECT id, scan, scan, {FOREVER}, is_new, "
        f"CASE outcome WHEN 'fail' THEN NULL ELSE last_seen END, {_KEPT} FROM state "
        "WHERE scan IN (SELECT scan FROM line)"
    )
    connection.execute("DROP TABLE state")
    connection.execute(_VIEW)
    connection.execute(_BY_FINDING)
    for name, definition in STATE_INDEXES.items():
        connection.execute(f"CREATE INDEX {name} {definition}")
