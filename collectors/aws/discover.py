"""What this machine has configured for AWS, without asking AWS anything."""

from __future__ import annotations

import os
from dataclasses import dataclass

__all__ = ["Profile", "profiles"]


@dataclass(frozen=True, slots=True)
class Profile:
    """One way to sign in."""

    name: str
    """Profile name; empty for the environment's or the machine's own credentials."""
    detail: str
    """Where the credentials come from."""
    ready: bool
    hint: str
    """What to do when it is not ready."""
    regions: tuple[str, ...]


def profiles() -> list[Profile]:
    """Credentials in the environment first, then every profile of the AWS configuration files."""
    import botocore.session
    from botocore.exceptions import BotoCoreError

    found = []
    if os.environ.get("AWS_ACCESS_KEY_ID"):
        regions = tuple(filter(None, [os.environ.get("AWS_REGION") or _default_region()]))
        found.append(Profile("", "credentials in the environment", True, "", regions))
    session = botocore.session.Session()
    try:
        names = session.available_profiles
        settings = session.full_config.get("profiles", {})
    except BotoCoreError as error:
        hint = f"the AWS configuration cannot be read: {error}"
        return [*found, Profile("default", "", False, hint, ())]
    for name in names:
        values = settings.get(name, {})
        region = values.get("region")
        found.append(Profile(name, _source(values), True, "", (str(region),) if region else ()))
    return found


def _default_region() -> str | None:
    return os.environ.get("AWS_DEFAULT_REGION")


def _source(values: dict[str, object]) -> str:
    """How a profile signs in, from the names of its settings; never from their values."""
    if "sso_session" in values or "sso_start_url" in values:
        return "single sign-on"
    if "role_arn" in values:
        return f"assumes {values['role_arn']}"
    if "credential_process" in values:
        return "an external program"
    if "aws_access_key_id" in values:
        return "access key"
    return "no credentials of its own"
