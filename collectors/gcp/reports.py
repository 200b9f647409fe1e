"""What OS Config knows about the operating systems of machines: vulnerability reports by zone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from collectors.gcp.clients import Clients, name_in_path
from collectors.gcp.errors import CallError, api_title
from collectors.gcp.projects import Projects, not_enabled
from collectors.values import mappings
from undercroft.model import Json
from undercroft.protocols import Meter

__all__ = ["Reports"]

_API = "osconfig"
_PAGE = 100
_SEVERITIES = {"CRITICAL": "critical", "HIGH": "high"}
_NONE = "no report: the machine has no OS Config agent that sends its inventory"


class Reports:
    """Reports of single machines out of one list per zone."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._projects = Projects(clients)

    def attach(
        self,
        project: str,
        zone: str,
        machine: Mapping[str, Any],
        meter: Meter,
        facts: dict[str, Json],
        unknown: dict[str, str],
    ) -> None:
        """``facts.vulnerabilities``, critical and high ones, or why they are unknown."""
        try:
            reports = self._clients.remember(
                ("reports", project, zone), lambda: self._ask(project, zone, meter)
            )
        except CallError as error:
            unknown["facts.vulnerabilities"] = error.unknown
            return
        report = reports.get(str(machine.get("id"))) or reports.get(str(machine.get("name")))
        if report is None:
            unknown["facts.vulnerabilities"] = _NONE
            return
        facts["vulnerabilities"] = list(_severe(report))
        facts["vulnerabilities_at"] = str(report.get("updateTime") or "")

    def _ask(self, project: str, zone: str, meter: Meter) -> dict[str, Mapping[str, Any]]:
        """Machine (its number, as a report names it) → report."""
        try:
            on = f"{_API}.googleapis.com" in self._projects.services(project, meter)
        except CallError:
            on = True
        if not on:
            raise not_enabled(_API, project, api_title(_API))
        path = (
            f"/v1/projects/{name_in_path(project)}/locations/{name_in_path(zone)}"
            "/instances/-/vulnerabilityReports"
        )
        found = self._clients.pages(meter, _API, path, "vulnerabilityReports", pageSize=_PAGE)
        # projects/p/locations/z/instances/i/vulnerabilityReport
        return {
            str(report.get("name")).rpartition("/instances/")[2].partition("/")[0]: report
            for report in found
        }


def _severe(report: Mapping[str, Any]) -> Iterator[dict[str, Json]]:
    for entry in mappings(report.get("vulnerabilities")):
        details = entry.get("details")
        if not isinstance(details, Mapping):
            continue
        severity = _SEVERITIES.get(str(details.get("severity")))
        if severity is None:
            continue
        items = list(mappings(entry.get("items")))
        score = details.get("cvssV3")
        base = score.get("baseScore") if isinstance(score, Mapping) else None
        yield {
            "id": str(details.get("cve") or ""),
            "severity": severity,
            "package": next(
                (
                    str(item["installedInventoryItemId"])
                    for item in items
                    if item.get("installedInventoryItemId")
                ),
                "",
            ),
            "cvss": base if isinstance(base, int | float) else None,
            "fix_available": any(item.get("availableInventoryItemId") for item in items),
        }
