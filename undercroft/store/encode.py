"""Between the model and the columns of the cache."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from undercroft.model import (
    LAYERS,
    Certainty,
    Edge,
    Evidence,
    Json,
    Layer,
    Observation,
    Presence,
    Resource,
    Severity,
    is_gap,
)
from undercroft.relations import Relation
from undercroft.views import ResourceRef

__all__ = [
    "BODY_COLUMNS",
    "LAYER_NUMBER",
    "REF_COLUMNS",
    "Body",
    "body_of",
    "clean",
    "dump",
    "edge_of",
    "evidence_of",
    "evidence_text",
    "load",
    "owner_tag",
    "ref_of",
    "resource_of",
    "severity_of",
]

LAYER_NUMBER: dict[Layer, int] = {layer: number for number, layer in enumerate(LAYERS)}
_OWNER_TAGS = ("owner", "Owner", "team", "Team")

BODY_COLUMNS = (
    "hash, provider, account, region, type, layer, name, native_id, presence, implied, service, "
    "incarnation, collector, owner, unknowns, unread"
)
REF_COLUMNS = (
    "r.key, b.native_id, b.name, b.type, b.layer, b.provider, b.account, b.region, b.presence, "
    "b.implied, b.service"
)
"""What ``ref_of`` reads, from ``resource r`` and ``body b``."""


class Body(NamedTuple):
    """A resource split into what lists need and the long JSON."""

    hash: bytes
    row: tuple[Any, ...]
    """Values of ``BODY_COLUMNS``."""
    content: tuple[str, str, str, str, str]
    """tags, config, facts, unknown, provenance"""


def dump(value: Json | Mapping[str, Any] | Sequence[Any]) -> str:
    """JSON text, the same for equal values. ASCII, so that no odd surrogate upsets SQLite."""
    return _encode(value)


def load(text: str) -> Any:
    """What ``dump`` wrote."""
    if text == "{}":  # most discriminators, and what of a resource was not read
        return {}
    return json.loads(text)


def clean(text: str) -> str:
    """Text that SQLite can store: a lone surrogate, which no UTF-8 has, becomes a question mark."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def owner_tag(tags: Mapping[str, str]) -> str:
    """Who answers for a resource, as its tags say."""
    return next((str(tags[name]) for name in _OWNER_TAGS if tags.get(name)), "")


def body_of(resource: Resource) -> Body:
    """Everything about a resource but its key and the time it was read."""
    content = (
        dump(resource.tags),
        dump(resource.config),
        dump(resource.facts),
        dump(resource.unknown),
        clean(resource.provenance),
    )
    columns = (
        clean(resource.provider),
        clean(resource.account),
        clean(resource.region),
        clean(resource.type),
        LAYER_NUMBER[resource.layer],
        clean(resource.name),
        clean(resource.native_id),
        resource.presence.value,
        int(resource.implied),
        int(resource.service),
        None if resource.incarnation is None else clean(resource.incarnation),
        clean(resource.collector),
        clean(owner_tag(resource.tags)),
        len(resource.unknown),
        len({reason for reason in resource.unknown.values() if is_gap(reason)}),
    )
    import hashlib  # only writing needs it, and it brings OpenSSL along

    digest = hashlib.sha256(dump([columns, content]).encode()).digest()
    return Body(digest, (digest, *columns), content)


def resource_of(
    key: str,
    row: Sequence[Any],
    *,
    config: Mapping[str, Json] | None = None,
    facts: Mapping[str, Json] | None = None,
) -> Resource:
    """A resource from ``BODY_COLUMNS`` (without hash), the content columns and ``collected_at``.

    ``config`` and ``facts`` stand in for what the row says.
    """
    (
        provider,
        account,
        region,
        type_,
        layer,
        name,
        native_id,
        presence,
        implied,
        service,
        incarnation,
        collector,
        _owner,
        _unknowns,
        _unread,
        tags,
        config_text,
        facts_text,
        unknown,
        provenance,
        collected_at,
    ) = row
    return Resource(
        key=key,
        provider=provider,
        account=account,
        region=region,
        type=type_,
        layer=LAYERS[layer],
        name=name,
        native_id=native_id,
        tags=load(tags),
        config=load(config_text) if config is None else config,
        facts=load(facts_text) if facts is None else facts,
        unknown=load(unknown),
        provenance=provenance,
        incarnation=incarnation,
        implied=bool(implied),
        service=bool(service),
        presence=Presence(presence),
        collector=collector,
        collected_at=collected_at,
    )


def ref_of(row: Sequence[Any]) -> ResourceRef:
    """A reference from ``REF_COLUMNS``."""
    key, native_id, name, type_, layer, provider, account, region, presence, implied, service = row
    return ResourceRef(
        key,
        native_id,
        name,
        type_,
        LAYERS[layer],
        provider,
        account,
        region,
        Presence(presence),
        bool(implied),
        bool(service),
    )


def edge_of(row: Sequence[Any]) -> Edge:
    """An edge from (source key, target key, relation, via, certainty, detail)."""
    src, dst, relation, via, certainty, detail = row
    return Edge(src, dst, Relation(relation), via, Certainty(certainty), detail)


def severity_of(rank: int | None) -> Severity | None:
    """The severity of a stored rank; None for none."""
    return None if rank is None else Severity.from_rank(rank)


def evidence_of(text: str) -> tuple[Evidence, ...]:
    """Evidence from its JSON."""
    return tuple(Evidence(path, value) for path, value in load(text))


def evidence_text(observation: Observation) -> tuple[str, str]:
    """What decided as JSON, and its hash, which changes with the values and with nothing else."""
    import hashlib

    evidence = observation.evidence
    if len(evidence) == 1:
        text = _encode(((evidence[0].path, evidence[0].value),))
        told = text[1:-1]
    else:
        pairs = [_encode((item.path, item.value)) for item in evidence]
        text = f"[{','.join(pairs)}]"
        told = "\n".join(sorted(pairs))
    return text, hashlib.sha256(told.encode()).hexdigest()[:32]


def _plain(value: object) -> Any:
    """Mappings that are not dictionaries are JSON objects too; anything else is shown as text."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    return str(value)


def _encoder() -> Callable[[Any], str]:
    """``JSONEncoder(sort_keys=True, separators=(",", ":"), default=_plain).encode``, made once.

    The standard library builds its encoder in C anew for every text, which costs as much as a small
    text itself. What it writes is the same; cycles, which it would look for, end in RecursionError.
    """
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=_plain).encode
    parts = make(
        None, _plain, json.encoder.encode_basestring_ascii, None, ":", ",", True, False, True
    )
    return lambda value: "".join(parts(value, 0))


_encode = _encoder()
