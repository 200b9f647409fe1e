"""Single lines around a screen's body: what is looked at, where one is, which keys there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content
from textual.reactive import reactive
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from tui.keymap import FOOTER, KEYS
from tui.text import clip_middle, shown

if TYPE_CHECKING:
    from tui.scanning import ScanRun

_RANK = {name: rank for rank, name in enumerate(FOOTER)}
_UNRANKED = _RANK["view.back"] + 0.5
"""A screen's own keys come after the ways in and out."""

__all__ = ["Crumbs", "KeyBar", "TopLine", "side_by_side"]


def side_by_side(left: Content, right: Content, width: int) -> Content:
    """Both on one line, the right one at the right edge; the left one is cut if it must be."""
    room = width - right.cell_length
    if room < 8:
        return left.truncate(width, ellipsis=True)
    left = left.truncate(room - 1, ellipsis=True)
    return Content.assemble(left, " " * (room - left.cell_length), right)


class TopLine(Widget):
    """Name of the program, which scan this is, how old, and what it could not read; at the end how
    far a scan is that runs.
    """

    DEFAULT_CSS = (
        "TopLine { height: 1; background: $head-background; color: $plain; padding: 0 1; }"
    )
    left: reactive[Content] = reactive(Content(""))
    right: reactive[Content] = reactive(Content(""))

    def __init__(self) -> None:
        super().__init__()
        self._scan_run: ScanRun | None = None

    def watch_run(self, run: ScanRun) -> None:
        """Follow a scan, instead of another one."""
        self._leave_run()
        self._scan_run = run
        run.attach(self)

    def _leave_run(self) -> None:
        if self._scan_run is not None:
            self._scan_run.detach(self)

    def on_unmount(self) -> None:
        """Stop following."""
        self._leave_run()

    def on_scan_run_changed(self, event: ScanRun.Changed) -> None:
        """Something happened."""
        event.stop()
        self.refresh()

    def render(self) -> Content:
        """The line."""
        name = Content.styled("▟▙ undercroft", "bold $signature")
        left = Content.assemble(name, "  ", self.left) if self.left.plain else name
        right = self.right
        if self._scan_run is not None and self._scan_run.running:
            from tui.widgets.scan_indicator import indicator_text

            right = Content.assemble(right, "  ", indicator_text(self._scan_run))
        return side_by_side(left, right, self.size.width)


class Crumbs(Widget):
    """Where one is, outermost first; on the right how much of it is shown."""

    DEFAULT_CSS = "Crumbs { height: 1; color: $muted; padding: 0 1; }"
    trail: reactive[tuple[str, ...]] = reactive(())
    note: reactive[Content] = reactive(Content(""))

    def render(self) -> Content:
        """The line; when it is too long the middle of each name gives way, then outer levels."""
        room = max(10, self.size.width - self.note.cell_length - 2)
        names = [shown(name) for name in self.trail]
        while len(names) > 2 and cell_len(" › ".join(names)) > room:
            longest = max(range(len(names)), key=lambda index: cell_len(names[index]))
            size = cell_len(names[longest])
            if size > 14:
                over = cell_len(" › ".join(names)) - room
                names[longest] = clip_middle(names[longest], max(14, size - over))
            else:
                names[1:3] = ["…"] if names[1] == "…" or len(names) > 3 else names[1:3]
                if names.count("…") and len(names) <= 3:
                    break
        parts: list[Content] = []
        for index, name in enumerate(names):
            if index:
                parts.append(Content.styled(" › ", "$faint"))
            last = index == len(names) - 1
            parts.append(Content.styled(name, "bold $strong" if last else "$muted"))
        return side_by_side(Content.assemble(*parts), self.note, self.size.width)


class KeyBar(Static):
    """The footer: keys that work here, from the bindings themselves; help stays at the end."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    KeyBar { height: 1; background: $footer-background; color: $footer-description-foreground;
             padding: 0 1; }
    """

    def on_mount(self) -> None:
        """Follow the bindings."""
        self.screen.bindings_updated_signal.subscribe(self, self._changed)

    def on_unmount(self) -> None:
        """Stop following."""
        self.screen.bindings_updated_signal.unsubscribe(self)

    def _changed(self, screen: Screen[object]) -> None:
        if self.is_attached and screen is self.screen:
            self.refresh()

    def on_resize(self) -> None:
        """More or fewer keys fit."""
        self.refresh()

    def render(self) -> Content:
        """As many keys as fit."""
        entries = self._entries()
        pinned = [entry for entry in entries if entry[2] == "app.help"]
        others = [entry for entry in entries if entry not in pinned]
        tail = self._draw(pinned)
        room = self.size.width - tail.cell_length - 2
        chosen: list[tuple[str, str, str, bool]] = []
        used = 0
        for entry in others:
            size = cell_len(entry[0]) + 1 + cell_len(entry[1]) + 2
            if used + size > room:
                break
            chosen.append(entry)
            used += size
        return side_by_side(self._draw(chosen), tail, self.size.width)

    def _entries(self) -> Sequence[tuple[str, str, str, bool]]:
        quiet: frozenset[str] = getattr(self.screen, "QUIET", frozenset())
        words: Mapping[str, str] = getattr(self.screen, "WORDS", {})
        # Where somebody types, letters are letters: only the line's own keys do something.
        focused = self.screen.focused
        typing = focused if focused and focused.check_consume_key("a", "a") else None
        found: dict[str, tuple[str, str, str, bool]] = {}
        for active in self.screen.active_bindings.values():
            binding = active.binding
            name = binding.id or binding.action
            if not binding.show or name in quiet or name in getattr(active.node, "quiet", ()):
                continue
            if typing and active.node is not typing:
                continue
            # Of several keys the one that is declared first is the one that is shown.
            first = name in KEYS and binding.key == KEYS[name].keys.split(",")[0]
            if name not in found or first:
                key = self.app.get_key_display(binding)
                said = words.get(name, binding.description)
                found[name] = (key, said.lower(), name, active.enabled)
        ahead: Sequence[str] = getattr(self.screen, "FIRST", ())
        own = {name: rank - len(ahead) for rank, name in enumerate(ahead)}
        return sorted(
            found.values(), key=lambda entry: own.get(entry[2], _RANK.get(entry[2], _UNRANKED))
        )

    def _draw(self, entries: Sequence[tuple[str, str, str, bool]]) -> Content:
        parts: list[Content] = []
        for key, words, _, enabled in entries:
            if parts:
                parts.append(Content("  "))
            tone = "$footer-key-foreground" if enabled else "$faint"
            parts.append(Content.styled(key, f"bold {tone}"))
            parts.append(Content.styled(f" {words}", "" if enabled else "$faint"))
        return Content.assemble(*parts)
