"""Changes: two scans side by side. What could not be looked at is never counted as fixed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from tui.dialogs.base import Choice
from tui.dialogs.prompts import ChooseDialog
from tui.glyphs import GLYPH, severity_tone
from tui.screens.reading import ReadingScreen
from tui.text import ago, clip, content, count, styled
from tui.widgets.columns import Cell, Column
from tui.widgets.detail import DetailPane
from tui.widgets.table import VirtualTable
from undercroft.fields import ABSENT, FieldChange
from undercroft.triage.compare import Kind
from undercroft.views import (
    Change,
    Comparison,
    CoverageChange,
    ResourceChange,
    ScanRow,
    ScoreChange,
)

__all__ = ["ChangesScreen"]

_SECTIONS = ("findings", "configuration", "coverage", "scores")
_MARKS = {
    Kind.NEW: ("✦", "signature"),
    Kind.REGRESSED: ("↻", "status-reopened"),
    Kind.RE_CREATED: ("⟲", "status-reopened"),
    Kind.CHANGED: ("≠", "plain"),
    Kind.NEWLY_SEEN: ("◌", "muted"),
    Kind.UNCONFIRMED: ("?", "severity-medium"),
    Kind.FIXED: ("✓", "good"),
    Kind.GONE: ("−", "muted"),
    Kind.PERSISTING: ("·", "faint"),
}
_RESOURCE_TONES = {"changed": "plain", "re-created": "status-reopened", "new": "signature"}
_VALUE = 400
"""Characters of a configuration value that are shown."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the table, whatever it is about."""

    key: str
    what: Cell
    subject: Cell
    where: str
    why: str
    of: Change | ResourceChange | CoverageChange | ScoreChange


class ChangesScreen(ReadingScreen):
    """The shown scan against an older one."""

    NAME = "changes"
    AUTO_FOCUS = "#changes"
    CSS = """
    ChangesScreen #changes-head { height: auto; padding: 0 1; }
    ChangesScreen #changes-body { height: 1fr; }
    ChangesScreen #changes { width: 3fr; height: 1fr; }
    ChangesScreen DetailPane { width: 2fr; height: 1fr; border-left: solid $rule; }
    ChangesScreen DetailPane:focus { border-left: solid $signature; }
    ChangesScreen.-narrow #changes-body { layout: vertical; }
    ChangesScreen.-narrow #changes { width: 1fr; height: 1fr; }
    ChangesScreen.-narrow DetailPane { width: 1fr; height: 1fr; border-left: none; border-top: solid $rule; }
    ChangesScreen.-narrow DetailPane:focus { border-left: none; border-top: solid $signature; }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012  (Textual's own shape)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("z", "section", "Next section", id="changes.section",
                tooltip="Findings, configuration, coverage, scores"),
        Binding("o", "older", "Other scan", id="changes.older", tooltip="Compare with another scan"),
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._older: int | None = None
        """The scan that was asked for; None is the one before the shown one."""
        self._section = _SECTIONS[0]
        self._found: Comparison | None = None
        self._scans: list[ScanRow] = []

    def body(self) -> ComposeResult:
        """What the comparison says; its lines; the selected one in full."""
        yield Static(id="changes-head")
        with Horizontal(id="changes-body"):
            yield VirtualTable[Entry](
                self._columns(), key=lambda entry: entry.key, id="changes", markable=False
            )
            yield DetailPane()

    @property
    def table(self) -> VirtualTable[Entry]:
        """The table of changes."""
        return self.query_one("#changes", VirtualTable)

    def compare_with(self, scan_id: int) -> None:
        """Show what changed since that scan."""
        self._older = scan_id
        if self.is_mounted:
            self.reload()

    # Reading

    def reload(self) -> None:
        """Compare again."""
        shown = self.undercroft.scan
        store = self.undercroft.store
        if shown is None or store is None:
            self.table.say(self.undercroft.state_text)
            return
        if self._found is None:
            self.table.say("comparing…")
        wanted, newer = self._older, shown.id

        def work() -> tuple[list[ScanRow], Comparison | None]:
            scans = [scan for scan in store.scans() if scan.state in {"complete", "partial"}]
            older = next((scan.id for scan in scans if scan.id == wanted), None)
            if older is None:
                older = next((scan.id for scan in scans if scan.id < newer), None)
            if older is None or older == newer:
                return scans, None
            return scans, store.compare(older, newer)

        self.run_slow("changes", work, self._compared)

    def _compared(self, answer: tuple[list[ScanRow], Comparison | None]) -> None:
        self._scans, self._found = answer
        if self._found is None:
            self.query_one("#changes-head", Static).update("")
            self.table.say(
                "There is no other scan to compare with yet.",
                "The next scan of the same estate will show here what has changed.",
            )
            self.table.show_rows([], cursor=0)
            return
        self._draw()

    def _draw(self) -> None:
        found = self._found
        if found is None:
            return
        here = self.table.row
        entries = self._entries(found)
        at = next((i for i, entry in enumerate(entries) if here and entry.key == here.key), 0)
        if not entries:
            self.table.say(f"Nothing is different about the {self._section}.")
        self.table.show_rows(entries, cursor=at)
        self.query_one("#changes-head", Static).update(self._head(found))
        self.note = styled(f"{count(found.counts[Kind.PERSISTING], 'finding')} as before", "$muted")

    def _head(self, found: Comparison) -> Content:
        """Both scans; what could not be re-checked before what was fixed; the sections."""
        now = self.undercroft.clock()
        names = [
            f"{scan.name or f'scan {scan.id}'} ({ago(scan.finished_at, now) or scan.finished_at[:10]})"
            for scan in (found.older, found.newer)
        ]
        counts = found.counts
        parts: list[Content] = []
        if unseen := counts[Kind.UNCONFIRMED]:
            words = f"? {count(unseen, 'finding')} could not be re-checked"
            parts.append(Content.styled(words, "bold $severity-medium"))
        for kind in Kind:
            if kind in {Kind.UNCONFIRMED, Kind.PERSISTING} or not counts[kind]:
                continue
            glyph, tone = _MARKS[kind]
            parts.append(Content.styled(f"{glyph} {counts[kind]:,} {kind.value}", f"${tone}"))
        if not parts:
            parts.append(Content.styled("no finding changed", "$muted"))
        numbers = {
            "findings": len(found.changes),
            "configuration": len(found.resources),
            "coverage": len(found.coverage),
            "scores": len(found.scores),
        }
        tabs = [
            Content.styled(
                f"{name} {numbers[name]:,}",
                "bold $signature underline" if name == self._section else "$muted",
            )
            for name in _SECTIONS
        ]
        return Content("\n").join(
            [
                Content.assemble(styled(names[0], "$muted"), (" → ", "$faint"), styled(names[1], "$plain")),
                Content("   ").join(parts),
                Content("  ").join(tabs),
            ]
        )  # fmt: skip

    def _entries(self, found: Comparison) -> list[Entry]:
        match self._section:
            case "findings":
                return [_finding_entry(change) for change in found.changes]
            case "configuration":
                return [_resource_entry(change) for change in found.resources]
            case "coverage":
                return [_coverage_entry(change) for change in found.coverage]
            case _:
                return [_score_entry(change) for change in found.scores]

    # The line under the cursor

    @on(VirtualTable.Highlighted, "#changes")
    def _describe(self) -> None:
        entry, pane = self.table.row, self.query_one(DetailPane)
        found, store = self._found, self.undercroft.store
        if entry is None or found is None or store is None:
            pane.say("")
            return
        if isinstance(entry.of, Change):
            pane.show(entry.key, _finding_text(entry.of))
            key = entry.of.resource_key
        elif isinstance(entry.of, ResourceChange):
            pane.show(entry.key, _resource_text(entry.of, None))
            key = entry.of.key
        else:
            pane.show(entry.key, _plain_text(entry))
            return
        older, newer = found.older.id, found.newer.id
        self.run_slow(
            "fields",
            lambda: store.config_changes(older, newer, key),
            lambda fields: self._show_fields(entry, fields),
        )

    def _show_fields(self, entry: Entry, fields: list[FieldChange]) -> None:
        here = self.table.row
        if here is None or here.key != entry.key:
            return
        pane = self.query_one(DetailPane)
        if isinstance(entry.of, Change):
            text = _finding_text(entry.of)
            seen = entry.of.kind not in {Kind.GONE, Kind.UNCONFIRMED}
            if fields and seen:
                text = Content("\n").join(
                    [text, Content(""), _heading("Configuration"), *_fields(fields)]
                )
            pane.show(entry.key, text)
        elif isinstance(entry.of, ResourceChange):
            both = entry.of.kind in {"changed", "re-created"}
            pane.show(entry.key, _resource_text(entry.of, fields if both else None))

    @on(VirtualTable.Opened, "#changes")
    def _open(self) -> None:
        entry = self.table.row
        if entry is None:
            return
        if isinstance(entry.of, Change):
            self.undercroft.show_finding(entry.of.id)
        elif isinstance(entry.of, ResourceChange):
            self.undercroft.show_resource(entry.of.key)
        elif isinstance(entry.of, ScoreChange):
            self.undercroft.show_service(entry.of.key)
        else:
            self.undercroft.say_why("The scans screen shows what each unit could read.")

    # Keys

    def action_section(self) -> None:
        """Findings, configuration, coverage, scores, and round."""
        self._section = _SECTIONS[(_SECTIONS.index(self._section) + 1) % len(_SECTIONS)]
        self._draw()

    def action_older(self) -> None:
        """Choose the scan to compare with."""
        shown, now = self.undercroft.scan, self.undercroft.clock()
        others = [scan for scan in self._scans if shown is not None and scan.id != shown.id]
        if not others:
            self.undercroft.say_why("There is no other scan in this cache.")
            return
        options = [
            Choice(
                str(scan.id),
                scan.name or f"scan {scan.id}",
                f"{ago(scan.finished_at, now)}, {count(scan.findings, 'finding')}",
            )
            for scan in others
        ]

        def chosen(scan: str | None) -> None:
            if scan is not None:
                self.compare_with(int(scan))

        self.app.push_screen(ChooseDialog("What changed since which scan?", "", options), chosen)

    def _columns(self) -> list[Column[Entry]]:
        return [
            Column("what", "CHANGE", 13, lambda entry: entry.what, sortable=False),
            Column("subject", "SUBJECT", 20, lambda entry: entry.subject, grow=4, sortable=False),
            Column("where", "WHERE", 14, lambda entry: (entry.where, "muted"), grow=1, most=30, drop=2, sortable=False),
            Column("why", "WHY", 16, lambda entry: (entry.why, "muted"), grow=2, most=44, drop=3, wide=70, sortable=False),
        ]  # fmt: skip


def _finding_entry(change: Change) -> Entry:
    glyph, tone = _MARKS[change.kind]
    mark = f"{GLYPH[change.severity]} "
    return Entry(
        f"f:{change.id}",
        (f"{glyph} {change.kind.value}", tone),
        [(mark, severity_tone(change.severity)), (change.title, "")],
        change.resource_name,
        _why(change),
        change,
    )


def _resource_entry(change: ResourceChange) -> Entry:
    tone = _RESOURCE_TONES.get(change.kind, "muted")
    if change.kind == "not observed":
        tone = "severity-medium"
    return Entry(
        f"r:{change.key}", (change.kind, tone), change.name, change.type, change.reason, change
    )


def _coverage_entry(change: CoverageChange) -> Entry:
    word, tone = ("▲ lost", "severity-medium") if change.lost else ("gained", "good")
    unit = f"{change.collector} {change.location}"
    return Entry(
        f"c:{change.provider}/{change.scope}/{unit}",
        (word, tone),
        unit,
        change.scope,
        f"{change.before} → {change.after}" + (f": {change.reason}" if change.reason else ""),
        change,
    )


def _score_entry(change: ScoreChange) -> Entry:
    before, after = change.before, change.after
    if before is None or after is None:
        word, tone = ("appeared", "signature") if before is None else ("left", "muted")
    else:
        word = f"{after - before:+.1f}"
        tone = "worse" if after > before else "good"
    numbers = " → ".join("–" if value is None else f"{value:.1f}" for value in (before, after))
    return Entry(f"s:{change.key}", (word, tone), change.name, numbers, "", change)


def _why(change: Change) -> str:
    if change.differences:
        return ", ".join(
            "what decided it" if what == "evidence" else f"{what} {before} → {after}"
            for what, before, after, _ in change.differences
        )
    return change.reason


def _heading(text: str) -> Content:
    return Content.styled(text, "bold $muted")


def _finding_text(change: Change) -> Content:
    glyph, tone = _MARKS[change.kind]
    lines = [
        styled(change.title, "bold $strong"),
        styled(f"{change.resource_name} · {change.resource_type}", "$muted"),
        Content(""),
        Content.styled(f"{glyph} {change.kind.value}", f"bold ${tone}"),
        styled(_WORDS[change.kind], "$plain"),
    ]
    if change.reason:
        lines.append(styled(change.reason, "$severity-medium"))
    for what, before, after, worse in change.differences:
        mark = ("▲ worse", "$worse") if worse else ("", "")
        if what == "evidence":
            lines.append(content("What decided it is different."))
        else:
            lines.append(Content.assemble(f"{what}: {before} → {after}  ", mark))
    lines += [
        Content(""),
        styled(f"now {change.status.replace('_', ' ')}, {change.severity.value}", "$muted"),
        styled(f"beneath {count(change.services, 'AI service')}", "$muted"),
        styled(f"rule {change.cve or change.rule}", "$faint"),
        styled(f"finding {change.id}", "$faint"),
    ]
    return Content("\n").join(lines)


_WORDS = {
    Kind.NEW: "It fails now and did not before.",
    Kind.REGRESSED: "It had been fixed, and fails again.",
    Kind.RE_CREATED: "It fails on another resource of the same name.",
    Kind.CHANGED: "It fails as before, and something about it is different.",
    Kind.NEWLY_SEEN: "It fails now; whether it did before was not looked at.",
    Kind.UNCONFIRMED: "Whether it still fails could not be looked at. It is not fixed.",
    Kind.FIXED: "The newer scan saw it repaired.",
    Kind.GONE: "The newer scan saw that its resource is gone.",
    Kind.PERSISTING: "It fails as before.",
}


def _resource_text(change: ResourceChange, fields: Sequence[FieldChange] | None) -> Content:
    lines = [
        styled(change.name, "bold $strong"),
        Content.assemble(styled(change.kind, "bold $plain"), styled(f" · {change.type}", "$muted")),
        styled(change.key, "$faint"),
    ]
    if change.reason:
        lines.append(styled(change.reason, "$severity-medium"))
    if fields is not None:
        lines.append(Content(""))
        lines += _fields(fields) or [
            styled("Only what was derived from it is different.", "$muted")
        ]
    return Content("\n").join(lines)


def _fields(fields: Sequence[FieldChange]) -> list[Content]:
    lines: list[Content] = []
    for field in fields:
        lines.append(styled(field.path, "$muted"))
        if field.before is not ABSENT:
            lines.append(styled(f"  − {_value(field.before)}", "$good"))
        if field.after is not ABSENT:
            lines.append(styled(f"  + {_value(field.after)}", "$signature"))
    return lines


def _value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return clip(text, _VALUE)


def _plain_text(entry: Entry) -> Content:
    subject = entry.subject if isinstance(entry.subject, str) else ""
    return Content("\n").join(
        [
            styled(subject, "bold $strong"),
            styled(entry.where, "$muted"),
            styled(entry.why, "$plain"),
        ]
    )
