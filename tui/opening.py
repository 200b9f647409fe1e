"""Opens a cache, and reads ahead what the first screen shows; in a thread, and without Textual.

Importing Textual is most of what starting costs, so the cache is read meanwhile.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tui.saved_views import opened_before, remember_opened
from tui.settings import Settings
from undercroft.clock import stamp, utc_now
from undercroft.views import Query, ScanRow, ServiceRow, Today, Tower

if TYPE_CHECKING:
    from undercroft.store import Store

__all__ = [
    "HOME",
    "PAGE",
    "Ahead",
    "Cache",
    "Home",
    "Lapses",
    "Opening",
    "open_cache",
    "read_today",
]

HOME = Query()
"""What the home screen asks for when nobody has filtered or sorted it."""
PAGE = 64
"""Rows that a table asks for at once."""
_LAPSES = 10_000
"""So many findings are marked whose acceptance ended since a person was here."""


class Lapses(NamedTuple):
    """Acceptances that ended since this person opened this cache the last time."""

    since: str = ""
    """When that was, RFC 3339; empty the first time."""
    findings: frozenset[str] = frozenset()

    @property
    def filter(self) -> str:
        """What finds them; empty the first time."""
        return f"lapsed:{self.since}" if self.since else ""


class Home(NamedTuple):
    """What the home screen shows first."""

    total: int
    rows: Sequence[ServiceRow]
    today: Today
    lapsed: int
    tower: Tower | None
    """Of the first service."""


class Cache(NamedTuple):
    """An open cache. ``scan`` is None while it holds none.

    ``version`` is the store's before anything was read, so that no change goes unnoticed.
    """

    store: Store
    scan: ScanRow | None
    version: int
    lapses: Lapses
    home: Home | None = None
    """Where it was read ahead."""
    said: str = ""
    """What there is to say about the risk model of its scores."""


class Opening(NamedTuple):
    """How a cache is to be opened."""

    path: Path
    scan: str | None
    """Which saved scan; None: the newest."""
    read_only: bool
    clock: Callable[[], datetime]
    settings: Settings
    throwaway: bool = False
    """Not a cache that one comes back to."""


def open_cache(how: Opening) -> Cache:
    """Open it, find the scan, and what has lapsed since this person was here.

    Raises:
        StoreError, OSError: It cannot be opened, or has no such scan; in words.
    """
    from undercroft.store import NotFoundError, ReadOnlyError, Store

    try:
        store = Store.open(how.path, read_only=how.read_only, clock=how.clock)
    except ReadOnlyError:
        # A medium or a folder that may only be read: look, and say that it is so.
        store = Store.open(how.path, read_only=True, clock=how.clock)
    said = ""
    if store.is_scored_otherwise(how.settings.risk):
        from tui.wiring import keep_to_model

        said = keep_to_model(store, how.settings)
    version = store.data_version()
    scan: ScanRow | None = None
    try:
        scan = store.scan(how.scan)
    except NotFoundError:
        if how.scan is not None:
            raise
    return Cache(store, scan, version, _lapsed_since(how, store, scan), said=said)


def _lapsed_since(how: Opening, store: Store, scan: ScanRow | None) -> Lapses:
    """What ended since this person was here, who is here again now."""
    if how.throwaway or how.settings.path is None:
        return Lapses()
    # A clock that was set to another moment says nothing about when somebody was here.
    now = stamp(min(how.clock(), utc_now()))
    since = opened_before(how.settings.path, store.path)
    # Nobody waits for the disk to have it.
    threading.Thread(
        target=remember_opened, args=(how.settings.path, store.path, now), daemon=True
    ).start()
    if not since or scan is None:
        return Lapses(since)
    return Lapses(since, frozenset(store.lapsed(scan.id, since, _LAPSES)[1]))


def read_today(store: Store, scan_id: int, lapses: Lapses, days: int) -> tuple[Today, int]:
    """What calls for action today, and how many acceptances have ended since one was here.

    ``days``: how long a finding may go without a look.
    """
    lapsed = store.lapsed(scan_id, lapses.since)[0] if lapses.since else 0
    return store.today(scan_id, days), lapsed


def _read_home(how: Opening, cache: Cache) -> Home | None:
    store, scan = cache.store, cache.scan
    if scan is None:
        return None
    rows = store.services(scan.id, HOME, 0, PAGE)
    total = len(rows) if len(rows) < PAGE else store.count_services(scan.id, HOME)
    today, lapsed = read_today(store, scan.id, cache.lapses, how.settings.unconfirmed_days)
    return Home(total, rows, today, lapsed, store.tower(scan.id, rows[0].key) if rows else None)


class Ahead:
    """Opens the cache and reads the home screen's data, from now on."""

    def __init__(self, how: Opening) -> None:
        self._how = how
        self._cache: Cache | None = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            cache = open_cache(self._how)
        except Exception as error:  # noqa: BLE001  (raised again where it is asked for)
            self._error = error
            return
        home = None
        # What goes wrong here goes wrong again, and is shown, when the screen reads for itself.
        with contextlib.suppress(Exception):
            home = _read_home(self._how, cache)
        self._cache = cache._replace(home=home)

    def ready(self, patience: float) -> Cache | None:
        """The cache, if it is open within ``patience`` seconds."""
        self._thread.join(patience)
        return self._cache

    def result(self) -> Cache:
        """The cache, however long it takes. Raises what ``open_cache`` raises."""
        self._thread.join()
        if self._cache is None:
            raise self._error or RuntimeError("the cache was not opened")
        return self._cache
