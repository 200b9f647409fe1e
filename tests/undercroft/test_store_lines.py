"""Rows that several scans share say of each scan what a row of its own would say."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.undercroft.store_kit import (
    Clock,
    Estate,
    accept,
    bucket,
    fail,
    notebook,
    role,
    save,
    undo,
    unshare,
)
from undercroft.model import Presence
from undercroft.relations import Relation
from undercroft.store import Store, lines, rollup
from undercroft.store.state_table import FOREVER
from undercroft.views import Query, ScanRow

FINDINGS = range(1, 5)
SOME = st.sets(st.sampled_from(FINDINGS), max_size=3)
STEPS = st.lists(
    st.one_of(
        # A scan: what it finds changed, what it no longer has, and what becomes of it.
        st.tuples(st.just("scan"), SOME, SOME, st.sampled_from(["ends", "ends", "runs", "dies"])),
        # A decision: which finding, in which of the scans (by place), and which status.
        st.tuples(
            st.just("decide"), st.sampled_from(FINDINGS), st.sets(st.integers(0, 6)), st.text("ab")
        ),
        # A scan (by place) loses some findings, or is deleted.
        st.tuples(st.just("lose"), SOME, st.integers(0, 6)),
        st.tuples(st.just("delete"), st.integers(0, 6)),
    ),
    max_size=14,
)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lines") / "empty.db"
    Store.open(path).close()
    return path


@pytest.fixture
def connection(empty: Path) -> Iterator[sqlite3.Connection]:
    memory = sqlite3.connect(":memory:", isolation_level=None)
    with sqlite3.connect(empty) as source:
        source.backup(memory)
    source.close()
    yield memory
    memory.close()


class Cache:
    """Scans written as the store writes them, and what each is to say."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection.execute
        self._connection = connection
        for table in ("scan", "line", "snapshot", "state_row"):
            self._sql(f"DELETE FROM {table}")
        self.said: dict[int, dict[int, str]] = {}
        self.running: dict[int, dict[int, str]] = {}
        self._number = 0

    def scan(self, changed: set[int], lost: set[int], fate: str) -> None:
        self._number += 1
        number, before = self._number, max(self.said, default=None)
        self._sql(
            "INSERT INTO scan (id, uid, name, kind, state, started_at, scope, rules, pack) "
            "VALUES (?1, ?1, '', 'live', 'running', '2026-01-01T00:00:00Z', '{}', '{}', '')",
            (number,),
        )
        self._sql(
            "INSERT INTO snapshot (scan, resource, body, judgement, collected_at) "
            "VALUES (?, 1, 1, 1, '2026-01-01T00:00:00Z')",
            (number,),
        )
        shared = lines.join(self._connection, number, before)
        found = dict(self.said[before]) if shared and before else {}
        for finding in found.keys() & (changed | lost):
            self._sql(
                f"UPDATE state_row SET till = ? WHERE finding = ? AND till = {FOREVER} "
                "AND line = (SELECT line FROM line WHERE scan = ?)",
                (number - 1, finding, number),
            )
            del found[finding]
        for finding in changed if shared else {*changed, *FINDINGS} - lost:
            line, till = lines.line_of(self._connection, number)
            self._sql(
                "INSERT INTO state_row (line, since, till, finding, resource, body, observation, "
                "rule, layer, severity, outcome, reason, status, cause, unconfirmed, exposure, "
                "criticality, hazard, score, is_new, first_seen, regressions, combined, tie) "
                "VALUES (?, ?, ?, ?, 1, 1, 1, 1, 1, 1, 'fail', '', ?, '', 0, '', '', 1, 1, 1, '', "
                "0, 0, 0)",
                (line, number, till, finding, f"s{number}"),
            )
            found[finding] = f"s{number}"
        if fate == "dies":
            self._forget(number)
        elif fate == "runs":
            self.running[number] = found
        else:
            self._sql("UPDATE scan SET state = 'complete' WHERE id = ?", (number,))
            self.said[number] = found

    def _forget(self, scan: int) -> None:
        lines.leave(self._connection, scan)
        for table, column in (("scan", "id"), ("snapshot", "scan")):
            self._sql(f"DELETE FROM {table} WHERE {column} = ?", (scan,))

    def _row(self, finding: int, scan: int) -> int | None:
        found = self._sql(
            "SELECT id FROM state WHERE finding = ? AND scan = ?", (finding, scan)
        ).fetchone()
        return found[0] if found else None

    def _placed(self, place: int) -> int | None:
        return sorted(self.said)[place] if place < len(self.said) else None

    def decide(self, finding: int, places: set[int], status: str) -> None:
        scans = [scan for place in places if (scan := self._placed(place)) is not None]
        rows = [(self._row(finding, scan), scan) for scan in scans]
        changes = [(row, scan, status) for row, scan in rows if row is not None]
        lines.change(self._connection, ("status",), changes)
        for _, scan, _ in changes:
            self.said[scan][finding] = status

    def lose(self, findings: set[int], place: int) -> None:
        scan = self._placed(place)
        if scan is not None:
            rows = [row for f in sorted(findings) if (row := self._row(f, scan)) is not None]
            lines.end(self._connection, scan, rows)
            for finding in findings:
                self.said[scan].pop(finding, None)

    def delete(self, place: int) -> None:
        scan = self._placed(place)
        if scan is not None:
            self._forget(scan)
            del self.said[scan]

    def stands(self) -> dict[int, dict[int, str]]:
        found: dict[int, dict[int, str]] = {scan: {} for scan in self.said}
        seen: Counter[tuple[int, int]] = Counter()
        for scan, finding, status, is_new in self._sql(
            "SELECT scan, finding, status, is_new FROM state"
        ):
            if scan in found:
                found[scan][finding] = status
                seen[scan, finding] += 1
                assert is_new or scan == status[1:] or status != f"s{scan}", "new where it began"
        assert set(seen.values()) <= {1}, "one row for each finding in each scan"
        return found


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_each_scan_keeps_what_it_said(connection: sqlite3.Connection, steps: list[Any]) -> None:
    cache = Cache(connection)
    for what, *details in steps:
        getattr(cache, what)(*details)
        assert cache.stands() == cache.said


def estate(*, deeper: bool = False) -> Estate:
    found, service, below = Estate(), notebook(), role()
    found.add(service, fail(service, "nb-root"))
    found.add(below, fail(below, "role-admin"))
    for number in range(6):
        thing = bucket(f"b{number}", config={"deeper": deeper and number == 0})
        found.add(thing, fail(thing, "bucket-public"), fail(thing, "bucket-open", at={"n": "1"}))
        found.link(service, thing, Relation.READS_DATA_FROM)
    found.link(service, below, Relation.USES_IDENTITY)
    return found


def rows(store: Store) -> int:
    with sqlite3.connect(store.path) as connection:
        number: int = connection.execute("SELECT count(*) FROM state_row").fetchone()[0]
    return number


def shown(store: Store) -> list[Any]:
    """All that lists show of every scan, but for what depends on the scan before."""
    return [
        (
            scan,
            store.findings(scan.id, Query()),
            [row._replace(change=None) for row in store.services(scan.id, Query())],
        )
        for scan in store.scans()
    ]


def test_a_scan_writes_what_changed(store: Store, clock: Clock) -> None:
    first = save(store, estate(), clock)
    assert rows(store) == first.findings == 14
    save(store, estate(), clock)
    assert rows(store) == 14
    assert save(store, estate(deeper=True), clock).findings == 14
    assert rows(store) == 16, "the two of the bucket that is another one"


def test_a_decision_goes_for_every_scan_and_for_the_next(store: Store, clock: Clock) -> None:
    scans = [save(store, estate(), clock) for _ in range(2)]
    (row,) = store.findings(scans[0].id, Query("rule:role-admin"))
    event = accept(store, row.id, clock)
    scans.append(save(store, estate(), clock))
    assert rows(store) == 14
    for status, number in (("accepted", 1), ("open", 14)):
        for scan in scans:
            assert store.count_findings(scan.id, Query(f"status:{status}")) == number, scan.id
        if status == "accepted":
            undo(store, event.id, clock)


def test_scans_with_little_in_common_share_nothing(store: Store, clock: Clock) -> None:
    other, thing = Estate(), bucket("elsewhere")
    other.add(thing, fail(thing, "bucket-public"))
    for _ in range(2):
        save(store, estate(), clock)
        save(store, other, clock)
    with sqlite3.connect(store.path) as connection:
        assert connection.execute("SELECT count(DISTINCT line) FROM line").fetchone() == (4,)


def test_what_is_only_named_does_not_keep_scans_apart(store: Store, clock: Clock) -> None:
    found = estate()
    for number in range(30):
        found.add(bucket(f"named{number}", presence=Presence.STUB))
    for _ in range(2):
        save(store, found, clock)
    assert rows(store) == 14


def test_a_line_ends_when_most_of_it_is_past(store: Store, clock: Clock) -> None:
    with sqlite3.connect(store.path) as connection:
        for number in range(12):
            save(store, estate(deeper=number % 2 == 1), clock)
            held = connection.execute(
                f"SELECT line, sum(till < {FOREVER}), count(*) FROM state_row GROUP BY line"
            ).fetchall()
            assert all(2 * ended <= of + 2 for _, ended, of in held)
    assert len(held) == 2


def test_what_a_dead_scan_had_ended_goes_on(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(store, estate(), clock)
    save(store, estate(), clock)
    before = shown(store)

    def fails(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(rollup, "build", fails)
        with pytest.raises(KeyboardInterrupt):
            save(store, estate(deeper=True), clock)
    assert shown(store)[1:] == before
    assert rows(store) == 14
    save(store, estate(), clock)
    assert rows(store) == 14


@pytest.mark.parametrize("deleted", [0, 1, 2, 3])
def test_other_scans_stay_as_they_are_when_one_is_deleted(
    store: Store, clock: Clock, deleted: int
) -> None:
    scans = [save(store, estate(deeper=deeper), clock) for deeper in (False, True, True, False)]
    before = [entry for entry in shown(store) if entry[0].id != scans[deleted].id]
    store.delete_scan(scans[deleted].id)
    assert shown(store) == before
    save(store, estate(), clock)
    assert shown(store)[1:] == before


def test_two_scans_at_once_do_not_share_a_line(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(store, estate(), clock)
    build = rollup.build
    inner: list[ScanRow | None] = []

    def meanwhile(*args: Any) -> None:
        build(*args)
        if not inner:
            inner.append(None)
            with Store.open(store.path, clock=clock) as other:
                inner[0] = save(other, estate(deeper=True), clock)

    monkeypatch.setattr(rollup, "build", meanwhile)
    save(store, estate(), clock)
    with sqlite3.connect(store.path) as connection:
        found = connection.execute("SELECT scan, line FROM line ORDER BY scan").fetchall()
    assert found == [(1, 1), (2, 1), (3, 3)]
    assert [len(findings) for _, findings, _ in shown(store)] == [14, 14, 14]


def test_a_decision_made_while_a_scan_is_saved_goes_for_it_too(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = save(store, estate(), clock)
    (row,) = store.findings(first.id, Query("rule:role-admin"))
    build = rollup.build

    def meanwhile(*args: Any) -> None:
        build(*args)
        accept(store, row.id, clock)

    monkeypatch.setattr(rollup, "build", meanwhile)
    second = save(store, estate(), clock)
    for scan in (first, second):
        assert store.count_findings(scan.id, Query("status:accepted")) == 1, scan.id
        (service,) = store.services(scan.id, Query())
        assert (service.open, service.accepted) == (13, 1), scan.id
    assert rows(store) == 14, "and is written once"


def test_an_older_cache_is_read_as_before(tmp_path: Path) -> None:
    path, clock = tmp_path / "old.db", Clock()
    with Store.open(path, clock=clock) as store:
        for deeper in (False, True, True):
            scan = save(store, estate(deeper=deeper), clock)
        accept(store, store.findings(scan.id, Query())[0].id, clock)
        before = shown(store)
    with sqlite3.connect(path) as connection:
        unshare(connection)
    connection.close()
    with Store.open(path, clock=clock) as store:
        assert shown(store) == before
        assert rows(store) == 42
        save(store, estate(deeper=True), clock)
        assert rows(store) == 42, "goes on from the newest"
        assert shown(store)[1:] == before
