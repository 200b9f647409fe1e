"""The command palette: every screen, action, saved view, scan, service and theme by fuzzy name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.fuzzy import FuzzySearch

from tui.places import title
from tui.text import ago, shown
from undercroft.text import standing
from undercroft.views import Query, ScanRow, ServiceRow

if TYPE_CHECKING:
    from tui.app import UndercroftApp

__all__ = ["UndercroftCommands"]

_SERVICES = 2000
"""So many services are matched by name; beyond them the worst ones come first anyway."""
_SCREENS = {
    "services": "every AI service, worst first",
    "findings": "everything that was found, as one table",
    "overview": "every service by layer as a heat map, and the trend over scans",
    "combinations": "findings that are worse together, as attack paths",
    "fix_first": "what to repair first, and what if",
    "scans": "saved scans and what they could not read",
    "scan_progress": "the scan that is running",
    "rules": "what is looked for, and how",
    "changes": "two scans side by side",
    "history": "every decision, who, when and why",
    "accepted_rules": "rules that are accepted as a whole, and what they cover",
}
_HIDDEN = ("table.", "tower.", "detail.", "json.", "filter.", "view.back", "view.next_pane",
           "view.previous_pane", "layer.", "go.", "app.palette", "choices.")  # fmt: skip
"""Bindings that make no sense once one has left the widget to open the palette."""


@dataclass(frozen=True, slots=True)
class _Command:
    """One line of the palette; ``name`` and ``help`` are clean text."""

    name: str
    help: str
    run: Callable[[], Any]
    first: bool = False
    """Whether it is offered before anything is typed."""


class UndercroftCommands(Provider):
    """Names read as ``topic: what``, so that they sort and are found by topic."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._services: list[ServiceRow] = []
        self._scans: list[ScanRow] = []
        self._next: dict[str, str] = {}
        """Binding id → what undo or redo would be about."""

    @property
    def _app(self) -> UndercroftApp:
        return cast("UndercroftApp", self.app)

    async def startup(self) -> None:
        """Read names of services and scans, off the event loop."""
        store, scan = self._app.store, self._app.scan
        if store is None:
            return
        self._scans = await asyncio.to_thread(store.scans)
        triage = self._app.triage
        if triage is not None:
            undo = await asyncio.to_thread(triage.next_undo)
            redo = await asyncio.to_thread(triage.next_redo)
            self._next = {"app.undo": undo or "nothing of yours", "app.redo": redo or "nothing"}
        if scan is not None:
            read = partial(store.services, scan.id, Query(), 0, _SERVICES)
            self._services = await asyncio.to_thread(read)

    async def discover(self) -> Hits:
        """What is offered before anything is typed: screens and actions."""
        for command in self._commands():
            if command.first:
                yield DiscoveryHit(
                    Content(command.name), command.run, command.name, Content(command.help).markup
                )

    async def search(self, query: str) -> Hits:
        """Everything whose name matches."""
        fuzzy = FuzzySearch()
        for command in self._commands():
            score, offsets = fuzzy.match(query, command.name)
            if score > 0:
                # Our own highlighting: the matcher's would read a cloud's names as markup.
                name = Content(command.name)
                for offset in offsets:
                    name = name.stylize("bold underline", offset, offset + 1)
                yield Hit(score, name, command.run, command.name, Content(command.help).markup)

    def _commands(self) -> Iterator[_Command]:
        yield from self._screens()
        yield from self._actions()
        yield from self._views()
        yield from self._of_data()
        yield from self._themes()

    def _screens(self) -> Iterator[_Command]:
        app = self._app
        for name, words in _SCREENS.items():
            if name != "scan_progress" or app.scan_run is not None:
                yield _Command(f"go: {title(name)}", words, partial(app.go, name), first=True)

    def _actions(self) -> Iterator[_Command]:
        """Whatever can be done on the screen beneath, with its key as it is mapped now."""
        seen: set[str] = set()
        for node, binding, enabled, tooltip in self.screen.active_bindings.values():
            name = binding.id or ""
            if not enabled or not binding.description or binding.system or name in seen:
                continue
            if not name or name.startswith(_HIDDEN):
                continue
            seen.add(name)
            key = self.app.get_key_display(binding)
            words = (
                f"{tooltip}  ({key})" if tooltip and tooltip != binding.description else f"({key})"
            )
            if name in self._next:
                words = f"{shown(self._next[name])}  ({key})"
            run = partial(self.app.run_action, binding.action, node)
            yield _Command(f"do: {binding.description.lower()}", words, run, first=True)

    def _views(self) -> Iterator[_Command]:
        app = self._app
        for name, view in app.settings.views.items():
            screen, _, text = view.partition(":")
            run = partial(app.go, screen.strip(), filter=text.strip())
            yield _Command(f"view: {shown(name)}", shown(view), run, first=True)

    def _of_data(self) -> Iterator[_Command]:
        app, now = self._app, self._app.clock()
        for service in self._services:
            words = f"{service.type} · {service.account} · {service.region}"
            run = partial(app.show_service, service.key)
            yield _Command(f"service: {shown(service.name)}", shown(words), run)
        for scan in self._scans:
            if scan.state in {"complete", "partial"}:
                name = shown(scan.name or f"scan {scan.id}")
                words = f"{ago(scan.finished_at, now)}, {standing(scan.findings)}"
                yield _Command(f"scan: {name}", words, partial(app.open_scan, scan.id))

    def _themes(self) -> Iterator[_Command]:
        for name in sorted(self.app.available_themes):
            now = "in use" if name == self.app.theme else "change the colours"
            yield _Command(f"theme: {name}", now, partial(setattr, self.app, "theme", name))
