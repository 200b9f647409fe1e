"""Who may do what: members of IAM bindings, what roles are worth, and what follows. No calls."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from collectors.gcp.names import Place
from collectors.gcp.policies import PUBLIC, bindings, members
from undercroft.model import Json

__all__ = [
    "bucket_facts",
    "grants_of",
    "holds_power",
    "is_broad",
    "is_default_account",
    "is_foreign",
    "is_google_account",
]

_DEFAULT = re.compile(
    r"\d+-compute@developer\.gserviceaccount\.com|[^@]+@appspot\.gserviceaccount\.com"
)
_GOOGLE = re.compile(
    r"@(?:gcp-sa-[a-z0-9-]+\.iam|[a-z0-9-]+\.google\.com\.iam|cloudservices|system|cloudbuild"
    r"|containerregistry\.iam|compute-system\.iam|container-engine-robot\.iam"
    r"|gcf-admin-robot\.iam|serverless-robot-prod\.iam|gs-project-accounts\.iam"
    r"|cloud-ml\.google\.com\.iam|dataflow-service-producer-prod\.iam)\.gserviceaccount\.com$"
)
_PROJECT_ACCOUNT = re.compile(r"@([a-z0-9.-]+)\.iam\.gserviceaccount\.com$")
_CONSUMER_DOMAINS = frozenset({"gmail.com", "googlemail.com"})
_WRITING = re.compile(
    r"roles/(?:storage\.(?:admin|objectAdmin|objectUser|objectCreator|legacyBucketWriter"
    r"|legacyBucketOwner)|owner|editor)"
)
_BROAD = re.compile(
    r"(?:projectEditor|projectViewer|domain):|allUsers|allAuthenticatedUsers|principalSet://"
)
_SENSITIVE = re.compile(
    r"pii|phi|pci|sensitive|confidential|restricted|secret|personal|gdpr|hipaa", re.IGNORECASE
)
_CLASSES = frozenset(
    {
        "classification",
        "data-classification",
        "data_classification",
        "sensitivity",
        "confidentiality",
        "data-class",
        "data_class",
    }
)

BROAD_ROLES = frozenset(
    {
        "roles/owner", "roles/editor", "roles/admin", "roles/writer",
        "roles/iam.securityAdmin", "roles/iam.serviceAccountAdmin",
        "roles/iam.serviceAccountKeyAdmin", "roles/iam.serviceAccountTokenCreator",
        "roles/iam.serviceAccountUser", "roles/storage.admin", "roles/compute.admin",
        "roles/compute.instanceAdmin", "roles/compute.instanceAdmin.v1", "roles/bigquery.admin",
        "roles/aiplatform.admin", "roles/aiplatform.editor",
        "roles/aiplatform.customCodeServiceAgent",
    }
)  # fmt: skip
"""Roles that, bound to a project or above, are worth nearly everything in it."""


def is_broad(role: str) -> bool:
    """Whether a predefined role, bound above single resources, is worth nearly everything."""
    return role in BROAD_ROLES or (
        role.startswith("roles/resourcemanager.") and role.endswith("Admin")
    )


def holds_power(permissions: Iterable[str]) -> bool:
    """Whether a custom role is worth nearly everything: it can grant, become others or make keys."""
    return any(
        name.endswith(".setIamPolicy")
        or name in {"iam.serviceAccounts.actAs", "iam.serviceAccountKeys.create"}
        for name in permissions
    )


def is_default_account(email: str) -> bool:
    """Whether it is an account that Google makes for every project, for all its workloads."""
    return bool(_DEFAULT.fullmatch(email))


def is_google_account(email: str) -> bool:
    """Whether Google itself runs a service as this account (a service agent)."""
    return bool(_GOOGLE.search(email))


def grants_of(
    email: str, policies: Iterable[tuple[str, Mapping[str, Any]]]
) -> list[dict[str, Json]]:
    """What policies grant a service account: ``role``, ``resource``, ``conditional``, ``broad``."""
    wanted = f"serviceAccount:{email}"
    found: list[dict[str, Json]] = []
    for resource, policy in policies:
        for binding in bindings(policy):
            if wanted in members(binding):
                role = str(binding.get("role"))
                found.append(
                    {
                        "role": role,
                        "resource": resource,
                        "conditional": bool(binding.get("condition")),
                        "broad": is_broad(role),
                    }
                )
    return found


def is_foreign(member: str, own: Iterable[str], domains: Iterable[str]) -> bool:
    """Whether a member belongs to nobody we know: another domain's person, another's account.

    ``own``: projects of the scan. ``domains``: domains of our own people; if there are none, only
    consumer accounts are certain to be strangers.
    """
    kind, _, name = member.partition(":")
    if kind in {"user", "group", "domain"}:
        domain = name.rpartition("@")[2].lower()
        known = set(domains)
        return domain in _CONSUMER_DOMAINS or bool(known and domain not in known)
    if kind == "serviceAccount":
        home = _PROJECT_ACCOUNT.search(name)
        return bool(home and home[1] not in set(own) and not is_google_account(name))
    return False


def bucket_facts(
    config: Mapping[str, Any], unknown: dict[str, str], place: Place
) -> dict[str, Json]:
    """``broad_writers`` and ``strangers`` ({member, role}) and ``sensitive``, as far as is known."""
    facts: dict[str, Json] = {"sensitive": _is_sensitive(config.get("labels"))}
    if "config.iamPolicy" in unknown:
        for name in ("broad_writers", "strangers"):
            unknown[f"facts.{name}"] = unknown["config.iamPolicy"]
        return facts
    writers: list[Json] = []
    strangers: list[Json] = []
    for binding in bindings(config.get("iamPolicy")):
        role = str(binding.get("role"))
        for member in members(binding):
            entry: dict[str, Json] = {"member": member, "role": role}
            email = member.partition(":")[2]
            if _WRITING.fullmatch(role) and (
                (_BROAD.match(member) and member not in PUBLIC)
                or (member.startswith("serviceAccount:") and is_default_account(email))
            ):
                writers.append(entry)
            if is_foreign(member, place.own, ()):
                strangers.append(entry)
    return {**facts, "broad_writers": writers, "strangers": strangers}


def _is_sensitive(labels: Any) -> bool:
    """Whether labels say so; names and contents are not looked at."""
    if not isinstance(labels, Mapping):
        return False
    return any(
        (str(key).lower() in _CLASSES and bool(_SENSITIVE.search(str(value))))
        or (
            bool(_SENSITIVE.fullmatch(str(key)))
            and str(value).lower() not in {"false", "no", "none"}
        )
        for key, value in labels.items()
    )
