"""Who decides: every decision carries a name, none is anonymous."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess

from tui.settings import Settings

__all__ = ["find_actor"]


def find_actor(settings: Settings) -> str:
    """``UNDERCROFT_ACTOR``, the setting ``actor``, git's user, or the login name on this host."""
    return os.environ.get("UNDERCROFT_ACTOR") or settings.actor or _git_user() or _login()


def _git_user() -> str:
    try:
        mail = subprocess.run(
            ["git", "config", "--get", "user.email"],
            capture_output=True,
            text=True,
            timeout=2,
            check=False,
        ).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return mail


def _login() -> str:
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # no such user id in this container
        name = f"uid-{os.getuid()}"
    return f"{name}@{socket.gethostname()}"
