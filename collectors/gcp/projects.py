"""Which projects a scan covers, and what has to be known of each before anything is read in it."""

from __future__ import annotations

import contextlib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from collectors.gcp.clients import Clients, name_in_path
from collectors.gcp.errors import CallError
from collectors.reading import side_by_side
from collectors.values import mappings
from undercroft.model import CoverageStatus, Json
from undercroft.protocols import Meter, Scope

__all__ = ["AI_ASSETS", "FALLBACK_LOCATIONS", "Inventory", "Project", "Projects", "not_enabled"]

AI_ASSETS = ("aiplatform.googleapis.com.*", "notebooks.googleapis.com.*")
"""What is looked for in Cloud Asset Inventory, as regular expressions over asset types."""

FALLBACK_LOCATIONS = (
    "africa-south1",
    "asia-east1",
    "asia-east2",
    "asia-northeast1",
    "asia-northeast2",
    "asia-northeast3",
    "asia-south1",
    "asia-south2",
    "asia-southeast1",
    "asia-southeast2",
    "australia-southeast1",
    "australia-southeast2",
    "europe-central2",
    "europe-north1",
    "europe-southwest1",
    "europe-west1",
    "europe-west12",
    "europe-west2",
    "europe-west3",
    "europe-west4",
    "europe-west6",
    "europe-west8",
    "europe-west9",
    "me-central1",
    "me-central2",
    "me-west1",
    "northamerica-northeast1",
    "northamerica-northeast2",
    "southamerica-east1",
    "southamerica-west1",
    "us-central1",
    "us-east1",
    "us-east4",
    "us-east5",
    "us-south1",
    "us-west1",
    "us-west2",
    "us-west3",
    "us-west4",
)
"""Regions of Vertex AI, for when they may not be listed."""

_LOCATION = re.compile(r"[a-z]+(?:-[a-z]+)+\d+|us|eu|global")
_PAGE = 500
_DEEPEST = 10
"""Levels of folders; Google allows ten."""


@dataclass(frozen=True, slots=True)
class Project:
    """One project of the scan."""

    id: str
    number: str = ""
    parent: str = ""
    """``folders/1`` or ``organizations/1``; empty if there is none, or none that may be seen."""
    config: Mapping[str, Json] = field(default_factory=dict)
    error: CallError | None = None
    """Why it could not be looked up, if it could not."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """What Cloud Asset Inventory knows to exist in one project."""

    locations: Mapping[str, frozenset[str]]
    """Asset type → where there is at least one."""

    def has(self, asset_type: str, location: str) -> bool:
        """Whether there is one of that type there."""
        return location in self.locations.get(asset_type, ())

    @property
    def empty(self) -> bool:
        """Whether it knows of no AI resource at all."""
        return not self.locations


class Projects:
    """Answers about projects, each asked for once per scan."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def in_scope(self, scope: Scope, meter: Meter) -> Sequence[Project]:
        """The projects to scan. Raises ``CallError`` if it cannot even be said which."""
        return self._clients.remember("projects", lambda: self._find(scope, meter))

    def get(self, project: str, meter: Meter) -> Project:
        """One project by id; its ``error`` says if it cannot be looked up."""
        return self._clients.remember(("project", project), lambda: self._ask(project, meter))

    def services(self, project: str, meter: Meter) -> frozenset[str]:
        """APIs that are enabled: ``aiplatform.googleapis.com``. Raises ``CallError``."""

        def ask() -> frozenset[str]:
            path = f"/v1/projects/{name_in_path(project)}/services"
            found = self._clients.pages(
                meter, "serviceusage", path, "services", filter="state:ENABLED", pageSize=200
            )
            return frozenset(str(_mapping(item.get("config")).get("name")) for item in found)

        return self._clients.remember(("services", project), ask)

    def locations(self, project: str, meter: Meter) -> tuple[str, ...]:
        """Where Vertex AI exists, as the project may see it. Never raises ``CallError``."""

        def ask() -> tuple[str, ...]:
            path = f"/v1/projects/{name_in_path(project)}/locations"
            found = self._clients.pages(meter, "aiplatform", path, "locations", pageSize=200)
            names = {str(item.get("locationId")) for item in found}
            return tuple(sorted(name for name in names if _LOCATION.fullmatch(name)))

        try:
            return self._clients.remember(("locations", project), ask) or FALLBACK_LOCATIONS
        except CallError:
            return FALLBACK_LOCATIONS

    def inventory(self, project: Project, meter: Meter) -> Inventory:
        """What Cloud Asset Inventory knows of AI in a project. Raises ``CallError``."""
        organization = str(self._clients.options.get("organization") or "")
        if organization:
            try:
                return self._organization(organization, meter).get(project.number, Inventory({}))
            except CallError:
                # It may still be allowed to ask for one project.
                pass

        def ask() -> Inventory:
            scope = f"/v1/projects/{name_in_path(project.id)}"
            found = defaultdict[str, set[str]](set)
            for asset in self._search(scope, meter):
                found[str(asset.get("assetType"))].add(str(asset.get("location")))
            return _inventory(found)

        return self._clients.remember(("inventory", project.id), ask)

    def ancestors(self, project: Project, meter: Meter) -> tuple[str, ...]:
        """Folders and organisation above a project, the nearest first. Raises ``CallError``."""
        above: list[str] = []
        parent = project.parent
        while parent and len(above) < _DEEPEST + 1 and parent not in above:
            above.append(parent)
            parent = self._parent(parent, meter) if parent.startswith("folders/") else ""
        return tuple(above)

    def policy(self, resource: str, meter: Meter) -> Mapping[str, Any]:
        """IAM policy of ``projects/p``, ``folders/1`` or ``organizations/1``. Raises ``CallError``."""
        return self._clients.remember(
            ("policy", resource),
            lambda: self._clients.policy(meter, "cloudresourcemanager", f"/v3/{resource}"),
        )

    def audit_configs(self, project: Project, meter: Meter) -> list[Mapping[str, Any]]:
        """Audit settings of a project and of everything above it. Raises ``CallError``."""
        names = (f"projects/{project.id}", *self.ancestors(project, meter))
        policies = [self.policy(name, meter) for name in names]
        return [config for policy in policies for config in mappings(policy.get("auditConfigs"))]

    def _find(self, scope: Scope, meter: Meter) -> Sequence[Project]:
        named = scope.accounts
        organization = str(self._clients.options.get("organization") or "")
        if named:
            found = list(side_by_side(named, lambda name: self.get(name, meter)))
        elif organization:
            found = [
                self._seen(item) for item in self._beneath(f"organizations/{organization}", meter)
            ]
        else:
            listed = self._clients.pages(
                meter, "cloudresourcemanager", "/v3/projects:search", "projects",
                query="state:ACTIVE", pageSize=_PAGE,
            )  # fmt: skip
            found = [self._seen(item) for item in listed]
        active = [
            project
            for project in found
            if project.config.get("state", "ACTIVE") == "ACTIVE"
            # Apps Script makes one for every script; nobody deploys models there.
            and (named or not project.id.startswith("sys-"))
        ]
        self._look_ahead(active, meter)
        return active

    def _look_ahead(self, projects: Sequence[Project], meter: Meter) -> None:
        """Ask what every plan needs, for many projects at once."""

        def ask(project: Project) -> None:
            try:
                if "aiplatform.googleapis.com" not in self.services(project.id, meter):
                    return
            except CallError:
                pass
            if not self._clients.options.get("locations_named"):
                self.locations(project.id, meter)
            with contextlib.suppress(CallError):
                self.inventory(project, meter)

        for _ in side_by_side(projects, ask, workers=8):
            pass

    def _seen(self, item: Mapping[str, Any]) -> Project:
        number = str(item.get("name") or "").removeprefix("projects/")
        project = Project(
            str(item.get("projectId") or number), number, str(item.get("parent") or ""), item
        )
        self._clients.numbers[number] = project.id
        return self._clients.remember(("project", project.id), lambda: project)

    def _ask(self, project: str, meter: Meter) -> Project:
        path = f"/v3/projects/{name_in_path(project)}"
        try:
            item = self._clients.get(meter, "cloudresourcemanager", path)
        except CallError as error:
            return Project(project, error=error)
        number = str(item.get("name") or "").removeprefix("projects/")
        found = str(item.get("projectId") or project)
        if number:
            self._clients.numbers[number] = found
        return Project(found, number, str(item.get("parent") or ""), item)

    def _beneath(self, parent: str, meter: Meter, depth: int = 0) -> Iterator[dict[str, Any]]:
        """Every project in an organisation or folder, folder by folder."""
        call = self._clients.pages
        yield from call(
            meter, "cloudresourcemanager", "/v3/projects", "projects", parent=parent, pageSize=_PAGE
        )
        if depth <= _DEEPEST:
            for folder in call(
                meter,
                "cloudresourcemanager",
                "/v3/folders",
                "folders",
                parent=parent,
                pageSize=_PAGE,
            ):
                yield from self._beneath(str(folder.get("name")), meter, depth + 1)

    def _parent(self, folder: str, meter: Meter) -> str:
        name = name_in_path(folder.removeprefix("folders/"))
        answer = self._clients.remember(
            ("folder", folder),
            lambda: self._clients.get(meter, "cloudresourcemanager", f"/v3/folders/{name}"),
        )
        return str(answer.get("parent") or "")

    def _organization(self, organization: str, meter: Meter) -> Mapping[str, Inventory]:
        """Project number → inventory, for a whole organisation at once."""

        def ask() -> Mapping[str, Inventory]:
            found: dict[str, defaultdict[str, set[str]]] = {}
            for asset in self._search(f"/v1/organizations/{name_in_path(organization)}", meter):
                number = str(asset.get("project") or "").removeprefix("projects/")
                types = found.setdefault(number, defaultdict(set))
                types[str(asset.get("assetType"))].add(str(asset.get("location")))
            return {number: _inventory(types) for number, types in found.items()}

        return self._clients.remember(("inventory of", organization), ask)

    def _search(self, scope: str, meter: Meter) -> Iterator[dict[str, Any]]:
        return self._clients.pages(
            meter, "cloudasset", f"{scope}:searchAllResources", "results",
            assetTypes=list(AI_ASSETS), pageSize=_PAGE, readMask="name,assetType,location,project",
        )  # fmt: skip


def _inventory(found: Mapping[str, set[str]]) -> Inventory:
    return Inventory({kind: frozenset(places) for kind, places in found.items()})


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def not_enabled(service: str, project: str, title: str) -> CallError:
    """For an API that the project's own list says is off."""
    reason = f"{title} is not enabled in project {project}: nothing to read"
    return CallError(service, None, CoverageStatus.NOT_ENABLED, reason)
