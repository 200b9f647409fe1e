"""Helpers for the collectors of what AI services stand on: run one unit, pick what came out."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from collectors.aws.arns import Place, bucket, image, kms_key, role
from collectors.aws.units import AwsCollector
from undercroft.model import Coverage, Edge, Presence, Resource
from undercroft.protocols import Collected, Meter, Scope

ACCOUNT = "123456789012"
PARTNER = "999988887777"
PLACE = Place("aws", ACCOUNT, "us-east-1", frozenset({ACCOUNT}))


def collect(
    collector: AwsCollector, stubs: Iterable[Resource], options: Any = None
) -> list[Collected]:
    """Everything the collector's units yield for these stubs."""
    scope = Scope("aws", (ACCOUNT,), ("us-east-1",), options or {})
    meter = Meter()
    return [
        item
        for target in collector.targets(scope, list(stubs))
        for item in collector.collect(target, meter)
    ]


def resources(items: Iterable[Collected], *types: str) -> dict[str, Resource]:
    """What was read or found absent, by name."""
    return {
        item.name: item
        for item in items
        if isinstance(item, Resource) and (not types or item.type in types)
    }


def read(items: Iterable[Collected], *types: str) -> dict[str, Resource]:
    """What was read, by name."""
    found = resources(items, *types)
    return {name: r for name, r in found.items() if r.presence is Presence.READ}


def edges(items: Iterable[Collected]) -> list[Edge]:
    return [item for item in items if isinstance(item, Edge)]


def coverage(items: Iterable[Collected]) -> list[Coverage]:
    return [item for item in items if isinstance(item, Coverage)]


def stub_of(kind: Any, text: str) -> Resource:
    named = kind(PLACE, text)
    assert named is not None
    stub: Resource = named.stub
    return stub


def role_stub(name: str) -> Resource:
    return stub_of(role, f"arn:aws:iam::{ACCOUNT}:role/{name}")


def bucket_stub(name: str) -> Resource:
    return stub_of(bucket, f"s3://{name}/prefix")


def key_stub(text: str) -> Resource:
    return stub_of(kms_key, text)


def image_stub_of(text: str) -> Resource:
    return stub_of(image, text)


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def trust(service: str = "sagemaker.amazonaws.com", **conditions: Any) -> str:
    condition = conditions or {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    return document(
        {
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "sts:AssumeRole",
            "Condition": condition,
        }
    )
