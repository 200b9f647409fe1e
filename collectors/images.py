"""Container image references, taken apart. Pure string work, the same in every cloud."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["SplitImage", "split_image"]

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
