"""Two writers who meet now and then: whatever they do, in whatever order, both end with the same."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from undercroft.identity import finding_id
from undercroft.model import Json
from undercroft.triage.book import Book
from undercroft.triage.events import Event, seal, verify
from undercroft.triage.scopes import Place, Scope

FINDINGS = tuple(finding_id("r", name, {}) for name in "abc")
PLACES = {f: Place("r", None, f"aws/{name}", {}) for f, name in zip(FINDINGS, "abc", strict=True)}
KINDS = ("accept", "false_positive", "claim_fixed", "clear", "note", "assign", "override_severity")
AT = datetime(2026, 11, 23, tzinfo=UTC).isoformat()
RUNS = 1_000
MANY = 10_000


class Writer:
    """One copy, written to the way the store writes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.log: dict[str, Event] = {}

    def write(self, *drafts: Event) -> None:
        book = Book(self.log.values())
        heads = {f: book.heads(f, PLACES[f]) for f in {d.finding for d in drafts if d.finding}}
        own = max((e for e in self.log.values() if e.replica == self.name), key=_seq, default=None)
        lamport = max((e.lamport for e in self.log.values()), default=0)
        made = seal(
            drafts, self.name, own.seq if own else 0, own.id if own else None, lamport, heads
        )
        self.log |= {event.id: event for event in made}

    def step(self, rng: random.Random, number: int) -> None:
        """Decide, accept or rate a rule, end that, join two ids, or undo something, whoever did it."""
        what = rng.random()
        known = sorted(self.log)
        if what < 0.25 and known:
            target = rng.choice(known)
            event = self.log[target]
            name = event.batch if event.batch and rng.random() < 0.5 else target
            self.write(_draft("undo", None, {"target": name}))
        elif what < 0.35:
            scope = Scope("r", prefix=rng.choice(["aws/", "aws/a"]))
            parents = {h for f in FINDINGS for h in Book(self.log.values()).heads(f, PLACES[f])}
            said: dict[str, Json] = {"until": f"2027-02-{number % 27 + 1:02}"}
            kind = rng.choice(["scope_accept", "scope_accept", "override_severity"])
            if kind == "override_severity":
                said["severity"] = rng.choice(["low", "critical"])
            self.write(
                Event(kind, self.name, AT, scope=scope.to_json(), payload=said,
                      parents=tuple(sorted(parents)))
            )  # fmt: skip
        elif what < 0.4 and known:
            self.write(_draft("scope_end", None, {"target": rng.choice(known)}))
        elif what < 0.43:
            kept, other = rng.sample(FINDINGS, 2)
            self.write(_draft("alias.link", kept, {"alias": other}))
        else:
            payload: dict[str, Json] = {
                "until": f"2027-01-{number % 28 + 1:02}",
                "assignee": f"p{number}",
                "severity": rng.choice(["low", "critical"]),
            }
            batch = f"b-{self.name}-{number}"
            chosen = rng.sample(FINDINGS, rng.randint(1, 2))
            kind = rng.choice(KINDS)
            self.write(*(_draft(kind, f, payload, batch) for f in chosen))

    def take(self, other: Writer, rng: random.Random) -> None:
        """What the other has exported so far: a prefix of its log."""
        ordered = sorted(other.log.values(), key=lambda e: (e.lamport, e.id))
        part = ordered[: rng.randint(0, len(ordered))]
        self.log |= {event.id: event for event in part}


def _seq(event: Event) -> int:
    return event.seq


def _draft(
    kind: str, finding: str | None, payload: dict[str, Json], batch: str | None = None
) -> Event:
    return Event(kind, "x", AT, finding, payload, batch=batch)


def answers(log: list[Event]) -> list[object]:
    book = Book(log)
    return [book.resolved(f, PLACES[f]) for f in FINDINGS]


def converge(seed: int) -> bool:
    """One interleaving; whether the two ever disagreed about a decision."""
    rng = random.Random(seed)
    left, right = Writer("left"), Writer("right")
    for number in range(rng.randint(3, 7)):
        writer, other = rng.sample([left, right], 2)
        if rng.random() < 0.25:
            writer.take(other, rng)
        else:
            writer.step(rng, number)
    before = {**left.log}, {**right.log}
    left.log |= right.log
    right.log |= before[0]
    everything = list(left.log.values())
    expected = answers(everything)
    assert answers(list(right.log.values())) == expected
    rng.shuffle(everything)
    assert answers(everything) == expected
    assert answers([*everything, *everything[:3]]) == expected or len(set(everything)) < 3
    assert verify(everything) == []
    # Nothing is lost: every event of both is there.
    assert set(left.log) == {*before[0], *before[1]}
    return any(getattr(one, "conflict", False) for one in expected)


def test_t11_interleavings_of_two_writers_converge() -> None:
    disputed = sum(converge(seed) for seed in range(RUNS))
    # The histories are such that there is something to agree about.
    assert disputed > RUNS / 20


@pytest.mark.slow
def test_t11_ten_thousand_interleavings_of_two_writers_converge() -> None:
    disputed = sum(converge(seed) for seed in range(MANY))
    assert disputed > MANY / 20
