"""Reach over inheriting edges: best path, cycles, ties, cut-off, and what must never fall."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undercroft.graph import Graph
from undercroft.model import Edge, Layer, Resource
from undercroft.protocols import GraphView
from undercroft.relations import ATTENUATION, CUTOFF, Relation

R = Relation
nodes = st.sampled_from("abcdefgh")
edges = st.lists(
    st.builds(Edge, nodes, nodes, st.sampled_from(Relation), st.sampled_from(["x", "y"])),
    max_size=25,
)


def _edge(src: str, dst: str, relation: Relation = R.RUNS_ON, via: str = "via") -> Edge:
    return Edge(src, dst, relation, via)


def _brute(estate: list[Edge], start: str) -> dict[str, float]:
    """Every simple path, the slow way."""
    best: dict[str, float] = {}

    def walk(node: str, product: float, seen: frozenset[str]) -> None:
        best[node] = max(best.get(node, 0.0), product)
        for edge in estate:
            share = ATTENUATION.get(edge.relation)
            if edge.src == node and edge.dst not in seen and share is not None:
                further = product * share
                if further >= CUTOFF - 1e-12:
                    walk(edge.dst, further, seen | {edge.dst})

    walk(start, 1.0, frozenset({start}))
    return best


def test_diamond_takes_the_stronger_side() -> None:
    graph = Graph(
        [
            _edge("s", "role", R.USES_IDENTITY),
            _edge("role", "bucket", R.READS_DATA_FROM),
            _edge("s", "model", R.SAME_WORKLOAD),
            _edge("model", "bucket", R.LOADS_ARTIFACT_FROM),
        ]
    )
    assert graph.beneath("s") == {"s": 1.0, "role": 0.9, "model": 1.0, "bucket": 0.9}
    path = graph.path("s", "bucket")
    assert path is not None
    assert [edge.dst for edge in path] == ["model", "bucket"]
    assert [edge.relation for edge in path] == [R.SAME_WORKLOAD, R.LOADS_ARTIFACT_FROM]


def test_t16_cycles_end() -> None:
    graph = Graph([_edge("a", "b"), _edge("b", "c"), _edge("c", "a"), _edge("a", "a")])
    assert graph.beneath("a") == {"a": 1.0, "b": 1.0, "c": 1.0}
    assert graph.path("a", "a") == ()
    assert graph.above("a") == {"a": 1.0, "b": 1.0, "c": 1.0}


def test_equal_products_prefer_fewer_edges() -> None:
    graph = Graph([_edge("s", "m"), _edge("m", "t", R.RUNS_IMAGE), _edge("s", "t", R.RUNS_IMAGE)])
    assert graph.path("s", "t") == (_edge("s", "t", R.RUNS_IMAGE),)


def test_equal_products_and_lengths_prefer_the_smaller_key() -> None:
    """Also when the relations come in another order, where floats would differ by noise."""
    one = [_edge("s", "b", R.USES_IDENTITY), _edge("b", "t", R.WRITES_TO)]
    other = [_edge("s", "a", R.WRITES_TO), _edge("a", "t", R.USES_IDENTITY)]
    for estate in (one + other, other + one):
        path = Graph(estate).path("s", "t")
        assert path is not None
        assert path[0].dst == "a"


def test_parallel_edges_collapse_to_the_strongest() -> None:
    weak, strong = _edge("s", "t", R.ENCRYPTED_WITH), _edge("s", "t", R.READS_DATA_FROM, "b")
    twin = _edge("s", "t", R.READS_DATA_FROM, "a")
    for estate in ([weak, strong, twin], [twin, strong, weak]):
        assert Graph(estate).path("s", "t") == (twin,)
        assert Graph(estate).edge("s", "t") == twin


def test_cutoff_is_inclusive_and_exact() -> None:
    # 0.5 · 0.4 · 0.5 is exactly the cut-off; one more 0.95 is below it.
    graph = Graph(
        [
            _edge("s", "a", R.ENCRYPTED_WITH),
            _edge("a", "b", R.CONTAINED_IN),
            _edge("b", "c", R.ENCRYPTED_WITH),
            _edge("c", "d", R.RUNS_IMAGE),
        ]
    )
    assert graph.beneath("s")["c"] == 0.1
    assert "d" not in graph.beneath("s")
    assert graph.path("s", "d") is None


def test_lineage_does_not_inherit() -> None:
    graph = Graph([_edge("job", "model", R.PRODUCES)])
    assert graph.beneath("job") == {"job": 1.0}
    assert graph.path("job", "model") is None


def test_unknown_keys_reach_themselves() -> None:
    graph = Graph([])
    assert graph.beneath("nowhere") == {"nowhere": 1.0}
    assert graph.above("nowhere") == {"nowhere": 1.0}
    assert graph.path("nowhere", "elsewhere") is None


def test_serves_combination_rules() -> None:
    thing = Resource("s", "aws", "1", "-", "t", Layer.SERVICE, "s", service=True)
    graph = Graph([_edge("s", "t")], services=["s"], lookup={"s": thing}.get)
    view: GraphView = graph
    assert list(view.services()) == ["s"]
    assert view.resource("s") is thing
    assert view.resource("t") is None
    assert view.beneath("s") == {"s": 1.0, "t": 1.0}


@given(edges, nodes)
def test_agrees_with_every_path_tried(estate: list[Edge], start: str) -> None:
    found = Graph(estate).beneath(start)
    expected = _brute(estate, start)
    assert found.keys() == expected.keys()
    assert found == pytest.approx(expected)


@given(edges, st.builds(Edge, nodes, nodes, st.sampled_from(Relation), st.just("new")), nodes)
def test_an_edge_more_never_lowers(estate: list[Edge], extra: Edge, start: str) -> None:
    before, after = Graph(estate).beneath(start), Graph([*estate, extra]).beneath(start)
    assert all(after[key] >= value for key, value in before.items())


@given(edges, st.randoms(use_true_random=False))
def test_order_of_edges_does_not_matter(estate: list[Edge], random: object) -> None:
    shuffled = list(estate)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = Graph(estate), Graph(shuffled)
    for start in "abcdefgh":
        assert sorted(one.reach(start)) == sorted(other.reach(start))
        assert [one.path(start, end) for end in "abcdefgh"] == [
            other.path(start, end) for end in "abcdefgh"
        ]


@given(edges)
def test_predecessors_lead_home_along_the_path(estate: list[Edge]) -> None:
    graph = Graph(estate, services="abc")
    for service, reached in graph.closure():
        assert reached[0] == (service, 1.0, 0, "")
        by_key = {reach.key: reach for reach in reached}
        for reach in reached:
            path = graph.path(service, reach.key)
            assert path is not None
            assert len(path) == reach.hops
            if path:
                assert path[-1].src == reach.previous
                share = by_key[reach.previous].attenuation * ATTENUATION[path[-1].relation]
                assert reach.attenuation == pytest.approx(share)


@given(edges, st.sets(nodes, max_size=3))
def test_beneath_services_is_all_that_any_reaches(estate: list[Edge], services: set[str]) -> None:
    graph = Graph(estate, services=services, cutoff=0.0)
    assert graph.beneath_services() == {key for one in services for key in graph.beneath(one)}
    nearer = Graph(estate, services=services)
    assert graph.beneath_services() >= {key for one in services for key in nearer.beneath(one)}


@given(edges, nodes)
def test_above_mirrors_beneath(estate: list[Edge], key: str) -> None:
    graph = Graph(estate)
    above = graph.above(key)
    for start in "abcdefgh":
        assert above.get(start) == pytest.approx(graph.beneath(start).get(key))


def test_services_that_share_roles_each_reach_their_own_and_the_shared() -> None:
    roles = [f"role{i:02}" for i in range(10)]
    estate = [_edge(r, f"b{i:03}", R.READS_DATA_FROM) for i, r in enumerate(roles * 10)]
    services = [f"s{i:03}" for i in range(500)]
    for i, service in enumerate(services):
        estate.append(_edge(service, roles[i % 10], R.USES_IDENTITY))
        estate.extend(_edge(service, f"own{i:03}-{j}", R.READS_DATA_FROM) for j in range(8))
    graph = Graph(estate, services=services)
    rows = sum(len(reached) for _, reached in graph.closure())
    assert rows == 500 * (1 + 1 + 10 + 8)
