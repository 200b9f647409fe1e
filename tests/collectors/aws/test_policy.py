"""Policy documents: parsing, evaluation, escalation."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.aws.policy.documents import PolicyError, parse_policy, wildcard_match
from collectors.aws.policy.escalation import AI_PATHS, CLASSIC_PATHS, paths_held
from collectors.aws.policy.evaluate import ANY, Permissions, Policy

ACCOUNT = "123456789012"
Doc = dict[str, Any]


def allow(action: Any, resource: Any = "*", **more: Any) -> Doc:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any, resource: Any = "*", **more: Any) -> Doc:
    return {**allow(action, resource, **more), "Effect": "Deny"}


def permissions(*statements: Doc, boundary: list[Doc] | None = None) -> Permissions:
    policies = (Policy("p", parse_policy({"Statement": list(statements)})),)
    bound = None if boundary is None else parse_policy({"Statement": boundary})
    return Permissions(policies, bound, account=ACCOUNT)


@pytest.mark.parametrize(
    ("pattern", "text", "fold", "expected"),
    [
        ("*", "anything", False, True),
        ("s3:Get*", "s3:GetObject", False, True),
        ("s3:get*", "s3:GetObject", False, False),
        ("s3:get*", "s3:GetObject", True, True),
        ("arn:aws:s3:::b?cket", "arn:aws:s3:::bucket", False, True),
        ("arn:aws:s3:::b?cket", "arn:aws:s3:::bcket", False, False),
        ("a.c", "abc", False, False),
        ("a**c", "abbbc", False, True),
        ("a*", "a\nb", False, True),
    ],
)
def test_wildcards(pattern: str, text: str, fold: bool, expected: bool) -> None:
    assert wildcard_match(pattern, text, fold=fold) is expected


def test_a_run_of_stars_is_quick() -> None:
    assert not wildcard_match("*a" * 30 + "b", "a" * 60)


def test_documents_come_in_every_shape() -> None:
    text = '{"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}'
    assert (
        parse_policy(text)
        == parse_policy(quote(text))
        == parse_policy({"Statement": [{"Effect": "Allow", "Action": ["s3:*"], "Resource": ["*"]}]})
    )


@pytest.mark.parametrize("text", ["", "[]", "nonsense", '{"Statement": [1]}', '{"Statement": "x"}'])
def test_what_is_not_a_policy_is_refused(text: str) -> None:
    with pytest.raises(PolicyError):
        parse_policy(text)


OBJECTS = "arn:aws:s3:::*"
MFA = "aws:MultiFactorAuthPresent"
NO_MFA = {"BoolIfExists": {MFA: "false"}}


@pytest.mark.parametrize(
    ("statements", "boundary", "expected"),
    [
        ([allow("s3:GetObject")], None, True),
        ([allow("S3:getobject")], None, True),
        ([allow("s3:*", OBJECTS)], None, True),
        ([allow("s3:*", "arn:aws:s3:::*/*")], None, True),
        ([allow("*")], None, True),
        ([allow("s3:GetObject", "arn:aws:s3:::one/*")], None, False),
        ([allow("s3:GetObject", "arn:aws:s3:::team-*")], None, False),
        ([allow("s3:PutObject")], None, False),
        ([], None, False),
        ([allow("*"), deny("s3:*")], None, False),
        ([allow("*"), deny("s3:GetObject", "arn:aws:s3:::secret/*")], None, True),
        ([allow("*"), deny("s3:*", OBJECTS)], None, False),
        (
            [allow("*"), deny("s3:*", Condition={"Bool": {"aws:SecureTransport": "false"}})],
            None,
            True,
        ),
        ([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], None, True),
        ([{"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}], None, False),
        ([{"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::a/*"}], None, True),
        ([{"Effect": "Deny", "NotAction": "iam:*", "Resource": "*"}, allow("*")], None, False),
        ([allow("*")], [], False),
        ([allow("*")], [allow("s3:Get*")], True),
        ([allow("*")], [allow("s3:Get*", "arn:aws:s3:::one/*")], False),
        ([allow("*")], [allow("*"), deny("s3:*")], False),
        # No service has a second factor: what is denied without one is denied.
        ([allow("*"), deny("s3:*", Condition=NO_MFA)], None, False),
        ([allow("*"), deny("s3:*", Condition={"Null": {MFA: "true"}})], None, False),
        ([allow("*"), deny("s3:*", Condition={"Bool": {MFA: "false"}})], None, True),
        ([allow("*")], [allow("*"), deny("s3:*", Condition=NO_MFA)], False),
        ([allow("s3:*", Condition={"StringEquals": {"s3:ExistingObjectTag/a": "b"}})], None, False),
        ([allow("s3:*", Condition={"StringEquals": {"aws:ResourceTag/team": "a"}})], None, False),
        ([allow("s3:*", Condition={"StringEquals": {"aws:ResourceAccount": ACCOUNT}})], None, True),
        ([allow("s3:*", Condition={"StringLike": {"aws:ResourceTag/team": "*"}})], None, True),
        ([allow("s3:*", Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}})], None, False),
        ([allow("s3:*", Condition={"Bool": {"aws:SecureTransport": "true"}})], None, True),
        ([allow("s3:*", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})], None, False),
        ([allow("s3:*", Condition={"StringNotEquals": {"aws:ResourceTag/x": "y"}})], None, True),
    ],
)
def test_reading_any_object(
    statements: list[Doc], boundary: list[Doc] | None, expected: bool
) -> None:
    assert bool(permissions(*statements, boundary=boundary).on_any("s3:GetObject")) is expected


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([allow("*")], ("*",)),
        ([allow("*:*")], ("*",)),
        ([allow("*"), deny("iam:*")], ()),
        ([allow("s3:*"), allow(["ec2:*", "ecr:Get*"])], ("ec2", "s3")),
        ([allow("s3:*", "arn:aws:s3:::one")], ()),
        ([allow("iam:*", f"arn:aws:iam::{ACCOUNT}:*")], ("iam",)),
    ],
)
def test_services_in_full(statements: list[Doc], expected: tuple[str, ...]) -> None:
    assert permissions(*statements).services_in_full() == expected


def test_every_key_of_one_region_is_every_key() -> None:
    one = permissions(allow("kms:Decrypt", f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/*"))
    assert one.on_any("kms:Decrypt", f"key/{ANY}") == ("p",)
    named = permissions(allow("kms:Decrypt", f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/1234"))
    assert not named.on_any("kms:Decrypt", f"key/{ANY}")


PASS_TO_SAGEMAKER = allow(
    "iam:PassRole",
    "arn:aws:iam::*:role/*",
    Condition={"StringEquals": {"iam:PassedToService": ["sagemaker.amazonaws.com"]}},
)


def held(*statements: Doc, own: tuple[str, ...] = ()) -> set[str]:
    return set(paths_held(permissions(*statements), (*CLASSIC_PATHS, *AI_PATHS), own))


def test_a_deny_counts_for_the_service_that_it_speaks_of() -> None:
    def unless(operator: str, value: str) -> Doc:
        condition = {operator: {"iam:PassedToService": value}}
        return deny("iam:PassRole", Condition=condition)

    everything = allow(["iam:PassRole", "ec2:RunInstances", "sagemaker:CreateTrainingJob"])
    to_ec2, to_sagemaker = (
        "iam:PassRole + ec2:RunInstances",
        "iam:PassRole + sagemaker:CreateTrainingJob",
    )
    assert held(everything, unless("StringNotEquals", "sagemaker.amazonaws.com")) == {to_sagemaker}
    assert held(everything, unless("StringLike", "sagemaker*")) == {to_ec2}
    assert held(everything, unless("Null", "true")) == {to_ec2, to_sagemaker}
    assert held(everything, unless("Null", "false")) == set()


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([allow("iam:PutRolePolicy")], {"iam:PutRolePolicy"}),
        ([allow("iam:PutRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/other")], set()),
        ([allow("ec2:RunInstances")], set()),
        ([allow(["iam:PassRole", "ec2:RunInstances"])], {"iam:PassRole + ec2:RunInstances"}),
        ([allow(["iam:PassRole", "lambda:CreateFunction"])], set()),
        (
            [allow(["iam:PassRole", "lambda:CreateFunction", "lambda:Invoke*"])],
            {"iam:PassRole + lambda:CreateFunction"},
        ),
        (
            [PASS_TO_SAGEMAKER, allow("sagemaker:CreateTrainingJob")],
            {"iam:PassRole + sagemaker:CreateTrainingJob"},
        ),
        ([PASS_TO_SAGEMAKER, allow("ec2:RunInstances")], set()),
        (
            [
                allow("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/one"),
                allow("sagemaker:CreateTrainingJob"),
            ],
            set(),
        ),
        ([allow("ssm:SendCommand")], {"ssm:SendCommand"}),
        ([allow("ssm:SendCommand"), deny("ssm:*")], set()),
        (
            [allow("sagemaker:CreatePresignedNotebookInstanceUrl")],
            {"sagemaker:CreatePresignedNotebookInstanceUrl"},
        ),
        (
            [allow(["bedrock-agentcore:Start*", "bedrock-agentcore:Invoke*"])],
            {
                "bedrock-agentcore code interpreter",
                "bedrock-agentcore:InvokeAgentRuntimeCommand",
            },
        ),
    ],
)
def test_escalation(statements: list[Doc], expected: set[str]) -> None:
    assert held(*statements) == expected


def test_changing_only_itself_is_enough() -> None:
    me = f"arn:aws:iam::{ACCOUNT}:role/me"
    mine = f"arn:aws:iam::{ACCOUNT}:policy/mine"
    assert held(allow("iam:AttachRolePolicy", me), own=(me,)) == {"iam:AttachRolePolicy"}
    assert held(allow("iam:CreatePolicyVersion", mine), own=(me, mine)) == {
        "iam:CreatePolicyVersion"
    }


ACTIONS = ["*", "s3:*", "s3:GetObject", "iam:*", "iam:PassRole", "kms:Decrypt", "ec2:Run*"]
RESOURCES = ["*", "arn:aws:s3:::*", "arn:aws:s3:::one/*", "arn:aws:iam::*:role/*"]
ASKED = ["s3:GetObject", "iam:PassRole", "kms:Decrypt", "ec2:RunInstances"]
CONDITIONS = [
    {},
    {"StringEquals": {"aws:ResourceTag/a": "b"}},
    {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
    {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}},
]

documents = st.builds(
    lambda effect, key, actions, resources, condition: {
        "Effect": effect,
        key: actions,
        "Resource": resources,
        "Condition": condition,
    },
    st.sampled_from(["Allow", "Deny"]),
    st.sampled_from(["Action", "NotAction"]),
    st.lists(st.sampled_from(ACTIONS), min_size=1, max_size=3),
    st.lists(st.sampled_from(RESOURCES), min_size=1, max_size=2),
    st.sampled_from(CONDITIONS),
)


def answers(statements: list[Doc]) -> set[str]:
    known = permissions(*statements)
    paths = paths_held(known, (*CLASSIC_PATHS, *AI_PATHS))
    return {action for action in ASKED if known.on_any(action)} | set(paths)


@given(st.lists(documents, max_size=4), documents)
def test_a_deny_never_adds_and_an_allow_never_removes(before: list[Doc], added: Doc) -> None:
    denied = answers([*before, {**added, "Effect": "Deny"}])
    allowed = answers([*before, {**added, "Effect": "Allow"}])
    assert denied <= answers(before) <= allowed


@given(st.lists(documents, max_size=4), st.lists(documents, max_size=3))
def test_a_boundary_never_adds(statements: list[Doc], boundary: list[Doc]) -> None:
    bounded = permissions(*statements, boundary=boundary)
    free = permissions(*statements)
    for action in ASKED:
        assert not bounded.on_any(action) or free.on_any(action)


@given(st.lists(documents, max_size=4))
def test_order_does_not_matter(statements: list[Doc]) -> None:
    assert answers(statements) == answers(statements[::-1])
