"""Clients, counting, retries and failures, over HTTP."""

from __future__ import annotations

import pickle
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from collectors.aws.errors import CallError, UnsupportedOperationError, classify
from collectors.aws.session import AT_ONCE, Clients, Identity, call, pages
from tests.collectors.aws.conftest import ACCOUNT, HTML_500, Answer, Proxy
from undercroft.model import CoverageStatus
from undercroft.protocols import Cancelled, Meter

ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
OK = Answer.json({"Models": []})
THROTTLED = Answer.error("ThrottlingException", 400)


def fails(clients: Clients, operation: str = "list_models", **kwargs: Any) -> CallError:
    with pytest.raises(CallError) as failure:
        call(Meter(), clients.client("sagemaker"), operation, **kwargs)
    assert classify(failure.value) == (failure.value.status, failure.value.reason)
    return failure.value


def test_identity_is_asked_for_once(aws: Proxy, clients: Clients) -> None:
    assert clients.identity() == Identity(ACCOUNT, "aws", f"arn:aws:sts::{ACCOUNT}:user/moto")
    assert clients.identity().account == ACCOUNT
    assert aws.seen == ["GetCallerIdentity"]


def test_clients_are_shared_between_threads(clients: Clients, aws: Proxy) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: clients.client("sts", "eu-west-1"), range(16)))
    assert all(client is made[0] for client in made)
    assert clients.client("sts", "eu-west-2") is not made[0]
    assert clients.client("sts") is clients.client("sts", "us-east-1")


def test_clients_travel_to_another_process_without_their_sockets(clients: Clients) -> None:
    clients.client("sts")
    copy = pickle.loads(pickle.dumps(clients))
    assert copy.options == clients.options
    assert copy.identity().account == ACCOUNT


def test_calls_and_pages_are_counted(aws: Proxy, clients: Clients, seed: Any) -> None:
    for name in "abc":
        seed("sagemaker").create_notebook_instance(
            NotebookInstanceName=name, InstanceType="ml.t3.medium", RoleArn=ROLE
        )
    meter, client = Meter(), clients.client("sagemaker")
    found = pages(meter, client, "list_notebook_instances", "NotebookInstances", page_size=2)
    assert [item["NotebookInstanceName"] for item in found] == ["a", "b", "c"]
    assert meter.calls == len(aws.seen) == 2
    call(meter, client, "describe_notebook_instance", NotebookInstanceName="a")
    assert (meter.calls, meter.throttled) == (3, 0)


def test_pages_are_as_large_as_the_model_allows(aws: Proxy, clients: Clients) -> None:
    sent: list[Any] = []
    client: Any = clients.client("sagemaker")
    client.meta.events.register(
        "provide-client-params.sagemaker.ListModels", lambda params, **_: sent.append(params)
    )
    assert list(pages(Meter(), client, "list_models", "Models")) == []
    assert sent[0]["MaxResults"] == 100


def test_what_is_not_paged_is_one_call(aws: Proxy, clients: Clients) -> None:
    regions = list(pages(Meter(), clients.client("ec2"), "describe_regions", "Regions"))
    assert len(regions) > 10
    assert aws.seen == ["DescribeRegions"]


@pytest.mark.parametrize("application", ["", "audits"])
def test_an_account_sees_who_called(
    aws: Proxy, clients: Clients, application: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SDK_UA_APP_ID", application)
    client = clients.client("sts")
    sent: list[str] = []
    client.meta.events.register(
        "before-send", lambda request, **_: sent.append(request.headers["User-Agent"].decode())
    )
    call(Meter(), client, "get_caller_identity")
    assert {"undercroft", "Botocore", "Boto3"} <= {word.split("/")[0] for word in sent[0].split()}
    assert not application or "app/audits" in sent[0].split()


def test_throttling_is_retried_and_counted(aws: Proxy) -> None:
    aws.script["ListModels"] = deque([Answer.error("ThrottlingException", 429)])
    aws.always["ListModels"] = OK
    meter = Meter()
    client = Clients({"max_attempts": 3}).client("sagemaker")
    assert call(meter, client, "list_models") == {"Models": []}
    assert (meter.calls, meter.throttled) == (2, 1)


def test_only_so_many_calls_of_a_service_are_in_flight(aws: Proxy, clients: Clients) -> None:
    aws.always["ListModels"] = OK
    together, flying, most = Barrier(AT_ONCE, timeout=5), 0, 0
    lock = Lock()

    def sent(**_: Any) -> None:
        nonlocal flying, most
        with lock:
            flying += 1
            most = max(most, flying)
        together.wait()
        with lock:
            flying -= 1

    client = clients.client("sagemaker")
    client.meta.events.register("before-send.sagemaker.ListModels", sent)

    def ask(number: int) -> None:
        if number % 2:
            call(Meter(), client, "list_models")
        else:
            list(pages(Meter(), client, "list_models", "Models"))

    with ThreadPoolExecutor(4 * AT_ONCE) as pool:
        list(pool.map(ask, range(4 * AT_ONCE)))
    assert most == AT_ONCE


@pytest.mark.parametrize("answer", [THROTTLED, Answer.error("Odd", 429)])
def test_throttling_to_the_end(aws: Proxy, clients: Clients, answer: Answer) -> None:
    aws.always["ListModels"] = answer
    error = fails(clients)
    assert error.status is CoverageStatus.THROTTLED
    assert "throttled after all retries" in error.reason


def test_a_server_error_of_aws_is_retried(aws: Proxy) -> None:
    aws.always["ListModels"] = Answer.error("InternalFailure", 500)
    error = fails(Clients({"max_attempts": 3}))
    assert aws.seen == ["ListModels"] * 3
    assert error.status is CoverageStatus.ERROR
    assert error.reason == "sagemaker:ListModels: AWS answered 500 InternalFailure; scan again"


def test_what_the_endpoint_does_not_speak_is_tried_twice_only(aws: Proxy) -> None:
    aws.always["ListModels"] = HTML_500
    error = fails(Clients({"max_attempts": 8}))
    assert aws.seen == ["ListModels"] * 2
    assert error.status is CoverageStatus.ERROR
    assert error.reason == "sagemaker:ListModels: not implemented by this endpoint (HTTP 500)"


def test_an_unimplemented_operation_of_moto_itself(aws: Proxy) -> None:
    aws.completed = False
    error = fails(Clients({"max_attempts": 8}), "list_user_profiles")
    assert aws.seen == ["ListUserProfiles"] * 2
    assert "not implemented by this endpoint" in error.reason


@pytest.mark.parametrize(
    "answer",
    [
        Answer.error("AccessDeniedException", 400),
        Answer(403, b"<html>Forbidden</html>", "text/html"),
        Answer.error("SomethingNew", 403),
    ],
)
def test_denied(aws: Proxy, clients: Clients, answer: Answer) -> None:
    aws.always["ListModels"] = answer
    error = fails(clients)
    assert error.status is CoverageStatus.DENIED
    assert error.reason.startswith("needs sagemaker:ListModels; grant it")
    assert error.unknown == "denied: needs sagemaker:ListModels"


def test_expired_credentials_are_not_a_missing_permission(aws: Proxy, clients: Clients) -> None:
    aws.always["ListModels"] = Answer.error("ExpiredTokenException", 403)
    error = fails(clients)
    assert error.status is CoverageStatus.DENIED
    assert "sign in again" in error.reason


def test_a_service_that_is_not_enabled_is_no_gap(aws: Proxy, clients: Clients) -> None:
    aws.always["ListModels"] = Answer.error("OptInRequired", 403)
    assert fails(clients).status is CoverageStatus.NOT_ENABLED


def test_a_call_error_is_a_client_error(aws: Proxy, clients: Clients) -> None:
    aws.always["ListModels"] = Answer.error("ValidationException", 400, "bad [bold]name[/]")
    error = fails(clients)
    assert isinstance(error, ClientError)
    assert (error.code, error.http_status) == ("ValidationException", 400)
    assert error.reason == "sagemaker:ListModels: ValidationException: bad [bold]name[/]"
    assert pickle.loads(pickle.dumps(error)).response == error.response


def test_an_operation_the_sdk_does_not_know(clients: Clients) -> None:
    error = fails(clients, "list_tomorrows_models")
    assert isinstance(error.__cause__, UnsupportedOperationError) or "boto3" in error.reason
    assert error.status is CoverageStatus.ERROR
    assert "update boto3" in error.reason


def test_what_the_sdk_itself_refuses_is_said_on_one_line(aws: Proxy, clients: Clients) -> None:
    error = fails(clients, "describe_model")
    assert error.reason == (
        "sagemaker:DescribeModel: Parameter validation failed: "
        'Missing required parameter in input: "ModelName"'
    )
    assert aws.seen == []


def test_nobody_there(aws: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    error = fails(Clients({"max_attempts": 1}))
    assert isinstance(error.__cause__, EndpointConnectionError)
    assert error.status is CoverageStatus.ERROR
    assert (error.code, error.http_status) == ("", 0)
    assert "no answer" in error.reason


def test_a_profile_that_does_not_exist(aws: Proxy) -> None:
    with pytest.raises(CallError) as failure:
        Clients({"profile": "nobody"}).identity()
    assert failure.value.status is CoverageStatus.DENIED
    assert "nobody" in failure.value.reason


def test_a_role_is_assumed(aws: Proxy) -> None:
    role = "arn:aws:iam::210987654321:role/audit"
    identity = Clients({"role_arn": role, "external_id": "x1"}).identity()
    assert identity.account == "210987654321"
    assert "assumed-role/audit/undercroft" in identity.arn
    assert aws.seen == ["AssumeRole", "GetCallerIdentity"]


def test_a_role_that_may_not_be_assumed(aws: Proxy) -> None:
    aws.always["AssumeRole"] = Answer.xml_error("AccessDenied", 403)
    with pytest.raises(CallError) as failure:
        Clients({"role_arn": "arn:aws:iam::210987654321:role/audit"}).identity()
    assert failure.value.unknown == "denied: needs sts:AssumeRole"


def test_account_prefixed_hosts_stay_on_loopback(aws: Proxy, clients: Clients) -> None:
    with pytest.raises(CallError) as nothing_set:
        call(Meter(), clients.client("s3control"), "get_public_access_block", AccountId=ACCOUNT)
    assert nothing_set.value.code == "NoSuchPublicAccessBlockConfiguration"
    assert aws.hosts == [f"{ACCOUNT}.{aws.url.removeprefix('http://')}"]


def test_cancelled_before_the_next_call(aws: Proxy, clients: Clients) -> None:
    meter = Meter(cancelled=lambda: True)
    client = clients.client("sagemaker")
    with pytest.raises(Cancelled):
        call(meter, client, "list_models")
    with pytest.raises(Cancelled):
        list(pages(meter, client, "list_models", "Models"))
    assert aws.seen == []


def test_regions(aws: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Clients({"regions": ["eu-west-1", "us-west-2"]}).regions() == ("eu-west-1", "us-west-2")
    assert Clients({"regions": ["eu-west-1"]}).default_region == "eu-west-1"
    assert Clients().regions() == ("us-east-1",)
    assert Clients().has_region
    everywhere = Clients({"regions": ["all"]}).regions()
    assert {"us-east-1", "eu-central-1"} <= set(everywhere)
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert not Clients().has_region
    assert Clients().regions() == ("us-east-1",)


def test_offers_is_a_table(clients: Clients) -> None:
    assert clients.offers("sagemaker", "eu-west-1")
    assert not clients.offers("sagemaker", "mars-north-1")
    assert clients.offers("iam", "us-east-1")
