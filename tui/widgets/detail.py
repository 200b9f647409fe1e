"""The pane that shows one finding, or says why there is none."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content

from tui.keymap import bind
from tui.widgets.hanging import HangingText

__all__ = ["DetailPane"]


class DetailPane(VerticalScroll, can_focus=True):
    """Scrolls by the same keys as a list."""

    DEFAULT_CSS = """
    DetailPane { padding: 0 1; background: $background; scrollbar-size-vertical: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = bind(
        "detail.down",
        "detail.up",
        "detail.top",
        "detail.bottom",
        "detail.page_down",
        "detail.page_up",
    )

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  (Textual's own name)
        super().__init__(id=id)
        self._subject = ""

    def compose(self) -> ComposeResult:
        """One text."""
        yield HangingText()

    def show(self, subject: str, text: Content) -> None:
        """Show a text about a subject; another subject starts at its top."""
        self.query_one(HangingText).update(text)
        if subject != self._subject:
            self._subject = subject
            self.scroll_home(animate=False)

    def say(self, sentence: str) -> None:
        """A quiet sentence instead."""
        self.show("", Content.styled(sentence, "$faint"))
