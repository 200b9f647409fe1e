"""From a role's documents to what it may do and who may take it on. No calls here."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from collectors.aws.policy.documents import PolicyError, Statement, parse_policy
from collectors.aws.policy.escalation import AI_PATHS, CLASSIC_PATHS, paths_held
from collectors.aws.policy.evaluate import ANY, Permissions, Policy
from collectors.aws.policy.trust import role_trust
from undercroft.model import Json

__all__ = ["PolicyText", "RoleDocuments", "rights_facts", "role_facts"]

_FROM_RIGHTS = (
    "admin",
    "admin_via",
    "wildcard_services",
    "escalation",
    "escalation_via",
    "ai_escalation",
    "ai_escalation_via",
    "passrole_any",
    "passrole_any_via",
    "s3_any",
    "s3_any_via",
    "secrets_any",
    "secrets_any_via",
    "bedrock_full",
    "bedrock_full_via",
    "any_model",
    "any_model_via",
    "any_product",
    "any_product_via",
)
_FROM_TRUST = ("confused_deputy", "trust_public", "foreign_trust", "trusted_by")

_S3_OBJECTS = ("s3:GetObject", "s3:PutObject")
_SECRETS = (
    ("secretsmanager:GetSecretValue", f"secret:{ANY}"),
    ("ssm:GetParameter", f"parameter/{ANY}"),
    ("ssm:GetParameters", f"parameter/{ANY}"),
    ("ssm:GetParametersByPath", f"parameter/{ANY}"),
    ("kms:Decrypt", f"key/{ANY}"),
)
_MODEL = f"foundation-model/{ANY}"
_INVOKE = ("bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream")
_BEDROCK = ("bedrock", "bedrock-agentcore")
_BEDROCK_FULL = frozenset({"AmazonBedrockFullAccess", "BedrockAgentCoreFullAccess"})


@dataclass(frozen=True, slots=True)
class PolicyText:
    """One policy of a role: its document, or why there is none."""

    name: str
    arn: str = ""
    """Empty for an inline policy."""
    document: Any = None
    missing: str = ""
    """Why the document could not be read; empty if it was."""


@dataclass(frozen=True, slots=True)
class RoleDocuments:
    """Everything that decides over a role (or a user, whom nobody assumes)."""

    arn: str
    account: str
    partition: str
    trust: Any = None
    policies: Sequence[PolicyText] = ()
    boundary: PolicyText | None = None
    attached: Sequence[str] | None = ()
    """Names of the attached policies; None if the list could not be read."""
    missing: str = ""
    """Why a whole list of policies could not be read; empty if none is missing."""


@dataclass(slots=True)
class _Known:
    policies: list[Policy] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    """Why something is missing."""
    may_deny: bool = False
    """What is missing could take rights away, too."""


def role_facts(
    role: RoleDocuments, trusted: Collection[str], last_used: str
) -> tuple[dict[str, Json], dict[str, str]]:
    """The facts of a role and the fact paths that nobody can know, with the reason.

    A right that was found stays found when some document is missing, since hardly any takes rights
    away (those whose name says that they do count); a right that was *not* found is unknown as soon
    as any document is missing.
    """
    facts, unknown = rights_facts(role)
    facts["last_used"] = last_used
    try:
        trust = role_trust(parse_policy(role.trust or {}), trusted, role.arn)
    except PolicyError as error:
        unknown.update({f"facts.{name}": f"error: trust policy: {error}" for name in _FROM_TRUST})
    else:
        facts["confused_deputy"] = list(trust.confused_deputy)
        facts["trust_public"] = trust.public
        facts["foreign_trust"] = list(trust.foreign)
        facts["trusted_by"] = list(trust.principals)
    return facts, unknown


def rights_facts(holder: RoleDocuments) -> tuple[dict[str, Json], dict[str, str]]:
    """What a role or a user may do: the part of ``role_facts`` that asks nothing of its trust."""
    facts: dict[str, Json] = {}
    unknown: dict[str, str] = {}
    if holder.attached is None:
        unknown["facts.attached"] = holder.missing
    else:
        facts["attached"] = list(holder.attached)
    _add_rights(holder, facts, unknown)
    return facts, unknown


def _add_rights(role: RoleDocuments, facts: dict[str, Json], unknown: dict[str, str]) -> None:
    known = _known_policies(role)
    boundary: tuple[Statement, ...] | None = None
    if role.boundary is not None:
        text = _statements(role.boundary)
        if isinstance(text, str):
            reason = f"the permissions boundary {role.boundary.name} could not be read: {text}"
            unknown.update({f"facts.{name}": reason for name in _FROM_RIGHTS})
            return
        boundary = text
    permissions = Permissions(tuple(known.policies), boundary, role.partition, role.account)
    found = _rights(permissions, role)
    for name, value in found.items():
        held = bool(value)
        if known.gaps and (not held or known.may_deny) and not name.endswith("_via"):
            unknown[f"facts.{name}"] = "; ".join(dict.fromkeys(known.gaps))
        else:
            facts[name] = value


def _rights(permissions: Permissions, role: RoleDocuments) -> dict[str, Json]:
    own = [role.arn, *(policy.arn for policy in role.policies if policy.arn)]
    in_full = permissions.services_in_full()
    everything = permissions.on_any(f"{ANY}:{ANY}")
    admin_via = permissions.on_any(f"iam:{ANY}")
    classic = paths_held(permissions, CLASSIC_PATHS, own)
    ai = paths_held(permissions, AI_PATHS, own)
    passrole = permissions.on_any("iam:PassRole", f"role/{ANY}")
    s3_any = _any(permissions, [(action, ANY) for action in _S3_OBJECTS])
    secrets = _any(permissions, _SECRETS)
    bedrock = _any(permissions, [(f"{service}:{ANY}", ANY) for service in _BEDROCK])
    models = [name for action in _INVOKE for name in permissions.on_any(action, _MODEL, owner="")]
    products = permissions.on_any("aws-marketplace:Subscribe")
    bedrock += [name for name in role.attached or () if name in _BEDROCK_FULL]
    return {
        "admin": bool(admin_via),
        "admin_via": list(admin_via),
        "wildcard_services": list(in_full) if in_full or not everything else ["*"],
        "escalation": list(classic),
        "escalation_via": _names(classic),
        "ai_escalation": list(ai),
        "ai_escalation_via": _names(ai),
        "passrole_any": bool(passrole),
        "passrole_any_via": list(passrole),
        "s3_any": bool(s3_any),
        "s3_any_via": list(s3_any),
        "secrets_any": bool(secrets),
        "secrets_any_via": list(secrets),
        "bedrock_full": bool(bedrock),
        "bedrock_full_via": list(dict.fromkeys(bedrock)),
        "any_model": bool(models),
        "any_model_via": list(dict.fromkeys(models)),
        "any_product": bool(products),
        "any_product_via": list(products),
    }


def _any(permissions: Permissions, needs: Sequence[tuple[str, str]]) -> list[str]:
    names = (name for action, kind in needs for name in permissions.on_any(action, kind))
    return list(dict.fromkeys(names))


def _names(held: Mapping[str, Sequence[str]]) -> list[Json]:
    return list(dict.fromkeys(name for names in held.values() for name in names))


def _known_policies(role: RoleDocuments) -> _Known:
    known = _Known()
    if role.missing:
        known.gaps.append(role.missing)
    for policy in role.policies:
        statements = _statements(policy)
        if not isinstance(statements, str):
            known.policies.append(Policy(policy.name, statements))
            continue
        of_aws = ":iam::aws:policy/" in policy.arn
        model = _well_known().get(policy.name) if of_aws else None
        if model is not None:
            known.policies.append(Policy(policy.name, model.statements))
        if model is None or not model.complete:
            known.gaps.append(f"policy {policy.name} could not be read: {statements}")
            known.may_deny |= any(word in policy.name.lower() for word in ("deny", "quarantine"))
    return known


def _statements(policy: PolicyText) -> tuple[Statement, ...] | str:
    """The statements, or why there are none."""
    if policy.missing:
        return policy.missing
    try:
        return parse_policy(policy.document)
    except PolicyError as error:
        return f"error: {error}"


@dataclass(frozen=True, slots=True)
class _Model:
    statements: tuple[Statement, ...]
    complete: bool


@cache
def _well_known() -> dict[str, _Model]:
    import yaml

    path = resources.files("collectors.aws.data").joinpath("managed_policies.yaml")
    data = yaml.safe_load(path.read_text("utf-8"))
    return {
        name: _Model(parse_policy({"Statement": entry["statements"]}), entry["complete"])
        for name, entry in data.items()
    }
