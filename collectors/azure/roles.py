"""Managed identities and what their roles let them do, wherever the assignment was made."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from collectors.azure.errors import ArmError
from collectors.azure.facts import mappings, strings
from collectors.azure.ids import IDENTITY, SYSTEM_IDENTITY, parse_id
from collectors.azure.units import AzureCollector, Losses, Node, Unit, Unread, absent, resource_of
from collectors.reading import Reading
from undercroft.model import Edge, Json, Resource
from undercroft.protocols import Collected, Meter
from undercroft.relations import Relation

__all__ = ["Identities", "allows", "scope_kind"]

_FEDERATED = f"{IDENTITY}/federatedIdentityCredentials"
_ROLE = "Microsoft.Authorization/roleDefinitions"
_BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
_CI_ISSUERS = frozenset({"https://token.actions.githubusercontent.com"})
_LOOSE_SUBJECT = re.compile(r"\*|^repo:[^:]+:(pull_request$|ref:refs/heads/\*)")
_TOP = re.compile(r"/?", re.IGNORECASE)
_GROUP = re.compile(r"/providers/microsoft\.management/managementgroups/[^/]+/?", re.IGNORECASE)
_SUBSCRIPTION = re.compile(r"/subscriptions/[^/]+/?", re.IGNORECASE)
_RESOURCE_GROUP = re.compile(r"/subscriptions/[^/]+/resourcegroups/[^/]+/?", re.IGNORECASE)


class Identities(AzureCollector):
    """The identities that services run as, each with all its role assignments."""

    name = "azure.identity.managed"
    reads = (IDENTITY, SYSTEM_IDENTITY)
    parts: Mapping[str, tuple[str, ...]] = MappingProxyType(
        {"azure.identity.roles": (), "azure.identity.federated": (_FEDERATED,)}
    )

    def read(self, unit: Unit) -> Reading:
        """Two bulk answers for all of them, and one call per identity that others may borrow."""
        losses, unread = unit.losses, Unread()
        losses.asked("azure.identity.roles")
        why, roles = "", _Roles([], [])
        try:
            roles = self._roles(unit)
        except ArmError as error:
            why = error.unknown
            losses.failed("azure.identity.roles", error)
        wanted: dict[str, list[Resource]] = {}
        for stub in unit.wanted:
            wanted.setdefault(stub.key, []).append(stub)
        told = set[str]()
        for stubs in wanted.values():
            for item in self._identity(unit.meter, stubs, roles, why, losses, unread):
                if isinstance(item, Resource) and item.type == _ROLE:
                    if item.key in told:
                        continue
                    told.add(item.key)
                yield item
        return unread.ended()

    def _roles(self, unit: Unit) -> _Roles:
        meter, subscription = unit.meter, unit.subscription
        definitions = self.inventory.rows(meter, "definitions", subscription)
        everywhere = [
            row
            for one in self.arm.subscriptions(meter)
            if one.readable
            for row in self.inventory.rows(meter, "assignments", one.id.lower())
        ]
        above = self.inventory.at_and_above(meter, subscription) if self.inventory.bulk else []
        shared = [
            row
            for one in self.arm.subscriptions(meter)
            if one.readable and one.id.lower() != subscription
            for row in self.inventory.rows(meter, "definitions", one.id.lower())
        ]
        tenant = self.inventory.rows(meter, "definitions", "")
        return _Roles([*everywhere, *above], [*tenant, *shared, *definitions])

    def _identity(
        self,
        meter: Meter,
        stubs: Sequence[Resource],
        roles: _Roles,
        why: str,
        losses: Losses,
        unread: Unread,
    ) -> Iterator[Collected]:
        named = stubs[0]
        arm = parse_id(named.native_id)
        if arm is None:
            return
        principal = next((str(p) for s in stubs if (p := s.facts.get("principal"))), "")
        config: dict[str, Any] = {"properties": {"principalId": principal}}
        unread.asked()
        if named.type == IDENTITY:
            try:
                config = self.inventory.fetch(meter, arm)
            except ArmError as error:
                if error.is_gone:
                    yield absent(named, self.name)
                    return
                if not principal:
                    unread.failed(error)
                    return
        node = Node(arm, config, self.name)
        principal = str(node.get("principalId") or principal).lower()
        owner = next((str(o) for s in stubs if (o := s.facts.get("owner"))), "")
        if owner:
            node.facts["owner"] = owner
        if why or not principal:
            node.unknown["facts.roles"] = why or "not known: the identity's principal was not told"
        else:
            node.facts["roles"] = list(roles.of(principal))
            for definition in roles.custom(principal):
                yield from resource_of(definition)
                edge = Edge(arm.key, definition.arm.key, Relation.USES_IDENTITY, "roleAssignments")
                node.edges.append(edge)
        yield from resource_of(node)
        if named.type == IDENTITY:
            yield from self._federated(meter, node, losses)

    def _federated(self, meter: Meter, node: Node, losses: Losses) -> Iterator[Collected]:
        name = "azure.identity.federated"
        losses.asked(name)
        path = f"{node.arm.text}/federatedIdentityCredentials"
        try:
            items = list(self.arm.pages(meter, path, "2024-11-30"))
        except ArmError as error:
            if not error.is_gone:
                losses.failed(name, error)
            return
        known = set(strings(self.arm.options.get("trusted_issuers"))) | _CI_ISSUERS
        for item in items:
            arm = parse_id(item.get("id"))
            if arm is None:
                continue
            credential = Node(arm, item, name, node)
            issuer = str(credential.get("issuer") or "")
            subject = str(credential.get("subject") or "")
            credential.facts["foreign_issuer"] = issuer not in known and not _is_ours(issuer)
            credential.facts["loose_subject"] = bool(_LOOSE_SUBJECT.search(subject))
            yield from resource_of(credential)
            yield Edge(
                node.arm.key, arm.key, Relation.USES_IDENTITY, "federatedIdentityCredentials"
            )


def _is_ours(issuer: str) -> bool:
    """Issuers of Azure's own clusters."""
    return bool(re.match(r"https://[a-z0-9.-]+\.oic\.prod-aks\.azure\.com/", issuer))


class _Roles:
    """Assignments by principal, with what each role allows."""

    def __init__(
        self, assignments: Sequence[Mapping[str, Any]], definitions: Sequence[Mapping[str, Any]]
    ) -> None:
        self._definitions = {_last(row.get("id")): row for row in definitions}
        self._assignments: dict[str, dict[str, Mapping[str, Any]]] = {}
        for row in assignments:
            said = row.get("properties")
            principal = said.get("principalId") if isinstance(said, Mapping) else None
            if isinstance(principal, str):
                mine = self._assignments.setdefault(principal.lower(), {})
                mine[str(row.get("id")).lower()] = row["properties"]

    def of(self, principal: str) -> Iterator[dict[str, Json]]:
        """Every role of a principal, with its reach."""
        mine = self._assignments.get(principal, {})
        for _, said in sorted(mine.items()):
            role = _last(said.get("roleDefinitionId"))
            definition = self._definitions.get(role)
            scope = str(said.get("scope") or "")
            properties = definition.get("properties") if definition else None
            about: Mapping[str, Any] = properties if isinstance(properties, Mapping) else {}
            entry: dict[str, Json] = {
                "role": str(about.get("roleName") or role),
                "scope": scope,
                "scope_kind": scope_kind(scope),
                "conditional": bool(said.get("condition")),
            }
            if definition is not None:
                permissions = mappings(about.get("permissions"))
                entry["manages"] = allows(permissions, "*/write") or allows(permissions, "*")
                entry["grants_access"] = allows(
                    permissions, "Microsoft.Authorization/roleAssignments/write"
                )
                entry["reads_blobs"] = allows(permissions, f"{_BLOBS}/read", data=True)
                entry["writes_blobs"] = allows(permissions, f"{_BLOBS}/write", data=True)
            yield entry

    def custom(self, principal: str) -> Iterator[Node]:
        """Definitions of the principal's roles that somebody here wrote."""
        for said in self._assignments.get(principal, {}).values():
            row = self._definitions.get(_last(said.get("roleDefinitionId")))
            properties = row.get("properties") if row else None
            if row is None or not isinstance(properties, Mapping):
                continue
            arm = parse_id(said.get("roleDefinitionId")) or parse_id(row.get("id"))
            if arm is None or str(properties.get("type")).lower() != "customrole":
                continue
            node = Node(arm, dict(row), Identities.name)
            everything = {
                "*",
                "microsoft.machinelearningservices/*",
                "microsoft.cognitiveservices/*",
            }
            node.facts["everything"] = any(
                action.lower() in everything
                for permission in mappings(properties.get("permissions"))
                for action in strings(permission.get("actions"))
            )
            yield node


def scope_kind(scope: str) -> str:
    """``root``, ``managementGroup``, ``subscription``, ``resourceGroup`` or ``resource``."""
    for kind, pattern in (
        ("root", _TOP),
        ("managementGroup", _GROUP),
        ("subscription", _SUBSCRIPTION),
        ("resourceGroup", _RESOURCE_GROUP),
    ):
        if pattern.fullmatch(scope):
            return kind
    return "resource"


def allows(permissions: Sequence[Mapping[str, Any]], action: str, *, data: bool = False) -> bool:
    """Whether a role allows ``action``: what it grants less what it takes away again.

    ``action`` may itself hold ``*``: ``*/write`` asks for a role that writes everywhere.
    """
    granted, taken = ("dataActions", "notDataActions") if data else ("actions", "notActions")
    return any(
        any(_matches(pattern, action) for pattern in strings(permission.get(granted)))
        and not any(_matches(pattern, action) for pattern in strings(permission.get(taken)))
        for permission in permissions
    )


def _matches(pattern: str, action: str) -> bool:
    return bool(_regex(pattern.lower()).fullmatch(action.lower()))


@lru_cache(maxsize=4096)
def _regex(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")))


def _last(text: object) -> str:
    return str(text or "").rstrip("/").rpartition("/")[2].lower()
