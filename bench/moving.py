"""One app whose findings table is moved about in: ``python -m bench.moving (--db FILE | --rows N)``.

Prints one line with the CPU seconds of every key, from the press until the row under the cursor has
been drawn. ``--rows`` is Textual's own DataTable with as many rows of the same width.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui import garbage

if TYPE_CHECKING:
    from textual.pilot import Pilot

_SIZE = (120, 40)
KEYS = {"cursor": ("j",), "page": ("pagedown",), "jump": ("G", "g")}
"""Name of the figure → keys pressed by turns."""
_TABLE_KEYS = {"j": "down", "G": "ctrl+end", "g": "ctrl+home"}


def main() -> None:
    """Build the app, press the keys."""
    parser = argparse.ArgumentParser(prog="python -m bench.moving")
    parser.add_argument("--db", type=Path)
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--times", type=int, default=40, help="presses of each key")
    arguments = parser.parse_args()
    times = arguments.times
    work = _ours(arguments.db, times) if arguments.db else _table(arguments.rows, times)
    print(json.dumps(asyncio.run(work)), flush=True)


async def _press(
    pilot: Pilot[Any], times: int, keys: dict[str, str], shown: Callable[[], bool]
) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for name, names in KEYS.items():
        spent = found[name] = []
        for turn in range(times):
            key = names[turn % len(names)]
            start = time.process_time()
            await pilot.press(keys.get(key, key))
            while not shown():
                await asyncio.sleep(0.0005)
            spent.append(time.process_time() - start)
            # What follows a cursor at rest is not part of a move.
            await asyncio.sleep(0.005)
        await pilot.press(keys.get("g", "g"))
        await pilot.pause(0.2)
    return found


async def _ours(path: Path, times: int) -> dict[str, list[float]]:
    garbage.leave()  # as the command does
    from tui.app import UndercroftApp
    from tui.widgets.table import VirtualTable

    app = UndercroftApp(path, screen="findings", read_only=True)
    async with app.run_test(size=_SIZE) as pilot:
        table: VirtualTable[Any] | None = None
        while table is None or table.row is None:
            await pilot.pause(0.02)
            table = next(iter(app.screen.query("#list").results(VirtualTable)), None)
        garbage.look_again()
        await pilot.pause(0.3)
        # The first jump far down makes the list's order known; whoever moves about has it.
        for key in ("G", "g", "G", "g"):
            await pilot.press(key)
            await pilot.pause(0.3)
        moved = table
        return await _press(pilot, times, {}, lambda: moved.row is not None)


async def _table(rows: int, times: int) -> dict[str, list[float]]:
    from textual.app import App, ComposeResult
    from textual.widgets import DataTable

    class Table(App[None]):
        def compose(self) -> ComposeResult:
            yield DataTable(cursor_type="row")

        def on_mount(self) -> None:
            table = self.query_one(DataTable)
            table.add_columns(*(f"column {number}" for number in range(8)))
            table.add_rows([f"cell {number} {row}" for number in range(8)] for row in range(rows))
            table.focus()

    async with Table().run_test(size=_SIZE) as pilot:
        await pilot.pause(0.5)
        return await _press(pilot, times, _TABLE_KEYS, lambda: True)


if __name__ == "__main__":
    main()
