"""The last day of a decision: typed in words or figures, or chosen among the usual ones."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from tui.text import content
from undercroft.triage.dates import check_until, parse_until
from undercroft.triage.errors import DecisionError

__all__ = ["UntilField", "UntilInput"]

_QUICK = ("30d", "90d", "eoq", "6m")
_DEFAULT = "90d"


class UntilInput(Input):
    """A date in words or figures; the arrow keys go through the usual ones."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "quick(-1)", "Earlier", show=False, id="until.earlier"),
        Binding("down", "quick(1)", "Later", show=False, id="until.later"),
    ]

    class Quick(Message):
        """Asks for the next or previous usual date."""

        def __init__(self, by: int) -> None:
            super().__init__()
            self.by = by

    def action_quick(self, by: int) -> None:
        """Ask the field for another usual date."""
        self.post_message(self.Quick(by))


class UntilField(Vertical):
    """A labelled line, what it means, and the usual days beneath."""

    DEFAULT_CSS = """
    UntilField {
        height: auto;
        & #quick { margin-left: 14; }
        & #until-hint { margin-left: 14; }
    }
    """

    def __init__(self, today: date, max_days: int) -> None:
        super().__init__()
        self._today = today
        self._max_days = max_days

    def compose(self) -> ComposeResult:
        """The line and its two hints."""
        with Horizontal(classes="field"):
            yield Static("Until", classes="label")
            yield UntilInput(
                min(_DEFAULT, f"{self._max_days}d", key=self._day_of),
                id="until",
                placeholder="30d, 2w, 3m, eoq or 2027-01-31",
            )
        yield Static(classes="hint", id="until-hint")
        yield Static(classes="hint", id="quick")

    def on_mount(self) -> None:
        """Say what the proposal means."""
        self._say()

    @property
    def input(self) -> Input:
        """Where it is typed."""
        return self.query_one("#until", Input)

    def day(self) -> date | str:
        """The date, or a sentence that says why it is none."""
        text = self.input.value.strip()
        if not text:
            return (
                "Say until when: 30d, 2w, 3m, eoq (end of the quarter) or a date like 2027-01-31."
            )
        try:
            until = parse_until(text, self._today)
            check_until(until, self._today, self._max_days)
        except DecisionError as error:
            return _sentence(str(error))
        return until

    def _day_of(self, word: str) -> date:
        return parse_until(word, self._today)

    def _quick_dates(self) -> Iterator[tuple[str, date]]:
        """The usual dates, soonest first, without two names for one day."""
        seen: set[date] = set()
        latest = self._today + timedelta(days=self._max_days)
        choices = [(word, self._day_of(word)) for word in _QUICK]
        for word, day in sorted(choices, key=lambda choice: choice[1]):
            if day not in seen and day <= latest:
                seen.add(day)
                yield word, day

    @on(Input.Changed, "#until")
    def _say(self) -> None:
        until = self.day()
        hint = self.query_one("#until-hint", Static)
        if isinstance(until, str):
            hint.update(content(until))
        else:
            days = (until - self._today).days
            when = f"in {days} days" if days != 1 else "tomorrow"
            when = when if days else "today"
            hint.update(content(f"✓ {_long(until)}, {when}; that day included"))
        hint.set_class(not isinstance(until, str), "-good")
        hint.set_class(isinstance(until, str), "-bad")
        parts = [
            Content(f"{word} {_short(day)}").stylize("bold $signature" if day == until else "")
            for word, day in self._quick_dates()
        ]
        self.query_one("#quick", Static).update(Content.assemble("↑↓  ", Content("  ").join(parts)))

    @on(UntilInput.Quick)
    def _next_quick(self, event: UntilInput.Quick) -> None:
        event.stop()
        choices = list(self._quick_dates())
        until = self.day()
        now = until if isinstance(until, date) else self._today
        later = [word for word, day in choices if day > now]
        sooner = [word for word, day in choices if day < now]
        field = self.input
        if event.by > 0:
            field.value = (later or [choices[0][0]])[0]
        else:
            field.value = (sooner or [choices[-1][0]])[-1]
        field.cursor_position = len(field.value)


def _long(day: date) -> str:
    return f"{day:%A} {day.day} {day:%B %Y}"


def _short(day: date) -> str:
    return f"{day.day} {day:%b}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
