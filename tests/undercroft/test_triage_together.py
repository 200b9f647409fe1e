"""Several processes on one cache, and processes that are killed: nothing lost, nothing half done."""

from __future__ import annotations

import random
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.end_to_end.kit import ROOT
from tests.undercroft.store_kit import Clock, Estate, fail, notebook, save
from undercroft.clock import utc_now
from undercroft.store import Store
from undercroft.store.connection import Database
from undercroft.store.refresh import refresh_findings
from undercroft.triage.events import verify
from undercroft.views import Query

NOTEBOOKS = 30


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with Store.open(tmp_path / "cache.db") as store:
        save(store, estate(), Clock(utc_now()))
    return tmp_path / "cache.db"


def estate() -> Estate:
    made = Estate()
    for number in range(NOTEBOOKS):
        nb = notebook(f"nb-{number}")
        made.add(nb, fail(nb))
    return made


def deciding(path: Path, actor: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.undercroft.deciding", str(path), actor, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def promised(lines: list[str]) -> tuple[set[str], list[float]]:
    """Event ids that were said to be recorded, and how long each action took."""
    told = [line.split() for line in lines if line != "ready\n" and line.endswith("\n")]
    return {name for line in told for name in line[1:]}, [float(line[0]) for line in told]


def is_whole(path: Path) -> None:
    """The log is whole, and all that is derived from it is what working it out again gives."""
    with Store.open(path) as store:
        assert store.check() == ""
        assert verify(store.events()) == []
        scans = [scan for scan in store.scans() if scan.state == "complete"]
        assert scans
        kept = [(store.findings(s.id, Query()), store.services(s.id, Query())) for s in scans]
        ids = [row.id for row in kept[0][0]]
        now = store._db.now()
    again = path.with_name("again.db")
    with sqlite3.connect(path) as source, sqlite3.connect(again) as target:
        source.backup(target)
    source.close()
    target.execute("UPDATE state_row SET status = 'open', decision = NULL, until = NULL, score = 1")
    target.commit()
    target.close()
    database = Database.open(again, read_only=False, clock=lambda: now)
    with database.transaction() as connection:
        refresh_findings(connection, ids, now)
    database.close()
    with Store.open(again, clock=lambda: now) as store:
        fresh = [(store.findings(s.id, Query()), store.services(s.id, Query())) for s in scans]
    assert fresh == kept
    for name in ("again.db", "again.db-wal", "again.db-shm"):
        path.with_name(name).unlink(missing_ok=True)


def kill_once(path: Path, other: Path, rng: random.Random, *, busy: bool) -> int:
    """Decide and merge, die at some moment; how much had been promised by then.

    ``busy``: at the earliest after the first promise, however slow the machine is.
    """
    with deciding(path, "ada", 10**9, other) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        assert lines == ["ready\n"], process.stderr.read() if process.stderr else ""
        if busy:
            lines.append(process.stdout.readline())
        time.sleep(rng.uniform(0, 0.25))
        process.kill()
        lines += process.stdout.readlines()
    said, _ = promised(lines)
    with Store.open(path) as store:
        kept = {event.id for event in store.events()}
    assert said <= kept, "what was answered is kept"
    return len(lines) - 1


def killed(path: Path, tmp_path: Path, times: int) -> int:
    rng = random.Random(7)
    other = tmp_path / "other.db"
    with sqlite3.connect(path) as source, sqlite3.connect(other) as target:
        source.backup(target)
    source.close()
    target.close()
    with deciding(other, "bob", 12) as process:
        process.communicate(timeout=60)
    actions = 0
    for number in range(times):
        actions += kill_once(path, other, rng, busy=number % 2 == 1)
        if number % 20 == 0 or number == times - 1:
            is_whole(path)
    return actions


def test_killed_at_any_moment_loses_nothing(path: Path, tmp_path: Path) -> None:
    assert killed(path, tmp_path, 3) > 0


@pytest.mark.slow
def test_killed_at_two_hundred_moments_loses_nothing(path: Path, tmp_path: Path) -> None:
    assert killed(path, tmp_path, 200) >= 100


def test_two_people_and_a_scan_on_one_cache(path: Path) -> None:
    """Nothing is lost, nobody waits for long, and each copy of the answer is the same."""
    clock = Clock(utc_now())
    with deciding(path, "ada", 25) as ada, deciding(path, "bob", 25) as bob:
        with Store.open(path) as scanning:
            for number in range(2):
                save(scanning, estate(), clock, name=f"meanwhile {number}")
        said = [process.communicate(timeout=60) for process in (ada, bob)]
    assert [err for _, err in said] == ["", ""]
    ids: set[str] = set()
    for out, _ in said:
        names, seconds = promised(out.splitlines(keepends=True))
        assert len(seconds) == 25
        # Far below the two seconds within which each sees the other, whatever else the machine does.
        assert sorted(seconds)[len(seconds) // 2] < 1
        ids |= names
    with Store.open(path) as store:
        assert {event.id for event in store.events()} == ids
        assert {event.actor for event in store.events()} == {"ada", "bob"}
        # One file has one chain, whoever writes to it: nobody decided without knowing the rest.
        assert len({event.replica for event in store.events()}) == 1
        assert store.conflicts() == []
        assert [scan.state for scan in store.scans()] == ["complete"] * 3
    is_whole(path)


def test_what_one_decides_the_other_sees_at_once(path: Path) -> None:
    with Store.open(path) as store:
        before = store.data_version()
        with deciding(path, "ada", 1) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            line = process.stdout.readline()
            told = time.monotonic()
            while store.data_version() == before:
                assert time.monotonic() - told < 2
            assert {event.id for event in store.events()} == set(line.split()[1:])


def test_copies_that_both_go_on_are_two_chains(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    shutil.copy(path, copy)
    for file, name in ((path, "ada"), (copy, "bob")):
        with deciding(file, name, 6) as process:
            process.communicate(timeout=60)
    with Store.open(path) as mine, Store.open(copy, read_only=True) as theirs:
        report = mine.merge_events(theirs.events())
        assert report.events == len(theirs.events())
        assert len({event.replica for event in mine.events()}) == 2
    is_whole(path)
