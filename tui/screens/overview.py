"""Overview: the whole estate as a heat map, services by layers, and how it went over the scans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from tui.glyphs import LAYER_LETTER, badge, severity_tone
from tui.keymap import bind
from tui.screens.acting import ACTING_IDS
from tui.screens.listing import ListingScreen
from tui.text import count, styled
from tui.widgets.columns import Column, Run
from tui.widgets.filter_line import FilterLine
from tui.widgets.table import VirtualTable
from undercroft.model import LAYERS, Layer
from undercroft.risk import RiskModel, band
from undercroft.risk.trends import Change, TrendPoint, sparkline
from undercroft.views import Query, ServiceRow

if TYPE_CHECKING:
    from undercroft.store import Store

__all__ = ["OverviewScreen", "change_text"]

_BARS = 40
"""Scans in the trend of the whole."""
_VISIBLE = 0.05
"""Points from which a change shows in tenths."""
_SCANS = 12
"""Bars of a service's trend."""


@dataclass(frozen=True, slots=True)
class Row:
    """A service with its scores over the scans."""

    service: ServiceRow
    trend: Sequence[float | None]
    model: RiskModel


def _score(row: Row) -> Run:
    return (f"{row.service.score:.0f}", severity_tone(band(row.service.score, row.model)))


def _trend(row: Row) -> Run:
    change = row.service.change
    tone = "muted" if change is None or abs(change) < 0.05 else "worse" if change > 0 else "better"
    return (sparkline(row.trend, _SCANS, 100.0).rjust(_SCANS), tone)


def _heat(layer: Layer) -> Column[Row]:
    def cell(row: Row) -> Sequence[Run]:
        totals = row.service.layers[layer]
        if totals.worst is None:
            return [("·", "faint")]
        return [
            (f"{badge(totals.worst)} ", severity_tone(totals.worst)),
            (f"{totals.open:>4,}", "plain"),
        ]

    return Column(
        layer.value, layer.value, 8, cell, short=LAYER_LETTER[layer], room=_WORDS, comfort=8,
        grow=1, most=12, sortable=False,
    )  # fmt: skip


_WORDS = max(len(layer.value) for layer in LAYERS)
"""Width from which all headings are words: a word among letters reads as another kind of thing."""
COLUMNS: tuple[Column[Row], ...] = (
    Column("score", "SCORE", 5, _score, right=True, descending=True),
    Column("trend", "TREND", _SCANS, _trend, right=True, drop=2, sortable=False),
    Column(
        "name", "SERVICE", 14, lambda row: (row.service.name, "strong"), grow=4, most=40, comfort=16
    ),
    *(_heat(layer) for layer in LAYERS),
)


class OverviewScreen(ListingScreen[Row]):
    """Everything at once: one row per service, one column per layer."""

    NAME = "overview"
    NOUN = "service"
    QUIET: ClassVar[frozenset[str]] = frozenset(ACTING_IDS)
    BINDINGS: ClassVar[list[BindingType]] = bind(
        "layer.1", "layer.2", "layer.3", "layer.4", "layer.5", "layer.6", "service.bill"
    )
    CSS = """
    OverviewScreen #trend { height: auto; padding: 0 1; }
    OverviewScreen #main, OverviewScreen #list { height: 1fr; }
    """

    def body(self) -> ComposeResult:
        """The trend of the whole; the heat map."""
        yield Static(id="trend")
        with Vertical(id="main"):
            yield VirtualTable(COLUMNS, key=lambda row: row.service.key, id="list", markable=False)
            yield FilterLine(placeholder="words, cloud:aws, severity>=high, owner:… ")

    def read_count(self, store: Store, scan_id: int, query: Query) -> int:
        """How many services match."""
        return store.count_services(scan_id, query)

    def read_rows(
        self, store: Store, scan_id: int, query: Query, start: int, count: int
    ) -> Sequence[Row]:
        """A window of services with their trends."""
        services = store.services(scan_id, query, start, count)
        trends = store.trends_of(scan_id, [service.key for service in services])
        model = store.model(scan_id)
        return [Row(service, trends[service.key], model) for service in services]

    def reload(self) -> None:
        """The heat map, and the trend above it."""
        super().reload()

        def work(store: Store, scan_id: int) -> tuple[list[TrendPoint], Change | None]:
            return store.trend(scan_id), store.change_of_all(scan_id)

        def done(answer: tuple[list[TrendPoint], Change | None]) -> None:
            self.query_one("#trend", Static).update(trend_text(*answer))

        self.fetch("trend", work, done)

    @on(VirtualTable.Opened, "#list")
    def _opened(self) -> None:
        row = self.table.row
        if row is not None:
            self.undercroft.show_service(row.service.key)

    def action_bill(self) -> None:
        """The whole bill of the service under the cursor."""
        row = self.table.row
        if row is None:
            self.undercroft.say_why("There is no service here.")
        else:
            self.undercroft.show_bill(row.service.key, row.service.name)

    def action_layer(self, number: int) -> None:
        """Into a layer of the service under the cursor."""
        row = self.table.row
        if row is None:
            self.undercroft.say_why("There is no service here to open.")
        else:
            self.undercroft.show_service(row.service.key, LAYERS[number - 1])

    def why_no_finding(self) -> str:
        """Findings are one level deeper."""
        return "This key acts on findings: open the service, or the findings of the whole scan."


def trend_text(points: Sequence[TrendPoint], change: Change | None) -> Content:
    """The whole estate's risk over the scans, and what moved it."""
    if not points:
        return Content("")
    last = points[-1]
    shown = points[-_BARS:]
    bars = sparkline([point.total for point in shown], _BARS)
    # Numbers of other constants are not of this yardstick: said, and set apart.
    others = sum(point.scan.model != last.scan.model for point in shown)
    drawn = [
        Content.styled(bar, "$signature" if point.scan.model == last.scan.model else "$faint")
        for bar, point in zip(bars, shown, strict=True)
    ]
    first = Content.assemble(
        Content.styled("risk over all services  ", "$muted"),
        *drawn,
        Content.styled(f"  {last.total:,.1f}", "bold $strong"),
        Content.styled(
            f"  {count(last.services, 'service')}, {count(len(points), 'scan')}", "$faint"
        ),
        Content.styled(f", {others} by another risk model" if others else "", "$medium"),
    )
    return Content("\n").join([first, change_text(change)])


def change_text(change: Change | None) -> Content:
    """``+3.1 since Weekly scan: new +5.0 (2), fixed −1.9 (1)``"""
    if change is None:
        return Content.styled("no scan before it to compare with", "$faint")
    moved = change.after - change.before
    if abs(moved) < _VISIBLE and not change.causes:
        return styled(f"unchanged since {change.since.name or 'the scan before'}", "$faint")
    name = change.since.name or f"scan {change.since.id}"
    parts = [
        Content.styled(_signed(moved), f"bold ${'worse' if moved > 0 else 'better'}"),
        styled(f" since {name}", "$muted"),
    ]
    for number, cause in enumerate(change.causes):
        parts.append(Content.styled(": " if number == 0 else ", ", "$faint"))
        tone = "worse" if cause.points > 0 else "better"
        parts.append(Content.styled(f"{cause.name} {_signed(cause.points)}", f"${tone}"))
        if cause.findings:
            parts.append(Content.styled(f" ({cause.findings:,})", "$faint"))
    if change.left_out:
        parts.append(
            Content.styled(
                f"; not in the causes: {count(change.left_out, 'service')} that moved less",
                "$muted",
            )
        )
    return Content.assemble(*parts)


def _signed(value: float) -> str:
    return f"{value:+,.1f}".replace("-", "−")
