"""The broken cloud breaks as told, and only there."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, cast

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.cloud.faults import FaultyProxy, denied, not_implemented, throttled


def client(service: str, attempts: int = 1) -> Any:
    config = Config(retries={"mode": "standard", "total_max_attempts": attempts})
    return cast("Any", boto3.client)(service, config=config)


def code(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    answer = error.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def test_a_denied_service_leaves_the_others_alone(aws_faults: FaultyProxy) -> None:
    aws_faults.break_(denied("sagemaker"))
    with pytest.raises(ClientError) as error:
        client("sagemaker").list_models()
    assert code(error) == ("AccessDenied", 403)
    assert client("sts").get_caller_identity()["Account"] == "123456789012"
    assert aws_faults.seen["sagemaker", "ListModels"] == 1


def test_throttling_passes(aws_faults: FaultyProxy) -> None:
    fault = throttled("ecr", times=1)
    aws_faults.break_(fault)
    assert client("ecr", attempts=3).describe_repositories()["repositories"] == []
    assert fault.hits == 1


def test_what_is_not_implemented_says_so_in_html(aws_faults: FaultyProxy) -> None:
    aws_faults.break_(not_implemented("sagemaker", "List.*"))
    with pytest.raises(ClientError) as error:
        client("sagemaker").list_models()
    assert code(error)[1] == 500


@pytest.mark.parametrize(
    ("service", "operation", "call"),
    [
        ("s3", r"GET \?policy", lambda: client("s3").get_bucket_policy(Bucket="data")),
        ("iam", "GetRole", lambda: client("iam").get_role(RoleName="r")),
        ("ec2", "DescribeImages", lambda: client("ec2").describe_images()),
        ("kms", "ListAliases", lambda: client("kms").list_aliases()),
    ],
)
def test_one_operation_of_any_protocol(
    aws_faults: FaultyProxy, service: str, operation: str, call: Any
) -> None:
    aws_faults.break_(denied(service, operation))
    with pytest.raises(ClientError) as error:
        call()
    assert code(error)[1] == 403
    aws_faults.repair()
    with suppress(client(service).exceptions.ClientError):
        call()
    assert aws_faults.seen[service, operation.replace("\\", "")] == 1


def test_one_region_only(aws_faults: FaultyProxy) -> None:
    aws_faults.break_(denied("kms", region="eu-west-1"))
    assert client("kms").list_aliases()
    with pytest.raises(ClientError):
        cast("Any", boto3.client)("kms", region_name="eu-west-1").list_aliases()
