"""Driving the interface by key press, on the small estate."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Static
from textual.worker import WorkerCancelled, WorkerFailed

from rules.schema import Combination, Example, Fix, Need, Pack, Rule
from tests.tui.estate import HOSTILE, NOW, seed
from tui.app import UndercroftApp
from tui.scanning import Discovery, Found, Preflight, ScanRequest
from tui.settings import Settings
from undercroft.model import Layer, Severity, Threat
from undercroft.protocols import Progress
from undercroft.views import ScanRow

__all__ = ["PACK", "estate_app", "screen_text", "settle", "text_of"]

SMALL = (80, 24)
FIX = Fix("Turn root access off.", "aws sagemaker update-notebook-instance --root-access Disabled")
PACK = Pack(
    rules=(
        Rule(
            id="root-access",
            title="Notebook users have root",
            layer=Layer.SERVICE,
            on=("sagemaker:notebook-instance",),
            severity=Severity.HIGH,
            threat=Threat.CONDITIONAL,
            fails_when='config.RootAccess == "Enabled"',
            why="Root on the notebook reaches the role of the notebook.",
            fix=FIX,
            evidence=("config.RootAccess",),
            examples=(Example("fails", {"config": {"RootAccess": "Enabled"}}),),
        ),
        Rule(
            id="odd",
            title=f"Odd {HOSTILE} {{at.name}}",
            layer=Layer.STORAGE,
            on=("s3:bucket",),
            severity=Severity.LOW,
            threat=Threat.HARDENING,
            fails_when="facts.odd",
            why=HOSTILE,
            fix=Fix("Look at it."),
        ),
    ),
    combinations=(
        Combination(
            id="combo",
            title="Everything at once",
            on=("*",),
            severity=Severity.CRITICAL,
            needs=(Need("root", ("root-access",), label="root"),),
            why="Because.",
            fix=Fix("Break one of them."),
        ),
    ),
    version="p1",
)
DISCOVERY = Discovery(
    (
        Found("aws", "default", "~/.aws/credentials", locations=("eu-west-1",)),
        Found("aws", "dev", ready=False, hint="run aws sso login --profile dev"),
    ),
    check=lambda request: Preflight(
        "arn:aws:iam::123456789012:user/ada",
        "123456789012",
        request.locations or ("eu-west-1",),
        ("bucket policies: needs s3:GetBucketPolicy",),
    ),
)


def estate_app(
    tmp_path: Path,
    *,
    empty: bool = False,
    starter: Callable[[ScanRequest, Callable[[Progress], None], threading.Event], ScanRow]
    | None = None,
    discovery: Discovery = DISCOVERY,
    read_only: bool = False,
    screen: str = "services",
    config: Settings | None = None,
) -> UndercroftApp:
    """The real app on a real cache."""
    tmp_path.mkdir(exist_ok=True)
    path = tmp_path / "cache.db"
    if not empty:
        seed(path)
    return UndercroftApp(
        path,
        actor="ada <ada@example.com>",
        clock=lambda: NOW,
        discover=lambda: discovery,
        scan_starter=starter,
        rules_pack=lambda: PACK,
        read_only=read_only,
        screen=screen,
        config=config,
    )


async def settle(pilot: Pilot[None]) -> None:
    """Wait until no worker runs and no message is under way; workers may start workers."""
    for _ in range(4):
        with suppress(WorkerCancelled, WorkerFailed):
            await pilot.app.workers.wait_for_complete()
        await pilot.pause()


def text_of(app: App[None], selector: str) -> str:
    """The plain text of a static part of the top screen."""
    return str(app.screen.query_one(selector, Static).visual)


def screen_text(app: App[None]) -> str:
    """Everything on the terminal, row by row, as plain text."""
    width, height = app.size
    lines = app.screen._compositor.render_strips()
    return "\n".join(strip.text for strip in lines[:height])[: (width + 1) * height]
