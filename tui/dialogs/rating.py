"""Who works on findings, and how bad they are here: the decisions that change no status."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Input, Static

from tui.dialogs.base import Choice, Choices, ReasonArea, Suggest
from tui.dialogs.context import Context
from tui.dialogs.decision import DecisionDialog
from tui.dialogs.results import Assign, EndScope, Rate, RateRule
from tui.dialogs.until import UntilField
from undercroft.model import Severity

__all__ = ["AssignDialog", "RateDialog"]


class AssignDialog(DecisionDialog[Assign]):
    """Returns ``Assign``; an empty line says that nobody works on it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "assign", priority=True, id="dialog.submit"),
        Binding("escape", "cancel", "cancel", priority=True, id="dialog.cancel"),
    ]

    def __init__(
        self, label: str, count: int, *, load: Callable[[], Context] | None = None
    ) -> None:
        super().__init__("Assign", label, count, load=load)
        self._owners: tuple[str, ...] = ()

    def fields(self) -> ComposeResult:
        """A name."""
        with Horizontal(classes="field"):
            yield Static("Who works on it", classes="label", id="assign-label")
            yield Input(
                id="assignee",
                placeholder="a person or a team  (→ completes)",
                suggester=Suggest(lambda: self._owners),
            )
        yield Static("empty: nobody any more", classes="hint", id="assign-hint")

    def on_mount(self) -> None:
        """Begin to write."""
        self.query_one("#assign-label").styles.width = 18
        self.query_one("#assign-hint").styles.margin = (0, 0, 0, 18)
        self.query_one("#assignee").focus()

    def loaded(self, context: Context) -> None:
        """Offer who is known, and say who has it now."""
        self._owners = context.owners
        if context.owner:
            self.hint("#assign-hint", f"now with {context.owner}; empty: nobody any more")

    def result(self) -> Assign:
        """Whatever was typed."""
        return Assign(self.query_one("#assignee", Input).value.strip())


class RateDialog(DecisionDialog[Rate | RateRule | EndScope]):
    """Returns ``Rate``; about a rule as a whole, what its subclass says."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "rate it so", priority=True, id="dialog.submit"),
        Binding("tab", "app.focus_next", "next field", id="dialog.next"),
        Binding("escape", "cancel", "cancel", priority=True, id="dialog.cancel"),
    ]

    def __init__(
        self,
        label: str,
        count: int,
        *,
        today: date,
        max_days: int,
        load: Callable[[], Context] | None = None,
    ) -> None:
        super().__init__("Rate it otherwise here", label, count, load=load)
        self._until = UntilField(today, max_days)

    def choices(self) -> Sequence[Choice]:
        """Every severity."""
        return [Choice(severity.value, severity.value) for severity in Severity]

    def fields(self) -> ComposeResult:
        """Severity, reason, last day."""
        yield Static("How bad is it here?  ←→", classes="label", id="rated-label")
        yield Choices(self.choices(), row=True, id="severity")
        yield Static("", classes="hint", id="rated-now")
        yield Static("Why is it not as the rule says?", classes="label")
        yield ReasonArea(placeholder="what is different here…", id="reason")
        yield Static("10 more characters", classes="hint", id="reason-count")
        yield self._until

    def on_mount(self) -> None:
        """Begin with the severity."""
        self.query_one("#severity").focus()

    def loaded(self, context: Context) -> None:
        """Start from what it is now."""
        if context.severity is None:
            self.hint("#rated-now", "a selection may have several now")
            return
        self.hint("#rated-now", f"now {context.severity.value}")
        choices = self.query_one("#severity", Choices)
        if choices.chosen == 0:
            choices.chosen = list(Severity).index(context.severity)

    def result(self) -> Rate | RateRule | EndScope | None:
        """Check field by field."""
        reason = self.reason_or_complain("reason")
        if reason is None:
            return None
        until = self._until.day()
        if isinstance(until, str):
            self.complain(until, self._until.input)
            return None
        return Rate(Severity(self.query_one("#severity", Choices).value), reason, until)
