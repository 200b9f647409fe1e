"""Every key of the shared screens, declared once; and the person's own keys, checked before use.

A binding's id names what it does and where (``finding.accept``). Footer, help and palette are made
from the bindings, and the configuration file remaps ids. Clashes are refused with both names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.keys import _character_to_key  # same names as in bindings

__all__ = ["FOOTER", "KEYS", "Key", "KeymapError", "bind", "checked", "declared"]


class KeymapError(ValueError):
    """The person's keys cannot be used; the message names the ids."""


class Key(NamedTuple):
    """A default: keys, action, words."""

    keys: str
    action: str
    description: str
    tooltip: str = ""
    priority: bool = False


KEYS: dict[str, Key] = {
    # Moving in a table
    "table.down": Key("j,down", "move(1)", "Down"),
    "table.up": Key("k,up", "move(-1)", "Up"),
    "table.top": Key("g,home", "top", "To the top"),
    "table.bottom": Key("G,end", "bottom", "To the end"),
    "table.page_down": Key("pagedown", "page(1)", "Page down"),
    "table.page_up": Key("pageup", "page(-1)", "Page up"),
    "table.half_down": Key("ctrl+d", "page(0.5)", "Half a page down"),
    "table.half_up": Key("ctrl+u", "page(-0.5)", "Half a page up"),
    "table.open": Key("enter,l,right", "open", "Open"),
    "table.mark": Key("space", "mark", "Select", tooltip="Select this row"),
    "table.range": Key("v", "range", "Select a range"),
    "table.all": Key("asterisk", "all", "Select all that match"),
    "table.sort": Key("s", "sort", "Sort", tooltip="Sort by the next column"),
    "table.reverse": Key("S", "reverse", "Reverse the order"),
    "table.columns": Key(
        "vertical_line", "columns", "Columns", tooltip="Choose columns, their order and widths"
    ),
    # Everywhere
    "view.back": Key("escape,backspace,h,left", "back", "Back"),
    "view.filter": Key("slash", "filter", "Filter"),
    "view.next_pane": Key("tab", "next_pane", "Next pane"),
    "view.previous_pane": Key("shift+tab", "previous_pane", "Previous pane"),
    "view.group": Key("z", "group", "Group", tooltip="Group by the next property"),
    "view.export": Key("e", "export", "Export"),
    "view.save": Key("m", "save_view", "Save this view"),
    "view.go": Key("apostrophe", "go_view", "Go to a saved view"),
    "view.today": Key("t", "today", "Today", tooltip="What calls for action, as a list"),
    "layer.1": Key("1", "layer(1)", "Service layer"),
    "layer.2": Key("2", "layer(2)", "Container layer"),
    "layer.3": Key("3", "layer(3)", "VM layer"),
    "layer.4": Key("4", "layer(4)", "Storage layer"),
    "layer.5": Key("5", "layer(5)", "Identity layer"),
    "layer.6": Key("6", "layer(6)", "Network layer"),
    "tower.down": Key("j,down", "step(1)", "Next layer"),
    "tower.up": Key("k,up", "step(-1)", "Previous layer"),
    "tower.open": Key("enter,l,right", "open", "Open"),
    "detail.down": Key("j,down", "scroll_down", "Down"),
    "detail.up": Key("k,up", "scroll_up", "Up"),
    "detail.top": Key("g,home", "scroll_home", "To the top"),
    "detail.bottom": Key("G,end", "scroll_end", "To the end"),
    "detail.page_down": Key("pagedown,ctrl+d", "page_down", "Page down"),
    "detail.page_up": Key("pageup,ctrl+u", "page_up", "Page up"),
    "service.bill": Key("i", "bill", "Bill", tooltip="The whole bill behind the score"),
    # Decisions
    "finding.accept": Key("a", "accept", "Accept", tooltip="Accept the risk until a date"),
    "finding.accept_again": Key(
        "A", "accept_again", "Accept again", tooltip="As before it lapsed: same reason, new date"
    ),
    "finding.fixed": Key("f", "fixed", "Fixed", tooltip="Claim it fixed; a scan verifies"),
    "finding.false_positive": Key("p", "false_positive", "False positive"),
    "finding.comment": Key("c", "comment", "Comment"),
    "finding.assign": Key("at", "assign", "Assign", tooltip="Say who works on it"),
    "finding.rate": Key(
        "exclamation_mark", "rate", "Rate", tooltip="Another severity here, until a date"
    ),
    "finding.reopen": Key("o", "reopen", "Reopen", tooltip="Withdraw the decision"),
    "finding.copy": Key("y", "copy", "Copy", tooltip="Copy the finding"),
    "finding.copy_fix": Key("Y", "copy_fix", "Copy fix", tooltip="Copy the fix command"),
    "finding.console": Key("w", "console", "Cloud console"),
    "finding.resource": Key("r", "resource", "Resource", tooltip="Raw configuration"),
    "finding.blast": Key("b", "blast", "Blast radius"),
    "app.undo": Key("u", "undo", "Undo"),
    "app.redo": Key("ctrl+r", "redo", "Redo"),
    # Places
    "go.services": Key("H", "go('services')", "Services"),
    "go.findings": Key("F", "go('findings')", "Findings"),
    "go.overview": Key("O", "go('overview')", "Overview", tooltip="Heat map and trend"),
    "go.combinations": Key("T", "go('combinations')", "Combinations", tooltip="Toxic combinations"),
    "go.fix_first": Key("W", "go('fix_first')", "Fix first"),
    "go.scans": Key("C", "go('scans')", "Scans"),
    "go.rules": Key("R", "go('rules')", "Rules"),
    "go.changes": Key("X", "go('changes')", "Changes"),
    "go.history": Key("D", "go('history')", "Decisions"),
    "app.palette": Key("colon,ctrl+p", "command_palette", "Commands"),
    "app.help": Key("question_mark", "help", "Help"),
    "app.quit": Key("q", "quit", "Quit"),
    # The filter line
    "filter.close": Key("escape", "close", "Close"),
    "filter.done": Key("enter,down", "done", "To the list"),
    "filter.complete": Key("tab", "complete", "Complete"),
    "filter.clear": Key("ctrl+u", "clear", "Clear"),
}
"""Defaults by id. Deliberately nothing on ctrl-a and ctrl-b: tmux and screen listen there."""


FOOTER: tuple[str, ...] = (
    "filter.done",
    "filter.complete",
    "filter.clear",
    "filter.close",
    "table.open",
    "tower.open",
    "view.back",
    "finding.accept",
    "finding.fixed",
    "view.filter",
    "view.today",
    "table.sort",
    "view.group",
    "table.mark",
    "finding.false_positive",
    "finding.comment",
    "finding.copy_fix",
    "finding.resource",
    "app.undo",
    "view.export",
    "go.findings",
    "go.fix_first",
    "go.scans",
    "app.palette",
)
"""What stands in the footer, most useful first; as much of it as fits."""


def bind(*ids: str) -> list[BindingType]:
    """Bindings for these ids, for a class's ``BINDINGS``."""
    return [
        Binding(
            key.keys,
            key.action,
            key.description,
            show=name in FOOTER or name == "app.help",
            id=name,
            tooltip=key.tooltip or key.description,
            priority=key.priority,
        )
        for name, key in ((name, KEYS[name]) for name in ids)
    ]


def declared(node: type[DOMNode]) -> dict[str, frozenset[str]]:
    """Binding ids of a class and its bases → the keys they have by default."""
    found: dict[str, frozenset[str]] = {}
    for base in reversed(node.__mro__):
        bindings: Sequence[BindingType] = base.__dict__.get("BINDINGS", ())
        for binding in Binding.make_bindings(bindings):
            if binding.id:
                found[binding.id] = found.get(binding.id, frozenset()) | {binding.key}
    return found


def checked(wanted: Mapping[str, str], chains: Iterable[Sequence[type[DOMNode]]]) -> dict[str, str]:
    """The person's keys, normalised, fit for ``App.set_keymap``.

    Args:
        wanted: Binding id → comma-separated keys, as written in the configuration file.
        chains: Classes that can be in one focus chain together.

    Raises:
        KeymapError: For an unknown id, no key, or a key that two ids of one chain would share.
    """
    groups = [[declared(node) for node in nodes] for nodes in chains]
    known = set(chain.from_iterable(chain.from_iterable(group) for group in groups))
    keymap = {name: _normalised(name, keys, known) for name, keys in wanted.items()}
    for group in groups:
        defaults: dict[str, frozenset[str]] = {}
        for bindings in group:
            defaults |= bindings
        taken: dict[str, str] = {}
        # Remapped ones last: a clash is reported from the side of the person's own line.
        for name in sorted(defaults, key=lambda name: name in keymap):
            keys = keymap[name].split(",") if name in keymap else sorted(defaults[name])
            for key in keys:
                other = taken.setdefault(key, name)
                if other != name and name in keymap:
                    raise KeymapError(
                        f"{name} and {other} would both be on {key}; give one of them another key"
                    )
    return keymap


def _normalised(name: str, keys: str, known: set[str]) -> str:
    if name not in known:
        from difflib import get_close_matches

        near = get_close_matches(name, known, 1)
        hint = f"; the nearest is {near[0]}" if near else ""
        raise KeymapError(f"there is no key binding {name!r}{hint}")
    parts = [part.strip() for part in keys.split(",")]
    if not all(parts):
        raise KeymapError(f"{name} has an empty key in {keys!r}")
    normal = [_character_to_key(part) if len(part) == 1 else part for part in parts]
    for part in normal:
        if " " in part:
            raise KeymapError(f"{name}: {part!r} is no key; separate keys by commas")
    return ",".join(normal)
