"""The board of a running scan, the run in its worker, and the screen that shows it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from textual.widgets import Input

from tests.tui.estate import ACCOUNT, HOSTILE
from tests.tui.piloting import DISCOVERY, estate_app, screen_text, settle, text_of
from tui import wiring
from tui.dialogs.scan_setup import ScanSetupDialog, split_regions
from tui.scanning import Discovery, Found, Preflight, ScanBoard, ScanRequest
from undercroft.clock import stamp, utc_now
from undercroft.model import CoverageStatus
from undercroft.protocols import Cancelled, Progress
from undercroft.scan.journal import journal_path
from undercroft.store import Store
from undercroft.views import ScanRow


def ended(collector: str, status: CoverageStatus, *, calls: int, done: int, total: int) -> Progress:
    return Progress(
        "unit_done", collector, ACCOUNT, "eu-west-1", done, total, calls=calls, status=status
    )


def test_the_board_adds_units_up_and_never_runs_backwards() -> None:
    board = ScanBoard()
    board.apply(Progress("planned", total=4))
    board.apply(Progress("unit_started", "aws.s3", ACCOUNT, "eu-west-1", total=4))
    board.apply(Progress("unit_progress", "aws.s3", ACCOUNT, "eu-west-1", calls=9, resources=3))
    board.apply(ended("aws.s3", CoverageStatus.COMPLETE, calls=7, done=1, total=4))
    board.apply(ended("aws.kms", CoverageStatus.DENIED, calls=1, done=0, total=3))
    assert (board.done, board.total, board.calls, board.resources) == (1, 4, 10, 3)
    assert [unit.collector for unit in board.gaps()] == ["aws.kms"]
    assert board.phase == "reading"
    board.apply(Progress("judging", done=500, total=9000, resources=500))
    assert (board.phase, board.done, board.total) == ("judging", 1, 4)
    assert not board.finished


def test_regions_are_split_and_checked() -> None:
    assert split_regions(" eu-west-1, US-EAST-1 eu-west-1") == ("eu-west-1", "us-east-1")
    assert split_regions("") == ()


class Starter:
    """Stands in for the pipeline: it reports, waits to be released, and ends as it is told."""

    def __init__(self, *, row: ScanRow | None = None, error: str = "") -> None:
        self.requests: list[ScanRequest] = []
        self.release = threading.Event()
        self.row, self.error = row, error

    def __call__(
        self, request: ScanRequest, progress: Callable[[Progress], None], stop: threading.Event
    ) -> ScanRow:
        self.requests.append(request)
        progress(Progress("planned", total=3))
        progress(Progress("unit_started", "aws.s3", ACCOUNT, "eu-west-1", total=3))
        progress(
            Progress(
                "unit_done",
                "aws.kms",
                ACCOUNT,
                "eu-west-1",
                1,
                3,
                calls=5,
                throttled=2,
                status=CoverageStatus.DENIED,
                reason=f"denied: needs kms:DescribeKey {HOSTILE}",
            )
        )
        for _ in range(1000):  # a test that fails must not leave a thread behind
            if self.release.wait(0.01):
                break
            if stop.is_set():
                raise Cancelled
        if self.error:
            raise RuntimeError(self.error)
        progress(Progress("done", done=3, total=3))
        assert self.row is not None
        return self.row


async def test_a_scan_runs_in_the_background_and_is_cancelled_with_nothing_lost(
    tmp_path: Path,
) -> None:
    starter = Starter()
    app = estate_app(tmp_path, starter=starter)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.start_scan(ScanRequest("aws", "default"))
        for _ in range(20):
            await pilot.pause(0.01)
        text = screen_text(app)
        assert "Reading: 1 of 3 units" in text
        assert "▲ 1 unit not read" in text
        assert "throttled 2×" in text
        await pilot.press("g")
        await pilot.pause()
        assert "needs kms:DescribeKey" in text_of(app, "#unit-words")
        assert "\x1b" not in screen_text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert app.scan_run is not None
        assert app.scan_run.running, "leaving the screen leaves the scan running"
        app.go("scan_progress")
        await pilot.pause()
        await pilot.press("x")
        await pilot.pause()
        assert "Earlier scans and all decisions stay" in screen_text(app)
        await pilot.press("y")
        await settle(pilot)
        assert app.scan_run.board.phase == "cancelled"
        assert "Scan cancelled; nothing was saved" in screen_text(app)
        assert "stopped" in screen_text(app)
    store = Store.open(tmp_path / "cache.db")
    assert len(store.scans()) == 2


async def test_a_failed_scan_says_why(tmp_path: Path) -> None:
    starter = Starter(error=f"no credentials {HOSTILE}")
    starter.release.set()
    app = estate_app(tmp_path, starter=starter)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.start_scan(ScanRequest("aws"))
        await settle(pilot)
        assert app.scan_run is not None
        assert app.scan_run.summary() == f"The scan failed: no credentials {HOSTILE}"
        assert "The scan failed: no credentials [bold red]x[/]␛[31m=cmd()" in screen_text(app)


async def test_setup_checks_permissions_then_starts(tmp_path: Path) -> None:
    starter = Starter()
    app = estate_app(tmp_path, starter=starter, screen="scans")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("n")
        await settle(pilot)
        assert isinstance(app.screen, ScanSetupDialog)
        text = screen_text(app)
        assert "AWS · default" in text
        assert "not ready: run aws sso login" in text
        assert app.screen.query_one("#regions", Input).value == "eu-west-1"
        await pilot.press("enter")
        await settle(pilot)
        text = screen_text(app)
        assert "│  ✓ This can be read, as" in text
        assert "│    arn:aws:iam::123456789012:user/ada" in text, "beneath its words"
        assert "needs s3:GetBucketPolicy" in text
        assert "⏎ start the scan" in text
        assert not starter.requests
        await pilot.press("tab", *",us-east-1")
        assert "⏎ check, then start" in screen_text(app)
        await pilot.press("enter")
        await settle(pilot)
        assert isinstance(app.screen, ScanSetupDialog), "changed fields are checked again"
        await pilot.press("enter")
        await pilot.pause(0.1)
        assert starter.requests == [ScanRequest("aws", "default", ("eu-west-1", "us-east-1"))]
        assert app.scan_run is not None
        app.scan_run.cancel()
        await settle(pilot)


async def test_setup_refuses_what_is_not_ready_and_what_is_no_region(tmp_path: Path) -> None:
    app = estate_app(tmp_path, starter=Starter(), screen="scans")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("n")
        await settle(pilot)
        await pilot.press("down", "enter")
        assert "dev is not ready" in text_of(app, ".dialog-message")
        await pilot.press("up", "tab", "end", *",nowhere!", "enter")
        assert "“nowhere!” does not look like a region" in text_of(app, ".dialog-message")
        await pilot.press("escape")
        assert not isinstance(app.screen, ScanSetupDialog)


async def test_setup_says_when_there_is_nothing_to_scan_with(tmp_path: Path) -> None:
    refused = Discovery(
        DISCOVERY.found, check=lambda request: Preflight("", problems=("the token has expired",))
    )
    app = estate_app(tmp_path, starter=Starter(), discovery=refused, screen="scans")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("n")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert "cannot be scanned: the token has expired" in screen_text(app)
        await pilot.press("escape")
    empty = estate_app(tmp_path / "b", starter=Starter(), discovery=Discovery(), screen="scans")
    async with empty.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("n")
        await settle(pilot)
        assert "No credentials were found" in screen_text(empty)


async def test_setup_of_an_organisation_that_goes_on_where_it_was_interrupted(
    tmp_path: Path,
) -> None:
    starter = Starter()
    found = Discovery((Found("aws", "root"), Found("gcp", "shop")), unfinished=stamp(utc_now()))
    app = estate_app(tmp_path, starter=starter, discovery=found, screen="scans")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("n")
        await settle(pilot)
        assert "one was interrupted just now" in screen_text(app)
        await pilot.press("down", "tab", "tab", "right", "enter")
        assert "Write the number of the organisation" in text_of(app, ".dialog-message")
        await pilot.press("shift+tab", "shift+tab", "shift+tab", "up", "tab", "tab", "right")
        assert "Role there" in screen_text(app)
        await pilot.press("tab", *"Audit", "enter")
        await settle(pilot)
        wanted = ScanRequest("aws", "root", wide=True, wide_name="Audit", resume=True)
        assert starter.requests == [wanted]
        assert app.scan_run is not None
        app.scan_run.cancel()
        await settle(pilot)


def test_what_a_request_asks_of_each_cloud(tmp_path: Path) -> None:
    ask = ScanRequest("", "mine", ("eu-west-1",), "n", wide=True, wide_name="77", resume=True)
    aws, gcp, azure = wiring._aws(ask), wiring._gcp(ask), wiring._azure(ask)
    assert (aws.profiles, aws.organization, aws.role_name) == (("mine",), True, "77")
    assert (gcp.projects, gcp.organization) == ((), "77")
    assert (azure.subscriptions, azure.management_group) == ((), "77")
    narrow = replace(ask, wide=False, wide_name="")
    assert wiring._gcp(narrow).projects == wiring._azure(narrow).subscriptions == ("mine",)
    assert not wiring._aws(narrow).organization
    assert wiring._unfinished(tmp_path / "cache.db") == ""
    journal_path(tmp_path / "cache.db").touch()
    assert wiring._unfinished(tmp_path / "cache.db")
