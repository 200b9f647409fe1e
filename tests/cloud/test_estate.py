"""The seeded estate against the real collectors and rules: every planted problem, nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from collectors.aws import collectors
from rules import Engine, load_pack
from tests.cloud.estate import Expected
from tests.cloud.seed import Seeded
from undercroft.model import Coverage, CoverageStatus, Outcome, Presence, Resource
from undercroft.protocols import Meter, Scope
from undercroft.redact import redact

ODD = "[bold red]x[/]\x1b[31m=cmd()"


def scan(seeded: Seeded) -> tuple[list[Resource], list[Coverage]]:
    """Every stage of the AWS collectors, one unit after the other."""
    scope = Scope("aws", ("123456789012",), seeded.estate.regions)
    stubs: dict[tuple[str, str], Resource] = {}
    known: dict[str, Resource] = {}
    coverage: list[Coverage] = []
    every = collectors({"max_attempts": 2})
    for stage in sorted({collector.stage for collector in every}):
        wanted = [stub for stub in stubs.values() if stub.key not in known]
        for collector in (c for c in every if c.stage == stage):
            for target in collector.targets(scope, wanted):
                for item in collector.collect(target, Meter()):
                    if isinstance(item, Coverage):
                        coverage.append(item)
                    elif isinstance(item, Resource) and item.presence is Presence.STUB:
                        stubs[item.key, repr(item.facts)] = item
                    elif isinstance(item, Resource):
                        known[item.key] = item
    named = (stub for stub in stubs.values() if stub.key not in known)
    return [*known.values(), *named], coverage


def test_every_planted_problem_is_found_and_nothing_else(
    aws_estate: Callable[[str], Seeded],
) -> None:
    seeded = aws_estate("first-light")
    resources, coverage = scan(seeded)
    engine = Engine(load_pack())
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    found = {
        Expected(observation.rule, resource.name)
        for resource in resources
        for observation in engine.judge(redact(resource, b"salt"), now)
        if observation.outcome is Outcome.FAIL
    }
    assert found - seeded.expected == set(), "clean resources must stay clean"
    assert seeded.expected - found == set(), "planted problems must be found"
    assert {c.status for c in coverage} == {CoverageStatus.COMPLETE}
    assert 50 <= sum(resource.service for resource in resources) <= 75
    assert {r.region for r in resources if r.service} == {"us-east-1", "eu-west-1"}
    assert ODD in {resource.name for resource in resources}
    assert any(ODD in resource.tags.values() for resource in resources)
