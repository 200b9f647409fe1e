"""A clock that stands still and an empty cache, for whatever is tested over the store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.undercroft.store_kit import Clock
from undercroft.store import Store


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    with Store.open(tmp_path / "cache.db", clock=clock) as opened:
        yield opened
