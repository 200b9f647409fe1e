"""What a unit asks once for all of its resources, instead of once for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from threading import Lock
from typing import Any

from botocore.client import BaseClient

from collectors.aws.errors import CallError
from collectors.aws.kinds import Kind
from collectors.aws.session import pages
from collectors.aws.subreads import tag_map
from undercroft.model import Json
from undercroft.protocols import Meter

__all__ = ["FEW", "Shared"]

FEW = 3
"""Up to so many resources are asked for their tags one by one."""


class Shared:
    """The answers of one unit; several threads ask, one calls."""

    def __init__(self, meter: Meter, client: Callable[[str], BaseClient]) -> None:
        self._meter = meter
        self._client = client
        self._lock = Lock()
        self._answers: dict[str, Any] = {}

    def items(
        self, name: str, ask: Callable[[], list[Json]], wanted: Mapping[str, Json]
    ) -> list[Json]:
        """Of the items of a shared list those whose fields are ``wanted``.

        ``name`` is what is asked. Raises ``CallError``, for each resource again, without asking
        again.
        """
        fields = sorted(wanted)

        def sorted_in() -> dict[str, list[Json]]:
            places: dict[str, list[Json]] = {}
            for item in listed:
                places.setdefault(_told(item, fields), []).append(item)
            return places

        listed: list[Any] = self._once(name, ask)
        places: dict[str, list[Json]] = self._once(f"{name} by {fields}", sorted_in)
        return [*places.get(_told(wanted, fields), ())]

    def tags(self, kind: Kind, arn: str) -> dict[str, str] | None:
        """The tags of one resource, as the region's list of what is tagged has them.

        None if it is not in there: that says nothing, since what never had a tag is left out, and
        so may be types that the list does not know.
        """

        def listed() -> dict[str, dict[str, str]]:
            found = pages(
                self._meter,
                self._client("resourcegroupstaggingapi"),
                "get_resources",
                "ResourceTagMappingList",
                page_size=100,
                ResourceTypeFilters=[f"{kind.prefix}:{kind.segment}"],
            )
            return {item["ResourceARN"]: tag_map(item.get("Tags")) for item in found}

        try:
            known: Mapping[str, dict[str, str]] = self._once("get_resources", listed)
        except CallError:
            # Only a shorter way: each is asked for its own.
            return None
        return known.get(arn)

    def _once(self, name: str, ask: Callable[[], Any]) -> Any:
        with self._lock:
            if name not in self._answers:
                try:
                    self._answers[name] = ask()
                except CallError as error:
                    self._answers[name] = error
            answer = self._answers[name]
        if isinstance(answer, CallError):
            raise answer
        return answer


def _told(item: Mapping[str, Json], fields: Iterable[str]) -> str:
    """What an item says in some of its fields, as a name to find it by."""
    return repr([item.get(field) for field in fields])
