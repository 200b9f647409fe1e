"""What the filter line is made of once somebody types into it: prompt, line, hint."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from tui.keymap import bind

__all__ = ["FilterInput", "FilterParts"]


class FilterInput(Input):
    """The line itself; keys that end it belong to the filter."""

    BINDINGS: ClassVar[list[BindingType]] = bind(
        "filter.done", "filter.close", "filter.complete", "filter.clear"
    )

    class Key(Message):
        """A key that concerns the whole filter line."""

        def __init__(self, what: str) -> None:
            super().__init__()
            self.what = what

    def action_done(self) -> None:
        """To the list."""
        self.post_message(self.Key("done"))

    def action_close(self) -> None:
        """Clear, then close."""
        self.post_message(self.Key("close"))

    def action_complete(self) -> None:
        """Take the offered word."""
        self.post_message(self.Key("complete"))

    def action_clear(self) -> None:
        """Empty the line."""
        self.value = ""


class FilterParts(Vertical):
    """The prompt and the line; under them the hint, while somebody types."""

    DEFAULT_CSS = """
    FilterParts {
        height: auto;
        & > Horizontal { height: 1; }
        & .filter--prompt { width: 3; color: $signature; text-style: bold; padding: 0 1; }
        & FilterInput {
            width: 1fr; height: 1; border: none; padding: 0; background: $head-background;
            color: $strong;
        }
        & FilterInput:focus { border: none; }
        & .filter--hint { height: auto; min-height: 1; max-height: 2; padding: 0 0 0 3; color: $muted; }
    }
    """

    def __init__(self, placeholder: str) -> None:
        super().__init__()
        self.input = FilterInput(placeholder=placeholder, select_on_focus=False)
        self._said = Static(classes="filter--hint")

    def compose(self) -> ComposeResult:
        """Prompt, line, hint."""
        with Horizontal():
            yield Static("/", classes="filter--prompt")
            yield self.input
        yield self._said

    def hint(self, words: Content) -> None:
        """What stands under the line."""
        self._said.update(words)

    def show_hint(self, shown: bool) -> None:
        """Whether there is a line for the hint."""
        self._said.display = shown
