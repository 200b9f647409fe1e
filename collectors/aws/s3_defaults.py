"""Buckets that tools make or use by themselves, under names that anybody can work out.

Whoever takes such a name first receives what the tool writes. Nothing in a configuration refers to
these buckets, so they are asked for by name in every region that has AI services.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from collectors.aws.arns import Place, account_region, bucket
from undercroft.model import Certainty, Edge, Json, Resource
from undercroft.protocols import Collected
from undercroft.relations import Relation

__all__ = ["is_guessed", "of_a_default", "with_defaults"]

_NAMES: Mapping[str, str] = {
    "sagemaker": "sagemaker-{region}-{account}",
    "glue": "aws-glue-assets-{account}-{region}",
    "emr-studio": "aws-emr-studio-{account}-{region}",
    "bedrock-agentcore": "bedrock-agentcore-runtime-{account}-{region}",
}
"""Tool → name of its bucket. Sources: SDKs and consoles of the services."""


def with_defaults(wanted: Iterable[Resource]) -> list[Resource]:
    """``wanted`` and, for every region in it, the buckets that tools use there by default."""
    listed = list(wanted)
    regions = {stub.key: stub for stub in listed if stub.type == "account:region"}
    guessed = {stub.key: stub for region in regions.values() for stub in _of(region)}
    known = [
        replace(stub, facts={**stub.facts, **guessed[stub.key].facts})
        if stub.key in guessed
        else stub
        for stub in listed
    ]
    named = {stub.key for stub in listed}
    unnamed = (stub for key, stub in guessed.items() if key not in named)
    return [*known, *(replace(stub, facts={**stub.facts, "guessed": True}) for stub in unnamed)]


def is_guessed(stub: Resource) -> bool:
    """Whether nothing names the bucket: if there is none, nothing points to it."""
    return stub.facts.get("guessed") is True


def of_a_default(place: Place, found: Resource) -> Iterator[Collected]:
    """What is said of a bucket that is not ours to read, if its name is a default.

    ``facts.default_taken`` says whether a stranger holds it. A guess that is not taken says nothing.
    """
    region = found.facts.get("default_region")
    if not isinstance(region, str):
        yield found
        return
    facts: dict[str, Json] = {k: v for k, v in found.facts.items() if k != "guessed"}
    unknown = dict(found.unknown)
    if "foreign_owned" in facts:
        facts["default_taken"] = facts["foreign_owned"]
    else:
        unknown["facts.default_taken"] = unknown.get("facts.foreign_owned") or unknown["config"]
    if is_guessed(found):
        # Nothing uses it yet, whoever it belongs to.
        facts.pop("foreign_owned", None)
        unknown.pop("facts.foreign_owned", None)
        if facts.get("default_taken") is False:
            return
    yield replace(found, facts=facts, unknown=unknown)
    home = account_region(replace(place, region=region))
    yield Edge(home.key, found.key, Relation.WRITES_TO, "default bucket", Certainty.DEFAULT)


def _of(region: Resource) -> Iterator[Resource]:
    place = Place(region.key.split("/")[1], region.account, region.region)
    for tool, pattern in _NAMES.items():
        target = bucket(place, pattern.format(region=place.region, account=place.account))
        if target is not None:
            marks: dict[str, Json] = {"default_of": tool, "default_region": place.region}
            yield replace(target.stub, facts=marks)
