"""A few cells in a header that say that a scan is running, and how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widget import Widget

if TYPE_CHECKING:
    from tui.scanning import ScanRun

__all__ = ["ScanIndicator", "progress_bar"]

_WIDTH = 8
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def progress_bar(share: float, width: int) -> str:
    """A bar of exactly ``width`` cells, in eighths of a cell."""
    eighths = round(max(0.0, min(share, 1.0)) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


class ScanIndicator(Widget):
    """Hidden while nothing runs. Give it the run with ``watch_run``."""

    DEFAULT_CSS = """
    ScanIndicator { width: auto; height: 1; display: none; color: $muted; padding: 0 1; }
    ScanIndicator.-running { display: block; }
    """

    def __init__(self, run: ScanRun | None = None, *, id: str | None = None) -> None:  # noqa: A002  (Textual's own name)
        super().__init__(id=id)
        self._scan_run = run

    def on_mount(self) -> None:
        """Follow the run that was given."""
        if self._scan_run is not None:
            self.watch_run(self._scan_run)

    def on_unmount(self) -> None:
        """Stop following."""
        if self._scan_run is not None:
            self._scan_run.detach(self)

    def watch_run(self, run: ScanRun) -> None:
        """Follow another run."""
        if self._scan_run is not None and self._scan_run is not run:
            self._scan_run.detach(self)
        self._scan_run = run
        run.attach(self)

    def on_scan_run_changed(self, event: ScanRun.Changed) -> None:
        """Something happened."""
        event.stop()
        self.set_class(event.run.running, "-running")
        self.refresh(layout=True)

    def render(self) -> Content:
        """``scan ███▌     41 %``, then what could not be read so far."""
        run = self._scan_run
        if run is None:
            return Content("")
        return indicator_text(run)


def indicator_text(run: ScanRun) -> Content:
    """The indicator as text, for headers that draw their own line."""
    board = run.board
    if run.stopping:
        return Content.styled("scan stopping…", "$muted")
    gaps = sum(1 for unit in run.snapshot() if unit.is_gap)
    late = board.phase in {"judging", "saving"}
    tail = f" {board.phase}…" if late else f" {board.share:>4.0%}"
    parts = [
        Content.styled("scan ", "$muted"),
        Content.styled(progress_bar(board.share, _WIDTH), "$signature on $rule"),
        Content.styled(tail, "$muted"),
    ]
    if gaps:
        parts.append(Content.styled(f" ▲{gaps}", "$severity-medium"))
    return Content.assemble(*parts)
