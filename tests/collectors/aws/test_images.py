"""Image references taken apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.aws.images import image_facts, image_stub, parse_image
from collectors.images import references_in
from undercroft.identity import image_key
from undercroft.model import Presence

OWN = "123456789012"
SHA = "sha256:" + "a" * 64
ECR = f"{OWN}.dkr.ecr.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("ref", "key", "tag", "digest"),
    [
        ("ubuntu", "image/docker.io/library/ubuntu", "", ""),
        ("ubuntu:22.04", "image/docker.io/library/ubuntu", "22.04", ""),
        ("docker.io/ubuntu", "image/docker.io/library/ubuntu", "", ""),
        ("index.docker.io/library/ubuntu", "image/docker.io/library/ubuntu", "", ""),
        ("registry-1.docker.io/vllm/vllm-openai:v1", "image/docker.io/vllm/vllm-openai", "v1", ""),
        ("vllm/vllm-openai", "image/docker.io/vllm/vllm-openai", "", ""),
        ("https://ghcr.io/org/app:1", "image/ghcr.io/org/app", "1", ""),
        ("GHCR.io/org/app", "image/ghcr.io/org/app", "", ""),
        ("localhost/app", "image/localhost/app", "", ""),
        ("registry:5000/app", "image/registry:5000/app", "", ""),
        ("registry:5000/team/app:2", "image/registry:5000/team/app", "2", ""),
        (f"{ECR}/team/llm:3@{SHA}", f"image/{ECR}/team/llm", "3", SHA),
        (f"{ECR}/llm@{SHA.upper().replace('SHA256', 'sha256')}", f"image/{ECR}/llm", "", SHA),
        (
            f"{OWN}.dkr.ecr-fips.us-gov-west-1.amazonaws.com/x",
            f"image/{OWN}.dkr.ecr.us-gov-west-1.amazonaws.com/x",
            "",
            "",
        ),
        (f"{OWN}.dkr-ecr.eu-west-1.on.aws/x:1", f"image/{ECR}/x", "1", ""),
        (
            f"{OWN}.dkr.ecr.cn-north-1.amazonaws.com.cn/x",
            f"image/{OWN}.dkr.ecr.cn-north-1.amazonaws.com.cn/x",
            "",
            "",
        ),
        ("[bold red]x[/]=cmd():1", "image/docker.io/[bold red]x[/]=cmd()", "1", ""),
    ],
)
def test_spellings(ref: str, key: str, tag: str, digest: str) -> None:
    image = parse_image(ref, {OWN})
    assert (image.key, image.tag, image.digest) == (key, tag, digest)
    assert image.pinned is bool(digest)
    assert image.ref == ref


@pytest.mark.parametrize(
    ("ref", "owner", "resource_type"),
    [
        (f"{ECR}/x", "own", "ecr:image"),
        ("999988887777.dkr.ecr.eu-west-1.amazonaws.com/x", "third_party", "ecr:image"),
        ("763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2", "aws", "ecr:image"),
        ("246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-xgboost:1", "aws", "ecr:image"),
        ("public.ecr.aws/deep-learning-containers/pytorch", "third_party", "container:image"),
        ("nvcr.io/nvidia/tritonserver:24.01", "third_party", "container:image"),
    ],
)
def test_whose(ref: str, owner: str, resource_type: str) -> None:
    image = parse_image(ref, {OWN})
    assert (image.owner, image.type) == (owner, resource_type)


def test_a_trusted_account_is_own_wherever_it_is() -> None:
    ref = "999988887777.dkr.ecr.eu-west-1.amazonaws.com/x"
    assert parse_image(ref, {OWN, "999988887777"}).owner == "own"


@pytest.mark.parametrize(
    ("repository", "ai"),
    [
        ("pytorch-training", True),
        ("team/huggingface-pytorch-inference", True),
        ("ml/vllm-openai", True),
        ("ray/cluster", True),
        ("x-arrays", False),
        ("minimal", False),
        ("nvidia/nim", True),
        ("web/frontend", False),
        ("llama-server", True),
    ],
)
def test_ai_by_name(repository: str, ai: bool) -> None:
    assert parse_image(f"{ECR}/{repository}:1").ai is ai


def test_blank_is_refused() -> None:
    with pytest.raises(ValueError, match="blank"):
        parse_image("  ")


def test_stub_carries_its_reference() -> None:
    stub = image_stub(parse_image(f"{ECR}/llm:3", {OWN}))
    assert (stub.presence, stub.account, stub.region) == (Presence.STUB, OWN, "eu-west-1")
    assert references_in(stub) == [f"{ECR}/llm:3"]
    assert stub.facts["owner"] == "own"


def test_references_are_listed_once_and_sorted() -> None:
    images = [parse_image(f"{ECR}/llm{tail}", {OWN}) for tail in (":b", ":a", ":b", f"@{SHA}")]
    references = image_facts(images[0], images)["references"]
    assert isinstance(references, list)
    assert [entry["tag"] for entry in references] == ["a", "b", ""]
    assert [entry["pinned"] for entry in references] == [False, False, True]


@given(st.text(min_size=1).filter(lambda text: text.strip()))
def test_any_text_is_accepted(text: str) -> None:
    if text.strip().removesuffix("://") or "://" not in text:
        try:
            image = parse_image(text)
        except ValueError:
            assert not text.strip().partition("://")[2]
        else:
            assert image.key == f"image/{image.registry}/{image.repository}"
            assert image.pinned is bool(image.digest)


@given(
    st.sampled_from(["docker.io", "index.docker.io", "ghcr.io", "registry:5000", ECR]),
    st.lists(st.text("abcxyz0123-_", min_size=1), min_size=1, max_size=3).map("/".join),
    st.sampled_from(["", ":1", f"@{SHA}", f":1@{SHA}"]),
)
def test_keys_agree_with_identity(host: str, repository: str, tail: str) -> None:
    assert parse_image(f"{host}/{repository}{tail}").key == image_key(host, repository)
