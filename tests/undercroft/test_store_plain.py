"""Rows that SQLite puts together itself are the rows that the careful way would have made."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.undercroft.store_kit import (
    ALL_COVERED,
    Clock,
    Estate,
    accept,
    blind,
    bucket,
    covered,
    fail,
    notebook,
    role,
    save,
)
from undercroft.model import CoverageStatus, Observation, Presence, Severity
from undercroft.relations import Relation
from undercroft.store import Store
from undercroft.store.plain import Plain, spans
from undercroft.store.sightings import STATE_COLUMNS
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
    }
)


def careful(self: Plain, connection: sqlite3.Connection, low: int, high: int) -> list[int]:
    """Leave everything to the careful way."""
    rows = connection.execute(
        "SELECT DISTINCT resource FROM finding WHERE resource BETWEEN ? AND ?", (low, high)
    )
    return [row[0] for row in rows]


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
            tags={"owner": "ml"} if name != "bucket" else {},
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
    clock = Clock()
    with Store.open(path, clock=clock) as store:
        for choice in choices:
            scan = save(store, estate(choice, clock), clock)
            if choice["accept"]:
                for row in store.findings(scan.id, Query("rule:nb-root status:active")):
                    accept(store, row.id, clock)
    with sqlite3.connect(path) as connection:
        names = ", ".join(
            f"t.{name}" for name in STATE_COLUMNS if name not in {"finding", "decision", "lapsed"}
        )
        return sorted(
            connection.execute(
                f"SELECT f.fid, {names}, t.decision IS NULL, t.lapsed IS NULL "
                "FROM state t JOIN finding f ON f.id = t.finding"
            ),
            key=repr,
        )


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(choices=st.lists(SCAN, min_size=1, max_size=4))
def test_both_ways_make_the_same_rows(
    choices: list[dict[str, Any]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("plain")
    quick = rows_after(folder / "quick.db", choices)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Plain, "write", careful)
        slow = rows_after(folder / "slow.db", choices)
    assert quick == slow


def test_most_rows_are_plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[int] = []
    write = Plain.write

    def watched(self: Plain, connection: sqlite3.Connection, low: int, high: int) -> list[int]:
        found = write(self, connection, low, high)
        left.extend(found)
        return found

    monkeypatch.setattr(Plain, "write", watched)
    choice = {
        "notebook": "fails", "bucket": "exposed", "role": "fails",
        "toxic": False, "denied": False, "earlier": False, "accept": False,
    }  # fmt: skip
    assert len(rows_after(tmp_path / "cache.db", [choice, choice, choice])) == 18
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
