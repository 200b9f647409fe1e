"""Confirm something that cannot be undone, and ask for one line of text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, Static

from tui.dialogs.base import Choice, Choices, Dialog, PathSuggester
from tui.text import content

__all__ = ["ChooseDialog", "ConfirmDialog", "PromptDialog"]


class ConfirmDialog(Dialog[bool]):
    """Returns True, or None. Wants a letter, not enter: a habit must not delete anything."""

    DEFAULT_CSS = """
    ConfirmDialog > .dialog { width: 62; border: round $severity-high; }
    ConfirmDialog > .dialog { border-title-color: $severity-high; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "yes", id="confirm.yes"),
        Binding("n", "cancel", "no", id="confirm.no"),
        Binding("enter", "explain", "explain", priority=True, show=False, id="dialog.submit"),
        Binding("escape", "cancel", "cancel", priority=True, id="dialog.cancel"),
    ]

    def __init__(self, title: str, body: str) -> None:
        super().__init__(title)
        self._body = body

    def fields(self) -> ComposeResult:
        """What would happen."""
        for line in self._body.split("\n"):
            yield Static(content(line))

    def action_explain(self) -> None:
        """Enter alone does nothing."""
        self.complain("Press y to do it, n or escape to leave it.")

    def action_yes(self) -> None:
        """Do it."""
        self.dismiss(True)


class PromptDialog(Dialog[str]):
    """Returns the text (trimmed), or None."""

    def __init__(
        self,
        title: str,
        subject: str = "",
        *,
        value: str = "",
        placeholder: str = "",
        check: Callable[[str], str] | None = None,
        paths: bool = False,
        enter: str = "",
    ) -> None:
        """A question.

        Args:
            title: What is asked.
            subject: What it is about.
            value: What stands there at first.
            placeholder: Shown while it is empty.
            check: Text → a sentence that says what is wrong with it, or nothing.
            paths: Whether to complete file names.
            enter: What enter does, if it does not save the text.
        """
        super().__init__(title, subject)
        self._value = value
        self._placeholder = placeholder
        self._check = check
        self._paths = paths
        self.submit_word = enter

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "save", priority=True, id="dialog.submit"),
        Binding("escape", "cancel", "cancel", priority=True, id="dialog.cancel"),
    ]

    def fields(self) -> ComposeResult:
        """The line."""
        yield Input(
            self._value,
            placeholder=self._placeholder,
            id="prompt",
            suggester=PathSuggester() if self._paths else None,
        )

    def on_mount(self) -> None:
        """Begin to write, with everything selected."""
        self.query_one(Input).focus()

    def result(self) -> str | None:
        """The text, if there is any."""
        text = self.query_one(Input).value.strip()
        if not text:
            self.complain("Write something first.", self.query_one(Input))
            return None
        if self._check is not None and (problem := self._check(text)):
            self.complain(problem, self.query_one(Input))
            return None
        return text


class ChooseDialog(Dialog[str]):
    """Returns the value of the chosen alternative, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "choose", priority=True, id="dialog.submit"),
        Binding("escape", "cancel", "cancel", priority=True, id="dialog.cancel"),
    ]

    def __init__(self, title: str, subject: str, options: Sequence[Choice]) -> None:
        super().__init__(title, subject)
        self._options = tuple(options)

    def fields(self) -> ComposeResult:
        """The alternatives."""
        yield Choices(self._options)

    def on_mount(self) -> None:
        """Begin with the first."""
        self.query_one(Choices).focus()

    def result(self) -> str:
        """What is chosen."""
        return self.query_one(Choices).value
