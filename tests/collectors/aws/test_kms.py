"""Keys: aliases, policies, and what remains unknown."""

from __future__ import annotations

from typing import Any

import pytest

from collectors.aws.kms import KmsCollector
from collectors.aws.session import Clients
from tests.collectors.aws.conftest import Answer, Proxy
from tests.collectors.aws.lower_layers import (
    ACCOUNT,
    PARTNER,
    collect,
    coverage,
    document,
    edges,
    key_stub,
    read,
    resources,
)
from undercroft.model import CoverageStatus, Presence
from undercroft.relations import Relation


def make(seed: Any, **principal: Any) -> str:
    own = {
        "Sid": "own",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    statements = [own]
    if principal:
        statements.append({"Effect": "Allow", "Action": "kms:*", "Resource": "*", **principal})
    key = seed("kms").create_key(Policy=document(*statements))["KeyMetadata"]["Arn"]
    return str(key)


def test_a_key_is_read_once_however_it_is_called(aws: Proxy, clients: Clients, seed: Any) -> None:
    arn = make(seed)
    seed("kms").create_alias(AliasName="alias/data", TargetKeyId=arn)
    stubs = [key_stub("alias/data"), key_stub(arn), key_stub(arn.rpartition("/")[2])]
    items = collect(KmsCollector(clients), stubs)
    found = read(items)
    (key,) = (r for r in found.values() if r.type == "kms:key")
    assert key.native_id == arn
    assert key.facts == {"exists": True, "manager": "CUSTOMER", "public": False, "open_to": []}
    assert key.config["Rotation"] == {"KeyRotationEnabled": False}
    assert found["alias/data"].type == "kms:alias"
    assert [(e.src, e.dst, e.relation) for e in edges(items)] == [
        (stubs[0].key, key.key, Relation.SAME_WORKLOAD)
    ]
    assert aws.seen.count("GetKeyPolicy") == 1


@pytest.mark.parametrize(
    ("statement", "public", "open_to"),
    [
        ({"Principal": "*"}, True, ["*"]),
        (
            {
                "Principal": {"AWS": "*"},
                "Condition": {"StringEquals": {"kms:CallerAccount": ACCOUNT}},
            },
            False,
            [],
        ),
        (
            {
                "Principal": {"AWS": "*"},
                "Condition": {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}},
            },
            True,
            ["*"],
        ),
        (
            {"Principal": {"AWS": f"arn:aws:iam::{PARTNER}:root"}},
            False,
            [f"arn:aws:iam::{PARTNER}:root"],
        ),
    ],
)
def test_who_may_use_it(
    clients: Clients, seed: Any, statement: Any, public: bool, open_to: list[str]
) -> None:
    arn = make(seed, **statement)
    (key,) = read(collect(KmsCollector(clients), [key_stub(arn)])).values()
    assert (key.facts["public"], key.facts["open_to"]) == (public, open_to)


def test_what_is_not_there_and_what_is_refused(aws: Proxy, clients: Clients, seed: Any) -> None:
    gone = key_stub("00000000-0000-0000-0000-000000000000")
    (absent,) = resources(collect(KmsCollector(clients), [gone])).values()
    assert (absent.presence, absent.facts["exists"]) == (Presence.ABSENT, False)

    arn = make(seed)
    aws.always["GetKeyPolicy"] = Answer.error("AccessDeniedException", 400)
    (key,) = read(collect(KmsCollector(clients), [key_stub(arn)])).values()
    assert set(key.unknown) == {"config.Policy", "facts.open_to", "facts.public"}

    aws.always["DescribeKey"] = Answer.error("AccessDeniedException", 400)
    items = collect(KmsCollector(clients), [key_stub(arn)])
    (stub,) = resources(items).values()
    assert stub.presence is Presence.STUB
    assert coverage(items)[0].status is CoverageStatus.DENIED
