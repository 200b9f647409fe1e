"""Accept: why, until when, and who answers for it. Critical ones ask twice, with names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static, TextArea

from tui.dialogs.base import ReasonArea, Suggest
from tui.dialogs.context import Context
from tui.dialogs.decision import DecisionDialog
from tui.dialogs.results import Accept
from tui.text import content, shown
from undercroft.triage.dates import check_until, parse_until
from undercroft.triage.errors import DecisionError

__all__ = ["AcceptDialog"]

MIN_REASON = 10
"""Characters that a reason needs (triage rules 4)."""
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
        """Ask the dialog for another usual date."""
        self.post_message(self.Quick(by))


class AcceptDialog(DecisionDialog[Accept]):
    """Returns ``Accept``."""

    DEFAULT_CSS = """
    AcceptDialog {
        & #services { height: auto; max-height: 12; margin-top: 1; display: none; }
        & #quick { margin-left: 14; }
        & #until-hint { margin-left: 14; }
        & #weight { margin-top: 1; display: none; color: $severity-critical; }
        & #weight.-shown { display: block; }
        & .-sure #services { display: block; }
        & .-sure .field, & .-sure #reason, & .-sure .hint, & .-sure .label { display: none; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "accept", priority=True, id="dialog.submit"),
        Binding("tab", "app.focus_next", "next field", id="dialog.next"),
        Binding("escape", "cancel", "cancel", priority=True, id="dialog.cancel"),
    ]

    def __init__(
        self, label: str, count: int, *, today: date, load: Callable[[], Context] | None = None
    ) -> None:
        super().__init__("Accept the risk for a while", label, count, load=load)
        self._today = today
        self._owners: tuple[str, ...] = ()
        self._sure = False

    def fields(self) -> ComposeResult:
        """Reason, until, owner, and what stands above."""
        yield Static("Why is it tolerable, and for how long?", classes="label")
        yield ReasonArea(placeholder="the compensating control, the plan, the ticket…", id="reason")
        yield Static(classes="hint", id="reason-hint")
        with Horizontal(classes="field"):
            yield Static("Until", classes="label")
            yield UntilInput(_DEFAULT, id="until", placeholder="30d, 2w, 3m, eoq or 2027-01-31")
        yield Static(classes="hint", id="until-hint")
        yield Static(classes="hint", id="quick")
        with Horizontal(classes="field"):
            yield Static("Who answers", classes="label")
            yield Input(
                id="owner",
                placeholder="a person or a team  (→ completes)",
                suggester=Suggest(lambda: self._owners),
            )
        yield Static(id="weight")
        with VerticalScroll(id="services"):
            yield Static(id="service-names")

    def on_mount(self) -> None:
        """Begin with the reason."""
        self.query_one(ReasonArea).focus()
        self._say_reason()
        self._say_until()

    def loaded(self, context: Context) -> None:
        """Offer what is known, and warn."""
        self._owners = context.owners
        earlier = context.lapsed if context.lapsed and context.lapsed.kind == "accept" else None
        earlier = context.in_force or earlier
        area, owner = self.query_one(ReasonArea), self.query_one("#owner", Input)
        if earlier is not None and earlier.kind == "accept":
            if not area.reason:
                area.text = earlier.reason
                area.move_cursor(area.document.end)
            owner.value = owner.value or earlier.owner or ""
        if context.weighty:
            self.query_one("#weight").add_class("-shown")
            self.query_one("#weight", Static).update(content(_weight(context, self.count)))
            self.query_one("#service-names", Static).update(
                Content("\n").join(
                    content(f"  {ref.name}  ").append(
                        content(f"{ref.type} · {ref.account} · {ref.region}").stylize("$muted")
                    )
                    for ref in context.services
                )
            )

    def result(self) -> Accept | None:
        """Check field by field; ask a second time where it weighs."""
        reason = self.query_one(ReasonArea).reason
        owner = self.query_one("#owner", Input)
        if (missing := MIN_REASON - len(reason)) > 0:
            self.complain(
                f"The reason needs {_more(missing)}: somebody will read it when it lapses.",
                self.query_one(ReasonArea),
            )
            return None
        until = self._until()
        if isinstance(until, str):
            self.complain(until, self.query_one("#until", Input))
            return None
        if not owner.value.strip():
            self.complain("Name a person or a team who answers for it.", owner)
            return None
        if self.context is None:
            self.wait_for_context()
            return None
        if self.context.weighty and not self._sure:
            self._ask_again()
            return None
        return Accept(reason, until, owner.value.strip())

    def action_cancel(self) -> None:
        """From the second question back to the fields; from there out."""
        if self._sure:
            self._sure = False
            self.query_one(".fields").remove_class("-sure")
            self.query_one(ReasonArea).focus()
        else:
            super().action_cancel()

    def _ask_again(self) -> None:
        self._sure = True
        self.query_one(".fields").add_class("-sure")
        self.query_one("#services").focus()
        self.complain("Press enter once more to accept it for all of them, escape to go back.")

    def _until(self) -> date | str:
        """The date, or a sentence that says why it is none."""
        text = self.query_one("#until", Input).value.strip()
        if not text:
            return (
                "Say until when: 30d, 2w, 3m, eoq (end of the quarter) or a date like 2027-01-31."
            )
        try:
            until = parse_until(text, self._today)
            check_until(until, self._today)
        except DecisionError as error:
            return _sentence(str(error))
        return until

    def _quick_dates(self) -> Iterator[tuple[str, date]]:
        """The usual dates, soonest first, without two names for one day."""
        seen: set[date] = set()
        choices = [(word, parse_until(word, self._today)) for word in _QUICK]
        for word, day in sorted(choices, key=lambda choice: choice[1]):
            if day not in seen:
                seen.add(day)
                yield word, day

    @on(TextArea.Changed)
    def _say_reason(self) -> None:
        missing = MIN_REASON - len(self.query_one(ReasonArea).reason)
        if missing > 0:
            self.hint("#reason-hint", _more(missing))
        else:
            self.hint("#reason-hint", "✓ it will be shown when the acceptance lapses", good=True)

    @on(Input.Changed, "#until")
    def _say_until(self) -> None:
        until = self._until()
        if isinstance(until, str):
            self.hint("#until-hint", until, good=False)
        else:
            days = (until - self._today).days
            when = f"in {days} days" if days != 1 else "tomorrow"
            when = when if days else "today"
            self.hint("#until-hint", f"✓ {_long(until)}, {when}; that day included", good=True)
        parts = [
            Content(f"{word} {_short(day)}").stylize("bold $signature" if day == until else "")
            for word, day in self._quick_dates()
        ]
        self.query_one("#quick", Static).update(Content.assemble("↑↓  ", Content("  ").join(parts)))

    @on(UntilInput.Quick)
    def _next_quick(self, event: UntilInput.Quick) -> None:
        choices = list(self._quick_dates())
        until = self._until()
        now = until if isinstance(until, date) else self._today
        later = [word for word, day in choices if day > now]
        sooner = [word for word, day in choices if day < now]
        field = self.query_one("#until", Input)
        if event.by > 0:
            field.value = (later or [choices[0][0]])[0]
        else:
            field.value = (sooner or [choices[-1][0]])[-1]
        field.cursor_position = len(field.value)


def _more(number: int) -> str:
    return f"{number} more character{'' if number == 1 else 's'}"


def _long(day: date) -> str:
    return f"{day:%A} {day.day} {day:%B %Y}"


def _short(day: date) -> str:
    return f"{day.day} {day:%b}"


def _weight(context: Context, count: int) -> str:
    """The warning, in one or two lines."""
    what = "critical" if context.critical else "known to be exploited"
    number = context.critical or context.exploited
    subject = "This finding is" if count == 1 else f"{number} of these {count} findings are"
    names = ", ".join(shown(ref.name) for ref in context.services[:3])
    more = len(context.services) - 3
    names += f" and {more} more" if more > 0 else ""
    above = len(context.services)
    stands = (
        "No AI service stands on it"
        if not above
        else (f"{above} AI service{'' if above == 1 else 's'} would carry it: {names}")
    )
    return f"▲ {subject} {what}. {stands}."


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
