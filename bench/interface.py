"""The app with data against an empty Textual app: first painted frame and peak memory."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from bench.estate import Size
from bench.measure import Figure, settled
from bench.moving import KEYS
from bench.process import PYTHON, environment, first_line
from bench.world import World
from undercroft.views import Query

__all__ = ["interface", "moves"]

_WORST = Query()
_FEW = Size(10, 100, 1_000)
_TABLE_ROWS = 10_000
_PRESSES = 40
_PATIENCE = 300.0
_ROUNDS = 7


def interface(world: World) -> list[Figure]:
    """From the start of the process until a service's name has been written to the terminal."""
    env = environment(world.folder)
    name = world.store.services(world.scan.id, _WORST, 0, 1)[0].name
    memory: dict[str, list[float]] = {"ours": [], "bare": []}

    def start(which: str, *arguments: str) -> float:
        seconds, said = first_line((PYTHON, "-m", "bench.frame", *arguments), env)
        memory[which].append(said["peak"])
        return seconds

    path = str(world.saved[0])
    pair = settled(
        lambda: start("ours", "--db", path, "--wait-for", name),
        lambda: start("bare"),
        rounds=world.rounds(_ROUNDS),
    )
    size = f"{world.scan.findings:,} findings"
    peaks = {which: statistics.median(values) for which, values in memory.items()}
    return [
        Figure.of("app: first frame with data", pair, 1.3, note=f"{size}; wall time"),
        Figure(
            "app: peak memory at that moment",
            peaks["ours"],
            peaks["bare"],
            60.0,
            unit="MB",
            kind="difference",
            note=size,
        ),
    ]


def moves(world: World) -> list[Figure]:
    """Keys in the findings table: against the same with few rows, and Textual's own table."""
    env = environment(world.folder)
    with World(_FEW) as few:
        times = str(world.rounds(_PRESSES))
        command = (PYTHON, "-m", "bench.moving", "--times", times)
        _, ours = first_line((*command, "--db", str(world.saved[0])), env, _PATIENCE)
        _, small = first_line((*command, "--db", str(few.saved[0])), env, _PATIENCE)
        _, table = first_line((*command, "--rows", str(_TABLE_ROWS)), env, _PATIENCE)
        rows = few.scan.findings
    found = []
    for name in KEYS:
        mine = _p95(ours[name]) * 1000
        for what, other, budget in (
            (f"{rows:,} rows", small, 1.2),
            (f"DataTable, {_TABLE_ROWS:,} rows", table, 1.0),
        ):
            note = f"p95 of {len(ours[name])} key presses, CPU"
            figure = Figure(
                f"{name}, against {what}", mine, _p95(other[name]) * 1000, budget, note=note
            )
            found.append(figure)
    return found


def _p95(values: Sequence[float]) -> float:
    return sorted(values)[max(0, round(0.95 * len(values)) - 1)]
