"""Whose framework images, which version, and until when."""

from __future__ import annotations

from datetime import date

import pytest

from collectors.gcp.prebuilt import AS_OF, UNTIL, prebuilt_images


@pytest.mark.parametrize(
    ("image", "framework", "version", "until"),
    [
        ("us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest", "tf", "2.15", "2026-07-14"),
        ("europe-docker.pkg.dev/vertex-ai/training/tf-gpu.2-17.py310:latest", "tf", "2.17", "2025-07-11"),
        ("gcr.io/cloud-aiplatform/prediction/sklearn-cpu.0-24", "sklearn", "0.24", "2023-11-15"),
        ("gcr.io/deeplearning-platform-release/pytorch-cu121.2-3.py310", "pytorch", "2.3", "2025-04-24"),
        ("us-docker.pkg.dev/deeplearning-platform-release/gcr.io/tf2-gpu.2-11.py37", "tf", "2.11", "2023-11-15"),
        ("us-docker.pkg.dev/vertex-ai/prediction/sklearn-cpu.1-60:latest", "sklearn", "1.60", None),
        ("us-docker.pkg.dev/vertex-ai/training/tf-tpu.2-15.cp310:latest", "tf-tpu", "2.15", None),
    ],
)  # fmt: skip
def test_an_image_is_told_by_its_name(
    image: str, framework: str, version: str, until: str | None
) -> None:
    (found,) = prebuilt_images([image, image])
    assert (found["framework"], found["version"]) == (framework, version)
    assert found.get("until") == (f"{until}T23:59:59Z" if until else None)


@pytest.mark.parametrize(
    "image",
    [
        "europe-west4-docker.pkg.dev/acme/vertex-ai/prediction/tf2-cpu.2-15",
        "example.org/us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15",
        "us-docker.pkg.dev/vertex-ai-restricted/prediction/tf_opt-cpu.nightly:latest",
    ],
)
def test_what_only_looks_like_one_is_none(image: str) -> None:
    assert not list(prebuilt_images([image]))


def test_the_table_holds_days() -> None:
    assert date.fromisoformat(AS_OF)
    for versions in UNTIL.values():
        for day in versions.values():
            assert date.fromisoformat(day)
