"""From a set of events to what holds: a pure function, so merging copies needs nothing but a union.

Order in time plays no part. A decision is in force if it is not undone and no other decision that is
not undone was made in knowledge of it; several such decisions are a conflict, and the one that hides
least wins until somebody decides again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from undercroft.model import Severity
from undercroft.records import dataclass
from undercroft.triage.events import DECISIONS, Event, graph_heads, order_key
from undercroft.triage.scopes import as_own
from undercroft.triage.when import lapse_instant

__all__ = [
    "NOTHING",
    "Resolved",
    "Undone",
    "dead_events",
    "resolve",
    "resolve_all",
    "severity_of",
]

_VISIBILITY = {"clear": 0, "claim_fixed": 1, "accept": 2, "false_positive": 3}
"""Concurrent decisions: the most visible, that is the smallest, wins."""
_START = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Resolved:
    """What people said about one finding, once undone events are left out."""

    decision: Event | None = None
    """The decision in force: ``accept``, ``false_positive`` or ``claim_fixed``; None after a clear.

    Whether it has lapsed or been closed by a fix is for ``status.effective`` to say.
    """
    decisions: tuple[Event, ...] = ()
    """All concurrent decisions (a ``clear`` counts as one), the one in force first."""
    conflict: bool = False
    """Several concurrent decisions that say different things."""
    notes: tuple[Event, ...] = ()
    """In (lamport, id) order, without those that a later note replaces."""
    tags: frozenset[str] = frozenset()
    assignee: str | None = None
    override: Event | None = None
    """The ``override_severity`` in force; its ``until`` is for ``status`` to compare."""
    heads: tuple[str, ...] = ()
    """Heads of the whole graph, undone events included: parents of the next event."""
    live: frozenset[str] = frozenset()
    """Ids of the events that are not undone."""

    @property
    def severity_override(self) -> Severity | None:
        """The severity that the override in force sets, whatever its date."""
        return severity_of(self.override) if self.override is not None else None


NOTHING = Resolved()
_NO_SCOPES: Mapping[str, Event] = MappingProxyType({})


def dead_events(events: Iterable[Event]) -> frozenset[str]:
    """Ids of the events that are undone: some undo of them, or of their batch, is not undone itself.

    Needs every ``undo`` in the log, and the events in question.
    """
    known = list(events)
    undone = Undone(
        (event.lamport, event.id, event.batch, event.payload.get("target"))
        for event in known
        if event.type == "undo"
    )
    return frozenset(
        event.id for event in known if undone.covers(event.id, event.batch, event.lamport)
    )


class Undone:
    """Every undo that holds, by the event or batch that it takes back.

    An undo was made by somebody who had seen its target, so its logical clock is later. Asking for
    that makes the definition well-founded whatever a foreign file claims, and lets one pass from the
    newest to the oldest settle it.
    """

    def __init__(self, undos: Iterable[tuple[int, str, str | None, object]]) -> None:
        """``undos``: (lamport, id, batch, target) of every undo in the log."""
        self._by: dict[str, int] = {}
        for lamport, name, batch, target in sorted(undos, key=lambda undo: (-undo[0], undo[1])):
            if isinstance(target, str) and target and not self.covers(name, batch, lamport):
                self._by[target] = max(self._by.get(target, -1), lamport)

    def covers(self, name: str, batch: str | None, lamport: int) -> bool:
        """Whether the event of this id and batch is undone."""
        if not self._by:
            return False
        return max(self._by.get(name, -1), self._by.get(batch or "", -1)) > lamport


def resolve(
    events: Iterable[Event],
    dead: Collection[str] | None = None,
    finding: str | None = None,
    *,
    scopes: Mapping[str, Event] = _NO_SCOPES,
    covering: Collection[Event] = (),
) -> Resolved:
    """What holds for one finding.

    ``events``: everything about that finding, plus every ``undo`` of the log (those of batches name no
    finding) unless ``dead`` is given. If ``finding`` is given, events about others are left out, else
    all that name a finding are taken to be about the same one. ``scopes``: every decision within a
    scope by id, so that the graph has no holes; ``covering``: those in force that cover the finding,
    each as good as a decision of its own.
    """
    known = sorted(events, key=order_key)
    if not known and not covering:
        return NOTHING
    if dead is None:
        dead = dead_events(known)
    own = {
        event.id: event
        for event in known
        if event.finding is not None and (finding is None or event.finding == finding)
    }
    name = finding or next((event.finding for event in known if event.finding), None) or ""
    through = [as_own(event, name) for event in covering]
    live = [event for event in own.values() if event.id not in dead] + through
    ancestors = _ancestors({**scopes, **{event.id: event for event in through}, **own})

    decisions = sorted(_heads(live, DECISIONS, ancestors), key=_decision_order)
    assigned = sorted(_heads(live, {"assign"}, ancestors), key=lambda e: e.id)
    overrides = sorted(
        (e for e in _heads(live, {"override_severity"}, ancestors) if severity_of(e) is not None),
        key=_override_order,
    )
    notes = [event for event in live if event.type == "note"]
    replaced = {str(event.payload.get("replaces")) for event in notes}
    first = decisions[0] if decisions else None
    return Resolved(
        decision=None if first is None or first.type == "clear" else first,
        decisions=tuple(decisions),
        conflict=any(not _says_the_same(first, other) for other in decisions[1:]),
        notes=tuple(event for event in notes if event.id not in replaced),
        tags=frozenset(
            str(event.payload["tag"])
            for event in live
            if event.type == "tag" and event.payload.get("tag")
        ),
        assignee=str(assigned[0].payload.get("assignee") or "") or None if assigned else None,
        override=overrides[0] if overrides else None,
        heads=graph_heads([*own.values(), *covering]),
        live=frozenset(event.id for event in live),
    )


def resolve_all(events: Iterable[Event]) -> dict[str, Resolved]:
    """``resolve`` for every finding that a whole log speaks of."""
    known = list(events)
    dead = dead_events(known)
    by_finding: dict[str, list[Event]] = {}
    for event in known:
        if event.finding is not None:
            by_finding.setdefault(event.finding, []).append(event)
    return {finding: resolve(own, dead) for finding, own in by_finding.items()}


def _ancestors(events: Mapping[str, Event]) -> Mapping[str, frozenset[str]]:
    """Event id → ids of every known event that it was made in knowledge of."""
    found: dict[str, frozenset[str]] = {}
    # Parents are older by their logical clock: in that order each is settled before its children.
    for event in sorted(events.values(), key=order_key):
        above: set[str] = set()
        for parent in event.parents:
            if parent in found:
                above.add(parent)
                above |= found[parent]
        found[event.id] = frozenset(above)
    return found


def _heads(
    live: Iterable[Event], kinds: Collection[str], ancestors: Mapping[str, frozenset[str]]
) -> list[Event]:
    candidates = [event for event in live if event.type in kinds]
    covered: set[str] = set()
    for event in candidates:
        covered |= ancestors[event.id]
    return [event for event in candidates if event.id not in covered]


def _decision_order(event: Event) -> tuple[int, datetime, str]:
    ends = lapse_instant(event.payload) if event.type == "accept" else None
    # An end that cannot be read sorts first: it counts as lapsed, so it hides least.
    return (_VISIBILITY[event.type], ends or _START, event.id)


def _override_order(event: Event) -> tuple[int, str]:
    severity = severity_of(event)
    return (-severity.rank if severity else 1, event.id)


def severity_of(event: Event) -> Severity | None:
    """What an ``override_severity`` sets; None if it cannot be read."""
    try:
        return Severity(str(event.payload.get("severity")))
    except ValueError:
        return None


def _says_the_same(one: Event | None, other: Event) -> bool:
    return one is not None and one.type == other.type and one.payload == other.payload
