"""``history``: every decision, who made it, when and why."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from tui.cli.common import db_option, debug_option, open_store
from tui.cli.decisions import check_log
from tui.cli.moment import as_of_option
from tui.cli.output import print_json, print_rows
from undercroft.text import minute

__all__ = ["history_command"]


@click.command("history")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
@click.option(
    "--filter",
    "filter_text",
    default="",
    metavar="F",
    help="Filter as on the screen: words, who:ann, kind:accepted, since:30d, live:yes, -kind:comment …",
)
@click.option("--text", default="", help="Only lines with these words.")
@click.option("--who", default="", help="Only decisions of this person.")
@click.option("--kind", default="", help="accept, fixed, false-positive, reopen, note, undo, …")
@click.option(
    "--finding", default="", help="Only decisions on this finding (its id, or part of it)."
)
@click.option("--since", default="", help="Not older than: 30d, 2026-11-01.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many.")
@click.option("--verify", is_flag=True, help="Check the log instead: status 1 if it was changed.")
@as_of_option
@db_option
@debug_option
def history_command(
    form: str,
    filter_text: str,
    text: str,
    who: str,
    kind: str,
    finding: str,
    since: str,
    limit: int | None,
    verify: bool,
    db: Path | None,
) -> int:
    """List decisions, newest first."""
    if verify:
        return check_log(db)
    from undercroft.triage.wording import kind_words

    line = _line(filter_text, text, {"who": who, "kind": kind, "finding": finding, "since": since})
    with open_store(db, read_only=True) as store:
        rows = store.history(text=line, limit=limit)
    if form == "json":
        from undercroft.exchange import history_document

        print_json(history_document(rows))
        return 0
    print_rows(
        ("EVENT", "AT", "WHO", "WHAT", "RESOURCE", "FINDING", "REASON"),
        [
            (
                row.id[:10],
                minute(row.at),
                row.actor,
                kind_words(row.type, row.finding) + ("" if row.live else " (undone)"),
                row.resource_name,
                row.title or row.scope,
                row.reason,
            )
            for row in rows
        ],
    )
    return 0


def _line(filter_text: str, text: str, given: Mapping[str, str]) -> str:
    """One filter line of a filter, words that must all occur, and keys with their values."""
    from undercroft.filter import Value, Word, parse, typed, unparse
    from undercroft.triage.searching import EVENT_KEYS

    # By itself first: its parentheses are its own, and so are the places of what is wrong with it.
    parse(filter_text, EVENT_KEYS)
    parts = [f"({filter_text})"] if filter_text.strip() else []
    parts += [unparse(Word(Value((word,)))) for word in text.split()]
    # A person's name may have several words; each must apply.
    parts += [f"{key}:{typed(word)}" for key, value in given.items() for word in value.split()]
    return " ".join(parts)
