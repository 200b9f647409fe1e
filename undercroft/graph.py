"""What stands on what: reach, strength and best path over inheriting edges.

A finding reaches a service with the largest product of attenuations over all paths (a maximum, not
a sum: more ways to one flaw are not more flaws). Found best-first, so cycles do no harm and a path
below the cut-off is never followed.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from heapq import heappop, heappush
from typing import NamedTuple

from undercroft.model import Edge, Presence, Resource
from undercroft.relations import ATTENUATION, CUTOFF, Relation

__all__ = ["Graph", "Reach"]

# Products are kept as whole numbers, so that two paths over the same relations in another order are
# exactly equal (floats would make noise decide a tie, or the cut-off). 0.95^9 is still exact.
_ONE = 10**18
_UNITS = 10**4


class Reach(NamedTuple):
    """How one resource is reached from another."""

    key: str
    attenuation: float
    """Product along the best path, 0.1 to 1."""
    hops: int
    """Edges on the best path; 0 for the starting point itself."""
    previous: str
    """The resource before it on the best path; empty for the starting point."""


class _Links:
    """One direction of the graph: strongest link per pair of neighbours."""

    __slots__ = ("least", "nodes", "out")

    def __init__(self, nodes: int, least: int) -> None:
        self.nodes = nodes
        self.least = least
        """Products below are not followed."""
        self.out: list[list[tuple[int, int]] | None] = [None] * nodes

    def add(self, src: int, dst: int, units: int) -> None:
        links = self.out[src]
        if links is None:
            self.out[src] = [(dst, units)]
        else:
            links.append((dst, units))

    def search(self, start: int) -> dict[int, tuple[int, int, int]]:
        """Node → (−product, hops, previous node) of everything within the cut-off.

        Of two paths the greater product wins, then fewer edges, then the smaller previous key
        (nodes are numbered in the order of their keys, so numbers compare as keys do).
        """
        out, least = self.out, self.least
        best: dict[int, tuple[int, int, int]] = {start: (-_ONE, 0, -1)}
        heap = [(-_ONE, 0, start)]
        while heap:
            negative, hops, node = heappop(heap)
            label = best[node]
            if label[0] != negative or label[1] != hops:
                continue  # a better way was found after this entry was queued
            links = out[node]
            if links is None:
                continue
            hops += 1
            for target, units in links:
                # Negated so that the better label is the smaller tuple; -(x // y) rounds down.
                reached = -(-negative * units // _UNITS)
                if reached > -least:
                    continue
                label = (reached, hops, node)
                known = best.get(target)
                if known is None or label < known:
                    best[target] = label
                    # Most of an estate are ends of the line; they need a label but no visit.
                    if out[target] is not None and (
                        known is None or known[0] != reached or known[1] != hops
                    ):
                        heappush(heap, (reached, hops, target))
        return best


class Graph:
    """The inheriting edges of one estate. Built once; searches never change it.

    ``lookup`` answers ``resource()``; without it only keys are known. ``services`` are the keys of
    the AI services. Unknown keys are not an error: they reach themselves.
    """

    def __init__(
        self,
        edges: Iterable[Edge],
        *,
        services: Iterable[str] = (),
        lookup: Callable[[str], Resource | None] | None = None,
        stubs: Container[str] | None = None,
        attenuation: Mapping[Relation, float] = ATTENUATION,
        cutoff: float = CUTOFF,
    ) -> None:
        """``attenuation``: share that travels up each relation; those that are missing, or 0, do not
        inherit. ``cutoff``: products below it are not followed. ``stubs``: what ``lookup`` gives as
        such, for whoever knows that without reading it.
        """

        def order(edge: Edge) -> tuple[float, str, str, str]:
            return -attenuation[edge.relation], edge.relation, edge.via, edge.detail

        strongest: dict[tuple[str, str], Edge] = {}
        for edge in edges:
            if edge.src == edge.dst or not attenuation.get(edge.relation):
                continue
            pair = (edge.src, edge.dst)
            known = strongest.get(pair)
            if known is None or order(edge) < order(known):
                strongest[pair] = edge
        self._edges = strongest
        self._services = tuple(sorted(set(services)))
        self._lookup = lookup
        self._stubs = stubs
        self._keys = sorted({key for pair in strongest for key in pair})
        self._number = {key: number for number, key in enumerate(self._keys)}
        least = round(cutoff * _ONE)
        self._down = _Links(len(self._keys), least)
        self._up = _Links(len(self._keys), least)
        for (src, dst), edge in sorted(strongest.items()):
            units = round(attenuation[edge.relation] * _UNITS)
            self._down.add(self._number[src], self._number[dst], units)
            self._up.add(self._number[dst], self._number[src], units)

    def resource(self, key: str) -> Resource | None:
        """The resource of that key, if the graph was given a way to look it up."""
        return None if self._lookup is None else self._lookup(key)

    def is_stub(self, key: str) -> bool:
        """Whether that resource was named and not read."""
        if self._stubs is not None:
            return key in self._stubs
        found = self.resource(key)
        return found is not None and found.presence is Presence.STUB

    def services(self) -> tuple[str, ...]:
        """Keys of all AI services, sorted."""
        return self._services

    def beneath(self, key: str) -> dict[str, float]:
        """Everything that ``key`` stands on (itself included) → attenuation."""
        return {reach.key: reach.attenuation for reach in self.reach(key)}

    def beneath_services(self) -> set[str]:
        """Everything that some AI service may stand on, the services included. The cut-off is not
        looked at, so that each resource is visited once: a few more than there are.
        """
        reached = {self._number[key] for key in self._services if key in self._number}
        waiting = list(reached)
        while waiting:
            for node, _ in self._down.out[waiting.pop()] or ():
                if node not in reached:
                    reached.add(node)
                    waiting.append(node)
        return {self._keys[node] for node in reached} | set(self._services)

    def above(self, key: str) -> dict[str, float]:
        """Everything that stands on ``key`` (itself included) → attenuation."""
        return {reach.key: reach.attenuation for reach in self._search(self._up, key)}

    def reach(self, key: str) -> list[Reach]:
        """Everything beneath ``key`` with its best path's last hop, ``key`` itself first.

        Following ``previous`` from any entry leads back to ``key`` along the best path: greatest
        product, then fewest edges, then smallest key.
        """
        return self._search(self._down, key)

    def closure(self, services: Iterable[str] | None = None) -> Iterator[tuple[str, list[Reach]]]:
        """``reach`` of every given key (default: all services), one at a time."""
        for key in self._services if services is None else services:
            yield key, self._search(self._down, key)

    def path(self, src: str, dst: str) -> tuple[Edge, ...] | None:
        """The best path as edges from ``src`` down to ``dst``; empty if they are the same.

        None if nothing leads there, or only paths below the cut-off.
        """
        if src == dst:
            return ()
        start, end = self._number.get(src), self._number.get(dst)
        if start is None or end is None:
            return None
        labels = self._down.search(start)
        if end not in labels:
            return None
        edges: list[Edge] = []
        while end != start:
            previous = labels[end][2]
            edges.append(self._edges[self._keys[previous], self._keys[end]])
            end = previous
        return tuple(reversed(edges))

    def into(self, key: str) -> tuple[tuple[str, Relation], ...]:
        """What stands on ``key`` directly, by key, and the strongest relation of each."""
        node = self._number.get(key)
        links = self._up.out[node] if node is not None else None
        sources = (self._keys[number] for number, _ in links or ())
        return tuple((src, self._edges[src, key].relation) for src in sources)

    def onto(self, key: str) -> tuple[tuple[str, Relation], ...]:
        """What ``key`` stands on directly, by key, and the strongest relation to each."""
        node = self._number.get(key)
        links = self._down.out[node] if node is not None else None
        targets = (self._keys[number] for number, _ in links or ())
        return tuple((dst, self._edges[key, dst].relation) for dst in targets)

    def edge(self, src: str, dst: str) -> Edge | None:
        """The strongest inheriting edge between two neighbours."""
        return self._edges.get((src, dst))

    def _search(self, links: _Links, key: str) -> list[Reach]:
        start = self._number.get(key)
        if start is None:
            return [Reach(key, 1.0, 0, "")]
        keys = self._keys
        return [
            Reach(keys[node], -negative / _ONE, hops, keys[previous] if previous >= 0 else "")
            for node, (negative, hops, previous) in links.search(start).items()
        ]
