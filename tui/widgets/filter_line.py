"""The filter line: live, with completion of keys and values, errors under it at their place.

What understands filters is imported when there is one: the first frame has none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from tui.text import shown, styled

if TYPE_CHECKING:
    from textual.widgets import Input

    from tui.widgets.filter_input import FilterInput, FilterParts
    from undercroft.filter import Completion, FilterError, Keys

__all__ = ["FilterLine"]

_OFFERS = 40


class FilterLine(Widget):
    """Hidden until asked for, and while nothing is filtered; empty until first shown."""

    DEFAULT_CSS = """
    FilterLine { height: auto; display: none; background: $head-background; }
    FilterLine.-open, FilterLine.-active { display: block; }
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

    def __init__(
        self,
        *,
        placeholder: str = "words, severity>=high, layer:identity …",
        keys: Keys | None = None,
    ) -> None:
        """``keys``: those that may be asked for; None: those of findings."""
        super().__init__()
        self._wanted_keys = keys
        self._placeholder = placeholder
        self._parts: FilterParts | None = None
        self._applied = ""
        self._place: Completion | None = None
        self._offers: list[tuple[str, str]] = []
        self._chosen = -1
        self._completing = False

    @property
    def _keys(self) -> Keys:
        from undercroft.filter import KEYS

        return KEYS if self._wanted_keys is None else self._wanted_keys

    @property
    def text(self) -> str:
        """The filter in force."""
        return self._applied

    @property
    def parts(self) -> FilterParts:
        """What it is made of."""
        if self._parts is None:
            from tui.widgets.filter_input import FilterParts

            self._parts = FilterParts(self._placeholder)
            self._parts.show_hint(False)
        return self._parts

    @property
    def input(self) -> FilterInput:
        """The line."""
        return self.parts.input

    def on_mount(self) -> None:
        """The first frame does without it."""
        self.call_after_refresh(self._fill)

    async def _fill(self) -> None:
        if not self.parts.is_attached:
            await self.mount(self.parts)

    def _once_filled(self, then: Callable[[], None]) -> None:
        """``then``, which needs the line, as soon as it is there."""

        async def fill() -> None:
            await self._fill()
            then()

        if self.parts.is_mounted:
            then()
        else:
            self.call_later(fill)

    def open(self) -> None:
        """Begin to type."""
        self.add_class("-open")
        self.parts.show_hint(True)

        def begin() -> None:
            self.input.focus()
            self._look()

        self._once_filled(begin)

    def close(self) -> None:
        """Leave the line; what it says is in force now, and stays visible.

        What is wrong is to be mended or cleared first: hidden, it would pass for being in force.
        """
        text = self.input.value.strip()
        error = self._wrong(text)
        if error is not None:
            self._complain(error)
            return
        self._apply(text)
        self.remove_class("-open")
        self.parts.show_hint(False)
        self.set_class(bool(self._applied), "-active")
        self.post_message(self.Closed())

    def set(self, text: str) -> None:
        """Put a filter in force from elsewhere; one that is wrong is there to be mended."""
        self.set_class(bool(text), "-active")
        if self._wrong(text):
            self.open()

        def put() -> None:
            self.input.value = text
            self.input.cursor_position = len(text)

        self._once_filled(put)

    def offer(self, key: str, prefix: str, values: Sequence[str]) -> None:
        """Values from the store, if they are still what is being typed."""
        place = self._place
        if not values or place is None or (place.key, place.prefix) != (key, prefix):
            return
        from undercroft.filter import typed

        self._offers += [(typed(value), "") for value in values]
        self._hint()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Something was typed, or put there."""
        event.stop()
        if self._completing:
            self._completing = False
        else:
            self._look()
        text = event.value.strip()
        error = self._wrong(text)
        if error is not None:
            if self.input.cursor_position >= len(event.value) and self._still_typing(error):
                return
            self._complain(error)
            return
        if not self._offers or self._chosen >= 0:
            self._hint()
        if not self._begins_key(event.value):
            self._apply(text)

    def _wrong(self, text: str) -> FilterError | None:
        """What is wrong with a filter; None where it can be understood."""
        from undercroft.filter import FilterError, parse

        try:
            parse(text, self._keys)
        except FilterError as error:
            return error
        return None

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
        from undercroft.filter import complete, offers

        text = self.input.value
        self._place = place = complete(text, self.input.cursor_position, self._keys)
        self._offers = offers(place, _OFFERS, self._keys)
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
        self.parts.hint(line)

    def _complain(self, error: FilterError) -> None:
        place = min(error.position, max(0, self.size.width - 6))
        fits = place + cell_len(error.message) < self.size.width - 8
        # The mark stands under the place, unless the sentence would then not fit on two lines.
        words = " " * place + "▲ " + shown(error.message) if fits else "▲ " + shown(error.message)
        self.parts.hint(Content.styled(words, "$severity-high"))

    def on_filter_input_key(self, event: FilterInput.Key) -> None:
        """A key that ends or completes."""
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
