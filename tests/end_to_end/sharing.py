"""What all test processes of one run have together: the first that needs it makes it."""

from __future__ import annotations

import fcntl
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from time import monotonic
from typing import TypeVar

from tests.end_to_end.kit import ROOT

__all__ = ["Shared", "locked"]

Made = TypeVar("Made")
_PATIENCE = 60.0
"""Seconds; a loaded machine with two cores takes its time."""


@contextmanager
def locked(file: Path, how: int = fcntl.LOCK_EX) -> Iterator[None]:
    """Hold a lock that ends with this process, whatever becomes of it."""
    with file.open("a") as opened:
        fcntl.flock(opened, how)
        yield


class Shared:
    """Things that are made once per run, by name, in a folder that all its processes know."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.users = folder / "users"
        """Locked (shared) by each process for as long as it runs tests."""

    def once(self, name: str, make: Callable[[Path], Made]) -> Made:
        """What ``make`` made in a folder of its own, here or in another process."""
        folder = self._folder / name
        with locked(folder.with_suffix(".lock")):
            kept = folder.with_suffix(".pickle")
            if not kept.exists():
                folder.mkdir(exist_ok=True)  # whoever tried before us may have failed
                kept.write_bytes(pickle.dumps(make(folder)))
        made: Made = pickle.loads(kept.read_bytes())
        return made

    def serve(self, folder: Path) -> str:
        """The endpoint of a new AWS on loopback, which ends after the last process of this run."""
        said = folder / "endpoint"
        os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", "tests.end_to_end.serving", str(self.users)],
            os.environ | {"PYTHONPATH": str(ROOT)},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(said), os.O_WRONLY | os.O_CREAT, 0o600),
            ],
        )
        deadline = monotonic() + _PATIENCE
        while not (said.exists() and said.read_text().endswith("\n")):
            assert monotonic() < deadline, "the cloud did not come up"
            Event().wait(0.05)
        return said.read_text().strip()
