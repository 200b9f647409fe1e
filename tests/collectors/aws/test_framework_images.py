"""Which images are AWS's framework images, and until when they are patched."""

from __future__ import annotations

import pytest

from collectors.aws.framework_images import framework_images
from collectors.aws.images import parse_image

AWS = "763104351884.dkr.ecr.us-east-1.amazonaws.com/"
PUBLIC = "public.ecr.aws/deep-learning-containers/"


@pytest.mark.parametrize(
    ("text", "framework", "version", "until"),
    [
        (f"{AWS}pytorch-training:2.8.0-gpu-py312", "pytorch", "2.8", "2026-08-06"),
        (f"{AWS}pytorch-training:2.6.0-gpu-py312", "pytorch", "2.6", "2026-01-29"),
        (f"{AWS}pytorch-inference:2.6.0-gpu-py312", "pytorch", "2.6", "2026-06-30"),
        (f"{AWS}pytorch-training:2.10.0-gpu-py312", "pytorch", "2.10", "2027-01-21"),
        (f"{AWS}pytorch-training:1.8.1-gpu-py36", "pytorch", "1.8", "2024-10-28"),
        (f"{AWS}pytorch-training:2.11.0-gpu-py312", "pytorch", "2.11", ""),
        (
            f"{AWS}huggingface-pytorch-inference:2.1.0-transformers4.37.0",
            "pytorch",
            "2.1",
            "2024-10-04",
        ),
        (f"{AWS}tensorflow-inference:2.14.1-cpu", "tensorflow", "2.14", "2024-09-26"),
        (f"{AWS}tensorflow-inference:2.17.0-cpu", "tensorflow", "2.17", ""),
        (f"{AWS}mxnet-training:1.9.0-gpu", "mxnet", "1.9", "2023-10-01"),
        (f"{AWS}sagemaker-xgboost:1.7-1", "xgboost", "1.7", "2026-11-17"),
        (f"{AWS}djl-inference:0.36.0-lmi18.0.0-cu128", "djl-inference", "0.36", ""),
        (f"{AWS}pytorch-training@sha256:{'a' * 64}", "pytorch", "", ""),
        (f"{PUBLIC}pytorch-training:2.7.1-gpu-py312", "pytorch", "2.7", "2026-04-23"),
    ],
)
def test_framework_images(text: str, framework: str, version: str, until: str) -> None:
    (entry,) = framework_images([parse_image(text)])
    day = {"until": f"{until}T23:59:59Z"} if until else {}
    assert entry == {"image": text, "framework": framework, "version": version, **day}


@pytest.mark.parametrize(
    "text",
    [
        "123456789012.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.1",
        "pytorch/pytorch:2.1.0",
        f"{AWS}blazingtext:1",
        f"{AWS}sagemaker-clarify-processing:1.0",
    ],
)
def test_others_have_no_day(text: str) -> None:
    assert list(framework_images([parse_image(text, {"123456789012"})])) == []
