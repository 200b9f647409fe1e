"""The JSON view with its search line and a line that says where the cursor is."""

from __future__ import annotations

from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from tui.glyphs import GLYPH
from tui.text import content
from tui.widgets.json_tree import JsonTree
from tui.widgets.json_view import JsonView

__all__ = ["JsonPane"]


class JsonPane(Vertical):
    """What a screen puts in: search with ``/``, leave the search with escape."""

    DEFAULT_CSS = """
    JsonPane {
        & > Input {
            display: none; height: 1; border: none; padding: 0 1; background: $head-background;
            &.-searching { display: block; }
        }
        & > .json-place { height: 1; padding: 0 1; color: $muted; background: $head-background; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "Search", key_display="/", id="json.search"),
    ]

    def __init__(self, tree: JsonTree | None = None, *, id: str | None = None) -> None:  # noqa: A002  (Textual's own name)
        super().__init__(id=id)
        self._tree = tree

    def compose(self) -> ComposeResult:
        """View, search line, place line."""
        yield JsonView(self._tree, id="json")
        yield Input(placeholder="search keys and values", id="json-search", compact=True)
        yield Static(classes="json-place")

    @property
    def view(self) -> JsonView:
        """The view itself."""
        return self.query_one(JsonView)

    def show(self, tree: JsonTree, *, path: str | None = None) -> None:
        """Show another document."""
        self.view.show(tree, path=path)

    def action_search(self) -> None:
        """Open the search line with what was searched for last."""
        line = self.query_one(Input)
        line.add_class("-searching")
        line.focus()

    @on(Input.Changed, "#json-search")
    def _search(self, event: Input.Changed) -> None:
        event.stop()
        self.view.search(event.value)

    @on(Input.Submitted, "#json-search")
    def _keep(self, event: Input.Submitted) -> None:
        event.stop()
        self._leave()

    def on_key(self, event: events.Key) -> None:
        """Escape ends the search and forgets it; a second one is the screen's."""
        line = self.query_one(Input)
        if event.key == "escape" and (line.has_focus or self.view.needle):
            event.stop()
            event.prevent_default()
            line.value = ""
            self.view.search("")
            self._leave()

    def _leave(self) -> None:
        self.query_one(Input).remove_class("-searching")
        self.view.focus()

    @on(JsonView.Moved)
    def _say_where(self, event: JsonView.Moved) -> None:
        event.stop()
        view = event.view
        index, line = view.current_index, view.current
        parts: list[str] = []
        if view.needle:
            number = view.matches.index(index) + 1 if index in view.matches else 0
            found = len(view.matches)
            parts.append(f"{number}/{found}" if found else f"nothing matches {view.needle!r}")
        if line is not None:
            parts.append(line.path)
            parts += [
                f"{GLYPH[mark.severity]} {mark.severity}: {mark.title}" for mark in view.marks_here
            ]
        self.query_one(".json-place", Static).update(content("  ·  ".join(parts)))
