"""Projects, what they use, forbid, screen and hand out, and what lies around them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.cloud.estate import Entry
from tests.cloud.gcp.answers import Answers, Json, Routes, policy_json, through

__all__ = ["Projects"]


class Projects(Answers):
    """Resource Manager, Service Usage, organisation policies, API keys, Model Armor, perimeters."""

    def routes(self) -> Routes:
        """By service."""
        return {
            "cloudresourcemanager": {
                "/v3/projects:search": self.search_projects,
                "/v3/projects": self.child_projects,
                "/v3/folders": self.child_folders,
                "/v3/projects/{}": self.project,
                "/v3/folders/{}": self.folder,
                "/v3/(projects|folders|organizations)/{}:getIamPolicy": self.hierarchy_policy,
            },
            "serviceusage": {"/v1/projects/{}/services": self.services},
            "orgpolicy": {"/v2/projects/{}/policies/{}:getEffectivePolicy": self.org_policy},
            "apikeys": {"/v2/projects/{}/locations/global/keys": self.api_keys},
            "modelarmor": {"/v1/projects/{}/locations/global/floorSetting": self.floor_setting},
            "accesscontextmanager": {
                "/v1/accessPolicies": self.access_policies,
                "/v1/accessPolicies/{}/servicePerimeters": self.perimeters,
            },
        }

    def search_projects(self, query: Mapping[str, list[str]]) -> Json:
        return self.page("projects", map(self._project_json, self.estate["projects"]), query)

    def child_projects(self, query: Mapping[str, list[str]]) -> Json:
        parent = query["parent"][0]
        found = [p for p in self.estate["projects"] if p.get("parent") == parent]
        return self.page("projects", map(self._project_json, found), query)

    def child_folders(self, query: Mapping[str, list[str]]) -> Json:
        parent = query["parent"][0]
        found = [f for f in self.estate["folders"] if f.get("parent") == parent]
        return self.page(
            "folders", ({"name": f"folders/{f.name}", "parent": parent} for f in found), query
        )

    def project(self, project: str, query: Any) -> Json:
        return self._project_json(self.project_named(project))

    def folder(self, folder: str, query: Any) -> Json:
        entry = self.one("folders", folder)
        return {"name": f"folders/{entry.name}", "parent": entry.get("parent"), "state": "ACTIVE"}

    def hierarchy_policy(self, kind: str, name: str, query: Any) -> Json:
        entry = self.project_named(name) if kind == "projects" else self.one(kind, name)
        return policy_json(entry.get("policy"))

    def services(self, project: str, query: Mapping[str, list[str]]) -> Json:
        entry = self.project_named(project)
        names = [f"{name}.googleapis.com" for name in entry.get("services", ())]
        found = [
            {"name": f"projects/{entry.get('number')}/services/{name}", "config": {"name": name},
             "state": "ENABLED"}
            for name in names
        ]  # fmt: skip
        return self.page("services", found, query)

    def org_policy(self, project: str, constraint: str, query: Any) -> Json:
        rules = (self.project_named(project).get("org_policies") or {}).get(constraint)
        if rules is None:
            rules = [{"enforce": False}]
        return {"name": f"projects/{project}/policies/{constraint}", "spec": {"rules": rules}}

    def api_keys(self, project: str, query: Mapping[str, list[str]]) -> Json:
        found = [
            {
                "name": f"projects/{project}/locations/global/keys/{entry.name}",
                "displayName": entry.name, "uid": entry.name, **(entry.get("set") or {}),
            }
            for entry in self.of("api_keys", project)
        ]  # fmt: skip
        return self.page("keys", found, query)

    def floor_setting(self, project: str, query: Any) -> Json:
        setting = self.project_named(project).get("floor_setting") or {}
        return {"name": f"projects/{project}/locations/global/floorSetting", **setting}

    def access_policies(self, query: Mapping[str, list[str]]) -> Json:
        (organization,) = query["parent"]
        known = [f"organizations/{entry.name}" for entry in self.estate["organizations"]]
        found = [{"name": "accessPolicies/42"}] if organization in known else []
        return self.page("accessPolicies", found, query)

    def perimeters(self, policy: str, query: Mapping[str, list[str]]) -> Json:
        found = [
            {
                "name": f"accessPolicies/{policy}/servicePerimeters/{entry.name}",
                **(entry.get("set") or {}),
            }
            for entry in self.estate["perimeters"]
        ]
        return self.page("servicePerimeters", found, query)

    def _project_json(self, entry: Entry) -> Json:
        from google.cloud.resourcemanager_v3 import Project

        state = {"name": f"projects/{entry.get('number')}", "projectId": entry.name}
        more = {"parent": entry.get("parent"), "labels": entry.get("labels") or {}}
        return through(Project, {**state, **more, "state": entry.get("state", "ACTIVE")})
