"""Two scans side by side, ready to be shown, exported or printed.

Text in here that came from a cloud is raw, as in ``views``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from undercroft.model import Layer, Severity
from undercroft.triage.compare import Difference, Kind
from undercroft.views import ScanRow

__all__ = ["Change", "Comparison", "CoverageChange", "ResourceChange", "ScoreChange"]


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one finding between two scans."""

    id: str
    kind: Kind
    reason: str
    """For unconfirmed and newly seen: what was not looked at, and why."""
    differences: tuple[Difference, ...]
    title: str
    rule: str
    cve: str | None
    severity: Severity
    layer: Layer
    resource_key: str
    resource_name: str
    resource_type: str
    account: str
    region: str
    status: str
    """In the newer scan; in the older one if the newer knows nothing of it."""
    cause: str
    """Why it is reopened."""
    services: int

    @property
    def worse(self) -> bool:
        """Whether it still fails and is worse than before."""
        return any(difference.worse for difference in self.differences)


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """What became of one resource between two scans."""

    key: str
    name: str
    type: str
    kind: str
    """``changed``, ``re-created``, ``new``, ``gone``, ``not observed`` or ``newly seen``."""
    reason: str = ""
    """For the last two: what was not looked at, and why."""


@dataclass(frozen=True, slots=True)
class CoverageChange:
    """A unit that was read otherwise than before."""

    provider: str
    scope: str
    location: str
    collector: str
    before: str
    """Coverage status; ``not_requested`` if the scan did not ask for it."""
    after: str
    reason: str

    @property
    def lost(self) -> bool:
        """Whether it could be read before and can no longer."""
        return self.before in {"complete", "not_enabled"}


@dataclass(frozen=True, slots=True)
class ScoreChange:
    """The score of an AI service in two scans; None where it was not known."""

    key: str
    name: str
    before: float | None
    after: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two scans, the older one first."""

    older: ScanRow
    newer: ScanRow
    counts: Mapping[Kind, int]
    changes: tuple[Change, ...]
    """All but those that persist unchanged; worst first within each class."""
    resources: tuple[ResourceChange, ...]
    coverage: tuple[CoverageChange, ...]
    scores: tuple[ScoreChange, ...]
    """Services whose score is different, what became worse first."""
