"""The documents that seeding writes: policies, manifests, scan findings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from tests.cloud.moto_fidelity import ACCOUNT

__all__ = [
    "basic",
    "clean_trust",
    "document",
    "enhanced",
    "manifest",
    "own_key_statement",
    "statement",
    "tags",
]


def document(*statements: Mapping[str, Any]) -> str:
    """A policy document as text."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def statement(**fields: Any) -> dict[str, Any]:
    """An Allow statement."""
    return {"Effect": "Allow", **fields}


def own_key_statement() -> dict[str, Any]:
    """What every key policy starts with: the own account may do everything."""
    own = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    return statement(Sid="own", Principal=own, Action="kms:*", Resource="*")


def clean_trust() -> dict[str, Any]:
    """Trust in SageMaker, for this account only."""
    return statement(
        Principal={"Service": "sagemaker.amazonaws.com"},
        Action="sts:AssumeRole",
        Condition={"StringEquals": {"aws:SourceAccount": ACCOUNT}},
    )


def tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as AWS writes them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def manifest(name: str) -> str:
    """An image manifest whose digest depends on the name."""
    digest = f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    layers = [{"mediaType": "application/octet-stream", "size": 1, "digest": digest}]
    config = {"mediaType": "application/octet-stream", "size": 1, "digest": digest}
    manifest = {"schemaVersion": 2, "mediaType": kind, "config": config, "layers": layers}
    return json.dumps(manifest)


def basic(finding: Mapping[str, str]) -> dict[str, Any]:
    """A finding of basic scanning."""
    said = {"package_name": finding["package"], "package_version": finding["version"]}
    return {
        "name": finding["id"],
        "severity": finding["severity"],
        "uri": f"https://security-tracker.debian.org/tracker/{finding['id']}",
        "attributes": [{"key": key, "value": value} for key, value in said.items()],
    }


def enhanced(finding: Mapping[str, str]) -> dict[str, Any]:
    """A finding of enhanced scanning."""
    package = {
        "name": finding["package"],
        "version": finding["version"],
        "fixedInVersion": finding["fixed"],
        "packageManager": "PYTHONPKG",
    }
    return {
        "type": "PACKAGE_VULNERABILITY",
        "status": "ACTIVE",
        "severity": finding["severity"],
        "exploitAvailable": "NO",
        "fixAvailable": "YES",
        "packageVulnerabilityDetails": {
            "vulnerabilityId": finding["id"],
            "vulnerablePackages": [package],
        },
    }
