"""Help: the keys that work where it was opened, from the bindings themselves, and what the signs mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from textwrap import wrap
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tui.dialogs.base import veil
from tui.glyphs import (
    GLYPH,
    LAYER_LETTER,
    LAYER_NUMBER,
    LETTER,
    STATUS_GLYPH,
    STATUS_WORD,
    layer_tone,
    severity_tone,
    status_tone,
)
from tui.text import content, styled
from tui.widgets.hanging import HangingText
from undercroft.filter import KEYS, Keys
from undercroft.model import LAYERS, Severity

__all__ = ["Entry", "HelpScreen", "entries", "grouped"]

_GROUPS = (
    ("Decide", ("finding.accept", "finding.fixed", "finding.false_positive", "finding.comment",
                "finding.reopen", "finding.assign", "finding.rate", "app.undo", "app.redo")),
    ("Here", ()),
    ("Select", ("table.mark", "table.range", "table.all", "table.sort", "table.reverse")),
    ("Move", ("table.", "tower.", "detail.", "layer.", "view.back", "view.next_pane",
              "view.previous_pane")),
    ("Go to", ("go.", "app.")),
)  # fmt: skip
"""Group → ids or beginnings of ids; "Here" takes what belongs to nobody else."""


_MARKS = (
    ("✦", "signature", "first seen in this scan"),
    ("?", "severity-medium", "this scan could not look at it again"),
    ("◔", "status-accepted", "the acceptance ends within 14 days"),
    ("◕", "status-reopened", "the acceptance ended since you were here"),
    ("⚑", "severity-critical", "a toxic combination; in the history: copies disagree"),
)
"""What stands before names and counts → its tone and meaning."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that can be done: its keys as remapped, what it does, and its id."""

    keys: tuple[str, ...]
    words: str
    id: str
    enabled: bool = True


def entries(
    active: Iterable[ActiveBinding], key_display: dict[Binding, str], words: Mapping[str, str]
) -> list[Entry]:
    """One entry per id (or per action where there is no id), all keys together.

    ``words``: what a screen calls its keys otherwise, by id.
    """
    found: dict[str, Entry] = {}
    for one in active:
        binding = one.binding
        if binding.system or not binding.description or "." not in (binding.id or ""):
            continue
        name = binding.id or binding.action
        key = key_display.get(binding, binding.key)
        known = found.get(name)
        keys = (*known.keys, key) if known else (key,)
        said = words.get(name, binding.description)
        found[name] = Entry(tuple(dict.fromkeys(keys)), said, name, one.enabled)
    return list(found.values())


def grouped(known: Iterable[Entry]) -> dict[str, list[Entry]]:
    """The entries by topic; every entry is in exactly one."""
    groups: dict[str, list[Entry]] = {name: [] for name, _ in _GROUPS}
    for entry in known:
        groups[_group_of(entry.id)].append(entry)
    return {name: found for name, found in groups.items() if found}


def _group_of(name: str) -> str:
    for group, ids in _GROUPS:
        if name in ids:
            return group
    for group, ids in _GROUPS:
        if any(start.endswith(".") and name.startswith(start) for start in ids):
            return group
    return "Here"


class HelpScreen(ModalScreen[None]):
    """Over whatever is on top. Typing filters; escape closes."""

    CSS = """
    HelpScreen { align: center middle; }
    HelpScreen > #help {
        width: 130; max-width: 100%; height: auto; max-height: 100%;
        border: round $border; border-title-color: $signature; border-title-style: bold;
        background: $surface; padding: 0 1;
    }
    HelpScreen #help-filter {
        border: none; height: 1; padding: 0; background: $surface; margin-bottom: 1;
    }
    HelpScreen #help-columns { height: auto; }
    HelpScreen #help-left { width: 62; height: auto; }
    HelpScreen #help-right { width: 1fr; height: auto; }
    HelpScreen.-narrow #help-columns { layout: vertical; }
    HelpScreen.-narrow #help-left { width: 1fr; }
    HelpScreen.-narrow #help-right { width: 1fr; margin-top: 1; }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (112, "-wide")]  # noqa: RUF012  (Textual's own shape)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close", priority=True, id="help.close"),
        Binding("down", "scroll(1)", "Down", show=False, id="help.down"),
        Binding("up", "scroll(-1)", "Up", show=False, id="help.up"),
        Binding("pagedown,ctrl+d", "scroll(12)", "Page down", show=False, id="help.page_down"),
        Binding(
            "pageup,ctrl+u", "scroll(-12)", "Page up", show=False, priority=True, id="help.page_up"
        ),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._entries: list[Entry] = []
        self._filter_keys: Keys = KEYS

    def compose(self) -> ComposeResult:
        """A filter line and two columns (one in a narrow terminal)."""
        with VerticalScroll(id="help", can_focus=False) as box:
            box.border_title = "Keys and signs"
            yield Input(placeholder="type to find a key", id="help-filter", compact=True)
            with Horizontal(id="help-columns"):
                yield Static(id="help-left")
                yield HangingText(id="help-right")

    def on_mount(self) -> None:
        """Read the bindings of the screen beneath."""
        veil(self)
        below = self.app.screen_stack[-2]
        active = list(below.active_bindings.values())
        display = {one.binding: self.app.get_key_display(one.binding) for one in active}
        self._entries = entries(active, display, getattr(below, "WORDS", {}))
        self._filter_keys = getattr(below, "FILTER_KEYS", KEYS)
        self._draw("")
        close = next(
            (b for b in self.BINDINGS if isinstance(b, Binding) and b.id == "help.close"), None
        )
        if close is not None:
            self.query_one("#help").border_subtitle = f"{self.app.get_key_display(close)} closes"
        self.query_one("#help-filter").focus()

    def on_key(self, event: events.Key) -> None:
        """The key that opened it also closes it, as long as nothing is typed."""
        if event.character == "?" and not self.query_one("#help-filter", Input).value:
            event.stop()
            event.prevent_default()
            self.action_close()

    @on(Input.Changed)
    def _filter(self, event: Input.Changed) -> None:
        self._draw(event.value.casefold().strip())

    def _draw(self, wanted: str) -> None:
        found = [
            entry
            for entry in self._entries
            if wanted in f"{' '.join(entry.keys)} {entry.words} {entry.id}".casefold()
        ]
        keys: list[Content] = []
        for name, group in grouped(found).items():
            keys += [styled(name, "bold $muted"), *(_line(entry) for entry in group), Content("")]
        if not found:
            keys = [styled(f"Nothing here is called “{wanted}”.", "$muted")]
        self.query_one("#help-left", Static).update(Content("\n").join(keys))
        signs = _signs(self._room, self._filter_keys)
        if wanted:
            signs = [line for line in signs if wanted in line.plain.casefold()]
        self.query_one("#help-right", Static).update(Content("\n").join(signs))

    @property
    def _room(self) -> int:
        """Cells that the signs' column has."""
        width = min(self.size.width, 130) - 6
        return width if self.size.width < 112 else width - 62

    def on_resize(self) -> None:
        """Other columns, other rows."""
        self._draw(self.query_one("#help-filter", Input).value.casefold().strip())

    def action_close(self) -> None:
        """Back."""
        self.dismiss(None)

    def action_scroll(self, lines: int) -> None:
        """Move through a long help."""
        self.query_one("#help", VerticalScroll).scroll_relative(y=lines, animate=False)


def _line(entry: Entry) -> Content:
    keys = content(" ".join(entry.keys[:4]))
    keys = keys.truncate(13, ellipsis=True).pad_right(max(13 - keys.cell_length, 0))
    tone = "bold $signature" if entry.enabled else "$faint"
    name = styled(f"  {entry.id}", "$faint")
    return Content.assemble("  ", keys.stylize(tone), " ", content(entry.words), name)


def _signs(width: int, keys: Keys) -> list[Content]:
    """What glyphs, letters and filter keys mean."""
    lines = [styled("Severity", "bold $muted")]
    lines += [
        styled(
            f"  {GLYPH[severity]}{LETTER[severity]}  {severity.value}",
            f"${severity_tone(severity)}",
        )
        for severity in Severity
    ]
    lines += [Content(""), styled("Layers, top to bottom", "bold $muted")]
    lines += [
        styled(
            f"  {LAYER_LETTER[layer]}   {layer.value}  (key {LAYER_NUMBER[layer]})",
            f"${layer_tone(layer)}",
        )
        for layer in LAYERS
    ]
    lines += [Content(""), styled("Status", "bold $muted")]
    lines += [
        styled(f"  {STATUS_GLYPH[status]}   {word}", f"${status_tone(status)}")
        for status, word in STATUS_WORD.items()
    ]
    lines += [Content(""), styled("Marks", "bold $muted")]
    lines += [
        Content.assemble(styled(f"  {mark}   ", f"${tone}"), styled(words, "$plain"))
        for mark, tone, words in _MARKS
    ]
    lines += [Content(""), styled("Filter", "bold $muted")]
    lines += _hanging("words", "match text; quotes keep them together", width)
    lines += _hanging("key:value", "also key>=value, key:a,b and * for any run", width)
    lines += _hanging("-key:value", "not; or, ( ) join; and goes without saying", width)
    lines.append(Content(""))
    for name, key in keys.items():
        lines += _hanging(name, key.help, width)
    return lines


def _hanging(name: str, words: str, width: int) -> list[Content]:
    """A name and its explanation, which stays in its own column when it wraps."""
    rows = wrap(words, max(width - 15, 20)) or [""]
    named = content(name).pad_right(max(13 - len(name), 1)).stylize("$signature")
    return [
        Content.assemble("  ", content("").pad_right(13) if index else named, content(row))
        for index, row in enumerate(rows)
    ]
