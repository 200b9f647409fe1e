"""Reading a cloud that answers from the service models: run kinds, judge what came out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache

from collectors.aws.arns import Place, settings
from collectors.aws.catalogue import EVERY, LAST, LISTED, NAMED, REGIONS
from collectors.aws.catalogue import SETTINGS as OF_REGION
from collectors.aws.listed import KindList, KindNamed
from collectors.aws.session import Clients
from rules import Engine, load_pack
from undercroft.model import Coverage, Edge, Outcome, Presence, Resource
from undercroft.protocols import Collected, Meter, Scope
from undercroft.redact import redact

ACCOUNT = "123456789012"
REGION = "us-east-1"
NOW = datetime(2026, 6, 1, tzinfo=UTC)
PLACE = Place("aws", ACCOUNT, REGION, frozenset({ACCOUNT}))
SETTINGS = settings(PLACE, "bedrock")


class Read:
    """What units yielded."""

    def __init__(self, items: Iterable[Collected]) -> None:
        self.items = list(items)
        self.coverage = [item for item in self.items if isinstance(item, Coverage)]
        self.edges = [item for item in self.items if isinstance(item, Edge)]
        self.stubs = [
            item
            for item in self.items
            if isinstance(item, Resource) and item.presence is Presence.STUB
        ]
        self.resources = {
            item.key: item
            for item in self.items
            if isinstance(item, Resource) and item.presence is not Presence.STUB
        }

    def named(self, name: str, kind: str = "") -> Resource:
        (found,) = (r for r in self.resources.values() if r.name == name and kind in ("", r.type))
        return found

    def links(self, name: str, kind: str = "") -> set[tuple[str, str]]:
        """(relation, end of the key it leads to) of everything but the account."""
        src = self.named(name, kind).key
        return {
            (edge.relation.value, edge.dst.split("/", 4)[-1])
            for edge in self.edges
            if edge.src == src and edge.relation.value != "contained_in"
        }


def listed(clients: Clients, *families: str) -> Read:
    """Every listed kind of these families."""
    found: list[Collected] = []
    for kind in LISTED:
        if kind.family in families and kind.is_listed:
            collector = KindList(clients, kind, lambda: NOW)
            (target,) = collector.targets(Scope("aws"), ())
            found += collector.collect(target, Meter())
    return Read(found)


def named(clients: Clients, *stubs: Resource) -> Read:
    """The kinds that are read by reference, asked for these stubs."""
    found: list[Collected] = []
    for kind in (*OF_REGION, *NAMED, *REGIONS, *LAST):
        collector = KindNamed(clients, kind)
        for target in collector.targets(Scope("aws"), stubs):
            found += collector.collect(target, Meter())
    return Read(found)


@cache
def _engine() -> Engine:
    return Engine(load_pack())


def findings(read: Read) -> dict[str, set[str]]:
    """Name of a resource → ids of the rules that it fails."""
    found: dict[str, set[str]] = {}
    for resource in read.resources.values():
        for seen in _engine().judge(redact(resource, b"salt"), "2026-06-01T00:00:00Z"):
            if seen.outcome is Outcome.FAIL:
                found.setdefault(resource.name, set()).add(seen.rule)
    return found


def unknowns(read: Read) -> dict[str, set[str]]:
    """Name of a resource → ids of the rules that could not be answered."""
    found: dict[str, set[str]] = {}
    for resource in read.resources.values():
        for seen in _engine().judge(redact(resource, b"salt"), "2026-06-01T00:00:00Z"):
            if seen.outcome is Outcome.UNKNOWN:
                found.setdefault(resource.name, set()).add(seen.rule)
    return found


KINDS = {f"{kind.family}.{kind.name}": kind for kind in EVERY}
