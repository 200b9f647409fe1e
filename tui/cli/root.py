"""The top of the command line: options of the interface, and where each subcommand lives."""

from __future__ import annotations

import importlib
from pathlib import Path

import click

from tui.cli.errors import CommandError
from tui.cli.screen import screen_option
from undercroft import __version__

__all__ = ["cli"]

_COMMANDS = {
    "open": ("interface", "Open the terminal interface (what no command at all does)."),
    "demo": ("interface", "Open the bundled demo estate in a throw-away cache."),
    "scan": ("scan", "Read an account and judge what is found."),
    "scans": ("scans", "List, show or delete saved scans."),
    "services": ("reports", "List AI services, worst first."),
    "tower": ("reports", "Print the layers beneath one AI service."),
    "findings": ("reports", "List findings."),
    "explain": ("explain", "Print how the score of a service or a finding is made."),
    "fix-first": ("fix_first", "List what to repair first, over all services at once."),
    "show": ("reports", "Print everything about one finding or resource."),
    "export": ("export", "Write findings to a file."),
    "accept": ("decide", "Tolerate findings until a date."),
    "fixed": ("decide", "Say that findings are repaired; the next scan checks it."),
    "false-positive": ("decide", "Say that a rule is wrong about findings."),
    "reopen": ("decide", "Withdraw the decision on findings."),
    "note": ("decide", "Add a note to findings."),
    "assign": ("assign", "Say who works on findings."),
    "override-severity": ("assign", "Rate findings otherwise, until a date."),
    "undo": ("decide", "Take back the last decision, or a given one."),
    "redo": ("decide", "Take the last undo back."),
    "history": ("history", "List decisions, newest first."),
    "decisions": ("decisions", "Share decisions with others, check the log."),
    "diff": ("diff", "Compare two scans."),
    "feeds": ("feeds", "List or import what is known about exploitation (KEV, EPSS)."),
    "rules": ("rules", "List, show or test the rules."),
    "doctor": ("doctor", "Check credentials, permissions, terminal and cache."),
    "config": ("config", "Show or edit the configuration file."),
}


class LazyGroup(click.Group):
    """Imports a subcommand's module when it is run, not to list it."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """In the order in which one meets them."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        """The subcommand ``name``, or None."""
        if name not in _COMMANDS:
            return None
        module = importlib.import_module(f"tui.cli.{_COMMANDS[name][0]}")
        command = getattr(module, name.replace("-", "_") + "_command")
        if not isinstance(command, click.Command):
            raise CommandError(f"'{name}' is not a command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The list of ``--help``, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("--db", type=click.Path(dir_okay=False, path_type=Path), help="Cache file.")
@click.option("--scan", "scan_ref", metavar="ID", help="Saved scan: id, name or 'previous'.")
@screen_option
@click.option("--filter", "filter_text", default="", metavar="F", help="Filter to start with.")
@click.option("--read-only", is_flag=True, help="Look, but record no decision.")
@click.option("--debug", is_flag=True, help="Print a traceback when something fails.")
@click.version_option(__version__, prog_name="undercroft")
@click.pass_context
def cli(
    ctx: click.Context,
    db: Path | None,
    scan_ref: str | None,
    screen: str,
    filter_text: str,
    read_only: bool,
    debug: bool,
) -> None:
    """See what your AI services stand on.

    Without a command, opens the terminal interface on the default cache.
    """
    ctx.obj = {"db": db, "debug": debug}
    if ctx.invoked_subcommand is None:
        from tui.cli.interface import open_interface

        open_interface(db, scan_ref, screen, filter_text, read_only=read_only)
