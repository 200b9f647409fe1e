"""All findings of the scan as one table, grouped if one likes, with the chosen one beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content

from tui.keymap import bind
from tui.screens.listing import ListingScreen
from tui.selection import Selection
from tui.text import count, styled
from tui.widgets.detail import DetailPane
from tui.widgets.filter_line import FilterLine
from tui.widgets.finding_columns import GROUP_COLUMNS, finding_columns
from tui.widgets.finding_text import finding_text
from tui.widgets.table import VirtualTable
from undercroft.filter import typed
from undercroft.views import FindingDetail, FindingRow, GroupRow, Path, Query

if TYPE_CHECKING:
    from undercroft.store import Store

__all__ = ["GROUPS", "FindingsScreen"]

GROUPS: tuple[str, ...] = (
    "",
    "rule",
    "resource",
    "service",
    "layer",
    "account",
    "package",
    "severity",
)
"""By what the key goes through; empty is not grouped."""
_SETTLE = 0.06
_ENDED = "status:fixed,gone,retired"


class FindingsScreen(ListingScreen[FindingRow]):
    """The whole estate in one list."""

    DEFAULT_CSS = """
    FindingsScreen {
        #panes, #main { height: 1fr; }
        #main { width: 7fr; }
        #list, #groups { height: 1fr; }
        #groups { display: none; }
        &.-grouped { #list { display: none; } #groups { display: block; } }
        #right { width: 4fr; height: 1fr; border-left: solid $rule; display: none; }
        &.-wide #right { display: block; }
        &.-narrow.-at-detail { #main { display: none; } #right { display: block; width: 1fr; border: none; } }
    }
    """
    NAME = "findings"
    NOUN = "finding"
    BINDINGS: ClassVar[list[BindingType]] = bind("view.group")
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (130, "-wide")]  # noqa: RUF012  (Textual's own shape)

    def __init__(self) -> None:
        super().__init__()
        self.group_by = ""
        self._inside: GroupRow | None = None
        """The group whose findings are shown."""
        self._outer_filter = ""
        self._ended = 0
        """Findings of the scan that are fixed, gone or retired."""

    def body(self) -> ComposeResult:
        """The table, or the groups; the finding beside it."""
        with Horizontal(id="panes"):
            with Vertical(id="main"):
                yield VirtualTable(
                    finding_columns(self.undercroft.lapsed_lately),
                    key=lambda row: row.id,
                    id="list",
                )
                yield VirtualTable(
                    GROUP_COLUMNS, key=lambda row: row.value, id="groups", markable=False
                )
                yield FilterLine()
            with Vertical(id="right"):
                yield DetailPane(id="detail")

    @property
    def groups(self) -> VirtualTable[GroupRow]:
        """The groups."""
        return self.query_one("#groups", VirtualTable)

    @property
    def grouped(self) -> bool:
        """Whether groups are shown, not findings."""
        return bool(self.group_by) and self._inside is None

    def on_mount(self) -> None:
        """Details follow a resting cursor."""
        self._rest = self.set_timer(_SETTLE, self._read_detail)
        self.trail = ("services", "findings")

    # Reading

    def read_count(self, store: Store, scan_id: int, query: Query) -> int:
        """How many findings match."""
        return store.count_findings(scan_id, query)

    def read_rows(
        self, store: Store, scan_id: int, query: Query, start: int, count: int
    ) -> Sequence[FindingRow]:
        """A window of findings."""
        return store.findings(scan_id, query, start, count)

    def reload(self) -> None:
        """The list, or the groups."""
        super().reload()
        self.fetch(
            "ended",
            lambda store, scan_id: store.count_findings(scan_id, Query(_ENDED)),
            self._know_ended,
        )
        if self.grouped:
            self._read_groups()

    def _know_ended(self, number: int) -> None:
        self._ended = number
        self.draw_note()

    def _read(self, *, keep: bool, cursor: int) -> None:
        super()._read(keep=keep, cursor=cursor)
        if self.grouped:
            self._read_groups()

    def empty_words(self) -> tuple[str, ...]:
        """Nothing is wrong, as far as could be read."""
        scan = self.undercroft.scan
        if scan is not None and scan.gaps:
            return (
                "No finding, but not everything could be read.",
                "",
                "The scans screen says what.",
            )
        return ("No finding in this scan.", "", "Everything it asked for was read.")

    # Groups

    def action_group(self) -> None:
        """Group by the next property."""
        self._inside = None
        at = GROUPS.index(self.group_by) if self.group_by in GROUPS else 0
        self.group_by = GROUPS[(at + 1) % len(GROUPS)]
        self.table.clear_marks()
        self._show_right_list()
        if self.grouped:
            self.groups.reset(0)
            self.groups.say("counting…")
            self._read_groups()
            self.groups.focus()
        else:
            self.table.focus()
        self._draw_trail()

    def _show_right_list(self) -> None:
        self.set_class(self.grouped, "-grouped")

    def _read_groups(self) -> None:
        query, by = self.query_now, self.group_by

        def done(rows: list[GroupRow]) -> None:
            groups = self.groups
            here = groups.row
            at = next((i for i, row in enumerate(rows) if here and row.value == here.value), 0)
            if not rows:
                groups.say("Nothing to group.")
            groups.show_rows(rows, cursor=at)
            self.draw_note()

        self.fetch("groups", lambda store, scan_id: store.group_findings(scan_id, query, by), done)

    @on(VirtualTable.Opened, "#groups")
    def _group_opened(self) -> None:
        row = self.groups.row
        if row is None:
            return
        self._inside = row
        self._outer_filter = self.query_now.filter
        self._apply_group(row)
        self._show_right_list()
        self.table.focus()
        self._draw_trail()

    def _apply_group(self, row: GroupRow) -> None:
        """Narrow the list to the group, by the filter language itself."""
        outer = f"({self._outer_filter}) " if self._outer_filter else ""
        query = self.query_now
        # Only packages may be missing: then it is the findings without one.
        inner = f"{self.group_by}:{typed(row.value)}" if row.value else f"-{self.group_by}:*"
        place = self._turn_to(Query(f"{outer}{inner}", query.sort, query.descending))
        super()._read(keep=False, cursor=place)

    def action_back(self) -> None:
        """Selection, group, filter, then out."""
        if self.focused is self.query_one(DetailPane):
            self.table.focus()
            self.remove_class("-at-detail")
            return
        if not self.grouped and self.table.clear_marks():
            return
        if self._inside is not None:
            self._inside = None
            query = self.query_now
            place = self._turn_to(Query(self._outer_filter, query.sort, query.descending))
            self._show_right_list()
            self.groups.focus()
            self._draw_trail()
            super()._read(keep=False, cursor=place)
            return
        if self.grouped and not self.query_now.filter:
            self.group_by = ""
            self._show_right_list()
            self.table.focus()
            self._draw_trail()
            return
        super().action_back()

    def _draw_trail(self) -> None:
        names = ["services", "findings"]
        if self.group_by:
            names.append(f"by {self.group_by}")
        if self._inside is not None:
            names.append(self._inside.label)
        self.trail = tuple(names)
        self.draw_note()

    def draw_note(self) -> None:
        """Findings, or groups."""
        if self.grouped:
            words = count(self.groups.total, self.group_by)
            if self.group_by == "severity":
                words = count(self.groups.total, "severity", "severities")
            self.note = styled(f"{words} · {count(self.table.total, 'finding')}", "$muted")
            return
        super().draw_note()
        if self._ended and not self.query_now.filter and not self.table.counting:
            stand = f": {self.table.total - self._ended:,} standing, {self._ended:,} fixed or gone"
            self.note = self.note.append(Content.styled(stand, "$muted"))

    # The finding

    @on(VirtualTable.Highlighted, "#list")
    def _highlighted(self) -> None:
        self._rest.stop()
        self._rest = self.set_timer(_SETTLE, self._read_detail)

    @on(VirtualTable.Highlighted, "#groups")
    def _group_highlighted(self) -> None:
        row = self.groups.row
        if row is not None and self.grouped:
            pane = self.query_one(DetailPane)
            services = count(row.services, "AI service")
            pane.show(
                row.value,
                Content("\n").join(
                    [
                        styled(row.label, "bold $strong"),
                        styled(f"{count(row.findings, 'finding')} beneath {services}", "$muted"),
                        Content(""),
                        Content.styled("Enter lists them.", "$faint"),
                    ]
                ),
            )

    def _read_detail(self) -> None:
        row = self.current_finding()
        pane = self.query_one(DetailPane)
        if row is None:
            if not self.grouped:
                pane.say("")
            return
        if not self.query_one("#right").display:
            return
        finding = row.id

        def work(store: Store, scan_id: int) -> tuple[FindingDetail, Path | None]:
            self.undercroft.load_advice()
            detail = store.finding(scan_id, finding)
            path = None
            if detail.services:
                above = store.resource(scan_id, detail.row.resource_key).services
                path = next((path for _, path in above if path), None)
            return detail, path

        def done(answer: tuple[FindingDetail, Path | None]) -> None:
            detail, path = answer
            here = self.current_finding()
            if here is None or here.id != finding:
                return
            app = self.undercroft
            text = finding_text(
                detail,
                path=path,
                advice=app.advice(detail.row.rule),
                now=app.clock(),
                level=app.settings.service_level,
            )
            pane.show(detail.row.id, text)

        self.fetch("detail", work, done)

    @on(VirtualTable.Opened, "#list")
    def _opened(self) -> None:
        self.add_class("-at-detail")
        self.query_one(DetailPane).focus()
        self._read_detail()

    def action_next_pane(self) -> None:
        """List and finding."""
        if self.focused is self.query_one(DetailPane):
            self.remove_class("-at-detail")
            (self.groups if self.grouped else self.table).focus()
        else:
            self._opened()

    action_previous_pane = action_next_pane

    def current_finding(self) -> FindingRow | None:
        """The finding under the cursor."""
        return None if self.grouped else self.table.row

    def why_no_finding(self) -> str:
        """Groups are shown, or nothing is."""
        if self.grouped:
            return "The cursor is on a group: open it to act on its findings."
        return "There is no finding here to act on."

    def selected_findings(self) -> Selection:
        """The marked ones, all that match, or the one under the cursor."""
        table, scan = self.table, self.undercroft.scan
        if self.grouped or not table.marks or scan is None:
            return super().selected_findings()
        number = table.marks.count(table.total)
        label = count(number, "finding")
        if table.marks.everything:
            return Selection(
                label=label,
                count=number,
                scan=scan.id,
                query=self.query_now,
                excluded=frozenset(table.marks.excluded),
            )
        return Selection(tuple(table.marks.ids), label, number, scan.id)

    def decided(self) -> None:
        """The selection has served."""
        self.table.clear_marks()
