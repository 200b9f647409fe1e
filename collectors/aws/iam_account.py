"""What IAM says of an account: one paged call for everything, or each thing on its own."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import Any

from botocore.client import BaseClient

from collectors.aws.errors import CallError
from collectors.aws.iam_facts import PolicyText
from collectors.aws.policy.documents import PolicyError, decode
from collectors.aws.session import call, pages
from collectors.aws.values import jsonable
from undercroft.model import Json
from undercroft.protocols import Meter

__all__ = ["IamAccount", "last_name", "policy_json"]

_NOT_FOUND = frozenset({"NoSuchEntity", "NoSuchEntityException"})
_BULK_PAGE = 1000


class IamAccount:
    """What IAM said so far: everything at once if that is allowed, else piece by piece.

    ``kinds``: what is asked for at once, as IAM calls it: ``Role``, ``User``, ``Group``.
    """

    def __init__(self, client: BaseClient, meter: Meter, *kinds: str) -> None:
        self._client = client
        self._meter = meter
        self._details: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in kinds}
        self._policies: dict[str, PolicyText] = {}
        self._whole = False
        self._refused: CallError | None = None
        self._lock = Lock()
        self._locks: dict[str, Lock] = {}

    def role(self, name: str) -> dict[str, Any] | None:
        """The role's detail, or None if there is no such role. Raises ``CallError``."""
        known = self._details["Role"]
        if name in known or self._whole:
            return known.get(name)
        try:
            answer = call(self._meter, self._client, "get_role", RoleName=name)
        except CallError as error:
            if error.code in _NOT_FOUND:
                return None
            # The call that would have said everything is the one to grant.
            raise (self._refused or error) from error
        role: dict[str, Any] = answer["Role"]
        return role

    def detail(self, kind: str, name: str) -> dict[str, Any] | None:
        """What was said at once about one of ``kinds``; None if there is none of that name.

        Raises ``CallError`` if that was refused before it came to it.
        """
        found = self._details[kind].get(name)
        if found is None and self._refused is not None:
            raise self._refused
        return found

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
            "Filter": [*self._details, "LocalManagedPolicy", "AWSManagedPolicy"],
            "MaxItems": _BULK_PAGE,
        }
        try:
            while True:
                page = call(
                    self._meter, self._client, "get_account_authorization_details", **arguments
                )
                for kind, known in self._details.items():
                    for item in page.get(f"{kind}DetailList") or ():
                        known[item[f"{kind}Name"]] = item
                for policy in page.get("Policies") or ():
                    self._keep(policy)
                if not page.get("IsTruncated") or not page.get("Marker"):
                    break
                arguments["Marker"] = page["Marker"]
        except CallError as error:
            # Not a gap yet: what is wanted may be asked for on its own.
            self._refused = error
            return
        self._whole = True

    def _keep(self, policy: Mapping[str, Any]) -> None:
        for version in policy.get("PolicyVersionList") or ():
            if version.get("IsDefaultVersion") and version.get("Document"):
                arn = str(policy["Arn"])
                self._policies[arn] = PolicyText(last_name(arn), arn, version["Document"])

    def _inline(self, role: str, name: str) -> PolicyText:
        try:
            answer = call(
                self._meter, self._client, "get_role_policy", RoleName=role, PolicyName=name
            )
        except CallError as error:
            return PolicyText(name, "", None, error.unknown)
        return PolicyText(name, "", answer["PolicyDocument"])

    def _read_managed(self, arn: str) -> PolicyText:
        name = last_name(arn)
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


def last_name(arn: str) -> str:
    """The name at the end of an ARN or key; a path may come before it."""
    return arn.rpartition("/")[2]


def policy_json(document: Any) -> Json:
    """A policy document as JSON; as the text it came in if it is not one."""
    if document is None:
        return None
    try:
        decoded: Json = jsonable(decode(document))
        return decoded
    except PolicyError:
        return str(document)
