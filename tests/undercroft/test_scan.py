"""The pipeline on a real store, with small real collectors and a small real judge."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from tests.undercroft.scan_kit import (
    SCOPE,
    TOKEN,
    Denied,
    Endless,
    Failing,
    Fixed,
    Planless,
    Roles,
    Services,
    SmallJudge,
    TimedJudge,
    clock_at_noon,
    key_of,
    thing,
)
from undercroft.model import (
    Coverage,
    CoverageStatus,
    Edge,
    Layer,
    Presence,
    Resource,
)
from undercroft.protocols import (
    Cancelled,
    Collector,
    Meter,
    Progress,
    Target,
)
from undercroft.relations import Relation
from undercroft.scan import run_scan
from undercroft.scan.estate import Estate
from undercroft.scan.stubs import stub_of
from undercroft.scan.unit import run_unit
from undercroft.store import Store
from undercroft.views import Query, ScanRow


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "cache.db", clock=clock_at_noon)
    yield opened
    opened.close()


def _scan(
    store: Store, *collectors: Collector, judge: SmallJudge | None = None, **more: Any
) -> ScanRow:
    settings: dict[str, Any] = {"clock": clock_at_noon, "jobs": 2, **more}
    return run_scan(store, collectors, judge or SmallJudge(), SCOPE, **settings)


def _findings(store: Store, scan: ScanRow) -> set[tuple[str, str, str]]:
    rows = store.findings(scan.id, Query())
    return {(row.rule, row.resource_name, row.status) for row in rows}


ALL = {
    ("secret", "churn", "open"),
    ("admin-role", "exec", "open"),
    ("combo", "churn", "open"),
}


def test_stages_read_link_judge_and_combine(store: Store) -> None:
    judge = SmallJudge()
    row = _scan(store, Roles(), Services(), judge=judge, name="first")
    assert (row.name, row.state) == ("first", "complete")
    assert row.calls == 2
    assert row.services == 1
    assert _findings(store, row) == ALL
    assert judge.services == [key_of("sm:endpoint", "churn")]
    # The image and the bucket were named and never read: stubs made from their keys.
    image = store.resource(row.id, "image/docker.io/library/trainer").resource
    assert (image.presence, image.layer) == (Presence.STUB, Layer.CONTAINER)
    assert (image.type, image.provider) == ("container:image", "aws")
    bucket = store.resource(row.id, key_of("s3:bucket", "train")).resource
    assert (bucket.presence, bucket.layer) == (Presence.STUB, Layer.STORAGE)
    role = store.resource(row.id, key_of("iam:role", "exec")).resource
    assert role.presence is Presence.READ
    units = {(c.collector, c.status) for c in store.coverage(row.id)}
    assert units == {
        ("aws.services", CoverageStatus.COMPLETE),
        ("aws.iam", CoverageStatus.COMPLETE),
    }


def test_an_answer_that_holds_is_not_asked_for_again(store: Store) -> None:
    endpoint = key_of("sm:endpoint", "churn")
    expected = [
        # (minutes after noon, asked, looked at for what depends on the time, what is open)
        (0, {endpoint, key_of("iam:role", "exec")}, {endpoint}, 1),
        (30, set(), set(), 1),
        (59, set(), set(), 1),
        (60, {endpoint}, {endpoint}, 0),
        (600, set(), set(), 0),
        # To a clock that was set back, what was said later is no answer.
        (50, {endpoint}, {endpoint}, 0),
    ]
    for minutes, asked, looked, found in expected:
        judge = TimedJudge()
        now = clock_at_noon() + timedelta(minutes=minutes)
        row = _scan(store, Roles(), Services(), judge=judge, clock=lambda now=now: now)
        read = {key for key in judge.asked if not key.startswith("image/") and "s3" not in key}
        assert (read, set(judge.looked), row.findings) == (asked, looked, found), minutes


def test_combinations_are_told_of_answers_that_hold(store: Store) -> None:
    first = _scan(store, Roles(), Services())
    judge = SmallJudge()
    again = _scan(store, Roles(), Services(), judge=judge)
    assert not [key for key in judge.asked if "iam" in key or "endpoint" in key]
    assert _findings(store, first) == _findings(store, again) == ALL


def test_secrets_never_reach_the_cache(store: Store, tmp_path: Path) -> None:
    _scan(store, Services(), Failing())
    store.close()
    for file in tmp_path.iterdir():
        assert TOKEN.encode() not in file.read_bytes()


def test_a_denied_unit_makes_the_scan_partial(store: Store) -> None:
    row = _scan(store, Services(), Denied())
    assert row.state == "partial"
    denied = next(c for c in store.coverage(row.id) if c.collector == "aws.s3")
    assert denied.reason == "denied: needs s3:ListAllMyBuckets"


def test_a_failing_unit_costs_only_itself(store: Store) -> None:
    row = _scan(store, Failing(), Services(), Roles())
    assert _findings(store, row) == ALL
    broken = next(c for c in store.coverage(row.id) if c.collector == "aws.failing")
    assert broken.status is CoverageStatus.ERROR
    assert broken.reason.startswith("ValueError while reading aws.failing in 1 r: bad page")
    assert TOKEN not in broken.reason
    assert "redacted:huggingface-token" in broken.reason
    # What it had read before it broke is kept.
    kept = store.resource(row.id, key_of("ec2:instance", "i-1")).resource
    assert kept.presence is Presence.READ


def test_a_collector_that_cannot_plan_is_one_gap(store: Store) -> None:
    row = _scan(store, Planless(), Services())
    gap = next(c for c in store.coverage(row.id) if c.collector == "aws.planless")
    assert (gap.status, gap.scope, gap.location) == (CoverageStatus.ERROR, "1", "-")
    assert gap.reason == "OSError while reading aws.planless in 1 -: no route"


def test_cancelling_in_the_middle_of_a_unit(store: Store) -> None:
    first = _scan(store, Services(), Roles())
    stop, started = threading.Event(), threading.Event()
    events: list[Progress] = []

    def listen(event: Progress) -> None:
        events.append(event)
        if event.kind == "unit_progress":
            stop.set()

    before = threading.active_count()
    with pytest.raises(Cancelled):
        _scan(store, Endless(started), cancelled=stop, progress=listen)
    assert threading.active_count() == before
    assert events[-1].kind == "cancelled"
    # The scan is on record, the earlier one as it was.
    newest = store.scans()[0]
    assert (newest.state, newest.resources) == ("interrupted", 0)
    assert store.scan().id == first.id
    assert _findings(store, first) == ALL


def test_cancelling_while_judging(store: Store) -> None:
    stop = threading.Event()
    judge = SmallJudge(on_judge=stop.set)
    with pytest.raises(Cancelled):
        _scan(store, Services(), Roles(), judge=judge, cancelled=stop)
    assert [row.state for row in store.scans()] == ["interrupted"]


def test_cancelled_before_it_began(store: Store) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        _scan(store, Services(), cancelled=stop)
    assert [row.state for row in store.scans()] == ["interrupted"]


def test_any_other_exception_leaves_an_interrupted_scan(store: Store) -> None:
    first = _scan(store, Services(), Roles())

    def fall() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _scan(store, Services(), judge=SmallJudge(on_judge=fall))
    assert [row.state for row in store.scans()] == ["interrupted", "complete"]
    assert store.scan().id == first.id


def test_an_interrupt_inside_a_unit_stops_the_others(store: Store) -> None:
    started = threading.Event()
    with pytest.raises(KeyboardInterrupt):
        _scan(store, Endless(started), Failing(KeyboardInterrupt()), jobs=4)
    assert [row.state for row in store.scans()] == ["interrupted"]


def test_progress_tells_units_and_phases(store: Store) -> None:
    events: list[Progress] = []
    names = tuple(f"s{i:03}" for i in range(60))
    _scan(store, Services(names), Roles(), Denied(), progress=events.append)
    kinds = [event.kind for event in events]
    assert kinds[0] == "planned"
    assert kinds[-1] == "done"
    assert kinds.index("judging") < kinds.index("saving")
    assert kinds.count("planned") == kinds.count("unit_started") == kinds.count("unit_done") == 3
    assert "unit_progress" in kinds
    ended = {event.collector: event for event in events if event.kind == "unit_done"}
    assert ended["aws.s3"].status is CoverageStatus.DENIED
    assert ended["aws.s3"].reason.startswith("denied")
    assert ended["aws.services"].calls == 60
    assert ended["aws.services"].resources == 120
    assert ended["aws.iam"].done == ended["aws.iam"].total == 3


def test_units_run_in_other_processes(store: Store) -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        row = _scan(store, Services(), Roles(), Failing(), executor=executor)
    assert _findings(store, row) == ALL
    assert row.calls == 2
    broken = next(c for c in store.coverage(row.id) if c.collector == "aws.failing")
    assert broken.reason.startswith("ValueError while reading")


def test_what_cannot_be_sent_to_another_process_is_a_gap(store: Store) -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        row = _scan(store, Endless(threading.Event()), executor=executor)
    assert row.state == "failed"
    assert {c.status for c in store.coverage(row.id)} == {CoverageStatus.ERROR}


def test_an_executor_of_the_caller_is_left_running(store: Store) -> None:
    with ThreadPoolExecutor(2) as executor:
        _scan(store, Services(), executor=executor)
        assert executor.submit(int, "7").result() == 7


def test_an_executor_that_takes_no_work_is_a_gap(store: Store) -> None:
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    row = _scan(store, Services(), executor=executor)
    assert row.state == "failed"


def test_a_second_scan_uses_old_answers_and_still_combines(store: Store) -> None:
    _scan(store, Services(), Roles())
    second = _scan(store, Services(), Roles())
    assert _findings(store, second) == ALL
    third = _scan(store, Services(), Roles(admin=False))
    assert _findings(store, third) == {
        ("secret", "churn", "open"),
        ("admin-role", "exec", "fixed"),
        ("combo", "churn", "fixed"),
    }


def test_orphans_of_the_service_layer_become_services(store: Store) -> None:
    alone = thing("sm:domain", "alone", Layer.SERVICE)
    above = thing("sm:endpoint", "above", Layer.SERVICE, service=True)
    below = thing("sm:variant", "below", Layer.SERVICE)
    lineage = thing("sm:job", "made", Layer.SERVICE)
    named = thing("sm:model", "named", Layer.SERVICE, Presence.STUB)
    row = _scan(
        store,
        Fixed(
            (
                alone, above, below, lineage, named,
                Edge(above.key, below.key, Relation.SAME_WORKLOAD, "x"),
                Edge(above.key, lineage.key, Relation.PRODUCES, "x"),
            )
        ),
    )  # fmt: skip
    assert {service.name for service in store.services(row.id, Query())} == {
        "alone",
        "above",
        "made",
    }


def test_a_unit_without_a_word_of_its_own_is_complete_but_proves_nothing_gone() -> None:
    result = run_unit(Fixed(()), Target("aws.fixed", "aws", "1", "r"), b"salt")
    assert result.items == [Coverage("aws", "1", "r", "aws.fixed", CoverageStatus.COMPLETE, "", ())]
    assert (result.status, result.resources, result.cancelled) == (
        CoverageStatus.COMPLETE,
        0,
        False,
    )


def test_a_unit_stops_between_items() -> None:
    meter = Meter(cancelled=lambda: True)
    items = (thing("x:y", "a", Layer.VM),)
    result = run_unit(Fixed(items), Target("c", "aws", "1", "r"), b"salt", meter)
    assert result.cancelled
    assert result.items == []


def test_estate_keeps_the_better_of_two_readings() -> None:
    estate = Estate()
    stub = thing("iam:role", "r", Layer.IDENTITY, Presence.STUB)
    blind = replace(stub, presence=Presence.READ, unknown={"config": "denied"}, collector="b")
    read = replace(stub, presence=Presence.READ, collector="b")
    twin = replace(read, collector="a")
    assert list(estate.take([stub])) == [stub]
    assert estate.wanted() == [stub]
    assert list(estate.take([blind, stub, read, blind, read, twin])) == [blind, read, twin]
    assert estate.wanted() == []
    assert len(estate) == 1


@pytest.mark.parametrize("turned", [False, True])
def test_a_stub_that_somebody_went_to_look_at_outweighs_a_mere_reference(turned: bool) -> None:
    named = thing("s3:bucket", "theirs", Layer.STORAGE, Presence.STUB)
    seen = replace(
        named,
        collector="aws.s3",
        facts={"foreign_owned": True},
        unknown={"config": "the bucket belongs to another account"},
    )
    estate = Estate()
    kept = {}
    for item in estate.take([seen, named] if turned else [named, seen]):
        assert isinstance(item, Resource)
        kept[item.key] = item
    assert kept == {named.key: seen}


def test_estate_offers_every_way_in_which_a_stub_was_described() -> None:
    estate = Estate()
    edge = Edge("aws/aws/1/r/sm/e/x", "image/h/repo", Relation.RUNS_IMAGE, "Image")
    list(estate.take([edge]))
    made = estate.link()
    assert {stub.key for stub in made} == {edge.src, edge.dst}
    assert estate.link() == []
    one = replace(made[0], facts={"references": [{"tag": "1"}]})
    other = replace(made[0], facts={"references": [{"tag": "2"}]})
    assert list(estate.take([one, other, one])) == [one]
    assert [stub for stub in estate.wanted() if stub.key == one.key] == [one, other]
    gone = replace(one, presence=Presence.ABSENT)
    assert list(estate.take([gone])) == [gone]
    assert one.key not in {stub.key for stub in estate.wanted()}


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (
            "aws/aws/1/eu-west-1/iam/role/path/name",
            ("aws", "1", "eu-west-1", "iam:role", "path/name"),
        ),
        (
            "gcp/proj/aiplatform.googleapis.com/europe-west4/endpoints/7",
            ("gcp", "proj", "europe-west4", "aiplatform.googleapis.com/endpoints", "7"),
        ),
        (
            "azure/subscriptions/s/resourcegroups/g/providers/microsoft.x/things/n",
            ("azure", "s", "-", "microsoft.x/things", "n"),
        ),
        ("image/docker.io/library/python", ("aws", "-", "-", "container:image", "library/python")),
        ("odd", ("aws", "-", "-", "odd", "odd")),
        ("aws/short", ("aws", "-", "-", "aws", "short")),
    ],
)
def test_stubs_say_what_their_key_tells(key: str, expected: tuple[str, ...]) -> None:
    stub = stub_of(key, Edge("above", key, Relation.USES_IDENTITY, "x"), "aws")
    assert (stub.provider, stub.account, stub.region, stub.type, stub.name) == expected
    assert stub.presence is Presence.STUB
    assert stub.layer is Layer.IDENTITY
