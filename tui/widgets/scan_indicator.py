"""A few cells that say that a scan is running, and how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

if TYPE_CHECKING:
    from tui.scanning import ScanRun

__all__ = ["indicator_text", "progress_bar"]

_WIDTH = 8
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def progress_bar(share: float, width: int) -> str:
    """A bar of exactly ``width`` cells, in eighths of a cell."""
    eighths = round(max(0.0, min(share, 1.0)) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


def indicator_text(run: ScanRun) -> Content:
    """``scan ███▌     41 %``, then what could not be read so far."""
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
