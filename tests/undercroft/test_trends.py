"""Trends over saved scans, and changes taken apart so that the parts add up."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.undercroft.store_kit import (
    RULES,
    Clock,
    Estate,
    accept,
    fail,
    key,
    notebook,
    only,
    save,
    tower_estate,
)
from tui.screens.overview import change_text
from undercroft.model import LAYERS
from undercroft.relations import Relation
from undercroft.risk.trends import CAUSES, Change, Entry, attribute, sparkline
from undercroft.store import Store, read_trends
from undercroft.views import Query

NB = key("sagemaker:notebook-instance", "nb")

entries = st.dictionaries(
    st.sampled_from([f"f{i}" for i in range(12)]),
    st.builds(Entry, st.sampled_from([layer.value for layer in LAYERS]), st.floats(0, 2)),
)


@settings(deadline=None)
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
    assert causes(cache.change_of(second.id, NB))["fixed"] == 1
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


def test_a_decision_a_new_rule_and_another_shape(store: tuple[Store, Clock]) -> None:
    cache, clock = store
    estate = tower_estate()
    nb, data, identity = estate.resources
    without = {name: version for name, version in RULES.items() if name != "cve"}
    first = save(cache, estate, clock, rules=without)
    accept(cache, only(cache.findings(first.id, Query()), "nb-root").id, clock)
    assert cache.change_of(first.id, NB) is None

    estate = tower_estate()
    estate.answers[data.key].append(fail(data, "cve", cve="CVE-2024-0001"))
    estate.edges = [edge for edge in estate.edges if edge.dst != identity.key]
    second = save(cache, estate, clock, pack="pack-2")
    # The acceptance holds in both scans, so it moved nothing.
    assert causes(cache.change_of(second.id, NB)) == {"rules": 1, "structure": 1}
    assert nb.key == NB


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
