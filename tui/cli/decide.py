"""Decisions from the command line: the same events as from the screen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tui.cli.common import (
    choose_findings,
    db_option,
    debug_option,
    open_store,
    own_triage,
    say,
    scan_option,
    selection_options,
    told,
)
from tui.cli.decisions import event_id
from tui.cli.errors import CommandError
from tui.cli.scoped import accept_rule, scope_from, scope_options
from undercroft.text import count, shown

if TYPE_CHECKING:
    from undercroft.store import Store
    from undercroft.triage.decide import Action, Triage

__all__ = [
    "accept_command",
    "decide_on",
    "false_positive_command",
    "fixed_command",
    "note_command",
    "redo_command",
    "reopen_command",
    "undo_command",
    "warn_of_services",
]

_GUARDS = ("severity", "kev", "epss", "exposure", "incarnation")
_CATEGORIES = ("wrong_rule_logic", "not_applicable", "compensating_config", "bad_data")
_NAMED = 5
"""Services that are named in a sentence; there can be a thousand above one selection."""


def decide_on(
    db: Path | None,
    scan_ref: str | None,
    ids: tuple[str, ...],
    filter_text: str,
    act: Callable[[Triage, Store, list[str], int], Action],
    *,
    yes: bool,
    verb: str,
) -> None:
    """Choose the findings, let ``act`` record the decision, say what it did. CommandError."""
    from undercroft.triage.decide import DecisionError

    with open_store(db) as store:
        scan = store.scan(scan_ref)
        chosen = choose_findings(store, scan, ids, filter_text, yes=yes, verb=verb)
        triage = own_triage(store)
        try:
            with told(triage):
                action = act(triage, store, chosen, scan.id)
        except DecisionError as error:
            raise CommandError(str(error)) from error
    for finding, state in action.skipped:
        say(f"skipped {finding[:11]}: it is {state.replace('_', ' ')}")
    say(f"{action.summary}; take it back with 'undercroft undo'")


@click.command("accept")
@selection_options
@click.option("--reason", default="", help="Why it is tolerable (10 characters or more).")
@click.option("--until", default="", help="Last day: 2027-01-31, 30d, 2w, 3m, eoq, eoy.")
@click.option("--owner", default="", help="Who answers for it; default: you.")
@click.option("--ticket", default="", help="Where it is followed up.")
@click.option("--without-guard", "guards_off", multiple=True, type=click.Choice(_GUARDS),
              help="Let it hold even if this becomes worse (repeatable).")  # fmt: skip
@click.option("--again", is_flag=True, help="As the acceptance that lapsed: same reason, new date.")
@scope_options
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
    ticket: str,
    guards_off: tuple[str, ...],
    again: bool,
    rule: str,
    cve: str,
    resource: str,
    prefix: str,
    tags: tuple[str, ...],
    scan_ref: str | None,
    db: Path | None,
) -> None:
    """Tolerate findings, or a rule within a boundary, until a date."""
    from undercroft.triage.dates import parse_until

    if again and (reason or until or rule):
        raise CommandError("--again takes reason and length from the acceptance that lapsed")
    if not again and not (reason and until):
        raise CommandError("an acceptance needs --reason and --until (or --again)")
    scope = scope_from(rule, cve, resource, prefix, tags, findings or filter_text)
    if scope is not None:
        accept_rule(db, scan_ref, scope, reason=reason, until=until, owner=owner,
                    guards_off=guards_off, yes=yes)  # fmt: skip
        return

    def act(triage: Triage, store: Store, chosen: list[str], scan: int) -> Action:
        warn_of_services(triage, store, chosen, scan)
        if again:
            return triage.accept_again(chosen, scan_id=scan)
        return triage.accept(
            chosen,
            reason=reason,
            until=parse_until(until, triage.today),
            owner=owner or triage.actor,
            ticket=ticket,
            guards_off=guards_off,
            scan_id=scan,
        )

    decide_on(db, scan_ref, findings, filter_text, act, yes=yes, verb="accept")


def warn_of_services(triage: Triage, store: Store, chosen: list[str], scan: int) -> None:
    """Say which AI services are above what is critical or exploited: a few names, then a number."""
    grave = triage.must_confirm(chosen, scan)
    if grave:
        above = store.services_of(scan, [facts.finding for facts in grave])
        names = ", ".join(shown(service.name) for service in above[:_NAMED]) or "no AI service"
        if len(above) > _NAMED:
            names += f" and {count(len(above) - _NAMED, 'more AI service')}"
        say(f"{count(len(grave), 'critical finding')} beneath {names}")


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
    decide_on(
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
    decide_on(
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
    decide_on(
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
    decide_on(
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
    from undercroft.triage.decide import DecisionError

    with open_store(db) as store:
        triage = own_triage(store)
        whole = target if target is None or target.startswith("b-") else event_id(store, target)
        try:
            with told(triage):
                action = triage.undo(whole, reason=reason)
        except DecisionError as error:
            raise CommandError(str(error)) from error
    say(action.summary)


@click.command("redo")
@db_option
@debug_option
def redo_command(db: Path | None) -> None:
    """Take your last undo back, unless you decided something after it."""
    from undercroft.triage.decide import DecisionError

    with open_store(db) as store:
        triage = own_triage(store)
        try:
            with told(triage):
                action = triage.redo()
        except DecisionError as error:
            raise CommandError(str(error)) from error
    say(action.summary)
