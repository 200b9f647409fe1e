"""Systems Manager: parameters that AI containers are given. Their values are never asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from collectors.aws.arns import Arn, Place, kms_key, named
from collectors.aws.session import pages
from collectors.aws.units import AwsCollector, Ended, Reading, Unit, batches
from collectors.aws.values import jsonable
from collectors.references import Reference, Target, link
from undercroft.model import Json, Layer, Presence
from undercroft.relations import Relation

__all__ = ["PARAMETER", "Parameters", "parameter"]

_AT_ONCE = 25
"""Each is asked for by two names, and a filter takes fifty. Source: the API reference."""

PARAMETER = (Reference("KeyId", kms_key, Relation.ENCRYPTED_WITH),)

_NAMED = named("ssm", "parameter", "ssm:parameter", Layer.IDENTITY)


def parameter(place: Place, text: str) -> Target | None:
    """A parameter by its ARN or its bare name, in both of which a version may follow.

    ``/a`` and ``a`` have one ARN, so they are one here.
    """
    arn = Arn.parse(text)
    if arn is None:
        return _NAMED(place, text.partition(":")[0].strip("/")) if text.strip("/") else None
    whole = ":".join([*text.split(":")[:5], arn.resource.partition(":")[0]])
    return _NAMED(place, whole) if arn.service == "ssm" else None


class Parameters(AwsCollector):
    """Parameters that something names: how they are kept, and with which key."""

    name = "aws.ssm"
    reads = ("ssm:parameter",)

    def read(self, unit: Unit) -> Reading:
        """One filtered call per batch of names; what is not there is absent."""
        client = self.clients.client("ssm", unit.place.region)
        found: dict[str, dict[str, Json]] = {}
        for batch in batches(unit.wanted, _AT_ONCE):
            names = [name for stub in batch for name in _names(stub.name)]
            criteria = [{"Key": "Name", "Option": "Equals", "Values": names}]
            listed = pages(
                unit.meter, client, "describe_parameters", "Parameters", ParameterFilters=criteria
            )
            found |= {str(item["Name"]).lstrip("/"): jsonable(item) for item in listed}
        for stub in unit.wanted:
            config = found.get(stub.name)
            if config is None:
                yield replace(stub, presence=Presence.ABSENT, collector=self.name)
                continue
            yield replace(stub, config=config, presence=Presence.READ, collector=self.name)
            yield from link(unit.place, stub.key, config, PARAMETER)
        return Ended()


def _names(stem: str) -> Iterator[str]:
    """What a parameter may be called: with a slash in it, it begins with one."""
    if "/" not in stem:
        yield stem
    yield f"/{stem}"
