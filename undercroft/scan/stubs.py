"""A resource that is only named: what its key and the edge to it tell about it."""

from __future__ import annotations

from undercroft.model import Edge, Layer, Presence, Resource
from undercroft.relations import Relation

__all__ = ["stub_of"]

_LAYERS: dict[Relation, Layer] = {
    Relation.RUNS_ON: Layer.VM,
    Relation.RUNS_IMAGE: Layer.CONTAINER,
    Relation.USES_IDENTITY: Layer.IDENTITY,
    Relation.ENCRYPTED_WITH: Layer.IDENTITY,
    Relation.LOADS_ARTIFACT_FROM: Layer.STORAGE,
    Relation.READS_DATA_FROM: Layer.STORAGE,
    Relation.WRITES_TO: Layer.STORAGE,
    Relation.PROTECTED_BY: Layer.NETWORK,
}
"""Where a dependency of this kind usually stands; everything else counts as a service."""


def stub_of(key: str, edge: Edge, provider: str) -> Resource:
    """A stub for one end of ``edge`` that no collector has described.

    ``provider`` is used where the key does not name one (an image in somebody's registry).
    """
    layer = _LAYERS.get(edge.relation, Layer.SERVICE) if key == edge.dst else Layer.SERVICE
    account, region, kind, name = _parts(key)
    prefix = key.split("/", 1)[0]
    return Resource(
        key=key,
        provider=prefix if prefix in {"aws", "gcp", "azure"} else provider,
        account=account,
        region=region,
        type=kind,
        layer=layer,
        name=name,
        presence=Presence.STUB,
    )


def _parts(key: str) -> tuple[str, str, str, str]:
    """(account, region, type, name) as far as the key's form tells."""
    head, *rest = key.split("/")
    if head == "aws" and len(rest) >= 6:
        _, account, region, service, kind, *name = rest
        return account, region, f"{service}:{kind}", "/".join(name)
    if head == "gcp" and len(rest) >= 5:
        project, service, location, collection, *name = rest
        return project, location, f"{service}/{collection}", "/".join(name)
    if head == "azure":
        fields = dict(zip(rest[::2], rest[1::2], strict=False))
        kind = "/".join((fields["providers"], *rest[6::2])) if "providers" in fields else "azure"
        return fields.get("subscriptions", "-"), "-", kind, rest[-1] if rest else key
    if head == "image" and len(rest) >= 2:
        return "-", "-", "container:image", "/".join(rest[1:])
    return "-", "-", head, rest[-1] if rest else key
