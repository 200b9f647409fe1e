"""The app with data against an empty Textual app: first painted frame and peak memory."""

from __future__ import annotations

import statistics

from bench.measure import Figure, settled
from bench.process import PYTHON, environment, first_line
from bench.world import World
from undercroft.views import Query

__all__ = ["interface"]

_WORST = Query()
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
