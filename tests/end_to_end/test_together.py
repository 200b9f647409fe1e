"""Two people at two terminals and a scan, all on one cache."""

from __future__ import annotations

from dataclasses import replace
from time import monotonic

import pytest

from tests.end_to_end.kit import Cloud, Shell
from tests.end_to_end.terminal import Terminal, needs_tmux

pytestmark = [pytest.mark.slow, pytest.mark.tmux, needs_tmux]

ONE = ("--screen", "findings", "--filter", "rule:aws-sagemaker-notebook-no-cmk")
SEEN = 2.0
"""Seconds within which each sees what the other decided."""


def test_each_sees_the_others_decisions_while_a_scan_runs(shell: Shell, cloud: Cloud) -> None:
    home = shell.home.with_name("bob")
    home.mkdir()
    shell.endpoint = cloud.endpoint
    other = replace(shell, home=home, more={"UNDERCROFT_ACTOR": "Bob <bob@example.org>"})
    with Terminal(shell, 120, 40, *ONE) as ada, Terminal(other, 120, 40, *ONE) as bob:
        for screen in (ada, bob):
            screen.wait_for("1 finding match", "• open")
        with shell.start("scan", "aws", "--region", "us-east-1", "--name", "meanwhile") as scan:
            ada.press("f")
            ada.wait_for("Only a scan can confirm it")
            ada.press("Enter")
            ada.wait_for("undoes it")
            decided = monotonic()
            bob.wait_for("fix claimed")
            took = [monotonic() - decided]
            bob.press("o")
            bob.wait_for("Why does the decision no longer hold?")
            bob.type("it has no key, I looked")
            bob.press("Enter")
            bob.wait_for("undoes it")
            decided = monotonic()
            ada.wait_for("• open", gone="fix claimed")
            took.append(monotonic() - decided)
            scan.communicate(timeout=120)
        assert scan.returncode == 0
        assert max(took) < SEEN, took
        for screen in (ada, bob):
            screen.quit()
    events = shell.run("history", "--format", "json").json["events"]
    assert [(event["type"], event["actor"].partition(" ")[0]) for event in events] == [
        ("clear", "Bob"),
        ("claim_fixed", "Ada"),
    ]
    assert [row["name"] for row in shell.scans()] == ["meanwhile", "first"]
    assert "every chain is whole" in shell.run("history", "--verify").err
