"""Two scans side by side: every class, what adds up, what mirrors, and two caches."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.undercroft.store_kit import (
    RULES,
    Clock,
    Estate,
    blind,
    covered,
    fail,
    notebook,
    save,
    tower_estate,
)
from undercroft.comparison import Comparison
from undercroft.fields import ABSENT, field_changes
from undercroft.model import CoverageStatus, Outcome, Severity
from undercroft.store import Store
from undercroft.triage.compare import FAILS_AFTER, FAILS_BEFORE, Kind, Side, classify
from undercroft.views import Query, ScanRow


def one(
    *,
    failing: bool = True,
    severity: Severity = Severity.HIGH,
    evidence: str = "Enabled",
    incarnation: str | None = None,
    exposed: bool = False,
    unread: str = "",
) -> Estate:
    estate = Estate()
    nb = notebook(
        config={"Root": failing, "Severity": severity.value, "X": evidence, "Open": exposed},
        incarnation=incarnation,
        unknown={"config.RootAccess": unread} if unread else {},
    )
    found = [fail(nb, severity=severity, evidence=evidence, traits=("exposed",) * exposed)]
    estate.add(nb, *(found if failing else []), *([blind(nb, "nb-root", unread)] if unread else []))
    return estate


GONE = Estate()
DENIED = Estate(coverage=[covered(status=CoverageStatus.DENIED, reason="needs sagemaker:List*")])
ELSEWHERE = Estate(coverage=[covered(location="eu-west-1")])
CLEAN = one(failing=False)


@pytest.mark.parametrize(
    ("before", "after", "kind", "reason"),
    [
        ([one()], one(), Kind.PERSISTING, ""),
        ([one()], one(severity=Severity.CRITICAL), Kind.CHANGED, ""),
        ([one()], one(evidence="EnabledForAll"), Kind.CHANGED, ""),
        ([one()], one(exposed=True), Kind.CHANGED, ""),
        ([one()], CLEAN, Kind.FIXED, ""),
        ([one()], GONE, Kind.GONE, ""),
        ([one()], DENIED, Kind.UNCONFIRMED, "denied: needs sagemaker:List*"),
        ([one()], ELSEWHERE, Kind.UNCONFIRMED, "out of scope"),
        ([one()], one(failing=False, unread="denied: needs x:Y"), Kind.UNCONFIRMED, "denied: needs x:Y"),
        ([CLEAN], one(), Kind.NEW, ""),
        ([GONE], one(), Kind.NEW, ""),
        ([one(), CLEAN], one(), Kind.REGRESSED, ""),
        ([one(), CLEAN, GONE], one(), Kind.REGRESSED, ""),
        ([one(), GONE], one(), Kind.NEW, ""),
        ([DENIED], one(), Kind.NEWLY_SEEN, "denied: needs sagemaker:List*"),
        ([ELSEWHERE], one(), Kind.NEWLY_SEEN, "out of scope"),
        ([one(), DENIED], one(), Kind.NEWLY_SEEN, "denied: needs sagemaker:List*"),
        ([one(incarnation="a")], one(incarnation="b"), Kind.RE_CREATED, ""),
        ([one(incarnation="a")], one(), Kind.PERSISTING, ""),
    ],
)  # fmt: skip
def test_every_class(
    store: Store, clock: Clock, before: list[Estate], after: Estate, kind: Kind, reason: str
) -> None:
    older = [save(store, estate, clock) for estate in before][-1]
    newer = save(store, after, clock)
    found = store.compare(older.id, newer.id)
    assert {kind: number for kind, number in found.counts.items() if number} == {kind: 1}
    assert [change.reason for change in found.changes] == [reason] * (kind is not Kind.PERSISTING)


def test_a_change_says_what_and_whether_it_is_worse(store: Store, clock: Clock) -> None:
    scans = [
        save(store, estate, clock)
        for estate in (one(), one(severity=Severity.CRITICAL, evidence="Other"), one(exposed=True))
    ]
    (change,) = store.compare(scans[0].id, scans[1].id).changes
    assert [d.what for d in change.differences] == ["severity", "evidence"]
    assert change.worse
    (change,) = store.compare(scans[1].id, scans[0].id).changes
    assert not change.worse
    (change,) = store.compare(scans[0].id, scans[2].id).changes
    assert [d[:3] for d in change.differences] == [("exposure", "unknown", "open")]
    assert change.worse


def test_a_rule_that_changed_neither_fixes_nor_finds(store: Store, clock: Clock) -> None:
    older = save(store, one(), clock)
    other = Estate()
    other.add(one().resources[0])
    newer = save(store, other, clock, rules={**RULES, "nb-root": "2"}, pack="p2")
    (change,) = store.compare(older.id, newer.id).changes
    assert (change.kind, change.reason) == (Kind.UNCONFIRMED, "rule logic changed")
    (change,) = store.compare(newer.id, older.id).changes
    assert (change.kind, change.reason) == (Kind.NEWLY_SEEN, "rule logic changed")
    without = save(store, one(), clock, rules={}, pack="p3")
    assert store.compare(without.id, older.id).counts[Kind.PERSISTING] == 1


def test_a_rule_that_was_added(store: Store, clock: Clock) -> None:
    older = save(store, CLEAN, clock, rules={}, pack="p0")
    newer = save(store, one(), clock)
    (change,) = store.compare(older.id, newer.id).changes
    assert (change.kind, change.reason) == (
        Kind.NEWLY_SEEN,
        "the rule was not part of this scan",
    )


def test_t3_a_lost_permission_is_no_fix_and_no_better_score(store: Store, clock: Clock) -> None:
    older = save(store, tower_estate(), clock)
    newer = save(store, DENIED, clock)
    found = store.compare(older.id, newer.id)
    assert found.counts[Kind.FIXED] == found.counts[Kind.GONE] == 0
    assert found.counts[Kind.UNCONFIRMED] == 3
    assert found.scores == ()
    lost = [change for change in found.coverage if change.lost]
    assert ("aws.sagemaker", "denied", "needs sagemaker:List*") in {
        (change.collector, change.after, change.reason) for change in lost
    }
    assert {change.kind for change in found.resources} == {"not observed"}


def test_configuration_field_by_field(store: Store, clock: Clock) -> None:
    before = Estate()
    before.add(notebook("nb", config={"A": 1, "L": [{"Name": "x", "V": 1}], "Gone": None}))
    before.add(notebook("away"))
    after = Estate()
    after.add(
        notebook(
            "nb", config={"A": True, "L": [{"Name": "y"}, {"Name": "x", "V": 2}]}, tags={"t": "1"}
        )
    )
    after.add(notebook("fresh"))
    older, newer = (save(store, estate, clock) for estate in (before, after))
    found = store.compare(older.id, newer.id)
    assert {(change.name, change.kind) for change in found.resources} == {
        ("nb", "changed"),
        ("away", "gone"),
        ("fresh", "new"),
    }
    key = next(change.key for change in found.resources if change.kind == "changed")
    changes = store.config_changes(older.id, newer.id, key)
    assert [(c.path, c.before, c.after) for c in changes] == [
        ("A", 1, True),
        ("Gone", None, ABSENT),
        ("L[Name=x].V", 1, 2),
        ("L[Name=y]", ABSENT, {"Name": "y"}),
        ("tags.t", ABSENT, "1"),
    ]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


@given(_JSON, _JSON)
def test_fields_differ_only_where_values_do(one: object, two: object) -> None:
    assert list(field_changes(one, one)) == []  # type: ignore[arg-type]
    there = list(field_changes(one, two))  # type: ignore[arg-type]
    back = list(field_changes(two, one))  # type: ignore[arg-type]
    assert bool(there) == (repr(one) != repr(two)) or one == two
    assert [(c.path, c.after, c.before) for c in there] == [tuple(c) for c in back]


def random_estate(rng: random.Random) -> tuple[Estate, dict[str, str], str]:
    """Notebooks in two regions, each failing, clean, unread, missing or made anew."""
    regions = ("us-east-1", "eu-west-1")
    asked = [region for region in regions if rng.random() < 0.85]
    estate = Estate(coverage=[])
    for region in asked:
        status = rng.choices(
            [CoverageStatus.COMPLETE, CoverageStatus.DENIED, CoverageStatus.TRUNCATED], [6, 1, 1]
        )[0]
        estate.coverage = [*estate.coverage, covered(status=status, reason="why", location=region)]
        if status is CoverageStatus.DENIED:
            continue
        for name in "abcd":
            fate = rng.choice(["fail", "fail", "pass", "blind", "missing"])
            if fate == "missing":
                continue
            severity = rng.choice([Severity.HIGH, Severity.HIGH, Severity.CRITICAL])
            exposed = rng.random() < 0.3
            nb = notebook(
                name,
                region=region,
                config={"F": fate, "S": severity.value, "E": exposed},
                incarnation=rng.choice([None, "one", "one", "two"]),
            )
            said = {
                "fail": [fail(nb, severity=severity, traits=("exposed",) * exposed)],
                "blind": [blind(nb, "nb-root", "denied: needs x:Y")],
                "pass": [],
            }[fate]
            estate.add(nb, *said)
    version = rng.choice("1112")
    rules = {} if rng.random() < 0.1 else {"nb-root": version}
    if not rules:
        estate.answers = {key: [] for key in estate.answers}
    return estate, rules, f"pack-{version}-{len(rules)}"


def fails(store: Store, scan: ScanRow) -> int:
    found = store._db.connection().execute(
        "SELECT count(*) FROM state WHERE scan = ? AND outcome = 'fail'", (scan.id,)
    )
    return int(found.fetchone()[0])


def check(found: Comparison, before: int, after: int) -> None:
    assert sum(found.counts[kind] for kind in FAILS_BEFORE) == before
    assert sum(found.counts[kind] for kind in FAILS_AFTER) == after
    listed = Counter(change.kind for change in found.changes)
    assert {**found.counts, Kind.PERSISTING: 0} == {kind: listed[kind] for kind in Kind}
    for change in found.changes:
        if change.kind in {Kind.UNCONFIRMED, Kind.NEWLY_SEEN}:
            assert change.reason


@pytest.mark.parametrize("seed", range(12))
def test_t17_what_adds_up_and_mirrors(tmp_path: Path, seed: int) -> None:
    rng, clock = random.Random(seed), Clock()
    with (
        Store.open(tmp_path / "one.db", clock=clock) as here,
        Store.open(tmp_path / "two.db", clock=clock) as there,
    ):
        scans: list[tuple[Store, ScanRow]] = []
        for _ in range(5):
            estate, rules, pack = random_estate(rng)
            where = here if rng.random() < 0.7 else there
            scans.append((where, save(where, estate, clock, rules=rules, pack=pack)))
        for store_a, a in scans:
            for store_b, b in scans:
                found = store_a.compare(a.id, b.id, store_b)
                check(found, fails(store_a, a), fails(store_b, b))
                if store_a is store_b and a.id == b.id:
                    assert {k for k, n in found.counts.items() if n} <= {Kind.PERSISTING}
                    assert (found.resources, found.coverage, found.scores) == ((), (), ())
                back = store_b.compare(b.id, a.id, store_a).counts
                begun = Kind.NEW, Kind.REGRESSED
                ended = Kind.FIXED, Kind.GONE
                counts = found.counts
                assert sum(counts[k] for k in ended) == sum(back[k] for k in begun)
                assert counts[Kind.UNCONFIRMED] == back[Kind.NEWLY_SEEN]
                for kind in (Kind.PERSISTING, Kind.CHANGED, Kind.RE_CREATED):
                    assert counts[kind] == back[kind]


def test_what_fails_in_neither_has_no_class() -> None:
    with pytest.raises(ValueError, match="neither"):
        classify(Side(Outcome.PASS), Side(None))


def test_two_caches_of_one_estate(tmp_path: Path, store: Store, clock: Clock) -> None:
    older = save(store, tower_estate(), clock)
    with Store.open(tmp_path / "other.db", clock=clock) as other:
        newer = save(other, tower_estate(), clock)
        same = store.compare(older.id, newer.id, other)
        assert same.counts[Kind.PERSISTING] == 3
        assert same.resources == ()
        later = save(other, one(failing=False), clock)
        found = store.compare(older.id, later.id, other)
        assert {change.title: change.kind for change in found.changes} == {
            "nb-root on nb": Kind.FIXED,
            "bucket-public on train": Kind.UNCONFIRMED,
            "role-admin on exec": Kind.UNCONFIRMED,
        }
        assert store.count_findings(older.id, Query()) == 3
    with Store.open(tmp_path / "other.db", read_only=True, clock=clock) as reading:
        assert store.compare(older.id, newer.id, reading).counts[Kind.PERSISTING] == 3
