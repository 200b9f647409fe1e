"""Which target groups of load balancers lead to AI machines and clusters: nothing on those says so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from collectors.aws.arns import Place, named
from collectors.aws.errors import CallError
from collectors.aws.session import Clients, call, pages
from collectors.aws.subreads import tag_map
from collectors.aws.units import Unit, batches, side_by_side
from collectors.aws.values import mappings
from undercroft.model import Edge, Layer, Resource
from undercroft.relations import Relation

__all__ = ["TARGET_GROUP", "TargetGroups", "standing_behind"]

TARGET_GROUP = named("elasticloadbalancing", "targetgroup", "elbv2:target-group", Layer.NETWORK)

_MACHINES = ("instance", "ip")
_TAGS_AT_ONCE = 20
"""Resources that are asked for their tags together. Source: the API reference."""
_OF_CONTROLLER = "elbv2.k8s.aws/cluster"
_OF_CLOUD = "kubernetes.io/cluster/"
"""Tags by which Kubernetes knows its own: of the controller for load balancers, and of the older
part of Kubernetes itself."""


class TargetGroups:
    """The groups of one unit's region, listed once."""

    def __init__(self, clients: Clients, unit: Unit) -> None:
        self._client = clients.client("elbv2", unit.place.region)
        self._meter = unit.meter
        self._attached: list[Any] | None = None
        self._registered: dict[str, set[str]] = {}

    def of_instances(
        self, instances: Iterable[Mapping[str, Any]]
    ) -> dict[str, list[str]] | CallError:
        """Instance id → ARNs of the groups that lead to it, by its id or one of its addresses.

        Of the groups in the networks of ``instances`` it is asked what is registered.
        """
        known = {str(instance["InstanceId"]): instance for instance in instances}
        networks = {str(instance.get("VpcId")) for instance in known.values()}
        found: dict[str, list[str]] = {identifier: [] for identifier in known}
        try:
            groups = [
                str(group["TargetGroupArn"])
                for group in (self._groups() if known else ())
                if group.get("VpcId") in networks and group.get("TargetType") in _MACHINES
            ]
            new = [group for group in groups if group not in self._registered]
            self._registered.update(zip(new, side_by_side(new, self._targets), strict=True))
        except CallError as error:
            return error
        for identifier, instance in known.items():
            names = set(_names(instance))
            found[identifier] = [g for g in groups if not names.isdisjoint(self._registered[g])]
        return found

    def of_clusters(self, clusters: Iterable[str]) -> dict[str, list[str]] | CallError:
        """Cluster → ARNs of the groups that Kubernetes made for it, told by their tags."""
        found: dict[str, list[str]] = {name: [] for name in clusters}
        try:
            groups = [str(g["TargetGroupArn"]) for g in (self._groups() if found else ())]
            for batch in batches(groups, _TAGS_AT_ONCE):
                answer = call(self._meter, self._client, "describe_tags", ResourceArns=batch)
                for described in answer.get("TagDescriptions") or ():
                    for name in _clusters(tag_map(described.get("Tags"))) & found.keys():
                        found[name].append(str(described["ResourceArn"]))
        except CallError as error:
            return error
        return found

    def _groups(self) -> list[Any]:
        """Every group that a load balancer leads to; nobody gets anywhere through the others."""
        if self._attached is None:
            listed = pages(self._meter, self._client, "describe_target_groups", "TargetGroups")
            self._attached = [group for group in listed if group.get("LoadBalancerArns")]
        return self._attached

    def _targets(self, group: str) -> set[str]:
        answer = call(self._meter, self._client, "describe_target_health", TargetGroupArn=group)
        described = answer.get("TargetHealthDescriptions") or ()
        return {str((target.get("Target") or {}).get("Id")) for target in described}


def standing_behind(
    place: Place, key: str, groups: Iterable[str], via: str
) -> Iterator[Resource | Edge]:
    """The groups before something, and that it stands behind them."""
    for arn in groups:
        target = TARGET_GROUP(place, arn)
        if target is not None:
            yield target.stub
            yield Edge(key, target.stub.key, Relation.PROTECTED_BY, via)


def _names(instance: Mapping[str, Any]) -> Iterator[str]:
    """What an instance may be registered as."""
    yield str(instance["InstanceId"])
    for interface in mappings(instance.get("NetworkInterfaces")):
        for address in mappings(interface.get("PrivateIpAddresses")):
            yield str(address.get("PrivateIpAddress"))
        for address in mappings(interface.get("Ipv6Addresses")):
            yield str(address.get("Ipv6Address"))


def _clusters(tags: Mapping[str, str]) -> set[str]:
    names = {key.removeprefix(_OF_CLOUD) for key in tags if key.startswith(_OF_CLOUD)}
    return names | {tags[_OF_CONTROLLER]} if _OF_CONTROLLER in tags else names
