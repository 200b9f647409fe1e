"""Reading EC2 things by their ids: one filtered call per batch, so that one that is gone fails no other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from botocore.client import BaseClient

from collectors.aws.session import Clients, pages
from collectors.aws.units import Unit, batches
from collectors.aws.values import jsonable
from undercroft.model import Json, Resource

__all__ = ["Ec2Reads", "wanted"]


def wanted(unit: Unit, kind: str) -> dict[str, Resource]:
    """What a unit was asked for of an EC2 type, by id."""
    return {stub.key.rpartition("/")[2]: stub for stub in unit.wanted if stub.type == f"ec2:{kind}"}


class Ec2Reads:
    """The calls of one unit in its region."""

    def __init__(self, clients: Clients, unit: Unit) -> None:
        self._client: BaseClient = clients.client("ec2", unit.place.region)
        self._meter = unit.meter

    def named(
        self,
        operation: str,
        key: str,
        filter_name: str,
        ids: Iterable[str],
        *,
        parameter: str = "Filters",
        **more: Any,
    ) -> Iterator[dict[str, Json]]:
        """Everything whose ``filter_name`` is one of ``ids``. Raises ``CallError``.

        ``parameter``: some operations call their filters ``Filter``.
        """
        for batch in batches(sorted(set(ids))):
            filters: Mapping[str, Any] = {parameter: [{"Name": filter_name, "Values": batch}]}
            found = pages(self._meter, self._client, operation, key, **filters, **more)
            yield from (jsonable(item) for item in found)
