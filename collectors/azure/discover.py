"""What this machine has configured for Azure, without asking Azure anything."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collectors.azure.endpoint import ENVIRONMENT, EndpointError, endpoint_of

__all__ = ["Source", "sources"]


@dataclass(frozen=True, slots=True)
class Source:
    """A subscription that could be scanned, or all that the credentials see."""

    subscription: str
    """Id; empty: every subscription that is seen."""
    name: str
    detail: str
    """How one would be signed in."""
    ready: bool
    hint: str = ""
    """What to do when it is not ready."""


def sources() -> list[Source]:
    """Every subscription that is seen, then those that the Azure CLI knows, its default first.

    Nothing if there is neither a sign-in nor an endpoint of one's own.
    """
    try:
        plain = endpoint_of().plain
    except EndpointError as error:
        return [Source("", "", ENVIRONMENT, False, str(error))]
    known = list(_subscriptions())
    how = "no credential, plain http on this machine" if plain else _environment()
    if not how and known:
        how = f"the Azure CLI as {known[0].detail}" if known[0].detail else "the Azure CLI"
    if not how:
        return []
    return [Source("", "", how, True), *known]


def _environment() -> str:
    """How the environment signs in, from the names of its variables; never from their values."""
    if not (os.environ.get("AZURE_CLIENT_ID") and os.environ.get("AZURE_TENANT_ID")):
        return ""
    if os.environ.get("AZURE_CLIENT_SECRET"):
        return "a client secret in the environment"
    if os.environ.get("AZURE_CLIENT_CERTIFICATE_PATH"):
        return "a client certificate"
    if os.environ.get("AZURE_FEDERATED_TOKEN_FILE"):
        return "a workload identity"
    return ""


def _subscriptions() -> Iterator[Source]:
    """What the Azure CLI wrote down at the last sign-in."""
    found = _profile().get("subscriptions")
    listed = [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []
    for one in sorted(listed, key=lambda one: one.get("isDefault") is not True):
        identifier, name = str(one.get("id") or ""), str(one.get("name") or "")
        user = one.get("user")
        who = str(user.get("name") or "") if isinstance(user, Mapping) else ""
        state = str(one.get("state") or "Enabled")
        if not identifier or identifier == str(one.get("tenantId")):
            continue  # Signed in to a tenant without a subscription.
        ready = state.lower() in {"enabled", "warned", "pastdue"}
        yield Source(identifier, name, who, ready, "" if ready else f"it is {state.lower()}")


def _profile() -> Mapping[str, Any]:
    folder = os.environ.get("AZURE_CONFIG_DIR") or str(Path.home() / ".azure")
    try:
        text = (Path(folder) / "azureProfile.json").read_text("utf-8-sig")
        data = json.loads(text)
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, Mapping) else {}
