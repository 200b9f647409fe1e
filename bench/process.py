"""Whole processes, timed from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

__all__ = ["PYTHON", "environment", "first_line", "run_cpu", "run_usage"]

PYTHON = sys.executable
_ROOT = Path(__file__).resolve().parents[1]
_PATIENCE = 120.0
"""Seconds after which a child is given up."""


def environment(home: Path) -> Mapping[str, str]:
    """The caller's, with configuration and data in a folder of the bench's own.

    Compiled modules are kept there too: as for whoever installed it, none is compiled at a start.
    """
    caller = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {
        **caller,
        "PYTHONPYCACHEPREFIX": str(home / "compiled"),
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "XDG_DATA_HOME": str(home),
        "XDG_CACHE_HOME": str(home),
        "PYTHONPATH": str(_ROOT),
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
    }


def run_cpu(
    command: Sequence[str], env: Mapping[str, str], output: int | IO[bytes] = subprocess.DEVNULL
) -> float:
    """User and system seconds of one process, start to exit.

    Raises ``subprocess.CalledProcessError`` if it fails.
    """
    return run_usage(command, env, output)[0]


def run_usage(
    command: Sequence[str], env: Mapping[str, str], output: int | IO[bytes] = subprocess.DEVNULL
) -> tuple[float, float]:
    """The same, and the largest resident memory in MB."""
    with subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=output) as child:
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command)
    # Linux counts in kibibytes, macOS in bytes.
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit


def first_line(
    command: Sequence[str], env: Mapping[str, str], patience: float = _PATIENCE
) -> tuple[float, dict[str, Any]]:
    """Wall seconds from the start of a process to its first line of output, which is JSON.

    Raises ``RuntimeError`` with what it wrote to standard error if there is none.
    """
    start = time.perf_counter()
    with subprocess.Popen(
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None  # a pipe was asked for
        line = child.stdout.readline()
        seconds = time.perf_counter() - start
        _, errors = child.communicate(timeout=patience)
    if not line:
        raise RuntimeError(f"{' '.join(command)} said nothing: {errors.strip()[-2000:]}")
    return seconds, json.loads(line)
