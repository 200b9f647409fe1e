"""What all screens share: the frame, the keys, loading in workers, acting on the selection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.screen import Screen

from tui.keymap import bind
from tui.messages import DataChanged, DecisionMade, UndoNamed
from tui.screens.loader import LoadFailed, RowsReady
from tui.selection import Selection
from tui.text import ago, count, styled
from tui.widgets.columns import Wish, read_wishes, wishes_text
from tui.widgets.lines import Crumbs, KeyBar, TopLine
from tui.widgets.table import VirtualTable
from tui.widgets.table_lines import TableLines

if TYPE_CHECKING:
    from tui.app import UndercroftApp
    from undercroft.store import Store

__all__ = ["BaseScreen", "Fetched"]

T = TypeVar("T")

_OUTERMOST = frozenset({"services", "welcome"})
"""Screens with nothing further out."""


class Fetched(Message):
    """Something that a worker read; ``deliver`` runs if nobody has asked again since."""

    def __init__(self, concern: str, generation: int, deliver: Callable[[], None]) -> None:
        super().__init__()
        self.concern = concern
        self.generation = generation
        self.deliver = deliver


class BaseScreen(Screen[None]):
    """Top line, crumbs, a body, the footer; subclasses give ``body`` and ``reload``."""

    BINDINGS: ClassVar[list[BindingType]] = bind(
        "view.back",
        "app.help",
        "app.undo",
        "app.redo",
        "view.next_pane",
        "view.previous_pane",
        "view.go",
        "go.services",
        "go.findings",
        "go.overview",
        "go.combinations",
        "go.fix_first",
        "go.scans",
        "go.changes",
        "go.rules",
        "go.history",
        "app.palette",
        "app.quit",
    )
    AUTO_FOCUS: ClassVar[str | None] = None
    NAME: ClassVar[str] = ""
    """What the screen is called in crumbs, palette and ``--screen``."""

    QUIET: ClassVar[frozenset[str]] = frozenset()
    """Binding ids that have nothing to act on here: not in the footer, and pressed they say why."""

    WORDS: ClassVar[Mapping[str, str]] = {}
    """Binding id → what the key does here, where its usual word does not say it."""

    FIRST: ClassVar[tuple[str, ...]] = ()
    """Binding ids that come first in the footer, in this order: what the screen is there for."""

    trail: reactive[tuple[str, ...]] = reactive(())
    """Crumbs; outermost first."""
    note: reactive[Content] = reactive(Content(""))
    """What stands on the right of the crumbs."""

    def __init__(self) -> None:
        super().__init__()
        self._asked: dict[str, int] = {}
        self._stale = False
        """The data changed while another screen was on top."""

    @property
    def undercroft(self) -> UndercroftApp:
        """The app, as what it is."""
        return cast("UndercroftApp", self.app)

    def compose(self) -> ComposeResult:
        """The frame."""
        # What depends on the width is known from the start, or all would be styled twice.
        for least, name in sorted(self.HORIZONTAL_BREAKPOINTS or (), reverse=True):
            if self.app.size.width >= least:
                self.add_class(name, update=False)
                break
        yield TopLine()
        yield Crumbs().data_bind(trail=BaseScreen.trail, note=BaseScreen.note)
        yield from self.body()
        yield KeyBar()

    def body(self) -> ComposeResult:
        """What the screen is about."""
        yield from ()

    def on_mount(self) -> None:
        """Draw the frame, then ask for data."""
        if not self.trail and self.NAME:
            self.trail = (self.NAME,) if self.NAME in _OUTERMOST else ("services", self.NAME)
        self.draw_top()
        if self.undercroft.store is not None:
            self.reload()

    # Data

    def reload(self) -> None:
        """Read again what is shown, in place: cursor, filter and sort stay."""

    def fetch(
        self,
        concern: str,
        work: Callable[[Store, int], T],
        done: Callable[[T], None],
        failed: Callable[[str], None] | None = None,
    ) -> int:
        """Run ``work(store, scan_id)`` in a worker thread, then ``done`` with what it returned.

        Asking again for the same ``concern`` makes earlier answers void. ``failed`` gets a
        sentence; without it the screen's own ``load_failed`` does. Returns the number of the
        question, for further answers to it.
        """
        store, scan = self.undercroft.store, self.undercroft.scan
        generation = self._asked.get(concern, 0) + 1
        if store is None or scan is None:
            return generation
        self._asked[concern] = generation
        scan_id = scan.id

        def run() -> None:
            try:
                value = work(store, scan_id)
            except Exception as error:  # noqa: BLE001  (a failed read becomes a sentence on screen)
                sentence = str(error) or type(error).__name__
                tell = failed or self.load_failed
                self.post_message(Fetched(concern, generation, lambda: tell(sentence)))
            else:
                self.post_message(Fetched(concern, generation, lambda: done(value)))

        self.run_worker(run, thread=True, group=concern, exclusive=True, exit_on_error=False)
        return generation

    @on(Fetched)
    def _deliver(self, event: Fetched) -> None:
        if self._asked.get(event.concern) == event.generation and self.is_attached:
            event.deliver()

    @on(RowsReady)
    def _deliver_rows(self, event: RowsReady) -> None:
        event.deliver()

    @on(LoadFailed)
    def _rows_failed(self, event: LoadFailed) -> None:
        self.load_failed(event.sentence)

    def load_failed(self, sentence: str) -> None:
        """Something could not be read."""
        self.notify(sentence, title="Could not read the cache", severity="error", markup=False)

    @on(VirtualTable.Refused)
    def _refused(self, event: VirtualTable.Refused) -> None:
        self.undercroft.say_why(event.why)

    # Columns

    def _table_name(self, table: TableLines[Any]) -> str:
        return f"{self.NAME or type(self).__name__}.{table.id}"

    @on(VirtualTable.Arriving)
    def _columns_due(self, event: VirtualTable.Arriving) -> None:
        event.stop()
        if text := self.undercroft.settings.columns.get(self._table_name(event.table)):
            event.table.choose(read_wishes(text))

    @on(VirtualTable.ColumnsWanted)
    def _choose_columns(self, event: VirtualTable.ColumnsWanted) -> None:
        from tui.dialogs.columns import ColumnsDialog

        event.stop()
        table = event.table

        def chosen(wishes: tuple[Wish, ...] | None) -> None:
            if wishes is not None:
                table.choose(wishes)
                self.undercroft.keep_columns(self._table_name(table), wishes_text(wishes))

        self.app.push_screen(ColumnsDialog(table.declared, table.wishes), chosen)

    @on(DataChanged)
    @on(DecisionMade)
    def _changed(self) -> None:
        self.draw_top()
        if self.is_current:
            self.reload()
        else:
            self._stale = True

    @on(UndoNamed)
    def _undo_named(self) -> None:
        self.draw_top()

    def on_screen_resume(self) -> None:
        """On top again: catch up with what happened meanwhile."""
        if self._stale:
            self._stale = False
            self.reload()

    # The top line

    def draw_top(self) -> None:
        """Scan, age, and what it could not read."""
        app = self.undercroft
        scan = app.scan
        top = self.query_one(TopLine)
        if app.scan_run is not None and app.scan_run.running:
            top.watch_run(app.scan_run)
        if scan is None:
            top.left = Content.styled(app.state_text, "$muted")
            top.right = Content("")
            return
        age = ago(scan.finished_at or scan.started_at, app.clock())
        parts = [styled(scan.name or f"scan {scan.id}", "$plain")]
        if age:
            parts += [Content.styled(f" · {age}", "$muted")]
        if app.read_only:
            parts += [Content.styled(" · read-only", "$severity-medium")]
        if app.undoable:
            key = app.key_of("app.undo", "u")
            parts += [styled(f" · {key} undoes: {app.undoable}", "$faint")]
        top.left = Content.assemble(*parts)
        if scan.gaps:
            top.right = Content.styled(f"▲ {count(scan.gaps, 'part')} not read", "$severity-medium")
        else:
            top.right = Content.styled("✓ everything was read", "$faint")

    # Acting on the selection

    def selected_findings(self) -> Selection:
        """What actions act on; empty, with the reason, where there is nothing to act on."""
        return Selection(why="Nothing is selected here; open a service or the findings first.")

    # Moving about

    def action_back(self) -> None:
        """One level out; on the outermost one nothing happens."""
        self.undercroft.back()

    def action_go(self, name: str) -> None:
        """To another screen."""
        self.undercroft.go(name)

    def action_next_pane(self) -> None:
        """To the next part of the screen."""
        self.focus_next()

    def action_previous_pane(self) -> None:
        """To the part before."""
        self.focus_previous()

    def action_go_view(self) -> None:
        """To a saved view."""
        self.undercroft.go_view()

    def action_undo(self) -> None:
        """Take the last decision back."""
        self.undercroft.undo()

    def action_redo(self) -> None:
        """Take the last undo back."""
        self.undercroft.redo()

    def action_help(self) -> None:
        """Keys and words of this screen."""
        self.undercroft.show_help()

    def action_quit(self) -> None:
        """Leave the program."""
        self.app.exit()

    def action_command_palette(self) -> None:
        """Everything by name."""
        self.app.action_command_palette()
