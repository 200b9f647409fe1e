"""Until when: what a person types, and what is offered."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Final

from undercroft.filter.values import add_months
from undercroft.triage.errors import DecisionError
from undercroft.triage.limits import MAX_DAYS

__all__ = ["DEFAULT_DAYS", "check_until", "parse_until", "until_choices"]

DEFAULT_DAYS: Final = 90

_SPAN: Final = re.compile(r"(\d{1,5})\s*(d|w|m|y)", re.ASCII)


def parse_until(text: str, today: date) -> date:
    """The last day that ``30d``, ``2w``, ``3m``, ``1y``, ``2027-01-31``, ``eoq`` or ``eoy`` means.

    Only reads; whether the day is allowed is for ``check_until`` to say.

    Raises:
        DecisionError: it is none of these.
    """
    word = text.strip().lower()
    try:
        if (found := _SPAN.fullmatch(word)) is not None:
            amount, unit = int(found[1]), found[2]
            if unit in "my":
                return add_months(today, amount * (12 if unit == "y" else 1))
            return today + timedelta(days=amount * (7 if unit == "w" else 1))
        match word:
            case "today":
                return today
            case "tomorrow":
                return today + timedelta(days=1)
            case "eoq":
                return _quarter_end(today)
            case "eoy":
                return date(today.year, 12, 31)
            case _:
                return date.fromisoformat(word)
    except (ValueError, OverflowError) as error:
        msg = (
            f"{text.strip()!r} is not a day: write 2027-01-31, a time from today "
            "(30d, 2w, 3m), eoq or eoy"
        )
        raise DecisionError(msg) from error


def check_until(until: date, today: date, max_days: int = MAX_DAYS) -> None:
    """Refuse a last day that has passed or is too far away.

    Raises:
        DecisionError: with the days that are possible.
    """
    latest = today + timedelta(days=max_days)
    if until < today:
        msg = f"{until} has passed: choose a day from {today} to {latest}"
        raise DecisionError(msg)
    if until > latest:
        msg = f"{until} is more than {max_days} days away: choose a day up to {latest}"
        raise DecisionError(msg)


def until_choices(today: date, max_days: int = MAX_DAYS) -> list[tuple[str, date]]:
    """Days to offer, nearest first, each with its name; without those that policy forbids."""
    offered = [
        ("30 days", today + timedelta(days=30)),
        ("90 days", today + timedelta(days=DEFAULT_DAYS)),
        ("end of quarter", _quarter_end(today)),
        ("end of year", date(today.year, 12, 31)),
    ]
    if offered[2][1] == offered[3][1]:
        del offered[2]
    allowed = [choice for choice in offered if (choice[1] - today).days <= max_days]
    return sorted(allowed, key=lambda choice: choice[1])


def _quarter_end(today: date) -> date:
    first_of_quarter = date(today.year, today.month - (today.month - 1) % 3, 1)
    return add_months(first_of_quarter, 3) - timedelta(days=1)
