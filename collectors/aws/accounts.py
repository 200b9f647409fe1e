"""The accounts of one scan: who signs in to each, where it is read, and what stands in the way.

Accounts come from the profiles and roles that were named, and from an organisation's own list. Each
has a session of its own; one that cannot be entered costs one coverage record and nothing else.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Lock
from typing import cast

from collectors.aws.arns import Arn
from collectors.aws.errors import CallError
from collectors.aws.guard import ROLE_NAME
from collectors.aws.session import GLOBAL, Account, Clients, Identity, pages
from undercroft.model import Coverage, CoverageStatus, Json, Resource
from undercroft.protocols import Collected, Meter, Scope, Target

__all__ = ["AccountRecords", "Accounts"]

WHOLE = "aws"
"""The collector of a record that speaks for everything in an account."""

_AT_ONCE = 16
"""Accounts that are signed in to side by side."""
_SESSIONS = 64
"""Accounts whose sessions are kept; one that is needed again signs in again."""
_SIGN_IN = ("profile", "role_arn", "external_id")


@dataclass(frozen=True, slots=True)
class _SignIn:
    profile: str = ""
    roles: tuple[str, ...] = ()
    """Assumed one from the other."""

    @property
    def options(self) -> dict[str, Json]:
        options: dict[str, Json] = {"profile": self.profile, "role_arn": list(self.roles)}
        return {name: value for name, value in options.items() if value}

    @property
    def account(self) -> str:
        """What the role says; without one only AWS knows."""
        arn = Arn.parse(self.roles[-1]) if self.roles else None
        return arn.account if arn and arn.account else GLOBAL


class Accounts(Clients):
    """The SDK for several accounts at once.

    Options beyond those of ``Clients``: ``profiles`` and ``role_arns`` (every role is assumed from
    every profile), ``organization`` (every active account of the organisation that the credentials
    belong to) and ``role_name``, the role to assume in each of its accounts.
    """

    def __init__(self, options: Mapping[str, Json] | None = None) -> None:
        super().__init__(options)
        self._members: OrderedDict[tuple[str, ...], Clients] = OrderedDict()
        self._finding = Lock()
        self._resolved: tuple[tuple[Account, ...], tuple[Coverage, ...]] | None = None

    def at(self, options: Mapping[str, Json]) -> Clients:
        """The SDK of the account whose sign-in is among a target's ``options``."""
        role = options.get("role_arn")
        roles = (role,) if isinstance(role, str) else cast("Sequence[str]", role or ())
        return self._member(_SignIn(str(options.get("profile") or ""), tuple(roles)))

    def accounts(self) -> tuple[Account, ...]:
        """Every account that can be read, in the order in which they were named.

        Signs in to each, several at a time, the first time; never raises.
        """
        return self._resolve()[0]

    def records(self) -> tuple[Coverage, ...]:
        """What cannot be read at all, and why: accounts, their lists of regions, the organisation."""
        return self._resolve()[1]

    def _resolve(self) -> tuple[tuple[Account, ...], tuple[Coverage, ...]]:
        with self._finding:
            if self._resolved is None:
                found, records = self._find()
                # What lies in another account of the same owner is not foreign.
                own = [account.number for account in found] + [record.scope for record in records]
                trusted: list[Json] = [*sorted({number for number in own if number != GLOBAL})]
                self._resolved = (
                    tuple(
                        replace(found_, options={**found_.options, "own_accounts": trusted})
                        for found_ in found
                    ),
                    records,
                )
            return self._resolved

    def _find(self) -> tuple[list[Account], tuple[Coverage, ...]]:
        profiles = _texts(self.options, "profiles", "profile") or ("",)
        roles = _texts(self.options, "role_arns", "role_arn")
        signs = [
            _SignIn(profile, (role,) if role else ())
            for profile in profiles
            for role in roles or ("",)
        ]
        records: list[Coverage] = []
        entered = self._enter(signs)
        if self.options.get("organization"):
            members = []
            for sign, identity in entered:
                if isinstance(identity, Identity):
                    members += list(self._organization(sign, identity, records))
            entered = [*entered, *self._enter(members)]
        found: dict[str, Account] = {}
        failed: dict[str, CallError] = {}
        for sign, identity in entered:
            if isinstance(identity, CallError):
                failed.setdefault(sign.account, identity)
            elif identity.account not in found:
                found[identity.account] = Account(identity.account, sign.options)
        for number, error in failed.items():
            if number not in found:
                # Another way in may have worked.
                records.append(_record(number, WHOLE, error.status, error.reason))
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="regions") as pool:
            read = list(pool.map(self._regions_of, found.values()))
        records += [record for _, record in read if record is not None]
        return [account for account, _ in read], tuple(records)

    def _enter(self, signs: Iterable[_SignIn]) -> list[tuple[_SignIn, Identity | CallError]]:
        def enter(sign: _SignIn) -> tuple[_SignIn, Identity | CallError]:
            try:
                return sign, self._member(sign).identity()
            except CallError as error:
                return sign, error

        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="sign-in") as pool:
            return list(pool.map(enter, dict.fromkeys(signs)))

    def _organization(
        self, sign: _SignIn, identity: Identity, records: list[Coverage]
    ) -> Iterator[_SignIn]:
        """The ways into the other accounts of an organisation."""
        name = str(self.options.get("role_name") or ROLE_NAME)
        try:
            client = self._member(sign).client("organizations")
            for account in pages(Meter(), client, "list_accounts", "Accounts"):
                number = str(account["Id"])
                state = str(account.get("State") or account.get("Status") or "ACTIVE")
                if state != "ACTIVE":
                    reason = f"the account is {state.lower().replace('_', ' ')}"
                    records.append(_record(number, WHOLE, CoverageStatus.SKIPPED, reason))
                elif number != identity.account:
                    role = f"arn:{identity.partition}:iam::{number}:role/{name}"
                    yield _SignIn(sign.profile, (*sign.roles, role))
        except CallError as error:
            reason = f"the organisation's other accounts are not read: {error.reason}"
            records.append(_record(identity.account, f"{WHOLE}.organization", error.status, reason))

    def _regions_of(self, account: Account) -> tuple[Account, Coverage | None]:
        clients = self.at(account.options)
        try:
            return replace(account, regions=clients.regions()), None
        except CallError as error:
            # Only the list of all regions is asked for.
            only = clients.default_region
            reason = f"only {only} is read: {error.reason}"
            record = _record(account.number, f"{WHOLE}.region", error.status, reason)
            return replace(account, regions=(only,)), record

    def _member(self, sign: _SignIn) -> Clients:
        key = (sign.profile, *sign.roles)
        with self._lock:
            known = self._members.get(key)
            if known is None:
                common = {k: v for k, v in self.options.items() if k not in {"profile", "role_arn"}}
                known = self._members[key] = Clients({**common, **sign.options})
                if len(self._members) > _SESSIONS:
                    self._members.popitem(last=False)
            self._members.move_to_end(key)
            return known


class AccountRecords:
    """Says of every account that was asked for and cannot be read that it is not read, and why."""

    name = WHOLE
    stage = 0

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def targets(self, scope: Scope, wanted: Sequence[Resource]) -> Iterator[Target]:  # noqa: ARG002  (the protocol's)
        """One unit per record."""
        for record in self._accounts.records():
            said: dict[str, Json] = {"status": record.status.value, "reason": record.reason}
            yield Target(record.collector, "aws", record.scope, record.location, (), said)

    def collect(self, target: Target, meter: Meter) -> Iterator[Collected]:  # noqa: ARG002  (the protocol's)
        """The record."""
        said = target.options
        status = CoverageStatus(str(said["status"]))
        yield _record(target.scope, target.collector, status, str(said["reason"]))


def _record(account: str, collector: str, status: CoverageStatus, reason: str) -> Coverage:
    return Coverage("aws", account, GLOBAL, collector, status, reason)


def _texts(options: Mapping[str, Json], several: str, one: str) -> tuple[str, ...]:
    named = options.get(several) or options.get(one) or ()
    return (
        (named,)
        if isinstance(named, str)
        else tuple(str(name) for name in cast("list[Json]", named))
    )
