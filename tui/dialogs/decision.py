"""Base of the dialogs that decide about findings, and the small ones of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, TypeVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Static, TextArea

from tui.dialogs.base import Choice, Choices, Dialog, ReasonArea
from tui.dialogs.context import Context
from tui.dialogs.results import FalsePositive, Note, Reopen

__all__ = ["DecisionDialog", "FalsePositiveDialog", "NoteDialog", "ReopenDialog"]

DecisionT = TypeVar("DecisionT")
MIN_REASON = 10


class DecisionDialog(Dialog[DecisionT]):
    """Opens at once; what it wants to know about the findings arrives later."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+j,shift+enter", "new_line", "new line", show=False, id="dialog.new_line"),
    ]

    class Loaded(Message):
        """The context is there (or could not be had: then it is empty, with the error)."""

        def __init__(self, context: Context, error: str = "") -> None:
            super().__init__()
            self.context = context
            self.error = error

    def __init__(
        self, title: str, label: str, count: int, *, load: Callable[[], Context] | None = None
    ) -> None:
        super().__init__(title, _subject(label, count))
        self.count = count
        self.context: Context | None = None if load else Context()
        self._load = load
        self._pressed = False

    def on_mount(self) -> None:
        """Ask for the context."""
        if self._load is not None:
            self._gather(self._load)

    @work(thread=True, exclusive=True, group="context", exit_on_error=False)
    def _gather(self, load: Callable[[], Context]) -> None:
        try:
            context = load()
        except Exception as error:  # noqa: BLE001  (the dialog still works; it says what it could not know)
            self.post_message(self.Loaded(Context(), str(error) or type(error).__name__))
        else:
            self.post_message(self.Loaded(context))

    @on(Loaded)
    def _take(self, event: Loaded) -> None:
        self.context = event.context
        if event.error:
            self.complain(f"What stands above could not be looked up: {event.error}")
        self.loaded(event.context)
        if self._pressed:
            self._pressed = False
            self.action_submit()

    def loaded(self, context: Context) -> None:
        """Show what is known now."""

    def wait_for_context(self) -> None:
        """Enter was pressed too early: carry on by itself when the context is there."""
        self._pressed = True
        self.complain("Looking up which AI services stand on it…")

    def action_new_line(self) -> None:
        """Break the line where one writes a reason; enter is taken."""
        for area in self.query(ReasonArea):
            if area.has_focus:
                area.insert("\n")

    def reason_or_complain(self, what: str) -> str | None:
        """The reason if it is long enough."""
        area = self.query_one(ReasonArea)
        missing = MIN_REASON - len(area.reason)
        if missing > 0:
            plural = "" if missing == 1 else "s"
            self.complain(f"The {what} needs {missing} more character{plural}.", area)
            return None
        return area.reason

    @on(TextArea.Changed)
    def _count(self) -> None:
        hints = self.query("#reason-count")
        if not hints:
            return
        missing = MIN_REASON - len(self.query_one(ReasonArea).reason)
        plural = "" if missing == 1 else "s"
        text = f"{missing} more character{plural}" if missing > 0 else "✓ it stays in the history"
        self.hint("#reason-count", text, good=True if missing <= 0 else None)


class FalsePositiveDialog(DecisionDialog[FalsePositive]):
    """Returns ``FalsePositive``."""

    CATEGORIES: ClassVar[tuple[Choice, ...]] = (
        Choice("not_applicable", "does not apply", "the problem cannot matter here"),
        Choice("compensating_config", "covered elsewhere", "another setting prevents it"),
        Choice("wrong_rule_logic", "the rule is wrong", "it misreads this configuration"),
        Choice("bad_data", "the data is wrong", "what was read is not how it is"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "mark false positive", priority=True, id="dialog.submit"),
        Binding("tab", "app.focus_next", "next field", id="dialog.next"),
        Binding("escape", "cancel", "cancel", priority=True, id="dialog.cancel"),
    ]

    def __init__(
        self, label: str, count: int, *, load: Callable[[], Context] | None = None
    ) -> None:
        super().__init__("False positive", label, count, load=load)

    def fields(self) -> ComposeResult:
        """Category and reason."""
        yield Static("What is wrong with it?  ↑↓", classes="label")
        yield Choices(self.CATEGORIES, id="category")
        yield Static("")
        yield Static("Why? Whoever checks this later reads it.", classes="label")
        yield ReasonArea(placeholder="what makes it harmless here…", id="reason")
        yield Static("10 more characters", classes="hint", id="reason-count")

    def on_mount(self) -> None:
        """Begin with the reason; the category has a sensible start."""
        self.query_one(Choices).focus()

    def result(self) -> FalsePositive | None:
        """Category and reason."""
        reason = self.reason_or_complain("reason")
        return None if reason is None else FalsePositive(reason, self.query_one(Choices).value)


class NoteDialog(DecisionDialog[Note]):
    """Returns ``Note``."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "add the comment", priority=True, id="dialog.submit"),
        Binding("ctrl+j,shift+enter", "new_line", "new line", id="dialog.new_line"),
        Binding("escape", "cancel", "cancel", priority=True, id="dialog.cancel"),
    ]

    def __init__(
        self, label: str, count: int, *, load: Callable[[], Context] | None = None
    ) -> None:
        super().__init__("Comment", label, count, load=load)

    def fields(self) -> ComposeResult:
        """The text."""
        yield ReasonArea(placeholder="what others should know about it…", id="reason")
        yield Static(
            "Comments change no state. They cannot be edited, only undone.", classes="hint"
        )

    def on_mount(self) -> None:
        """Begin to write."""
        self.query_one(ReasonArea).focus()

    def result(self) -> Note | None:
        """The text, if there is any."""
        area = self.query_one(ReasonArea)
        if not area.reason:
            self.complain("Write something first.", area)
            return None
        return Note(area.reason)


class ReopenDialog(DecisionDialog[Reopen]):
    """Returns ``Reopen``."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "reopen", priority=True, id="dialog.submit"),
        Binding("escape", "cancel", "cancel", priority=True, id="dialog.cancel"),
    ]

    def __init__(
        self, label: str, count: int, *, load: Callable[[], Context] | None = None
    ) -> None:
        super().__init__("Reopen", label, count, load=load)

    def fields(self) -> ComposeResult:
        """What is withdrawn, and why."""
        yield Static("", classes="hint", id="in-force")
        yield Static("", classes="hint", id="in-force-why")
        with Horizontal(classes="field"):
            yield Static("Why does the decision no longer hold?", classes="label", id="reopen-why")
        yield ReasonArea(placeholder="what changed…", id="reason")
        yield Static("10 more characters", classes="hint", id="reason-count")

    def on_mount(self) -> None:
        """Begin with the reason."""
        self.query_one("#reopen-why").styles.width = "1fr"
        self.query_one(ReasonArea).focus()

    def loaded(self, context: Context) -> None:
        """Show which decision is withdrawn."""
        view = context.in_force
        if view is None:
            return
        kinds = {
            "accept": f"accepted until {view.until}",
            "false_positive": "marked a false positive",
            "claim_fixed": "claimed fixed",
        }
        what = kinds.get(view.kind, view.kind)
        self.hint("#in-force", f"{what} by {view.actor} on {view.at[:10]}:")
        self.hint("#in-force-why", f"“{view.reason}”")

    def result(self) -> Reopen | None:
        """The reason."""
        reason = self.reason_or_complain("reason")
        return None if reason is None else Reopen(reason)


def _subject(label: str, count: int) -> str:
    """The scope, always in words: this one, or how many."""
    if count == 1:
        return f"this finding: {label}"
    number = f"{count:,} findings"
    return f"this selection: {number}" + ("" if label == number else f" · {label}")
