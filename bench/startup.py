"""Start-up of the command line against importing the two libraries it cannot do without."""

from __future__ import annotations

from functools import partial

from bench.measure import Figure, settled
from bench.process import PYTHON, environment, run_cpu
from bench.world import World

__all__ = ["startup"]

_BARE = (PYTHON, "-c", "import sqlite_utils, click")
_MAIN = (PYTHON, "-c", "from tui.cli import main; main()")
"""What the installed ``undercroft`` does."""
_ROUNDS = 9


def startup(world: World) -> list[Figure]:
    """CPU time of whole processes."""
    env = environment(world.folder)
    path = str(world.saved[0])
    found = []
    for what, arguments in (
        ("undercroft --help", ["--help"]),
        # One resource: printing thousands of rows would not be start-up.
        ("undercroft findings, one resource", ["findings", "--db", path, "--filter", "rule:aws-iam-* resource:role-1"]),
    ):  # fmt: skip
        command = (*_MAIN, *arguments)
        pair = settled(
            partial(run_cpu, command, env),
            partial(run_cpu, _BARE, env),
            rounds=world.rounds(_ROUNDS),
        )
        note = 'bare: python -c "import sqlite_utils, click"'
        found.append(Figure.of(what, pair, 1.5, note=note))
    return found
