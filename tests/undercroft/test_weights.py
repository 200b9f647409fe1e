"""Scores from roll-ups against scores from findings: the same to the last digits that matter."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from random import Random

import pytest

from tests.undercroft.store_kit import Clock, Estate, accept, bucket, fail, notebook, role, save
from undercroft import risk
from undercroft.model import Severity, Threat
from undercroft.relations import Relation
from undercroft.store import Store
from undercroft.views import Query, ScanRow

RANKS = tuple(Severity)


def random_estate(random: Random) -> Estate:
    estate = Estate()
    things = [bucket(f"b{i}") for i in range(4)] + [role(f"r{i}") for i in range(3)]
    for thing in things:
        estate.add(
            thing,
            *(
                fail(
                    thing,
                    "role-admin",
                    random.choice(RANKS),
                    at={"n": str(number)},
                    threat=random.choice(tuple(Threat)),
                )
                for number in range(random.choice((0, 1, 3, 60)))
            ),
        )
    for number in range(6):
        service = notebook(f"nb{number}")
        estate.add(service, *(fail(service) for _ in range(random.randrange(2))))
        for thing in random.sample(things, 4):
            estate.link(service, thing, random.choice(tuple(Relation)))
    return estate


def check(store: Store, scan: ScanRow) -> int:
    """Compare every service with its bill; how many lines there were."""
    lines = 0
    for row in store.services(scan.id, Query()):
        found = store.explain_service(scan.id, row.key)
        assert found.residual.score == pytest.approx(row.score, abs=1e-9)
        assert found.inherent.score == pytest.approx(row.inherent, abs=1e-9)
        lines += len(found.inherent.lines)
    return lines


@pytest.mark.parametrize("seed", range(6))
def test_roll_ups_and_findings_agree(tmp_path: Path, seed: int) -> None:
    random, clock = Random(seed), Clock()
    with Store.open(tmp_path / "u.db", clock=clock) as store:
        scan = save(store, random_estate(random), clock)
        assert check(store, scan) > 10
        findings = [row.id for row in store.findings(scan.id, Query())]
        for finding in random.sample(findings, 4):
            accept(store, finding, clock)
        check(store, scan)


def test_a_decision_scores_only_the_services_above(tmp_path: Path) -> None:
    clock, estate = Clock(), Estate()
    shared, alone = role("shared"), role("alone")
    for thing in (shared, alone):
        estate.add(thing, fail(thing, "role-admin"))
    for number in range(4):
        service = estate.add(notebook(f"nb{number}"))
        estate.link(service, alone if number == 3 else shared, Relation.USES_IDENTITY)
    with Store.open(tmp_path / "u.db", clock=clock) as store:
        scan = save(store, estate, clock)
        written: list[str] = []
        connection = store._db.connection()
        connection.set_trace_callback(written.append)
        finding = next(
            row.id for row in store.findings(scan.id, Query()) if row.resource_name == "shared"
        )
        accept(store, finding, clock)
        connection.set_trace_callback(None)
        scored = [text for text in written if text.startswith("INSERT INTO service")]
        assert len(scored) == 3, "of four services, the three above"
        weighed = [text for text in written if text.startswith("INSERT INTO weight")]
        assert len(weighed) == 1, "of two resources, the one decided about"
        check(store, scan)


def test_an_older_cache_gets_its_roll_ups(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "u.db"
    with Store.open(path, clock=clock) as store:
        scan = save(store, random_estate(Random(1)), clock)
        before = store.services(scan.id, Query())
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE weight")
        connection.execute("DELETE FROM _sqlite_migrations WHERE name = '0004_weights'")
        connection.execute("PRAGMA user_version = 3")
    with Store.open(path, clock=clock) as store:
        assert store.services(scan.id, Query()) == before
        accept(store, store.findings(scan.id, Query())[0].id, clock)
        check(store, scan)


def test_the_model_cuts_where_the_roll_up_does() -> None:
    many = [(f"f{i:03}", "vm", 1.5) for i in range(risk.DEPTH * 3)]
    assert risk.service_score(many).value == risk.service_score(many[: risk.DEPTH]).value
    # What is cut is below a millionth of a point.
    assert 100 * 1.5 * 2 * risk.DEFAULT.in_layer[1] ** risk.DEPTH < 1e-6
