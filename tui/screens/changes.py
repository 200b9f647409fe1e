"""Changes: two scans side by side. What could not be looked at is never counted as fixed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from tui.dialogs.base import Choice
from tui.dialogs.prompts import ChooseDialog, PromptDialog
from tui.screens.reading import ReadingScreen
from tui.text import ago, count, styled
from tui.widgets.change_text import (
    MARKS,
    Entry,
    change_text,
    entries_of,
    field_lines,
    heading,
    plain_text,
    resource_text,
)
from tui.widgets.columns import Column
from tui.widgets.detail import DetailPane
from tui.widgets.table import VirtualTable
from undercroft.comparison import Change, Comparison, ResourceChange, ScoreChange
from undercroft.fields import FieldChange
from undercroft.text import standing
from undercroft.triage.compare import Kind
from undercroft.views import ScanRow

if TYPE_CHECKING:
    from undercroft.store import Store

__all__ = ["ChangesScreen"]

_SECTIONS = ("findings", "configuration", "coverage", "scores")
_FILE = "file"


class ChangesScreen(ReadingScreen):
    """The shown scan against an older one."""

    NAME = "changes"
    AUTO_FOCUS = "#changes"
    CSS = """
    ChangesScreen #changes-head { height: auto; padding: 0 1; }
    ChangesScreen #changes-body { height: 1fr; }
    ChangesScreen #changes { width: 3fr; height: 1fr; }
    ChangesScreen DetailPane { width: 2fr; height: 1fr; border-left: solid $rule; }
    ChangesScreen DetailPane:focus { border-left: solid $signature; }
    ChangesScreen.-narrow #changes-body { layout: vertical; }
    ChangesScreen.-narrow #changes { width: 1fr; height: 1fr; }
    ChangesScreen.-narrow DetailPane { width: 1fr; height: 1fr; border-left: none; border-top: solid $rule; }
    ChangesScreen.-narrow DetailPane:focus { border-left: none; border-top: solid $signature; }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012  (Textual's own shape)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("z", "section", "Next section", id="changes.section",
                tooltip="Findings, configuration, coverage, scores"),
        Binding("o", "older", "Other scan", id="changes.older", tooltip="Compare with another scan"),
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._older: int | None = None
        """The scan that was asked for; None is the one before the shown one."""
        self._section = _SECTIONS[0]
        self._found: Comparison | None = None
        self._scans: list[ScanRow] = []
        self._other: Store | None = None
        """Another cache, whose newest scan is compared with."""

    def body(self) -> ComposeResult:
        """What the comparison says; its lines; the selected one in full."""
        yield Static(id="changes-head")
        with Horizontal(id="changes-body"):
            yield VirtualTable[Entry](
                self._columns(), key=lambda entry: entry.key, id="changes", markable=False
            )
            yield DetailPane()

    @property
    def table(self) -> VirtualTable[Entry]:
        """The table of changes."""
        return self.query_one("#changes", VirtualTable)

    def compare_with(self, scan_id: int) -> None:
        """Show what changed since that scan."""
        self._close_other()
        self._older = scan_id
        if self.is_mounted:
            self.reload()

    # Reading

    def reload(self) -> None:
        """Compare again."""
        shown = self.undercroft.scan
        store = self.undercroft.store
        if shown is None or store is None:
            self.table.say(*self.undercroft.nothing_yet())
            return
        if self._found is None:
            self.table.say("comparing…")
        wanted, newer, other = self._older, shown.id, self._other

        def work() -> tuple[list[ScanRow], Comparison | None]:
            scans = [scan for scan in store.scans() if scan.state in {"complete", "partial"}]
            if other is not None:
                return scans, other.compare(other.scan().id, newer, store)
            older = next((scan.id for scan in scans if scan.id == wanted), None)
            if older is None:
                older = next((scan.id for scan in scans if scan.id < newer), None)
            if older is None or older == newer:
                return scans, None
            return scans, store.compare(older, newer)

        self.run_slow("changes", work, self._compared)

    def _compared(self, answer: tuple[list[ScanRow], Comparison | None]) -> None:
        self._scans, self._found = answer
        if self._found is None:
            self.query_one("#changes-head", Static).update("")
            self.table.say(
                "There is no other scan to compare with yet.",
                "The next scan of the same estate will show here what has changed.",
            )
            self.table.show_rows([], cursor=0)
            return
        self._draw()

    def _draw(self) -> None:
        found = self._found
        if found is None:
            return
        here = self.table.row
        entries = entries_of(found, self._section)
        at = next((i for i, entry in enumerate(entries) if here and entry.key == here.key), 0)
        if not entries:
            self.table.say(f"Nothing is different about the {self._section}.")
        self.table.show_rows(entries, cursor=at)
        self.query_one("#changes-head", Static).update(self._head(found))
        self.note = styled(f"{count(found.counts[Kind.PERSISTING], 'finding')} as before", "$muted")

    def _head(self, found: Comparison) -> Content:
        """Both scans; what could not be re-checked before what was fixed; the sections."""
        now = self.undercroft.clock()
        names = [
            f"{scan.name or f'scan {scan.id}'} ({ago(scan.finished_at, now) or scan.finished_at[:10]})"
            for scan in (found.older, found.newer)
        ]
        counts = found.counts
        parts: list[Content] = []
        if unseen := counts[Kind.UNCONFIRMED]:
            words = f"? {count(unseen, 'finding')} could not be re-checked"
            parts.append(Content.styled(words, "bold $severity-medium"))
        for kind in Kind:
            if kind in {Kind.UNCONFIRMED, Kind.PERSISTING} or not counts[kind]:
                continue
            glyph, tone = MARKS[kind]
            parts.append(Content.styled(f"{glyph} {counts[kind]:,} {kind.value}", f"${tone}"))
        if not parts:
            parts.append(Content.styled("no finding changed", "$muted"))
        numbers = {
            "findings": len(found.changes),
            "configuration": len(found.resources),
            "coverage": len(found.coverage),
            "scores": len(found.scores),
        }
        tabs = [
            Content.styled(
                f"{name} {numbers[name]:,}",
                "bold $signature underline" if name == self._section else "$muted",
            )
            for name in _SECTIONS
        ]
        return Content("\n").join(
            [
                Content.assemble(styled(names[0], "$muted"), (" → ", "$faint"), styled(names[1], "$plain")),
                Content("   ").join(parts),
                Content("  ").join(tabs),
            ]
        )  # fmt: skip

    # The line under the cursor

    @on(VirtualTable.Highlighted, "#changes")
    def _describe(self) -> None:
        entry, pane = self.table.row, self.query_one(DetailPane)
        found, store = self._found, self.undercroft.store
        if entry is None or found is None or store is None:
            pane.say("")
            return
        if isinstance(entry.of, Change):
            pane.show(entry.key, change_text(entry.of))
            key = entry.of.resource_key
        elif isinstance(entry.of, ResourceChange):
            pane.show(entry.key, resource_text(entry.of, None))
            key = entry.of.key
        else:
            pane.show(entry.key, plain_text(entry))
            return
        older, newer, other = found.older.id, found.newer.id, self._other
        self.run_slow(
            "fields",
            lambda: (other or store).config_changes(older, newer, key, store),
            lambda fields: self._show_fields(entry, fields),
        )

    def _show_fields(self, entry: Entry, fields: list[FieldChange]) -> None:
        here = self.table.row
        if here is None or here.key != entry.key:
            return
        pane = self.query_one(DetailPane)
        if isinstance(entry.of, Change):
            text = change_text(entry.of)
            seen = entry.of.kind not in {Kind.GONE, Kind.UNCONFIRMED}
            if fields and seen:
                text = Content("\n").join(
                    [text, Content(""), heading("Configuration"), *field_lines(fields)]
                )
            pane.show(entry.key, text)
        elif isinstance(entry.of, ResourceChange):
            both = entry.of.kind in {"changed", "re-created"}
            pane.show(entry.key, resource_text(entry.of, fields if both else None))

    @on(VirtualTable.Opened, "#changes")
    def _open(self) -> None:
        entry = self.table.row
        if entry is None:
            return
        if isinstance(entry.of, Change):
            self.undercroft.show_finding(entry.of.id)
        elif isinstance(entry.of, ResourceChange):
            self.undercroft.show_resource(entry.of.key)
        elif isinstance(entry.of, ScoreChange):
            self.undercroft.show_service(entry.of.key)
        else:
            self.undercroft.say_why("The scans screen shows what each unit could read.")

    # Keys

    def action_section(self) -> None:
        """Findings, configuration, coverage, scores, and round."""
        self._section = _SECTIONS[(_SECTIONS.index(self._section) + 1) % len(_SECTIONS)]
        self._draw()

    def action_older(self) -> None:
        """Choose the scan to compare with."""
        shown, now = self.undercroft.scan, self.undercroft.clock()
        others = [scan for scan in self._scans if shown is not None and scan.id != shown.id]
        options = [
            Choice(
                str(scan.id),
                scan.name or f"scan {scan.id}",
                f"{ago(scan.finished_at, now)}, {standing(scan.findings)}",
            )
            for scan in others
        ]

        def chosen(scan: str | None) -> None:
            if scan == _FILE:
                self.app.push_screen(
                    PromptDialog(
                        "Which cache?", "its newest scan is compared", paths=True, enter="compare"
                    ),
                    self._compare_file,
                )
            elif scan is not None:
                self.compare_with(int(scan))

        options.append(Choice(_FILE, "another cache…", "the newest scan of a file"))
        self.app.push_screen(ChooseDialog("What changed since which scan?", "", options), chosen)

    def _compare_file(self, name: str | None) -> None:
        """Compare with the newest scan of another cache."""
        if name is None:
            return
        clock = self.undercroft.clock

        def work() -> Store:
            from undercroft.store import Store

            return Store.open(Path(name).expanduser(), read_only=True, clock=clock)

        def opened(other: Store) -> None:
            self._close_other()
            self._other = other
            self.reload()

        self.run_slow("file", work, opened)

    def _close_other(self) -> None:
        if self._other is not None:
            self._other.close()
            self._other = None

    def on_unmount(self) -> None:
        """The other cache is closed with the screen."""
        self._close_other()

    def _columns(self) -> list[Column[Entry]]:
        return [
            Column("what", "CHANGE", 13, lambda entry: entry.what, sortable=False),
            Column("subject", "SUBJECT", 20, lambda entry: entry.subject, grow=4, sortable=False),
            Column("where", "WHERE", 14, lambda entry: (entry.where, "muted"), grow=1, most=30, drop=2, sortable=False),
            Column("why", "WHY", 16, lambda entry: (entry.why, "muted"), grow=2, most=44, drop=3, wide=70, sortable=False),
        ]  # fmt: skip
