"""Combinations: toxic ones as short attack paths, each link with the resource and finding that make it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.timer import Timer

from tui.glyphs import STATUS_GLYPH, badge, severity_tone, status_tone
from tui.screens.listing import ListingScreen
from tui.widgets.attack_path import attack_path_text, possible_text
from tui.widgets.columns import Column, Run
from tui.widgets.detail import DetailPane
from tui.widgets.filter_line import FilterLine
from tui.widgets.table import VirtualTable
from undercroft.risk.paths import AttackPath, Possible
from undercroft.views import FindingRow, Query

if TYPE_CHECKING:
    from undercroft.store import Store

__all__ = ["CombinationsScreen"]

_SETTLE = 0.08


@dataclass(frozen=True, slots=True)
class Row:
    """A combination that holds, or one that nobody could tell."""

    finding: FindingRow | None
    possible: Possible | None = None
    title: str = ""
    """Of the rule of one that is only possible."""

    @property
    def key(self) -> str:
        """What marks refer to."""
        if self.finding is not None:
            return self.finding.id
        assert self.possible is not None  # noqa: S101  (one of the two is there)
        return f"?{self.possible.service.key} {self.possible.rule}"


def _severity(row: Row) -> Run:
    if row.finding is None:
        return ("? ", "severity-medium")
    return (badge(row.finding.severity), severity_tone(row.finding.severity))


def _status(row: Row) -> Run:
    if row.finding is None:
        return ("", "muted")
    return (STATUS_GLYPH.get(row.finding.status, "•"), status_tone(row.finding.status))


def _title(row: Row) -> Run:
    if row.finding is not None:
        return (row.finding.title, "strong")
    return (f"possible: {row.title}", "muted")


def _service(row: Row) -> Run:
    if row.finding is not None:
        return (row.finding.resource_name, "plain")
    return (row.possible.service.name if row.possible else "", "muted")


COLUMNS: tuple[Column[Row], ...] = (
    Column("severity", "", 2, _severity, sortable=False),
    Column("status", "", 1, _status, sortable=False),
    Column("title", "COMBINATION", 24, _title, grow=3, most=70, comfort=30),
    Column("resource_name", "AI SERVICE", 14, _service, grow=2, most=40),
    Column(
        "score", "SCORE", 5,
        lambda row: (f"{row.finding.score:.0f}", "plain") if row.finding else ("–", "faint"),
        right=True, descending=True, drop=1,
    ),
)  # fmt: skip


class CombinationsScreen(ListingScreen[Row]):
    """Worst first; what may hold, and could not be told, stands at the end."""

    NAME = "combinations"
    NOUN = "combination"
    CSS = """
    CombinationsScreen #panes, CombinationsScreen #main { height: 1fr; }
    CombinationsScreen #main { width: 1fr; }
    CombinationsScreen #list { height: 1fr; }
    CombinationsScreen #detail { width: 1fr; height: 1fr; border-left: solid $rule; }
    CombinationsScreen #detail:focus { border-left: solid $signature; }
    CombinationsScreen.-narrow #panes { layout: vertical; }
    CombinationsScreen.-narrow #detail { border-left: none; border-top: solid $rule; }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012  (Textual's own shape)

    def __init__(self) -> None:
        super().__init__()
        self._rest: Timer | None = None
        self._held = 0
        """How many hold and match; the others only may hold."""

    def body(self) -> ComposeResult:
        """The list, and the path of the combination under the cursor."""
        with Horizontal(id="panes"):
            with Vertical(id="main"):
                yield VirtualTable(COLUMNS, key=lambda row: row.key, id="list", markable=False)
                yield FilterLine(placeholder="words, severity>=high, service:…, status:accepted ")
            yield DetailPane(id="detail")

    # Reading

    def read_count(self, store: Store, scan_id: int, query: Query) -> int:
        """Those that hold and match, and without a filter those that may hold."""
        self._held = store.count_findings(scan_id, _combined(query))
        return self._held + len(_may_hold(store, scan_id, query))

    def read_rows(
        self, store: Store, scan_id: int, query: Query, start: int, count: int
    ) -> Sequence[Row]:
        """A window over both."""
        rows = [Row(found) for found in store.findings(scan_id, _combined(query), start, count)]
        if len(rows) == count:
            return rows
        # Past the end of those that hold; no count was made yet where all is on one page.
        self._held = store.count_findings(scan_id, _combined(query))
        first = start + len(rows) - self._held
        rest = _may_hold(store, scan_id, query)[first : first + count - len(rows)]
        if rest:
            self.undercroft.load_advice()
        titles = {found.rule: self.undercroft.advice(found.rule).title for found in rest}
        return [*rows, *(Row(None, found, titles[found.rule] or found.rule) for found in rest)]

    def empty_words(self) -> tuple[str, ...]:
        """None is good news, if everything was read."""
        return ("No findings are worse together than alone in this scan.",)

    # The path

    @on(VirtualTable.Highlighted, "#list")
    def _highlighted(self) -> None:
        if self._rest is not None:
            self._rest.stop()
        self._rest = self.set_timer(_SETTLE, self._look_closer)

    def _look_closer(self) -> None:
        row, pane = self.table.row, self.query_one(DetailPane)
        if row is None:
            pane.say("")
        elif row.finding is None:
            if row.possible is not None:
                key, possible = row.key, row.possible

                def show(_: None) -> None:
                    advice = self.undercroft.advice(possible.rule)
                    pane.show(key, possible_text(possible, advice))

                self.fetch("path", lambda *_: self.undercroft.load_advice(), show)
        else:
            finding = row.finding

            def done(path: AttackPath) -> None:
                advice = self.undercroft.advice(finding.rule)
                pane.show(finding.id, attack_path_text(path, advice))

            def work(store: Store, scan: int) -> AttackPath:
                self.undercroft.load_advice()
                return store.attack_path(scan, finding.id)

            self.fetch("path", work, done)

    def reload(self) -> None:
        """The list, and the path again: a decision may have changed it."""
        super().reload()
        self._look_closer()

    # Acting

    def current_finding(self) -> FindingRow | None:
        """The combination is a finding of its own: accepting it is what silences it."""
        row = self.table.row
        return row.finding if row else None

    def action_export(self) -> None:
        """Write those that hold to a file."""
        self.undercroft.export(_combined(self.query_now), self._held, "findings")

    def why_no_finding(self) -> str:
        """A possible one is no finding yet."""
        return "It is only possible: there is nothing to decide until the scan can tell."

    @on(VirtualTable.Opened, "#list")
    def _opened(self) -> None:
        row = self.table.row
        if row is not None:
            key = row.finding.resource_key if row.finding else ""
            self.undercroft.show_service(key or (row.possible.service.key if row.possible else ""))


def _may_hold(store: Store, scan_id: int, query: Query) -> Sequence[Possible]:
    """What could not be told; a filter is about findings, which these are not."""
    return () if query.filter else store.possible_combinations(scan_id)


def _combined(query: Query) -> Query:
    text = f"combination:yes ({query.filter})" if query.filter else "combination:yes status:active"
    return Query(text, query.sort, query.descending, query.service, query.layer)
