"""What every AWS unit has in common: where it runs, who it is, and how it says what it could not do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace

from botocore.exceptions import EndpointConnectionError

from collectors.aws.arns import Place
from collectors.aws.errors import CallError, is_nameless
from collectors.aws.session import ALL_REGIONS, GLOBAL, Account, Clients
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
    known: Mapping[str, Resource] = field(default_factory=dict)
    """What an earlier scan read in it, by key."""


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
    with_them: tuple[str, ...] = ()
    """Further types that are read around those."""

    def __init__(self, clients: Clients) -> None:
        self.clients = clients

    def targets(self, scope: Scope, wanted: Sequence[Resource]) -> Iterator[Target]:
        """The units to run. Never raises: missing credentials surface in each unit's coverage."""
        accounts = self.accounts(scope)
        if not self.reads:
            for account in accounts.values():
                for region in account.regions:
                    yield self.target(account, region, scope)
            return
        places: dict[tuple[str, str], list[Resource]] = {}
        for stub in wanted:
            if stub.type in self.reads and stub.account in accounts:
                places.setdefault((stub.account, stub.region), []).append(stub)
        for (number, region), stubs in sorted(places.items()):
            yield self.target(accounts[number], region, scope, stubs)

    def target(
        self, account: Account, region: str, scope: Scope, wanted: Sequence[Resource] = ()
    ) -> Target:
        """A unit of this collector, with all that a worker needs to sign in."""
        options = {**scope.options, **account.options} if account.options else scope.options
        return Target(self.name, "aws", account.number, region, tuple(wanted), options)

    def collect(self, target: Target, meter: Meter) -> Iterator[Collected]:
        """Read one unit; the last item is its coverage."""
        reader = copy(self)
        reader.clients = self.clients.at(target.options)
        yield from reader.collect_as_signed_in(target, meter)

    def collect_as_signed_in(self, target: Target, meter: Meter) -> Iterator[Collected]:
        """``collect`` with the one session that the target is read with."""
        try:
            place = self._place(target, meter)
            if isinstance(place, str):
                reason, status = place, CoverageStatus.ERROR
            else:
                known = {resource.key: resource for resource in target.known}
                unit = Unit(place, target.wanted, meter, known)
                reason, status = yield from self.read(unit)
        except CallError as error:
            reason, status = error.reason, error.status
            if isinstance(error.__cause__, EndpointConnectionError):
                reason, status = self._unreachable(error)
        lists = self.lists if status is CoverageStatus.COMPLETE else ()
        yield Coverage("aws", target.scope, target.location, self.name, status, reason, lists)

    def _unreachable(self, error: CallError) -> tuple[str, CoverageStatus]:
        """Why nobody answered: no such region, not offered there, or a failure."""
        service, region = error.service, error.region
        if not self.clients.offers("ec2", region):
            # Every region has EC2. A misspelt region must not look like an empty one.
            return f"no region {region} is known; check its name, or update boto3", error.status
        # The SDK's table lacks the newest services. What has no name there is not there, as long as
        # names are found at all.
        nameless = is_nameless(error.__cause__) and self.clients.has_name("ec2", region)
        if nameless or not self.clients.offers(service, region):
            return f"{service} is not offered in {region}", CoverageStatus.NOT_ENABLED
        return error.reason, error.status

    @abstractmethod
    def read(self, unit: Unit) -> Reading:
        """Everything this unit can read; raises ``CallError`` where it cannot go on."""

    def accounts(self, scope: Scope) -> dict[str, Account]:
        """The accounts to read by their numbers, each with the regions to read it in.

        If nobody can sign in there is one all the same, so that each unit says so.
        """
        try:
            found = self.clients.accounts()
        except CallError:
            found = (Account(GLOBAL),)
            if scope.accounts:
                found = tuple(Account(number) for number in scope.accounts)
        else:
            if scope.accounts:
                known = {account.number: account for account in found}
                found = tuple(known.get(number, Account(number)) for number in scope.accounts)
        return {
            account.number: replace(account, regions=self._regions(scope, account))
            for account in found
        }

    def _regions(self, scope: Scope, account: Account) -> tuple[str, ...]:
        if scope.locations and ALL_REGIONS not in scope.locations:
            return tuple(scope.locations)
        if account.regions:
            return account.regions
        try:
            return self.clients.regions()
        except CallError:
            return (self.clients.default_region,)

    def _place(self, target: Target, meter: Meter) -> Place | str:
        identity = self.clients.identity(meter)
        if target.scope not in {identity.account, "-"}:
            return f"the credentials belong to account {identity.account}, not to {target.scope}"
        accounts = {identity.account}
        for option in ("trusted_accounts", "own_accounts"):
            named = target.options.get(option)
            if isinstance(named, Sequence) and not isinstance(named, str):
                accounts.update(str(account) for account in named)
        return Place(identity.partition, identity.account, target.location, frozenset(accounts))
