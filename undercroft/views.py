"""What readers of the store get: rows and details ready to be shown, exported or printed.

Plain data, as tuples: the quickest to declare and to make, which the first screen waits for and lists and
exports do very often. Every text in here that came from a cloud is raw: screens and exporters clean it
for their own medium.
"""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from undercroft.model import Coverage, Edge, Evidence, Json, Layer, Presence, Resource, Severity

if TYPE_CHECKING:
    from undercroft.triage.ageing import Ageing

__all__ = [
    "Contribution",
    "DecisionView",
    "EventRow",
    "FindingDetail",
    "FindingRecord",
    "FindingRow",
    "GroupRow",
    "LayerTotals",
    "Path",
    "Query",
    "ResourceDetail",
    "ResourceRef",
    "ScanRow",
    "ServiceRow",
    "Step",
    "Today",
    "Tower",
    "TowerLayer",
    "TowerResource",
]


class Query(NamedTuple):
    """What a list shows: a filter line, an order and, optionally, one service's inheritance."""

    filter: str = ""
    sort: str = ""
    """Column name of the row class; empty is the list's own order (worst first)."""
    descending: bool = True
    service: str | None = None
    """Only findings that this service (a resource key) owns or inherits."""
    layer: Layer | None = None


class ScanRow(NamedTuple):
    """One saved scan."""

    id: int
    uid: str
    name: str
    kind: str
    """``live``, ``demo`` or ``import``."""
    state: str
    """``complete``, ``partial`` (something could not be read), ``failed`` or ``interrupted``."""
    started_at: str
    finished_at: str
    scope: Mapping[str, Json]
    """What was asked for: provider, accounts, regions."""
    services: int
    resources: int
    findings: int
    gaps: int
    """Units and attributes that could not be read."""
    calls: int
    spared: int
    """Calls that were not made since an older scan had their answers and nothing had changed."""
    model: str = ""
    """Digest of the constants of the risk model by which it is scored."""


class LayerTotals(NamedTuple):
    """Active findings of one layer beneath one service."""

    worst: Severity | None
    open: int
    """Distinct findings that are open, reopened or claimed fixed."""


class ServiceRow(NamedTuple):
    """One AI service in a scan."""

    key: str
    native_id: str
    name: str
    type: str
    provider: str
    account: str
    region: str
    score: float
    """0 to below 100, residual (acceptances honoured)."""
    inherent: float
    change: float | None
    """Score minus the score in the scan before; None if it was not in that scan."""
    worst: Severity | None
    layers: Mapping[Layer, LayerTotals]
    open: int
    accepted: int
    claimed: int
    combinations: int
    owner: str
    """Value of the owner tag, or empty."""
    unconfirmed: int = 0
    unread: int = 0
    """Attributes beneath this service that could not be read: its score may be too low."""


class DecisionView(NamedTuple):
    """The decision that is in force on a finding."""

    kind: str
    """``accept``, ``false_positive``, ``claim_fixed``."""
    reason: str
    until: str | None
    owner: str | None
    actor: str
    at: str
    event: str
    """Id of the event."""
    scope: str = ""
    """For a decision about a rule: within which boundary, in words."""


class FindingRow(NamedTuple):
    """One finding in a scan's table."""

    id: str
    """``f1-…``: permanent."""
    rule: str
    title: str
    severity: Severity
    status: str
    """open, reopened, fix_claimed, accepted, false_positive, fixed, gone or retired."""
    cause: str
    """Why it is reopened: regressed, fix ineffective, expired, guard:<name>; else empty."""
    unconfirmed: bool
    layer: Layer
    provider: str
    account: str
    region: str
    resource_key: str
    resource_id: str
    resource_name: str
    resource_type: str
    score: float
    cve: str | None
    package: str | None
    services: int
    """How many AI services inherit it."""
    first_seen: str
    last_seen: str
    until: str | None
    """Last day of the acceptance in force."""
    owner: str | None
    new: bool
    """First seen in this scan."""


class GroupRow(NamedTuple):
    """Findings of a query that share a value (a rule, a resource, an account, …)."""

    value: str
    """What to filter by to get the group: a rule id, a resource key, an account, …"""
    label: str
    """How to show it: the rule's title, the resource's name; else the value."""
    findings: int
    worst: Severity | None
    services: int
    """Distinct AI services above the group's findings."""


class Step(NamedTuple):
    """One edge of a path, from the resource above to the one beneath."""

    src: str
    src_name: str
    dst: str
    dst_name: str
    relation: str
    via: str
    certainty: str


Path = tuple[Step, ...]
"""From a service down to a resource; empty if they are the same."""


class ResourceRef(NamedTuple):
    """A resource as it is named in lists."""

    key: str
    native_id: str
    name: str
    type: str
    layer: Layer
    provider: str
    account: str
    region: str
    presence: Presence
    implied: bool
    service: bool = False


class EventRow(NamedTuple):
    """One line of the decision history."""

    id: str
    type: str
    at: str
    actor: str
    finding: str | None
    title: str
    resource_name: str
    reason: str
    payload: Mapping[str, Json]
    batch: str | None
    live: bool
    """False once undone."""
    target: str | None = None
    """For ``undo``: the event or batch that it takes back."""
    scope: str = ""
    """For the acceptance of a rule: within which boundary, in words."""
    conflict: bool = False
    """One of several decisions that copies made without knowing of each other."""


class FindingDetail(NamedTuple):
    """Everything about one finding."""

    row: FindingRow
    at: Mapping[str, str]
    evidence: tuple[Evidence, ...]
    traits: tuple[str, ...]
    cvss: float | None
    unconfirmed_reason: str
    decision: DecisionView | None
    lapsed: DecisionView | None
    """A decision that no longer holds (expired, or a guard tripped), offered again."""
    notes: tuple[EventRow, ...]
    services: tuple[ResourceRef, ...]
    """Every AI service that owns or inherits it."""
    events: tuple[EventRow, ...]
    rated: EventRow | None = None
    """What rates it otherwise than its rule says, alone or with all of the rule, if it has not ended
    (whether its day has passed is for the reader to see)."""
    conflict: tuple[DecisionView, ...] = ()
    """Decisions that copies made without knowing of each other, the one in force first."""
    hazard: Mapping[str, tuple[float, str]] = MappingProxyType({})
    """Factor letter → (value, reason); their product is the hazard behind the score."""
    ageing: "Ageing | None" = None
    """Its times as of now; None if they are not known."""
    kev: bool = False
    """Known to be exploited, as far as feeds say."""
    kev_due: str = ""
    """Day until which the catalogue wants it mended; empty where none is known."""


class FindingRecord(NamedTuple):
    """One finding as it is exported.

    Where it is and what decided are kept as they are stored: an export of very many can do with that.
    """

    row: FindingRow
    place: str
    """``at`` as JSON: ASCII, without spaces, keys in order."""
    proof: str
    """``evidence`` in the same way, as pairs of path and value."""
    unconfirmed_reason: str
    decision: DecisionView | None
    services: tuple[ResourceRef, ...]
    ageing: "Ageing | None" = None
    """Its times as of now; None if they are not known."""
    kev: bool = False
    """Known to be exploited, as far as feeds say."""
    kev_due: str = ""
    """Day until which the catalogue wants it mended; empty where none is known."""

    @property
    def at(self) -> Mapping[str, str]:
        """Which of the resource's parts it is about."""
        found: dict[str, str] = json.loads(self.place)
        return found

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """What decided."""
        return tuple(Evidence(path, value) for path, value in json.loads(self.proof))


class TowerResource(NamedTuple):
    """A resource of one layer beneath a service, with how it is reached."""

    ref: ResourceRef
    path: Path
    attenuation: float
    worst: Severity | None
    open: int
    accepted: int
    unread: tuple[tuple[str, str], ...]
    """(path, reason) of what could not be read there."""


class TowerLayer(NamedTuple):
    """One block of the tower."""

    layer: Layer
    worst: Severity | None
    open: int
    accepted: int
    resources: tuple[TowerResource, ...]
    """Resources of this layer, and others that own findings of this layer; worst first."""


class Contribution(NamedTuple):
    """A line of the bill behind a service's score."""

    finding: str
    title: str
    layer: Layer
    severity: Severity
    resource_name: str
    points: float
    """Share of the service's score."""


class Tower(NamedTuple):
    """One service and all it stands on."""

    service: ServiceRow
    layers: tuple[TowerLayer, ...]
    """Always six, in the order of ``LAYERS``."""
    contributions: tuple[Contribution, ...]
    """Largest first; they add up to the score."""


class ResourceDetail(NamedTuple):
    """One resource in one scan."""

    resource: Resource
    beneath: tuple[tuple[Edge, ResourceRef], ...]
    """What it depends on directly."""
    dependants: tuple[tuple[Edge, ResourceRef], ...]
    """What depends on it directly."""
    services: tuple[tuple[ResourceRef, Path], ...]
    """Every AI service above it (its blast radius) with the path that leads down to it."""
    findings: tuple[FindingRow, ...]
    history: tuple[tuple[ScanRow, str], ...]
    """Scans that know it, newest first, each with what was seen: same, changed, first, stub, absent."""


class Today(NamedTuple):
    """What calls for action."""

    new: int
    reopened: int
    lapsing: int
    """Acceptances that end within fourteen days."""
    unconfirmed: int
    gaps: tuple[Coverage, ...]
    newly_covered: int = 0
    """Findings that the acceptance of a rule has come to cover and nobody has marked as seen."""
    conflicts: int = 0
    """Findings about which copies decided differently."""
    unseen: int = 0
    """Of the unconfirmed: those that no scan could look at for longer than the person allows."""
    unseen_reason: str = ""
    """What kept most of those from being looked at, such as the permission that is missing."""
