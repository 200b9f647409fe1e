"""Caches that are seeded once and copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from tests.tui import large
from tests.tui.estate import NOW
from tests.tui.piloting import PACK
from tui.app import UndercroftApp
from tui.settings import Settings

AppMaker = Callable[..., UndercroftApp]


@pytest.fixture(scope="session")
def large_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty services, about two hundred findings."""
    return large.seed(tmp_path_factory.mktemp("large") / "cache.db")


@pytest.fixture
def large_app(large_cache: Path, tmp_path: Path) -> AppMaker:
    """Makes apps on a copy of the large cache."""
    path = tmp_path / "large.db"
    shutil.copy(large_cache, path)

    def make(
        *,
        screen: str = "services",
        filter: str = "",  # noqa: A002  (the command line's word)
        config: Settings | None = None,
        clock: Callable[[], datetime] = lambda: NOW,
    ) -> UndercroftApp:
        return UndercroftApp(
            path,
            actor="ada <ada@example.com>",
            clock=clock,
            rules_pack=lambda: PACK,
            screen=screen,
            filter=filter,
            config=config,
        )

    return make
