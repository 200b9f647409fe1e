"""Facts that concern the whole program; the app tells every screen on the stack."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from tui.dialogs.recording import RecordingDialog
    from tui.opening import Cache
    from undercroft.triage.decide import Action

__all__ = [
    "DataChanged",
    "DecisionFailed",
    "DecisionMade",
    "DecisionStopped",
    "OpenFailed",
    "Opened",
    "Preparing",
    "Recorded",
    "Recording",
    "UndoNamed",
]


class Preparing(Message):
    """The cache is still being made: how far that is, in words."""

    def __init__(self, turn: int, text: str) -> None:
        super().__init__()
        self.turn = turn
        """Which opening it belongs to: a later one makes it void."""
        self.text = text

    def can_replace(self, message: Message) -> bool:
        """Only the newest one matters."""
        return isinstance(message, Preparing)


class Opened(Message):
    """The cache is open."""

    def __init__(self, turn: int, cache: Cache) -> None:
        super().__init__()
        self.turn = turn
        self.cache = cache


class OpenFailed(Message):
    """The cache could not be opened; says why and what to do."""

    def __init__(self, turn: int, sentence: str) -> None:
        super().__init__()
        self.turn = turn
        self.sentence = sentence


class DataChanged(Message, bubble=False):
    """Rows may look different now: another scan is shown, or somebody wrote. Reload in place."""

    def __init__(self, scan: bool = False) -> None:
        super().__init__()
        self.scan = scan
        """Whether it is another scan."""


class DecisionMade(Message, bubble=False):
    """A decision was recorded (or undone). Reload in place."""

    def __init__(self, action: Action, then: Callable[[], None] | None = None) -> None:
        super().__init__()
        self.action = action
        self.then = then
        """What whoever asked for it does next."""


class Recording(Message):
    """How far a decision is that is being recorded."""

    def __init__(self, dialog: RecordingDialog, what: str, done: int, total: int) -> None:
        super().__init__()
        self.dialog = dialog
        """Which says so, if it is open."""
        self.what = what
        self.done = done
        self.total = total

    def can_replace(self, message: Message) -> bool:
        """Only the newest one matters."""
        return isinstance(message, Recording) and message.dialog is self.dialog


class Recorded(Message):
    """A decision has come to its end, one way or the other."""

    def __init__(self, dialog: RecordingDialog) -> None:
        super().__init__()
        self.dialog = dialog


class DecisionStopped(Message):
    """A decision was stopped by the person before it was recorded; nothing of it is left."""


class UndoNamed(Message, bubble=False):
    """What undo would take back now, in words; empty if there is nothing."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.words = words


class DecisionFailed(Message):
    """A decision was refused, or could not be recorded; says why."""

    def __init__(self, sentence: str) -> None:
        super().__init__()
        self.sentence = sentence
