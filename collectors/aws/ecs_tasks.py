"""ECS: what runs in a cluster right now, asked for once per cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from botocore.client import BaseClient

from collectors.aws.errors import CallError
from collectors.aws.session import call, pages
from collectors.aws.units import batches, side_by_side
from collectors.aws.values import jsonable, mappings
from undercroft.model import Json
from undercroft.protocols import Meter

__all__ = ["PAGE", "Running", "Task", "Tasks"]

PAGE = 100
"""Most that one page lists and one call describes. Source: the API reference of ECS."""
_OF_SERVICE = "service:"

Task: TypeAlias = Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Running:
    """What some tasks say."""

    instances: tuple[str, ...] = ()
    """Ids of the machines of ours that they run on."""
    images: tuple[str, ...] = ()
    """References by digest to what they really run."""


class Tasks:
    """The running tasks of some clusters (by ARN); what of one is refused does not touch another."""

    def __init__(self, client: BaseClient, meter: Meter, clusters: Iterable[str]) -> None:
        self._client = client
        self._meter = meter
        names = list(clusters)
        read = side_by_side(names, self._read)
        self._tasks: dict[str, list[Task] | CallError] = dict(zip(names, read, strict=True))
        self._machines: dict[str, str] = {}

    @property
    def refused(self) -> CallError | None:
        """Why the tasks of some cluster are not known."""
        return next((t for t in self._tasks.values() if isinstance(t, CallError)), None)

    def of_service(self, cluster: str, service: str) -> list[Task] | CallError:
        """The tasks that a service started."""
        found = self._tasks.get(cluster, [])
        if isinstance(found, CallError):
            return found
        return [task for task in found if task.get("group") == f"{_OF_SERVICE}{service}"]

    def alone(self) -> Iterator[Task]:
        """The tasks that no service started, of every cluster that says."""
        for found in self._tasks.values():
            if not isinstance(found, CallError):
                yield from (t for t in found if not str(t.get("group")).startswith(_OF_SERVICE))

    def running(self, cluster: str, tasks: list[Task] | CallError) -> Running | CallError:
        """What ``tasks`` of a cluster run, and on which machines of ours."""
        if isinstance(tasks, CallError):
            return tasks
        holders = sorted(
            {str(t["containerInstanceArn"]) for t in tasks if t.get("containerInstanceArn")}
        )
        try:
            self._look_up(cluster, holders)
        except CallError as error:
            return error
        ids = {self._machines.get(holder, "") for holder in holders}
        return Running(tuple(sorted(filter(None, ids))), tuple(sorted(set(_digests(tasks)))))

    def _read(self, cluster: str) -> list[Task] | CallError:
        try:
            listed = pages(
                self._meter,
                self._client,
                "list_tasks",
                "taskArns",
                page_size=PAGE,
                cluster=cluster,
            )
            return [
                jsonable(task)
                for batch in batches(listed, PAGE)
                for task in call(
                    self._meter,
                    self._client,
                    "describe_tasks",
                    cluster=cluster,
                    tasks=batch,
                    include=["TAGS"],
                )["tasks"]
            ]
        except CallError as error:
            return error

    def _look_up(self, cluster: str, holders: Sequence[str]) -> None:
        new = [holder for holder in holders if holder not in self._machines]
        for batch in batches(new, PAGE):
            answer = call(
                self._meter,
                self._client,
                "describe_container_instances",
                cluster=cluster,
                containerInstances=batch,
            )
            for machine in answer["containerInstances"]:
                arn = str(machine.get("containerInstanceArn"))
                self._machines[arn] = str(machine.get("ec2InstanceId") or "")


def _digests(tasks: Sequence[Task]) -> Iterator[str]:
    for task in tasks:
        for container in mappings(task.get("containers")):
            reference, digest = container.get("image"), container.get("imageDigest")
            if isinstance(reference, str) and reference and digest:
                name = reference.partition("@")[0]
                repository, colon, tag = name.rpartition(":")
                yield f"{repository if colon and '/' not in tag else name}@{digest}"
