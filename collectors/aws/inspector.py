"""Inspector: known vulnerabilities of machines, as it reports them."""

from __future__ import annotations

from collections.abc import Iterable

from collectors.aws.ecr_scan import vulnerabilities
from collectors.aws.errors import CallError
from collectors.aws.session import Clients, call, pages
from collectors.aws.units import Unit, batches
from undercroft.model import Json

__all__ = ["Inspector"]

_AT_ONCE = 10
"""Values that one filter criterion takes."""
_OFF = "Inspector does not scan instances here, so nobody knows"
_NOT_COVERED = "Inspector does not scan this instance"
_NOT_YET = ("PENDING", "NO_INVENTORY", "SCAN_IN_PROGRESS")
"""How the reasons begin for which a resource that is being watched has not been looked at yet."""


class Inspector:
    """What Inspector knows in one unit; asked whether it is on once, and only if it matters."""

    def __init__(self, clients: Clients, unit: Unit) -> None:
        self._clients = clients
        self._unit = unit
        self._off: str | None = None

    def of_instances(self, identifiers: Iterable[str]) -> dict[str, list[dict[str, Json]] | str]:
        """Instance id → its active vulnerabilities, or why they are unknown.

        An empty list is only ever the answer of an Inspector that is on and looks at this instance:
        of one without its agent it knows nothing, and says nothing.
        """
        found: dict[str, list[dict[str, Json]] | str] = {}
        for batch in batches(sorted(set(identifiers)), _AT_ONCE):
            off = self._why_off()
            if off:
                found.update(dict.fromkeys(batch, off))
                continue
            try:
                listed = self._listed(batch)
            except CallError as error:
                found.update(dict.fromkeys(batch, error.unknown))
                continue
            found.update(listed)
            silent = [name for name in batch if not listed[name]]
            found.update(self._unsaid(silent) if silent else {})
        return found

    def _unsaid(self, identifiers: list[str]) -> dict[str, str]:
        """Why it says nothing about instances that it does not look at, or has not yet."""
        client = self._clients.client("inspector2", self._unit.place.region)
        criteria = {"resourceId": [{"comparison": "EQUALS", "value": i} for i in identifiers]}
        try:
            covered = list(
                pages(
                    self._unit.meter,
                    client,
                    "list_coverage",
                    "coveredResources",
                    filterCriteria=criteria,
                )
            )
        except CallError as error:
            return dict.fromkeys(identifiers, error.unknown)
        why = dict.fromkeys(identifiers, _NOT_COVERED)
        for resource in covered:
            name = str(resource.get("resourceId") or "").rpartition("/")[2]
            # Whether its ports are open is watched on its own.
            if name not in identifiers or resource.get("scanType", "PACKAGE") != "PACKAGE":
                continue
            state = resource.get("scanStatus") or {}
            reason = str(state.get("reason") or "")
            if state.get("statusCode") == "ACTIVE" and not reason.startswith(_NOT_YET):
                why.pop(name, None)
            elif name in why:
                why[name] = f"{_NOT_COVERED}: {reason}" if reason else _NOT_COVERED
        return why

    def _listed(self, identifiers: list[str]) -> dict[str, list[dict[str, Json]]]:
        known: dict[str, list[dict[str, Json]]] = {name: [] for name in identifiers}
        equal = [{"comparison": "EQUALS", "value": name} for name in identifiers]
        reported = pages(
            self._unit.meter,
            self._clients.client("inspector2", self._unit.place.region),
            "list_findings",
            "findings",
            filterCriteria={
                "resourceId": equal,
                "findingStatus": [{"comparison": "EQUALS", "value": "ACTIVE"}],
            },
        )
        for finding in reported:
            for resource in finding.get("resources") or ():
                name = str(resource.get("id") or "").rpartition("/")[2]
                if name in known:
                    known[name] += vulnerabilities({"enhancedFindings": [finding]}, "")
        return known

    def _why_off(self) -> str:
        if self._off is None:
            client = self._clients.client("inspector2", self._unit.place.region)
            try:
                answer = call(self._unit.meter, client, "batch_get_account_status")
            except CallError as error:
                self._off = error.unknown
            else:
                states = [a.get("resourceState", {}) for a in answer.get("accounts") or ()]
                on = any(s.get("ec2", {}).get("status") == "ENABLED" for s in states)
                self._off = "" if on else _OFF
        return self._off
