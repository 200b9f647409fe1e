"""The custom role that allows exactly what a scan reads. ``doctor azure --policy`` prints it."""

from __future__ import annotations

from undercroft.model import Json

__all__ = ["actions", "role_definition"]

_ACTIONS = (
    "Microsoft.App/containerApps/read",
    "Microsoft.App/containerApps/authConfigs/read",
    "Microsoft.App/sessionPools/read",
    "Microsoft.Authorization/roleAssignments/read",
    "Microsoft.Authorization/roleDefinitions/read",
    "Microsoft.BotService/botServices/read",
    "Microsoft.BotService/botServices/channels/read",
    "Microsoft.CognitiveServices/accounts/read",
    "Microsoft.CognitiveServices/accounts/capabilityHosts/read",
    "Microsoft.CognitiveServices/accounts/connections/read",
    "Microsoft.CognitiveServices/accounts/defenderForAISettings/read",
    "Microsoft.CognitiveServices/accounts/deployments/read",
    "Microsoft.CognitiveServices/accounts/models/read",
    "Microsoft.CognitiveServices/accounts/projects/read",
    "Microsoft.CognitiveServices/accounts/projects/capabilityHosts/read",
    "Microsoft.CognitiveServices/accounts/projects/connections/read",
    "Microsoft.CognitiveServices/accounts/raiPolicies/read",
    "Microsoft.Compute/disks/read",
    "Microsoft.Compute/virtualMachines/read",
    "Microsoft.Compute/virtualMachines/instanceView/read",
    "Microsoft.ContainerRegistry/registries/read",
    "Microsoft.ContainerService/managedClusters/read",
    "Microsoft.Databricks/workspaces/read",
    "Microsoft.Insights/diagnosticSettings/read",
    "Microsoft.KeyVault/vaults/read",
    "Microsoft.MachineLearningServices/registries/read",
    "Microsoft.MachineLearningServices/workspaces/read",
    "Microsoft.MachineLearningServices/workspaces/batchEndpoints/read",
    "Microsoft.MachineLearningServices/workspaces/batchEndpoints/deployments/read",
    "Microsoft.MachineLearningServices/workspaces/codes/versions/read",
    "Microsoft.MachineLearningServices/workspaces/computes/read",
    "Microsoft.MachineLearningServices/workspaces/connections/read",
    "Microsoft.MachineLearningServices/workspaces/data/read",
    "Microsoft.MachineLearningServices/workspaces/data/versions/read",
    "Microsoft.MachineLearningServices/workspaces/datastores/read",
    "Microsoft.MachineLearningServices/workspaces/environments/read",
    "Microsoft.MachineLearningServices/workspaces/environments/versions/read",
    "Microsoft.MachineLearningServices/workspaces/jobs/read",
    "Microsoft.MachineLearningServices/workspaces/models/read",
    "Microsoft.MachineLearningServices/workspaces/models/versions/read",
    "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/read",
    "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments/read",
    "Microsoft.MachineLearningServices/workspaces/outboundRules/read",
    "Microsoft.MachineLearningServices/workspaces/serverlessEndpoints/read",
    "Microsoft.ManagedIdentity/userAssignedIdentities/read",
    "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/read",
    "Microsoft.Management/managementGroups/descendants/read",
    "Microsoft.Network/networkInterfaces/read",
    "Microsoft.Network/networkSecurityGroups/read",
    "Microsoft.Network/privateEndpoints/read",
    "Microsoft.Network/publicIPAddresses/read",
    "Microsoft.Network/virtualNetworks/read",
    "Microsoft.Network/virtualNetworks/subnets/read",
    "Microsoft.ResourceGraph/resources/read",
    "Microsoft.Resources/subscriptions/read",
    "Microsoft.Search/searchServices/read",
    "Microsoft.Security/assessments/read",
    "Microsoft.Security/pricings/read",
    "Microsoft.Security/subAssessments/read",
    "Microsoft.Storage/storageAccounts/read",
    "Microsoft.Storage/storageAccounts/blobServices/read",
    "Microsoft.Storage/storageAccounts/blobServices/containers/read",
)


def actions() -> tuple[str, ...]:
    """Every permission that a scan uses, sorted. None of them shows a key or a blob's contents."""
    return tuple(sorted(_ACTIONS))


def role_definition(subscriptions: tuple[str, ...] = ()) -> dict[str, Json]:
    """A custom role in the form that ``az role definition create`` takes."""
    scopes = [f"/subscriptions/{one}" for one in subscriptions] or [
        "/subscriptions/SUBSCRIPTION_ID"
    ]
    return {
        "Name": "Undercroft Reader",
        "IsCustom": True,
        "Description": "Reads what a scan of AI services and their foundations needs; changes nothing.",
        "Actions": list(actions()),
        "NotActions": [],
        "DataActions": [],
        "NotDataActions": [],
        "AssignableScopes": list(scopes),
    }
