"""Combinations in the store: what breaks them between two scans, and what does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.undercroft.store_kit import (
    Clock,
    accept,
    only,
    poisoned,
    save,
    statuses,
    undo,
)
from undercroft.store import Store
from undercroft.triage.decide import Triage
from undercroft.views import Query, ScanRow

ACTOR = "Ann <ann@example.com>"


@pytest.fixture
def saved(tmp_path: Path) -> Iterator[tuple[Store, ScanRow, Clock]]:
    clock = Clock()
    with Store.open(tmp_path / "u.db", clock=clock) as store:
        yield store, save(store, poisoned(), clock), clock


def id_of(store: Store, scan: ScanRow, rule: str) -> str:
    return only(store.findings(scan.id, Query()), rule).id


def test_a_false_positive_breaks_it_and_undoing_brings_it_back(
    saved: tuple[Store, ScanRow, Clock],
) -> None:
    store, scan, clock = saved
    before = store.services(scan.id, Query())[0]
    assert before.combinations == 1
    triage = Triage(store, actor=ACTOR, clock=clock)
    triage.false_positive(
        [id_of(store, scan, "bucket-public")],
        reason="a bucket of another account by the same name",
        category="bad_data",
        scan_id=scan.id,
    )
    after = store.services(scan.id, Query())[0]
    assert after.combinations == 0
    assert statuses(store, scan)["toxic"] == "false_positive (a part is a false positive)"
    assert after.score == pytest.approx(store.repair_plan(scan.id).total)
    triage.undo()
    assert store.services(scan.id, Query())[0] == before
    assert statuses(store, scan)["toxic"] == "open"


def test_it_stays_broken_in_the_next_scan(saved: tuple[Store, ScanRow, Clock]) -> None:
    store, scan, clock = saved
    Triage(store, actor=ACTOR, clock=clock).false_positive(
        [id_of(store, scan, "bucket-public")],
        reason="a bucket of another account by the same name",
        category="bad_data",
        scan_id=scan.id,
    )
    again = save(store, poisoned(), clock)
    assert statuses(store, again)["toxic"].startswith("false_positive")
    assert store.services(again.id, Query())[0].combinations == 0


def test_an_accepted_part_does_not_silence_it(saved: tuple[Store, ScanRow, Clock]) -> None:
    store, scan, clock = saved
    event = accept(store, id_of(store, scan, "bucket-public"), clock)
    row = store.services(scan.id, Query())[0]
    assert (row.combinations, row.accepted) == (1, 1)
    bill = store.explain_service(scan.id, row.key)
    assert bill.residual.lines[0].rule == "toxic"
    undo(store, event.id, clock)
    # Accepted itself, it leaves the residual score and stays in the inherent one.
    accept(store, id_of(store, scan, "toxic"), clock)
    bill = store.explain_service(scan.id, row.key)
    assert "toxic" not in [line.rule for line in bill.residual.lines]
    assert "toxic" in [line.rule for line in bill.inherent.lines]


def test_the_plan_knows_what_breaks_it(saved: tuple[Store, ScanRow, Clock]) -> None:
    store, scan, _ = saved
    plan = store.repair_plan(scan.id)
    row = store.services(scan.id, Query())[0]
    assert plan.total == pytest.approx(row.score)
    first, second, third = plan.first(10)
    assert (first.words, first.broken, first.blast) == ("Close train to outsiders", 1, 1)
    assert second.broken == third.broken == 0
    assert third.total == 0
    joint = plan.what_if([first.id, second.id])
    assert joint.before - joint.after == pytest.approx(first.value + second.value)
    assert plan.what_if([]).after == joint.before
    assert plan.findings([first.id]) == [id_of(store, scan, "bucket-public")]
