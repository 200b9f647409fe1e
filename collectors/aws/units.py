"""What every AWS unit has in common: where it runs, who it is, and how it says what it could not do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias, TypeVar

from botocore.exceptions import EndpointConnectionError

from collectors.aws.arns import Place
from collectors.aws.errors import CallError
from collectors.aws.session import ALL_REGIONS, Clients
from undercroft.model import Coverage, CoverageStatus, Presence, Resource
from undercroft.protocols import Collected, Meter, Scope, Target

__all__ = ["AwsCollector", "Ended", "Gaps", "Reading", "Unit", "batches", "once", "side_by_side"]


class Ended(NamedTuple):
    """How a unit ended that could go on to its end."""

    reason: str = ""
    """What a reader should know, also if the unit is complete."""
    status: CoverageStatus = CoverageStatus.COMPLETE


Reading: TypeAlias = Generator[Collected, None, Ended]
"""What a unit yields, and how it ended."""

BATCH = 200
"""How many ids one filtered call takes."""
WORKERS = 4
"""Calls in flight per unit: small, since units run side by side already."""

Item = TypeVar("Item")
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit with its identity settled."""

    place: Place
    wanted: tuple[Resource, ...]
    meter: Meter


class AwsCollector(ABC):
    """A unit per region (or per region that ``wanted`` names, if ``reads`` says which types).

    Subclasses set the class attributes and read; a ``CallError`` that leaves ``read`` becomes the
    unit's coverage record.
    """

    name: str
    stage: int = 0
    """Decided where all collectors are in view: ``collectors.aws.collectors``."""
    lists: tuple[str, ...] = ()
    """Types that a complete unit has enumerated to the end."""
    reads: tuple[str, ...] = ()
    """Types this collector reads by reference; empty: it lists, and runs in every region."""

    def __init__(self, clients: Clients) -> None:
        self.clients = clients

    def targets(self, scope: Scope, wanted: Sequence[Resource]) -> Iterator[Target]:
        """The units to run. Never raises: missing credentials surface in each unit's coverage."""
        account = self._account(scope)
        if not self.reads:
            for asked in scope.accounts or (account,):
                for region in self._regions(scope):
                    yield Target(self.name, "aws", asked, region, (), scope.options)
            return
        regions: dict[str, list[Resource]] = {}
        for stub in wanted:
            if stub.type in self.reads and stub.account == account:
                regions.setdefault(stub.region, []).append(stub)
        for region, stubs in sorted(regions.items()):
            yield Target(self.name, "aws", account, region, tuple(stubs), scope.options)

    def collect(self, target: Target, meter: Meter) -> Iterator[Collected]:
        """Read one unit; the last item is its coverage."""
        try:
            place = self._place(target, meter)
            if isinstance(place, str):
                reason, status = place, CoverageStatus.ERROR
            else:
                reason, status = yield from self.read(Unit(place, target.wanted, meter))
        except CallError as error:
            reason, status = error.reason, error.status
            unreachable = isinstance(error.__cause__, EndpointConnectionError)
            if unreachable and not self.clients.offers("ec2", error.region):
                # Every region has EC2. A misspelt region must not look like an empty one.
                reason = f"no region {error.region} is known; check its name, or update boto3"
            elif unreachable and not self.clients.offers(error.service, error.region):
                status = CoverageStatus.NOT_ENABLED
                reason = f"{error.service} is not offered in {error.region}"
        lists = self.lists if status is CoverageStatus.COMPLETE else ()
        yield Coverage("aws", target.scope, target.location, self.name, status, reason, lists)

    @abstractmethod
    def read(self, unit: Unit) -> Reading:
        """Everything this unit can read; raises ``CallError`` where it cannot go on."""

    def _account(self, scope: Scope) -> str:
        try:
            return self.clients.identity().account
        except CallError:
            return scope.accounts[0] if scope.accounts else "-"

    def _regions(self, scope: Scope) -> Sequence[str]:
        if scope.locations and ALL_REGIONS not in scope.locations:
            return scope.locations
        try:
            return self.clients.regions()
        except CallError:
            return (self.clients.default_region,)

    def _place(self, target: Target, meter: Meter) -> Place | str:
        identity = self.clients.identity(meter)
        if target.scope not in {identity.account, "-"}:
            return f"the credentials belong to account {identity.account}, not to {target.scope}"
        named = target.options.get("trusted_accounts")
        listed = named if isinstance(named, Sequence) and not isinstance(named, str) else ()
        accounts = frozenset({identity.account, *(str(account) for account in listed)})
        return Place(identity.partition, identity.account, target.location, accounts)


class Gaps:
    """Counts what was read only in part, for one sentence at the end of a unit."""

    def __init__(self) -> None:
        self._total = 0
        self._reasons: Counter[str] = Counter()

    def note(self, found: Iterable[Collected]) -> None:
        """Look at what is about to be yielded."""
        for item in found:
            if isinstance(item, Resource) and item.presence is Presence.READ and not item.implied:
                self._total += 1
                self._reasons.update(set(item.unknown.values()))

    def sentence(self) -> str:
        """``3 of 12 read in part (denied: needs sagemaker:DescribeModel)``, or empty."""
        return "; ".join(
            f"{count} of {self._total} read in part ({reason})"
            for reason, count in self._reasons.most_common()
        )


def side_by_side(
    items: Iterable[Item], work: Callable[[Item], Found], workers: int = WORKERS
) -> Iterator[Found]:
    """``work(item)`` for every item, a few at a time, in the order of ``items``.

    Never holds more than a few results. An exception from ``work`` or from ``items`` ends it; calls
    that have begun are waited for, the rest are not made.
    """
    pending: deque[Future[Found]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="aws-read") as pool:
        try:
            for item in items:
                pending.append(pool.submit(work, item))
                if len(pending) >= 2 * workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def once(found: Iterable[Collected], seen: set[tuple[str, str]]) -> Iterator[Collected]:
    """``found`` without the stubs that are in ``seen`` already: a thousand models share one role.

    Two stubs of one image that carry different references are different.
    """
    for item in found:
        if isinstance(item, Resource) and item.presence is Presence.STUB:
            name = (item.key, repr(item.facts))
            if name in seen:
                continue
            seen.add(name)
        yield item


def batches(items: Iterable[Item], size: int = BATCH) -> Iterator[list[Item]]:
    """``items`` in lists of at most ``size``."""
    batch: list[Item] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
