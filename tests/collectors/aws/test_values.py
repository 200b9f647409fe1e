"""AWS answers as JSON, and paths into them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from collectors.aws.values import find, jsonable, mappings, when

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def test_times_bytes_and_the_rest() -> None:
    east = timezone(timedelta(hours=2))
    answer = {
        "CreationTime": datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=east),
        "Naive": datetime(2026, 1, 2, tzinfo=UTC).replace(tzinfo=None),
        "Blob": b"hi",
        "List": ({"Weight": 1.5}, Decimal("2.5")),
        "Nothing": None,
    }
    assert jsonable(answer) == {
        "CreationTime": "2026-01-02T01:04:05.678000Z",
        "Naive": "2026-01-02T00:00:00Z",
        "Blob": "aGk=",
        "List": [{"Weight": 1.5}, "2.5"],
        "Nothing": None,
    }


@given(JSON)
def test_json_stays_what_it_is(value: object) -> None:
    assert jsonable(value) == value
    assert json.loads(json.dumps(jsonable(value))) == value


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_read_back(moment: datetime) -> None:
    assert datetime.fromisoformat(when(moment)) == moment


def test_find_says_where() -> None:
    config: Any = {
        "RoleArn": "r",
        "Containers": [{"Image": "a"}, {"ModelDataUrl": "m"}, {"Image": "b"}],
        "User": {"KernelGatewayAppSettings": {"Arns": ["x", "y"]}, "Other": {"Arns": ["z"]}},
    }
    assert list(find(config, "RoleArn")) == [("RoleArn", "r")]
    assert list(find(config, "Containers[].Image")) == [
        ("Containers[0].Image", "a"),
        ("Containers[2].Image", "b"),
    ]
    assert list(find(config, "User.*AppSettings.Arns[]")) == [
        ("User.KernelGatewayAppSettings.Arns[0]", "x"),
        ("User.KernelGatewayAppSettings.Arns[1]", "y"),
    ]


def test_find_in_something_else_finds_nothing() -> None:
    odds: tuple[Any, ...] = ({}, {"A": None}, {"A": "text"}, {"A": 3}, [], "A", None)
    for odd in odds:
        assert list(find(odd, "A.B")) == []
        assert list(find(odd, "A[].B")) == []


@given(JSON, st.text(alphabet="AB.[]*", max_size=12))
def test_find_never_raises(value: object, path: str) -> None:
    list(find(value, path))  # type: ignore[arg-type]


def test_mappings() -> None:
    assert list(mappings([1, {"a": 1}, "x"])) == [{"a": 1}]
    assert list(mappings("text")) == list(mappings(None)) == []
