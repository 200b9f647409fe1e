"""``config``: the person's own settings."""

from __future__ import annotations

import click

from tui.cli.common import debug_option, say
from tui.cli.errors import CommandError
from undercroft.text import shown

__all__ = ["config_command"]

_TEMPLATE = """\
# Undercroft's settings. Every line is optional.

# theme = "undercroft-light"
# actor = "Your Name <you@example.org>"     # who decides; default: git's user
# criticality_tag = "criticality"           # tag of services and resources that weighs their findings
#                                           # (very high, high, low, very low); "": none does

# unconfirmed_days = 30                     # when the day's list says "cannot be confirmed"
# max_accept_days = 365                     # the longest acceptance

# [service_level]                           # days in which a finding is to be fixed
# critical = 7
# high = 30
# kev = 14                                  # known to be exploited; the shorter counts.
#                                           # "catalogue": the day that KEV itself names

[keys]                                      # binding id = keys; `?` in the app lists the ids
# "finding.accept" = "A"

[views]                                     # name = "screen: filter"
# "criticals" = "findings: severity:critical status:active"
"""


@click.group("config")
@debug_option
def config_command() -> None:
    """Show or edit the configuration file."""


@config_command.command("path")
def path_command() -> None:
    """Print where it is."""
    from tui.settings import default_path

    click.echo(default_path())


@config_command.command("show")
def show_command() -> None:
    """Print it, after checking it."""
    from tui.settings import default_path, load

    path = default_path()
    load(path)
    if not path.exists():
        say(f"there is none at {path}; everything has its default")
        return
    for line in path.read_text("utf-8").splitlines():
        click.echo(shown(line))


@config_command.command("edit")
def edit_command() -> None:
    """Open it in $EDITOR; it is made with comments if it is not there."""
    from tui.settings import default_path, load

    path = default_path()
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_TEMPLATE, "utf-8")
    try:
        click.edit(filename=str(path))
    except click.ClickException as error:
        raise CommandError(f"{error.message}; edit {path} yourself") from error
    load(path)
    say(f"saved {path}")
