"""The part of the app that records decisions, tells all screens, and says what it did."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from textual import on
from textual.binding import Binding
from textual.message import Message
from textual.reactive import var
from textual.screen import Screen

from tui.keymap import KEYS
from tui.keystrokes import KeystrokesApp
from tui.messages import (
    DecisionFailed,
    DecisionMade,
    DecisionStopped,
    Recorded,
    Recording,
    UndoNamed,
)
from tui.text import count, shown
from undercroft.views import Query, ScanRow

if TYPE_CHECKING:
    from datetime import datetime

    from rules import Pack
    from tui.dialogs.results import Decide
    from tui.selection import Selection
    from tui.settings import Settings
    from tui.widgets.finding_text import Advice
    from undercroft.store import Store
    from undercroft.triage.decide import Action, Triage
    from undercroft.triage.previewing import Consequences

__all__ = ["DecidingApp"]

T = TypeVar("T")
_FROZEN = (
    "This cache lies where nothing can be written: decisions and scans cannot be saved. "
    "Copy it to a folder of yours to decide."
)


class DecidingApp(KeystrokesApp):
    """Holds the store and the triage; every change goes through a worker and comes back as a message."""

    scan: var[ScanRow | None] = var(None, init=False)
    """The scan that is shown."""
    read_only: bool = False
    frozen: bool = False
    """Whether that is so because file or folder cannot be written to, and nobody asked for it."""
    clock: Callable[[], datetime]
    settings: Settings
    rules_pack: Callable[[], Pack] | None = None
    PATIENCE: ClassVar[float] = 0.5
    """Seconds after which a decision that is still being recorded says how far it is."""

    def __init__(self) -> None:
        # Decided before Textual chooses its colour filters: under NO_COLOR even greys must not be sent.
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)
        self.store: Store | None = None
        self._triage: Triage | None = None
        self._actor = ""
        self._deciding = threading.Lock()
        self.undoable = ""
        """What undo would take back, once something was decided: ``accepted 14 findings until …``."""
        self._advice: dict[str, Advice] | None = None

    def use(self, store: Store) -> None:
        """Work on this cache from now on."""
        if self.store is not None and self.store is not store:
            self.store.close()
        self.store, self._triage = store, None

    @property
    def actor(self) -> str:
        """Who decides; looked up when somebody does, which may mean asking another program."""
        if not self._actor:
            from tui.actor import find_actor

            self._actor = find_actor(self.settings)
        return self._actor

    @property
    def triage(self) -> Triage | None:
        """Decides on the cache; made when somebody does. None while no cache is open."""
        if self._triage is None and self.store is not None:
            from undercroft.triage.decide import Triage

            self._triage = Triage(
                self.store,
                actor=self.actor,
                clock=self.clock,
                max_days=self.settings.max_accept_days,
            )
        return self._triage

    def tell(self, message: Callable[[], Message]) -> None:
        """Send every screen a message of its own."""
        for screen in self.hearers():
            screen.post_message(message())

    def hearers(self) -> Iterable[Screen[None]]:
        """The screens that are there."""
        return self.screen_stack

    # Deciding

    def decide(
        self, answer: Decide, selection: Selection, then: Callable[[], None] | None = None
    ) -> None:
        """Record a dialog's answer for a selection, in a worker; every screen then reloads.

        ``then``: called once it is recorded, not if it was refused or stopped.
        """
        self._act(lambda store, triage: answer.apply(triage, selection.resolve(store)), then)

    def undo(self, target: str | None = None) -> None:
        """Take back the last decision, or a given event or batch."""
        self._act(lambda _, triage: triage.undo(target))

    def redo(self) -> None:
        """Take the last undo back."""
        self._act(lambda _, triage: triage.redo())

    def _act(
        self, work: Callable[[Store, Triage], Action], then: Callable[[], None] | None = None
    ) -> None:
        store, triage = self.store, self.triage
        if store is None or triage is None:
            self.say_why("The cache is not open yet.")
            return
        if self.read_only:
            self.say_why(self.why_read_only)
            return

        def made(action: Action) -> None:
            self.post_message(DecisionMade(action, then))
            # Reads the whole log: the decision is on screen before.
            self.post_message(UndoNamed(triage.next_undo(dated=False) or ""))

        self._watch(triage, lambda: work(store, triage), made)

    def look_ahead(self, target: str, then: Callable[[Consequences], None]) -> None:
        """Work out what undoing an event or a batch would change; nothing is recorded."""
        triage = self.triage
        if triage is None:
            self.say_why("The cache is not open yet.")
        elif self.read_only:
            self.say_why(self.why_read_only)
        else:
            from undercroft.triage.previewing import undo_consequences

            self._watch(
                triage,
                lambda: undo_consequences(triage, target),
                lambda found: self.call_from_thread(then, found),
                "Looking ahead",
                "What undoing it would change.",
                ("working out", "counting", "comparing"),
            )

    def _watch(
        self,
        triage: Triage,
        work: Callable[[], T],
        done: Callable[[T], None],
        *what: Any,
    ) -> None:
        """Do it in a worker, and ``done`` there; a dialog about ``what`` says how far it is when it
        takes a while, and can stop it.
        """
        from tui.dialogs.recording import RecordingDialog
        from undercroft.protocols import Cancelled

        stop = threading.Event()
        progress = RecordingDialog(stop.set, *what)

        def step(what: str, done: int, total: int) -> None:
            if stop.is_set():
                raise Cancelled
            self.post_message(Recording(progress, what, done, total))

        def run() -> None:
            try:
                try:
                    with self._deciding, triage.watched(step):
                        value = work()
                finally:
                    self.post_message(Recorded(progress))
            except Cancelled:
                self.post_message(DecisionStopped())
            except Exception as error:  # noqa: BLE001  (a refusal or a failure is a sentence on screen)
                self.post_message(DecisionFailed(str(error) or type(error).__name__))
            else:
                done(value)

        self.set_timer(self.PATIENCE, lambda: progress.is_over or self.push_screen(progress))
        self.run_worker(run, thread=True, group="decide", exit_on_error=False)

    @on(Recording)
    def _recording(self, event: Recording) -> None:
        event.dialog.tell(event.what, event.done, event.total)

    @on(Recorded)
    def _recorded(self, event: Recorded) -> None:
        event.dialog.over()

    @on(DecisionStopped)
    def _decision_stopped(self) -> None:
        self.notify("Stopped: nothing was recorded.", markup=False)

    @on(DecisionFailed)
    def _decision_failed(self, event: DecisionFailed) -> None:
        self.notify(
            shown(event.sentence),
            title="Not recorded",
            severity="warning",
            markup=False,
            timeout=8,
        )

    @on(DecisionMade)
    def _decision_made(self, event: DecisionMade) -> None:
        if event.then is not None:
            event.then()
        summary = shown(event.action.summary)
        hint = f"{self.key_of('app.undo', 'u')} undoes it"
        if any(item.type == "undo" for item in event.action.events):
            hint = f"{self.key_of('app.redo', 'ctrl+r')} brings it back"
        self.clear_notifications()
        sentence = f"{summary[:1].upper()}{summary[1:]}".rstrip(".")
        self.notify(f"{sentence}.\n{hint}.", markup=False)
        self.tell(lambda: DecisionMade(event.action))

    @on(UndoNamed)
    def _undo_named(self, event: UndoNamed) -> None:
        self.undoable = event.words
        self.tell(lambda: UndoNamed(event.words))

    # Saying and showing

    @property
    def why_read_only(self) -> str:
        """Why nothing can be decided on this cache."""
        if self.frozen:
            return _FROZEN
        return "The cache was opened for reading only: decisions and scans cannot be saved."

    def say_why(self, sentence: str) -> None:
        """Tell why a key did nothing."""
        self.notify(shown(sentence), severity="warning", markup=False, timeout=6)

    def key_of(self, name: str, default: str) -> str:
        """How the key of a binding is shown now."""
        for active in self.screen.active_bindings.values():
            if active.binding.id == name:
                return self.get_key_display(active.binding)
        return default

    def mapped(self, name: str) -> str:
        """The first key of a binding as the person mapped it, whether it is live here or not."""
        key = self.settings.keys.get(name, KEYS[name].keys).split(",")[0].strip()
        return self.key_of(name, self.get_key_display(Binding(key, "")))

    def advice(self, rule: str) -> Advice:
        """What a rule says about why and how to fix; empty until the rules have been read."""
        from tui.widgets.finding_text import Advice

        return (self._advice or {}).get(rule, Advice())

    def load_advice(self) -> None:
        """In a worker: read the rules, once."""
        if self._advice is None and self.rules_pack is not None:
            from tui.widgets.finding_text import Advice

            self._advice = {
                rule.id: Advice(rule.why, rule.fix.text, rule.fix.command, rule.title)
                for rule in self.rules_pack().entries()
            }

    def export(self, query: Query, total: int, what: str) -> None:
        """Ask where to write what a list shows. ``what``: ``findings`` or ``services``."""
        store, scan = self.store, self.scan
        if store is None or scan is None:
            self.say_why("There is nothing to export yet.")
            return
        from tui.dialogs.export import Exported
        from tui.dialogs.exporting import export_dialog

        def written(done: Exported | None) -> None:
            if done is not None:
                words = count(done.rows, what[:-1])
                self.notify(f"Exported {words} to {shown(str(done.path))}", markup=False)

        dialog = export_dialog(
            store=store,
            scan_id=scan.id,
            query=query,
            total=total,
            now=self.clock(),
            what=what,
            level=self.settings.service_level,
        )
        self.push_screen(dialog, written)

    def open_console(self, provider: str, native_id: str, account: str = "") -> None:
        """Show a resource in its cloud's console: in a browser here, else as a link."""
        from tui.console import console_url

        url = console_url(provider, native_id, account)
        if not url:
            self.say_why("There is no console page known for this resource.")
        elif has_browser():
            import webbrowser

            webbrowser.open(url)
            self.notify(f"Opened {shown(url)}", markup=False)
        else:
            self.copy_to_clipboard(url)
            self.notify(shown(url), title="Copied the console link", markup=False, timeout=15)


def has_browser() -> bool:
    """Whether opening a link would show it to the person in front of this terminal."""
    if os.environ.get("SSH_CONNECTION") or os.environ.get("SSH_TTY"):
        return False
    return os.name == "nt" or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "TERM_PROGRAM")
    )
