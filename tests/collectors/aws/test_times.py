"""Times come out as botocore's own parser has them, whatever form they come in."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from botocore.utils import parse_timestamp

from collectors.aws import times
from collectors.aws.times import parse_time
from collectors.values import when

ISO = [
    "2024-05-06T07:08:09Z",
    "2024-05-06T07:08:09.1Z",
    "2024-05-06T07:08:09.123Z",
    "2024-05-06T07:08:09.123456789Z",
    "2024-02-29T23:59:59+05:30",
    "2024-05-06T07:08:09-08:00",
]
SECONDS: list[Any] = [0, 1714979289, 1714979289.123, 1714979289.1234565, -1, True]
OTHER: list[Any] = [
    "1714979289",
    "1714979289.5",
    "Mon, 06 May 2024 07:08:09 GMT",
    "2024-05-06T07:08:09",
    "2024-05-06 07:08:09Z",
    "20240506T070809Z",
    "2024-05-06",
    "2024-05-06T07:08:09.123+0000",
    "٢٠٢٤-05-06T07:08:09Z",
    10**11,
    2**31,
]


@pytest.mark.parametrize("value", [*ISO, *SECONDS, *OTHER], ids=str)
def test_the_same_moment_as_botocore(value: Any) -> None:
    assert when(parse_time(value)) == when(parse_timestamp(value))


@pytest.mark.parametrize("value", [*ISO, *SECONDS], ids=str)
def test_what_aws_sends_needs_no_guessing(value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def guessed(value: Any) -> datetime:
        raise AssertionError(value)

    monkeypatch.setattr(times, "parse_timestamp", guessed)
    parse_time(value)


@pytest.mark.parametrize("value", ["", "soon", "2024-13-06T07:08:09Z", None])
def test_what_is_no_time_fails_as_it_does_there(value: Any) -> None:
    with pytest.raises(Exception) as theirs:  # noqa: PT011  (whatever it is)
        parse_timestamp(value)
    with pytest.raises(theirs.type):
        parse_time(value)
