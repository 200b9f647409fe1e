"""IAM roles that AI services run as.

One paged call describes the whole account; where it is refused, each wanted role is read on its
own. Only wanted roles become resources.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from threading import Lock
from typing import Any

from collectors.aws.arns import Place
from collectors.aws.errors import CallError
from collectors.aws.iam_facts import PolicyText, RoleDocuments, role_facts
from collectors.aws.policy.documents import PolicyError, decode
from collectors.aws.session import call, pages
from collectors.aws.subreads import Unread, tag_map
from collectors.aws.units import AwsCollector, Gaps, Reading, Unit, side_by_side
from collectors.aws.values import jsonable
from undercroft.model import Json, Presence, Resource
from undercroft.protocols import Meter

__all__ = ["IamCollector"]

_NOT_FOUND = frozenset({"NoSuchEntity", "NoSuchEntityException"})
_BULK_PAGE = 1000


class IamCollector(AwsCollector):
    """Stage 1: reads the roles that earlier collectors named."""

    name = "aws.iam"
    stage = 1
    service = "iam"
    reads = ("iam:role",)

    def read(self, unit: Unit) -> Reading:
        """Read every wanted role."""
        account = _Account(self.clients.client("iam"), unit.meter)
        gaps, unread = Gaps(), Unread()
        account.load()

        def one(stub: Resource) -> Resource | tuple[Resource, CallError]:
            try:
                return self._role(stub, account, unit.place)
            except CallError as error:
                return replace(stub, unknown={"config": error.unknown}, collector=self.name), error

        for found in side_by_side(unit.wanted, one):
            if isinstance(found, tuple):
                unread.add(found[1])
                yield found[0]
            else:
                gaps.note([found])
                yield found
        return unread.ended(gaps)

    def _role(self, stub: Resource, account: _Account, place: Place) -> Resource:
        detail = account.role(_last(stub.native_id or stub.key))
        if detail is None:
            facts: dict[str, Json] = {"exists": False}
            return replace(stub, presence=Presence.ABSENT, facts=facts, collector=self.name)
        arn = str(detail["Arn"])
        unknown: dict[str, str] = {}
        inline, missing_inline = account.inline(detail, unknown)
        attached, missing_attached = account.attached(detail, unknown)
        boundary = None
        if bounded := detail.get("PermissionsBoundary"):
            boundary = account.managed(str(bounded["PermissionsBoundaryArn"]))
        documents = RoleDocuments(
            arn=arn,
            account=place.account,
            partition=place.partition,
            trust=detail.get("AssumeRolePolicyDocument"),
            policies=[*inline, *(attached or [])],
            boundary=boundary,
            attached=None if attached is None else [policy.name for policy in attached],
            missing=missing_inline or missing_attached,
        )
        used = jsonable((detail.get("RoleLastUsed") or {}).get("LastUsedDate"))
        facts, lost = role_facts(documents, place.trusted, str(used or ""))
        return replace(
            stub,
            name=str(detail.get("RoleName") or stub.name),
            native_id=arn,
            tags=tag_map(detail.get("Tags")),
            config=_config(detail, inline, attached, boundary),
            facts={**facts, "exists": True},
            unknown={**unknown, **lost},
            incarnation=str(detail.get("RoleId") or "") or None,
            presence=Presence.READ,
            collector=self.name,
        )


class _Account:
    """What IAM said so far: everything at once if that is allowed, else piece by piece."""

    def __init__(self, client: Any, meter: Meter) -> None:
        self._client = client
        self._meter = meter
        self._roles: dict[str, dict[str, Any]] = {}
        self._policies: dict[str, PolicyText] = {}
        self._whole = False
        self._refused: CallError | None = None
        self._lock = Lock()
        self._locks: dict[str, Lock] = {}

    def role(self, name: str) -> dict[str, Any] | None:
        """The role's detail, or None if there is no such role. Raises ``CallError``."""
        if name in self._roles or self._whole:
            return self._roles.get(name)
        try:
            answer = call(self._meter, self._client, "get_role", RoleName=name)
        except CallError as error:
            if error.code in _NOT_FOUND:
                return None
            # The call that would have said everything is the one to grant.
            raise (self._refused or error) from error
        role: dict[str, Any] = answer["Role"]
        return role

    def inline(
        self, detail: dict[str, Any], unknown: dict[str, str]
    ) -> tuple[list[PolicyText], str]:
        """Inline policies, and why some are missing."""
        listed = detail.get("RolePolicyList")
        if listed is not None:
            return [PolicyText(p["PolicyName"], "", p.get("PolicyDocument")) for p in listed], ""
        role = detail["RoleName"]
        try:
            names = list(
                pages(self._meter, self._client, "list_role_policies", "PolicyNames", RoleName=role)
            )
        except CallError as error:
            unknown["config.RolePolicyList"] = error.unknown
            return [], error.unknown
        return [self._inline(role, str(name)) for name in names], ""

    def attached(
        self, detail: dict[str, Any], unknown: dict[str, str]
    ) -> tuple[list[PolicyText] | None, str]:
        """Attached managed policies (None if the list is refused), and why they are missing."""
        listed = detail.get("AttachedManagedPolicies")
        if listed is None:
            try:
                listed = list(
                    pages(
                        self._meter,
                        self._client,
                        "list_attached_role_policies",
                        "AttachedPolicies",
                        RoleName=detail["RoleName"],
                    )
                )
            except CallError as error:
                unknown["config.AttachedManagedPolicies"] = error.unknown
                return None, error.unknown
        return [self.managed(str(p["PolicyArn"])) for p in listed], ""

    def managed(self, arn: str) -> PolicyText:
        """A managed policy's default version; with ``missing`` set if it may not be read."""
        with self._lock:
            mine = self._locks.setdefault(arn, Lock())
        # Roles are read side by side; a policy that they share is read once.
        with mine:
            known = self._policies.get(arn)
            if known is None:
                known = self._policies[arn] = self._read_managed(arn)
            return known

    def load(self) -> None:
        """Ask for everything at once. If that is refused, what arrived before is kept."""
        arguments: dict[str, Any] = {
            "Filter": ["Role", "LocalManagedPolicy", "AWSManagedPolicy"],
            "MaxItems": _BULK_PAGE,
        }
        try:
            while True:
                page = call(
                    self._meter, self._client, "get_account_authorization_details", **arguments
                )
                for role in page.get("RoleDetailList") or ():
                    self._roles[role["RoleName"]] = role
                for policy in page.get("Policies") or ():
                    self._keep(policy)
                if not page.get("IsTruncated") or not page.get("Marker"):
                    break
                arguments["Marker"] = page["Marker"]
        except CallError as error:
            # Not a gap yet: each role is asked for on its own.
            self._refused = error
            return
        self._whole = True

    def _keep(self, policy: Mapping[str, Any]) -> None:
        for version in policy.get("PolicyVersionList") or ():
            if version.get("IsDefaultVersion") and version.get("Document"):
                arn = str(policy["Arn"])
                self._policies[arn] = PolicyText(_last(arn), arn, version["Document"])

    def _inline(self, role: str, name: str) -> PolicyText:
        try:
            answer = call(
                self._meter, self._client, "get_role_policy", RoleName=role, PolicyName=name
            )
        except CallError as error:
            return PolicyText(name, "", None, error.unknown)
        return PolicyText(name, "", answer["PolicyDocument"])

    def _read_managed(self, arn: str) -> PolicyText:
        name = _last(arn)
        try:
            policy = call(self._meter, self._client, "get_policy", PolicyArn=arn)["Policy"]
            version = call(
                self._meter,
                self._client,
                "get_policy_version",
                PolicyArn=arn,
                VersionId=policy["DefaultVersionId"],
            )
        except CallError as error:
            return PolicyText(name, arn, None, error.unknown)
        return PolicyText(name, arn, version["PolicyVersion"]["Document"])


def _last(arn: str) -> str:
    """The name at the end of an ARN or key; a path may come before it."""
    return arn.rpartition("/")[2]


def _config(
    detail: Mapping[str, Any],
    inline: Sequence[PolicyText],
    attached: Sequence[PolicyText] | None,
    boundary: PolicyText | None,
) -> dict[str, Json]:
    config = {
        key: jsonable(value)
        for key, value in detail.items()
        if key not in {"RolePolicyList", "AttachedManagedPolicies", "Tags", "InstanceProfileList"}
    }
    config["AssumeRolePolicyDocument"] = _document(detail.get("AssumeRolePolicyDocument"))
    config["RolePolicyList"] = [
        {"PolicyName": p.name, "PolicyDocument": _document(p.document)} for p in inline
    ]
    if attached is not None:
        config["AttachedManagedPolicies"] = [
            {"PolicyName": p.name, "PolicyArn": p.arn, "Document": _document(p.document)}
            for p in attached
        ]
    if boundary is not None:
        config["PermissionsBoundary"] = {
            "PermissionsBoundaryArn": boundary.arn,
            "Document": _document(boundary.document),
        }
    return config


def _document(document: Any) -> Json:
    """A policy document as JSON; as the text it came in if it is not one."""
    if document is None:
        return None
    try:
        decoded: Json = jsonable(decode(document))
        return decoded
    except PolicyError:
        return str(document)
