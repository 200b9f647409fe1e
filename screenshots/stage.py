"""The real app on the demo estate, without a terminal, with everything fixed that could vary."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Input, TextArea
from textual.worker import WorkerCancelled, WorkerFailed

from screenshots.grid import Grid
from tui import wiring
from tui.app import UndercroftApp
from tui.scanning import Discovery, Found, Preflight, ScanStarter
from tui.settings import Settings

__all__ = ["ACTOR", "NOW", "Stage", "grid_of", "now", "press", "settle"]

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
ACTOR = "Dana Whitfield <dana.whitfield@halden.example>"
_SALT = "ab" * 32
_REST = 0.12
"""Seconds: longer than the longest pause after which a screen reads what the cursor stands on."""
_PATIENCE = 10.0
_SURROUNDINGS = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "COLORTERM", "TEXTUAL_THEME")

DISCOVERY = Discovery(
    (
        Found("aws", "halden-prod", "sso session halden, eu-west-1", locations=("eu-west-1", "us-east-1")),
        Found("aws", "halden-research", "~/.aws/credentials, us-east-1", locations=("us-east-1",)),
        Found("aws", "legacy", ready=False, hint="expired; run aws sso login --profile legacy"),
    ),
    check=lambda request: Preflight(
        "arn:aws:sts::418273659012:assumed-role/SecurityAudit/dana.whitfield",
        "418273659012",
        request.locations,
        ("key policies: needs kms:GetKeyPolicy",),
    ),
)  # fmt: skip
"""What the machine of the demo's person could scan with."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A folder with the demo's cache in it, built once and copied for each picture."""

    folder: Path

    @classmethod
    @contextmanager
    def build(cls) -> Iterator[Stage]:
        """In a temporary folder, with the surroundings fixed until the end."""
        with tempfile.TemporaryDirectory(prefix="undercroft-pictures-") as name, _fixed(Path(name)):
            stage = cls(Path(name))
            stage._build()
            yield stage

    @property
    def cache(self) -> Path:
        """The cache that is copied; not opened by any picture."""
        return self.folder / "demo.db"

    def _build(self) -> None:
        from undercroft.store import Store

        # Fingerprints of secrets hang on the cache's own salt; a known one gives known pictures.
        Store.open(self.cache, clock=now).close()
        _set_salt(self.cache)
        wiring.build_demo(self.cache, lambda _: None, clock=now)

    def copy(self, *, empty: bool = False) -> Path:
        """A path in a folder of its own, with the demo's cache or nothing there."""
        path = Path(tempfile.mkdtemp(dir=self.folder)) / "undercroft.db"
        if not empty:
            shutil.copy(self.cache, path)
        return path

    def app(
        self, *, theme: str = "", colour: bool = True, empty: bool = False,
        starter: ScanStarter | None = None,
    ) -> UndercroftApp:  # fmt: skip
        """The app on its own copy of the cache, or on an empty one."""
        path = self.copy(empty=empty)
        if not colour:
            os.environ["NO_COLOR"] = "1"
        try:
            return UndercroftApp(
                path,
                demo=not empty,
                actor=ACTOR,
                clock=now,
                scan_starter=starter or wiring.scan_starter(lambda: path),
                discover=lambda: DISCOVERY,
                rules_pack=wiring.pack,
                config=Settings(theme=theme, path=self.folder / "config.toml"),
            )
        finally:
            os.environ.pop("NO_COLOR", None)


def now() -> datetime:
    """The moment at which all pictures are taken."""
    return NOW


def _set_salt(path: Path) -> None:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(path)) as connection, connection:
        changed = connection.execute("UPDATE meta SET value = ? WHERE key = 'salt'", (_SALT,))
        if changed.rowcount != 1:
            raise RuntimeError("the cache keeps its salt elsewhere than in meta")


@contextmanager
def _fixed(folder: Path) -> Iterator[None]:
    """UTC, no colour wishes, an empty home that is also the current folder."""
    home = folder / "home"
    home.mkdir()
    before = dict(os.environ)
    here = Path.cwd()
    for name in _SURROUNDINGS:
        os.environ.pop(name, None)
    os.environ |= {"TZ": "UTC", "HOME": str(home), "TEXTUAL_ANIMATIONS": "none"}
    time.tzset()
    os.chdir(home)
    try:
        yield
    finally:
        os.chdir(here)
        os.environ.clear()
        os.environ.update(before)
        time.tzset()


async def press(pilot: Pilot[None], keys: str) -> None:
    """Press keys separated by blanks (``F / enter``), or type a text (``=severity:high``)."""
    if keys.startswith("="):
        typed = list(keys[1:])
        await pilot.press(*({" ": "space"}.get(char, char) for char in typed))
    else:
        await pilot.press(*keys.split())
    await settle(pilot)


async def settle(pilot: Pilot[None]) -> None:
    """Wait until nothing but a scan is under way and the picture stays the same."""
    app = pilot.app
    deadline = time.monotonic() + _PATIENCE
    before = ""
    while time.monotonic() < deadline:
        waited_for = [
            worker for worker in app.workers if not worker.is_finished and worker.group != "scan"
        ]
        if waited_for:
            with suppress(WorkerCancelled, WorkerFailed):
                await app.workers.wait_for_complete(waited_for)
        await pilot.pause(_REST)
        for field in (*app.screen.query(Input), *app.screen.query(TextArea)):
            field.cursor_blink = False
        after = app.export_screenshot()
        if after == before:
            return
        before = after
    raise TimeoutError("the screen does not come to rest")


def grid_of(app: UndercroftApp) -> Grid:
    """What is on the terminal now."""
    width, height = app.size
    return Grid.read(app.export_screenshot(simplify=True), width, height)
