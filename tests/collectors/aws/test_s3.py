"""Buckets: who can reach them, and what remains unknown when S3 says no."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any

import pytest

from collectors.aws.s3 import S3Collector
from collectors.aws.s3_copies import copied_outside
from collectors.aws.s3_facts import FLAGS, BucketSettings, bucket_facts, sensitivity
from collectors.aws.session import Clients
from tests.collectors.aws.conftest import Answer, Proxy
from tests.collectors.aws.lower_layers import (
    ACCOUNT,
    PARTNER,
    PLACE,
    bucket_stub,
    collect,
    coverage,
    document,
    edges,
    read,
    resources,
)
from undercroft.model import CoverageStatus, Presence

ALL_ON = dict.fromkeys(FLAGS, True)
EVERYBODY = "http://acs.amazonaws.com/groups/global/AllUsers"
OWNER = "own-canonical-id"


def denied() -> Answer:
    text = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
    return Answer(403, text.encode(), "application/xml")


def public(*actions: str, **more: Any) -> dict[str, Any]:
    return {
        "Sid": "open",
        "Effect": "Allow",
        "Principal": "*",
        "Action": list(actions),
        "Resource": ["arn:aws:s3:::data", "arn:aws:s3:::data/*"],
        **more,
    }


def settings(**changes: Any) -> BucketSettings:
    values: dict[str, Any] = {
        "name": "data",
        "partition": "aws",
        "account_block": {},
        "bucket_block": {},
        "policy": {},
        "policy_is_public": False,
        "grants": [],
        "owner": OWNER,
        "acls_off": False,
        "tags": {},
        **changes,
    }
    return BucketSettings(**values)


def facts(**changes: Any) -> tuple[dict[str, Any], dict[str, str]]:
    found, unknown = bucket_facts(settings(**changes), {ACCOUNT}, {"config.Policy": "denied"})
    return dict(found), unknown


def policy(*statements: dict[str, Any]) -> Any:
    return json.loads(document(*statements))


BLOCKS: list[Any] = [{}, ALL_ON, {"RestrictPublicBuckets": True}, {"IgnorePublicAcls": True}, None]
POLICIES: list[Any] = [
    ({}, False),
    (policy(public("s3:GetObject")), True),
    (policy(public("s3:PutObject")), True),
    (policy(public("s3:*")), True),
    (None, None),
]
ACLS: list[Any] = [
    [],
    [{"Grantee": {"URI": EVERYBODY}, "Permission": "READ"}],
    [{"Grantee": {"URI": EVERYBODY}, "Permission": "WRITE"}],
    None,
]


@pytest.mark.parametrize(
    ("block", "policy_", "acl", "acls_off"),
    list(itertools.product(BLOCKS, POLICIES, ACLS, [False, True, None])),
)
def test_exposure(block: Any, policy_: Any, acl: Any, acls_off: bool | None) -> None:
    """The truth table, against every way in which the unreadable settings could turn out."""
    document_, is_public = policy_
    found, unknown = facts(
        bucket_block=block,
        policy=document_,
        policy_is_public=is_public,
        grants=acl,
        acls_off=acls_off,
    )
    possible = {
        _exposed(b, p, a, o)
        for b in ([{}, ALL_ON, *BLOCKS[2:4]] if block is None else [block])
        for p in (POLICIES[:4] if document_ is None else [policy_])
        for a in (ACLS[:3] if acl is None else [acl])
        for o in ([False, True] if acls_off is None else [acls_off])
    }
    for place, name in enumerate(("public_read", "public_write")):
        answers = {outcome[place] for outcome in possible}
        if len(answers) == 1:
            assert found[name] is answers.pop()
        else:
            assert name not in found
            assert f"facts.{name}" in unknown


def _exposed(block: Any, policy_: Any, acl: Any, acls_off: bool) -> tuple[bool, bool]:
    document_, _ = policy_
    actions = {a for s in document_.get("Statement", []) for a in s["Action"]}
    heeded = not block.get("IgnorePublicAcls") and not acls_off
    open_policy = not block.get("RestrictPublicBuckets")
    granted = {grant["Permission"] for grant in acl} if heeded else set()
    return (
        bool((open_policy and actions & {"s3:GetObject", "s3:*"}) or "READ" in granted),
        bool((open_policy and actions & {"s3:PutObject", "s3:*"}) or "WRITE" in granted),
    )


def test_a_flag_of_either_level_counts() -> None:
    found, _ = facts(
        account_block={"BlockPublicAcls": True, "IgnorePublicAcls": False},
        bucket_block={"RestrictPublicBuckets": True},
    )
    assert found["effective_block"] == {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": False,
        "BlockPublicPolicy": False,
        "RestrictPublicBuckets": True,
    }


def test_an_unreadable_account_block_does_not_matter_where_the_bucket_blocks_all() -> None:
    found, unknown = facts(account_block=None, bucket_block=ALL_ON)
    assert found["effective_block"] == ALL_ON
    assert not unknown


@pytest.mark.parametrize(
    ("statement", "overpermissive", "foreign"),
    [
        (public("s3:GetObject"), [], []),
        (public("s3:PutObject"), ["open"], []),
        (public("s3:PutBucketPolicy"), ["open"], []),
        (
            public("s3:PutObject", Condition={"StringLike": {"aws:Referer": "https://x/*"}}),
            ["open"],
            [],
        ),
        (public("s3:*", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}), ["open"], []),
        (public("s3:*", Condition={"IpAddress": {"aws:SourceIp": "198.51.100.0/24"}}), [], []),
        (public("s3:*", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}), [], []),
        (public("s3:*", Condition={"StringEquals": {"aws:SourceVpce": "vpce-1"}}), [], []),
        (
            public("s3:*", Condition={"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}),
            [],
            [],
        ),
        (
            public("s3:PutObject", Principal={"AWS": f"arn:aws:iam::{PARTNER}:root"}),
            ["open"],
            [f"arn:aws:iam::{PARTNER}:root"],
        ),
        (
            public("s3:PutObject", Principal={"AWS": f"arn:aws:iam::{PARTNER}:role/etl"}),
            [],
            [f"arn:aws:iam::{PARTNER}:role/etl"],
        ),
        (public("s3:GetObject", Principal={"AWS": PARTNER}), [], []),
        (public("s3:*", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:role/x"}), [], []),
        (public("s3:*", Principal={"Service": "logging.s3.amazonaws.com"}), [], []),
        (public("s3:PutObject", Principal={"CanonicalUser": "other"}), [], ["other"]),
        (public("s3:PutObject", Principal={"CanonicalUser": OWNER}), [], []),
    ],
)
def test_too_generous_policies(
    statement: dict[str, Any], overpermissive: list[str], foreign: list[str]
) -> None:
    found, _ = facts(policy=policy(statement), bucket_block=ALL_ON)
    assert (found["overpermissive"], found["foreign_write"]) == (overpermissive, foreign)


@pytest.mark.parametrize(
    ("deny", "closed"),
    [
        ({"Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}}, True),
        ({"Condition": {"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-1"}}}, True),
        ({"Condition": {"Bool": {"aws:SecureTransport": "false"}}}, False),
        ({}, True),
        ({"Resource": "arn:aws:s3:::data/secret/*"}, False),
    ],
)
def test_a_deny_for_all_outsiders_closes_the_policy(deny: dict[str, Any], closed: bool) -> None:
    refuse = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*", **deny}
    found, _ = facts(policy=policy(public("s3:PutObject"), refuse))
    assert (found["overpermissive"] == []) is closed


@pytest.mark.parametrize(
    ("tags", "by"),
    [
        ({"DataClassification": "Restricted"}, "tag DataClassification=Restricted"),
        ({"data-classification": "pii"}, "tag data-classification=pii"),
        ({"contains_pii": "true"}, "tag contains_pii=true"),
        ({"org:sensitivity": "High"}, "tag org:sensitivity=High"),
        ({"DataClassification": "public"}, ""),
        ({"pii": "false"}, ""),
        ({"team": "secret"}, ""),
    ],
)
def test_sensitivity(tags: dict[str, str], by: str) -> None:
    assert sensitivity(tags) == by


@pytest.fixture
def s3(seed: Any) -> Any:
    client = seed("s3")
    client.create_bucket(Bucket="data")
    client.put_public_access_block(Bucket="data", PublicAccessBlockConfiguration=ALL_ON)
    client.put_bucket_versioning(Bucket="data", VersioningConfiguration={"Status": "Enabled"})
    client.put_bucket_tagging(
        Bucket="data",
        Tagging={"TagSet": [{"Key": "DataClassification", "Value": "[bold red]x[/]=cmd()"}]},
    )
    client.put_bucket_encryption(
        Bucket="data",
        ServerSideEncryptionConfiguration={
            "Rules": [
                {
                    "ApplyServerSideEncryptionByDefault": {
                        "SSEAlgorithm": "aws:kms",
                        "KMSMasterKeyID": "alias/data",
                    }
                }
            ]
        },
    )
    client.create_bucket(
        Bucket="open", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    client.put_bucket_policy(
        Bucket="open",
        Policy=document({**public("s3:GetObject"), "Resource": "arn:aws:s3:::open/*"}),
    )
    client.put_bucket_ownership_controls(
        Bucket="open",
        OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
    )
    return client


STUBS = [bucket_stub("data"), bucket_stub("open"), bucket_stub("ghost")]


def test_buckets_are_read(aws: Proxy, clients: Clients, s3: Any) -> None:
    items = collect(S3Collector(clients), STUBS)
    found = resources(items, "s3:bucket")
    data, open_, ghost = (found[name] for name in ("data", "open", "ghost"))
    assert (data.key, data.presence) == (STUBS[0].key, Presence.READ)
    assert data.config["Versioning"] == {"Status": "Enabled"}
    assert data.facts["public_read"] is False
    assert data.facts["sensitive"] is False
    assert not data.unknown
    assert open_.config["Location"] == "eu-west-1"
    assert open_.config["Versioning"] == {"Status": "Disabled"}
    assert open_.facts["public_read"] is True
    assert open_.facts["public_write"] is False
    assert (ghost.presence, ghost.facts) == (Presence.ABSENT, {"exists": False})
    (edge,) = edges(items)
    assert edge.dst == f"aws/aws/{ACCOUNT}/us-east-1/kms/alias/data"
    assert [c.status for c in coverage(items)] == [CoverageStatus.COMPLETE]


def test_the_account_block_is_read_once(aws: Proxy, clients: Clients, seed: Any, s3: Any) -> None:
    collect(S3Collector(clients), STUBS)
    calls = [op for op in aws.seen if "publicAccessBlock" in op and "v20180820" in op]
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("query", "path", "lost"),
    [
        (
            "policy",
            "config.Policy",
            {"facts.overpermissive", "facts.foreign_write", "facts.tls_only"},
        ),
        ("replication", "config.Replication", {"facts.copied_outside"}),
        ("policyStatus", "config.PolicyStatus", set()),
        ("acl", "config.Grants", set()),
        ("tagging", "config.Tags", {"facts.sensitive", "facts.sensitive_by", "tags"}),
        ("versioning", "config.Versioning", set()),
        ("encryption", "config.ServerSideEncryptionConfiguration", set()),
        ("ownershipControls", "config.OwnershipControls", set()),
    ],
)
def test_one_refused_read_costs_what_depends_on_it(
    aws: Proxy, clients: Clients, s3: Any, query: str, path: str, lost: set[str]
) -> None:
    aws.always[f"GET /data?{query}"] = denied()
    data = read(collect(S3Collector(clients), STUBS))["data"]
    assert set(data.unknown) == {path} | lost
    assert all(reason.startswith("denied: needs s3:") for reason in data.unknown.values())
    assert path.removeprefix("config.") not in data.config


def test_an_unreadable_block_leaves_exposure_open(aws: Proxy, clients: Clients, s3: Any) -> None:
    aws.always["GET /open?publicAccessBlock"] = denied()
    open_ = read(collect(S3Collector(clients), STUBS))["open"]
    assert {"facts.effective_block", "facts.public_read"} <= set(open_.unknown)
    assert open_.facts["public_write"] is False


def copy_to(name: str, **more: Any) -> dict[str, Any]:
    return {"Status": "Enabled", "Destination": {"Bucket": f"arn:aws:s3:::{name}"}, **more}


THEIRS = {"Bucket": "arn:aws:s3:::theirs", "Account": PARTNER}


@pytest.mark.parametrize(
    ("rules", "ours", "trusted", "outside"),
    [
        ([], [], [], []),
        ([copy_to("ours")], ["ours"], [PARTNER], []),
        ([copy_to("theirs")], ["ours"], [], ["theirs"]),
        ([copy_to("theirs", Status="Disabled")], ["ours"], [], []),
        ([copy_to("theirs")], ["ours"], [PARTNER], None),
        ([copy_to("theirs")], None, [], None),
        ([copy_to("x", Destination=THEIRS)], None, [], ["theirs"]),
        ([copy_to("x", Destination=THEIRS)], None, [PARTNER], []),
        ([copy_to("x", Destination=THEIRS), copy_to("theirs2")], None, [], ["theirs"]),
    ],
)
def test_copies_that_leave(rules: Any, ours: Any, trusted: Any, outside: Any) -> None:
    place = replace(PLACE, trusted=frozenset({ACCOUNT, *trusted}))
    assert copied_outside({"Rules": rules}, ours, place) == outside


def test_copies_are_read(aws: Proxy, clients: Clients, s3: Any) -> None:
    s3.put_bucket_versioning(Bucket="data", VersioningConfiguration={"Status": "Enabled"})
    rule = copy_to("theirs", ID="all", Priority=1, Filter={"Prefix": ""})
    rule["DeleteMarkerReplication"] = {"Status": "Disabled"}
    role = f"arn:aws:iam::{ACCOUNT}:role/copy"
    s3.put_bucket_replication(
        Bucket="data", ReplicationConfiguration={"Role": role, "Rules": [rule]}
    )
    found = collect(S3Collector(clients), [bucket_stub("data")])
    assert read(found)["data"].facts["copied_outside"] == ["theirs"]
    assert "writes_to" in {edge.relation for edge in edges(found)}
    copied = resources(found, "s3:bucket")["theirs"]
    assert copied.presence is Presence.ABSENT, "what it is copied to is looked at, too"


def test_a_bucket_that_is_not_ours(aws: Proxy, clients: Clients, s3: Any) -> None:
    aws.always["HEAD /theirs"] = Answer(403, b"", "application/xml")
    items = collect(S3Collector(clients), [bucket_stub("theirs")])
    (theirs,) = resources(items).values()
    assert theirs.presence is Presence.STUB
    assert theirs.facts == {"exists": True, "foreign_owned": True}
    assert "another account" in theirs.unknown["config"]
    assert coverage(items)[0].status is CoverageStatus.COMPLETE


def test_without_the_list_each_bucket_is_asked_for(aws: Proxy, clients: Clients, s3: Any) -> None:
    for list_ in ("GET /?max-buckets=1000", "GET /"):
        aws.always[list_] = denied()
    aws.always["HEAD /open"] = Answer(403, b"", "application/xml")
    found = resources(collect(S3Collector(clients), STUBS), "s3:bucket")
    assert found["data"].presence is Presence.READ
    assert found["ghost"].presence is Presence.ABSENT
    assert found["open"].presence is Presence.STUB
    assert found["open"].unknown["config"].startswith("denied: needs s3:ListBucket")


@pytest.mark.parametrize(
    ("statement", "closed"),
    [
        ({}, True),
        ({"Condition": {"Bool": {"aws:SecureTransport": "true"}}}, False),
        ({"Condition": {"Bool": {"aws:SecureTransport": False}}}, True),
        ({"Effect": "Allow"}, False),
        ({"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}, False),
        ({"Principal": {"AWS": "*"}}, True),
        ({"Action": "s3:GetObject"}, False),
        ({"Action": ["s3:GetObject", "s3:Put*"]}, True),
        ({"Resource": "arn:aws:s3:::data"}, False),
        ({"Resource": "arn:aws:s3:::data/some/*"}, False),
    ],
)
def test_plain_http_is_closed_by_a_refusal_for_everybody(statement: Any, closed: bool) -> None:
    refusal = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::data", "arn:aws:s3:::data/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        **statement,
    }
    assert facts(policy=policy(refusal))[0]["tls_only"] is closed
