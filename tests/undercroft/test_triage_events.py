"""The log: ids, sealing, chains that show tampering, undo, and merging of copies."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undercroft.model import Json, Severity
from undercroft.triage.events import Event, EventError, graph_heads, seal, verify
from undercroft.triage.resolve import dead_events, resolve, resolve_all


def draft(kind: str, finding: str | None = "f1-a", **more: object) -> Event:
    return Event(kind, "ada", "2026-11-23T10:00:00+01:00", finding, **more)  # type: ignore[arg-type]


def undo(target: str, finding: str | None = None) -> Event:
    return draft("undo", finding, payload={"target": target})


class Replica:
    """One copy of the log, written to as a store writes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.log: dict[str, Event] = {}

    def append(self, *drafts: Event) -> list[Event]:
        own = sorted((e for e in self.log.values() if e.replica == self.name), key=lambda e: e.seq)
        heads = {
            finding: graph_heads(e for e in self.log.values() if e.finding == finding)
            for finding in {d.finding for d in drafts if d.finding}
        }
        sealed = seal(
            drafts,
            self.name,
            own[-1].seq if own else 0,
            own[-1].id if own else None,
            max((e.lamport for e in self.log.values()), default=0),
            heads,
        )
        self.merge(sealed)
        return sealed

    def merge(self, events: Iterable[Event]) -> None:
        self.log.update({event.id: event for event in events})

    @property
    def events(self) -> list[Event]:
        return list(self.log.values())

    def decision(self, finding: str = "f1-a") -> str | None:
        found = resolve_all(self.events).get(finding)
        return None if found is None or found.decision is None else found.decision.type


class TestEvent:
    def test_two_equal_clicks_are_two_events(self) -> None:
        assert draft("note").id != draft("note").id

    def test_the_id_is_that_of_the_content_without_signature(self) -> None:
        event = draft("note", nonce="n")
        assert event.id == draft("note", nonce="n").id
        assert replace(event, sig="s").id == event.id
        assert len(event.id) == 64

    @pytest.mark.parametrize(
        "change",
        [
            {"v": 2},
            {"type": "accept"},
            {"finding": "f1-b"},
            {"scope": {}},
            {"payload": {"text": "x"}},
            {"guards": {}},
            {"seen": {}},
            {"actor": "eve"},
            {"at": ""},
            {"lamport": 1},
            {"replica": "r"},
            {"seq": 1},
            {"prev": "p"},
            {"parents": ("p",)},
            {"batch": "b"},
            {"tool": "t"},
            {"nonce": "m"},
        ],
    )
    def test_every_other_field_is_part_of_it(self, change: dict[str, object]) -> None:
        event = draft("note", nonce="n")
        assert replace(event, **change).id != event.id  # type: ignore[arg-type]

    def test_json_there_and_back(self) -> None:
        (event,) = Replica("r").append(
            draft("accept", payload={"reason": "ünïcode ‹x›", "n": 0.25}, guards={"epss": 0.1})
        )
        again = Event.from_json(json.loads(json.dumps(event.to_json())))
        assert again == event
        assert again.id == event.id
        assert hash(again) == hash(event)

    def test_changed_content_is_refused(self) -> None:
        data = draft("note", payload={"text": "true"}).to_json()
        data["payload"] = {"text": "false"}
        with pytest.raises(EventError, match="it was changed"):
            Event.from_json(data)
        assert Event.from_json(data, check=False).payload == {"text": "false"}

    @pytest.mark.parametrize("name", ["id", "type", "actor", "at", "nonce", "lamport", "seq", "v"])
    def test_a_missing_field_is_named(self, name: str) -> None:
        data = draft("note").to_json()
        del data[name]
        with pytest.raises(EventError, match=f"'{name}'"):
            Event.from_json(data)

    @pytest.mark.parametrize(
        ("name", "value"),
        [("parents", "x"), ("payload", []), ("lamport", True), ("finding", 1), ("seq", "1")],
    )
    def test_a_field_of_the_wrong_type_is_named(self, name: str, value: Json) -> None:
        data = {**draft("note").to_json(), name: value}
        with pytest.raises(EventError, match=f"'{name}'"):
            Event.from_json(data)


class TestChain:
    """T14."""

    def chain(self) -> list[Event]:
        replica = Replica("r")
        replica.append(*(draft("note", payload={"text": str(n)}) for n in range(5)))
        return replica.events

    def test_a_whole_chain_has_no_problem(self) -> None:
        assert verify(self.chain()) == []
        assert verify([]) == []

    def test_events_are_numbered_and_linked(self) -> None:
        events = self.chain()
        assert [e.seq for e in events] == [1, 2, 3, 4, 5]
        assert [e.prev for e in events] == [None, *(e.id for e in events[:-1])]
        assert [e.lamport for e in events] == [1, 2, 3, 4, 5]
        assert [e.parents for e in events] == [(), *((e.id,) for e in events[:-1])]

    @pytest.mark.parametrize("place", range(5))
    def test_t14_one_changed_byte_is_found(self, place: int) -> None:
        events = self.chain()
        text = json.dumps(events[place].to_json()).replace(f'"text": "{place}"', '"text": "9"')
        events[place] = Event.from_json(json.loads(text), check=False)
        (problem,) = verify(events)
        assert (problem.seq, problem.message) == (
            place + 1,
            "its content was changed after it was written",
        )

    @pytest.mark.parametrize("place", range(4))
    def test_a_missing_event_is_found(self, place: int) -> None:
        events = self.chain()
        del events[place]
        (problem,) = verify(events)
        assert problem.message == f"event {place + 1} is missing before it"

    def test_a_rewritten_event_breaks_the_next(self) -> None:
        events = self.chain()
        events[1] = replace(events[1], payload={"text": "other"})
        (problem,) = verify(events)
        assert (problem.seq, problem.message) == (3, "it does not follow from the event before it")

    def test_a_copied_file_used_twice_is_found(self) -> None:
        one = Replica("r")
        one.append(draft("note"))
        two = Replica("r")
        two.merge(one.events)
        one.append(draft("note"))
        two.append(draft("note"))
        one.merge(two.events)
        (problem,) = verify(one.events)
        assert "copied" in problem.message

    def test_a_clock_that_stands_still_is_found(self) -> None:
        events = self.chain()
        events[4] = replace(events[4], lamport=4)
        (problem,) = verify(events)
        assert "clock" in problem.message

    def test_each_replica_has_its_own_chain(self) -> None:
        other = Replica("a")
        other.append(draft("note"), draft("note"))
        broken = other.events[1:]
        (problem,) = verify([*self.chain(), *broken])
        assert problem.replica == "a"


class TestUndo:
    """T10."""

    def test_an_undone_decision_gives_way_to_the_one_before(self) -> None:
        replica = Replica("r")
        replica.append(draft("claim_fixed"))
        (accept,) = replica.append(draft("accept"))
        assert replica.decision() == "accept"
        replica.append(undo(accept.id))
        assert replica.decision() == "claim_fixed"

    @pytest.mark.parametrize("depth", range(1, 8))
    def test_t10_undo_of_undo_of_undo(self, depth: int) -> None:
        replica = Replica("r")
        (event,) = replica.append(draft("accept", batch="b0"))
        for number in range(depth):
            (event,) = replica.append(undo(event.id))
            assert replica.decision() == ("accept" if number % 2 else None)

    def test_t10_a_batch_is_undone_by_one_event(self) -> None:
        replica = Replica("r")
        replica.append(*(draft("accept", f"f1-{n}", batch="b1") for n in range(3)))
        (back,) = replica.append(undo("b1"))
        assert [replica.decision(f"f1-{n}") for n in range(3)] == [None] * 3
        replica.append(undo(back.id))
        assert [replica.decision(f"f1-{n}") for n in range(3)] == ["accept"] * 3

    def test_one_event_of_a_batch_can_be_undone(self) -> None:
        replica = Replica("r")
        first, _ = replica.append(*(draft("accept", f"f1-{n}", batch="b1") for n in range(2)))
        replica.append(undo(first.id))
        assert [replica.decision(f"f1-{n}") for n in range(2)] == [None, "accept"]

    def test_twice_undone_once_redone_is_still_undone(self) -> None:
        replica = Replica("r")
        (accept,) = replica.append(draft("accept"))
        (one,) = replica.append(undo(accept.id))
        replica.append(undo(accept.id))
        replica.append(undo(one.id))
        assert replica.decision() is None

    def test_an_undo_of_something_later_or_of_itself_does_nothing(self) -> None:
        accept = replace(draft("accept"), lamport=5)
        early = replace(undo(accept.id), lamport=4)
        assert dead_events([accept, early]) == frozenset()
        circle = replace(draft("undo", None, payload={"target": "b9"}, batch="b9"), lamport=6)
        assert dead_events([accept, circle]) == frozenset()

    @pytest.mark.parametrize("target", [None, 7, "", ["x"], {}])
    def test_an_undo_of_nonsense_does_nothing(self, target: Json) -> None:
        accept = replace(draft("accept"), lamport=1)
        odd = replace(draft("undo", None, payload={"target": target}), lamport=2)
        assert dead_events([accept, odd]) == frozenset()


class TestResolve:
    def test_nothing_said(self) -> None:
        assert resolve([]).decision is None

    def test_clear_withdraws(self) -> None:
        replica = Replica("r")
        replica.append(draft("accept"))
        replica.append(draft("clear"))
        found = resolve(replica.events)
        assert found.decision is None
        assert [event.type for event in found.decisions] == ["clear"]

    def test_unknown_types_are_kept_and_ignored(self) -> None:
        replica = Replica("r")
        (accept,) = replica.append(draft("accept"))
        (odd,) = replica.append(draft("teleport"))
        found = resolve(replica.events)
        assert found.decision == accept
        assert found.heads == (odd.id,)

    def test_notes_and_tags_are_sets_and_a_note_may_replace_another(self) -> None:
        replica = Replica("r")
        (first,) = replica.append(draft("note", payload={"text": "a"}))
        replica.append(draft("tag", payload={"tag": "later"}))
        (second,) = replica.append(draft("note", payload={"text": "b", "replaces": first.id}))
        found = resolve(replica.events)
        assert found.notes == (second,)
        assert found.tags == {"later"}
        replica.append(undo(second.id))
        assert resolve(replica.events).notes == (first,)

    def test_assignee(self) -> None:
        replica = Replica("r")
        replica.append(draft("assign", payload={"assignee": "bob"}))
        assert resolve(replica.events).assignee == "bob"
        replica.append(draft("assign", payload={"assignee": ""}))
        assert resolve(replica.events).assignee is None

    def test_concurrent_overrides_show_the_higher_severity(self) -> None:
        one, two = Replica("1"), Replica("2")
        one.append(draft("override_severity", payload={"severity": "low"}))
        two.append(draft("override_severity", payload={"severity": "high"}))
        two.append(draft("override_severity", "f1-a", payload={"severity": "strange"}))
        one.merge(two.events[:1])
        assert resolve(one.events).severity_override is Severity.HIGH

    def test_other_findings_events_can_be_left_out(self) -> None:
        replica = Replica("r")
        replica.append(draft("accept", "f1-a"), draft("false_positive", "f1-b"))
        assert resolve(replica.events, finding="f1-a").decision == replica.events[0]


class TestConflict:
    """T12 and section 9: what two people said without knowing of each other."""

    def both(self, first: Event, second: Event) -> Replica:
        base, one, two = Replica("0"), Replica("1"), Replica("2")
        base.append(draft("claim_fixed"))
        for replica, event in ((one, first), (two, second)):
            replica.merge(base.events)
            replica.append(event)
        one.merge(two.events)
        return one

    @pytest.mark.parametrize(
        ("kinds", "winner"),
        [
            (("accept", "false_positive"), "accept"),
            (("claim_fixed", "accept"), "claim_fixed"),
            (("clear", "false_positive"), None),
            (("claim_fixed", "false_positive"), "claim_fixed"),
        ],
    )
    def test_t12_the_most_visible_wins(self, kinds: tuple[str, str], winner: str | None) -> None:
        for pair in (kinds, kinds[::-1]):
            replica = self.both(*(draft(kind) for kind in pair))
            assert replica.decision() == winner
            assert resolve(replica.events).conflict

    def test_t12_deciding_again_resolves_it_and_undoing_that_brings_it_back(self) -> None:
        replica = self.both(draft("accept"), draft("false_positive"))
        (chosen,) = replica.append(draft("false_positive"))
        assert len(chosen.parents) == 2
        found = resolve(replica.events)
        assert (found.decision, found.conflict) == (chosen, False)
        replica.append(undo(chosen.id))
        found = resolve(replica.events)
        assert found.conflict
        assert len(found.decisions) == 2

    def test_undoing_one_side_ends_it(self) -> None:
        replica = self.both(draft("accept", batch="b"), draft("false_positive"))
        replica.append(undo("b"))
        found = resolve(replica.events)
        assert (replica.decision(), found.conflict) == ("false_positive", False)

    def test_saying_the_same_is_no_conflict(self) -> None:
        payload: dict[str, Json] = {"reason": "same words", "until": "2027-01-31"}
        replica = self.both(draft("accept", payload=payload), draft("accept", payload=payload))
        found = resolve(replica.events)
        assert len(found.decisions) == 2
        assert not found.conflict

    def test_of_two_acceptances_the_shorter_holds(self) -> None:
        replica = self.both(
            draft("accept", payload={"until": "2027-03-01", "lapses_at": "2027-03-02T00:00:00Z"}),
            draft("accept", payload={"until": "2027-03-01", "lapses_at": "2027-03-01T23:00:00Z"}),
        )
        decision = resolve(replica.events).decision
        assert decision is not None
        assert decision.payload["lapses_at"] == "2027-03-01T23:00:00Z"

    def test_an_unreadable_end_counts_as_the_shortest(self) -> None:
        replica = self.both(
            draft("accept", payload={"lapses_at": "whenever"}),
            draft("accept", payload={"lapses_at": "2027-03-01T23:00:00Z"}),
        )
        decision = resolve(replica.events).decision
        assert decision is not None
        assert decision.payload["lapses_at"] == "whenever"

    def test_parents_in_a_circle_do_no_harm(self) -> None:
        one = replace(draft("accept"), stored_id="1", parents=("2",), lamport=1)
        two = replace(draft("accept"), stored_id="2", parents=("1",), lamport=2)
        assert len(resolve([one, two]).decisions) == 1


KINDS = ("accept", "false_positive", "claim_fixed", "clear", "note", "assign", "tag")


def random_history(seed: int, steps: int = 25) -> list[Replica]:
    """Three people who decide, undo, and now and then hear a part of what others did."""
    rng = random.Random(seed)
    replicas = [Replica(name) for name in "abc"]
    for step in range(steps):
        me = rng.choice(replicas)
        match rng.randrange(4):
            case 0 if me.log:
                target = rng.choice(me.events)
                me.append(undo(rng.choice([target.id, target.batch or target.id])))
            case 1:
                # A log travels as a prefix of each chain, never with holes.
                other = rng.choice(replicas)
                known = sorted(other.events, key=lambda e: (e.lamport, e.id))
                me.merge(known[: rng.randint(0, len(known))])
            case _:
                findings = rng.sample(["f1-a", "f1-b", "f1-c"], rng.randint(1, 2))
                kind = rng.choice(KINDS)
                payload: dict[str, Json] = {
                    "tag": f"t{step}",
                    "assignee": f"p{step}",
                    "until": f"2027-01-{step % 28 + 1:02}",
                }
                me.append(*(draft(kind, f, payload=payload, batch=f"b{step}") for f in findings))
    return replicas


@settings(max_examples=150)
@given(st.integers(0, 2**32))
def test_t11_copies_agree_in_whatever_order_they_meet(seed: int) -> None:
    """T11: commutative, associative, idempotent."""
    replicas = random_history(seed)
    answers = []
    for order in itertools.permutations(range(3)):
        merged = Replica("x")
        for index in order:
            merged.merge(replicas[index].events)
            merged.merge(replicas[index].events)
        answers.append(resolve_all(merged.events))
    left, right = Replica("l"), Replica("r")
    left.merge(replicas[0].events)
    left.merge(replicas[1].events)
    right.merge(replicas[2].events)
    right.merge(left.events)
    answers.append(resolve_all(right.events))
    assert all(answer == answers[0] for answer in answers)


@settings(max_examples=50)
@given(st.integers(0, 2**32))
def test_the_order_of_lines_does_not_matter(seed: int) -> None:
    merged = Replica("x")
    for replica in random_history(seed):
        merged.merge(replica.events)
    shuffled = merged.events
    random.Random(seed).shuffle(shuffled)
    assert resolve_all(shuffled) == resolve_all(merged.events)
    assert verify(shuffled) == []


@settings(max_examples=50)
@given(st.integers(0, 2**32))
def test_a_next_decision_settles_everything(seed: int) -> None:
    merged = Replica("x")
    for replica in random_history(seed):
        merged.merge(replica.events)
    (last,) = merged.append(draft("false_positive", "f1-a"))
    found = resolve_all(merged.events)["f1-a"]
    assert (found.decision, found.conflict, found.decisions) == (last, False, (last,))
