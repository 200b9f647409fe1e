"""Roles: rights, trust, and what remains unknown when IAM says no."""

from __future__ import annotations

import json
from typing import Any

import pytest

from collectors.aws.iam import IamCollector
from collectors.aws.iam_facts import PolicyText, RoleDocuments, role_facts
from collectors.aws.session import Clients
from tests.collectors.aws.conftest import Answer, Proxy
from tests.collectors.aws.lower_layers import (
    ACCOUNT,
    PARTNER,
    allow,
    collect,
    coverage,
    document,
    read,
    resources,
    role_stub,
    trust,
)
from undercroft.model import CoverageStatus, Presence

DENIED = Answer.xml_error("AccessDenied", 403)
TRUSTED = frozenset({ACCOUNT})


@pytest.fixture
def iam(seed: Any) -> Any:
    client = seed("iam")
    client.create_role(RoleName="clean", Path="/team/", AssumeRolePolicyDocument=trust())
    client.put_role_policy(
        RoleName="clean",
        PolicyName="one-bucket",
        PolicyDocument=document(allow("s3:GetObject", "arn:aws:s3:::one/*")),
    )
    client.create_role(
        RoleName="broad", AssumeRolePolicyDocument=trust(), Tags=[{"Key": "team", "Value": "ml"}]
    )
    policy = client.create_policy(
        PolicyName="everything", PolicyDocument=document(allow("*"), allow("logs:*"))
    )["Policy"]["Arn"]
    client.attach_role_policy(RoleName="broad", PolicyArn=policy)
    client.create_role(
        RoleName="bounded",
        AssumeRolePolicyDocument=trust(),
        PermissionsBoundary=client.create_policy(
            PolicyName="limit", PolicyDocument=document(allow("s3:Get*"))
        )["Policy"]["Arn"],
    )
    client.attach_role_policy(RoleName="bounded", PolicyArn=policy)
    return client


STUBS = [role_stub("team/clean"), role_stub("broad"), role_stub("bounded"), role_stub("ghost")]


def facts_of(*statements: Any, **more: Any) -> dict[str, Any]:
    documents = RoleDocuments(
        arn=f"arn:aws:iam::{ACCOUNT}:role/r",
        account=ACCOUNT,
        partition="aws",
        trust=more.pop("trust", trust()),
        policies=[PolicyText("inline", "", {"Statement": list(statements)})],
    )
    facts, unknown = role_facts(documents, TRUSTED, "")
    assert not unknown
    return dict(facts)


def check_the_estate(items: list[Any]) -> None:
    found = resources(items)
    assert set(found) == {"clean", "broad", "bounded", "ghost"}
    assert found["ghost"].presence is Presence.ABSENT
    assert found["ghost"].facts["exists"] is False
    clean, broad, bounded = (found[name] for name in ("clean", "broad", "bounded"))
    assert clean.facts == {
        "exists": True,
        "last_used": "",
        "attached": [],
        "admin": False,
        "admin_via": [],
        "wildcard_services": [],
        "escalation": [],
        "escalation_via": [],
        "ai_escalation": [],
        "ai_escalation_via": [],
        "passrole_any": False,
        "passrole_any_via": [],
        "s3_any": False,
        "s3_any_via": [],
        "secrets_any": False,
        "secrets_any_via": [],
        "bedrock_full": False,
        "bedrock_full_via": [],
        "any_model": False,
        "any_model_via": [],
        "any_product": False,
        "any_product_via": [],
        "confused_deputy": [],
        "trust_public": False,
        "foreign_trust": [],
        "trusted_by": ["Service sagemaker.amazonaws.com"],
    }
    assert clean.key == STUBS[0].key
    assert clean.config["RolePolicyList"] == [
        {
            "PolicyName": "one-bucket",
            "PolicyDocument": json.loads(document(allow("s3:GetObject", "arn:aws:s3:::one/*"))),
        }
    ]
    assert broad.facts["admin"] is True
    assert broad.facts["admin_via"] == ["everything"]
    assert broad.facts["attached"] == ["everything"]
    assert broad.facts["wildcard_services"] == ["*"]
    assert bounded.facts["admin"] is False
    assert bounded.facts["s3_any"] is True
    assert not any(r.unknown for r in (clean, broad, bounded))


def test_the_whole_account_in_one_call(aws: Proxy, clients: Clients, iam: Any) -> None:
    items = collect(IamCollector(clients), STUBS)
    check_the_estate(items)
    assert read(items)["broad"].tags == {"team": "ml"}
    assert [op for op in aws.seen if op != "GetCallerIdentity"] == [
        "GetAccountAuthorizationDetails"
    ]
    assert [c.status for c in coverage(items)] == [CoverageStatus.COMPLETE]


def test_role_by_role_when_the_whole_account_is_denied(
    aws: Proxy, clients: Clients, iam: Any
) -> None:
    aws.always["GetAccountAuthorizationDetails"] = DENIED
    items = collect(IamCollector(clients), STUBS)
    check_the_estate(items)
    assert [c.status for c in coverage(items)] == [CoverageStatus.COMPLETE]
    assert aws.seen.count("GetPolicyVersion") == 2, "a shared policy is read once"


def test_a_refused_role_stays_a_stub_with_the_reason(
    aws: Proxy, clients: Clients, iam: Any
) -> None:
    aws.always["GetAccountAuthorizationDetails"] = aws.always["GetRole"] = DENIED
    items = collect(IamCollector(clients), STUBS[:1])
    (role,) = resources(items).values()
    assert role.presence is Presence.STUB
    assert role.unknown == {"config": "denied: needs iam:GetAccountAuthorizationDetails"}
    assert coverage(items)[0].status is CoverageStatus.DENIED


@pytest.mark.parametrize("refused", ["GetPolicyVersion", "GetPolicy", "ListAttachedRolePolicies"])
def test_without_documents_what_was_not_found_is_unknown(
    aws: Proxy, clients: Clients, iam: Any, refused: str
) -> None:
    aws.always["GetAccountAuthorizationDetails"] = aws.always[refused] = DENIED
    role = read(collect(IamCollector(clients), [role_stub("broad")]))["broad"]
    assert f"denied: needs iam:{refused}" in role.unknown["facts.admin"]
    assert "admin" not in role.facts
    assert role.facts["trust_public"] is False, "the trust policy was read"


def test_without_the_boundary_every_right_is_unknown(
    aws: Proxy, clients: Clients, iam: Any
) -> None:
    aws.always["GetAccountAuthorizationDetails"] = aws.always["GetPolicyVersion"] = DENIED
    role = read(collect(IamCollector(clients), [role_stub("bounded")]))["bounded"]
    assert "permissions boundary" in role.unknown["facts.s3_any"]


def test_roles_of_other_accounts_are_left_alone(clients: Clients, aws: Proxy) -> None:
    foreign = role_stub("x")
    object.__setattr__(foreign, "account", PARTNER)
    assert collect(IamCollector(clients), [foreign]) == []


@pytest.mark.parametrize(
    ("name", "held", "unknown"),
    [
        ("AdministratorAccess", "admin", ()),
        ("AmazonS3FullAccess", "s3_any", ()),
        ("AmazonSageMakerFullAccess", "ai_escalation", ("admin", "s3_any")),
        ("AmazonBedrockFullAccess", "bedrock_full", ("admin",)),
        ("SomethingElse", None, ("admin", "s3_any", "escalation")),
    ],
)
def test_well_known_policies_by_name(name: str, held: str | None, unknown: tuple[str, ...]) -> None:
    arn = f"arn:aws:iam::aws:policy/{name}"
    documents = RoleDocuments(
        arn=f"arn:aws:iam::{ACCOUNT}:role/r",
        account=ACCOUNT,
        partition="aws",
        trust=trust(),
        policies=[PolicyText(name, arn, None, "denied: needs iam:GetPolicyVersion")],
        attached=[name],
    )
    facts, lost = role_facts(documents, TRUSTED, "")
    if held is not None:
        assert facts[held]
    assert {f"facts.{fact}" for fact in unknown} <= set(lost)
    assert bool(lost) is bool(unknown)


def test_well_known_policies_claim_no_more_than_aws_grants() -> None:
    """Every right written in our short copies is in the document that AWS publishes."""
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    from collectors.aws.iam_facts import _well_known
    from collectors.aws.policy.documents import parse_policy, wildcard_match

    published = json.loads(aws_managed_policies_data)
    for name, model in _well_known().items():
        real = [s for s in parse_policy(published[name]["Document"]) if s.allow]
        for statement in model.statements:
            for action in statement.actions:
                assert any(
                    wildcard_match(pattern, action, fold=True)
                    for other in real
                    for pattern in other.actions
                ) or any(s.not_actions for s in real), (name, action)


@pytest.mark.parametrize(
    ("statement", "public", "foreign"),
    [
        ({"Principal": "*"}, True, []),
        ({"Principal": {"AWS": "*"}}, True, []),
        ({"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}, False, []),
        ({"Principal": {"AWS": PARTNER}}, False, [PARTNER]),
        (
            {"Principal": {"AWS": f"arn:aws:iam::{PARTNER}:role/x"}},
            False,
            [f"arn:aws:iam::{PARTNER}:role/x"],
        ),
        (
            {
                "Principal": {"AWS": PARTNER},
                "Condition": {"StringEquals": {"sts:ExternalId": "secret"}},
            },
            False,
            [],
        ),
        (
            {"Principal": {"AWS": PARTNER}, "Condition": {"StringLike": {"sts:ExternalId": "*"}}},
            False,
            [PARTNER],
        ),
        (
            {"Principal": "*", "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}},
            False,
            [],
        ),
        (
            {"Principal": "*", "Condition": {"StringEqualsIfExists": {"aws:PrincipalOrgID": "o"}}},
            True,
            [],
        ),
        (
            {"Principal": "*", "Condition": {"StringEquals": {"aws:PrincipalAccount": PARTNER}}},
            False,
            [PARTNER],
        ),
        (
            {"Principal": {"AWS": "*"}, "Condition": {"ArnLike": {"aws:PrincipalArn": "arn:*"}}},
            True,
            [],
        ),
    ],
)
def test_who_may_take_the_role_on(
    statement: dict[str, Any], public: bool, foreign: list[str]
) -> None:
    text = document({"Effect": "Allow", "Action": "sts:AssumeRole", **statement})
    facts = facts_of(trust=text)
    assert (facts["trust_public"], facts["foreign_trust"]) == (public, foreign)


GITHUB = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"


@pytest.mark.parametrize(
    ("provider", "condition", "open_"),
    [
        (GITHUB, {}, True),
        (GITHUB, {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"}, True),
        (GITHUB, {"token.actions.githubusercontent.com:sub": "*"}, True),
        (GITHUB, {"token.actions.githubusercontent.com:sub": "repo:org/app:*"}, False),
        ("cognito-identity.amazonaws.com", {"cognito-identity.amazonaws.com:aud": "pool"}, False),
        (f"arn:aws:iam::{ACCOUNT}:saml-provider/corp", {}, False),
    ],
)
def test_web_identities(provider: str, condition: dict[str, str], open_: bool) -> None:
    text = document(
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": provider},
            "Condition": {"StringLike": condition},
        }
    )
    assert facts_of(trust=text)["foreign_trust"] == ([provider] if open_ else [])


@pytest.mark.parametrize(
    ("service", "condition", "deputies"),
    [
        ("sagemaker.amazonaws.com", {"StringEquals": {"aws:SourceAccount": ACCOUNT}}, []),
        ("sagemaker.amazonaws.com", {"StringEquals": {"aws:PrincipalTag/a": "b"}}, ["sagemaker"]),
        (
            "bedrock.amazonaws.com",
            {"ArnLike": {"aws:SourceArn": f"arn:aws:bedrock:*:{ACCOUNT}:*"}},
            [],
        ),
        (
            "bedrock.amazonaws.com",
            {"ArnLike": {"aws:SourceArn": "arn:aws:bedrock:*:*:*"}},
            ["bedrock"],
        ),
        ("ec2.amazonaws.com", {"StringEquals": {"aws:PrincipalTag/a": "b"}}, []),
    ],
)
def test_confused_deputy(service: str, condition: dict[str, Any], deputies: list[str]) -> None:
    assert facts_of(trust=trust(service, **condition))["confused_deputy"] == deputies


@pytest.mark.parametrize(
    ("statement", "fact"),
    [
        (allow("s3:GetObject"), "s3_any"),
        (allow("s3:*", "arn:aws:s3:::*"), "s3_any"),
        (allow("secretsmanager:GetSecretValue"), "secrets_any"),
        (allow("ssm:GetParameter*"), "secrets_any"),
        (allow("kms:Decrypt"), "secrets_any"),
        (allow("iam:PassRole"), "passrole_any"),
        (allow("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/*"), "passrole_any"),
        (allow("bedrock:*"), "bedrock_full"),
        (allow("bedrock-agentcore:*"), "bedrock_full"),
        (allow("iam:*"), "admin"),
    ],
)
def test_broad_rights(statement: dict[str, Any], fact: str) -> None:
    facts = facts_of(statement)
    assert facts[fact] is True
    assert facts[f"{fact}_via"] == ["inline"]


@pytest.mark.parametrize(
    "statement",
    [
        allow("s3:GetObject", "arn:aws:s3:::one/*"),
        allow("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:*:{ACCOUNT}:secret:ml-*"),
        allow("kms:Decrypt", Condition={"StringEquals": {"kms:ViaService": "s3.amazonaws.com"}}),
        allow("iam:PassRole", Condition={"StringEquals": {"iam:PassedToService": "x"}}),
        allow("bedrock:InvokeModel"),
    ],
)
def test_narrow_rights(statement: dict[str, Any]) -> None:
    facts = facts_of(statement)
    names = ("s3_any", "secrets_any", "passrole_any", "bedrock_full", "admin")
    assert not any(facts[name] for name in names)


MODELS = "arn:aws:bedrock:*::foundation-model/*"
PRODUCT = {"ForAnyValue:StringEquals": {"aws-marketplace:ProductId": ["p"]}}


@pytest.mark.parametrize(
    ("statement", "fact", "held"),
    [
        (allow("bedrock:InvokeModel", MODELS), "any_model", True),
        (allow("bedrock:InvokeModel*"), "any_model", True),
        (
            allow("bedrock:Invoke*", "arn:aws:bedrock:us-east-1::foundation-model/*"),
            "any_model",
            True,
        ),
        (allow("bedrock:InvokeModel", f"{MODELS[:-1]}anthropic.claude-v2"), "any_model", False),
        (
            allow("bedrock:InvokeModel", f"arn:aws:bedrock:*:{ACCOUNT}:custom-model/*"),
            "any_model",
            False,
        ),
        (allow("aws-marketplace:Subscribe"), "any_product", True),
        (allow("aws-marketplace:Subscribe", Condition=PRODUCT), "any_product", False),
        (allow("aws-marketplace:ViewSubscriptions"), "any_product", False),
    ],
)
def test_models_and_products(statement: Any, fact: str, held: bool) -> None:
    assert facts_of(statement)[fact] is held
    assert facts_of(statement)[f"{fact}_via"] == (["inline"] if held else [])
