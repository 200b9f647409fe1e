"""Container images: what Artifact Analysis found in ours, and the repositories they are in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from collectors.gcp import names
from collectors.gcp.clients import Clients, name_in_path
from collectors.gcp.errors import CallError
from collectors.gcp.images import ImageRef, image_facts, parse_image
from collectors.gcp.names import IMAGE
from collectors.gcp.occurrences import summary, vulnerabilities
from collectors.gcp.policies import Policies
from collectors.gcp.units import GLOBAL, GcpCollector, Unit, Unread, labels_of
from collectors.images import NamedImage, named_images
from collectors.reading import Ended, Gaps, Reading, side_by_side
from collectors.references import Reference, link
from undercroft.identity import gcp_key
from undercroft.model import Edge, Json, Layer, Presence, Resource
from undercroft.protocols import Collected, Meter, Scope, Target
from undercroft.relations import Relation

__all__ = ["REPOSITORY", "ImageCollector"]

REPOSITORY = "artifactregistry.googleapis.com/Repository"
_PAGE = 1000
_GOOGLES = "Google does not let others read the scan results of its own images"
_THIRD_PARTY = "the image is in somebody else's registry, where its scan results cannot be read"
_REFERENCES = (Reference("kmsKeyName", names.crypto_key, Relation.ENCRYPTED_WITH),)


_Image: TypeAlias = NamedImage[ImageRef]


class ImageCollector(GcpCollector):
    """A unit per project with a registry of ours, and one for everybody else's images."""

    name = "gcp.artifacts"
    reads = (IMAGE,)

    def __init__(self, clients: Clients) -> None:
        super().__init__(clients)
        self._policies = Policies(clients)

    def targets(self, scope: Scope, wanted: Sequence[Resource]) -> Iterator[Target]:
        """Ours by project; others need no call at all."""
        yield from super().targets(scope, wanted)
        try:
            known = {project.id for project in self.projects.in_scope(scope, Meter())}
        except CallError:
            return
        others = tuple(s for s in wanted if s.type == IMAGE and s.account not in known)
        if others:
            yield Target(self.name, "gcp", GLOBAL, GLOBAL, others, scope.options)

    def unit(self, target: Target, meter: Meter) -> Unit:
        """Everybody else's images belong to no project of the scan."""
        if target.scope != GLOBAL:
            return super().unit(target, meter)
        first = self.projects.in_scope(Scope("gcp"), meter)[0]
        unit = super().unit(replace(target, scope=first.id), meter)
        return replace(unit, place=replace(unit.place, project=GLOBAL))

    def read(self, unit: Unit) -> Reading:
        """Read every wanted image, with the repository it is in."""
        images = named_images(unit.wanted, lambda text: parse_image(text, unit.place.own))
        if unit.place.project == GLOBAL:
            for image in images:
                yield self._not_ours(image)
            return Ended()
        gaps, unread = Gaps(), Unread()
        for repository in side_by_side(
            sorted({image.ref.store for image in images if image.ref.store}),
            lambda store: self._repository(store, unit),
        ):
            if isinstance(repository, CallError):
                unread.add(repository)
            else:
                gaps.note(repository)
                yield from repository

        def one(image: _Image) -> list[Collected] | tuple[Resource, CallError]:
            try:
                return [self._own(image, unit)]
            except CallError as error:
                lost = replace(image.stub, unknown={"config": error.unknown}, collector=self.name)
                return lost, error

        for image, found in zip(images, side_by_side(images, one), strict=True):
            if isinstance(found, tuple):
                unread.add(found[1])
                yield found[0]
                continue
            gaps.note(found)
            yield from found
            if image.ref.store:
                yield Edge(
                    image.ref.key, _repository_key(image.ref.store), Relation.CONTAINED_IN, "name"
                )
        return unread.ended(gaps)

    def _repository(self, store: str, unit: Unit) -> list[Collected] | CallError:
        """A repository, or why it cannot be read; one that is gone is no error."""
        path = f"/v1/{'/'.join(name_in_path(part) for part in store.split('/'))}"
        project, location, name = store.split("/")[1::2]
        native = f"//artifactregistry.googleapis.com/{store}"
        stub = Resource(
            key=_repository_key(store),
            provider="gcp",
            account=project,
            region=location,
            type=REPOSITORY,
            layer=Layer.CONTAINER,
            name=name,
            native_id=native,
            presence=Presence.STUB,
            collector=self.name,
        )
        try:
            config: dict[str, Any] = self.clients.get(unit.meter, "artifactregistry", path)
        except CallError as error:
            if error.missing:
                return [replace(stub, presence=Presence.ABSENT, facts={"exists": False})]
            return error
        unknown: dict[str, str] = {}
        self._policies.attach_or_ask(
            project, native, unit.meter, config, unknown,
            ("artifactregistry", f"{path}:getIamPolicy"),
        )  # fmt: skip
        created = config.get("createTime")
        return [
            replace(
                stub,
                tags=labels_of(config),
                config=config,
                unknown=unknown,
                incarnation=created if isinstance(created, str) else None,
                presence=Presence.READ,
            ),
            *link(unit.place, stub.key, config, _REFERENCES),
        ]  # fmt: skip

    def _own(self, image: _Image, unit: Unit) -> Resource:
        digests = {ref.digest: None for ref in image.references if ref.digest}
        for ref in image.references:
            if not ref.digest and (digest := self._resolve(ref, unit.meter)):
                digests[digest] = None
        facts = image_facts(image.ref, image.references)
        if not digests:
            return replace(
                image.stub,
                presence=Presence.ABSENT,
                facts={**facts, "exists": False},
                collector=self.name,
            )
        found: list[dict[str, Any]] = []
        for digest in digests:
            address = f"https://{image.ref.registry}/{image.ref.repository}@{digest}"
            path = f"/v1/projects/{name_in_path(unit.place.project)}/occurrences"
            found += self.clients.pages(
                unit.meter, "containeranalysis", path, "occurrences",
                filter=f'resourceUrl="{address}"', pageSize=_PAGE,
            )  # fmt: skip
        scan = summary(found, list(digests))
        facts["scan"] = scan
        unknown: dict[str, str] = {}
        listed: list[Json] = [*vulnerabilities(found)]
        if listed or scan["status"] == "FINISHED_SUCCESS":
            facts["vulnerabilities"] = listed
        else:
            unknown["facts.vulnerabilities"] = "the image has not been scanned to the end"
        facts["image_secrets"] = sum(entry.get("kind") == "SECRET" for entry in found)
        return replace(
            image.stub,
            config={"digests": list(digests)},
            facts=facts,
            unknown=unknown,
            presence=Presence.READ,
            collector=self.name,
        )

    def _resolve(self, ref: ImageRef, meter: Meter) -> str:
        """The digest that a tag points to; empty if there is no such tag."""
        if not ref.store:
            return ""
        path = "/".join(name_in_path(part) for part in ref.store.split("/"))
        package, tag = name_in_path(ref.package), name_in_path(ref.tag or "latest")
        try:
            answer = self.clients.get(
                meter, "artifactregistry", f"/v1/{path}/packages/{package}/tags/{tag}"
            )
        except CallError as error:
            if error.missing:
                return ""
            raise
        return str(answer.get("version") or "").rpartition("/versions/")[2]

    def _not_ours(self, image: _Image) -> Resource:
        facts = image_facts(image.ref, image.references)
        facts["scan"] = {"status": "", "completed_at": "", "source": "none"}
        why = _GOOGLES if image.ref.owner == "google" else _THIRD_PARTY
        return replace(
            image.stub,
            facts=facts,
            unknown={"facts.vulnerabilities": why, "facts.image_secrets": why},
            presence=Presence.READ,
            collector=self.name,
        )


def _repository_key(store: str) -> str:
    project, location, name = store.split("/")[1::2]
    return gcp_key(project, "artifactregistry", location, "repositories", name)
