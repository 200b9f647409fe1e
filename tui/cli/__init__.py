"""The command ``undercroft``: everything the interface does to data, scriptable.

Standard output carries data only; everything else goes to standard error. Modules are imported by
the command that needs them, so that ``--help`` and ``findings`` load no SDK and no screen.
"""

from __future__ import annotations

import sys

from tui.cli.root import cli

__all__ = ["cli", "main"]


def main() -> None:
    """Entry point: run the command and end the process with its exit status."""
    from tui.cli.errors import run

    sys.exit(run(cli, sys.argv[1:]))
