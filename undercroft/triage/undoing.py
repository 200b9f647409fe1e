"""What can be undone and redone, read from the log: there is no other memory of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from undercroft.triage import wording
from undercroft.triage.errors import DecisionError
from undercroft.triage.events import Event, order_key
from undercroft.triage.resolve import dead_events

__all__ = ["Log"]


class Log:
    """A snapshot of the log as one person sees it.

    An action is named by its batch, or by its event's id where there is no batch.
    """

    def __init__(self, events: Sequence[Event], actor: str) -> None:
        self.events = events
        self._actor = actor
        self._dead = dead_events(events)

    def named(self, target: str) -> list[Event]:
        """The event of this id, or the events of this batch."""
        return [event for event in self.events if target in (event.id, event.batch)]

    def origin(self, target: str) -> tuple[list[Event], int]:
        """The decisions that an undo, an undo of an undo, … is about, and how many undos lie between."""
        events, turns = self.named(target), 0
        while events and events[0].type == "undo":
            older = self.named(str(events[0].payload.get("target")))
            # A target is older by its logical clock; a foreign log may claim otherwise.
            if older and older[0].lamport >= events[0].lamport:
                older = []
            events, turns = older, turns + 1
        return events, turns

    def last_action(self, first: Sequence[str]) -> str | None:
        """The newest own action that still holds: among ``first`` (newest last), else in the log."""
        live = {
            event.batch or event.id: event
            for event in self.events
            if self._is_own_and_live(event) and event.type != "undo"
        }
        for batch in reversed(first):
            if batch in live:
                return batch
        newest = max(live.values(), key=order_key, default=None)
        return None if newest is None else newest.batch or newest.id

    def last_undo(self, done: Sequence[str], undone: Sequence[str]) -> str | None:
        """The newest own undo that still holds and that no decision of one's own follows.

        ``done`` and ``undone``: what this program did so far, newest last; if that is nothing, the
        log is asked.
        """
        for batch in reversed(undone):
            if any(event.id not in self._dead for event in self.named(batch)):
                return batch
        if done or undone:
            return None
        own = [event for event in self.events if self._is_own_and_live(event)]
        newest = max(own, key=order_key, default=None)
        if newest is None or newest.type != "undo" or self.origin(newest.id)[1] % 2 == 0:
            return None
        return newest.batch or newest.id

    def preview(self, target: str, now: datetime | None) -> str:
        """What an undo of ``target`` is about, and, given ``now``, how long ago it was done."""
        events = self.named(target)
        passed = wording.ago(events[0].at, now) if events and now else ""
        return wording.describe(self.origin(target)[0]) + (f", {passed}" if passed else "")

    def check_undo(self, target: str, *, reason: str, min_reason: int) -> None:
        """Refuse what cannot be undone.

        Raises:
            DecisionError: unknown, undone already, or another person's and no ``reason`` given.
        """
        events = self.named(target)
        if not events:
            msg = f"no decision is called {target}: see the history for those that can be undone"
            raise DecisionError(msg)
        if all(event.id in self._dead for event in events):
            raise DecisionError("this has been undone already")
        others = sorted({event.actor for event in events} - {self._actor})
        if others and len(reason) < min_reason:
            msg = f"this was decided by {', '.join(others)}: say why you undo it, in {min_reason} "
            raise DecisionError(msg + "characters or more")

    def _is_own_and_live(self, event: Event) -> bool:
        return event.actor == self._actor and event.id not in self._dead
