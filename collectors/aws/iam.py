"""IAM roles that AI services run as.

One paged call describes the whole account; where it is refused, each wanted role is read on its
own. Only wanted roles become resources.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from collectors.aws.arns import Place
from collectors.aws.errors import CallError
from collectors.aws.iam_account import IamAccount, last_name, policy_json
from collectors.aws.iam_facts import PolicyText, RoleDocuments, role_facts
from collectors.aws.subreads import Unread, tag_map
from collectors.aws.units import AwsCollector, Gaps, Reading, Unit, side_by_side
from collectors.aws.values import jsonable
from undercroft.model import Json, Presence, Resource

__all__ = ["IamCollector"]


class IamCollector(AwsCollector):
    """Stage 1: reads the roles that earlier collectors named."""

    name = "aws.iam"
    stage = 1
    service = "iam"
    reads = ("iam:role",)

    def read(self, unit: Unit) -> Reading:
        """Read every wanted role."""
        account = IamAccount(self.clients.client("iam"), unit.meter, "Role")
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

    def _role(self, stub: Resource, account: IamAccount, place: Place) -> Resource:
        detail = account.role(last_name(stub.native_id or stub.key))
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
        if "RoleLastUsed" not in detail:
            # A role that was never used has an empty one.
            del facts["last_used"]
            lost["facts.last_used"] = "IAM did not say when the role was last used"
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
    config["AssumeRolePolicyDocument"] = policy_json(detail.get("AssumeRolePolicyDocument"))
    config["RolePolicyList"] = [
        {"PolicyName": p.name, "PolicyDocument": policy_json(p.document)} for p in inline
    ]
    if attached is not None:
        config["AttachedManagedPolicies"] = [
            {"PolicyName": p.name, "PolicyArn": p.arn, "Document": policy_json(p.document)}
            for p in attached
        ]
    if boundary is not None:
        config["PermissionsBoundary"] = {
            "PermissionsBoundaryArn": boundary.arn,
            "Document": policy_json(boundary.document),
        }
    return config
