"""Ageing: age, open days, and the service-level clock, from a finding's timeline."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.undercroft.store_kit import Clock, Estate, fail, notebook, save
from undercroft.clock import stamp
from undercroft.model import Outcome, Severity
from undercroft.store import Store
from undercroft.triage.ageing import Ageing, Look, Span, ageing, spans, unbroken
from undercroft.triage.decide import Triage
from undercroft.triage.events import Event, FindingFacts, seal
from undercroft.triage.limits import ServiceLevel
from undercroft.triage.status import Sighting, State
from undercroft.views import Query

FACTS = FindingFacts("f1-a", Severity.HIGH)


def day(number: float) -> datetime:
    return datetime(2026, 11, 1, tzinfo=UTC) + timedelta(days=number)


NOW = day(20)


def look(number: float, outcome: Outcome = Outcome.FAIL, facts: FindingFacts = FACTS) -> Look:
    return Look(Sighting(f"scan-{number}", stamp(day(number)), outcome), facts)


def said(kind: str, on: float, finding: str | None = "f1-a", **payload: object) -> Event:
    seen = {"scan": "s", "collected_at": stamp(day(int(on))), "outcome": "fail"}
    return Event(kind, "ada", stamp(day(on)), finding, payload, seen=seen)  # type: ignore[arg-type]


def log(*drafts: Event) -> list[Event]:
    return seal(drafts, "here", 0, None, 0, {})


def times(looks: list[Look], events: list[Event], now: datetime = NOW) -> Ageing:
    return ageing(spans(looks, events, "f1-a", None, now), day(1), now)


def days(number: float) -> timedelta:
    return timedelta(days=number)


def test_what_only_ever_failed_is_open_since_it_was_first_seen() -> None:
    found = times([look(1), look(5)], [])
    assert found == Ageing(days(19), days(19), day(1)) == unbroken(day(1), NOW)
    assert found.due(7) == day(8)


def test_a_scan_that_could_not_look_stops_no_clock() -> None:
    assert times([look(1), look(5, Outcome.UNKNOWN)], []) == unbroken(day(1), NOW)


def test_a_verified_fix_ends_the_clock_and_its_return_starts_it_again() -> None:
    looks = [look(1), look(4, Outcome.PASS)]
    fixed = times(looks, [])
    assert (fixed.age, fixed.open, fixed.clock_from) == (days(19), days(3), None)
    assert fixed.due(7) is None
    back = times([*looks, look(10)], [])
    assert (back.age, back.open, back.clock_from) == (days(19), days(13), day(10))
    assert back.due(7) == day(17)


def test_what_was_gone_was_not_fixed() -> None:
    found = times([look(1), look(4, Outcome.GONE), look(10)], [])
    assert (found.open, found.clock_from) == (days(13), day(1))


def test_the_clock_stands_while_accepted_and_goes_on_when_that_expires() -> None:
    events = log(said("accept", 3, lapses_at=stamp(day(9))))
    held = times([look(1)], events, day(5))
    assert (held.open, held.paused, held.is_paused) == (days(2), days(2), True)
    assert held.due(7) == day(10)
    over = times([look(1)], events)
    assert (over.open, over.paused, over.is_paused) == (days(13), days(6), False)
    assert (over.clock_from, over.due(7)) == (day(1), day(14))


def test_an_acceptance_before_a_fix_does_not_pause_what_comes_after() -> None:
    events = log(said("accept", 2, lapses_at=stamp(day(30))))
    found = times([look(1), look(4, Outcome.PASS), look(10)], events)
    assert (found.clock_from, found.paused, found.open) == (day(10), days(0), days(11))


def test_an_undone_acceptance_paused_until_it_was_undone() -> None:
    accept = said("accept", 3, lapses_at=stamp(day(30)))
    (sealed,) = log(accept)
    events = log(accept, said("undo", 7, None, target=sealed.id))
    found = times([look(1)], events)
    assert (found.paused, found.open) == (days(4), days(15))


def test_a_claim_calls_for_work_and_a_false_positive_does_not() -> None:
    claimed = times([look(1)], log(said("claim_fixed", 3, fixed_at=stamp(day(3)))))
    assert claimed == unbroken(day(1), NOW)
    wrong = times([look(1)], log(said("false_positive", 3)))
    assert (wrong.open, wrong.clock_from) == (days(2), None)


def test_a_guard_ends_an_acceptance_with_the_scan_that_saw_it() -> None:
    accept = said("accept", 3, lapses_at=stamp(day(30)))
    guarded = Event(
        accept.type, "ada", accept.at, "f1-a", accept.payload, {"severity": "high"}, accept.seen
    )
    worse = FindingFacts("f1-a", Severity.CRITICAL)
    found = times([look(1), look(8, facts=worse)], log(guarded))
    assert (found.paused, found.is_paused) == (days(5), False)


def test_a_decision_from_a_clock_that_runs_ahead_counts_from_now() -> None:
    found = times([look(1)], log(said("accept", 25, lapses_at=stamp(day(30)))))
    assert (found.open, found.paused, found.is_paused) == (days(19), days(0), True)


@given(st.lists(st.sampled_from([State.OPEN, State.ACCEPTED, State.FIXED, State.GONE]), max_size=8))
def test_open_and_paused_time_never_exceed_the_age(states: list[State]) -> None:
    found = [Span(day(1 + place), state) for place, state in enumerate(states)]
    result = ageing(found, day(1), NOW)
    assert days(0) <= result.open + result.paused <= result.age


@pytest.mark.parametrize(
    ("severity", "kev", "limit"),
    [("critical", False, 7), ("high", False, 30), ("high", True, 14), ("critical", True, 7),
     ("low", False, None), ("low", True, 14)],
)  # fmt: skip
def test_the_shorter_of_two_limits_counts(severity: str, kev: bool, limit: int | None) -> None:
    level = ServiceLevel({"critical": 7, "high": 30, "kev": 14})
    assert level.limit(Severity(severity), kev=kev) == limit


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (unbroken(day(18), NOW), "2026-11-26, 5 days left"),
        (unbroken(day(1), NOW), "2026-11-09, overdue by 12 days"),
        (Ageing(days(9), days(2), day(11), days(7), True), "stands while accepted, 5 days left"),
        (Ageing(days(19), days(3), None), ""),
    ],
)
def test_words(found: Ageing, words: str) -> None:
    assert ServiceLevel({"high": 7}).words(found, Severity.HIGH, kev=False, now=NOW) == words


def test_from_scans_and_decisions_in_a_cache(tmp_path: Path) -> None:
    clock = Clock()
    with Store.open(tmp_path / "cache.db", clock=clock) as store:
        _check_cache(store, clock)


def _check_cache(store: Store, clock: Clock) -> None:
    estate = Estate()
    nb, other = notebook(), notebook("other")
    estate.add(nb, fail(nb))
    estate.add(other, fail(other))
    save(store, estate, clock)
    began = clock.now - timedelta(hours=1)
    clock.forward(days=10, hours=-1)
    first = {row.resource_name: row.id for row in store.findings(store.scan().id, Query())}
    triage = Triage(store, actor="ada", clock=clock, zone="UTC")
    until = date(2026, 12, 4)
    triage.accept([first["nb"]], reason="known and tolerated", until=until, owner="ml")
    clock.now = datetime(2026, 12, 10, tzinfo=UTC)
    scan = store.scan()
    found = store.finding(scan.id, first["nb"]).ageing
    assert found is not None
    assert not found.is_paused
    accepted = datetime(2026, 12, 5, tzinfo=UTC) - (began + timedelta(days=10))
    assert (found.age, found.paused) == (clock.now - began, accepted)
    assert found.open == found.age - accepted
    untouched = store.finding(scan.id, first["other"]).ageing
    assert untouched == unbroken(began, clock.now)
    # Exports say the same as the detail.
    records = {record.row.id: record.ageing for record in store.iter_records(scan.id, Query())}
    assert records == {first["nb"]: found, first["other"]: untouched}


@pytest.mark.parametrize(
    ("level", "kev", "named", "due"),
    [
        (ServiceLevel({"high": 30}), True, "2026-10-22", day(31)),
        (ServiceLevel({"high": 30}, catalogue=True), True, "2026-10-22", "2026-10-22"),
        (ServiceLevel({"high": 1}, catalogue=True), True, "2029-10-22", day(2)),
        (ServiceLevel(catalogue=True), True, "2026-10-22", "2026-10-22"),
        (ServiceLevel(catalogue=True), False, "2026-10-22", None),
        (ServiceLevel(catalogue=True), True, "", None),
        (ServiceLevel(catalogue=True), True, "some day", None),
    ],
)
def test_the_day_of_the_catalogue_counts_where_the_policy_says_so(
    level: ServiceLevel, kev: bool, named: str, due: datetime | str | None
) -> None:
    found = level.due(unbroken(day(1), NOW), Severity.HIGH, kev=kev, kev_due=named)
    assert (found.date().isoformat() if found and isinstance(due, str) else found) == due
