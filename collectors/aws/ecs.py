"""ECS: services and single tasks whose containers do AI work, with the task definitions that say
what they run.

A cluster runs anything; what counts is recognised by image, accelerator or environment, or by a
role that may call models. What could not be read may be one of them; then the list is not complete.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from botocore.client import BaseClient

from collectors.aws.arns import Arn, Place, ec2, image, in_region
from collectors.aws.ecs_tasks import PAGE, Running, Task, Tasks
from collectors.aws.ecs_workloads import SERVICE, TASK, TASK_DEFINITION, ai_marker, fargate_host
from collectors.aws.errors import CallError
from collectors.aws.hosts import hosts
from collectors.aws.model_callers import model_callers
from collectors.aws.session import call, pages
from collectors.aws.subreads import tag_map
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
from undercroft.model import CoverageStatus, Edge, Json, Layer, Resource
from undercroft.protocols import Collected, Meter
from undercroft.relations import Relation

__all__ = ["EcsAiServices"]

_SERVICES_PER_CALL = 10
"""Most that one describe call takes. Source: the API reference of ECS."""
_GONE = "MISSING"
_VOLATILE = frozenset(
    {
        "computedDesiredCount",
        "currentServiceDeployment",
        "deployments",
        "desiredCount",
        "events",
        "pendingCount",
        "runningCount",
        "stabilityStatus",
        "stabilityStatusAt",
        "tags",
        "updatedAt",
    }
)
"""What of a service or a task set changes while nobody changes anything."""
_OF_TASK = (
    "clusterArn",
    "taskDefinitionArn",
    "launchType",
    "capacityProviderName",
    "platformVersion",
    "platformFamily",
    "enableExecuteCommand",
)
"""What of a task is kept: what is not about this one run of it."""
_INSTANCE = ec2("instance", Layer.VM)


class EcsAiServices(AwsCollector):
    """Services that run AI containers, and AI tasks that no service runs, each with its task
    definitions and what they stand on."""

    name = "aws.ecs"
    lists = ("ecs:service", "ecs:task", "ecs:task-definition", "ecs:host")

    def read(self, unit: Unit) -> Reading:
        """Every service and task definition once; keep those that do AI work."""
        client = self.clients.client("ecs", unit.place.region)
        gaps, seen = Gaps(), set[tuple[str, str]]()
        clusters = [
            str(arn)
            for arn in pages(unit.meter, client, "list_clusters", "clusterArns", page_size=PAGE)
        ]
        services, unsaid = self._services(client, unit.meter, clusters)
        tasks = Tasks(client, unit.meter, clusters)
        wanted = dict.fromkeys(arn for service in services for arn in _definitions_of(service))
        wanted |= dict.fromkeys(str(task["taskDefinitionArn"]) for task in tasks.alone())
        definitions: dict[str, dict[str, Json]] = {}
        errors: list[CallError] = []
        answers = side_by_side(wanted, lambda arn: _definition(client, unit.meter, arn))
        for arn, answer in zip(wanted, answers, strict=True):
            if isinstance(answer, CallError):
                errors.append(answer)
            else:
                definitions[arn] = answer
        markers, doubt = self._markers(definitions, unit.meter)
        definitions = {arn: definitions[arn] for arn in definitions if arn in markers}
        chosen = [s for s in services if not definitions.keys().isdisjoint(_definitions_of(s))]
        keys = _keys(unit.place, definitions)

        def one(service: Mapping[str, Json]) -> list[Collected]:
            return list(self._service(unit, tasks, service, keys))

        for found in side_by_side(chosen, one):
            gaps.note(found)
            yield from once(found, seen)
        for name, alike in _alike(tasks.alone(), keys).items():
            found = list(self._task(unit.place, tasks, name, alike, keys))
            gaps.note(found)
            yield from once(found, seen)
        for arn, definition in definitions.items():
            found = list(self._definition(unit.place, keys[arn], definition, markers[arn]))
            gaps.note(found)
            yield from once(found, seen)
        if errors:
            count = f"{len(errors)} of {len(wanted)} task definitions not read"
            reason = f"{count}, which may do AI work: {errors[0].reason}"
            return Ended(reason, errors[0].status)
        if doubt:
            return Ended(f"task roles that may call models: {doubt.reason}", doubt.status)
        if unsaid:
            return Ended(unsaid, CoverageStatus.ERROR)
        if tasks.refused:
            reason = f"tasks that no service runs: {tasks.refused.reason}"
            return Ended(reason, tasks.refused.status)
        return Ended(gaps.sentence())

    def _markers(
        self, definitions: Mapping[str, Mapping[str, Json]], meter: Meter
    ) -> tuple[dict[str, str], Ended | None]:
        """What marks each definition that does AI work, and why that is not known of some.

        Roles are only looked at where nothing else tells.
        """
        markers = {arn: marker for arn, d in definitions.items() if (marker := ai_marker(d))}
        roles = {
            arn: str(definition["taskRoleArn"])
            for arn, definition in definitions.items()
            if arn not in markers and definition.get("taskRoleArn")
        }
        callers, doubt = model_callers(self.clients.client("iam"), meter, roles.values())
        return markers | {arn: "role" for arn, role in roles.items() if role in callers}, doubt

    def _services(
        self, client: BaseClient, meter: Meter, clusters: Iterable[str]
    ) -> tuple[list[dict[str, Json]], str]:
        """Every service of every cluster, and why some were not described."""

        def of_cluster(cluster: str) -> list[dict[str, Any]]:
            arns = pages(
                meter, client, "list_services", "serviceArns", page_size=PAGE, cluster=cluster
            )
            return [
                call(
                    meter,
                    client,
                    "describe_services",
                    cluster=cluster,
                    services=batch,
                    include=["TAGS"],
                )
                for batch in batches(arns, _SERVICES_PER_CALL)
            ]

        answers = [answer for found in side_by_side(clusters, of_cluster) for answer in found]
        failures = [
            failure
            for answer in answers
            for failure in answer.get("failures") or ()
            if failure.get("reason") != _GONE
        ]
        unsaid = f"{len(failures)} services not described: {failures[0]}" if failures else ""
        found = [jsonable(s) for answer in answers for s in answer.get("services") or ()]
        return [service for service in found if service.get("status") != "INACTIVE"], unsaid

    def _service(
        self,
        unit: Unit,
        tasks: Tasks,
        service: Mapping[str, Json],
        keys: Mapping[str, str],
    ) -> Iterator[Collected]:
        place = unit.place
        arn = str(service["serviceArn"])
        cluster, name = str(service.get("clusterArn") or ""), str(service["serviceName"])
        config = _settled(service)
        if sets := [_settled(item) for item in mappings(service.get("taskSets"))]:
            config["taskSets"] = [*sets]
        facts: dict[str, Json] = {}
        unknown: dict[str, str] = {}
        running = tasks.running(cluster, tasks.of_service(cluster, name))
        if isinstance(running, CallError):
            unknown["facts.instances"] = running.unknown
            running = Running()
        else:
            facts["instances"] = list(running.instances)
        row = Resource(
            key=place.key("ecs", "service", f"{_last(cluster)}/{name}"),
            provider="aws",
            account=place.account,
            region=place.region,
            type="ecs:service",
            layer=Layer.SERVICE,
            name=name,
            native_id=arn,
            tags=tag_map(service.get("tags")),
            config=config,
            facts=facts,
            unknown=unknown,
            incarnation=str(service.get("createdAt") or "") or None,
            service=True,
            collector=self.name,
        )
        yield row
        yield from in_region(row.key, place)
        for definition in _definitions_of(service):
            if definition in keys:
                yield Edge(row.key, keys[definition], Relation.SAME_WORKLOAD, "taskDefinition")
        yield from link(place, row.key, config, SERVICE)
        yield from hosts(row, fargate_host(config))
        yield from _beneath(place, row.key, running)

    def _task(
        self,
        place: Place,
        tasks: Tasks,
        name: str,
        alike: list[Task],
        keys: Mapping[str, str],
    ) -> Iterator[Collected]:
        """One row for all that runs of a family in a cluster: every run of it is another task."""
        newest = max(alike, key=lambda task: str(task.get("startedAt") or ""))
        cluster = str(newest.get("clusterArn") or "")
        config = {field: newest[field] for field in _OF_TASK if newest.get(field)}
        facts: dict[str, Json] = {}
        unknown: dict[str, str] = {}
        running = tasks.running(cluster, alike)
        if isinstance(running, CallError):
            unknown["facts.instances"] = running.unknown
            running = Running()
        else:
            facts["instances"] = list(running.instances)
        row = Resource(
            key=place.key("ecs", "task", name),
            provider="aws",
            account=place.account,
            region=place.region,
            type="ecs:task",
            layer=Layer.SERVICE,
            name=_last(name),
            native_id=place.arn("ecs", f"task/{name}"),
            tags=tag_map(newest.get("tags")),
            config=config,
            facts=facts,
            unknown=unknown,
            service=True,
            collector=self.name,
        )
        yield row
        yield from in_region(row.key, place)
        for definition in dict.fromkeys(str(task["taskDefinitionArn"]) for task in alike):
            yield Edge(row.key, keys[definition], Relation.SAME_WORKLOAD, "taskDefinitionArn")
        yield from link(place, row.key, newest, TASK)
        yield from hosts(row, fargate_host(config))
        yield from _beneath(place, row.key, running)

    def _definition(
        self, place: Place, key: str, definition: Mapping[str, Json], marker: str
    ) -> Iterator[Collected]:
        config = {name: value for name, value in definition.items() if name != "tags"}
        yield Resource(
            key=key,
            provider="aws",
            account=place.account,
            region=place.region,
            type="ecs:task-definition",
            layer=Layer.CONTAINER,
            name=key.rpartition("/")[2],
            native_id=str(definition["taskDefinitionArn"]),
            tags=tag_map(definition.get("tags")),
            config=config,
            facts={"ai_marker": marker},
            collector=self.name,
        )
        yield from link(place, key, config, TASK_DEFINITION)


def _beneath(place: Place, key: str, running: Running) -> Iterator[Collected]:
    """The machines and images of what runs."""
    for identifier in running.instances:
        machine = _INSTANCE(place, identifier).stub
        yield machine
        yield Edge(key, machine.key, Relation.RUNS_ON, "tasks[].containerInstanceArn")
    for text in running.images:
        target = image(place, text)
        if target is not None:
            yield target.stub
            via = "tasks[].containers[].imageDigest"
            yield Edge(key, target.stub.key, Relation.RUNS_IMAGE, via, detail=target.detail)


def _alike(tasks: Iterable[Task], keys: Mapping[str, str]) -> dict[str, list[Task]]:
    """``<cluster>/<family>`` → the tasks of it that do AI work."""
    found: dict[str, list[Task]] = {}
    for task in tasks:
        arn = str(task["taskDefinitionArn"])
        if arn in keys:
            family = _last(arn).rpartition(":")[0]
            name = f"{_last(str(task.get('clusterArn') or ''))}/{family}"
            found.setdefault(name, []).append(task)
    return found


def _last(arn: str) -> str:
    return arn.rpartition("/")[2]


def _settled(thing: Mapping[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in thing.items() if name not in _VOLATILE}


def _definitions_of(service: Mapping[str, Json]) -> list[str]:
    """The task definitions that a service runs, the one that it should run first."""
    sets = mappings(service.get("taskSets"))
    found = [service.get("taskDefinition"), *(item.get("taskDefinition") for item in sets)]
    return list(dict.fromkeys(arn for arn in found if isinstance(arn, str) and arn))


def _definition(client: BaseClient, meter: Meter, arn: str) -> dict[str, Json] | CallError:
    try:
        answer = call(
            meter, client, "describe_task_definition", taskDefinition=arn, include=["TAGS"]
        )
    except CallError as error:
        return error
    found: dict[str, Json] = jsonable({**answer["taskDefinition"], "tags": answer.get("tags")})
    return found


def _keys(place: Place, arns: Iterable[str]) -> dict[str, str]:
    """Keys of task definitions: a family is one thing over all its revisions.

    Every deployment makes a revision; what was said about the family holds for it. Where services
    run several revisions side by side, the older ones are named by their revision.
    """
    families: dict[str, dict[int, str]] = {}
    for arn in arns:
        family, _, revision = (parsed.name if (parsed := Arn.parse(arn)) else arn).rpartition(":")
        families.setdefault(family, {})[int(revision) if revision.isdigit() else 0] = arn
    return {
        arn: place.key(
            "ecs",
            "task-definition",
            family if revision == max(revisions) else f"{family}:{revision}",
        )
        for family, revisions in families.items()
        for revision, arn in revisions.items()
    }
