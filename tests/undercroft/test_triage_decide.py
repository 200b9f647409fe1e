"""Decisions on a real store: what is recorded, refused, undone, and what a rescan makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from undercroft.clock import stamp
from undercroft.model import (
    Coverage,
    CoverageStatus,
    Layer,
    Observation,
    Outcome,
    Resource,
    Severity,
)
from undercroft.protocols import Cancelled
from undercroft.store import Store
from undercroft.triage.decide import CATEGORIES, Action, DecisionError, Triage
from undercroft.triage.events import verify
from undercroft.views import FindingRow, Query

REASON = "behind a private link"
UNTIL = date(2027, 1, 31)
CLAIMED = "claimed 1 finding fixed: the next scan will verify"


class Estate:
    """A cache, a clock, and notebooks a to e with one rule."""

    def __init__(self, path: Path) -> None:
        self.now = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
        self.path = path
        self.store = Store.open(path, clock=lambda: self.now)
        self.ada = self.person("ada")

    def person(self, name: str, zone: str = "Europe/Berlin") -> Triage:
        return Triage(self.store, actor=name, clock=lambda: self.now, zone=zone)

    def scan(
        self, fails: str, *, present: str = "abcde", severity: Severity = Severity.HIGH
    ) -> None:
        """Scan a minute later; ``fails`` and ``present`` are notebooks, one letter each."""
        self.wait(minutes=1)
        read = [
            Resource(
                key=f"aws/aws/1/eu-west-1/sagemaker/notebook-instance/{name}",
                provider="aws",
                account="1",
                region="eu-west-1",
                type="sagemaker:notebook-instance",
                layer=Layer.SERVICE,
                name=name,
                service=True,
                collector="aws.sagemaker",
                collected_at=stamp(self.now),
                # Judged anew in every scan.
                config={"Touched": stamp(self.now)},
            )
            for name in present
        ]
        unit = Coverage(
            "aws",
            "1",
            "eu-west-1",
            "aws.sagemaker",
            CoverageStatus.COMPLETE,
            lists=("sagemaker:notebook-instance",),
        )
        with self.store.write_scan(
            name="", kind="live", scope={}, rules={"root": "1"}, pack="p"
        ) as writer:
            writer.add([*read, unit])
            for resource in read:
                fail = Observation(
                    "root", resource.key, Outcome.FAIL, severity=severity, title="Root access"
                )
                writer.observe(resource.key, [fail] if resource.name in fails else [])
            writer.commit(calls=1, throttled=0, now=self.now)

    def wait(self, **time: float) -> None:
        self.now += timedelta(**time)

    def rows(self, filter_line: str = "") -> dict[str, FindingRow]:
        scan = self.store.scan()
        return {row.resource_name: row for row in self.store.findings(scan.id, Query(filter_line))}

    def ids(self, names: str) -> list[str]:
        rows = self.rows()
        return [rows[name].id for name in names]

    def states(self) -> str:
        """One word per notebook, in the order of their names."""
        return " ".join(row.status for _, row in sorted(self.rows().items()))

    def accept(self, names: str, who: Triage | None = None) -> Action:
        return (who or self.ada).accept(
            self.ids(names), reason=REASON, until=UNTIL, owner="ml-platform"
        )


@pytest.fixture
def estate(tmp_path: Path) -> Iterator[Estate]:
    made = Estate(tmp_path / "cache.db")
    made.scan("abcde")
    yield made
    made.store.close()


class TestRecorded:
    def test_accept(self, estate: Estate) -> None:
        action = estate.accept("abc")
        assert action.summary == "accepted 3 findings until 2027-01-31"
        assert action.findings == tuple(estate.ids("abc"))
        assert estate.states() == "accepted accepted accepted open open"
        assert estate.rows()["a"].until == "2027-01-31"
        assert estate.rows()["a"].owner == "ml-platform"
        event = action.events[0]
        assert event.payload == {
            "reason": REASON,
            "owner": "ml-platform",
            "until": "2027-01-31",
            "zone": "Europe/Berlin",
            "lapses_at": "2027-01-31T23:00:00.000000Z",
        }
        assert event.seen == {
            "scan": estate.store.scan().uid,
            "collected_at": stamp(datetime(2026, 11, 23, 9, 1, tzinfo=UTC)),
            "outcome": "fail",
        }
        assert event.guards is not None
        assert event.guards["severity"] == "high"
        assert event.at == "2026-11-23T10:01:00+01:00"
        assert event.actor == "ada"
        assert {e.batch for e in action.events} == {action.batch}
        assert [e.finding for e in action.events] == estate.ids("abc")

    @pytest.mark.parametrize("category", CATEGORIES)
    def test_false_positive(self, estate: Estate, category: str) -> None:
        action = estate.ada.false_positive(estate.ids("a"), reason=REASON, category=category)
        assert action.summary == "marked 1 finding as a false positive"
        assert estate.rows()["a"].status == "false_positive"

    def test_claim_fixed(self, estate: Estate) -> None:
        action = estate.ada.claim_fixed(estate.ids("a"), note="see ticket", ticket="T-1")
        assert action.summary == CLAIMED
        assert action.events[0].payload == {
            "fixed_at": stamp(estate.now),
            "note": "see ticket",
            "ticket": "T-1",
        }
        assert estate.rows()["a"].status == "fix_claimed"

    def test_reopen(self, estate: Estate) -> None:
        estate.accept("ab")
        action = estate.ada.reopen(estate.ids("ab"), reason="the link is public now")
        assert action.summary == "reopened 2 findings"
        assert estate.states() == "open open open open open"

    def test_note_and_assign_do_not_change_the_status(self, estate: Estate) -> None:
        estate.accept("a")
        note = estate.ada.note(estate.ids("ab"), text="  ask the owners\nfirst ")
        assert note.summary == "commented on 2 findings"
        assert note.events[0].payload == {"text": "ask the owners\nfirst"}
        assign = estate.ada.assign(estate.ids("ab"), assignee="bob")
        assert assign.summary == "assigned 2 findings to bob"
        assert estate.ada.assign(estate.ids("a"), assignee="").summary == "unassigned 1 finding"
        assert estate.states() == "accepted open open open open"

    def test_an_acceptance_can_be_extended_and_the_first_date_stays_in_the_log(
        self, estate: Estate
    ) -> None:
        estate.accept("a")
        estate.ada.accept(
            estate.ids("a"), reason="still behind it", until=date(2027, 3, 1), owner="ml"
        )
        assert estate.rows()["a"].until == "2027-03-01"
        assert len(estate.store.events(estate.ids("a")[0])) == 2

    def test_a_finding_named_twice_is_decided_once(self, estate: Estate) -> None:
        assert len(estate.accept("aa").events) == 1

    def test_guards_can_be_switched_off(self, estate: Estate) -> None:
        action = estate.ada.accept(
            estate.ids("a"), reason=REASON, until=UNTIL, owner="ml", guards_off={"severity"}
        )
        assert action.events[0].guards is not None
        assert "severity" not in action.events[0].guards

    def test_what_cannot_be_encoded_is_replaced(self, estate: Estate) -> None:
        action = estate.ada.note(estate.ids("a"), text="odd \udcff byte")
        assert action.events[0].payload == {"text": "odd ? byte"}

    @pytest.mark.parametrize("at", ["looking up", "recording", "working out", "counting", "saving"])
    def test_stopped_at_any_step_it_leaves_nothing(self, estate: Estate, at: str) -> None:
        heard = []

        def step(what: str, done: int, total: int) -> None:
            heard.append((what, done, total))
            if what == at:
                raise Cancelled

        before = estate.store.data_version()
        with estate.ada.watched(step), pytest.raises(Cancelled):
            estate.accept("abcde")
        assert heard[-1][0] == at
        assert estate.store.events() == []
        assert estate.store.data_version() == before
        assert estate.states() == "open open open open open"
        assert estate.ada.next_undo() is None
        estate.accept("abcde")
        assert estate.states() == "accepted accepted accepted accepted accepted"
        with estate.ada.watched(step):
            if at == "looking up":
                estate.ada.undo()
                assert {what for what, _, _ in heard[1:]} == {
                    "recording", "working out", "counting", "saving"
                }  # fmt: skip
            else:
                with pytest.raises(Cancelled):
                    estate.ada.undo()
                assert estate.states() == "accepted accepted accepted accepted accepted"

    def test_the_chain_is_whole_afterwards(self, estate: Estate) -> None:
        estate.accept("abc")
        estate.ada.undo()
        estate.ada.redo()
        assert verify(estate.store.events()) == []


class TestRefused:
    @pytest.mark.parametrize("reason", ["", "  ", "too short", " 123456789 "])
    def test_a_short_reason(self, estate: Estate, reason: str) -> None:
        ids = estate.ids("a")
        acts: list[Callable[[], Action]] = [
            lambda: estate.ada.accept(ids, reason=reason, until=UNTIL, owner="ml"),
            lambda: estate.ada.false_positive(ids, reason=reason, category="bad_data"),
            lambda: estate.ada.reopen(ids, reason=reason),
        ]
        for act in acts:
            with pytest.raises(DecisionError, match=r"the reason has \d of at least 10 characters"):
                act()
        assert estate.store.events() == []

    def test_no_owner(self, estate: Estate) -> None:
        with pytest.raises(DecisionError, match="needs an owner"):
            estate.ada.accept(estate.ids("a"), reason=REASON, until=UNTIL, owner=" ")

    def test_a_day_that_has_passed_where_the_decider_is(self, estate: Estate) -> None:
        estate.now = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
        yesterday = date(2026, 11, 23)
        with pytest.raises(DecisionError, match="2026-11-23 has passed"):
            estate.ada.accept(estate.ids("a"), reason=REASON, until=yesterday, owner="ml")
        there = estate.person("bob", "America/New_York")
        there.accept(estate.ids("a"), reason=REASON, until=yesterday, owner="ml")

    def test_a_day_too_far_away(self, estate: Estate) -> None:
        with pytest.raises(DecisionError, match="more than 365 days away"):
            estate.ada.accept(estate.ids("a"), reason=REASON, until=date(2027, 11, 24), owner="ml")

    def test_an_unknown_category(self, estate: Estate) -> None:
        with pytest.raises(DecisionError, match="'other' is no category of false positive: use"):
            estate.ada.false_positive(estate.ids("a"), reason=REASON, category="other")

    def test_an_empty_comment(self, estate: Estate) -> None:
        with pytest.raises(DecisionError, match="the comment is empty"):
            estate.ada.note(estate.ids("a"), text="\n")

    def test_nothing_selected(self, estate: Estate) -> None:
        with pytest.raises(DecisionError, match="no finding is selected"):
            estate.ada.claim_fixed([])

    def test_an_unknown_finding_stops_the_whole_batch(self, estate: Estate) -> None:
        with pytest.raises(DecisionError, match="no finding is called f1-none here"):
            estate.ada.claim_fixed([*estate.ids("a"), "f1-none"])
        assert estate.store.events() == []

    def test_nobody(self, estate: Estate) -> None:
        with pytest.raises(
            DecisionError, match="a decision carries a name, and none is configured"
        ):
            estate.person(" ").claim_fixed(estate.ids("a"))

    def test_an_unknown_zone(self, estate: Estate) -> None:
        with pytest.raises(DecisionError, match="no time zone is called 'Middle/Earth'"):
            estate.person("ada", "Middle/Earth")

    def test_a_cache_that_is_open_for_reading_only(self, estate: Estate) -> None:
        ids = estate.ids("a")
        with Store.open(estate.path, read_only=True) as store:
            reader = Triage(store, actor="ada", clock=lambda: estate.now)
            acts: list[Callable[[], Action]] = [
                lambda: reader.claim_fixed(ids),
                reader.undo,
                reader.redo,
            ]
            for act in acts:
                with pytest.raises(DecisionError, match="open for reading only"):
                    act()

    @pytest.mark.parametrize(
        ("state", "act", "message"),
        [
            ("open", "reopen", "this finding is already open: there is no decision to withdraw"),
            ("reopened", "reopen", "this finding is already reopened: there is no decision"),
            ("fix_claimed", "claim_fixed", "already claimed fixed: the next scan will verify it"),
            (
                "false_positive",
                "accept",
                "this finding is marked as false positive: reopen it first",
            ),
            ("false_positive", "claim_fixed", "marked as false positive: reopen it first"),
            ("false_positive", "false_positive", "already marked as false positive: reopen it"),
            *(
                (state, act, f"this finding cannot be {verb}: {why}, and only a scan can change")
                for state, why in (
                    ("fixed", "the last scan saw it fixed"),
                    ("gone", "its resource is gone"),
                )
                for act, verb in (
                    ("accept", "accepted"),
                    ("false_positive", "marked as false positive"),
                    ("claim_fixed", "claimed fixed"),
                    ("reopen", "reopened"),
                )
            ),
        ],
    )
    def test_states_that_do_not_allow_it(
        self, estate: Estate, state: str, act: str, message: str
    ) -> None:
        self.bring(estate, state)
        before = estate.store.events()
        with pytest.raises(DecisionError, match=message):
            self.act(estate, act)
        assert estate.store.events() == before

    @pytest.mark.parametrize(
        ("state", "act"),
        [
            *((s, "accept") for s in ("open", "reopened", "fix_claimed", "accepted")),
            *((s, "false_positive") for s in ("open", "reopened", "fix_claimed", "accepted")),
            *((s, "claim_fixed") for s in ("open", "reopened", "accepted")),
            *((s, "reopen") for s in ("accepted", "false_positive", "fix_claimed")),
        ],
    )
    def test_states_that_allow_it(self, estate: Estate, state: str, act: str) -> None:
        self.bring(estate, state)
        self.act(estate, act)
        expected = {"accept": "accepted", "claim_fixed": "fix_claimed"}.get(act, act)
        expected = expected.replace("reopen", "open")
        assert estate.rows()["a"].status == expected

    def bring(self, estate: Estate, state: str) -> None:
        match state:
            case "reopened":
                estate.scan("bcde")
                estate.scan("abcde")
            case "fix_claimed":
                estate.ada.claim_fixed(estate.ids("a"))
            case "accepted":
                estate.accept("a")
            case "false_positive":
                estate.ada.false_positive(estate.ids("a"), reason=REASON, category="bad_data")
            case "fixed":
                estate.scan("bcde")
            case "gone":
                estate.scan("bcde", present="bcde")
        assert estate.rows()["a"].status == state

    def act(self, estate: Estate, act: str) -> None:
        ids = estate.ids("a")
        match act:
            case "accept":
                estate.accept("a")
            case "false_positive":
                estate.ada.false_positive(ids, reason=REASON, category="bad_data")
            case "claim_fixed":
                estate.ada.claim_fixed(ids)
            case "reopen":
                estate.ada.reopen(ids, reason=REASON)

    def test_a_batch_leaves_out_what_cannot_be_decided_and_says_so(self, estate: Estate) -> None:
        estate.ada.false_positive(estate.ids("b"), reason=REASON, category="bad_data")
        estate.scan("abcd")
        action = estate.accept("abcde")
        assert action.summary == (
            "accepted 3 findings until 2027-01-31 (2 skipped: 1 marked as false positive, 1 fixed)"
        )
        assert [state for _, state in action.skipped] == ["false_positive", "fixed"]
        assert action.findings == tuple(estate.ids("acd"))

    def test_a_batch_of_which_nothing_is_left(self, estate: Estate) -> None:
        estate.scan("cde", present="acde")
        with pytest.raises(
            DecisionError,
            match="none of these 2 findings can be accepted: 1 fixed, 1 gone; only a scan",
        ):
            estate.accept("ab")
        with pytest.raises(
            DecisionError, match="none of these 2 findings can be reopened: 1 fixed, 1 open; there"
        ):
            estate.ada.reopen(estate.ids("ac"), reason=REASON)


class TestUndo:
    def test_back_and_forth(self, estate: Estate) -> None:
        estate.accept("ab")
        estate.wait(minutes=3)
        assert estate.ada.next_undo() == "accepted 2 findings until 2027-01-31, 3 min ago"
        undone = estate.ada.undo()
        assert undone.summary == "undid: accepted 2 findings until 2027-01-31"
        assert len(undone.events) == 1
        assert undone.findings == tuple(sorted(estate.ids("ab")))
        assert estate.states() == "open open open open open"
        assert estate.ada.next_redo() == "accepted 2 findings until 2027-01-31, just now"
        redone = estate.ada.redo()
        assert redone.summary == "redid: accepted 2 findings until 2027-01-31"
        assert estate.states() == "accepted accepted open open open"
        estate.ada.undo()
        assert estate.states() == "open open open open open"
        assert len(estate.store.events()) == 5

    def test_several_steps(self, estate: Estate) -> None:
        estate.accept("a")
        estate.ada.claim_fixed(estate.ids("b"))
        estate.ada.false_positive(estate.ids("a"), reason=REASON, category="bad_data")
        trail = [estate.states()]
        for _ in range(3):
            estate.ada.undo()
            trail.append(estate.states())
        assert trail == [
            "false_positive fix_claimed open open open",
            "accepted fix_claimed open open open",
            "accepted open open open open",
            "open open open open open",
        ]
        for state in reversed(trail[:-1]):
            estate.ada.redo()
            assert estate.states() == state

    def test_nothing_left(self, estate: Estate) -> None:
        with pytest.raises(DecisionError, match="no decision of yours left to undo"):
            estate.ada.undo()
        with pytest.raises(DecisionError, match="there is nothing to redo"):
            estate.ada.redo()
        assert estate.ada.next_undo() is None
        assert estate.ada.next_redo() is None

    def test_a_new_decision_ends_redo(self, estate: Estate) -> None:
        estate.accept("a")
        estate.ada.undo()
        estate.ada.claim_fixed(estate.ids("b"))
        assert estate.ada.next_redo() is None
        with pytest.raises(DecisionError, match="nothing to redo"):
            estate.ada.redo()

    def test_what_this_program_did_comes_first_then_what_the_log_has(self, estate: Estate) -> None:
        elsewhere = estate.person("ada")
        estate.accept("a", elsewhere)
        estate.accept("b")
        estate.accept("c", elsewhere)
        estate.ada.undo()
        assert estate.states() == "accepted open accepted open open"
        estate.ada.undo()
        assert estate.states() == "accepted open open open open"
        estate.ada.undo()
        assert estate.states() == "open open open open open"

    def test_in_a_later_session(self, estate: Estate) -> None:
        estate.accept("a")
        later = estate.person("ada")
        later.undo()
        assert estate.rows()["a"].status == "open"
        assert estate.person("ada").redo().summary.startswith("redid: accepted 1 finding")
        assert estate.rows()["a"].status == "accepted"
        assert estate.person("ada").next_redo() is None
        assert estate.person("bob").next_undo() is None

    def test_one_of_a_batch_by_its_event(self, estate: Estate) -> None:
        action = estate.accept("abc")
        undone = estate.ada.undo(action.events[1].id)
        assert undone.summary == "undid: accepted 1 finding until 2027-01-31"
        assert undone.events[0].finding == estate.ids("b")[0]
        assert estate.states() == "accepted open accepted open open"

    def test_undoing_an_undo_is_a_redo(self, estate: Estate) -> None:
        estate.accept("a")
        undone = estate.ada.undo()
        assert estate.ada.undo(undone.batch).summary.startswith("redid: accepted 1 finding")
        assert estate.rows()["a"].status == "accepted"
        assert estate.ada.next_redo() is None
        estate.ada.undo()
        assert estate.rows()["a"].status == "open"

    def test_not_twice(self, estate: Estate) -> None:
        action = estate.accept("a")
        estate.ada.undo(action.batch)
        with pytest.raises(DecisionError, match="undone already"):
            estate.ada.undo(action.batch)

    def test_the_unknown(self, estate: Estate) -> None:
        with pytest.raises(DecisionError, match="no decision is called b-none: see the history"):
            estate.ada.undo("b-none")

    def test_another_persons_needs_a_reason(self, estate: Estate) -> None:
        action = estate.accept("a", estate.person("bob"))
        with pytest.raises(DecisionError, match="no decision of yours"):
            estate.ada.undo()
        with pytest.raises(DecisionError, match="this was decided by bob: say why you undo it"):
            estate.ada.undo(action.batch, reason="short")
        undone = estate.ada.undo(action.batch, reason="bob agreed by phone")
        assert undone.events[0].payload["reason"] == "bob agreed by phone"
        assert estate.rows()["a"].status == "open"

    def test_it_brings_back_what_was_before_as_it_is_now(self, estate: Estate) -> None:
        estate.ada.accept(estate.ids("a"), reason=REASON, until=date(2026, 11, 24), owner="ml")
        estate.ada.false_positive(estate.ids("a"), reason=REASON, category="bad_data")
        estate.wait(days=3)
        estate.ada.undo()
        row = estate.rows()["a"]
        assert (row.status, row.cause) == ("reopened", "expired")
        assert [set(estate.rows(asked)) for asked in ("lapsed:3d", "lapsed:1d", "-lapsed:3d")] == [
            {"a"}, set(), set("bcde")
        ]  # fmt: skip
        scan, (ended,) = estate.store.scan().id, estate.ids("a")
        for days, most, found in ((3, 5, (1, [ended])), (3, 0, (1, [])), (1, 5, (0, []))):
            since = stamp(estate.now - timedelta(days=days))
            assert estate.store.lapsed(scan, since, most) == found

    def test_notes_and_assignments_too(self, estate: Estate) -> None:
        estate.ada.note(estate.ids("a"), text="hello")
        assert estate.ada.undo().summary == "undid: commented on 1 finding"


class TestRescan:
    def test_a_fix_that_is_none_comes_back_and_a_real_one_is_verified(self, estate: Estate) -> None:
        estate.ada.claim_fixed(estate.ids("ab"))
        estate.accept("c")
        estate.scan("acde")
        assert estate.states() == "reopened fixed accepted open open"
        assert estate.rows()["a"].cause == "fix ineffective"

    def test_an_acceptance_ends_with_the_deciders_day(self, estate: Estate) -> None:
        estate.accept("a")
        estate.now = datetime(2027, 1, 31, 22, 59, 59, tzinfo=UTC)
        assert estate.rows()["a"].status == "accepted"
        estate.wait(seconds=1)
        row = estate.rows()["a"]
        assert (row.status, row.cause) == ("reopened", "expired")
        assert estate.rows("status:reopened").keys() == {"a"}

    def test_what_has_lapsed_is_accepted_again_as_one_action(self, estate: Estate) -> None:
        ids = estate.ids("abc")
        estate.ada.accept(ids[:1], reason=REASON, until=estate.ada.today, owner="ml-platform")
        estate.ada.accept(ids[1:2], reason="another reason", owner="other", until=UNTIL)
        estate.wait(days=75)
        assert estate.states() == "reopened reopened open open open"
        done = estate.ada.accept_again(ids)
        assert done.findings == tuple(ids[:2])
        assert [event.payload["reason"] for event in done.events] == [REASON, "another reason"]
        assert [event.payload["owner"] for event in done.events] == ["ml-platform", "other"]
        assert done.summary == "accepted 2 findings until 2027-02-07 … 2027-04-16"
        assert estate.states() == "accepted accepted open open open"
        estate.ada.undo()
        assert estate.states() == "reopened reopened open open open"

    def test_a_worse_severity_ends_it_too(self, estate: Estate) -> None:
        estate.accept("a")
        estate.scan("abcde", severity=Severity.CRITICAL)
        row = estate.rows()["a"]
        assert (row.status, row.cause) == ("reopened", "guard:severity")

    def test_what_is_to_be_confirmed(self, estate: Estate) -> None:
        assert estate.ada.must_confirm(estate.ids("ab")) == ()
        estate.scan("abcde", severity=Severity.CRITICAL)
        found = estate.ada.must_confirm(estate.ids("ab"))
        assert [facts.finding for facts in found] == estate.ids("ab")


def test_today_is_the_deciders(estate: Estate) -> None:
    estate.now = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
    zones: Sequence[tuple[str, int]] = [("UTC", 23), ("Asia/Tokyo", 24), ("America/New_York", 23)]
    for zone, day in zones:
        assert estate.person("x", zone).today == date(2026, 11, day)
