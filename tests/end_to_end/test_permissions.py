"""What a scan may ask for: nothing but reads, and nothing that the printed policy does not name."""

from __future__ import annotations

import re

from tests.cloud.faults import FaultyProxy, denied
from tests.end_to_end.kit import Cloud, Shell

S3_ACTIONS = {
    "GET": "s3:ListAllMyBuckets",
    "HEAD": "s3:ListBucket",
    "GET ?acl": "s3:GetBucketAcl",
    "GET ?encryption": "s3:GetEncryptionConfiguration",
    "GET ?list-type": "s3:ListBucket",
    "GET ?logging": "s3:GetBucketLogging",
    "GET ?location": "s3:GetBucketLocation",
    "GET ?max-buckets": "s3:ListAllMyBuckets",
    "GET ?ownershipControls": "s3:GetBucketOwnershipControls",
    "GET ?policy": "s3:GetBucketPolicy",
    "GET ?policyStatus": "s3:GetBucketPolicyStatus",
    "GET ?publicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "GET ?replication": "s3:GetReplicationConfiguration",
    "GET ?tagging": "s3:GetBucketTagging",
    "GET ?versioning": "s3:GetBucketVersioning",
}
"""Request → the permission it needs. Source: Service Authorization Reference, Amazon S3."""
SIGNED = {"tagging": "tag"}
"""Where a request is signed for another name than its permission has."""
FREE = {("sts", "GetCallerIdentity")}
"""Needs no permission."""


def policy(shell: Shell) -> set[str]:
    document = shell.run("doctor", "aws", "--policy").json
    (statement,) = document["Statement"]
    assert statement["Effect"] == "Allow"
    return set(statement["Action"])


def test_the_policy_allows_reads_only(new_shell: Shell) -> None:
    for action in policy(new_shell):
        assert re.fullmatch(r"[a-z0-9-]+:(Get|List|Describe|BatchGet)[A-Za-z0-9]+", action), action


def test_the_policy_covers_every_request_of_a_scan(
    new_shell: Shell, first_requests: frozenset[tuple[str, str]]
) -> None:
    needed = {
        S3_ACTIONS[operation] if service == "s3" else f"{SIGNED.get(service, service)}:{operation}"
        for service, operation in first_requests - FREE
    }
    assert len(needed) > 30
    assert needed - policy(new_shell) == set()


def test_doctor_says_who_one_is(new_shell: Shell, cloud: Cloud) -> None:
    new_shell.endpoint = cloud.endpoint
    out = new_shell.run("doctor", "aws", "--region", "us-east-1").out
    assert "in account 123456789012" in out
    assert "regions: us-east-1" in out


def test_doctor_says_what_is_missing(new_shell: Shell, cloud: Cloud) -> None:
    with FaultyProxy(cloud.endpoint) as proxy:
        proxy.break_(denied())
        new_shell.endpoint = proxy.endpoint
        done = new_shell.run("doctor", "aws", "--region", "us-east-1", status=4)
    assert done.out.startswith("FIX ")
    assert "sts:GetCallerIdentity" in done.out
