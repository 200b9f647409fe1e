"""One finding or one resource as text."""

from __future__ import annotations

import json
from datetime import datetime

import click

from tui.cli.output import severity_style
from undercroft.risk.repairs import CHOKE_POINT
from undercroft.text import count, minute, shown
from undercroft.triage.limits import ServiceLevel
from undercroft.triage.wording import kind_words
from undercroft.views import FindingDetail, Path, ResourceDetail

__all__ = ["describe_finding", "describe_resource", "path_words"]


def path_words(path: Path) -> str:
    """``fraud-scoring → EndpointConfigName → fraud-config → ExecutionRoleArn → MLExec``"""
    if not path:
        return ""
    words = [shown(path[0].src_name)]
    for step in path:
        words += [shown(step.via), shown(step.dst_name)]
    return " → ".join(words)


def describe_finding(detail: FindingDetail, level: ServiceLevel, now: datetime) -> None:
    """Print it; ``level``: in which time it is to be fixed."""
    row = detail.row
    click.echo(f"{severity_style(row.severity.value)}  {shown(row.title)}")
    status = row.status.replace("_", " ")
    status += f" ({row.cause})" if row.cause else ""
    status += "; could not be re-checked: " + detail.unconfirmed_reason if row.unconfirmed else ""
    _line("id", row.id)
    _line("status", status)
    _line("rule", row.rule)
    _line("layer", row.layer.value)
    _line("resource", f"{row.resource_name} ({row.resource_type})")
    _line("", row.resource_id or row.resource_key)
    _line("score", f"{row.score:.1f}")
    _line("seen", f"first {minute(row.first_seen)}, last {minute(row.last_seen)} UTC")
    if (times := detail.ageing) is not None:
        _line("age", f"{count(times.age.days, 'day')}, open for {count(times.open.days, 'day')}")
        if due := level.words(times, row.severity, kev=detail.kev, now=now, kev_due=detail.kev_due):
            _line("due", due)
    for item in detail.evidence:
        _line("evidence", f"{item.path} = {json.dumps(item.value, ensure_ascii=False)}")
    for service in detail.services:
        _line("beneath", f"{service.name} ({service.type})")
    if detail.decision is not None:
        decision = detail.decision
        until = f" until {decision.until}" if decision.until else ""
        where = f", as a rule: {decision.scope}" if decision.scope else ""
        what = kind_words(decision.kind, row.id) + until
        _line("decision", f"{what} by {decision.actor}: {decision.reason}{where}")
    for other in detail.conflict[1:]:
        _line("conflict", f"{kind_words(other.kind, row.id)} by {other.actor}: {other.reason}")
    if (rated := detail.rated) is not None:
        where = f", as a rule: {rated.scope}" if rated.scope else ""
        what = f"{rated.payload.get('severity')} until {rated.payload.get('until')}"
        _line("rated", f"{what} by {rated.actor}: {rated.reason}{where}")
    for note in detail.notes:
        _line(
            "note", f"{minute(note.at)} {note.actor}: {note.reason or note.payload.get('text', '')}"
        )


def describe_resource(detail: ResourceDetail) -> None:
    """Print it, with its stored (redacted) configuration."""
    resource = detail.resource
    click.echo(f"{shown(resource.name)}  {shown(resource.type)}")
    _line("id", resource.native_id or resource.key)
    _line("key", resource.key)
    _line("layer", resource.layer.value)
    for unread, reason in resource.unknown.items():
        _line("not read", f"{unread}: {reason}")
    for edge, ref in detail.beneath:
        _line("beneath", f"{edge.via}: {ref.name} ({ref.type})")
    if len(detail.services) >= CHOKE_POINT:
        _line("choke point", f"{len(detail.services):,} AI services stand on it")
    for ref, path in detail.services:
        _line("above", path_words(path) or ref.name)
    for finding in detail.findings:
        _line(finding.severity.value, f"{finding.title} [{finding.status}] {finding.id[:11]}")
    click.echo(json.dumps(dict(resource.config), indent=2, ensure_ascii=True))


def _line(label: str, text: str) -> None:
    click.echo(f"  {label:<10} {shown(text)}")
