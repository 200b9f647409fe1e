"""``fix-first``: repairs in the order in which they take off most, computed jointly."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from tui.cli.common import db_option, debug_option, open_store, say, scan_option
from tui.cli.moment import as_of_option, now
from tui.cli.output import print_json, print_rows

__all__ = ["fix_first_command"]


@click.command("fix-first")
@click.option("--top", default=20, show_default=True, type=click.IntRange(1, 500), metavar="N")
@scan_option
@as_of_option
@db_option
@debug_option
@click.option("--format", "form", type=click.Choice(["table", "json", "markdown"]), default="table")
def fix_first_command(top: int, scan_ref: str | None, db: Path | None, form: str) -> None:
    """List what to repair first: each row is worth what it takes off after those above it.

    markdown is a checklist with the commands.
    """
    from undercroft.exchange import Head
    from undercroft.exchange.plans import plan_document, write_checklist

    with open_store(db, read_only=True) as store:
        scan = store.scan(scan_ref)
        plan = store.repair_plan(scan.id)
        repairs = plan.first(top)
        head = Head.of(store, scan, "", now())
        if form == "json":
            print_json(plan_document(head, repairs, plan.total))
            return
        if form == "markdown":
            from tui.wiring import pack

            fixes = {entry.id: (entry.fix.text, entry.fix.command) for entry in pack().entries()}
            joint = plan.what_if([repair.id for repair in repairs])
            write_checklist(
                head, repairs, joint, lambda rule: fixes.get(rule, ("", "")), sys.stdout
            )
            return
        print_rows(
            ("TAKES OFF", "LEFT", "REPAIR", "KIND", "SERVICES", "FINDINGS", "BREAKS"),
            [
                (
                    f"{repair.value:6.1f}",
                    f"{repair.total:8.1f}",
                    repair.words,
                    repair.resource.type,
                    f"{len(repair.helps)}{' choke point' if repair.choke_point else ''}",
                    str(repair.findings),
                    str(repair.broken) if repair.broken else "",
                )
                for repair in repairs
            ],
        )
        say(f"{plan.total:.1f} points over all services now; nothing was changed")
