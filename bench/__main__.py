"""``python -m bench``: measure the budgets and print them as a table."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.estate import Size
from bench.machine import conditions
from bench.measure import Figure
from bench.world import World

__all__ = ["AREAS", "main"]

AREAS: dict[str, tuple[str, str]] = {
    "startup": ("startup:startup", "command line: start-up"),
    "judging": ("judging:judging", "rules engine against bare CEL"),
    "statuses": ("statuses:statuses", "status computation"),
    "saving": ("saving:saving", "saving a scan against executemany"),
    "rescan": ("saving:rescan", "the same estate again, 1 % changed"),
    "pages": ("reading:pages", "first page of findings against bare SQL"),
    "jumps": ("reading:jumps", "middle and end against the first page"),
    "services": ("reading:towers", "opening a service against bare SQL"),
    "scoring": ("scoring:scoring", "scores of all services against one SQL aggregation"),
    "rescoring": ("scoring:rescoring", "one decision on the role that most services share"),
    "bulk": ("deciding:bulk", "accepting up to 100,000 findings at once, and undoing it"),
    "planning": ("scoring:planning", "what to repair first, and one repair marked as planned"),
    "combining": ("scoring:combining", "a feed imported, and all combinations evaluated anew"),
    "export": ("exporting:exporting", "CSV and JSON Lines against sqlite3 -csv"),
    "aws": ("aws:aws", "AWS scan: calls, and CPU per call against bare botocore"),
    "moves": ("interface:moves", "keys in the findings table against few rows and DataTable"),
    "memory": ("saving:memory", "memory of a scan with ten times the findings"),
    "gcp": ("gcp:gcp", "Google Cloud: imports, an empty project, and a scan of 500 services"),
    "app": ("interface:interface", "first frame and memory against an empty app"),
}
"""Name → (module:function, what it measures)."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the figures that were asked for.

    1 if one could not be measured or, with ``--strict``, if a budget is not met.
    """
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if chosen.list:
        for name, (_, text) in AREAS.items():
            print(f"{name:<10} {text}")
        return 0
    size = Size(chosen.services, chosen.resources, chosen.findings)
    if chosen.rounds is not None and chosen.rounds < 1:
        parser.error("measuring takes one round at least")
    if size.services < 1 or size.resources < size.services or size.findings < 0:
        parser.error("there must be at least one service, and services count as resources")
    start = time.monotonic()
    machine = conditions()
    print("  ".join(f"{name} {value}" for name, value in machine.items()))
    print(
        f"{size.services:,} services, {size.resources:,} resources, {size.findings:,} findings; "
        "ratios are ours / bare, by turns\n"
    )
    print(f"{'figure':<44} {'ours':>11} {'bare':>11} {'':>8} {'budget':>7}")
    figures: list[tuple[str, Figure]] = []
    failed: list[str] = []
    with World(size, chosen.rounds) as world:
        for name in chosen.only or AREAS:
            try:
                found = _area(name)(world)
            except Exception as error:  # noqa: BLE001  (the other figures are still worth having)
                failed.append(name)
                traceback.print_exception(error)
                continue
            for figure in found:
                figures.append((name, figure))
                _print(figure)
    missed = [figure for _, figure in figures if figure.verdict == "NOT MET"]
    judged = sum(1 for _, figure in figures if figure.verdict)
    seconds = time.monotonic() - start
    print(f"\n{judged - len(missed)} of {judged} budgets met; {seconds:.0f} s")
    if chosen.json:
        document = {
            "conditions": machine,
            "size": {
                "services": size.services,
                "resources": size.resources,
                "findings": size.findings,
            },
            "seconds": round(seconds, 1),
            "figures": [{"area": name, **figure.to_json()} for name, figure in figures],
        }
        chosen.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    if failed:
        print(f"could not be measured: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed or (missed and chosen.strict) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--services", type=int, default=1_000, metavar="N")
    parser.add_argument(
        "--resources", type=int, default=10_000, metavar="N", help="services included"
    )
    parser.add_argument("--findings", type=int, default=100_000, metavar="N", help="about as many")
    parser.add_argument("--only", nargs="+", choices=list(AREAS), metavar="NAME")
    parser.add_argument("--rounds", type=int, metavar="N", help="repeat each measurement so often")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as well")
    parser.add_argument("--strict", action="store_true", help="fail if a budget is not met")
    parser.add_argument("--list", action="store_true", help="name what can be measured")
    return parser


def _area(name: str) -> Callable[[World], list[Figure]]:
    """Its function; imported when it is run, so that choosing one loads nothing for the others."""
    module, _, function = AREAS[name][0].partition(":")
    found: Callable[[World], list[Figure]] = getattr(
        importlib.import_module(f"bench.{module}"), function
    )
    return found


def _print(figure: Figure) -> None:
    unit = figure.unit
    value = (
        f"{figure.value:+.0f} {unit}" if figure.kind == "difference" else f"{figure.value:.2f} x"
    )
    budget = "" if figure.budget is None else f"{figure.budget:g}"
    print(
        f"{figure.what:<44} {figure.ours:>8,.1f} {unit} {figure.bare:>8,.1f} {unit} "
        f"{value:>8} {budget:>7}  {figure.verdict}"
    )
    if figure.parts:
        parts = ", ".join(f"{name} {spent:,.0f}" for name, spent in figure.parts.items())
        print(f"    {parts} {unit}")
    if figure.note:
        print(f"    {figure.note}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
