"""What the pipeline remembers of a scan while it streams to disk: keys, edges, a few facts each.

Configurations are not kept here: an estate may have hundreds of thousands of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from undercroft.model import Coverage, Edge, Layer, Presence, Resource
from undercroft.protocols import Collected
from undercroft.redact import is_marked
from undercroft.relations import attenuation
from undercroft.scan.stubs import stub_of

__all__ = ["Estate"]

_WEIGHT = {Presence.STUB: 0, Presence.ABSENT: 1, Presence.READ: 2}


class _Known(NamedTuple):
    presence: Presence
    unknown: int
    collector: str
    layer: Layer
    service: bool
    provider: str
    described: bool
    """Whether a collector spoke of it, or only an edge's key."""

    @property
    def merit(self) -> tuple[int, bool, int, bool, bool]:
        """Larger knows more: read over absent over named, then fewer unread parts.

        Of two stubs, the one of a collector that went to look knows more than a mere reference,
        though it lists what could not be read: that list, and why, is what it found out.
        """
        looked = self.presence is not Presence.STUB or bool(self.collector)
        return _WEIGHT[self.presence], looked, -self.unknown, self.described, self.service


class Estate:
    """Takes in what units yield, and answers what linking has to know."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._stubs: dict[str, dict[str, Resource]] = {}
        self._edges: dict[Edge, None] = {}
        self._unlinked: list[Edge] = []

    @property
    def edges(self) -> Iterable[Edge]:
        """Every distinct edge, in the order in which it came."""
        return self._edges

    def take(self, items: Iterable[Collected]) -> Iterator[Collected]:
        """Remember, and pass on what is new: the better of two readings, each edge once."""
        for item in items:
            if isinstance(item, Resource):
                if self._take_resource(item):
                    yield item
            elif isinstance(item, Edge):
                if item not in self._edges:
                    self._edges[item] = None
                    self._unlinked.append(item)
                    yield item
            elif isinstance(item, Coverage):
                yield item

    def link(self) -> list[Resource]:
        """Stubs for the ends of edges that nobody has described; they are known from now on."""
        made: list[Resource] = []
        for edge in self._unlinked:
            for key, other in ((edge.dst, edge.src), (edge.src, edge.dst)):
                if key not in self._known:
                    near = self._known.get(other)
                    stub = stub_of(key, edge, near.provider if near else "")
                    self._take_resource(stub, described=False)
                    made.append(stub)
        self._unlinked.clear()
        return made

    def wanted(self) -> list[Resource]:
        """Every stub that has been named and neither read nor found absent, by key.

        A stub that was described in several ways (two references to one image) comes in each. One
        whose key held a secret stays a stub: asking for what is left of it would find nothing, and
        nothing is not an answer.
        """
        return [
            stub
            for key in sorted(self._stubs)
            if not is_marked(key)
            for stub in self._stubs[key].values()
        ]

    def orphans(self) -> set[str]:
        """Read resources of the service layer that no other one stands on: services themselves."""
        rows = {
            key
            for key, known in self._known.items()
            if known.layer is Layer.SERVICE and known.presence is Presence.READ
        }
        beneath = {
            edge.dst
            for edge in self._edges
            if edge.src != edge.dst
            and attenuation(edge.relation) is not None
            and (source := self._known.get(edge.src)) is not None
            and source.layer is Layer.SERVICE
        }
        return {key for key in rows - beneath if not self._known[key].service}

    def services(self) -> set[str]:
        """Keys of what collectors call an AI service and the provider does not deny."""
        return {
            key
            for key, known in self._known.items()
            if known.service and known.presence is not Presence.ABSENT
        }

    def stubs(self) -> set[str]:
        """Keys of what was named and not read."""
        return {key for key, known in self._known.items() if known.presence is Presence.STUB}

    def __len__(self) -> int:
        return len(self._known)

    def _take_resource(self, resource: Resource, *, described: bool = True) -> bool:
        """Whether it says more than what was known before."""
        key = resource.key
        new = _Known(
            resource.presence,
            len(resource.unknown),
            resource.collector,
            resource.layer,
            resource.service,
            resource.provider,
            described,
        )
        known = self._known.get(key)
        if resource.presence is Presence.STUB:
            if known is None or known.presence is Presence.STUB:
                if known is not None and not known.described:
                    self._stubs.pop(key, None)
                self._stubs.setdefault(key, {})[repr(resource.facts)] = resource
        else:
            self._stubs.pop(key, None)
        if known is not None and (known.merit, new.collector) >= (new.merit, known.collector):
            # Equal merit: the smaller collector name stays, so that threads do not decide.
            return False
        self._known[key] = new
        return True
