"""Vertex AI: a unit per project and location, every list of it, and what each item stands on."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import Any

from collectors.gcp.clients import Clients
from collectors.gcp.errors import CallError
from collectors.gcp.names import Place, image, parse_name, service_account
from collectors.gcp.policies import Policies
from collectors.gcp.prebuilt import prebuilt_images
from collectors.gcp.projects import Inventory, Project
from collectors.gcp.typed import PAGE, TypedLists
from collectors.gcp.units import GcpCollector, Unit, in_project, labels_of, part
from collectors.gcp.vertex_kinds import HOST, KINDS, Kind, hosts_of
from collectors.reading import Ended, Gaps, Reading, once, side_by_side
from collectors.references import link
from collectors.values import find
from undercroft.identity import gcp_key
from undercroft.model import Certainty, CoverageStatus, Edge, Json, Layer, Resource
from undercroft.protocols import Collected, Meter, Scope
from undercroft.relations import Relation

__all__ = ["VertexCollector"]

JOB_DAYS = 90
"""Jobs are history: only those this young, or still running, are read."""
JOB_LIMIT = 500
"""At most this many of one kind per location."""
_LISTS_AT_ONCE = 4


class VertexCollector(GcpCollector):
    """Everything of Vertex AI in one project and location."""

    name = "gcp.vertex"
    api = "aiplatform"

    def __init__(self, clients: Clients, clock: Callable[[], datetime]) -> None:
        super().__init__(clients)
        self._clock = clock
        self._typed = TypedLists(clients)
        self._policies = Policies(clients)

    def places(self, project: Project, scope: Scope, meter: Meter) -> Sequence[str]:
        """The locations asked for, else all that the project may see."""
        return scope.locations or self.projects.locations(project.id, meter)

    def read(self, unit: Unit) -> Reading:
        """Every list; one that fails costs its own record, unless all fail for one reason."""
        inventory = self._inventory(unit)
        gaps, seen = Gaps(), set[tuple[str, str]]()
        failed: list[tuple[Kind, CallError]] = []
        parents: dict[str, list[Resource]] = {}
        top = [kind for kind in KINDS if not kind.under]
        truncated: list[str] = []

        def ask(kind: Kind) -> list[dict[str, Json]] | CallError:
            if (
                inventory is not None
                and kind.inventory
                and not inventory.has(kind.type, unit.place.location)
            ):
                return []
            parent = f"projects/{unit.place.project}/locations/{unit.place.location}"
            return self._list(unit, kind, parent, typed=inventory is None or not inventory.empty)

        for kind, found in zip(top, side_by_side(top, ask, _LISTS_AT_ONCE), strict=True):
            if isinstance(found, CallError):
                failed.append((kind, found))
                continue
            if kind.running and len(found) > JOB_LIMIT:
                truncated.append(kind.collection)
            else:
                unit.lists.extend(kind.lists)
            for item in found[:JOB_LIMIT] if kind.running else found:
                resource, built = self._build(kind, unit, item)
                parents.setdefault(kind.collection, []).append(resource)
                gaps.note([resource])
                yield resource
                yield from once(built, seen)
        for kind in KINDS:
            if kind.under in parents:
                failed += yield from self._beneath(kind, unit, parents[kind.under], gaps)
            elif kind.under and all(other.collection != kind.under for other, _ in failed):
                unit.lists.extend(kind.lists)
        if len(failed) == len(top):
            raise failed[0][1]
        for kind, error in failed:
            yield part(unit, self.name, kind.collection, error)
        if truncated:
            reason = f"only {JOB_LIMIT} were read of: {', '.join(truncated)}"
            return Ended(reason, CoverageStatus.TRUNCATED)
        return Ended(gaps.sentence())

    def _beneath(
        self, kind: Kind, unit: Unit, parents: Sequence[Resource], gaps: Gaps
    ) -> Generator[Collected, None, list[tuple[Kind, CallError]]]:
        """The lists of what belongs to single items; returns what failed, once."""

        def ask(parent: Resource) -> list[dict[str, Json]] | CallError:
            return self._list(unit, kind, _relative(parent), typed=True)

        failed: list[tuple[Kind, CallError]] = []
        for parent, found in zip(parents, side_by_side(parents, ask), strict=True):
            if isinstance(found, CallError):
                failed = [(kind, found)]
                continue
            for item in found:
                resource, built = self._build(kind, unit, item)
                gaps.note([resource])
                yield resource
                yield from built
                if kind.held is not None:
                    yield Edge(parent.key, resource.key, kind.held, kind.collection)
        if not failed:
            unit.lists.extend(kind.lists)
        return failed

    def _inventory(self, unit: Unit) -> Inventory | None:
        try:
            return self.projects.inventory(unit.project, unit.meter)
        except CallError:
            return None

    def _list(
        self, unit: Unit, kind: Kind, parent: str, *, typed: bool
    ) -> list[dict[str, Json]] | CallError:
        found: Iterator[dict[str, Any]]
        window = self._window(kind)
        if kind.client and typed:
            found = self._typed.items(unit.meter, kind, parent, window)
        else:
            found = self.clients.pages(
                unit.meter, "aiplatform", f"/v1/{parent}/{kind.collection}", kind.collection,
                pageSize=PAGE, filter=window or None,
            )  # fmt: skip
        try:
            return list(islice(found, JOB_LIMIT + 1) if kind.running else found)
        except CallError as error:
            return [] if error.not_offered else error

    def _window(self, kind: Kind) -> str:
        if not kind.running:
            return ""
        since = (self._clock() - timedelta(days=JOB_DAYS)).strftime("%Y-%m-%dT%H:%M:%SZ")
        return f'create_time>"{since}" OR state="{kind.running}"'

    def _build(
        self, kind: Kind, unit: Unit, item: Mapping[str, Json]
    ) -> tuple[Resource, Iterable[Collected]]:
        """One resource, and everything it refers to."""
        place = unit.place
        name = str(item.get("name") or "")
        settled = parse_name(place, name)
        if settled is None:
            raise CallError(
                "aiplatform", None, CoverageStatus.ERROR,
                f"Vertex AI: a list of {kind.collection} holds something without a proper name",
            )  # fmt: skip
        project, location, identifier = settled
        native = f"//aiplatform.googleapis.com/projects/{project}/{'/'.join(name.split('/')[2:])}"
        config = dict(item)
        unknown: dict[str, str] = {}
        self._policies.attach(place.project, native, unit.meter, config, unknown)
        created = item.get("createTime")
        resource = Resource(
            key=gcp_key(project, "aiplatform", location, kind.collection, identifier),
            provider="gcp",
            account=project,
            region=location,
            type=kind.type,
            layer=kind.layer,
            name=str(item.get("displayName") or identifier),
            native_id=native,
            tags=labels_of(item),
            config=config,
            facts={"prebuilt_images": [*prebuilt_images(_images(kind, item))]},
            unknown=unknown,
            incarnation=created if isinstance(created, str) else None,
            service=kind.service,
            collector=self.name,
        )
        return resource, chain(
            _hosts(kind, resource),
            link(place, resource.key, item, kind.references),
            _identity(kind, place, resource),
            in_project(resource) if kind.layer is Layer.SERVICE else (),
        )


def _images(kind: Kind, item: Mapping[str, Json]) -> Iterator[str]:
    """Every reference to an image, as written."""
    for reference in kind.references:
        if reference.to is image:
            for _, value in find(item, reference.path):
                if isinstance(value, str):
                    yield value


def _hosts(kind: Kind, parent: Resource) -> Iterator[Collected]:
    """The machines that Google runs for it: what the specification says, and nothing else."""
    for number, (via, described) in enumerate(hosts_of(kind, parent.config)):
        suffix = f"#host-{number}"
        kept: dict[str, Json] = {
            key: value for key, value in described.items() if key not in _NOT_OF_HOSTS
        }
        if kind.collection == "notebookRuntimes":
            kept = {"machineSpec": dict(described)} | {
                key: parent.config[key]
                for key in ("shieldedVmConfig", "version", "isUpgradable")
                if key in parent.config
            }
        host = replace(
            parent,
            key=parent.key + suffix,
            native_id=parent.native_id + suffix,
            type=HOST,
            layer=Layer.VM,
            name=f"{parent.name} host {number}",
            tags={},
            config=kept,
            facts={"managed_by": "google"},
            unknown={},
            implied=True,
            service=False,
        )
        yield host
        yield Edge(parent.key, host.key, Relation.RUNS_ON, via)


_NOT_OF_HOSTS = frozenset({"containerSpec", "pythonPackageSpec"})
"""Parts of a worker pool that describe the container, not the machine."""


def _identity(kind: Kind, place: Place, resource: Resource) -> Iterator[Collected]:
    """The account it runs as: the one named, else the one that the API documents."""
    config = resource.config
    named = False
    for path in kind.identities:
        for via, value in find(config, path):
            target = service_account(place, value) if isinstance(value, str) and value else None
            if target is not None:
                named = True
                yield target.stub
                yield Edge(resource.key, target.stub.key, Relation.USES_IDENTITY, via)
    if named or not kind.agent or not place.number or _has_own_identity(config):
        return
    email = (
        f"{place.number}-compute@developer.gserviceaccount.com"
        if kind.agent == "compute"
        else f"service-{place.number}@{kind.agent}.iam.gserviceaccount.com"
    )
    target = service_account(place, email)
    if target is not None:
        yield target.stub
        via = kind.identities[0] if kind.identities else "name"
        yield Edge(resource.key, target.stub.key, Relation.USES_IDENTITY, via, Certainty.DEFAULT)


def _has_own_identity(config: Mapping[str, Json]) -> bool:
    """An agent with an identity of its own is no service account."""
    spec = config.get("spec")
    return isinstance(spec, Mapping) and spec.get("identityType") == "AGENT_IDENTITY"


def _relative(resource: Resource) -> str:
    return resource.native_id.removeprefix("//aiplatform.googleapis.com/")
