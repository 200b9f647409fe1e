"""Who holds an API key of Bedrock, what goes with it, and what that is worse with."""

from __future__ import annotations

import json
from collections import deque
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import botocore.session
import pytest

from collectors.aws import collectors
from collectors.aws.bedrock_keys import _KEPT, BedrockKeyHolders
from collectors.aws.guard import READS
from collectors.aws.session import Clients
from rules import Engine, load_pack
from tests.collectors.aws.conftest import ACCOUNT, Answer, Proxy
from tests.collectors.aws.lower_layers import allow, document
from tests.collectors.aws.modelled import Read, findings, unknowns
from tests.collectors.aws.test_sdk_contract import reaches
from undercroft.model import CoverageStatus
from undercroft.protocols import Meter, Scope
from undercroft.scan import run_scan
from undercroft.store import Store
from undercroft.views import Query

KEY = {
    "ServiceName": "bedrock.amazonaws.com",
    "ServiceUserName": "someone-at-123456789012",
    "ServiceCredentialAlias": "BedrockAPIKey-abcd",
    "CreateDate": "2026-01-01T00:00:00Z",
    "Status": "Active",
}


def listed(*keys: dict[str, str], marker: str = "") -> Answer:
    """The answer of IAM with these keys; ``marker``: there are more."""
    members = "".join(
        "<member>"
        + "".join(f"<{k}>{escape(v)}</{k}>" for k, v in {**KEY, **key}.items())
        + "</member>"
        for key in keys
    )
    more = f"<IsTruncated>true</IsTruncated><Marker>{marker}</Marker>" if marker else ""
    name = "ListServiceSpecificCredentials"
    text = (
        f"<{name}Response><{name}Result><ServiceSpecificCredentials>{members}"
        f"</ServiceSpecificCredentials>{more}</{name}Result></{name}Response>"
    )
    return Answer(200, text.encode(), "text/xml")


def key(user: str, number: int = 1, **more: str) -> dict[str, str]:
    return {"UserName": user, "ServiceSpecificCredentialId": f"ACCA{user}{number}", **more}


def scanned() -> Read:
    collector = BedrockKeyHolders(Clients({"max_attempts": 1}))
    (target,) = collector.targets(Scope("aws", locations=("us-east-1", "eu-west-1")), ())
    return Read(collector.collect(target, Meter()))


def test_without_keys_nobody_is_looked_at(aws: Proxy) -> None:
    aws.always["ListServiceSpecificCredentials"] = listed()
    read = scanned()
    assert read.resources == {}
    assert [c.status for c in read.coverage] == [CoverageStatus.COMPLETE]
    assert "GetAccountAuthorizationDetails" not in aws.seen


def test_holders_with_the_rights_of_their_groups(aws: Proxy, seed: Any) -> None:
    iam = seed("iam")
    for user in ("app", "chief", "former", "plain"):
        iam.create_user(UserName=user, Tags=[{"Key": "team", "Value": "ml"}])
    iam.create_group(GroupName="chiefs")
    everything = iam.create_policy(PolicyName="everything", PolicyDocument=document(allow("*")))
    iam.attach_group_policy(GroupName="chiefs", PolicyArn=everything["Policy"]["Arn"])
    iam.add_user_to_group(GroupName="chiefs", UserName="chief")
    one = allow("bedrock:InvokeModel", "arn:aws:bedrock:us-east-1::foundation-model/a.b")
    iam.put_user_policy(UserName="app", PolicyName="work", PolicyDocument=document(one))
    pages = [
        listed(key("chief"), key("former", Status="Inactive"), marker="next"),
        listed(
            key("chief", 2, Status="Inactive"), key("app", ExpirationDate="2099-01-01T00:00:00Z")
        ),
    ]
    aws.script["ListServiceSpecificCredentials"] = deque(pages)
    read = scanned()
    assert [(c.status, c.reason) for c in read.coverage] == [(CoverageStatus.COMPLETE, "")]
    assert {(r.type, r.name) for r in read.resources.values()} == {
        ("iam:user", "app"),
        ("iam:user", "chief"),
        ("bedrock:api-keys", "app"),
        ("bedrock:api-keys", "chief"),
    }
    chief = read.named("chief", "iam:user")
    assert chief.facts["admin_via"] == ["everything"]
    assert chief.tags == {"team": "ml"}
    assert chief.config["BedrockApiKeys"] == [
        {"Id": "ACCAchief1", "Status": "Active", "CreateDate": "2026-01-01T00:00:00Z"},
        {"Id": "ACCAchief2", "Status": "Inactive", "CreateDate": "2026-01-01T00:00:00Z"},
    ]
    kept = json.dumps([dict(r.config) for r in read.resources.values()])
    assert "BedrockAPIKey-" not in kept
    assert "someone-at-" not in kept
    row = read.named("chief", "bedrock:api-keys")
    assert row.service
    edges = {(e.relation.value, e.dst.split("/", 3)[-1]) for e in read.edges if e.src == row.key}
    assert edges == {
        ("uses_identity", "-/iam/user/chief"),
        ("contained_in", f"-/account/account/{ACCOUNT}"),
        ("contained_in", "us-east-1/bedrock/settings/us-east-1"),
        ("contained_in", "eu-west-1/bedrock/settings/eu-west-1"),
    }
    assert findings(read) == {
        "app": {"aws-bedrock-api-key-long-term"},
        "chief": {"aws-bedrock-api-key-long-term", "aws-bedrock-api-key-admin"},
    }
    assert unknowns(read) == {}


def test_rights_that_may_not_be_read_are_unknown(aws: Proxy) -> None:
    aws.always["ListServiceSpecificCredentials"] = listed(key("app"))
    aws.always["GetAccountAuthorizationDetails"] = Answer.xml_error("AccessDenied", 403)
    read = scanned()
    (coverage,) = read.coverage
    assert coverage.status is CoverageStatus.COMPLETE
    assert "iam:GetAccountAuthorizationDetails" in coverage.reason
    assert findings(read) == {"app": {"aws-bedrock-api-key-long-term"}}
    assert unknowns(read) == {"app": {"aws-bedrock-api-key-admin", "aws-ai-resource-untagged"}}


def test_keys_that_may_not_be_listed_are_a_gap(aws: Proxy) -> None:
    aws.always["ListServiceSpecificCredentials"] = Answer.xml_error("AccessDenied", 403)
    (coverage,) = scanned().coverage
    assert coverage.status is CoverageStatus.DENIED
    assert "iam:ListServiceSpecificCredentials" in coverage.reason
    assert coverage.lists == ()


def test_a_key_where_nothing_is_recorded_is_theft_without_a_trace(
    aws: Proxy, seed: Any, tmp_path: Path
) -> None:
    seed("iam").create_user(UserName="app")
    aws.always["ListServiceSpecificCredentials"] = listed(key("app"))
    scope = Scope("aws", locations=("us-east-1",), options={"max_attempts": 1})
    needed = {"aws.iam.bedrock-keys", "aws.bedrock.settings", "aws.account.account"}
    chosen = [c for c in collectors(scope.options) if c.name in needed]
    assert len(chosen) == len(needed)
    with Store.open(tmp_path / "cache.db") as store:
        row = run_scan(store, chosen, Engine(load_pack()), scope)
        found = {(f.rule, f.resource_name) for f in store.findings(row.id, Query())}
    assert {
        ("aws-bedrock-api-key-long-term", "app"),
        ("aws-bedrock-invocation-logging-off", "bedrock in us-east-1"),
        ("aws-cloudtrail-not-multi-region", ACCOUNT),
        ("aws-toxic-silent-model-theft", "app"),
    } <= found


FIELDS = {
    "ListServiceSpecificCredentials": [
        "IsTruncated",
        "Marker",
        "ServiceSpecificCredentials[].UserName",
        *(f"ServiceSpecificCredentials[].{name}" for name in _KEPT),
    ],
    "GetAccountAuthorizationDetails": [
        *(
            f"UserDetailList[].{name}"
            for name in (
                "UserName",
                "UserId",
                "Arn",
                "CreateDate",
                "GroupList[]",
                "UserPolicyList[].PolicyName",
                "UserPolicyList[].PolicyDocument",
                "AttachedManagedPolicies[].PolicyArn",
                "PermissionsBoundary.PermissionsBoundaryArn",
                "Tags[].Key",
            )
        ),
        "GroupDetailList[].GroupName",
        "GroupDetailList[].GroupPolicyList[].PolicyDocument",
        "GroupDetailList[].AttachedManagedPolicies[].PolicyArn",
    ],
}


@pytest.mark.parametrize("operation", FIELDS)
def test_fields_exist(operation: str) -> None:
    model: Any = botocore.session.Session().get_service_model("iam")
    output = model.operation_model(operation).output_shape
    assert [path for path in FIELDS[operation] if not reaches(output, path)] == []
    assert operation in READS["iam"]
