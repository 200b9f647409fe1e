"""Images and buckets that a JSON document names, wherever in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from collectors.aws.arns import Place, bucket, image
from undercroft.model import Certainty, Edge, Resource
from undercroft.relations import Relation

__all__ = ["mentioned"]

_ECR = re.compile(r"\d{12}\.dkr[.-]ecr[a-z0-9.-]*/\S+")
_LONGEST = 2_000


def mentioned(
    place: Place, resource: Resource, field: str, buckets: Relation
) -> Iterator[Resource | Edge]:
    """What the document in ``field`` names: images to run, and buckets in this relation."""
    text = resource.config.get(field)
    try:
        document = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return
    said = set[str]()
    for value in _texts(document):
        if len(value) > _LONGEST:
            continue
        target, relation = None, buckets
        if value.startswith("s3://"):
            target = bucket(place, value)
        elif _ECR.fullmatch(value):
            target, relation = image(place, value), Relation.RUNS_IMAGE
        if target is not None and target.stub.key not in said:
            said.add(target.stub.key)
            yield target.stub
            yield Edge(
                resource.key, target.stub.key, relation, field, Certainty.INFERRED, target.detail
            )


def _texts(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, Mapping):
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
