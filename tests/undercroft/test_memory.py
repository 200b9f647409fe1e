"""What an earlier scan read is told to those who read the same unit by the same name, and to no other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from undercroft.model import Coverage, CoverageStatus, Layer, Presence, Resource
from undercroft.protocols import Target
from undercroft.store import Store

NOW = datetime(2026, 6, 1, tzinfo=UTC)
UNIT = Target("aws.x.kind", "aws", "1", "r")


def resource(name: str, **more: object) -> Resource:
    made = Resource(name, "aws", "1", "r", "x:kind", Layer.SERVICE, name, collector="aws.x.kind")
    return replace(made, **more)  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "cache.db") as opened:
        yield opened


def scan(
    store: Store,
    *resources: Resource,
    reader: str = "by/1",
    status: CoverageStatus = CoverageStatus.COMPLETE,
    unit: Target = UNIT,
) -> None:
    scope = {"readers": [reader]}
    with store.write_scan(name="", kind="live", scope=scope, rules={}, pack="p") as writer:
        writer.add(resources)
        writer.add([Coverage("aws", unit.scope, unit.location, unit.collector, status)])
        writer.commit(calls=0, throttled=0, now=NOW)


def told(store: Store, unit: Target = UNIT, reader: str = "by/1") -> set[str]:
    return {found.key for found in store.memory()(unit, reader)}


def test_what_was_read_in_a_unit_and_its_parts(store: Store) -> None:
    scan(
        store,
        resource("a", config={"k": [1, {"n": None}]}, tags={"t": "v"}),
        resource("part", collector="aws.x.kind.part"),
        resource("alike", collector="aws.x.kinds"),
        resource("there", region="elsewhere"),
        resource("theirs", account="2"),
        resource("named", presence=Presence.STUB),
        resource("gone", presence=Presence.ABSENT),
        resource("host", implied=True),
    )
    assert told(store) == {"a", "part"}
    (found,) = (r for r in store.memory()(UNIT, "by/1") if r.key == "a")
    assert found.config == {"k": [1, {"n": None}]}
    assert found.tags == {"t": "v"}


def test_only_by_the_same_reader(store: Store) -> None:
    scan(store, resource("old"))
    scan(store, resource("new"), reader="by/2")
    assert told(store) == {"old"}
    assert told(store, reader="by/2") == {"new"}
    assert told(store, reader="by/3") == set()


def test_the_newest_scan_that_had_the_unit(store: Store) -> None:
    scan(store, resource("a"))
    scan(store, resource("b"))
    scan(store, resource("c", account="2"), unit=Target("aws.x.kind", "aws", "2", "r"))
    assert told(store) == {"b"}


def test_what_was_only_carried_over_is_not_told(store: Store) -> None:
    scan(store, resource("a"), resource("b"))
    scan(store, resource("b"), status=CoverageStatus.DENIED)
    assert told(store) == {"b"}


def test_a_scan_that_was_not_finished_tells_nothing(store: Store) -> None:
    with store.write_scan(
        name="", kind="live", scope={"readers": ["by/1"]}, rules={}, pack="p"
    ) as w:
        w.add([resource("a"), Coverage("aws", "1", "r", "aws.x.kind", CoverageStatus.COMPLETE)])
    assert told(store) == set()
