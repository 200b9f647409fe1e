"""The bill that the store writes: it adds up, names everything, and separates decisions."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.undercroft.store_kit import Clock, accept, covered, key, save, tower_estate
from undercroft.exchange import Format, Head, export_findings
from undercroft.exchange.explaining import explain_finding_document, explain_service_document
from undercroft.model import CoverageStatus
from undercroft.relations import ATTENUATION, Relation
from undercroft.risk import DEFAULT, finding_score
from undercroft.risk.bills import Bill
from undercroft.store import NotFoundError, Store
from undercroft.triage.decide import Triage
from undercroft.views import Query, ScanRow

NB = key("sagemaker:notebook-instance", "nb")


@pytest.fixture
def saved(tmp_path: Path) -> Iterator[tuple[Store, ScanRow, Clock]]:
    clock = Clock()
    with Store.open(tmp_path / "u.db", clock=clock) as store:
        yield store, save(store, tower_estate(), clock), clock


def by_hand(bill: Bill) -> float:
    """H from the printed factors alone, as a reader with a calculator would."""
    total = 0.0
    for line in bill.lines:
        h = math.prod(value for value, _ in line.hazard.factors.values())
        a = math.prod(ATTENUATION[Relation(step.relation)] for step in line.path)
        assert math.isclose(a, line.attenuation)
        assert math.isclose(h * a * 0.5**line.rank * 0.6**line.layer_rank, line.effective)
        total += line.effective
    return total


def test_the_bill_can_be_reproduced_by_hand(saved: tuple[Store, ScanRow, Clock]) -> None:
    store, scan, _ = saved
    found = store.explain_service(scan.id, NB)
    bill = found.residual
    assert [line.rule for line in bill.lines] == ["bucket-public", "nb-root", "role-admin"]
    assert math.isclose(by_hand(bill), bill.hazard)
    assert math.isclose(finding_score(bill.hazard), bill.score)
    assert bill.score == found.service.score == store.services(scan.id, Query())[0].score
    assert round(sum(line.printed for line in bill.lines), 1) == bill.printed
    assert found.inherent.hazard == bill.hazard
    first = bill.lines[0]
    assert first.owner.name == "train"
    assert [step.via for step in first.path] == ["config.DefaultBucket"]
    assert first.hazard.factors["X"] == (1.25, "exposure open")


def test_an_acceptance_leaves_the_inherent_bill_alone(saved: tuple[Store, ScanRow, Clock]) -> None:
    store, scan, clock = saved
    before = store.explain_service(scan.id, NB)
    worst = before.residual.lines[0]
    accept(store, worst.finding, clock)
    after = store.explain_service(scan.id, NB)
    assert after.inherent.score == before.inherent.score
    assert after.residual.score < before.residual.score
    assert worst.finding not in {line.finding for line in after.residual.lines}
    (kept,) = [line for line in after.inherent.lines if line.status == "accepted"]
    assert kept.finding == worst.finding
    assert math.isclose(by_hand(after.inherent), after.inherent.hazard)


def test_a_finding_says_what_it_does_to_each_service(saved: tuple[Store, ScanRow, Clock]) -> None:
    store, scan, _ = saved
    line = store.explain_service(scan.id, NB).residual.lines[1]
    found = store.explain_finding(scan.id, line.finding)
    assert found.above == 1
    (reach,) = found.services
    assert (reach.printed, reach.rank, reach.layer_rank) == (
        line.printed,
        line.rank,
        line.layer_rank,
    )
    assert math.isclose(finding_score(found.hazard), found.row.score)


def test_what_is_not_there(saved: tuple[Store, ScanRow, Clock]) -> None:
    store, scan, _ = saved
    with pytest.raises(NotFoundError):
        store.explain_service(scan.id, "nothing")


def test_the_documents_carry_every_number(saved: tuple[Store, ScanRow, Clock]) -> None:
    store, scan, clock = saved
    head = Head.of(store, scan, "", clock())
    document = explain_service_document(head, store.explain_service(scan.id, NB), None)
    assert document["risk_model"] == 1
    bill = document["residual"]
    assert isinstance(bill, dict)
    lines = bill["lines"]
    assert isinstance(lines, list)
    for line in lines:
        assert isinstance(line, dict)
        assert {"id", "title", "owner", "layer", "path", "a", "h", "factors", "k", "j"} <= set(line)
    finding = str(lines[0]["id"])
    alone = explain_finding_document(head, store.explain_finding(scan.id, finding))
    assert alone["above"] == 1


def test_p9_a_false_positive_leaves_both_scores(saved: tuple[Store, ScanRow, Clock]) -> None:
    store, scan, clock = saved
    before = store.explain_service(scan.id, NB)
    worst = before.residual.lines[0].finding
    Triage(store, actor="Ann <ann@example.com>", clock=clock).false_positive(
        [worst], reason="the bucket is another one", category="bad_data", scan_id=scan.id
    )
    after = store.explain_service(scan.id, NB)
    for bill in (after.residual, after.inherent):
        assert bill.score < before.inherent.score
        assert worst not in {line.finding for line in bill.lines}


def test_p10_the_same_scans_and_decisions_give_the_same_bytes(tmp_path: Path) -> None:
    documents = []
    for name in ("one.db", "other.db"):
        clock = Clock()
        with Store.open(tmp_path / name, clock=clock) as store:
            scan = save(store, tower_estate(), clock)
            accept(store, store.explain_service(scan.id, NB).residual.lines[0].finding, clock)
            head = Head.of(store, scan, "", clock())
            document = explain_service_document(head, store.explain_service(scan.id, NB), None)
            # A scan's uid is made anew each time; everything else is the same.
            documents.append(
                json.dumps({**document, "scan": None, "decisions": None}, sort_keys=True)
            )
            told = io.StringIO()
            export_findings(store.iter_records(scan.id, Query()), head, Format.JSONL, told)
            for said in (document, json.loads(told.getvalue().splitlines()[0])):
                assert (said["risk_model"], said["risk_constants"]) == (1, DEFAULT.digest)
                assert said["decisions"] == {"count": 1, "last": store.events()[-1].id}
                assert scan.uid in (said["scan"], dict(document["scan"])["uid"])  # type: ignore[arg-type]
            assert (document["feeds"], document["as_of"]) == ([], head.as_of)
    assert documents[0] == documents[1]


def test_p8_blindness_never_helps(saved: tuple[Store, ScanRow, Clock]) -> None:
    store, first, clock = saved
    (before,) = store.services(first.id, Query())
    estate = tower_estate()
    denied = covered(status=CoverageStatus.DENIED, reason="needs sagemaker:List*")
    for seen in ((), estate.resources[1:]):
        blind = save(
            store, replace(estate, resources=list(seen), edges=[], coverage=[denied]), clock
        )
        (after,) = store.services(blind.id, Query())
        assert after.score >= before.score - 1e-9
        assert store.explain_service(blind.id, NB).residual.score == pytest.approx(after.score)
