"""Accepting a rule within a boundary: what it covers now and later, what ends it, who wins."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from tests.undercroft.store_kit import Clock, Estate, fail, key, notebook, save, words
from undercroft.model import Severity
from undercroft.store import Store
from undercroft.triage.decide import Action, DecisionError, Triage
from undercroft.triage.events import Event
from undercroft.triage.previewing import undo_consequences
from undercroft.triage.scopes import Place, Scope, scope_of, whole
from undercroft.triage.scoping import Ahead, accept_scope, end_scope, mark_seen, rate_scope
from undercroft.views import Query, ScanRow

REASON = "only the lab, which is closed"
LAB = key("sagemaker:notebook-instance", "lab-")


@pytest.fixture
def ann(store: Store, clock: Clock) -> Triage:
    return Triage(store, actor="ann", clock=clock, zone="UTC")


def notebooks(*names: str, severity: Severity = Severity.HIGH, env: str = "dev") -> Estate:
    estate = Estate()
    for name in names:
        nb = notebook(name, tags={"env": env}, config={"Severity": severity.value})
        estate.add(nb, fail(nb, severity=severity))
    return estate


def states(store: Store, scan: ScanRow) -> dict[str, str]:
    return {row.resource_name: words(row) for row in store.findings(scan.id, Query())}


def accepted(store: Store, ann: Triage, scan: ScanRow, scope: Scope, days: int = 30) -> Action:
    return accept_scope(
        ann,
        scope,
        store.covered(scope, scan.id),
        reason=REASON,
        until=ann.today + timedelta(days=days),
        owner="lab",
        scan_id=scan.id,
    )


def test_it_covers_what_is_there_and_what_comes(store: Store, clock: Clock, ann: Triage) -> None:
    scan = save(store, notebooks("lab-1", "lab-2", "prod-1"), clock)
    scope = Scope("nb-root", prefix=LAB)
    action = accepted(store, ann, scan, scope)
    assert "now 2 findings" in action.summary
    assert states(store, scan) == {"lab-1": "accepted", "lab-2": "accepted", "prod-1": "open"}
    (row,) = store.scopes(scan.id)
    assert (row.state, row.covers, row.newly) == ("active", 2, ())

    later = save(store, notebooks("lab-1", "lab-2", "lab-3", "prod-1", "prod-2"), clock)
    assert states(store, later)["lab-3"] == "accepted"
    assert states(store, later)["prod-2"] == "open"
    (row,) = store.scopes(later.id)
    assert [new.resource_name for new in row.newly] == ["lab-3"]
    mark_seen(ann, row.event, [new.id for new in row.newly])
    (row,) = store.scopes(later.id)
    assert (row.covers, row.newly) == (3, ())
    assert states(store, later)["lab-3"] == "accepted"
    detail = store.finding(later.id, store.findings(later.id, Query("resource:lab-3"))[0].id)
    assert detail.decision is not None
    assert (detail.decision.kind, detail.decision.reason) == ("accept", REASON)
    assert detail.decision.scope == (
        "nb-root on sagemaker notebook-instance in account 111122223333, us-east-1 "
        "where the name begins with “lab-”"
    )


def test_undo_redo_end_and_expiry(store: Store, clock: Clock, ann: Triage) -> None:
    scan = save(store, notebooks("lab-1", "prod-1"), clock)
    action = accepted(store, ann, scan, Scope("nb-root"))
    assert set(states(store, scan).values()) == {"accepted"}
    ann.undo()
    assert set(states(store, scan).values()) == {"open"}
    assert store.scopes(scan.id)[0].state == "undone"
    ann.redo()
    assert set(states(store, scan).values()) == {"accepted"}
    end_scope(ann, action.events[0].id, reason="the lab is open now")
    assert set(states(store, scan).values()) == {"open"}
    assert store.scopes(scan.id)[0].state == "ended"
    ann.undo()
    assert set(states(store, scan).values()) == {"accepted"}
    clock.forward(days=31)
    assert set(states(store, scan).values()) == {"reopened (expired)"}
    assert store.scopes(scan.id)[0].state == "lapsed"


def test_what_somebody_said_about_one_finding_comes_first(
    store: Store, clock: Clock, ann: Triage
) -> None:
    scan = save(store, notebooks("lab-1", "lab-2"), clock)
    ids = {row.resource_name: row.id for row in store.findings(scan.id, Query())}
    ann.claim_fixed([ids["lab-1"]])
    accepted(store, ann, scan, Scope("nb-root"))
    assert states(store, scan) == {"lab-1": "accepted", "lab-2": "accepted"}
    ann.reopen([ids["lab-1"]], reason="not this one, it is public")
    assert states(store, scan) == {"lab-1": "open", "lab-2": "accepted"}
    assert store.conflicts() == []
    ann.undo()
    assert states(store, scan)["lab-1"] == "accepted"
    ann.undo()
    assert states(store, scan) == {"lab-1": "fix_claimed", "lab-2": "open"}


def test_it_lapses_for_what_is_worse_than_all_it_covered(
    store: Store, clock: Clock, ann: Triage
) -> None:
    scan = save(store, notebooks("lab-1"), clock)
    accepted(store, ann, scan, Scope("nb-root"))
    worse = save(store, notebooks("lab-1", "lab-2", severity=Severity.CRITICAL), clock)
    assert set(states(store, worse).values()) == {"reopened (guard:severity)"}


def test_tags_are_compared_as_the_scan_saw_them(store: Store, clock: Clock, ann: Triage) -> None:
    scan = save(store, notebooks("lab-1"), clock)
    scope = Scope("nb-root", tags={"env": "dev"})
    accepted(store, ann, scan, scope)
    later = save(store, notebooks("lab-1", env="prod"), clock)
    assert states(store, scan) == {"lab-1": "accepted"}
    assert states(store, later) == {"lab-1": "open"}
    assert [row.type for row in store.unused_decisions(later.id)] == ["scope_accept"]


def test_a_fix_closes_it_for_that_finding_only(store: Store, clock: Clock, ann: Triage) -> None:
    accepted(store, ann, save(store, notebooks("lab-1", "lab-2"), clock), Scope("nb-root"))
    repaired = notebooks("lab-2")
    repaired.add(notebook("lab-1", config={"RootAccess": "Disabled"}))
    save(store, repaired, clock)
    again = save(store, notebooks("lab-1", "lab-2"), clock)
    assert states(store, again) == {"lab-1": "reopened (regressed)", "lab-2": "accepted"}


def test_nothing_covered_is_refused(store: Store, clock: Clock, ann: Triage) -> None:
    scan = save(store, notebooks("lab-1"), clock)
    with pytest.raises(DecisionError, match="nothing is covered"):
        accepted(store, ann, scan, Scope("nb-root", prefix="aws/aws/other"))


def rated(store: Store, ann: Triage, scan: ScanRow, severity: Severity, prefix: str = "") -> Action:
    scope = Scope("nb-root", prefix=prefix)
    return rate_scope(
        ann,
        scope,
        store.covered(scope, scan.id),
        severity=severity,
        reason="only the lab uses these",
        until=ann.today + timedelta(days=30),
        ahead=Ahead(Severity.HIGH, scan.uid, scan.finished_at),
        scan_id=scan.id,
    )


def severities(store: Store, scan: ScanRow) -> dict[str, str]:
    return {row.resource_name: row.severity.value for row in store.findings(scan.id, Query())}


def test_a_rule_is_rated_now_and_later_until_it_ends(
    store: Store, clock: Clock, ann: Triage
) -> None:
    scan = save(store, notebooks("lab-1"), clock)
    before = store.findings(scan.id, Query())[0].score
    action = rated(store, ann, scan, Severity.LOW)
    assert action.summary.startswith("rated nb-root everywhere as low until ")
    (row,) = store.findings(scan.id, Query("severity:low status:open"))
    assert row.score < before
    assert store.services(scan.id, Query())[0].worst is Severity.LOW
    detail = store.finding(scan.id, row.id)
    assert detail.rated is not None
    assert (detail.rated.scope, detail.rated.reason) == (
        "nb-root everywhere",
        "only the lab uses these",
    )
    later = save(store, notebooks("lab-1", "lab-2"), clock)
    assert severities(store, later) == {"lab-1": "low", "lab-2": "low"}
    changes = undo_consequences(ann, action.batch).changes
    assert {one.resource_name for one in changes} == {"lab-1", "lab-2"}
    assert {one.severities for one in changes} == {(Severity.LOW, Severity.HIGH)}
    assert {one.before == one.after == ("open", "") for one in changes} == {True}
    (ruling,) = store.rulings().values()
    assert (ruling.off, ruling.severity) == (None, Severity.LOW)
    ann.undo()
    assert set(severities(store, later).values()) == {"high"}
    ann.redo()
    end_scope(ann, action.events[0].id, reason="the lab is open now")
    assert set(severities(store, later).values()) == {"high"}
    assert (store.rulings(), store.scopes(later.id)[0].state) == ({}, "ended")
    ann.undo()
    assert set(severities(store, later).values()) == {"low"}
    clock.forward(days=31)
    assert set(severities(store, later).values()) == {"high"}
    assert store.rulings() == {}


def test_ratings_of_single_findings_are_counted_before_their_rule_is_rated(
    store: Store, clock: Clock, ann: Triage
) -> None:
    scan = save(store, notebooks("lab-1", "lab-2", "lab-3"), clock)
    ids = {row.resource_name: row.id for row in store.findings(scan.id, Query())}
    assert store.rated_alone(ids.values()) == 0
    for days, names in ((40, ("lab-1", "lab-2")), (5, ("lab-3",))):
        ann.override_severity(
            [ids[name] for name in names],
            severity=Severity.INFO,
            reason="only the lab uses these",
            until=ann.today + timedelta(days=days),
        )
    assert store.rated_alone(ids.values()) == 3
    assert store.rated_alone([ids["lab-2"]]) == 1
    rated(store, ann, scan, Severity.LOW)
    assert set(severities(store, scan).values()) == {"low"}
    assert store.rated_alone(ids.values()) == 0, "they do not hold any more"
    ann.undo()
    clock.forward(days=6)
    assert severities(store, scan) == {"lab-1": "info", "lab-2": "info", "lab-3": "high"}
    assert store.rated_alone(ids.values()) == 2, "one has lapsed"


@pytest.mark.parametrize("names", [(), ("lab-1",)])
def test_the_latest_rating_of_a_rule_holds_and_ending_it_brings_back_no_other(
    names: tuple[str, ...], store: Store, clock: Clock, ann: Triage
) -> None:
    """Also where the rule finds nothing yet: one was made in knowledge of the other all the same."""
    scan = save(store, notebooks(*names), clock)
    for severity in (Severity.CRITICAL, Severity.LOW, Severity.MEDIUM):
        last = rated(store, ann, scan, severity)
        assert store.rulings()["nb-root"].severity is severity
    states_of = [row.state for row in store.scopes(scan.id)]
    assert states_of == ["active", "replaced", "replaced"]
    later = save(store, notebooks("lab-1", "lab-2"), clock)
    assert set(severities(store, later).values()) == {"medium"}
    end_scope(ann, last.events[0].id, reason="as the rule says again")
    assert set(severities(store, later).values()) == {"high"}
    assert store.rulings() == {}


def test_the_rating_of_one_finding_and_of_its_rule(store: Store, clock: Clock, ann: Triage) -> None:
    """The later decision holds, as for any two of which one knew the other."""
    scan = save(store, notebooks("lab-1", "lab-2"), clock)
    ids = {row.resource_name: row.id for row in store.findings(scan.id, Query())}
    rated(store, ann, scan, Severity.LOW)
    until = ann.today + timedelta(days=9)
    ann.override_severity(
        [ids["lab-1"]], severity=Severity.CRITICAL, reason="this one is public", until=until
    )
    assert severities(store, scan) == {"lab-1": "critical", "lab-2": "low"}
    rated(store, ann, scan, Severity.MEDIUM, prefix=LAB)
    assert severities(store, scan) == {"lab-1": "medium", "lab-2": "medium"}
    assert store.rulings()["nb-root"].severity is Severity.LOW, "of the rule as a whole"


def test_copies_that_rate_a_rule_differently_show_the_worse(
    store: Store, clock: Clock, ann: Triage, tmp_path: Path
) -> None:
    scan = save(store, notebooks("lab-1"), clock)
    with (
        closing(sqlite3.connect(store.path)) as source,
        closing(sqlite3.connect(tmp_path / "other.db")) as target,
    ):
        source.backup(target)
    other = Store.open(tmp_path / "other.db", clock=clock)
    bob = Triage(other, actor="bob", clock=clock, zone="UTC")
    rated(store, ann, scan, Severity.LOW)
    rated(other, bob, scan, Severity.MEDIUM)
    store.merge_events(other.events())
    other.merge_events(store.events())
    for one in (store, other):
        assert severities(one, scan) == {"lab-1": "medium"}
        assert one.rulings()["nb-root"].severity is Severity.MEDIUM
    other.close()


def test_a_rule_is_switched_off_before_it_finds_anything(
    store: Store, clock: Clock, ann: Triage
) -> None:
    scan = save(store, Estate(), clock)
    accept_scope(
        ann,
        Scope("nb-root"),
        [],
        reason=REASON,
        until=ann.today + timedelta(days=30),
        owner="lab",
        ahead=Ahead(Severity.HIGH, scan.uid, scan.finished_at),
    )
    off = store.rulings()["nb-root"].off
    assert off is not None
    assert (off.reason, off.owner, off.scope) == (REASON, "lab", "nb-root everywhere")
    later = save(store, notebooks("lab-1"), clock)
    assert states(store, later) == {"lab-1": "accepted"}
    assert store.count_findings(later.id, Query("status:active")) == 0
    worse = save(store, notebooks("lab-1", severity=Severity.CRITICAL), clock)
    assert states(store, worse) == {"lab-1": "reopened (guard:severity)"}


PLACE = Place("cve", "CVE-1", "aws/aws/1/eu/x/y/name", {"env": "dev", "team": "a.b"})


@pytest.mark.parametrize(
    ("scope", "covers"),
    [
        (Scope("cve"), True),
        (Scope("cve", "CVE-1"), True),
        (Scope("cve", "CVE-2"), False),
        (Scope("cv"), False),
        (Scope("cve", resource=PLACE.resource), True),
        (Scope("cve", resource=PLACE.resource[:-1]), False),
        (Scope("cve", prefix="aws/aws/1/"), True),
        (Scope("cve", prefix="aws/1/"), False),
        # Nothing is a pattern.
        (Scope("cve", prefix="aws/.*"), False),
        (Scope("c*"), False),
        (Scope("cve", tags={"env": "dev"}), True),
        (Scope("cve", tags={"env": "de"}), False),
        (Scope("cve", tags={"env": "dev", "team": "a.b"}), True),
        (Scope("cve", tags={"team": "axb"}), False),
        (Scope("cve", tags={"absent": ""}), False),
    ],
)
def test_equality_and_prefix_only(scope: Scope, covers: bool) -> None:
    assert scope.covers(PLACE) is covers
    event = Event("scope_accept", "ann", "", scope=scope.to_json())
    assert scope_of(event) == scope
    assert scope.covers(whole("cve")) is (scope == Scope("cve"))


@pytest.mark.parametrize(
    "data",
    [None, {}, {"rule": 1}, {"rule": "r", "tags": "x"}, {"rule": "r", "prefix": 1},
     {"rule": "r", "unheard": "of"}],
)  # fmt: skip
def test_a_boundary_that_cannot_be_read_covers_nothing(data: dict[str, object] | None) -> None:
    assert scope_of(Event("scope_accept", "ann", "", scope=data)) is None  # type: ignore[arg-type]
