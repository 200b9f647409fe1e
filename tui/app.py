"""The app: paints its frame first, opens the cache in a worker, and carries decisions out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import BindingType
from textual.command import Provider
from textual.dom import DOMNode
from textual.screen import Screen

from tui import garbage
from tui.keymap import checked
from tui.messages import DataChanged, Opened, OpenFailed, Preparing
from tui.opening import Ahead, Cache, Home, Opening, open_cache
from tui.places import PLACES, place_named, spelt
from tui.settings import Settings
from tui.themes import THEMES, role_defaults
from tui.viewing import ViewingApp
from tui.widgets import scrollbar
from undercroft.clock import utc_now
from undercroft.model import Layer
from undercroft.views import ScanRow

if TYPE_CHECKING:
    from rules import Pack
    from tui.scanning import Discovery, ScanRequest, ScanRun, ScanStarter
    from tui.widgets.columns import Run

__all__ = ["UndercroftApp"]

_NO_SCAN = "no scan yet"
_WORTH_WAITING = 0.05
"""Seconds that the first frame waits for its data, if that is on its way: one frame instead of two."""
_LEFT_WITHOUT_TRACE = "fix_first"
"""The one screen that is new whenever it is gone to: what was planned there was only a thought."""
_STARTED = 2.0
"""Seconds after which everything that is there from the start is there."""


def _lazy_commands() -> type[Provider]:
    """The palette's own commands, imported when it is opened."""
    from tui.commands import UndercroftCommands

    return UndercroftCommands


class UndercroftApp(ViewingApp):
    """The terminal interface over one cache."""

    TITLE = "undercroft"
    CSS_PATH = Path(__file__).with_name("undercroft.tcss")
    COMMAND_PALETTE_BINDING = "ctrl+p"
    BINDINGS: ClassVar[list[BindingType]] = []
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {_lazy_commands}
    POLL_SECONDS: ClassVar[float] = 1.0
    """How often to ask whether another process wrote."""

    def __init__(
        self,
        db: Path | None,
        *,
        scan: str | None = None,
        screen: str = "services",
        filter: str = "",  # noqa: A002  (the command line's word)
        read_only: bool = False,
        demo: bool = False,
        prepare: Callable[[Callable[[str], None]], Path] | None = None,
        actor: str = "",
        clock: Callable[[], datetime] = utc_now,
        scan_starter: ScanStarter | None = None,
        discover: Callable[[], Discovery] | None = None,
        rules_pack: Callable[[], Pack] | None = None,
        config: Settings | None = None,
        ahead: Ahead | None = None,
    ) -> None:
        """An app that has not opened anything yet. ``ahead``: is opening ``db`` already.

        Raises:
            KeymapError: The keys in ``config`` clash or name no binding.
        """
        scrollbar.install()
        super().__init__()
        self.settings = config or Settings()
        for theme in THEMES:
            self.register_theme(theme)
        wanted = "undercroft-ansi" if self.no_color else self.settings.theme
        self.theme = wanted if wanted in self.available_themes else "undercroft-dark"
        self.stylesheet.set_variables(self.get_css_variables())
        if self.settings.keys:
            self.set_keymap(checked(self.settings.keys, focus_chains()))
        self.db = db
        self.read_only = read_only
        self.demo = demo
        self.clock = clock
        self._actor = actor
        self.scan_starter = scan_starter
        self.discover = discover
        self.rules_pack = rules_pack
        self.scan_run: ScanRun | None = None
        """The scan that runs, or the last one that ran, in this session."""
        self.state_text = "opening…"
        """What to say while there is no scan."""
        self.open_error = ""
        self._scan_ref = scan
        self._start_at = (screen, filter)
        self._prepare = prepare
        self._ahead = ahead
        self.home: Home | None = None
        """What the home screen shows first, if it was read ahead."""
        self._kept: dict[str, Screen[None]] = {}
        self._version = 0
        self._opening = 0
        self._said = ""

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Our roles, for themes that are not ours."""
        return role_defaults(self.current_theme)

    def refresh_css(self, animate: bool = True) -> None:
        """Style everything anew. The theme that is chosen before anything is there asks for it too:
        the rules would be parsed twice.
        """
        if self._is_mounted:
            super().refresh_css(animate)

    def get_default_screen(self) -> Screen[None]:
        """The home screen is the lowest one, there from the first frame."""
        cache = self._ahead.ready(_WORTH_WAITING) if self._ahead else None
        if cache is not None:
            self._ahead = None
            self._take(cache)
        return self._place("services")

    def on_mount(self) -> None:
        """Open the cache, without making the first frame wait longer than is worth it."""
        self.set_timer(_STARTED, garbage.look_again)
        if self.store is None:
            self._start_opening()
        else:
            self._begin()
        self.set_interval(self.POLL_SECONDS, self._poll)

    # Opening

    def _start_opening(self) -> None:
        self._opening += 1
        path, prepare, ref, turn = self.db, self._prepare, self._scan_ref, self._opening
        ahead, self._ahead = self._ahead, None

        def opening() -> Cache:
            if ahead is not None:
                return ahead.result()
            made = path if prepare is None else prepare(lambda text: self._report(turn, text))
            if made is None:
                raise ValueError("no cache was named")
            return open_cache(
                Opening(made, ref, self.read_only, self.clock, self.settings, self.demo)
            )

        self.run_worker(
            lambda: self._open(turn, opening),
            thread=True,
            group="open",
            exclusive=True,
            exit_on_error=False,
        )

    def _open(self, turn: int, opening: Callable[[], Cache]) -> None:
        """In a worker: make the cache if need be, open it, find the scan."""
        try:
            cache = opening()
        except Exception as error:  # noqa: BLE001  (shown in the middle of the screen, with what to do)
            self.post_message(OpenFailed(turn, str(error) or type(error).__name__))
        else:
            self.post_message(Opened(turn, cache))

    def _report(self, turn: int, text: str) -> None:
        self.post_message(Preparing(turn, text))

    @on(Preparing)
    def _preparing(self, event: Preparing) -> None:
        if event.turn == self._opening and self.scan is None:
            self.state_text = event.text
            self.tell(DataChanged)

    @on(OpenFailed)
    def _open_failed(self, event: OpenFailed) -> None:
        if event.turn == self._opening:
            self.state_text = "the cache could not be opened"
            self.open_error = event.sentence
            self.tell(DataChanged)

    @on(Opened)
    def _opened(self, event: Opened) -> None:
        if event.turn != self._opening:
            event.cache.store.close()
            return
        self._take(event.cache)
        self.tell(lambda: DataChanged(scan=True))
        self._begin()

    def _take(self, cache: Cache) -> None:
        """Show this cache from now on."""
        self._version = cache.version
        self.open_error = ""
        self.use(cache.store)
        self.lapses, self.home = cache.lapses, cache.home
        self._said = cache.said
        self.scan = cache.scan
        if cache.scan is None:
            self.state_text = _NO_SCAN

    def _begin(self) -> None:
        """The cache is there: say what has to be said, and go where one wants to start."""
        store = self.store
        if store is not None and store.read_only and not self.read_only:
            self.read_only = self.frozen = True
            self.notify(self.why_read_only, severity="warning", timeout=10)
        if self._said:
            self.notify(self._said, markup=False)
        if self.scan is None:
            self.go("first_run")
            return
        (screen, text), self._start_at = self._start_at, ("services", "")
        if screen != "services" or text:
            self.go(screen, filter=text)

    def open_cache(self, path: Path) -> None:
        """Open another cache instead."""
        self._open_other(path, None)

    def open_demo(self) -> None:
        """Open the bundled estate, judged now, in a throw-away cache."""
        from tui.wiring import prepare_demo

        self.demo = True
        self._open_other(None, prepare_demo)

    def _open_other(
        self, path: Path | None, prepare: Callable[[Callable[[str], None]], Path] | None
    ) -> None:
        self.db, self._prepare, self._scan_ref = path, prepare, None
        self.scan = None
        self.state_text = "opening…"
        self.go("services")
        self.tell(DataChanged)
        self._start_opening()

    def nothing_yet(self) -> tuple[Sequence[Run] | str, ...]:
        """What a list says while no scan is shown: that, and what to do."""
        if self.state_text != _NO_SCAN:
            return (self.state_text,)
        start = (
            (self.mapped("go.services"), "signature"),
            (" goes to where one is started", "muted"),
        )
        return ("There is no scan yet.", "", start)

    # Scans

    def open_scan(self, scan_id: int) -> None:
        """Show a saved scan, on the home screen."""
        self._switch(str(scan_id), home=True)

    def scans_changed(self) -> None:
        """A scan was renamed or deleted: show what is left of the present one."""
        self._switch(str(self.scan.id) if self.scan else None, home=False)

    def _switch(self, ref: str | None, *, home: bool) -> None:
        store = self.store
        if store is None:
            return

        def work() -> None:
            from undercroft.store import NotFoundError

            scan: ScanRow | None = None
            for candidate in (ref, None):
                try:
                    scan = store.scan(candidate)
                except NotFoundError:
                    continue
                break
            self.call_from_thread(self._show_scan, scan, home)

        self.run_worker(work, thread=True, group="switch", exclusive=True, exit_on_error=False)

    def _show_scan(self, scan: ScanRow | None, home: bool) -> None:
        changed = (scan.id if scan else None) != (self.scan.id if self.scan else None)
        self.scan = scan
        if home:
            self.go("services")
        self.tell(lambda: DataChanged(scan=changed))
        if scan is None:
            self.state_text = _NO_SCAN
            self.go("first_run")

    def start_scan(self, request: ScanRequest) -> None:
        """Scan in the background, and show how it goes."""
        from tui.scanning import ScanRun

        if self.scan_starter is None:
            self.say_why("This session cannot scan: it was opened to look at saved data only.")
            return
        self.scan_run = ScanRun(request)
        self.scan_run.start(self, self.scan_starter)
        self.go("scan_progress")
        self.tell(DataChanged)

    def on_scan_run_finished(self, event: ScanRun.Finished) -> None:
        """A scan of this session ended: say how, and show it if it holds data."""
        self.notify(event.run.summary(), markup=False, timeout=10)
        if event.row is not None and event.row.state in {"complete", "partial"}:
            self._switch(str(event.row.id), home=False)
        else:
            self.tell(DataChanged)

    # What other processes write

    def _poll(self) -> None:
        if self.store is not None:
            self.run_worker(
                self._look, thread=True, group="poll", exclusive=True, exit_on_error=False
            )

    def _look(self) -> None:
        """In a worker: has anybody written since we looked?"""
        store = self.store
        if store is None:
            return
        version = store.data_version()
        known, self._version = self._version, version
        if known and version != known:
            self.call_from_thread(self.tell, DataChanged)

    # Going places

    def _place(self, name: str) -> Screen[None]:
        """The one screen of that name, made when first needed and kept as it was left.

        Textual takes a screen that is left apart, unless it is installed.
        """
        screen = self._kept.get(name)
        if screen is None or (name == _LEFT_WITHOUT_TRACE and screen not in self.screen_stack):
            screen = self._kept[name] = screen_class(name)()
            if name != _LEFT_WITHOUT_TRACE:
                self.install_screen(screen, name)
        return screen

    def hearers(self) -> Iterable[Screen[None]]:
        """Those on the stack, and those that were left."""
        left = [screen for screen in self._kept.values() if screen.is_mounted]
        return dict.fromkeys([*self.screen_stack, *left])

    def go(self, name: str, filter: str = "") -> None:  # noqa: A002  (the command line's word)
        """To a screen by name; one that is on the stack is gone back to, as it was left."""
        asked, found = name, place_named(name)
        if found is None:
            known = ", ".join(map(spelt, PLACES))
            self.say_why(f"There is no screen {asked!r}; there are {known}.")
            return
        name = found
        if name == "services" and self.scan is None and self.state_text == _NO_SCAN:
            name = "first_run"  # home, as long as there is nothing to list
        screen = self._place(name)
        if screen in self.screen_stack:
            while self.screen is not screen:
                self.pop_screen()
        else:
            self.push_screen(screen)
        if filter:
            self.call_after_refresh(getattr(screen, "set_filter", str), filter)

    def back(self) -> None:
        """One screen out."""
        if len(self.screen_stack) > 1:
            self.pop_screen()

    def show_findings(self, filter: str = "") -> None:  # noqa: A002  (the command line's word)
        """The findings that a filter matches."""
        self.go("findings", filter=filter)

    def show_changes(self, older: int) -> None:
        """What changed since another scan."""
        from tui.screens.changes import ChangesScreen

        self.go("changes")
        if isinstance(self.screen, ChangesScreen):
            self.screen.compare_with(older)

    def show_finding(self, finding: str) -> None:
        """One finding, in the findings table."""
        self.go("findings", filter=f"id:{finding}")

    def show_service(self, key: str, layer: Layer | None = None) -> None:
        """One AI service and what it stands on."""
        from tui.screens.service import ServiceScreen

        self.push_screen(ServiceScreen(key, layer=layer))

    def show_bill(self, key: str, name: str) -> None:
        """The whole bill behind a service's score."""
        from tui.screens.bill import BillScreen

        self.push_screen(BillScreen(key, name))

    def show_resource(self, key: str, path: str = "", pane: str = "") -> None:
        """One resource: configuration, what is beneath and above it."""
        from tui.screens.resource import ResourceScreen

        self.push_screen(ResourceScreen(key, path=path, pane=pane))

    def show_help(self) -> None:
        """Keys of the screen on top."""
        from tui.screens.help import HelpScreen

        self.push_screen(HelpScreen())


def screen_class(name: str) -> type[Screen[None]]:
    """The class of a screen by its name in `PLACES`."""
    module, class_name = PLACES[name]
    found: type[Screen[None]] = getattr(import_module(module), class_name)
    return found


def focus_chains() -> list[tuple[type[DOMNode], ...]]:
    """Classes whose keys can be live together: each screen with each part that can have focus."""
    from tui.screens.resource import ResourceScreen
    from tui.screens.service import ServiceScreen
    from tui.widgets.detail import DetailPane
    from tui.widgets.json_view import JsonView
    from tui.widgets.table import VirtualTable
    from tui.widgets.tower import TowerView

    screens: list[type[DOMNode]] = [*map(screen_class, PLACES), ServiceScreen, ResourceScreen]
    parts: list[type[DOMNode]] = [VirtualTable, TowerView, DetailPane, JsonView]
    return [(screen, part) for screen in screens for part in parts]
