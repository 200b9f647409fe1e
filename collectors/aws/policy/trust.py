"""Whom does a resource's own policy let in? Used for role trust, buckets, keys and repositories.

Somebody is *outside* if no trusted account, organisation or network narrows the statement down.
Conditions that anybody can satisfy (a referer, a user agent, a wide address range, asking for TLS)
narrow nothing. Service principals are AWS itself and never outside here.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from collectors.aws.policy.documents import Condition, Statement, wildcard_match

__all__ = ["Grant", "RoleTrust", "account_of", "deputies", "grants", "role_trust"]

_ACCOUNT_KEYS = frozenset(
    {
        "aws:principalaccount",
        "aws:sourceaccount",
        "aws:sourceowner",
        "kms:calleraccount",
        "s3:dataaccesspointaccount",
    }
)
_ARN_KEYS = frozenset({"aws:principalarn", "aws:sourcearn", "s3:dataaccesspointarn"})
_ORG_KEYS = frozenset(
    {"aws:principalorgid", "aws:principalorgpaths", "aws:sourceorgid", "aws:sourceorgpaths"}
)
_NETWORK_KEYS = frozenset({"aws:sourcevpc", "aws:sourcevpce", "aws:sourcevpcarn"})
_IDENTITY_KEYS = frozenset({"aws:userid", "aws:principaltype"})
_ABOUT_SERVICES = frozenset({"aws:principalisawsservice", "aws:viaawsservice"})
_NARROW_PREFIX = {4: 16, 6: 32}
"""Address ranges at least this long count as somebody's own network."""

_AI_SERVICE = re.compile(
    r"(?:[a-z0-9-]+\.)*(?P<name>sagemaker|bedrock|bedrock-agentcore|comprehend|kendra|qbusiness)"
    r"\.amazonaws\.com(?:\.cn)?"
)
_SOURCE_KEYS = frozenset({"aws:sourceaccount", "aws:sourcearn", *_ORG_KEYS})
_AUDIENCE_IS_ENOUGH = frozenset(
    {"cognito-identity.amazonaws.com", "graph.facebook.com", "www.amazon.com"}
)


@dataclass(frozen=True, slots=True)
class Grant:
    """What one Allow statement gives to outsiders for one action."""

    statement: Statement
    action: str
    public: bool
    """To anybody at all."""
    weak: bool
    """To anybody, with conditions that anybody can satisfy."""
    foreign: tuple[str, ...]
    """To these principals or accounts outside the trusted ones."""

    @property
    def whole_accounts(self) -> tuple[str, ...]:
        """The foreign principals that are an account as a whole."""
        return tuple(p for p in self.foreign if re.fullmatch(r"\d{12}|arn:.*:root", p))


@dataclass(frozen=True, slots=True)
class RoleTrust:
    """Who may take on a role."""

    public: bool
    foreign: tuple[str, ...]
    confused_deputy: tuple[str, ...]
    """AI services that may take it on whoever asked them to: no source condition."""
    principals: tuple[str, ...] = ()
    """Everybody whom some statement lets take it on: ``Service sagemaker.amazonaws.com``."""


@dataclass(frozen=True, slots=True)
class _Limit:
    closed: bool = False
    """Narrowed to an organisation, a network or named identities."""
    organisation: bool = False
    accounts: frozenset[str] | None = None
    """Narrowed to these accounts; None if not narrowed by account."""


def grants(
    statements: Sequence[Statement],
    actions: Iterable[str],
    trusted: Collection[str],
    resource: str,
    own_canonical_id: str = "",
) -> list[Grant]:
    """What outsiders are given, one entry per (statement, action) that gives them anything.

    ``trusted``: 12-digit account ids. ``resource``: ARN of which a Deny must speak to count.
    """
    found = []
    for action in actions:
        denied, ceiling = _ceiling(statements, action, resource)
        if denied:
            continue
        for statement in statements:
            if not statement.allow or not statement.covers_action(action):
                continue
            grant = _grant(statement, action, trusted, ceiling, own_canonical_id)
            if grant.public or grant.foreign:
                found.append(grant)
    return found


def role_trust(statements: Sequence[Statement], trusted: Collection[str], arn: str) -> RoleTrust:
    """Who may take on the role with this trust policy. ``trusted``: 12-digit account ids."""
    public = False
    foreign: list[str] = []
    found: set[str] = set()
    named: set[str] = set()
    assumed = ("sts:AssumeRole", "sts:AssumeRoleWithWebIdentity", "sts:AssumeRoleWithSAML")
    for grant in grants(statements, assumed[:1], trusted, arn):
        public = public or grant.public
        if not _asks_for_external_id(grant.statement):
            foreign += grant.foreign
    for statement in statements:
        if not statement.allow:
            continue
        if any(map(statement.covers_action, assumed)):
            named |= {f"{kind} {who}" for kind, who in statement.principals}
        if statement.covers_action(assumed[0]):
            found |= set(_deputies(statement))
        if statement.covers_action(assumed[1]):
            foreign += _open_providers(statement)
    return RoleTrust(
        public, tuple(sorted(set(foreign))), tuple(sorted(found)), tuple(sorted(named))
    )


def deputies(statements: Sequence[Statement], action: str) -> set[str]:
    """AI services that may do ``action`` whoever asked them to: no source condition."""
    return {
        name
        for statement in statements
        if statement.allow and statement.covers_action(action)
        for name in _deputies(statement)
    }


def account_of(principal: str) -> str:
    """The account in a principal or ARN; empty if it names none (a wildcard, a service)."""
    if re.fullmatch(r"\d{12}", principal):
        return principal
    parts = principal.split(":")
    found = parts[4] if len(parts) > 5 and parts[0] == "arn" else ""
    return found if re.fullmatch(r"\d{12}", found) else ""


def _grant(
    statement: Statement,
    action: str,
    trusted: Collection[str],
    ceiling: _Limit,
    own_canonical_id: str,
) -> Grant:
    limits = [_limit(condition) for condition in statement.conditions if not condition.negative]
    limit = _combined([*limits, ceiling])
    public = False
    foreign: list[str] = []
    for principal in _outside(statement, trusted, own_canonical_id):
        if principal != "*":
            account = account_of(principal)
            reachable = limit.accounts is None or account in limit.accounts
            if reachable and not limit.organisation:
                foreign.append(principal)
        elif limit.closed:
            continue
        elif limit.accounts is not None:
            foreign += sorted(limit.accounts - set(trusted))
        else:
            public = True
    weak = public and bool(statement.conditions)
    return Grant(statement, action, public, weak, tuple(dict.fromkeys(foreign)))


def _outside(
    statement: Statement, trusted: Collection[str], own_canonical_id: str
) -> Iterable[str]:
    if statement.not_principals:
        yield "*"
    for kind, value in statement.principals:
        if kind == "AWS" and value == "*":
            yield "*"
        elif kind == "AWS":
            if account_of(value) and account_of(value) not in trusted:
                yield value
        elif kind == "CanonicalUser":
            if own_canonical_id and value != own_canonical_id:
                yield value
        elif kind == "*":
            yield "*"


def _ceiling(statements: Sequence[Statement], action: str, resource: str) -> tuple[bool, _Limit]:
    """What Deny statements leave: (nothing at all, or) only what is within these limits."""
    limits = []
    for statement in statements:
        everybody = bool(statement.not_principals) or any(
            value == "*" for _, value in statement.principals
        )
        if (
            statement.allow
            or not everybody
            or not statement.covers_action(action)
            or not statement.covers_resource(resource)
        ):
            continue
        if not statement.conditions:
            return not statement.not_principals, _Limit(closed=True)
        tests = [c for c in statement.conditions if c.key not in _ABOUT_SERVICES]
        # "Deny unless": with several tests all must fail for the Deny to apply, so it limits little.
        if len(tests) == 1 and tests[0].negative:
            limits.append(_limit(tests[0]))
    return False, _combined(limits)


def _combined(limits: Sequence[_Limit]) -> _Limit:
    accounts = [limit.accounts for limit in limits if limit.accounts is not None]
    return _Limit(
        closed=any(limit.closed for limit in limits),
        organisation=any(limit.organisation for limit in limits),
        accounts=frozenset.intersection(*accounts) if accounts else None,
    )


def _limit(condition: Condition) -> _Limit:
    key, values = condition.key, condition.values
    if (condition.if_exists and not condition.negative) or not values:
        # Also true for a request without the key, such as an anonymous one.
        return _Limit()
    if key in _ORG_KEYS:
        organisation = not any(value.startswith("*") for value in values)
        return _Limit(closed=organisation, organisation=organisation)
    if key in _ACCOUNT_KEYS:
        plain = all(re.fullmatch(r"\d{12}", value) for value in values)
        return _Limit(accounts=frozenset(values)) if plain else _Limit()
    if key in _ARN_KEYS:
        accounts = {account_of(value) for value in values}
        if all(accounts):
            return _Limit(accounts=frozenset(accounts))
        # The ARN of a bucket has no account, and names its owner all the same.
        named = all(
            value.startswith("arn:") and "*" not in value.split(":", 5)[-1] for value in values
        )
        return _Limit(closed=key == "aws:sourcearn" and named)
    if key in _NETWORK_KEYS or key in _IDENTITY_KEYS:
        return _Limit(closed="*" not in values)
    if key == "aws:sourceip":
        return _Limit(closed=all(_narrow_range(value) for value in values))
    return _Limit()


def _narrow_range(value: str) -> bool:
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        return False
    return network.prefixlen >= _NARROW_PREFIX[network.version]


def _asks_for_external_id(statement: Statement) -> bool:
    return any(
        condition.key == "sts:externalid"
        and not condition.negative
        and not condition.if_exists
        and "*" not in condition.values
        for condition in statement.conditions
    )


def _deputies(statement: Statement) -> Iterable[str]:
    if any(_names_a_source(condition) for condition in statement.conditions):
        return
    for kind, value in statement.principals:
        if kind == "Service" and (match := _AI_SERVICE.fullmatch(value)):
            yield match["name"]


def _names_a_source(condition: Condition) -> bool:
    if condition.key not in _SOURCE_KEYS or condition.negative or condition.if_exists:
        return False
    if condition.key == "aws:sourcearn":
        return all(account_of(value) for value in condition.values)
    return not any(wildcard_match(value, "") for value in condition.values)


def _open_providers(statement: Statement) -> Iterable[str]:
    """Web identity providers any user of which may take the role on."""
    for kind, value in statement.principals:
        if kind != "Federated" or ":saml-provider/" in value:
            continue
        issuer = value.partition(":oidc-provider/")[2] or value
        accepted = ["sub"] + (["aud", "app_id"] if issuer in _AUDIENCE_IS_ENOUGH else [])
        keys = {f"{issuer}:{claim}".lower() for claim in accepted}
        if not any(
            condition.key in keys and not condition.negative and "*" not in condition.values
            for condition in statement.conditions
        ):
            yield value
