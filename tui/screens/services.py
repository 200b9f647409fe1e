"""Home: one row per AI service, worst first, with the tower it stands on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Static

from tui.glyphs import severity_tone
from tui.keymap import bind
from tui.opening import HOME, read_today
from tui.screens.acting import ACTING_IDS
from tui.screens.listing import ListingScreen
from tui.text import ago, count, kind_of, shown, styled
from tui.widgets.columns import Column, Run
from tui.widgets.contributions import contributions_text, service_text
from tui.widgets.filter_line import FilterLine
from tui.widgets.table import VirtualTable
from tui.widgets.tower import MINI_HEAD, MINI_WIDTH, TowerView, blocks_of, mini_tower
from undercroft.model import LAYERS
from undercroft.views import Query, ServiceRow, Today, Tower

if TYPE_CHECKING:
    from undercroft.store import Store

__all__ = ["ServicesScreen"]

_SIDE = 34
_SETTLE = 0.08
"""Seconds that the cursor rests before its service's details are read."""


def _score(row: ServiceRow) -> list[Run]:
    tone = severity_tone(row.worst) if row.worst else "good"
    return [("?" if row.unread else "", "severity-medium"), (f"{row.score:.0f}", tone)]


def _change(row: ServiceRow) -> Run:
    if row.change is None:
        return ("new", "signature")
    if abs(row.change) < 0.05:
        return ("·", "faint")
    return (f"{row.change:+.1f}".replace("-", "−"), "worse" if row.change > 0 else "better")


def _number(value: int, tone: str) -> Run:
    return (f"{value:,}", tone) if value else ("·", "faint")


SERVICE_COLUMNS: tuple[Column[ServiceRow], ...] = (
    Column("score", "SCORE", 5, _score, right=True, descending=True),
    Column("change", "±", 5, _change, right=True, descending=True, drop=3),
    Column("name", "SERVICE", 16, lambda row: (row.name, "strong"), grow=5, most=48),
    Column("type", "KIND", 9, lambda row: (kind_of(row.type), "muted"), grow=1, most=22, drop=4),
    Column("provider", "CLOUD", 5, lambda row: (row.provider, "muted"), drop=7, wide=90),
    Column("account", "ACCOUNT", 12, lambda row: (row.account, "muted"), grow=1, most=20, drop=9),
    Column("region", "REGION", 9, lambda row: (row.region, "muted"), grow=1, most=16, drop=6),
    Column("tower", MINI_HEAD, MINI_WIDTH, lambda row: mini_tower(row.layers), sortable=False),
    Column("open", "OPEN", 5, lambda row: _number(row.open, "plain"), right=True, descending=True),
    Column(
        "accepted", "ACC", 4, lambda row: _number(row.accepted, "status-accepted"),
        right=True, descending=True, drop=2,
    ),
    Column(
        "claimed", "FIX", 3, lambda row: _number(row.claimed, "status-fix-claimed"),
        right=True, descending=True, drop=5,
    ),
    Column(
        "combinations", "⚑", 2,
        lambda row: (f"⚑{row.combinations}", "severity-critical") if row.combinations else "",
        descending=True, drop=1,
    ),
    Column("owner", "OWNER", 10, lambda row: (row.owner, "muted"), grow=1, most=18, drop=8),
)  # fmt: skip


class ServicesScreen(ListingScreen[ServiceRow]):
    """What changed and what matters, within a second."""

    DEFAULT_CSS = """
    ServicesScreen {
        #today { height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
        #panes, #main { height: 1fr; }
        #main { width: 1fr; }
        #list { height: 1fr; }
        #side { width: 36; height: 1fr; padding: 1 1 0 1; border-left: solid $rule; display: none; }
        #side > Static { height: auto; }
        #side-tower { margin: 1 0; }
        &.-wide #side { display: block; }
    }
    """
    NAME = "services"
    NOUN = "service"
    QUIET: ClassVar[frozenset[str]] = frozenset({*ACTING_IDS, "view.back"})
    BINDINGS: ClassVar[list[BindingType]] = bind(
        "layer.1",
        "layer.2",
        "layer.3",
        "layer.4",
        "layer.5",
        "layer.6",
        "view.today",
        "service.bill",
    )
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012  (Textual's own shape)

    def __init__(self) -> None:
        super().__init__()
        self._rest: Timer | None = None
        self._today: Today | None = None
        self._beside = ""
        """The service that is shown beside the list before the cursor has been on it."""
        self._lapsed = 0
        """Acceptances that ended since this person was here."""

    def body(self) -> ComposeResult:
        """Counts of today; the table; the selected service beside it."""
        yield Static(id="today")
        with Horizontal(id="panes"):
            with Vertical(id="main"):
                yield VirtualTable(
                    SERVICE_COLUMNS, key=lambda row: row.key, id="list", markable=False
                )
                yield FilterLine(placeholder="words, cloud:aws, severity>=high, owner:… ")
            with Vertical(id="side"):
                yield Static(id="side-head")
                yield TowerView(choosing=False, id="side-tower")
                yield Static(id="side-bill")

    # Reading

    def read_count(self, store: Store, scan_id: int, query: Query) -> int:
        """How many services match."""
        return store.count_services(scan_id, query)

    def read_rows(
        self, store: Store, scan_id: int, query: Query, start: int, count: int
    ) -> Sequence[ServiceRow]:
        """A window of services."""
        return store.services(scan_id, query, start, count)

    def reload(self) -> None:
        """The list and the counts of today; what was read ahead needs no reading."""
        app = self.undercroft
        home, app.home = app.home, None
        if home is not None and self.query_now == HOME:
            self.show_rows(HOME, 0, home.total, home.rows)
            self._show_today((home.today, home.lapsed))
            if home.tower is not None:
                self.query_one("#side-head", Static).update(service_text(home.rows[0], _SIDE - 1))
                self._show_side(home.tower)
                self._beside = home.rows[0].key
            return
        super().reload()
        lapses, days = app.lapses, app.settings.unconfirmed_days
        self.fetch(
            "today",
            lambda store, scan_id: read_today(store, scan_id, lapses, days),
            self._show_today,
        )
        self._look_closer()

    def _show_today(self, answer: tuple[Today, int]) -> None:
        self._today, self._lapsed = answer
        self._draw_today()

    def _draw_today(self) -> None:
        if self._today is not None:
            text = today_text(self._today, self._lapsed, self.app.size.width - 2)
            self.query_one("#today", Static).update(text)

    def on_resize(self) -> None:
        """More or less of the counts fits."""
        self._draw_today()

    def empty_words(self) -> tuple[str, ...]:
        """Nothing was found, or nothing could be read."""
        scan = self.undercroft.scan
        if scan is not None and scan.gaps:
            return (
                "No AI service was found, but not everything could be read.",
                "",
                f"{count(scan.gaps, 'part')} of this scan failed; the scans screen says which and why.",
            )
        return ("No AI service was found in this scan.", "", "Everything it asked for was read.")

    # The pane on the right

    @on(VirtualTable.Highlighted, "#list")
    def _highlighted(self) -> None:
        row = self.table.row
        head, tower = self.query_one("#side-head", Static), self.query_one(TowerView)
        if row is None:
            if not self.table.total:
                head.update("")
                tower.blocks = ()
                self.query_one("#side-bill", Static).update("")
            return
        beside, self._beside = self._beside, ""
        if beside == row.key:
            return
        head.update(service_text(row, _SIDE - 1))
        tower.blocks = blocks_of(row)
        self.query_one("#side-bill", Static).update("")
        if self._rest is not None:
            self._rest.stop()
        self._rest = self.set_timer(_SETTLE, self._look_closer)

    def _look_closer(self) -> None:
        row = self.table.row
        if row is None or not self.query_one("#side").display:
            return
        key = row.key

        def done(tower: Tower) -> None:
            here = self.table.row
            if here is not None and here.key == key:
                self._show_side(tower)

        self.fetch("side", lambda store, scan_id: store.tower(scan_id, key), done)

    def _show_side(self, tower: Tower) -> None:
        self.query_one(TowerView).blocks = blocks_of(tower)
        self.query_one("#side-bill", Static).update(contributions_text(tower, 3, _SIDE - 3))

    # Going deeper

    @on(VirtualTable.Opened, "#list")
    def _opened(self) -> None:
        row = self.table.row
        if row is not None:
            self.undercroft.show_service(row.key)

    def action_bill(self) -> None:
        """The whole bill of the service under the cursor."""
        row = self.table.row
        if row is None:
            self.undercroft.say_why("There is no service here.")
        else:
            self.undercroft.show_bill(row.key, row.name)

    def action_layer(self, number: int) -> None:
        """Into a layer of the selected service."""
        row = self.table.row
        if row is None:
            self.undercroft.say_why("There is no service here to open.")
        else:
            self.undercroft.show_service(row.key, LAYERS[number - 1])

    def action_today(self) -> None:
        """What calls for action today: choose one, and see its findings."""
        from tui.dialogs.base import Choice
        from tui.dialogs.prompts import ChooseDialog

        today = self._today
        if today is None:
            self.undercroft.say_why("The counts of today are still being read.")
            return
        days = self.undercroft.settings.unconfirmed_days
        why = shown(today.unseen_reason)
        lines = [
            (number, name, words)
            for number, name, words in (
                (today.new, "new:yes status:active", "first seen in this scan"),
                (today.reopened, "status:reopened", "back again, each with its cause"),
                (
                    self._lapsed,
                    self.undercroft.lapses.filter,
                    "acceptances that ended since you were here, "
                    + ago(self.undercroft.lapses.since, self.undercroft.clock()),
                ),
                (
                    today.lapsing,
                    "status:accepted lapses:14d",
                    "acceptances that end within 14 days",
                ),
                (today.unconfirmed, "unconfirmed:yes", "this scan could not look at them again"),
                (
                    today.unseen,
                    f"unconfirmed:yes seen<{days}d",
                    f"cannot be confirmed for {days} days: {why}",
                ),
                (
                    today.newly_covered,
                    "accepted_rules",
                    "newly covered by the acceptance of a rule",
                ),
                (today.conflicts, "history", "decided differently on two copies"),
            )
            if number
        ]
        if not lines:
            self.undercroft.say_why("Nothing calls for action today.")
            return

        def chosen(name: str | None) -> None:
            if name in {"accepted_rules", "history"}:
                self.undercroft.go(name, filter="conflict:yes" if name == "history" else "")
            elif name:
                self.undercroft.show_findings(name)

        choices = [Choice(name, f"{number:,}", words) for number, name, words in lines]
        self.app.push_screen(ChooseDialog("Today", "what calls for action", choices), chosen)

    def action_back(self) -> None:
        """Out of the filter; there is nothing further out."""
        if self.query_now.filter:
            super().action_back()
        else:
            leave = self.undercroft.key_of("app.quit", "q")
            self.undercroft.say_why(f"This is the outermost screen; {leave} leaves the program.")

    def why_no_finding(self) -> str:
        """Findings are one level deeper."""
        return "This key acts on findings: open the service, or the findings of the whole scan."


def today_text(today: Today, lapsed: int = 0, width: int = 200) -> Content:
    """What calls for action (``lapsed``: ended since one was here), and the first thing that could
    not be read. Where not all of it fits, what there is none of steps back first.
    """
    counts = (
        (today.new, "✦", "new", "$signature"),
        (today.reopened, "↻", "reopened", "$status-reopened"),
        *([(lapsed, "◕", "expired", "$status-reopened")] if lapsed else []),
        (today.lapsing, "◔", "lapsing", "$status-accepted"),
        (today.unconfirmed, "?", "not confirmed", "$severity-medium"),
        *(
            [(today.newly_covered, "+", "newly covered", "$severity-medium")]
            if today.newly_covered
            else []
        ),
        *([(today.conflicts, "⚑", "in conflict", "$severity-high")] if today.conflicts else []),
    )
    said = [(number, _count_text(number, *how)) for number, *how in counts]
    if sum(text.cell_length + 3 for _, text in said) > width + 3:
        said = [one for one in said if one[0]]
    parts = [Content("   ").join(text for _, text in said)]
    if today.gaps:
        gap = today.gaps[0]
        more = f" and {len(today.gaps) - 1} more" if len(today.gaps) > 1 else ""
        parts.append(Content.styled("   ▲ ", "$severity-medium"))
        parts.append(styled(f"{gap.collector} {gap.location}: {gap.reason}{more}", "$muted"))
    return Content.assemble(*parts)


def _count_text(number: int, glyph: str, words: str, tone: str) -> Content:
    style = f"bold {tone}" if number else "$faint"
    return Content.assemble(
        (f"{glyph} {number:,} ", style), (words, "$plain" if number else "$faint")
    )
