"""One AI service: its tower, the chosen layer's resources with their findings, the chosen finding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.events import DescendantFocus
from textual.widgets import Static

from tui.keymap import bind
from tui.screens.acting import ActingScreen
from tui.selection import Selection
from tui.text import count
from tui.widgets.contributions import contributions_text, service_text
from tui.widgets.detail import DetailPane
from tui.widgets.filter_line import FilterLine
from tui.widgets.finding_columns import LayerRow, LayerTable, layer_columns, layer_rows
from tui.widgets.finding_text import finding_text
from tui.widgets.table import VirtualTable
from tui.widgets.tower import TowerView, blocks_of
from undercroft.filter import typed
from undercroft.model import LAYERS, Layer
from undercroft.views import (
    FindingDetail,
    FindingRow,
    Path,
    Query,
    Tower,
)

if TYPE_CHECKING:
    from undercroft.store import Store

__all__ = ["ServiceScreen"]

_MOST = 2_000
"""Findings of one layer that are listed here; the rest are a key away in the findings table."""
_SETTLE = 0.06
_PANES = ("#tower", "#list", "#detail")


class ServiceScreen(ActingScreen):
    """Three panes from left to right, each a level deeper."""

    DEFAULT_CSS = """
    ServiceScreen {
        #panes { height: 1fr; }
        #left { width: 40; height: 1fr; padding: 1 1 0 1; }
        #middle { width: 1fr; height: 1fr; border-left: solid $rule; }
        #right { width: 1fr; height: 1fr; border-left: solid $rule; }
        #who, #bill { height: auto; }
        #tower { margin: 1 0; height: auto; }
        #list { height: 1fr; }
        &.-wide #middle { width: 6fr; }
        &.-wide #right { width: 5fr; }
        &.-middle {
            #right { display: none; }
            &.-at-detail { #right { display: block; } #left { display: none; } }
        }
        &.-narrow {
            #left, #middle, #right { display: none; border: none; width: 1fr; }
            #bill { display: none; }
            #left { padding: 0 1; }
            #tower { margin: 1 0 0 0; }
            &.-at-tower #left { display: block; }
            &.-at-list #middle { display: block; }
            &.-at-detail #right { display: block; }
        }
    }
    """
    NAME = "service"
    AUTO_FOCUS: ClassVar[str | None] = "#tower"
    BINDINGS: ClassVar[list[BindingType]] = bind(
        *(f"layer.{number}" for number in range(1, 7)), "view.filter", "view.export", "service.bill"
    )
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-middle"), (136, "-wide")]  # noqa: RUF012  (Textual's own shape)

    def __init__(self, key: str, layer: Layer | None = None) -> None:
        super().__init__()
        self.key = key
        self._tower: Tower | None = None
        self._wanted_layer = layer
        self._filter = ""
        self._at: dict[Layer, str] = {}
        """Layer → the row on which the cursor last was."""
        self._listed: Layer | None = None

    def body(self) -> ComposeResult:
        """Tower, list, detail."""
        with Horizontal(id="panes"):
            with Vertical(id="left"):
                yield Static(id="who")
                yield TowerView(id="tower")
                yield Static(id="bill")
            with Vertical(id="middle"):
                yield LayerTable(
                    layer_columns(self.undercroft.lapsed_lately),
                    key=lambda row: row.key,
                    id="list",
                    head=False,
                )
                yield FilterLine()
            with Vertical(id="right"):
                yield DetailPane(id="detail")

    @property
    def table(self) -> LayerTable:
        """The chosen layer's list."""
        return self.query_one("#list", LayerTable)

    @property
    def tower_view(self) -> TowerView:
        """The tower."""
        return self.query_one("#tower", TowerView)

    @property
    def chosen_layer(self) -> Layer:
        """The chosen layer."""
        return self.tower_view.chosen

    def on_mount(self) -> None:
        """Read the tower; the list follows."""
        self._rest = self.set_timer(_SETTLE, self._read_detail)
        self.trail = ("services", "…")
        self.table.say("reading…")
        self.show_pane("#tower")

    def on_resize(self) -> None:
        """The tower grows with the screen."""
        self._fit_tower()

    def _fit_tower(self) -> None:
        # Its own margin above, and what is written above it.
        used = self.query_one("#who").size.height + (1 if self.has_class("-narrow") else 3)
        room = self.query_one("#left").size.height - used
        # In a tall terminal the bill beneath has room for its five entries.
        self.tower_view.fit(room - 12 if room >= 28 else room)

    # Reading

    def reload(self) -> None:
        """The tower, the list, the finding: in place."""
        key = self.key
        self.fetch(
            "tower", lambda store, scan_id: store.tower(scan_id, key), self._show, self._failed
        )

    def _failed(self, sentence: str) -> None:
        self.table.show_rows([])
        self.table.say(
            (("▲ ", "severity-high"), ("This service could not be read", "strong")), "", sentence
        )

    def _show(self, tower: Tower) -> None:
        first = self._tower is None
        self._tower = tower
        self.query_one("#who", Static).update(
            service_text(tower.service, max(20, self.query_one("#left").size.width - 3))
        )
        view = self.tower_view
        view.blocks = blocks_of(tower)
        if first:
            wanted = self._wanted_layer or _worst_layer(tower)
            view.selected = LAYERS.index(wanted)
            if self._wanted_layer is not None:
                self.show_pane("#list")
        self.call_after_refresh(self._fit_tower)
        self._draw_bill()
        self._read_layer()

    def _draw_bill(self) -> None:
        bill = self.query_one("#bill", Static)
        if self._tower is not None:
            width = self.query_one("#left").size.width - 3
            bill.update(contributions_text(self._tower, 5, max(20, width)))

    def _read_layer(self) -> None:
        tower, layer = self._tower, self.chosen_layer
        if tower is None:
            return
        block = tower.layers[LAYERS.index(layer)]
        query = Query(self._filter, "severity", service=self.key, layer=layer)

        def work(store: Store, scan_id: int) -> tuple[int, Sequence[FindingRow]]:
            rows = store.findings(scan_id, query, 0, _MOST)
            full = len(rows) == _MOST
            return (store.count_findings(scan_id, query) if full else len(rows)), rows

        def done(answer: tuple[int, Sequence[FindingRow]]) -> None:
            total, findings = answer
            if self._filter:
                mine = {finding.resource_key for finding in findings}
                kept = tuple(item for item in block.resources if item.ref.key in mine)
                rows = layer_rows(block._replace(resources=kept), findings, total)
            else:
                rows = layer_rows(block, findings, total)
            self._fill(layer, rows)

        self.fetch("layer", work, done, self._failed)

    def _fill(self, layer: Layer, rows: Sequence[LayerRow]) -> None:
        table = self.table
        same = self._listed is layer
        before = table.cursor if same else 0
        wish = table.row.key if same and table.row is not None else self._at.get(layer, "")
        self._listed = layer
        at = next((index for index, row in enumerate(rows) if row.key == wish), before)
        if not wish:
            # The first finding rather than the heading above it: that is what one came for.
            at = next((index for index, row in enumerate(rows) if row.finding), 0)
        if not rows:
            words = (
                f"No finding matches {self._filter}"
                if self._filter
                else (f"Nothing of this service is on the {layer.value} layer.")
            )
            table.say(words)
        table.show_rows(rows, cursor=at)
        self._draw_note()

    def action_bill(self) -> None:
        """The whole bill behind the score."""
        if self._tower is not None:
            self.undercroft.show_bill(self.key, self._tower.service.name)

    # The three panes

    @on(TowerView.Selected)
    def _layer_selected(self) -> None:
        self.table.clear_marks()
        self._read_layer()
        self._draw_trail()

    @on(TowerView.Opened)
    def _layer_opened(self) -> None:
        self.show_pane("#list")

    @on(VirtualTable.Highlighted, "#list")
    def _highlighted(self) -> None:
        row = self.table.row
        if row is not None and self._listed is not None:
            self._at[self._listed] = row.key
        self._rest.stop()
        self._rest = self.set_timer(_SETTLE, self._read_detail)
        self._draw_trail()

    @on(VirtualTable.Opened, "#list")
    def _row_opened(self) -> None:
        row = self.table.row
        if row is None:
            return
        if row.remark:
            more = f" ({self._filter})" if self._filter else ""
            self.undercroft.show_findings(
                f"service:{typed(self.key)} layer:{self.chosen_layer.value}{more}"
            )
        elif row.finding is not None:
            self.show_pane("#detail")
        elif row.owner:
            path = row.unread[0] if row.unread else ""
            self.undercroft.show_resource(row.owner, path=path)

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """In a narrow terminal the pane in use is the one that is seen."""
        self._draw_trail()
        for pane in _PANES:
            self.set_class(event.widget is self.query_one(pane), f"-at-{pane[1:]}")

    def show_pane(self, pane: str) -> None:
        """Go to a pane."""
        for name in _PANES:
            self.set_class(name == pane, f"-at-{name[1:]}")
        self.query_one(pane).focus()

    def action_next_pane(self) -> None:
        """One level to the right, round the end."""
        self.show_pane(_PANES[(self._pane() + 1) % 3])

    def action_previous_pane(self) -> None:
        """One level to the left, round the end."""
        self.show_pane(_PANES[(self._pane() - 1) % 3])

    def _pane(self) -> int:
        focused = self.focused
        return next((i for i, pane in enumerate(_PANES) if focused is self.query_one(pane)), 1)

    def action_back(self) -> None:
        """Selection, filter, then pane by pane to the left, then out."""
        pane = self._pane()
        if pane == 1 and self.table.clear_marks():
            pass
        elif pane == 1 and self._filter:
            self.query_one(FilterLine).set("")
        elif pane > 0:
            self.show_pane(_PANES[pane - 1])
        else:
            super().action_back()

    def action_layer(self, number: int) -> None:
        """Jump to a layer's list."""
        self.tower_view.selected = number - 1
        self.show_pane("#list")

    # The finding

    def current_finding(self) -> FindingRow | None:
        """The finding under the cursor of the list."""
        row = self.table.row
        return row.finding if row is not None else None

    def why_no_finding(self) -> str:
        """The cursor stands on a resource, or nothing is listed."""
        row = self.table.row
        if row is not None and row.owner:
            return "The cursor is on a resource: move it to one of its findings first."
        return f"There is no finding on the {self.chosen_layer.value} layer."

    def selected_findings(self) -> Selection:
        """The marked ones, else the one under the cursor."""
        table = self.table
        if not table.marks:
            return super().selected_findings()
        ids = self._marked_ids()
        scan = self.undercroft.scan
        return Selection(ids, count(len(ids), "finding"), len(ids), scan.id if scan else None)

    def _findings(self) -> list[FindingRow]:
        rows = map(self.table.row_at, range(self.table.total))
        return [row.finding for row in rows if row is not None and row.finding is not None]

    def _marked_ids(self) -> tuple[str, ...]:
        marks = self.table.marks
        return tuple(finding.id for finding in self._findings() if finding.id in marks)

    def decided(self) -> None:
        """The selection has served."""
        self.table.clear_marks()

    def _read_detail(self) -> None:
        row = self.current_finding()
        pane = self.query_one(DetailPane)
        if row is None:
            here = self.table.row
            if here is not None and here.owner:
                pane.say("A resource. Enter opens its configuration, what is beneath and above it.")
            else:
                pane.say("Nothing selected.")
            return
        path = self._path_of(row.resource_key)
        finding = row.id

        def work(store: Store, scan_id: int) -> FindingDetail:
            self.undercroft.load_advice()
            return store.finding(scan_id, finding)

        def done(detail: FindingDetail) -> None:
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

    def _path_of(self, key: str) -> Path | None:
        if self._tower is None:
            return None
        for block in self._tower.layers:
            for resource in block.resources:
                if resource.ref.key == key:
                    return resource.path
        return None

    # Lines around

    def _draw_trail(self) -> None:
        if self._tower is None:
            return
        names = ["services", self._tower.service.name, self.chosen_layer.value]
        row = self.table.row if self._listed is self.chosen_layer else None
        if row is not None and self._pane() > 0:
            if row.resource is not None:
                names.append(row.resource.ref.name)
            elif (other := row.finding or row.elsewhere) is not None:
                names.append(other.resource_name)
            if row.finding is not None:
                names.append(row.finding.cve or row.finding.title)
        self.trail = tuple(names)

    @on(VirtualTable.Marked, "#list")
    def _draw_note(self) -> None:
        table = self.table
        marked = len(self._marked_ids())
        parts = (
            [Content.styled("range…  ", "bold $signature")] if table.range_start is not None else []
        )
        if marked:
            parts.append(Content.styled(f"● {marked:,} selected", "bold $signature"))
        self.note = Content.assemble(*parts)

    # Filter and export

    def action_filter(self) -> None:
        """Filter the findings of this layer."""
        self.show_pane("#list")
        self.query_one(FilterLine).open()

    @on(FilterLine.Changed)
    def _filter_changed(self, event: FilterLine.Changed) -> None:
        self._filter = event.text
        self.table.clear_marks()
        self._read_layer()

    @on(FilterLine.Closed)
    def _filter_closed(self) -> None:
        self.show_pane("#list")

    def action_export(self) -> None:
        """Write this layer's findings to a file."""
        total = len(self._findings())
        query = Query(self._filter, service=self.key, layer=self.chosen_layer)
        self.undercroft.export(query, total, "findings")


def _worst_layer(tower: Tower) -> Layer:
    """Where to begin: the layer with the worst finding, the upper one of equals."""
    worst = max(tower.layers, key=lambda block: block.worst.rank if block.worst else -1)
    return worst.layer
