"""How long things may take: what a policy says, without what works out whether it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from undercroft.model import Severity
from undercroft.text import count

if TYPE_CHECKING:
    from undercroft.triage.ageing import Ageing

__all__ = ["KEV", "MAX_DAYS", "UNCONFIRMED_DAYS", "ServiceLevel"]

KEV: Final = "kev"
"""Name of the service level of what is known to be exploited."""
MAX_DAYS: Final = 365
"""Policy: an acceptance never runs longer, and there is no "forever"."""
UNCONFIRMED_DAYS: Final = 30
"""Days after which a finding that no scan could look at is listed as one that cannot be confirmed."""


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """Policy: days in which findings are to be fixed."""

    days: Mapping[str, int] = field(default_factory=dict)
    """By severity; ``kev`` is for what is known to be exploited."""

    def words(self, times: Ageing, severity: Severity, *, kev: bool, now: datetime) -> str:
        """When it is due, such as ``2026-12-03, 7 days left``; empty where no clock runs."""
        days = self.limit(severity, kev=kev)
        due = times.due(days) if days is not None else None
        if due is None:
            return ""
        left = count(max((due - now).days, 0), "day")
        if times.is_paused:
            # Its day moves on with every day of the acceptance: only what is left can be said.
            return f"stands while accepted, {left} left" if due > now else "overdue; accepted now"
        day = due.date().isoformat()
        late = count((now - due).days, "day")
        return f"{day}, {left} left" if due > now else f"{day}, overdue by {late}"

    def limit(self, severity: Severity, *, kev: bool) -> int | None:
        """Days for a finding, the shorter where two apply; None if the policy says nothing of it."""
        names = (severity.value, KEV) if kev else (severity.value,)
        return min((self.days[name] for name in names if name in self.days), default=None)
