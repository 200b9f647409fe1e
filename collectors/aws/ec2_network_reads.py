"""What is read about a network, and what its parts say about each other.

Every kind of thing is asked for once per batch of ids; a kind that may not be read costs only the
facts that need it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from collectors.aws.arns import Place
from collectors.aws.ec2_reads import Ec2Reads
from collectors.aws.errors import CallError
from collectors.aws.network_facts import (
    RouteTables,
    Way,
    acl_lets_in,
    addresses,
    endpoint_service,
    is_watched,
    open_egress,
    open_ingress,
    ways_out,
)
from collectors.aws.subreads import Unread
from collectors.aws.values import mappings
from undercroft.model import CoverageStatus, Json

__all__ = ["Config", "Said", "Surroundings"]

Config: TypeAlias = Mapping[str, Json]

_NO_TABLE = f"{CoverageStatus.ERROR}: the route table of the subnet is not visible to this account"
_ELSEWHERE = "elsewhere"
_PRIVATE = "private"
"""A NAT gateway that leads to other private networks only."""


@dataclass(slots=True)
class Said:
    """Facts, and why others are unknown."""

    facts: dict[str, Json] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)

    def doubt(self, reason: str, *names: str) -> None:
        """These facts cannot be told."""
        self.unknown.update({f"facts.{name}": reason for name in names})


class Surroundings:
    """The networks around some subnets and security groups in one region.

    ``subnets``, ``groups``, ``vpcs``, ``nats`` and ``internet`` hold what was found, by id, or the
    error. What nothing leads to is not asked for.
    """

    def __init__(
        self, place: Place, reads: Ec2Reads, subnets: Iterable[str], groups: Iterable[str]
    ) -> None:
        self._place = place
        self._reads = reads
        self.unread = Unread()
        self.subnets = self._by_id("describe_subnets", "Subnets", "subnet-id", subnets)
        self.groups = self._by_id("describe_security_groups", "SecurityGroups", "group-id", groups)
        hosting = _named(self.read_subnets.values(), "VpcId")
        every = hosting | _named(self.read_groups.values(), "VpcId")
        self._within: dict[str, dict[str, Config]] = {}
        for identifier, subnet in self.read_subnets.items():
            self._within.setdefault(str(subnet.get("VpcId")), {})[identifier] = subnet
        self._out: dict[str, list[Way] | str] = {}
        tables = self._all("describe_route_tables", "RouteTables", "vpc-id", every)
        self._tables = tables if isinstance(tables, CallError) else RouteTables(tables)
        routes = [r for table in _or_none(tables) for r in mappings(table.get("Routes"))]
        nats, gateways = _named(routes, "NatGatewayId"), _named(routes, "GatewayId")
        self.nats = self._by_id(
            "describe_nat_gateways", "NatGateways", "nat-gateway-id", nats, "Filter"
        )
        self.internet = self._by_id(
            "describe_internet_gateways",
            "InternetGateways",
            "internet-gateway-id",
            {gateway for gateway in gateways if gateway.startswith("igw-")},
        )
        self.vpcs = self._by_id("describe_vpcs", "Vpcs", "vpc-id", hosting)
        self._endpoints = self._all("describe_vpc_endpoints", "VpcEndpoints", "vpc-id", hosting)
        self._logs = self._all(
            "describe_flow_logs",
            "FlowLogs",
            "resource-id",
            {*hosting, *self.read_subnets},
            "Filter",
        )
        opened = [name for name, group in self.read_groups.items() if open_ingress(group)]
        self._interfaces = self._all(
            "describe_network_interfaces", "NetworkInterfaces", "group-id", opened
        )
        self._acls = self._guards(_or_none(self._interfaces))

    def _guards(self, interfaces: Iterable[Config]) -> Mapping[str, Config]:
        """The network ACL of each subnet in which one of ``interfaces`` is known outside."""
        facing = [i for i in interfaces if addresses(i, v6=False) or addresses(i, v6=True)]
        acls = self._all(
            "describe_network_acls",
            "NetworkAcls",
            "association.subnet-id",
            _named(facing, "SubnetId"),
        )
        return {
            str(association.get("SubnetId")): acl
            for acl in _or_none(acls)
            for association in mappings(acl.get("Associations"))
        }

    @property
    def read_subnets(self) -> Mapping[str, Config]:
        """The subnets that could be read."""
        return {} if isinstance(self.subnets, CallError) else self.subnets

    @property
    def read_groups(self) -> Mapping[str, Config]:
        """The security groups that could be read."""
        return {} if isinstance(self.groups, CallError) else self.groups

    def table(self, subnet: Config) -> Config | None:
        """The route table of a subnet, if it could be read."""
        return None if isinstance(self._tables, CallError) else self._tables.of(subnet)

    def tables_of(self, vpc: str) -> set[str]:
        """Ids of the tables that the subnets read of a VPC use."""
        tables = (self.table(subnet) for subnet in self._subnets_of(vpc).values())
        return _named((table for table in tables if table), "RouteTableId")

    def endpoints_of(self, vpc: str) -> list[Config]:
        """The endpoints of a VPC, as far as they could be read."""
        return [e for e in _or_none(self._endpoints) if e.get("VpcId") == vpc]

    def logs_of(self, vpc: str) -> list[Config]:
        """The flow logs of a VPC and of the subnets read of it."""
        ids = {vpc, *self._subnets_of(vpc)}
        return [log for log in _or_none(self._logs) if log.get("ResourceId") in ids]

    # What follows.

    def of_subnet(self, subnet: Config) -> Said:
        """``public``: a default route leads to an internet gateway. ``ways_out``: all of them."""
        said = Said()
        ways = self._ways(subnet)
        if isinstance(ways, str):
            said.doubt(ways, "public", "ways_out")
            return said
        said.facts["public"] = any(way.kind == "internet-gateway" for way in ways)
        self._say_ways(said, ways)
        return said

    def of_group(self, group: Config) -> Said:
        """``open_ingress``, ``open_egress``, and the ``ways_out`` of where the group is used.

        That is, of the subnets of its VPC that AI services stand in; if none is known, of every
        route table of the VPC. What is open but surely reached by nobody says in ``closed_by`` why;
        ``interfaces`` is how many stand behind the group now.
        """
        opened = open_ingress(group)
        said = Said({"open_ingress": opened, "open_egress": open_egress(group)})
        if opened and isinstance(self._interfaces, CallError):
            said.doubt(self._interfaces.unknown, "interfaces")
        elif opened:
            behind = self._behind(str(group.get("GroupId")))
            said.facts["interfaces"] = len(behind)
            told = ((entry, self._closed_by(entry, behind)) for entry in mappings(opened))
            said.facts["open_ingress"] = [
                {**entry, "closed_by": why} if why else dict(entry) for entry, why in told
            ]
        vpc = str(group.get("VpcId") or "")
        if vpc not in self._out:
            self._out[vpc] = self._ways_of_vpc(vpc)
        ways = self._out[vpc]
        if isinstance(ways, str):
            said.doubt(ways, "ways_out")
        else:
            self._say_ways(said, ways)
        return said

    def _behind(self, group: str) -> list[Config]:
        """The interfaces that a group stands before."""
        return [
            interface
            for interface in _or_none(self._interfaces)
            if any(g.get("GroupId") == group for g in mappings(interface.get("Groups")))
        ]

    def _closed_by(self, entry: Config, behind: Sequence[Config]) -> str:
        """Why nobody outside gets to what a group opens; empty if somebody may, or nothing is there."""
        v6 = ":" in str(entry.get("cidr"))
        facing = [interface for interface in behind if addresses(interface, v6=v6)]
        if not facing:
            return "no interface behind it has a public address" if behind else ""
        acls = [self._acls.get(str(interface.get("SubnetId"))) for interface in facing]
        if any(acl is None or acl_lets_in(acl, entry) for acl in acls):
            return ""
        names = sorted({str(acl.get("NetworkAclId")) for acl in acls if acl})
        return f"network ACL {', '.join(names)}"

    def _ways_of_vpc(self, vpc: str) -> list[Way] | str:
        """Ways out of the subnets read of a VPC, or why they are unknown."""
        if isinstance(self._tables, CallError):
            return self._tables.unknown
        subnets = self._subnets_of(vpc)
        ways: list[Way] = []
        doubt = ""
        for subnet in subnets.values():
            found = self._ways(subnet)
            if isinstance(found, str):
                doubt = found
            else:
                ways += found
        if not subnets:
            for table in self._tables.of_vpc.get(vpc, ()):
                ways += ways_out({}, table)
        return doubt if doubt and not any(way.kind != _ELSEWHERE for way in ways) else ways

    def of_vpc(self, identifier: str, vpc: Config) -> Said:
        """``watched``: flow logs are written. ``endpoints``: services with a private way in use."""
        said = Said()
        if vpc.get("OwnerId") not in (None, self._place.account):
            owner = f"{CoverageStatus.ERROR}: the VPC belongs to account {vpc.get('OwnerId')}"
            said.doubt(f"{owner}, which alone sees this", "watched", "endpoints")
            return said
        if isinstance(self._logs, CallError):
            said.doubt(self._logs.unknown, "watched")
        else:
            subnets = self._subnets_of(identifier)
            said.facts["watched"] = is_watched(identifier, subnets, self._logs)
        if isinstance(self._endpoints, CallError):
            said.doubt(self._endpoints.unknown, "endpoints")
        else:
            names = {
                endpoint_service(str(endpoint.get("ServiceName") or ""))
                for endpoint in self.endpoints_of(identifier)
                if str(endpoint.get("State")).lower() == "available"
            }
            said.facts["endpoints"] = sorted(names)
        return said

    def _ways(self, subnet: Config) -> list[Way] | str:
        """Ways out of a subnet, or why they are unknown."""
        if isinstance(self._tables, CallError):
            return self._tables.unknown
        table = self._tables.of(subnet)
        return ways_out(subnet, table) if table else _NO_TABLE

    def _say_ways(self, said: Said, ways: Iterable[Way]) -> None:
        """Leave out NAT gateways that are private; what leads elsewhere may lead out, or not."""
        sure, doubt = list[Way](), ""
        for way in dict.fromkeys(ways):
            if way.kind == _ELSEWHERE:
                doubt = f"{CoverageStatus.ERROR}: where {way.target} leads to is not read"
            elif way.kind != "nat-gateway":
                sure.append(way)
            elif isinstance(self.nats, CallError):
                doubt = self.nats.unknown
            elif self.nats.get(way.target, {}).get("ConnectivityType") != _PRIVATE:
                sure.append(way)
        if doubt and not sure:
            said.doubt(doubt, "ways_out")
        else:
            said.facts["ways_out"] = [way._asdict() for way in sure]

    def _subnets_of(self, vpc: str) -> dict[str, Config]:
        return self._within.get(vpc, {})

    # The calls.

    def _by_id(
        self, operation: str, key: str, name: str, ids: Iterable[str], parameter: str = "Filters"
    ) -> Mapping[str, Config] | CallError:
        found = self._all(operation, key, name, ids, parameter)
        if isinstance(found, CallError):
            return found
        # subnet-id → SubnetId; a group is named by GroupId, a VPC by VpcId.
        field_ = "".join(part.capitalize() for part in name.split("-"))
        return {str(item[field_]): item for item in found}

    def _all(
        self, operation: str, key: str, name: str, ids: Iterable[str], parameter: str = "Filters"
    ) -> list[Config] | CallError:
        try:
            return list(self._reads.named(operation, key, name, ids, parameter=parameter))
        except CallError as error:
            self.unread.add(error)
            return error


def _or_none(found: list[Config] | CallError) -> list[Config]:
    return [] if isinstance(found, CallError) else found


def _named(items: Iterable[Config], name: str) -> set[str]:
    return {str(item[name]) for item in items if item.get(name)}
