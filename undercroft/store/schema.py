"""What the cache looks like inside, and how an older one becomes the present one.

Integer keys inside, every text once; bulk tables declare no foreign keys, because checking them
costs more than the insert, and their rows are only ever written and removed by this package.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Migrations

__all__ = ["APPLICATION_ID", "FINDING_INDEXES", "SCHEMA_VERSION", "migrations"]

APPLICATION_ID = 0x55435246
"""``UCRF`` in the file's header: tells our files from other SQLite databases."""
SCHEMA_VERSION = 18
"""Kept in the header too, so that reading it needs no table and no library."""

_TABLES = (
    """CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID""",
    # AUTOINCREMENT: the id of a deleted scan must not come back as another scan.
    """CREATE TABLE scan (
        id INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
        kind TEXT NOT NULL, state TEXT NOT NULL, started_at TEXT NOT NULL,
        finished_at TEXT NOT NULL DEFAULT '', scope TEXT NOT NULL, rules TEXT NOT NULL,
        pack TEXT NOT NULL, services INTEGER NOT NULL DEFAULT 0,
        resources INTEGER NOT NULL DEFAULT 0, findings INTEGER NOT NULL DEFAULT 0,
        gaps INTEGER NOT NULL DEFAULT 0, calls INTEGER NOT NULL DEFAULT 0,
        throttled INTEGER NOT NULL DEFAULT 0, host TEXT NOT NULL DEFAULT '',
        pid INTEGER NOT NULL DEFAULT 0, process_start TEXT NOT NULL DEFAULT '') STRICT""",
    """CREATE TABLE unit (
        id INTEGER PRIMARY KEY, provider TEXT NOT NULL, scope TEXT NOT NULL,
        location TEXT NOT NULL, collector TEXT NOT NULL,
        UNIQUE (provider, scope, location, collector)) STRICT""",
    """CREATE TABLE coverage (
        scan INTEGER NOT NULL, unit INTEGER NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL,
        lists TEXT NOT NULL, PRIMARY KEY (scan, unit)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE resource (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE) STRICT""",
    # A body is everything about a resource but its key and the time it was read. What lists need
    # stands apart from the long JSON, so that a scan of this table touches few pages.
    """CREATE TABLE body (
        id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, provider TEXT NOT NULL,
        account TEXT NOT NULL, region TEXT NOT NULL, type TEXT NOT NULL, layer INTEGER NOT NULL,
        name TEXT NOT NULL, native_id TEXT NOT NULL, presence TEXT NOT NULL,
        implied INTEGER NOT NULL, service INTEGER NOT NULL, incarnation TEXT,
        collector TEXT NOT NULL, owner TEXT NOT NULL, unknowns INTEGER NOT NULL,
        unread INTEGER NOT NULL) STRICT""",
    """CREATE TABLE content (
        body INTEGER PRIMARY KEY, tags TEXT NOT NULL, config TEXT NOT NULL, facts TEXT NOT NULL,
        unknown TEXT NOT NULL, provenance TEXT NOT NULL) STRICT""",
    """CREATE TABLE snapshot (
        scan INTEGER NOT NULL, resource INTEGER NOT NULL, body INTEGER NOT NULL,
        judgement INTEGER, combined INTEGER, unit INTEGER, collected_at TEXT NOT NULL,
        carried INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (scan, resource)) STRICT, WITHOUT ROWID""",
    """CREATE INDEX snapshot_resource ON snapshot (resource, scan)""",
    """CREATE TABLE edge (
        id INTEGER PRIMARY KEY, scan INTEGER NOT NULL, src INTEGER NOT NULL, dst INTEGER NOT NULL,
        relation TEXT NOT NULL, via TEXT NOT NULL, certainty TEXT NOT NULL,
        detail TEXT NOT NULL) STRICT""",
    """CREATE INDEX edge_src ON edge (scan, src)""",
    """CREATE INDEX edge_dst ON edge (scan, dst)""",
    """CREATE TABLE rule (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT""",
    # What a rule pack answered about a body: the same for as long as both stay the same.
    """CREATE TABLE judgement (
        id INTEGER PRIMARY KEY, resource INTEGER NOT NULL, body INTEGER NOT NULL,
        pack TEXT NOT NULL, answer BLOB NOT NULL, combined INTEGER NOT NULL,
        UNIQUE (resource, body, pack, combined, answer)) STRICT""",
    """CREATE TABLE observation (
        id INTEGER PRIMARY KEY, judgement INTEGER NOT NULL, finding INTEGER NOT NULL,
        severity INTEGER NOT NULL, layer INTEGER NOT NULL, threat TEXT NOT NULL,
        title TEXT NOT NULL, evidence TEXT NOT NULL, evidence_hash TEXT NOT NULL,
        traits TEXT NOT NULL, cvss REAL, vector TEXT, weight REAL) STRICT""",
    """CREATE INDEX observation_judgement ON observation (judgement)""",
    """CREATE TABLE blind (
        judgement INTEGER NOT NULL, rule INTEGER NOT NULL, at TEXT NOT NULL, reason TEXT NOT NULL,
        PRIMARY KEY (judgement, rule, at)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE finding (
        id INTEGER PRIMARY KEY, fid TEXT NOT NULL UNIQUE, tie INTEGER NOT NULL,
        rule INTEGER NOT NULL, resource INTEGER NOT NULL, at TEXT NOT NULL, cve TEXT,
        package TEXT, combined INTEGER NOT NULL, first_scan INTEGER NOT NULL,
        first_seen TEXT NOT NULL) STRICT""",
    """CREATE INDEX finding_resource ON finding (resource)""",
    """CREATE INDEX finding_first_scan ON finding (first_scan)""",
    # One row per scan and finding; see ``state_table`` for what became of it.
    """CREATE TABLE state (
        id INTEGER PRIMARY KEY, scan INTEGER NOT NULL, finding INTEGER NOT NULL,
        resource INTEGER NOT NULL, body INTEGER NOT NULL, observation INTEGER NOT NULL,
        rule INTEGER NOT NULL, layer INTEGER NOT NULL, severity INTEGER NOT NULL,
        outcome TEXT NOT NULL, collected_at TEXT NOT NULL, incarnation TEXT,
        reason TEXT NOT NULL, status TEXT NOT NULL, cause TEXT NOT NULL,
        unconfirmed INTEGER NOT NULL, exposure TEXT NOT NULL, hazard REAL NOT NULL,
        score REAL NOT NULL, services INTEGER NOT NULL, is_new INTEGER NOT NULL,
        first_seen TEXT NOT NULL, last_seen TEXT NOT NULL, until TEXT, owner TEXT,
        decision TEXT, lapsed TEXT, turns_at TEXT, turned_at TEXT,
        regressions INTEGER NOT NULL, reopened_at TEXT, combined INTEGER NOT NULL,
        tie INTEGER NOT NULL) STRICT""",
    """CREATE UNIQUE INDEX state_finding ON state (finding, scan)""",
    """CREATE TABLE closure (
        scan INTEGER NOT NULL, service INTEGER NOT NULL, resource INTEGER NOT NULL,
        attenuation REAL NOT NULL, hops INTEGER NOT NULL, edge INTEGER,
        PRIMARY KEY (scan, service, resource)) STRICT, WITHOUT ROWID""",
    """CREATE INDEX closure_resource ON closure (scan, resource, service)""",
    # Counts per resource: a service is counted by adding up these, never by walking findings.
    """CREATE TABLE tally (
        scan INTEGER NOT NULL, resource INTEGER NOT NULL, layer INTEGER NOT NULL,
        status TEXT NOT NULL, severity INTEGER NOT NULL, combined INTEGER NOT NULL,
        findings INTEGER NOT NULL, unconfirmed INTEGER NOT NULL, is_new INTEGER NOT NULL,
        PRIMARY KEY (scan, resource, layer, status, severity, combined)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE block (
        scan INTEGER NOT NULL, service INTEGER NOT NULL, layer INTEGER NOT NULL, worst INTEGER,
        open INTEGER NOT NULL, accepted INTEGER NOT NULL,
        PRIMARY KEY (scan, service, layer)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE service (
        scan INTEGER NOT NULL, resource INTEGER NOT NULL, body INTEGER NOT NULL,
        name TEXT NOT NULL, score REAL NOT NULL, inherent REAL NOT NULL,
        worst INTEGER, open INTEGER NOT NULL, accepted INTEGER NOT NULL, claimed INTEGER NOT NULL,
        combinations INTEGER NOT NULL, unconfirmed INTEGER NOT NULL, unread INTEGER NOT NULL,
        PRIMARY KEY (scan, resource)) STRICT, WITHOUT ROWID""",
    """CREATE INDEX service_order ON service (scan, score DESC, name, resource)""",
    """CREATE INDEX service_resource ON service (resource, scan)""",
    """CREATE TABLE event (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, v INTEGER NOT NULL,
        type TEXT NOT NULL, finding TEXT, scope TEXT, payload TEXT NOT NULL, guards TEXT,
        seen TEXT, actor TEXT NOT NULL, at TEXT NOT NULL, lamport INTEGER NOT NULL,
        replica TEXT NOT NULL, seq INTEGER NOT NULL, prev TEXT, parents TEXT NOT NULL,
        batch TEXT, tool TEXT NOT NULL, nonce TEXT NOT NULL, sig TEXT) STRICT""",
    """CREATE INDEX event_finding ON event (finding)""",
    """CREATE INDEX event_batch ON event (batch) WHERE batch IS NOT NULL""",
    """CREATE INDEX event_type ON event (type)""",
    """CREATE INDEX event_order ON event (lamport, id)""",
    """CREATE INDEX event_chain ON event (replica, seq)""",
    """CREATE TRIGGER event_no_update BEFORE UPDATE ON event
        BEGIN SELECT RAISE(ABORT, 'decisions are append-only: no event is ever changed'); END""",
    """CREATE TRIGGER event_no_delete BEFORE DELETE ON event
        BEGIN SELECT RAISE(ABORT, 'decisions are append-only: no event is ever removed'); END""",
)

_BY_PUBLIC_ID = "CREATE UNIQUE INDEX IF NOT EXISTS finding_fid ON finding (fid)"
FINDING_INDEXES = {
    "finding_fid": _BY_PUBLIC_ID,
    "finding_cve": "CREATE INDEX IF NOT EXISTS finding_cve ON finding (cve COLLATE NOCASE)",
    "finding_package": (
        "CREATE INDEX IF NOT EXISTS finding_package ON finding (package COLLATE NOCASE)"
    ),
}
"""By public id, and by what people look for. Their order is random: a cache without findings does
without them until its first scan is complete, because keeping them row by row would write most of
them anew with every step.
"""
_NAME_INDEXES = (
    "CREATE INDEX body_name ON body (name COLLATE NOCASE)",
    "CREATE INDEX body_native_id ON body (native_id COLLATE NOCASE)",
    "CREATE INDEX resource_nocase ON resource (key COLLATE NOCASE)",
    "CREATE INDEX snapshot_body ON snapshot (body)",
)

_FINDING = (
    """CREATE TABLE finding_again (
        id INTEGER PRIMARY KEY, fid TEXT NOT NULL, tie INTEGER NOT NULL,
        rule INTEGER NOT NULL, resource INTEGER NOT NULL, at TEXT NOT NULL, cve TEXT,
        package TEXT, combined INTEGER NOT NULL, first_scan INTEGER NOT NULL,
        first_seen TEXT NOT NULL) STRICT""",
    """INSERT INTO finding_again SELECT id, fid, tie, rule, resource, at, cve, package, combined,
        first_scan, first_seen FROM finding""",
    """DROP TABLE finding""",
    """ALTER TABLE finding_again RENAME TO finding""",
    """CREATE INDEX finding_resource ON finding (resource)""",
    """CREATE INDEX finding_first_scan ON finding (first_scan)""",
    _BY_PUBLIC_ID,
)


_FEEDS = (
    """CREATE TABLE feed (
        name TEXT PRIMARY KEY, version TEXT NOT NULL, dated TEXT NOT NULL,
        imported_at TEXT NOT NULL, entries INTEGER NOT NULL) STRICT, WITHOUT ROWID""",
    # What feeds say about a vulnerability: a probability, and since when it is known exploited.
    """CREATE TABLE vulnerability (
        cve TEXT PRIMARY KEY, epss REAL, kev TEXT) STRICT, WITHOUT ROWID""",
)


# Of each resource the worst hazards per layer and kind (as doubles, largest first), and their
# discounted sum: services are scored from these.
_WEIGHT = """CREATE TABLE weight (
    scan INTEGER NOT NULL, resource INTEGER NOT NULL, layer INTEGER NOT NULL,
    combined INTEGER NOT NULL, accepted INTEGER NOT NULL, total REAL NOT NULL, top BLOB NOT NULL,
    PRIMARY KEY (scan, resource, layer, combined, accepted)) STRICT, WITHOUT ROWID"""

_TALLY = """CREATE TABLE tally (
    scan INTEGER NOT NULL, resource INTEGER NOT NULL, layer INTEGER NOT NULL,
    rule INTEGER NOT NULL, status TEXT NOT NULL, severity INTEGER NOT NULL,
    combined INTEGER NOT NULL, findings INTEGER NOT NULL, unconfirmed INTEGER NOT NULL,
    is_new INTEGER NOT NULL,
    PRIMARY KEY (scan, resource, layer, rule, status, severity, combined)) STRICT, WITHOUT ROWID"""

# The same by status alone: the first screen does not wait until a scan has been added up.
_STANDING = """CREATE TABLE standing (
    scan INTEGER NOT NULL, status TEXT NOT NULL, findings INTEGER NOT NULL,
    unconfirmed INTEGER NOT NULL, is_new INTEGER NOT NULL,
    PRIMARY KEY (scan, status)) STRICT, WITHOUT ROWID"""


def migrations() -> Migrations:
    """The migration set, oldest first; each runs once, together with the record that it ran.

    The library is imported here and not above: a cache that is up to date is opened without it.
    """
    from sqlite_utils import Database, Migrations

    found = Migrations("undercroft")

    @found(name="0001_first_light")
    def first_light(db: Database) -> None:
        import secrets

        for statement in _TABLES:
            db.execute(statement)
        db.table("meta").insert_all(
            [
                {"key": "replica", "value": secrets.token_hex(8)},
                {"key": "salt", "value": secrets.token_hex(32)},
                {"key": "revision", "value": "0"},
            ]
        )

    @found(name="0002_finding_index_by_name")
    def finding_index_by_name(db: Database) -> None:
        for statement in _FINDING:
            db.execute(statement)

    @found(name="0003_feeds")
    def feeds(db: Database) -> None:
        for statement in _FEEDS:
            db.execute(statement)

    @found(name="0004_weights")
    def add_weights(db: Database) -> None:
        from undercroft.risk import DEFAULT
        from undercroft.store import weights

        db.execute(_WEIGHT)
        for (scan_id,) in db.execute("SELECT id FROM scan").fetchall():
            weights.write(db.conn, scan_id, model=DEFAULT)

    @found(name="0005_criticality")
    def add_criticality(db: Database) -> None:
        # Nobody looked at tags before: what older scans found stays as it was weighed.
        db.execute("ALTER TABLE state ADD COLUMN criticality TEXT NOT NULL DEFAULT 'normal'")

    @found(name="0006_criticality_of_services")
    def add_scale(db: Database) -> None:
        # What a finding counts in a service is attenuation · scale · hazard.
        db.execute("ALTER TABLE closure ADD COLUMN scale REAL NOT NULL DEFAULT 1.0")

    @found(name="0007_past_scores")
    def add_past_scores(db: Database) -> None:
        # The score when its scan was saved, and how much feeds have moved it since. Of older scans
        # nobody knows.
        db.execute("ALTER TABLE service ADD COLUMN saved REAL")
        db.execute("ALTER TABLE service ADD COLUMN fed REAL NOT NULL DEFAULT 0.0")

    @found(name="0008_look_up_by_name")
    def look_up_by_name(db: Database) -> None:
        for statement in (*FINDING_INDEXES.values(), *_NAME_INDEXES):
            db.execute(statement)

    @found(name="0009_controls")
    def add_controls(db: Database) -> None:
        # Controls of frameworks that rules map to, as the newest scan's rules say.
        db.execute(
            "CREATE TABLE control (rule INTEGER NOT NULL, framework TEXT NOT NULL, "
            "control TEXT NOT NULL, PRIMARY KEY (rule, framework, control)) STRICT, WITHOUT ROWID"
        )

    @found(name="0010_due_dates")
    def add_due_dates(db: Database) -> None:
        # Until when the catalogue wants it mended; known once the feed is imported again.
        db.execute("ALTER TABLE vulnerability ADD COLUMN due TEXT")

    @found(name="0011_how_long_answers_hold")
    def add_holding(db: Database) -> None:
        # When an answer was last given, and the instant from which on it may be another one (none:
        # never). Of older answers nobody knows: they are asked for once more.
        db.execute("ALTER TABLE judgement ADD COLUMN asked_at TEXT")
        db.execute("ALTER TABLE judgement ADD COLUMN holds_until TEXT")

    @found(name="0012_who_weighed")
    def add_weigher(db: Database) -> None:
        # Version of the program that wrote a scan, and the tag that it asked for: others may weigh
        # otherwise.
        db.execute("ALTER TABLE scan ADD COLUMN weighed_by TEXT NOT NULL DEFAULT ''")

    @found(name="0013_calls_spared")
    def add_spared(db: Database) -> None:
        # What need not be asked again, beside what was.
        db.execute("ALTER TABLE scan ADD COLUMN spared INTEGER NOT NULL DEFAULT 0")

    @found(name="0014_wordings")
    def add_wordings(db: Database) -> None:
        from undercroft.store.wordings import rebuild

        # What findings are called, each wording once: words are looked for among these.
        db.execute(
            "CREATE TABLE wording (cve TEXT NOT NULL, package TEXT NOT NULL, "
            "rule INTEGER NOT NULL, title TEXT NOT NULL, "
            "PRIMARY KEY (cve, package, rule, title)) STRICT, WITHOUT ROWID"
        )
        rebuild(db.conn)

    @found(name="0015_models_of_scans")
    def add_models(db: Database) -> None:
        from undercroft.risk import DEFAULT
        from undercroft.store import models

        for statement in models.TABLES:
            db.execute(statement)
        models.keep(db.conn, DEFAULT)

    @found(name="0016_counts_by_rule")
    def count_by_rule(db: Database) -> None:
        db.execute("DROP TABLE tally")
        db.execute(_TALLY)
        db.execute(
            "INSERT INTO tally SELECT scan, resource, layer, rule, status, severity, combined, "
            "count(*), sum(unconfirmed), sum(is_new) FROM state "
            "WHERE scan IN (SELECT id FROM scan WHERE state <> 'running') "
            "GROUP BY scan, resource, layer, rule, status, severity, combined"
        )

    @found(name="0017_counts_by_status")
    def count_by_status(db: Database) -> None:
        db.execute(_STANDING)
        db.execute(
            "INSERT INTO standing SELECT scan, status, sum(findings), sum(unconfirmed), "
            "sum(is_new) FROM tally GROUP BY scan, status"
        )

    @found(name="0018_rows_that_scans_share")
    def share_rows(db: Database) -> None:
        from undercroft.store.state_table import introduce

        introduce(db.conn)

    return found


def migrate(connection: sqlite3.Connection) -> None:
    """Bring an open connection's file to ``SCHEMA_VERSION``, all of it in one transaction.

    Another process may have been faster: the version is looked at again once the lock is held.
    """
    from sqlite_utils import Database

    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute("PRAGMA user_version").fetchone()[0] < SCHEMA_VERSION:
            migrations().apply(Database(connection, execute_plugins=False))
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
