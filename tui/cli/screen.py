"""``--screen``: which screen the interface starts with."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from tui.places import STARTS, place_named, spelt

__all__ = ["screen_option"]


class _Screen(click.ParamType[str]):
    name = "name"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Its name in ``tui.places.PLACES``."""
        found = place_named(value)
        if found not in STARTS:
            known = ", ".join(map(spelt, STARTS))
            self.fail(f"there is no screen {value!r}; there are {known}.", param, ctx)
        return found

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002  (click's signature)
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        """Those that begin so."""
        return [CompletionItem(one) for one in map(spelt, STARTS) if one.startswith(incomplete)]


screen_option = click.option(
    "--screen",
    type=_Screen(),
    metavar="NAME",
    default="services",
    show_default=True,
    help="Screen to start with.",
)
