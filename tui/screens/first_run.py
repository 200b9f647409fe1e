"""The first run: the cache is empty. A welcome with the tower, and three ways to begin."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Center, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from tui.dialogs.base import Choice, Choices
from tui.dialogs.prompts import PromptDialog
from tui.glyphs import GLYPH, LAYER_LETTER, severity_tone
from tui.scanning import Discovery, ScanRequest
from tui.screens.reading import ReadingScreen
from tui.text import content, pad, styled
from undercroft.model import LAYERS, Layer, Severity

__all__ = ["FirstRunScreen"]

_WORDS = {
    Layer.SERVICE: "the model that answers",
    Layer.CONTAINER: "the image that it runs in",
    Layer.VM: "the machine beneath",
    Layer.STORAGE: "where weights and data lie",
    Layer.IDENTITY: "what it is allowed to do",
    Layer.NETWORK: "beside them all: who can reach it",
}
_SAMPLE: dict[Layer, Severity | None] = {
    Layer.SERVICE: None,
    Layer.CONTAINER: Severity.HIGH,
    Layer.VM: None,
    Layer.STORAGE: Severity.MEDIUM,
    Layer.IDENTITY: Severity.CRITICAL,
    Layer.NETWORK: Severity.LOW,
}
"""An invented tower: the welcome shows what a service will look like."""


class FirstRunScreen(ReadingScreen):
    """Shown when there is nothing to show."""

    NAME = "welcome"
    QUIET: ClassVar[frozenset[str]] = frozenset(
        {"view.back", "app.undo", "app.redo", "go.findings", "go.fix_first", "go.scans"}
    )
    AUTO_FOCUS = "#ways"
    CSS = """
    FirstRunScreen #welcome { height: 1fr; align: center middle; }
    FirstRunScreen #welcome-box { width: 68; max-width: 100%; height: auto; padding: 0 2; }
    FirstRunScreen #picture { height: auto; }
    FirstRunScreen #ways { margin-top: 2; }
    FirstRunScreen #found { height: auto; margin-top: 1; color: $muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "begin", "Begin", id="welcome.begin"),
        Binding("n", "way(0)", "Scan now", id="welcome.scan"),
        Binding("d", "way(1)", "Open the demo", id="welcome.demo"),
        Binding("i", "way(2)", "Open a file", id="welcome.file"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._discovery: Discovery | None = None

    def body(self) -> ComposeResult:
        """The tower, a few words, and the ways to begin."""
        with VerticalScroll(id="welcome", can_focus=False), Center(), Vertical(id="welcome-box"):
            yield Static(_picture(), id="picture")
            yield Choices(
                (
                    Choice("scan", "Scan now", "read what your AI services stand on"),
                    Choice("demo", "Open the demo", "a believable estate, in a throw-away cache"),
                    Choice("file", "Open a file", "a cache that somebody gave you"),
                ),
                id="ways",
            )
            yield Static(content("looking for credentials on this machine…"), id="found")

    def on_mount(self) -> None:
        """See what could be scanned with."""
        discover = self.undercroft.discover
        if discover is None or self.undercroft.scan_starter is None:
            self.query_one("#found", Static).update("")
        elif self._discovery is None:
            self.run_slow("discover", discover, self._offer)
        else:
            self._offer(self._discovery)

    def load_failed(self, sentence: str) -> None:
        """Discovery failed: one can still do the rest."""
        self.query_one("#found", Static).update(
            content(f"Looking for credentials failed: {sentence}")
        )

    def _offer(self, discovery: Discovery) -> None:
        self._discovery = discovery
        widest = max((cell_len(one.title) for one in discovery.found[:5]), default=0)
        lines = [
            Content.assemble(
                styled("✓ " if one.ready else "· ", "$good" if one.ready else "$faint"),
                styled(pad(one.title, widest), "$plain"),
                styled(f"  {one.detail if one.ready else one.hint}", "$muted"),
            )
            for one in discovery.found[:5]
        ]
        if len(discovery.found) > 5:
            lines.append(styled(f"and {len(discovery.found) - 5} more", "$muted"))
        if not lines:
            lines = [styled("No cloud credentials were found on this machine yet.", "$muted")]
        self.query_one("#found", Static).update(Content("\n").join(lines))

    def action_begin(self) -> None:
        """Take the chosen way."""
        way = self.query_one(Choices).value
        if way == "scan":
            self._scan()
        elif way == "demo":
            self.undercroft.open_demo()
        else:
            dialog = PromptDialog(
                "Open a file",
                "An undercroft cache, such as one made by a scan with --db.",
                placeholder="path/to/cache.db",
                check=_file_problem,
                paths=True,
                enter="open",
            )
            self.app.push_screen(dialog, self._open)

    def action_way(self, index: int) -> None:
        """Choose a way by its letter, and take it."""
        self.query_one(Choices).chosen = index
        self.action_begin()

    @on(Choices.Changed)
    def _ignore(self, event: Choices.Changed) -> None:
        event.stop()

    def _open(self, path: str | None) -> None:
        if path is not None:
            self.undercroft.open_cache(Path(path).expanduser())

    def _scan(self) -> None:
        from tui.dialogs.scan_setup import ScanSetupDialog

        app = self.undercroft
        if app.scan_run is not None and app.scan_run.running:
            app.go("scan_progress")
        elif app.scan_starter is None:
            self.notify("This session cannot scan: it was opened to look at saved data only.")
        else:
            # What a scan of this session left behind is found anew.
            known = None if app.scan_run is not None else self._discovery
            dialog = ScanSetupDialog(app.discover, discovery=known)
            self.app.push_screen(dialog, self._start)

    def _start(self, request: ScanRequest | None) -> None:
        if request is not None:
            self.undercroft.start_scan(request)


def _file_problem(text: str) -> str:
    path = Path(text).expanduser()
    if not path.exists():
        return f"There is no file {path}."
    return f"{path} is a folder; name the file in it." if path.is_dir() else ""


def _picture() -> Content:
    """Six blocks, each with the letter of its layer, the worst thing in it, and what it is."""
    lines = [styled("See what your AI services stand on.", "bold $strong"), Content("")]
    for layer in LAYERS:
        severity = _SAMPLE[layer]
        tone = f"${severity_tone(severity)}"
        glyph = GLYPH[severity] if severity else "·"
        if layer is Layer.NETWORK:
            lines.append(Content(""))
        lines.append(
            Content.assemble(
                styled("▌", tone),
                styled(f" {LAYER_LETTER[layer]} {layer.value:<12}", "$plain on $block-none"),
                styled(f"{glyph} ", f"{tone} on $block-none"),
                styled("▐", tone),
                styled(f"   {_WORDS[layer]}", "$muted"),
            )
        )
    return Content("\n").join(lines)
