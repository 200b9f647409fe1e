"""What watches over a region and an account, and what happens where that may not be asked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from collectors.aws.arns import account, account_region
from collectors.aws.session import Clients
from tests.cloud.model_server import ModelCloud, Record
from tests.collectors.aws import modelled
from tests.collectors.aws.modelled import ACCOUNT, PLACE, REGION, findings, unknowns

AI_STANDARD = f"arn:aws:securityhub:{REGION}::standards/ai-security-best-practices/v/1.0.0"
MACIE = "aws-macie-off"
STANDARD = "aws-securityhub-ai-standard-off"
OPT_OUT = "aws-org-ai-opt-out"


@pytest.fixture
def clients(aws_model: ModelCloud) -> Clients:
    return Clients({"max_attempts": 1})


def of_region(clients: Clients, *rules: str) -> tuple[set[str], set[str]]:
    """Which of ``rules`` fail, and which cannot be answered."""
    return _answers(modelled.named(clients, account_region(PLACE)), REGION, rules)


def of_account(clients: Clients, *rules: str) -> tuple[set[str], set[str]]:
    return _answers(modelled.named(clients, account(PLACE)), ACCOUNT, rules)


def _answers(read: modelled.Read, name: str, rules: tuple[str, ...]) -> tuple[set[str], set[str]]:
    return (
        findings(read).get(name, set()) & set(rules),
        unknowns(read).get(name, set()) & set(rules),
    )


def records(*entries: tuple[str, str, dict[str, Any]]) -> list[Record]:
    return [Record(service, noun, "", data) for service, noun, data in entries]


ON = ("macie2", "MacieSession", {"status": "ENABLED"})
LOOKS = ("macie2", "AutomatedDiscoveryConfiguration", {"status": "ENABLED"})
LOOKS_NOT = ("macie2", "AutomatedDiscoveryConfiguration", {"status": "DISABLED"})


@pytest.mark.parametrize(
    ("entries", "fails"),
    [
        ((), {MACIE, STANDARD}),
        ((ON, LOOKS_NOT), {MACIE, STANDARD}),
        ((ON, LOOKS), {STANDARD}),
        ((ON, LOOKS, ("securityhub", "EnabledStandard", {"StandardsArn": AI_STANDARD})), set()),
    ],
)
def test_of_a_region(
    clients: Clients, aws_model: ModelCloud, entries: Any, fails: set[str]
) -> None:
    aws_model.add(records(*entries))
    assert of_region(clients, MACIE, STANDARD) == (fails, set())


def test_off_and_forbidden_have_the_same_code(clients: Clients, aws_model: ModelCloud) -> None:
    aws_model.fail("macie2", "GetMacieSession", "AccessDeniedException", 403)
    aws_model.fail("securityhub", "GetEnabledStandards", "AccessDeniedException", 403)
    assert of_region(clients, MACIE, STANDARD) == (set(), {MACIE, STANDARD})
    said = "Macie is not enabled"
    aws_model.fail("macie2", "GetMacieSession", "AccessDeniedException", 403, message=said)
    aws_model.fail("securityhub", "GetEnabledStandards", "InvalidAccessException", 401)
    assert of_region(clients, MACIE, STANDARD) == ({MACIE, STANDARD}, set())


NONE = ["@@none"]
SAYS_NO = {"@@assign": "optOut", "@@operators_allowed_for_child_policies": NONE}
OPTED_OUT = {"opt_out_policy": {"@@assign": "optOut"}}


def organization(content: Any, target: str = "ROOT") -> list[Record]:
    """One with an opt-out policy (or without, if there is no content), attached to ``target``."""
    found = records(("organizations", "Organization", {"MasterAccountId": ACCOUNT}))
    if content is not None:
        text = content if isinstance(content, str) else json.dumps({"services": content})
        policy = {"Id": "p-1", "Type": "AISERVICES_OPT_OUT_POLICY", "Content": text}
        found += records(("organizations", "Policy", policy))
        found.append(
            Record("organizations", "TargetsForPolicy", "", {"Type": target}, {"of": "p-1"})
        )
    return found


@pytest.mark.parametrize(
    ("content", "target", "fails"),
    [
        (None, "ROOT", True),
        ({"default": {"opt_out_policy": SAYS_NO}}, "ROOT", False),
        ({"@@operators_allowed_for_child_policies": NONE, "default": OPTED_OUT}, "ROOT", False),
        ({"default": {"opt_out_policy": SAYS_NO}}, "ACCOUNT", True),
        ({"default": OPTED_OUT}, "ROOT", True),
        ({"lex": {"opt_out_policy": SAYS_NO}}, "ROOT", True),
        ({"default": {"opt_out_policy": SAYS_NO | {"@@assign": "optIn"}}}, "ROOT", True),
        ("no JSON", "ROOT", True),
    ],
)
def test_of_an_organisation(
    clients: Clients, aws_model: ModelCloud, content: Any, target: str, fails: bool
) -> None:
    aws_model.add(organization(content, target))
    assert of_account(clients, OPT_OUT) == ({OPT_OUT} if fails else set(), set())


def test_of_a_member_of_an_organisation(clients: Clients, aws_model: ModelCloud) -> None:
    aws_model.add(records(("organizations", "Organization", {"MasterAccountId": "999999999999"})))
    assert of_account(clients, OPT_OUT) == (set(), set())
    assert aws_model.calls["organizations", "ListPolicies"] == 0, "only its manager may ask"


def test_of_an_account_without_organisation(clients: Clients, aws_model: ModelCloud) -> None:
    code = "AWSOrganizationsNotInUseException"
    aws_model.fail("organizations", "DescribeOrganization", code, 400)
    assert of_account(clients, OPT_OUT) == (set(), set())


def test_what_is_not_known_of_an_organisation_costs_nothing_else(
    clients: Clients, aws_model: ModelCloud
) -> None:
    rules = (OPT_OUT, "aws-cloudtrail-not-multi-region", "aws-cloudtrail-no-ai-data-events")
    aws_model.add(organization(None))
    aws_model.fail("organizations", "ListPolicies", "AccessDeniedException", 400)
    assert of_account(clients, *rules) == (set(rules[1:]), {OPT_OUT})
    aws_model.fail("cloudtrail", "DescribeTrails", "AccessDeniedException", 400)
    assert of_account(clients, *rules) == (set(), set(rules))
