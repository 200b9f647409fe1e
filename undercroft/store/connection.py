"""Opening a cache file: permissions, pragmas, migration, one connection per thread."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from undercroft.store.errors import (
    BusyError,
    GivenUpError,
    NewerSchemaError,
    NotFoundError,
    OlderSchemaError,
    ReadOnlyError,
    StoreError,
)
from undercroft.store.positions import Positions
from undercroft.store.schema import APPLICATION_ID, SCHEMA_VERSION, migrate

__all__ = ["Database", "in_words"]

_BUSY_SECONDS = 30.0
_CACHE_KIB = 8_000
_BULK_CACHE_KIB = 96_000
_STEPS = 50_000
"""Steps of SQLite's machine, some 3 ms, between two questions whether to go on."""
_CHECKPOINT_PAGES = 1_000
_BULK_CHECKPOINT_PAGES = 16_000
_NO_ROOM = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN})
"""What SQLite says where it may not make the files that stand beside a database."""


class Database:
    """A cache file and this process's connections to it.

    Threads never share a connection; ``close`` ends them all.
    """

    def __init__(
        self, path: Path, *, read_only: bool, clock: Callable[[], datetime], immutable: bool = False
    ) -> None:
        self.path = path
        self.read_only = read_only
        self.clock = clock
        self._file = path
        self._immutable = immutable
        self._local = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._closed = False
        self._copy: Path | None = None
        self.positions = Positions()
        self.plans: dict[str, str] = {}
        """Statement → how SQLite goes about it."""
        self.strays: dict[int, list[int] | None] = {}
        """Scan → resources with findings that it did not read; None: many."""

    @classmethod
    def open(cls, path: Path, *, read_only: bool, clock: Callable[[], datetime]) -> Database:
        """See ``Store.open``."""
        path = path.expanduser()
        if read_only and not path.exists():
            msg = f"There is no cache at {path}."
            raise NotFoundError(msg)
        try:
            if not read_only:
                _create(path)
                database = cls(path, read_only=False, clock=clock)
                database._keep(_prepare(path))
                return database
            database = cls(path, read_only=True, clock=clock)
            try:
                database.connection()
            except sqlite3.OperationalError as error:
                # A read-only medium has no room for the shared-memory file that WAL needs; what
                # nobody can write to is as good as frozen.
                if not _cannot_write(path, error):
                    raise
                database.close()
                database = cls(path, read_only=True, clock=clock, immutable=True)
                database.connection()
            _check(database.connection(), path, read_only=True)
        except sqlite3.DatabaseError as error:
            kind = ReadOnlyError if not read_only and _cannot_write(path, error) else StoreError
            raise kind(in_words(path, error)) from error
        except OSError as error:
            msg = f"Cannot open the cache {path}: {error.strerror or error}."
            raise StoreError(msg) from error
        return database

    def connection(self) -> sqlite3.Connection:
        """This thread's connection, in autocommit mode."""
        found: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if found is not None:
            return found
        if self._closed:
            msg = f"The cache {self.path} has been closed."
            raise StoreError(msg)
        return self._keep(_connect(self.uri(write=not self.read_only or self._copy is not None)))

    def _keep(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        """It is this thread's from now on."""
        self._local.connection = connection
        with self._lock:
            self._all.append(connection)
        return connection

    def uri(self, *, write: bool = False) -> str:
        """What SQLite is to open to read (or ``write``) what this store shows."""
        uri = f"file:{quote(str(self._file.absolute()))}?mode={'rw' if write else 'ro'}"
        return uri + ("&immutable=1" if self._immutable and not write and not self._copy else "")

    @contextlib.contextmanager
    def transaction(
        self, *, on_copy: bool = False, wait: float = _BUSY_SECONDS
    ) -> Iterator[sqlite3.Connection]:
        """Write in one transaction, holding the file's write lock from the start.

        ``on_copy``: what is written is derived, so a read-only store may write it to its copy.
        ``wait``: seconds to wait for another writer.

        Raises:
            ReadOnlyError: opened for reading only.
            BusyError: another writer took longer.
        """
        if self.read_only and not (on_copy and self._is_copy()):
            msg = f"The cache {self.path} was opened for reading only."
            raise ReadOnlyError(msg)
        connection = self.connection()
        try:
            connection.execute(f"PRAGMA busy_timeout = {round(wait * 1000)}")
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            kind = BusyError if primary_code(error) == sqlite3.SQLITE_BUSY else StoreError
            raise kind(in_words(self.path, error)) from error
        finally:
            connection.execute(f"PRAGMA busy_timeout = {round(_BUSY_SECONDS * 1000)}")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def roomy(self) -> Iterator[None]:
        """More memory for this thread's connection while it writes in bulk.

        Ids are random, so their index is written all over; pages that do not fit are written twice.
        """
        connection = self.connection()
        connection.execute(f"PRAGMA cache_size = {-_BULK_CACHE_KIB}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_BULK_CHECKPOINT_PAGES}")
        try:
            yield
        finally:
            connection.execute(f"PRAGMA cache_size = {-_CACHE_KIB}")
            connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")

    @contextlib.contextmanager
    def giving_up(self, when: Callable[[], bool]) -> Iterator[None]:
        """What this thread reads in here ends as soon as ``when`` says so, which it is asked often.

        Raises:
            GivenUpError: it did.
        """
        self._local.when = when
        self.look_up_now_and_then()
        try:
            yield
        except sqlite3.OperationalError as error:
            if primary_code(error) != sqlite3.SQLITE_INTERRUPT:
                raise
            msg = "Nobody waits for this answer any more."
            raise GivenUpError(msg) from error
        finally:
            self._local.when = None
            self.look_up_now_and_then()

    def look_up_now_and_then(self) -> None:
        """Have this thread's connection ask whether to give up, if somebody said when."""
        when: Callable[[], bool] | None = getattr(self._local, "when", None)
        self.connection().set_progress_handler(
            None if when is None else lambda: int(when()), _STEPS
        )

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Several reads that all see one state of the file, whoever writes meanwhile."""
        connection = self.connection()
        if connection.in_transaction:
            yield connection
            return
        connection.execute("BEGIN")
        try:
            yield connection
        finally:
            connection.rollback()

    def meta(self, key: str) -> str:
        """A value of the file's own small dictionary."""
        row = self.connection().execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return str(row[0])

    def now(self) -> datetime:
        """What the clock says, in UTC."""
        return self.clock().astimezone(UTC)

    def work_on_copy(self) -> None:
        """Let a read-only store go on with a private copy, whose derived rows may be brought up to
        date while the original stays as it is. The copy goes away with the store.
        """
        with self._lock:
            if self._is_copy():
                return
            import tempfile  # rarely needed, and slow to import

            handle, name = tempfile.mkstemp(prefix="undercroft-", suffix=".db")
            os.close(handle)
            target = sqlite3.connect(name)
            try:
                self.connection_unlocked().backup(target)
            finally:
                target.close()
            self._copy = self._file = Path(name)
            # Connections to the original stay open for readers in the middle of something; new
            # reads of every thread go to the copy.
            self._local = threading.local()

    def _is_copy(self) -> bool:
        return self._copy is not None

    def connection_unlocked(self) -> sqlite3.Connection:
        """This thread's existing connection."""
        found: sqlite3.Connection = self._local.connection
        return found

    def close(self) -> None:
        """Close every connection, and remove a private copy."""
        with self._lock:
            self._closed = True
            connections, self._all = self._all, []
        for connection in connections:
            connection.close()
        self._local = threading.local()
        if self._copy is not None:
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self._copy}{suffix}").unlink(missing_ok=True)


def bump(connection: sqlite3.Connection) -> None:
    """Tell every reader that what it sees has changed."""
    connection.execute("UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE key = 'revision'")


def _connect(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        uri,
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA cache_size = {-_CACHE_KIB}")
        # The first look at the file: fails here if there is something wrong with it.
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _create(path: Path) -> None:
    """Make the file and its directory if they are missing, readable by their owner only."""
    if path.exists():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _prepare(path: Path) -> sqlite3.Connection:
    """Check that the file is ours, and bring it to the present schema after a backup."""
    connection = _connect(f"file:{quote(str(path.absolute()))}?mode=rw")
    try:
        version = _check(connection, path, read_only=False)
        # Also tells whether the file can be written to at all.
        connection.execute("PRAGMA journal_mode = WAL")
        if version < SCHEMA_VERSION:
            if version:
                _back_up(connection, path, version)
            migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection, path: Path, *, read_only: bool) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    tables = int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    if application != APPLICATION_ID and (tables or application):
        msg = f"{path} is not an Undercroft cache but another program's database."
        raise StoreError(msg)
    if version > SCHEMA_VERSION:
        msg = (
            f"The cache {path} was written by a newer release (schema {version}, this one knows "
            f"{SCHEMA_VERSION}). Update Undercroft, or name another file with --db."
        )
        raise NewerSchemaError(msg)
    if read_only and version < SCHEMA_VERSION:
        if version == 0:
            msg = f"The cache {path} is empty: nothing has been scanned into it."
            raise StoreError(msg)
        msg = f"The cache {path} was written by an older release; open it once without --read-only."
        raise OlderSchemaError(msg)
    return version


def _back_up(connection: sqlite3.Connection, path: Path, version: int) -> None:
    """Copy the file before its schema changes; an earlier backup is never overwritten."""
    number = 0
    while True:
        target = path.with_name(f"{path.name}.schema-{version}{f'.{number}' if number else ''}.bak")
        try:
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            break
        except FileExistsError:
            number += 1
    copy = sqlite3.connect(target)
    try:
        connection.backup(copy)
    finally:
        copy.close()


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's own number for what went wrong, without the details; 0 if it gave none."""
    # Errors of the Python module itself (a closed connection, say) have no number.
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _cannot_write(path: Path, error: sqlite3.Error) -> bool:
    """Whether an error comes from a file or folder that this process may not write to."""
    may = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    return primary_code(error) in _NO_ROOM and not may


def in_words(path: Path, error: sqlite3.Error) -> str:
    """What an error of the database means to whoever named the file."""
    text, code = str(error), primary_code(error)
    if code == sqlite3.SQLITE_NOTADB:
        return f"{path} is not an Undercroft cache (not an SQLite file)."
    if code == sqlite3.SQLITE_CORRUPT:
        return f"The cache {path} is damaged ({text}): restore it from a copy, or name another."
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return f"The cache {path} is busy: another process has been writing to it. Try again."
    if code in _NO_ROOM and path.exists() and _cannot_write(path, error):
        return f"The cache {path} cannot be written to; open it with --read-only."
    if code == sqlite3.SQLITE_FULL:
        return f"The disk that holds the cache {path} is full; nothing was changed."
    return f"Cannot open the cache {path}: {text}."
