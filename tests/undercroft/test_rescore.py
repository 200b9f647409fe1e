"""A cache whose constants are changed: the newest scan is scored anew, older ones stay as they are."""

from __future__ import annotations

import math
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.undercroft.store_kit import (
    Clock,
    Estate,
    accept,
    bucket,
    fail,
    key,
    notebook,
    only,
    poisoned,
    save,
    thing,
)
from undercroft.exchange import Head
from undercroft.exchange.explaining import explain_service_document
from undercroft.feeds import EPSS, KEV, ParsedFeed
from undercroft.model import Layer, Severity
from undercroft.relations import Relation
from undercroft.risk import DEFAULT, RiskModel, finding_score
from undercroft.store import ReadOnlyError, Store
from undercroft.views import Query, ScanRow

NB = key("sagemaker:notebook-instance", "nb")
CVES = ("CVE-2026-0001", "CVE-2026-0002", "CVE-2026-0003")
OTHER = RiskModel.from_policy(
    {
        "impact": {"high": 8.4, "unknown": 5.0},
        "threat": {"conditional": 0.6, "epss_missing": 0.5, "public_exploit": 0.7},
        "exposure": {"open": 1.4},
        "criticality": {"high": 1.4, "very_low": 0.5},
        "relations": {"reads_data_from": 0.55, "uses_identity": 0.2, "contained_in": 0.0},
        "sums": {"in_layer": 0.3, "across_layers": 0.45, "cutoff": 0.15},
    }
)
NEARER = RiskModel.from_policy({"threat": {"conditional": 0.65}, "sums": {"in_layer": 0.4}})


def estate() -> Estate:
    """A notebook's tower with a combination, an image with vulnerabilities, tags, and what is far."""
    found = poisoned()
    nb = found.resources[0]
    image = thing("ecr:image", "trainer", Layer.CONTAINER)
    account = thing("aws:account", "prod", Layer.IDENTITY)
    other = notebook("other", tags={"criticality": "high"})
    data = bucket("more", tags={"criticality": "very low"})
    found.add(image, *(fail(image, "cve", cve=cve) for cve in CVES))
    found.add(account, fail(account, "role-admin", Severity.LOW))
    found.add(other, fail(other))
    found.add(
        data, fail(data, "bucket-public", traits=("exposed",)), fail(data, "cve", cve=CVES[0])
    )
    for service in (nb, other):
        found.link(service, image, Relation.RUNS_IMAGE)
        found.link(service, account, Relation.CONTAINED_IN)
    found.link(other, data, Relation.READS_DATA_FROM)
    return found


def fill(store: Store, clock: Clock, model: RiskModel) -> tuple[ScanRow, ScanRow]:
    """Two scans with feeds and an acceptance between them; the second by ``model``."""
    first = save(store, estate(), clock)
    store.import_feed(ParsedFeed(KEV, "1", "2026-11-18", {CVES[0]: "2026-10-01"}))
    store.import_feed(ParsedFeed(EPSS, "1", "2026-11-18", {CVES[1]: 0.3}))
    accept(store, only(store.findings(first.id, Query(service=NB)), "role-admin").id, clock)
    return first, save(store, estate(), clock, model=model)


def derived(path: Path, scan: ScanRow) -> dict[str, list[tuple[Any, ...]]]:
    """All that is worked out of a scan, as it stands in the file."""
    with sqlite3.connect(path) as connection:
        queries = {
            "state": "SELECT finding, status, exposure, hazard, score, services FROM state",
            "closure": "SELECT service, resource, attenuation, hops, edge - (SELECT min(id) FROM "
            "edge WHERE scan = closure.scan), scale FROM closure",
            "weight": "SELECT resource, layer, combined, accepted, total, top FROM weight",
            "tally": "SELECT resource, layer, status, severity, findings FROM tally",
            "standing": "SELECT status, findings, unconfirmed, is_new FROM standing",
            "block": "SELECT service, layer, worst, open, accepted FROM block",
            "service": "SELECT resource, score, inherent, open, combinations, saved FROM service",
        }
        return {
            name: sorted(connection.execute(f"{query} WHERE scan = ?", (scan.id,)), key=repr)
            for name, query in queries.items()
        }


@pytest.mark.parametrize("model", [OTHER, NEARER], ids=["reach too", "weights only"])
def test_it_is_as_if_it_had_been_scanned_so(tmp_path: Path, model: RiskModel) -> None:
    paths = tmp_path / "again.db", tmp_path / "anew.db"
    with Store.open(paths[0], clock=Clock()) as again, Store.open(paths[1], clock=Clock()) as anew:
        older, newer = fill(again, Clock(), DEFAULT)
        _, wanted = fill(anew, Clock(), model)
        kept, version = derived(paths[0], older), again.data_version()
        before = derived(paths[0], newer)
        assert again.is_scored_otherwise(model)
        assert again.score_again(model) is DEFAULT
        assert not again.is_scored_otherwise(model)
        assert again.score_again(model) is None
        assert again.data_version() > version
        found, made = derived(paths[0], newer), derived(paths[1], wanted)
        saved = [[row[-1] for row in side.pop("service")] for side in (found, made)]
        assert found == made
        # What it was when it was saved moves along, so that no change is told twice.
        assert saved[0] == pytest.approx(saved[1], abs=1e-9)
        assert derived(paths[0], older) == kept, "older scans keep their numbers"
        assert [again.model(s.id).digest for s in (older, newer)] == [DEFAULT.digest, model.digest]
        # And back.
        assert again.score_again(DEFAULT) is not None
        back = derived(paths[0], newer)
        for side in (back, before):
            del side["service"]
        assert back == before


def test_a_decision_and_a_feed_weigh_each_scan_by_its_own_model(tmp_path: Path) -> None:
    clock = Clock()
    with Store.open(tmp_path / "u.db", clock=clock) as store:
        older, newer = fill(store, clock, OTHER)
        store.import_feed(ParsedFeed(EPSS, "2", "2026-11-19", {CVES[2]: 0.9}))
        accept(store, only(store.findings(newer.id, Query(service=NB)), "nb-root").id, clock)
        for scan, model in ((older, DEFAULT), (newer, OTHER)):
            by_hand(store, scan, model)
            plan = store.repair_plan(scan.id)
            total = math.fsum(row.score for row in store.services(scan.id, Query()))
            assert plan.total == pytest.approx(total)
            assert plan.first(50)[-1].total == pytest.approx(0.0, abs=1e-6)


def by_hand(store: Store, scan: ScanRow, model: RiskModel) -> None:
    """Every bill of a scan again from its own document, with nothing but its constants."""
    for row in store.services(scan.id, Query()):
        found = store.explain_service(scan.id, row.key)
        head = Head.of(store, scan, "", Clock().now)
        said: dict[str, Any] = explain_service_document(head, found, None)
        assert said["constants"] == {name: dict(of) for name, of in model.table.items()}
        assert set(said["changed"]) == set(model.changes())
        assert said["risk_constants"] == model.digest == store.scan(scan.uid).model
        sums = said["constants"]["sums"]
        for name, score in (("residual", row.score), ("inherent", row.inherent)):
            hazards = []
            for line in said[name]["lines"]:
                product = math.prod(factor["value"] for factor in line["factors"].values())
                alphas = math.prod(step["alpha"] for step in line["path"])
                for step in line["path"]:
                    assert step["alpha"] == said["constants"]["relations"][step["relation"]]
                weight = sums["in_layer"] ** line["k"] * sums["across_layers"] ** line["j"]
                hazards.append(product * alphas * weight)
                assert line["effective"] == pytest.approx(hazards[-1])
            assert finding_score(math.fsum(hazards)) == pytest.approx(score, abs=1e-9)
            assert said[name]["S"] == pytest.approx(score, abs=1e-9)


@pytest.mark.parametrize("model", [OTHER, NEARER], ids=["reach too", "weights only"])
def test_the_change_between_two_models_is_the_models(tmp_path: Path, model: RiskModel) -> None:
    clock = Clock()
    with Store.open(tmp_path / "u.db", clock=clock) as store:
        save(store, estate(), clock)
        second = save(store, estate(), clock)
        assert store.change_of(second.id, NB).causes == ()  # type: ignore[union-attr]
        store.score_again(model)
        change = store.change_of(second.id, NB)
        assert change is not None
        assert [cause.name for cause in change.causes] == ["model"]
        assert change.before + change.causes[0].points == pytest.approx(change.after)
        every = store.change_of_all(second.id)
        assert every is not None
        assert {cause.name for cause in every.causes} == {"model"}
        # The next scan by the same constants has not moved for their sake.
        more = estate()
        more.answers[NB].append(fail(more.resources[0], at={"port": "2"}))
        third = save(store, more, clock, pack="pack-2", model=model)
        change = store.change_of(third.id, NB)
        assert change is not None
        assert [cause.name for cause in change.causes] == ["new"]
        points = [point.scan.model for point in store.trend(third.id)]
        assert points == [DEFAULT.digest, model.digest, model.digest]


def test_what_may_only_be_read_says_so(tmp_path: Path) -> None:
    path = tmp_path / "u.db"
    with Store.open(path, clock=Clock()) as store:
        save(store, estate(), Clock())
    with Store.open(path, read_only=True, clock=Clock()) as store:
        assert store.is_scored_otherwise(OTHER)
        with pytest.raises(ReadOnlyError):
            store.score_again(OTHER)
        assert store.model(store.scan().id).digest == DEFAULT.digest


def test_a_cache_without_scans_has_nothing_to_score(tmp_path: Path) -> None:
    with Store.open(tmp_path / "u.db", clock=Clock()) as store:
        assert not store.is_scored_otherwise(OTHER)
        assert store.score_again(OTHER) is None
