"""KMS keys that protect what AI services use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from botocore.client import BaseClient

from collectors.aws.arns import kms_key
from collectors.aws.errors import CallError
from collectors.aws.policy.documents import PolicyError, decode, parse_policy
from collectors.aws.policy.trust import grants
from collectors.aws.session import call
from collectors.aws.subreads import SubReads, Unread
from collectors.aws.units import AwsCollector, Gaps, Reading, Unit
from collectors.aws.values import jsonable
from undercroft.model import CoverageStatus, Edge, Json, Presence, Resource
from undercroft.relations import Relation

__all__ = ["KmsCollector"]

_USES = ("kms:Decrypt", "kms:ReEncryptFrom", "kms:GenerateDataKey", "kms:CreateGrant")
_NOT_FOUND = frozenset({"NotFoundException"})


class KmsCollector(AwsCollector):
    """Stage 2: reads the keys that services, buckets and repositories named.

    A reference by alias stays a node of its own, ``kms:alias``, one step above the key, so that a
    key has its findings once however it is called.
    """

    name = "aws.kms"
    stage = 2
    service = "kms"
    reads = ("kms:key",)

    def read(self, unit: Unit) -> Reading:
        """Read every wanted key, once."""
        client = self.clients.client("kms", unit.place.region)
        gaps, unread = Gaps(), Unread()
        done: set[str] = set()
        # Keys before aliases: a key that was asked for under its own name keeps its own stub.
        for stub in sorted(unit.wanted, key=lambda s: (_is_alias(s), s.key)):
            try:
                answer = call(unit.meter, client, "describe_key", KeyId=stub.native_id)
            except CallError as error:
                if error.code in _NOT_FOUND:
                    yield _absent(stub, self.name)
                else:
                    unread.add(error)
                    yield replace(stub, unknown={"config": error.unknown}, collector=self.name)
                continue
            metadata = answer["KeyMetadata"]
            key = stub
            if _is_alias(stub):
                named = kms_key(unit.place, str(metadata["Arn"]))
                if named is None:
                    continue
                key = named.stub
                yield _alias(stub, str(metadata["Arn"]), self.name)
                yield Edge(stub.key, key.key, Relation.SAME_WORKLOAD, "TargetKeyId")
            if key.key not in done:
                done.add(key.key)
                found = _key(key, metadata, client, unit, self.name)
                gaps.note([found])
                yield found
        return unread.ended(gaps)


def _is_alias(stub: Resource) -> bool:
    return ":alias/" in stub.native_id


def _absent(stub: Resource, collector: str) -> Resource:
    return replace(
        stub,
        type="kms:alias" if _is_alias(stub) else stub.type,
        presence=Presence.ABSENT,
        facts={"exists": False},
        collector=collector,
    )


def _alias(stub: Resource, arn: str, collector: str) -> Resource:
    return replace(
        stub,
        type="kms:alias",
        config={"AliasName": stub.name, "TargetKeyArn": arn},
        facts={"exists": True},
        presence=Presence.READ,
        collector=collector,
    )


def _key(
    stub: Resource,
    metadata: Mapping[str, Any],
    client: BaseClient,
    unit: Unit,
    collector: str,
) -> Resource:
    reads = SubReads(unit.meter)
    arn = str(metadata["Arn"])
    config: dict[str, Json] = {"KeyMetadata": jsonable(metadata)}
    facts: dict[str, Json] = {"exists": True, "manager": str(metadata.get("KeyManager") or "")}
    answer = reads.read(
        ["config.Policy", "facts.open_to", "facts.public"],
        client,
        "get_key_policy",
        KeyId=arn,
        PolicyName="default",
    )
    if answer is not None:
        try:
            document = decode(answer.get("Policy") or "{}")
            given = grants(parse_policy(document), _USES, unit.place.trusted, arn)
        except PolicyError as error:
            reads.lost(
                ["config.Policy", "facts.open_to", "facts.public"],
                f"{CoverageStatus.ERROR}: {error}",
            )
        else:
            config["Policy"] = jsonable(document)
            facts["public"] = any(grant.public for grant in given)
            outside = [p for grant in given for p in grant.foreign]
            everybody = ["*"] if facts["public"] else []
            facts["open_to"] = list(dict.fromkeys([*everybody, *outside]))
    if _rotates(metadata):
        rotation = reads.read(["config.Rotation"], client, "get_key_rotation_status", KeyId=arn)
        if rotation is not None:
            config["Rotation"] = jsonable(
                {
                    key: rotation[key]
                    for key in ("KeyRotationEnabled", "RotationPeriodInDays")
                    if key in rotation
                }
            )
    return replace(
        stub,
        name=stub.name,
        native_id=arn,
        config=config,
        facts=facts,
        unknown=reads.unknown,
        incarnation=str(jsonable(metadata.get("CreationDate")) or "") or None,
        presence=Presence.READ,
        collector=collector,
    )


def _rotates(metadata: Mapping[str, Any]) -> bool:
    """Only symmetric customer keys whose material KMS made can say whether they rotate."""
    return (
        metadata.get("KeyManager") == "CUSTOMER"
        and metadata.get("KeySpec", "SYMMETRIC_DEFAULT") == "SYMMETRIC_DEFAULT"
        and metadata.get("Origin", "AWS_KMS") == "AWS_KMS"
    )
