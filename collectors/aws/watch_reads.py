"""What else is set for a region or an account: who looks for sensitive data, which standards are
checked, and whether the organisation lets AWS learn from what its AI services are sent."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from collectors.aws.arns import Place
from collectors.aws.kinds import Each, Read, constant
from collectors.values import mappings
from undercroft.model import Json

__all__ = ["OF_ACCOUNT", "OF_REGION", "OPT_OUT_NEEDS", "opt_out_facts"]

_MACIE = "Macie"


def _macie_is_on(_place: Place, config: Mapping[str, Json]) -> bool:
    session = config.get(_MACIE)
    return isinstance(session, Mapping) and session.get("status") == "ENABLED"


OF_REGION: tuple[Read, ...] = (
    Read(
        _MACIE,
        "get_macie_session",
        {},
        answers=frozenset({"ResourceNotFoundException"}),
        # The code is that of a missing permission.
        none_if="not enabled",
        client="macie2",
    ),
    Read(
        "MacieDiscovery",
        "get_automated_discovery_configuration",
        {},
        client="macie2",
        where=_macie_is_on,
    ),
    Read(
        "SecurityStandards",
        "get_enabled_standards",
        {},
        pick="StandardsSubscriptions",
        listed=True,
        # The account does not use Security Hub.
        answers=frozenset({"InvalidAccessException"}),
        client="securityhub",
    ),
)


def _manages(place: Place, config: Mapping[str, Json]) -> bool:
    """Whether this account manages an organisation: only there its policies can be read."""
    organization = config.get("Organization")
    return (
        isinstance(organization, Mapping) and organization.get("MasterAccountId") == place.account
    )


OF_ACCOUNT: tuple[Read, ...] = (
    Read(
        "Organization",
        "describe_organization",
        {},
        pick="Organization",
        answers=frozenset({"AWSOrganizationsNotInUseException"}),
        client="organizations",
    ),
    Read(
        "OptOutPolicies",
        "list_policies",
        {"Filter": constant("AISERVICES_OPT_OUT_POLICY")},
        pick="Policies",
        listed=True,
        each=(
            Each("Policy", "describe_policy", {"PolicyId": "Id"}, "Policy"),
            Each("Targets", "list_targets_for_policy", {"PolicyId": "Id"}, "Targets", listed=True),
        ),
        client="organizations",
        where=_manages,
    ),
)

OPT_OUT_NEEDS: Mapping[str, tuple[str, ...]] = {
    "manages_organization": ("Organization",),
    "ai_opt_out": ("Organization", "OptOutPolicies"),
}


def opt_out_facts(place: Place, config: Mapping[str, Json]) -> dict[str, Json]:
    """``manages_organization``; and there ``ai_opt_out``: a policy at the root opts every service
    out by default, and no account may say otherwise."""
    if not _manages(place, config):
        return {"manages_organization": False}
    policies = mappings(config.get("OptOutPolicies"))
    return {"manages_organization": True, "ai_opt_out": any(map(_opts_out, policies))}


def _opts_out(policy: Mapping[str, Json]) -> bool:
    at_root = any(target.get("Type") == "ROOT" for target in mappings(policy.get("Targets")))
    return at_root and _says_so(policy.get("Policy"))


def _says_so(policy: Json) -> bool:
    content = policy.get("Content") if isinstance(policy, Mapping) else None
    try:
        document = json.loads(str(content))
    except ValueError:
        return False
    levels = list(_levels(document, ("services", "default", "opt_out_policy")))
    return (
        len(levels) == 3
        and levels[-1].get("@@assign") == "optOut"
        and any(
            level.get("@@operators_allowed_for_child_policies") == ["@@none"] for level in levels
        )
    )


def _levels(document: object, names: tuple[str, ...]) -> Iterator[Mapping[str, Json]]:
    for name in names:
        document = document.get(name) if isinstance(document, Mapping) else None
        if isinstance(document, Mapping):
            yield document
