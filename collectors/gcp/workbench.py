"""Workbench: notebooks on virtual machines of the project, and the deprecated kinds before them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from collectors.gcp import names
from collectors.gcp.clients import Clients, items, name_in_path
from collectors.gcp.errors import CallError
from collectors.gcp.names import Place, compute, parse_name, service_account
from collectors.gcp.policies import Policies
from collectors.gcp.prebuilt import prebuilt_images
from collectors.gcp.units import GcpCollector, Unit, in_project, labels_of, part
from collectors.reading import Ended, Gaps, Reading
from collectors.references import Reference, link
from collectors.values import find, mappings
from undercroft.identity import gcp_key
from undercroft.model import Certainty, CoverageStatus, Edge, Json, Layer, Resource
from undercroft.protocols import Collected
from undercroft.relations import Relation

__all__ = ["LEGACY", "WORKBENCH", "WorkbenchCollector"]

WORKBENCH = "notebooks.googleapis.com/Instance"
LEGACY = "x-gcp/legacy-notebook-instance"
"""A notebook of the first API: Google gives it the type of its successor, but not its fields."""
RUNTIME = "notebooks.googleapis.com/Runtime"
_PAGE = 500
_EVERY_START = "DOWNLOAD_AND_RUN_EVERY_START"
_DATED = re.compile(r"-(20\d{2})(0[1-9]|1[0-2])([0-3]\d)(?:-|$)")

_NETWORKS = (
    Reference("gceSetup.networkInterfaces[].network", compute("networks"), Relation.PROTECTED_BY),
    Reference("gceSetup.networkInterfaces[].subnet", compute("subnetworks"), Relation.PROTECTED_BY),
)
_REFERENCES = (
    Reference("gceSetup.serviceAccounts[].email", service_account, Relation.USES_IDENTITY),
    Reference("gceSetup.bootDisk.kmsKey", names.crypto_key, Relation.ENCRYPTED_WITH),
    Reference("gceSetup.dataDisks[].kmsKey", names.crypto_key, Relation.ENCRYPTED_WITH),
    Reference(
        "gceSetup.metadata.post-startup-script", names.bucket_address, Relation.LOADS_ARTIFACT_FROM
    ),
    Reference("gceSetup.metadata.gcs-data-bucket", names.bucket, Relation.READS_DATA_FROM),
    *_NETWORKS,
)
_LEGACY_REFERENCES = (
    Reference("serviceAccount", service_account, Relation.USES_IDENTITY),
    Reference("postStartupScript", names.bucket_address, Relation.LOADS_ARTIFACT_FROM),
    Reference("network", compute("networks"), Relation.PROTECTED_BY),
    Reference("subnet", compute("subnetworks"), Relation.PROTECTED_BY),
    Reference(
        "virtualMachine.virtualMachineConfig.network", compute("networks"), Relation.PROTECTED_BY
    ),
    Reference(
        "virtualMachine.virtualMachineConfig.encryptionConfig.kmsKey",
        names.crypto_key, Relation.ENCRYPTED_WITH,
    ),
)  # fmt: skip


class WorkbenchCollector(GcpCollector):
    """All notebooks of a project: one call answers for all zones."""

    name = "gcp.workbench"
    api = "notebooks"
    lists = (WORKBENCH, LEGACY, RUNTIME)

    def __init__(self, clients: Clients) -> None:
        super().__init__(clients)
        self._policies = Policies(clients)

    def read(self, unit: Unit) -> Reading:
        """The three lists; zones that did not answer are told."""
        gaps, silent = Gaps(), set[str]()
        for item in self._list(unit, "v2", "instances", silent):
            for found in self._instance(unit, item):
                gaps.note([found])
                yield found
        for collection, kind in (("instances", LEGACY), ("runtimes", RUNTIME)):
            try:
                for item in self._list(unit, "v1", collection, silent):
                    yield from self._legacy(unit, kind, collection, item)
            except CallError as error:
                unit.lists.remove(kind)
                # The first API may be gone any day.
                if not error.not_offered:
                    yield part(unit, self.name, f"v1-{collection}", error)
        if silent:
            return Ended(f"no answer from {', '.join(sorted(silent))}", CoverageStatus.ERROR)
        return Ended(gaps.sentence())

    def _list(
        self, unit: Unit, version: str, collection: str, silent: set[str]
    ) -> Iterator[dict[str, Any]]:
        path = f"/{version}/projects/{name_in_path(unit.place.project)}/locations/-/{collection}"
        for page in self.clients.whole_pages(unit.meter, "notebooks", path, pageSize=_PAGE):
            unreachable = page.get("unreachable")
            if isinstance(unreachable, list):
                silent.update(str(place).rpartition("/")[2] for place in unreachable)
            for item in items("notebooks", page, collection):
                settled = parse_name(unit.place, str(item.get("name")))
                if settled is not None and unit.covers(settled[1]):
                    yield item

    def _instance(self, unit: Unit, item: Mapping[str, Json]) -> Iterator[Collected]:
        resource = self._resource(unit, WORKBENCH, "instances", item)
        yield resource
        yield from link(unit.place, resource.key, resource.config, _REFERENCES)
        yield from in_project(resource)
        setup = item.get("gceSetup")
        setup = setup if isinstance(setup, Mapping) else {}
        if not setup.get("serviceAccounts"):
            yield from _default_account(unit.place, resource, "gceSetup.serviceAccounts")
        yield from _container(unit.place, resource, setup.get("containerImage"))
        # Its machine has its name, in its zone.
        machine = compute("instances")(
            unit.place,
            f"projects/{resource.account}/zones/{resource.region}/instances/{_last(item)}",
        )
        if machine is not None:
            yield machine.stub
            stated = Certainty.STATED if setup.get("instanceId") else Certainty.INFERRED
            yield Edge(
                resource.key,
                machine.stub.key,
                Relation.SAME_WORKLOAD,
                "gceSetup.instanceId",
                stated,
            )

    def _legacy(
        self, unit: Unit, kind: str, collection: str, item: Mapping[str, Json]
    ) -> Iterator[Collected]:
        resource = self._resource(unit, kind, f"v1-{collection}", item)
        yield resource
        yield from link(unit.place, resource.key, resource.config, _LEGACY_REFERENCES)
        yield from in_project(resource)

    def _resource(
        self, unit: Unit, kind: str, collection: str, item: Mapping[str, Json]
    ) -> Resource:
        project, location, name = parse_name(unit.place, str(item.get("name"))) or ("-", "-", "-")
        config, unknown = dict(item), dict[str, str]()
        native = (
            f"//notebooks.googleapis.com/projects/{project}/locations/{location}/instances/{name}"
        )
        facts: dict[str, Json] = {}
        if kind == WORKBENCH:
            self._attach_policy(unit, native, config, unknown)
            facts = {
                **_image_date(item),
                **self._script(unit, item, unknown),
                "prebuilt_images": [*prebuilt_images(_repositories(item))],
            }
        created = item.get("createTime")
        return Resource(
            key=gcp_key(project, "notebooks", location, collection, name),
            provider="gcp",
            account=project,
            region=location,
            type=kind,
            layer=Layer.SERVICE,
            name=name,
            native_id=native,
            tags=labels_of(item),
            config=config,
            facts=facts,
            unknown=unknown,
            incarnation=created if isinstance(created, str) else None,
            service=True,
            collector=self.name,
        )

    def _script(
        self, unit: Unit, item: Mapping[str, Json], unknown: dict[str, str]
    ) -> dict[str, Json]:
        """``startup_script_foreign``: a bucket of other projects feeds every start with a script."""
        metadata = next(
            (found for _, found in find(item, "gceSetup.metadata") if isinstance(found, Mapping)),
            dict[str, Json](),
        )
        source = str(metadata.get("post-startup-script") or "")
        bucket = names.bucket_address(unit.place, source)
        if metadata.get("post-startup-script-behavior") != _EVERY_START or bucket is None:
            return {"startup_script_foreign": False}
        path = f"/storage/v1/b/{name_in_path(bucket.stub.name)}"
        try:
            answer = self.clients.remember(
                ("bucket", path), lambda: self.clients.get(unit.meter, "storage", path)
            )
        except CallError as error:
            if error.missing:
                # That anybody may make this bucket is told where the bucket is judged.
                return {"startup_script_foreign": False}
            unknown["facts.startup_script_foreign"] = error.unknown
            return {}
        number = str(answer.get("projectNumber") or "")
        if not number:
            unknown["facts.startup_script_foreign"] = "the answer does not say whose the bucket is"
            return {}
        return {"startup_script_foreign": unit.place.id_of(number) not in unit.place.own}

    def _attach_policy(
        self, unit: Unit, native: str, config: dict[str, Any], unknown: dict[str, str]
    ) -> None:
        path = f"/v2/{native.removeprefix('//notebooks.googleapis.com/')}:getIamPolicy"
        self._policies.attach_or_ask(
            unit.place.project, native, unit.meter, config, unknown, ("notebooks", path)
        )


def _image_date(item: Mapping[str, Json]) -> dict[str, Json]:
    """``image_date``: from when the environment is, by the image's own name if it tells.

    Else the last upgrade that succeeded, else the day on which the instance was made.
    """
    for _, image in find(item, "gceSetup.vmImage.imageId"):
        if isinstance(image, str) and (found := _DATED.search(image)):
            return {"image_date": "{}-{}-{}T00:00:00Z".format(*found.groups())}
    upgrades = [
        str(entry.get("createTime"))
        for entry in mappings(item.get("upgradeHistory"))
        if entry.get("state") == "SUCCEEDED" and entry.get("createTime")
    ]
    made = item.get("createTime")
    date = max(upgrades, default=made if isinstance(made, str) else "")
    return {"image_date": date} if date else {}


def _repositories(item: Mapping[str, Json]) -> Iterator[str]:
    for _, repository in find(item, "gceSetup.containerImage.repository"):
        if isinstance(repository, str):
            yield repository


def _default_account(place: Place, resource: Resource, via: str) -> Iterator[Collected]:
    """Compute Engine's default account, which takes the place of none."""
    target = service_account(place, "default")
    if target is not None:
        yield target.stub
        yield Edge(resource.key, target.stub.key, Relation.USES_IDENTITY, via, Certainty.DEFAULT)


def _container(place: Place, resource: Resource, described: Any) -> Iterator[Collected]:
    """The image of a notebook that runs in a container: repository and tag are two fields."""
    if not isinstance(described, Mapping) or not described.get("repository"):
        return
    text = f"{described['repository']}:{described.get('tag') or 'latest'}"
    target = names.image(place, text)
    if target is not None:
        yield target.stub
        yield Edge(
            resource.key, target.stub.key, Relation.RUNS_IMAGE,
            "gceSetup.containerImage.repository", Certainty.STATED, target.detail,
        )  # fmt: skip


def _last(item: Mapping[str, Json]) -> str:
    return str(item.get("name")).rpartition("/")[2]
