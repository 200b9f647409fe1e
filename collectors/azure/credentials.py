"""Signing in the way the user already does: azure-identity's default chain.

Environment, workload and managed identity, and the tools that are signed in on this machine. No
browser is opened, nothing is asked.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collectors.azure.endpoint import Endpoint

__all__ = ["credential_for", "link_of", "refusals"]

_PLAIN_NAMES = {
    "EnvironmentCredential": "the environment (AZURE_CLIENT_ID and others)",
    "WorkloadIdentityCredential": "the workload identity of this container",
    "ManagedIdentityCredential": "the managed identity of this machine",
    "SharedTokenCacheCredential": "the shared token cache",
    "VisualStudioCodeCredential": "Visual Studio Code",
    "AzureCliCredential": "the Azure CLI ('az login')",
    "AzurePowerShellCredential": "Azure PowerShell",
    "AzureDeveloperCliCredential": "the Azure Developer CLI ('azd auth login')",
    "BrokerCredential": "the operating system's own sign-in",
}
_LINK = re.compile(r"(\w+Credential): *(.*)")
_NOT_SET_UP = re.compile(
    "unavailable|not configured|not found|could not be found|not installed|No accounts were found"
    "|package to be installed|'az login'|Add-?Account|Connect-AzAccount|azd auth login"
)
"""How a link of the chain says that it has not been set up, which is no news."""
_LONGEST = 300


def credential_for(endpoint: Endpoint) -> Any:
    """The chain for one cloud. Nothing is asked before the first call."""
    from azure.identity import DefaultAzureCredential

    where = {"authority": endpoint.authority} if endpoint.authority else {}
    return DefaultAzureCredential(exclude_interactive_browser_credential=True, **where)


def link_of(credential: Any) -> str:
    """Which link of the chain answered, in words; empty before it has."""
    # azure-identity remembers it, and has no public name for it.
    link = getattr(credential, "_successful_credential", None)
    name = type(link).__name__.lstrip("_") if link is not None else ""
    return _PLAIN_NAMES.get(name, name)


def refusals(said: str) -> str:
    """What a chain that failed has to tell, in one line: links that were tried and refused.

    Empty if there was nothing to sign in with: the SDK lists a dozen ways in which nobody did.
    """
    links = [match for line in said.splitlines() if (match := _LINK.match(line.strip()))]
    if not links:
        return " ".join(said.split())[:_LONGEST]
    told = [
        f"{_PLAIN_NAMES.get(name, name)}: {' '.join(reason.split())[:_LONGEST]}"
        for name, reason in (link.groups() for link in links)
        if "AADSTS" in reason or not _NOT_SET_UP.search(reason)
    ]
    return "; ".join(told)
