"""Default names that somebody else may have taken, and trails that watch a bucket's objects."""

from __future__ import annotations

from typing import Any

import pytest

from collectors.aws.arns import account_region
from collectors.aws.s3 import S3Collector
from collectors.aws.s3_trails import covers
from collectors.aws.session import Clients
from tests.collectors.aws.conftest import ACCOUNT, Answer, Proxy
from tests.collectors.aws.lower_layers import (
    PLACE,
    bucket_stub,
    collect,
    coverage,
    edges,
    resources,
)
from undercroft.model import CoverageStatus, Presence

SAGEMAKER = f"sagemaker-us-east-1-{ACCOUNT}"
REFUSED = Answer(403, b"", "application/xml")


def test_a_default_name_is_told_from_ours_theirs_and_nobodys(
    aws: Proxy, clients: Clients, seed: Any
) -> None:
    seed("s3").create_bucket(Bucket=f"aws-glue-assets-{ACCOUNT}-us-east-1")
    aws.always[f"HEAD /{SAGEMAKER}"] = REFUSED
    items = collect(S3Collector(clients), [account_region(PLACE)])
    (taken,) = resources(items).values()
    assert (taken.name, taken.presence) == (SAGEMAKER, Presence.STUB)
    assert taken.facts == {
        "exists": True,
        "default_of": "sagemaker",
        "default_region": "us-east-1",
        "default_taken": True,
    }
    (edge,) = edges(items)
    assert (edge.src, edge.dst) == (account_region(PLACE).key, taken.key)
    assert [(c.status, c.reason) for c in coverage(items)] == [(CoverageStatus.COMPLETE, "")]


def test_a_default_name_that_a_service_names_is_also_dangling_or_foreign(
    aws: Proxy, clients: Clients, seed: Any
) -> None:
    named = [account_region(PLACE), bucket_stub(SAGEMAKER)]
    (gone,) = resources(collect(S3Collector(clients), named)).values()
    assert gone.presence is Presence.ABSENT
    aws.always[f"HEAD /{SAGEMAKER}"] = REFUSED
    (theirs,) = resources(collect(S3Collector(clients), named)).values()
    assert theirs.facts["foreign_owned"] is theirs.facts["default_taken"] is True
    del aws.always[f"HEAD /{SAGEMAKER}"]
    seed("s3").create_bucket(Bucket=SAGEMAKER)
    (ours,) = resources(collect(S3Collector(clients), named)).values()
    assert ours.presence is Presence.READ


def test_where_our_buckets_may_not_be_listed_a_refusal_says_nothing(
    aws: Proxy, clients: Clients
) -> None:
    for list_ in ("GET /?max-buckets=1000", "GET /"):
        aws.always[list_] = REFUSED
    aws.always[f"HEAD /{SAGEMAKER}"] = REFUSED
    items = collect(S3Collector(clients), [account_region(PLACE)])
    (unsaid,) = resources(items).values()
    assert "default_taken" not in unsaid.facts
    assert unsaid.unknown["facts.default_taken"].startswith("denied")


OBJECTS = {"Field": "resources.type", "Equals": ["AWS::S3::Object"]}


def advanced(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"AdvancedEventSelectors": [{"FieldSelectors": list(fields)}]}


def classic(*values: str, kind: str = "AWS::S3::Object") -> dict[str, Any]:
    return {"EventSelectors": [{"DataResources": [{"Type": kind, "Values": list(values)}]}]}


@pytest.mark.parametrize(
    ("selectors", "watched"),
    [
        ({}, False),
        (classic("arn:aws:s3"), True),
        (classic("arn:aws:s3:::other/", "arn:aws:s3:::data/"), True),
        (classic("arn:aws:s3:::data/only-this/"), False),
        (classic("arn:aws:lambda", kind="AWS::Lambda::Function"), False),
        (advanced(OBJECTS), True),
        (advanced({"Field": "resources.type", "Equals": ["AWS::Bedrock::Model"]}), False),
        (advanced(OBJECTS, {"Field": "resources.ARN", "StartsWith": ["arn:aws:s3:::data/"]}), True),
        (
            advanced(OBJECTS, {"Field": "resources.ARN", "StartsWith": ["arn:aws:s3:::else/"]}),
            False,
        ),
        (
            advanced(OBJECTS, {"Field": "resources.ARN", "NotStartsWith": ["arn:aws:s3:::da"]}),
            False,
        ),
        (advanced(OBJECTS, {"Field": "resources.ARN", "NotStartsWith": ["arn:aws:s3:::x"]}), True),
    ],
)
def test_what_a_trail_watches(selectors: dict[str, Any], watched: bool) -> None:
    assert covers([{}, selectors], "arn:aws:s3:::data") is watched


def test_trails_are_asked_once_for_buckets_without_a_log_of_their_own(
    aws: Proxy, clients: Clients, seed: Any
) -> None:
    for name in ("one", "two"):
        seed("s3").create_bucket(Bucket=name)
    found = resources(collect(S3Collector(clients), [bucket_stub("one"), bucket_stub("two")]))
    assert [bucket.facts["access_logged"] for bucket in found.values()] == [False, False]
    assert aws.seen.count("DescribeTrails") == 1
    aws.always["DescribeTrails"] = Answer.error("AccessDeniedException", 400)
    (one,) = resources(collect(S3Collector(clients), [bucket_stub("one")])).values()
    assert one.unknown["facts.access_logged"] == "denied: needs cloudtrail:DescribeTrails"
