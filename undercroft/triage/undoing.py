"""What can be undone and redone, read from the log: there is no other memory of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from undercroft.triage import wording
from undercroft.triage.errors import DecisionError
from undercroft.triage.events import Event
from undercroft.triage.resolve import Undone

__all__ = ["Line", "Lines", "Log"]


class Line(NamedTuple):
    """An event in outline: a batch may have a hundred thousand."""

    id: str
    type: str
    actor: str
    at: str
    finding: str | None
    batch: str | None
    lamport: int
    target: object
    """For what takes something back: the event or batch, if the log is sound."""
    until: object
    """Last day of what ends with one."""

    @property
    def action(self) -> str:
        """What ``undo`` takes it back by: its batch, or its id where there is none."""
        return self.batch or self.id


class Lines(Protocol):
    """Where the log is read."""

    def event_lines(self, *, kind: str = "", name: str = "", actor: str = "") -> Iterator[Line]:
        """Events in outline, newest first: of a type (``kind``), of an id or batch, of a person."""
        ...

    def event(self, event_id: str) -> Event:
        """One event in full."""
        ...


class Log:
    """The log as one person sees it at one moment.

    An action is named by its batch, or by its event's id where there is no batch.
    """

    def __init__(self, lines: Lines, actor: str) -> None:
        self._lines = lines
        self._actor = actor
        self._undone = Undone(
            (line.lamport, line.id, line.batch, line.target)
            for line in lines.event_lines(kind="undo")
        )
        self._named: dict[str, list[Line]] = {}

    def named(self, target: str) -> list[Line]:
        """The event of this id, or the events of this batch, in (lamport, id) order."""
        if target not in self._named:
            self._named[target] = list(self._lines.event_lines(name=target))[::-1]
        return self._named[target]

    def live(self, target: str) -> int:
        """How many events of an action still hold."""
        return sum(not self._is_dead(line) for line in self.named(target))

    def origin(self, target: str) -> tuple[list[Line], int]:
        """The decisions that an undo, an undo of an undo, … is about, and how many undos lie between."""
        events, turns = self.named(target), 0
        while events and events[0].type == "undo":
            older = self.named(str(events[0].target))
            # A target is older by its logical clock; a foreign log may claim otherwise.
            if older and older[0].lamport >= events[0].lamport:
                older = []
            events, turns = older, turns + 1
        return events, turns

    def touched(self, target: str) -> frozenset[str]:
        """Findings that an undo of ``target`` concerns, through chains of undos."""
        found: set[str] = set()
        visited: set[str] = set()
        waiting = [target]
        while waiting:
            name = waiting.pop()
            if name in visited:
                continue
            visited.add(name)
            for line in self.named(name):
                if line.finding is not None:
                    found.add(line.finding)
                if line.type == "undo":
                    waiting.append(str(line.target))
        return frozenset(found)

    def last_action(self, first: Sequence[str]) -> str | None:
        """The newest own action that still holds: among ``first`` (newest last), else in the log."""
        for batch in reversed(first):
            if any(self._own_and_live(line) and line.type != "undo" for line in self.named(batch)):
                return batch
        for line in self._lines.event_lines(actor=self._actor):
            if line.type != "undo" and self._own_and_live(line):
                return line.action
        return None

    def last_undo(self, done: Sequence[str], undone: Sequence[str]) -> str | None:
        """The newest own undo that still holds and that no decision of one's own follows.

        ``done`` and ``undone``: what this program did so far, newest last; if that is nothing, the
        log is asked.
        """
        for batch in reversed(undone):
            if any(not self._is_dead(line) for line in self.named(batch)):
                return batch
        if done or undone:
            return None
        own = self._lines.event_lines(actor=self._actor)
        newest = next((line for line in own if not self._is_dead(line)), None)
        if newest is None or newest.type != "undo" or self.origin(newest.id)[1] % 2 == 0:
            return None
        return newest.action

    def preview(self, target: str, now: datetime | None) -> str:
        """What an undo of ``target`` is about, and, given ``now``, how long ago it was done."""
        events = self.named(target)
        passed = wording.ago(events[0].at, now) if events and now else ""
        return self.describe(self.origin(target)[0]) + (f", {passed}" if passed else "")

    def describe(self, lines: Sequence[Line]) -> str:
        """What one action did, in words."""
        if not lines:
            return "nothing"
        findings = len({line.finding for line in lines if line.finding is not None})
        days = {str(line.until) for line in lines}
        return wording.told(self._lines.event(lines[0].id), findings, (min(days), max(days)))

    def check_undo(self, target: str, *, reason: str, min_reason: int) -> None:
        """Refuse what cannot be undone.

        Raises:
            DecisionError: unknown, undone already, or another person's and no ``reason`` given.
        """
        events = self.named(target)
        if not events:
            msg = f"no decision is called {target}: see the history for those that can be undone"
            raise DecisionError(msg)
        if all(self._is_dead(line) for line in events):
            raise DecisionError("this has been undone already")
        others = sorted({line.actor for line in events} - {self._actor})
        if others and len(reason) < min_reason:
            msg = f"this was decided by {', '.join(others)}: say why you undo it, in {min_reason} "
            raise DecisionError(msg + "characters or more")

    def _is_dead(self, line: Line) -> bool:
        return self._undone.covers(line.id, line.batch, line.lamport)

    def _own_and_live(self, line: Line) -> bool:
        return line.actor == self._actor and not self._is_dead(line)
