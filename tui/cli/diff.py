"""``diff``: what became of every finding between two scans, and whether that stops a pipeline."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tui.cli.common import db_option, debug_option, open_store, say
from tui.cli.errors import Exit
from tui.cli.moment import as_of_option, now
from tui.cli.output import print_json, print_rows
from undercroft.comparison import Change, Comparison
from undercroft.model import Severity
from undercroft.text import count, shown
from undercroft.triage.compare import Kind
from undercroft.views import Query, ScanRow

if TYPE_CHECKING:
    from undercroft.fields import FieldChange
    from undercroft.store import Store

__all__ = ["diff_command"]

_ACTIVE = frozenset({"open", "reopened", "fix_claimed"})


@click.command("diff")
@click.argument("older", default="previous", metavar="[A]")
@click.argument("newer", default="latest", metavar="[B]")
@click.option("--format", "form", type=click.Choice(["table", "json", "markdown"]), default="table")
@click.option(
    "--fail-on",
    type=click.Choice([severity.value for severity in Severity]),
    help="End with status 1 if anything of this severity or worse is new, regressed or got worse.",
)
@click.option("--fail-on-unconfirmed", is_flag=True, help="… or could not be re-checked.")
@click.option("--fail-on-expired", is_flag=True, help="… or if an acceptance has expired.")
@as_of_option
@db_option
@debug_option
def diff_command(
    older: str,
    newer: str,
    form: str,
    fail_on: str | None,
    fail_on_unconfirmed: bool,
    fail_on_expired: bool,
    db: Path | None,
) -> int:
    """Compare scan A with the newer scan B; the last two if none are named.

    A and B are scans of the cache (id, name, 'previous', 'latest'), other caches (FILE: their newest
    scan), or scans of other caches (FILE:ID).
    """
    with ExitStack() as stack:
        store_a, scan_a = _side(stack, older, db)
        store_b, scan_b = _side(stack, newer, db)
        found = store_a.compare(scan_a.id, scan_b.id, store_b)

        def fields(key: str) -> list[FieldChange]:
            return store_a.config_changes(scan_a.id, scan_b.id, key, store_b)

        if form == "json":
            from undercroft.exchange import diff_document

            coverage = store_a.coverage(scan_a.id), store_b.coverage(scan_b.id)
            print_json(diff_document(found, coverage, fields, now()))
        elif form == "markdown":
            from undercroft.exchange import write_diff_markdown

            write_diff_markdown(found, fields, sys.stdout)
        else:
            _table(found)
        _say(found)
        expired = fail_on_expired and any(
            row.cause == "expired"
            for row in store_b.iter_findings(scan_b.id, Query("status:reopened"))
        )
    return _gate(found, fail_on, unconfirmed=fail_on_unconfirmed, expired=expired,
                 asked=bool(fail_on or fail_on_unconfirmed or fail_on_expired))  # fmt: skip


def _side(stack: ExitStack, text: str, db: Path | None) -> tuple[Store, ScanRow]:
    """A scan by its name in the cache, or ``FILE`` or ``FILE:ID`` for one of another cache."""
    path, ref = db, text
    before, colon, after = text.rpartition(":")
    if Path(text).is_file():
        path, ref = Path(text), "latest"
    elif colon and Path(before).is_file():
        path, ref = Path(before), after
    store = stack.enter_context(open_store(path, read_only=True))
    return store, store.scan(ref)


def _table(found: Comparison) -> None:
    from undercroft.exchange.diff import status_words, why_words

    print_rows(
        ("CHANGE", "SEVERITY", "STATUS", "RESOURCE", "TITLE", "WHY", "ID"),
        [
            (
                change.kind.value,
                change.severity.value,
                status_words(change),
                change.resource_name,
                change.title,
                why_words(change),
                change.id[:11],
            )
            for change in found.changes
        ],
    )


def _say(found: Comparison) -> None:
    from undercroft.exchange.diff import sentence

    names = [shown(scan.name or f"scan {scan.id}") for scan in (found.older, found.newer)]
    say(f"{names[0]} → {names[1]}: {sentence(found)}")
    for unit in found.coverage:
        word = "no longer read" if unit.lost else "read otherwise than before"
        reason = f": {shown(unit.reason)}" if unit.reason else ""
        say(f"{word}: {shown(unit.collector)} {unit.scope} {unit.location} ({unit.after}){reason}")
    different = [one for one in found.resources if one.kind in {"changed", "re-created"}]
    if different:
        say(
            f"{count(len(different), 'resource')} configured otherwise; --format json has the fields"
        )


def _gate(
    found: Comparison, fail_on: str | None, *, unconfirmed: bool, expired: bool, asked: bool
) -> int:
    """What the process ends with. What is accepted or a false positive trips nothing."""
    hits = [change for change in found.changes if fail_on and _trips(change, Severity(fail_on))]
    if hits:
        say(f"{count(len(hits), 'finding')} of severity {fail_on} or worse: the gate is closed")
    if unconfirmed and found.counts[Kind.UNCONFIRMED]:
        say("some findings could not be re-checked: the gate is closed")
        return Exit.FAIL_ON
    if expired:
        say("an acceptance has expired: the gate is closed")
        return Exit.FAIL_ON
    if hits:
        return Exit.FAIL_ON
    if asked and found.newer.gaps:
        say("not everything could be read, so the gate cannot be decided")
        return Exit.INCOMPLETE
    return Exit.DONE


def _trips(change: Change, limit: Severity) -> bool:
    begun = change.kind in {Kind.NEW, Kind.REGRESSED}
    worse = change.kind is Kind.CHANGED and change.worse
    return (begun or worse) and change.severity.rank >= limit.rank and change.status in _ACTIVE
