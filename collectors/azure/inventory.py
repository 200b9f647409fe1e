"""The bulk path: what Resource Graph knows of all subscriptions, asked once per scan.

Six queries instead of a list per type and subscription. Where Resource Graph is refused, or a scan
does without it, the same questions go to Resource Manager's own lists. What neither of them
answered is an ``ArmError``, for whoever asks, every time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from collectors.azure.errors import ArmError
from collectors.azure.ids import ArmId, parse_id, type_of
from collectors.azure.session import Arm
from undercroft.identity import azure_key
from undercroft.model import CoverageStatus
from undercroft.protocols import Meter

__all__ = ["LISTED", "Inventory"]

LISTED: dict[str, tuple[str, bool]] = {
    "Microsoft.MachineLearningServices/registries": ("2024-10-01-preview", True),
    "Microsoft.MachineLearningServices/workspaces/onlineEndpoints": ("", True),
    "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments": ("", True),
    "Microsoft.MachineLearningServices/workspaces/batchEndpoints": ("", True),
    "Microsoft.MachineLearningServices/workspaces/batchEndpoints/deployments": ("", True),
    "Microsoft.MachineLearningServices/workspaces/serverlessEndpoints": ("", True),
    "Microsoft.CognitiveServices/accounts": ("2025-09-01", True),
    "Microsoft.Search/searchServices": ("2025-05-01", True),
    "Microsoft.BotService/botServices": ("2022-09-15", True),
    "Microsoft.App/containerApps": ("2026-07-01", True),
    "Microsoft.App/sessionPools": ("2026-07-01", True),
    "Microsoft.ContainerService/managedClusters": ("2026-08-01", True),
    "Microsoft.Compute/virtualMachines": ("2026-04-01", True),
    "Microsoft.Compute/disks": ("2026-03-02", True),
    "Microsoft.Databricks/workspaces": ("2024-05-01", True),
    "Microsoft.Network/networkInterfaces": ("2026-03-01", True),
    "Microsoft.Network/networkSecurityGroups": ("2026-03-01", True),
    "Microsoft.Network/publicIPAddresses": ("2026-03-01", True),
    "Microsoft.Network/privateEndpoints": ("2026-03-01", True),
    "Microsoft.Network/virtualNetworks": ("2026-03-01", True),
    "Microsoft.Storage/storageAccounts": ("2026-09-01", True),
    "Microsoft.KeyVault/vaults": ("2026-05-15", True),
    "Microsoft.ContainerRegistry/registries": ("2025-11-01", True),
    "Microsoft.ManagedIdentity/userAssignedIdentities": ("2024-11-30", True),
}
"""Type → API version of its plain list in a subscription (empty: it has none of its own, its parent
is asked), and whether Resource Graph has it.
"""

_TYPES = ", ".join(f"'{name.lower()}'" for name, (_, seen) in LISTED.items() if seen)
_UPDATES = "e1145ab1-eb4f-43d8-911b-36ddf771d13f"
"""Defender's assessment "system updates should be installed"."""
_QUERIES = {
    "resources": f"resources | where type in~ ({_TYPES}) | project id, name, type, kind, location, "
    "subscriptionId, resourceGroup, sku, identity, tags, properties | order by id asc",
    "assignments": "authorizationresources | where type =~ 'microsoft.authorization/roleassignments' "
    "| project id, name, subscriptionId, properties | order by id asc",
    "definitions": "authorizationresources | where type =~ 'microsoft.authorization/roledefinitions' "
    "| project id, name, subscriptionId, properties | order by id asc",
    "updates": "securityresources | where type =~ 'microsoft.security/assessments' "
    f"| where name == '{_UPDATES}' "
    "| project id, name, subscriptionId, properties | order by id asc",
    "vulnerabilities": "securityresources "
    "| where type =~ 'microsoft.security/assessments/subassessments' "
    "| where properties.status.code == 'Unhealthy' "
    "| where properties.additionalData.assessedResourceType in~ ('AzureContainerRegistryVulnerability', "
    "'ServerVulnerability', 'ServerVulnerabilityTvm') "
    "| project id, name, subscriptionId, properties | order by id asc",
    "plans": "securityresources | where type =~ 'microsoft.security/pricings' "
    "| project id, name, subscriptionId, properties | order by id asc",
}
"""``order by id`` lets pages be turned without a row twice or never."""

_ROLES = "providers/Microsoft.Authorization"
_SECURITY = "providers/Microsoft.Security"
_PLAIN = {
    "assignments": (f"{_ROLES}/roleAssignments", "2022-04-01"),
    "definitions": (f"{_ROLES}/roleDefinitions", "2022-04-01"),
    "updates": (f"{_SECURITY}/assessments", "2021-06-01"),
    "vulnerabilities": (f"{_SECURITY}/subAssessments", "2019-01-01-preview"),
    "plans": (f"{_SECURITY}/pricings", "2024-01-01"),
}
Row = dict[str, Any]


@dataclass(slots=True)
class _Answer:
    """What became of one question; whoever comes while it is asked waits for it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    rows: dict[tuple[str, str], list[Row]] | None = None
    """(subscription, type) → rows."""
    error: ArmError | None = None


class Inventory:
    """Rows of all subscriptions, kept for the length of a scan. Picklable without its answers."""

    def __init__(self, arm: Arm) -> None:
        self.arm = arm
        self._lock = threading.Lock()
        self._answers: dict[tuple[str, ...], _Answer] = {}
        self._by_id: dict[str, Row] = {}
        self._names: dict[tuple[str, str], list[str]] = {}
        self._inside: dict[tuple[str, str], list[Row]] = {}
        self._complete: dict[str, str] = {}
        self._all_names: dict[str, frozenset[str]] = {}
        self._servers: dict[str, str] | None = None

    def __reduce__(self) -> tuple[type[Inventory], tuple[Arm]]:
        return (Inventory, (self.arm,))

    @property
    def bulk(self) -> bool:
        """Whether Resource Graph is to be asked at all."""
        return self.arm.options.get("resource_graph", True) is not False

    def resources(self, meter: Meter, subscription: str, kind: str) -> list[Row]:
        """Everything of one type in a subscription. Raises ``ArmError``."""
        if self.bulk:
            try:
                return self._graph(meter, "resources").get((subscription, kind), [])
            except ArmError as error:
                if not LISTED[kind][0]:
                    raise
                del error
        version = LISTED[kind][0]
        path = f"/subscriptions/{subscription}/providers/{kind}"

        def read() -> Iterable[tuple[str, Row]]:
            return ((subscription, row) for row in self.arm.pages(meter, path, version))

        answer = self._ask(("list", subscription, kind), read)
        return answer.get((subscription, kind), [])

    def beneath(self, meter: Meter, parent: ArmId, kind: str) -> list[Row] | None:
        """What Resource Graph has of a type inside ``parent``; None if it does not answer."""
        if not self.bulk:
            return None
        try:
            self._graph(meter, "resources")
        except ArmError:
            return None
        return self._inside.get((kind, parent.key), [])

    def rows(self, meter: Meter, name: str, subscription: str) -> list[Row]:
        """``assignments``, ``definitions``, ``updates``, ``vulnerabilities`` or ``plans``.

        Without a subscription: what belongs to none, as the built-in roles do.
        """
        if not self.bulk and not subscription:
            return []
        if self.bulk:
            try:
                return self._graph(meter, name).get((subscription, ""), [])
            except ArmError:
                # Asked in another way below, whose failure is then the one that counts.
                if not subscription:
                    return []
        tail, version = _PLAIN[name]
        path = f"/subscriptions/{subscription}/{tail}"

        def read() -> Iterable[tuple[str, Row]]:
            rows = self.arm.pages(meter, path, version)
            return ((subscription, row) for row in rows if _is_wanted(name, row))

        return self._ask((name, subscription), read).get((subscription, ""), [])

    def at_and_above(self, meter: Meter, subscription: str) -> list[Row]:
        """Role assignments on the subscription and on the management groups above it."""

        def read() -> Iterable[tuple[str, Row]]:
            path = f"/subscriptions/{subscription}/{_PLAIN['assignments'][0]}"
            rows = self.arm.pages(meter, path, "2022-04-01", filter="atScope()")
            return ((subscription, row) for row in rows)

        return self._ask(("inherited", subscription), read).get((subscription, ""), [])

    def find(self, meter: Meter, arm: ArmId) -> Row | None:
        """One resource by its id, if its type is listed; None if it is not there (or not listed).

        Raises ``ArmError`` if its list cannot be read.
        """
        if arm.type not in LISTED:
            return None
        if arm.subscription not in {s.id.lower() for s in self.arm.subscriptions(meter)}:
            return None
        self.resources(meter, arm.subscription, arm.type)
        return self._by_id.get(arm.key)

    def fetch(self, meter: Meter, arm: ArmId) -> Row:
        """One resource by its id, asked for singly if no list has it.

        Raises ``ArmError``, with ``is_gone`` if it does not exist: Resource Graph lags behind, so
        what it lacks is no proof.
        """
        row: Row | None = None
        try:
            row = self.find(meter, arm)
        except ArmError as error:
            if not LISTED.get(arm.type, ("", False))[0]:
                raise
            del error
        if row is not None:
            return row
        version = LISTED.get(arm.type, ("", False))[0]
        if not version:
            raise ArmError(CoverageStatus.SKIPPED, f"{arm.type} is not read")
        return self.arm.get(meter, arm.text, version)

    def named(self, meter: Meter, kind: str, name: str) -> ArmId | None:
        """The one resource of that type and name in the subscriptions that are read.

        None if there is none, or if it cannot be said (``knows`` tells).
        """
        self.knows(meter, kind)
        found = set(self._names.get((kind, name.lower()), []))
        return parse_id(found.pop()) if len(found) == 1 else None

    def knows(self, meter: Meter, kind: str) -> str:
        """Why not everything of a type is known, or an empty text. Asked for once."""
        with self._lock:
            known = self._complete.get(kind)
        if known is not None:
            return known
        why = ""
        for subscription in self.arm.subscriptions(meter):
            if not subscription.readable:
                continue
            try:
                self.resources(meter, subscription.id.lower(), kind)
            except ArmError as error:
                why = why or error.unknown
        with self._lock:
            return self._complete.setdefault(kind, why)

    def names(self, meter: Meter, kind: str) -> frozenset[str]:
        """Names (in small letters) of everything of a type. See ``knows``."""
        self.knows(meter, kind)
        with self._lock:
            if kind not in self._all_names:
                found = frozenset(name for listed, name in self._names if listed == kind)
                self._all_names[kind] = found
            return self._all_names[kind]

    def registries(self, meter: Meter) -> Mapping[str, str]:
        """Login server of every container registry → its resource id. See ``knows``."""
        kind = "Microsoft.ContainerRegistry/registries"
        names = self.names(meter, kind)
        with self._lock:
            if self._servers is None:
                self._servers = {}
                for name in names:
                    identifier = self._names[kind, name][0]
                    row = self._by_id.get(azure_key(identifier), {})
                    properties = row.get("properties")
                    said = (
                        properties.get("loginServer") if isinstance(properties, Mapping) else None
                    )
                    self._servers[str(said or f"{name}.azurecr.io").lower()] = identifier
            return self._servers

    def _graph(self, meter: Meter, name: str) -> dict[tuple[str, str], list[Row]]:
        def read() -> Iterable[tuple[str, Row]]:
            chosen = tuple(s.id for s in self.arm.subscriptions(meter) if s.readable)
            if not chosen:
                return
            for row in self.arm.query(meter, _QUERIES[name], chosen):
                yield str(row.get("subscriptionId") or _subscription_in(row)).lower(), row

        return self._ask(("graph", name), read)

    def _ask(
        self, question: tuple[str, ...], read: Callable[[], Iterable[tuple[str, Row]]]
    ) -> dict[tuple[str, str], list[Row]]:
        with self._lock:
            answer = self._answers.setdefault(question, _Answer())
        with answer.lock:
            if answer.error is not None:
                raise answer.error
            if answer.rows is None:
                try:
                    answer.rows = self._sort(question, read())
                except ArmError as error:
                    if error.status is not CoverageStatus.NOT_ENABLED:
                        answer.error = error
                        raise
                    answer.rows = {}
            return answer.rows

    def _sort(
        self, question: tuple[str, ...], rows: Iterable[tuple[str, Row]]
    ) -> dict[tuple[str, str], list[Row]]:
        sorted_: dict[tuple[str, str], list[Row]] = {}
        resources = question[:2] == ("graph", "resources") or question[0] == "list"
        for subscription, row in rows:
            kind = ""
            if resources:
                arm = parse_id(row.get("id"))
                if arm is None:
                    continue
                kind = type_of(arm.type)
                with self._lock:
                    self._by_id[arm.key] = row
                    self._names.setdefault((kind, arm.name.lower()), []).append(arm.text)
                    outer = arm.key.rsplit("/", 2)[0]
                    self._inside.setdefault((kind, outer), []).append(row)
            sorted_.setdefault((subscription.lower(), kind), []).append(row)
        return sorted_


def _is_wanted(name: str, row: Row) -> bool:
    """What the query of that name keeps, for rows that come from a plain list."""
    if name == "updates":
        return str(row.get("name")) == _UPDATES
    if name == "vulnerabilities":
        properties = row.get("properties")
        status = properties.get("status") if isinstance(properties, Mapping) else None
        return isinstance(status, Mapping) and str(status.get("code")).lower() == "unhealthy"
    return True


def _subscription_in(row: Row) -> str:
    steps = str(row.get("id") or "").strip("/").split("/")
    return steps[1] if len(steps) > 1 and steps[0].lower() == "subscriptions" else ""
