"""Exit statuses, and errors as one or two lines in plain words."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from enum import IntEnum

import click

from undercroft.text import shown

__all__ = ["CommandError", "Exit", "run"]


class Exit(IntEnum):
    """What the process ends with."""

    DONE = 0
    FAIL_ON = 1
    """Done, and ``--fail-on`` was met."""
    USAGE = 2
    INCOMPLETE = 3
    """The scan finished, but something could not be read."""
    NOTHING_READ = 4
    INTERRUPTED = 130


class CommandError(click.ClickException):
    """What was attempted, on what, what came back, what to do next."""

    exit_code = int(Exit.USAGE)

    def show(self, file: object = None) -> None:  # noqa: ARG002  (click's signature)
        """Print it on standard error."""
        click.echo(f"undercroft: {self.message}", err=True)


def run(command: click.Command, arguments: Sequence[str]) -> int:
    """Run ``command`` and return the exit status; tracebacks only with ``--debug``."""
    debug = "--debug" in arguments
    try:
        status = command.main(args=list(arguments), prog_name="undercroft", standalone_mode=False)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as error:
        if isinstance(error, click.UsageError) and error.ctx is not None:
            click.echo(f"undercroft: {error.format_message()}", err=True)
            click.echo(f"Try '{error.ctx.command_path} --help'.", err=True)
        else:
            error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("undercroft: interrupted; nothing was lost", err=True)
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has seen enough. Python would complain again while closing.
        sys.stderr.close()
        return Exit.DONE
    except Exception as error:  # noqa: BLE001  (the last fence: words instead of a traceback)
        if debug:
            traceback.print_exc()
        else:
            what = shown(str(error)) or type(error).__name__
            click.echo(f"undercroft: {what}", err=True)
            if not _is_ours(error):
                click.echo(_what_to_do(error), err=True)
        return Exit.USAGE
    return int(status) if isinstance(status, int) else Exit.DONE


def _what_to_do(error: Exception) -> str:
    # Named, not imported: most commands that fail never touch a cache.
    if type(error).__module__ == "sqlite3":
        return "The cache could not be used; 'undercroft doctor' looks at it, --db names another."
    return "This was not expected. Run it again with --debug for details."


def _is_ours(error: Exception) -> bool:
    """Whether the message was written for people already."""
    return type(error).__module__.split(".")[0] in {"undercroft", "collectors", "rules", "tui"}
