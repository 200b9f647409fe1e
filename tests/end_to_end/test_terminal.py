"""The interface in a real terminal, worked with keys only."""

from __future__ import annotations

import re

import pytest

from tests.end_to_end.kit import Cloud, Shell
from tests.end_to_end.terminal import Terminal, needs_tmux

pytestmark = [pytest.mark.tmux, needs_tmux]

SIZES = [(80, 24), (200, 60)]


@pytest.mark.parametrize(("columns", "lines"), SIZES)
def test_the_demo_from_services_to_a_decision_and_back(
    new_shell: Shell, columns: int, lines: int
) -> None:
    with Terminal(new_shell, columns, lines, "demo") as screen:
        text = screen.wait_for("SCORE", "SERVICE", "◆C", " services")
        assert all(len(line) <= columns for line in text.splitlines())
        assert len(text.splitlines()) == lines

        screen.press("Enter")
        screen.wait_for("1 service", "2 container", "5 identity", "esc back")
        screen.press("Escape")
        screen.wait_for("SCORE", gone="esc back")

        screen.press("F")
        screen.wait_for("FINDING", " findings")
        screen.press("/")
        screen.wait_for("severity>=high, layer:identity")
        screen.type("rule:aws-s3-public-read status:open")
        text = screen.wait_for(" match", "Anyone can read the bucket")
        before = matching(text)
        assert before > 0
        screen.press("Enter")
        screen.wait_for("a accept")

        screen.press("a")
        screen.wait_for("Accept the risk for a while", "10 more characters")
        screen.type("the owner knows about it")
        screen.press("Tab", "Tab")
        screen.type("ml-platform")
        screen.press("Enter")
        screen.wait_for("Press enter once more")
        screen.press("Enter")
        screen.wait_for("Accepted 1 finding until")
        screen.press("u")
        screen.wait_for("Undid: accepted 1 finding")
        screen.wait_for(f"{before} finding")

        screen.quit()
    assert not new_shell.db.exists(), "the demo has a cache of its own"


def matching(text: str) -> int:
    """How many findings match, as the top of the screen says."""
    found = re.search(r"([\d,]+) findings? match", text)
    assert found, text
    return int(found[1].replace(",", ""))


def test_an_empty_cache_shows_how_to_begin(new_shell: Shell) -> None:
    with Terminal(new_shell, 80, 24, "--db", new_shell.db) as screen:
        screen.wait_for(
            "See what your AI services stand on.",
            "Scan now",
            "Open the demo",
            "Open a file",
            "credentials in the environment",
        )
        screen.quit()


def test_the_first_scan_from_the_screen(new_shell: Shell, small_cloud: Cloud) -> None:
    new_shell.endpoint = small_cloud.endpoint
    new_shell.more["AWS_DEFAULT_REGION"] = "eu-central-1"
    with Terminal(new_shell, 120, 40, "--db", new_shell.db) as screen:
        screen.wait_for("credentials in the environment")
        screen.press("Enter")
        screen.wait_for("eu-central-1", "check, then start")
        screen.press("Enter")
        screen.wait_for("123456789012", "start the scan")
        screen.press("Enter")
        screen.wait_for("Scan finished", "Nothing went wrong")
        screen.press("H")
        screen.wait_for("still-root", "SCORE")
        screen.quit()
    assert [row["state"] for row in new_shell.scans()] == ["complete"]


def test_decisions_from_the_screen_are_there_for_the_command_line(shell: Shell) -> None:
    with Terminal(shell, 120, 40, "--screen", "findings", "--filter",
                  "rule:aws-sagemaker-notebook-no-cmk") as screen:  # fmt: skip
        screen.wait_for("1 finding match")
        screen.press("f")
        screen.wait_for("fixed")
        screen.type("gave it a key")
        screen.press("Enter")
        screen.wait_for("claimed")
        assert [found["resource"]["name"] for found in shell.findings("status:fix_claimed")] == [
            "no-key"
        ]
        shell.run("undo")
        screen.wait_for("• open")
        screen.quit()


def test_a_cache_may_be_opened_to_look_only(shell: Shell) -> None:
    with Terminal(shell, 120, 40, "--read-only", "--filter", "service:open-desk") as screen:
        screen.wait_for("1 service match")
        screen.press("Enter")
        screen.wait_for("open-desk", "largest contributions")
        screen.press("a")
        screen.wait_for("read-only")
        screen.press("q")
        assert screen.ended() == 0
    assert shell.run("history").rows == []


def test_a_terminal_that_cannot_draw_is_told(shell: Shell) -> None:
    done = shell.run("--filter", "x", status=2)
    assert "the interface needs a terminal" in done.err
