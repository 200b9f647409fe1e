"""Under which name a cache writes its part of the decision log."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from undercroft.store.connection import Database

__all__ = ["is_shared", "own_replica", "settle"]


def own_replica(connection: sqlite3.Connection, path: Path) -> str:
    """The id under which this very file writes its chain. Inside the transaction that appends.

    A copied file would go on with the same chain, and two copies of it could not be told from a
    forged one. So the id belongs to the file's place on one machine, and a copy takes a new one.
    """
    import secrets
    import socket

    home = f"{socket.gethostname()}:{_inode(path)}"
    known = dict(
        connection.execute(
            "SELECT key, value FROM meta WHERE key IN ('replica', 'home')"
        ).fetchall()
    )
    if known.get("home") == home:
        return str(known["replica"])
    if "home" in known:
        known["replica"] = secrets.token_hex(8)
        connection.execute("UPDATE meta SET value = ? WHERE key = 'replica'", (known["replica"],))
    connection.execute(
        "INSERT INTO meta (key, value) VALUES ('home', ?1) "
        "ON CONFLICT (key) DO UPDATE SET value = ?1",
        (home,),
    )
    return str(known["replica"])


def settle(database: Database) -> None:
    """Note where a cache is when it is first opened for writing, before anybody copies it."""
    found = database.connection().execute("SELECT 1 FROM meta WHERE key = 'home'").fetchone()
    if found is None:
        with database.transaction() as connection:
            own_replica(connection, database.path)


def is_shared(connection: sqlite3.Connection) -> bool:
    """Whether more than one copy has written to the log."""
    found = connection.execute(
        "SELECT (SELECT min(replica) FROM event) <> (SELECT max(replica) FROM event)"
    ).fetchone()
    return bool(found[0])


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0
