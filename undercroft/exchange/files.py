"""Files are written whole or not at all, and never over an existing one unless asked to."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

__all__ = ["FileExistsRefusedError", "write_whole"]


class FileExistsRefusedError(OSError):
    """The file is there, and nobody said that it may be replaced."""


def write_whole(path: Path, write: Callable[[TextIO], object], *, force: bool = False) -> None:
    """Let ``write`` fill ``path``: temporary file beside it, fsync, rename.

    Raises ``FileExistsRefusedError`` if it exists and ``force`` is off; ``OSError`` if the folder
    cannot be written. Nothing is left behind on failure.
    """
    if path.exists() and not force:
        raise _refused(path)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        if force:
            os.replace(temporary, path)  # noqa: PTH105  (the same words as the comment above)
        else:
            _link(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _link(temporary: str, path: Path) -> None:
    """Give the file its name, unless somebody else took the name meanwhile."""
    try:
        os.link(temporary, path)
    except FileExistsError as error:
        raise _refused(path) from error
    except OSError:  # a file system without hard links, which may have hidden that it exists
        if path.exists():
            raise _refused(path) from None
        Path(temporary).rename(path)


def _refused(path: Path) -> FileExistsRefusedError:
    return FileExistsRefusedError(f"{path} exists; choose another name or say --force")
