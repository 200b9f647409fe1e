"""Load balancers before AI work: who reaches a target group from outside, and whether anybody asks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TypeAlias

from botocore.client import BaseClient

from collectors.aws.arns import named
from collectors.aws.ec2_reads import Ec2Reads
from collectors.aws.errors import CallError
from collectors.aws.load_balancer_facts import OUTSIDE, WITH_RULES, open_listeners
from collectors.aws.network_facts import open_ingress
from collectors.aws.references import GROUP, SUBNET
from collectors.aws.session import Clients, pages
from collectors.aws.subreads import Unread
from collectors.aws.units import AwsCollector, Gaps, Reading, Unit, side_by_side
from collectors.aws.values import jsonable, mappings
from collectors.references import Reference, link
from undercroft.model import Json, Layer, Presence, Resource
from undercroft.protocols import Collected
from undercroft.relations import Relation

__all__ = ["BALANCER", "GROUP_OF_TARGETS", "LoadBalancers"]

_BALANCER = named("elasticloadbalancing", "loadbalancer", "elbv2:load-balancer", Layer.NETWORK)
_Config: TypeAlias = Mapping[str, Json]

GROUP_OF_TARGETS = (Reference("LoadBalancerArns[]", _BALANCER, Relation.PROTECTED_BY),)
BALANCER = (
    Reference("SecurityGroups[]", GROUP, Relation.PROTECTED_BY),
    Reference("AvailabilityZones[].SubnetId", SUBNET, Relation.PROTECTED_BY),
)


class LoadBalancers(AwsCollector):
    """Target groups that lead to AI work, with the load balancers before them."""

    name = "aws.elbv2"
    reads = ("elbv2:target-group",)
    with_them = ("elbv2:load-balancer",)

    def read(self, unit: Unit) -> Reading:
        """Both are listed, since one that is gone would fail a call that names others; the listeners
        and rules of a balancer are read only if it faces the internet."""
        client = self.clients.client("elbv2", unit.place.region)
        gaps, unread = Gaps(), Unread()
        listed = pages(unit.meter, client, "describe_target_groups", "TargetGroups")
        known = {str(group["TargetGroupArn"]): jsonable(group) for group in listed}
        stubs = {stub.native_id: stub for stub in unit.wanted}
        groups = {arn: known[arn] for arn in stubs if arn in known}
        before = _Before(self.clients, unit, groups.values(), unread)
        for arn, stub in stubs.items():
            if arn not in groups:
                yield replace(stub, presence=Presence.ABSENT, collector=self.name)
                continue
            group = self._group(stub, groups[arn], before)
            gaps.note([group])
            yield group
            yield from link(unit.place, stub.key, group.config, GROUP_OF_TARGETS)
        for arn, config in before.balancers.items():
            yield from self._balancer(unit, arn, config)
        return unread.ended(gaps)

    def _group(self, stub: Resource, config: _Config, before: _Before) -> Resource:
        found, doubt = before.open_listeners(stub.native_id, config)
        return replace(
            stub,
            name=str(config.get("TargetGroupName") or stub.name),
            config=config,
            facts={} if doubt else {"open_listeners": found},
            unknown={"facts.open_listeners": doubt} if doubt else {},
            presence=Presence.READ,
            collector=self.name,
        )

    def _balancer(self, unit: Unit, arn: str, config: _Config) -> Iterator[Collected]:
        target = _BALANCER(unit.place, arn)
        if target is None:
            return
        yield replace(
            target.stub,
            name=str(config.get("LoadBalancerName") or target.stub.name),
            config=config,
            presence=Presence.READ,
            collector=self.name,
        )
        yield from link(unit.place, target.stub.key, config, BALANCER)


class _Before:
    """The load balancers before some target groups, and who may come in through them."""

    def __init__(
        self, clients: Clients, unit: Unit, groups: Iterable[_Config], unread: Unread
    ) -> None:
        self._unread = unread
        self._refused = ""
        self._listeners: dict[str, list[_Config] | CallError] = {}
        self.balancers: dict[str, dict[str, Json]] = {}
        """ARN → its description, with the listeners of one that faces the internet."""
        client = clients.client("elbv2", unit.place.region)
        arns = {arn for group in groups for arn in _balancers_of(group)}
        try:
            found = pages(unit.meter, client, "describe_load_balancers", "LoadBalancers")
            for item in found if arns else ():
                if item["LoadBalancerArn"] in arns:
                    self.balancers[str(item["LoadBalancerArn"])] = jsonable(item)
        except CallError as error:
            unread.add(error)
            self._refused = error.unknown
        facing = [arn for arn, lb in self.balancers.items() if lb.get("Scheme") == OUTSIDE]
        listeners = side_by_side(facing, lambda arn: _listeners(client, unit, arn))
        for arn, listed in zip(facing, listeners, strict=True):
            self._listeners[arn] = listed
            if isinstance(listed, CallError):
                unread.add(listed)
            else:
                self.balancers[arn]["Listeners"] = [*listed]
        self._let_in = self._doors(clients, unit, [self.balancers[arn] for arn in facing])

    def open_listeners(self, group: str, config: _Config) -> tuple[list[Json], str]:
        """Listeners of all balancers before a group that let everybody in, or why that is unknown."""
        found: list[Json] = []
        doubt = self._refused
        for arn in _balancers_of(config):
            balancer, listeners = self.balancers.get(arn), self._listeners.get(arn, [])
            if balancer is None:
                continue
            let_in = self._doors_of(balancer)
            if isinstance(listeners, CallError):
                doubt = listeners.unknown
            elif isinstance(let_in, CallError):
                doubt = let_in.unknown
            else:
                found += open_listeners(group, balancer, listeners, let_in)
        return found, "" if found else doubt

    def _doors(
        self, clients: Clients, unit: Unit, balancers: list[dict[str, Json]]
    ) -> dict[str, list[Json]] | CallError:
        """Security group → what it opens to everybody."""
        names = {name for balancer in balancers for name in _groups_of(balancer)}
        try:
            found = Ec2Reads(clients, unit).named(
                "describe_security_groups", "SecurityGroups", "group-id", names
            )
            return {str(group["GroupId"]): open_ingress(group) for group in found}
        except CallError as error:
            self._unread.add(error)
            return error

    def _doors_of(self, balancer: _Config) -> list[_Config] | CallError | None:
        names = _groups_of(balancer)
        if not names or balancer.get("Scheme") != OUTSIDE:
            return None
        if isinstance(self._let_in, CallError):
            return self._let_in
        return [entry for name in names for entry in mappings(self._let_in.get(name))]


def _balancers_of(group: _Config) -> list[str]:
    return _texts(group.get("LoadBalancerArns"))


def _groups_of(balancer: _Config) -> list[str]:
    return _texts(balancer.get("SecurityGroups"))


def _texts(names: Json) -> list[str]:
    return [str(name) for name in names] if isinstance(names, list) else []


def _listeners(client: BaseClient, unit: Unit, arn: str) -> list[_Config] | CallError:
    """The listeners of a balancer, with their rules as far as those may be read."""
    found: list[_Config] = []
    try:
        listed = pages(unit.meter, client, "describe_listeners", "Listeners", LoadBalancerArn=arn)
        for item in listed:
            listener = jsonable(item)
            if listener.get("Protocol") in WITH_RULES:
                rules = pages(
                    unit.meter, client, "describe_rules", "Rules", ListenerArn=item["ListenerArn"]
                )
                listener["Rules"] = [jsonable(rule) for rule in rules]
            found.append(listener)
    except CallError as error:
        return error
    return found
