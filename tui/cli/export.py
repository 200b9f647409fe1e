"""``export``: findings to a file or to standard output."""

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
from tui.cli.errors import CommandError
from tui.cli.moment import as_of_option, now
from tui.settings import load
from undercroft.exchange import (
    FORMATS,
    FileExistsRefusedError,
    Format,
    Head,
    export_findings,
    write_whole,
)
from undercroft.text import count
from undercroft.views import Query

__all__ = ["export_command"]


@click.command("export")
@click.option(
    "--format", "form", type=click.Choice([form.value for form in FORMATS]), required=True
)
@scan_option
@as_of_option
@filter_option
@db_option
@debug_option
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
def export_command(
    form: str,
    scan_ref: str | None,
    filter_text: str,
    db: Path | None,
    output: Path | None,
    force: bool,
) -> None:
    """Write the findings that --filter shows."""
    with open_store(db, read_only=True) as store:
        scan = store.scan(scan_ref)
        query = Query(filter=filter_text)
        head = Head.of(store, scan, filter_text, now(), load().service_level)
        check_filter(store, scan, query)
        details = store.iter_records(scan.id, query, ages=Format(form).has_ages(head.level))
        if output is None:
            export_findings(details, head, Format(form), sys.stdout)
            return
        try:
            write_whole(
                output,
                lambda file: export_findings(details, head, Format(form), file),
                force=force,
            )
        except FileExistsRefusedError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"cannot write {output}: {error.strerror or error}") from error
        total = store.count_findings(scan.id, query)
    say(f"wrote {count(total, 'finding')} to {output}")
