"""What follows from the configuration of a network: who gets in, what gets out, who watches.

Pure functions over what EC2 answers.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from collectors.aws.policy.documents import Statement, parse_policy
from collectors.aws.values import mappings
from undercroft.model import Json

__all__ = [
    "AI_SERVICES",
    "RouteTables",
    "Way",
    "acl_lets_in",
    "addresses",
    "endpoint_service",
    "is_watched",
    "open_egress",
    "open_ingress",
    "open_policy",
    "ways_out",
]

_WORLD = frozenset({"0.0.0.0/0", "::/0"})
_NEARLY_EVERYTHING = 1
"""A route to half of all addresses is one of the two halves of a default route."""
_OUTSIDE = "internet-gateway"
_NAT = "nat-gateway"
_EGRESS_ONLY = "egress-only-internet-gateway"
_ELSEWHERE = (
    "GatewayId",
    "TransitGatewayId",
    "VpcPeeringConnectionId",
    "InstanceId",
    "NetworkInterfaceId",
    "LocalGatewayId",
    "CarrierGatewayId",
    "CoreNetworkArn",
    "OdbNetworkArn",
)
"""Fields of a route whose target is somewhere that is not read here."""

AI_SERVICES = re.compile(r"s3|sagemaker[.-].+|bedrock(?:-.+)?|ecr\.(?:api|dkr)")
"""Names of endpoint services that carry models, data and images."""
_SERVICE_NAME = re.compile(
    r"(?:(?:cn\.)?com\.amazonaws\.[a-z0-9-]+|aws(?=\.sagemaker)|aws\.api\.[a-z0-9-]+)\.(?P<name>.+)"
)
_STUDIO = re.compile(r"sagemaker\.[a-z]{2}-[a-z0-9-]+-\d+\.(?P<name>.+)")


class Way(NamedTuple):
    """Where a default route leads."""

    kind: str
    """``internet-gateway``, ``nat-gateway``, ``egress-only-internet-gateway``, or ``elsewhere``."""
    target: str
    to: str
    """The destination of the route: ``0.0.0.0/0``."""


def open_ingress(config: Mapping[str, Json]) -> list[Json]:
    """The ingress of a security group that the whole internet may use.

    One entry per (protocol, ports, range): ``{protocol, from_port, to_port, cidr}``. Protocol
    ``-1`` is every protocol and covers ports 0 to 65535.
    """
    return _open(config.get("IpPermissions"))


def open_egress(config: Mapping[str, Json]) -> list[Json]:
    """What a security group lets out to the whole internet; entries as in ``open_ingress``."""
    return _open(config.get("IpPermissionsEgress"))


def _open(permissions: Json) -> list[Json]:
    found: list[Json] = []
    for permission in mappings(permissions):
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


_PROTOCOLS = {"icmp": "1", "tcp": "6", "udp": "17", "icmpv6": "58"}
"""How security groups call what network ACLs number."""
_EVERY = "-1"
_PORTED = ("6", "17")
_PORTS = (0, 65535)


def addresses(interface: Mapping[str, Json], *, v6: bool) -> list[str]:
    """The addresses of a network interface that are known outside, of one version of IP."""
    if v6:
        held = (a.get("Ipv6Address") for a in mappings(interface.get("Ipv6Addresses")))
    else:
        private = mappings(interface.get("PrivateIpAddresses"))
        given = [interface.get("Association"), *(a.get("Association") for a in private)]
        held = (a.get("PublicIp") for a in mappings(given))
    return list(dict.fromkeys(str(address) for address in held if address))


def acl_lets_in(acl: Mapping[str, Json], entry: Mapping[str, Json]) -> bool:
    """Whether a network ACL lets anybody outside come in by an entry of ``open_ingress``.

    In doubt it does: only what surely keeps all of the entry out counts as closed. The rules are
    asked in the order of their numbers, the first that fits decides.
    """
    v6 = ":" in str(entry.get("cidr"))
    protocol = _numbered(entry.get("protocol"))
    ports = (entry.get("from_port"), entry.get("to_port")) if protocol in _PORTED else _PORTS
    rules = [r for r in mappings(acl.get("Entries")) if r.get("Egress") is not True]
    for rule in sorted(rules, key=lambda r: int(str(r.get("RuleNumber") or 0))):
        source = rule.get("Ipv6CidrBlock" if v6 else "CidrBlock")
        of = _numbered(rule.get("Protocol"))
        if not source or (of != protocol and _EVERY not in (of, protocol)):
            continue
        reach = rule.get("PortRange")
        first, last = _PORTS
        if isinstance(reach, Mapping) and of in _PORTED:
            first, last = int(str(reach.get("From"))), int(str(reach.get("To")))
        low, high = int(str(ports[0])), int(str(ports[1]))
        if rule.get("RuleAction") == "allow":
            if first <= high and low <= last and not _is_inside(str(source)):
                return True
        elif str(source) in _WORLD and of in (_EVERY, protocol) and first <= low and high <= last:
            return False
    return False


def _numbered(protocol: Json) -> str:
    return _PROTOCOLS.get(str(protocol), str(protocol))


def _is_inside(cidr: str) -> bool:
    try:
        return ipaddress.ip_network(cidr).is_private
    except ValueError:
        return False


class RouteTables:
    """Which table routes for which subnet."""

    def __init__(self, tables: Iterable[Mapping[str, Json]]) -> None:
        self.of_vpc: dict[str, list[Mapping[str, Json]]] = {}
        """VPC → all of its tables."""
        self._own: dict[str, Mapping[str, Json]] = {}
        self._main: dict[str, Mapping[str, Json]] = {}
        for table in tables:
            vpc = str(table.get("VpcId"))
            self.of_vpc.setdefault(vpc, []).append(table)
            for association in mappings(table.get("Associations")):
                if association.get("SubnetId"):
                    self._own[str(association["SubnetId"])] = table
                elif association.get("Main") is True:
                    self._main[vpc] = table

    def of(self, subnet: Mapping[str, Json]) -> Mapping[str, Json] | None:
        """The subnet's own table, or the main one of its VPC; None if neither is known."""
        own = self._own.get(str(subnet.get("SubnetId")))
        return own or self._main.get(str(subnet.get("VpcId")))


def ways_out(subnet: Mapping[str, Json], table: Mapping[str, Json]) -> list[Way]:
    """Where the default routes of a subnet lead, as far as nothing blocks them.

    An account may block internet gateways for whole VPCs, which is stated on the subnet.
    """
    blocked = _blocked(subnet)
    found = [
        way
        for route in mappings(table.get("Routes"))
        if route.get("State") != "blackhole" and (way := _way(route)) is not None
    ]
    return [
        way
        for way in found
        if not (way.kind == _OUTSIDE and blocked)
        and not (way.kind in (_NAT, _EGRESS_ONLY) and blocked == "block-bidirectional")
    ]


def _blocked(subnet: Mapping[str, Json]) -> str:
    states = subnet.get("BlockPublicAccessStates")
    mode = states.get("InternetGatewayBlockMode") if isinstance(states, Mapping) else None
    return str(mode) if mode and mode != "off" else ""


def _way(route: Mapping[str, Json]) -> Way | None:
    to = str(route.get("DestinationCidrBlock") or route.get("DestinationIpv6CidrBlock") or "")
    if not _is_default(to):
        return None
    gateway = str(route.get("GatewayId") or "")
    if gateway.startswith("igw-"):
        return Way(_OUTSIDE, gateway, to)
    if nat := route.get("NatGatewayId"):
        return Way(_NAT, str(nat), to)
    if egress := route.get("EgressOnlyInternetGatewayId"):
        return Way(_EGRESS_ONLY, str(egress), to)
    other = next((str(route[field]) for field in _ELSEWHERE if route.get(field)), "")
    return Way("elsewhere", other, to) if other and other != "local" else None


def _is_default(destination: str) -> bool:
    try:
        return ipaddress.ip_network(destination).prefixlen <= _NEARLY_EVERYTHING
    except ValueError:
        return False  # a prefix list


def is_watched(vpc: str, subnets: Iterable[str], flow_logs: Iterable[Mapping[str, Json]]) -> bool:
    """Whether flow logs are written for a VPC, or for each of these subnets of it."""
    active = {
        str(log.get("ResourceId")) for log in flow_logs if log.get("FlowLogStatus") == "ACTIVE"
    }
    known = set(subnets)
    return vpc in active or (bool(known) and known <= active)


def endpoint_service(name: str) -> str:
    """What an endpoint is for: ``com.amazonaws.us-east-1.ecr.dkr`` → ``ecr.dkr``.

    ``aws.sagemaker.us-east-1.studio`` is ``sagemaker.studio``; somebody's own service stays as it is.
    """
    match = _SERVICE_NAME.fullmatch(name)
    if match is None:
        return name
    studio = _STUDIO.fullmatch(match["name"])
    return f"sagemaker.{studio['name']}" if studio else match["name"]


_NARROWING = frozenset(
    {
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:resourceaccount",
        "aws:resourceorgid",
        "aws:resourceorgpaths",
        "aws:sourceaccount",
        "aws:sourcearn",
        "s3:resourceaccount",
    }
)
"""Conditions that keep a path to one's own accounts."""


def open_policy(document: str | Mapping[str, Json], service: str) -> bool:
    """Whether an endpoint policy lets anybody do anything with anything of a service.

    Raises ``PolicyError`` if it is not a policy.
    """
    statements = parse_policy(document)
    everything = ("*", f"{re.split('[.-]', service)[0]}:*")
    if any(_keeps_in(statement, everything) for statement in statements):
        return False
    return any(
        statement.allow
        and any(who == "*" for _, who in statement.principals)
        and not set(everything).isdisjoint(statement.actions)
        and "*" in statement.resources
        and not any(c.key in _NARROWING and not c.negative for c in statement.conditions)
        for statement in statements
    )


def _keeps_in(statement: Statement, everything: Sequence[str]) -> bool:
    """A Deny of everything that is not one's own."""
    return (
        not statement.allow
        and any(who == "*" for _, who in statement.principals)
        and not set(everything).isdisjoint(statement.actions)
        and "*" in statement.resources
        and len(statement.conditions) == 1
        and statement.conditions[0].negative
        and statement.conditions[0].key in _NARROWING
    )
