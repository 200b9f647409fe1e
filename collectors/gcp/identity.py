"""Service accounts that AI services work as: what they may do, who may act as them, their keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from collectors.gcp.clients import Clients, name_in_path
from collectors.gcp.errors import CallError
from collectors.gcp.names import SERVICE_ACCOUNT
from collectors.gcp.policies import Policies
from collectors.gcp.principals import (
    grants_of,
    holds_power,
    is_default_account,
    is_google_account,
)
from collectors.gcp.units import GcpCollector, Unit, Unread
from collectors.reading import Gaps, Reading, side_by_side
from undercroft.model import Json, Presence, Resource
from undercroft.protocols import Meter, Scope

__all__ = ["ServiceAccountCollector"]

_GOOGLES = "Google runs its service as this account and lets nobody read it"


class ServiceAccountCollector(GcpCollector):
    """A unit per project, for the accounts of it that something works as."""

    name = "gcp.iam"
    reads = (SERVICE_ACCOUNT,)

    def __init__(self, clients: Clients) -> None:
        super().__init__(clients)
        self._policies = Policies(clients)

    def read(self, unit: Unit) -> Reading:
        """Read every wanted account with its keys and policies."""
        gaps, unread = Gaps(), Unread()

        def one(stub: Resource) -> Resource | tuple[Resource, CallError]:
            roles, unknown = self._roles(stub.name, unit.meter)
            if is_google_account(stub.name):
                facts: dict[str, Json] = {"roles": roles, "google_managed": True}
                return replace(
                    stub,
                    config={"email": stub.name},
                    facts=facts,
                    unknown={
                        **unknown, "config.keys": _GOOGLES, "config.iamPolicy": _GOOGLES,
                    },
                    presence=Presence.READ,
                    collector=self.name,
                )  # fmt: skip
            try:
                return self._account(stub, roles, unknown, unit)
            except CallError as error:
                if error.missing:
                    return replace(
                        stub, presence=Presence.ABSENT, facts={"exists": False}, collector=self.name
                    )
                return replace(stub, unknown={"config": error.unknown}, collector=self.name), error

        for found in side_by_side(unit.wanted, one):
            if isinstance(found, tuple):
                unread.add(found[1])
                yield found[0]
            else:
                if not found.facts.get("google_managed"):
                    gaps.note([found])
                yield found
        return unread.ended(gaps)

    def _account(
        self, stub: Resource, roles: list[Json], unknown: dict[str, str], unit: Unit
    ) -> Resource:
        project, meter = unit.place.project, unit.meter
        path = f"/v1/projects/{name_in_path(project)}/serviceAccounts/{name_in_path(stub.name)}"
        config = self.clients.get(meter, "iam", path)
        try:
            keys = self.clients.get(meter, "iam", f"{path}/keys", keyTypes="USER_MANAGED")
            config["keys"] = keys.get("keys") or []
        except CallError as error:
            unknown["config.keys"] = error.unknown
        try:
            policy: Mapping[str, Any] = self._policies.get(
                project, self._native(config, stub, meter), meter
            )
            config["iamPolicy"] = {"bindings": [], **policy}
        except CallError:
            try:
                config["iamPolicy"] = {"bindings": [], **self.clients.policy(meter, "iam", path)}
            except CallError as error:
                unknown["config.iamPolicy"] = error.unknown
        config.setdefault("disabled", False)
        unique = config.get("uniqueId")
        facts: dict[str, Json] = {
            "roles": roles,
            "default_account": is_default_account(stub.name),
            "google_managed": False,
        }
        return replace(
            stub,
            config=config,
            facts=facts,
            unknown=unknown,
            incarnation=unique if isinstance(unique, str) else None,
            presence=Presence.READ,
            collector=self.name,
        )

    def _native(self, config: Mapping[str, Any], stub: Resource, meter: Meter) -> str:
        """The inventory names accounts by their number; older entries by email."""
        unique = str(config.get("uniqueId") or "")
        by_number = f"//iam.googleapis.com/projects/{stub.account}/serviceAccounts/{unique}"
        return by_number if by_number in self._policies.of(stub.account, meter) else stub.native_id

    def _roles(self, email: str, meter: Meter) -> tuple[list[Json], dict[str, str]]:
        """What the account may do in the projects of the scan and in what is above them."""
        found: list[dict[str, Json]] = []
        unknown: dict[str, str] = {}
        for resource, policy in self._all_policies(meter):
            if isinstance(policy, CallError):
                unknown.setdefault("facts.roles", policy.unknown)
            else:
                found += grants_of(email, [(resource, policy)])
        for grant in found:
            if not grant["broad"] and not str(grant["role"]).startswith("roles/"):
                try:
                    grant["broad"] = holds_power(self._permissions(str(grant["role"]), meter))
                except CallError as error:
                    unknown.setdefault("facts.roles", error.unknown)
        return [*found], unknown

    def _permissions(self, role: str, meter: Meter) -> list[str]:
        """What a custom role holds."""
        path = "/".join(name_in_path(part) for part in role.split("/"))
        answer = self.clients.remember(
            ("role", role), lambda: self.clients.get(meter, "iam", f"/v1/{path}")
        )
        listed = answer.get("includedPermissions")
        return [str(name) for name in listed] if isinstance(listed, list) else []

    def _all_policies(self, meter: Meter) -> Iterable[tuple[str, Mapping[str, Any] | CallError]]:
        """(resource, policy) of every project and everything above one, each once."""
        return self.clients.remember("all policies", lambda: list(self._ask_all(meter)))

    def _ask_all(self, meter: Meter) -> Iterator[tuple[str, Mapping[str, Any] | CallError]]:
        names: dict[str, CallError | None] = {}
        for project in self.projects.in_scope(Scope("gcp"), meter):
            names[f"projects/{project.id}"] = None
            try:
                names.update(dict.fromkeys(self.projects.ancestors(project, meter)))
            except CallError as error:
                names.setdefault(project.parent, error)

        def ask(name: str) -> tuple[str, Mapping[str, Any] | CallError]:
            failed = names[name]
            try:
                return name, failed or self.projects.policy(name, meter)
            except CallError as error:
                return name, error

        yield from side_by_side(list(names), ask)
