"""Which image does a reference name, and whose registry is it in? Pure string work."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from collectors.images import split_image
from undercroft.identity import image_key
from undercroft.model import Json, Layer, Presence, Resource

__all__ = [
    "ImageRef",
    "image_facts",
    "image_stub",
    "is_model_server",
    "parse_image",
]

_ARTIFACT_REGISTRY = re.compile(r"(?P<location>[a-z0-9-]+)-docker\.pkg\.dev")
_CONTAINER_REGISTRY = re.compile(r"(?:(?P<location>us|eu|asia)\.)?gcr\.io")
_OLD_REGISTRIES = {"gcr.io": "us", "us.gcr.io": "us", "eu.gcr.io": "europe", "asia.gcr.io": "asia"}
_GOOGLE_PROJECTS = frozenset(
    {
        "cloud-aiplatform",
        "cloud-marketplace",
        "cloudrun",
        "deeplearning-platform-release",
        "distroless",
        "gke-release",
        "google-containers",
        "google-samples",
        "google.com/cloudsdktool",
        "ml-pipeline",
        "vertex-ai",
        "vertex-ai-restricted",
    }
)
"""Projects in which Google publishes images for everybody."""
_MODEL_SERVERS = re.compile(
    r"vllm|text-generation|\btgi\b|triton|tensorflow/serving|tf-?serving|torchserve|ollama|\bray\b"
    r"|mlflow|kserve|llama|langserve|open-webui|gradio|streamlit|jupyter|comfyui|stable-diffusion",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ImageRef:
    """One reference to a container image, taken apart."""

    ref: str
    """As written where it was found."""
    key: str
    registry: str
    """Host: ``europe-west4-docker.pkg.dev``."""
    repository: str
    """``project/repository/image``."""
    tag: str
    """Empty if none is given (the registry then serves ``latest``)."""
    digest: str
    project: str
    """The project whose registry it is; empty outside Google's registries."""
    location: str
    """Of that registry; empty outside Artifact Registry."""
    owner: str
    """``own``, ``google`` (published by Google for everybody) or ``third_party``."""

    @property
    def pinned(self) -> bool:
        """A digest says exactly what runs."""
        return bool(self.digest)

    @property
    def detail(self) -> str:
        """What the reference adds to the node, for an edge: ``@sha256:…``, ``:tag`` or empty."""
        return f"@{self.digest}" if self.digest else f":{self.tag}" if self.tag else ""

    @property
    def reference(self) -> dict[str, Json]:
        """How it was referred to, as one entry of the image's ``facts.references``."""
        return {"ref": self.ref, "tag": self.tag, "digest": self.digest, "pinned": self.pinned}

    @property
    def store(self) -> str:
        """The repository's name: ``projects/p/locations/l/repositories/r``; empty if it has none."""
        parts = self.repository.split("/")
        if self.location and self.registry in _OLD_REGISTRIES and len(parts) > 1:
            # The old registry lives on as a repository that is named like its host.
            return f"projects/{parts[0]}/locations/{self.location}/repositories/{self.registry}"
        if not self.location or len(parts) < 3:
            return ""
        return f"projects/{parts[0]}/locations/{self.location}/repositories/{parts[1]}"

    @property
    def package(self) -> str:
        """The image within its repository: ``team/model``."""
        above = 1 if self.registry in _OLD_REGISTRIES else 2
        return "/".join(self.repository.split("/")[above:])


def parse_image(ref: str, own: Collection[str] = ()) -> ImageRef:
    """Take a reference apart and say whose registry it is in.

    ``own``: ids of projects that count as our own. Raises ValueError if ``ref`` is blank.
    """
    registry, name, tag, digest = split_image(ref)
    project = location = ""
    if match := _ARTIFACT_REGISTRY.fullmatch(registry):
        project, location = name.partition("/")[0], match["location"]
    elif _CONTAINER_REGISTRY.fullmatch(registry):
        first, _, rest = name.partition("/")
        # A project of a domain is written with a slash where its id has a colon.
        project = f"{first}/{rest.partition('/')[0]}" if "." in first else first
    if project and project in own:
        owner = "own"
    elif project in _GOOGLE_PROJECTS:
        owner = "google"
    else:
        owner = "third_party"
    if not location and project and "/" not in project:
        location = _OLD_REGISTRIES.get(registry, "")
    return ImageRef(
        ref, image_key(registry, name), registry, name, tag, digest, project, location, owner
    )


def image_stub(image: ImageRef) -> Resource:
    """The image as something that a service names but nobody has looked at yet."""
    return Resource(
        key=image.key,
        provider="gcp",
        account=image.project or "-",
        region=image.location or "-",
        type="x-gcp/container-image",
        layer=Layer.CONTAINER,
        name=image.repository,
        native_id=f"{image.registry}/{image.repository}",
        facts=image_facts(image, [image]),
        presence=Presence.STUB,
    )


def image_facts(image: ImageRef, references: Sequence[ImageRef]) -> dict[str, Json]:
    """What the references alone say about an image (each way of referring to it once)."""
    unique = {reference.ref: reference for reference in references}
    return {
        "registry": image.registry,
        "repository": image.repository,
        "registry_account": image.project,
        "owner": image.owner,
        "references": [unique[ref].reference for ref in sorted(unique)],
    }


def is_model_server(image: str) -> bool:
    """Whether an image's name is one of a known model server or AI tool (a hint, not a fact)."""
    return bool(_MODEL_SERVERS.search(image))
