"""A folder that nobody can write to, root included."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

__all__ = ["on_a_read_only_medium"]

_ROOT = Path(__file__).resolve().parents[1]


def on_a_read_only_medium(path: Path, code: str) -> str:
    """What a process says that finds the cache's folder mounted for reading only."""
    folder = path.parent
    mounts = f"mount --bind {folder} {folder} && mount -o remount,bind,ro {folder}"
    if (
        not shutil.which("unshare")
        or subprocess.run(
            ["unshare", "-rm", "sh", "-c", mounts], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("needs a mount of its own")
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", f'{mounts} && exec "$0" -c "$1"', sys.executable, code],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
