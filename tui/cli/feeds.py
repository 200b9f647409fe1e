"""``feeds``: what is known about exploitation, from files that people bring."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tui.cli.common import db_option, debug_option, open_store, say
from tui.cli.errors import CommandError
from tui.cli.moment import as_of_option, now
from tui.cli.output import print_json, print_rows
from undercroft.text import count, minute, shown

if TYPE_CHECKING:
    from undercroft.store import Store

__all__ = ["feeds_command"]

_VISIBLE = 0.05
"""Points from which a change shows in tenths."""


@click.group("feeds", invoke_without_command=True)
@db_option
@debug_option
@click.pass_context
def feeds_command(ctx: click.Context, db: Path | None) -> None:
    """List or import feeds: KEV (exploited vulnerabilities) and EPSS (how likely that is)."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_command, db=db, form="table")


@feeds_command.command("list")
@as_of_option
@db_option
@debug_option
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
def list_command(db: Path | None, form: str) -> None:
    """Show which feeds are there, of which day."""
    moment = now()
    with open_store(db, read_only=True) as store:
        feeds = store.feeds()
    if form == "json":
        print_json(
            {
                "schema": "undercroft/feeds/1",
                "feeds": [
                    {
                        "name": feed.name,
                        "version": feed.version,
                        "dated": feed.dated,
                        "imported_at": feed.imported_at,
                        "entries": feed.entries,
                        "age_days": feed.age(moment),
                    }
                    for feed in feeds
                ],
            }
        )
        return
    if not feeds:
        say("no feed imported: exploitation is assumed, and each score says so")
    print_rows(
        ("FEED", "VERSION", "DATED", "AGE", "ENTRIES", "IMPORTED"),
        [
            (
                feed.name,
                feed.version,
                feed.dated,
                f"{feed.age(moment)} d",
                str(feed.entries),
                minute(feed.imported_at),
            )
            for feed in feeds
        ],
    )


@feeds_command.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@db_option
@debug_option
def import_command(files: tuple[Path, ...], db: Path | None) -> None:
    """Import KEV (JSON) or EPSS (CSV, also .gz) files; what each is, its content says."""
    from undercroft.feeds import FeedError, read_feed

    # All are read before any is applied.
    try:
        read = [read_feed(file) for file in files]
    except FeedError as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        raise CommandError(f"{error.filename} cannot be read: {error.strerror}") from error
    with open_store(db, create=True) as store:
        for feed in read:
            before = _scores(store)
            store.import_feed(feed)
            after = _scores(store)
            moved = [key for key in after if abs(after[key] - before[key]) >= _VISIBLE]
            say(
                f"{feed.name.upper()} {feed.version} of {feed.dated}: "
                f"{count(len(feed.values), 'vulnerability', 'vulnerabilities')}; "
                f"the scores of {count(len(moved), 'service')} of the latest scan moved"
            )
        _combine(store)


def _combine(store: Store) -> None:
    """What feeds call exploited may complete combinations; says which appeared or ended."""
    from tui.settings import load
    from tui.wiring import engine
    from undercroft.store import NotFoundError

    try:
        store.scan()
    except NotFoundError:
        return
    found = store.combine_again(engine(), load().criticality_tag)
    if found.other_rules:
        say(
            "combinations stay as they are: the latest scan was judged by other rules; "
            "the next scan looks at them anew"
        )
    for verb, titles in (("appeared", found.appeared), ("ended", found.ended)):
        if titles:
            say(f"{count(len(titles), 'combination')} {verb} in the latest scan:")
            for title, times in Counter(titles).items():
                say(f"  {shown(title)}{f' ({times} services)' if times > 1 else ''}")


def _scores(store: Store) -> dict[str, float]:
    """Service → score in the latest scan; empty while there is none."""
    from undercroft.store import NotFoundError
    from undercroft.views import Query

    try:
        scan = store.scan()
    except NotFoundError:
        return {}
    return {row.key: row.score for row in store.services(scan.id, Query())}
