"""What every Google Cloud unit has in common: which projects, where, and what it could not do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from collectors.gcp.clients import Clients
from collectors.gcp.errors import CallError, api_title
from collectors.gcp.names import Place, project_key, project_stub
from collectors.gcp.projects import Project, Projects, not_enabled
from collectors.reading import Ended, Gaps, Reading
from undercroft.model import Coverage, CoverageStatus, Edge, Resource
from undercroft.protocols import Collected, Meter, Scope, Target
from undercroft.relations import Relation

__all__ = ["GLOBAL", "GcpCollector", "Unit", "Unread", "in_project", "labels_of", "part"]

GLOBAL = "-"
"""The location of what is read for a whole project at once."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit with its project settled."""

    place: Place
    project: Project
    wanted: tuple[Resource, ...]
    locations: tuple[str, ...]
    """What the scan was limited to; empty: everywhere."""
    meter: Meter
    lists: list[str] = field(default_factory=list)
    """Types that are enumerated to the end; ``read`` takes out what it could not."""

    def covers(self, location: str) -> bool:
        """Whether a region or zone belongs to what was asked for."""
        return not self.locations or any(
            location == asked or location.startswith(f"{asked}-") for asked in self.locations
        )


class GcpCollector(ABC):
    """A unit per project (or per project that ``wanted`` names, if ``reads`` says which types).

    Subclasses set the class attributes and ``read``; a ``CallError`` that leaves ``read`` becomes
    the unit's coverage record.
    """

    name: str
    stage: int = 0
    """Decided where all collectors are in view: ``collectors.gcp.collectors``."""
    api: str = ""
    """First label of the host of the API without which there is nothing to read."""
    lists: tuple[str, ...] = ()
    """Types that a complete unit has enumerated to the end."""
    reads: tuple[str, ...] = ()
    """Types this collector reads by reference; empty: it lists, and runs in every project."""

    def __init__(self, clients: Clients) -> None:
        self.clients = clients
        self.projects = Projects(clients)

    def targets(self, scope: Scope, wanted: Sequence[Resource]) -> Iterator[Target]:
        """The units to run. Of projects that cannot be enumerated another collector tells."""
        meter = Meter()
        try:
            projects = self.projects.in_scope(scope, meter)
        except CallError:
            return
        options = {**scope.options, "locations": list(scope.locations)}
        stubs = self.grouped(wanted, {project.id for project in projects}) if self.reads else {}
        for project in projects:
            if self.reads and project.id not in stubs:
                continue
            # Of a project in which the API is off, one record speaks for all locations.
            on = self.enabled(project.id, meter)
            for location in self.places(project, scope, meter) if on else (GLOBAL,):
                yield Target(
                    self.name,
                    "gcp",
                    project.id,
                    location,
                    tuple(stubs.get(project.id, ())),
                    options,
                )

    def grouped(
        self, wanted: Sequence[Resource], projects: Iterable[str]
    ) -> dict[str, list[Resource]]:
        """What is to be read, by the project in which it is read."""
        known = set(projects)
        found: dict[str, list[Resource]] = {}
        for stub in wanted:
            if stub.type in self.reads and stub.account in known:
                found.setdefault(stub.account, []).append(stub)
        return found

    def places(self, project: Project, scope: Scope, meter: Meter) -> Sequence[str]:  # noqa: ARG002
        """Where a project is read; by default all at once."""
        return (GLOBAL,)

    def enabled(self, project: str, meter: Meter) -> bool:
        """Whether the API may have anything to say; only a list that was read can deny it."""
        if not self.api:
            return True
        try:
            return f"{self.api}.googleapis.com" in self.projects.services(project, meter)
        except CallError:
            return True

    def collect(self, target: Target, meter: Meter) -> Iterator[Collected]:
        """Read one unit; the last item is its coverage."""
        lists: Sequence[str] = ()
        try:
            unit = self.unit(target, meter)
            if not self.enabled(target.scope, meter):
                raise not_enabled(self.api, target.scope, api_title(self.api))
            reason, status = yield from self.read(unit)
            # Of a project that was read only in some locations, nothing is missing for sure.
            whole = target.location != GLOBAL or not unit.locations
            lists = unit.lists if status is CoverageStatus.COMPLETE and whole else ()
        except CallError as error:
            reason, status = error.reason, error.status
        yield Coverage(
            "gcp", target.scope, target.location, self.name, status, reason, tuple(lists)
        )

    @abstractmethod
    def read(self, unit: Unit) -> Reading:
        """Everything this unit can read; raises ``CallError`` where it cannot go on."""

    def unit(self, target: Target, meter: Meter) -> Unit:
        """The unit that a target stands for."""
        project = self.projects.get(target.scope, meter)
        named = target.options.get("trusted_projects")
        trusted = named if isinstance(named, Sequence) and not isinstance(named, str) else ()
        asked = target.options.get("locations")
        places = asked if isinstance(asked, Sequence) and not isinstance(asked, str) else ()
        own = frozenset({*self.clients.numbers.values(), project.id, *(str(p) for p in trusted)})
        place = Place(project.id, project.number, target.location, self.clients.numbers, own)
        return Unit(
            place,
            project,
            target.wanted,
            tuple(str(location) for location in places),
            meter,
            list(self.lists),
        )


class Unread:
    """What a unit was asked for and could not read at all, for its coverage record."""

    _ORDER = (
        CoverageStatus.NOT_ENABLED,
        CoverageStatus.SKIPPED,
        CoverageStatus.ERROR,
        CoverageStatus.THROTTLED,
        CoverageStatus.DENIED,
    )

    def __init__(self) -> None:
        self.errors: list[CallError] = []

    def add(self, error: CallError) -> None:
        """Count a read that failed with nothing to show for it."""
        self.errors.append(error)

    def ended(self, gaps: Gaps) -> Ended:
        """How the unit ended: complete (with what was read in part), or the worst of its failures."""
        reasons = dict.fromkeys(error.reason for error in self.errors)
        if sentence := gaps.sentence():
            reasons[sentence] = None
        worst = max((error.status for error in self.errors), key=self._ORDER.index, default=None)
        return Ended("; ".join(reasons), worst or CoverageStatus.COMPLETE)


def part(unit: Unit, collector: str, name: str, error: CallError) -> Coverage:
    """The record of one list of a unit that goes on without it."""
    return Coverage(
        "gcp",
        unit.place.project,
        unit.place.location,
        f"{collector}.{name}",
        error.status,
        error.reason,
    )


def in_project(service: Resource) -> Iterator[Collected]:
    """A service is fenced in by its project: who may act in it, what policies forbid."""
    yield project_stub(service.account)
    yield Edge(service.key, project_key(service.account), Relation.CONTAINED_IN, "name")


def labels_of(item: Mapping[str, Any], field: str = "labels") -> dict[str, str]:
    """The labels of an answer, as tags."""
    found = item.get(field)
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, Mapping) else {}
