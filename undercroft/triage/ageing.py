"""How old a finding is, how long it has called for work, and when its time is up.

Pure functions of its timeline: the states it went through, each worked out by ``effective`` from what
was known at that time. Scans speak from the time they read the resource, people from the time they
decided; what no feed dates (a vulnerability's exploitation) counts as known all along.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from undercroft.triage.book import Book
from undercroft.triage.events import Event, FindingFacts
from undercroft.triage.resolve import Resolved
from undercroft.triage.scopes import Place
from undercroft.triage.status import ACTIVE, Sighting, State, effective
from undercroft.triage.timeline import START
from undercroft.triage.when import instant, lapse_instant

__all__ = ["Ageing", "Look", "Span", "ageing", "spans", "unbroken"]

_TAKES_BACK: Final = frozenset({"undo", "scope_end"})
_NOTHING_SAID: Final = Resolved()
_NO_TIME: Final = timedelta(0)


class Look(NamedTuple):
    """One scan's word on a finding, and what was known about it then."""

    sighting: Sighting
    facts: FindingFacts
    retired: bool = False


class Span(NamedTuple):
    """From ``start`` to the next span, or to now, it was in this state."""

    start: datetime
    state: State


@dataclass(frozen=True, slots=True)
class Ageing:
    """The times of one finding, as of one moment."""

    age: timedelta
    """Since it was first seen, whatever became of it."""
    open: timedelta
    """Total time open, reopened or claimed fixed."""
    clock_from: datetime | None
    """When the service-level clock started; None where none runs: fixed, gone, false positive, retired."""
    paused: timedelta = _NO_TIME
    """How long it has been accepted since then: that time does not count."""
    is_paused: bool = False
    """Accepted now."""

    def due(self, days: int) -> datetime | None:
        """When it has to be fixed, with ``days`` to do it in; while accepted, it moves with the time."""
        return self.clock_from + timedelta(days=days) + self.paused if self.clock_from else None


def unbroken(first_seen: datetime, now: datetime) -> Ageing:
    """The times of what failed in every scan and nobody decided about."""
    age = max(now - first_seen, _NO_TIME)
    return Ageing(age, age, first_seen)


def spans(
    looks: Sequence[Look], events: Iterable[Event], finding: str, place: Place | None, now: datetime
) -> list[Span]:
    """The states of a finding from its first fail to ``now``.

    ``looks``: in scan order. ``events``: a log, or everything about the finding and all of
    ``WHOLE_LOG_TYPES``. What is dated after ``now`` by a wrong clock counts from now.
    """
    ordered = sorted(looks, key=lambda look: look.sighting.at)
    log = _about(events, finding, place)
    times = {min(look.sighting.at, now) for look in ordered}
    times |= {min(_at(event), now) for event in log}
    ends = (lapse_instant(event.payload) for event in log if event.type.endswith("accept"))
    times |= {end for end in ends if end is not None and end <= now}
    times.add(now)
    found: list[Span] = []
    for time in sorted(times):
        seen = [look for look in ordered if min(look.sighting.at, now) <= time]
        if not seen:
            continue
        book = Book(event for event in log if min(_at(event), now) <= time)
        status = effective(
            [look.sighting for look in seen],
            book.resolved(finding, place) or _NOTHING_SAID,
            seen[-1].facts,
            time,
            seen[-1].retired,
        )
        if status is not None and (not found or found[-1].state is not status.state):
            found.append(Span(time, status.state))
    return found


def ageing(found: Sequence[Span], first_seen: datetime, now: datetime) -> Ageing:
    """Age, open time and service-level clock from the states it went through.

    The clock starts at ``first_seen``, starts again when it is seen after a verified fix, stands
    while it is accepted, and goes on from there when the acceptance ends.
    """
    open_for = paused = _NO_TIME
    clock_from, fixed = first_seen, False
    ends = [span.start for span in found[1:]] + [now]
    for span, end in zip(found, ends, strict=False):
        lasted = end - span.start
        if span.state is State.FIXED:
            fixed = True
        elif fixed and span.state is not State.GONE:
            clock_from, paused, fixed = span.start, _NO_TIME, False
        if span.state in ACTIVE:
            open_for += lasted
        elif span.state is State.ACCEPTED:
            paused += lasted
    last = found[-1].state if found else State.OPEN
    runs = last in ACTIVE or last is State.ACCEPTED
    return Ageing(
        age=max(now - first_seen, _NO_TIME),
        open=open_for,
        clock_from=clock_from if runs else None,
        paused=paused,
        is_paused=last is State.ACCEPTED,
    )


def _about(events: Iterable[Event], finding: str, place: Place | None) -> list[Event]:
    """The events that may have moved this finding: its own, scopes over it, and what took them back."""
    known = list(events)
    names = set(Book(known).aliases(finding))
    covering = {event.id for event in Book(known).ever_covering(place)} if place else set()
    found = {
        event.id: event
        for event in known
        if event.finding in names or event.id in covering or event.type == "alias.link"
    }
    targets = {name for event in found.values() for name in (event.id, event.batch) if name}
    waiting = [event for event in known if event.type in _TAKES_BACK and event.id not in found]
    while taking := [event for event in waiting if event.payload.get("target") in targets]:
        found |= {event.id: event for event in taking}
        targets |= {name for event in taking for name in (event.id, event.batch) if name}
        waiting = [event for event in waiting if event.id not in found]
    return list(found.values())


def _at(event: Event) -> datetime:
    return instant(event.at) or START
