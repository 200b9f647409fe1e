"""One app in a process of its own: ``python -m bench.frame [--db FILE --wait-for TEXT]``.

Paints as in a terminal, into nothing, and prints one line once the text has been written. Without
``--db`` it is the smallest Textual app that writes something.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.app import App

_SIZE = (120, 40)
_EMPTY = "nothing"


def main() -> None:
    """Build the app, run it."""
    parser = argparse.ArgumentParser(prog="python -m bench.frame")
    parser.add_argument("--db", type=Path)
    parser.add_argument("--wait-for", default=_EMPTY)
    arguments = parser.parse_args()
    app = _ours(arguments.db) if arguments.db else _empty()
    from bench.watcher import Watcher

    Watcher.wanted = arguments.wait_for
    app.driver_class = Watcher
    app.run(size=_SIZE)


def _ours(path: Path) -> App[None]:
    from tui.starting import make_app

    return make_app(path)


def _empty() -> App[None]:
    from textual.app import App, ComposeResult
    from textual.widgets import Static

    class Empty(App[None]):
        def compose(self) -> ComposeResult:
            yield Static(_EMPTY)

    return Empty()


if __name__ == "__main__":
    main()
