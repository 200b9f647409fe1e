"""What a configuration refers to, as data: field path → kind of thing → relation.

A table per resource type instead of code per field, so that a test can hold every path against the
provider's own model, and so that a reader sees at a glance what makes an edge.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from collectors.values import find
from undercroft.model import Certainty, Edge, Json, Resource
from undercroft.relations import Relation

__all__ = ["Reference", "Target", "link"]


class Target(NamedTuple):
    """What a reference names."""

    stub: Resource
    detail: str = ""
    """What the reference adds to it: an object prefix, an image tag."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One field that names something else."""

    path: str
    """Into ``Resource.config``, as ``values.find`` reads it."""
    to: Callable[[Any, str], Target | None]
    """Turns a place (what a bare name belongs to) and the field's text into what it names."""
    relation: Relation
    certainty: Certainty = Certainty.STATED


def link(
    place: Hashable, src: str, config: Mapping[str, Json], references: Iterable[Reference]
) -> Iterator[Resource | Edge]:
    """A stub and an edge for everything that ``config`` names; each stub before its edge.

    Two fields that say the same thing make one edge, the first.
    """
    said = set[tuple[str, Relation, str]]()
    for reference in references:
        for via, value in find(config, reference.path):
            text = value if isinstance(value, str) else ""
            target = _target(reference.to, place, text) if text else None
            if target is None:
                continue
            edge = (target.stub.key, reference.relation, target.detail)
            if edge in said:
                continue
            said.add(edge)
            yield target.stub
            yield Edge(
                src, target.stub.key, reference.relation, via, reference.certainty, target.detail
            )


@lru_cache(maxsize=4096)
def _target(to: Callable[[Any, str], Target | None], place: Hashable, text: str) -> Target | None:
    # A thousand models name one role and a handful of images.
    return to(place, text)
