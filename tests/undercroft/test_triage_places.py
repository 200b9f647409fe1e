"""Where a decision about a rule holds, in words that leave nothing out."""

from __future__ import annotations

import pytest

from undercroft.triage.places import elided, resource_words, within
from undercroft.triage.scopes import Scope

NB = "sagemaker/notebook-instance"
SUB = "azure/subscriptions/0f1e"
RG = f"{SUB}/resourcegroups/ml"


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (f"aws/aws/1111/eu-west-1/{NB}/lab", "sagemaker notebook-instance lab in account 1111, eu-west-1"),
        ("aws/aws/1111/-/s3/bucket/a/b", "s3 bucket a/b in account 1111"),
        ("aws/aws-cn/1111/-/iam/role/x", "iam role x in partition aws-cn, account 1111"),
        ("gcp/shop/aiplatform/europe-west4/endpoints/7", "aiplatform endpoints 7 in project shop, europe-west4"),
        (f"{RG}/providers/microsoft.search/searchservices/docs",
         "search searchservices docs in resource group ml, subscription 0f1e"),
        (f"{SUB}/providers/microsoft.security/pricings/ai", "security pricings ai in subscription 0f1e"),
        ("image/ghcr.io/a/b", "image/ghcr.io/a/b"),
        ("aws/odd", "aws/odd"),
    ],
)  # fmt: skip
def test_a_resource(key: str, words: str) -> None:
    assert resource_words(key) == words


@pytest.mark.parametrize(
    ("prefix", "words"),
    [
        ("aws/aws/1111/", "in account 1111"),
        ("aws/aws/1111", "where the account begins with “1111”"),
        ("aws/aws/1111/eu-west-1/", "in account 1111, eu-west-1"),
        ("aws/aws/1111/eu-", "in account 1111 where the region begins with “eu-”"),
        ("aws/aws/1111/-/s3/", "on s3 in account 1111"),
        (f"aws/aws/1111/eu-west-1/{NB}/lab-",
         "on sagemaker notebook-instance in account 1111, eu-west-1 where the name begins with “lab-”"),
        ("gcp/shop/", "in project shop"),
        (f"{SUB}/", "in subscription 0f1e"),
        (f"{RG}/", "in resource group ml, subscription 0f1e"),
        ("aws/", "where keys begin with aws/"),
        ("aws/aws/1111/-/s3/bucket/a/", "where keys begin with aws/aws/1111/-/s3/bucket/a/"),
        ("image/ghcr.io/", "where keys begin with image/ghcr.io/"),
        ("a", "where keys begin with a"),
    ],
)  # fmt: skip
def test_a_beginning(prefix: str, words: str) -> None:
    assert within(prefix) == words


def test_what_is_left_out_tells_no_two_apart() -> None:
    places = ["in account 1111222233, eu-west-1", "in account 1111222233, us-east-1", "everywhere"]
    assert elided(places, 60) == places
    assert elided(places, 24) == ["in account … eu-west-1", "in account … us-east-1", "everywhere"]
    assert elided(places, 10) == ["… eu-west-1", "… us-east-1", "everywhere"]
    assert elided(places[:1] * 2, 20) == places[:1] * 2, "alike, or alone: nothing to tell apart"


def test_all_boundaries_together() -> None:
    scope = Scope("r", resource="aws/aws/1/-/s3/bucket/a", tags={"env": "dev", "a": "b"})
    assert scope.words() == "r on s3 bucket a in account 1, tagged a=b, env=dev"
    assert Scope("cve", "CVE-1").words() == "CVE-1 everywhere"
