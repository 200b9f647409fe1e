"""A synthetic estate of any size: deterministic, with roles and images that many services share.

Everything the rules ask for is there, so that they decide instead of saying unknown.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from undercroft.model import Coverage, CoverageStatus, Edge, Json, Layer, Resource
from undercroft.protocols import Collected, Meter, Scope, Target
from undercroft.relations import Relation

__all__ = ["Size", "SyntheticCollector"]

_ACCOUNT = "111122223333"
_REGION = "us-east-1"
_WORDS = ("fraud", "churn", "claims", "quotes", "vision", "speech", "search", "rank", "risk", "rag")
_SEVERITIES = ("critical", "high", "medium", "medium", "low", "low", "low")
_BLOCK = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
_TYPES = (
    "sagemaker:notebook-instance",
    "ecr:image",
    "iam:role",
    "s3:bucket",
)
_PACKAGES = 400
_BASES = 40
"""Base images that all others are built on: what is wrong with one, is wrong with all built on it."""
_EACH = 20
"""Findings per known vulnerability, in the mean."""
_FROM_IMAGES = 0.9
"""Share of the findings that are vulnerabilities in images; the rest is for the settings."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much to make."""

    services: int
    resources: int
    """All of them, services included."""
    findings: int
    """About as many; nine in ten are vulnerabilities of images."""


class SyntheticCollector:
    """Yields the estate: notebooks on shared roles, images (with vulnerabilities) and buckets."""

    name = "bench"
    stage = 0
    types = _TYPES

    def __init__(
        self, size: Size, *, seed: int = 7, changed: float = 0.0, most_shared: bool = False
    ) -> None:
        """``changed``: share of the resources that differ from what the same seed gives without:
        the middle one of each hundred, or, with ``most_shared``, the first one.

        Resources come in the order of how much hangs on them: the first image has one finding in a
        hundred of all, and half of the services stand on the first role.
        """
        self.size = size
        self.seed = seed
        self._every = round(1 / changed) if changed else 0
        self._which = 0 if most_shared else self._every // 2

    def targets(self, scope: Scope, wanted: Sequence[Resource]) -> Iterator[Target]:  # noqa: ARG002
        """One unit."""
        yield Target(self.name, "aws", _ACCOUNT, _REGION)

    def collect(self, target: Target, meter: Meter) -> Iterator[Collected]:  # noqa: ARG002
        """Everything, in a fixed order."""
        number = -1
        for item in self._items():
            if isinstance(item, Resource):
                number += 1
                if self._every and number % self._every == self._which:
                    item = _changed(item)  # noqa: PLW2901
            yield item

    def _items(self) -> Iterator[Collected]:
        rng = random.Random(self.seed)
        below = max(3, self.size.resources - self.size.services)
        third = below // 3
        images: list[str] = []
        roles: list[str] = []
        buckets: list[str] = []
        # One at a time: what a scan needs of memory is to be the scan's own doing.
        for pool, made in (
            (
                images,
                self._images(rng, third),
            ),
            (roles, (_role(number, rng) for number in range(third))),
            (buckets, (_bucket(number, rng) for number in range(below - 2 * third))),
        ):
            for resource in made:
                pool.append(resource.key)
                yield resource
        for number in range(self.size.services):
            service = _notebook(number, rng)
            yield service
            for pool, relation, shape in (
                (images, Relation.RUNS_IMAGE, 0.6),
                # Half of all services share one role: somebody wrote it into a template.
                (roles, Relation.USES_IDENTITY, 1.0),
                (buckets, Relation.READS_DATA_FROM, 0.6),
                (buckets, Relation.WRITES_TO, 0.6),
            ):
                # A few are shared by hundreds or thousands, most by nobody or one.
                chosen = pool[min(len(pool) - 1, int(rng.paretovariate(shape)) - 1)]
                yield Edge(service.key, chosen, relation, f"config.{relation.value}")
        yield Coverage("aws", _ACCOUNT, _REGION, self.name, CoverageStatus.COMPLETE, lists=_TYPES)

    def _images(self, rng: random.Random, number: int) -> Iterator[Resource]:
        """Images share the vulnerabilities of their base: each knows a run of them, from a start of
        its base's own.
        """
        shares = self._shares(rng, number)
        known = max(shares[0], round(self.size.findings * _FROM_IMAGES / _EACH))
        for place, share in enumerate(shares):
            base = place % _BASES
            start = base * known // _BASES
            numbers = ((start + index) % known for index in range(share))
            yield _image(place, [_vulnerability(each, base) for each in numbers])

    def _shares(self, rng: random.Random, images: int) -> list[int]:
        """Vulnerabilities per image: a few hold a large share, and those are shared most."""
        weights = sorted((rng.paretovariate(1.5) for _ in range(images)), reverse=True)
        each = self.size.findings * _FROM_IMAGES / sum(weights)
        return [max(1, round(weight * each)) for weight in weights]


def _resource(
    tail: str,
    kind: str,
    layer: Layer,
    name: str,
    config: dict[str, Json],
    facts: dict[str, Json],
    *,
    service: bool = False,
) -> Resource:
    return Resource(
        key=f"aws/aws/{_ACCOUNT}/{_REGION}/{tail}",
        provider="aws",
        account=_ACCOUNT,
        region=_REGION,
        type=kind,
        layer=layer,
        name=name,
        native_id=f"arn:aws:{tail}",
        tags={"team": f"team-{len(name) % 7}"},
        config=config,
        facts={"secrets": [], **facts},
        service=service,
        collector="bench",
        collected_at="2026-11-01T00:00:00Z",
    )


def _notebook(number: int, rng: random.Random) -> Resource:
    """About 2 KB, with some of its settings as they should not be."""
    name = f"{_WORDS[number % len(_WORDS)]}-{number}"
    config: dict[str, Json] = {
        "NotebookInstanceName": name,
        "NotebookInstanceStatus": "InService",
        "InstanceType": "ml.t3.xlarge",
        "RootAccess": rng.choice(("Enabled", "Disabled")),
        "DirectInternetAccess": rng.choice(("Enabled", "Disabled")),
        "PlatformIdentifier": rng.choice(("notebook-al2-v2", "notebook-al2023-v1")),
        "InstanceMetadataServiceConfiguration": {"MinimumInstanceMetadataServiceVersion": "2"},
        "LastModifiedTime": "2026-10-20T00:00:00Z",
        "SubnetId": "subnet-0a",
        "SecurityGroups": [f"sg-{index}" for index in range(4)],
        "KmsKeyId": f"arn:aws:kms:{_REGION}:{_ACCOUNT}:key/1",
        "AdditionalCodeRepositories": [f"team-code-{number}-{index}" for index in range(40)],
    }  # fmt: skip
    return _resource(
        f"sagemaker/notebook-instance/n{number}",
        "sagemaker:notebook-instance",
        Layer.SERVICE,
        name,
        config,
        {},
        service=True,
    )


def _vulnerability(number: int, base: int) -> dict[str, Json]:
    """One of all that are known; as in the world, most concern two packages of one source, which
    not every base image has in the same version.
    """
    cve = number // 2
    release = base % 3
    return {
        "id": f"CVE-20{10 + cve % 16}-{10000 + cve}",
        "severity": _SEVERITIES[number % len(_SEVERITIES)],
        "package": f"package-{number % _PACKAGES}",
        "purl_type": "deb",
        "installed": f"{release}.{number % 9}",
        "fixed": f"{release}.{number % 9 + 1}",
        "cvss": 7.5,
        "vector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N",
        "exploit_available": False,
        "fix_available": True,
    }


def _image(number: int, vulnerabilities: Sequence[dict[str, Json]]) -> Resource:
    digest = "sha256:" + f"{number:064x}"
    rows: list[Json] = [{**each, "digest": digest} for each in vulnerabilities]
    name = f"team-{number % 40}/image-{number}"
    detail: Json = {"imageTags": ["v1"], "imagePushedAt": "2026-10-30T00:00:00Z"}
    facts: dict[str, Json] = {
        "registry": f"{_ACCOUNT}.dkr.ecr.{_REGION}.amazonaws.com",
        "repository": name,
        "owner": "own",
        "ai": True,
        "references": [{"ref": f"{name}:v1", "tag": "v1", "digest": "", "pinned": number % 2 == 0}],
        "scan": {"status": "COMPLETE", "completed_at": "2026-10-31T00:00:00Z", "source": "enhanced"},
        "vulnerabilities": rows,
        "frameworks": [],
    }  # fmt: skip
    return _resource(
        f"ecr/image/i{number}",
        "ecr:image",
        Layer.CONTAINER,
        name,
        {"imageDetails": [detail]},
        facts,
    )


def _role(number: int, rng: random.Random) -> Resource:
    trust: Json = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sagemaker.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    facts: dict[str, Json] = {
        "admin": rng.random() < 0.1,
        "admin_via": [],
        "attached": ["AmazonSageMakerFullAccess"] if rng.random() < 0.4 else [],
        "wildcard_services": [],
        "escalation": [],
        "ai_escalation": ["passrole-create-notebook"] if rng.random() < 0.1 else [],
        "passrole_any": False,
        "s3_any": rng.random() < 0.3,
        "secrets_any": False,
        "bedrock_full": False,
        "any_model": number % 6 == 0,
        "any_product": False,
        "confused_deputy": [],
        "trust_public": False,
        "foreign_trust": [],
        "last_used": "2026-10-30T00:00:00Z",
    }
    return _resource(
        f"iam/role/r{number}",
        "iam:role",
        Layer.IDENTITY,
        f"role-{number}",
        {
            "RoleName": f"role-{number}",
            "AssumeRolePolicyDocument": trust,
            "Path": "/",
            "CreateDate": "2026-01-01T00:00:00Z",
            "PermissionsBoundary": {"PermissionsBoundaryArn": f"{_ACCOUNT}:policy/limit"},
        },
        facts,
    )


def _bucket(number: int, rng: random.Random) -> Resource:
    encrypted = rng.random() < 0.5
    algorithm = "aws:kms" if encrypted else "AES256"
    config: dict[str, Json] = {
        "Versioning": {"Status": "Enabled" if number % 3 else "Suspended"},
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        "ServerSideEncryptionConfiguration": {
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm}}]
        },
    }
    facts: dict[str, Json] = {
        "exists": True,
        "effective_block": dict.fromkeys(_BLOCK, True),
        "public_read": False,
        "public_write": False,
        "overpermissive": [],
        "foreign_write": [],
        "copied_outside": [],
        "foreign_owned": False,
        "tls_only": number % 4 > 0,
        "access_logged": number % 5 > 0,
        "sensitive": number % 20 == 0,
        "sensitive_by": "tag",
    }
    return _resource(
        f"s3/bucket/b{number}", "s3:bucket", Layer.STORAGE, f"bucket-{number}", config, facts
    )


def _changed(resource: Resource) -> Resource:
    """The same resource after somebody has touched it, so that at least one answer differs."""
    config: dict[str, Any] = dict(resource.config)
    facts: dict[str, Any] = dict(resource.facts)
    if resource.type == "ecr:image":
        facts["vulnerabilities"] = facts["vulnerabilities"][1:]
    elif resource.type == "iam:role":
        facts["admin"] = not facts["admin"]
    elif resource.type == "s3:bucket":
        facts["sensitive"] = not facts["sensitive"]
    else:
        config["RootAccess"] = "Enabled" if config["RootAccess"] == "Disabled" else "Disabled"
    return replace(resource, config=config, facts=facts)
