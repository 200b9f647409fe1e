"""A cache that is opened while the rest is still being imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from textual.css.stylesheet import Stylesheet

from tests.media import on_a_read_only_medium
from tests.tui.estate import NOW, seed
from tests.tui.piloting import screen_text, settle
from tui.app import UndercroftApp
from tui.opening import Ahead, Opening
from tui.saved_views import remember_opened
from tui.settings import Settings
from undercroft.store import NotFoundError, Store


def ahead_of(path: Path, scan: str | None = None) -> Ahead:
    return Ahead(Opening(path, scan, False, lambda: NOW, Settings()))


async def test_the_first_frame_has_the_data(
    large_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = ahead_of(large_cache)
    cache = ahead.result()
    assert cache.scan is not None
    assert cache.home is not None

    def read_again(*_: object) -> Any:
        raise AssertionError("what was there already is read again")

    for name in ("services", "count_services", "today", "tower"):
        monkeypatch.setattr(Store, name, read_again)
    monkeypatch.setattr(Stylesheet, "reparse", read_again)
    app = UndercroftApp(large_cache, clock=lambda: NOW, ahead=ahead)
    async with app.run_test(size=(120, 30)) as pilot:
        first = screen_text(app)
        assert cache.home.rows[0].name in first
        assert "new" in first.splitlines()[2]
        assert "largest" in first.lower() or "+" in first  # the bill beside the list
        await settle(pilot)
        assert not app._notifications
    monkeypatch.setenv("UNDERCROFT_ACTOR", "ada <ada@example.com>")
    assert app.actor == "ada <ada@example.com>"


async def test_what_cannot_be_opened_ahead_is_said(tmp_path: Path, large_cache: Path) -> None:
    with pytest.raises(NotFoundError):
        ahead_of(large_cache, "no such scan").result()
    path = tmp_path / "cache.db"
    path.write_bytes(b"this is no database, although it is a file\n" * 40)
    app = UndercroftApp(path, clock=lambda: NOW, ahead=ahead_of(path))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "could not be opened" in screen_text(app)


def test_reading_ahead_loads_nothing_that_filters_decides_or_writes(
    large_cache: Path, tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    remember_opened(config, large_cache, "2026-01-01T00:00:00Z")
    code = f"""
import sys
from pathlib import Path
from tui.opening import Ahead, Opening
from tui.settings import Settings
from undercroft.clock import utc_now

settings = Settings(path=Path({str(config)!r}))
cache = Ahead(Opening(Path({str(large_cache)!r}), None, False, utc_now, settings)).result()
assert cache.home.rows and cache.lapses.since
print(*(name.removeprefix("undercroft.") for name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = set(done.stdout.split())
    assert "store.read_services" in found
    unwanted = {"hashlib", "filter", "graph", "feeds", "store.decisions", "store.statuses"}
    assert not found & {*unwanted, "store.writer", "triage.events", "triage.status", "textual"}


def test_where_nothing_can_be_written_one_can_look_and_every_deciding_key_says_why(
    tmp_path: Path,
) -> None:
    path = tmp_path / "medium" / "cache.db"
    path.parent.mkdir()
    seed(path)
    code = f"""
import asyncio
from pathlib import Path
from tests.tui.estate import NOW
from tests.tui.piloting import screen_text, settle
from tui.app import UndercroftApp

async def look():
    app = UndercroftApp(Path({str(path)!r}), actor="ada", clock=lambda: NOW, screen="findings")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        for key in ("", *"afpcoAu", "at", "exclamation_mark", "ctrl+r"):
            if key:
                app.clear_notifications()
                await pilot.press(key)
            print([said.message for said in app._notifications], len(app.screen_stack))
        print("· read-only" in screen_text(app), app.screen.table.total)

asyncio.run(look())
"""
    *keys, last = on_a_read_only_medium(path, code).splitlines()
    assert len(set(keys)) == 1, keys
    assert "decisions and scans cannot be saved" in keys[0]
    assert keys[0].endswith(" 2")
    assert last == "True 3"
