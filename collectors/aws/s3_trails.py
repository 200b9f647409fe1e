"""Which buckets' objects some trail of CloudTrail watches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from threading import Lock
from typing import Any

from collectors.aws.errors import CallError
from collectors.aws.session import Clients, call
from collectors.aws.values import mappings
from undercroft.model import Json
from undercroft.protocols import Meter

__all__ = ["DataEvents", "covers"]

_OBJECTS = "AWS::S3::Object"


class DataEvents:
    """Asked only for buckets that write no log of their own; each region's trails are read once."""

    def __init__(self, clients: Clients, meter: Meter) -> None:
        self._clients = clients
        self._meter = meter
        self._known: dict[str, list[Mapping[str, Any]] | CallError] = {}
        self._lock = Lock()

    def of(self, bucket_arn: str, region: str) -> bool | CallError:
        """Whether a trail that is running records what is done to the objects of a bucket."""
        with self._lock:
            if region not in self._known:
                try:
                    self._known[region] = list(self._selectors(region))
                except CallError as error:
                    self._known[region] = error
            known = self._known[region]
        return known if isinstance(known, CallError) else covers(known, bucket_arn)

    def _selectors(self, region: str) -> Iterator[Mapping[str, Any]]:
        """The event selectors of every trail that is running in a region."""
        client = self._clients.client("cloudtrail", region)
        trails = call(self._meter, client, "describe_trails").get("trailList") or ()
        for trail in trails:
            name = trail["TrailARN"]
            if call(self._meter, client, "get_trail_status", Name=name).get("IsLogging"):
                yield call(self._meter, client, "get_event_selectors", TrailName=name)


def covers(selectors: Sequence[Mapping[str, Any]], bucket_arn: str) -> bool:
    """Whether one of these answers of ``GetEventSelectors`` takes in the objects of the bucket."""
    return any(
        _classic(answer, bucket_arn) or _advanced(answer, bucket_arn) for answer in selectors
    )


def _classic(answer: Mapping[str, Any], bucket_arn: str) -> bool:
    whole = {"arn:aws:s3", "arn:aws:s3:::", f"{bucket_arn}/", bucket_arn}
    return any(
        not whole.isdisjoint(_texts(data.get("Values")))
        for selector in mappings(answer.get("EventSelectors"))
        for data in mappings(selector.get("DataResources"))
        if data.get("Type") == _OBJECTS
    )


def _advanced(answer: Mapping[str, Any], bucket_arn: str) -> bool:
    return any(
        _selected(list(mappings(selector.get("FieldSelectors"))), f"{bucket_arn}/")
        for selector in mappings(answer.get("AdvancedEventSelectors"))
    )


def _selected(fields: Sequence[Mapping[str, Json]], objects: str) -> bool:
    """Whether every condition of an advanced selector lets through all objects of a bucket."""
    kinds = [field for field in fields if field.get("Field") == "resources.type"]
    if not any(_OBJECTS in _texts(field.get("Equals")) for field in kinds):
        return False
    return all(_lets_through(f, objects) for f in fields if f.get("Field") == "resources.ARN")


def _lets_through(field: Mapping[str, Json], objects: str) -> bool:
    wanted = [*_texts(field.get("StartsWith")), *_texts(field.get("Equals"))]
    kept_out = [*_texts(field.get("NotStartsWith")), *_texts(field.get("NotEquals"))]
    within = not wanted or any(objects.startswith(value) for value in wanted)
    return within and not any(objects.startswith(value) for value in kept_out)


def _texts(values: Json) -> list[str]:
    return [str(value) for value in values] if isinstance(values, list) else []
