"""The itemised bill behind a score: every number that it takes to reproduce it by hand."""

from __future__ import annotations

from dataclasses import dataclass

from undercroft.risk.constants import RiskModel
from undercroft.risk.model import Hazard
from undercroft.views import FindingRow, Path, ResourceRef, ScanRow, ServiceRow

__all__ = ["Bill", "BillLine", "FindingExplanation", "Reach", "ServiceExplanation"]


@dataclass(frozen=True, slots=True)
class BillLine:
    """One finding's part in a service's score."""

    finding: str
    rule: str
    title: str
    severity: str
    status: str
    owner: ResourceRef
    layer: str
    """A layer's name, or ``combination``."""
    path: Path
    """From the service down to the owner; empty if they are the same."""
    hazard: Hazard
    """h: what the finding weighs, M as the service's tag has it."""
    attenuation: float
    """a: how much of it reaches the service (product along the path, 0.1 to 1)."""
    rank: int
    """k: 0 for the worst item of its layer."""
    layer_rank: int
    """j: 0 for the layer that weighs most."""
    effective: float
    """h · a · 0.5^k · 0.6^j"""
    points: float
    """Share of the score."""
    printed: float
    """The same in tenths, such that all lines of a bill add up to its printed score."""


@dataclass(frozen=True, slots=True)
class Bill:
    """A service's score and the lines that add up to it, largest first."""

    score: float
    printed: float
    hazard: float
    """H: sum of what the lines count; score = 100 · (1 − e^(−H))."""
    lines: tuple[BillLine, ...]


@dataclass(frozen=True, slots=True)
class ServiceExplanation:
    """Both bills of one service: ``residual`` honours acceptances, ``inherent`` does not."""

    service: ServiceRow
    scan: ScanRow
    as_of: str
    feeds: tuple[str, ...]
    """Each feed in words, with its date; none imported: empty."""
    residual: Bill
    inherent: Bill
    model: RiskModel
    """By which they were worked out."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What one finding does to one service."""

    service: ResourceRef
    score: float
    path: Path
    attenuation: float
    hazard: Hazard
    """h as the service counts it: M differs from the finding's own where the service is tagged."""
    printed: float
    """Its points on the service's printed bill; 0 where it is not on it."""
    rank: int | None
    layer_rank: int | None


@dataclass(frozen=True, slots=True)
class FindingExplanation:
    """One finding's own score, and its part in the services above."""

    row: FindingRow
    scan: ScanRow
    as_of: str
    feeds: tuple[str, ...]
    hazard: Hazard
    services: tuple[Reach, ...]
    """The worst services above, as many as were asked for."""
    above: int
    """How many there are."""
    model: RiskModel
