"""Reading one resource with many small calls, some of which may be refused.

A refused or failed read costs exactly the paths it would have filled: they are recorded as unknown
with the reason, and everything derived from them is left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from botocore.client import BaseClient

from collectors.aws.errors import CallError
from collectors.aws.session import call
from collectors.aws.units import Ended, Gaps
from undercroft.model import CoverageStatus
from undercroft.protocols import Meter

__all__ = ["SubReads", "Unread", "tag_map"]


def tag_map(tags: Any) -> dict[str, str]:
    """``[{"Key": …, "Value": …}]``, however the service spells that, as a dictionary."""
    if isinstance(tags, Mapping):
        return {str(key): str(value) for key, value in tags.items()}
    return {
        _spelt(tag, ("Key", "TagKey", "key", "tagKey")): _spelt(
            tag, ("Value", "TagValue", "value", "tagValue")
        )
        for tag in tags or ()
    }


def _spelt(tag: Mapping[str, Any], names: Iterable[str]) -> str:
    return next((str(tag[name]) for name in names if name in tag), "")


class SubReads:
    """The reads of one resource, and what became of them."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        self.unknown: dict[str, str] = {}
        """Path → reason, ready for ``Resource.unknown``."""

    def read(
        self,
        paths: Iterable[str],
        client: BaseClient,
        operation: str,
        *,
        answers: Collection[str] = (),
        none_if: str = "",
        **kwargs: Any,
    ) -> dict[str, Any] | None:
        """The answer; an empty one if the error is itself an answer; None if it failed.

        ``answers``: error codes that mean "there is none"; ``none_if``: words in the message that
        do. ``paths``: what becomes unknown.
        """
        try:
            return call(self.meter, client, operation, **kwargs)
        except CallError as error:
            message = str(error.response.get("Error", {}).get("Message"))
            if error.code in answers or (none_if and none_if in message):
                return {}
            self.lost(paths, error.unknown)
            return None

    def lost(self, paths: Iterable[str], reason: str) -> None:
        """Record paths as unknown; the first reason stays."""
        for path in paths:
            self.unknown.setdefault(path, reason)


class Unread:
    """What a unit was asked for and could not read at all, for its coverage record."""

    _ORDER = (CoverageStatus.ERROR, CoverageStatus.THROTTLED, CoverageStatus.DENIED)

    def __init__(self) -> None:
        self._errors: list[CallError] = []

    def add(self, error: CallError) -> None:
        """Count a read that failed with nothing to show for it."""
        self._errors.append(error)

    def ended(self, gaps: Gaps) -> Ended:
        """How the unit ended: complete (with what was read in part), or the worst of its failures."""
        reasons = dict.fromkeys(error.reason for error in self._errors)
        if sentence := gaps.sentence():
            reasons[sentence] = None
        worst = max((error.status for error in self._errors), key=self._rank, default=None)
        return Ended("; ".join(reasons), worst or CoverageStatus.COMPLETE)

    def _rank(self, status: CoverageStatus) -> int:
        return self._ORDER.index(status) if status in self._ORDER else -1
