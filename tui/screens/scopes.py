"""Rules that were accepted, or rated otherwise than they say, within some boundary: what each covers
now, and what acceptances have come to cover since somebody looked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content

from tui.dialogs.results import EndScope, MarkSeen
from tui.dialogs.ruling import EndDialog
from tui.glyphs import GLYPH, severity_tone
from tui.screens.reading import ReadingScreen
from tui.selection import Selection
from tui.text import ago, clip_middle, count, days_left, styled
from tui.widgets.columns import Column, Run
from tui.widgets.detail import DetailPane
from tui.widgets.table import VirtualTable
from undercroft.triage.places import elided
from undercroft.triage.reports import ScopeRow

__all__ = ["ScopesScreen"]


def _empty(key: Callable[[str], str]) -> tuple[Sequence[Run] | str, ...]:
    """What would be here, and how it comes here. ``key``: binding id → the key as mapped."""
    return (
        (("No rule is accepted as a whole.", "strong"),),
        "",
        "A rule that does not matter in one place can be",
        "accepted there: for findings now and later ones.",
        "",
        (
            (key("go.findings"), "signature"),
            (" goes to the findings, ", "muted"),
            (key("finding.accept"), "signature"),
            (" accepts one;", "muted"),
        ),
        "choose there how much it covers.",
    )


_TONES = {"active": "status-accepted", "lapsed": "status-reopened"}


class ScopesScreen(ReadingScreen):
    """Newest first."""

    NAME = "accepted rules"
    AUTO_FOCUS = "#scopes"
    CSS = """
    ScopesScreen #scopes-body { height: 1fr; }
    ScopesScreen #scopes { width: 3fr; height: 1fr; }
    ScopesScreen DetailPane { width: 2fr; height: 1fr; border-left: solid $rule; }
    ScopesScreen DetailPane:focus { border-left: solid $signature; }
    ScopesScreen.-narrow #scopes-body { layout: vertical; }
    ScopesScreen.-narrow #scopes { width: 1fr; }
    ScopesScreen.-narrow DetailPane { width: 1fr; border-left: none; border-top: solid $rule; }
    ScopesScreen.-narrow DetailPane:focus { border-left: none; border-top: solid $signature; }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012  (Textual's own shape)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "o", "seen", "Seen", id="scopes.seen", tooltip="You have seen what is newly covered"
        ),
        Binding("x", "end", "End it", id="scopes.end", tooltip="Asks why"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[ScopeRow] = []
        self._elided: tuple[int, Mapping[str, str]] = (0, {})
        """A width, and each row's place as it fits there."""

    @property
    def quiet(self) -> frozenset[str]:
        """Keys that have nothing to act on: the footer leaves them out."""
        row = self.table.row
        newly = row is not None and bool(row.newly)
        active = row is not None and row.state == "active"
        dead = {"scopes.seen": not newly, "scopes.end": not active}
        return frozenset(name for name, is_dead in dead.items() if is_dead)

    def body(self) -> ComposeResult:
        """The table, and the selected one in full."""
        with Horizontal(id="scopes-body"):
            yield VirtualTable[ScopeRow](
                self._columns(), key=lambda row: row.event, id="scopes", markable=False
            )
            yield DetailPane()

    @property
    def table(self) -> VirtualTable[ScopeRow]:
        """The table of accepted rules."""
        return self.query_one("#scopes", VirtualTable)

    def reload(self) -> None:
        """Read again; the cursor stays on its rule."""
        if self.undercroft.scan is None:
            self.table.say(*self.undercroft.nothing_yet())
            return
        self.fetch("scopes", lambda store, scan: store.scopes(scan), self._show)

    def _show(self, rows: list[ScopeRow]) -> None:
        here = self.table.row
        self._rows, self._elided = rows, (0, {})
        at = next((i for i, row in enumerate(rows) if here and row.event == here.event), 0)
        if not rows:
            self.table.say(*_empty(self.undercroft.mapped))
        self.table.show_rows(rows, cursor=at)
        newly = sum(len(row.newly) for row in rows)
        words = f"{count(newly, 'finding')} newly covered" if newly else "nothing newly covered"
        words = words if rows else "0 accepted rules"
        self.note = styled(words, "$severity-medium" if newly else "$muted")

    @on(VirtualTable.Highlighted, "#scopes")
    def _describe(self) -> None:
        row, pane = self.table.row, self.query_one(DetailPane)
        self.refresh_bindings()
        if row is None:
            pane.say("")
            return
        now = self.undercroft.clock()
        left = days_left(row.until, now)
        until = f"until {row.until}" + (
            f", {count(left, 'day')} left" if left is not None and row.state == "active" else ""
        )
        lines = [
            styled(row.subject, "bold $strong"),
            styled(row.where, "$strong"),
            styled(f"{_kind(row)}, {row.state}, {until}", f"${_TONES.get(row.state, 'muted')}"),
            styled(f"{row.actor}, {ago(row.at, now) or row.at[:10]}", "$muted"),
            *([styled(f"{row.owner} answers for it", "$muted")] if row.owner else []),
            Content(""),
            styled(f"“{row.reason}”", "$plain"),
            Content(""),
            styled(f"covers {count(row.covers, 'finding')} now", "$plain"),
        ]
        if row.newly:
            lines += [Content(""), Content.styled("Newly covered", "bold $severity-medium")]
            for finding in row.newly:
                lines.append(
                    Content.assemble(
                        (f"{GLYPH[finding.severity]} ", f"${severity_tone(finding.severity)}"),
                        styled(finding.title, "$plain"),
                        ("  ", ""),
                        styled(finding.resource_name, "$muted"),
                    )
                )
        pane.show(row.event, Content("\n").join(lines))

    @on(VirtualTable.Opened, "#scopes")
    def _open(self) -> None:
        row = self.table.row
        if row is not None:
            status = "" if row.severity else " status:accepted"
            self.undercroft.show_findings(f"rule:{row.rule}{status}")

    def action_seen(self) -> None:
        """Mark what the selected rule has come to cover as seen."""
        row = self.table.row
        if row is None or not row.newly:
            self.undercroft.say_why("It covers nothing that has not been seen.")
            return
        answer = MarkSeen(row.event, tuple(finding.id for finding in row.newly))
        self.undercroft.decide(answer, Selection())

    def action_end(self) -> None:
        """End the selected acceptance before its day; asks why."""
        row = self.table.row
        if row is None or row.state != "active":
            self.undercroft.say_why("It is not in force, so there is nothing to end.")
            return
        again = "as the rule says" if row.severity else "open"
        subject = f"{row.words}: {count(row.covers, 'finding')} would be {again} again."

        def end(answer: EndScope | None) -> None:
            if answer is not None:
                self.undercroft.decide(answer, Selection())

        self.app.push_screen(
            EndDialog(row.event, "Why does it no longer hold?", subject, "end it"), end
        )

    def _columns(self) -> list[Column[ScopeRow]]:
        return [
            Column("state", "STATE", 8, self._state, sortable=False),
            Column("rule", "RULE", 14, self._rule, comfort=26, grow=4, most=48, sortable=False),
            Column("where", "WHERE", 20, self._where, comfort=24, grow=3, sortable=False),
            Column("until", "UNTIL", 10, lambda row: (row.until, "muted"), sortable=False, drop=2),
            Column("covers", "COVERS", 6, lambda row: f"{row.covers:,}", right=True, sortable=False),
            Column("newly", "NEWLY", 5, self._newly, right=True, sortable=False),
            Column("owner", "OWNER", 10, lambda row: (row.owner, "muted"), most=20, grow=1, drop=4, sortable=False),
        ]  # fmt: skip

    def _state(self, row: ScopeRow) -> Run:
        holds = row.state == "active"
        word = ("rated" if row.severity else "accepted") if holds else row.state
        return word, _TONES.get(row.state, "faint")

    def _rule(self, row: ScopeRow) -> str:
        return clip_middle(row.subject, self.table.width_of("rule"))

    def _where(self, row: ScopeRow) -> Run:
        # What tells the rows apart is kept where not all of it has room.
        width = self.table.width_of("where")
        if self._elided[0] != width:
            places = elided([one.where for one in self._rows], width)
            self._elided = (
                width,
                {one.event: place for one, place in zip(self._rows, places, strict=True)},
            )
        return clip_middle(self._elided[1].get(row.event, row.where), max(width, 1)), "muted"

    def _newly(self, row: ScopeRow) -> Run:
        return (f"+{len(row.newly):,}", "severity-medium") if row.newly else ("–", "faint")


def _kind(row: ScopeRow) -> str:
    return f"rated {row.severity.value}" if row.severity else "accepted"
