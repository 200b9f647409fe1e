"""EC2: the groups, subnets and disks that AI services stand on, read by id."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from collectors.aws.arns import Place
from collectors.aws.references import VOLUME
from collectors.aws.session import Clients, pages
from collectors.aws.subreads import tag_map
from collectors.aws.units import AwsCollector, Ended, Reading, Unit, batches, once
from collectors.aws.values import jsonable, mappings
from collectors.references import Reference, link
from undercroft.model import Json, Layer, Presence, Resource
from undercroft.protocols import Collected

__all__ = ["NAMED", "Ec2Named", "NamedKind", "open_ingress"]

_WORLD = frozenset({"0.0.0.0/0", "::/0"})


@dataclass(frozen=True, slots=True)
class NamedKind:
    """One EC2 type that is read by id."""

    segment: str
    operation: str
    list_key: str
    filter: str
    identifier: str
    title: str
    layer: Layer
    facts: Callable[[Mapping[str, Json]], dict[str, Json]]
    references: tuple[Reference, ...] = ()

    def __reduce__(self) -> tuple[Callable[[str], NamedKind], tuple[str]]:
        # Functions do not travel between processes; the table is there already.
        return (_by_segment, (self.segment,))


class Ec2Named(AwsCollector):
    """Groups, subnets or volumes that something stands on, by id; what is not there is absent."""

    def __init__(self, clients: Clients, kind: NamedKind) -> None:
        super().__init__(clients)
        self.name = f"aws.ec2.{kind.segment}"
        self.reads = (f"ec2:{kind.segment}",)
        self._kind = kind

    def read(self, unit: Unit) -> Reading:
        """One filtered call per batch of ids: an id that does not exist fails no other."""
        client = self.clients.client("ec2", unit.place.region)
        kind, seen = self._kind, set[tuple[str, str]]()
        for stubs in batches({stub.key: stub for stub in unit.wanted}.values()):
            wanted = {stub.key.rpartition("/")[2]: stub for stub in stubs}
            listed = pages(
                unit.meter,
                client,
                kind.operation,
                kind.list_key,
                Filters=[{"Name": kind.filter, "Values": sorted(wanted)}],
            )
            for item in listed:
                stub = wanted.pop(str(item[kind.identifier]), None)
                if stub is not None:
                    yield from once(self._named(unit.place, stub, item), seen)
            for stub in wanted.values():
                yield replace(stub, presence=Presence.ABSENT, collector=self.name)
        return Ended()

    def _named(self, place: Place, stub: Resource, item: Mapping[str, Any]) -> Iterator[Collected]:
        config, kind = jsonable(item), self._kind
        tags = tag_map(config.get("Tags"))
        yield replace(
            stub,
            layer=kind.layer,
            name=str(config.get(kind.title) or tags.get("Name") or stub.name),
            tags=tags,
            config=config,
            facts=kind.facts(config),
            presence=Presence.READ,
            collector=self.name,
        )
        yield from link(place, stub.key, config, kind.references)


def open_ingress(config: Mapping[str, Json]) -> list[Json]:
    """The ingress of a security group that the whole internet may use.

    One entry per (protocol, ports, range): ``{protocol, from_port, to_port, cidr}``. Protocol
    ``-1`` is every protocol and covers ports 0 to 65535.
    """
    found: list[Json] = []
    for permission in mappings(config.get("IpPermissions")):
        protocol = str(permission.get("IpProtocol") or "-1")
        first, last = permission.get("FromPort"), permission.get("ToPort")
        ranges = [
            *(item.get("CidrIp") for item in mappings(permission.get("IpRanges"))),
            *(item.get("CidrIpv6") for item in mappings(permission.get("Ipv6Ranges"))),
        ]
        found += [
            {
                "protocol": protocol,
                "from_port": 0 if protocol == "-1" or first is None else first,
                "to_port": 65535 if protocol == "-1" or last is None else last,
                "cidr": cidr,
            }
            for cidr in ranges
            if cidr in _WORLD
        ]
    return found


def _no_facts(_config: Mapping[str, Json]) -> dict[str, Json]:
    return {}


NAMED: tuple[NamedKind, ...] = (
    NamedKind(
        segment="security-group",
        operation="describe_security_groups",
        list_key="SecurityGroups",
        filter="group-id",
        identifier="GroupId",
        title="GroupName",
        layer=Layer.NETWORK,
        facts=lambda config: {"open_ingress": open_ingress(config)},
    ),
    NamedKind(
        segment="subnet",
        operation="describe_subnets",
        list_key="Subnets",
        filter="subnet-id",
        identifier="SubnetId",
        title="",
        layer=Layer.NETWORK,
        facts=_no_facts,
    ),
    NamedKind(
        segment="volume",
        operation="describe_volumes",
        list_key="Volumes",
        filter="volume-id",
        identifier="VolumeId",
        title="",
        layer=Layer.STORAGE,
        facts=_no_facts,
        references=VOLUME,
    ),
)


def _by_segment(segment: str) -> NamedKind:
    return next(kind for kind in NAMED if kind.segment == segment)
