"""The model-driven cloud speaks each protocol as the SDK expects it, and refuses wrong fixtures."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.cloud.model_server import ModelCloud, Record

WHERE = "us-east-1"


def client(service: str, attempts: int = 1) -> Any:
    make: Any = boto3.client
    return make(
        service,
        region_name=WHERE,
        config=Config(retries={"total_max_attempts": attempts, "mode": "standard"}),
    )


def test_pages_of_a_json_service(aws_model: ModelCloud) -> None:
    aws_model.add(Record("sagemaker", "Image", WHERE, {"ImageName": f"i{n}"}) for n in range(5))
    sagemaker = client("sagemaker")
    pages = list(sagemaker.get_paginator("list_images").paginate())
    assert [len(page["Images"]) for page in pages] == [2, 2, 1]
    assert aws_model.calls["sagemaker", "ListImages"] == 3
    assert sagemaker.describe_image(ImageName="i3")["ImageName"] == "i3"


def test_a_rest_service_by_path_and_an_answer_around_the_thing(aws_model: ModelCloud) -> None:
    data = {"agentId": "AG1", "agentName": "one"}
    aws_model.add([Record("bedrock-agent", "Agent", WHERE, data)])
    agents = client("bedrock-agent")
    assert agents.get_agent(agentId="AG1")["agent"]["agentName"] == "one"
    assert [a["agentId"] for a in agents.list_agents()["agentSummaries"]] == ["AG1"]


def test_what_is_not_there(aws_model: ModelCloud) -> None:
    with pytest.raises(ClientError) as missing:
        client("bedrock-agent").get_agent(agentId="NONE")
    assert missing.value.response["Error"]["Code"] == "ResourceNotFoundException"
    assert missing.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert client("bedrock-agent").list_agents()["agentSummaries"] == []
    assert client("bedrock").list_guardrails()["guardrails"] == []


def test_other_regions_are_empty(aws_model: ModelCloud) -> None:
    aws_model.add([Record("sagemaker", "Image", "eu-west-1", {"ImageName": "far"})])
    assert client("sagemaker").list_images()["Images"] == []


def test_throttling_is_retried(aws_model: ModelCloud) -> None:
    aws_model.fail("kendra", "ListIndices", "ThrottlingException", 400, times=1)
    assert client("kendra", attempts=3).list_indices()["IndexConfigurationSummaryItems"] == []
    assert aws_model.calls["kendra", "ListIndices"] == 2


def test_the_query_protocol(aws_model: ModelCloud) -> None:
    assert client("sts").get_caller_identity()["Account"] == "123456789012"


def test_a_fixture_cannot_drift_from_the_model(aws_model: ModelCloud) -> None:
    with pytest.raises(ValueError, match="agentNaem"):
        aws_model.add([Record("bedrock-agent", "Agent", WHERE, {"agentNaem": "x"})])
    with pytest.raises(ValueError, match="type"):
        aws_model.add([Record("bedrock-agent", "Agent", WHERE, {"agentName": 7})])
