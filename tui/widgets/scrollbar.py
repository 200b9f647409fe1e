"""A thin scrollbar: half a cell wide, proportional, on no background of its own."""

from __future__ import annotations

from rich.color import Color
from rich.segment import Segment, Segments
from rich.style import Style
from textual.scrollbar import ScrollBar, ScrollBarRender

__all__ = ["install"]

_NONE = Color.default()


class ThinBar(ScrollBarRender):
    """Draws the thumb with half blocks; the track is empty."""

    @classmethod
    def render_bar(
        cls,
        size: int = 25,
        virtual_size: float = 50,
        window_size: float = 20,
        position: float = 0,
        thickness: int = 1,
        vertical: bool = True,
        back_color: Color = _NONE,
        bar_color: Color = _NONE,
    ) -> Segments:
        """Segments for the whole bar, ``size`` cells long."""
        empty = " " * (thickness if vertical else 1)
        above = Style(bgcolor=back_color, meta={"@mouse.down": "scroll_up"})
        below = Style(bgcolor=back_color, meta={"@mouse.down": "scroll_down"})
        grip = Style(color=bar_color, bgcolor=back_color, meta={"@mouse.down": "grab"})
        cells: list[Segment] = []
        if window_size and virtual_size > window_size and size > 0:
            thumb = min(size, max(1, round(size * window_size / virtual_size)))
            start = round((size - thumb) * min(1.0, position / (virtual_size - window_size)))
            glyph = "▐" * thickness if vertical else "▂"
            for index in range(size):
                if index < start:
                    cells.append(Segment(empty, above))
                elif index < start + thumb:
                    cells.append(Segment(glyph, grip))
                else:
                    cells.append(Segment(empty, below))
        else:
            cells = [Segment(empty, Style(bgcolor=back_color))] * size
        if vertical:
            return Segments(cells, new_lines=True)
        return Segments([*cells, Segment.line()] * thickness, new_lines=False)


def install() -> None:
    """Make all scrollbars of the program thin."""
    ScrollBar.renderer = ThinBar
