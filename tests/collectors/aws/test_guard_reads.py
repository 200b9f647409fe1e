"""What is called a read and is none: hands out credentials or contents, costs money, starts work."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.hooks import HierarchicalEmitter

from collectors.aws import guard
from collectors.aws.errors import CallError
from collectors.aws.guard import READS, WriteRefusedError
from collectors.aws.session import Clients, call
from tests.collectors.aws.conftest import ACCOUNT, Proxy
from undercroft.model import CoverageStatus
from undercroft.protocols import Meter
from undercroft.redact import redact_options

NO_READS = {
    # Credentials, or what opens something.
    "sts": "GetSessionToken GetFederationToken GetDelegatedAccessToken AssumeRole AssumeRoleWithSAML "
    "AssumeRoleWithWebIdentity DecodeAuthorizationMessage",
    "sso": "GetRoleCredentials",
    "secretsmanager": "GetSecretValue BatchGetSecretValue",
    "ssm": "GetParameter GetParameters GetParametersByPath GetParameterHistory GetAccessToken",
    "ecr": "GetAuthorizationToken GetDownloadUrlForLayer BatchGetImage",
    "codeartifact": "GetAuthorizationToken GetPackageVersionAsset",
    "cognito-identity": "GetCredentialsForIdentity GetOpenIdToken",
    "redshift": "GetClusterCredentials",
    "redshift-serverless": "GetCredentials",
    "ec2": "GetPasswordData GetConsoleOutput GetConsoleScreenshot",
    "s3": "CreateSession GetObject GetObjectTorrent SelectObjectContent",
    "s3control": "GetDataAccess",
    "iam": "GetCredentialReport GenerateCredentialReport GetServiceLastAccessedDetails",
    "kms": "GetParametersForImport Decrypt GenerateDataKey",
    "bedrock-agentcore": "GetResourceApiKey GetResourceOauth2Token GetWorkloadAccessToken",
    "sagemaker": "CreatePresignedDomainUrl CreatePresignedNotebookInstanceUrl "
    "CreatePresignedMlflowTrackingServerUrl StartSession",
    "lambda": "GetLayerVersion GetLayerVersionByArn Invoke",
    # Contents: data, logs, conversations.
    "sagemaker-featurestore-runtime": "GetRecord BatchGetRecord",
    "dynamodb": "GetItem BatchGetItem Query Scan",
    "logs": "GetLogEvents FilterLogEvents GetQueryResults StartQuery",
    "kinesis": "GetRecords",
    "qbusiness": "ListMessages ListConversations SearchRelevantContent ChatSync",
    "kendra": "Query Retrieve BatchGetDocumentStatus",
    "bedrock-agent-runtime": "Retrieve RetrieveAndGenerate GetAgentMemory",
    "bedrock-runtime": "InvokeModel Converse GetAsyncInvoke CountTokens",
    "macie2": "GetSensitiveDataOccurrences",
    "cloudtrail": "LookupEvents GetQueryResults StartQuery",
    # Each answer costs, or starts work that does.
    "ce": "GetCostAndUsage GetCostForecast",
    "comprehend": "DetectPiiEntities BatchDetectSentiment StartEntitiesDetectionJob",
    "athena": "StartQueryExecution GetQueryResults",
    "inspector2": "CreateSbomExport GetSbomExport SearchVulnerabilities",
    "resource-explorer-2": "Search",
}  # fmt: skip


@pytest.mark.parametrize("service", NO_READS)
def test_what_only_sounds_like_a_read_is_refused(service: str) -> None:
    """By the session, hence by any client of it, also one that nobody meant to be made."""
    events = HierarchicalEmitter()
    guard.install(events)
    for operation in NO_READS[service].split():
        model = SimpleNamespace(name=operation, service_model=SimpleNamespace(service_name=service))
        for hook in ("provide-client-params", "before-call"):
            with pytest.raises(WriteRefusedError):
                events.emit(f"{hook}.{service}.{operation}", model=model, params={})


def test_only_the_sdk_signs_in(aws: Proxy, clients: Clients) -> None:
    client: Any = clients.client("sts")
    with pytest.raises(WriteRefusedError):
        client.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/r", RoleSessionName="mine")
    assert aws.seen == []


@pytest.mark.parametrize("way", ["profile", "web identity"])
def test_the_sdk_may_sign_in(
    way: str, aws: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/audit"
    options = {}
    if way == "profile":
        config = tmp_path / "config"
        config.write_text(
            f"[profile audit]\nrole_arn = {role}\nsource_profile = own\n"
            "[profile own]\naws_access_key_id = testing\naws_secret_access_key = testing\n"
        )
        monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
        options["profile"] = "audit"
    else:
        token = tmp_path / "token"
        token.write_text("header.body.signature")
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.setenv("AWS_ROLE_ARN", role)
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    assert "assumed-role/audit" in Clients({"max_attempts": 1, **options}).identity().arn
    assert aws.seen[0].startswith("AssumeRole")


def test_a_bucket_that_opens_by_a_session_only_is_skipped(aws: Proxy, clients: Clients) -> None:
    """The SDK asks for a session by itself, which may also write: one bucket is not read, no more."""
    with pytest.raises(CallError) as skipped:
        call(Meter(), clients.client("s3"), "list_objects_v2", Bucket="models--use1-az4--x-s3")
    assert skipped.value.status is CoverageStatus.SKIPPED
    assert "s3:CreateSession" in skipped.value.unknown
    assert aws.seen == []


CREDENTIALS = re.compile(
    r"passw(?!.*arn$)|secret$|secret(?:value|string|access|binary)|(?:access|session|auth|bearer|api)_?token$"
    r"|^token$|accesskey$|apikey$|credentials$|presigned|privatekey",
    re.IGNORECASE,
)
HELD = {
    ("fsx", "DescribeFileSystems", "FsxAdminPassword"): "secret-name",
    ("fsx", "DescribeFileSystems", "DomainJoinServiceAccountSecret"): "names a secret by its ARN",
    ("elbv2", "DescribeListeners", "ClientSecret"): "secret-name",
    ("elbv2", "DescribeRules", "ClientSecret"): "secret-name",
    ("kendra", "DescribeDataSource", "Credentials"): "names a secret by its ARN",
}
"""Fields of answers that could hold a credential, and what becomes of it: how it is redacted."""


def _texts(shape: Any, seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """Names of all fields of an answer that hold text."""
    if shape is None or shape.name in seen:
        return
    seen |= {shape.name}
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            if member.type_name in {"string", "blob"}:
                yield name
            yield from _texts(member, seen)
    elif shape.type_name == "list":
        yield from _texts(shape.member, seen)
    elif shape.type_name == "map":
        yield from _texts(shape.value, seen)


def test_no_answer_holds_a_credential_that_is_not_known(service_models: dict[str, Any]) -> None:
    found = set()
    for service, operations in READS.items():
        model = service_models[service]
        for name in operations:
            operation = model.operation_model(name)
            assert not operation.has_streaming_output
            assert not operation.has_event_stream_output
            assert operation.http["method"] in {"GET", "HEAD", "POST"}
            fields = set(_texts(operation.output_shape))
            found |= {(service, name, field) for field in fields if CREDENTIALS.search(field)}
    assert found == set(HELD)
    for (_, _, field), how in HELD.items():
        if how == "secret-name":
            assert redact_options({field: "x7Kq-92-Lmz_pQ"}, b"salt")[field] != "x7Kq-92-Lmz_pQ"


def test_a_new_service_is_refused_until_it_is_listed(aws: Proxy, clients: Clients) -> None:
    assert "polly" not in guard.READS
    with pytest.raises(WriteRefusedError):
        clients.session.client("polly", region_name="us-east-1").list_lexicons()
    assert aws.seen == []
