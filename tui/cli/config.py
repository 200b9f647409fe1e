"""``config``: the person's own settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tui.cli.common import debug_option, say
from tui.cli.errors import CommandError
from undercroft.text import shown

if TYPE_CHECKING:
    from tui.settings import Settings

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

# [risk.threat]                             # constants of the risk model, by group, under the names
# public_exploit = 0.6                      # that `undercroft config risk` prints with their values

[keys]                                      # binding id = keys; `?` in the app lists the ids
# "finding.accept" = "A"

[views]                                     # name = "screen: filter"
# "criticals" = "findings: severity:critical status:active"
"""


def warn(settings: Settings) -> None:
    """Say so if changed constants order findings too differently from the public yardstick."""
    model = settings.risk
    if model is None:
        return
    from undercroft.risk.ssvc import in_words

    enough, said = in_words(model)
    if not enough:
        say(f"warning: risk model {model.name}: {said}")


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
    warn(load(path))
    if not path.exists():
        say(f"there is none at {path}; everything has its default")
        return
    for line in path.read_text("utf-8").splitlines():
        click.echo(shown(line))


@config_command.command("risk")
@debug_option
@click.option("--format", "form", type=click.Choice(["text", "toml"]), default="text")
def risk_command(form: str) -> None:
    """Print every constant of the risk model, those that the file changes marked.

    With --format toml: as the file has them, to copy from.
    """
    from tui.settings import load
    from undercroft.risk import DEFAULT
    from undercroft.risk.ssvc import in_words

    model = load().risk or DEFAULT
    if form == "toml":
        for group, values in model.table.items():
            click.echo(f"[risk.{group}]")
            for name, value in values.items():
                click.echo(f"{name} = {value:g}")
        return
    click.echo(f"risk model {model.name}, constants {model.digest}")
    for line in model.lines():
        click.echo(f"  {line}")
    enough, said = in_words(model)
    if model.is_default:
        click.echo(said)
    else:
        say(f"{'' if enough else 'warning: '}{said}")


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
    warn(load(path))
    say(f"saved {path}")
