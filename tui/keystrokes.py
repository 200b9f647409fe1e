"""Keys that come faster than what they set off: held back until it has happened.

Textual hands a key to whatever has the focus when it arrives. A key that opens a dialog, or moves the
focus, does so only some messages later, and what was typed or pasted right behind it would go to
what was there before: letters of a reason would decide about the list beneath.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from textual import events
from textual.app import App, ScreenStackError

if TYPE_CHECKING:
    from textual.dom import DOMNode
    from textual.message_pump import MessagePump
    from textual.screen import Screen

__all__ = ["KeystrokesApp"]

_BURST = 0.02
"""Seconds between keys that nobody types: what the first one sets off has hardly begun."""
_PATIENCE = 1.5
"""Seconds after which a key is handed on all the same."""
_PASSING = 0.3
"""Seconds to wait for one queue."""


class KeystrokesApp(App[None]):
    """Hands on one key, or one paste, after the other."""

    def __init__(self, ansi_color: bool | None = None) -> None:
        super().__init__(ansi_color=ansi_color)
        self._typed: deque[events.Event] = deque()
        """What waits."""
        self._due: events.Event | None = None
        """What has waited, and is handed on now."""
        self._last_key = 0.0

    async def on_event(self, event: events.Event) -> None:
        """Hold keys back where they come too fast; everything else goes its way."""
        if not isinstance(event, events.Key | events.Paste) or event.is_forwarded:
            await super().on_event(event)
        elif event is self._due:
            self._due = None
            self._last_key = time.monotonic()
            await super().on_event(event)
        elif self._typed or time.monotonic() - self._last_key < _BURST or not self._is_quiet():
            self._typed.append(event)
            if len(self._typed) == 1:
                self.run_worker(self._hand_on(), group="keystrokes", exit_on_error=False)
        else:
            self._last_key = time.monotonic()
            await super().on_event(event)

    async def _hand_on(self) -> None:
        """In a worker: one after the other, each when all is quiet."""
        while self._typed:
            await self._quiet()
            self._due = self._typed[0]
            self.post_message(self._due)
            await _passed(self)
            self._typed.popleft()

    def _is_quiet(self) -> bool:
        """Whether nothing is under way on the path of a key, as far as can be told without waiting."""
        screen, pumps = self._standing()
        mounted = screen is None or screen.is_mounted
        return mounted and not any(pump.message_queue_size for pump in pumps)

    async def _quiet(self) -> None:
        """Until what the last key set off has happened, and the focus is where it will stay."""
        end = time.monotonic() + _PATIENCE
        quiet = 0
        while quiet < 2 and time.monotonic() < end:
            before = self._standing()
            for pump in before[1]:
                await _passed(pump)
            if self._standing() != before:
                quiet = 0
            elif before[0] is None or before[0].is_mounted:
                quiet += 1
            else:
                await asyncio.sleep(0.005)

    def _standing(self) -> tuple[Screen[object] | None, list[MessagePump]]:
        """The screen on top, and the queues that a key passes: from what has the focus to the app."""
        try:
            screen = self.screen
        except ScreenStackError:
            return None, [self]
        node: DOMNode = screen.focused or screen
        return screen, [*node.ancestors_with_self]


async def _passed(pump: MessagePump) -> None:
    """Until a queue has dealt with what is in it now."""
    done = asyncio.Event()
    if pump.call_later(done.set):
        with suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), _PASSING)
