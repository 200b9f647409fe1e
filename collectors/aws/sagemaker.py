"""SageMaker: one unit per list, one describe per item, and by name what only others refer to."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from botocore.client import BaseClient

from collectors.aws.arns import Place
from collectors.aws.errors import CallError
from collectors.aws.hosts import hosts
from collectors.aws.sagemaker_kinds import KINDS, TRAINING_JOB, Kind
from collectors.aws.session import Clients, call, pages
from collectors.aws.subreads import tag_map
from collectors.aws.units import AwsCollector, Ended, Gaps, Reading, Unit, once, side_by_side
from collectors.aws.values import jsonable
from collectors.references import link
from undercroft.model import Coverage, CoverageStatus, Json, Presence, Resource
from undercroft.protocols import Collected, Meter

__all__ = ["SageMakerList", "SageMakerReferenced"]

JOB_DAYS = 90
"""Training jobs are history: only those this young are listed, and one that ages out is gone."""
JOB_LIMIT = 2_000
"""At most this many of them per region, newest first."""

# SageMaker has no error code of its own for "does not exist".
_MISSING = re.compile(r"not find|not found|does not exist|RecordNotFound", re.IGNORECASE)


class SageMakerList(AwsCollector):
    """Everything of one kind in a region."""

    def __init__(
        self, clients: Clients, kind: Kind, clock: Callable[[], datetime], limit: int = JOB_LIMIT
    ) -> None:
        super().__init__(clients)
        self.name = f"aws.sagemaker.{kind.name}"
        self.lists = kind.lists
        self._kind = kind
        self._clock = clock
        self._limit = limit

    def read(self, unit: Unit) -> Reading:
        """List, describe each, follow what each refers to; then what belongs to them."""
        count, ended = yield from self._list(unit, self._kind, self.name)
        for kind in KINDS:
            if kind.within == self._kind.name:
                yield from self._belonging(unit, kind, count)
        return ended

    def _belonging(self, unit: Unit, kind: Kind, owners: int) -> Iterator[Collected]:
        """What belongs to the resources just read, as a part of the unit with its own coverage.

        Where there is no owner there is nothing to ask, and that is a complete answer. If the
        owners could not be listed, the whole unit speaks for this part.
        """
        part, place = f"{self.name}.{kind.name}", unit.place
        status, reason = CoverageStatus.COMPLETE, ""
        if owners:
            try:
                _, (reason, status) = yield from self._list(unit, kind, part)
            except CallError as error:
                reason, status = error.reason, error.status
        lists = kind.lists if status is CoverageStatus.COMPLETE else ()
        yield Coverage("aws", place.account, place.region, part, status, reason, lists)

    def _list(
        self, unit: Unit, kind: Kind, collector: str
    ) -> Generator[Collected, None, tuple[int, Ended]]:
        place, meter = unit.place, unit.meter
        client = self.clients.client("sagemaker", place.region)
        gaps, seen, count = Gaps(), set[tuple[str, str]](), 0
        listed = pages(meter, client, kind.list_operation, kind.list_key, **self._window(kind))
        wanted = islice(listed, self._limit) if kind is TRAINING_JOB else listed

        def describe(item: Mapping[str, Any]) -> list[Collected]:
            return _describe(kind, place, client, meter, collector, jsonable(item))

        for found in side_by_side(wanted, describe):
            count += 1
            gaps.note(found)
            yield from once(found, seen)
        if kind is TRAINING_JOB and count == self._limit and next(listed, None) is not None:
            reason = f"only the newest {count:,} jobs of the last {JOB_DAYS} days were read"
            return count, Ended(reason, CoverageStatus.TRUNCATED)
        return count, Ended(gaps.sentence())

    def _window(self, kind: Kind) -> dict[str, Any]:
        if kind is not TRAINING_JOB:
            return {}
        since = self._clock() - timedelta(days=JOB_DAYS)
        return {"CreationTimeAfter": since, "SortBy": "CreationTime", "SortOrder": "Descending"}


class SageMakerReferenced(AwsCollector):
    """What others name and no list gave: old training jobs of models, or kinds that cannot be listed."""

    name = "aws.sagemaker.referenced"
    reads = tuple(
        dict.fromkeys(
            kind.type
            for kind in KINDS
            if kind.name not in {"user-profile", "domain", "notebook-instance", "endpoint"}
        )
    )

    def read(self, unit: Unit) -> Reading:
        """Describe each by its name; what does not exist comes out as absent.

        What cannot be described stays the stub it is.
        """
        place, meter = unit.place, unit.meter
        client = self.clients.client("sagemaker", place.region)
        seen, failed = set[tuple[str, str]](), list[CallError]()

        def describe(stub: Resource) -> list[Collected]:
            segment, name = stub.key.split("/", 5)[5].split("/", 1)
            kind = next(kind for kind in KINDS if kind.segment == segment)
            item: dict[str, Json] = dict(
                zip(kind.identifiers, name.split("/", len(kind.identifiers) - 1), strict=True)
            )
            try:
                found = _describe(kind, place, client, meter, self.name, item, reference=True)
            except CallError as error:
                failed.append(error)
                return []
            return found or [replace(stub, presence=Presence.ABSENT, collector=self.name)]

        for found in side_by_side(unit.wanted, describe):
            yield from once(found, seen)
        if failed:
            reason = f"{len(failed)} of {len(unit.wanted)} not read: {failed[0].reason}"
            return Ended(reason, failed[0].status)
        return Ended()


def _describe(
    kind: Kind,
    place: Place,
    client: BaseClient,
    meter: Meter,
    collector: str,
    item: dict[str, Json],
    *,
    reference: bool = False,
) -> list[Collected]:
    """One resource with everything it refers to; empty if it is gone.

    If it cannot be described, its list entry is kept and all that is missing is marked unknown; a
    mere reference has no list entry, so it stays as the stub it is and the error goes on.
    """
    unknown: dict[str, str] = {}
    config = item
    try:
        arguments = {name: item[name] for name in kind.identifiers}
        config = jsonable(call(meter, client, kind.describe_operation, **arguments))
    except CallError as error:
        if _is_missing(error):
            return []
        if reference:
            raise
        unknown = _unread(kind, client, item, error)
    name = "/".join(str(item[field]) for field in kind.identifiers)
    arn = str(config.get(kind.arn) or place.arn("sagemaker", f"{kind.segment}/{name}"))
    tags = _tags(client, meter, arn, unknown) if kind.service else {}
    created = config.get("CreationTime")
    resource = Resource(
        key=place.key("sagemaker", kind.segment, name),
        provider="aws",
        account=place.account,
        region=place.region,
        type=kind.type,
        layer=kind.layer,
        name=str(config.get(kind.title) or name),
        native_id=arn,
        tags=tags,
        config=config,
        facts=_facts(config),
        unknown=unknown,
        incarnation=created if isinstance(created, str) else None,
        service=kind.service,
        collector=collector,
    )
    found: list[Collected] = [resource, *link(place, resource.key, config, kind.references)]
    if kind.hosts:
        found += hosts(resource, kind.hosts(config))
    if kind.more:
        found += kind.more(place, resource)
    return found


def _facts(config: Mapping[str, Json]) -> dict[str, Json]:
    status = config.get("EndpointStatus")
    return {"in_service": status == "InService"} if status is not None else {}


def _unread(
    kind: Kind, client: BaseClient, item: Mapping[str, Json], error: CallError
) -> dict[str, str]:
    """Every field of the answer that the list's item does not hold, and why it is unknown."""
    operation = client.meta.method_to_api_mapping.get(kind.describe_operation)
    shape: Any = operation and client.meta.service_model.operation_model(operation).output_shape
    if not shape:
        return {"config": error.unknown}
    unknown = {f"config.{name}": error.unknown for name in shape.members if name not in item}
    # Secrets are looked for in fields that were not read.
    return {**unknown, "facts.secrets": error.unknown}


def _tags(client: BaseClient, meter: Meter, arn: str, unknown: dict[str, str]) -> dict[str, str]:
    try:
        return tag_map(list(pages(meter, client, "list_tags", "Tags", ResourceArn=arn)))
    except CallError as error:
        unknown["tags"] = error.unknown
        return {}


def _is_missing(error: CallError) -> bool:
    if error.code in {"ResourceNotFound", "ResourceNotFoundException"}:
        return True
    message = str(error.response.get("Error", {}).get("Message") or "")
    return error.code == "ValidationException" and bool(_MISSING.search(message))
