"""The model over whole graphs: what may be added never lowers a score (property P2), nor does order.

10,000 random graphs per run, from fixed seeds: a failure names its seed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

import pytest

from undercroft.graph import Graph
from undercroft.model import LAYERS, Edge, Layer, Severity, Threat
from undercroft.relations import Relation
from undercroft.risk import Exposure, hazard, service_score

GRAPHS = 10_000
CHUNKS = 4
SERVICES = ("s0", "s1")
NODES = (*SERVICES, *(f"n{i}" for i in range(5)))
RANKS = tuple(sorted(Severity, key=lambda severity: severity.rank))


@dataclass(frozen=True)
class Finding:
    owner: str
    layer: Layer
    severity: Severity
    threat: Threat | None
    exposure: Exposure = Exposure.UNKNOWN
    epss: float | None = None

    @property
    def weight(self) -> float:
        return hazard(self.severity, self.threat, self.exposure, epss=self.epss).value


@dataclass
class Estate:
    edges: list[Edge] = field(default_factory=list)
    findings: dict[str, Finding] = field(default_factory=dict)

    def scores(self) -> dict[str, float]:
        graph = Graph(self.edges, services=SERVICES)
        found = {}
        for service in SERVICES:
            beneath = graph.beneath(service)
            found[service] = service_score(
                (
                    (name, finding.layer.value, finding.weight * beneath[finding.owner])
                    for name, finding in self.findings.items()
                    if finding.owner in beneath
                ),
                lines=False,
            ).value
        return found


def an_edge(random: Random) -> Edge:
    src, dst = random.sample(NODES, 2)
    return Edge(src, dst, random.choice(list(Relation)), "x")


def a_finding(random: Random) -> Finding:
    return Finding(
        random.choice(NODES),
        random.choice(LAYERS),
        random.choice(RANKS),
        random.choice((None, *Threat)),
    )


def an_estate(random: Random) -> Estate:
    return Estate(
        [an_edge(random) for _ in range(random.randrange(8))],
        {f"f{i}": a_finding(random) for i in range(random.randrange(8))},
    )


def worsened(random: Random, estate: Estate) -> Estate:
    """The estate with one more thing wrong: a finding, an edge, an exposure, a severity."""
    findings, edges = dict(estate.findings), list(estate.edges)
    kind = random.choice(("finding", "edge", "exposure", "severity"))
    if kind == "edge":
        edges.append(an_edge(random))
    elif kind == "finding" or not findings:
        findings["more"] = a_finding(random)
    else:
        name = random.choice(sorted(findings))
        known = findings[name]
        worse = RANKS[min(RANKS.index(known.severity) + 1, len(RANKS) - 1)]
        findings[name] = (
            replace(known, exposure=Exposure.OPEN)
            if kind == "exposure"
            else replace(known, severity=worse)
        )
    return Estate(edges, findings)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_p2_worse_is_never_lower(chunk: int) -> None:
    changed = 0
    for seed in range(chunk, GRAPHS, CHUNKS):
        random = Random(seed)
        estate = an_estate(random)
        before, after = estate.scores(), worsened(random, estate).scores()
        for service in SERVICES:
            assert after[service] >= before[service] - 1e-9, f"seed {seed}, {service}"
        changed += before != after
    assert changed > GRAPHS / CHUNKS / 5  # the graphs are no empty exercise


def test_p3_any_order_gives_the_same_bytes() -> None:
    for seed in range(500):
        random = Random(seed)
        estate = an_estate(random)
        names = list(estate.findings)
        random.shuffle(names)
        shuffled = Estate(
            random.sample(estate.edges, len(estate.edges)),
            {name: estate.findings[name] for name in names},
        )
        assert repr(shuffled.scores()) == repr(estate.scores()), f"seed {seed}"


def test_p5_a_diamond_and_a_cycle_count_once() -> None:
    finding = {"f": Finding("n1", Layer.IDENTITY, Severity.HIGH, Threat.DIRECT)}
    uses = Relation.USES_IDENTITY
    line = Estate([Edge("s0", "n0", uses, "x"), Edge("n0", "n1", uses, "x")], finding)
    diamond = Estate(
        [*line.edges, Edge("s0", "n2", uses, "x"), Edge("n2", "n1", uses, "x")], finding
    )
    cycle = Estate([*line.edges, Edge("n1", "s0", uses, "x"), Edge("n1", "n0", uses, "x")], finding)
    assert line.scores()["s0"] == diamond.scores()["s0"] == cycle.scores()["s0"] > 0
