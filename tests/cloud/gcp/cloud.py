"""Every service of the loopback Google Cloud, found by host and path."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from tests.cloud.gcp.agents import Agents
from tests.cloud.gcp.answers import Answers, Failure, error
from tests.cloud.gcp.compute import Compute
from tests.cloud.gcp.data import Data
from tests.cloud.gcp.identity import Identity
from tests.cloud.gcp.inventory import Inventory
from tests.cloud.gcp.projects import Projects
from tests.cloud.gcp.vertex import Vertex

if TYPE_CHECKING:
    from tests.cloud.gcp.server import GcpServer

__all__ = ["Cloud"]

_SERVICES: tuple[type[Answers], ...] = (
    Projects, Vertex, Inventory, Agents, Compute, Data, Identity,
)  # fmt: skip
_REGIONAL = re.compile(r"(?P<location>.+)-(?P<service>aiplatform|dialogflow|discoveryengine)")

Route = tuple[re.Pattern[str], Callable[..., Any]]


class Cloud:
    """The answers themselves."""

    def __init__(self, server: GcpServer) -> None:
        self._routes: dict[str, list[Route]] = {}
        for service in _SERVICES:
            for host, routes in service(server).routes().items():
                self._routes[host] = [
                    (re.compile(pattern.replace("{}", "([^/:]+)")), function)
                    for pattern, function in routes.items()
                ]

    def answer(
        self, method: str, host: str, path: str, query: Mapping[str, list[str]]
    ) -> tuple[int, Any]:
        """Status and body."""
        service = host.partition(".")[0]
        location = ""
        if found := _REGIONAL.fullmatch(service):
            location, service = found["location"], found["service"]
        elif host.endswith(".rep.googleapis.com"):
            location = host.split(".")[1]
        if method not in {"GET", "POST"} or (method == "POST" and ":getIamPolicy" not in path):
            return 405, error(405, "METHOD", f"{method} {host}{path}: a scan only reads")
        for pattern, function in self._routes.get(service, ()):
            if found := pattern.fullmatch(path):
                parts = [unquote(part) for part in found.groups()]
                if location and location not in parts:
                    return 400, error(400, "INVALID_ARGUMENT", "wrong region for this host")
                try:
                    return 200, function(*parts, query=query)
                except Failure as failure:
                    return failure.status, failure.body
        return 404, error(404, "NOT_FOUND", f"{method} {host}{path} is not known here")
