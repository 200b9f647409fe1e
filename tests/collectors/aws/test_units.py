"""What units share: reading side by side, naming things once, saying what was read in part."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.aws.units import WORKERS, Gaps, batches, once, side_by_side
from undercroft.model import Edge, Json, Layer, Presence, Resource
from undercroft.relations import Relation


def resource(name: str, presence: Presence = Presence.READ, **unknown: str) -> Resource:
    return Resource(
        key=name,
        provider="aws",
        account="1",
        region="r",
        type="t",
        layer=Layer.SERVICE,
        name=name,
        presence=presence,
        unknown=unknown,
    )


@given(st.lists(st.integers(), max_size=50))
def test_results_come_in_order(numbers: list[int]) -> None:
    assert list(side_by_side(numbers, lambda number: number * 2)) == [n * 2 for n in numbers]


def test_it_really_is_side_by_side() -> None:
    together = Barrier(WORKERS, timeout=5)
    assert len(list(side_by_side(range(WORKERS), lambda _: together.wait()))) == WORKERS


def test_it_never_reads_far_ahead() -> None:
    taken = 0

    def source() -> Iterator[int]:
        nonlocal taken
        for number in range(10_000):
            taken = number + 1
            yield number

    reading = side_by_side(source(), lambda number: number)
    assert next(reading) == 0
    assert taken <= 2 * WORKERS
    reading.close()  # type: ignore[attr-defined]
    assert taken <= 2 * WORKERS


def test_a_failure_ends_it() -> None:
    done: list[int] = []

    def work(number: int) -> int:
        if number == 3:
            raise ValueError(number)
        done.append(number)
        return number

    with pytest.raises(ValueError, match="3"):
        list(side_by_side(range(1_000), work))
    assert len(done) < 1_000


def test_stubs_are_named_once_unless_they_differ() -> None:
    def image(ref: str) -> Resource:
        facts: dict[str, Json] = {"references": [ref]}
        return Resource("i", "aws", "1", "r", "ecr:image", Layer.CONTAINER, "i", facts=facts)

    seen: set[tuple[str, str]] = set()
    edge = Edge("a", "b", Relation.RUNS_ON, "x")
    stub = resource("s", Presence.STUB)
    assert list(once([stub, edge, stub, resource("s"), edge], seen)) == [
        stub,
        edge,
        resource("s"),
        edge,
    ]
    assert list(once([stub], seen)) == []
    assert len(list(once([image("a"), image("b")], seen))) == 2


@given(st.lists(st.integers()), st.integers(min_value=1, max_value=9))
def test_batches(numbers: list[int], size: int) -> None:
    cut = list(batches(numbers, size))
    assert [number for batch in cut for number in batch] == numbers
    assert all(len(batch) == size for batch in cut[:-1])
    assert all(0 < len(batch) <= size for batch in cut)


def test_gaps_in_a_sentence() -> None:
    gaps = Gaps()
    assert gaps.sentence() == ""
    gaps.note([resource("a"), resource("b", tags="denied: needs x", Policy="denied: needs x")])
    gaps.note([resource("s", Presence.STUB), Edge("a", "b", Relation.RUNS_ON, "x")])
    assert gaps.sentence() == "1 of 2 read in part (denied: needs x)"
