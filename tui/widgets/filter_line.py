"""The filter line: live, with completion of keys and values, errors under it at their place."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import ClassVar

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from tui.keymap import bind
from tui.text import shown, styled
from undercroft.filter import Completion, FilterError, complete, offers, parse, typed

__all__ = ["FilterLine"]

_OFFERS = 40


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


class FilterLine(Vertical):
    """Hidden until asked for, and while nothing is filtered."""

    DEFAULT_CSS = """
    FilterLine {
        height: auto; display: none; background: $head-background;
        &.-open, &.-active { display: block; }
        & > Horizontal { height: 1; }
        & .filter--prompt { width: 3; color: $signature; text-style: bold; padding: 0 1; }
        & FilterInput {
            width: 1fr; height: 1; border: none; padding: 0; background: $head-background;
            color: $strong;
        }
        & FilterInput:focus { border: none; }
        & .filter--hint { height: auto; min-height: 1; max-height: 2; padding: 0 0 0 3; color: $muted; display: none; }
        &.-open .filter--hint { display: block; }
    }
    """

    class Changed(Message):
        """The filter is another one, and it can be understood."""

        def __init__(self, line: FilterLine, text: str) -> None:
            super().__init__()
            self.line = line
            self.text = text

    class Closed(Message):
        """Back to the list."""

    class ValuesWanted(Message):
        """Values that occur for a key: ``offer`` is awaited."""

        def __init__(self, line: FilterLine, key: str, prefix: str) -> None:
            super().__init__()
            self.line = line
            self.key = key
            self.prefix = prefix

    def __init__(self, *, placeholder: str = "words, severity>=high, layer:identity …") -> None:
        super().__init__()
        self._placeholder = placeholder
        self._applied = ""
        self._place: Completion | None = None
        self._offers: list[tuple[str, str]] = []
        self._chosen = -1
        self._completing = False

    def compose(self) -> ComposeResult:
        """Prompt, line, hint."""
        with Horizontal():
            yield Static("/", classes="filter--prompt")
            yield FilterInput(placeholder=self._placeholder, select_on_focus=False)
        yield Static(classes="filter--hint")

    @property
    def text(self) -> str:
        """The filter in force."""
        return self._applied

    @property
    def input(self) -> FilterInput:
        """The line."""
        return self.query_one(FilterInput)

    def open(self) -> None:
        """Begin to type."""
        self.add_class("-open")
        self.input.focus()
        self._look()

    def close(self) -> None:
        """Leave the line; what it says is in force now, and stays visible."""
        with suppress(FilterError):
            parse(self.input.value.strip())
            self._apply(self.input.value.strip())
        self.remove_class("-open")
        self.set_class(bool(self._applied), "-active")
        self.post_message(self.Closed())

    def set(self, text: str) -> None:
        """Put a filter in force from elsewhere; one that is wrong is there to be mended."""
        self.set_class(bool(text), "-active")
        try:
            parse(text)
        except FilterError:
            self.open()
        self.input.value = text
        self.input.cursor_position = len(text)

    def offer(self, key: str, prefix: str, values: Sequence[str]) -> None:
        """Values from the store, if they are still what is being typed."""
        place = self._place
        if place is None or (place.key, place.prefix) != (key, prefix):
            return
        self._offers += [(typed(value), "") for value in values]
        self._hint()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if self._completing:
            self._completing = False
        else:
            self._look()
        text = event.value.strip()
        try:
            parse(text)
        except FilterError as error:
            if self.input.cursor_position >= len(event.value) and self._still_typing(error):
                return
            self._complain(error)
            return
        if not self._offers or self._chosen >= 0:
            self._hint()
        if not self._begins_key(event.value):
            self._apply(text)

    def _begins_key(self, text: str) -> bool:
        """Whether the last word may become a key: the list waits, rather than be empty meanwhile."""
        place = self._place
        at_end = self.has_class("-open") and self.input.cursor_position >= len(text)
        return (
            at_end
            and place is not None
            and place.kind == "key"
            and bool(place.prefix and self._offers)
        )

    def _apply(self, text: str) -> None:
        if text != self._applied:
            self._applied = text
            self.post_message(self.Changed(self, text))

    def _still_typing(self, error: FilterError) -> bool:
        """Whether the trouble is only that the last word is not finished."""
        place = self._place
        return place is not None and bool(self._offers) and error.position >= place.start - 12

    def _look(self) -> None:
        """What is being typed, and what could be offered for it."""
        text = self.input.value
        self._place = place = complete(text, self.input.cursor_position)
        self._offers = offers(place, _OFFERS)
        self._chosen = -1
        if place.kind == "value" and not self._offers and place.key:
            self.post_message(self.ValuesWanted(self, place.key, place.prefix))
        self._hint()

    def _hint(self) -> None:
        width = max(20, self.size.width - 5)
        parts: list[Content] = []
        used = 0
        first = max(0, self._chosen - 3)
        for index, (word, _) in enumerate(self._offers[first:], first):
            if used + cell_len(word) + 2 > width:
                parts.append(Content("…"))
                break
            style = "bold $signature" if index == self._chosen else "$muted"
            parts.append(styled(word, style))
            used += cell_len(word) + 2
        help_text = ""
        if self._offers and 0 <= max(self._chosen, 0) < len(self._offers):
            help_text = self._offers[max(self._chosen, 0)][1] if len(self._offers) < 4 else ""
        line = Content("  ").join(parts)
        if help_text:
            line = Content.assemble(line, styled(f"   {help_text}", "$faint"))
        self.query_one(".filter--hint", Static).update(line)

    def _complain(self, error: FilterError) -> None:
        place = min(error.position, max(0, self.size.width - 6))
        fits = place + cell_len(error.message) < self.size.width - 8
        # The mark stands under the place, unless the sentence would then not fit on two lines.
        words = " " * place + "▲ " + shown(error.message) if fits else "▲ " + shown(error.message)
        self.query_one(".filter--hint", Static).update(Content.styled(words, "$severity-high"))

    @on(FilterInput.Key)
    def _key(self, event: FilterInput.Key) -> None:
        event.stop()
        if event.what == "complete":
            self._complete()
        elif event.what == "close" and self.input.value:
            self.input.value = ""
        else:
            self.close()

    def _complete(self) -> None:
        """Put the next offer into the line."""
        place = self._place
        if place is None or not self._offers:
            return
        self._chosen = (self._chosen + 1) % len(self._offers)
        word = self._offers[self._chosen][0]
        text = self.input.value
        self._completing = True
        end = self.input.cursor_position
        self.input.value = text[: place.start] + word + text[end:]
        self.input.cursor_position = place.start + len(word)
        if len(self._offers) == 1:
            self._look()
        self._hint()
