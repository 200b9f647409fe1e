"""Which Azure: the address of its Resource Manager, and where its tokens come from.

Plain http is for loopback alone, and nothing signs in there: no token can travel unencrypted.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from collectors.loopback import is_loopback
from undercroft.model import Json

__all__ = ["CLOUDS", "ENVIRONMENT", "Endpoint", "EndpointError", "endpoint_of", "origin"]

ENVIRONMENT = "UNDERCROFT_AZURE_ENDPOINT"
"""Names another Resource Manager; the option ``endpoint`` goes before it."""


class EndpointError(ValueError):
    """An address that nothing may be sent to; says why."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One Azure cloud."""

    url: str
    """``https://management.azure.com``: scheme, host and port, nothing else."""
    scope: str
    """What a token is asked for: it is good for this address only."""
    authority: str
    """Host that signs in; empty: azure-identity's own choice (``AZURE_AUTHORITY_HOST``)."""
    plain: bool
    """Plain http on loopback: no credential is used."""


CLOUDS = {
    "https://management.azure.com": "login.microsoftonline.com",
    "https://management.usgovcloudapi.net": "login.microsoftonline.us",
    "https://management.chinacloudapi.cn": "login.partner.microsoftonline.cn",
}
"""Resource Managers that are known → where one signs in to them."""
_PUBLIC = "https://management.azure.com"


def endpoint_of(
    options: Mapping[str, Json] | None = None, environ: Mapping[str, str] | None = None
) -> Endpoint:
    """The endpoint that options or environment name, else the public cloud.

    Raises:
        EndpointError: the address is none, or it is plain http to another machine.
    """
    named = (options or {}).get("endpoint")
    surroundings = os.environ if environ is None else environ
    text = (named if isinstance(named, str) else "") or surroundings.get(ENVIRONMENT, "")
    text = text.strip() or _PUBLIC
    try:
        parts = urlsplit(text)
        place = origin(text)
    except ValueError as error:
        raise EndpointError(f"{text!r} is not an address: {error}") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise EndpointError(f"{text!r} is not an address such as {_PUBLIC}")
    if parts.username or parts.password or parts.query or parts.fragment or parts.path.strip("/"):
        raise EndpointError("the Azure endpoint is scheme, host and port, without anything else")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise EndpointError(f"{place} is plain http; only https leaves this machine")
    authority = CLOUDS.get(place, "")
    return Endpoint(place, f"{place}/.default", authority, parts.scheme == "http")


def origin(url: str) -> str:
    """Scheme, host and port in one spelling: the default port is left out, letters are small.

    Raises:
        ValueError: the port is no number.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    shown = f"[{host}]" if ":" in host else host
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    port = f":{parts.port}" if parts.port not in {None, usual} else ""
    return f"{parts.scheme}://{shown}{port}"
