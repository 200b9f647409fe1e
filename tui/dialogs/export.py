"""Export what is shown: format, a look at the first rows, and a path that overwrites nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from tui.dialogs.base import Choice, Choices, Dialog, PathSuggester
from tui.text import clip, content, count

__all__ = ["ExportDialog", "Exported", "path_problem"]

FORMATS: tuple[Choice, ...] = (
    Choice("csv", "CSV"),
    Choice("json", "JSON"),
    Choice("jsonl", "JSON Lines"),
    Choice("markdown", "Markdown"),
)
_SUFFIX = {"csv": ".csv", "json": ".json", "jsonl": ".jsonl", "markdown": ".md"}
_PREVIEW_LINES = 8


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written where."""

    path: Path
    format: str
    rows: int


def path_problem(text: str) -> str:
    """Why nothing can be written there, in a sentence; empty if it can."""
    if not text.strip():
        return "Name a file."
    path = Path(text.strip()).expanduser()
    if path.is_dir():
        return f"{path} is a folder: add a file name."
    if path.exists():
        return f"{path.name} exists: it will not be overwritten. Choose another name."
    if not path.parent.is_dir():
        return f"There is no folder {path.parent}."
    if not os.access(path.parent, os.W_OK):
        return f"No permission to write in {path.parent}."
    return ""


def _place(path: Path) -> str:
    """A path as a person would write it: from the home folder where it lies in there."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


class ExportDialog(Dialog[Exported]):
    """Writes the file itself, in a worker; returns ``Exported``."""

    DEFAULT_CSS = """
    ExportDialog {
        & > .dialog { width: 90; }
        & #preview { height: 9; margin-top: 1; background: $background; padding: 0 1; overflow-x: hidden; }
        & #preview > Static { width: auto; color: $muted; }
        & #path-hint { margin-left: 14; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "write the file", priority=True, id="dialog.submit"),
        Binding("tab", "app.focus_next", "next field", id="dialog.next"),
        Binding("escape", "cancel", "cancel", priority=True, id="dialog.cancel"),
    ]

    class Preview(Message):
        """The first lines of the file as it would be."""

        def __init__(self, format: str, text: str) -> None:  # noqa: A002  (what it is)
            super().__init__()
            self.format = format
            self.text = text

    class Wrote(Message):
        """It was written, or a sentence why not."""

        def __init__(self, done: Exported | None, error: str = "") -> None:
            super().__init__()
            self.done = done
            self.error = error

    def __init__(
        self,
        *,
        what: str,
        total: int,
        filter_text: str,
        preview: Callable[[str], str],
        write: Callable[[str, Path], int],
        folder: Path | None = None,
        stem: str = "",
        formats: Sequence[Choice] = FORMATS,
    ) -> None:
        """An export.

        Args:
            what: ``finding`` or ``service``.
            total: How many rows it will have.
            filter_text: The filter they passed, as typed.
            preview: Format → the beginning of the file. Called in a worker.
            write: Writes a new file, whole or not at all; returns the rows. Called in a worker.
            folder: Where the file is proposed; the current one by default.
            stem: The proposed name without suffix.
            formats: What can be chosen.
        """
        shown_filter = f"filter: {filter_text}" if filter_text else "no filter: everything"
        super().__init__("Export what is shown", f"{count(total, what)} · {shown_filter}")
        self._preview, self._write = preview, write
        self._formats = tuple(formats)
        self._stem = str((folder / stem) if folder else stem) or f"undercroft-{what}s"
        self._writing = False

    def fields(self) -> ComposeResult:
        """Format, preview, path."""
        yield Choices(self._formats, row=True, id="format")
        with VerticalScroll(id="preview", can_focus=False):
            yield Static(content("…"))
        with Horizontal(classes="field"):
            yield Static("File", classes="label")
            yield Input(id="path", suggester=PathSuggester())
        yield Static(classes="hint", id="path-hint")

    def on_mount(self) -> None:
        """Begin with the format."""
        self.query_one(Choices).focus()
        self._follow_format()

    @on(Choices.Changed)
    def _follow_format(self) -> None:
        """Another suffix and another preview."""
        chosen = self.query_one(Choices).value
        field = self.query_one("#path", Input)
        stem = field.value or self._stem
        for suffix in _SUFFIX.values():
            stem = stem.removesuffix(suffix)
        field.value = self._free(stem, _SUFFIX.get(chosen, ""))
        self._look(chosen)

    def _free(self, stem: str, suffix: str) -> str:
        """The proposed name, numbered if there is such a file already."""
        candidate, number = stem + suffix, 2
        while stem.startswith(self._stem) and Path(candidate).expanduser().exists():
            candidate, number = f"{self._stem}-{number}{suffix}", number + 1
        return candidate

    @work(thread=True, exclusive=True, group="preview", exit_on_error=False)
    def _look(self, chosen: str) -> None:
        try:
            text = self._preview(chosen)
        except Exception as error:  # noqa: BLE001  (shown in the preview's place)
            text = f"no preview: {error}"
        self.post_message(self.Preview(chosen, text))

    @on(Preview)
    def _show(self, event: Preview) -> None:
        if event.format != self.query_one(Choices).value:
            return
        lines = event.text.splitlines()
        shown_lines = [content(clip(line, 400)) for line in lines[:_PREVIEW_LINES]]
        if len(lines) > _PREVIEW_LINES:
            shown_lines.append(Content.styled("…", "$faint"))
        self.query_one("#preview Static", Static).update(Content("\n").join(shown_lines))

    @on(Input.Changed, "#path")
    def _check(self, event: Input.Changed) -> None:
        problem = path_problem(event.value)
        place = _place(Path(event.value.strip()).expanduser().absolute())
        self.hint("#path-hint", problem or f"✓ {place}", good=not problem)

    def result(self) -> Exported | None:
        """Check the path and write; the dialog closes when the file is there."""
        field = self.query_one("#path", Input)
        if problem := path_problem(field.value):
            self.complain(problem, field)
        elif not self._writing:
            self._writing = True
            self.complain("Writing…")
            self._save(self.query_one(Choices).value, Path(field.value.strip()).expanduser())
        return None

    @work(thread=True, exit_on_error=False)
    def _save(self, chosen: str, path: Path) -> None:
        try:
            rows = self._write(chosen, path)
        except Exception as error:  # noqa: BLE001  (said in the dialog, which stays open)
            self.post_message(self.Wrote(None, str(error) or type(error).__name__))
        else:
            self.post_message(self.Wrote(Exported(path, chosen, rows)))

    @on(Wrote)
    def _finish(self, event: Wrote) -> None:
        self._writing = False
        if event.done is None:
            self.complain(f"The file could not be written: {event.error}")
        else:
            self.dismiss(event.done)
