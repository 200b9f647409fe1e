"""Views that a person saved (a name, a screen and a filter), columns that they chose, and when they
last opened each cache.

Each kind is one file of names and texts beside the settings file.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path

__all__ = ["columns_path", "read_views", "remember_opened", "views_path", "write_views"]

_CACHES = 200
"""So many caches are remembered, those opened last."""


def views_path(settings: Path) -> Path:
    """The file of saved views that belongs to a settings file."""
    return settings.with_name("views.toml")


def columns_path(settings: Path) -> Path:
    """The file of chosen columns that belongs to a settings file."""
    return settings.with_name("columns.toml")


def remember_opened(settings: Path, cache: Path, moment: str) -> str:
    """Note that a cache is opened now; when it was opened before, or nothing.

    What cannot be written is forgotten: it only marks what is new to a person.
    """
    path, name = settings.with_name("opened.toml"), str(cache.expanduser().absolute())
    known = read_views(path)
    before = known.pop(name, "")
    with contextlib.suppress(OSError):
        # Whoever looks at an earlier moment was here later all the same.
        write_views(path, dict([*known.items(), (name, max(before, moment))][-_CACHES:]))
    return before


def read_views(path: Path) -> dict[str, str]:
    """Name → text; what is not there or not readable holds none."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return {}
    return {name: view for name, view in data.items() if isinstance(view, str)}


def write_views(path: Path, views: Mapping[str, str]) -> None:
    """Write them all, whole or not at all. OSError if that is not possible."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{_quoted(name)} = {_quoted(view)}\n" for name, view in views.items()]
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".views-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


def _quoted(text: str) -> str:
    """A TOML string: JSON's escapes are among TOML's, except that TOML also wants DEL escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
