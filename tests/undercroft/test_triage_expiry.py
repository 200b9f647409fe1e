"""Until when: days, zones, clock changes, and what a person may type."""

from __future__ import annotations

import contextlib
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undercroft.clock import stamp
from undercroft.model import Severity
from undercroft.triage.dates import check_until, parse_until, until_choices
from undercroft.triage.errors import DecisionError
from undercroft.triage.events import Event, FindingFacts
from undercroft.triage.status import lapse_cause
from undercroft.triage.when import day_end, instant, lapse_instant, local_zone

FACTS = FindingFacts("f1-a", Severity.HIGH)
TODAY = date(2026, 11, 23)


def accept(until: str, zone: str) -> Event:
    ends = day_end(date.fromisoformat(until), zone)
    return Event("accept", "ada", "", payload={"until": until, "lapses_at": stamp(ends)})


@pytest.mark.parametrize(
    ("until", "zone", "end"),
    [
        ("2027-01-31", "UTC", "2027-02-01T00:00:00Z"),
        ("2027-01-31", "Europe/Berlin", "2027-01-31T23:00:00Z"),
        ("2027-07-31", "Europe/Berlin", "2027-07-31T22:00:00Z"),
        # The days on which clocks change there are 23 and 25 hours long.
        ("2027-03-28", "Europe/Berlin", "2027-03-28T22:00:00Z"),
        ("2027-10-31", "Europe/Berlin", "2027-10-31T23:00:00Z"),
        ("2027-01-31", "America/Los_Angeles", "2027-02-01T08:00:00Z"),
        ("2027-01-31", "Asia/Kathmandu", "2027-01-31T18:15:00Z"),
        ("2027-01-31", "Pacific/Kiritimati", "2027-01-31T10:00:00Z"),
        # Clocks jumped from 00:00 to 01:00: the day ends with the jump.
        ("2018-11-03", "America/Sao_Paulo", "2018-11-04T03:00:00Z"),
        # Clocks went back from 01:00 to 00:00: the first of two midnights.
        ("2018-11-03", "America/Havana", "2018-11-04T04:00:00Z"),
        # Samoa had no 30 December 2011.
        ("2011-12-29", "Pacific/Apia", "2011-12-30T10:00:00Z"),
        ("2011-12-30", "Pacific/Apia", "2011-12-30T10:00:00Z"),
    ],
)
def test_t7_a_day_ends_at_local_midnight(until: str, zone: str, end: str) -> None:
    event = accept(until, zone)
    ends = instant(end)
    assert ends is not None
    assert lapse_cause(event, FACTS, ends - timedelta(microseconds=1)) == ""
    assert lapse_cause(event, FACTS, ends) == "expired"


def test_t7_two_people_in_two_zones_mean_different_instants() -> None:
    now = datetime(2027, 1, 31, 23, 30, tzinfo=UTC)
    assert lapse_cause(accept("2027-01-31", "Europe/Berlin"), FACTS, now) == "expired"
    assert lapse_cause(accept("2027-01-31", "America/New_York"), FACTS, now) == ""


@given(
    st.dates(date(1990, 1, 1), date(2036, 12, 31)),
    st.sampled_from(
        ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"]
    ),
)
def test_days_follow_each_other_without_gap_or_overlap(day: date, zone: str) -> None:
    length = day_end(day + timedelta(days=1), zone) - day_end(day, zone)
    assert timedelta(0) <= length <= timedelta(hours=25)


def test_without_a_recorded_instant_day_and_zone_say_it() -> None:
    payload = {"until": "2027-01-31", "zone": "Europe/Berlin"}
    assert lapse_instant(payload) == datetime(2027, 1, 31, 23, tzinfo=UTC)
    assert lapse_instant({"until": "2027-01-31"}) == datetime(2027, 2, 1, tzinfo=UTC)
    assert lapse_instant({"until": "2027-01-31", "zone": "Middle/Earth"}) is None
    assert lapse_instant({}) is None


def test_an_unknown_zone_is_named() -> None:
    with pytest.raises(ValueError, match="no time zone is called 'Middle/Earth'"):
        day_end(TODAY, "Middle/Earth")
    with pytest.raises(ValueError, match="too far away"):
        day_end(date.max, "UTC")


@pytest.mark.parametrize("zone", ["", "../../etc/passwd", "\0", "x" * 300])
def test_zone_names_are_not_paths(zone: str) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        day_end(TODAY, zone)


def test_this_machine_has_a_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert local_zone() == "Asia/Tokyo"
    monkeypatch.setenv("TZ", ":America/New_York")
    assert local_zone() == "America/New_York"
    monkeypatch.setenv("TZ", "nonsense")
    day_end(TODAY, local_zone())


@pytest.mark.parametrize("text", ["", "x", "2027-01-31", "2027-01-31T10:00:00", "9999-99-99T00Z"])
def test_what_names_no_instant(text: str) -> None:
    assert instant(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30d", "2026-12-23"),
        ("2w", "2026-12-07"),
        ("3m", "2027-02-23"),
        ("1y", "2027-11-23"),
        (" 30 D ", "2026-12-23"),
        ("2027-01-31", "2027-01-31"),
        ("eoq", "2026-12-31"),
        ("EOY", "2026-12-31"),
        ("today", "2026-11-23"),
        ("tomorrow", "2026-11-24"),
    ],
)
def test_parse_until(text: str, expected: str) -> None:
    assert parse_until(text, TODAY) == date.fromisoformat(expected)


@pytest.mark.parametrize(
    ("today", "text", "expected"),
    [
        ("2027-01-31", "1m", "2027-02-28"),
        ("2027-03-31", "eoq", "2027-03-31"),
        ("2027-04-01", "eoq", "2027-06-30"),
        ("2026-12-15", "1m", "2027-01-15"),
        ("2028-02-29", "1y", "2029-02-28"),
    ],
)
def test_months_have_their_own_length(today: str, text: str, expected: str) -> None:
    assert parse_until(text, date.fromisoformat(today)) == date.fromisoformat(expected)


@pytest.mark.parametrize("text", ["", "soon", "30", "d30", "2027-02-30", "99999y", "-3d", "٣d"])
def test_what_is_no_day_is_refused_with_examples(text: str) -> None:
    with pytest.raises(DecisionError, match="is not a day: write 2027-01-31, a time from today"):
        parse_until(text, TODAY)


@given(st.text(max_size=12))
def test_nothing_else_is_raised(text: str) -> None:
    with contextlib.suppress(DecisionError):
        parse_until(text, TODAY)


def test_the_last_day_has_limits() -> None:
    check_until(TODAY, TODAY)
    check_until(TODAY + timedelta(days=365), TODAY)
    with pytest.raises(DecisionError, match=r"2026-11-22 has passed: choose a day from 2026-11-23"):
        check_until(TODAY - timedelta(days=1), TODAY)
    with pytest.raises(DecisionError, match=r"more than 365 days away: choose .* 2027-11-23"):
        check_until(TODAY + timedelta(days=366), TODAY)
    with pytest.raises(DecisionError, match=r"more than 30 days away"):
        check_until(TODAY + timedelta(days=31), TODAY, 30)


@given(st.dates(date(2020, 1, 1), date(2035, 12, 31)))
def test_choices_are_allowed_days_in_order_without_doubles(today: date) -> None:
    choices = until_choices(today)
    days = [day for _, day in choices]
    assert days == sorted(days)
    assert len({label for label, _ in choices}) == len(choices)
    for day in days:
        check_until(day, today)


def test_choices_have_names() -> None:
    assert until_choices(date(2027, 2, 1)) == [
        ("30 days", date(2027, 3, 3)),
        ("end of quarter", date(2027, 3, 31)),
        ("90 days", date(2027, 5, 2)),
        ("end of year", date(2027, 12, 31)),
    ]
