"""Small real collectors and a small real judge, for tests of the pipeline."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from undercroft.model import (
    Coverage,
    CoverageStatus,
    Edge,
    Layer,
    Observation,
    Outcome,
    Presence,
    Resource,
    Severity,
    Threat,
)
from undercroft.protocols import (
    Collected,
    GraphView,
    Meter,
    Scope,
    Target,
)
from undercroft.relations import Relation

__all__ = [
    "NOW",
    "SCOPE",
    "TOKEN",
    "UNTIL",
    "Denied",
    "Endless",
    "Failing",
    "Fixed",
    "Pack",
    "Planless",
    "Roles",
    "Services",
    "SmallJudge",
    "TimedJudge",
    "all_read",
    "clock_at_noon",
    "key_of",
    "thing",
]

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
SCOPE = Scope("aws", accounts=("1",), locations=("r",))
TOKEN = "hf_" + "aB3" * 12
UNTIL = "2026-08-01T13:00:00.000000Z"


def clock_at_noon() -> datetime:
    """Always ``NOW``."""
    return NOW


def key_of(kind: str, name: str) -> str:
    """Of a thing in the one account and region that there are."""
    return f"aws/aws/1/r/{kind.replace(':', '/')}/{name}"


def thing(
    kind: str, name: str, layer: Layer, presence: Presence = Presence.READ, **more: Any
) -> Resource:
    """One of them, read unless it is said otherwise."""
    return Resource(
        key_of(kind, name), "aws", "1", "r", kind, layer, name, presence=presence, **more
    )


def all_read(target: Target, lists: tuple[str, ...] = ()) -> Coverage:
    """A unit that saw everything."""
    return Coverage("aws", target.scope, target.location, target.collector, CoverageStatus.COMPLETE, "", lists)  # fmt: skip


@dataclass
class Services:
    """Stage 0: endpoints that name a role, an image and a bucket."""

    names: tuple[str, ...] = ("churn",)
    name: str = "aws.services"
    stage: int = 0

    def targets(self, scope: Scope, wanted: Sequence[Resource]) -> Iterator[Target]:
        assert not wanted
        yield Target(self.name, "aws", "1", "r")

    def collect(self, target: Target, meter: Meter) -> Iterator[Collected]:
        for name in self.names:
            meter.calls += 1
            endpoint = thing(
                "sm:endpoint", name, Layer.SERVICE, service=True, collector=self.name,
                config={"Environment": {"HF_TOKEN": TOKEN}},
            )  # fmt: skip
            role = thing("iam:role", "exec", Layer.IDENTITY, Presence.STUB)
            yield endpoint
            yield role
            yield Edge(endpoint.key, role.key, Relation.USES_IDENTITY, "RoleArn")
            yield Edge(endpoint.key, role.key, Relation.USES_IDENTITY, "RoleArn")
            yield Edge(
                endpoint.key, "image/docker.io/library/trainer", Relation.RUNS_IMAGE, "Image"
            )
            yield Edge(
                endpoint.key, key_of("s3:bucket", "train"), Relation.READS_DATA_FROM, "S3Uri"
            )
        yield all_read(target, ("sm:endpoint",))


@dataclass
class Roles:
    """Stage 1: reads the roles that it is told about."""

    admin: bool = True
    name: str = "aws.iam"
    stage: int = 1

    def targets(self, scope: Scope, wanted: Sequence[Resource]) -> Iterator[Target]:
        roles = tuple(stub for stub in wanted if stub.type == "iam:role")
        if roles:
            yield Target(self.name, "aws", "1", "-", roles)

    def collect(self, target: Target, meter: Meter) -> Iterator[Collected]:
        for stub in target.wanted:
            meter.calls += 1
            yield replace(
                stub,
                presence=Presence.READ,
                facts={"admin": self.admin},
                collector=self.name,
                collected_at="2026-08-01T11:00:00Z",
            )
        yield all_read(target)


@dataclass
class Failing:
    """Yields one thing, then breaks."""

    error: BaseException = field(default_factory=lambda: ValueError(f"bad page: token={TOKEN}"))
    name: str = "aws.failing"
    stage: int = 0

    def targets(self, scope: Scope, wanted: Sequence[Resource]) -> Iterator[Target]:
        yield Target(self.name, "aws", "1", "r")

    def collect(self, target: Target, meter: Meter) -> Iterator[Collected]:
        yield thing("ec2:instance", "i-1", Layer.VM, collector=self.name)
        raise self.error


@dataclass
class Denied:
    """Was not allowed to look."""

    name: str = "aws.s3"
    stage: int = 0

    def targets(self, scope: Scope, wanted: Sequence[Resource]) -> Iterator[Target]:
        yield Target(self.name, "aws", "1", "r")

    def collect(self, target: Target, meter: Meter) -> Iterator[Collected]:
        yield Coverage(
            "aws", "1", "r", self.name, CoverageStatus.DENIED, "denied: needs s3:ListAllMyBuckets"
        )


@dataclass
class Fixed:
    """Yields what it was given."""

    items: tuple[Collected, ...]
    name: str = "aws.fixed"
    stage: int = 0

    def targets(self, scope: Scope, wanted: Sequence[Resource]) -> Iterator[Target]:
        yield Target(self.name, "aws", "1", "r")

    def collect(self, target: Target, meter: Meter) -> Iterator[Collected]:
        yield from self.items


@dataclass
class Planless:
    """Cannot even say what it would read."""

    name: str = "aws.planless"
    stage: int = 0

    def targets(self, scope: Scope, wanted: Sequence[Resource]) -> Iterator[Target]:
        raise OSError("no route")

    def collect(self, target: Target, meter: Meter) -> Iterator[Collected]:
        yield from ()


@dataclass
class Endless:
    """Reads until it is told to stop; sets ``started`` once it runs."""

    started: threading.Event
    name: str = "aws.endless"
    stage: int = 0

    def targets(self, scope: Scope, wanted: Sequence[Resource]) -> Iterator[Target]:
        yield Target(self.name, "aws", "1", "r")
        yield Target(self.name, "aws", "1", "r2")

    def collect(self, target: Target, meter: Meter) -> Iterator[Collected]:
        number = 0
        while True:
            meter.check()
            number += 1
            yield thing("ec2:instance", f"i-{number % 500}", Layer.VM)
            if number > 200:
                self.started.set()


class Pack:
    """The rules of the judge below."""

    def renamed(self) -> Mapping[str, str]:
        return {}

    def frameworks(self) -> Mapping[str, Mapping[str, Sequence[str]]]:
        return {}

    def logic_versions(self) -> Mapping[str, str]:
        return {"admin-role": "1", "secret": "1", "combo": "1"}


@dataclass
class SmallJudge:
    """Two rules and a combination; remembers what it was asked."""

    version: str = "pack-1"
    asked: list[str] = field(default_factory=list)
    services: list[str] = field(default_factory=list)
    on_judge: Callable[[], None] | None = None

    @property
    def pack(self) -> Pack:
        return Pack()

    def judge(self, resource: Resource, now: str) -> Sequence[Observation]:
        assert now.startswith("2026-08-01T12:00:00")
        self.asked.append(resource.key)
        if self.on_judge:
            self.on_judge()
        if resource.presence is not Presence.READ:
            return ()
        if resource.facts.get("admin"):
            return (self._fail("admin-role", resource, Severity.HIGH, ("priv",)),)
        if resource.facts.get("secrets"):
            return (self._fail("secret", resource, Severity.MEDIUM, ("cred",)),)
        return ()

    def rules_for(self, resource_type: str) -> Sequence[str]:
        rules = {"iam:role": ["admin-role"], "sm:endpoint": ["secret", "combo"]}
        return rules.get(resource_type, [])

    def timed_rules(self, resource_type: str) -> frozenset[str]:
        return frozenset()

    def judge_timed(self, resource: Resource, now: str) -> Sequence[Observation]:
        raise AssertionError("nothing here looks at the time")

    def holds_until(self, resource: Resource, now: str) -> str | None:
        return None

    def parts(self, observations: Iterable[Observation]) -> Sequence[Observation]:
        return list(observations)

    def asks_for(self, rule: str, traits: tuple[str, ...]) -> bool:
        return True

    def combine(
        self, graph: GraphView, fails: Mapping[str, Sequence[Observation]]
    ) -> Sequence[Observation]:
        self.services = list(graph.services())
        found = []
        for key in graph.services():
            service = graph.resource(key)
            assert service is not None
            assert service.service
            traits = {t for k in graph.beneath(key) for o in fails.get(k, ()) for t in o.traits}
            if {"priv", "cred"} <= traits:
                found.append(self._fail("combo", service, Severity.CRITICAL, ()))
        return found

    @staticmethod
    def _fail(
        rule: str, resource: Resource, severity: Severity, traits: tuple[str, ...]
    ) -> Observation:
        return Observation(
            rule, resource.key, Outcome.FAIL, severity=severity, layer=resource.layer,
            title=rule, threat=Threat.DIRECT, traits=traits,
        )  # fmt: skip


@dataclass
class TimedJudge(SmallJudge):
    """A secret counts for an hour more, counted from noon."""

    looked: list[str] = field(default_factory=list)

    def judge(self, resource: Resource, now: str) -> Sequence[Observation]:
        self.asked.append(resource.key)
        if resource.facts.get("secrets"):
            return (self._fail("secret", resource, Severity.MEDIUM, ()),) if now < UNTIL else ()
        return ()

    def timed_rules(self, resource_type: str) -> frozenset[str]:
        return frozenset({"secret"} & set(self.rules_for(resource_type)))

    def judge_timed(self, resource: Resource, now: str) -> Sequence[Observation]:
        self.looked.append(resource.key)
        found = self.judge(resource, now)
        self.asked.pop()
        return found

    def holds_until(self, resource: Resource, now: str) -> str | None:
        return UNTIL if resource.facts.get("secrets") and now < UNTIL else None
