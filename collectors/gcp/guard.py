"""The read list: every request to Google Cloud that this program may send; all others are refused.

The table is lock and documentation at once: what is not in it is never sent, a denial is explained
with its permissions, and ``doctor gcp --policy`` prints the role that allows exactly these reads.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from undercroft.model import Json

__all__ = ["READS", "VERTEX_LISTS", "Read", "WriteRefusedError", "permissions", "permit", "role"]


@dataclass(frozen=True, slots=True)
class Read:
    """One kind of request."""

    path: str
    """``/v1/projects/*/locations/*/endpoints``; a star stands for one segment."""
    permission: str
    """The IAM permission that allows it; empty: nothing needs to be granted."""
    method: str = "GET"
    """``POST`` only where the API defines a read so (getIamPolicy)."""


VERTEX_LISTS = (
    "batchPredictionJobs",
    "customJobs",
    "datasets",
    "deploymentResourcePools",
    "endpoints",
    "featureGroups",
    "featureOnlineStores",
    "featurestores",
    "hyperparameterTuningJobs",
    "indexEndpoints",
    "indexes",
    "metadataStores",
    "modelDeploymentMonitoringJobs",
    "models",
    "notebookExecutionJobs",
    "notebookRuntimeTemplates",
    "notebookRuntimes",
    "persistentResources",
    "pipelineJobs",
    "ragCorpora",
    "reasoningEngines",
    "schedules",
    "tensorboards",
    "trainingPipelines",
    "tuningJobs",
)
"""Collections of Vertex AI that are listed in each location."""

_VERTEX = "/v1/projects/*/locations/*"


def _policy(path: str, permission: str) -> Read:
    return Read(f"{path}:getIamPolicy", permission, "POST")


READS: dict[str, tuple[Read, ...]] = {
    "aiplatform": (
        Read("/v1/projects/*/locations", "aiplatform.locations.list"),
        *(Read(f"{_VERTEX}/{name}", f"aiplatform.{name}.list") for name in VERTEX_LISTS),
        Read(f"{_VERTEX}/agents", "aiplatform.agents.list"),
        Read(f"{_VERTEX}/featureOnlineStores/*/featureViews", "aiplatform.featureViews.list"),
        Read(f"{_VERTEX}/ragCorpora/*/ragFiles", "aiplatform.ragFiles.list"),
        Read(
            f"{_VERTEX}/reasoningEngines/*/sandboxEnvironmentTemplates",
            "aiplatform.sandboxEnvironmentTemplates.list",
        ),
    ),
    "notebooks": (
        Read("/v2/projects/*/locations/-/instances", "notebooks.instances.list"),
        Read(
            "/v2/projects/*/locations/*/instances/*:getIamPolicy",
            "notebooks.instances.getIamPolicy",
        ),
        Read("/v1/projects/*/locations/-/instances", "notebooks.instances.list"),
        Read("/v1/projects/*/locations/-/runtimes", "notebooks.runtimes.list"),
    ),
    "run": (
        Read("/v1/projects/*/locations", "run.locations.list"),
        Read("/v2/projects/*/locations/*/services", "run.services.list"),
        Read("/v2/projects/*/locations/*/services/*:getIamPolicy", "run.services.getIamPolicy"),
    ),
    "container": (Read("/v1/projects/*/locations/-/clusters", "container.clusters.list"),),
    "dialogflow": (
        Read("/v3/projects/*/locations/*/agents", "dialogflow.agents.list"),
        Read("/v3/projects/*/locations/*/agents/*/webhooks", "dialogflow.webhooks.list"),
        Read("/v3/projects/*/locations/*/securitySettings", "dialogflow.securitySettings.list"),
    ),
    "discoveryengine": (
        Read(
            "/v1/projects/*/locations/*/collections/default_collection/dataStores",
            "discoveryengine.dataStores.list",
        ),
        Read(
            "/v1/projects/*/locations/*/collections/default_collection/engines",
            "discoveryengine.engines.list",
        ),
    ),
    "tpu": (Read("/v2/projects/*/locations/-/nodes", "tpu.nodes.list"),),
    "compute": (
        Read("/compute/v1/projects/*", "compute.projects.get"),
        Read("/compute/v1/projects/*/aggregated/instances", "compute.instances.list"),
        Read("/compute/v1/projects/*/aggregated/disks", "compute.disks.list"),
        Read("/compute/v1/projects/*/global/firewalls", "compute.firewalls.list"),
    ),
    "osconfig": (
        Read(
            "/v1/projects/*/locations/*/instances/-/vulnerabilityReports",
            "osconfig.vulnerabilityReports.list",
        ),
    ),
    "storage": (
        Read("/storage/v1/b", "storage.buckets.list"),
        Read("/storage/v1/b/*", "storage.buckets.get"),
        Read("/storage/v1/b/*/iam", "storage.buckets.getIamPolicy"),
    ),
    "bigquery": (Read("/bigquery/v2/projects/*/datasets/*", "bigquery.datasets.get"),),
    "iam": (
        Read("/v1/projects/*/serviceAccounts/*", "iam.serviceAccounts.get"),
        Read("/v1/projects/*/serviceAccounts/*/keys", "iam.serviceAccountKeys.list"),
        _policy("/v1/projects/*/serviceAccounts/*", "iam.serviceAccounts.getIamPolicy"),
        Read(
            "/v1/projects/*/locations/global/workloadIdentityPools",
            "iam.workloadIdentityPools.list",
        ),
        Read(
            "/v1/projects/*/locations/global/workloadIdentityPools/*/providers",
            "iam.workloadIdentityPoolProviders.list",
        ),
        Read("/v1/projects/*/roles/*", "iam.roles.get"),
        Read("/v1/organizations/*/roles/*", "iam.roles.get"),
    ),
    "cloudresourcemanager": (
        Read("/v3/projects:search", "resourcemanager.projects.get"),
        Read("/v3/projects", "resourcemanager.projects.list"),
        Read("/v3/projects/*", "resourcemanager.projects.get"),
        Read("/v3/folders", "resourcemanager.folders.list"),
        Read("/v3/folders/*", "resourcemanager.folders.get"),
        _policy("/v3/projects/*", "resourcemanager.projects.getIamPolicy"),
        _policy("/v3/folders/*", "resourcemanager.folders.getIamPolicy"),
        _policy("/v3/organizations/*", "resourcemanager.organizations.getIamPolicy"),
    ),
    "accesscontextmanager": (
        Read("/v1/accessPolicies", "accesscontextmanager.policies.list"),
        Read(
            "/v1/accessPolicies/*/servicePerimeters", "accesscontextmanager.servicePerimeters.list"
        ),
    ),
    "serviceusage": (Read("/v1/projects/*/services", "serviceusage.services.list"),),
    "cloudasset": (
        Read("/v1/projects/*:searchAllResources", "cloudasset.assets.searchAllResources"),
        Read("/v1/organizations/*:searchAllResources", "cloudasset.assets.searchAllResources"),
        Read("/v1/projects/*/assets", "cloudasset.assets.listIamPolicy"),
    ),
    "artifactregistry": (
        Read("/v1/projects/*/locations/*/repositories/*", "artifactregistry.repositories.get"),
        Read(
            "/v1/projects/*/locations/*/repositories/*:getIamPolicy",
            "artifactregistry.repositories.getIamPolicy",
        ),
        Read(
            "/v1/projects/*/locations/*/repositories/*/packages/*/tags/*",
            "artifactregistry.tags.get",
        ),
    ),
    "containeranalysis": (
        Read("/v1/projects/*/occurrences", "containeranalysis.occurrences.list"),
    ),
    "cloudkms": (
        Read("/v1/projects/*/locations/*/keyRings/*/cryptoKeys/*", "cloudkms.cryptoKeys.get"),
        Read(
            "/v1/projects/*/locations/*/keyRings/*/cryptoKeys/*:getIamPolicy",
            "cloudkms.cryptoKeys.getIamPolicy",
        ),
        Read(
            "/v1/projects/*/locations/*/keyRings/*:getIamPolicy", "cloudkms.keyRings.getIamPolicy"
        ),
    ),
    "orgpolicy": (Read("/v2/projects/*/policies/*:getEffectivePolicy", "orgpolicy.policy.get"),),
    "apikeys": (Read("/v2/projects/*/locations/global/keys", "apikeys.keys.list"),),
    "modelarmor": (
        Read("/v1/projects/*/locations/global/floorSetting", "modelarmor.floorSettings.get"),
    ),
}
"""Service (first label of its host) → requests."""

_VERBS = re.compile(r":(?P<verb>[A-Za-z]+)$")
_READING = ("get", "list", "search", "aggregate")
_QUESTIONS = frozenset({"getIamPolicy", "testIamPermissions"})


class WriteRefusedError(RuntimeError):
    """A request outside the read list was about to be sent; nothing was."""

    def __init__(self, service: str, method: str, path: str) -> None:
        super().__init__(f"{method} {service}{path} is not in the read list; nothing was sent")


def permit(service: str, method: str, path: str) -> Read:
    """The entry of the read list that allows a request; ``WriteRefusedError`` if none does.

    Whatever the table says, nothing but GET passes, and POST only for a question about IAM.
    """
    verb = match["verb"] if (match := _VERBS.search(path)) else ""
    reading = (
        method == "GET" and (not verb or verb.startswith(_READING) or verb in _QUESTIONS)
    ) or (method == "POST" and verb in _QUESTIONS)
    if reading:
        for pattern, read in _patterns(service):
            if read.method == method and pattern.fullmatch(path):
                return read
    raise WriteRefusedError(service, method, path)


def permissions(*, within_project: bool = False) -> list[str]:
    """Every IAM permission that a scan uses, sorted.

    ``within_project``: only those that a role of a single project may hold.
    """
    found = {read.permission for reads in READS.values() for read in reads if read.permission}
    # Asset Inventory asks for the permission of the content, besides the one to list at all.
    found |= {"cloudasset.assets.listResource", "serviceusage.services.use"}
    above = ("accesscontextmanager.", "resourcemanager.folders.", "resourcemanager.organizations.")
    if within_project:
        found = {name for name in found if not name.startswith(above)}
        found -= {"resourcemanager.projects.list"}
    return sorted(found)


def role(*, within_project: bool = False) -> dict[str, Json]:
    """A custom role that allows exactly what a scan reads, as ``gcloud iam roles create`` takes it."""
    granted: list[Json] = [*permissions(within_project=within_project)]
    return {
        "title": "Undercroft reader",
        "description": "What a scan by Undercroft reads, and nothing else.",
        "stage": "GA",
        "includedPermissions": granted,
    }


@cache
def _patterns(service: str) -> tuple[tuple[re.Pattern[str], Read], ...]:
    return tuple((_pattern(read.path), read) for read in READS.get(service, ()))


def _pattern(path: str) -> re.Pattern[str]:
    # A colon ends a name and begins a method, but a digest or an email may stand quoted in it.
    return re.compile(re.escape(path).replace(r"\*", "[^/:]+"))
