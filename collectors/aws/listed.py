"""Reads kinds of resources: one unit per list, and by name what is referred to."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import Any

from collectors.aws import (
    sagemaker_asset_kinds,
    sagemaker_cluster_kinds,
    sagemaker_job_kinds,
    sagemaker_kinds,
    sagemaker_registry_kinds,
    sagemaker_studio_kinds,
)
from collectors.aws.describing import TOGETHER, Reader
from collectors.aws.errors import CallError
from collectors.aws.kinds import ARN, Kind
from collectors.aws.session import Clients
from collectors.aws.shared import FEW
from collectors.aws.unchanged import SAFE, reader
from collectors.aws.units import (
    AwsCollector,
    Ended,
    Gaps,
    Reading,
    Unit,
    once,
    side_by_side,
)
from undercroft.model import Coverage, CoverageStatus, Json, Presence, Resource
from undercroft.protocols import Collected

__all__ = ["KindList", "KindNamed", "SageMakerReferenced"]

JOB_DAYS = 90
"""Jobs are history: only those this young are listed, and one that ages out is gone."""
JOB_LIMIT = 2_000
"""At most this many of a kind per region, newest first."""


class KindList(AwsCollector):
    """Everything of one kind in a region, with its children."""

    def __init__(
        self, clients: Clients, kind: Kind, clock: Callable[[], datetime], limit: int = JOB_LIMIT
    ) -> None:
        super().__init__(clients)
        self.name = kind.collector
        self.lists = kind.lists
        if any(f"{one.family}.{one.name}" in SAFE for one in _all_of(kind)):
            self.reader = reader()
        self._kind = kind
        self._clock = clock
        self._limit = limit

    def read(self, unit: Unit) -> Reading:
        """List, describe each, follow what each refers to; then what belongs to them."""
        from collectors.aws.catalogue import LISTED

        count, ended = yield from self._list(unit, self._kind, self.name)
        for kind in LISTED:
            if _lies_within(kind, self._kind):
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
        reader = Reader(self.clients, unit, collector)
        gaps, seen, count = Gaps(), set[tuple[str, str]](), 0
        listed = reader.list_(kind, {**kind.list_arguments, **self._window(kind)})
        wanted = islice(listed, self._limit) if kind.history else listed
        # They come in pages, so that looking ahead costs no call.
        first = list(islice(wanted, FEW + 1))
        reader.many = len(first) > FEW

        def describe(item: dict[str, Json]) -> list[Collected]:
            return reader.describe(kind, item)

        for found in side_by_side(chain(first, wanted), describe):
            count += 1
            gaps.note(found)
            yield from once(found, seen)
        if kind.history and count == self._limit and next(listed, None) is not None:
            reason = f"only the newest {count:,} jobs of the last {JOB_DAYS} days were read"
            return count, Ended(reason, CoverageStatus.TRUNCATED)
        if reader.lost:
            # Children that were not listed are not proven gone.
            return count, Ended(reader.lost[0].reason, reader.lost[0].status)
        return count, Ended(gaps.sentence())

    def _window(self, kind: Kind) -> dict[str, Any]:
        argument = kind.history
        if not argument:
            return {}
        since = self._clock() - timedelta(days=JOB_DAYS)
        by, order = ("SortBy", "SortOrder") if argument[0].isupper() else ("sortBy", "sortOrder")
        return {argument: since, by: "CreationTime", order: "Descending"}


class KindNamed(AwsCollector):
    """What others name of a kind that is not worth listing: one unit per region that has any."""

    def __init__(self, clients: Clients, kind: Kind) -> None:
        super().__init__(clients)
        self.name = kind.collector
        self.reads = (kind.type,)
        self._kind = kind

    def read(self, unit: Unit) -> Reading:
        """Describe each; what does not exist comes out as absent."""
        reader = Reader(self.clients, unit, self.name)
        gaps, failed, seen = Gaps(), list[CallError](), set[tuple[str, str]]()
        wanted = {stub.key: stub for stub in unit.wanted}
        together = reader.together(self._kind, [stub.name for stub in wanted.values()])

        def describe(stub: Resource) -> list[Collected]:
            item: dict[str, Json] = {
                "$name": stub.name,
                "$account": stub.account,
                ARN: stub.native_id,
                **{f"${number}": part for number, part in enumerate(_parts(stub.key), 1)},
            }
            if stub.name in together:
                item[TOGETHER] = together[stub.name]
            try:
                found = reader.describe(self._kind, item, stub=stub)
            except CallError as error:
                failed.append(error)
                return [replace(stub, unknown={"config": error.unknown}, collector=self.name)]
            return found or [
                replace(
                    stub,
                    presence=Presence.ABSENT,
                    facts={"exists": False},
                    collector=self.name,
                )
            ]

        for found in side_by_side(wanted.values(), describe):
            gaps.note(found)
            yield from once(found, seen)
        if failed:
            reason = f"{len(failed)} of {len(unit.wanted)} not read: {failed[0].reason}"
            return Ended(reason, failed[0].status)
        if reader.lost:
            return Ended(reader.lost[0].reason, reader.lost[0].status)
        return Ended(gaps.sentence())


SAGEMAKER: tuple[Kind, ...] = (
    *sagemaker_kinds.KINDS,
    *sagemaker_job_kinds.KINDS,
    *sagemaker_asset_kinds.KINDS,
    *sagemaker_cluster_kinds.KINDS,
    *sagemaker_registry_kinds.KINDS,
    *sagemaker_studio_kinds.KINDS,
)


class SageMakerReferenced(AwsCollector):
    """What others name and no list gave: old training jobs of models, or kinds that cannot be listed."""

    name = "aws.sagemaker.referenced"

    reads = tuple(
        dict.fromkeys(
            kind.type
            for kind in SAGEMAKER
            # Those that a list gives completely are not asked for again.
            if not kind.list_operation or kind.history or kind.name in {"model", "endpoint-config"}
        )
    )

    def read(self, unit: Unit) -> Reading:
        """Describe each by its name; what does not exist comes out as absent.

        What cannot be described stays the stub it is.
        """
        reader = Reader(self.clients, unit, self.name)
        seen, failed = set[tuple[str, str]](), list[CallError]()

        def describe(stub: Resource) -> list[Collected]:
            segment, name = stub.key.split("/", 5)[5].split("/", 1)
            kind = next((kind for kind in SAGEMAKER if kind.segment == segment), None)
            if kind is None or not kind.describe_operation:
                return []
            names = name.split("/", len(kind.identifiers) - 1) if kind.identifiers else ()
            if len(names) != len(kind.identifiers):
                # A version that is not said: there is nothing to ask for.
                return []
            item: dict[str, Json] = {
                ARN: stub.native_id,
                **dict(zip(kind.identifiers, names, strict=True)),
            }
            try:
                found = reader.describe(kind, item, stub=stub)
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


def _parts(key: str) -> list[str]:
    """What the name in a key consists of."""
    return key.split("/", 6)[6].split("/")


def _all_of(kind: Kind) -> Iterator[Kind]:
    """A kind, and all that is read in its unit."""
    from collectors.aws.catalogue import LISTED

    yield kind
    for child in kind.children:
        yield from _all_of(child.kind)
    for other in LISTED:
        if _lies_within(other, kind):
            yield from _all_of(other)


def _lies_within(kind: Kind, whole: Kind) -> bool:
    return (kind.family, kind.within) == (whole.family, whole.name)
