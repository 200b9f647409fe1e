"""Secrets that AI services are given: who else may read them. Their values are never asked for."""

from __future__ import annotations

from collectors.aws.arns import function, kms_key
from collectors.aws.kinds import ARN, Kind, Read
from collectors.references import Reference
from undercroft.model import Layer
from undercroft.relations import Relation

__all__ = ["SECRET"]

SECRET = Kind(
    family="secretsmanager",
    name="secret",
    type="secretsmanager:secret",
    segment="secret",
    client="secretsmanager",
    prefix="secretsmanager",
    layer=Layer.IDENTITY,
    list_operation="",
    list_key="",
    describe_operation="describe_secret",
    identifiers=(),
    arguments={"SecretId": ARN},
    arn="ARN",
    title="Name",
    created="CreatedDate",
    reads=(
        Read(
            "ResourcePolicy",
            "get_resource_policy",
            {"SecretId": ARN},
            pick="ResourcePolicy",
            answers=frozenset({"ResourceNotFoundException"}),
            grants=("secretsmanager:GetSecretValue",),
        ),
    ),
    references=(
        Reference("KmsKeyId", kms_key, Relation.ENCRYPTED_WITH),
        Reference("RotationLambdaARN", function, Relation.INVOKES_TOOL),
    ),
)
