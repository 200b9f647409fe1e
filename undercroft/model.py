"""The words everything else is written in: resources, edges, coverage, observations.

Frozen, slotted, picklable data without I/O. Times are RFC 3339 strings in UTC; mappings are plain
JSON-like dictionaries that nobody changes after construction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from enum import StrEnum
from typing import TypeAlias

from undercroft.records import dataclass
from undercroft.relations import Relation

__all__ = [
    "LAYERS",
    "Certainty",
    "Coverage",
    "CoverageStatus",
    "Edge",
    "Evidence",
    "Json",
    "Layer",
    "Observation",
    "Outcome",
    "Presence",
    "Resource",
    "Severity",
    "Threat",
    "bulk",
    "is_gap",
]

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"


class Layer(StrEnum):
    """What an AI service stands on, top to bottom; network lies beside the tower."""

    SERVICE = "service"
    CONTAINER = "container"
    VM = "vm"
    STORAGE = "storage"
    IDENTITY = "identity"
    NETWORK = "network"


LAYERS: tuple[Layer, ...] = tuple(Layer)
"""In the order in which they are shown and numbered (keys 1-6)."""


class Severity(StrEnum):
    """How bad a finding is on its own resource."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"

    @property
    def rank(self) -> int:
        """4 for critical down to 0 for info: larger is worse."""
        return _SEVERITY_RANK[self]

    @classmethod
    def from_rank(cls, rank: int) -> Severity:
        """The severity whose ``rank`` is given (0 to 4)."""
        return _SEVERITY_BY_RANK[rank]


_SEVERITY_RANK = {severity: 4 - index for index, severity in enumerate(Severity)}
_SEVERITY_BY_RANK = {rank: severity for severity, rank in _SEVERITY_RANK.items()}


class Threat(StrEnum):
    """What harm still needs: nothing, a foothold, or it is defence in depth (risk model 1)."""

    DIRECT = "direct"
    CONDITIONAL = "conditional"
    HARDENING = "hardening"


class Presence(StrEnum):
    """How a resource is known to a scan."""

    READ = "read"
    """Collected: its configuration is what the provider answered."""
    STUB = "stub"
    """Named by an edge, but not collected (another account, not in scope, or denied)."""
    ABSENT = "absent"
    """Named by an edge, and the provider says that it does not exist."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One thing in a cloud, on one layer."""

    key: str
    """Canonical name, never changes: ``aws/<partition>/<account>/<region or ->/<service>/<type>/<id>``."""
    provider: str
    """``aws``, ``gcp`` or ``azure``."""
    account: str
    """Account, project or subscription."""
    region: str
    """Region or location; ``-`` where the resource is global."""
    type: str
    """Name of the domain's own vocabulary, such as ``sagemaker:notebook-instance``."""
    layer: Layer
    name: str
    native_id: str = ""
    """ARN, full resource name or Azure resource id, as the provider writes it."""
    tags: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Json] = field(default_factory=dict)
    """The provider's own answer with its own field names, redacted."""
    facts: Mapping[str, Json] = field(default_factory=dict)
    """What the collector derived: public, admin, escalation paths, vulnerabilities, …"""
    unknown: Mapping[str, str] = field(default_factory=dict)
    """Path that could not be read (``config.Policy``, ``facts.admin``, ``config``) → reason in words."""
    provenance: str = "live"
    """``live``, ``<file>:<line>`` or ``imported``."""
    incarnation: str | None = None
    """What tells a re-created resource of the same name from the old one (creation time, unique id)."""
    implied: bool = False
    """A provider-managed host that no API lists."""
    service: bool = False
    """An AI service: one row of the services list."""
    presence: Presence = Presence.READ
    collector: str = ""
    """The collector that read it: names the coverage unit that can prove it gone."""
    collected_at: str = ""


class Certainty(StrEnum):
    """How the collector knows an edge."""

    STATED = "stated"
    """A field says so."""
    DEFAULT = "default"
    """The provider's documented default says so."""
    INFERRED = "inferred"


@dataclass(frozen=True, slots=True)
class Edge:
    """``src`` depends on ``dst``; both are resource keys."""

    src: str
    dst: str
    relation: Relation
    via: str
    """The field path of ``src`` that says so, such as ``ExecutionRoleArn``."""
    certainty: Certainty = Certainty.STATED
    detail: str = ""
    """What the reference adds to the target: an object prefix, an image tag."""


def bulk(resource: Resource) -> int:
    """How much a resource holds, in entries: an image's list of vulnerabilities may be long.

    What is handed on in batches is measured by this, so that memory does not grow with findings.
    """
    return 1 + sum(len(value) for value in resource.facts.values() if isinstance(value, list))


class CoverageStatus(StrEnum):
    """What became of one unit of a scan. Only ``complete`` lets absence mean anything."""

    COMPLETE = "complete"
    TRUNCATED = "truncated"
    DENIED = "denied"
    THROTTLED = "throttled"
    ERROR = "error"
    NOT_ENABLED = "not_enabled"
    SKIPPED = "skipped"
    NOT_REQUESTED = "not_requested"

    @property
    def is_gap(self) -> bool:
        """Whether something that was asked for could not be read."""
        return self in _GAPS


def is_gap(reason: str) -> bool:
    """Whether an unknown path's reason tells of a read that failed.

    ``denied: needs s3:GetBucketPolicy`` does. That an image has never been scanned, or that its
    registry belongs to somebody else, does not: there was nothing that could have been read.
    """
    return reason.partition(":")[0] in _GAPS


_GAPS = frozenset(
    {
        CoverageStatus.TRUNCATED,
        CoverageStatus.DENIED,
        CoverageStatus.THROTTLED,
        CoverageStatus.ERROR,
    }
)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What one collector could see in one account and location."""

    provider: str
    scope: str
    """Account, project or subscription."""
    location: str
    """Region or location; ``-`` for global reads."""
    collector: str
    status: CoverageStatus
    reason: str = ""
    """In words, with what to do about it; empty when complete."""
    lists: tuple[str, ...] = ()
    """Resource types that this unit enumerated to the end: missing from it means gone."""


class Outcome(StrEnum):
    """What a scan could establish about (rule, resource)."""

    FAIL = "fail"
    PASS = "pass"  # noqa: S105  (an outcome, not a password)
    UNKNOWN = "unknown"
    GONE = "gone"
    NOT_RUN = "not_run"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A path into the resource (``config.RootAccess``, ``facts.admin``) and the value found there."""

    path: str
    value: Json


@dataclass(frozen=True, slots=True)
class Observation:
    """One rule's answer about one place in one resource."""

    rule: str
    """The rule's catalogue id; ``cve`` for a known vulnerability."""
    resource: str
    """Resource key."""
    outcome: Outcome
    at: Mapping[str, str] = field(default_factory=dict)
    """Discriminator: tells two findings of one rule on one resource apart (package, port, variable)."""
    severity: Severity = Severity.INFO
    layer: Layer = Layer.SERVICE
    title: str = ""
    threat: Threat = Threat.CONDITIONAL
    evidence: tuple[Evidence, ...] = ()
    traits: tuple[str, ...] = ()
    cve: str | None = None
    cvss: float | None = None
    """Base score, 0 to 10, from the reporting source."""
    vector: str | None = None
    """CVSS vector string, from the reporting source."""
    weight: float | None = None
    """Hazard that the rule declares, in place of one worked out from the above (a combination's τ)."""
    reason: str = ""
    """For ``unknown``: which input could not be read, and why."""
    identity: str = ""
    """RULE of the finding's identity; empty means ``rule`` itself (``VULN:CVE-…`` for vulnerabilities)."""
