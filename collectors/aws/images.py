"""Which image does a reference name, and whose is it?

A container image is one node per registry and repository; tags and digests are references to it.
Pure string work: no SDK, no calls.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from collectors.images import split_image
from undercroft.identity import image_key
from undercroft.model import Json, Layer, Presence, Resource

__all__ = ["ImageRef", "image_facts", "image_stub", "is_ai_name", "parse_image"]

# 123456789012.dkr.ecr.eu-west-1.amazonaws.com, its FIPS and dual-stack spellings, other partitions.
_ECR_HOST = re.compile(
    r"(?P<account>\d{12})\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.(?P<suffix>[a-z0-9.]+)"
)
_STANDS_ALONE = 4
"""Marker words up to this length must be a whole word of the repository name."""


@dataclass(frozen=True, slots=True)
class ImageRef:
    """One reference to a container image, taken apart."""

    ref: str
    """As written where it was found."""
    key: str
    """Resource key of the image: ``image/<registry host>/<repository>``."""
    registry: str
    """Registry host, in its usual spelling (``docker.io`` for every spelling of Docker Hub)."""
    repository: str
    tag: str
    """Empty if none is given (the registry then serves ``latest``)."""
    digest: str
    """``sha256:…``, or empty."""
    pinned: bool
    """A digest says exactly what runs."""
    account: str
    """The AWS account whose private registry it is; empty outside ECR."""
    region: str
    """The region of that registry; empty outside ECR."""
    owner: str
    """``own`` (a trusted account's ECR), ``aws`` (an AWS-owned registry) or ``third_party``."""
    ai: bool
    """The name is one of a known AI framework, model server or AI tool."""

    @property
    def type(self) -> str:
        """Resource type: ``ecr:image`` in a private ECR registry, ``container:image`` elsewhere."""
        return "ecr:image" if self.account else "container:image"

    @property
    def reference(self) -> dict[str, Json]:
        """How it was referred to, as one entry of the image's ``facts.references``."""
        return {"ref": self.ref, "tag": self.tag, "digest": self.digest, "pinned": self.pinned}

    @property
    def detail(self) -> str:
        """What the reference adds to the node, for an edge: ``@sha256:…``, ``:tag`` or empty."""
        return f"@{self.digest}" if self.digest else f":{self.tag}" if self.tag else ""


def parse_image(ref: str, trusted_accounts: Collection[str] = ()) -> ImageRef:
    """Take a reference apart and say whose registry it is in.

    ``trusted_accounts``: 12-digit AWS accounts whose images count as our own. Raises ValueError if
    ``ref`` is blank; any other text is accepted, since it comes from a configuration, not from us.
    """
    registry, name, tag, digest = split_image(ref)
    account = region = ""
    if match := _ECR_HOST.fullmatch(registry):
        account, region = match["account"], match["region"]
        suffix = "amazonaws.com" if match["suffix"] == "on.aws" else match["suffix"]
        registry = f"{account}.dkr.ecr.{region}.{suffix}"
    if account and account in trusted_accounts:
        owner = "own"
    elif account in _marks().aws_accounts:
        owner = "aws"
    else:
        owner = "third_party"
    return ImageRef(
        ref=ref,
        key=image_key(registry, name),
        registry=registry,
        repository=name,
        tag=tag,
        digest=digest,
        pinned=bool(digest),
        account=account,
        region=region,
        owner=owner,
        ai=is_ai_name(name),
    )


def image_stub(image: ImageRef) -> Resource:
    """The image as something that a service names but nobody has looked at yet."""
    return Resource(
        key=image.key,
        provider="aws",
        account=image.account or "-",
        region=image.region or "-",
        type=image.type,
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
        "registry_account": image.account,
        "owner": image.owner,
        "ai": image.ai,
        "references": [unique[ref].reference for ref in sorted(unique)],
    }


def is_ai_name(repository: str) -> bool:
    """Whether the name of a repository (or of a layer) is that of AI software."""
    name = repository.lower()
    base = name.rpartition("/")[2]
    words = set(re.split(r"[^a-z0-9]+", name))
    marks = _marks()
    return base.startswith(marks.ai_prefixes) or any(
        fragment in words if len(fragment) <= _STANDS_ALONE else fragment in name
        for fragment in marks.ai_fragments
    )


@dataclass(frozen=True, slots=True)
class _Marks:
    aws_accounts: frozenset[str]
    ai_prefixes: tuple[str, ...]
    ai_fragments: tuple[str, ...]


@cache
def _marks() -> _Marks:
    import yaml

    text = resources.files("collectors.aws.data").joinpath("registries.yaml").read_text("utf-8")
    data = yaml.safe_load(text)
    rows = [*data["deep_learning_containers"], *data["sagemaker"]]
    return _Marks(
        aws_accounts=frozenset(account for row in rows for account in row.split()),
        ai_prefixes=tuple(data["ai_repository_prefixes"]),
        ai_fragments=tuple(data["ai_fragments"]),
    )
