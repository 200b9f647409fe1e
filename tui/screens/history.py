"""History: every decision, who made it, when and why; any of them can be taken back from here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from tui.dialogs.base import Choice
from tui.dialogs.prompts import ChooseDialog
from tui.dialogs.results import TakeBack
from tui.dialogs.undo import UndoDialog
from tui.screens.reading import ReadingScreen
from tui.selection import Selection
from tui.text import ago, content, count, styled
from tui.widgets.columns import Column, Run
from tui.widgets.filter_line import FilterLine
from tui.widgets.hanging import HangingText
from tui.widgets.table import VirtualTable
from undercroft.model import Json
from undercroft.triage.events import verify
from undercroft.triage.previewing import Consequences
from undercroft.triage.searching import EVENT_KEYS
from undercroft.triage.undoing import Log
from undercroft.triage.wording import kind_words
from undercroft.views import EventRow

if TYPE_CHECKING:
    from undercroft.store import Store

__all__ = ["HistoryScreen", "event_words"]

LIMIT = 2000
"""Newest decisions shown; older ones are found by filtering."""
_TONES = {
    "accept": "status-accepted",
    "false_positive": "status-false-positive",
    "claim_fixed": "status-fix-claimed",
    "clear": "status-reopened",
    "note": "plain",
    "undo": "muted",
    "scope_accept": "status-accepted",
    "scope_end": "status-reopened",
}
_SAID = frozenset(
    {"reason", "text", "lapses_at", "fixed_at", "until", "category", "target", "covers"}
)
"""What the head of a decision says already."""


def event_words(row: EventRow) -> str:
    """What the event did, with its date or category."""
    word = kind_words(row.type, row.finding)
    extra = {
        "accept": "until",
        "scope_accept": "until",
        "false_positive": "category",
        "assign": "assignee",
        "override_severity": "severity",
    }.get(row.type)
    value = row.payload.get(extra) if extra else None
    if not value:
        return word
    joiner = "until" if row.type in {"accept", "scope_accept"} else "·"
    return f"{word} {joiner} {str(value).replace('_', ' ')}"


class HistoryScreen(ReadingScreen):
    """Newest first."""

    NAME = "history"
    AUTO_FOCUS = "#events"
    FILTER_KEYS = EVENT_KEYS
    CSS = """
    HistoryScreen #history-body { height: 1fr; }
    HistoryScreen #history-left { width: 3fr; height: 1fr; }
    HistoryScreen #events { height: 1fr; }
    HistoryScreen #event { width: 2fr; height: 1fr; padding: 0 1; border-left: solid $rule; }
    HistoryScreen #event:focus { border-left: solid $signature; }
    HistoryScreen #event > Static { height: auto; }
    HistoryScreen.-narrow #history-body { layout: vertical; }
    HistoryScreen.-narrow #history-left { width: 1fr; }
    HistoryScreen.-narrow #event {
        width: 1fr; height: 9; border-left: none; border-top: solid $rule;
    }
    HistoryScreen.-narrow #event:focus { border-left: none; border-top: solid $signature; }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]  # noqa: RUF012  (Textual's own shape)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", key_display="/", id="history.filter"),
        Binding(
            "U",
            "undo_this",
            "Undo this one",
            id="history.undo",
            tooltip="Shows first what it would change",
        ),
        Binding(
            "V", "verify", "Verify", id="history.verify", tooltip="Check that nothing was changed"
        ),
        Binding("L", "app_scopes", "Accepted rules", id="history.scopes"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._filter = ""
        self._rows: list[EventRow] = []
        self._sizes: dict[str, int] = {}
        """Batch → how many decisions of it still hold."""

    def body(self) -> ComposeResult:
        """The table with its filter line, and the selected decision in full."""
        with Horizontal(id="history-body"):
            with Vertical(id="history-left"):
                yield FilterLine(
                    placeholder="words, who:ann kind:accepted since:30d live:yes", keys=EVENT_KEYS
                )
                yield VirtualTable[EventRow](
                    self._columns(), key=lambda row: row.id, id="events", markable=False
                )
            with VerticalScroll(id="event"):
                yield HangingText(id="event-words")

    @property
    def table(self) -> VirtualTable[EventRow]:
        """The table of decisions."""
        return self.query_one("#events", VirtualTable)

    def set_filter(self, text: str) -> None:
        """Filter by this line."""
        self.query_one(FilterLine).set(text)

    def reload(self) -> None:
        """Read again; the cursor stays on its decision."""
        text = self._filter

        def work(store: Store) -> tuple[list[EventRow], dict[str, int]]:
            rows = store.history(text=text, limit=LIMIT)
            log = Log(store, self.undercroft.actor)
            batches = {row.batch for row in rows if row.batch is not None}
            return rows, {batch: log.live(batch) for batch in batches}

        self.read("history", work, self._show)

    def _show(self, answer: tuple[list[EventRow], dict[str, int]]) -> None:
        rows, self._sizes = answer
        here = self.table.row
        self._rows = rows
        at = next((i for i, row in enumerate(rows) if here and row.id == here.id), 0)
        if not rows and self._filter:
            self.table.say(f"Nothing in the history matches “{self._filter}”.")
        elif not rows:
            self.table.say(
                "No decision yet.",
                "Accept, claim fixed, mark a false positive or comment on a finding;",
                "it will stand here with who, when and why.",
            )
        self.table.show_rows(rows, cursor=at)
        number = (
            f"{LIMIT:,} newest decisions" if len(rows) == LIMIT else count(len(rows), "decision")
        )
        self.note = styled(number, "$muted")

    @on(VirtualTable.Highlighted, "#events")
    def _describe(self) -> None:
        row = self.table.row
        words = self.query_one("#event-words", Static)
        if row is None:
            words.update("")
            return
        lines = [
            Content.assemble(
                styled(self._words(row), f"bold ${_TONES.get(row.type, 'plain')}"),
                styled("" if row.live else "  undone", "$muted"),
                styled(
                    "  ⚑ in conflict with another copy" if row.conflict else "", "$severity-high"
                ),
            ),
            styled(f"{row.actor} · {row.at[:16].replace('T', ' ')}", "$muted"),
            Content(""),
        ]
        if row.title:
            lines.append(styled(row.title, "$strong"))
        if row.scope:
            lines.append(styled(row.scope, "$strong"))
        if row.resource_name:
            lines.append(styled(row.resource_name, "$muted"))
        lines.append(Content(""))
        if row.reason:
            lines += [content(line) for line in f"“{row.reason}”".split("\n")]
            lines.append(Content(""))
        lines += [
            Content.assemble(styled(f"{key.replace('_', ' ')}: ", "$muted"), content(_plain(value)))
            for key, value in row.payload.items()
            if value and key not in _SAID and value != row.reason
        ]
        if (together := self._together(row)) > 1:
            lines.append(styled(f"one of {together:,} decided together", "$muted"))
        if row.finding:
            lines.append(styled(f"finding {row.finding}", "$faint"))
        words.update(Content("\n").join(lines))
        self.query_one("#event", VerticalScroll).scroll_home(animate=False)

    @on(VirtualTable.Opened, "#events")
    def _open(self) -> None:
        row = self.table.row
        if row is None or not row.finding:
            self.notify("This one is not about a finding.", timeout=3)
        else:
            self.undercroft.show_finding(row.finding)

    def action_undo_this(self) -> None:
        """Take the selected decision back; a batch asks whether all of it."""
        row = self.table.row
        if row is None:
            self.notify("There is no decision to undo.", timeout=3)
            return
        if not row.live:
            self.notify("It is undone already.", timeout=3)
            return
        together = self._together(row)
        if row.batch is None or together < 2:
            self._take_back(row.id)
            return
        batch, event = row.batch, row.id
        options = (
            Choice("batch", f"all {together:,}", "everything that was decided together"),
            Choice("one", "only this one", row.title),
        )

        def undo(which: str | None) -> None:
            if which is not None:
                self._take_back(batch if which == "batch" else event)

        self.app.push_screen(ChooseDialog("Undo", event_words(row), options), undo)

    def _take_back(self, target: str) -> None:
        """Look what an undo would change, show it, then ask."""
        self.undercroft.look_ahead(target, lambda found: self._ask(target, found))

    def _ask(self, target: str, found: Consequences) -> None:
        def undo(reason: str | None) -> None:
            if reason is not None:
                said = reason if found.others else ""
                self.undercroft.decide(TakeBack(target, said), Selection())

        self.app.push_screen(UndoDialog(found), undo)

    def action_verify(self) -> None:
        """Walk every chain of the log, and say whether it is whole."""

        def work(store: Store) -> str:
            events = store.events()
            problems = verify(events)
            if problems:
                first = problems[0]
                return f"▲ The log is broken at event {first.event[:10]}: {first.message}."
            copies = count(len({event.replica for event in events}), "copy", "copies")
            return f"✓ {count(len(events), 'event')} of {copies}: every chain is whole."

        def said(sentence: str) -> None:
            grave = sentence.startswith("▲")
            self.notify(
                sentence, markup=False, severity="error" if grave else "information", timeout=8
            )

        self.read("verify", work, said)

    def action_app_scopes(self) -> None:
        """To the rules that are accepted as a whole."""
        self.undercroft.go("accepted_rules")

    def _together(self, row: EventRow) -> int:
        """How many live decisions were made in the same action, listed here or not."""
        return self._sizes.get(row.batch or "", 1)

    # The filter line

    def action_filter(self) -> None:
        """Open the filter line."""
        self.query_one(FilterLine).open()

    @on(FilterLine.Changed)
    def _narrow(self, event: FilterLine.Changed) -> None:
        self._filter = event.text
        self.reload()

    @on(FilterLine.Closed)
    def _to_list(self) -> None:
        self.table.focus()

    @on(FilterLine.ValuesWanted)
    def _values_wanted(self, event: FilterLine.ValuesWanted) -> None:
        key, prefix, line = event.key, event.prefix, event.line
        self.read(
            "values",
            lambda store: store.history_suggestions(key, prefix),
            lambda values: line.offer(key, prefix, values),
        )

    def action_back(self) -> None:
        """First the filter goes, then the screen."""
        if self._filter:
            self.query_one(FilterLine).set("")
        else:
            super().action_back()

    def _columns(self) -> list[Column[EventRow]]:
        return [
            Column("at", "WHEN", 10, self._when, sortable=False),
            Column("type", "WHAT", 25, self._what, most=25, sortable=False),
            Column("title", "FINDING", 18, lambda row: _dim(row, row.title or row.scope or "–"), grow=4, sortable=False),
            Column("resource", "RESOURCE", 14, lambda row: (row.resource_name, "muted"), grow=1, most=30, drop=3, sortable=False),
            Column("actor", "WHO", 12, lambda row: (_who(row.actor), "muted"), most=24, grow=1, drop=2, sortable=False),
        ]  # fmt: skip

    def _words(self, row: EventRow) -> str:
        """What the event did; an undo says what it took back."""
        if row.type == "undo" and row.target:
            for other in self._rows:
                if row.target in {other.id, other.batch}:
                    return f"undid: {event_words(other)}"
        return event_words(row)

    def _what(self, row: EventRow) -> Sequence[Run]:
        tone = _TONES.get(row.type, "plain") if row.live else "faint"
        mark = "⚑ " if row.conflict else "↶ " if not row.live else ""
        return (mark, "severity-high" if row.conflict else "faint"), (self._words(row), tone)

    def _when(self, row: EventRow) -> Run:
        return ago(row.at, self.undercroft.clock()) or row.at[:10], "muted"


def _dim(row: EventRow, text: str) -> Run:
    return text, "" if row.live else "faint"


def _who(actor: str) -> str:
    """The name, or what stands before the @ where there is none."""
    name, _, address = actor.partition("<")
    return name.partition("@")[0].strip() or address.partition("@")[0]


def _plain(value: Json) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(str(item) for item in value)
    return str(value)
