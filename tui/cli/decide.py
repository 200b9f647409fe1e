"""Decisions from the command line: the same events as from the screen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tui.actor import find_actor
from tui.cli.common import (
    choose_findings,
    db_option,
    debug_option,
    open_store,
    say,
    scan_option,
    selection_options,
)
from tui.cli.errors import CommandError
from tui.cli.output import print_json, print_rows
from tui.settings import load
from undercroft.clock import utc_now
from undercroft.text import count, minute, shown

if TYPE_CHECKING:
    from undercroft.store import Store
    from undercroft.triage.decide import Action, Triage

__all__ = [
    "accept_command",
    "false_positive_command",
    "fixed_command",
    "history_command",
    "note_command",
    "reopen_command",
    "undo_command",
]

_CATEGORIES = ("wrong_rule_logic", "not_applicable", "compensating_config", "bad_data")


def _decide(
    db: Path | None,
    scan_ref: str | None,
    ids: tuple[str, ...],
    filter_text: str,
    act: Callable[[Triage, Store, list[str], int], Action],
    *,
    yes: bool,
    verb: str,
) -> None:
    from undercroft.triage.decide import DecisionError, Triage

    with open_store(db) as store:
        scan = store.scan(scan_ref)
        chosen = choose_findings(store, scan, ids, filter_text, yes=yes, verb=verb)
        triage = Triage(store, actor=find_actor(load()), clock=utc_now)
        try:
            action = act(triage, store, chosen, scan.id)
        except DecisionError as error:
            raise CommandError(str(error)) from error
    for finding, state in action.skipped:
        say(f"skipped {finding[:11]}: it is {state.replace('_', ' ')}")
    say(f"{action.summary}; take it back with 'undercroft undo'")


@click.command("accept")
@selection_options
@click.option("--reason", required=True, help="Why it is tolerable (10 characters or more).")
@click.option("--until", required=True, help="Last day: 2027-01-31, 30d, 2w, 3m, eoq, eoy.")
@click.option("--owner", default="", help="Who answers for it; default: you.")
@scan_option
@db_option
@debug_option
def accept_command(
    findings: tuple[str, ...],
    filter_text: str,
    yes: bool,
    reason: str,
    until: str,
    owner: str,
    scan_ref: str | None,
    db: Path | None,
) -> None:
    """Tolerate findings until a date."""
    from undercroft.triage.dates import parse_until

    def act(triage: Triage, store: Store, chosen: list[str], scan: int) -> Action:
        grave = triage.must_confirm(chosen, scan)
        if grave:
            above = store.services_of(scan, [facts.finding for facts in grave])
            names = ", ".join(shown(service.name) for service in above) or "no AI service"
            say(f"{count(len(grave), 'critical finding')} beneath {names}")
        day = parse_until(until, triage.today)
        return triage.accept(
            chosen, reason=reason, until=day, owner=owner or triage.actor, scan_id=scan
        )

    _decide(
        db,
        scan_ref,
        findings,
        filter_text,
        act,
        yes=yes,
        verb="accept",
    )


@click.command("fixed")
@selection_options
@click.option("--note", default="", help="What was done.")
@scan_option
@db_option
@debug_option
def fixed_command(
    findings: tuple[str, ...],
    filter_text: str,
    yes: bool,
    note: str,
    scan_ref: str | None,
    db: Path | None,
) -> None:
    """Say that findings are repaired; only a later scan can confirm it."""
    _decide(
        db,
        scan_ref,
        findings,
        filter_text,
        lambda triage, _, chosen, scan: triage.claim_fixed(chosen, note=note, scan_id=scan),
        yes=yes,
        verb="claim as fixed",
    )


@click.command("false-positive")
@selection_options
@click.option("--reason", required=True, help="Why the rule is wrong here.")
@click.option("--category", type=click.Choice(_CATEGORIES), default="not_applicable")
@scan_option
@db_option
@debug_option
def false_positive_command(
    findings: tuple[str, ...],
    filter_text: str,
    yes: bool,
    reason: str,
    category: str,
    scan_ref: str | None,
    db: Path | None,
) -> None:
    """Say that a rule is wrong about findings."""
    _decide(
        db,
        scan_ref,
        findings,
        filter_text,
        lambda triage, _, chosen, scan: triage.false_positive(
            chosen, reason=reason, category=category, scan_id=scan
        ),
        yes=yes,
        verb="mark as false positive",
    )


@click.command("reopen")
@selection_options
@click.option("--reason", required=True, help="Why the decision no longer holds.")
@scan_option
@db_option
@debug_option
def reopen_command(
    findings: tuple[str, ...],
    filter_text: str,
    yes: bool,
    reason: str,
    scan_ref: str | None,
    db: Path | None,
) -> None:
    """Withdraw the decision on findings."""
    _decide(
        db,
        scan_ref,
        findings,
        filter_text,
        lambda triage, _, chosen, scan: triage.reopen(chosen, reason=reason, scan_id=scan),
        yes=yes,
        verb="reopen",
    )


@click.command("note")
@selection_options
@click.option("--text", "--reason", "text", required=True, help="The note.")
@scan_option
@db_option
@debug_option
def note_command(
    findings: tuple[str, ...],
    filter_text: str,
    yes: bool,
    text: str,
    scan_ref: str | None,
    db: Path | None,
) -> None:
    """Add a note to findings."""
    _decide(
        db,
        scan_ref,
        findings,
        filter_text,
        lambda triage, _, chosen, scan: triage.note(chosen, text=text, scan_id=scan),
        yes=yes,
        verb="add a note to",
    )


@click.command("undo")
@click.argument("target", required=False)
@click.option("--reason", default="", help="Needed for somebody else's decision.")
@db_option
@debug_option
def undo_command(target: str | None, reason: str, db: Path | None) -> None:
    """Take back your last decision, or the TARGET event or batch of the history."""
    from undercroft.triage.decide import DecisionError, Triage

    with open_store(db) as store:
        triage = Triage(store, actor=find_actor(load()), clock=utc_now)
        try:
            action = triage.undo(target, reason=reason)
        except DecisionError as error:
            raise CommandError(str(error)) from error
    say(action.summary)


@click.command("history")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
@click.option("--text", default="", help="Only lines with this text.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many.")
@db_option
@debug_option
def history_command(form: str, text: str, limit: int | None, db: Path | None) -> None:
    """List decisions, newest first."""
    with open_store(db, read_only=True) as store:
        rows = store.history(text=text, limit=limit)
    if form == "json":
        from undercroft.exchange import history_document

        print_json(history_document(rows))
        return
    print_rows(
        ("EVENT", "AT", "WHO", "WHAT", "RESOURCE", "FINDING", "REASON"),
        [
            (
                row.id[:10],
                minute(row.at),
                row.actor,
                row.type.replace("_", " ") + ("" if row.live else " (undone)"),
                row.resource_name,
                row.title,
                row.reason,
            )
            for row in rows
        ],
    )
