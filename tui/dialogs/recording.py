"""What a decision, or looking ahead to one, says while it takes a while: how far it is, and how to stop it."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from tui.dialogs.base import Dialog
from tui.text import styled
from tui.widgets.scan_indicator import progress_bar

__all__ = ["RecordingDialog"]

_BAR = 40
_STEPS = ("looking up", "recording", "working out", "counting", "saving")


class RecordingDialog(Dialog[None]):
    """Stays until whoever opened it says that it is over; escape calls ``stop``."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "stop; nothing is recorded", priority=True, id="dialog.cancel"),
        Binding("enter", "wait", "wait", priority=True, show=False, id="dialog.submit"),
    ]

    def __init__(
        self,
        stop: Callable[[], None],
        title: str = "Recording",
        subject: str = "One action, and one undo takes it back.",
        steps: tuple[str, ...] = _STEPS,
    ) -> None:
        super().__init__(title, subject)
        self._stop = stop
        self._steps = steps
        self._stopping = False
        self.is_over = False
        self._last = (steps[0], 0, 0)

    def fields(self) -> ComposeResult:
        """The step and the bar."""
        yield Static("", id="recording-step")
        yield Static("", id="recording-bar")

    def tell(self, what: str, done: int, total: int) -> None:
        """How far it is."""
        self._last = (what, done, total)
        if self.is_mounted and not self._stopping:
            self._draw(what, done, total)

    def on_mount(self) -> None:
        """Show what was told before."""
        self._draw(*self._last)

    def _draw(self, what: str, done: int, total: int) -> None:
        number = self._steps.index(what) + 1 if what in self._steps else len(self._steps)
        words = f"{what} {done:,} of {total:,}" if total > 1 else f"{what}…"
        share = done / total if total else 0.0
        self.query_one("#recording-step", Static).update(
            styled(f"{words}  (step {number} of {len(self._steps)})", "$plain")
        )
        self.query_one("#recording-bar", Static).update(
            Content.styled(progress_bar(share, _BAR), "$signature on $rule")
        )

    def over(self) -> None:
        """It has ended, one way or the other."""
        self.is_over = True
        if self.is_current:
            self.dismiss(None)

    def on_screen_resume(self) -> None:
        """What lay above it is gone."""
        if self.is_over:
            self.dismiss(None)

    def action_wait(self) -> None:
        """Enter changes nothing."""

    def action_cancel(self) -> None:
        """Stop it at the next step."""
        self._stopping = True
        self._stop()
        self.query_one("#recording-step", Static).update(styled("stopping…", "$muted"))
