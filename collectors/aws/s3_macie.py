"""What Macie has found out about buckets: how sensitive it takes their content to be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from threading import Lock
from typing import Any

from collectors.aws.errors import CallError
from collectors.aws.session import Clients, pages
from collectors.aws.units import batches
from undercroft.model import Json
from undercroft.protocols import Meter

__all__ = ["Scores", "add_sensitivity"]

_NAMES = 50
"""Buckets that are asked for at once; as many come on a page."""
_NOT_ANALYSED = 50
"""Scores from 1 to 49 mean that nothing sensitive was found, 50 that nothing was looked at yet, above
that something was; -1 that Macie could not look. Source: Macie user guide, sensitivity scoring."""
_OFF = "not enabled"


class Scores:
    """The scores of ``buckets``, asked for once per region; where Macie is off there are none."""

    def __init__(self, clients: Clients, meter: Meter, buckets: Iterable[str]) -> None:
        self._clients = clients
        self._meter = meter
        self._buckets = sorted(set(buckets))
        self._known: dict[str, dict[str, int]] = {}
        self._lock = Lock()
        self.refused = ""
        """Why some could not be had; empty if they could."""

    def of(self, bucket: str, region: str) -> int | None:
        """The score of a bucket, or None if Macie has none (or was not asked: ``refused``)."""
        with self._lock:
            if region not in self._known:
                try:
                    self._known[region] = self._asked(region)
                except CallError as error:
                    self._known[region] = {}
                    message = str(error.response.get("Error", {}).get("Message"))
                    if _OFF not in message:
                        self.refused = self.refused or error.unknown
            return self._known[region].get(bucket)

    def _asked(self, region: str) -> dict[str, int]:
        client = self._clients.client("macie2", region)
        found: dict[str, int] = {}
        for names in batches(self._buckets, _NAMES):
            criteria: Mapping[str, Any] = {"bucketName": {"eq": names}}
            for bucket in pages(
                self._meter, client, "describe_buckets", "buckets", criteria=criteria
            ):
                if bucket.get("sensitivityScore") is not None:
                    found[str(bucket["bucketName"])] = int(bucket["sensitivityScore"])
        return found


def add_sensitivity(
    config: dict[str, Json], facts: dict[str, Json], unknown: dict[str, str], score: int | None
) -> None:
    """Let what Macie found count beside the tags: it has looked, and they are what somebody meant."""
    if score is None:
        return
    config["SensitivityScore"] = score
    if score > _NOT_ANALYSED:
        facts["sensitive"] = True
        facts["sensitive_by"] = f"Macie score {score}"
        unknown.pop("facts.sensitive", None)
        unknown.pop("facts.sensitive_by", None)
