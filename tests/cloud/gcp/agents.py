"""Agents and search: Dialogflow CX and Agent Builder."""

from __future__ import annotations

from collections.abc import Mapping

from tests.cloud.gcp.answers import Answers, Json, Routes

__all__ = ["Agents"]


class Agents(Answers):
    """By place."""

    def routes(self) -> Routes:
        """By service."""
        where = "/v1/projects/{}/locations/{}"
        return {
            "dialogflow": {
                f"/v3{where[3:]}/(agents|securitySettings)": self.agents,
                f"/v3{where[3:]}/agents/{{}}/webhooks": self.webhooks,
            },
            "discoveryengine": {
                f"{where}/collections/default_collection/(dataStores|engines)": self.search,
            },
        }

    def agents(
        self, project: str, location: str, kind: str, query: Mapping[str, list[str]]
    ) -> Json:
        section = "agents" if kind == "agents" else "security_settings"
        return self.page(kind, self.here(section, project, location, kind), query)

    def webhooks(
        self, project: str, location: str, agent: str, query: Mapping[str, list[str]]
    ) -> Json:
        found = [
            item
            for item in self.here("webhooks", project, location, f"agents/{agent}/webhooks")
            if item.pop("agent") == agent
        ]
        return self.page("webhooks", found, query)

    def search(
        self, project: str, location: str, kind: str, query: Mapping[str, list[str]]
    ) -> Json:
        section = "data_stores" if kind == "dataStores" else "engines"
        found = self.here(section, project, location, f"collections/default_collection/{kind}")
        return self.page(kind, found, query)
