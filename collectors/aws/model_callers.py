"""Roles that may call models: what makes an ordinary container an AI workload."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from botocore.client import BaseClient

from collectors.aws.errors import CallError
from collectors.aws.iam_account import IamAccount, last_name
from collectors.aws.iam_facts import PolicyText
from collectors.aws.policy.documents import PolicyError, Statement, parse_policy, wildcard_match
from collectors.aws.units import Ended
from undercroft.model import CoverageStatus
from undercroft.protocols import Meter

__all__ = ["calls_models", "model_callers"]

_CALLS = (
    "bedrock:InvokeModel",
    "bedrock:InvokeModelWithResponseStream",
    "bedrock:InvokeAgent",
    "bedrock:InvokeFlow",
    "bedrock:RetrieveAndGenerate",
    "bedrock-agentcore:InvokeAgentRuntime",
    "sagemaker:InvokeEndpoint",
    "sagemaker:InvokeEndpointAsync",
)


def model_callers(
    client: BaseClient, meter: Meter, roles: Iterable[str]
) -> tuple[set[str], Ended | None]:
    """Those of ``roles`` (ARNs) that some policy allows a model call by name.

    The second part says why that is not known of some; None if it is of all.
    """
    wanted = dict.fromkeys(roles)
    if not wanted:
        return set(), None
    account = IamAccount(client, meter, "Role")
    account.load()
    found: set[str] = set()
    unsaid: Ended | None = None
    for arn in wanted:
        try:
            detail = account.role(last_name(arn))
        except CallError as error:
            unsaid = unsaid or Ended(error.reason, error.status)
            continue
        if detail is None:
            continue
        inline, lost = account.inline(detail, {})
        attached, lost_too = account.attached(detail, {})
        policies = [*inline, *(attached or [])]
        if any(calls_models(_statements(policy)) for policy in policies):
            found.add(arn)
        else:
            missing = (lost, lost_too, *(policy.missing for policy in policies))
            why = next(filter(None, missing), "")
            unsaid = unsaid or (Ended(why, CoverageStatus.DENIED) if why else None)
    return found, unsaid


def calls_models(statements: Sequence[Statement]) -> bool:
    """Whether a statement allows a model call under its service's name.

    What allows everything everywhere says nothing of what it is for.
    """
    return any(
        ":" in pattern and wildcard_match(pattern, call, fold=True)
        for statement in statements
        if statement.allow
        for pattern in statement.actions
        for call in _CALLS
    )


def _statements(policy: PolicyText) -> Sequence[Statement]:
    try:
        return parse_policy(policy.document or {})
    except PolicyError:
        return ()
