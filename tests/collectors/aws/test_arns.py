"""References as they stand in configurations, and the keys they become."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.aws.arns import (
    Arn,
    Place,
    Referent,
    bucket,
    by_arn,
    code_repository,
    ec2,
    file_system,
    image,
    kms_key,
    parse_bucket,
    role,
    sagemaker,
)
from undercroft.model import Layer, Presence

PLACE = Place("aws", "111111111111", "eu-west-1", frozenset({"111111111111"}))
HERE = "aws/aws/111111111111/eu-west-1"
HUB = by_arn("sagemaker", "hub-content", "sagemaker:hub-content", Layer.SERVICE)
REFERENTS: dict[str, Referent] = {
    "role": role,
    "bucket": bucket,
    "kms": kms_key,
    "image": image,
    "repository": code_repository,
    "subnet": ec2("subnet", Layer.NETWORK),
    "efs": file_system("efs"),
    "model": sagemaker("model", "sagemaker:model"),
    "hub": HUB,
}


def key(referent: Referent, text: str) -> str | None:
    target = referent(PLACE, text)
    return target.stub.key if target else None


def test_arn() -> None:
    arn = Arn.parse("arn:aws-cn:iam::222222222222:role/team/r")
    assert arn == Arn("aws-cn", "iam", "", "222222222222", "role/team/r")
    assert arn is not None
    assert arn.name == "team/r"
    assert Arn("aws", "lambda", "", "", "function:f").name == "f"
    assert Arn("aws", "secretsmanager", "", "", "secret:team/s-AbCdEf").name == "team/s-AbCdEf"
    for odd in ("", "arn", "arn:aws:s3", "arn:aws:s3:::", "role/x", "urn:aws:s3:::b"):
        assert Arn.parse(odd) is None


def test_roles_belong_to_the_account_in_the_arn() -> None:
    target = role(PLACE, "arn:aws:iam::222222222222:role/service-role/Exec")
    assert target is not None
    assert target.stub.key == "aws/aws/222222222222/-/iam/role/service-role/Exec"
    assert (target.stub.name, target.stub.account, target.stub.region) == (
        "Exec",
        "222222222222",
        "-",
    )
    assert target.stub.presence is Presence.STUB
    assert key(role, "Exec") == "aws/aws/111111111111/-/iam/role/Exec"
    assert role(PLACE, "arn:aws:iam::222222222222:user/eve") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://models/a/b.tar.gz", ("models", "a/b.tar.gz")),
        ("s3://models", ("models", "")),
        ("S3://Models/x", ("Models", "x")),
        ("https://models.s3.eu-west-1.amazonaws.com/a/b", ("models", "a/b")),
        ("https://models.s3.amazonaws.com/a", ("models", "a")),
        ("https://models.s3-eu-west-1.amazonaws.com/a", ("models", "a")),
        (
            "https://my.dotted.models.s3.dualstack.eu-west-1.amazonaws.com/",
            ("my.dotted.models", ""),
        ),
        ("https://s3.eu-west-1.amazonaws.com/models/a%20b", ("models", "a b")),
        ("https://s3.amazonaws.com/models", ("models", "")),
        ("https://s3-us-west-2.amazonaws.com/models/a", ("models", "a")),
        ("https://s3.cn-north-1.amazonaws.com.cn/models/a", ("models", "a")),
        ("arn:aws:s3:::models/a", ("models", "a")),
        ("models", ("models", "")),
        ("https://example.com/models", None),
        ("https://models.s3.evil.example/x", None),
        ("https://s3.amazonaws.com/", None),
        ("file:///etc/passwd", None),
        ("a/b", None),
        ("s3://", None),
        ("s3://[bold red]x[/]", None),
        ("", None),
    ],
)
def test_buckets(text: str, expected: tuple[str, str] | None) -> None:
    assert parse_bucket(text) == expected


def test_a_bucket_keeps_its_prefix_on_the_edge() -> None:
    target = bucket(PLACE, "s3://models/prod/m.tar.gz")
    assert target is not None
    assert target.stub.key == "aws/aws/111111111111/-/s3/bucket/models"
    assert target.stub.native_id == "arn:aws:s3:::models"
    assert target.detail == "prod/m.tar.gz"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("arn:aws:kms:us-east-1:222222222222:key/k", "aws/aws/222222222222/us-east-1/kms/key/k"),
        ("arn:aws:kms:eu-west-1:111111111111:alias/a/b", f"{HERE}/kms/alias/a/b"),
        ("alias/a", f"{HERE}/kms/alias/a"),
        ("1234-ab", f"{HERE}/kms/key/1234-ab"),
        ("arn:aws:s3:::models", None),
        ("alias/", None),
    ],
)
def test_keys(text: str, expected: str | None) -> None:
    assert key(kms_key, text) == expected


def test_images_are_one_node_whatever_the_tag() -> None:
    host = "111111111111.dkr.ecr.eu-west-1.amazonaws.com"
    tagged, pinned = (
        image(PLACE, f"{host}/serve:v1"),
        image(PLACE, f"{host}/serve@sha256:{'0' * 64}"),
    )
    assert tagged is not None
    assert pinned is not None
    assert tagged.stub.key == pinned.stub.key == f"image/{host}/serve"
    assert tagged.stub.facts["owner"] == "own"
    assert (tagged.detail, pinned.detail) == (":v1", f"@sha256:{'0' * 64}")


def test_things_with_bare_ids() -> None:
    assert key(REFERENTS["subnet"], "subnet-1") == f"{HERE}/ec2/subnet/subnet-1"
    assert key(REFERENTS["efs"], "fs-1") == f"{HERE}/elasticfilesystem/file-system/fs-1"
    assert key(file_system("fsx"), "fs-1") == f"{HERE}/fsx/file-system/fs-1"


def test_sagemaker_by_name_and_by_arn_are_the_same() -> None:
    arn = "arn:aws:sagemaker:eu-west-1:111111111111:model/m"
    assert key(REFERENTS["model"], "m") == key(REFERENTS["model"], arn)
    package = sagemaker("model-package", "sagemaker:model-package")
    arn = "arn:aws:sagemaker:us-east-1:222222222222:model-package/group/3"
    expected = "aws/aws/222222222222/us-east-1/sagemaker/model-package/group/3"
    assert key(package, arn) == expected


def test_what_is_only_known_by_arn() -> None:
    arn = "arn:aws:sagemaker:us-east-1:aws:hub-content/Hub/Model/m/1"
    assert key(HUB, arn) == "aws/aws/aws/us-east-1/sagemaker/hub-content/Hub/Model/m/1"
    assert HUB(PLACE, "m") is None


def test_repositories_lose_their_credentials() -> None:
    target = code_repository(PLACE, "https://bob:hunter2@Git.example.com/team/nb.git")
    assert target is not None
    assert target.stub.key == "git/git.example.com/team/nb"
    assert "hunter2" not in repr(target)
    assert key(code_repository, "registered") == f"{HERE}/sagemaker/code-repository/registered"


@given(st.sampled_from(sorted(REFERENTS)), st.text(min_size=1, max_size=60))
def test_whatever_a_field_holds_is_no_error(name: str, text: str) -> None:
    target = REFERENTS[name](PLACE, text)
    if target is not None:
        assert target.stub.presence is Presence.STUB
        assert target.stub.key
        assert target.stub.type


@given(st.text(alphabet="s3:/htp.@[]%amzonwcubket-1℀", max_size=60))
def test_no_url_is_an_error(text: str) -> None:
    for referent in REFERENTS.values():
        if text:
            referent(PLACE, text)
