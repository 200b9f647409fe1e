"""Fix first: repairs in the order in which they take off most, and what if some of them were done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widgets import Static

from tui.keymap import bind
from tui.screens.acting import ActingScreen
from tui.selection import Selection
from tui.text import count, kind_of, shown, styled
from tui.widgets.columns import Column, Run
from tui.widgets.detail import DetailPane
from tui.widgets.repairs import head_text, plan_text, repair_text
from tui.widgets.table import VirtualTable

if TYPE_CHECKING:
    from undercroft.store import Store
    from undercroft.store.planning import Repair, RepairPlan, WhatIf

__all__ = ["FixFirstScreen"]

_SOON = 20
"""Repairs to begin with: the rest of a large estate takes its time."""
_MOST = 100
"""Repairs that are put in order; whoever did a hundred scans again before going on."""


def _total(row: Repair) -> Run:
    return (f"{row.total:,.1f}", "muted")


REPAIR_COLUMNS: tuple[Column[Repair], ...] = (
    Column("value", "TAKES OFF", 9, lambda row: (f"−{row.value:,.1f}", "better"), right=True, sortable=False),
    Column("total", "LEFT", 8, _total, right=True, drop=3, sortable=False),
    Column("words", "REPAIR", 20, lambda row: (row.words, "strong"), grow=5, most=70, comfort=36, sortable=False),
    Column("type", "KIND", 10, lambda row: (kind_of(row.resource.type), "muted"), grow=1, most=24, drop=6, sortable=False),
    Column(
        "services", "HELPS", 6,
        lambda row: (f"{'◈' if row.choke_point else ''}{len(row.helps):,}", "signature" if row.choke_point else "plain"),
        right=True, drop=1, sortable=False,
    ),
    Column("findings", "MENDS", 5, lambda row: (f"{row.findings:,}", "plain"), right=True, drop=5, sortable=False),
    Column("broken", "⚑", 3, lambda row: (f"⚑{row.broken}", "severity-critical") if row.broken else "", drop=2, sortable=False),
)  # fmt: skip


class FixFirstScreen(ActingScreen):
    """Space plans a repair; the right side shows every score as it would be. Nothing is written
    until a decision is made about what is planned.
    """

    NAME = "fix first"
    AUTO_FOCUS = "#list"
    QUIET: ClassVar[frozenset[str]] = frozenset({"finding.copy", "finding.console"})
    WORDS: ClassVar[Mapping[str, str]] = {
        "table.mark": "Plan",
        "finding.fixed": "Claim",
        "view.export": "Checklist",
    }
    FIRST: ClassVar[tuple[str, ...]] = (
        "table.open",
        "view.back",
        "table.mark",
        "finding.fixed",
        "view.export",
    )
    BINDINGS: ClassVar[list[BindingType]] = bind("view.export")
    CSS = """
    FixFirstScreen #total { height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    FixFirstScreen #panes { height: 1fr; }
    FixFirstScreen #list { width: 3fr; height: 1fr; }
    FixFirstScreen #detail { width: 2fr; height: 1fr; border-left: solid $rule; }
    FixFirstScreen #detail:focus { border-left: solid $signature; }
    FixFirstScreen.-narrow #panes { layout: vertical; }
    FixFirstScreen.-narrow #list { width: 1fr; }
    FixFirstScreen.-narrow #detail { width: 1fr; border-left: none; border-top: solid $rule; }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012  (Textual's own shape)

    def __init__(self) -> None:
        super().__init__()
        self._plan: RepairPlan | None = None
        self._rows: list[Repair] = []
        self._what_if: WhatIf | None = None
        self._ids: tuple[frozenset[str], tuple[str, ...]] = (frozenset(), ())
        """Repairs → the findings that they mend, as far as they were read."""

    def body(self) -> ComposeResult:
        """The total; the repairs; what the one under the cursor, or the plan, would change."""
        yield Static(id="total")
        with Horizontal(id="panes"):
            yield VirtualTable(REPAIR_COLUMNS, key=lambda row: row.id, id="list")
            yield DetailPane(id="detail")

    @property
    def table(self) -> VirtualTable[Repair]:
        """The table of repairs."""
        return self.query_one("#list", VirtualTable)

    @property
    def planned(self) -> list[Repair]:
        """The repairs that are marked, in the order of the list."""
        marks = self.table.marks
        return [row for row in self._rows if row.id in marks]

    # Reading

    def reload(self) -> None:
        """Work the order out again; what is marked stays marked if it is still there."""
        if self.undercroft.scan is None:
            self.table.say(*self.undercroft.nothing_yet())
            return
        most = _MOST if self._rows else _SOON
        if not self._rows:
            self.table.say("working out what takes off most…")

        def work(store: Store, scan_id: int) -> tuple[RepairPlan, list[Repair]]:
            self.undercroft.load_advice()
            plan = store.repair_plan(scan_id)
            return plan, plan.first(most)

        def more(answer: tuple[RepairPlan, list[Repair]]) -> None:
            if answer[0] is self._plan:
                self._show(answer)

        def done(answer: tuple[RepairPlan, list[Repair]]) -> None:
            plan, rows = answer
            self._show(answer)
            if len(rows) == _SOON:
                self.fetch("more", lambda *_: (plan, plan.first(_MOST)), more)

        self.fetch("plan", work, done)

    def _show(self, answer: tuple[RepairPlan, list[Repair]]) -> None:
        marked = {row.id for row in self.planned}
        here = self.table.row
        self._plan, self._rows = answer
        self._ids = (frozenset(), ())
        at = next((i for i, row in enumerate(self._rows) if here and row.id == here.id), 0)
        if not self._rows:
            self.table.say("Nothing is left to repair that would take anything off.")
            self.query_one(DetailPane).say("")
        self.table.marks.clear()
        self.table.marks.add(marked & {row.id for row in self._rows})
        self.table.show_rows(self._rows, cursor=at)
        self._consider()

    @on(VirtualTable.Highlighted, "#list")
    @on(VirtualTable.Marked, "#list")
    def _consider(self) -> None:
        """Work out, in a worker, what the plan (or the repair under the cursor) would change."""
        plan, row, planned = self._plan, self.table.row, self.planned
        if plan is None:
            return
        wanted = [one.id for one in planned]
        about = wanted or ([row.id] if row else [])

        def work(*_: object) -> tuple[WhatIf, tuple[str, ...]]:
            return plan.what_if(wanted), tuple(plan.findings(about))

        def done(answer: tuple[WhatIf, tuple[str, ...]]) -> None:
            self._what_if, ids = answer
            self._ids = (frozenset(about), ids)
            self._draw()

        self.fetch("what-if", work, done)

    def _draw(self) -> None:
        what_if, row, planned = self._what_if, self.table.row, self.planned
        if what_if is None:
            return
        self.query_one("#total", Static).update(
            head_text(what_if, len(planned), self.undercroft.mapped)
        )
        pane = self.query_one(DetailPane)
        if planned:
            pane.show("plan", plan_text(what_if, planned, self.undercroft.mapped))
        elif row is not None:
            advice = [self.undercroft.advice(rule) for rule in row.rules]
            pane.show(row.id, repair_text(row, advice, what_if.model))
        marks = f"● {len(planned)} planned   " if planned else ""
        self.note = styled(f"{marks}{count(len(self._rows), 'repair')}", "$muted")

    # Acting: on the findings that the plan, or the repair under the cursor, mends

    def selected_findings(self) -> Selection:
        """The findings of what is planned, or of the repair under the cursor."""
        row, planned = self.table.row, self.planned
        about = frozenset(one.id for one in planned) or (
            frozenset({row.id}) if row else frozenset()
        )
        known, ids = self._ids
        if not about or known != about:
            return Selection(why="It is still being worked out which findings that mends.")
        label = row.words if row and not planned else count(len(planned), "planned repair")
        scan = self.undercroft.scan
        return Selection(ids, label, len(ids), scan.id if scan else None)

    def decided(self) -> None:
        """The plan has become decisions."""
        self.table.clear_marks()

    def why_no_finding(self) -> str:
        """Rows are repairs here."""
        return "A row here is a repair of several findings; open its resource to see each."

    @on(VirtualTable.Opened, "#list")
    def _opened(self) -> None:
        self.action_resource()

    def action_resource(self) -> None:
        """The resource that is to be repaired."""
        self._show_resource("")

    def action_blast(self) -> None:
        """Which AI services stand on it."""
        self._show_resource("above")

    def _show_resource(self, pane: str) -> None:
        row = self.table.row
        if row is None:
            self.undercroft.say_why("There is no repair here.")
        else:
            self.undercroft.show_resource(row.resource.key, pane=pane)

    def action_copy_fix(self) -> None:
        """The commands of the repair under the cursor."""
        row = self.table.row
        rules = row.rules if row else ()
        commands = dict.fromkeys(
            command for rule in rules if (command := self.undercroft.advice(rule).command)
        )
        if not commands:
            self.undercroft.say_why(
                "There is no command for this repair; its text says what to do."
            )
            return
        self.app.copy_to_clipboard("\n".join(commands))
        self.notify(f"Copied {count(len(commands), 'command')}", markup=False)

    def action_back(self) -> None:
        """First leave the plan without a trace, then the screen."""
        if not self.table.clear_marks():
            super().action_back()

    # The checklist

    def action_export(self) -> None:
        """Write what is planned (or the whole list) as a checklist with commands."""
        repairs = self.planned or self._rows
        if self._plan is None or not repairs:
            self.undercroft.say_why("There is no repair to export.")
            return
        from tui.dialogs.export import path_problem
        from tui.dialogs.prompts import PromptDialog

        what = f"{count(len(repairs), 'repair')} as a Markdown checklist with commands"
        name = f"undercroft-repairs-{self.undercroft.clock():%Y-%m-%d}.md"
        dialog = PromptDialog(
            "Export", what, value=name, check=path_problem, paths=True, enter="write the file"
        )
        self.app.push_screen(dialog, lambda path: self._write(path, repairs))

    def _write(self, path: str | None, repairs: Sequence[Repair]) -> None:
        plan, app = self._plan, self.undercroft
        if path is None or plan is None:
            return
        target = Path(path).expanduser()

        def work(store: Store, scan_id: int) -> Path:
            from undercroft.exchange import Head, write_whole
            from undercroft.exchange.plans import write_checklist

            app.load_advice()
            head = Head.of(store, store.scan(str(scan_id)), "", app.clock())
            joint = plan.what_if([repair.id for repair in repairs])

            def advise(rule: str) -> tuple[str, str]:
                said = app.advice(rule)
                return said.fix, said.command

            write_whole(target, lambda out: write_checklist(head, repairs, joint, advise, out))
            return target

        def done(written: Path) -> None:
            self.notify(f"Wrote {shown(str(written))}", markup=False)

        self.fetch("export", work, done)
