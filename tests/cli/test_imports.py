"""What a command loads: speed at the prompt, and no cloud SDK where none is needed."""

from __future__ import annotations

import subprocess
import sys
from functools import cache

import pytest

SDKS = ("boto3", "botocore", "google", "azure")
SCREENS = ("textual", "rich")
HEAVY = (*SDKS, *SCREENS, "cel_expr_python", "yaml")


@cache
def modules_after(script: str) -> frozenset[str]:
    """Every module that a fresh process has after running ``script``."""
    ending = "import sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", f"{script}\n{ending}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return frozenset(done.stdout.splitlines()[-1].split())


def loaded(script: str, libraries: tuple[str, ...]) -> set[str]:
    """Modules of ``libraries`` that ``script`` loads, beyond what the interpreter starts with."""
    # Namespace packages may leave an empty `google` in every process of this environment.
    extra = modules_after(script) - modules_after("pass")
    return {name for name in extra if name.partition(".")[0] in libraries}


def running(*arguments: str) -> str:
    return (
        f"from tui.cli import cli\nfrom tui.cli.errors import run\nrun(cli, {list(arguments)!r})\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("scan", "--help"),
        ("scan", "aws", "--help"),
        ("findings", "-h"),
        ("--version",),
        ("--screen", "nope"),
    ],
)
def test_help_loads_neither_screen_nor_sdk(arguments: tuple[str, ...]) -> None:
    assert not loaded(running(*arguments), HEAVY)


def test_reading_the_cache_loads_neither_screen_nor_sdk(tmp_path: object) -> None:
    assert not loaded(running("findings", "--db", f"{tmp_path}/x.db", "--format", "json"), HEAVY)


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("undercroft.store", HEAVY),
        ("undercroft.scan", HEAVY),
        ("rules", (*SDKS, *SCREENS)),
        ("tui.wiring", (*SDKS, *SCREENS)),
        ("collectors.aws", ("google", "azure", *SCREENS)),
        ("tui.app", (*SDKS, "sqlite_utils", "yaml")),
    ],
)
def test_a_floor_loads_only_what_it_needs(module: str, forbidden: tuple[str, ...]) -> None:
    assert not loaded(f"import {module}", forbidden)


def test_looking_at_findings_loads_nothing_that_saves_decides_or_exports() -> None:
    found = modules_after(
        "import undercroft.store, undercroft.store.read_findings, tui.cli.reports"
    )
    ours = {name for name in found if name.startswith("undercroft.")}
    assert "undercroft.store.read_findings" in ours
    assert not ours & {
        "undercroft.exchange.records",
        "undercroft.risk.model",
        "undercroft.store.decisions",
        "undercroft.store.writer",
        "undercroft.triage.resolve",
        "undercroft.triage.status",
    }
