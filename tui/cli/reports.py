"""``services``, ``tower``, ``findings``, ``show``: what the cache says, as text or data."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from tui.cli.common import (
    check_filter,
    db_option,
    debug_option,
    filter_option,
    open_store,
    say,
    scan_option,
)
from tui.cli.moment import as_of_option, now
from tui.cli.output import print_json, print_rows, severity_style
from undercroft.model import LAYERS
from undercroft.text import count, shown
from undercroft.views import Query, ScanRow

__all__ = ["findings_command", "services_command", "show_command", "tower_command"]


def _say_gaps(scan: ScanRow) -> None:
    """A list that is short because little could be read shall not pass for good news."""
    if scan.gaps:
        parts = count(scan.gaps, "part")
        say(f"this scan could not read {parts}; 'undercroft scans show {scan.id}' names them")


@click.command("services")
@scan_option
@as_of_option
@filter_option
@db_option
@debug_option
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table")
def services_command(scan_ref: str | None, filter_text: str, db: Path | None, form: str) -> None:
    """List AI services, worst first."""
    with open_store(db, read_only=True) as store:
        scan = store.scan(scan_ref)
        _say_gaps(scan)
        rows = store.services(scan.id, Query(filter=filter_text))
        if form != "table":
            from undercroft.exchange import Format, Head, export_services

            head = Head.of(store, scan, filter_text, now())
            export_services(rows, head, Format(form), sys.stdout)
            return
    print_rows(
        ("SCORE", "NAME", "KIND", "ACCOUNT", "REGION", "SCVDIN", "OPEN", "ACC", "CLAIM", "COMB"),
        [
            (
                f"{row.score:5.1f}",
                row.name,
                row.type,
                row.account,
                row.region,
                "".join(
                    (totals.worst.value[0].upper() if (totals := row.layers[layer]).worst else "·")
                    for layer in LAYERS
                ),
                str(row.open),
                str(row.accepted),
                str(row.claimed),
                str(row.combinations),
            )
            for row in rows
        ],
    )


@click.command("findings")
@scan_option
@as_of_option
@filter_option
@db_option
@debug_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "jsonl", "csv"]),
    default="table",
)
def findings_command(scan_ref: str | None, filter_text: str, db: Path | None, form: str) -> None:
    """List findings, worst first."""
    with open_store(db, read_only=True) as store:
        scan = store.scan(scan_ref)
        _say_gaps(scan)
        query = Query(filter=filter_text)
        if form != "table":
            from tui.settings import load
            from undercroft.exchange import Format, Head, export_findings

            head = Head.of(store, scan, filter_text, now(), load().service_level)
            check_filter(store, scan, query)
            details = store.iter_records(scan.id, query, ages=Format(form).has_ages(head.level))
            export_findings(details, head, Format(form), sys.stdout)
            return
        print_rows(
            ("ID", "SEVERITY", "STATUS", "SCORE", "LAYER", "RESOURCE", "TITLE", "SERVICES"),
            (
                (
                    row.id[:11],
                    row.severity.value,
                    row.status + ("?" if row.unconfirmed else ""),
                    f"{row.score:5.1f}",
                    row.layer.value,
                    row.resource_name,
                    row.title,
                    str(row.services),
                )
                for row in store.iter_findings(scan.id, query)
            ),
        )


@click.command("tower")
@click.argument("service")
@scan_option
@as_of_option
@db_option
@debug_option
def tower_command(service: str, scan_ref: str | None, db: Path | None) -> None:
    """Print the layers beneath one AI SERVICE (its key, id or name)."""
    with open_store(db, read_only=True) as store:
        scan = store.scan(scan_ref)
        tower = store.tower(scan.id, store.resolve_resource(scan.id, service))
    row = tower.service
    click.echo(f"{shown(row.name)}  {shown(row.type)}  {row.account} {row.region}")
    click.echo(f"score {row.score:.1f} of 100, {count(row.open, 'open finding')}")
    for block in tower.layers:
        worst = block.worst.value if block.worst else "none"
        click.echo(f"\n{block.layer.value:<10}{severity_style(f'{worst:<10}')}{block.open} open")
        for resource in block.resources:
            name = shown(resource.ref.name)
            kind = shown(resource.ref.type)
            mark = resource.worst.value if resource.worst else "-"
            where = " ← ".join(shown(step.via) for step in reversed(resource.path)) or "itself"
            click.echo(f"  {severity_style(f'{mark:<9}')} {name} ({kind}) via {where}")
            for path, reason in resource.unread:
                click.echo(f"            not read: {shown(path)}: {shown(reason)}")
    if tower.contributions:
        click.echo("\nlargest contributions")
        for line in tower.contributions[:5]:
            click.echo(f"  {line.points:5.1f}  {shown(line.title)} ({shown(line.resource_name)})")


@click.command("show")
@click.argument("what")
@scan_option
@as_of_option
@db_option
@debug_option
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def show_command(what: str, scan_ref: str | None, db: Path | None, form: str) -> None:
    """Print everything about one finding (id) or resource (key, id or name)."""
    from tui.cli.describe import describe_finding, describe_resource
    from tui.settings import load
    from undercroft.exchange import Head, finding_document, resource_document
    from undercroft.store import AmbiguousError, NotFoundError

    with open_store(db, read_only=True) as store:
        scan = store.scan(scan_ref)
        try:
            finding = store.resolve_finding(what)
        except (NotFoundError, AmbiguousError):
            if what.startswith("f1-"):
                raise
            detail = store.resource(scan.id, store.resolve_resource(scan.id, what))
            if form == "json":
                print_json(resource_document(scan, detail))
            else:
                describe_resource(detail)
            return
        found = store.finding(scan.id, finding)
        head = Head.of(store, scan, "", now(), load().service_level)
    if form == "json":
        print_json(finding_document(head, found))
    else:
        describe_finding(found, head.level, head.moment)
