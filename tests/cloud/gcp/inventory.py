"""Cloud Asset Inventory: which assets there are, and the policies on them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from collectors.gcp.vertex_kinds import KINDS
from tests.cloud.estate import Entry
from tests.cloud.gcp.answers import Answers, Failure, Json, Routes, info, policy_json

__all__ = ["Inventory"]

_TYPES = {kind.collection: kind.type for kind in KINDS}
_ASSET_NAMES = {
    "vertex": "//aiplatform.googleapis.com/projects/{number}/locations/{region}/{collection}/{id}",
    "workbench": "//notebooks.googleapis.com/projects/{project}/locations/{region}/instances/{name}",
    "buckets": "//storage.googleapis.com/{name}",
    "service_accounts": "//iam.googleapis.com/projects/{project}/serviceAccounts/{name}",
    "keys": "//cloudkms.googleapis.com/projects/{project}/locations/{region}/keyRings/ml/cryptoKeys/{name}",
    "repositories": "//artifactregistry.googleapis.com/projects/{project}/locations/{region}/repositories/{name}",
    "run": "//run.googleapis.com/projects/{project}/locations/{region}/services/{name}",
}


class Inventory(Answers):
    """Where it is enabled."""

    def routes(self) -> Routes:
        """By service."""
        return {
            "cloudasset": {
                "/v1/(projects|organizations)/{}:searchAllResources": self.search_assets,
                "/v1/projects/{}/assets": self.policies,
            },
        }

    def search_assets(self, kind: str, name: str, query: Mapping[str, list[str]]) -> Json:
        self._inventory()
        if kind == "projects":
            self.project_named(name)
        wanted = [re.compile(pattern) for pattern in query["assetTypes"]]
        found = []
        for section, asset_type in (("vertex", _vertex_type), ("workbench", _workbench_type)):
            for entry in self.estate[section]:
                project = self.owner(entry)
                if kind == "projects" and name not in (project.name, project.get("number")):
                    continue
                if any(pattern.fullmatch(asset_type(entry)) for pattern in wanted):
                    found.append(
                        {
                            "name": f"//x/{entry.name}",
                            "assetType": asset_type(entry),
                            "project": f"projects/{project.get('number')}",
                            "location": entry.region,
                        }
                    )
        return self.page("results", found, query)

    def policies(self, project: str, query: Mapping[str, list[str]]) -> Json:
        self._inventory()
        return self.page("assets", self._policies(self.project_named(project)), query)

    def _policies(self, project: Entry) -> Iterator[Json]:
        number = project.get("number")
        for section, name in _ASSET_NAMES.items():
            for entry in self.estate[section]:
                if entry.get("policy") and self.owner(entry) == project:
                    full = name.format(
                        project=project.name, number=number, region=entry.region, name=entry.name,
                        id=entry.get("id", entry.name), collection=entry.get("collection"),
                    )  # fmt: skip
                    yield {"name": full, "iamPolicy": policy_json(entry.get("policy"))}

    def _inventory(self) -> None:
        if not self.server.inventory:
            raise Failure(403, "PERMISSION_DENIED", "no", info("IAM_PERMISSION_DENIED", {}))


def _vertex_type(entry: Entry) -> str:
    return _TYPES[str(entry.get("collection"))]


def _workbench_type(entry: Entry) -> str:
    return "notebooks.googleapis.com/Instance"
