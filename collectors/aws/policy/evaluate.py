"""What may an identity do? Allow minus explicit Deny, within its permissions boundary.

The question is always about *any* resource of a kind: "may it pass a role whose name nobody
thought of?". Such a resource is written with ``ANY``, which only a wildcard matches, so a policy
that names its resources does not answer yes.

An Allow under a condition that narrows it (``NARROWING``) is not counted; a Deny under a condition
is counted only if the condition surely holds: for what is known of the request (which service a
role is passed to), and for the second factor, which no service has. What is answered yes must hold
without knowing more of the request. See the IAM user guide, "Policy evaluation logic".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from collectors.aws.policy.documents import Condition, Statement, wildcard_match

__all__ = ["ANY", "NARROWING", "Permissions", "Policy"]

ANY = "\ue000any\ue000"
"""A name that no policy writes out: only a wildcard covers it."""

NARROWING = (
    "*:resourcetag/*",
    "aws:calledvia*",
    "aws:multifactorauthpresent",
    "aws:multifactorauthage",
    "aws:principalarn",
    "aws:resourceorgpaths",
    "aws:sourceip",
    "aws:viaawsservice",
    "aws-marketplace:productid",
    "iam:associatedresourcearn",
    "iam:passedtoservice",
    "iam:permissionsboundary",
    "iam:policyarn",
    "kms:encryptioncontext*",
    "kms:granteeprincipal",
    "kms:resourcealiases",
    "kms:requestalias",
    "kms:viaservice",
    "s3:dataaccesspointarn",
    "s3:existingobjecttag/*",
    "s3:prefix",
    "secretsmanager:resourcetag/*",
    "secretsmanager:secretid",
    "ssm:resourcetag/*",
)
"""Condition keys (patterns, lower case) that keep an Allow from meaning "any resource".

``aws:ResourceAccount`` is not among them: every bucket of the own account is still every bucket.
"""


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy that applies to an identity."""

    name: str
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Permissions:
    """All that is known of an identity's rights."""

    policies: tuple[Policy, ...]
    boundary: tuple[Statement, ...] | None = None
    """Statements of the permissions boundary; None if there is none."""
    partition: str = "aws"
    account: str = ""
    _regions: Mapping[str, tuple[str, ...]] = field(default_factory=dict, init=False)

    def granted_by(
        self, action: str, resource: str, context: Mapping[str, str] | None = None
    ) -> tuple[str, ...]:
        """Names of the policies that allow ``action`` on ``resource``; empty if it is not allowed.

        ``context``: condition keys (lower case) whose value in the request is known, such as
        ``iam:passedtoservice``.
        """
        known = context or {}
        names = [
            policy.name
            for policy in self.policies
            if any(_allows(statement, action, resource, known) for statement in policy.statements)
        ]
        if not names:
            return ()
        every = (statement for policy in self.policies for statement in policy.statements)
        if any(_denies(statement, action, resource, known) for statement in every):
            return ()
        if self.boundary is not None and not _within(self.boundary, action, resource, known):
            return ()
        return tuple(dict.fromkeys(names))

    def on_any(
        self,
        action: str,
        kind: str = ANY,
        context: Mapping[str, str] | None = None,
        owner: str | None = None,
    ) -> tuple[str, ...]:
        """Policies that allow ``action`` on any resource of its service, in any or in some region.

        ``kind``: the last part of the resource's ARN with ``ANY`` for the name, ``role/…any…``.
        ``owner``: the account in its ARN, if not that of the identity; empty for AWS's own.
        """
        service = action.partition(":")[0]
        found: list[str] = []
        for resource in self._resources(service, kind, self.account if owner is None else owner):
            found += self.granted_by(action, resource, context)
        return tuple(dict.fromkeys(found))

    def services_in_full(self) -> tuple[str, ...]:
        """Services of which every action is allowed on any resource; ``*`` stands for all of them."""
        if self.on_any(f"{ANY}:{ANY}") and self.on_any(f"iam:{ANY}"):
            return ("*",)
        named = {
            pattern.partition(":")[0].lower()
            for policy in self.policies
            for statement in policy.statements
            if statement.allow
            for pattern in statement.actions
            if pattern.partition(":")[2] == "*"
        }
        return tuple(
            service
            for service in sorted(named)
            if not set(service) & set("*?") and self.on_any(f"{service}:{ANY}")
        )

    def _resources(self, service: str, kind: str, owner: str) -> Iterable[str]:
        if service == "s3":
            # A bucket or an object of it: a statement for objects does not cover the bucket itself.
            return (f"arn:{self.partition}:s3:::{kind}", f"arn:{self.partition}:s3:::{kind}/{ANY}")
        if service == "iam":
            return (f"arn:{self.partition}:iam::{owner}:{kind}",)
        regions = [ANY, *_regions_named(self.policies, service)]
        return tuple(
            f"arn:{self.partition}:{service}:{region}:{owner}:{kind}" for region in regions
        )


def _regions_named(policies: Sequence[Policy], service: str) -> Iterable[str]:
    """Regions that a policy writes out for a service: all keys of one region are every key too."""
    pattern = re.compile(rf"arn:[^:]*:{re.escape(service)}:([a-z]+(?:-[a-z]+)+-\d):")
    return sorted(
        {
            match[1]
            for policy in policies
            for statement in policy.statements
            if statement.allow
            for resource in statement.resources
            if (match := pattern.match(resource))
        }
    )


def _allows(statement: Statement, action: str, resource: str, context: Mapping[str, str]) -> bool:
    return (
        statement.allow
        and statement.covers_action(action)
        and statement.covers_resource(resource)
        and not any(_narrows(condition, context) for condition in statement.conditions)
    )


def _denies(statement: Statement, action: str, resource: str, context: Mapping[str, str]) -> bool:
    return (
        not statement.allow
        and statement.covers_action(action)
        and statement.covers_resource(resource)
        and all(_surely_holds(condition, context) for condition in statement.conditions)
    )


def _surely_holds(condition: Condition, context: Mapping[str, str]) -> bool:
    if condition.key in context:
        return _holds(condition, context[condition.key])
    if condition.key == "aws:multifactorauthpresent":
        asks = "true" if condition.operator == "null" else "false"
        return asks in condition.values and (condition.if_exists or condition.operator == "null")
    return False


def _within(
    boundary: Sequence[Statement], action: str, resource: str, context: Mapping[str, str]
) -> bool:
    return any(_allows(statement, action, resource, context) for statement in boundary) and not any(
        _denies(statement, action, resource, context) for statement in boundary
    )


def _narrows(condition: Condition, context: Mapping[str, str]) -> bool:
    if condition.key in context:
        return not _holds(condition, context[condition.key])
    if condition.negative or condition.operator == "null":
        # "Everything except" leaves everything else open.
        return False
    if "*" in condition.values and condition.operator.endswith("like"):
        return False
    if condition.key == "aws:multifactorauthpresent":
        # A service never presents a second factor, so asking for one closes the statement.
        return "true" in condition.values and not condition.if_exists
    return any(wildcard_match(pattern, condition.key) for pattern in NARROWING)


def _holds(condition: Condition, value: str) -> bool:
    if condition.operator == "null":
        return "false" in condition.values
    like = condition.operator.endswith("like") or condition.operator.startswith("arn")
    matched = any(
        wildcard_match(wanted, value, fold=True) if like else wanted.lower() == value.lower()
        for wanted in condition.values
    )
    return matched != condition.negative
