"""Notebooks, machines and containers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.cloud.gcp.answers import Answers, Json, Routes, policy_json

__all__ = ["Compute"]


class Compute(Answers):
    """Workbench, Compute Engine, OS Config, Cloud Run, GKE, TPUs."""

    def routes(self) -> Routes:
        """By service."""
        where = "/v1/projects/{}/locations/{}"
        return {
            "notebooks": {
                "/v2/projects/{}/locations/-/instances": self.notebooks,
                f"/v2{where[3:]}/instances/{{}}:getIamPolicy": self.notebook_policy,
                "/v1/projects/{}/locations/-/instances": self.old_notebooks,
                "/v1/projects/{}/locations/-/runtimes": self.old_runtimes,
            },
            "compute": {
                "/compute/v1/projects/{}": self.compute_project,
                "/compute/v1/projects/{}/aggregated/(instances|disks)": self.aggregated,
                "/compute/v1/projects/{}/global/firewalls": self.firewalls,
            },
            "osconfig": {
                f"{where}/instances/-/vulnerabilityReports": self.vulnerability_reports,
            },
            "run": {
                "/v1/projects/{}/locations": self.run_locations,
                f"/v2{where[3:]}/services": self.run_services,
                f"/v2{where[3:]}/services/{{}}:getIamPolicy": self.run_policy,
            },
            "container": {"/v1/projects/{}/locations/-/clusters": self.clusters},
            "tpu": {"/v2/projects/{}/locations/-/nodes": self.tpus},
        }

    def notebooks(self, project: str, query: Mapping[str, list[str]]) -> Json:
        self.enabled(project, "notebooks")
        found = self.located("workbench", project, "instances")
        return {**self.page("instances", found, query), **self._silent()}

    def notebook_policy(self, project: str, zone: str, name: str, query: Any) -> Json:
        return policy_json(self.one("workbench", name).get("policy"))

    def old_notebooks(self, project: str, query: Mapping[str, list[str]]) -> Json:
        return self.page("instances", self.located("old_notebooks", project, "instances"), query)

    def old_runtimes(self, project: str, query: Mapping[str, list[str]]) -> Json:
        return self.page("runtimes", self.located("old_runtimes", project, "runtimes"), query)

    def compute_project(self, project: str, query: Any) -> Json:
        entry = self.project_named(project)
        return {"name": project, "commonInstanceMetadata": entry.get("metadata") or {}}

    def aggregated(self, project: str, kind: str, query: Mapping[str, list[str]]) -> Json:
        self.enabled(project, "compute")
        base = f"https://www.googleapis.com/compute/v1/projects/{project}/zones"
        scopes: dict[str, Json] = {"zones/empty-a": {"warning": {"code": "NO_RESULTS_ON_PAGE"}}}
        for entry in self.of(kind, project):
            item = {
                "name": entry.name, "zone": f"{base}/{entry.region}", "id": str(len(entry.name)),
                "selfLink": f"{base}/{entry.region}/{kind}/{entry.name}", **(entry.get("set") or {}),
            }  # fmt: skip
            scopes.setdefault(f"zones/{entry.region}", {}).setdefault(kind, []).append(item)
        return {"kind": f"compute#{kind}AggregatedList", "items": scopes}

    def vulnerability_reports(
        self, project: str, zone: str, query: Mapping[str, list[str]]
    ) -> Json:
        self.enabled(project, "osconfig")
        number = self.project_named(project).get("number")
        found = [
            {
                "name": f"projects/{number}/locations/{zone}/instances"
                f"/{(entry.get('set') or {}).get('id')}/vulnerabilityReport",
                "updateTime": "2026-11-01T00:00:00Z",
                "vulnerabilities": entry.get("report"),
            }
            for entry in self.of("instances", project)
            if entry.region == zone and entry.get("report") is not None
        ]
        return self.page("vulnerabilityReports", found, query)

    def firewalls(self, project: str, query: Mapping[str, list[str]]) -> Json:
        found = [
            {"name": entry.name, "direction": "INGRESS", **(entry.get("set") or {})}
            for entry in self.of("firewalls", project)
        ]
        return self.page("items", found, query, size="maxResults")

    def run_locations(self, project: str, query: Mapping[str, list[str]]) -> Json:
        names = sorted({entry.region for entry in self.of("run", project)} | {"us-central1"})
        return self.page("locations", [{"locationId": name} for name in names], query)

    def run_services(self, project: str, location: str, query: Mapping[str, list[str]]) -> Json:
        found = self.located("run", project, "services")
        here = [item for item in found if f"/locations/{location}/" in item["name"]]
        return self.page("services", here, query)

    def run_policy(self, project: str, location: str, name: str, query: Any) -> Json:
        return policy_json(self.one("run", name).get("policy"))

    def clusters(self, project: str, query: Any) -> Json:
        found = [
            {"name": entry.name, "location": entry.region, **(entry.get("set") or {})}
            for entry in self.of("clusters", project)
        ]
        return {"clusters": found} if found else {}

    def tpus(self, project: str, query: Mapping[str, list[str]]) -> Json:
        return self.page("nodes", self.located("tpus", project, "nodes"), query)

    def _silent(self) -> Json:
        names = [entry.name for entry in self.estate["silent_zones"]]
        return {"unreachable": [f"projects/x/locations/{name}" for name in names]} if names else {}
