"""Deciding about a rule as a whole: switch it off for a while, or rate it otherwise than it says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, Static

from rules.schema import Combination, Rule
from tui.dialogs.accept import AcceptDialog
from tui.dialogs.base import Choice, Choices, Dialog
from tui.dialogs.context import load_reach, load_rule_context
from tui.dialogs.decision import MIN_REASON
from tui.dialogs.rating import RateDialog
from tui.dialogs.results import EndScope, Rate, RateRule
from tui.text import count
from undercroft.model import Severity
from undercroft.store import Store
from undercroft.triage.reports import Ruling
from undercroft.triage.scopes import Scope
from undercroft.triage.scoping import Ahead
from undercroft.triage.wording import replaced_words
from undercroft.views import DecisionView, ScanRow

__all__ = ["EndDialog", "RateRuleDialog", "SwitchOffDialog", "SwitchOnDialog"]

_AS_IT_SAYS = "as the rule says"


class SwitchOffDialog(AcceptDialog):
    """Returns ``AcceptRule`` for the rule wherever it fails.

    Switching off is accepting what the rule finds, now and later: it is still looked for, so that a
    fix shows, and it ends on a day.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "switch it off", priority=True, id="dialog.submit"),
        Binding("tab", "app.focus_next", "next field", id="dialog.next"),
        Binding("escape", "cancel", "cancel", priority=True, id="dialog.cancel"),
    ]
    DEFAULT_CSS = """
    SwitchOffDialog {
        & .-wide #tags-field { display: none; }
    }
    """
    ONCE_MORE = "Press enter once more to switch it off all the same, escape to go back."

    def __init__(
        self, rule: Rule | Combination, *, store: Store, scan: ScanRow, today: date, max_days: int
    ) -> None:
        whole = Scope(rule.id)
        super().__init__(
            "",
            0,
            today=today,
            max_days=max_days,
            load=lambda: load_rule_context(store, scan.id, whole),
            reach=lambda scope: load_reach(store, scan.id, scope),
        )
        self._heading = "Switch the rule off for a while"
        self._subject = f"this rule: {rule.id}"
        self._whole = whole
        self.ahead = _ahead(rule, scan)

    def on_mount(self) -> None:
        """There is no boundary to choose."""
        self.query_one(".fields").add_class("-scopes")
        choices = self.query_one("#scope", Choices)
        choices.replace([Choice("", "wherever it fails")])
        choices.can_focus = False
        self._say_scope()

    def _scope(self) -> Scope:
        return self._whole


class RateRuleDialog(RateDialog):
    """Returns ``RateRule``, or ``EndScope`` if the rule's own severity is to hold again."""

    def __init__(
        self,
        rule: Rule | Combination,
        ruling: Ruling,
        *,
        store: Store,
        scan: ScanRow,
        today: date,
        max_days: int,
    ) -> None:
        whole = Scope(rule.id)
        super().__init__(
            "",
            0,
            today=today,
            max_days=max_days,
            load=lambda: load_rule_context(store, scan.id, whole),
        )
        self._heading = "Rate the rule otherwise"
        self._subject = f"this rule: {rule.id}"
        self._whole, self._rule, self._ruling = whole, rule, ruling
        self._ahead = _ahead(rule, scan)

    def choices(self) -> Sequence[Choice]:
        """Every severity, and the way back where another than the rule's own holds."""
        back = [Choice("", _AS_IT_SAYS)] if self._ruling.rated else []
        return [*super().choices(), *back]

    def on_mount(self) -> None:
        """Begin with what holds now."""
        now = self._ruling.severity or self._rule.severity
        self.query_one("#severity", Choices).chosen = list(Severity).index(now)
        self.query_one("#rated-label", Static).update("How bad is it, wherever it fails?  ←→")
        self._say_now("")

    def loaded(self, context: object) -> None:  # noqa: ARG002  (it is kept)
        """Say how many it is about."""
        covers = self.context.covers if self.context is not None else ()
        alone = self.context.rated_alone if self.context is not None else 0
        more = f"; {count(len(covers), 'finding')} now"
        more += f" ({replaced_words(alone)})" if alone else ""
        self._say_now(f"{more}, and what it finds later")

    def _say_now(self, more: str) -> None:
        rated = self._ruling.severity
        now = f"the rule says {self._rule.severity.value}"
        now += f", rated {rated.value} now" if rated else ""
        self.hint("#rated-now", now + more)

    def result(self) -> Rate | RateRule | EndScope | None:
        """Check field by field."""
        if self._ruling.rated and not self.query_one("#severity", Choices).value:
            reason = self.reason_or_complain("reason")
            return None if reason is None else EndScope(self._ruling.rated.event, reason)
        rate = super().result()
        if not isinstance(rate, Rate):
            return None
        if self.context is None:
            self.wait_for_context()
            return None
        return RateRule(
            self._whole, self.context.covers, rate.severity, rate.reason, rate.until, self._ahead
        )


class EndDialog(Dialog[EndScope]):
    """Asks why what was decided about a rule no longer holds; returns ``EndScope``."""

    def __init__(self, event: str, title: str, subject: str, enter: str) -> None:
        super().__init__(title, subject)
        self._event = event
        self.submit_word = enter

    def fields(self) -> ComposeResult:
        """The reason."""
        yield Input(placeholder="reason", id="reason")

    def on_mount(self) -> None:
        """Begin to write."""
        self.query_one(Input).focus()

    def result(self) -> EndScope | None:
        """The reason, if it is long enough."""
        line = self.query_one(Input)
        reason = line.value.strip()
        if problem := _too_short(reason):
            self.complain(problem, line)
            return None
        return EndScope(self._event, reason)


class SwitchOnDialog(EndDialog):
    """Asks why a rule is switched on again before its day."""

    def __init__(self, rule: Rule | Combination, off: DecisionView) -> None:
        by = f"off until {off.until}, by {off.actor}: “{off.reason}”"
        super().__init__(off.event, "Switch the rule on again", f"{rule.id}\n{by}", "switch it on")


def _too_short(reason: str) -> str:
    missing = MIN_REASON - len(reason)
    return f"The reason needs {count(missing, 'more character')}." if missing > 0 else ""


def _ahead(rule: Rule | Combination, scan: ScanRow) -> Ahead:
    return Ahead(rule.severity, scan.uid, scan.finished_at or scan.started_at)
