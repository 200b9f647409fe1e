"""The options that say which AWS accounts are meant, shared by ``scan aws`` and ``doctor aws``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from tui.wiring import AwsRequest

__all__ = ["AwsSignIn", "aws_sign_in"]


@dataclass(frozen=True, slots=True)
class AwsSignIn:
    """Who signs in, and where."""

    profiles: tuple[str, ...]
    regions: tuple[str, ...]
    role_arns: tuple[str, ...]
    external_id: str
    organization: bool
    role_name: str

    @property
    def is_several(self) -> bool:
        """Whether more than one account may come of it."""
        return self.organization or len(self.profiles) > 1 or len(self.role_arns) > 1

    def request(self, **more: Any) -> AwsRequest:
        """As the wiring takes it. ``more``: its other fields."""
        from tui.wiring import AwsRequest

        return AwsRequest(
            profiles=self.profiles,
            regions=self.regions,
            role_arns=self.role_arns,
            external_id=self.external_id,
            organization=self.organization,
            role_name=self.role_name,
            **more,
        )


_OPTIONS = (
    click.option("--profile", "profiles", multiple=True, help="AWS profile (repeatable)."),
    click.option(
        "--region",
        "regions",
        multiple=True,
        help="Region (repeatable), or 'all': every region enabled for the account.",
    ),
    click.option("--role-arn", "role_arns", multiple=True, help="Role to assume (repeatable)."),
    click.option("--external-id", default="", help="External id for the roles."),
    click.option("--organization", is_flag=True, help="Every active account of the organisation."),
    click.option(
        "--role-name", default="", help="Role in each of its accounts [default: UndercroftRead]."
    ),
)


def aws_sign_in(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command these options, as one argument ``sign_in``."""

    @wraps(command)
    def wrapped(**arguments: Any) -> None:
        mine = {name: arguments.pop(name) for name in AwsSignIn.__slots__}
        command(sign_in=AwsSignIn(**mine), **arguments)

    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped
