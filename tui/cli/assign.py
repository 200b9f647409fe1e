"""``assign`` and ``override-severity``: who works on a finding, and how bad it is here."""

from __future__ import annotations

from pathlib import Path

import click

from tui.cli.common import db_option, debug_option, scan_option, selection_options
from tui.cli.decide import decide_on
from tui.cli.scoped import rate_rule, scope_from, scope_options
from undercroft.model import Severity

__all__ = ["assign_command", "override_severity_command"]


@click.command("assign")
@selection_options
@click.option("--to", "assignee", default=None, help="A person or a team.")
@click.option("--nobody", is_flag=True, help="Nobody works on it any more.")
@scan_option
@db_option
@debug_option
def assign_command(
    findings: tuple[str, ...],
    filter_text: str,
    yes: bool,
    assignee: str | None,
    nobody: bool,
    scan_ref: str | None,
    db: Path | None,
) -> None:
    """Say who works on findings."""
    if bool(assignee) == nobody:
        raise click.UsageError("say who works on it with --to, or --nobody")
    decide_on(
        db,
        scan_ref,
        findings,
        filter_text,
        lambda triage, _, chosen, scan: triage.assign(
            chosen, assignee=assignee or "", scan_id=scan
        ),
        yes=yes,
        verb="assign",
    )


@click.command("override-severity")
@selection_options
@click.option(
    "--severity", required=True, type=click.Choice([severity.value for severity in Severity])
)
@click.option("--reason", required=True, help="Why it is rated so here (10 characters or more).")
@click.option("--until", required=True, help="Last day: 2027-01-31, 30d, 2w, 3m, eoq, eoy.")
@scope_options
@scan_option
@db_option
@debug_option
def override_severity_command(
    findings: tuple[str, ...],
    filter_text: str,
    yes: bool,
    severity: str,
    reason: str,
    until: str,
    rule: str,
    cve: str,
    resource: str,
    prefix: str,
    tags: tuple[str, ...],
    scan_ref: str | None,
    db: Path | None,
) -> None:
    """Rate findings, or a rule within a boundary, otherwise than the rule does, until a date."""
    from undercroft.triage.dates import parse_until

    scope = scope_from(rule, cve, resource, prefix, tags, findings or filter_text)
    if scope is not None:
        rate_rule(
            db, scan_ref, scope, severity=Severity(severity), reason=reason, until=until, yes=yes
        )
        return
    decide_on(
        db,
        scan_ref,
        findings,
        filter_text,
        lambda triage, _, chosen, scan: triage.override_severity(
            chosen,
            severity=Severity(severity),
            reason=reason,
            until=parse_until(until, triage.today),
            scan_id=scan,
        ),
        yes=yes,
        verb="rate",
    )
