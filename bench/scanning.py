"""One scan in a process of its own: ``python -m bench.scanning FILE SERVICES RESOURCES FINDINGS CHANGED SHARED``.

Prints one line: CPU seconds of the steps, peak memory in MB.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from bench.estate import Size, SyntheticCollector
from bench.machine import peak_memory
from bench.world import clock
from rules import Engine, load_pack
from undercroft.protocols import Progress, Scope
from undercroft.scan import run_scan
from undercroft.store import Store


def main(path: Path, size: Size, changed: float, *, most_shared: bool) -> None:
    """Scan, and say what it cost."""
    marks: dict[str, float] = {}
    collector = SyntheticCollector(size, changed=changed, most_shared=most_shared)
    engine = Engine(load_pack())
    for kind in collector.types:
        engine.rules_for(kind)

    def note(event: Progress) -> None:
        marks.setdefault(event.kind, time.process_time())

    with Store.open(path, clock=clock) as store:
        start = time.process_time()
        run_scan(store, [collector], engine, Scope("aws"), progress=note, clock=clock)
        end = time.process_time()
    steps = (marks["judging"] - start, marks["saving"] - marks["judging"], end - marks["saving"])
    print(json.dumps({"steps": steps, "peak": peak_memory()}), flush=True)


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        Size(*map(int, sys.argv[2:5])),
        float(sys.argv[5]),
        most_shared=sys.argv[6] == "1",
    )
