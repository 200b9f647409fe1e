"""Vertex AI, made of the package's own types."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from collectors.gcp.vertex_kinds import KINDS
from tests.cloud.estate import Entry
from tests.cloud.gcp.answers import Answers, Failure, Json, Routes, through

if TYPE_CHECKING:
    from tests.cloud.gcp.server import GcpServer

__all__ = ["Vertex"]

_KINDS = {kind.collection: kind for kind in KINDS}


class Vertex(Answers):
    """Every list of ``KINDS``."""

    def __init__(self, server: GcpServer) -> None:
        super().__init__(server)
        self._items: dict[tuple[str, str, str], list[Json]] = {}
        for entry in self.estate["vertex"]:
            project, region, path = self.owner(entry), entry.region, str(entry.get("collection"))
            parent = f"{entry.get('parent')}/" if entry.get("parent") else ""
            self._items.setdefault((project.name, region, f"{parent}{path}"), []).append(
                _vertex_item(entry, project, parent)
            )

    def routes(self) -> Routes:
        """By service."""
        where = "/v1/projects/{}/locations/{}"
        return {
            "aiplatform": {
                "/v1/projects/{}/locations": self.locations,
                f"{where}/{{}}": self.vertex,
                f"{where}/([^/:]+/[^/:]+/[^/:]+)": self.vertex,
            },
        }

    def locations(self, project: str, query: Mapping[str, list[str]]) -> Json:
        self.enabled(project, "aiplatform")
        names = self.project_named(project).get("locations") or sorted(
            {entry.region for entry in self.estate["vertex"]}
        )
        found = [{"name": f"projects/{project}/locations/{n}", "locationId": n} for n in names]
        return self.page("locations", found, query)

    def vertex(
        self, project: str, location: str, path: str, query: Mapping[str, list[str]]
    ) -> Json:
        self.enabled(project, "aiplatform")
        collection = path.rpartition("/")[2]
        if collection not in _KINDS:
            raise Failure(404, "NOT_FOUND", f"{path} is not known here")
        found = self._items.get((self.project_named(project).name, location, path), [])
        return self.page(collection, found, query)


def _vertex_item(entry: Entry, project: Entry, parent: str) -> Json:
    """One item as the API would write it: through the package's own type, strictly."""
    kind = _KINDS[str(entry.get("collection"))]
    name = (
        f"projects/{project.get('number')}/locations/{entry.region}/{parent}{kind.collection}"
        f"/{entry.get('id', entry.name)}"
    )
    described: Json = {
        "name": name,
        "createTime": "2026-03-01T10:00:00Z",
        **(entry.get("set") or {}),
    }
    message = _message(kind.short) if kind.client else None
    if message is not None:
        if "display_name" in message.meta.fields:
            described.setdefault("displayName", entry.name)
        described = through(message, described)
    return {**described, **(entry.get("wire") or {})}


@cache
def _message(short: str) -> Any:
    from google.cloud import aiplatform_v1

    return getattr(aiplatform_v1, short)
