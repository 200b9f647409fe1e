"""Long-term API keys of Bedrock: who holds one, and what goes with it.

A key is text that works from anywhere. Its holder is a row of the services list, since otherwise
nothing would show who uses Bedrock's models from outside. Keys are listed, never read: their
secret is only ever shown by AWS when they are made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from collectors.aws.arns import Place, account, settings
from collectors.aws.errors import CallError
from collectors.aws.iam_account import IamAccount, policy_json
from collectors.aws.iam_facts import PolicyText, RoleDocuments, rights_facts
from collectors.aws.session import GLOBAL, call
from collectors.aws.subreads import tag_map
from collectors.aws.units import AwsCollector, Ended, Gaps, Reading, Unit
from collectors.aws.values import jsonable
from undercroft.model import Certainty, Edge, Json, Layer, Resource
from undercroft.protocols import Collected, Meter, Scope, Target
from undercroft.relations import Relation

__all__ = ["BedrockKeyHolders"]

_BEDROCK = "bedrock.amazonaws.com"
_KEPT = {"ServiceSpecificCredentialId": "Id"} | {
    name: name for name in ("Status", "CreateDate", "ExpirationDate")
}
"""Fields of a key that are kept, and what they are called then: none of them helps to use it."""


class BedrockKeyHolders(AwsCollector):
    """Users with an active API key of Bedrock: one unit per account.

    Each is two resources: the synthetic service ``bedrock:api-keys`` and the ``iam:user`` whose
    rights the keys have. A key works in every region, so the service stands on Bedrock's settings
    in each region that is read.
    """

    name = "aws.iam.bedrock-keys"
    lists = ("bedrock:api-keys", "iam:user")

    def targets(self, scope: Scope, _wanted: Sequence[Resource]) -> Iterator[Target]:
        """One per account, with the regions that are read."""
        for found in self.accounts(scope).values():
            places = (Place("aws", found.number, region) for region in found.regions)
            regions = [settings(place, "bedrock") for place in places]
            yield self.target(found, GLOBAL, scope, regions)

    def read(self, unit: Unit) -> Reading:
        """List the keys; of users only those who hold one."""
        client = self.clients.client("iam")
        held: dict[str, list[Json]] = {}
        for key in _keys(client, unit.meter):
            kept: Json = {new: jsonable(key[old]) for old, new in _KEPT.items() if old in key}
            held.setdefault(str(key["UserName"]), []).append(kept)
        holders = {
            name: keys
            for name, keys in held.items()
            if any(isinstance(key, Mapping) and key.get("Status") == "Active" for key in keys)
        }
        if not holders:
            return Ended()
        known, gaps = IamAccount(client, unit.meter, "User", "Group"), Gaps()
        known.load()
        regions = [region.region for region in unit.wanted]
        for name, keys in sorted(holders.items()):
            user = self._user(unit.place, known, name, keys)
            gaps.note([user])
            yield user
            yield from self._service(unit.place, user, regions)
        return Ended(gaps.sentence())

    def _user(self, place: Place, known: IamAccount, name: str, keys: list[Json]) -> Resource:
        user = Resource(
            key=place.key("iam", "user", name, region=GLOBAL),
            provider="aws",
            account=place.account,
            region=GLOBAL,
            type="iam:user",
            layer=Layer.IDENTITY,
            name=name,
            native_id=f"arn:{place.partition}:iam::{place.account}:user/{name}",
            config={"BedrockApiKeys": keys},
            collector=self.name,
        )
        try:
            detail = known.detail("User", name)
            documents = None if detail is None else _documents(place, known, detail)
        except CallError as error:
            detail, documents, reason = None, None, error.unknown
        else:
            reason = "the user is gone"
        if detail is None or documents is None:
            unread = {f"config.{field}": reason for field in ("GroupList", "Policies")}
            lost = RoleDocuments(
                user.native_id, place.account, place.partition, attached=None, missing=reason
            )
            unread |= rights_facts(lost)[1]
            return replace(user, unknown={**unread, "tags": reason})
        facts, unknown = rights_facts(documents)
        return replace(
            user,
            native_id=documents.arn,
            tags=tag_map(detail.get("Tags")),
            config={**_config(detail, documents), "BedrockApiKeys": keys},
            facts=facts,
            unknown=unknown,
            incarnation=str(detail.get("UserId") or "") or None,
        )

    def _service(self, place: Place, user: Resource, regions: Sequence[str]) -> Iterator[Collected]:
        row = replace(
            user,
            key=place.key("bedrock", "api-keys", user.name, region=GLOBAL),
            type="bedrock:api-keys",
            layer=Layer.SERVICE,
            native_id=f"{user.native_id}#bedrock-api-keys",
            config={"UserName": user.name},
            facts={},
            unknown={path: why for path, why in user.unknown.items() if path == "tags"},
            service=True,
        )
        whole = account(place)
        yield row
        yield Edge(row.key, user.key, Relation.USES_IDENTITY, "UserName")
        yield whole
        yield Edge(row.key, whole.key, Relation.CONTAINED_IN, "account", Certainty.DEFAULT)
        for region in regions:
            shared = settings(replace(place, region=region), "bedrock")
            yield shared
            yield Edge(row.key, shared.key, Relation.CONTAINED_IN, "region", Certainty.DEFAULT)


def _keys(client: Any, meter: Meter) -> Iterator[Mapping[str, Any]]:
    """Every key of Bedrock in the account. The SDK has no paginator for this call."""
    arguments: dict[str, Any] = {"AllUsers": True, "ServiceName": _BEDROCK}
    while True:
        page = call(meter, client, "list_service_specific_credentials", **arguments)
        yield from page.get("ServiceSpecificCredentials") or ()
        if not page.get("IsTruncated") or not page.get("Marker"):
            return
        arguments["Marker"] = page["Marker"]


def _documents(place: Place, known: IamAccount, detail: Mapping[str, Any]) -> RoleDocuments:
    """Everything that decides over a user, that of its groups included."""
    groups = {str(name): known.detail("Group", str(name)) for name in detail.get("GroupList") or ()}
    missing = next((name for name, group in groups.items() if group is None), "")
    holders = [(detail, "UserPolicyList")]
    holders += [(group, "GroupPolicyList") for group in groups.values() if group is not None]
    inline = [
        PolicyText(str(policy["PolicyName"]), "", policy.get("PolicyDocument"))
        for holder, field in holders
        for policy in holder.get(field) or ()
    ]
    attached = [
        known.managed(str(policy["PolicyArn"]))
        for holder, _ in holders
        for policy in holder.get("AttachedManagedPolicies") or ()
    ]
    bounded = detail.get("PermissionsBoundary")
    return RoleDocuments(
        arn=str(detail["Arn"]),
        account=place.account,
        partition=place.partition,
        policies=[*inline, *attached],
        boundary=known.managed(str(bounded["PermissionsBoundaryArn"])) if bounded else None,
        attached=[policy.name for policy in attached],
        missing=f"the group {missing} is not in what IAM said" if missing else "",
    )


def _config(detail: Mapping[str, Any], documents: RoleDocuments) -> dict[str, Json]:
    named = ("Arn", "UserId", "CreateDate", "GroupList")
    config: dict[str, Json] = {name: jsonable(detail[name]) for name in named if name in detail}
    config["Policies"] = [
        {"PolicyName": text.name, "PolicyArn": text.arn, "Document": policy_json(text.document)}
        for text in documents.policies
    ]
    if documents.boundary is not None:
        config["PermissionsBoundary"] = documents.boundary.arn
    return config
