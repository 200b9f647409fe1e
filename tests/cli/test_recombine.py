"""Feeds and combinations: what is exploited completes one, in the newest scan and in later ones."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from rules import Engine, load_pack
from tests.cli.conftest import Command
from tests.undercroft.store_kit import Clock, bucket, covered, thing
from tui import wiring
from tui.settings import Settings
from undercroft.feeds import EPSS, KEV, ParsedFeed
from undercroft.model import Edge, Json, Layer, Resource
from undercroft.protocols import Collected, Meter, Scope, Target
from undercroft.relations import Relation
from undercroft.risk import RiskModel
from undercroft.scan import run_scan
from undercroft.store import Store
from undercroft.store.recombine import Recombined
from undercroft.triage.decide import Triage
from undercroft.views import Query, ScanRow

CVE = "CVE-2026-4242"
TOXIC = "aws-toxic-exposed-vulnerable-sensitive"
TITLE = "Exposed service on vulnerable code above sensitive data"
TITLES = (TITLE, "Reachable from outside and running exploitable code")
HOST = thing("ec2:ai-instance", "gpu", service=True)
CLOCK = Clock()


@dataclass
class Reading:
    """An open AI host above sensitive data, on an image with one vulnerability."""

    cvss: float = 9.1
    name: str = "aws.sagemaker"
    stage: int = 0

    def targets(self, scope: Scope, wanted: Sequence[Resource]) -> Iterator[Target]:
        yield Target(self.name, "aws", "111122223333", "us-east-1")

    def collect(self, target: Target, meter: Meter) -> Iterator[Collected]:
        flaw: dict[str, Json] = {
            "id": CVE,
            "severity": "high",
            "package": "x",
            "cvss": self.cvss,
            "vector": None,
        }
        data = replace(bucket(), facts={"sensitive": True})
        ports: dict[str, Json] = {
            "protocol": "tcp",
            "from_port": 8888,
            "to_port": 8888,
            "cidr": "0.0.0.0/0",
        }
        wall = thing("ec2:security-group", "sg", Layer.NETWORK)
        image = thing("ecr:image", "trainer", Layer.CONTAINER)
        yield HOST
        yield replace(wall, facts={"open_ingress": [ports]})
        yield replace(image, facts={"vulnerabilities": [flaw], "owner": "aws", "frameworks": []})
        yield data
        yield Edge(HOST.key, wall.key, Relation.PROTECTED_BY, "x")
        yield Edge(HOST.key, image.key, Relation.RUNS_IMAGE, "x")
        yield Edge(HOST.key, data.key, Relation.READS_DATA_FROM, "x")
        yield covered(lists=("ec2:ai-instance",))


@pytest.fixture(scope="module")
def judge() -> Engine:
    return Engine(load_pack())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "u.db", clock=CLOCK) as opened:
        yield opened


def scan(store: Store, judge: Engine, cvss: float = 9.1) -> ScanRow:
    return run_scan(store, [Reading(cvss)], judge, Scope("aws"), clock=CLOCK)


def toxic(store: Store, row: ScanRow) -> list[str]:
    found = store.findings(row.id, Query())
    return [one.status for one in found if one.rule == TOXIC]


def kev(*names: str) -> ParsedFeed:
    return ParsedFeed(KEV, "1", "2026-11-18", dict.fromkeys(names, "2026-10-01"))


def epss(value: float) -> ParsedFeed:
    return ParsedFeed(EPSS, "1", "2026-11-18", {CVE: value})


def test_kev_completes_a_combination_and_another_one_breaks_it(store: Store, judge: Engine) -> None:
    first = scan(store, judge)
    assert toxic(store, first) == []
    assert store.combine_again(judge) == Recombined(), "nothing has changed"
    before = store.services(first.id, Query())[0]

    store.import_feed(kev(CVE))
    assert store.combine_again(judge) == Recombined(appeared=TITLES)
    assert toxic(store, first) == ["open"]
    after = store.services(first.id, Query())[0]
    assert after.score > before.score
    assert after.combinations == before.combinations + 2
    assert store.scan().findings == first.findings + 2
    bill = store.explain_service(first.id, HOST.key).residual
    assert any(line.rule == TOXIC and line.points > 0 for line in bill.lines)
    assert store.combine_again(judge) == Recombined(), "the second time says the same"

    # Its parts are found again: a false positive among them ends it, at once.
    (cve,) = [one for one in store.findings(first.id, Query()) if one.rule == "cve"]
    triage = Triage(store, actor="me", clock=CLOCK)
    triage.false_positive(
        [cve.id], reason="not in the image at all", category="bad_data", scan_id=first.id
    )
    assert toxic(store, first) == ["false_positive"]
    triage.undo()
    assert toxic(store, first) == ["open"]

    later = scan(store, judge)
    assert toxic(store, later) == ["open"], "a later scan knows it when it judges"
    assert store.combine_again(judge) == Recombined()
    store.import_feed(kev("CVE-2026-1"))
    assert store.combine_again(judge) == Recombined(ended=TITLES)
    assert toxic(store, later) == ["fixed"]


@pytest.mark.parametrize(
    ("cvss", "probability", "expected"),
    [(9.1, 0.1, ["open"]), (9.0, 0.5, ["open"]), (9.1, 0.09, []), (8.9, 0.9, [])],
)
def test_a_dangerous_one_that_is_likely_counts_too(
    store: Store, judge: Engine, cvss: float, probability: float, expected: list[str]
) -> None:
    first = scan(store, judge, cvss)
    store.import_feed(epss(probability))
    store.combine_again(judge)
    assert toxic(store, first) == expected
    # The answer about the image is not given anew, and what feeds say is added to it.
    assert toxic(store, scan(store, judge, cvss)) == expected


def test_a_first_scan_uses_what_was_imported_before(store: Store, judge: Engine) -> None:
    assert store.combine_again(judge) == Recombined(), "there is no scan yet"
    store.import_feed(kev(CVE))
    assert toxic(store, scan(store, judge)) == ["open"]


def test_other_rules_leave_it_as_it_is(store: Store, judge: Engine) -> None:
    first = scan(store, judge)
    store.import_feed(kev(CVE))
    other = Engine(load_pack())
    other.version = "another"
    assert store.combine_again(other) == Recombined(other_rules=True)
    assert toxic(store, first) == []


def test_the_import_says_what_appeared(
    fresh_undercroft: Command, tmp_path: Path, judge: Engine
) -> None:
    db, file = tmp_path / "u.db", tmp_path / "kev.json"
    with Store.open(db, clock=CLOCK) as store:
        scan(store, judge)
    named = {"cveID": CVE, "dateAdded": "2026-10-01"}
    document = {"catalogVersion": "1", "dateReleased": "2026-11-18", "vulnerabilities": [named]}
    file.write_text(json.dumps(document), encoding="utf-8")
    said = fresh_undercroft("feeds", "import", file, "--db", db).err
    assert f"2 combinations appeared in the latest scan:\n  {TITLE}\n  {TITLES[1]}\n" in said
    assert "combination" not in fresh_undercroft("feeds", "import", file, "--db", db).err


@pytest.mark.parametrize(
    ("policy", "holds"),
    [
        ({"exploitable": {"epss": 0.04}}, True),
        ({"exploitable": {"epss": 0.04, "cvss": 9.2}}, False),
        ({"exploitable": {"epss": 0.04}, "relations": {"runs_image": 0.05}}, False),
        ({"bands": {"high": 40}}, False),
    ],
)
def test_other_constants_complete_combinations_as_a_scan_by_them_does(
    store: Store,
    judge: Engine,
    policy: dict[str, dict[str, float]],
    holds: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wiring, "engine", lambda: judge)  # the same one, loaded once
    model = RiskModel.from_policy(policy)
    store.import_feed(epss(0.05))
    first = scan(store, judge)
    before = store.services(first.id, Query())[0].score
    said = wiring.keep_to_model(store, Settings(risk=model))
    assert said.endswith(f"are by risk model {model.name} now, as is set.")
    assert toxic(store, first) == (["open"] if holds else [])
    again = run_scan(store, [Reading()], judge, Scope("aws"), model=model, clock=CLOCK)
    assert toxic(store, again) == toxic(store, first)
    scores = [store.services(row.id, Query())[0].score for row in (first, again)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-9)
    change = store.change_of(again.id, HOST.key)
    assert change is not None
    assert change.causes == (), "it was scored by them before already"
    assert wiring.keep_to_model(store, Settings())
    assert toxic(store, again) == (["fixed"] if holds else [])
    assert store.services(again.id, Query())[0].score == pytest.approx(before, abs=1e-9)
    change = store.change_of(again.id, HOST.key)
    assert change is not None
    assert {cause.name for cause in change.causes} <= {"model"}
    assert bool(change.causes) == (abs(scores[0] - before) > 0.05)
