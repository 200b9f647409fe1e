"""What the scan pipeline is handed: collectors, a judge, and somewhere to report progress.

The core imports no collector and no rule; whoever starts a scan passes objects of these shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Protocol, TypeAlias, runtime_checkable

from undercroft.model import Coverage, CoverageStatus, Edge, Json, Observation, Resource
from undercroft.records import dataclass
from undercroft.relations import Relation

__all__ = [
    "Cancelled",
    "Collected",
    "Collector",
    "GraphView",
    "Judge",
    "Meter",
    "Progress",
    "Remembers",
    "RulePack",
    "Scope",
    "Target",
]

Collected: TypeAlias = Resource | Edge | Coverage


class Cancelled(Exception):  # noqa: N818  (a request, not an error)
    """Raised inside a unit of a scan, or between two steps of long work, that was asked to stop."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a scan was asked to look at, in the provider's own terms."""

    provider: str
    accounts: tuple[str, ...] = ()
    """Empty: whatever the credentials belong to."""
    locations: tuple[str, ...] = ()
    """Empty: the collector's own choice, stated in its coverage."""
    options: Mapping[str, Json] = field(default_factory=dict)
    """Profile names, role ARNs and the like; never a secret."""


@dataclass(frozen=True, slots=True)
class Target:
    """One unit of work: one collector in one account and location. Picklable."""

    collector: str
    provider: str
    scope: str
    location: str
    wanted: tuple[Resource, ...] = ()
    """Stubs that earlier stages found and this unit is to read (empty for stage-0 collectors)."""
    options: Mapping[str, Json] = field(default_factory=dict)
    known: tuple[Resource, ...] = ()
    """What an earlier scan read in this unit, redacted; only for a collector that ``Remembers``."""


@dataclass(slots=True)
class Meter:
    """What a running unit tells the pipeline; shared by reference within one process."""

    calls: int = 0
    throttled: int = 0
    spared: int = 0
    """Calls not made because what they would answer is known and has not changed."""
    cancelled: Callable[[], bool] = field(default=lambda: False)

    def check(self) -> None:
        """Raise ``Cancelled`` if the scan was asked to stop. Called between API calls."""
        if self.cancelled():
            raise Cancelled


class Collector(Protocol):
    """Reads one part of one cloud."""

    name: str
    """``aws.sagemaker``"""
    stage: int
    """Collectors of a stage run together; a later stage is told which stubs earlier ones found."""

    def targets(self, scope: Scope, wanted: Sequence[Resource]) -> Iterable[Target]:
        """The units to run. ``wanted``: every stub not yet read, from all earlier stages."""
        ...

    def collect(self, target: Target, meter: Meter) -> Iterator[Collected]:
        """Read one unit. What cannot be read comes out as ``Coverage`` or ``Resource.unknown``.

        May raise anything: the pipeline turns it into one coverage record of status ``error``.
        """
        ...


@runtime_checkable
class Remembers(Protocol):
    """A collector that spares calls where it is told what an earlier scan read."""

    reader: str
    """Whoever reads by another name of this keeps answers otherwise: they are of no use to it."""


class GraphView(Protocol):
    """What combination rules may ask about a collected estate."""

    def resource(self, key: str) -> Resource | None:
        """The resource of that key; its long parts may be mappings that are read when looked into."""
        ...

    def is_stub(self, key: str) -> bool:
        """Whether that resource was named and not read."""
        ...

    def services(self) -> Iterable[str]:
        """Keys of all AI services."""
        ...

    def beneath(self, key: str) -> Mapping[str, float]:
        """Keys reachable over inheriting edges (the key itself included) → attenuation."""
        ...

    def onto(self, key: str) -> Iterable[tuple[str, Relation]]:
        """What a resource stands on directly, and by which inheriting relation."""
        ...


class RulePack(Protocol):
    """What the pipeline asks of the rules themselves."""

    def logic_versions(self) -> Mapping[str, str]:
        """Id of every enabled rule → version of its logic."""
        ...

    def renamed(self) -> Mapping[str, str]:
        """First id of a rule → its id now, of rules that were renamed."""
        ...

    def frameworks(self) -> Mapping[str, Mapping[str, Sequence[str]]]:
        """Rule id → framework → controls of it that the rule maps to."""
        ...


class Judge(Protocol):
    """Applies a rule pack."""

    @property
    def pack(self) -> RulePack:
        """The rules that it applies."""
        ...

    version: str
    """Hash of every rule's logic: same version, same configuration, same answer."""

    def judge(self, resource: Resource, now: str) -> Sequence[Observation]:
        """Every fail and unknown about one resource; passes are what is left of ``rules_for``."""
        ...

    def rules_for(self, resource_type: str) -> Sequence[str]:
        """Ids of the rules that are asked of a resource type."""
        ...

    def timed_rules(self, resource_type: str) -> frozenset[str]:
        """Ids of the rules for this type that look at ``now``: without any, an old answer holds."""
        ...

    def judge_timed(self, resource: Resource, now: str) -> Sequence[Observation]:
        """As ``judge``, asking only ``timed_rules``: as long as they say the same, so do all."""
        ...

    def holds_until(self, resource: Resource, now: str) -> str | None:
        """Instant before which every later answer is the one of ``now``; None: for ever."""
        ...

    def parts(self, observations: Iterable[Observation]) -> Sequence[Observation]:
        """Of what was said about one resource, as much as ``combine`` has to be told."""
        ...

    def asks_for(self, rule: str, traits: tuple[str, ...]) -> bool:
        """Whether ``parts`` may keep what a rule says, given these traits."""
        ...

    def combine(
        self, graph: GraphView, fails: Mapping[str, Sequence[Observation]]
    ) -> Sequence[Observation]:
        """Toxic combinations, each owned by a service. ``fails``: resource key → its fails."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """One thing that happened during a scan."""

    kind: str
    """resumed, planned, unit_started, unit_progress, unit_done, judging, saving, done, cancelled"""
    collector: str = ""
    scope: str = ""
    location: str = ""
    done: int = 0
    """Units finished so far."""
    total: int = 0
    """Units known so far (grows when a later stage is planned)."""
    calls: int = 0
    throttled: int = 0
    spared: int = 0
    """Calls that were not needed."""
    resources: int = 0
    status: CoverageStatus | None = None
    recalled: bool = False
    """A unit that an interrupted scan had read: its counts are of then."""
    reason: str = ""
