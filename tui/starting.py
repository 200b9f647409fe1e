"""Starts the interface: the cache is opened while Textual is still being imported."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tui import garbage
from tui.opening import Ahead, Opening
from tui.settings import load
from undercroft.clock import utc_now

if TYPE_CHECKING:
    from rules import Pack
    from tui.app import UndercroftApp
    from tui.scanning import Discovery, ScanRequest
    from undercroft.protocols import Progress
    from undercroft.views import ScanRow

__all__ = ["make_app"]


def make_app(
    db: Path | None,
    *,
    scan: str | None = None,
    screen: str = "services",
    filter: str = "",  # noqa: A002  (the command line's word)
    read_only: bool = False,
    prepare: Callable[[Callable[[str], None]], Path] | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> UndercroftApp:
    """The app as the command runs it, on a cache or on one that ``prepare`` makes first.

    Raises:
        SettingsError, KeymapError: The person's settings cannot be used.
    """
    garbage.leave()
    settings = load()
    ahead = None
    if db is not None and prepare is None:
        ahead = Ahead(Opening(db, scan, read_only, clock, settings))
    from tui.app import UndercroftApp

    def path() -> Path:
        if app.store is None:
            raise RuntimeError("no cache is open yet")
        return app.store.path

    def start_scan(
        request: ScanRequest, progress: Callable[[Progress], None], cancelled: threading.Event
    ) -> ScanRow:
        from tui import wiring

        return wiring.scan_starter(path)(request, progress, cancelled)

    def discover() -> Discovery:
        from tui import wiring

        return wiring.discover(path())

    def rules_pack() -> Pack:
        from tui import wiring

        return wiring.pack()

    app = UndercroftApp(
        db,
        scan=scan,
        screen=screen,
        filter=filter,
        read_only=read_only,
        demo=prepare is not None,
        prepare=prepare,
        config=settings,
        clock=clock,
        scan_starter=start_scan,
        discover=discover,
        rules_pack=rules_pack,
        ahead=ahead,
    )
    return app
