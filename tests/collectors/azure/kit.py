"""Reads a whole estate from the local Resource Manager, without a cache."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from collectors.azure import collectors
from rules import Engine, load_pack
from tests.cloud.arm import ArmServer
from undercroft.model import (
    Coverage,
    CoverageStatus,
    Edge,
    Json,
    Observation,
    Outcome,
    Presence,
    Resource,
)
from undercroft.protocols import Meter, Scope
from undercroft.redact import redact_item
from undercroft.scan.estate import Estate

__all__ = ["NOW", "Reading", "judge", "read", "reasons"]

NOW = "2026-11-01T00:00:00Z"


@dataclass(slots=True)
class Reading:
    """Everything that came out."""

    resources: dict[str, Resource] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    coverage: list[Coverage] = field(default_factory=list)
    calls: int = 0
    throttled: int = 0

    def named(self, name: str, kind: str = "") -> Resource:
        """The one resource of that name (and type); one that was read before one that was not."""
        found = [r for r in self.resources.values() if r.name == name and r.type.endswith(kind)]
        (one,) = [r for r in found if r.presence is Presence.READ] or found
        return one

    def edges_of(self, name: str) -> set[tuple[str, str]]:
        """(relation, name of the other end) of everything a resource stands on."""
        key = self.named(name).key
        return {(e.relation.value, self.resources[e.dst].name) for e in self.edges if e.src == key}

    def gaps(self) -> dict[str, tuple[CoverageStatus, str]]:
        """Collector → status and reason of what is not complete."""
        return {c.collector: (c.status, c.reason) for c in self.coverage if c.status.is_gap}


def read(server: ArmServer, **options: Json) -> Reading:
    """Run every collector against ``server``, stage by stage, as a scan does."""
    found = Reading()
    estate = Estate()
    chosen = collectors({"endpoint": server.endpoint, "retries": 2, **options})
    for stage in sorted({collector.stage for collector in chosen}):
        wanted = estate.wanted()
        for collector in (c for c in chosen if c.stage == stage):
            for target in collector.targets(Scope("azure"), wanted):
                meter = Meter()
                for raw in collector.collect(target, meter):
                    for item in estate.take([redact_item(raw, b"salt")]):
                        if isinstance(item, Resource):
                            found.resources[item.key] = item
                        elif isinstance(item, Edge):
                            found.edges.append(item)
                        else:
                            found.coverage.append(item)
                found.calls += meter.calls
                found.throttled += meter.throttled
        for stub in estate.link():
            found.resources[stub.key] = stub
    return found


@cache
def _engine() -> Engine:
    return Engine(load_pack())


def judge(found: Reading, outcome: Outcome = Outcome.FAIL) -> Iterator[tuple[str, str]]:
    """(rule, resource name) of every answer of that kind."""
    for resource in found.resources.values():
        for observation in _engine().judge(resource, NOW):
            if observation.outcome is outcome:
                yield observation.rule, resource.name


def reasons(found: Reading, name: str) -> dict[str, str]:
    """Rule → why it cannot say anything about a resource."""
    resource = found.named(name)
    answers: list[Observation] = list(_engine().judge(resource, NOW))
    return {o.rule: o.reason for o in answers if o.outcome is Outcome.UNKNOWN}
