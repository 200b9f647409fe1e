"""What Macie knows of buckets, beside what their tags say."""

from __future__ import annotations

from typing import Any

import pytest

from collectors.aws.s3 import S3Collector
from collectors.aws.session import Clients
from tests.collectors.aws.conftest import Answer, Proxy
from tests.collectors.aws.lower_layers import bucket_stub, collect, coverage, resources

ASKED = "POST /datasources/s3"


@pytest.fixture
def buckets(seed: Any) -> list[str]:
    names = ["found", "clean", "later", "tagged"]
    for name in names:
        seed("s3").create_bucket(Bucket=name)
    tags = {"TagSet": [{"Key": "DataClassification", "Value": "restricted"}]}
    seed("s3").put_bucket_tagging(Bucket="tagged", Tagging=tags)
    return names


def sensitive(clients: Clients, names: list[str]) -> tuple[dict[str, Any], str]:
    """Bucket → why it counts as sensitive (empty: it does not), and what the unit says."""
    items = collect(S3Collector(clients), [bucket_stub(name) for name in names])
    found = resources(items, "s3:bucket")
    assert all(r.facts["sensitive"] is bool(r.facts["sensitive_by"]) for r in found.values())
    return {n: r.facts["sensitive_by"] for n, r in found.items()}, coverage(items)[0].reason


def test_scores_count_beside_tags(clients: Clients, aws: Proxy, buckets: list[str]) -> None:
    scores = {"found": 87, "clean": 12, "later": 50, "tagged": 1}
    listed = [{"bucketName": n, "sensitivityScore": s} for n, s in scores.items()]
    aws.always[ASKED] = Answer.json({"buckets": listed})
    said, reason = sensitive(clients, buckets)
    assert said == {
        "found": "Macie score 87",
        "clean": "",
        "later": "",
        "tagged": "tag DataClassification=restricted",
    }
    assert "Macie" not in reason
    assert aws.seen.count(ASKED) == 1


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("Macie is not enabled", ""),
        ("no", "what Macie knows of buckets is not read (denied: needs macie2:DescribeBuckets)"),
    ],
)
def test_without_macie_the_tags_decide(
    clients: Clients, aws: Proxy, buckets: list[str], message: str, reason: str
) -> None:
    aws.always[ASKED] = Answer.error("AccessDeniedException", 403, message)
    said, told = sensitive(clients, buckets)
    assert {name for name, by in said.items() if by} == {"tagged"}
    assert reason in told
    assert ("Macie" in told) is bool(reason)
