"""Accept: why, until when, and who answers for it. Critical ones ask twice, with names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static, TextArea

from tui.dialogs.base import Choice, Choices, ReasonArea, Suggest
from tui.dialogs.context import Context, Reach
from tui.dialogs.decision import DecisionDialog
from tui.dialogs.results import Accept, AcceptRule
from tui.dialogs.until import UntilField
from tui.text import content, shown
from tui.widgets.hanging import HangingText
from undercroft.triage.limits import MAX_DAYS
from undercroft.triage.scopes import Scope
from undercroft.triage.scoping import Ahead
from undercroft.views import ResourceRef

__all__ = ["AcceptDialog"]

MIN_REASON = 10
"""Characters that a reason needs (triage rules 4)."""


class AcceptDialog(DecisionDialog[Accept | AcceptRule]):
    """Returns ``Accept``, or ``AcceptRule`` if a wider scope than the findings at hand is chosen."""

    ONCE_MORE: ClassVar[str] = "Press enter once more to accept it all the same, escape to go back."
    """Says what the second enter does where the first one was not enough."""

    class Counted(Message):
        """What a scope covers is known (or could not be had: then None, with the error)."""

        def __init__(self, scope: Scope, reach: Reach | None, error: str = "") -> None:
            super().__init__()
            self.scope = scope
            self.reach = reach
            self.error = error

    DEFAULT_CSS = """
    AcceptDialog {
        & #services { height: auto; max-height: 8; margin-top: 1; display: none; }
        & #weight { margin-top: 1; display: none; color: $severity-critical; }
        & #weight.-shown { display: block; }
        & #scope-hint { margin-left: 14; }
        & #scope-field, & #scope-hint, & #tags-field { display: none; }
        & .-scopes #scope-field, & .-scopes #scope-hint { display: block; }
        & .-wide #tags-field { display: block; }
        & .-sure #scope-hint { display: none; }
        & .-sure #services { display: block; }
        & .-sure .field, & .-wide.-sure #tags-field, & .-sure UntilField, & .-scopes.-sure #scope-field, & .-scopes.-sure #scope-hint, & .-sure #reason, & .-sure .hint, & .-sure .label { display: none; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "accept", priority=True, id="dialog.submit"),
        Binding("tab", "app.focus_next", "next field", id="dialog.next"),
        Binding("escape", "cancel", "cancel", priority=True, id="dialog.cancel"),
    ]

    def __init__(
        self,
        label: str,
        count: int,
        *,
        today: date,
        max_days: int = MAX_DAYS,
        load: Callable[[], Context] | None = None,
        reach: Callable[[Scope], Reach] | None = None,
    ) -> None:
        super().__init__("Accept the risk for a while", label, count, load=load)
        self._until = UntilField(today, max_days)
        self._counts = reach
        self._reach: tuple[Scope, Reach] | None = None
        """The scope that was counted last, and what it covers."""
        self._owners: tuple[str, ...] = ()
        self._sure = False
        self.ahead: Ahead | None = None
        """What a scope that covers nothing now may rest on; None if it has to cover something."""

    def fields(self) -> ComposeResult:
        """Reason, until, owner, and what stands above."""
        yield Static("Why is it tolerable, and for how long?", classes="label")
        yield ReasonArea(placeholder="the compensating control, the plan, the ticket…", id="reason")
        yield Static(classes="hint", id="reason-hint")
        yield self._until
        with Horizontal(classes="field"):
            yield Static("Who answers", classes="label")
            yield Input(
                id="owner",
                placeholder="a person or a team  (→ completes)",
                suggester=Suggest(lambda: self._owners),
            )
        with Horizontal(classes="field", id="scope-field"):
            yield Static("Covers", classes="label")
            yield Choices([Choice("", "this finding")], row=True, id="scope")
        yield Static(classes="hint", id="scope-hint")
        with Horizontal(classes="field", id="tags-field"):
            yield Static("Only with tags", classes="label")
            yield Input(id="tags", placeholder="optional: env=dev, team=ml")
        yield Static(id="weight")
        with VerticalScroll(id="services"):
            yield HangingText(id="service-names")

    def on_mount(self) -> None:
        """Begin with the reason."""
        self.query_one(ReasonArea).focus()
        self._say_reason()

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
        if context.scopes and self._counts is not None and self.count == 1:
            self.query_one(".fields").add_class("-scopes")
            self.query_one("#scope", Choices).replace(
                [Choice("", "this finding"), *(Choice(word, word) for word, _ in context.scopes)]
            )
            self._say_scope()
        self._show_weight(context.critical, context.exploited, context.services, self.count)

    def _show_weight(
        self, critical: int, exploited: int, services: Sequence[ResourceRef], number: int
    ) -> None:
        """Warn, with every AI service above, where it is critical or exploited."""
        line = self.query_one("#weight", Static)
        line.set_class(bool(critical or exploited), "-shown")
        if not (critical or exploited):
            return
        line.update(content(_weight(critical, exploited, services, number)))
        self.query_one("#service-names", Static).update(
            Content("\n").join(
                content(f"  {ref.name}  ").append(
                    content(f"{ref.type} · {ref.account} · {ref.region}").stylize("$muted")
                )
                for ref in services
            )
        )

    # The scope

    def _scope(self) -> Scope | str | None:
        """The rule scope that is chosen; None for the findings at hand; a sentence if it is none."""
        chosen = self.query_one("#scope", Choices).value
        scopes = dict(self.context.scopes) if self.context is not None else {}
        if not chosen or chosen not in scopes:
            return None
        pairs = [
            part.partition("=")
            for part in self.query_one("#tags", Input).value.split(",")
            if part.strip()
        ]
        if any(not equals or not name.strip() for name, equals, _ in pairs):
            return "Write tags as name=value, separated by commas."
        tags = {name.strip(): value.strip() for name, _, value in pairs}
        return replace(scopes[chosen], tags=tags)

    @on(Choices.Changed, "#scope")
    @on(Input.Changed, "#tags")
    def _say_scope(self) -> None:
        scope, context = self._scope(), self.context
        self.query_one(".fields").set_class(scope is not None, "-wide")
        if isinstance(scope, str):
            self.hint("#scope-hint", scope, good=False)
        elif scope is None:
            self.hint("#scope-hint", "this one only")
            if context is not None:
                self._show_weight(context.critical, context.exploited, context.services, self.count)
        elif self._reach is None or self._reach[0] != scope:
            self.hint("#scope-hint", "counting…")
            if self._counts is not None:
                self._ask_reach(self._counts, scope)

    @work(thread=True, exclusive=True, group="reach", exit_on_error=False)
    def _ask_reach(self, count: Callable[[Scope], Reach], scope: Scope) -> None:
        try:
            reach = count(scope)
        except Exception as error:  # noqa: BLE001  (said in the dialog, which goes on)
            self.post_message(self.Counted(scope, None, str(error) or type(error).__name__))
        else:
            self.post_message(self.Counted(scope, reach))

    @on(Counted)
    def _counted(self, event: Counted) -> None:
        if event.scope != self._scope():
            return
        reach = event.reach
        if reach is None:
            self.hint("#scope-hint", f"It could not be counted: {event.error}", good=False)
            return
        self._reach = (event.scope, reach)
        number = len(reach.covers)
        words = f"{number:,} finding{'' if number == 1 else 's'} now, and what the rule finds there later"
        self.hint("#scope-hint", words, good=bool(number or self.ahead))
        self._show_weight(reach.critical, reach.exploited, reach.services, number)
        if self._pressed:
            self._pressed = False
            self.action_submit()

    def result(self) -> Accept | AcceptRule | None:
        """Check field by field; ask a second time where it weighs."""
        reason = self.query_one(ReasonArea).reason
        owner = self.query_one("#owner", Input)
        if (missing := MIN_REASON - len(reason)) > 0:
            self.complain(
                f"The reason needs {_more(missing)}: somebody will read it when it lapses.",
                self.query_one(ReasonArea),
            )
            return None
        until = self._until.day()
        if isinstance(until, str):
            self.complain(until, self._until.input)
            return None
        if not owner.value.strip():
            self.complain("Name a person or a team who answers for it.", owner)
            return None
        if self.context is None:
            self.wait_for_context()
            return None
        scope = self._scope()
        if isinstance(scope, str):
            self.complain(scope, self.query_one("#tags", Input))
            return None
        weighty = self.context.weighty
        if scope is not None:
            if self._reach is None or self._reach[0] != scope:
                self._pressed = True
                self.complain("Counting what it covers…")
                return None
            reach = self._reach[1]
            if not reach.covers and self.ahead is None:
                self.complain("It covers nothing: choose a wider scope, or fewer tags.")
                return None
            weighty = bool(reach.critical or reach.exploited)
        if weighty and not self._sure:
            self._ask_again()
            return None
        if scope is not None and self._reach is not None:
            covers = self._reach[1].covers
            return AcceptRule(scope, covers, reason, until, owner.value.strip(), self.ahead)
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
        self.complain(self.ONCE_MORE)

    @on(TextArea.Changed)
    def _say_reason(self) -> None:
        missing = MIN_REASON - len(self.query_one(ReasonArea).reason)
        if missing > 0:
            self.hint("#reason-hint", _more(missing))
        else:
            self.hint("#reason-hint", "✓ it will be shown when the acceptance lapses", good=True)


def _more(number: int) -> str:
    return f"{number} more character{'' if number == 1 else 's'}"


def _weight(critical: int, exploited: int, services: Sequence[ResourceRef], count: int) -> str:
    """The warning, in one or two lines."""
    what = "critical" if critical else "known to be exploited"
    number = critical or exploited
    subject = "This finding is" if count == 1 else f"{number:,} of these {count:,} findings are"
    names = ", ".join(shown(ref.name) for ref in services[:3])
    more = len(services) - 3
    names += f" and {more:,} more" if more > 0 else ""
    above = len(services)
    stands = (
        "No AI service stands on it"
        if not above
        else (f"{above:,} AI service{'' if above == 1 else 's'} would carry it: {names}")
    )
    return f"▲ {subject} {what}. {stands}."
