"""``open`` and ``demo``: the terminal interface."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tui.cli.common import cache_path, db_option, debug_option
from tui.cli.errors import CommandError
from tui.cli.moment import as_of_option, asked_clock, asked_moment
from tui.cli.screen import screen_option
from tui.starting import make_app

if TYPE_CHECKING:
    from textual.app import App

__all__ = ["demo_command", "open_command", "open_interface"]


_GONE = threading.Event()
"""Never set: only waited for."""


def open_interface(
    db: Path | None, scan_ref: str | None, screen: str, filter_text: str, *, read_only: bool
) -> None:
    """Run the app on a cache; an empty or missing one shows what can be done about it."""
    _run(cache_path(db), scan=scan_ref, screen=screen, filter_text=filter_text, read_only=read_only)


def _run(
    db: Path | None,
    *,
    screen: str,
    filter_text: str,
    scan: str | None = None,
    read_only: bool = False,
    prepare: Callable[[Callable[[str], None]], Path] | None = None,
) -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise CommandError(
            "the interface needs a terminal; 'undercroft findings' and 'undercroft services' do not"
        )
    if os.environ.get("TERM") == "dumb":
        raise CommandError("this terminal (TERM=dumb) cannot draw; see 'undercroft findings'")
    app = make_app(
        db,
        scan=scan,
        screen=screen,
        filter=filter_text,
        read_only=read_only,
        prepare=prepare,
        clock=asked_clock(),
    )
    threading.Thread(target=_leave_with_terminal, args=(app,), daemon=True).start()
    app.run()
    if app.return_code:
        raise click.exceptions.Exit(app.return_code)


def _leave_with_terminal(app: App[None]) -> None:
    """End when the terminal is gone (a closed window, a killed multiplexer, a lost connection).

    The hang-up signal does not reach every process of a terminal, and reading from one that is
    gone returns at once, for ever.
    """
    while os.isatty(0):
        _GONE.wait(2)
    app.call_later(app.exit)
    _GONE.wait(5)
    os._exit(128 + signal.SIGHUP)


@click.command("open")
@click.option("--scan", "scan_ref", metavar="ID", help="Saved scan: id, name or 'previous'.")
@screen_option
@click.option("--filter", "filter_text", default="", metavar="F", help="Filter to start with.")
@click.option("--read-only", is_flag=True, help="Look, but record no decision.")
@as_of_option
@db_option
@debug_option
def open_command(
    scan_ref: str | None, screen: str, filter_text: str, read_only: bool, db: Path | None
) -> None:
    """Open the terminal interface; with --as-of to look only: decisions are made now."""
    looking = read_only or asked_moment() is not None
    open_interface(db, scan_ref, screen, filter_text, read_only=looking)


@click.command("demo")
@screen_option
@click.option("--filter", "filter_text", default="", metavar="F", help="Filter to start with.")
@click.option(
    "--keep", type=click.Path(dir_okay=False, path_type=Path), help="Keep the cache in this file."
)
@debug_option
def demo_command(screen: str, filter_text: str, keep: Path | None) -> None:
    """Open the bundled demo estate in a throw-away cache."""
    from tui import wiring

    if keep is None:
        prepare = wiring.prepare_demo
    elif keep.exists():
        raise CommandError(f"{keep} exists; open it with 'undercroft --db {keep}'")
    else:
        prepare = partial(wiring.build_demo, keep)
    _run(None, screen=screen, filter_text=filter_text, prepare=prepare)
