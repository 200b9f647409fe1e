"""Container images as services name them: references taken apart, and gathered by image."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from undercroft.model import Resource

__all__ = ["NamedImage", "SplitImage", "named_images", "references_in", "split_image"]

Ref = TypeVar("Ref")
"""A cloud's own reading of a reference."""

_DIGEST = re.compile(r"(?P<name>.*)@(?P<digest>[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-fA-F]{32,})")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_DOCKER_HUB = frozenset(
    {"docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"}
)


class SplitImage(NamedTuple):
    """The parts of one reference."""

    registry: str
    """Host in lower case; ``docker.io`` for every spelling of Docker Hub."""
    name: str
    """The repository, ``library/`` made explicit on Docker Hub."""
    tag: str
    """Empty if none is given (the registry then serves ``latest``)."""
    digest: str
    """``sha256:…``, or empty."""


def split_image(ref: str) -> SplitImage:
    """Take ``host/repository:tag@digest`` apart. Raises ValueError if ``ref`` is blank.

    Any other text is accepted, since it comes from a configuration, not from us.
    """
    text = _SCHEME.sub("", ref.strip(), count=1)
    if not text:
        raise ValueError("an image reference must not be blank")
    digest = ""
    if match := _DIGEST.fullmatch(text):
        text, digest = match["name"], match["digest"].lower()
    head, slash, rest = text.partition("/")
    has_host = bool(slash) and ("." in head or ":" in head or head.lower() == "localhost")
    registry, path = (head.lower(), rest) if has_host else ("docker.io", text)
    name, colon, tag = path.rpartition(":")
    if not colon or "/" in tag:
        name, tag = path, ""
    if registry in _DOCKER_HUB:
        registry = "docker.io"
        name = name if "/" in name else f"library/{name}"
    return SplitImage(registry, name, tag, digest)


@dataclass(frozen=True, slots=True)
class NamedImage(Generic[Ref]):
    """One image and every way in which services refer to it."""

    stub: Resource
    references: tuple[Ref, ...]
    """At least one."""

    @property
    def ref(self) -> Ref:
        """The first of them: what all have in common can be asked of it."""
        return self.references[0]


def named_images(stubs: Iterable[Resource], parse: Callable[[str], Ref]) -> list[NamedImage[Ref]]:
    """One entry per image, whichever of its references came with which stub."""
    first: dict[str, Resource] = {}
    references: dict[str, dict[str, Ref]] = {}
    for stub in stubs:
        first.setdefault(stub.key, stub)
        named = references.setdefault(stub.key, {})
        for text in references_in(stub):
            if text not in named:
                named[text] = parse(text)
    return [NamedImage(stub, tuple(references[key].values())) for key, stub in first.items()]


def references_in(stub: Resource) -> list[str]:
    """The references that an image stub carries, as written; the bare repository if it has none."""
    listed = stub.facts.get("references")
    found = [
        entry["ref"]
        for entry in (listed if isinstance(listed, Sequence) else ())
        if isinstance(entry, Mapping) and isinstance(entry.get("ref"), str)
    ]
    return [ref for ref in found if isinstance(ref, str)] or [stub.key.removeprefix("image/")]
