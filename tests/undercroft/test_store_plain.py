"""Rows that SQLite puts together itself are the rows that the careful way would have made."""

from __future__ import annotations

import shutil
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.undercroft.store_kit import (
    ALL_COVERED,
    Clock,
    Estate,
    accept,
    accept_rule,
    blind,
    bucket,
    covered,
    fail,
    notebook,
    role,
    save,
    undo,
)
from undercroft.feeds import KEV, ParsedFeed
from undercroft.model import CoverageStatus, Observation, Presence, Severity
from undercroft.relations import Relation
from undercroft.store import Store, lines, rollup
from undercroft.store.plain import Plain, spans
from undercroft.store.sightings import ROW_COLUMNS
from undercroft.triage.scopes import Scope
from undercroft.views import Query

KINDS = st.sampled_from(
    ["fails", "fails", "fails", "passes", "blind", "missing", "stub", "exposed"]
)
SCAN = st.fixed_dictionaries(
    {
        "notebook": KINDS,
        "bucket": KINDS,
        "role": KINDS,
        "toxic": st.booleans(),
        "denied": st.booleans(),
        "earlier": st.booleans(),
        "accept": st.booleans(),
        # As the scan before, but for what follows.
        "again": st.booleans(),
        "tag": st.sampled_from(["criticality", "criticality", "worth"]),
        "undo": st.booleans(),
        # What is accepted wherever it is found: a rule, or one vulnerability.
        "scope": st.sampled_from([None, None, Scope("cve", "CVE-2023-1"), Scope("nb-root")]),
        "wait": st.sampled_from([0, 0, 200]),
        "feed": st.sampled_from(
            [None, None, {"CVE-2023-1": "2023-01-01"}, {"CVE-2023-2": "2023-01-01"}]
        ),
    }
)
COUNTED = {
    "tally": "r.key, t.layer, t.rule, t.status, t.severity, t.combined, t.findings, t.unconfirmed, t.is_new",
    "weight": "r.key, t.layer, t.combined, t.accepted, t.total, t.top",
    "service": "r.key, t.score, t.inherent, t.worst, t.open, t.accepted, t.claimed, "
    "t.combinations, t.unconfirmed, t.unread, t.saved",
}


def story(*changes: dict[str, Any]) -> list[dict[str, Any]]:
    """Scans of an estate where everything fails, each with what is otherwise from then on."""
    choice = {
        "notebook": "fails", "bucket": "fails", "role": "fails", "toxic": False, "denied": False,
        "earlier": False, "accept": False, "again": False, "tag": "criticality", "undo": False,
        "wait": 0, "feed": None, "scope": None,
    }  # fmt: skip
    return [choice := {**choice, **change} for change in changes]


def carefully(monkeypatch: pytest.MonkeyPatch, *, share: bool) -> None:
    """Leave everything to the careful way; what comes out the same goes on, or is written anew."""
    init = Plain.__init__

    def careful(self: Plain, *args: Any, **options: Any) -> None:
        init(self, *args, **options)
        self._may = False

    monkeypatch.setattr(Plain, "__init__", careful)
    if not share:
        monkeypatch.setattr(lines, "_goes_on", lambda *_: False)


def estate(choice: dict[str, Any], clock: Clock) -> Estate:
    found = Estate()
    if choice["denied"]:
        found.coverage = (covered(status=CoverageStatus.DENIED), *ALL_COVERED[1:])
    made = []
    for make, name, rule in (
        (notebook, "notebook", "nb-root"),
        (bucket, "bucket", "bucket-public"),
        (role, "role", "role-admin"),
    ):
        kind = choice[name]
        if kind == "missing":
            continue
        stamp = (clock.now - timedelta(days=2)).isoformat().replace("+00:00", "Z")
        thing = make(
            config={"kind": kind},
            tags={"owner": "ml", "criticality": "high"} if name != "bucket" else {"worth": "low"},
            presence=Presence.STUB if kind == "stub" else Presence.READ,
            incarnation=f"born-{name}",
            collected_at=stamp if choice["earlier"] else "",
        )
        said: list[Observation] = []
        if kind in {"fails", "exposed"}:
            traits = ("exposed",) if kind == "exposed" else ()
            said = [
                fail(thing, rule, traits=traits),
                fail(thing, "cve", Severity.LOW, at={"package": "zlib"}, cve="CVE-2023-1"),
            ]
        elif kind == "blind":
            said = [blind(thing, rule, "denied: cannot be read")]
        found.add(thing, *said)
        made.append(thing)
    for below in made[1:]:
        found.link(made[0], below, Relation.USES_IDENTITY)
    if choice["toxic"] and made and made[0].service:
        found.combinations[made[0].key] = [fail(made[0], "toxic", Severity.CRITICAL)]
    return found


def rows_after(path: Path, choices: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Every row of findings, and of what counts them, that a story leaves behind."""
    clock = Clock()
    made = Estate()
    with Store.open(path, clock=clock) as store:
        for choice in choices:
            if not choice["again"]:
                made = estate(choice, clock)
            clock.forward(days=choice["wait"])
            scan = save(store, made, clock, criticality_tag=choice["tag"])
            if choice["accept"]:
                for row in store.findings(scan.id, Query("rule:nb-root status:active")):
                    event = accept(store, row.id, clock)
                    if choice["undo"]:
                        undo(store, event.id, clock)
            if choice["scope"] is not None:
                event = accept_rule(store, choice["scope"], clock)
                if choice["undo"]:
                    undo(store, event.id, clock)
            if choice["feed"] is not None:
                store.import_feed(ParsedFeed(KEV, "1", "2023-01-02", choice["feed"]))
    with sqlite3.connect(path) as connection:
        ordered = "ORDER BY scan, status"
        sums = connection.execute(f"SELECT * FROM standing WHERE findings {ordered}").fetchall()
        added = connection.execute(
            "SELECT scan, status, sum(findings), sum(unconfirmed), sum(is_new) FROM tally "
            f"GROUP BY scan, status {ordered}"
        ).fetchall()
        assert sums == added
        counted = [
            (table, *row)
            for table, columns in COUNTED.items()
            for row in connection.execute(
                f"SELECT t.scan, {columns} FROM {table} t JOIN resource r ON r.id = t.resource"
            )
        ]
        names = ", ".join(
            f"t.{name}"
            for name in (*ROW_COLUMNS, "scan", "collected_at", "services")
            if name not in {"line", "since", "till", "finding", "decision", "lapsed"}
        )
        found = connection.execute(
            f"SELECT f.fid, {names}, t.decision IS NULL, t.lapsed IS NULL "
            "FROM state t JOIN finding f ON f.id = t.finding"
        )
        return sorted([*found, *counted], key=repr)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of the present version, made once."""
    path = tmp_path_factory.mktemp("plain") / "empty.db"
    Store.open(path).close()
    return path


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(choices=st.lists(SCAN, min_size=1, max_size=5))
# Fixed and still fixed; back and still back; fixed again.
@example(
    choices=story({}, {"bucket": "passes"}, {}, {"bucket": "fails"}, {}, {"bucket": "passes"}, {})
)
# Combinations come and go, and one stays while others read it anew.
@example(
    choices=story(
        {"toxic": True}, {}, {"toxic": False}, {}, {"toxic": True}, {"notebook": "passes"}
    )
)
@example(choices=story({"toxic": True}, {"toxic": False}, {"denied": True}, {}))
# What was accepted expires beside what nobody decided about, and is denied.
@example(choices=story({"accept": True}, {"accept": False}, {"wait": 200}, {"wait": 0}))
@example(
    choices=story({"accept": True, "undo": True}, {"denied": True, "notebook": "missing"}, {}, {})
)
# Weights move between scans, and read times back.
@example(
    choices=story(
        {}, {"feed": {"CVE-2023-1": "2023-01-01"}}, {}, {"tag": "worth"}, {"feed": {}}, {}
    )
)
@example(
    choices=story(
        {},
        {"scope": Scope("cve", "CVE-2023-1")},
        {"scope": None, "bucket": "exposed"},
        {"scope": Scope("nb-root"), "undo": True},
        {"wait": 200},
    )
)
@example(choices=story({}, {"bucket": "passes"}, {"earlier": True}, {"earlier": False}, {}))
def test_both_ways_make_the_same_rows(
    choices: list[dict[str, Any]],
    empty: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("plain")
    for name in ("quick.db", "shared.db", "slow.db"):
        shutil.copyfile(empty, folder / name)
    quick = rows_after(folder / "quick.db", choices)
    with pytest.MonkeyPatch.context() as patch:
        carefully(patch, share=False)
        slow = rows_after(folder / "slow.db", choices)
    assert quick == slow
    with pytest.MonkeyPatch.context() as patch:
        carefully(patch, share=True)
        shared = rows_after(folder / "shared.db", choices)
    assert shared == slow


def hazards(path: Path, scan: int) -> list[float]:
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT hazard FROM state WHERE scan = ? ORDER BY id", (scan,))
        return [row[0] for row in rows]


def test_what_another_version_weighed_is_weighed_anew(store: Store, clock: Clock) -> None:
    made = estate(story({})[0], clock)
    first = save(store, made, clock)
    expected = hazards(store.path, first.id)
    with store._db.transaction() as connection:
        connection.execute("UPDATE state_row SET hazard = 9.0")
        connection.execute("UPDATE scan SET weighed_by = 'another'")
    assert hazards(store.path, save(store, made, clock).id) == expected
    with store._db.transaction() as connection:
        connection.execute("UPDATE state_row SET hazard = 9.0")
    assert set(hazards(store.path, save(store, made, clock).id)) == {9.0}, "else copied"


def test_a_feed_that_comes_while_a_scan_is_saved_counts(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = estate(story({})[0], clock)
    before = save(store, made, clock)
    build = rollup.build

    def meanwhile(*args: Any) -> None:
        build(*args)
        store.import_feed(ParsedFeed(KEV, "1", "2023-01-02", {"CVE-2023-1": "2023-01-01"}))

    monkeypatch.setattr(rollup, "build", meanwhile)
    after = save(store, made, clock)
    assert sorted(hazards(store.path, after.id)) == sorted(hazards(store.path, before.id))
    (old,), (new,) = (store.services(scan.id, Query()) for scan in (before, after))
    assert new.score == old.score > 0


def test_most_rows_are_plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[int] = []
    write = Plain.write

    def watched(self: Plain, connection: sqlite3.Connection, low: int, high: int) -> list[int]:
        found = write(self, connection, low, high)
        left.extend(found)
        return found

    monkeypatch.setattr(Plain, "write", watched)
    rows = rows_after(tmp_path / "cache.db", story({"bucket": "exposed"}, {}, {}))
    assert len([row for row in rows if row[0] not in COUNTED]) == 18
    assert not left


def test_spans_cover_every_resource_once(tmp_path: Path) -> None:
    clock = Clock()
    with Store.open(tmp_path / "cache.db", clock=clock) as store:
        found = Estate()
        for number in range(30):
            thing = bucket(f"b{number}")
            found.add(thing, *(fail(thing, at={"n": str(n)}) for n in range(number % 4)))
        save(store, found, clock)
    with sqlite3.connect(tmp_path / "cache.db") as connection:
        wanted = {row[0] for row in connection.execute("SELECT DISTINCT resource FROM finding")}
        runs = list(spans(connection, resources=4, findings=5))
    assert len(runs) > 4
    covered_by = [sum(low <= resource <= high for low, high in runs) for resource in wanted]
    assert covered_by == [1] * len(wanted)
