"""Compute Engine: the machines beneath notebooks, machines that do AI themselves, and their doors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from collectors.gcp import names
from collectors.gcp.clients import Clients, name_in_path
from collectors.gcp.doors import door_facts, lets_in
from collectors.gcp.errors import CallError
from collectors.gcp.names import Place, compute, parse_network, service_account
from collectors.gcp.reports import Reports
from collectors.gcp.units import GcpCollector, Unit, Unread, in_project, labels_of
from collectors.reading import Gaps, Reading, once
from collectors.references import Reference, link
from collectors.values import find, mappings
from undercroft.identity import gcp_key
from undercroft.model import Edge, Json, Layer, Presence, Resource
from undercroft.protocols import Collected, Meter, Scope, Target
from undercroft.relations import Relation

__all__ = ["AI_MACHINE", "DISK", "FIREWALL", "INSTANCE", "MachineCollector"]

AI_MACHINE = "x-gcp/ai-instance"
"""A virtual machine that does AI of its own account: the row, with the machine beneath it."""
INSTANCE = "compute.googleapis.com/Instance"
DISK = "compute.googleapis.com/Disk"
FIREWALL = "compute.googleapis.com/Firewall"
_PAGE = 500
_DEEP_LEARNING = "projects/deeplearning-platform-release/"

_REFERENCES = (
    Reference("serviceAccounts[].email", service_account, Relation.USES_IDENTITY),
    Reference("disks[].source", compute("disks"), Relation.RUNS_ON),
    Reference("disks[].diskEncryptionKey.kmsKeyName", names.crypto_key, Relation.ENCRYPTED_WITH),
    Reference("networkInterfaces[].network", compute("networks"), Relation.PROTECTED_BY),
    Reference("networkInterfaces[].subnetwork", compute("subnetworks"), Relation.PROTECTED_BY),
)
_DISK_REFERENCES = (
    Reference("diskEncryptionKey.kmsKeyName", names.crypto_key, Relation.ENCRYPTED_WITH),
)


class MachineCollector(GcpCollector):
    """A unit per project: three lists answer for all zones."""

    name = "gcp.compute"
    api = "compute"
    lists = (AI_MACHINE,)

    def __init__(self, clients: Clients) -> None:
        super().__init__(clients)
        self._reports = Reports(clients)

    def targets(self, scope: Scope, wanted: Sequence[Resource]) -> Iterator[Target]:
        """Every project, each with the machines that are known to be beneath something."""
        for target in super().targets(scope, wanted):
            stubs = [s for s in wanted if s.type == INSTANCE and s.account == target.scope]
            yield replace(target, wanted=tuple(stubs))

    def read(self, unit: Unit) -> Reading:
        """Machines, then the disks and the firewall rules that they have to do with."""
        gaps, unread, seen = Gaps(), Unread(), set[tuple[str, str]]()
        path = f"/compute/v1/projects/{name_in_path(unit.place.project)}"
        wanted = {stub.key: stub for stub in unit.wanted}
        chosen: list[Resource] = []
        for item in self._aggregated(unit, "instances"):
            resource = self._machine(unit, item, path)
            ai = _does_ai(item) and unit.covers(resource.region)
            if resource.key not in wanted and not ai:
                continue
            resource = self._with_report(unit, resource)
            chosen.append(resource)
            found: list[Collected] = [
                resource, *link(unit.place, resource.key, resource.config, _REFERENCES)
            ]  # fmt: skip
            if wanted.pop(resource.key, None) is None:
                found += _row(resource)
            gaps.note(found)
            yield from once(found, seen)
        for stub in wanted.values():
            yield replace(
                stub, presence=Presence.ABSENT, facts={"exists": False}, collector=self.name
            )
        yield from self._disks(unit, chosen, unread)
        yield from self._doors(unit, chosen, unread)
        return unread.ended(gaps)

    def _aggregated(self, unit: Unit, collection: str) -> Iterator[dict[str, Any]]:
        path = f"/compute/v1/projects/{name_in_path(unit.place.project)}/aggregated/{collection}"
        pages = self.clients.whole_pages(
            unit.meter, "compute", path, maxResults=_PAGE, returnPartialSuccess="true"
        )
        for page in pages:
            scopes = page.get("items")
            for entry in scopes.values() if isinstance(scopes, Mapping) else ():
                yield from mappings(entry.get(collection) if isinstance(entry, Mapping) else None)  # type: ignore[misc]

    def _machine(self, unit: Unit, item: Mapping[str, Any], path: str) -> Resource:
        zone = str(item.get("zone") or "-").rpartition("/")[2]
        name = str(item.get("name"))
        unknown: dict[str, str] = {}
        facts: dict[str, Json] = {"external_ip": _has_address(item), "ai_host": _does_ai(item)}
        try:
            project = self.clients.remember(
                ("compute project", unit.place.project),
                lambda: self.clients.get(unit.meter, "compute", path),
            )
        except CallError as error:
            unknown["facts.os_login"] = unknown["facts.project_ssh_keys"] = error.unknown
            if (said := _metadata(item).get("enable-oslogin")) is not None:
                facts["os_login"] = said.lower() == "true"
                del unknown["facts.os_login"]
        else:
            common = _metadata({"metadata": project.get("commonInstanceMetadata")})
            said = _metadata(item).get("enable-oslogin", common.get("enable-oslogin", ""))
            facts["os_login"] = said.lower() == "true"
            facts["project_ssh_keys"] = bool(common.get("ssh-keys") or common.get("sshKeys"))
        created = item.get("id")
        return Resource(
            key=gcp_key(unit.place.project, "compute", zone, "instances", name),
            provider="gcp",
            account=unit.place.project,
            region=zone,
            type=INSTANCE,
            layer=Layer.VM,
            name=name,
            native_id=f"//compute.googleapis.com/projects/{unit.place.project}/zones/{zone}/instances/{name}",
            tags=labels_of(item),
            config=item,
            facts=facts,
            unknown=unknown,
            incarnation=str(created) if created else None,
            collector=self.name,
        )

    def _with_report(self, unit: Unit, machine: Resource) -> Resource:
        facts, unknown = dict(machine.facts), dict(machine.unknown)
        self._reports.attach(
            unit.place.project, machine.region, machine.config, unit.meter, facts, unknown
        )
        return replace(machine, facts=facts, unknown=unknown)

    def _disks(
        self, unit: Unit, machines: Sequence[Resource], unread: Unread
    ) -> Iterator[Collected]:
        wanted = {
            target.stub.key: target.stub
            for machine in machines
            for _, source in find(machine.config, "disks[].source")
            if isinstance(source, str) and (target := compute("disks")(unit.place, source))
        }
        if not wanted:
            return
        try:
            for item in self._aggregated(unit, "disks"):
                link_text = str(item.get("selfLink") or "")
                target = compute("disks")(unit.place, link_text) or _disk(unit.place, item)
                if target is None or target.stub.key not in wanted:
                    continue
                yield replace(target.stub, config=item, presence=Presence.READ, collector=self.name)
                yield from link(unit.place, target.stub.key, item, _DISK_REFERENCES)
        except CallError as error:
            unread.add(error)
            for stub in wanted.values():
                yield replace(stub, unknown={"config": error.unknown}, collector=self.name)

    def _doors(
        self, unit: Unit, machines: Sequence[Resource], unread: Unread
    ) -> Iterator[Collected]:
        """Firewall rules that let somebody in to one of the machines, each with whom it lets in to."""
        projects = {
            key.split("/")[1]
            for machine in machines
            for key in _networks(unit.place, machine.config)
        }
        for project in sorted(projects):
            try:
                rules = self._firewalls(project, unit.meter)
            except CallError as error:
                # A host project of a shared network may belong to others.
                unread.add(error)
                continue
            for rule in rules:
                yield from self._door(unit.place, project, rule, machines)

    def _firewalls(self, project: str, meter: Meter) -> list[dict[str, Any]]:
        path = f"/compute/v1/projects/{name_in_path(project)}/global/firewalls"
        return self.clients.remember(
            ("firewalls", project),
            lambda: list(self.clients.pages(meter, "compute", path, "items", maxResults=_PAGE)),
        )

    def _door(
        self, place: Place, project: str, rule: Mapping[str, Any], machines: Sequence[Resource]
    ) -> Iterator[Collected]:
        network = parse_network(Place(project), str(rule.get("network") or ""))
        behind = [
            machine
            for machine in machines
            if network in _networks(place, machine.config) and lets_in(rule, machine.config)
        ]
        if not behind:
            return
        name = str(rule.get("name"))
        door = Resource(
            key=gcp_key(project, "compute", "-", "firewalls", name),
            provider="gcp",
            account=project,
            region="-",
            type=FIREWALL,
            layer=Layer.NETWORK,
            name=name,
            native_id=f"//compute.googleapis.com/projects/{project}/global/firewalls/{name}",
            config=rule,
            facts=door_facts(
                rule, [machine.facts.get("external_ip") is True for machine in behind]
            ),
            incarnation=str(rule["id"]) if rule.get("id") else None,
            collector=self.name,
        )
        yield door
        for machine in behind:
            yield Edge(machine.key, door.key, Relation.PROTECTED_BY, "networkInterfaces[0].network")


def _row(machine: Resource) -> Iterator[Collected]:
    """The AI service that a machine is by itself."""
    row = replace(
        machine,
        key=machine.key.replace("/instances/", "/aiInstances/"),
        type=AI_MACHINE,
        layer=Layer.SERVICE,
        config={
            name: machine.config[name]
            for name in ("machineType", "status", "guestAccelerators")
            if name in machine.config
        },
        facts={},
        unknown={},
        service=True,
    )
    yield row
    yield Edge(row.key, machine.key, Relation.SAME_WORKLOAD, "name")
    yield from in_project(row)


def _does_ai(item: Mapping[str, Any]) -> bool:
    """Accelerators, or a deep-learning image; a cluster's node belongs to its cluster."""
    labels = item.get("labels")
    if isinstance(labels, Mapping) and "goog-gke-node" in labels:
        return False
    if item.get("guestAccelerators"):
        return True
    return any(
        _DEEP_LEARNING in str(license_)
        for disk in mappings(item.get("disks"))
        for license_ in _texts(disk.get("licenses"))
    )


def _has_address(item: Mapping[str, Any]) -> bool:
    return any(
        access.get("natIP") or access.get("externalIpv6")
        for card in mappings(item.get("networkInterfaces"))
        for access in (
            *mappings(card.get("accessConfigs")),
            *mappings(card.get("ipv6AccessConfigs")),
        )
    )


def _metadata(item: Mapping[str, Any]) -> dict[str, str]:
    metadata = item.get("metadata")
    listed = metadata.get("items") if isinstance(metadata, Mapping) else None
    return {str(entry.get("key")): str(entry.get("value") or "") for entry in mappings(listed)}


def _networks(place: Place, config: Mapping[str, Json]) -> set[str]:
    found = (
        parse_network(place, str(network))
        for _, network in find(config, "networkInterfaces[].network")
    )
    return {key for key in found if key}


def _disk(place: Place, item: Mapping[str, Any]) -> Any:
    zone = str(item.get("zone") or "").rpartition("/")[2]
    return compute("disks")(
        place, f"projects/{place.project}/zones/{zone}/disks/{item.get('name')}"
    )


def _texts(value: Any) -> Iterable[str]:
    return [str(item) for item in value] if isinstance(value, list) else []
