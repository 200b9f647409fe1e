"""EC2: the network that AI services stand in. Subnets and security groups are read by id, and with
them what decides about them: route tables, gateways, the VPC, its endpoints and its flow logs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from collectors.aws.arns import Place, ec2
from collectors.aws.ec2_network_reads import Config, Said, Surroundings
from collectors.aws.ec2_reads import Ec2Reads, wanted
from collectors.aws.errors import CallError
from collectors.aws.network_facts import AI_SERVICES, endpoint_service, open_policy
from collectors.aws.policy.documents import PolicyError, decode
from collectors.aws.subreads import tag_map
from collectors.aws.units import AwsCollector, Gaps, Reading, Unit
from collectors.aws.values import jsonable, mappings
from collectors.references import Reference, Target, link
from undercroft.model import CoverageStatus, Edge, Layer, Presence, Resource
from undercroft.protocols import Collected
from undercroft.relations import Relation

__all__ = ["ROUTES", "Ec2Network"]

_VPC = ec2("vpc", Layer.NETWORK)
_TABLE = ec2("route-table", Layer.NETWORK)
_ENDPOINT = ec2("vpc-endpoint", Layer.NETWORK)
_INTERNET = ec2("internet-gateway", Layer.NETWORK)
_NAT = ec2("nat-gateway", Layer.NETWORK)


def _gateway(place: Place, text: str) -> Target | None:
    """What a route's ``GatewayId`` names; ``local`` or the gateway of a VPN is nothing we read."""
    kind = {"igw": _INTERNET, "vpce": _ENDPOINT}.get(text.partition("-")[0])
    return kind(place, text) if kind else None


ROUTES = (
    Reference("Routes[].GatewayId", _gateway, Relation.PROTECTED_BY),
    Reference("Routes[].NatGatewayId", _NAT, Relation.PROTECTED_BY),
)
"""What a route table leads to."""


class Ec2Network(AwsCollector):
    """Subnets, security groups and what lies around them; what is not there is absent."""

    name = "aws.ec2.network"
    reads = ("ec2:subnet", "ec2:security-group")
    with_them = (
        "ec2:vpc",
        "ec2:route-table",
        "ec2:internet-gateway",
        "ec2:nat-gateway",
        "ec2:vpc-endpoint",
    )

    def read(self, unit: Unit) -> Reading:
        """One filtered call per type and batch of ids; what one type lacks costs only its facts."""
        subnets, groups = wanted(unit, "subnet"), wanted(unit, "security-group")
        around = Surroundings(unit.place, Ec2Reads(self.clients, unit), subnets, groups)
        gaps, seen = Gaps(), set[tuple[str, Presence]]()
        for item in self._everything(unit.place, around, subnets, groups):
            if isinstance(item, Resource):
                # Subnets share a table, and tables a gateway.
                if (item.key, item.presence) in seen:
                    continue
                seen.add((item.key, item.presence))
                gaps.note([item])
            yield item
        return around.unread.ended(gaps)

    def _everything(
        self,
        place: Place,
        around: Surroundings,
        subnets: Mapping[str, Resource],
        groups: Mapping[str, Resource],
    ) -> Iterator[Collected]:
        yield from self._absent(subnets, around.subnets)
        yield from self._absent(groups, around.groups)
        for identifier, config in around.read_groups.items():
            yield self._read(groups[identifier], config, around.of_group(config), "GroupName")
        for identifier, config in around.read_subnets.items():
            yield self._read(subnets[identifier], config, around.of_subnet(config))
            yield from self._beneath(place, around, subnets[identifier], config)
        vpcs = around.vpcs
        for identifier, config in ({} if isinstance(vpcs, CallError) else vpcs).items():
            yield from self._vpc(place, around, identifier, config)

    def _absent(
        self, stubs: Mapping[str, Resource], read: Mapping[str, Config] | CallError
    ) -> Iterator[Resource]:
        if not isinstance(read, CallError):
            for identifier in stubs.keys() - read.keys():
                stub = stubs[identifier]
                yield replace(stub, presence=Presence.ABSENT, collector=self.name)

    def _beneath(
        self, place: Place, around: Surroundings, subnet: Resource, config: Config
    ) -> Iterator[Collected]:
        """The VPC of a subnet, its route table, and where that leads."""
        vpc = _VPC(place, str(config.get("VpcId"))).stub
        yield vpc
        yield Edge(subnet.key, vpc.key, Relation.CONTAINED_IN, "VpcId")
        table = around.table(config)
        if table is None:
            return
        stub = _TABLE(place, str(table.get("RouteTableId"))).stub
        yield self._read(stub, table, Said())
        yield Edge(subnet.key, stub.key, Relation.PROTECTED_BY, "RouteTables[].Associations")
        yield from link(place, stub.key, table, ROUTES)
        for route in mappings(table.get("Routes")):
            for name, of, known in (
                ("GatewayId", _INTERNET, around.internet),
                ("NatGatewayId", _NAT, around.nats),
            ):
                identifier = str(route.get(name))
                if not isinstance(known, CallError) and identifier in known:
                    yield self._read(of(place, identifier).stub, known[identifier], Said())

    def _vpc(
        self, place: Place, around: Surroundings, identifier: str, config: Config
    ) -> Iterator[Collected]:
        """A VPC with its flow logs, and the endpoints that AI traffic takes."""
        stub = _VPC(place, identifier).stub
        watched = {**config, "FlowLogs": around.logs_of(identifier)}
        yield self._read(stub, watched, around.of_vpc(identifier, config))
        tables = around.tables_of(identifier)
        for endpoint in around.endpoints_of(identifier):
            service = endpoint_service(str(endpoint.get("ServiceName") or ""))
            if not AI_SERVICES.fullmatch(service):
                continue
            via_table = endpoint.get("VpcEndpointType") == "Gateway"
            named = endpoint.get("RouteTableIds")
            if via_table and tables.isdisjoint(map(str, named if isinstance(named, list) else ())):
                continue
            way = _ENDPOINT(place, str(endpoint.get("VpcEndpointId"))).stub
            yield self._endpoint(way, endpoint, service)
            if not via_table:
                # A table leads to the others.
                yield Edge(stub.key, way.key, Relation.PROTECTED_BY, "VpcEndpoints[].VpcId")

    def _endpoint(self, stub: Resource, config: Config, service: str) -> Resource:
        said, kept = Said({"service": service}), dict(config)
        document = config.get("PolicyDocument")
        try:
            if not isinstance(document, str | Mapping) or not document:
                raise PolicyError("EC2 does not say which policy the endpoint has")
            said.facts["open_policy"] = open_policy(document, service)
            kept["PolicyDocument"] = jsonable(decode(document))
        except PolicyError as error:
            said.doubt(f"{CoverageStatus.ERROR}: {error}", "open_policy")
        found = self._read(stub, kept, said)
        return replace(found, name=f"{service} ({found.name})")

    def _read(self, stub: Resource, config: Config, said: Said, title: str = "") -> Resource:
        tags = tag_map(config.get("Tags"))
        return replace(
            stub,
            name=str(config.get(title) or tags.get("Name") or stub.name),
            tags=tags,
            config=config,
            facts=said.facts,
            unknown=said.unknown,
            presence=Presence.READ,
            collector=self.name,
        )
