"""Batch: job definitions that do AI work, told as containers of ECS are.

A definition is one resource over its revisions: what a job is started from unless told otherwise is
the newest that is active.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from collectors.aws.arns import Place, file_system, image, in_region, role
from collectors.aws.ecs_workloads import ai_marker, secret
from collectors.aws.model_callers import model_callers
from collectors.aws.session import pages
from collectors.aws.subreads import tag_map
from collectors.aws.units import AwsCollector, Ended, Gaps, Reading, Unit, once
from collectors.aws.values import find, jsonable
from collectors.references import Reference, link
from undercroft.model import Json, Layer, Resource
from undercroft.protocols import Collected
from undercroft.relations import Relation

__all__ = ["JOB", "BatchAiJobs", "containers"]

_ROLE = Relation.USES_IDENTITY
_READS = Relation.READS_DATA_FROM
_TASK = "ecsProperties.taskProperties[]"
_POD = "eksProperties.podProperties"
_RANGE = "nodeProperties.nodeRangeProperties[]"
_SINGLE = ("containerProperties", f"{_RANGE}.container")
"""Where a container says all: roles, volumes and secrets too."""
_TASKS = (_TASK, f"{_RANGE}.{_TASK}")
_PODS = (_POD, f"{_RANGE}.{_POD}")
_ACCELERATED = ("nvidia.com/gpu", "aws.amazon.com/neuron", "aws.amazon.com/neuroncore")


def _of(at: str, *, inside: str, roles: tuple[str, ...]) -> tuple[Reference, ...]:
    return (
        Reference(f"{inside}.image", image, Relation.RUNS_IMAGE),
        *(Reference(f"{at}.{field}", role, _ROLE) for field in roles),
        Reference(f"{inside}.secrets[].valueFrom", secret, _ROLE),
        Reference(f"{inside}.repositoryCredentials.credentialsParameter", secret, _ROLE),
        Reference(
            f"{at}.volumes[].efsVolumeConfiguration.fileSystemId", file_system("efs"), _READS
        ),
    )


JOB: tuple[Reference, ...] = (
    *(
        reference
        for at in _SINGLE
        for reference in _of(at, inside=at, roles=("jobRoleArn", "executionRoleArn"))
    ),
    *(
        reference
        for at in _TASKS
        for reference in _of(
            at, inside=f"{at}.containers[]", roles=("taskRoleArn", "executionRoleArn")
        )
    ),
    *(
        Reference(f"{at}.{list_}[].image", image, Relation.RUNS_IMAGE)
        for at in _PODS
        for list_ in ("containers", "initContainers")
    ),
)
"""What a job definition names, in whichever of its forms."""


def containers(definition: Mapping[str, Json]) -> Iterator[Mapping[str, Json]]:
    """The containers of every form of a job, as a task definition of ECS spells them."""
    for at in (*_SINGLE, *(f"{task}.containers[]" for task in _TASKS)):
        for _, container in find(definition, at):
            if isinstance(container, Mapping):
                yield container
    for at in _PODS:
        for _, container in find(definition, f"{at}.containers[]"):
            if isinstance(container, Mapping):
                limits = [
                    name
                    for field in ("limits", "requests")
                    for _, asked in find(container, f"resources.{field}")
                    if isinstance(asked, Mapping)
                    for name in asked
                ]
                gpus: list[Json] = [{"type": "GPU"}] if set(limits) & set(_ACCELERATED) else []
                yield {
                    "image": container.get("image"),
                    "environment": container.get("env"),
                    "resourceRequirements": gpus,
                }


def _role_of(definition: Mapping[str, Json]) -> str:
    """What the work itself may do; not what starts it."""
    for at in (*(f"{one}.jobRoleArn" for one in _SINGLE), *(f"{t}.taskRoleArn" for t in _TASKS)):
        for _, arn in find(definition, at):
            if isinstance(arn, str) and arn:
                return arn
    return ""


class BatchAiJobs(AwsCollector):
    """Rows of the services list: job definitions by image, accelerator, environment or role."""

    name = "aws.batch"
    lists = ("batch:job-definition",)

    def read(self, unit: Unit) -> Reading:
        """Every active definition once, as large as pages come; roles where nothing else tells."""
        client = self.clients.client("batch", unit.place.region)
        newest: dict[str, Mapping[str, Json]] = {}
        listed = pages(
            unit.meter, client, "describe_job_definitions", "jobDefinitions", status="ACTIVE"
        )
        for definition in (jsonable(item) for item in listed):
            name = str(definition["jobDefinitionName"])
            known = newest.get(name)
            if known is None or _revision(definition) > _revision(known):
                newest[name] = definition
        markers = {
            name: ai_marker({"containerDefinitions": list(containers(definition))})
            for name, definition in newest.items()
        }
        roles = {name: _role_of(newest[name]) for name, marker in markers.items() if not marker}
        callers, doubt = model_callers(
            self.clients.client("iam"), unit.meter, filter(None, roles.values())
        )
        markers |= {name: "role" for name, arn in roles.items() if arn in callers}
        gaps, seen = Gaps(), set[tuple[str, str]]()
        for name, marker in markers.items():
            if marker:
                found = list(self._row(unit.place, name, newest[name], marker))
                gaps.note(found)
                yield from once(found, seen)
        if doubt:
            return Ended(f"roles of jobs that may call models: {doubt.reason}", doubt.status)
        return Ended(gaps.sentence())

    def _row(
        self, place: Place, name: str, definition: Mapping[str, Json], marker: str
    ) -> Iterator[Collected]:
        config = {field: value for field, value in definition.items() if field != "tags"}
        row = Resource(
            key=place.key("batch", "job-definition", name),
            provider="aws",
            account=place.account,
            region=place.region,
            type="batch:job-definition",
            layer=Layer.SERVICE,
            name=name,
            native_id=str(definition["jobDefinitionArn"]).rpartition(":")[0],
            tags=tag_map(definition.get("tags")),
            config=config,
            facts={"ai_marker": marker},
            service=True,
            collector=self.name,
        )
        yield row
        yield from in_region(row.key, place)
        yield from link(place, row.key, config, JOB)


def _revision(definition: Mapping[str, Json]) -> int:
    revision = definition.get("revision")
    return revision if isinstance(revision, int) else 0
