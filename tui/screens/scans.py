"""Scans: every saved scan, what it covered and what it could not read; open, rename, delete, start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Static

from tui.dialogs.prompts import ConfirmDialog, PromptDialog
from tui.scanning import ScanRequest
from tui.screens.coverage import STATE_GLYPH, STATE_TONE, coverage_words, scope_words
from tui.screens.reading import ReadingScreen
from tui.text import ago, count, styled
from tui.widgets.columns import Column, Run
from tui.widgets.hanging import HangingText
from tui.widgets.table import VirtualTable
from undercroft.model import Coverage
from undercroft.text import minute, standing
from undercroft.views import ScanRow

__all__ = ["ScansScreen"]


class ScansScreen(ReadingScreen):
    """Newest first."""

    NAME = "scans"
    AUTO_FOCUS = "#scans"
    CSS = """
    ScansScreen #scans-body { height: 1fr; }
    ScansScreen #scans { width: 3fr; height: 1fr; }
    ScansScreen #coverage { width: 2fr; height: 1fr; padding: 0 1; border-left: solid $rule; }
    ScansScreen #coverage:focus { border-left: solid $signature; }
    ScansScreen #coverage > Static { height: auto; }
    ScansScreen.-narrow #scans-body { layout: vertical; }
    ScansScreen.-narrow #scans { width: 1fr; }
    ScansScreen.-narrow #coverage { width: 1fr; border-left: none; border-top: solid $rule; }
    ScansScreen.-narrow #coverage:focus { border-left: none; border-top: solid $signature; }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012  (Textual's own shape)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "new_scan", "New scan", id="scans.new", tooltip="Scan a cloud now"),
        Binding(
            "d", "compare", "Compare", id="scans.compare", tooltip="What changed since this scan"
        ),
        Binding("r", "rename", "Rename", id="scans.rename"),
        Binding("x,delete", "delete", "Delete", id="scans.delete", tooltip="Asks first"),
        Binding("P", "progress", "Running scan", show=False, id="scans.progress"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[ScanRow] = []

    def body(self) -> ComposeResult:
        """The table, and the coverage of the selected scan in words."""
        with Horizontal(id="scans-body"):
            yield VirtualTable[ScanRow](
                self._columns(), key=lambda row: str(row.id), id="scans", markable=False
            )
            with VerticalScroll(id="coverage"):
                yield HangingText(id="coverage-words")

    @property
    def table(self) -> VirtualTable[ScanRow]:
        """The table of scans."""
        return self.query_one("#scans", VirtualTable)

    def reload(self) -> None:
        """Read the list again."""
        if not self._rows:
            self.table.say("reading the cache…")
        self.read("scans", lambda store: store.scans(), self._show)

    def _show(self, rows: list[ScanRow]) -> None:
        here = self.table.row
        chosen = here.id if here else self._current
        self._rows = rows
        at = next((index for index, row in enumerate(rows) if row.id == chosen), 0)
        if not rows:
            key = self.undercroft.key_of("scans.new", "n")
            self.table.say("No scan yet.", ((key, "signature"), (" starts one", "muted")))
        self.table.show_rows(rows, cursor=at)
        self.note = styled(count(len(rows), "scan"), "$muted")

    @on(VirtualTable.Highlighted, "#scans")
    def _look(self) -> None:
        row = self.table.row
        if row is None:
            self.query_one("#coverage-words", Static).update("")
            return
        self.read(
            "coverage",
            lambda store: store.coverage(row.id),
            lambda coverage: self._describe(row, coverage),
        )

    def _describe(self, row: ScanRow, coverage: Sequence[Coverage]) -> None:
        self.query_one("#coverage-words", Static).update(coverage_words(row, coverage))
        self.query_one("#coverage", VerticalScroll).scroll_home(animate=False)

    @on(VirtualTable.Opened, "#scans")
    def _open(self) -> None:
        row = self.table.row
        if row is None:
            return
        if row.state == "running":
            self.undercroft.go("scan_progress")
        elif row.state == "interrupted":
            self._say("It was interrupted before it was saved; there is nothing to open.")
        else:
            self.undercroft.open_scan(row.id)

    def action_compare(self) -> None:
        """What changed between the selected scan and the one that is shown."""
        row, current = self.table.row, self._current
        if row is None or row.state in _NO_DATA:
            self._say("This scan holds no data to compare.")
        elif row.id == current:
            self._say("This is the scan that is shown; move to the one to compare it with.")
        else:
            self.undercroft.show_changes(row.id)

    def action_new_scan(self) -> None:
        """Ask what to scan, then start."""
        from tui.dialogs.scan_setup import ScanSetupDialog

        app = self.undercroft
        if app.scan_run is not None and app.scan_run.running:
            app.go("scan_progress")
            self._say("A scan is running already; one at a time.")
        elif app.scan_starter is None:
            self._say("This session cannot scan: it was opened to look at saved data only.")
        elif app.read_only:
            self._say(app.why_read_only)
        else:
            self.app.push_screen(ScanSetupDialog(app.discover), self._start)

    def _start(self, request: ScanRequest | None) -> None:
        if request is not None:
            self.undercroft.start_scan(request)

    def action_progress(self) -> None:
        """To the scan that is running."""
        if self.undercroft.scan_run is None:
            self._say("No scan was started in this session.")
        else:
            self.undercroft.go("scan_progress")

    def action_rename(self) -> None:
        """Give the scan another name."""
        row = self.table.row
        if row is None or not self._may_write():
            return
        subject = f"{scope_words(row, brief=True)} · {minute(row.started_at)}"

        def rename(name: str | None) -> None:
            if name is not None and name != row.name:
                self.read("rename", lambda store: store.rename_scan(row.id, name), self._written)

        self.app.push_screen(
            PromptDialog(
                "Rename the scan", subject, value=row.name, placeholder="a name", enter="rename"
            ),
            rename,
        )

    def action_delete(self) -> None:
        """Delete the scan, after asking."""
        row = self.table.row
        if row is None or not self._may_write():
            return
        if row.state == "running":
            self._say("It is running: cancel it first.")
            return
        body = (
            f"“{row.name or row.uid[:8]}”: {count(row.services, 'AI service')},"
            f" {standing(row.findings)}, {minute(row.started_at)}\n"
            "The scan cannot be brought back. Decisions stay, all of them."
        )

        def delete(sure: bool | None) -> None:
            if sure:
                self.read("delete", lambda store: store.delete_scan(row.id), self._written)

        self.app.push_screen(ConfirmDialog("Delete this scan?", body), delete)

    def _written(self, _: None) -> None:
        self.undercroft.scans_changed()
        self.reload()

    def _may_write(self) -> bool:
        if self.undercroft.read_only:
            self._say(self.undercroft.why_read_only)
            return False
        return True

    def _say(self, sentence: str) -> None:
        self.notify(sentence, markup=False, timeout=4)

    @property
    def _current(self) -> int | None:
        scan = self.undercroft.scan
        return scan.id if scan else None

    def _columns(self) -> list[Column[ScanRow]]:
        return [
            Column("state", "", 1, self._state, sortable=False),
            Column("name", "SCAN", 14, self._title, grow=2, most=40, sortable=False),
            Column("age", "AGE", 10, self._age, sortable=False),
            Column(
                "scope", "SCOPE", 14, lambda row: (scope_words(row, brief=True), "muted"),
                grow=2, most=48, drop=2, wide=80, sortable=False,
            ),
            Column("services", "SERVICES", 8, lambda row: f"{row.services:,}", right=True, sortable=False),
            Column("findings", "STANDING", 8, lambda row: f"{row.findings:,}", right=True, sortable=False),
            Column("gaps", "NOT READ", 8, self._gaps, right=True, sortable=False),
        ]  # fmt: skip

    def _state(self, row: ScanRow) -> Run:
        return STATE_GLYPH.get(row.state, "?"), STATE_TONE.get(row.state, "muted")

    def _title(self, row: ScanRow) -> Sequence[Run]:
        here = row.id == self._current
        name = row.name or f"scan {row.id}"
        state = f" {row.state}" if row.state in _NO_DATA else ""
        mark = "▸ " if here else ""
        return (mark, "signature"), (name, "strong" if here else ""), (state, "muted")

    def _age(self, row: ScanRow) -> Run:
        return ago(row.finished_at or row.started_at, self.undercroft.clock()), "muted"

    def _gaps(self, row: ScanRow) -> Run:
        if row.state in _NO_DATA:
            return "–", "faint"
        return (f"{row.gaps:,}", "severity-medium") if row.gaps else ("0", "faint")


_NO_DATA = frozenset({"interrupted", "running", "failed"})
