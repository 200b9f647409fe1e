"""Undo one decision of the history: what it would change is shown before it is done."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from tui.dialogs.base import Dialog, ReasonArea
from tui.glyphs import GLYPH, STATUS_WORD, severity_tone, status_tone
from tui.text import content, count, shown, styled
from undercroft.model import Severity
from undercroft.triage.previewing import Consequences
from undercroft.triage.reports import StatusChange

__all__ = ["UndoDialog"]

MIN_REASON = 10
_SHOWN = 200


class UndoDialog(Dialog[str]):
    """Returns the reason (``-`` where none is needed), or None."""

    DEFAULT_CSS = """
    UndoDialog {
        & #consequences { height: auto; max-height: 12; }
        & #consequence-words { height: auto; }
        & #undo-why { margin-top: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "undo it", priority=True, id="dialog.submit"),
        Binding("escape", "cancel", "leave it", priority=True, id="dialog.cancel"),
    ]

    def __init__(self, consequences: Consequences) -> None:
        super().__init__("Undo", consequences.summary)
        self._found = consequences

    def fields(self) -> ComposeResult:
        """What would change, and a reason if it is somebody else's decision."""
        with VerticalScroll(id="consequences"):
            yield Static(self._words(), id="consequence-words")
        if self._found.others:
            names = shown(", ".join(self._found.others))
            yield Static(
                f"{names} made this decision; whoever made it will read why it was undone.",
                markup=False,
                classes="hint",
                id="undo-why",
            )
            yield ReasonArea(placeholder="reason…", id="reason")

    def on_mount(self) -> None:
        """Begin with the reason where one is needed."""
        target = "#reason" if self._found.others else "#consequences"
        self.query_one(target).focus()

    def result(self) -> str | None:
        """The reason if it is long enough."""
        if not self._found.others:
            return "-"
        area = self.query_one(ReasonArea)
        missing = MIN_REASON - len(area.reason)
        if missing > 0:
            plural = "" if missing == 1 else "s"
            self.complain(f"The reason needs {missing} more character{plural}.", area)
            return None
        return area.reason

    def _words(self) -> Content:
        changes = self._found.changes
        if not changes:
            return content("No finding would change.").stylize("$muted")
        lines = [styled(f"{count(len(changes), 'finding')} would change:", "$plain")]
        lines += [_line(change) for change in changes[:_SHOWN]]
        if len(changes) > _SHOWN:
            lines.append(styled(f"and {len(changes) - _SHOWN:,} more", "$muted"))
        return Content("\n").join(lines)


def _line(change: StatusChange) -> Content:
    def words(state: tuple[str, str]) -> Content:
        status, cause = state
        text = STATUS_WORD.get(status, status) + (f": {cause}" if cause else "")
        return styled(text, f"${status_tone(status)}")

    def rated(severity: Severity) -> Content:
        return styled(f"{GLYPH[severity]} {severity.value}", f"${severity_tone(severity)}")

    turns: list[Content] = []
    if change.before != change.after:
        turns.append(_turn(words(change.before), words(change.after)))
    if len(set(change.severities)) > 1:
        turns.append(_turn(*map(rated, change.severities)))
    return Content.assemble(
        "  ",
        Content("  ").join(turns),
        "  ",
        styled(change.title, "$plain"),
        "\n    ",
        styled(change.resource_name, "$muted"),
    )


def _turn(before: Content, after: Content) -> Content:
    return Content.assemble(before, (" → ", "$faint"), after)
