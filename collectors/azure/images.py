"""Which image does a reference name? One node per registry and repository. No calls."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from collectors.images import split_image
from undercroft.identity import image_key
from undercroft.model import Json, Layer, Presence, Resource

__all__ = ["IMAGE", "ImageRef", "image_stub", "parse_image", "references_in", "serves_models"]

IMAGE = "x-azure/container-image"
PUBLISHER = "mcr.microsoft.com"
"""The registry of the cloud's own images."""

_MODEL_SERVERS = re.compile(
    r"vllm|triton|\bray\b|ollama|text-generation-inference|text-embeddings-inference|jupyter"
    r"|mlflow|torchserve|open-webui|langflow|tensorflow-serving|llama",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ImageRef:
    """One reference to a container image, taken apart."""

    ref: str
    registry: str
    repository: str
    tag: str
    """Empty if none is given (the registry then serves ``latest``)."""
    digest: str
    """``sha256:…``, or empty."""

    @property
    def key(self) -> str:
        """``image/<registry host>/<repository>``."""
        return image_key(self.registry, self.repository)

    @property
    def reference(self) -> dict[str, Json]:
        """How it was referred to, as one entry of the image's ``facts.references``."""
        return {
            "ref": self.ref,
            "tag": self.tag,
            "digest": self.digest,
            "pinned": bool(self.digest),
        }

    @property
    def detail(self) -> str:
        """What the reference adds to the node, for an edge."""
        return f"@{self.digest}" if self.digest else f":{self.tag}" if self.tag else ""


def parse_image(text: str) -> ImageRef | None:
    """Take a reference apart; None if it is blank."""
    if not text.strip() or any(letter.isspace() for letter in text.strip()):
        return None
    registry, repository, tag, digest = split_image(text)
    if not repository:
        return None
    return ImageRef(text, registry, repository, tag, digest)


def image_stub(image: ImageRef) -> Resource:
    """The image as something that a service names and nobody has looked at yet."""
    return Resource(
        key=image.key,
        provider="azure",
        account="-",
        region="-",
        type=IMAGE,
        layer=Layer.CONTAINER,
        name=image.repository,
        native_id=f"{image.registry}/{image.repository}",
        facts={
            "registry": image.registry,
            "repository": image.repository,
            "references": [image.reference],
        },
        presence=Presence.STUB,
    )


def references_in(stubs: Iterable[Resource]) -> list[ImageRef]:
    """Every way in which stubs of one image refer to it, each once."""
    found: dict[str, ImageRef] = {}
    for stub in stubs:
        listed = stub.facts.get("references")
        for entry in listed if isinstance(listed, Sequence) else ():
            ref = entry.get("ref") if isinstance(entry, Mapping) else None
            image = parse_image(ref) if isinstance(ref, str) else None
            if image is not None:
                found.setdefault(image.ref, image)
    return [found[ref] for ref in sorted(found)]


def serves_models(images: Collection[str]) -> bool:
    """Whether one of the images is a model server or a notebook, by its name."""
    return any(_MODEL_SERVERS.search(image) for image in images)
