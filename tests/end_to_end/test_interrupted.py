"""Ended from outside: Ctrl-C and kill -9, in the middle of a scan and in the middle of decisions."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.cloud.faults import Fault, FaultyProxy
from tests.end_to_end.kit import SMALL, Cloud, Shell, read_until

ACCEPT = """
import sys
from pathlib import Path
from tui.cli import cli
from tui.cli.errors import run

for finding in sys.argv[1:]:
    status = run(cli, ["accept", finding, "--reason", "one after the other", "--until", "30d"])
    print(status, finding, flush=True)
"""


@pytest.fixture
def shell(small_shell: Shell) -> Shell:
    """What is interrupted is the scan of a small estate, which the cache knows already."""
    return small_shell


@pytest.fixture
def slow_cloud(small_cloud: Cloud, shell: Shell) -> Iterator[FaultyProxy]:
    """The estate behind a proxy that stops answering about models.

    One call: more of them would take all that may be in flight, and nothing would end.
    """
    with FaultyProxy(small_cloud.endpoint) as proxy:
        proxy.break_(Fault(503, "ServiceUnavailable", "sagemaker", "ListModels", delay=60))
        shell.endpoint = proxy.endpoint
        yield proxy


def begin_scan(shell: Shell) -> subprocess.Popen[str]:
    """A scan that has read something and now waits for an answer."""
    process = shell.start("scan", "aws", *SMALL, "--name", "broken off")
    assert process.stderr is not None
    read_until(process.stderr, lambda line: "complete" in line and "training-job" in line)
    return process


@pytest.fixture
def found(small_cloud: Cloud) -> int:
    """How many findings the first scan has."""
    return len(small_cloud.expected)


def is_whole(shell: Shell, found: int) -> None:
    """The cache opens, and everything from before is there: ``found`` findings of the first scan."""
    with sqlite3.connect(shell.db) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert "FIX" not in shell.run("doctor").out
    assert len(shell.findings("", "--scan", "first")) == found


def test_killed_in_the_middle_of_a_scan(shell: Shell, slow_cloud: FaultyProxy, found: int) -> None:
    accepted, meanwhile, *_ = (found["id"] for found in shell.findings())
    shell.run("accept", accepted, "--reason", "before the accident", "--until", "30d")
    before = shell.findings()
    with begin_scan(shell) as process:
        assert shell.findings() == before, "a scan is invisible until it is whole"
        running = shell.scans()[0]
        assert (running["name"], running["state"]) == ("broken off", "running")
        shell.run("accept", meanwhile, "--reason", "while it runs", "--until", "30d")
        before = shell.findings()
        os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL

    (broken, first) = shell.scans()
    assert (broken["name"], broken["state"]) == ("broken off", "interrupted")
    assert (first["name"], first["state"]) == ("first", "complete")
    assert shell.findings() == before, "the newest whole scan is what is shown"
    is_whole(shell, found)
    # The next scan clears up after it and is none the worse for it.
    shell.endpoint = slow_cloud.upstream
    shell.scan(*SMALL, "--name", "next")
    assert [row["state"] for row in shell.scans()] == ["complete", "interrupted", "complete"]
    assert {found["id"] for found in shell.findings("status:accepted")} == {accepted, meanwhile}
    is_whole(shell, found)


def test_a_killed_scan_goes_on(shell: Shell, slow_cloud: FaultyProxy) -> None:
    before = shell.findings()
    unfinished = shell.db.with_name(f"{shell.db.name}-unfinished")
    with begin_scan(shell) as process:
        os.killpg(process.pid, signal.SIGKILL)
    assert unfinished.exists()
    slow_cloud.repair()
    done = shell.scan(*SMALL, "--resume")
    assert "before the interruption, not read again" in done.err
    again = slow_cloud.seen.total()
    assert [row["state"] for row in shell.scans()] == ["complete", "interrupted", "complete"]
    calls = shell.scans()[0]["calls"]
    assert again < calls, "the calls of before count, and are not made again"
    assert [found["id"] for found in shell.findings()] == [found["id"] for found in before]
    assert not unfinished.exists()


def test_stopped_in_the_middle_of_a_scan(shell: Shell, slow_cloud: FaultyProxy, found: int) -> None:
    before = shell.findings()
    with begin_scan(shell) as process:
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        read_until(process.stderr, lambda line: "again to insist" in line)
        slow_cloud.repair()
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "earlier scans and all decisions are untouched" in err
    assert "--resume goes on from here" in err
    assert "Traceback" not in err
    assert [row["state"] for row in shell.scans()] == ["interrupted", "complete"]
    assert shell.findings() == before
    is_whole(shell, found)


def test_a_second_interrupt_does_not_wait_for_answers(
    shell: Shell, slow_cloud: FaultyProxy, found: int
) -> None:
    with begin_scan(shell) as process:
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        read_until(process.stderr, lambda line: "again to insist" in line)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert [row["state"] for row in shell.scans()] == ["interrupted", "complete"]
    is_whole(shell, found)


def test_killed_in_the_middle_of_decisions(shell: Shell, found: int) -> None:
    ids = [found["id"] for found in shell.findings()]
    with subprocess.Popen(
        [sys.executable, "-c", ACCEPT, *ids],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=shell.environment,
        cwd=shell.home,
    ) as process:
        assert process.stdout is not None
        said = read_until(process.stdout, lambda line: ids[4] in line)
        process.kill()
    promised = [line.split()[1] for line in said]
    assert promised == ids[:5]

    accepted = {found["id"] for found in shell.findings("status:accepted")}
    assert set(promised) <= accepted, "what was answered is kept"
    events = shell.run("history", "--format", "json").json["events"]
    assert {event["finding"] for event in events} == accepted, "and nothing is half done"
    is_whole(shell, found)
    shell.run("accept", ids[-1], "--reason", "life goes on", "--until", "30d")
    shell.run("undo")


def has_journal(shell: Shell) -> bool:
    try:
        return shell.db.with_name(f"{shell.db.name}-wal").stat().st_size > 0
    except FileNotFoundError:
        return False


def test_killed_while_one_decision_covers_everything(shell: Shell, found: int) -> None:
    with shell.start("accept", "--filter", "severity>=info", "--yes", "--until", "30d",
                     "--reason", "all or nothing") as process:  # fmt: skip
        # As soon as it has begun to write: its journal is there.
        while process.poll() is None and not has_journal(shell):
            pass
        process.kill()
    is_whole(shell, found)
    accepted = shell.findings("status:accepted")
    events = shell.run("history", "--format", "json").json["events"]
    assert len(accepted) == len(events)
    assert len(events) in {0, found}
