"""What readers get about decisions: rule scopes as they are now, and what a change of the log does."""

from __future__ import annotations

from undercroft.records import dataclass
from undercroft.views import FindingRow

__all__ = ["MergeReport", "ScopeRow", "StatusChange"]


@dataclass(frozen=True, slots=True)
class MergeReport:
    """What taking over another copy's decisions did."""

    events: int
    """New ones."""
    conflicts: tuple[str, ...]
    """Findings about which the copies turned out to disagree."""
    changed: tuple[tuple[str, str, str], ...]
    """(finding, status before, status now) of those whose status or its cause changed."""


@dataclass(frozen=True, slots=True)
class ScopeRow:
    """The acceptance of a rule within a boundary."""

    event: str
    """Id of the event: what ``undo`` and ending it name."""
    words: str
    rule: str
    state: str
    """``active``, ``lapsed``, ``ended`` or ``undone``."""
    reason: str
    until: str
    owner: str
    actor: str
    at: str
    covers: int
    """Findings that it covers now and that still stand."""
    newly: tuple[FindingRow, ...]
    """Those of them that it has come to cover and nobody has marked as seen."""


@dataclass(frozen=True, slots=True)
class StatusChange:
    """What a decision does, or would do, to one finding in the newest scan."""

    finding: str
    title: str
    resource_name: str
    before: tuple[str, str]
    """Status and cause."""
    after: tuple[str, str]
