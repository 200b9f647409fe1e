"""``--as-of``: the moment for which everything that depends on the clock is worked out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Any, TypeVar

import click

from undercroft.clock import utc_now

__all__ = ["as_of_option", "asked_clock", "asked_moment", "now"]

Command = TypeVar("Command", bound=Callable[..., Any])
_KEY = "undercroft.as_of"


def as_of_option(command: Command) -> Command:
    """``--as-of MOMENT``; heard by ``now`` and by the cache that the command opens."""
    return click.option(
        "--as-of",
        metavar="MOMENT",
        callback=_remember,
        expose_value=False,
        is_eager=True,
        help="What holds at this moment: 2027-01-31 (its beginning, UTC) or 2027-01-31T09:00+01:00.",
    )(command)


def now() -> datetime:
    """The moment asked for, else the present one."""
    return asked_clock()()


def asked_clock() -> Callable[[], datetime]:
    """A clock that stands at the moment asked for, else the machine's."""
    moment = asked_moment()
    return utc_now if moment is None else lambda: moment


def asked_moment() -> datetime | None:
    """The moment that ``--as-of`` names, if it was given."""
    context = click.get_current_context(silent=True)
    found: datetime | None = context.meta.get(_KEY) if context is not None else None
    return found


def _remember(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value is None:
        return
    try:
        if len(value.strip()) == len("2027-01-31"):
            day = date.fromisoformat(value.strip())
            moment = datetime.combine(day, time.min, tzinfo=UTC)
        else:
            moment = datetime.fromisoformat(value.strip())
            if moment.tzinfo is None:
                raise ValueError(value)
    except ValueError as error:
        msg = f"{value!r} is no moment: write 2027-01-31, or 2027-01-31T09:00+01:00 with its offset"
        raise click.BadParameter(msg, context, parameter) from error
    context.meta[_KEY] = moment.astimezone(UTC)
