"""Container images: those in our own ECR with their repository and scan results, others by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from botocore.client import BaseClient

from collectors.aws.ecr_registry import Registry
from collectors.aws.ecr_repository import Repositories
from collectors.aws.ecr_scan import vulnerabilities
from collectors.aws.errors import CallError
from collectors.aws.framework_images import framework_images
from collectors.aws.images import ImageRef, image_facts, parse_image
from collectors.aws.session import GLOBAL, call, pages
from collectors.aws.subreads import Unread
from collectors.aws.units import AwsCollector, Ended, Gaps, Reading, Unit, side_by_side
from collectors.aws.values import jsonable
from collectors.images import NamedImage, named_images
from undercroft.model import Edge, Json, Presence, Resource
from undercroft.protocols import Collected, Meter, Scope, Target
from undercroft.relations import Relation

__all__ = ["EcrCollector"]

IMAGE_TYPES = ("ecr:image", "container:image")

_NO_REPOSITORY = "RepositoryNotFoundException"
_NO_IMAGE = frozenset({"ImageNotFoundException", _NO_REPOSITORY})
_NO_SCAN = frozenset({"ScanNotFoundException", "ImageNotFoundException"})
_PAGE = 1000
_SCANNED = frozenset({"COMPLETE", "ACTIVE"})
_LATEST = "latest"
_AWS_OWNED = "AWS does not let others read the scan results of its own images"
_THIRD_PARTY = "the image is in somebody else's registry, where its scan results cannot be read"


class EcrCollector(AwsCollector):
    """Stage 1: images that services run, one unit per region of our registries, one for the rest."""

    name = "aws.ecr"
    stage = 1
    service = "ecr"
    reads = IMAGE_TYPES
    with_them = ("ecr:repository", "ecr:registry")

    def targets(self, scope: Scope, wanted: Sequence[Resource]) -> Iterator[Target]:
        """Own images by registry and region; everybody else's together, without a region.

        A registry of ours whose account is not read itself may be open to the first that is.
        """
        accounts = self.accounts(scope)
        if not accounts:
            return
        first = next(iter(accounts))
        places: dict[tuple[str, str], list[Resource]] = {}
        for stub in wanted:
            if stub.type in self.reads:
                own = stub.facts.get("owner") == "own"
                account = stub.account if own and stub.account in accounts else first
                places.setdefault((account, stub.region if own else GLOBAL), []).append(stub)
        for (account, region), stubs in sorted(places.items()):
            yield self.target(accounts[account], region, scope, stubs)

    def read(self, unit: Unit) -> Reading:
        """Read every wanted image, with the repository it is in."""
        images = named_images(unit.wanted, lambda text: parse_image(text, unit.place.trusted))
        if unit.place.region == GLOBAL:
            for image in images:
                yield self._not_ours(image)
            return Ended()
        client = self.clients.client("ecr", unit.place.region)
        gaps, unread = Gaps(), Unread()
        repositories = Repositories(client, unit, [image.ref for image in images], self.name)

        def one(image: _Image) -> list[Collected] | tuple[Resource, CallError]:
            try:
                return list(self._own(image, repositories.registry(image.ref), client, unit.meter))
            except CallError as error:
                lost = replace(image.stub, unknown={"config": error.unknown}, collector=self.name)
                return lost, error

        present = []
        for image in images:
            outcome = repositories.outcome(image.ref)
            if isinstance(outcome, CallError):
                unread.add(outcome)
                yield replace(image.stub, unknown={"config": outcome.unknown}, collector=self.name)
            elif outcome is None:
                yield _absent(image, self.name)
            else:
                present.append(image)
        for item in repositories.collected():
            gaps.note([item])
            yield item
        for found in side_by_side(present, one):
            if isinstance(found, tuple):
                unread.add(found[1])
                yield found[0]
            else:
                gaps.note(found)
                yield from found
        for image in present:
            yield Edge(
                image.ref.key,
                repositories.key(image.ref),
                Relation.SAME_WORKLOAD,
                "repositoryName",
                detail=image.ref.detail,
            )
        return unread.ended(gaps)

    def _own(
        self, image: _Image, registry: Registry, client: BaseClient, meter: Meter
    ) -> Iterator[Collected]:
        facts: dict[str, Json] = {**image_facts(image.ref, image.references), "frameworks": []}
        unknown: dict[str, str] = {}
        details = list(_details(image, client, meter))
        if not details:
            yield _absent(image, self.name)
            return
        digests = list(dict.fromkeys(str(detail["imageDigest"]) for detail in details))
        scans = [_Scan.read(image.ref, digest, client, meter) for digest in digests]
        facts["scan"] = _summary(scans)
        unreadable = dict.fromkeys(scan.unknown for scan in scans if scan.unknown)
        listed = [entry for scan in scans for entry in scan.found]
        if unreadable and not listed:
            unknown["facts.vulnerabilities"] = "; ".join(unreadable)
        else:
            facts["vulnerabilities"] = listed
        if any(scan.denied for scan in scans):
            unknown["facts.scan"] = "; ".join(unreadable)
            del facts["scan"]
        signature, unsaid, said = registry.signature(image.ref.repository, digests, meter)
        facts.update(signature)
        unknown.update(unsaid)
        config: dict[str, Json] = {"imageDetails": jsonable(details)}
        if said:
            config["signingStatuses"] = said
        yield replace(
            image.stub,
            region=image.ref.region,
            config=config,
            facts=facts,
            unknown=unknown,
            presence=Presence.READ,
            collector=self.name,
        )

    def _not_ours(self, image: _Image) -> Resource:
        facts = image_facts(image.ref, image.references)
        facts["frameworks"] = list(framework_images(image.references))
        facts["scan"] = {"status": "", "completed_at": "", "source": "none"}
        why = _AWS_OWNED if image.ref.owner == "aws" else _THIRD_PARTY
        return replace(
            image.stub,
            facts=facts,
            unknown={"facts.vulnerabilities": why},
            presence=Presence.READ,
            collector=self.name,
        )


_Image: TypeAlias = NamedImage[ImageRef]


@dataclass(frozen=True, slots=True)
class _Scan:
    """What scanning says about one digest."""

    status: str
    completed_at: str = ""
    source: str = "none"
    found: tuple[dict[str, Json], ...] = ()
    unknown: str = ""
    denied: bool = False
    """The result may exist, but could not be read."""

    @classmethod
    def read(cls, ref: ImageRef, digest: str, client: BaseClient, meter: Meter) -> _Scan:
        """Every page of the scan findings. Basic and enhanced results come by the same call."""
        arguments: dict[str, Any] = {
            "registryId": ref.account,
            "repositoryName": ref.repository,
            "imageId": {"imageDigest": digest},
            "maxResults": _PAGE,
        }
        found: list[dict[str, Json]] = []
        status, completed, source = "", "", "basic"
        while True:
            try:
                page = call(meter, client, "describe_image_scan_findings", **arguments)
            except CallError as error:
                if error.code in _NO_SCAN:
                    return cls("NOT_SCANNED", unknown="the image has not been scanned")
                # A page that is missing may hold the worst of it.
                return cls(status, completed, source, (), error.unknown, denied=True)
            findings = page.get("imageScanFindings") or {}
            status = str((page.get("imageScanStatus") or {}).get("status") or status)
            completed = str(jsonable(findings.get("imageScanCompletedAt")) or completed)
            if "enhancedFindings" in findings or status == "ACTIVE":
                source = "enhanced"
            found += vulnerabilities(findings, digest)
            if not page.get("nextToken"):
                break
            arguments["nextToken"] = page["nextToken"]
        unknown = "" if status in _SCANNED else f"the last scan ended as {status or 'nothing'}"
        return cls(status, completed, source, tuple(found), unknown)


def _details(image: _Image, client: BaseClient, meter: Meter) -> Iterator[Mapping[str, Any]]:
    """``describe_images`` of every reference; a tag or digest that is gone has none."""
    asked: dict[tuple[str, str], dict[str, str]] = {}
    for reference in image.references:
        if reference.digest:
            asked["digest", reference.digest] = {"imageDigest": reference.digest}
        else:
            tag = reference.tag or _LATEST
            asked["tag", tag] = {"imageTag": tag}
    seen: set[str] = set()
    for identifier in asked.values():
        try:
            # One by one: an identifier that is gone would fail the others with it.
            for detail in pages(
                meter,
                client,
                "describe_images",
                "imageDetails",
                registryId=image.ref.account,
                repositoryName=image.ref.repository,
                imageIds=[identifier],
            ):
                if detail["imageDigest"] not in seen:
                    seen.add(detail["imageDigest"])
                    yield detail
        except CallError as error:
            if error.code not in _NO_IMAGE:
                raise


def _summary(scans: Sequence[_Scan]) -> dict[str, Json]:
    """The scan that says least: one unscanned digest leaves the image unscanned."""
    weakest = min(scans, key=lambda scan: (scan.status in _SCANNED, scan.completed_at))
    return {
        "status": weakest.status,
        "completed_at": weakest.completed_at,
        "source": weakest.source,
    }


def _absent(image: _Image, collector: str) -> Resource:
    facts = {**image_facts(image.ref, image.references), "exists": False}
    return replace(image.stub, presence=Presence.ABSENT, facts=facts, collector=collector)
