"""A scan that runs: one line per account, region and collector, and what went wrong in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from tui.dialogs.prompts import ConfirmDialog
from tui.scanning import ScanRun, UnitLine
from tui.screens.base import BaseScreen
from tui.screens.coverage import without_status
from tui.text import content, count, styled
from tui.widgets.columns import Column, Run
from tui.widgets.scan_indicator import progress_bar
from tui.widgets.table import VirtualTable

__all__ = ["ScanProgressScreen"]

_GLYPH = {
    "waiting": "·",
    "stopped": "◌",
    "running": "▸",
    "complete": "✓",
    "not_enabled": "–",
    "skipped": "–",
}
_TONE = {"waiting": "faint", "running": "signature", "complete": "good"}
_WORDS = {
    "denied": "denied",
    "throttled": "throttled",
    "truncated": "cut short",
    "error": "failed",
    "not_enabled": "not enabled",
    "skipped": "skipped",
    "complete": "read",
    "running": "reading",
    "waiting": "",
    "stopped": "stopped",
}
_ORDER = {"running": 1, "waiting": 2}


class ScanProgressScreen(BaseScreen):
    """Leaving it leaves the scan running."""

    NAME = "scan"
    QUIET: ClassVar[frozenset[str]] = frozenset({"table.open"})
    AUTO_FOCUS = "#units"
    CSS = """
    ScanProgressScreen #scan-head { height: 4; padding: 1 1 0 1; }
    ScanProgressScreen #scan-head > Static { height: 1; }
    ScanProgressScreen #scan-bar { color: $signature; background: $rule; }
    ScanProgressScreen #units { height: 1fr; }
    ScanProgressScreen #unit-words {
        height: 4; padding: 0 1; border-top: solid $rule; color: $plain; overflow-y: auto;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "stop", "Cancel the scan", id="scan.cancel", tooltip="Asks first"),
        Binding("b", "back", "Carry on in the background", id="scan.background"),
        Binding("O", "open", "Open the new scan", id="scan.open"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._run_shown: ScanRun | None = None

    def body(self) -> ComposeResult:
        """A bar and a sentence, the units, and the selected unit's words."""
        with Vertical(id="scan-head"):
            yield Static(id="scan-sentence")
            yield Static(id="scan-bar")
            yield Static(id="scan-numbers")
        yield VirtualTable[UnitLine](_COLUMNS, key=_key, id="units", markable=False)
        yield Static(id="unit-words")

    @property
    def table(self) -> VirtualTable[UnitLine]:
        """The units."""
        return self.query_one("#units", VirtualTable)

    def on_mount(self) -> None:
        """Follow the app's scan."""
        self.reload()

    def on_unmount(self) -> None:
        """Stop following; the scan goes on."""
        if self._run_shown is not None:
            self._run_shown.detach(self)

    def reload(self) -> None:
        """Follow the scan that the app runs now."""
        run = self.undercroft.scan_run
        if run is None:
            self.table.say("No scan was started in this session.")
            self.query_one("#scan-sentence", Static).update("")
            return
        if self._run_shown is not None and self._run_shown is not run:
            self._run_shown.detach(self)
        self._run_shown = run
        run.attach(self)

    def on_scan_run_changed(self, event: ScanRun.Changed) -> None:
        """Draw how it stands."""
        event.stop()
        run = event.run
        if run is not self._run_shown:
            return
        board = run.board
        tone = "$severity-high" if run.error else "$good" if board.phase == "done" else "$plain"
        self.query_one("#scan-sentence", Static).update(styled(run.summary(), f"bold {tone}"))
        share = 1.0 if board.phase == "done" else board.share
        width = max(self.size.width - 2, 10)
        self.query_one("#scan-bar", Static).update(Content(progress_bar(share, width)))
        self.query_one("#scan-numbers", Static).update(self._numbers(run))
        self._show_units(run)
        self.refresh_bindings()

    def _numbers(self, run: ScanRun) -> Content:
        board = run.board
        gaps = sum(1 for _ in filter(lambda unit: unit.is_gap, run.snapshot()))
        so_far = " so far" if run.running else ""
        parts = [styled(f"{count(board.resources, 'resource')}{so_far}", "$muted")]
        if gaps:
            parts.append(styled(f"  ▲ {count(gaps, 'unit')} not read", "$severity-medium"))
        if board.throttled:
            again = ": it waits, then tries again" if self.size.width >= 100 else ""
            parts.append(styled(f"  throttled {board.throttled:,}×{again}", "$severity-medium"))
        return Content.assemble(*parts)

    def _show_units(self, run: ScanRun) -> None:
        """Problems first, then what is being read, what waits, and what is done."""
        table = self.table
        here = table.row
        rows = sorted(
            run.snapshot(),
            key=lambda unit: (
                0 if unit.is_gap else _ORDER.get(unit.state, 3),
                unit.scope,
                unit.location,
                unit.collector,
            ),
        )
        at = 0
        if here is not None and table.cursor:
            at = next((i for i, unit in enumerate(rows) if _key(unit) == _key(here)), 0)
        if not rows:
            table.say("Planning what to read…")
        table.show_rows(rows, cursor=at)

    @on(VirtualTable.Highlighted, "#units")
    def _say_unit(self) -> None:
        unit = self.table.row
        words = self.query_one("#unit-words", Static)
        if unit is None:
            words.update("")
            return
        where = " · ".join(part for part in (unit.scope, unit.location) if part and part != "-")
        head = styled(f"{unit.collector}  {where}", "bold $strong")
        reason = unit.reason or (
            "Nothing went wrong."
            if unit.state == "complete"
            else _WORDS.get(unit.state, unit.state)
        )
        words.update(Content("\n").join([head, content(reason)]))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Show only what makes sense now."""
        run = self._run_shown
        if action == "stop":
            return run is not None and run.running
        if action == "open":
            return run is not None and run.row is not None and run.board.phase == "done"
        return super().check_action(action, parameters)

    def action_stop(self) -> None:
        """Cancel, after asking."""
        run = self._run_shown
        if run is None or run.stopping:
            self.notify("It stops after the calls that are under way.", timeout=3)
            return

        def stop(sure: bool | None) -> None:
            if sure:
                run.cancel()

        body = (
            "What it has read so far is dropped.\nEarlier scans and all decisions stay as they are."
        )
        self.app.push_screen(ConfirmDialog("Cancel the scan?", body), stop)

    def action_open(self) -> None:
        """Show the scan that was just saved."""
        run = self._run_shown
        if run is not None and run.row is not None:
            self.undercroft.open_scan(run.row.id)


def _key(unit: UnitLine) -> str:
    return f"{unit.scope}/{unit.location}/{unit.collector}"


def _state(unit: UnitLine) -> Run:
    if unit.is_gap:
        return "▲", "severity-medium"
    return _GLYPH.get(unit.state, "·"), _TONE.get(unit.state, "muted")


def _words(unit: UnitLine) -> Sequence[Run]:
    word = _WORDS.get(unit.state, unit.state)
    tone = "severity-medium" if unit.is_gap else _TONE.get(unit.state, "muted")
    reason = without_status(unit.reason, unit.state)
    return (word, tone), (f"  {reason}" if reason else "", "muted")


def _number(value: int) -> Run:
    return (f"{value:,}", "") if value else ("", "")


_COLUMNS: tuple[Column[UnitLine], ...] = (
    Column("state", "", 1, _state, sortable=False),
    Column("collector", "READS", 12, lambda unit: unit.collector, grow=1, most=30, sortable=False),
    Column("scope", "ACCOUNT", 12, lambda unit: (unit.scope, "muted"), drop=2, grow=1, most=24, sortable=False),
    Column("location", "REGION", 14, lambda unit: (unit.location, "muted"), most=18, sortable=False),
    Column("resources", "FOUND", 6, lambda unit: _number(unit.resources), right=True, sortable=False),
    Column("calls", "CALLS", 6, lambda unit: _number(unit.calls), right=True, sortable=False),
    Column(
        "throttled", "WAITS", 5,
        lambda unit: (f"{unit.throttled:,}", "severity-medium") if unit.throttled else ("", ""),
        right=True, drop=3, sortable=False,
    ),
    Column("words", "", 12, _words, grow=4, sortable=False),
)  # fmt: skip
