"""What readers get about decisions: rule scopes as they are now, and what a change of the log does."""

from __future__ import annotations

from undercroft.model import Severity
from undercroft.records import dataclass
from undercroft.views import DecisionView, FindingRow

__all__ = ["MergeReport", "Ruling", "ScopeRow", "StatusChange"]


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
    """What was decided about a rule within a boundary."""

    event: str
    """Id of the event: what ``undo`` and ending it name."""
    words: str
    subject: str
    """The rule, or the vulnerability; with ``where`` it makes up ``words``."""
    where: str
    rule: str
    state: str
    """``active``, ``replaced`` (by a later one of the same boundary), ``lapsed``, ``ended`` or
    ``undone``."""
    reason: str
    until: str
    owner: str
    actor: str
    at: str
    covers: int
    """Findings that it covers now and that still stand."""
    newly: tuple[FindingRow, ...]
    """Of an acceptance: those that it has come to cover and nobody has marked as seen."""
    severity: Severity | None = None
    """What the rule is rated as; None for an acceptance."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What holds for a rule as a whole, wherever it fails."""

    off: DecisionView | None = None
    """The acceptance that switches it off."""
    rated: DecisionView | None = None
    """What puts another severity in the place of the rule's own."""
    severity: Severity | None = None
    """That severity."""


@dataclass(frozen=True, slots=True)
class StatusChange:
    """What a decision does, or would do, to one finding in the newest scan."""

    finding: str
    title: str
    resource_name: str
    before: tuple[str, str]
    """Status and cause."""
    after: tuple[str, str]
    severities: tuple[Severity, Severity]
    """What is in force before and after."""
