"""What Microsoft Defender knows: vulnerabilities of images and machines, and which plans are on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from collectors.azure.errors import ArmError
from collectors.azure.facts import mappings, strings
from collectors.azure.ids import parse_id
from collectors.azure.images import IMAGE, PUBLISHER, ImageRef, references_in
from collectors.azure.inventory import Inventory
from collectors.azure.units import NOWHERE, AzureCollector, Node, Unit, resource_of
from collectors.reading import Ended, Reading
from undercroft.model import Edge, Json, Layer, Resource
from undercroft.protocols import Meter, Target
from undercroft.relations import Relation

__all__ = ["ContainerImages", "DefenderPlans", "about_machine", "vulnerability"]

PLAN = "Microsoft.Security/pricings"


class DefenderPlans(AzureCollector):
    """The plans that something beneath an AI service should be under."""

    name = "azure.defender"
    reads = (PLAN,)

    def read(self, unit: Unit) -> Reading:
        """All plans of the subscription in one go; those that something named are kept."""
        rows = self.inventory.rows(unit.meter, "plans", unit.subscription)
        known = {str(row.get("name")).lower(): row for row in rows}
        missing = []
        for named in {stub.key: stub for stub in unit.wanted}.values():
            arm = parse_id(named.native_id)
            row = known.get(named.name.lower())
            if arm is None or row is None:
                missing.append(named.name)
                continue
            yield from resource_of(Node(arm, row, self.name))
        if missing:
            return Ended(f"Defender does not tell about: {', '.join(sorted(missing))}")
        return Ended()


class ContainerImages(AzureCollector):
    """Every image that something runs, with what Defender found in it."""

    name = "azure.images"
    reads = (IMAGE,)

    def _referenced(self, wanted: Sequence[Resource]) -> Iterator[Target]:
        images = tuple(stub for stub in wanted if stub.type == IMAGE)
        if images:
            yield Target(self.name, "azure", NOWHERE, NOWHERE, images)

    def read(self, unit: Unit) -> Reading:
        """Merge the references to each image, and look it up among the scan results."""
        stubs: dict[str, list[Resource]] = {}
        for stub in unit.wanted:
            stubs.setdefault(stub.key, []).append(stub)
        own = self.inventory.registries(unit.meter)
        unsure = self.inventory.knows(unit.meter, "Microsoft.ContainerRegistry/registries")
        trusted = {n.lower() for n in strings(self.arm.options.get("trusted_registries"))}
        lost = dict[str, ArmError]()
        for key, named in stubs.items():
            references = references_in(named)
            if not references:
                continue
            image = references[0]
            registry = parse_id(own.get(image.registry))
            node = _image(key, references, self.name)
            facts, unknown = dict(node.facts), dict[str, str]()
            if registry is not None or image.registry == PUBLISHER or image.registry in trusted:
                facts["trusted"] = True
            elif unsure:
                unknown["facts.trusted"] = unsure
            else:
                facts["trusted"] = False
            if registry is None:
                why = (
                    "not covered: Defender only looks into the container registries that were read"
                )
                unknown["facts.vulnerabilities"] = unknown["facts.scanned"] = why
            else:
                yield Edge(key, registry.key, Relation.LOADS_ARTIFACT_FROM, "image")
                try:
                    self._scanned(unit.meter, registry.subscription, references, facts, unknown)
                except ArmError as error:
                    lost[registry.subscription] = error
                    unknown["facts.vulnerabilities"] = unknown["facts.scanned"] = error.unknown
            account = registry.subscription if registry else NOWHERE
            yield replace(node, facts=facts, unknown=unknown, account=account)
        if lost:
            worst = next(iter(lost.values()))
            return Ended(f"scan results: {worst.reason}", worst.status)
        return Ended()

    def _scanned(
        self,
        meter: Meter,
        subscription: str,
        references: Sequence[ImageRef],
        facts: dict[str, Json],
        unknown: dict[str, str],
    ) -> None:
        """``scanned`` and ``vulnerabilities``. No result is no proof of health."""
        results = self._results(meter, subscription)
        image = references[0]
        rows = results.get((image.registry, image.repository.lower()), [])
        if not rows:
            plans = self.inventory.rows(meter, "plans", subscription)
            on = any(
                str(plan.get("name")).lower() == "containers"
                and _text(plan, "properties", "pricingTier").lower() == "standard"
                for plan in plans
            )
            why = "not scanned: Defender has no result for it"
            unknown["facts.vulnerabilities"] = why
            if on:
                unknown["facts.scanned"] = why
            else:
                facts["scanned"] = False
            return
        facts["scanned"] = True
        mine = [row for row in rows if any(_is_about(row, one) for one in references)]
        if not mine:
            why = "not scanned: Defender has results for other versions of it only"
            unknown["facts.vulnerabilities"] = why
            return
        found = {str(entry): entry for row in mine if (entry := vulnerability(row))}
        facts["vulnerabilities"] = list(found.values())

    def _results(
        self, meter: Meter, subscription: str
    ) -> dict[tuple[str, str], list[dict[str, Any]]]:
        found: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for row in self.inventory.rows(meter, "vulnerabilities", subscription):
            artifact = _data(row).get("artifactDetails")
            if isinstance(artifact, Mapping):
                place = (
                    str(artifact.get("registryHost")).lower(),
                    str(artifact.get("repositoryName")).lower(),
                )
                found.setdefault(place, []).append(row)
        return found


def about_machine(inventory: Inventory, meter: Meter, node: Node) -> None:
    """``vulnerabilities`` and ``updates_pending`` of a virtual machine."""
    arm = node.arm
    try:
        rows = inventory.rows(meter, "vulnerabilities", arm.subscription)
        plans = inventory.rows(meter, "plans", arm.subscription)
    except ArmError as error:
        node.unknown["facts.vulnerabilities"] = error.unknown
    else:
        mine = [row for row in rows if _machine_of(row) == arm.text.lower()]
        on = any(
            str(plan.get("name")).lower() == "virtualmachines"
            and _text(plan, "properties", "pricingTier").lower() == "standard"
            for plan in plans
        )
        if mine or on:
            node.facts["vulnerabilities"] = [e for row in mine if (e := vulnerability(row))]
        else:
            why = "not scanned: Defender's plan for servers is off"
            node.unknown["facts.vulnerabilities"] = why
    try:
        updates = inventory.rows(meter, "updates", arm.subscription)
    except ArmError as error:
        node.unknown["facts.updates_pending"] = error.unknown
        return
    states = [
        _text(row, "properties", "status", "code").lower()
        for row in updates
        if _machine_of(row) == arm.text.lower()
    ]
    if states:
        node.facts["updates_pending"] = "unhealthy" in states
    else:
        node.unknown["facts.updates_pending"] = "not assessed: Defender says nothing about it"


def vulnerability(row: Mapping[str, Any]) -> dict[str, Json] | None:
    """One sub-assessment as an entry of ``facts.vulnerabilities``; None if it names none."""
    data = _data(row)
    details = data.get("vulnerabilityDetails")
    said: Mapping[str, Any] = details if isinstance(details, Mapping) else {}
    name = _identifier(row, said, data)
    if not name:
        return None
    software = data.get("softwareDetails")
    package: Mapping[str, Any] = software if isinstance(software, Mapping) else {}
    severity = str(said.get("severity") or _text(row, "properties", "status", "severity")).lower()
    score, vector = _score(said.get("cvss") or data.get("cvss"))
    entry: dict[str, Json] = {
        "id": name,
        "severity": severity if severity in {"critical", "high", "medium", "low"} else "info",
        "package": str(package.get("packageName") or data.get("softwareName") or ""),
        "purl_type": _purl_type(str(package.get("language") or package.get("category") or "")),
        "installed": str(package.get("version") or data.get("softwareVersion") or ""),
        "fixed": str(package.get("fixedVersion") or ""),
        "cvss": score,
        "vector": vector,
    }
    exploit = said.get("exploitabilityAssessment")
    if isinstance(exploit, Mapping):
        entry["exploit_available"] = (
            exploit.get("exploitStepsPublished") is True or exploit.get("isInExploitKit") is True
        )
    status = str(package.get("fixStatus") or "")
    if status:
        entry["fix_available"] = status.lower() == "fixavailable"
    return entry


def _identifier(row: Mapping[str, Any], said: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    for candidate in (said.get("cveId"), _text(row, "properties", "id")):
        if isinstance(candidate, str) and candidate.upper().startswith(("CVE-", "GHSA-")):
            return candidate.upper()
    listed = mappings(data.get("cve"))
    first = listed[0].get("title") if listed else None
    return str(first).upper() if isinstance(first, str) and first.upper().startswith("CVE-") else ""


def _score(cvss: Any) -> tuple[float | None, str]:
    """The newest version's base score and vector."""
    if not isinstance(cvss, Mapping):
        return None, ""
    for version in sorted(cvss, reverse=True):
        quoted = cvss[version]
        if isinstance(quoted, Mapping) and isinstance(quoted.get("base"), int | float):
            vector = quoted.get("cvssVectorString") or quoted.get("vectorString")
            return float(quoted["base"]), str(vector or "")
    base = cvss.get("base")
    return (float(base), "") if isinstance(base, int | float) else (None, "")


_PURL = {
    "python": "pypi",
    "pip": "pypi",
    "node": "npm",
    "npm": "npm",
    "go": "golang",
    "java": "maven",
    "nuget": "nuget",
    "ruby": "gem",
    "rust": "cargo",
    "debian": "deb",
    "ubuntu": "deb",
    "alpine": "apk",
}


def _purl_type(text: str) -> str:
    return _PURL.get(text.lower(), "generic")


def _is_about(row: Mapping[str, Any], reference: ImageRef) -> bool:
    artifact = _data(row).get("artifactDetails")
    if not isinstance(artifact, Mapping):
        return False
    if reference.digest:
        return str(artifact.get("digest")).lower() == reference.digest
    return (reference.tag or "latest") in strings(artifact.get("tags"))


def _machine_of(row: Mapping[str, Any]) -> str:
    """The machine that a result is about: it says so, and its own id starts with it."""
    resource = _text(row, "properties", "resourceDetails", "Id") or _text(
        row, "properties", "resourceDetails", "id"
    )
    text = resource or str(row.get("id") or "").lower().split("/providers/microsoft.security/")[0]
    return text.lower()


def _data(row: Mapping[str, Any]) -> Mapping[str, Any]:
    properties = row.get("properties")
    data = properties.get("additionalData") if isinstance(properties, Mapping) else None
    return data if isinstance(data, Mapping) else {}


def _text(value: Any, *path: str) -> str:
    for step in path:
        if not isinstance(value, Mapping):
            return ""
        value = value.get(step)
    return value if isinstance(value, str) else ""


def _image(key: str, references: Sequence[ImageRef], collector: str) -> Resource:
    image = references[0]
    return Resource(
        key=key,
        provider="azure",
        account=NOWHERE,
        region=NOWHERE,
        type=IMAGE,
        layer=Layer.CONTAINER,
        name=image.repository,
        native_id=f"{image.registry}/{image.repository}",
        facts={
            "registry": image.registry,
            "repository": image.repository,
            "references": [one.reference for one in references],
        },
        collector=collector,
    )
