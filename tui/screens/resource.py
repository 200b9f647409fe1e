"""One resource: its configuration with the offending fields marked, what lies beneath and above it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Static

from tui.screens.acting import ActingScreen
from tui.screens.base import BaseScreen
from tui.screens.resource_tables import (
    above_table,
    beneath_table,
    findings_table,
    history_table,
    relation_words,
)
from tui.selection import Selection
from tui.text import ago, content, count, place_of, styled
from tui.widgets.finding_text import path_text, status_text
from tui.widgets.hanging import HangingText
from tui.widgets.json_pane import JsonPane
from tui.widgets.json_tree import JsonTree, Mark
from tui.widgets.lines import side_by_side
from tui.widgets.table import VirtualTable
from undercroft.model import Evidence, Presence
from undercroft.risk.repairs import CHOKE_POINT
from undercroft.store import Store
from undercroft.views import FindingRow, ResourceDetail

__all__ = ["PANES", "ResourceScreen"]

PANES: dict[str, str] = {
    "json": "configuration",
    "beneath": "beneath",
    "above": "above",
    "findings": "findings",
    "history": "history",
}
"""Pane → its tab."""
_EVIDENCE = 200
"""Findings whose evidence is looked up for the marks; more than that is a vulnerability list."""


class HeadLine(Widget):
    """One line with something at each end; what does not fit on the left is cut."""

    left: reactive[Content] = reactive(Content(""))
    right: reactive[Content] = reactive(Content(""))

    def render(self) -> Content:
        """The line."""
        return side_by_side(self.left, self.right, self.size.width)


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A resource with where its findings point."""

    detail: ResourceDetail
    marks: tuple[Mark, ...]
    evidence: dict[str, tuple[Evidence, ...]]


class ResourceScreen(ActingScreen):
    """Tab goes through the panes; a wide terminal keeps the configuration in sight."""

    NAME = "resource"
    CSS = """
    ResourceScreen #resource-head, ResourceScreen #resource-id { height: 1; padding: 0 1; }
    ResourceScreen #resource-id { text-wrap: nowrap; text-overflow: ellipsis; color: $muted; }
    ResourceScreen #tabs { height: 1; padding: 0 1; background: $head-background; color: $muted; }
    ResourceScreen #resource-body { height: 1fr; }
    ResourceScreen #side { width: 1fr; height: 1fr; }
    ResourceScreen #side > VirtualTable { height: 1fr; display: none; }
    ResourceScreen #side-words {
        height: 5; padding: 0 1; border-top: solid $rule;
    }
    ResourceScreen #side-words > Static { height: auto; }
    ResourceScreen #json-pane { width: 1fr; }
    ResourceScreen.-narrow.-on-json #side { display: none; }
    ResourceScreen.-narrow.-on-side #json-pane { display: none; }
    ResourceScreen.-wide #side { border-left: solid $rule; }
    ResourceScreen.-wide #side-words { height: 9; }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (130, "-wide")]  # noqa: RUF012  (Textual's own shape)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "next_pane", "Next pane", id="view.next_pane"),
    ]

    pane: reactive[str] = reactive("json", init=False)

    def __init__(self, key: str, path: str = "", pane: str = "") -> None:
        """A resource.

        Args:
            key: Its resource key.
            path: Field to begin at; the first one that a finding points at by default.
            pane: Name in `PANES`; the configuration by default.
        """
        super().__init__()
        self.key = key
        self._path = path
        self._outer: tuple[str, ...] = ()
        self._loaded: _Loaded | None = None
        first = pane if pane in PANES else "json"
        self._side = first if first != "json" else "beneath"
        self.set_reactive(ResourceScreen.pane, first)

    def body(self) -> ComposeResult:
        """Head, tabs, the configuration, and the tables."""
        yield HeadLine(id="resource-head")
        yield Static(id="resource-id")
        yield Static(id="tabs")
        with Horizontal(id="resource-body"):
            yield JsonPane(id="json-pane")
            with Vertical(id="side"):
                yield beneath_table()
                yield above_table()
                yield findings_table()
                yield history_table()
                with VerticalScroll(id="side-words", can_focus=False):
                    yield HangingText(id="side-text")

    def on_mount(self) -> None:
        """Where one came from stays in the crumbs."""
        stack = self.app.screen_stack
        below = stack[-2] if len(stack) > 1 else None
        self._outer = below.trail if isinstance(below, BaseScreen) else ()
        self._draw_trail(self.key.rsplit("/", 1)[-1])
        self.watch_pane()

    # Data

    def reload(self) -> None:
        """Read the resource and where its findings point."""
        key = self.key
        self.fetch("resource", lambda store, scan: _load(store, scan, key), self._show)

    def load_failed(self, sentence: str) -> None:
        """It is not in this scan, or could not be read."""
        self.query_one(HeadLine).left = styled(sentence, "$severity-medium")

    def _show(self, loaded: _Loaded) -> None:
        old = self._loaded
        first = old is None
        if first and self.pane == "json":
            self._side = "beneath" if loaded.detail.resource.service else "above"
        self._loaded = loaded
        detail = loaded.detail
        self._draw_trail(detail.resource.name or self.key)
        self._draw_head(detail)
        if old is None or old.detail.resource != detail.resource or old.marks != loaded.marks:
            pane = self.query_one(JsonPane)
            line = pane.view.current
            tree = _document(detail, loaded.marks)
            pane.show(tree, path=self._path if first or line is None else line.path)
        self._fill("beneath", detail.beneath)
        self._fill("above", detail.services)
        self._fill("findings", detail.findings)
        self._fill("history", detail.history)
        self._draw_tabs()
        self._describe()
        if first:
            self.watch_pane()

    def _draw_trail(self, name: str) -> None:
        self.trail = (*(self._outer[:-1] if self._outer[-1:] == (name,) else self._outer), name)

    def _fill(self, pane: str, rows: Sequence[object]) -> None:
        table = self._table(pane)
        table.show_rows(rows, cursor=table.cursor)

    def _draw_head(self, detail: ResourceDetail) -> None:
        """What it is, where, how it is known; then its id in the provider's own words."""
        resource = detail.resource
        place = place_of(resource.account, resource.region)
        head = self.query_one(HeadLine)
        head.left = Content.assemble(
            styled(f"{resource.type} · {resource.layer.value}", "$plain"),
            styled(f" · {place}" if place else "", "$muted"),
        )
        if resource.presence is Presence.STUB:
            head.right = styled("not read: only named by others", "$severity-medium")
        elif resource.presence is Presence.ABSENT:
            head.right = styled("does not exist (any more)", "$severity-high")
        elif resource.unknown:
            unread = f"▲ {count(len(resource.unknown), 'field')} not read"
            head.right = styled(unread, "$severity-medium")
        elif resource.implied:
            head.right = styled("managed by the provider", "$muted")
        elif resource.collected_at:
            read = ago(resource.collected_at, self.undercroft.clock())
            head.right = styled(f"read {read}", "$faint")
        self.query_one("#resource-id", Static).update(content(resource.native_id or resource.key))

    # Panes

    def _table(self, pane: str) -> VirtualTable[object]:
        return self.query_one(f"#{pane}", VirtualTable)

    def _number(self, pane: str) -> int | None:
        if self._loaded is None:
            return None
        detail = self._loaded.detail
        numbers = {
            "beneath": len(detail.beneath),
            "above": len(detail.services),
            "findings": len(detail.findings),
            "history": len(detail.history),
        }
        return numbers.get(pane)

    def _draw_tabs(self) -> None:
        parts: list[Content] = []
        for pane, words in PANES.items():
            number = self._number(pane)
            text = words if number is None else f"{words} {number:,}"
            on = pane == self.pane
            beside = self.has_class("-wide") and pane in {"json", self._side}
            style = "bold $signature underline" if on else "$plain" if beside else "$muted"
            parts.append(styled(text, style))
        if (self._number("above") or 0) >= CHOKE_POINT:
            parts.append(Content.styled("◈ choke point", "bold $signature"))
        self.query_one("#tabs", Static).update(Content("   ").join(parts))

    def watch_pane(self) -> None:
        """Show the pane and put the cursor there."""
        if not self.is_mounted:
            return
        if self.pane != "json":
            self._side = self.pane
        self.set_class(self.pane == "json", "-on-json")
        self.set_class(self.pane != "json", "-on-side")
        for pane in PANES:
            if pane != "json":
                self._table(pane).display = pane == self._side
        if self.pane == "json":
            self.query_one(JsonPane).view.focus()
        else:
            self._table(self.pane).focus()
        self._draw_tabs()
        self._describe()

    def on_resize(self) -> None:
        """The breakpoint may have changed what the tabs mean."""
        self.call_after_refresh(self._draw_tabs)

    def action_next_pane(self) -> None:
        """To the next tab."""
        self._step(1)

    def action_previous_pane(self) -> None:
        """To the tab before."""
        self._step(-1)

    def _step(self, by: int) -> None:
        names = list(PANES)
        self.pane = names[(names.index(self.pane) + by) % len(names)]

    # The words under the tables

    @on(VirtualTable.Highlighted)
    def _describe(self) -> None:
        words = self.query_one("#side-text", Static)
        loaded = self._loaded
        if loaded is None:
            words.update("")
            return
        index = self._table(self._side).cursor
        words.update(self._words(loaded.detail, self._side, index))

    def _words(self, detail: ResourceDetail, pane: str, index: int) -> Content:
        name = detail.resource.name
        if pane == "beneath" and index < len(detail.beneath):
            edge, ref = detail.beneath[index]
            lines = [content(f"{name} {relation_words(edge.relation)} {ref.name}")]
            lines.append(
                styled(f"{edge.via} · {edge.certainty}  {edge.detail}".strip(" ·"), "$muted")
            )
            lines.append(styled(ref.native_id or ref.key, "$faint"))
            return Content("\n").join(lines)
        if pane == "above" and index < len(detail.services):
            _, path = detail.services[index]
            return Content("\n").join(path_text(path) or [styled("It is the service.", "$muted")])
        if pane == "findings" and index < len(detail.findings):
            row = detail.findings[index]
            lines = [styled(row.title, "$strong"), status_text(row, self.undercroft.clock())]
            evidence = self._loaded.evidence.get(row.id, ()) if self._loaded else ()
            lines += [styled(item.path, "$muted") for item in evidence[:3]]
            return Content("\n").join(lines)
        if pane == "history" and index < len(detail.history):
            scan, what = detail.history[index]
            return content(f"{scan.name or f'scan {scan.id}'}: {what}")
        return Content("")

    # Acting

    @on(VirtualTable.Opened)
    def _open(self, event: VirtualTable.Opened) -> None:
        if self._loaded is None:
            return
        detail, index = self._loaded.detail, event.index
        if event.table.id == "beneath":
            self.undercroft.show_resource(detail.beneath[index][1].key)
        elif event.table.id == "above":
            self.undercroft.show_service(detail.services[index][0].key)
        elif event.table.id == "findings":
            self._point_at(detail.findings[index])
        else:
            scan = detail.history[index][0]
            self.notify(f"Open it from the scans: {scan.name or scan.id}", markup=False, timeout=3)

    def _point_at(self, row: FindingRow) -> None:
        """Go to the first field that a finding is about."""
        loaded, pane = self._loaded, self.query_one(JsonPane)
        evidence = loaded.evidence.get(row.id, ()) if loaded else ()
        found = [item.path for item in evidence if pane.view.document.find(item.path) is not None]
        self.pane = "json"
        if found:
            pane.view.go_to(found[0])
        else:
            self.notify("No single field shows it.", timeout=3)

    def current_finding(self) -> FindingRow | None:
        """The row of the findings pane, or what points at the line under the cursor."""
        if self._loaded is None:
            return None
        findings = self._loaded.detail.findings
        if self.pane == "findings":
            index = self._table("findings").cursor
            return findings[index] if index < len(findings) else None
        if self.pane == "json":
            marks = self.query_one(JsonPane).view.marks_here
            return next((row for row in findings if marks and row.id == marks[0].finding), None)
        return None

    def why_no_finding(self) -> str:
        """What to do to select one."""
        return "No finding points at this line; choose one in the findings pane."

    def selected_findings(self) -> Selection:
        """Marked findings of the findings pane, else the current one."""
        table = self._table("findings")
        if self.pane != "findings" or not table.marks or self._loaded is None:
            return super().selected_findings()
        ids = tuple(row.id for row in self._loaded.detail.findings if row.id in table.marks)
        scan = self.undercroft.scan
        return Selection(ids, count(len(ids), "finding"), len(ids), scan.id if scan else None)

    def decided(self) -> None:
        """The marks have served."""
        self._table("findings").clear_marks()

    def action_blast(self) -> None:
        """The AI services above it."""
        self.pane = "above"

    def action_resource(self) -> None:
        """From a finding to the field that it is about."""
        row = self.current_finding()
        if row is None:
            self.pane = "json"
        else:
            self._point_at(row)

    def action_console(self) -> None:
        """Its page in the cloud's console."""
        if self._loaded is not None:
            resource = self._loaded.detail.resource
            self.undercroft.open_console(resource.provider, resource.native_id, resource.account)


def _load(store: Store, scan_id: int, key: str) -> _Loaded:
    detail = store.resource(scan_id, key)
    evidence: dict[str, tuple[Evidence, ...]] = {}
    marks: list[Mark] = []
    for row in detail.findings[:_EVIDENCE]:
        evidence[row.id] = store.finding(scan_id, row.id).evidence
        if row.status in {"fixed", "gone", "retired"}:
            continue
        marks += [Mark(item.path, row.severity, row.title, row.id) for item in evidence[row.id]]
    return _Loaded(detail, tuple(marks), evidence)


def _document(detail: ResourceDetail, marks: Sequence[Mark]) -> JsonTree:
    resource = detail.resource
    unread = dict(resource.unknown)
    if resource.presence is Presence.STUB:
        unread.setdefault("config", "not collected; it is only named by what depends on it")
    elif resource.presence is Presence.ABSENT:
        unread.setdefault("config", "the provider says that it does not exist")
    sections = {"config": resource.config, "facts": resource.facts, "tags": resource.tags}
    kept = {name: value for name, value in sections.items() if value or name == "config"}
    return JsonTree.build(kept, unread, marks)
