"""Who can reach a bucket? From its settings to facts, in three-valued logic. No calls here.

A setting that could not be read is None and makes unknown exactly what depends on it: a bucket that
ignores public ACLs is not public by ACL, whatever the unreadable ACL says.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from collectors.aws.policy.documents import PolicyError, Statement, parse_policy
from collectors.aws.policy.evaluate import ANY
from collectors.aws.policy.trust import Grant, grants
from undercroft.model import Json

__all__ = ["FLAGS", "BucketSettings", "bucket_facts", "sensitivity"]

FLAGS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")

_BLOCKS = ("AccountPublicAccessBlockConfiguration", "PublicAccessBlockConfiguration")
_EXPOSURE = (*_BLOCKS, "PolicyStatus", "Policy", "Grants", "OwnershipControls")
_DEPENDS: dict[str, tuple[str, ...]] = {
    "effective_block": _BLOCKS,
    "public_read": _EXPOSURE,
    "public_write": _EXPOSURE,
    "overpermissive": ("Policy",),
    "foreign_write": ("Policy",),
    "tls_only": ("Policy",),
    "sensitive": ("Tags",),
}
"""Fact → the settings it is derived from."""

_EVERYBODY = (
    "http://acs.amazonaws.com/groups/global/AllUsers",
    "http://acs.amazonaws.com/groups/global/AuthenticatedUsers",
)
_READ = ("s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket")
_WRITE = ("s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:ReplicateObject")
_CONTROL = ("s3:PutBucketPolicy", "s3:DeleteBucketPolicy", "s3:PutBucketAcl", "s3:PutObjectAcl")
_ACL_READ = frozenset({"READ", "FULL_CONTROL"})
_ACL_WRITE = frozenset({"WRITE", "WRITE_ACP", "FULL_CONTROL"})

_SENSITIVE_KEYS = frozenset(
    {
        "classification",
        "confidentiality",
        "dataclass",
        "dataclassification",
        "dataconfidentiality",
        "datasensitivity",
        "datatype",
        "sensitivity",
        "sensitivitylevel",
    }
)
_SENSITIVE_VALUES = frozenset(
    {
        "confidential",
        "highlyconfidential",
        "critical",
        "gdpr",
        "high",
        "hipaa",
        "pci",
        "personal",
        "phi",
        "pii",
        "private",
        "restricted",
        "secret",
        "sensitive",
        "topsecret",
    }
)
_FLAG_KEYS = frozenset(
    {"containspii", "containsphi", "pii", "phi", "pci", "gdpr", "hipaa", "sensitive"}
)
_YES = frozenset({"true", "yes", "y", "1"})


@dataclass(frozen=True, slots=True)
class BucketSettings:
    """What was read of a bucket. None everywhere: could not be read; empty: there is none."""

    name: str
    partition: str
    account_block: Mapping[str, bool] | None
    bucket_block: Mapping[str, bool] | None
    policy: Any
    """The policy document, ``{}`` if there is none."""
    policy_is_public: bool | None
    """AWS's own verdict (``PolicyStatus.IsPublic``); False if there is no policy."""
    grants: Sequence[Mapping[str, Any]] | None
    owner: str
    """Canonical id of the owner; empty if unknown."""
    acls_off: bool | None
    """Object ownership is ``BucketOwnerEnforced``: ACLs say nothing."""
    tags: Mapping[str, str] | None


def bucket_facts(
    bucket: BucketSettings, trusted: Collection[str], reasons: Mapping[str, str]
) -> tuple[dict[str, Json], dict[str, str]]:
    """The facts of a bucket, and the fact paths that nobody can know with the reason.

    ``reasons``: config path → why it could not be read.
    """
    facts: dict[str, Json] = {"exists": True}
    unknown: dict[str, str] = {}

    def why(name: str) -> str:
        paths = (f"config.{setting}" for setting in _DEPENDS[name])
        known = (unknown.get(path) or reasons.get(path) for path in paths)
        return "; ".join(dict.fromkeys(text for text in known if text)) or "could not be read"

    def put(name: str, value: Json) -> None:
        if value is None:
            unknown[f"facts.{name}"] = why(name)
        else:
            facts[name] = value

    block = {
        flag: _either(_flag(bucket.account_block, flag), _flag(bucket.bucket_block, flag))
        for flag in FLAGS
    }
    put("effective_block", None if None in block.values() else dict(block))

    statements = _statements(bucket.policy, unknown)
    given = None if statements is None else _given(bucket, statements, trusted)
    by_policy = _both(_not(block["RestrictPublicBuckets"]), bucket.policy_is_public)
    heeds_acls = _both(_not(block["IgnorePublicAcls"]), _not(bucket.acls_off))
    put(
        "public_read",
        _either(
            _both(by_policy, _opens(given, _READ)),
            _both(heeds_acls, _acl_opens(bucket.grants, _ACL_READ)),
        ),
    )
    put(
        "public_write",
        _either(
            _both(by_policy, _opens(given, _WRITE, default=False)),
            _both(heeds_acls, _acl_opens(bucket.grants, _ACL_WRITE)),
        ),
    )
    put("overpermissive", None if given is None else _overpermissive(given))
    put("foreign_write", None if given is None else _foreign(given))
    put("tls_only", None if statements is None else _tls_only(bucket, statements))
    if bucket.tags is None:
        unknown["facts.sensitive"] = unknown["facts.sensitive_by"] = why("sensitive")
    else:
        by = sensitivity(bucket.tags)
        facts["sensitive"] = bool(by)
        facts["sensitive_by"] = by
    return facts, unknown


def sensitivity(tags: Mapping[str, str]) -> str:
    """The tag that calls the content sensitive, as ``tag DataClassification=restricted``, or ''."""
    for key in sorted(tags):
        plain_key, plain_value = _plain(key.rpartition(":")[2]), _plain(tags[key])
        if (plain_key in _SENSITIVE_KEYS and plain_value in _SENSITIVE_VALUES) or (
            plain_key in _FLAG_KEYS and plain_value in _YES
        ):
            return f"tag {key}={tags[key]}"
    return ""


def _statements(policy: Any, unknown: dict[str, str]) -> tuple[Statement, ...] | None:
    if policy is None:
        return None
    try:
        return parse_policy(policy) if policy else ()
    except PolicyError as error:
        unknown["config.Policy"] = f"error: {error}"
        return None


def _given(
    bucket: BucketSettings, statements: Sequence[Statement], trusted: Collection[str]
) -> list[Grant]:
    resource = f"arn:{bucket.partition}:s3:::{bucket.name}/{ANY}"
    actions = (*_READ, *_WRITE, *_CONTROL)
    return grants(statements, actions, trusted, resource, bucket.owner)


def _opens(
    given: Sequence[Grant] | None, actions: Sequence[str], *, default: bool = True
) -> bool | None:
    """Whether the public part of the policy gives one of ``actions``.

    ``default``: the answer where AWS calls the policy public and we find no public statement in it.
    """
    if given is None:
        return None
    public = [grant for grant in given if grant.public]
    return any(grant.action in actions for grant in public) if public else default


def _acl_opens(
    listed: Sequence[Mapping[str, Any]] | None, permissions: Collection[str]
) -> bool | None:
    if listed is None:
        return None
    return any(
        grant.get("Grantee", {}).get("URI") in _EVERYBODY and grant.get("Permission") in permissions
        for grant in listed
    )


def _overpermissive(given: Sequence[Grant]) -> list[Json]:
    risky = {*_WRITE, *_CONTROL}
    labels = [
        grant.statement.label
        for grant in given
        if grant.action in risky and (grant.public or grant.whole_accounts)
    ]
    return list(dict.fromkeys(labels))


def _foreign(given: Sequence[Grant]) -> list[Json]:
    found = [p for grant in given if grant.action in _WRITE for p in grant.foreign]
    return list(dict.fromkeys(found))


def _tls_only(bucket: BucketSettings, statements: Sequence[Statement]) -> bool:
    """Whether everybody is refused who comes without TLS, for reading and for writing objects."""
    resource = f"arn:{bucket.partition}:s3:::{bucket.name}/{ANY}"
    refusals = [
        statement
        for statement in statements
        if not statement.allow
        and any(value == "*" for _, value in statement.principals)
        and statement.covers_resource(resource)
        and [(c.key, c.values) for c in statement.conditions]
        == [("aws:securetransport", ("false",))]
    ]
    return all(
        any(refusal.covers_action(action) for refusal in refusals)
        for action in ("s3:GetObject", "s3:PutObject")
    )


def _flag(block: Mapping[str, bool] | None, flag: str) -> bool | None:
    return None if block is None else bool(block.get(flag, False))


def _not(value: bool | None) -> bool | None:
    return None if value is None else not value


def _both(left: bool | None, right: bool | None) -> bool | None:
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def _either(left: bool | None, right: bool | None) -> bool | None:
    return _not(_both(_not(left), _not(right)))


def _plain(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalnum())
