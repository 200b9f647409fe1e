"""Deciding about a rule within a boundary from the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tui.cli.common import open_store, own_triage, say
from tui.cli.errors import CommandError
from undercroft.text import count, shown

if TYPE_CHECKING:
    from tui.cli.common import Command
    from undercroft.model import Severity
    from undercroft.triage.decide import Action, Triage
    from undercroft.triage.scopes import Scope
    from undercroft.triage.scoping import Ahead
    from undercroft.views import ScanRow

__all__ = ["accept_rule", "rate_rule", "scope_from", "scope_options"]


def scope_options(command: Command) -> Command:
    """``--rule`` and the boundary within which it is decided about."""
    for option in (
        click.option("--tag", "tags", multiple=True, metavar="NAME=VALUE", help="… with this tag."),
        click.option("--prefix", default="", help="… where resource keys begin so …"),
        click.option("--resource", default="", help="… on this resource (its key) …"),
        click.option("--cve", default="", help="… (for the rule cve: this vulnerability) …"),
        click.option(
            "--rule", default="", help="Instead of findings: this rule, findings to come included …"
        ),
    ):
        command = option(command)
    return command


def scope_from(
    rule: str, cve: str, resource: str, prefix: str, tags: Sequence[str], findings: object
) -> Scope | None:
    """The boundary that the options of ``scope_options`` name; None if they name none.

    ``findings``: whatever names findings besides. CommandError if that is both, if no rule is named,
    or if a tag has no value.
    """
    from undercroft.triage.scopes import Scope

    if not (rule or cve or resource or prefix or tags):
        return None
    if findings or not (rule or cve):
        raise CommandError("name findings, or a boundary that begins with --rule; not both")

    pairs = [tag.partition("=") for tag in tags]
    if wrong := [name for name, equals, _ in pairs if not equals or not name]:
        raise CommandError(f"write tags as NAME=VALUE, not {wrong[0]!r}")
    values = {name: value for name, _, value in pairs}
    return Scope(rule or "cve", cve.upper() or None, resource, prefix, values)


def accept_rule(
    db: Path | None,
    scan_ref: str | None,
    scope: Scope,
    *,
    reason: str,
    until: str,
    owner: str,
    guards_off: Sequence[str],
    yes: bool,
) -> None:
    """Accept it: say what it covers now, ask, and record it."""
    from undercroft.triage.dates import parse_until
    from undercroft.triage.scoping import accept_scope

    def act(triage: Triage, covers: Sequence[str], scan: ScanRow, ahead: Ahead | None) -> Action:
        return accept_scope(
            triage,
            scope,
            covers,
            reason=reason,
            until=parse_until(until, triage.today),
            owner=owner or triage.actor,
            guards_off=guards_off,
            ahead=ahead,
            scan_id=scan.id,
        )

    _decide(db, scan_ref, scope, act, what=f"accept {shown(scope.words())}", yes=yes)


def rate_rule(
    db: Path | None,
    scan_ref: str | None,
    scope: Scope,
    *,
    severity: Severity,
    reason: str,
    until: str,
    yes: bool,
) -> None:
    """Rate it otherwise than it says: say what that covers now, ask, and record it."""
    from undercroft.triage.dates import parse_until
    from undercroft.triage.scoping import rate_scope

    def act(triage: Triage, covers: Sequence[str], scan: ScanRow, ahead: Ahead | None) -> Action:
        return rate_scope(
            triage,
            scope,
            covers,
            severity=severity,
            reason=reason,
            until=parse_until(until, triage.today),
            ahead=ahead,
            scan_id=scan.id,
        )

    what = f"rate {shown(scope.words())} as {severity.value}"
    _decide(db, scan_ref, scope, act, what=what, yes=yes, rates=True)


def _decide(
    db: Path | None,
    scan_ref: str | None,
    scope: Scope,
    act: Callable[[Triage, Sequence[str], ScanRow, Ahead | None], Action],
    *,
    what: str,
    yes: bool,
    rates: bool = False,
) -> None:
    from tui.cli.decide import warn_of_services
    from undercroft.triage.decide import DecisionError
    from undercroft.triage.wording import replaced_words

    with open_store(db) as store:
        scan = store.scan(scan_ref)
        covers = store.covered(scope, scan.id)
        triage = own_triage(store)
        if not rates:
            warn_of_services(triage, store, covers, scan.id)
        if not yes and covers:
            what = f"{what}: {count(len(covers), 'finding')} now, and more to come"
            if rates and (alone := store.rated_alone(covers)):
                what = f"{what} ({replaced_words(alone)})"
            if not sys.stdin.isatty():
                raise CommandError(f"would {what}; add --yes to do it")
            click.confirm(f"{what[0].upper()}{what[1:]}?", abort=True, err=True)
        ahead = None if covers else _ahead(scope, scan)
        try:
            action = act(triage, covers, scan, ahead)
        except DecisionError as error:
            raise CommandError(str(error)) from error
    say(f"{action.summary}; take it back with 'undercroft undo'")


def _ahead(scope: Scope, scan: ScanRow) -> Ahead | None:
    """What a rule that finds nothing is decided by: only as a whole, and only if there is such a one."""
    from rules import load_pack
    from undercroft.triage.scopes import whole
    from undercroft.triage.scoping import Ahead

    if not scope.covers(whole(scope.rule)):
        return None
    rule = load_pack().find(scope.rule)
    if rule is None:
        return None
    return Ahead(rule.severity, scan.uid, scan.finished_at or scan.started_at)
