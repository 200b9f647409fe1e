"""Trends over saved scans, and changes taken apart so that the parts add up."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.undercroft.store_kit import (
    ALL_COVERED,
    RULES,
    Clock,
    Estate,
    accept,
    bucket,
    covered,
    fail,
    key,
    notebook,
    only,
    part,
    poisoned,
    save,
    tower_estate,
    undo,
)
from tui.screens.overview import change_text
from undercroft.feeds import KEV, ParsedFeed
from undercroft.model import LAYERS, Coverage, CoverageStatus, Presence, Severity
from undercroft.relations import Relation
from undercroft.risk.trends import CAUSES, Change, Entry, attribute, sparkline
from undercroft.store import Store, read_trends
from undercroft.views import Query

NB = key("sagemaker:notebook-instance", "nb")

entries = st.dictionaries(
    st.sampled_from([f"f{i}" for i in range(12)]),
    st.builds(Entry, st.sampled_from([layer.value for layer in LAYERS]), st.floats(0, 2)),
)


@given(entries, entries, st.randoms(use_true_random=False))
def test_the_parts_add_up(
    before: dict[str, Entry], after: dict[str, Entry], random: object
) -> None:
    names = {f"f{i}": random.choice(CAUSES) for i in range(12)}  # type: ignore[attr-defined]
    first, last, causes = attribute(before, after, names.__getitem__)
    assert math.isclose(first + sum(cause.points for cause in causes), last, abs_tol=1e-9)
    changed = [f for f in names if before.get(f) != after.get(f)]
    assert sum(cause.findings for cause in causes) == len(changed)


def test_sparkline() -> None:
    assert sparkline([0, 50, 100], 5, 100.0) == "▁▅█"
    assert sparkline([None, 10, None], 5) == " █ "
    assert sparkline([0.0, 0.0], 5) == "▁▁"
    assert sparkline(range(100), 3, 99.0) == "███"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[tuple[Store, Clock]]:
    clock = Clock()
    with Store.open(tmp_path / "u.db", clock=clock) as opened:
        yield opened, clock


def causes(change: Change | None) -> dict[str, int]:
    assert change is not None
    moved = sum(cause.points for cause in change.causes)
    assert math.isclose(moved, change.after - change.before, abs_tol=0.06)
    return {cause.name: cause.findings for cause in change.causes}


def test_what_moved_a_score(store: tuple[Store, Clock]) -> None:
    cache, clock = store
    first = save(cache, tower_estate(), clock)
    assert cache.change_of(first.id, NB) is None
    assert cache.change_of_all(first.id) is None

    estate = tower_estate()
    nb, data, identity = estate.resources
    estate.answers[data.key] = []  # repaired
    estate.answers[identity.key].append(fail(identity, "role-admin", at={"policy": "second"}))
    second = save(cache, estate, clock, pack="pack-2")
    change = cache.change_of(second.id, NB)
    assert causes(change) == {"fixed": 1, "new": 1}
    assert change is not None
    assert change.after == cache.services(second.id, Query())[0].score
    assert causes(cache.change_of_all(second.id)) == {"fixed": 1, "new": 1}

    accept(cache, only(cache.findings(second.id, Query()), "nb-root").id, clock)
    assert causes(cache.change_of(second.id, NB)) == {"fixed": 1, "new": 1, "decision": 0}
    assert nb.key == NB


def test_what_is_not_taken_apart_is_said(
    store: tuple[Store, Clock], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, clock = store
    save(cache, Estate(), clock)
    estate = Estate()
    for number in range(5):
        nb = notebook(f"nb{number}")
        # Each worse than the one before it.
        estate.add(nb, *(fail(nb, at={"port": str(port)}) for port in range(number + 1)))
    scan = save(cache, estate, clock, pack="pack-2")
    every = cache.change_of_all(scan.id)
    assert every is not None
    assert every.left_out == 0
    assert "not in the causes" not in change_text(every).plain
    assert causes(every) == {"new": 15}

    monkeypatch.setattr(read_trends, "_MOST", 2)
    some = cache.change_of_all(scan.id)
    assert some is not None
    assert some.left_out == 3
    assert (some.before, some.after) == (every.before, every.after)
    worst = sorted((row.score for row in cache.services(scan.id, Query())), reverse=True)[:2]
    (cause,) = some.causes
    assert cause.findings == 9
    assert cause.points == pytest.approx(sum(worst))
    assert change_text(some).plain.endswith("; not in the causes: 3 services that moved less")


CVE = "CVE-2026-1111"


def kev(*cves: str) -> ParsedFeed:
    return ParsedFeed(KEV, "1", "2026-11-18", dict.fromkeys(cves, "2026-10-01"))


def hole() -> Sequence[Coverage]:
    """Buckets could not be listed."""
    return [one for one in ALL_COVERED if one.collector != "aws.s3"] + [
        covered("aws.s3", CoverageStatus.DENIED, "AccessDenied", lists=())
    ]


def flawed(*, combined: bool = False) -> Estate:
    """The notebook's tower with a CVE in what it stands on; ``combined``: exploitable, it is toxic."""
    estate = tower_estate()
    nb, data, _ = estate.resources
    estate.answers[data.key].append(fail(data, "cve", cve=CVE))
    if combined:
        made = fail(nb, "toxic", Severity.CRITICAL)
        evidence = (part(0, data.key, ["trait:vuln"]), part(1, nb.key, ["nb-root"]))
        estate.combinations[nb.key] = [replace(made, evidence=evidence, weight=0.9)]
    return estate


def without(estate: Estate, name: str) -> Estate:
    """Nothing stands on the resource of that name any more."""
    estate.edges = [edge for edge in estate.edges if not edge.dst.endswith(name)]
    return estate


def unanswered(estate: Estate) -> Estate:
    """The bucket could not be read; what named it could."""
    data = estate.resources[1]
    estate.resources[1] = replace(data, presence=Presence.STUB)
    estate.answers[data.key] = []
    return estate


def unlisted(estate: Estate) -> Estate:
    """The bucket and what it is used for were hidden."""
    data = estate.resources.pop(1)
    del estate.answers[data.key]
    estate.edges = [edge for edge in estate.edges if edge.dst != data.key]
    estate.coverage = hole()
    return estate


def wider() -> Estate:
    """The notebook's tower and a bucket in a region that the other scans do not ask for."""
    estate = tower_estate()
    far = bucket("far", region="eu-west-1")
    estate.add(far, fail(far, "bucket-public"))
    estate.link(estate.resources[0], far, Relation.READS_DATA_FROM, "config.Far")
    estate.coverage = [*ALL_COVERED, covered("aws.s3", lists=(), location="eu-west-1")]
    return estate


def clean(estate: Estate, name: str) -> Estate:
    """Nothing is wrong with the resource of that name."""
    estate.answers[next(key for key in estate.answers if key.endswith(name))] = []
    return estate


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (tower_estate(), tower_estate(), {}),
        (clean(tower_estate(), "train"), tower_estate(), {"new": 1}),
        (tower_estate(), clean(tower_estate(), "train"), {"fixed": 1}),
        (without(tower_estate(), "exec"), tower_estate(), {"structure": 1}),
        (tower_estate(), without(tower_estate(), "exec"), {"structure": 1}),
        (unanswered(tower_estate()), tower_estate(), {"coverage": 1}),
        (unlisted(tower_estate()), tower_estate(), {"coverage": 1}),
        (tower_estate(), wider(), {"coverage": 1}),
        # A combination moved by what it is made of.
        (clean(poisoned(), "train"), poisoned(), {"new": 2}),
        (without(poisoned(), "train"), poisoned(), {"structure": 2}),
        (unlisted(poisoned()), poisoned(), {"coverage": 2}),
        (poisoned(), clean(poisoned(), "train"), {"fixed": 2}),
        (poisoned(), without(poisoned(), "train"), {"structure": 2}),
    ],
)  # fmt: skip
def test_every_cause_of_a_scan(
    store: tuple[Store, Clock], before: Estate, after: Estate, expected: dict[str, int]
) -> None:
    cache, clock = store
    for estate in (before, after):
        bare = any(not answers for answers in estate.answers.values()) or len(estate.edges) < 2
        if bare or len(estate.resources) < 3:
            estate.combinations = {}
    save(cache, before, clock)
    scan = save(cache, after, clock, pack="pack-2")
    assert causes(cache.change_of(scan.id, NB)) == expected
    assert causes(cache.change_of_all(scan.id)) == expected


def test_rules_that_ask_something_new_or_no_longer(store: tuple[Store, Clock]) -> None:
    cache, clock = store
    fewer = {name: version for name, version in RULES.items() if name != "role-admin"}
    save(cache, clean(tower_estate(), "exec"), clock, rules=fewer)
    more = save(cache, tower_estate(), clock, pack="pack-2")
    assert causes(cache.change_of(more.id, NB)) == {"rules": 1}
    estate = tower_estate()
    key_ = estate.resources[2].key
    estate.answers[key_] = [replace(estate.answers[key_][0], severity=Severity.CRITICAL)]
    again = save(cache, estate, clock, pack="pack-3", rules={**RULES, "role-admin": "2"})
    assert causes(cache.change_of(again.id, NB)) == {"rules": 1}


def test_decisions_since_the_scan_before(store: tuple[Store, Clock]) -> None:
    """They hold in saved scans too; what those were when they were saved is what is compared with."""
    cache, clock = store
    first = save(cache, tower_estate(), clock)
    then = cache.services(first.id, Query())[0].score
    accepted = accept(cache, only(cache.findings(first.id, Query()), "nb-root").id, clock)
    held = cache.services(first.id, Query())[0].score
    second = save(cache, tower_estate(), clock)
    change = cache.change_of(second.id, NB)
    assert causes(change) == {"decision": 0}
    assert change is not None
    assert (change.before, change.after) == (then, held)
    points = cache.trend(second.id)
    assert [point.total for point in points] == [then, held]
    assert cache.trends_of(second.id, [NB])[NB] == [then, held]
    undo(cache, accepted.id, clock)
    third = save(cache, tower_estate(), clock)
    change = cache.change_of(third.id, NB)
    assert causes(change) == {"decision": 0}
    assert change is not None
    assert (change.before, change.after) == (held, then)


def test_feeds_since_the_scan_before(store: tuple[Store, Clock]) -> None:
    cache, clock = store
    first = save(cache, flawed(), clock)
    plain = cache.services(first.id, Query())[0].score
    cache.import_feed(kev(CVE))
    accept(cache, only(cache.findings(first.id, Query()), "nb-root").id, clock)
    second = save(cache, flawed(combined=True), clock)
    change = cache.change_of(second.id, NB)
    # The flaw weighs more, and what it is a part of has become toxic: one finding, not a new one.
    assert causes(change).keys() == {"feed", "decision"}
    assert change is not None
    assert change.before == plain
    assert {cause.name: cause.findings for cause in change.causes} == {"feed": 1, "decision": 0}
    assert causes(cache.change_of_all(second.id)) == causes(change)
    # And back: not a repair.
    cache.import_feed(kev("CVE-2020-0001"))
    third = save(cache, flawed(), clock)
    assert causes(cache.change_of(third.id, NB)) == {"feed": 1}


def test_trends_have_gaps_where_a_service_was_not_there(store: tuple[Store, Clock]) -> None:
    cache, clock = store
    save(cache, tower_estate(), clock)
    estate = tower_estate()
    estate.link(estate.resources[0], estate.resources[1], Relation.WRITES_TO, "config.Y")
    second = save(cache, estate, clock)
    points = cache.trend(second.id)
    assert [point.services for point in points] == [1, 1]
    assert points[-1].total == cache.services(second.id, Query())[0].score
    assert cache.trends_of(second.id, [NB, "unknown"])["unknown"] == [None, None]
    assert all(cache.trends_of(second.id, [NB])[NB])
