"""What several commands share: options, the cache, choosing findings."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tui.cli.errors import CommandError
from tui.cli.moment import asked_clock
from undercroft.clock import utc_now
from undercroft.text import count, shown
from undercroft.views import Query, ScanRow

if TYPE_CHECKING:
    from undercroft.store import Store
    from undercroft.triage.decide import Triage

__all__ = [
    "cache_path",
    "check_filter",
    "choose_findings",
    "db_option",
    "debug_option",
    "filter_option",
    "open_store",
    "own_triage",
    "say",
    "scan_option",
    "selection_options",
    "told",
]

_PATIENCE = 0.5
"""Seconds that a decision may take without a word on how far it is."""
_BETWEEN = 0.1
Command = TypeVar("Command", bound=Callable[..., Any])


def db_option(command: Command) -> Command:
    """``--db FILE``"""
    return click.option(
        "--db", type=click.Path(dir_okay=False, path_type=Path), help="Cache file."
    )(command)


def scan_option(command: Command) -> Command:
    """``--scan ID``"""
    return click.option(
        "--scan", "scan_ref", metavar="ID", help="Saved scan: id, name or 'previous'."
    )(command)


def filter_option(command: Command) -> Command:
    """``--filter F``"""
    return click.option(
        "--filter", "filter_text", default="", metavar="F", help="Filter, as on the screen."
    )(command)


def debug_option(command: Command) -> Command:
    """``--debug`` is looked for in the arguments by ``errors.run``; here it is only allowed."""
    return click.option("--debug", is_flag=True, expose_value=False, hidden=True)(command)


def selection_options(command: Command) -> Command:
    """Finding ids, or ``--filter`` with ``--yes``."""
    command = click.option("--yes", is_flag=True, help="Do not ask before acting on --filter.")(
        command
    )
    command = filter_option(command)
    return click.argument("findings", nargs=-1, metavar="[FINDING]...")(command)


def cache_path(db: Path | None) -> Path:
    """The cache to use: ``--db``, here or before the command, ``UNDERCROFT_DB``, the default."""
    context = click.get_current_context(silent=True)
    if db is None and context is not None:
        root = context.find_root().obj or {}
        db = root.get("db")
    if db is not None:
        return db
    if named := os.environ.get("UNDERCROFT_DB"):
        return Path(named)
    import platformdirs

    return Path(platformdirs.user_data_dir("undercroft", appauthor=False)) / "undercroft.db"


@contextmanager
def open_store(
    db: Path | None, *, create: bool = False, read_only: bool = False
) -> Iterator[Store]:
    """The cache, closed afterwards. A missing file is an error unless ``create``."""
    from undercroft.store import OlderSchemaError, Store

    path = cache_path(db)
    if not create and not path.exists():
        raise CommandError(
            f"there is no cache at {path}: make one with 'undercroft scan' (aws, gcp or azure), "
            "name one with --db, or look around in 'undercroft demo'"
        )
    try:
        store = Store.open(path, read_only=read_only, clock=asked_clock())
    except OlderSchemaError:
        # Nobody who lists something has asked to leave it as it is; a copy of the file is kept.
        Store.open(path).close()
        store = Store.open(path, read_only=read_only, clock=asked_clock())
    try:
        keep_to_model(store)
        yield store
    finally:
        store.close()


def keep_to_model(store: Store) -> None:
    """Have the newest scan scored as the settings say, also by a command that otherwise only reads;
    where nobody can write to the cache, say that its scores are of another model.
    """
    from tui.settings import default_path, load

    config = default_path()
    # Most have set nothing, and need not know more about the model to be sure of it.
    settings = load(config) if config.exists() else None
    if not store.is_scored_otherwise(settings.risk if settings else None):
        return
    from tui import wiring
    from tui.settings import Settings
    from undercroft.store import ReadOnlyError
    from undercroft.store import Store as Cache

    settings = settings or Settings()
    say(f"Scoring {shown(store.scan().name)!r} again: another risk model is set")
    try:
        with Cache.open(store.path, clock=asked_clock()) as writable:
            said = wiring.keep_to_model(writable, settings)
    except ReadOnlyError:
        said = wiring.keep_to_model(store, settings)
    if said:
        say(shown(said))


def check_filter(store: Store, scan: ScanRow, query: Query) -> None:
    """What is wrong with a filter is said before a document is begun, not in the middle of it."""
    store.findings(scan.id, query, 0, 1)


def choose_findings(
    store: Store, scan: ScanRow, ids: Sequence[str], filter_text: str, *, yes: bool, verb: str
) -> list[str]:
    """Full ids of what the command is about. Acting on a filter needs ``--yes`` or an answer."""
    if bool(ids) == bool(filter_text):
        raise CommandError("name findings by id, or choose them with --filter (one of the two)")
    if ids:
        return [store.resolve_finding(text) for text in ids]
    chosen = [row.id for row in store.iter_findings(scan.id, Query(filter=filter_text))]
    if not chosen:
        raise CommandError(f"no finding of '{scan.name or scan.uid}' matches {filter_text!r}")
    what = f"{verb} {count(len(chosen), 'finding')}"
    if not yes:
        if not sys.stdin.isatty():
            raise CommandError(f"would {what}; add --yes to do it")
        click.confirm(f"{what[0].upper()}{what[1:]}?", abort=True, err=True)
    return chosen


def own_triage(store: Store) -> Triage:
    """Decisions by this person, as the configuration says."""
    from tui.actor import find_actor
    from tui.settings import load
    from undercroft.triage.decide import Triage

    settings = load()
    return Triage(
        store,
        actor=find_actor(settings),
        clock=utc_now,
        max_days=settings.max_accept_days,
    )


@contextmanager
def told(triage: Triage) -> Iterator[None]:
    """On a terminal, a line that says how far a decision is that takes a while; ctrl-c stops it.

    It is recorded in one transaction, so what is stopped leaves nothing behind.
    """
    if not sys.stderr.isatty():
        yield
        return
    begun = time.monotonic()
    last = 0.0

    def step(what: str, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - begun < _PATIENCE or now - last < _BETWEEN:
            return
        last = now
        far = f" {done:,} of {total:,}" if total > 1 else ""
        click.echo(
            f"\r\x1b[K{what}{far}… (ctrl-c stops it, nothing is recorded)", err=True, nl=False
        )

    try:
        with triage.watched(step):
            yield
    finally:
        if last:
            click.echo("\r\x1b[K", err=True, nl=False)


def say(text: str) -> None:
    """A line for the person, on standard error."""
    click.echo(text, err=True)
