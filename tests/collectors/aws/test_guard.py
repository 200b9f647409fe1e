"""Nothing but reads leaves this program."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name

import collectors.aws
from collectors.aws import guard
from collectors.aws.catalogue import EVERY
from collectors.aws.guard import READS, WriteRefusedError
from collectors.aws.session import Clients
from tests.collectors.aws.conftest import Proxy
from undercroft.model import Json

READING = ("Get", "List", "Describe", "BatchGet", "Head")


def test_nothing_may_be_sent_that_nobody_sends() -> None:
    folder = Path(guard.__file__).parent
    code = "".join(f.read_text("utf-8") for f in folder.glob("*.py") if f.stem != "guard")
    asked = {operation for k in EVERY for operation in (k.list_operation, k.describe_operation)}
    idle = [
        f"{service}:{operation}"
        for service, operations in READS.items()
        for operation in operations
        if xform_name(operation) not in asked and f'"{xform_name(operation)}"' not in code
    ]
    assert idle == []


@pytest.mark.parametrize("service", sorted(READS))
def test_every_operation_of_the_read_list_exists_and_reads(
    service: str, service_models: dict[str, Any]
) -> None:
    known = set(service_models[service].operation_names)
    assert READS[service] <= known
    assert all(operation.startswith(READING) for operation in READS[service])


@pytest.mark.parametrize("service", sorted(READS))
def test_every_other_operation_is_refused_before_any_request(
    service: str, aws: Proxy, clients: Clients
) -> None:
    client = clients.client(service)
    api_names = client.meta.method_to_api_mapping
    # The SDK leaves out what streams in both directions, though its table names it.
    there = {method: api for method, api in api_names.items() if hasattr(client, method)}
    others = {method: api for method, api in there.items() if api not in READS[service]}
    assert others
    for method, api in others.items():
        with pytest.raises(WriteRefusedError) as refused:
            getattr(client, method)()
        assert (refused.value.service, refused.value.operation) == (service, api)
    assert aws.seen == []


def test_a_complete_write_is_refused_too(aws: Proxy, clients: Clients) -> None:
    client: Any = clients.client("s3")
    with pytest.raises(WriteRefusedError):
        client.delete_bucket(Bucket="models")
    with pytest.raises(WriteRefusedError):
        client.generate_presigned_url("put_object", Params={"Bucket": "b", "Key": "k"})
    assert aws.seen == []


def test_the_second_hook_refuses_what_goes_past_the_first(aws: Proxy, clients: Clients) -> None:
    client: Any = clients.client("sagemaker")
    model = client.meta.service_model.operation_model("DeleteModel")
    with pytest.raises(WriteRefusedError):
        client.meta.events.emit("before-call.sagemaker.DeleteModel", model=model, params={})


def test_reads_go_through(aws: Proxy, clients: Clients) -> None:
    client: Any = clients.client("sagemaker")
    assert client.list_models()["Models"] == []
    assert aws.seen == ["ListModels"]


def test_only_the_session_makes_clients() -> None:
    folder = Path(collectors.aws.__file__).parent
    makers = {
        path.name
        for path in folder.rglob("*.py")
        if any(
            word in path.read_text()
            for word in (
                "import boto3",
                "create_client",
                "boto3.client",
                "botocore.session.Session(",
                "session.client(",
                "session.resource(",
            )
        )
    }
    assert makers - {"discover.py"} == {"session.py"}


def test_the_policy_allows_exactly_the_reads() -> None:
    document: Any = guard.policy_document()
    (statement,) = document["Statement"]
    assert statement["Effect"] == "Allow"
    actions = statement["Action"]
    assert actions == sorted(set(actions))
    assert not any("*" in action for action in actions)
    assert "s3:GetAccountPublicAccessBlock" in actions
    assert "s3:GetEncryptionConfiguration" in actions
    assert "sagemaker:DescribeModel" in actions
    assert not any(action.startswith(("sts:", "s3control:")) for action in actions)


def test_iam_action_names_what_aws_calls_the_permission() -> None:
    assert guard.iam_action("s3", "ListBuckets") == "s3:ListAllMyBuckets"
    assert guard.iam_action("ec2", "DescribeImages") == "ec2:DescribeImages"


def test_the_parts_of_the_policy_allow_the_same_and_fit() -> None:
    options: dict[str, Json] = {"organization": True}
    whole: Any = guard.policy_document(options)
    parts: Any = guard.policy_documents(options)
    assert all(guard.policy_size(part) <= guard.MANAGED_POLICY for part in parts)
    statements = [statement for part in parts for statement in part["Statement"]]
    reads = [s for s in statements if s["Sid"].startswith("UndercroftReadOnly")]
    assert len(reads) == len({s["Sid"] for s in reads}) > 1
    assert [action for s in reads for action in s["Action"]] == whole["Statement"][0]["Action"]
    assert [s for s in statements if s not in reads] == whole["Statement"][1:]
    for before, after in pairwise(reads):
        assert before["Action"][-1].split(":")[0] != after["Action"][0].split(":")[0]


def test_the_whole_policy_fits_into_a_role() -> None:
    document = guard.policy_document({"organization": True})
    assert guard.policy_size(document) == len("".join(json.dumps(document).split()))
    assert guard.policy_size(document) < guard.ROLE_POLICIES
