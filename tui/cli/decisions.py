"""``decisions``: share them through a file or git, look after rule scopes, check the log."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tui.cli.common import db_option, debug_option, open_store, own_triage, say, scan_option
from tui.cli.errors import CommandError, Exit
from tui.cli.moment import as_of_option
from tui.cli.output import print_rows
from undercroft.text import count, minute, shown

if TYPE_CHECKING:
    from undercroft.store import Store
    from undercroft.triage.decide import Action, Triage
    from undercroft.triage.events import Event

__all__ = ["check_log", "decisions_command", "event_id"]

_SQLITE = b"SQLite format 3\x00"
_MOST = 256 * 1024 * 1024
"""Bytes: a file larger than this was not written by people deciding."""


@click.group("decisions")
@debug_option
def decisions_command() -> None:
    """Share decisions, look after the acceptances of rules, check the log."""


@decisions_command.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True))
@db_option
@debug_option
def export_command(file: Path, db: Path | None) -> None:
    """Write every decision to FILE (- is standard output), one a line.

    If FILE holds decisions already, it is brought up to date: nothing in it is ever lost.
    """
    from undercroft.exchange import write_decisions, write_whole

    with open_store(db, read_only=True) as store:
        events = store.events()
    if str(file) == "-":
        write_decisions(events, sys.stdout)
        return
    there = _read(file) if file.exists() else []
    try:
        write_whole(file, lambda out: write_decisions([*there, *events], out), force=True)
    except OSError as error:
        raise CommandError(f"cannot write {file}: {error.strerror or error}") from error
    total = len({event.id for event in (*there, *events)})
    more = len({event.id for event in there} - {event.id for event in events})
    say(f"wrote {count(total, 'event')} to {file}")
    if more:
        say(
            f"{count(more, 'event')} of them are not in this cache: 'decisions merge' takes them over"
        )


@decisions_command.command("merge")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@db_option
@debug_option
def merge_command(files: tuple[Path, ...], db: Path | None) -> None:
    """Take over the decisions of FILEs: exported ones, or other caches."""
    events = [event for file in files for event in _read(file)]
    with open_store(db) as store:
        done = store.merge_events(events)
        disputed = {finding for finding, _ in store.conflicts()}
        problem = store.check()
    say(
        f"{count(done.events, 'new event')}, {count(len(done.conflicts), 'conflict')}, "
        f"{count(len(done.changed), 'finding')} changed status"
    )
    for finding, before, after in done.changed:
        say(
            f"{finding[:11]}: {(before or 'unknown').replace('_', ' ')} → {after.replace('_', ' ')}"
        )
    for finding in done.conflicts:
        say(f"{finding[:11]}: decided differently on two copies; decide once more to settle it")
    if disputed - set(done.conflicts):
        say(f"{count(len(disputed), 'conflict')} in all: 'undercroft decisions conflicts'")
    if problem:
        say(f"warning: {problem}")


@decisions_command.command("conflicts")
@db_option
@debug_option
def conflicts_command(db: Path | None) -> None:
    """List findings about which copies decided differently; the first decision is in force."""
    with open_store(db, read_only=True) as store:
        found = store.conflicts()
    print_rows(
        ("FINDING", "IN FORCE", "EVENT", "AT", "WHO", "WHAT", "UNTIL", "REASON"),
        [
            (
                finding[:11],
                "yes" if place == 0 else "",
                row.id[:10],
                minute(row.at),
                row.actor,
                row.type.replace("_", " "),
                str(row.payload.get("until") or ""),
                row.reason,
            )
            for finding, rows in found
            for place, row in enumerate(rows)
        ],
    )


@decisions_command.command("unused")
@scan_option
@as_of_option
@db_option
@debug_option
def unused_command(scan_ref: str | None, db: Path | None) -> None:
    """List acceptances and false positives that match nothing in the newest scan."""
    with open_store(db, read_only=True) as store:
        rows = store.unused_decisions(store.scan(scan_ref).id)
    print_rows(
        ("EVENT", "AT", "WHO", "WHAT", "FINDING", "TITLE", "REASON"),
        [
            (
                row.id[:10],
                minute(row.at),
                row.actor,
                row.type.replace("_", " "),
                (row.finding or "")[:11],
                row.title or row.scope,
                row.reason,
            )
            for row in rows
        ],
    )


@decisions_command.command("scopes")
@scan_option
@as_of_option
@db_option
@debug_option
def scopes_command(scan_ref: str | None, db: Path | None) -> None:
    """List what was decided about rules: what it covers now, and what acceptances have come to cover."""
    with open_store(db, read_only=True) as store:
        rows = store.scopes(store.scan(scan_ref).id)
    print_rows(
        ("SCOPE", "STATE", "UNTIL", "COVERS", "NEWLY", "OWNER", "WHERE", "REASON", "RATED"),
        [
            (
                row.event[:10],
                row.state,
                row.until,
                str(row.covers),
                str(len(row.newly)),
                row.owner,
                row.words,
                row.reason,
                row.severity.value if row.severity else "",
            )
            for row in rows
        ],
    )
    for row in rows:
        for finding in row.newly:
            title = f"{finding.title} ({finding.resource_name})"
            say(f"{row.event[:10]} newly covers {finding.id[:11]}: {shown(title)}")


@decisions_command.command("end")
@click.argument("scope")
@click.option("--reason", required=True, help="Why it no longer holds (10 characters or more).")
@db_option
@debug_option
def end_command(scope: str, reason: str, db: Path | None) -> None:
    """End what was decided about a rule before its day. SCOPE is its event."""
    from undercroft.triage.scoping import end_scope

    _act(db, lambda store, triage: end_scope(triage, event_id(store, scope), reason=reason))


@decisions_command.command("seen")
@click.argument("scope")
@db_option
@debug_option
def seen_command(scope: str, db: Path | None) -> None:
    """Say that you have seen what the acceptance of a rule has come to cover."""
    from undercroft.triage.scoping import mark_seen

    def act(store: Store, triage: Triage) -> Action:
        target = event_id(store, scope)
        rows = [row for row in store.scopes(store.scan().id) if row.event == target]
        return mark_seen(triage, target, [new.id for row in rows for new in row.newly])

    _act(db, act)


@decisions_command.command("link")
@click.argument("kept")
@click.argument("other")
@click.option("--reason", default="", help="How you know.")
@db_option
@debug_option
def link_command(kept: str, other: str, reason: str, db: Path | None) -> None:
    """Join two ids of one finding, such as those of an advisory and of its CVE.

    What was decided about either holds for both; later scans carry on KEPT.
    """
    from undercroft.triage.scoping import link

    def act(store: Store, triage: Triage) -> Action:
        one, two = store.resolve_finding(kept), store.resolve_finding(other)
        return link(triage, one, two, reason=reason)

    _act(db, act)


@decisions_command.command("verify")
@db_option
@debug_option
def verify_command(db: Path | None) -> int:
    """Check that no event was changed or removed; status 1 if one was."""
    return check_log(db)


def check_log(db: Path | None) -> int:
    """Say whether the log is whole; the exit status."""
    from undercroft.triage.events import verify

    with open_store(db, read_only=True) as store:
        events = store.events()
    problems = verify(events)
    for found in problems:
        say(
            f"broken: copy {found.replica}, event {found.seq} ({found.event[:10]}): {found.message}"
        )
    if problems:
        return Exit.FAIL_ON
    copies = count(len({event.replica for event in events}), "copy", "copies")
    say(f"{count(len(events), 'event')} of {copies}: every chain is whole")
    return Exit.DONE


def event_id(store: Store, text: str) -> str:
    """A full event id from its beginning. CommandError if it names none or several."""
    found = [event.id for event in store.events() if event.id.startswith(text.strip().lower())]
    if len(found) == 1:
        return found[0]
    what = "several events' ids begin" if found else "no event's id begins"
    raise CommandError(f"{what} with {text!r}: see 'undercroft history'")


def _act(db: Path | None, act: Callable[[Store, Triage], Action]) -> None:
    from undercroft.triage.decide import DecisionError

    with open_store(db) as store:
        triage = own_triage(store)
        try:
            action = act(store, triage)
        except DecisionError as error:
            raise CommandError(str(error)) from error
    say(f"{action.summary}; take it back with 'undercroft undo'")


def _read(file: Path) -> list[Event]:
    """The decisions in a file: exported ones, or those of another cache."""
    from undercroft.exchange import DecisionFileError, read_decisions
    from undercroft.store import Store

    try:
        with file.open("rb") as stream:
            head = stream.read(len(_SQLITE))
            if head != _SQLITE:
                data = head + stream.read(_MOST)
    except OSError as error:
        raise CommandError(f"cannot read {file}: {error.strerror or error}") from error
    if head == _SQLITE:
        with Store.open(file, read_only=True) as other:
            return other.events()
    if len(data) > _MOST:
        raise CommandError(f"{file} is too large to hold decisions")
    try:
        return read_decisions(data.decode("utf-8"), str(file))
    except UnicodeDecodeError as error:
        raise CommandError(f"{file} is not a file of decisions: it is not text") from error
    except DecisionFileError as error:
        raise CommandError(str(error)) from error
