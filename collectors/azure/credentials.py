"""Signing in the way the user already does: azure-identity's default chain.

Environment, workload and managed identity, and the tools that are signed in on this machine. No
browser is opened, nothing is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collectors.azure.endpoint import Endpoint

__all__ = ["credential_for", "link_of"]

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
