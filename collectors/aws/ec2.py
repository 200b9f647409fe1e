"""EC2: machines made for AI work, recognised by their image or their accelerator."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from collectors.aws.arns import Arn, Place, account_region, named, role
from collectors.aws.ec2_reads import Ec2Reads
from collectors.aws.errors import CallError
from collectors.aws.inspector import Inspector
from collectors.aws.network_facts import RouteTables, ways_out
from collectors.aws.references import INSTANCE
from collectors.aws.session import GLOBAL, Clients, call, pages
from collectors.aws.subreads import tag_map
from collectors.aws.target_groups import TargetGroups, standing_behind
from collectors.aws.units import (
    AwsCollector,
    Ended,
    Gaps,
    Reading,
    Unit,
    batches,
    once,
    side_by_side,
)
from collectors.aws.values import jsonable, mappings
from collectors.references import link
from undercroft.model import Certainty, CoverageStatus, Edge, Json, Layer, Resource
from undercroft.protocols import Collected
from undercroft.redact import secrets_in_script
from undercroft.relations import Relation

__all__ = ["ACCELERATED_FAMILY", "Ec2AiInstances"]

_ALIVE = [{"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}]
_DEEP_LEARNING = "Deep Learning "
"""How the names of AWS's Deep Learning AMIs begin."""
_NODES = named("eks", "nodegroup", "eks:nodegroup", Layer.VM)
_KNOWN_PUBLISHERS = ("amazon", "aws-marketplace")
_LISTED = ("enabled", "audit-mode")
"""States of the list of allowed images in which it says whom somebody has looked at."""
_ACCELERATORS = ("GpuInfo", "NeuronInfo", "InferenceAcceleratorInfo")
# Only used if instance types may not be described: accelerated families by their names.
ACCELERATED_FAMILY = re.compile(r"(?:p\d|g4dn|gr?[5-9]|trn\d|inf\d|dl\d)[a-z0-9-]*\.")


class Ec2AiInstances(AwsCollector):
    """Instances that run a Deep Learning AMI or carry an accelerator.

    Each is two resources: the synthetic service ``ec2:ai-instance`` (a row of the services list)
    and the ``ec2:instance`` that it runs on.
    """

    name = "aws.ec2"
    lists = ("ec2:ai-instance", "ec2:instance")

    def read(self, unit: Unit) -> Reading:
        """Every instance once; images and types of a batch with one call each."""
        client = self.clients.client("ec2", unit.place.region)
        lookup, inspector = _Lookup(self.clients, unit), Inspector(self.clients, unit)
        groups = TargetGroups(self.clients, unit)
        gaps, seen = Gaps(), set[tuple[str, str]]()
        reservations = pages(
            unit.meter, client, "describe_instances", "Reservations", page_size=1000, Filters=_ALIVE
        )
        instances = (item for reservation in reservations for item in reservation["Instances"])
        for batch in batches(instances):
            lookup.images_of(batch)
            lookup.types_of(batch)
            marked = [(item, marker) for item in batch if (marker := lookup.marker(item))]
            lookup.networks_of(item for item, _ in marked)
            before = groups.of_instances(item for item, _ in marked)
            ids = [str(item["InstanceId"]) for item, _ in marked]
            holes = inspector.of_instances(ids)
            scripts = side_by_side(ids, lookup.user_data)
            for (instance, marker), script in zip(marked, scripts, strict=True):
                known = holes[str(instance["InstanceId"])]
                behind = before if isinstance(before, CallError) else before[instance["InstanceId"]]
                found = list(self._instance(unit, lookup, instance, marker, known, script, behind))
                gaps.note(found)
                yield from once(found, seen)
        if lookup.images_error:
            reason = f"Deep Learning AMIs could not be told: {lookup.images_error.reason}"
            return Ended(reason, lookup.images_error.status)
        if lookup.types_error:
            reason = f"accelerators told by family name: {lookup.types_error.reason}"
            return Ended("; ".join(filter(None, [reason, gaps.sentence()])))
        return Ended(gaps.sentence())

    def _instance(
        self,
        unit: Unit,
        lookup: _Lookup,
        instance: Mapping[str, Any],
        marker: str,
        holes: list[dict[str, Json]] | str,
        script: list[dict[str, Json]] | str,
        behind: list[str] | CallError,
    ) -> Iterator[Collected]:
        place, config = unit.place, jsonable(instance)
        identifier = str(instance["InstanceId"])
        tags = tag_map(config.get("Tags"))
        unknown: dict[str, str] = {}
        facts: dict[str, Json] = {
            "ai_marker": marker,
            "public_ip": str(config.get("PublicIpAddress") or ""),
        }
        if isinstance(holes, str):
            unknown["facts.vulnerabilities"] = holes
        else:
            facts["vulnerabilities"] = holes
        if isinstance(script, str):
            unknown["facts.user_data_secrets"] = script
        else:
            facts["user_data_secrets"] = script
        if isinstance(behind, CallError):
            unknown["facts.target_groups"] = behind.unknown
            behind = []
        else:
            facts["target_groups"] = list(behind)
        outside = lookup.reachable(config)
        if isinstance(outside, CallError):
            unknown["facts.public_ipv6"] = outside.unknown
        else:
            facts["public_ipv6"] = outside
        if lookup.images_error:
            for path in ("config.Image", "facts.ami_found", "facts.ami_trusted"):
                unknown[path] = lookup.images_error.unknown
        else:
            image = lookup.images.get(str(instance.get("ImageId") or ""))
            facts["ami_found"] = image is not None
            if image is not None:
                config["Image"] = image
                trusted = lookup.trusts(image)
                if isinstance(trusted, CallError):
                    unknown["facts.ami_trusted"] = trusted.unknown
                else:
                    facts["ami_trusted"] = trusted
        roles = lookup.roles(str((config.get("IamInstanceProfile") or {}).get("Arn") or ""))
        if isinstance(roles, CallError):
            unknown["facts.roles"] = roles.unknown
            roles = []
        else:
            facts["roles"] = list(roles)
        machine = Resource(
            key=place.key("ec2", "instance", identifier),
            provider="aws",
            account=place.account,
            region=place.region,
            type="ec2:instance",
            layer=Layer.VM,
            name=tags.get("Name") or identifier,
            native_id=place.arn("ec2", f"instance/{identifier}"),
            tags=tags,
            config=config,
            facts=facts,
            unknown=unknown,
            collector=self.name,
        )
        kept = ("InstanceId", "InstanceType", "ImageId", "LaunchTime", "State")
        yield replace(
            machine,
            key=place.key("ec2", "ai-instance", identifier),
            type="ec2:ai-instance",
            layer=Layer.SERVICE,
            native_id=f"{machine.native_id}#ai-instance",
            config={name: config[name] for name in kept if name in config},
            facts={"ai_marker": marker},
            unknown={},
            service=True,
        )
        region = account_region(place)
        yield region
        yield machine
        service = place.key("ec2", "ai-instance", identifier)
        yield Edge(service, machine.key, Relation.RUNS_ON, "InstanceId")
        yield Edge(service, region.key, Relation.CONTAINED_IN, "region", Certainty.DEFAULT)
        yield from link(place, machine.key, config, INSTANCE)
        yield from _node(place, machine, tags)
        yield from standing_behind(place, machine.key, behind, "TargetHealthDescriptions[].Target")
        for arn in roles:
            target = role(place, arn)
            if target is not None:
                yield target.stub
                yield Edge(
                    machine.key, target.stub.key, Relation.USES_IDENTITY, "IamInstanceProfile.Arn"
                )


class _Lookup:
    """What instances refer to, each asked for once per unit."""

    def __init__(self, clients: Clients, unit: Unit) -> None:
        self._unit = unit
        self._ec2 = clients.client("ec2", unit.place.region)
        self._clients = clients
        self.images: dict[str, Mapping[str, Json] | None] = {}
        self.images_error: CallError | None = None
        self.types_error: CallError | None = None
        self._accelerated: dict[str, bool] = {}
        self._providers: set[str] | CallError | None = None
        self._roles: dict[str, list[str] | CallError] = {}
        self._subnets: dict[str, Mapping[str, Json]] = {}
        self._tables: RouteTables | CallError = RouteTables(())

    def images_of(self, instances: Iterable[Mapping[str, Any]]) -> None:
        """Look up the AMIs of ``instances``; one that is gone is known as None.

        By filter: a call by id fails as a whole for one id that no longer exists.
        """
        ids = sorted({str(i["ImageId"]) for i in instances if i.get("ImageId")} - set(self.images))
        if not ids or self.images_error:
            return
        try:
            found = pages(
                self._unit.meter,
                self._ec2,
                "describe_images",
                "Images",
                page_size=1000,
                Filters=[{"Name": "image-id", "Values": ids}],
                IncludeDeprecated=True,
            )
            known = {str(image["ImageId"]): jsonable(image) for image in found}
        except CallError as error:
            self.images_error = error
            return
        self.images.update({identifier: known.get(identifier) for identifier in ids})

    def trusts(self, image: Mapping[str, Json]) -> bool | CallError:
        """Whether the publisher of an image is an account of ours, or one that the region's list of
        allowed images names; that is asked for once, if there is an image of a stranger."""
        owner = str(image.get("OwnerId") or "")
        if owner in self._unit.place.trusted or image.get("ImageOwnerAlias") in _KNOWN_PUBLISHERS:
            return owner in self._unit.place.trusted
        if self._providers is None:
            self._providers = self._allowed()
        return (
            self._providers if isinstance(self._providers, CallError) else owner in self._providers
        )

    def _allowed(self) -> set[str] | CallError:
        """Accounts whose images the region allows; nobody where the list is off."""
        try:
            answer = call(self._unit.meter, self._ec2, "get_allowed_images_settings")
        except CallError as error:
            return error
        criteria = mappings(answer.get("ImageCriteria")) if answer.get("State") in _LISTED else ()
        named = [criterion.get("ImageProviders") for criterion in criteria]
        return {str(name) for names in named if isinstance(names, list) for name in names}

    def types_of(self, instances: Iterable[Mapping[str, Any]]) -> None:
        """Look up which instance types carry an accelerator."""
        names = sorted(
            {str(i["InstanceType"]) for i in instances if i.get("InstanceType")}
            - set(self._accelerated)
        )
        if not names or self.types_error:
            return
        try:
            for found in pages(
                self._unit.meter,
                self._ec2,
                "describe_instance_types",
                "InstanceTypes",
                Filters=[{"Name": "instance-type", "Values": names}],
            ):
                kind = str(found["InstanceType"])
                self._accelerated[kind] = any(found.get(field) for field in _ACCELERATORS)
        except CallError as error:
            self.types_error = error

    def marker(self, instance: Mapping[str, Any]) -> str:
        """``dlami``, ``accelerator``, or empty for an ordinary machine."""
        image = self.images.get(str(instance.get("ImageId") or "")) or {}
        if str(image.get("Name") or "").startswith(_DEEP_LEARNING):
            return "dlami"
        kind = str(instance.get("InstanceType") or "")
        accelerated = self._accelerated.get(kind)
        if accelerated is None:
            # Not described: no longer offered in this region, or denied.
            accelerated = ACCELERATED_FAMILY.match(kind) is not None
        return "accelerator" if accelerated else ""

    def user_data(self, instance: str) -> list[dict[str, Json]] | str:
        """What secrets the start script of an instance holds, or why that is unknown.

        The script itself goes nowhere.
        """
        try:
            answer = call(
                self._unit.meter,
                self._ec2,
                "describe_instance_attribute",
                InstanceId=instance,
                Attribute="userData",
            )
        except CallError as error:
            return error.unknown
        script = str((answer.get("UserData") or {}).get("Value") or "")
        found = secrets_in_script(script) if script else []
        return f"{CoverageStatus.ERROR}: the user data is not text" if found is None else found

    def networks_of(self, instances: Iterable[Mapping[str, Any]]) -> None:
        """Look up how the subnets are routed in which one of ``instances`` has an IPv6 address."""
        reads = Ec2Reads(self._clients, self._unit)
        addressed = {
            subnet: str(instance.get("VpcId"))
            for instance in instances
            for _, subnet in _ipv6(instance)
        }
        if not addressed:
            return
        try:
            subnets = reads.named("describe_subnets", "Subnets", "subnet-id", addressed)
            self._subnets |= {str(subnet["SubnetId"]): subnet for subnet in subnets}
            vpcs = set(addressed.values())
            tables = reads.named("describe_route_tables", "RouteTables", "vpc-id", vpcs)
            self._tables = RouteTables(tables)
        except CallError as error:
            self._tables = error

    def reachable(self, instance: Mapping[str, Json]) -> list[Json] | CallError:
        """The IPv6 addresses of an instance in subnets that an internet gateway serves.

        (Every IPv4 address that can be reached from outside is stated on the instance.)
        """
        found: list[Json] = []
        for address, name in _ipv6(instance):
            if isinstance(self._tables, CallError):
                return self._tables
            subnet = self._subnets.get(name, {})
            table = self._tables.of(subnet) or {}
            if any(way.kind == "internet-gateway" for way in ways_out(subnet, table)):
                found.append(address)
        return found

    def roles(self, profile_arn: str) -> list[str] | CallError:
        """Role ARNs of an instance profile; empty without a profile or if it is gone."""
        arn = Arn.parse(profile_arn)
        if arn is None:
            return []
        if profile_arn not in self._roles:
            name = arn.name.rpartition("/")[2]
            try:
                answer = call(
                    self._unit.meter,
                    self._clients.client("iam", GLOBAL),
                    "get_instance_profile",
                    InstanceProfileName=name,
                )
                self._roles[profile_arn] = [
                    str(item["Arn"]) for item in answer["InstanceProfile"].get("Roles", ())
                ]
            except CallError as error:
                self._roles[profile_arn] = [] if error.code == "NoSuchEntity" else error
        return self._roles[profile_arn]


def _node(place: Place, machine: Resource, tags: Mapping[str, str]) -> Iterator[Collected]:
    """The group of Kubernetes nodes that a machine is one of, by the tags that EKS gives it."""
    cluster, group = tags.get("eks:cluster-name"), tags.get("eks:nodegroup-name")
    if cluster and group:
        nodes = _NODES(place, f"{cluster}/{group}")
        if nodes is not None:
            yield nodes.stub
            yield Edge(nodes.stub.key, machine.key, Relation.RUNS_ON, "Tags[eks:nodegroup-name]")


def _ipv6(instance: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each IPv6 address of an instance, and the subnet it is in."""
    for interface in mappings(instance.get("NetworkInterfaces")):
        for address in mappings(interface.get("Ipv6Addresses")):
            yield str(address.get("Ipv6Address")), str(interface.get("SubnetId"))
