"""A tag that says how much a resource matters: in scores, in the bill, in later scans."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.undercroft.store_kit import (
    RULES,
    Clock,
    Estate,
    accept,
    bucket,
    fail,
    key,
    notebook,
    only,
    part,
    save,
    statuses,
    unshare,
)
from tui.settings import SettingsError, load
from undercroft.feeds import KEV, ParsedFeed
from undercroft.relations import Relation
from undercroft.risk import finding_score
from undercroft.store import Store
from undercroft.store.criticality import level_of
from undercroft.views import Query, ScanRow

NB = key("sagemaker:notebook-instance", "nb")
CVE = "CVE-2026-1111"


def estate(tags: Mapping[str, str]) -> Estate:
    """A notebook and its bucket, both tagged the same, with a weak setting and a CVE each."""
    found = Estate()
    nb, data = notebook(tags=tags), bucket(tags=tags)
    for thing in (nb, data):
        found.add(thing, fail(thing), fail(thing, "cve", cve=CVE))
    found.link(nb, data, Relation.READS_DATA_FROM)
    return found


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "u.db", clock=Clock()) as opened:
        yield opened


def hazards(store: Store, scan: ScanRow) -> dict[str, float]:
    """Finding → hazard, as its score says; every one is what its factors multiply to."""
    found = {}
    for row in store.findings(scan.id, Query()):
        detail = store.finding(scan.id, row.id)
        product = math.prod(value for value, _ in detail.hazard.values())
        assert math.isclose(row.score, finding_score(product))
        found[row.id] = product
    return found


def test_a_tag_weighs_what_is_found_there(store: Store) -> None:
    clock = Clock()
    before = hazards(store, save(store, estate({"owner": "ml"}), clock))
    for value, factor in (("very high", 1.5), ("High", 1.25), ("low", 0.8), ("very-low", 0.6)):
        scan = save(store, estate({"owner": "ml", "Criticality": value}), clock)
        now = hazards(store, scan)
        assert now.keys() == before.keys()
        for finding, hazard in now.items():
            assert math.isclose(hazard, before[finding] * factor)
        bill = store.explain_service(scan.id, NB).residual
        word = value.lower().replace("-", " ")
        assert {line.hazard.factors["M"] for line in bill.lines} == {(factor, f"tagged {word}")}
        by_hand = sum(
            line.hazard.value * line.attenuation * 0.5**line.rank * 0.6**line.layer_rank
            for line in bill.lines
        )
        assert math.isclose(bill.hazard, by_hand), "the score counts what the bill shows"
        assert store.services(scan.id, Query())[0].score == pytest.approx(finding_score(by_hand))


def test_untagged_and_unheard_of_values_change_nothing(store: Store) -> None:
    clock = Clock()
    before = hazards(store, save(store, estate({}), clock))
    for value in ("normal", "", "yes", "medium"):
        scan = save(store, estate({"criticality": value}), clock)
        assert hazards(store, scan) == before
        line = store.explain_service(scan.id, NB).residual.lines[0]
        assert line.hazard.factors["M"] == (1.0, "not tagged as more or less critical")


def test_it_stays_through_feeds_decisions_and_carried_findings(store: Store) -> None:
    clock = Clock()
    scan = save(store, estate({"criticality": "very_high"}), clock)
    before = hazards(store, scan)
    store.import_feed(ParsedFeed(KEV, "1", "2026-11-18", {CVE: "2026-10-01"}))
    after = hazards(store, scan)
    of = {row.id: row.rule for row in store.findings(scan.id, Query())}
    for finding, hazard in before.items():
        grown = 1.0 / 0.45 if of[finding] == "cve" else 1.0
        assert math.isclose(after[finding], hazard * grown)
    accept(store, only(store.findings(scan.id, Query(service=NB)), "nb-root").id, clock)
    assert hazards(store, scan) == pytest.approx(after)
    # Decided about, so that its row is worked out one by one.
    again = save(store, estate({"criticality": "very_high"}), clock)
    assert hazards(store, again) == pytest.approx(after)
    gone = estate({"criticality": "very_high"})
    gone.resources = gone.resources[:1]
    gone.edges = []
    kept = save(store, gone, clock)
    assert hazards(store, kept) == pytest.approx(after), "one bucket's were not looked at"
    assert len(statuses(store, kept)) < len(after)


def test_another_tag_or_none_can_be_asked_for(store: Store) -> None:
    tagged = estate({"criticality": "low", "tier": "very high"})
    found = {}
    for name in ("criticality", "tier", ""):
        with store.write_scan(
            name=name, kind="live", scope={}, rules=RULES, pack="p", criticality_tag=name
        ) as writer:
            writer.add([*tagged.coverage, *tagged.resources, *tagged.edges])
            for resource, observations in tagged.answers.items():
                writer.observe(resource, observations)
            scan = writer.commit(calls=0, throttled=0, now=Clock().now)
        bill = store.explain_service(scan.id, NB).residual
        found[name] = {line.hazard.factors["M"][0] for line in bill.lines}
    assert found == {"criticality": {0.8}, "tier": {1.5}, "": {1.0}}


@pytest.mark.parametrize(
    ("service", "resource", "factor", "reason"),
    [
        ("very high", "", 1.5, "service tagged very high"),
        ("low", "", 0.8, "service tagged low"),
        ("high", "very low", 1.25, "service tagged high"),
        ("low", "high", 1.25, "tagged high"),
        ("very low", "low", 0.8, "tagged low"),
        ("high", "high", 1.25, "tagged high"),
        ("", "low", 0.8, "tagged low"),
        ("", "", 1.0, "not tagged as more or less critical"),
    ],
)
def test_a_tagged_service_weighs_all_that_lies_beneath_it(
    store: Store, service: str, resource: str, factor: float, reason: str
) -> None:
    """``nb`` (tagged) and ``other`` (not) on one bucket: exact in bills, scores and plans."""
    clock, found = Clock(), Estate()
    nb = notebook(tags={"criticality": service})
    other, data = notebook("other"), bucket(tags={"criticality": resource})
    for thing in (nb, other, data):
        found.add(thing, fail(thing, traits=("root",)), fail(thing, "cve", cve=CVE))
    for thing in (nb, other):
        found.link(thing, data, Relation.READS_DATA_FROM)
    made = replace(fail(nb, "toxic"), evidence=(part(0, data.key, ["trait:root"]),), weight=1.2)
    found.combinations[nb.key] = [made]
    scan = save(store, found, clock)

    def check(left: float) -> None:
        plan = store.repair_plan(scan.id)
        scores = {row.key: row for row in store.services(scan.id, Query())}
        assert plan.total == pytest.approx(sum(row.score for row in scores.values()))
        for key_, row in scores.items():
            explained = store.explain_service(scan.id, key_)
            for bill, score in (
                (explained.residual, row.score),
                (explained.inherent, row.inherent),
            ):
                by_hand = math.fsum(
                    math.prod(value for value, _ in line.hazard.factors.values())
                    * line.attenuation
                    * 0.5**line.rank
                    * 0.6**line.layer_rank
                    for line in bill.lines
                )
                assert score == pytest.approx(finding_score(by_hand), abs=1e-9)
                assert bill.score == pytest.approx(score, abs=1e-9)
        steps = plan.first(10)
        assert steps[-1].total == pytest.approx(left, abs=1e-9)
        whole = plan.what_if([step.id for step in steps])
        assert whole.before == pytest.approx(plan.total)
        assert whole.after == pytest.approx(left, abs=1e-9)

    check(0.0)
    lines = store.explain_service(scan.id, nb.key).residual.lines
    beneath = {line.hazard.factors["M"] for line in lines if line.owner.key == data.key}
    assert beneath == {(factor, reason)}
    (combined,) = [line for line in lines if line.rule == "toxic"]
    assert combined.hazard.value == 1.2, "a combination weighs what its rule declares"
    untouched = store.explain_service(scan.id, other.key).residual.lines
    own = {"": 1.0, "high": 1.25, "low": 0.8, "very low": 0.6}[resource]
    assert {ln.hazard.factors["M"][0] for ln in untouched if ln.owner.key == data.key} == {own}
    finding = next(line.finding for line in lines if line.owner.key == data.key)
    for reach in store.explain_finding(scan.id, finding).services:
        assert reach.hazard.factors["M"][0] == (factor if reach.service.key == nb.key else own)
    accept(
        store,
        next(ln.finding for ln in lines if ln.rule == "nb-root" and ln.owner.key == data.key),
        clock,
    )
    check(finding_score(1.2))  # An accepted part keeps its combination, and no plan takes it away.


def test_names_and_values_are_read_without_regard_to_case() -> None:
    assert level_of('{"CRITICALITY":" Very_High "}', "Criticality") == "very_high"
    assert level_of('{"criticality":"high"}', "tier") == "normal"
    assert level_of('{"criticality":"high"}', "") == "normal"
    assert level_of("{}", "criticality") == "normal"


def test_an_older_cache_is_weighed_as_before(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "old.db"
    with Store.open(path, clock=clock) as store:
        scan = save(store, estate({}), clock)
        before = hazards(store, scan)
    with sqlite3.connect(path) as connection:
        unshare(connection)
        connection.execute("ALTER TABLE state DROP COLUMN criticality")
        connection.execute("ALTER TABLE closure DROP COLUMN scale")
        for column in ("saved", "fed"):
            connection.execute(f"ALTER TABLE service DROP COLUMN {column}")
        connection.execute(
            "DELETE FROM _sqlite_migrations WHERE name BETWEEN '0005' AND '0007_past_scores'"
        )
        connection.execute("PRAGMA user_version = 4")
    with Store.open(path, clock=clock) as store:
        assert hazards(store, scan) == before
        later = hazards(store, save(store, estate({"criticality": "high"}), clock))
        assert later == pytest.approx({finding: 1.25 * h for finding, h in before.items()})
        assert hazards(store, scan) == before, "older scans stay as they were weighed"


def test_the_name_is_a_setting(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    assert load(path).criticality_tag == "criticality"
    for name in ("business-tier", ""):
        path.write_text(f'criticality_tag = "{name}"\n', encoding="utf-8")
        assert load(path).criticality_tag == name
    path.write_text("criticality_tag = 3\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="criticality_tag must be a text"):
        load(path)
