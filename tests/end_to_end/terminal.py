"""A real terminal of a given size, with a program in it: keys in, what stands on the screen out.

It is a tmux server of its own, on a socket of its own: the person's tmux is not touched.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from threading import Event
from time import monotonic
from types import TracebackType
from typing import Self

import pytest

from tests.end_to_end.kit import COMMAND, Shell

__all__ = ["Terminal", "needs_tmux"]

needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")

_LOOK_EVERY = 0.05
_PATIENCE = 30.0
"""Seconds; a loaded machine with two cores takes its time."""


class Terminal:
    """A context manager: ``undercroft`` with ``arguments`` at ``columns`` × ``lines``."""

    def __init__(self, shell: Shell, columns: int, lines: int, *arguments: str | Path) -> None:
        self._shell = shell
        self._socket = shell.home / "tmux"
        self._status = shell.home / "status"
        self._size = columns, lines
        self._arguments = arguments

    def __enter__(self) -> Self:
        columns, lines = self._size
        environment = [
            item
            for name, value in self._shell.environment.items()
            for item in ("-e", f"{name}={value}")
        ]
        # The program's own exit status, which tmux does not pass on.
        script = '"$@"; echo $? > "$STATUS"'
        self._tmux(
            "-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(lines),
            *environment, "-e", f"STATUS={self._status}", "-e", "COLORTERM=truecolor",
            "-c", str(self._shell.home),
            "sh", "-c", script, "sh", str(COMMAND), *map(str, self._arguments),
        )  # fmt: skip
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._tmux("kill-server", check=False)

    def press(self, *keys: str) -> None:
        """Press keys, by tmux's names: ``Enter``, ``Escape``, ``C-r``, ``a``; one, then the next.

        What follows in the same breath would still reach the field that Tab is about to leave.
        """
        for key in keys:
            before = self._state()
            self._tmux("send-keys", key)
            self._settle(before)

    def type(self, text: str) -> None:
        """Type text as it is, and see it arrive."""
        before = self._state()
        self._tmux("send-keys", "-l", text)
        self._settle(before)

    def _state(self) -> str:
        where = self._tmux("display-message", "-p", "#{cursor_x},#{cursor_y}", check=False)
        return where + self.text

    def _settle(self, before: str) -> None:
        """Until the screen or the cursor has changed and then stood still; a key may do neither."""
        deadline = monotonic() + 1.5
        last = before
        while monotonic() < deadline:
            Event().wait(_LOOK_EVERY * 2)
            now = self._state()
            if now == last != before:
                return
            last = now

    @property
    def text(self) -> str:
        """What stands on the screen."""
        return self._tmux("capture-pane", "-p", check=False)

    def wait_for(self, *wanted: str, gone: str = "") -> str:
        """Wait until every text stands there, and ``gone`` does not; the screen at that moment."""
        deadline = monotonic() + _PATIENCE
        while True:
            text = self.text
            if all(item in text for item in wanted) and not (gone and gone in text):
                return text
            assert monotonic() < deadline, f"{wanted} never came (or {gone!r} stayed):\n{text}"
            Event().wait(_LOOK_EVERY)

    def quit(self) -> None:
        """Leave by the key for it, and expect a good end."""
        self.press("q")
        assert self.ended() == 0

    def ended(self) -> int:
        """Wait for the program's end; its exit status."""
        deadline = monotonic() + _PATIENCE
        while not (self._status.exists() and self._status.read_text().strip()):
            assert monotonic() < deadline, f"it never ended:\n{self.text}"
            Event().wait(_LOOK_EVERY)
        return int(self._status.read_text())

    def _tmux(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run(
            ["tmux", "-S", str(self._socket), *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": self._shell.environment["PATH"], "LANG": "C.UTF-8", "TERM": "xterm"},
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout
