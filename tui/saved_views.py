"""Views that a person saved (a name, a screen and a filter), columns that they chose, and when they
last opened each cache.

Each kind is one file of names and texts beside the settings file.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

__all__ = [
    "columns_path",
    "opened_before",
    "read_views",
    "remember_opened",
    "views_path",
    "write_views",
]

_CACHES = 200
"""So many caches are remembered, those opened last."""


def views_path(settings: Path) -> Path:
    """The file of saved views that belongs to a settings file."""
    return settings.with_name("views.toml")


def columns_path(settings: Path) -> Path:
    """The file of chosen columns that belongs to a settings file."""
    return settings.with_name("columns.toml")


def opened_before(settings: Path, cache: Path) -> str:
    """When a cache was opened the last time; empty if never."""
    return _opened(settings).get(_named(cache), "")


def remember_opened(settings: Path, cache: Path, moment: str) -> None:
    """Note that a cache is opened now.

    What cannot be written is forgotten: it only marks what is new to a person.
    """
    name, known = _named(cache), _opened(settings)
    before = known.pop(name, "")
    with contextlib.suppress(OSError):
        # Whoever looks at an earlier moment was here later all the same.
        latest = dict([*known.items(), (name, max(before, moment))][-_CACHES:])
        _write(_opened_path(settings), json.dumps(latest, ensure_ascii=False, indent=0))


def _opened_path(settings: Path) -> Path:
    return settings.with_name("opened.json")


def _opened(settings: Path) -> dict[str, str]:
    """Cache → when it was opened last. JSON, which nobody edits and which is read at every start."""
    try:
        data = json.loads(_opened_path(settings).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return (
        {name: at for name, at in data.items() if isinstance(at, str)}
        if isinstance(data, dict)
        else {}
    )


def _named(cache: Path) -> str:
    return str(cache.expanduser().absolute())


def read_views(path: Path) -> dict[str, str]:
    """Name → text; what is not there or not readable holds none."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    import tomllib

    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}
    return {name: view for name, view in data.items() if isinstance(view, str)}


def write_views(path: Path, views: Mapping[str, str]) -> None:
    """Write them all, whole or not at all. OSError if that is not possible."""
    _write(path, "".join(f"{_quoted(name)} = {_quoted(view)}\n" for name, view in views.items()))


def _write(path: Path, text: str) -> None:
    import tempfile

    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".views-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


def _quoted(text: str) -> str:
    """A TOML string: JSON's escapes are among TOML's, except that TOML also wants DEL escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
