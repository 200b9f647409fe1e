"""Effective status: every cell of the table of transitions, guards, claims, several sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from undercroft.clock import stamp
from undercroft.model import Json, Outcome, Severity
from undercroft.triage.events import Event, FindingFacts
from undercroft.triage.guards import guards_for
from undercroft.triage.resolve import Resolved, resolve
from undercroft.triage.status import Sighting, State, Status, effective, severity_in_force

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
FACTS = FindingFacts(
    "f1-a",
    Severity.HIGH,
    kev=False,
    epss=0.05,
    exposure="controlled",
    incarnation="one",
    evidence_hash="e1",
    rule_version="1",
)
FAIL, PASS, GONE, UNKNOWN, NOT_RUN = (
    Outcome.FAIL,
    Outcome.PASS,
    Outcome.GONE,
    Outcome.UNKNOWN,
    Outcome.NOT_RUN,
)


def day(number: float) -> datetime:
    """Scans run on days 1, 2, …; the last is before NOW."""
    return datetime(2026, 11, 1, tzinfo=UTC) + timedelta(days=number)


def seen(number: float, outcome: Outcome, incarnation: str | None = "one", **more: str) -> Sighting:
    incarnation = None if outcome in {GONE, UNKNOWN, NOT_RUN} else incarnation
    return Sighting(f"scan-{number}", stamp(day(number)), outcome, incarnation, **more)


def decision(
    kind: str,
    on: float,
    facts: FindingFacts = FACTS,
    guards: Mapping[str, Json] | None = None,
    **payload: Json,
) -> Event:
    """A decision based on the scan of day ``on``, made a little later."""
    if kind == "accept":
        payload = {"lapses_at": stamp(NOW + timedelta(days=30)), **payload}
    if kind == "claim_fixed":
        payload = {"fixed_at": stamp(day(on + 0.5)), **payload}
    if guards is None and kind in {"accept", "false_positive"}:
        guards = guards_for(kind, facts, category="wrong_rule_logic")
    return Event(
        type=kind,
        actor="ada",
        at=stamp(day(on + 0.5)),
        finding="f1-a",
        payload=payload,
        guards=guards,
        seen={"scan": f"scan-{on}", "collected_at": stamp(day(on)), "outcome": "fail"},
        lamport=int(on * 10),
    )


def status(
    *story: Sighting | Event,
    facts: FindingFacts = FACTS,
    now: datetime = NOW,
    retired: bool = False,
) -> Status | None:
    sightings = [one for one in story if isinstance(one, Sighting)]
    events = [one for one in story if isinstance(one, Event)]
    return effective(sightings, resolve(events), facts, now, retired)


BEFORE: dict[str, tuple[Sighting | Event, ...]] = {
    "OPEN": (seen(1, FAIL),),
    "ACCEPTED": (seen(1, FAIL), decision("accept", 1)),
    "FALSE_POSITIVE": (seen(1, FAIL), decision("false_positive", 1)),
    "FIX_CLAIMED": (seen(1, FAIL), decision("claim_fixed", 1)),
    "FIXED": (seen(1, FAIL), seen(2, PASS)),
    "GONE": (seen(1, FAIL), seen(2, GONE)),
    "REOPENED": (seen(1, FAIL), seen(2, PASS), seen(3, FAIL)),
}

CELLS = [
    # row, before, outcome of the new scan, state, cause, unconfirmed
    ("R2", "OPEN", FAIL, State.OPEN, "", False),
    ("R2", "OPEN", PASS, State.FIXED, "", False),
    ("R2", "OPEN", GONE, State.GONE, "", False),
    ("R2", "OPEN", UNKNOWN, State.OPEN, "", True),
    ("R2", "OPEN", NOT_RUN, State.OPEN, "", True),
    ("R3", "ACCEPTED", FAIL, State.ACCEPTED, "", False),
    ("R3", "ACCEPTED", PASS, State.FIXED, "", False),
    ("R3", "ACCEPTED", GONE, State.GONE, "", False),
    ("R3", "ACCEPTED", UNKNOWN, State.ACCEPTED, "", True),
    ("R3", "ACCEPTED", NOT_RUN, State.ACCEPTED, "", True),
    ("R4", "FALSE_POSITIVE", FAIL, State.FALSE_POSITIVE, "", False),
    ("R4", "FALSE_POSITIVE", PASS, State.FIXED, "", False),
    ("R4", "FALSE_POSITIVE", GONE, State.GONE, "", False),
    ("R4", "FALSE_POSITIVE", UNKNOWN, State.FALSE_POSITIVE, "", True),
    ("R4", "FALSE_POSITIVE", NOT_RUN, State.FALSE_POSITIVE, "", True),
    ("R5", "FIX_CLAIMED", FAIL, State.REOPENED, "fix ineffective", False),
    ("R5", "FIX_CLAIMED", PASS, State.FIXED, "", False),
    ("R5", "FIX_CLAIMED", GONE, State.GONE, "", False),
    ("R5", "FIX_CLAIMED", UNKNOWN, State.FIX_CLAIMED, "", True),
    ("R5", "FIX_CLAIMED", NOT_RUN, State.FIX_CLAIMED, "", True),
    ("R6", "FIXED", FAIL, State.REOPENED, "regressed", False),
    ("R6", "FIXED", PASS, State.FIXED, "", False),
    ("R6", "FIXED", GONE, State.GONE, "", False),
    ("R6", "FIXED", UNKNOWN, State.FIXED, "", False),
    ("R6", "FIXED", NOT_RUN, State.FIXED, "", False),
    ("R7", "GONE", FAIL, State.REOPENED, "returned", False),
    ("R7", "GONE", PASS, State.FIXED, "", False),
    ("R7", "GONE", GONE, State.GONE, "", False),
    ("R7", "GONE", UNKNOWN, State.GONE, "", False),
    ("R7", "GONE", NOT_RUN, State.GONE, "", False),
    ("R8", "REOPENED", FAIL, State.REOPENED, "regressed", False),
    ("R8", "REOPENED", PASS, State.FIXED, "", False),
    ("R8", "REOPENED", GONE, State.GONE, "", False),
    ("R8", "REOPENED", UNKNOWN, State.REOPENED, "regressed", True),
    ("R8", "REOPENED", NOT_RUN, State.REOPENED, "regressed", True),
]


@pytest.mark.parametrize(("row", "before", "outcome", "state", "cause", "flag"), CELLS)
def test_t2_what_a_new_scan_does(
    row: str, before: str, outcome: Outcome, state: State, cause: str, flag: bool
) -> None:
    found = status(*BEFORE[before], seen(10, outcome))
    assert found is not None
    assert (found.state, found.cause, found.unconfirmed) == (state, cause, flag)


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_retired_rule_retires_its_findings_whatever_they_were(
    before: str, outcome: Outcome
) -> None:
    found = status(*BEFORE[before], seen(10, outcome), retired=True)
    assert found is not None
    assert (found.state, found.unconfirmed) == (State.RETIRED, False)


@pytest.mark.parametrize("outcome", list(Outcome))
def test_r1_only_a_fail_makes_a_finding(outcome: Outcome) -> None:
    found = status(seen(1, outcome))
    if outcome is FAIL:
        assert found is not None
        assert found.state is State.OPEN
    else:
        assert found is None


def test_a_pass_before_the_first_fail_is_no_regression() -> None:
    found = status(seen(1, PASS), seen(2, FAIL))
    assert found == Status(State.OPEN)


def test_r6_counts_regressions_and_says_when_it_came_back() -> None:
    found = status(seen(1, FAIL), seen(2, PASS), seen(3, FAIL), seen(4, PASS), seen(5, FAIL))
    assert found is not None
    assert (found.regressions, found.reopened_at) == (2, stamp(day(5)))


def test_r6_an_acceptance_does_not_survive_a_verified_fix_and_is_offered_again() -> None:
    accept = decision("accept", 1)
    fixed = status(seen(1, FAIL), accept, seen(2, PASS))
    assert fixed is not None
    assert fixed.decision is None
    back = status(seen(1, FAIL), accept, seen(2, PASS), seen(3, FAIL))
    assert back is not None
    assert (back.state, back.cause, back.lapsed) == (State.REOPENED, "regressed", accept)


def test_r7_an_acceptance_is_closed_when_the_resource_goes() -> None:
    found = status(*BEFORE["ACCEPTED"], seen(2, GONE), seen(3, FAIL))
    assert found is not None
    assert (found.state, found.cause, found.decision) == (State.REOPENED, "returned", None)


def test_r4_a_false_positive_applies_again_when_the_finding_returns() -> None:
    found = status(*BEFORE["FALSE_POSITIVE"], seen(2, PASS), seen(3, FAIL))
    assert found is not None
    assert found.state is State.FALSE_POSITIVE


def test_a_decision_made_after_the_regression_holds() -> None:
    found = status(seen(1, FAIL), seen(2, PASS), seen(3, FAIL), decision("accept", 3))
    assert found is not None
    assert (found.state, found.cause) == (State.ACCEPTED, "")


def test_closing_compares_scan_times_so_a_wrong_clock_changes_nothing() -> None:
    late = replace(decision("accept", 1), at="2099-01-01T00:00:00Z")
    early = replace(decision("accept", 1), at="1999-01-01T00:00:00Z")
    for event in (late, early):
        before = status(seen(1, FAIL), event)
        assert before is not None
        assert before.state is State.ACCEPTED
        found = status(seen(1, FAIL), event, seen(2, PASS), seen(3, FAIL))
        assert found is not None
        assert found.cause == "regressed"


class TestNewIncarnation:
    """Row R9."""

    new = replace(FACTS, incarnation="two")

    def test_an_open_finding_stays_open(self) -> None:
        found = status(seen(1, FAIL), seen(2, FAIL, "two"), facts=self.new)
        assert found == Status(State.OPEN)

    @pytest.mark.parametrize("kind", ["accept", "false_positive"])
    def test_a_guarded_decision_lapses(self, kind: str) -> None:
        event = decision(kind, 1)
        found = status(seen(1, FAIL), event, seen(2, FAIL, "two"), facts=self.new)
        assert found is not None
        assert (found.state, found.cause, found.lapsed) == (State.REOPENED, "re-created", event)

    def test_a_decision_without_that_guard_stays(self) -> None:
        event = decision("accept", 1, guards={"severity": "high"})
        found = status(seen(1, FAIL), event, seen(2, FAIL, "two"), facts=self.new)
        assert found is not None
        assert found.state is State.ACCEPTED

    @pytest.mark.parametrize("away", [PASS, GONE])
    def test_coming_back_as_another_resource_is_no_regression(self, away: Outcome) -> None:
        found = status(seen(1, FAIL), seen(2, away), seen(3, FAIL, "two"), facts=self.new)
        assert found is not None
        assert (found.state, found.cause, found.regressions) == (State.REOPENED, "re-created", 0)

    def test_a_fix_seen_on_the_new_one_that_does_not_last_is_a_regression(self) -> None:
        story = (seen(1, FAIL), seen(2, PASS), seen(3, PASS, "two"), seen(4, FAIL, "two"))
        found = status(*story, facts=self.new)
        assert found is not None
        assert (found.cause, found.regressions) == ("regressed", 1)

    @pytest.mark.parametrize("before", ["OPEN", "ACCEPTED", "FALSE_POSITIVE", "FIX_CLAIMED"])
    def test_a_blind_scan_changes_nothing(self, before: str) -> None:
        found, plain = status(*BEFORE[before], seen(2, UNKNOWN)), status(*BEFORE[before])
        assert found is not None
        assert plain is not None
        assert (found.state, found.unconfirmed) == (plain.state, True)

    def test_fixed_on_the_new_one(self) -> None:
        found = status(*BEFORE["ACCEPTED"], seen(2, PASS, "two"), facts=self.new)
        assert found is not None
        assert found.state is State.FIXED


class TestGuards:
    """A decision lapses when a fact it rests on becomes worse, and only then."""

    @pytest.mark.parametrize(
        ("guard", "worse"),
        [
            ("severity", {"severity": Severity.CRITICAL}),
            ("kev", {"kev": True}),
            ("epss", {"epss": 0.1}),
            ("epss", {"epss": 0.7}),
            ("exposure", {"exposure": "open"}),
        ],
    )
    @pytest.mark.parametrize("kind", ["accept", "false_positive"])
    def test_t8_worse(self, kind: str, guard: str, worse: dict[str, object]) -> None:
        facts = replace(FACTS, **worse)  # type: ignore[arg-type]
        found = status(seen(1, FAIL), decision(kind, 1), seen(2, FAIL), facts=facts)
        assert found is not None
        assert (found.state, found.cause) == (State.REOPENED, f"guard:{guard}")
        guards = {k: v for k, v in guards_for(kind, FACTS).items() if k != guard}
        off = status(seen(1, FAIL), decision(kind, 1, guards=guards), seen(2, FAIL), facts=facts)
        assert off is not None
        assert off.state is not State.REOPENED

    @pytest.mark.parametrize(
        "other",
        [
            {"severity": Severity.LOW},
            {"kev": None},
            {"epss": 0.09},
            {"epss": None},
            {"exposure": "small"},
            {"exposure": "unknown"},
            {"incarnation": None},
            {"evidence_hash": None},
            {"rule_version": None},
        ],
    )
    @pytest.mark.parametrize("kind", ["accept", "false_positive"])
    def test_better_the_same_or_not_known(self, kind: str, other: dict[str, object]) -> None:
        facts = replace(FACTS, **other)  # type: ignore[arg-type]
        found = status(seen(1, FAIL), decision(kind, 1), seen(2, FAIL), facts=facts)
        assert found is not None
        assert found.cause == ""

    @pytest.mark.parametrize(
        ("guard", "change"),
        [("evidence", {"evidence_hash": "e2"}), ("rule_version", {"rule_version": "2"})],
    )
    def test_only_false_positives_rest_on_the_rule(
        self, guard: str, change: dict[str, object]
    ) -> None:
        facts = replace(FACTS, **change)  # type: ignore[arg-type]
        wrong = status(seen(1, FAIL), decision("false_positive", 1), facts=facts)
        assert wrong is not None
        assert (wrong.state, wrong.cause) == (State.REOPENED, f"guard:{guard}")
        accepted = status(seen(1, FAIL), decision("accept", 1), facts=facts)
        assert accepted is not None
        assert accepted.state is State.ACCEPTED
        # Somebody could have written them there by hand.
        both: dict[str, Json] = {"evidence": "e1", "rule_version": "1"}
        accepted = status(seen(1, FAIL), decision("accept", 1, guards=both), facts=facts)
        assert accepted is not None
        assert accepted.state is State.ACCEPTED

    @pytest.mark.parametrize(
        ("category", "has"),
        [
            ("wrong_rule_logic", True),
            ("bad_data", True),
            ("not_applicable", False),
            ("compensating_config", False),
        ],
    )
    def test_evidence_matters_where_it_was_the_reason(self, category: str, has: bool) -> None:
        assert ("evidence" in guards_for("false_positive", FACTS, category=category)) is has

    def test_what_nobody_knew_and_is_bad_now_trips(self) -> None:
        blank = replace(FACTS, kev=None, epss=None, exposure="unknown")
        event = decision("accept", 1, facts=blank)
        for worse in ({"kev": True}, {"epss": 0.2}, {"exposure": "open"}):
            found = status(seen(1, FAIL), event, facts=replace(blank, **worse))
            assert found is not None
            assert found.state is State.REOPENED

    def test_a_guard_that_cannot_be_read_trips(self) -> None:
        found = status(seen(1, FAIL), decision("accept", 1, guards={"severity": "terrible"}))
        assert found is not None
        assert found.cause == "guard:severity"

    def test_guards_can_be_left_out(self) -> None:
        assert guards_for("accept", FACTS, off={"epss", "kev"}).keys() == {
            "severity",
            "exposure",
            "incarnation",
        }


class TestClaims:
    """T9: a scan that read the resource before the claim proves nothing."""

    def test_t9_read_before_the_claim_saved_after_it(self) -> None:
        found = status(seen(1, FAIL), decision("claim_fixed", 1), seen(1.4, FAIL))
        assert found is not None
        assert found.state is State.FIX_CLAIMED

    def test_read_after_the_claim(self) -> None:
        found = status(seen(1, FAIL), decision("claim_fixed", 1), seen(1.6, FAIL))
        assert found is not None
        assert (found.state, found.cause) == (State.REOPENED, "fix ineffective")
        assert found.decision is None

    def test_a_later_stated_day_of_repair_counts(self) -> None:
        claim = decision("claim_fixed", 1, fixed_at=stamp(day(5)))
        story = (seen(1, FAIL), claim, seen(3, FAIL))
        found = status(*story)
        assert found is not None
        assert found.state is State.FIX_CLAIMED
        found = status(*story, seen(6, FAIL))
        assert found is not None
        assert found.state is State.REOPENED

    def test_a_claim_ends_an_acceptance(self) -> None:
        accept = decision("accept", 1)
        claim = replace(decision("claim_fixed", 1), parents=(accept.id,), lamport=11)
        found = status(seen(1, FAIL), accept, claim)
        assert found is not None
        assert found.state is State.FIX_CLAIMED


class TestSources:
    """T22: several scanners report one finding."""

    def test_t22_open_while_any_of_them_says_so(self) -> None:
        found = status(seen(1, FAIL), seen(1, FAIL, source="trivy"), seen(2, GONE))
        assert found is not None
        assert found.state is State.OPEN

    def test_fixed_when_all_of_them_say_so(self) -> None:
        story = (seen(1, FAIL), seen(1, FAIL, source="trivy"), seen(2, PASS))
        found = status(*story, seen(3, PASS, source="trivy"))
        assert found is not None
        assert found.state is State.FIXED

    def test_a_pass_of_one_does_not_close_an_acceptance(self) -> None:
        story = (seen(1, FAIL), seen(1, FAIL, source="trivy"), decision("accept", 1))
        found = status(*story, seen(2, PASS))
        assert found is not None
        assert found.state is State.ACCEPTED


def test_order_is_that_of_collection_not_of_import() -> None:
    found = status(seen(5, PASS), seen(2, FAIL), seen(1, FAIL))
    assert found is not None
    assert found.state is State.FIXED


def test_the_reason_for_not_looking_is_kept() -> None:
    blind = seen(2, UNKNOWN, reason="denied: sagemaker:DescribeNotebookInstance")
    found = status(seen(1, FAIL), blind)
    assert found is not None
    assert found.unconfirmed_reason == "denied: sagemaker:DescribeNotebookInstance"
    again = status(seen(1, FAIL), blind, seen(3, FAIL))
    assert again is not None
    assert (again.unconfirmed, again.unconfirmed_reason) == (False, "")


def test_expiry_runs_on_while_nobody_can_look() -> None:
    event = decision("accept", 1, lapses_at=stamp(NOW - timedelta(seconds=1)))
    found = status(seen(1, FAIL), event, seen(2, UNKNOWN))
    assert found is not None
    assert (found.state, found.cause, found.unconfirmed) == (State.REOPENED, "expired", True)
    assert found.lapsed == event
    assert found.lapses_at is None


def test_an_acceptance_says_when_it_ends() -> None:
    found = status(*BEFORE["ACCEPTED"])
    assert found is not None
    assert found.lapses_at == stamp(NOW + timedelta(days=30))


def test_an_end_that_cannot_be_read_is_an_end() -> None:
    for payload in ({"lapses_at": "soon"}, {"lapses_at": None, "until": "2027-13-01"}):
        found = status(seen(1, FAIL), decision("accept", 1, **payload))
        assert found is not None
        assert found.cause == "expired"


def test_severity_override_holds_until_its_day() -> None:
    event = decision(
        "override_severity", 1, severity="low", lapses_at=stamp(NOW + timedelta(days=1))
    )
    resolved = resolve([event])
    assert severity_in_force(Severity.HIGH, resolved, NOW) is Severity.LOW
    assert severity_in_force(Severity.HIGH, resolved, NOW + timedelta(days=1)) is Severity.HIGH
    assert severity_in_force(Severity.HIGH, Resolved(), NOW) is Severity.HIGH


def test_the_same_question_has_the_same_answer() -> None:
    story = (*BEFORE["ACCEPTED"], seen(2, PASS), seen(3, FAIL))
    assert status(*story) == status(*story)
