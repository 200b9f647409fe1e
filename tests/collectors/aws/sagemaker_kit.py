"""What one unit of SageMaker yields: names that its tests share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from collectors.aws.listed import KindList
from collectors.aws.sagemaker_kinds import KINDS
from collectors.aws.session import Clients
from tests.collectors.aws.conftest import ACCOUNT, REGION, Answer
from undercroft.model import Coverage, Edge, Presence, Resource
from undercroft.protocols import Collected, Meter, Scope
from undercroft.relations import Relation

__all__ = [
    "BUCKET_KEY",
    "DENIED",
    "HERE",
    "IMAGE",
    "IMAGE_KEY",
    "KIND",
    "NOW",
    "ROLE",
    "ROLE_KEY",
    "Found",
    "collect",
    "listing",
]

ROLE = f"arn:aws:iam::{ACCOUNT}:role/exec"
HERE = f"aws/aws/{ACCOUNT}/{REGION}"
ROLE_KEY = f"aws/aws/{ACCOUNT}/-/iam/role/exec"
BUCKET_KEY = f"aws/aws/{ACCOUNT}/-/s3/bucket/models"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/serve:v1"
IMAGE_KEY = f"image/{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/serve"
DENIED = Answer.error("AccessDeniedException", 400)
NOW = datetime(2026, 5, 1, tzinfo=UTC)
KIND = {kind.name: kind for kind in KINDS}


class Found:
    """What one unit yielded."""

    def __init__(self, items: Iterable[Collected]) -> None:
        self.items = list(items)
        self.resources = {
            item.key: item
            for item in self.items
            if isinstance(item, Resource) and item.presence is not Presence.STUB
        }
        self.stubs = {
            item.key: item
            for item in self.items
            if isinstance(item, Resource) and item.presence is Presence.STUB
        }
        self.edges = [item for item in self.items if isinstance(item, Edge)]
        *self.parts, self.coverage = [item for item in self.items if isinstance(item, Coverage)]
        assert self.items[-1] is self.coverage

    def links(self, src: str) -> set[tuple[Relation, str, str]]:
        """Relation, field and far end of what one resource depends on."""
        return {
            (edge.relation, edge.via, edge.dst.removeprefix(f"{HERE}/"))
            for edge in self.edges
            if edge.src == f"{HERE}/{src}" and edge.relation is not Relation.CONTAINED_IN
        }


def collect(
    clients: Clients,
    name: str,
    meter: Meter | None = None,
    *,
    now: datetime = NOW,
    limit: int = 100,
) -> Found:
    """What one kind's unit yields at ``now``, with at most ``limit`` of a history."""
    collector = KindList(clients, KIND[name], lambda: now, limit)
    (target,) = collector.targets(Scope("aws"), ())
    return Found(collector.collect(target, meter or Meter()))


def listing(name: str, *items: Mapping[str, Any]) -> Answer:
    """A list of a kind, as the API writes it."""
    return Answer.json({KIND[name].list_key: list(items)})
