"""Which columns a table shows, in which order and how wide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from tui.dialogs.base import Dialog
from tui.text import count, styled
from tui.widgets.columns import Column, Wish, complete

__all__ = ["ColumnsDialog"]

_WIDEST = 120


class ColumnsDialog(Dialog[tuple[Wish, ...]]):
    """Returns a wish for every column, in order, or None."""

    DEFAULT_CSS = """
    ColumnsDialog > .dialog { width: 62; }
    ColumnsDialog #columns { height: auto; margin-bottom: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "keep", priority=True, id="dialog.submit"),
        Binding("space", "show_or_hide", "show or hide", id="columns.toggle"),
        Binding("0", "reset", "as at first", id="columns.reset"),
        Binding("down,j", "step(1)", "next", show=False, id="columns.next"),
        Binding("up,k", "step(-1)", "previous", show=False, id="columns.previous"),
        Binding("J,shift+down", "shift(1)", "later", show=False, id="columns.later"),
        Binding("K,shift+up", "shift(-1)", "earlier", show=False, id="columns.earlier"),
        Binding("right,l", "widen(1)", "wider", show=False, id="columns.wider"),
        Binding("left,h", "widen(-1)", "narrower", show=False, id="columns.narrower"),
        Binding("escape", "cancel", "cancel", priority=True, id="dialog.cancel"),
    ]

    def __init__(self, columns: Sequence[Column[Any]], wishes: Sequence[Wish]) -> None:
        super().__init__("Columns", "Shown from left to right, as far as there is room.")
        self._columns = {column.key: column for column in columns}
        self._wishes = list(complete(columns, wishes))
        self._at = 0

    def fields(self) -> ComposeResult:
        """The columns, and the keys that change them."""
        yield Static(id="columns")
        yield Static(classes="hint", id="columns-keys")

    def on_mount(self) -> None:
        """Begin with the first column."""
        self._draw()
        keys: dict[str, str] = {}
        for active in self.active_bindings.values():
            if (binding := active.binding).id in {"columns.later", "columns.earlier",
                                                  "columns.wider", "columns.narrower"}:  # fmt: skip
                keys.setdefault(binding.description, self.app.get_key_display(binding))
        self.hint("#columns-keys", "   ".join(f"{key} {words}" for words, key in keys.items()))

    def result(self) -> tuple[Wish, ...] | None:
        """The wishes, unless nothing would be left to see."""
        if not any(wish.shown for wish in self._wishes):
            self.complain("One column has to stay.")
            return None
        return tuple(self._wishes)

    def action_step(self, by: int) -> None:
        """To the next or previous column."""
        self._at = max(0, min(self._at + by, len(self._wishes) - 1))
        self._draw()

    def action_show_or_hide(self) -> None:
        """Show or hide the column."""
        wish = self._wishes[self._at]
        self._wishes[self._at] = wish._replace(shown=not wish.shown)
        self._draw()

    def action_shift(self, by: int) -> None:
        """Move the column itself."""
        to = self._at + by
        if 0 <= to < len(self._wishes):
            self._wishes.insert(to, self._wishes.pop(self._at))
            self._at = to
            self._draw()

    def action_widen(self, by: int) -> None:
        """Fix the width, from the one it has at least."""
        wish = self._wishes[self._at]
        width = (wish.width or self._columns[wish.key].width) + by
        self._wishes[self._at] = wish._replace(width=max(1, min(width, _WIDEST)))
        self._draw()

    def action_reset(self) -> None:
        """All columns as they are declared."""
        self._wishes = list(complete(tuple(self._columns.values()), ()))
        self._at = 0
        self._draw()

    def _draw(self) -> None:
        names = [self._columns[wish.key].title or wish.key for wish in self._wishes]
        size = max(map(cell_len, names), default=0)
        lines = []
        for index, (wish, name) in enumerate(zip(self._wishes, names, strict=True)):
            tone = "$signature" if index == self._at else "$plain" if wish.shown else "$faint"
            width = count(wish.width, "cell") if wish.width else "as it fits"
            lines.append(
                Content.assemble(
                    styled("▌ " if index == self._at else "  ", "$signature"),
                    styled("● " if wish.shown else "○ ", tone),
                    styled(name, tone).pad_right(size - cell_len(name)),
                    styled(f"  {width if wish.shown else 'hidden'}", "$muted"),
                )
            )
        self.query_one("#columns", Static).update(Content("\n").join(lines))
