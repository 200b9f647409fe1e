"""Accepting a rule within a boundary from the command line."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tui.cli.common import open_store, own_triage, say
from tui.cli.errors import CommandError
from undercroft.text import count, shown

if TYPE_CHECKING:
    from undercroft.triage.scopes import Scope

__all__ = ["accept_rule", "scope_from"]


def scope_from(rule: str, cve: str, resource: str, prefix: str, tags: Sequence[str]) -> Scope:
    """The boundary that the options name. CommandError if a tag has no value."""
    from undercroft.triage.scopes import Scope

    pairs = [tag.partition("=") for tag in tags]
    if wrong := [name for name, equals, _ in pairs if not equals or not name]:
        raise CommandError(f"write tags as NAME=VALUE, not {wrong[0]!r}")
    values = {name: value for name, _, value in pairs}
    return Scope(rule, cve.upper() or None, resource, prefix, values)


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
    """Say what it covers now, ask, and record it."""
    from tui.cli.decide import warn_of_services
    from undercroft.triage.dates import parse_until
    from undercroft.triage.decide import DecisionError
    from undercroft.triage.scoping import accept_scope

    with open_store(db) as store:
        scan = store.scan(scan_ref)
        covers = [row.id for row in store.covered(scope, scan.id)]
        triage = own_triage(store)
        what = (
            f"accept {shown(scope.words())}: {count(len(covers), 'finding')} now, and more to come"
        )
        warn_of_services(triage, store, covers, scan.id)
        if not yes and covers:
            if not sys.stdin.isatty():
                raise CommandError(f"would {what}; add --yes to do it")
            click.confirm(f"{what[0].upper()}{what[1:]}?", abort=True, err=True)
        try:
            action = accept_scope(
                triage,
                scope,
                covers,
                reason=reason,
                until=parse_until(until, triage.today),
                owner=owner or triage.actor,
                guards_off=guards_off,
                scan_id=scan.id,
            )
        except DecisionError as error:
            raise CommandError(str(error)) from error
    say(f"{action.summary}; take it back with 'undercroft undo'")
