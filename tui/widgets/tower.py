"""The product's signature: what an AI service stands on, as six blocks coloured by the worst finding.

Small, it is a cell in a table; large, a widget in which layers are chosen. Glyph and letter say
what the colour says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from tui.glyphs import GLYPH, LAYER_LETTER, LETTER, badge, severity_tone
from tui.keymap import bind
from tui.text import clip, pad
from tui.widgets.columns import Run
from tui.widgets.inks import Inks
from undercroft.model import LAYERS, Layer, Severity
from undercroft.views import LayerTotals, ServiceRow, Tower

__all__ = ["MINI_HEAD", "MINI_WIDTH", "Block", "TowerView", "blocks_of", "mini_tower"]

MINI_WIDTH = 17
_BOLD = Style(bold=True)
_BESIDE = 9
"""Cells of the network's block."""
MINI_HEAD = "  ".join(LAYER_LETTER[layer] for layer in LAYERS)


def mini_tower(layers: Mapping[Layer, LayerTotals]) -> list[Run]:
    """Six cells of glyph and letter; a dot for a clean layer, nothing where nothing stands."""
    cells: list[Run] = []
    for index, layer in enumerate(LAYERS):
        if index:
            cells.append((" ", ""))
        totals = layers.get(layer)
        if totals is None:
            cells.append(("  ", ""))
        else:
            cells.append((badge(totals.worst), severity_tone(totals.worst)))
    return cells


class Block(NamedTuple):
    """One layer as it is drawn."""

    layer: Layer
    worst: Severity | None
    open: int
    accepted: int
    resources: int | None
    """None while it is not known; 0 where the service has nothing on this layer."""
    unread: int = 0

    @property
    def words(self) -> str:
        """The counts, in words."""
        if self.resources == 0:
            return "nothing here"
        parts = [f"{self.open:,} open"] if self.open else []
        parts += [f"{self.accepted:,} accepted"] if self.accepted else []
        return " · ".join(parts) or "nothing open"


def blocks_of(tower: Tower | ServiceRow) -> tuple[Block, ...]:
    """The six blocks of a tower, or as much of them as a row of the list knows."""
    if isinstance(tower, Tower):
        return tuple(
            Block(
                block.layer,
                block.worst,
                block.open,
                block.accepted,
                len(block.resources),
                sum(len(resource.unread) for resource in block.resources),
            )
            for block in tower.layers
        )
    return tuple(
        Block(layer, totals.worst, totals.open, 0, None)
        if (totals := tower.layers.get(layer)) is not None
        else Block(layer, None, 0, 0, 0)
        for layer in LAYERS
    )


class TowerView(Widget, can_focus=True):
    """The tower, large: five blocks on top of each other, the network beside them."""

    DEFAULT_CSS = "TowerView { width: 1fr; height: auto; background: $background; }"
    BINDINGS: ClassVar[list[BindingType]] = bind("tower.down", "tower.up", "tower.open")

    blocks: reactive[tuple[Block, ...]] = reactive(())
    selected: reactive[int] = reactive(0)
    choosing: reactive[bool] = reactive(True)
    """Whether a layer is chosen here (the side view only shows)."""

    class Selected(Message):
        """Another layer is chosen."""

        def __init__(self, tower: TowerView, layer: Layer) -> None:
            super().__init__()
            self.tower = tower
            self.layer = layer

    class Opened(Message):
        """Enter on a layer."""

        def __init__(self, tower: TowerView, layer: Layer) -> None:
            super().__init__()
            self.tower = tower
            self.layer = layer

    def __init__(
        self,
        *,
        choosing: bool = True,
        id: str | None = None,  # noqa: A002  (Textual's own name)
    ) -> None:
        super().__init__(id=id)
        self.can_focus = choosing
        self.set_reactive(TowerView.choosing, choosing)
        self._tall = 2
        self._inks = Inks(self)

    @property
    def chosen(self) -> Layer:
        """The layer that is chosen."""
        return LAYERS[self.selected]

    def fit(self, height: int) -> None:
        """Use this many lines: blocks get taller where there is room."""
        tall = max(1, min(5, (height - 1) // 5 - 1))
        if tall != self._tall:
            self._tall = tall
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002  (Textual's own shape)
        """Five blocks with a seam above each, and the ground."""
        return 5 * (self._tall + 1) + 1

    def validate_selected(self, selected: int) -> int:
        """Stay on the tower."""
        return max(0, min(selected, len(LAYERS) - 1))

    def watch_selected(self) -> None:
        """Tell the screen."""
        if self.choosing and self.is_attached:
            self.post_message(self.Selected(self, self.chosen))

    def action_step(self, by: int) -> None:
        """To the layer beneath, or above."""
        self.selected += by

    def action_open(self) -> None:
        """Into the layer."""
        self.post_message(self.Opened(self, self.chosen))

    def on_click(self, event: events.Click) -> None:
        """Choose a block with the mouse."""
        if not self.choosing:
            return
        beside = event.x >= self._main_width() + 3
        self.selected = 5 if beside else min(4, event.y // (self._tall + 1))
        if event.chain > 1:
            self.action_open()

    # Drawing

    def notify_style_update(self) -> None:
        """Another theme: forget resolved colours."""
        self._inks.forget()
        super().notify_style_update()

    def _main_width(self) -> int:
        return max(12, self.size.width - 4 - _BESIDE)

    def render_line(self, y: int) -> Strip:
        """One line: pointer, block, gap, the network's block."""
        width = self.size.width
        blank = self._inks.ground
        if len(self.blocks) != len(LAYERS):
            return Strip.blank(width, blank)
        step = self._tall + 1
        main, side = self._main_width(), _BESIDE
        if y >= 5 * step:
            ground = blank + self._inks.tone("faint")
            return Strip(
                [Segment("  ", blank), Segment("▔" * (main + side + 1), ground)]
            ).adjust_cell_length(width, blank)
        index, line = divmod(y, step)
        pointed = self.choosing and self.selected == index and line == 1
        segments = [self._pointer(pointed, blank)]
        segments += self._block_line(index, line, main)
        segments.append(Segment(" ", blank))
        segments += self._network_line(y, 5 * step, side)
        pointed = self.choosing and self.selected == 5 and y == 1
        segments.append(Segment("◂" if pointed else " ", self._pointer(pointed, blank).style))
        return Strip(segments).adjust_cell_length(width, blank)

    def _pointer(self, pointed: bool, blank: Style) -> Segment:
        style = blank + self._inks.tone("signature") + _BOLD
        return Segment("▸ " if pointed else "  ", style)

    def _paint(self, index: int) -> tuple[Style, bool]:
        """Background of a block, and whether it is the chosen one."""
        worst = self.blocks[index].worst
        chosen = self.choosing and index == self.selected
        name = f"block-{worst.value if worst else 'none'}{'-selected' if chosen else ''}"
        return self._inks.ground + self._inks.pair(ground=name), chosen

    def _seam(self, index: int, width: int) -> list[Segment]:
        """The upper edge of a block: half a cell of mortar, or a line without colour."""
        fill, _ = self._paint(index)
        if self.app.native_ansi_color:
            return [Segment("─" * width, self._inks.ground + self._inks.tone("faint"))]
        edge = Style(color=fill.bgcolor, bgcolor=self._inks.ground.bgcolor)
        return [Segment("▄" * width, edge)]

    def _block_line(self, index: int, line: int, width: int) -> list[Segment]:
        if line == 0:
            return self._seam(index, width)
        block = self.blocks[index]
        fill, chosen = self._paint(index)
        if line == 1:
            name = f" {index + 1} {block.layer.value}"
            mark = f"{badge(block.worst)[0]} {badge(block.worst)[1:]}" if block.worst else "✓"
            if block.resources == 0:
                mark = "–"
            compact = f"{block.open:,} " if self._tall == 1 and block.open else ""
            room = width - cell_len(mark) - cell_len(compact) - 1
            return [
                Segment(pad(name, room), fill + self._inks.tone("strong" if chosen else "plain")),
                Segment(compact, fill + self._inks.tone("muted")),
                Segment(mark + " ", fill + self._ink(block.worst)),
            ]
        text = ""
        if line == 2:
            text = block.words
        elif line == 3 and block.resources:
            text = f"{block.resources:,} resource{'' if block.resources == 1 else 's'}"
        elif line == 4 and block.unread:
            text = f"{block.unread:,} not read"
        return [Segment(pad(f"   {text}", width), fill + self._inks.tone("muted"))]

    def _network_line(self, y: int, height: int, width: int) -> list[Segment]:
        if y == 0:
            return self._seam(5, width)
        block = self.blocks[5]
        fill, chosen = self._paint(5)
        text = fill + self._inks.tone("strong" if chosen else "plain")
        mark = f"{GLYPH[block.worst]} {LETTER[block.worst]}" if block.worst else "✓"
        if block.resources == 0:
            mark = "–"
        lines: dict[int, tuple[str, Style]] = {
            1: (" 6", text),
            2: (" network", text),
            4: (f" {mark}", fill + self._ink(block.worst)),
        }
        counts: Sequence[str] = ()
        if block.open:
            counts = (f" {block.open:,}", " open")
        if block.accepted:
            counts = (*counts, f" {block.accepted:,}", " acc.")
        for offset, words in enumerate(counts):
            lines[5 + offset] = (words, fill + self._inks.tone("muted"))
        said, style = lines.get(y, ("", fill)) if y < height else ("", fill)
        return [Segment(pad(clip(said, width), width), style)]

    def _ink(self, worst: Severity | None) -> Style:
        if worst is None:
            return self._inks.tone("faint")
        return self._inks.tone(severity_tone(worst)) + _BOLD
