"""The cache as a file: permissions, versions, several users, sudden death."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.media import on_a_read_only_medium
from tests.undercroft.store_kit import (
    Clock,
    Estate,
    accept,
    fail,
    notebook,
    save,
    statuses,
    tower_estate,
)
from undercroft.store import (
    AmbiguousError,
    NewerSchemaError,
    NotFoundError,
    OlderSchemaError,
    ReadOnlyError,
    ScanWriter,
    Store,
    StoreError,
    health,
)
from undercroft.store.connection import in_words
from undercroft.store.schema import SCHEMA_VERSION
from undercroft.triage.events import Event, verify
from undercroft.views import Query

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "private" / "cache.db"


@pytest.fixture
def store(path: Path, clock: Clock) -> Iterator[Store]:
    with Store.open(path, clock=clock) as opened:
        yield opened


def raw(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_file_and_directory_belong_to_their_owner_only(path: Path, clock: Clock) -> None:
    before = os.umask(0)
    try:
        with Store.open(path, clock=clock) as store:
            save(store, tower_estate(), clock)
            files = {file.name: mode(file) for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert mode(path.parent) == 0o700
    assert set(files.values()) == {0o600}
    assert "cache.db" in files


def test_an_existing_directory_keeps_its_permissions(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    Store.open(tmp_path / "cache.db").close()
    assert mode(tmp_path) == 0o755


def test_each_cache_has_its_own_salt_and_replica(path: Path, tmp_path: Path) -> None:
    with Store.open(path) as one, Store.open(tmp_path / "other.db") as two:
        assert one.salt() != two.salt()
        assert len(one.salt()) == 32
        assert one.replica != two.replica
        salt, replica = one.salt(), one.replica
    with Store.open(path) as again:
        assert (again.salt(), again.replica) == (salt, replica)


def test_a_newer_schema_is_refused_with_a_sentence(path: Path, store: Store) -> None:
    store.close()
    with raw(path) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    for read_only in (False, True):
        with pytest.raises(NewerSchemaError, match=r"newer release .* Update Undercroft"):
            Store.open(path, read_only=read_only)


def test_an_older_schema_is_migrated_after_a_backup(path: Path, tmp_path: Path) -> None:
    # A file of a release before the first: ours by its header, with a table that we do not know.
    path.parent.mkdir(mode=0o700)
    with raw(path) as connection:
        from undercroft.store.schema import APPLICATION_ID

        connection.execute("CREATE TABLE relic (text TEXT)")
        connection.execute("INSERT INTO relic VALUES ('kept')")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA user_version = -1")
    with pytest.raises(OlderSchemaError, match="older release"):
        Store.open(path, read_only=True)
    with Store.open(path) as store:
        assert store.scans() == []
    backups = [file for file in path.parent.iterdir() if file.suffix == ".bak"]
    assert len(backups) == 1
    assert mode(backups[0]) == 0o600
    with raw(backups[0]) as connection:
        assert connection.execute("SELECT text FROM relic").fetchall() == [("kept",)]
        assert connection.execute("PRAGMA user_version").fetchone() == (-1,)
    with raw(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


def test_two_processes_may_create_the_same_cache(path: Path) -> None:
    code = f"from undercroft.store import Store; print(Store.open({str(path)!r}).replica)"
    running = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    replicas = {process.communicate()[0].strip() for process in running}
    assert all(process.returncode == 0 for process in running)
    assert len(replicas) == 1


def test_an_up_to_date_cache_is_opened_without_the_schema_library(path: Path, store: Store) -> None:
    store.close()
    code = (
        "import sys; from undercroft.store import Store; from undercroft.views import Query;"
        f"Store.open({str(path)!r}).scans(); assert 'sqlite_utils' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_what_is_not_a_cache_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not a database " * 100)
    other = tmp_path / "other.db"
    with raw(other) as connection:
        connection.execute("CREATE TABLE t (x)")
    for file in (text, other):
        before = file.read_bytes()
        with pytest.raises(StoreError, match="is not an Undercroft cache"):
            Store.open(file)
        with pytest.raises(StoreError, match="is not an Undercroft cache"):
            Store.open(file, read_only=True)
        assert file.read_bytes() == before
    with pytest.raises(NotFoundError, match="There is no cache"):
        Store.open(tmp_path / "missing.db", read_only=True)
    with pytest.raises(StoreError, match="Cannot open"):
        Store.open(tmp_path)
    assert not (tmp_path / "missing.db").exists()


def test_reading_only_writes_nothing(path: Path, store: Store, clock: Clock) -> None:
    scan = save(store, tower_estate(), clock)
    fid = store.findings(scan.id, Query())[0].id
    with Store.open(path, read_only=True, clock=clock) as frozen:
        assert statuses(frozen, scan) == statuses(store, scan)
        with pytest.raises(ReadOnlyError, match="reading only"):
            frozen.append_events([Event("note", "Ann", clock.stamp, finding=fid)])
        with pytest.raises(ReadOnlyError):
            frozen.rename_scan(scan.id, "other")
        with pytest.raises(ReadOnlyError):
            frozen.delete_scan(scan.id)
        with pytest.raises(ReadOnlyError):
            frozen.write_scan(name="", kind="live", scope={}, rules={}, pack="")


def test_a_copy_for_expiry_is_no_way_around_reading_only(
    path: Path, store: Store, clock: Clock
) -> None:
    scan = save(store, tower_estate(), clock)
    fid = store.findings(scan.id, Query())[0].id
    accept(store, fid, clock, until="2026-11-20", lapses_at="2026-11-21T00:00:00Z")
    clock.forward(days=2)
    with Store.open(path, read_only=True, clock=clock) as frozen:
        frozen.findings(scan.id, Query())
        with pytest.raises(ReadOnlyError):
            frozen.append_events([Event("note", "Ann", clock.stamp, finding=fid)])


def test_a_read_only_medium(path: Path, store: Store, clock: Clock) -> None:
    scan = save(store, tower_estate(), clock)
    store.close()
    path.chmod(0o400)
    path.parent.chmod(0o500)
    try:
        with Store.open(path, read_only=True, clock=clock) as frozen:
            assert len(frozen.findings(scan.id, Query())) == 3
    finally:
        path.parent.chmod(0o700)


def test_a_medium_that_can_only_be_read(path: Path, store: Store, clock: Clock) -> None:
    save(store, tower_estate(), clock)
    store.close()
    code = f"""
from undercroft.store import ReadOnlyError, Store
try:
    Store.open({str(path)!r})
except ReadOnlyError as error:
    print(error)
store = Store.open({str(path)!r}, read_only=True)
print(store.scan().findings)
"""
    said = on_a_read_only_medium(path, code).splitlines()
    assert said == [f"The cache {path} cannot be written to; open it with --read-only.", "3"]


def test_errors_are_told_apart_by_number_not_by_text(path: Path) -> None:
    def error(code: int) -> sqlite3.OperationalError:
        found = sqlite3.OperationalError("anything")
        found.sqlite_errorcode = code
        return found

    # The second byte only says more exactly what the first says.
    assert "is busy" in in_words(path, error(sqlite3.SQLITE_BUSY_SNAPSHOT))
    assert "is damaged" in in_words(path, error(sqlite3.SQLITE_CORRUPT_INDEX))
    assert "is full" in in_words(path, error(sqlite3.SQLITE_FULL))
    assert "not an SQLite file" in in_words(path, error(sqlite3.SQLITE_NOTADB))
    assert "Cannot open" in in_words(path, sqlite3.ProgrammingError("Cannot operate"))


def test_reads_never_wait_for_a_writer(path: Path, store: Store, clock: Clock) -> None:
    scan = save(store, tower_estate(), clock)
    row = store.findings(scan.id, Query())[0]
    accept(store, row.id, clock, until="2026-11-20", lapses_at="2026-11-21T00:00:00Z")
    writer = raw(path)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE key = 'revision'")
    clock.forward(days=2)  # an acceptance has lapsed: to say so takes writing
    began = time.monotonic()
    version = store.data_version()
    assert len(store.findings(scan.id, Query())) == store.count_findings(scan.id, Query()) == 3
    assert store.services(scan.id, Query())
    assert store.tower(scan.id, store.services(scan.id, Query())[0].key)
    assert store.suggestions(scan.id, "rule", "")
    assert store.finding(scan.id, row.id).row.status == "accepted"
    assert time.monotonic() - began < 5
    writer.execute("COMMIT")
    assert store.data_version() > version
    assert store.finding(scan.id, row.id).row.status != "accepted"


def test_room_is_given_back_when_much_of_it_is_free(
    path: Path, store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    big = Estate()
    for number in range(200):
        big.add(notebook(f"nb{number}", config={"text": f"{number} " * 1_000}))
    save(store, big, clock)
    kept = save(store, tower_estate(), clock)
    size, _ = store.space()
    assert [row.id for row in store.prune_scans(1)] == [1], "the newest stays"
    assert store.space()[0] == size, "too little to be worth it"
    assert store.space()[1] > size / 2
    monkeypatch.setattr(health, "_LEAST", 0)
    save(store, tower_estate(), clock)
    store.prune_scans(1)
    assert store.space()[0] < size / 2
    assert path.stat().st_size < size / 2
    assert [row.id for row in store.scans()] == [kept.id + 1]
    assert store.check() == ""
    assert store.prune_scans(1) == []


def test_t13_events_can_neither_be_changed_nor_removed(
    path: Path, store: Store, clock: Clock
) -> None:
    scan = save(store, tower_estate(), clock)
    accept(store, store.findings(scan.id, Query())[0].id, clock)
    with raw(path) as connection:
        for statement in (
            "UPDATE event SET actor = 'somebody else'",
            "DELETE FROM event",
            "INSERT OR REPLACE INTO event SELECT * FROM event",
        ):
            connection.execute("PRAGMA recursive_triggers = ON")
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                connection.execute(statement)
    assert verify(store.events()) == []
    assert store.events()[0].actor.startswith("Ann")


def test_t14_a_changed_event_is_noticed(path: Path, store: Store, clock: Clock) -> None:
    scan = save(store, tower_estate(), clock)
    accept(store, store.findings(scan.id, Query())[0].id, clock)
    with raw(path) as connection:
        connection.execute("DROP TRIGGER event_no_update")
        connection.execute("UPDATE event SET actor = 'somebody else'")
    assert "changed" in verify(store.events())[0].message


def test_another_process_sees_what_was_decided(path: Path, store: Store, clock: Clock) -> None:
    scan = save(store, tower_estate(), clock)
    with Store.open(path, clock=clock) as other:
        version = other.data_version()
        fid = store.findings(scan.id, Query())[0].id
        accept(store, fid, clock)
        assert other.data_version() != version
        assert other.finding(scan.id, fid).row.status == "accepted"
        accept(other, fid, clock)
    assert [event.seq for event in store.events()] == [1, 2]
    assert store.events()[1].parents == (store.events()[0].id,)
    assert verify(store.events()) == []


def test_a_scan_in_progress_is_seen_by_nobody(path: Path, store: Store, clock: Clock) -> None:
    estate = tower_estate()
    version = store.data_version()
    with store.write_scan(name="s", kind="live", scope={}, rules={}, pack="p") as writer:
        writer.add([*estate.coverage, *estate.resources, *estate.edges])
        list(writer.resources())
        for resource in estate.resources:
            writer.observe(resource.key, estate.answers[resource.key])
        list(writer.edges())
        with Store.open(path, clock=clock) as other:
            assert [scan.state for scan in other.scans()] == ["running"]
            with pytest.raises(NotFoundError):
                other.scan()
            with pytest.raises(NotFoundError):
                other.resolve_finding(store_id(estate))
            with pytest.raises(StoreError, match="still running"):
                other.delete_scan(writer.scan_id)
            assert other.data_version() == version
        writer.commit(calls=1, throttled=0, now=clock.now)
        assert store.scan().state == "complete"
        assert store.data_version() != version


def store_id(estate: Estate) -> str:
    from undercroft.identity import observation_id

    return observation_id(next(iter(estate.answers.values()))[0])


def test_a_decision_made_while_a_scan_is_saved_is_in_it(store: Store, clock: Clock) -> None:
    scan = save(store, tower_estate(), clock)
    fid = store.findings(scan.id, Query())[0].id
    estate = tower_estate()
    with store.write_scan(name="", kind="live", scope={}, rules={}, pack="pack-1") as writer:
        writer.add([*estate.coverage, *estate.resources])
        for resource in estate.resources:
            writer.observe(resource.key, estate.answers[resource.key])
        accept(store, fid, clock)
        row = writer.commit(calls=0, throttled=0, now=clock.now)
    assert store.finding(row.id, fid).row.status == "accepted"


def test_two_scans_at_once(store: Store, clock: Clock) -> None:
    def stream(writer: object, estate: Estate) -> None:
        writer.add([*estate.coverage, *estate.resources])  # type: ignore[attr-defined]
        for resource in estate.resources:
            writer.observe(resource.key, estate.answers[resource.key])  # type: ignore[attr-defined]

    options = {"name": "", "kind": "live", "scope": {}, "rules": {"nb-root": "1"}, "pack": "p"}
    with store.write_scan(**options) as first, store.write_scan(**options) as second:  # type: ignore[arg-type]
        estate = Estate()
        nb = notebook()
        estate.add(nb, fail(nb))
        stream(first, estate)
        stream(second, estate)
        two = second.commit(calls=0, throttled=0, now=clock.now)
        assert [row.new for row in store.findings(two.id, Query())] == [True]
        one = first.commit(calls=0, throttled=0, now=clock.now)
    assert statuses(store, one) == statuses(store, two) == {"nb-root": "open"}
    assert {scan.state for scan in store.scans()} == {"complete"}


def test_leaving_without_commit_leaves_a_record_only(store: Store, clock: Clock) -> None:
    before = save(store, tower_estate(), clock)
    estate = Estate()
    other = notebook("other")
    estate.add(other, fail(other))

    def cut() -> None:
        with store.write_scan(name="cut", kind="live", scope={}, rules={}, pack="p") as writer:
            writer.add([*estate.coverage, *estate.resources])
            writer.observe(other.key, estate.answers[other.key])
            list(writer.resources())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut()
    assert [(scan.name, scan.state) for scan in store.scans()] == [
        ("cut", "interrupted"),
        ("", "complete"),
    ]
    assert store.scan().id == before.id
    with pytest.raises(NotFoundError):
        store.resolve_finding(store_id(estate))
    assert store.suggestions(before.id, "resource", "other") == []


KILLED_SCAN = """
    import os, signal, sys
    from tests.undercroft.store_kit import *
    from undercroft.store import Store
    store = Store.open(sys.argv[1])
    writer = store.write_scan(name="killed", kind="live", scope={}, rules=RULES, pack="pack-2")
    for number in range(3000):
        nb = notebook(f"killed-{number}")
        writer.add([nb])
        writer.observe(nb.key, [fail(nb)])
    list(writer.edges())
    print("written", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""

KILLED_APPEND = """
    import os, signal, sys
    from tests.undercroft.store_kit import *
    from undercroft.store import Store, decisions
    from undercroft.views import Query
    store = Store.open(sys.argv[1])
    def die(*_args, **_more):
        print("inserted", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    # Dies after the events are inserted and before the transaction ends.
    decisions.refresh_findings = die
    scan = store.scan()
    accept(store, store.findings(scan.id, Query())[1].id, Clock())
"""


def killed(code: str, path: Path) -> str:
    process = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == -signal.SIGKILL, process.stderr
    return process.stdout.strip()


def test_killed_in_the_middle_of_a_scan(path: Path, store: Store, clock: Clock) -> None:
    scan = save(store, tower_estate(), clock, name="good")
    fid = store.findings(scan.id, Query())[0].id
    accept(store, fid, clock)
    expected = statuses(store, scan)
    assert killed(KILLED_SCAN, path) == "written"

    # Whoever has the file open sees it as what it is, before anybody clears up.
    assert [(s.name, s.state) for s in store.scans()] == [
        ("killed", "interrupted"),
        ("good", "complete"),
    ]
    with Store.open(path, clock=clock) as again:
        assert [(s.name, s.state) for s in again.scans()] == [
            ("killed", "interrupted"),
            ("good", "complete"),
        ]
        assert statuses(again, again.scan()) == expected
        assert len(again.events()) == 1
    with raw(path) as connection:
        for table in ("snapshot", "body", "content", "observation", "finding"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (3,), table


def test_killed_in_the_middle_of_an_append(path: Path, store: Store, clock: Clock) -> None:
    scan = save(store, tower_estate(), clock)
    fid = store.findings(scan.id, Query())[0].id
    accept(store, fid, clock)
    expected = statuses(store, scan)
    assert killed(KILLED_APPEND, path) == "inserted"
    with Store.open(path, clock=clock) as again:
        assert len(again.events()) == 1
        assert statuses(again, scan) == expected
        assert verify(again.events()) == []
        accept(again, fid, clock)
        assert verify(again.events()) == []


def test_an_interrupt_right_after_the_commit_costs_nothing(store: Store, clock: Clock) -> None:
    estate = tower_estate()

    def interrupted() -> None:
        with store.write_scan(name="", kind="live", scope={}, rules={}, pack="p") as writer:
            writer.add([*estate.coverage, *estate.resources])
            for found in estate.resources:
                writer.observe(found.key, estate.answers[found.key])
            writer.commit(calls=0, throttled=0, now=clock.now)
            # As if the signal had come before the writer could note that it is done.
            writer._done = False
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert store.count_findings(store.scan().id, Query()) == 3


def test_a_scan_that_was_cleared_away_cannot_appear(store: Store, clock: Clock) -> None:
    from undercroft.store import scans

    with store.write_scan(name="", kind="live", scope={}, rules={}, pack="p") as writer:
        writer.add([notebook()])
        scans.abandon(store._db, writer.scan_id)
        with pytest.raises(StoreError, match="ended from outside"):
            writer.commit(calls=0, throttled=0, now=clock.now)


def test_a_scan_of_a_living_process_is_left_in_peace(path: Path, store: Store) -> None:
    with store.write_scan(name="", kind="live", scope={}, rules={}, pack="p") as writer:
        with Store.open(path) as other:
            assert other.scans()[0].state == "running"
        writer.add([notebook()])
        assert len(list(writer.resources())) == 1


def test_a_process_number_used_again_is_another_process(path: Path, store: Store) -> None:
    with store.write_scan(name="", kind="live", scope={}, rules={}, pack="p"):
        with raw(path) as connection:
            connection.execute("UPDATE scan SET process_start = '1'")
        assert store.scans()[0].state == "interrupted"


def test_every_thread_has_its_own_connection(store: Store, clock: Clock) -> None:
    scan = save(store, tower_estate(), clock)
    found: list[int] = []
    errors: list[BaseException] = []

    def read() -> None:
        try:
            found.extend(len(store.findings(scan.id, Query())) for _ in range(20))
        except BaseException as error:  # noqa: BLE001  (handed to the test)
            errors.append(error)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    fid = store.findings(scan.id, Query())[0].id
    for _ in range(5):
        accept(store, fid, clock)
    for thread in threads:
        thread.join()
    assert errors == []
    assert found == [3] * 80
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.scans()


def test_scans_by_name(store: Store, clock: Clock) -> None:
    with pytest.raises(NotFoundError, match="no scan in this cache yet"):
        store.scan()
    first = save(store, tower_estate(), clock, name="monday")
    with pytest.raises(NotFoundError, match="only one scan"):
        store.scan("previous")
    second = save(store, tower_estate(), clock, name="tuesday")
    assert [scan.id for scan in store.scans()] == [second.id, first.id]
    for ref in (None, "latest", str(second.id), second.uid, second.uid[:10], "tuesday"):
        assert store.scan(ref) == second
    assert store.scan("previous") == first
    store.rename_scan(first.id, "tuesday")
    with pytest.raises(AmbiguousError, match="Several scans") as caught:
        store.scan("tuesday")
    assert len(caught.value.candidates) == 2
    with pytest.raises(NotFoundError):
        store.scan("wednesday")
    with pytest.raises(NotFoundError):
        store.rename_scan(99, "x")
    with pytest.raises(NotFoundError):
        store.delete_scan(99)


def test_garbage_is_looked_for_as_before_after_scans(store: Store) -> None:
    before = gc.get_threshold()

    def begun() -> ScanWriter:
        return store.write_scan(name="", kind="live", scope={}, rules={}, pack="p")

    with begun():
        assert gc.get_threshold()[0] > before[0]
        with contextlib.suppress(ZeroDivisionError), begun():
            raise ZeroDivisionError
        assert gc.get_threshold()[0] > before[0]
    assert gc.get_threshold() == before
