"""What several scans make of a finding: fixed, back again, gone, and not known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.undercroft.store_kit import (
    ALL_COVERED,
    Clock,
    Estate,
    accept,
    blind,
    bucket,
    covered,
    fail,
    notebook,
    only,
    save,
    statuses,
    tower_estate,
    words,
)
from undercroft.model import CoverageStatus, Outcome, Presence, Severity, Threat
from undercroft.risk import DEFAULT, combination_hazard, finding_score, hazard
from undercroft.store import Store
from undercroft.store.statuses import Seen, weigh
from undercroft.views import Query


def one(*, failing: bool = True) -> Estate:
    estate = Estate()
    nb = notebook(config={"RootAccess": "Enabled" if failing else "Disabled"})
    estate.add(nb, *([fail(nb)] if failing else []))
    return estate


def test_a_repaired_finding_is_fixed_and_comes_back_as_regressed(
    store: Store, clock: Clock
) -> None:
    first = save(store, one(), clock)
    repaired = save(store, one(failing=False), clock)
    back = save(store, one(), clock)

    assert statuses(store, first) == {"nb-root": "open"}
    assert statuses(store, repaired) == {"nb-root": "fixed"}
    assert statuses(store, back) == {"nb-root": "reopened (regressed)"}
    rows = [store.findings(scan.id, Query())[0] for scan in (first, repaired, back)]
    assert [row.new for row in rows] == [True, False, False]
    assert len({row.first_seen for row in rows}) == 1
    assert rows[1].last_seen == rows[0].last_seen < rows[2].last_seen


def test_a_resource_missing_from_a_complete_listing_is_gone(store: Store, clock: Clock) -> None:
    save(store, one(), clock)
    empty = save(store, Estate(), clock)
    returned = save(store, one(), clock)

    assert statuses(store, empty) == {"nb-root": "gone"}
    assert statuses(store, returned) == {"nb-root": "reopened (returned)"}


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (CoverageStatus.DENIED, "needs sagemaker:ListNotebookInstances"),
        (CoverageStatus.TRUNCATED, "stopped after 100 pages"),
        (CoverageStatus.THROTTLED, "too many requests"),
        (CoverageStatus.ERROR, "500"),
        (CoverageStatus.SKIPPED, "not reachable"),
    ],
)
def test_what_could_not_be_listed_is_neither_fixed_nor_gone(
    store: Store, clock: Clock, status: CoverageStatus, reason: str
) -> None:
    save(store, one(), clock)
    estate = Estate(coverage=(covered(status=status, reason=reason),))
    scan = save(store, estate, clock)

    assert statuses(store, scan) == {"nb-root": "open ?"}
    detail = store.finding(scan.id, store.findings(scan.id, Query())[0].id)
    assert reason in detail.unconfirmed_reason
    assert status.value in detail.unconfirmed_reason
    if status.is_gap:
        assert store.today(scan.id).gaps[0].reason == reason


def test_a_failed_collector_speaks_for_its_parts(store: Store, clock: Clock) -> None:
    part = "aws.sagemaker.notebook-instance"
    nb = notebook(collector=part)
    estate = Estate(coverage=(covered(part),))
    estate.add(nb, fail(nb))
    save(store, estate, clock)
    whole = Estate(coverage=(covered(status=CoverageStatus.ERROR, reason="boom", lists=()),))
    assert statuses(store, save(store, whole, clock)) == {"nb-root": "open ?"}


def test_a_failed_part_speaks_for_the_collector(store: Store, clock: Clock) -> None:
    save(store, one(), clock)
    estate = Estate(
        coverage=(
            covered(lists=("sagemaker:model",)),
            covered("aws.sagemaker.notebook-instance", CoverageStatus.DENIED, "no", ()),
        )
    )
    assert statuses(store, save(store, estate, clock)) == {"nb-root": "open ?"}


def test_a_service_that_is_switched_off_has_nothing_in_it(store: Store, clock: Clock) -> None:
    save(store, one(), clock)
    off = Estate(coverage=(covered(status=CoverageStatus.NOT_ENABLED, lists=()),))
    assert statuses(store, save(store, off, clock)) == {"nb-root": "gone"}


def test_t6_a_narrower_scan_says_nothing_about_the_rest(store: Store, clock: Clock) -> None:
    wide = one()
    other = notebook("far", region="eu-west-1")
    wide.add(other, fail(other))
    wide.coverage = (*ALL_COVERED, covered(location="eu-west-1"))
    save(store, wide, clock)
    narrow = save(store, one(), clock)
    again = save(store, wide, clock)

    assert [row.resource_name for row in store.findings(narrow.id, Query())] == ["nb"]
    assert {words(row) for row in store.findings(again.id, Query())} == {"open"}


def test_a_dependency_that_nothing_stands_on_any_more_is_not_known(
    store: Store, clock: Clock
) -> None:
    save(store, tower_estate(), clock)
    later = save(store, one(), clock)
    assert statuses(store, later)["bucket-public"] == "open ?"
    row = only(store.findings(later.id, Query()), "bucket-public")
    assert "no AI service" in store.finding(later.id, row.id).unconfirmed_reason


def test_a_stub_is_not_known_and_an_absent_one_is_gone(store: Store, clock: Clock) -> None:
    save(store, tower_estate(), clock)
    for presence, expected in ((Presence.STUB, "open ?"), (Presence.ABSENT, "gone")):
        estate = tower_estate()
        estate.resources[1] = bucket(presence=presence)
        estate.answers[estate.resources[1].key] = []
        assert statuses(store, save(store, estate, clock))["bucket-public"] == expected


def test_an_unreadable_input_is_not_a_pass(store: Store, clock: Clock) -> None:
    save(store, one(), clock)
    estate = Estate()
    nb = notebook(unknown={"config": "denied: needs sagemaker:DescribeNotebookInstance"})
    estate.add(nb, blind(nb, "nb-root", "denied: needs sagemaker:DescribeNotebookInstance"))
    scan = save(store, estate, clock)

    assert scan.state == "partial"
    assert statuses(store, scan) == {"nb-root": "open ?"}
    assert store.services(scan.id, Query())[0].unread == 1
    assert store.services(scan.id, Query())[0].score == pytest.approx(
        store.services(store.scan("previous").id, Query())[0].score
    )


def test_what_was_never_a_finding_does_not_become_one_by_not_being_known(
    store: Store, clock: Clock
) -> None:
    estate = Estate()
    nb = notebook()
    estate.add(nb, blind(nb, "nb-root", "denied"))
    assert statuses(store, save(store, estate, clock)) == {}


def test_a_rule_that_was_not_run_proves_nothing(store: Store, clock: Clock) -> None:
    save(store, one(), clock)
    scan = save(store, one(failing=False), clock, rules={"other": "1"}, pack="pack-2")
    assert statuses(store, scan) == {"nb-root": "open ?"}


def test_a_fix_is_not_weakened_by_a_blind_scan(store: Store, clock: Clock) -> None:
    save(store, one(), clock)
    save(store, one(failing=False), clock)
    blind_scan = Estate(coverage=(covered(status=CoverageStatus.DENIED, reason="no"),))
    assert statuses(store, save(store, blind_scan, clock)) == {"nb-root": "fixed"}


def test_accepted_stays_accepted_and_a_wrong_claim_is_reopened(store: Store, clock: Clock) -> None:
    from undercroft.triage.events import Event

    scan = save(store, tower_estate(), clock)
    rows = store.findings(scan.id, Query())
    accept(store, only(rows, "bucket-public").id, clock)
    claimed = [only(rows, rule).id for rule in ("nb-root", "role-admin")]
    facts = store.facts_for(claimed)
    store.append_events(
        [
            Event(
                "claim_fixed",
                "Ann",
                clock.stamp,
                finding=fid,
                seen={"scan": facts[fid].scan, "collected_at": facts[fid].collected_at},
            )
            for fid in claimed
        ]
    )
    assert statuses(store, scan) == {
        "bucket-public": "accepted",
        "nb-root": "fix_claimed",
        "role-admin": "fix_claimed",
    }
    estate = tower_estate()
    estate.resources[2] = type(estate.resources[2])(
        **{
            **{f: getattr(estate.resources[2], f) for f in type(estate.resources[2]).__slots__},
            "config": {"AttachedPolicies": []},
        }
    )
    estate.answers[estate.resources[2].key] = []
    rescan = save(store, estate, clock)
    assert statuses(store, rescan) == {
        "bucket-public": "accepted",
        "nb-root": "reopened (fix ineffective)",
        "role-admin": "fixed",
    }


def test_an_acceptance_ends_with_the_clock_and_begins_again_before_it(
    store: Store, clock: Clock
) -> None:
    scan = save(store, tower_estate(), clock)
    row = only(store.findings(scan.id, Query()), "bucket-public")
    before = store.services(scan.id, Query())[0]
    accept(store, row.id, clock, until="2026-11-21", lapses_at="2026-11-22T00:00:00Z")
    during = store.services(scan.id, Query())[0]
    assert during.score < before.score == pytest.approx(during.inherent)
    assert (during.open, during.accepted) == (2, 1)
    assert store.today(scan.id).lapsing == 1

    noon = clock.now
    clock.forward(days=2)
    assert statuses(store, scan)["bucket-public"] == "reopened (expired)"
    after = store.services(scan.id, Query())[0]
    assert after.score == pytest.approx(before.score)
    assert after.accepted == 0
    detail = store.finding(scan.id, row.id)
    assert detail.decision is None
    assert detail.lapsed is not None
    assert detail.lapsed.until == "2026-11-21"

    # The same file read by a process whose clock stands earlier.
    clock.now = noon
    assert statuses(store, scan)["bucket-public"] == "accepted"


def test_expiry_is_honoured_where_nothing_may_be_written(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    scan = save(store, tower_estate(), clock)
    row = only(store.findings(scan.id, Query()), "bucket-public")
    accept(store, row.id, clock, until="2026-11-21", lapses_at="2026-11-22T00:00:00Z")
    later = Clock(clock.now)
    later.forward(days=3)
    with Store.open(tmp_path / "cache.db", read_only=True, clock=later) as frozen:
        assert statuses(frozen, scan)["bucket-public"] == "reopened (expired)"
        assert statuses(frozen, scan, "status:accepted") == {}
    assert statuses(store, scan)["bucket-public"] == "accepted"


def test_a_combination_weighs_what_its_rule_declares(store: Store, clock: Clock) -> None:
    def toxic(unknown: dict[str, str]) -> Estate:
        estate = Estate()
        nb = estate.add(notebook(unknown=unknown))
        found = replace(fail(nb, "toxic", Severity.LOW), weight=1.2)
        estate.combinations = {nb.key: [] if unknown else [found]}
        return estate

    scan = save(store, toxic({}), clock)
    found = store.findings(scan.id, Query())[0]
    assert store.finding(scan.id, found.id).hazard == combination_hazard(1.2).factors
    accept(store, found.id, clock)
    unread = save(store, toxic({"config.Policy": "denied"}), clock)
    scores = [store.findings(given.id, Query())[0].score for given in (scan, unread)]
    assert scores == pytest.approx([finding_score(1.2)] * 2)
    assert store.services(unread.id, Query())[0].inherent == pytest.approx(finding_score(1.2))


def test_a_severity_that_a_person_gave_outweighs_a_declared_weight() -> None:
    seen = Seen(
        finding="f1-a", scan="s", collected_at="", outcome=Outcome.FAIL, incarnation=None,
        severity=Severity.CRITICAL.rank, threat="direct", cvss=None, vector=None, weight=1.2,
        cve=None, exposure="unknown", evidence_hash="", rule_version=None, owner_tag="",
    )  # fmt: skip
    assert weigh(seen, Severity.CRITICAL, DEFAULT) == combination_hazard(1.2)
    assert weigh(seen, Severity.LOW, DEFAULT) == hazard(Severity.LOW, Threat.DIRECT)


def test_a_combination_is_not_fixed_by_not_looking(store: Store, clock: Clock) -> None:
    def toxic(*, found: bool, unread: bool = False) -> Estate:
        estate = tower_estate()
        nb = estate.resources[0]
        if unread:
            estate.resources[1] = bucket(unknown={"config.Policy": "denied"})
        estate.combinations = {nb.key: [fail(nb, "toxic", Severity.CRITICAL)] if found else []}
        return estate

    scan = save(store, toxic(found=True), clock)
    assert store.services(scan.id, Query())[0].combinations == 1
    assert [r.rule for r in store.findings(scan.id, Query(filter="combination:yes"))] == ["toxic"]
    unread = save(store, toxic(found=False, unread=True), clock)
    assert statuses(store, unread)["toxic"] == "open ?"
    assert statuses(store, save(store, toxic(found=False), clock))["toxic"] == "fixed"


def test_decisions_reach_the_scans_that_were_saved_before(store: Store, clock: Clock) -> None:
    first = save(store, one(), clock)
    second = save(store, one(), clock)
    fid = store.findings(second.id, Query())[0].id
    accept(store, fid, clock)
    assert statuses(store, first) == statuses(store, second) == {"nb-root": "accepted"}


def test_deleting_a_scan_keeps_decisions_and_first_days(store: Store, clock: Clock) -> None:
    first = save(store, one(), clock)
    row = store.findings(first.id, Query())[0]
    accept(store, row.id, clock)
    store.delete_scan(first.id)
    assert store.scans() == []
    second = save(store, one(), clock)
    found = store.findings(second.id, Query())[0]
    assert second.id != first.id
    assert (found.status, found.first_seen, found.new) == ("accepted", row.first_seen, False)


def denied_estate() -> Estate:
    return Estate(
        coverage=(
            covered(status=CoverageStatus.DENIED, reason="no"),
            covered("aws.s3", lists=()),
            covered("aws.iam", lists=()),
        )
    )


def test_a_service_whose_listing_was_denied_keeps_standing(store: Store, clock: Clock) -> None:
    first = save(store, tower_estate(), clock)
    before = store.services(first.id, Query())[0]
    for _ in range(2):
        scan = save(store, denied_estate(), clock)
        assert (scan.resources, scan.services, scan.findings) == (0, 1, 3)
        after = store.services(scan.id, Query())[0]
        assert after.score == pytest.approx(before.score)
        assert (after.unconfirmed, after.unread, after.open) == (3, 3, 3)
        tower = store.tower(scan.id, after.key)
        assert sum(len(layer.resources) for layer in tower.layers) == 3
        assert set(statuses(store, scan).values()) == {"open ?"}
        detail = store.resource(scan.id, after.key)
        assert detail.history[0][1] == "stub"
        assert len(detail.beneath) == 2
    again = save(store, tower_estate(), clock)
    assert set(statuses(store, again).values()) == {"open"}
    assert store.services(again.id, Query())[0].unconfirmed == 0


def test_what_hangs_on_a_denied_service_and_was_read_is_as_it_was_read(
    store: Store, clock: Clock
) -> None:
    save(store, tower_estate(), clock)
    estate = denied_estate()
    estate.add(bucket(config={"PublicAccessBlock": True}))
    scan = save(store, estate, clock)
    assert statuses(store, scan) == {
        "nb-root": "open ?",
        "bucket-public": "fixed",
        "role-admin": "open ?",
    }
    assert store.services(scan.id, Query())[0].open == 2


def test_what_is_gone_is_not_carried_along(store: Store, clock: Clock) -> None:
    estate = tower_estate()
    far = notebook("far", region="eu-west-1")
    estate.add(far, fail(far))
    estate.coverage = (*ALL_COVERED, covered(location="eu-west-1"))
    save(store, estate, clock)
    later = Estate(coverage=(covered(), covered(location="eu-west-1", status=CoverageStatus.ERROR)))
    scan = save(store, later, clock)
    assert [row.name for row in store.services(scan.id, Query())] == ["far"]
    assert [words(row) for row in store.findings(scan.id, Query(filter="resource:nb"))] == ["gone"]


def test_what_no_scan_could_look_at_for_long_is_listed_with_the_reason(
    store: Store, clock: Clock
) -> None:
    save(store, tower_estate(), clock)
    needs = "needs sagemaker:ListNotebookInstances"
    denied = tower_estate()
    denied.resources = denied.resources[1:]
    denied.edges = []
    denied.coverage = (covered(status=CoverageStatus.DENIED, reason=needs),)
    clock.forward(days=29)
    scan = save(store, denied, clock)
    old = Query("unconfirmed:yes seen<30d")
    assert store.today(scan.id).unconfirmed > 0
    assert (store.today(scan.id).unseen, store.findings(scan.id, old)) == (0, [])
    assert store.today(scan.id, unconfirmed_days=20).unseen == 1
    clock.forward(days=2)
    today = store.today(scan.id)
    found = [row.rule for row in store.findings(scan.id, old)]
    assert (today.unseen, found) == (1, ["nb-root"])
    assert needs in today.unseen_reason
