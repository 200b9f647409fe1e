"""What every AWS unit has in common: where it runs, who it is, and how it says what it could not do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from botocore.exceptions import EndpointConnectionError

from collectors.aws.arns import Place
from collectors.aws.errors import CallError
from collectors.aws.session import ALL_REGIONS, Clients
from collectors.reading import WORKERS, Ended, Gaps, Reading, batches, once, side_by_side
from undercroft.model import Coverage, CoverageStatus, Resource
from undercroft.protocols import Collected, Meter, Scope, Target

__all__ = [
    "WORKERS",
    "AwsCollector",
    "Ended",
    "Gaps",
    "Reading",
    "Unit",
    "batches",
    "once",
    "side_by_side",
]


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
