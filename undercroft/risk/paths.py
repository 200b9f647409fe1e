"""A toxic combination as an attack path: its parts, where each lies, and the cheapest link to cut."""

from __future__ import annotations

from dataclasses import dataclass

from undercroft.model import Severity
from undercroft.views import FindingRow, Path, ResourceRef

__all__ = ["AttackPath", "Cut", "Link", "Possible"]


@dataclass(frozen=True, slots=True)
class Link:
    """One ingredient at one resource."""

    need: str
    """What it is needed for, in the rule's words."""
    slot: int
    """Which ingredient it is; links of one slot are alternatives to each other."""
    resource: ResourceRef | None
    """None if the scan no longer knows it."""
    key: str
    path: Path
    """From the service down to it; empty if it is the service."""
    title: str
    """Of the finding that makes it; empty if the resource's presence does."""
    severity: Severity | None
    finding: str
    """Id of that finding; empty if there is none any more."""
    alive: bool
    """Whether some finding still makes it."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A way to break the combination."""

    slot: int
    need: str
    repairs: tuple[str, ...]
    """Repairs in words, all of which it takes."""


@dataclass(frozen=True, slots=True)
class AttackPath:
    """A combination, part by part."""

    row: FindingRow
    weight: float
    """τ: its hazard."""
    links: tuple[Link, ...]
    """By slot; the first of each slot is the worst."""
    cuts: tuple[Cut, ...]
    """Cheapest first; empty if no repair is known to break it."""


@dataclass(frozen=True, slots=True)
class Possible:
    """A combination that may hold: something it hangs on could not be read. It weighs nothing."""

    service: ResourceRef
    rule: str
    reason: str
