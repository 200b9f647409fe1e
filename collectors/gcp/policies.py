"""IAM policies of many resources at once, from Cloud Asset Inventory where it may be read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from collectors.gcp.clients import Clients, name_in_path
from collectors.gcp.errors import CallError
from collectors.values import mappings
from undercroft.model import Json
from undercroft.protocols import Meter

__all__ = ["PUBLIC", "Policies", "bindings", "logged", "members"]

PUBLIC = frozenset({"allUsers", "allAuthenticatedUsers", "principalSet://goog/public:all"})
"""Members that mean everybody."""

_TYPES = (
    "aiplatform.googleapis.com.*",
    "artifactregistry.googleapis.com/Repository",
    "bigquery.googleapis.com/Dataset",
    "cloudkms.googleapis.com.*",
    "iam.googleapis.com/ServiceAccount",
    "notebooks.googleapis.com/Instance",
    "run.googleapis.com/Service",
    "storage.googleapis.com/Bucket",
)
_PAGE = 1000
_PROJECT = re.compile(r"/projects/(\d+)/")


class Policies:
    """Asked once per project; a resource that the inventory has no policy for has no bindings."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def of(self, project: str, meter: Meter) -> Mapping[str, Mapping[str, Json]]:
        """Full resource name (with the project's id) → policy. Raises ``CallError``."""

        def ask() -> dict[str, Mapping[str, Json]]:
            found: dict[str, Mapping[str, Json]] = {}
            path = f"/v1/projects/{name_in_path(project)}/assets"
            for asset in self._clients.pages(
                meter, "cloudasset", path, "assets",
                contentType="IAM_POLICY", assetTypes=list(_TYPES), pageSize=_PAGE,
            ):  # fmt: skip
                policy = asset.get("iamPolicy")
                if isinstance(policy, Mapping):
                    found[self._name(str(asset.get("name")))] = policy
            return found

        return self._clients.remember(("policies", project), ask)

    def get(self, project: str, name: str, meter: Meter) -> Mapping[str, Json]:
        """The policy of one resource by its full name. Raises ``CallError``."""
        return self.of(project, meter).get(name, {"bindings": []})

    def attach(
        self, project: str, name: str, meter: Meter, config: dict[str, Any], unknown: dict[str, str]
    ) -> None:
        """Put the policy into ``config`` as ``iamPolicy``, or say in ``unknown`` why not."""
        try:
            config["iamPolicy"] = {"bindings": [], **self.get(project, name, meter)}
        except CallError as error:
            unknown["config.iamPolicy"] = (
                f"only Cloud Asset Inventory tells, which could not be read: {error.unknown}"
            )

    def attach_or_ask(
        self,
        project: str,
        name: str,
        meter: Meter,
        config: dict[str, Any],
        unknown: dict[str, str],
        question: tuple[str, str],
    ) -> None:
        """The same, and where there is no inventory ask (service, path) for this one policy."""
        try:
            policy = self.get(project, name, meter)
        except CallError:
            try:
                service, path = question
                version: dict[str, Any] = {"options.requestedPolicyVersion": 3}
                policy = self._clients.get(meter, service, path, **version)
            except CallError as error:
                unknown["config.iamPolicy"] = error.unknown
                return
        config["iamPolicy"] = {"bindings": [], **policy}

    def _name(self, name: str) -> str:
        return _PROJECT.sub(
            lambda found: f"/projects/{self._clients.numbers.get(found[1], found[1])}/",
            name,
            count=1,
        )


def bindings(policy: Any) -> list[Mapping[str, Any]]:
    """The bindings of a policy that are well formed."""
    found = policy.get("bindings") if isinstance(policy, Mapping) else None
    return (
        [entry for entry in found or () if isinstance(entry, Mapping)]
        if isinstance(found, list)
        else []
    )


def members(binding: Mapping[str, Any]) -> list[str]:
    """The members of a binding, as text."""
    found = binding.get("members")
    return [str(member) for member in found] if isinstance(found, list) else []


def logged(configs: Sequence[Mapping[str, Any]], service: str) -> dict[str, Json]:
    """Whether reads and writes of data are logged, for a service by its own or by all services' rule."""
    kinds: set[str] = set()
    exempted = False
    for config in configs:
        if config.get("service") in {service, "allServices"}:
            for entry in mappings(config.get("auditLogConfigs")):
                kinds.add(str(entry.get("logType")))
                exempted = exempted or bool(entry.get("exemptedMembers"))
    return {"read": "DATA_READ" in kinds, "write": "DATA_WRITE" in kinds, "exempted": exempted}
