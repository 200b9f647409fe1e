"""Foldable, searchable JSON with the fields that findings point at marked in the margin."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.glyphs import GLYPH
from tui.text import clip, shown
from tui.widgets.json_tree import JsonLine, JsonTree, Mark, as_json
from tui.widgets.wrapping import wrapped

__all__ = ["JsonView"]

_MARGIN = 2
_INDENT = 2
_NARROWEST = 16
_COLOURS = {
    "string": "json--string",
    "number": "json--number",
    "boolean": "json--boolean",
    "null": "json--null",
    "object": "json--punctuation",
    "array": "json--punctuation",
    "unread": "json--unread",
}


class JsonView(ScrollView, can_focus=True):
    """Draws a ``JsonTree``: only the lines in the window are ever turned into text."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "json--cursor",
        "json--guide",
        "json--key",
        "json--section",
        "json--match",
        "json--note",
        *_COLOURS.values(),
        "json--critical",
        "json--high",
        "json--medium",
        "json--low",
        "json--info",
    }
    DEFAULT_CSS = """
    JsonView {
        height: 1fr;
        background: transparent;
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        & > .json--cursor { background: $cursor-blurred-background; }
        &:focus > .json--cursor { background: $cursor-background; }
        &:ansi:focus > .json--cursor { text-style: reverse; }
        & > .json--guide { color: $faint; }
        & > .json--key { color: $plain; }
        & > .json--section { color: $signature; text-style: bold; }
        & > .json--match { background: $signature; color: $background; }
        & > .json--note { color: $muted; text-style: italic; }
        & > .json--string { color: $good; }
        & > .json--number { color: $severity-medium; }
        & > .json--boolean { color: $status-accepted; }
        & > .json--null { color: $muted; }
        & > .json--punctuation { color: $faint; }
        & > .json--unread { color: $worse; text-style: italic; }
        & > .json--critical { color: $severity-critical; text-style: bold; }
        & > .json--high { color: $severity-high; text-style: bold; }
        & > .json--medium { color: $severity-medium; text-style: bold; }
        & > .json--low { color: $severity-low; text-style: bold; }
        & > .json--info { color: $severity-info; text-style: bold; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Down", show=False, id="json.down"),
        Binding("up,k", "move(-1)", "Up", show=False, id="json.up"),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False, id="json.page_down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="json.page_up"),
        Binding("ctrl+d", "page(0.5)", "Half page down", show=False, id="json.half_down"),
        Binding("ctrl+u", "page(-0.5)", "Half page up", show=False, id="json.half_up"),
        Binding("g,home", "edge(-1)", "Top", show=False, id="json.top"),
        Binding("G,end", "edge(1)", "Bottom", show=False, id="json.bottom"),
        Binding("enter,space,z", "fold", "Fold", key_display="z", id="json.fold"),
        Binding("Z", "fold_all", "Fold all", id="json.fold_all"),
        Binding(
            "right_square_bracket", "mark(1)", "Next marked", key_display="]", id="json.next_mark"
        ),
        Binding(
            "left_square_bracket",
            "mark(-1)",
            "Previous marked",
            key_display="[",
            show=False,
            id="json.previous_mark",
        ),
        Binding("n", "match(1)", "Next match", show=False, id="json.next_match"),
        Binding("N", "match(-1)", "Previous match", show=False, id="json.previous_match"),
        Binding("y", "copy_value", "Copy value", show=False, id="json.copy_value"),
        Binding("Y", "copy_path", "Copy path", show=False, id="json.copy_path"),
    ]

    cursor: reactive[int] = reactive(0, repaint=False)
    """Position among the visible lines."""

    class Moved(Message):
        """The cursor is on another line, or the search changed."""

        def __init__(self, view: JsonView) -> None:
            super().__init__()
            self.view = view

        def can_replace(self, message: Message) -> bool:
            """Only the newest place matters."""
            return isinstance(message, JsonView.Moved)

    def __init__(self, tree: JsonTree | None = None, *, id: str | None = None) -> None:  # noqa: A002  (Textual's own name)
        super().__init__(id=id)
        self.document = tree or JsonTree([], {})
        self.matches: list[int] = []
        self.needle = ""
        self._visible: list[int] = []
        self._rows: list[tuple[int, int]] = []
        self._first_row: list[int] = []
        self._chunks: dict[int, list[str]] = {}
        self._laid_out_for = 0

    def show(self, tree: JsonTree, *, path: str | None = None) -> None:
        """Show another document, with the cursor on a path or on the first marked field."""
        self.document, self.matches, self.needle = tree, [], ""
        self._chunks = {}
        self._relayout()
        target = tree.find(path) if path else min(tree.marks, default=0)
        self.set_reactive(JsonView.cursor, 0)
        self._go(target or 0)

    @property
    def current_index(self) -> int | None:
        """Index in the document of the line under the cursor."""
        return self._visible[min(self.cursor, len(self._visible) - 1)] if self._visible else None

    @property
    def current(self) -> JsonLine | None:
        """The line under the cursor."""
        index = self.current_index
        return None if index is None else self.document.lines[index]

    @property
    def marks_here(self) -> tuple[Mark, ...]:
        """Findings that point at the line under the cursor."""
        index = self.current_index
        return () if index is None else self.document.marks.get(index, ())

    def go_to(self, path: str) -> None:
        """Put the cursor on a path, or on the nearest thing around it."""
        index = self.document.find(path)
        if index is not None:
            self._go(index)

    def search(self, needle: str) -> None:
        """Mark what matches and go to the first match at or after the cursor."""
        self.needle = needle
        self.matches = self.document.search(needle)
        if self.matches:
            here = self._visible[self.cursor] if self._visible else 0
            self._go(next((index for index in self.matches if index >= here), self.matches[0]))
        self.refresh()
        self.post_message(self.Moved(self))

    # drawing

    def on_resize(self, event: events.Resize) -> None:
        """Wrap again when the width changed."""
        if event.size.width != self._laid_out_for:
            self._relayout()

    def render_line(self, y: int) -> Strip:
        """One row of the window."""
        row = y + self.scroll_offset.y
        width = self.size.width
        base = self.rich_style
        if row >= len(self._rows):
            return Strip.blank(width, base)
        position, chunk = self._rows[row]
        if position == self.cursor:
            cursor = self.get_component_rich_style("json--cursor")
            base += Style(bgcolor=cursor.bgcolor, reverse=cursor.reverse)
        strip = Strip(self._segments(self._visible[position], chunk, base))
        return strip.adjust_cell_length(width, base).simplify()

    def _segments(self, index: int, chunk: int, base: Style) -> list[Segment]:
        line = self.document.lines[index]
        chunks = self._chunks_of(index)
        guide = base + self._part("json--guide")
        segments = [*self._margin(index, chunk, base), Segment("│ " * line.depth, guide)]
        segments[-1] = Segment(segments[-1].text.ljust(line.depth * _INDENT), guide)
        value_style = base + self._part(_COLOURS[line.kind])
        if chunk:
            hang = self._hang(line)
            return [
                *segments,
                Segment(" " * hang, base),
                *self._found(chunks[chunk], value_style),
            ]
        marker = ("▸ " if index in self.document.folded else "▾ ") if line.foldable else "  "
        key_style = base + self._part(
            "json--section" if line.depth == 0 else "json--guide" if line.in_list else "json--key"
        )
        segments += [
            Segment(marker, guide),
            *self._found(shown(line.key), key_style),
            Segment(" " if line.foldable else ": ", guide),
            *self._found(chunks[0], value_style),
        ]
        if marks := self.document.marks.get(index):
            note = marks[0].title + (f" (+{len(marks) - 1})" if len(marks) > 1 else "")
            used = sum(segment.cell_length for segment in segments)
            if (room := self.size.width - used - 4) >= _NARROWEST:
                segments.append(Segment(f"  ◂ {clip(note, room)}", base + self._part("json--note")))
        return segments

    def _margin(self, index: int, chunk: int, base: Style) -> list[Segment]:
        marks = self.document.marks.get(index)
        severity = marks[0].severity if marks else None
        if severity is None and index in self.document.folded:
            severity = self.document.marked_beneath(index)
        if severity is None or chunk:
            return [Segment(" " * _MARGIN, base)]
        return [Segment(f"{GLYPH[severity]} ", base + self._part(f"json--{severity}"))]

    def _found(self, text: str, style: Style) -> list[Segment]:
        """The text, with every occurrence of what is searched for standing out."""
        needle = self.needle.casefold()
        folded = text.casefold()
        if not needle or len(folded) != len(text) or needle not in folded:
            return [Segment(text, style)]
        hit, segments, start = style + self._part("json--match"), [], 0
        while (at := folded.find(needle, start)) >= 0:
            segments += [Segment(text[start:at], style), Segment(text[at : at + len(needle)], hit)]
            start = at + len(needle)
        return [*segments, Segment(text[start:], style)]

    def _part(self, name: str) -> Style:
        return self.get_component_rich_style(name, partial=True)

    # layout

    def _hang(self, line: JsonLine) -> int:
        """How far continuation rows stand in: under the value, or less where there is no room."""
        under = _INDENT + cell_len(shown(line.key)) + 2
        room = self.size.width - _MARGIN - line.depth * _INDENT
        return under if room - under >= 2 * _NARROWEST else 2 * _INDENT

    def _chunks_of(self, index: int) -> list[str]:
        """The value of a line, cut into rows: at its own line breaks and at the window's edge."""
        known = self._chunks.get(index)
        if known is not None:
            return known
        line = self.document.lines[index]
        value, key = line.text(), shown(line.key)
        before = _MARGIN + line.depth * _INDENT
        first = max(self.size.width - before - _INDENT - cell_len(key) - 2, _NARROWEST)
        if len(value) <= first and value.isascii() and value.isprintable():
            chunks = [value]
        else:
            rest = max(self.size.width - before - self._hang(line), _NARROWEST)
            chunks = wrapped(value, first, rest)
        self._chunks[index] = chunks
        return chunks

    def _relayout(self) -> None:
        if self._laid_out_for != self.size.width:
            self._laid_out_for = self.size.width
            self._chunks = {}
        self._visible = self.document.visible()
        self._rows, self._first_row = [], []
        for position, index in enumerate(self._visible):
            self._first_row.append(len(self._rows))
            self._rows += [(position, chunk) for chunk in range(len(self._chunks_of(index)))]
        self.virtual_size = Size(self.size.width, len(self._rows))
        self.set_reactive(JsonView.cursor, min(self.cursor, max(len(self._visible) - 1, 0)))
        self.refresh()
        self._keep_in_sight()

    def _keep_in_sight(self) -> None:
        if not self._visible:
            return
        first = self._first_row[self.cursor]
        height = min(len(self._chunks_of(self._visible[self.cursor])), max(self.size.height, 1))
        self.scroll_to_region(Region(0, first, 1, height), animate=False, force=True)

    def _go(self, index: int) -> None:
        """Move to a line of the document, unfolding what hides it."""
        self.document.reveal(index)
        visible = self.document.visible()
        if visible != self._visible:
            self._relayout()
        if index in self._visible:
            self.cursor = self._visible.index(index)
            self._keep_in_sight()

    # keys

    def watch_cursor(self) -> None:
        """Follow the cursor."""
        self._keep_in_sight()
        self.refresh()
        self.post_message(self.Moved(self))

    def validate_cursor(self, cursor: int) -> int:
        """Stay inside the document."""
        return max(0, min(cursor, len(self._visible) - 1))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the mouse is; on the fold marker, fold."""
        row = event.y + self.scroll_offset.y
        if row < len(self._rows):
            same = self.cursor == self._rows[row][0]
            self.cursor = self._rows[row][0]
            if same:
                self.action_fold()

    def action_move(self, lines: int) -> None:
        """Up or down."""
        self.cursor += lines

    def action_page(self, pages: float) -> None:
        """Up or down by a share of the window."""
        self.cursor += int(pages * max(self.size.height - 1, 1))

    def action_edge(self, side: int) -> None:
        """To the first or last line."""
        self.cursor = len(self._visible) - 1 if side > 0 else 0

    def action_fold(self) -> None:
        """Fold or unfold what the cursor is on, or what it is in."""
        if not self._visible:
            return
        changed = self.document.toggle(self._visible[self.cursor])
        self._relayout()
        self._go(changed)
        self.post_message(self.Moved(self))

    def action_fold_all(self) -> None:
        """Fold everything, or unfold everything if that is what it was."""
        here = self._visible[self.cursor] if self._visible else 0
        if self.document.folded:
            self.document.unfold_all()
        else:
            self.document.fold_all()
            while here not in self.document.visible():
                here = self.document.lines[here].parent
        self._relayout()
        self._go(here)

    def action_mark(self, direction: int) -> None:
        """To the next field that a finding points at."""
        self._jump(sorted(self.document.marks), direction, "No finding points into this document.")

    def action_match(self, direction: int) -> None:
        """To the next match of the search."""
        reason = (
            f"Nothing matches {self.needle!r}."
            if self.needle
            else "Nothing is searched for: press / first."
        )
        self._jump(self.matches, direction, reason)

    def action_copy_value(self) -> None:
        """Copy the true value under the cursor."""
        if (line := self.current) is not None:
            is_text = line.kind in {"string", "unread"}
            self.app.copy_to_clipboard(str(line.value) if is_text else as_json(line.value))
            self.notify(f"Copied the value of {shown(line.path)}", markup=False, timeout=2)

    def action_copy_path(self) -> None:
        """Copy the path under the cursor."""
        if (line := self.current) is not None:
            self.app.copy_to_clipboard(line.path)
            self.notify(f"Copied {shown(line.path)}", markup=False, timeout=2)

    def _jump(self, targets: list[int], direction: int, none: str) -> None:
        if not targets or not self._visible:
            self.notify(none, markup=False, timeout=2)
            return
        here = self._visible[self.cursor]
        if direction > 0:
            self._go(next((index for index in targets if index > here), targets[0]))
        else:
            self._go(next((index for index in reversed(targets) if index < here), targets[-1]))
