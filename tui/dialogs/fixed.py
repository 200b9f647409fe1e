"""Fixed: shows what repairs it, copies the command, and says that only a scan can confirm it."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from tui.dialogs.context import Context
from tui.dialogs.decision import DecisionDialog
from tui.dialogs.results import Fixed
from tui.text import content, shown
from tui.widgets.hanging import HangingText

__all__ = ["FixedDialog"]


class FixedDialog(DecisionDialog[Fixed]):
    """Returns ``Fixed``. One key (enter) is enough; the note is optional."""

    DEFAULT_CSS = """
    FixedDialog {
        & #fix { height: auto; max-height: 11; }
        & #fix:focus { background: $head-background; }
        & #fix-text { height: auto; }
        & #promise { margin-top: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "claim it is fixed", priority=True, id="dialog.submit"),
        Binding("y", "copy", "copy the command", id="fixed.copy"),
        Binding("tab", "app.focus_next", "note", id="dialog.next"),
        Binding("escape", "cancel", "cancel", priority=True, id="dialog.cancel"),
    ]

    def __init__(
        self, label: str, count: int, *, load: Callable[[], Context] | None = None
    ) -> None:
        super().__init__("Claim it is fixed", label, count, load=load)

    def fields(self) -> ComposeResult:
        """The fix, a note, and what happens then."""
        with VerticalScroll(id="fix"):
            yield HangingText(content("looking up the fix…"), id="fix-text", classes="hint")
        with Horizontal(classes="field"):
            yield Static("Note", classes="label")
            yield Input(id="note", placeholder="optional: the change, the ticket")
        yield Static(
            "Only a scan can confirm it: it stays in the score, as “fix claimed”, until the next scan"
            " has looked. If it is still there then, it reopens by itself.",
            classes="hint",
            id="promise",
        )

    def on_mount(self) -> None:
        """Focus where no letter is text, so that y copies."""
        self.query_one("#fix").focus()

    def loaded(self, context: Context) -> None:
        """Show the fixes of the selection's rules."""
        if not context.fixes:
            self.query_one("#fix-text", Static).update(
                content("No fix text is known for it; the finding itself says what is wrong.")
            )
            return
        parts: list[Content] = []
        for fix in context.fixes:
            parts.append(content(fix.text).stylize("$plain"))
            lines = (content(f"$ {line}") for line in fix.command.splitlines() if line.strip())
            parts.extend(line.stylize("$signature") for line in lines)
            parts.append(Content(""))
        self.query_one("#fix-text", Static).update(Content("\n").join(parts[:-1]))

    def action_copy(self) -> None:
        """Copy every command, one per line."""
        commands = [fix.command for fix in (self.context or Context()).fixes if fix.command]
        if not commands:
            self.notify("There is no command to copy: the fix is in words.", timeout=3)
            return
        self.app.copy_to_clipboard("\n".join(commands))
        first = shown(commands[0].splitlines()[0])
        self.notify(f"Copied: {first}", markup=False, timeout=3)

    def result(self) -> Fixed:
        """Always complete."""
        return Fixed(self.query_one("#note", Input).value.strip())
