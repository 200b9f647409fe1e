"""What a policy says, mostly how long things may take, without what works out whether it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from undercroft.model import Severity
from undercroft.text import count

if TYPE_CHECKING:
    from undercroft.triage.ageing import Ageing

__all__ = ["CRITICALITY_TAG", "KEV", "MAX_DAYS", "UNCONFIRMED_DAYS", "ServiceLevel"]

KEV: Final = "kev"
"""Name of the service level of what is known to be exploited."""
CRITICALITY_TAG: Final = "criticality"
"""Name of the tag that says what a resource is worth, unless another is set."""
MAX_DAYS: Final = 365
"""Policy: an acceptance never runs longer, and there is no "forever"."""
UNCONFIRMED_DAYS: Final = 30
"""Days after which a finding that no scan could look at is listed as one that cannot be confirmed."""


class ServiceLevel(NamedTuple):
    """Policy: days in which findings are to be fixed."""

    days: Mapping[str, int] = MappingProxyType({})
    """By severity; ``kev`` is for what is known to be exploited."""
    catalogue: bool = False
    """Whether the day counts that the catalogue of what is known to be exploited names."""

    def due(
        self, times: Ageing, severity: Severity, *, kev: bool, kev_due: str = ""
    ) -> datetime | None:
        """When a finding is to be fixed, the earlier where two limits apply; None where none does.

        ``kev_due``: the catalogue's day for its vulnerability, its end (UTC) included. That day is
        the same whenever the finding was first seen, and an acceptance does not move it.
        """
        if times.clock_from is None:
            return None
        days = self.limit(severity, kev=kev)
        found = times.due(days) if days is not None else None
        if self.catalogue and kev and kev_due:
            try:
                end = datetime.combine(date.fromisoformat(kev_due), time.max, UTC)
            except ValueError:
                return found
            found = end if found is None else min(found, end)
        return found

    def words(
        self, times: Ageing, severity: Severity, *, kev: bool, now: datetime, kev_due: str = ""
    ) -> str:
        """When it is due, such as ``2026-12-03, 7 days left``; empty where no clock runs."""
        due = self.due(times, severity, kev=kev, kev_due=kev_due)
        if due is None:
            return ""
        left = count(max((due - now).days, 0), "day")
        days = self.limit(severity, kev=kev)
        if times.is_paused and days is not None and due == times.due(days):
            # Its day moves on with every day of the acceptance: only what is left can be said.
            return f"stands while accepted, {left} left" if due > now else "overdue; accepted now"
        day = due.date().isoformat()
        late = count((now - due).days, "day")
        return f"{day}, {left} left" if due > now else f"{day}, overdue by {late}"

    def limit(self, severity: Severity, *, kev: bool) -> int | None:
        """Days for a finding, the shorter where two apply; None if the policy says nothing of it."""
        names = (severity.value, KEV) if kev else (severity.value,)
        return min((self.days[name] for name in names if name in self.days), default=None)
