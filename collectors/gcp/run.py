"""Cloud Run services that serve models or AI tools, as far as their images and GPUs give them away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from collectors.gcp import names
from collectors.gcp.clients import Clients, name_in_path
from collectors.gcp.errors import CallError
from collectors.gcp.images import is_model_server
from collectors.gcp.names import compute, parse_name, service_account
from collectors.gcp.policies import Policies
from collectors.gcp.units import GcpCollector, Unit, Unread, in_project, labels_of
from collectors.reading import Gaps, Reading, side_by_side
from collectors.references import Reference, link
from collectors.values import find, mappings
from undercroft.identity import gcp_key
from undercroft.model import Certainty, Edge, Json, Layer, Resource
from undercroft.protocols import Collected
from undercroft.relations import Relation

__all__ = ["SERVICE", "RunCollector"]

SERVICE = "run.googleapis.com/Service"
_PAGE = 100
_AT_ONCE = 8
_MODEL_VARIABLES = frozenset(
    {"MODEL_ID", "MODEL_NAME", "HF_MODEL_ID", "OLLAMA_MODEL", "VLLM_MODEL"}
)

_REFERENCES = (
    Reference("template.serviceAccount", service_account, Relation.USES_IDENTITY),
    Reference("template.containers[].image", names.image, Relation.RUNS_IMAGE),
    Reference(
        "template.containers[].env[].valueSource.secretKeyRef.secret",
        names.secret,
        Relation.USES_IDENTITY,
    ),
    Reference("template.volumes[].gcs.bucket", names.bucket, Relation.READS_DATA_FROM),
    Reference("template.encryptionKey", names.crypto_key, Relation.ENCRYPTED_WITH),
    Reference(
        "template.vpcAccess.networkInterfaces[].network", compute("networks"), Relation.PROTECTED_BY
    ),
)


class RunCollector(GcpCollector):
    """A unit per project; Cloud Run lists one region at a time."""

    name = "gcp.run"
    api = "run"
    lists = (SERVICE,)

    def __init__(self, clients: Clients) -> None:
        super().__init__(clients)
        self._policies = Policies(clients)

    def read(self, unit: Unit) -> Reading:
        """Every region's services; only those that do AI are kept."""
        gaps, unread = Gaps(), Unread()

        def ask(location: str) -> list[dict[str, Any]] | CallError:
            path = f"/v2/projects/{name_in_path(unit.place.project)}/locations/{location}/services"
            try:
                return list(self.clients.pages(unit.meter, "run", path, "services", pageSize=_PAGE))
            except CallError as error:
                return [] if error.not_offered else error

        for found in side_by_side(self._locations(unit), ask, _AT_ONCE):
            if isinstance(found, CallError):
                unread.add(found)
                continue
            for item in found:
                marker = _marker(item)
                if marker:
                    built = list(self._build(unit, item, marker))
                    gaps.note(built)
                    yield from built
        return unread.ended(gaps)

    def _locations(self, unit: Unit) -> list[str]:
        path = f"/v1/projects/{name_in_path(unit.place.project)}/locations"
        listed = self.clients.pages(unit.meter, "run", path, "locations", pageSize=_PAGE)
        found = [str(item.get("locationId")) for item in listed]
        return [location for location in found if unit.covers(location)]

    def _build(self, unit: Unit, item: Mapping[str, Json], marker: str) -> Iterator[Collected]:
        settled = parse_name(unit.place, str(item.get("name")))
        if settled is None:
            return
        project, location, name = settled
        native = f"//run.googleapis.com/projects/{project}/locations/{location}/services/{name}"
        config, unknown = dict(item), dict[str, str]()
        path = f"/v2/projects/{project}/locations/{location}/services/{name_in_path(name)}:getIamPolicy"
        self._policies.attach_or_ask(project, native, unit.meter, config, unknown, ("run", path))
        unique = item.get("uid")
        service = Resource(
            key=gcp_key(project, "run", location, "services", name),
            provider="gcp",
            account=project,
            region=location,
            type=SERVICE,
            layer=Layer.SERVICE,
            name=name,
            native_id=native,
            tags=labels_of(item),
            config=config,
            facts={"ai_marker": marker},
            unknown=unknown,
            incarnation=unique if isinstance(unique, str) else None,
            service=True,
            collector=self.name,
        )
        yield service
        yield from link(unit.place, service.key, config, _REFERENCES)
        yield from in_project(service)
        template = item.get("template")
        if not (isinstance(template, Mapping) and template.get("serviceAccount")):
            target = service_account(unit.place, "default")
            if target is not None:
                yield target.stub
                yield Edge(
                    service.key, target.stub.key, Relation.USES_IDENTITY,
                    "template.serviceAccount", Certainty.DEFAULT,
                )  # fmt: skip


def _marker(item: Mapping[str, Json]) -> str:
    """What gives a service away as AI, in words; empty if nothing does."""
    for _, limits in find(item, "template.containers[].resources.limits"):
        if isinstance(limits, Mapping) and "nvidia.com/gpu" in limits:
            return "it asks for a GPU"
    template = item.get("template")
    selector = template.get("nodeSelector") if isinstance(template, Mapping) else None
    if isinstance(selector, Mapping) and selector.get("accelerator"):
        return "it asks for a GPU"
    for _, image in find(item, "template.containers[].image"):
        if isinstance(image, str) and is_model_server(image):
            return "its image is named like a model server"
    containers = template.get("containers") if isinstance(template, Mapping) else None
    for container in mappings(containers):
        if any(entry.get("name") in _MODEL_VARIABLES for entry in mappings(container.get("env"))):
            return "a variable names a model"
    return ""
