"""Google Cloud: what AI services exist in projects, and what they stand on.

Google's libraries are imported when a scan or a check runs, never by importing this package, and
the package of Vertex AI itself only when there is something of Vertex AI to read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from undercroft.clock import utc_now
from undercroft.model import Json
from undercroft.protocols import Collector, Meter, Scope

if TYPE_CHECKING:
    from collectors.gcp.clients import Clients

__all__ = ["Preflight", "collectors", "preflight"]


@dataclass(frozen=True, slots=True)
class Preflight:
    """What can be said before a scan."""

    identity: str
    """Who the credentials are; empty if there are none."""
    projects: tuple[str, ...]
    """What a scan would read."""
    problems: tuple[str, ...]
    """In words, each with what to do about it; empty: ready."""


def collectors(
    options: Mapping[str, Json] | None = None, clock: Callable[[], datetime] = utc_now
) -> list[Collector]:
    """Every Google Cloud collector, on one shared session.

    Options: ``organization`` (number), ``quota_project``, ``max_attempts``, ``first_wait``; units
    read ``trusted_projects`` from the scope's own options.
    """
    from collectors.gcp.artifacts import ImageCollector
    from collectors.gcp.assistants import AgentCollector, SearchCollector
    from collectors.gcp.clients import Clients
    from collectors.gcp.clusters import ClusterCollector, TpuCollector
    from collectors.gcp.fences import FenceCollector
    from collectors.gcp.identity import ServiceAccountCollector
    from collectors.gcp.keys import CryptoKeyCollector, DatasetCollector
    from collectors.gcp.listing import ProjectList
    from collectors.gcp.machines import MachineCollector
    from collectors.gcp.run import RunCollector
    from collectors.gcp.storage import BucketCollector
    from collectors.gcp.vertex import VertexCollector
    from collectors.gcp.workbench import WorkbenchCollector

    clients = Clients(options)
    stages: list[list[Collector]] = [
        # Which projects; the plans of all others are made from it.
        [ProjectList(clients)],
        # Services, and what belongs to them.
        [
            VertexCollector(clients, clock),
            WorkbenchCollector(clients),
            AgentCollector(clients),
            SearchCollector(clients),
            RunCollector(clients),
            ClusterCollector(clients),
            TpuCollector(clients),
        ],
        # Machines of notebooks, and those that do AI themselves.
        [MachineCollector(clients)],
        # What all of them stand on.
        [
            BucketCollector(clients),
            ServiceAccountCollector(clients),
            ImageCollector(clients),
            DatasetCollector(clients),
            FenceCollector(clients),
        ],
        # The keys of that.
        [CryptoKeyCollector(clients)],
    ]
    for stage, found in enumerate(stages):
        for collector in found:
            collector.stage = stage
    return [collector for found in stages for collector in found]


def preflight(options: Mapping[str, Json] | None = None, scope: Scope | None = None) -> Preflight:
    """Who the credentials are and what a scan would read: a few calls, never raises."""
    from collectors.gcp.clients import Clients

    return _preflight(Clients(options), scope or Scope("gcp"))


def _preflight(clients: Clients, scope: Scope) -> Preflight:
    from collectors.gcp.errors import CallError
    from collectors.gcp.projects import Projects

    meter = Meter()
    identity = ""
    names: tuple[str, ...] = ()
    problems: list[str] = []
    known = Projects(clients)
    try:
        identity = clients.identity
        projects = known.in_scope(scope, meter)
    except CallError as error:
        return Preflight(identity, names, (error.reason,))
    names = tuple(project.id for project in projects)
    if not names:
        problems.append("no project is visible to these credentials; name one with --project")
    for project in projects:
        if project.error is not None:
            problems.append(f"{project.id}: {project.error.reason}")
        try:
            known.services(project.id, meter)
        except CallError as error:
            problems.append(f"{project.id}: {error.reason}")
        try:
            known.inventory(project, meter)
        except CallError as error:
            problems.append(
                f"{project.id}: {error.reason}; without Cloud Asset Inventory a scan makes more "
                "calls and does not see who may use single Vertex AI resources"
            )
    return Preflight(identity, names, tuple(dict.fromkeys(problems)))
