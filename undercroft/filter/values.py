"""What may follow a key: checked when a line is read, given a meaning when it is asked."""

from __future__ import annotations

import calendar
import re
from datetime import date, datetime, time, timedelta
from typing import Final

from undercroft.filter.errors import FilterError
from undercroft.filter.keys import Key, nearest
from undercroft.filter.nodes import Value
from undercroft.records import dataclass
from undercroft.triage.when import instant

__all__ = [
    "Range",
    "Span",
    "add_months",
    "bound",
    "check",
    "expand",
    "matches",
    "number_range",
    "span",
]

_AGE: Final = re.compile(r"(\d{1,6})(h|d|w|m|y)", re.ASCII | re.IGNORECASE)
_NUMBER: Final = re.compile(r"(-?\d{1,15}(?:\.\d{1,15})?|\.\d{1,15})(%?)", re.ASCII)
_DAYS: Final = {"today": 0, "yesterday": -1, "tomorrow": 1}


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from ``low`` to ``high``; what ``:`` means is ``low <= x < high``."""

    low: float
    high: float
    value: float
    """For comparisons: the number itself."""
    inclusive: bool = False
    """``low <= x <= high``: the range was spelled out (``40..70``)."""


@dataclass(frozen=True, slots=True)
class Span:
    """A point in time, or a whole day (``end`` is the first instant after it)."""

    start: datetime
    end: datetime
    day: date

    @property
    def is_day(self) -> bool:
        """Whether it is a calendar day rather than an instant."""
        return self.start != self.end


def check(key: Key, op: str, value: Value, at: int) -> Value:
    """The value as the tree keeps it: spelled as the language spells it.

    Raises:
        FilterError: it is not a value of this key.
    """
    match key.kind:
        case "enum" | "severity" | "flag":
            return _check_word(key, op, value, at)
        case "number":
            if value.is_wild or number_range(value.text) is None:
                raise _wrong(key, value, at, "a number")
            if op != ":" and ".." in value.text:
                raise _wrong(key, value, at, "one number")
        case "since" | "lapses":
            if value.is_wild or not _is_time(key.kind, value.text):
                raise _wrong(key, value, at, "a day (2027-01-31, today) or a time (7d, 2w, 3m)")
        case "name" | "tag":
            pass
    return value


def expand(key: Key, op: str, value: Value) -> tuple[str, ...]:
    """The allowed values of an enum or severity that a checked value stands for."""
    if value.is_wild:
        return tuple(allowed for allowed in key.values if matches(value, allowed))
    if op != ":":
        # Values of a severity are listed from the worst down.
        place = key.values.index(value.text)
        return {
            ">=": key.values[: place + 1],
            ">": key.values[:place],
            "<=": key.values[place:],
            "<": key.values[place + 1 :],
        }[op]
    return key.groups.get(value.text, (value.text,))


def matches(value: Value, text: str) -> bool:
    """Whether the whole of ``text`` is this value, wildcards and ASCII case considered."""
    pattern = ".*".join(re.escape(part) for part in value.parts)
    return re.fullmatch(pattern, text, re.ASCII | re.IGNORECASE | re.DOTALL) is not None


def number_range(text: str) -> Range | None:
    """``70``, ``0.25``, ``10%`` or ``40..70``; None if it is none of these."""
    low, dots, high = text.partition("..")
    if dots:
        first, last = _NUMBER.fullmatch(low), _NUMBER.fullmatch(high)
        if not first or not last:
            return None
        bounds = _number(first), _number(last)
        return Range(min(bounds), max(bounds), bounds[0], inclusive=True)
    found = _NUMBER.fullmatch(text)
    if not found:
        return None
    digits = len(found[1].partition(".")[2]) + (2 if found[2] else 0)
    half = 0.5 * 10.0**-digits
    number = _number(found)
    return Range(number - half, number + half, number)


def span(kind: str, text: str, now: datetime, at: int = 0) -> Span:
    """A checked ``since`` or ``lapses`` value; days are those of ``now``'s zone.

    An age lies in the past for ``since`` and in the future for ``lapses``.

    Raises:
        FilterError: it lies outside of the calendar; ``at`` is where it stands in the line.
    """
    try:
        found = _span(kind, text, now)
        # A year to spare on both sides, so that no zone can push it over the edge.
        fits = date.min.year < found.start.year < date.max.year
    except (ValueError, OverflowError):
        fits = False
    if not fits:
        raise FilterError(f"{text!r} at {at + 1} is outside of the calendar", at)
    return found


def bound(op: str, when: Span, *, ends: bool = False) -> tuple[str, datetime]:
    """The comparison with an instant that a comparison with a day or an instant means.

    ``ends``: what is compared is the end of a day, which belongs to the day that it ends.
    """
    if not when.is_day:
        return op, when.start
    edge = when.end if op in {">", "<="} else when.start
    if ends:
        return (">" if op in {">", ">="} else "<="), edge
    return (">=" if op in {">", ">="} else "<"), edge


def _span(kind: str, text: str, now: datetime) -> Span:
    if (moment := instant(text)) is not None:
        return Span(moment, moment, moment.astimezone(now.tzinfo).date())
    if (age := _AGE.fullmatch(text)) is not None:
        moment = _shift(now, int(age[1]) * (-1 if kind == "since" else 1), age[2].lower())
        return Span(moment, moment, moment.date())
    if text.lower() in _DAYS:
        day = now.date() + timedelta(days=_DAYS[text.lower()])
    else:
        day = date.fromisoformat(text)
    start = datetime.combine(day, time.min, tzinfo=now.tzinfo)
    return Span(start, start + timedelta(days=1), day)


def add_months(day: date, months: int) -> date:
    """The same day of a later month, or that month's last.

    Raises:
        ValueError: it lies outside of the calendar.
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if not date.min.year <= year <= date.max.year:
        msg = f"year {year} is not in the calendar"
        raise ValueError(msg)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _shift(now: datetime, amount: int, unit: str) -> datetime:
    if unit in "my":
        months = amount * (12 if unit == "y" else 1)
        return datetime.combine(add_months(now.date(), months), now.timetz())
    hours = {"h": 1, "d": 24, "w": 7 * 24}[unit]
    return now + timedelta(hours=amount * hours)


def _is_time(kind: str, text: str) -> bool:
    if _AGE.fullmatch(text):
        # Acceptances end with a day, so hours say nothing about them.
        return kind == "since" or text[-1].lower() != "h"
    if text.lower() in _DAYS or instant(text) is not None:
        return True
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _number(found: re.Match[str]) -> float:
    return float(found[1]) / (100 if found[2] else 1)


def _check_word(key: Key, op: str, value: Value, at: int) -> Value:
    if value.is_wild and op == ":":
        if any(matches(value, allowed) for allowed in key.values):
            return Value(tuple(part.lower() for part in value.parts))
    else:
        word = value.text.lower()
        word = key.aliases.get(word, word)
        if word in key.values or (word in key.groups and op == ":"):
            return Value((word,))
    allowed_words = [*key.values, *key.groups, *key.aliases]
    suggestion = nearest("".join(value.parts), allowed_words)
    suggestion = key.aliases.get(suggestion, suggestion)
    advice = (
        f"did you mean {suggestion!r}?"
        if suggestion
        else "use one of " + ", ".join([*key.values, *key.groups])
    )
    raise FilterError(
        f"{value.text!r} at {at + 1} is no value of {key.name!r}: {advice}", at, suggestion
    )


def _wrong(key: Key, value: Value, at: int, wanted: str) -> FilterError:
    return FilterError(
        f"{value.text!r} at {at + 1} is not {wanted}, which {key.name!r} needs: "
        f"for example {key.example}",
        at,
    )
