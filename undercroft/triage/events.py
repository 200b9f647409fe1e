"""Decision events: what a person said about a finding, as an append-only log.

An event's id is the hash of its content, so that two copies of a log merge by plain set union; each
store ("replica") links its own events into a chain, so that a changed or missing line shows.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from functools import cached_property
from typing import Final

from undercroft.identity import digest
from undercroft.model import Json, Outcome, Severity
from undercroft.records import dataclass

__all__ = [
    "DECISIONS",
    "EVENT_VERSION",
    "Event",
    "EventError",
    "FindingFacts",
    "Problem",
    "graph_heads",
    "new_batch",
    "order_key",
    "seal",
    "verify",
]

EVENT_VERSION: Final = 1
DECISIONS: Final = frozenset({"accept", "false_positive", "claim_fixed", "clear"})
"""Event types of which one is in force on a finding at any time."""


class EventError(ValueError):
    """A line that is not an event, or one whose content does not match its id."""


@dataclass(frozen=True)
class Event:
    """One line of the log. A draft has no ``lamport``, ``replica``, ``seq``; ``seal`` adds them."""

    type: str
    """accept, false_positive, claim_fixed, clear, assign, override_severity, note, tag, undo, …

    Types that this version does not know are kept and ignored.
    """
    actor: str
    at: str
    """RFC 3339 with offset; for display and expiry only, never for order."""
    finding: str | None = None
    payload: Mapping[str, Json] = field(default_factory=dict)
    guards: Mapping[str, Json] | None = None
    """Facts the decision rests on; a key that is missing is a guard that is switched off."""
    seen: Mapping[str, Json] | None = None
    """What the author looked at: ``scan`` (uid), ``collected_at``, ``outcome``."""
    scope: Mapping[str, Json] | None = None
    batch: str | None = None
    tool: str = ""
    nonce: str = field(default_factory=lambda: secrets.token_hex(8))
    v: int = EVENT_VERSION
    lamport: int = 0
    replica: str = ""
    seq: int = 0
    prev: str | None = None
    parents: tuple[str, ...] = ()
    """Heads of this finding's event graph that were known when deciding."""
    sig: str | None = None
    stored_id: str = field(default="", compare=False, repr=False)
    """The id under which it was stored or received; empty for a new event. ``verify`` compares."""

    @cached_property
    def id(self) -> str:
        """SHA-256 (hex) of the canonical JSON of every field but ``sig``."""
        return self.stored_id or self.computed_id()

    def computed_id(self) -> str:
        """The id that the content itself says, whatever it was stored under."""
        return digest(self._content())

    def to_json(self) -> dict[str, Json]:
        """One JSON object, ``id`` included."""
        return {"id": self.id, **self._content(), "sig": self.sig}

    def _content(self) -> dict[str, Json]:
        return {
            "v": self.v,
            "type": self.type,
            "finding": self.finding,
            "scope": self.scope,
            "payload": self.payload,
            "guards": self.guards,
            "seen": self.seen,
            "actor": self.actor,
            "at": self.at,
            "lamport": self.lamport,
            "replica": self.replica,
            "seq": self.seq,
            "prev": self.prev,
            "parents": list(self.parents),
            "batch": self.batch,
            "tool": self.tool,
            "nonce": self.nonce,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Json], *, check: bool = True) -> Event:
        """Read one JSON object.

        ``check`` compares its ``id`` with its content; a store that reads its own rows leaves that
        to ``verify``.

        Raises:
            EventError: a field is missing or of the wrong type, or the content does not match.
        """
        parents = data.get("parents", ())
        if isinstance(parents, str) or not isinstance(parents, Sequence):
            msg = "event field 'parents' is not a list"
            raise EventError(msg)
        event = cls(
            type=_text(data, "type"),
            actor=_text(data, "actor"),
            at=_text(data, "at"),
            finding=_optional(data, "finding"),
            payload=_mapping(data, "payload") or {},
            guards=_mapping(data, "guards"),
            seen=_mapping(data, "seen"),
            scope=_mapping(data, "scope"),
            batch=_optional(data, "batch"),
            tool=_text(data, "tool"),
            nonce=_text(data, "nonce"),
            v=_number(data, "v"),
            lamport=_number(data, "lamport"),
            replica=_text(data, "replica"),
            seq=_number(data, "seq"),
            prev=_optional(data, "prev"),
            parents=tuple(str(parent) for parent in parents),
            sig=_optional(data, "sig"),
            stored_id=_text(data, "id"),
        )
        if check and event.stored_id != event.computed_id():
            msg = f"event {event.stored_id[:12]} does not match its content: it was changed"
            raise EventError(msg)
        return event

    def __hash__(self) -> int:
        return hash(self.id)


@dataclass(frozen=True, slots=True)
class FindingFacts:
    """What is known about a finding now: guards compare it, and decisions are based on it."""

    finding: str
    severity: Severity
    kev: bool | None = None
    """In a known-exploited catalogue; None: no feed says."""
    epss: float | None = None
    """Probability, 0 to 1; None: no feed says."""
    exposure: str = "unknown"
    """``open``, ``controlled``, ``small`` or ``unknown`` (risk model 1)."""
    incarnation: str | None = None
    evidence_hash: str | None = None
    rule_version: str | None = None
    """Version of the rule's logic, not of its wording."""
    scan: str = ""
    """Uid of the scan that was looked at."""
    collected_at: str = ""
    """When the resource was read in that scan."""
    outcome: Outcome = Outcome.FAIL
    status: str = "open"
    """Effective state when the decision is made."""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """The first break in one replica's chain."""

    replica: str
    seq: int
    event: str
    message: str


def new_batch() -> str:
    """An id for a bulk action."""
    return f"b-{secrets.token_hex(8)}"


def order_key(event: Event) -> tuple[int, str]:
    """History order: (lamport, id). Decides nothing but the order of lists."""
    return (event.lamport, event.id)


def graph_heads(events: Iterable[Event]) -> tuple[str, ...]:
    """Ids of the events that no other of these names as a parent: the parents of the next one.

    ``events``: everything about one finding, undone or not.
    """
    known = list(events)
    covered = {parent for event in known for parent in event.parents}
    return tuple(sorted(event.id for event in known if event.id not in covered))


def seal(
    drafts: Iterable[Event],
    replica: str,
    last_seq: int,
    last_id: str | None,
    lamport: int,
    heads: Mapping[str, Sequence[str]],
) -> list[Event]:
    """Give drafts their place in this replica's chain and in their findings' graphs.

    ``last_seq`` and ``last_id`` are this replica's newest event (0 and None at first), ``lamport``
    the largest seen in the store, ``heads`` finding → ``graph_heads`` of its events. To be called
    inside the transaction that appends the result.
    """
    sealed: list[Event] = []
    newest: dict[str, tuple[str, ...]] = {}
    for draft in drafts:
        # What names no finding (a scope) brings along what it was made in knowledge of.
        parents = draft.parents
        if draft.finding is not None:
            parents = newest.get(draft.finding) or tuple(sorted(heads.get(draft.finding, ())))
        last_seq += 1
        lamport += 1
        event = replace(
            draft,
            lamport=lamport,
            replica=replica,
            seq=last_seq,
            prev=last_id,
            parents=parents,
            stored_id="",
        )
        if draft.finding is not None:
            newest[draft.finding] = (event.id,)
        last_id = event.id
        sealed.append(event)
    return sealed


def verify(events: Iterable[Event]) -> list[Problem]:
    """Walk every replica's chain; the first break of each, ordered by replica."""
    chains: dict[str, list[Event]] = {}
    for event in events:
        chains.setdefault(event.replica, []).append(event)
    problems = []
    for replica in sorted(chains):
        problem = _first_break(replica, sorted(chains[replica], key=lambda e: (e.seq, e.id)))
        if problem is not None:
            problems.append(problem)
    return problems


def _first_break(replica: str, chain: Sequence[Event]) -> Problem | None:
    previous: Event | None = None
    for place, event in enumerate(chain, start=1):
        if event.id != event.computed_id():
            message = "its content was changed after it was written"
        elif previous is not None and event.seq == previous.seq:
            message = "two different events have this number: the file was copied and used twice"
        elif event.seq != place:
            message = f"event {place} is missing before it"
        elif event.prev != (previous.id if previous else None):
            message = "it does not follow from the event before it"
        elif previous is not None and event.lamport <= previous.lamport:
            message = "its logical clock does not move forward"
        else:
            previous = event
            continue
        return Problem(replica, event.seq, event.id, message)
    return None


def _text(data: Mapping[str, Json], name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str):
        msg = f"event field {name!r} is not text"
        raise EventError(msg)
    return value


def _optional(data: Mapping[str, Json], name: str) -> str | None:
    return None if data.get(name) is None else _text(data, name)


def _number(data: Mapping[str, Json], name: str) -> int:
    value = data.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        msg = f"event field {name!r} is not a whole number"
        raise EventError(msg)
    return value


def _mapping(data: Mapping[str, Json], name: str) -> Mapping[str, Json] | None:
    value = data.get(name)
    if value is None:
        return None
    if not isinstance(value, Mapping):
        msg = f"event field {name!r} is not an object"
        raise EventError(msg)
    return value
