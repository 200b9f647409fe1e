"""``scans``: what is saved in the cache."""

from __future__ import annotations

from pathlib import Path

import click

from tui.cli.common import db_option, debug_option, open_store, say
from tui.cli.output import print_json, print_rows
from undercroft.text import calls, count, minute, shown, standing

__all__ = ["scans_command"]


@click.group("scans", invoke_without_command=True)
@db_option
@debug_option
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
@click.pass_context
def scans_command(ctx: click.Context, db: Path | None, form: str) -> None:
    """List, show, delete or prune saved scans."""
    ctx.ensure_object(dict)
    if db is not None:
        ctx.find_root().obj = {**(ctx.find_root().obj or {}), "db": db}
    if ctx.invoked_subcommand is None:
        _list(db, form)


@scans_command.command("list")
@db_option
@debug_option
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
def list_command(db: Path | None, form: str) -> None:
    """List saved scans, newest first."""
    _list(db, form)


def _list(db: Path | None, form: str) -> None:
    from undercroft.exchange import scans_document

    with open_store(db, read_only=True) as store:
        rows = store.scans()
        if form == "json":
            print_json(scans_document((row, store.coverage(row.id)) for row in rows))
            return
    print_rows(
        (
            "ID",
            "NAME",
            "STATE",
            "FINISHED (UTC)",
            "SERVICES",
            "RESOURCES",
            "STANDING",
            "NOT READ",
            "CALLS",
            "SPARED",
        ),
        [
            (
                str(row.id),
                row.name,
                row.state,
                minute(row.finished_at or row.started_at),
                str(row.services),
                str(row.resources),
                str(row.findings),
                str(row.gaps),
                str(row.calls),
                str(row.spared),
            )
            for row in rows
        ],
    )


@scans_command.command("show")
@click.argument("ref")
@db_option
@debug_option
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def show_command(ref: str, db: Path | None, form: str) -> None:
    """Print one scan and what it could and could not read."""
    from undercroft.exchange import scan_document

    with open_store(db, read_only=True) as store:
        row = store.scan(ref)
        coverage = store.coverage(row.id)
    if form == "json":
        print_json(scan_document(row, coverage))
        return
    click.echo(f"{shown(row.name or row.uid)}: {row.state}, {minute(row.finished_at)} UTC")
    click.echo(
        f"{count(row.services, 'AI service')}, {count(row.resources, 'resource')}, "
        f"{standing(row.findings)}, {calls(row.calls, row.spared)}"
    )
    print_rows(
        ("STATUS", "ACCOUNT", "LOCATION", "COLLECTOR", "REASON"),
        [
            (item.status.value, item.scope, item.location, item.collector, item.reason)
            for item in coverage
        ],
    )


@scans_command.command("delete")
@click.argument("ref")
@db_option
@debug_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete_command(ref: str, db: Path | None, yes: bool) -> None:
    """Delete one scan. Decisions are kept."""
    with open_store(db) as store:
        row = store.scan(ref)
        name = shown(row.name or row.uid)
        if not yes:
            click.confirm(
                f"Delete the scan '{name}' ({standing(row.findings)})?", abort=True, err=True
            )
        store.delete_scan(row.id)
    say(f"deleted the scan '{name}'; decisions are kept")


@scans_command.command("prune")
@click.option(
    "--keep", type=click.IntRange(min=1), required=True, metavar="N", help="Scans to keep."
)
@db_option
@debug_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def prune_command(keep: int, db: Path | None, yes: bool) -> None:
    """Delete all but the newest scans. Decisions are kept."""
    with open_store(db) as store:
        held = [row for row in store.scans() if row.state in ("complete", "partial")]
        if len(held) <= keep:
            say(f"nothing to delete: {count(len(held), 'scan')} in the cache")
            return
        if not yes:
            oldest = minute(held[keep - 1].finished_at)
            click.confirm(f"Delete every scan before {oldest} UTC?", abort=True, err=True)
        before, _ = store.space()
        removed = store.prune_scans(keep)
        after, free = store.space()
    room = (
        f"{(before - after) / 1e6:.1f} MB smaller"
        if after < before
        else f"{free / 1e6:.1f} MB of it free"
    )
    say(
        f"deleted {count(len(removed), 'scan')}; decisions are kept; "
        f"the cache has {after / 1e6:.1f} MB, {room}"
    )
