"""What decision dialogs return: frozen, and able to carry themselves out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from undercroft.model import Severity
from undercroft.triage.decide import Action, Triage
from undercroft.triage.scopes import Scope
from undercroft.triage.scoping import Ahead, accept_scope, end_scope, mark_seen, rate_scope

__all__ = [
    "Accept",
    "AcceptAgain",
    "AcceptRule",
    "Assign",
    "Decide",
    "EndScope",
    "FalsePositive",
    "Fixed",
    "MarkSeen",
    "Note",
    "Rate",
    "RateRule",
    "Reopen",
    "TakeBack",
]


class Decide(Protocol):
    """An answer to a decision dialog."""

    def apply(self, triage: Triage, findings: Sequence[str]) -> Action:
        """Record it for these findings. Slow and blocking: call it in a worker.

        Raises:
            DecisionError: The findings do not allow it; the message says why.
        """
        ...


@dataclass(frozen=True, slots=True)
class Accept:
    """Tolerated until a day, for a reason, with somebody answering for it."""

    reason: str
    until: date
    owner: str

    def apply(self, triage: Triage, findings: Sequence[str]) -> Action:
        """Record the acceptance."""
        return triage.accept(findings, reason=self.reason, until=self.until, owner=self.owner)


@dataclass(frozen=True, slots=True)
class FalsePositive:
    """The rule is wrong here."""

    reason: str
    category: str

    def apply(self, triage: Triage, findings: Sequence[str]) -> Action:
        """Record the false positive."""
        return triage.false_positive(findings, reason=self.reason, category=self.category)


@dataclass(frozen=True, slots=True)
class Fixed:
    """Somebody says that it is repaired; the next scan will tell."""

    note: str = ""

    def apply(self, triage: Triage, findings: Sequence[str]) -> Action:
        """Record the claim."""
        return triage.claim_fixed(findings, note=self.note)


@dataclass(frozen=True, slots=True)
class Note:
    """A comment."""

    text: str

    def apply(self, triage: Triage, findings: Sequence[str]) -> Action:
        """Record the note."""
        return triage.note(findings, text=self.text)


@dataclass(frozen=True, slots=True)
class Reopen:
    """Withdraw the decision in force."""

    reason: str

    def apply(self, triage: Triage, findings: Sequence[str]) -> Action:
        """Record the withdrawal."""
        return triage.reopen(findings, reason=self.reason)


@dataclass(frozen=True, slots=True)
class Assign:
    """Somebody works on it; an empty name: nobody."""

    assignee: str

    def apply(self, triage: Triage, findings: Sequence[str]) -> Action:
        """Record who."""
        return triage.assign(findings, assignee=self.assignee)


@dataclass(frozen=True, slots=True)
class Rate:
    """It is rated otherwise than the rule does, until a day."""

    severity: Severity
    reason: str
    until: date

    def apply(self, triage: Triage, findings: Sequence[str]) -> Action:
        """Record the rating."""
        return triage.override_severity(
            findings, severity=self.severity, reason=self.reason, until=self.until
        )


@dataclass(frozen=True, slots=True)
class TakeBack:
    """Undo one event or batch, with a reason if it is somebody else's."""

    target: str
    reason: str = ""

    def apply(self, triage: Triage, findings: Sequence[str]) -> Action:  # noqa: ARG002  (the target says it all)
        """Record the undo."""
        return triage.undo(self.target, reason=self.reason)


@dataclass(frozen=True, slots=True)
class AcceptAgain:
    """Acceptances that no longer hold once more: same reason, new date."""

    def apply(self, triage: Triage, findings: Sequence[str]) -> Action:
        """Record them as one action."""
        return triage.accept_again(findings)


@dataclass(frozen=True, slots=True)
class AcceptRule:
    """A rule tolerated within a boundary, findings to come included."""

    scope: Scope
    covers: tuple[str, ...]
    reason: str
    until: date
    owner: str
    ahead: Ahead | None = None

    def apply(self, triage: Triage, findings: Sequence[str]) -> Action:  # noqa: ARG002  (the scope says it)
        """Record the acceptance."""
        return accept_scope(
            triage,
            self.scope,
            self.covers,
            reason=self.reason,
            until=self.until,
            owner=self.owner,
            ahead=self.ahead,
        )


@dataclass(frozen=True, slots=True)
class RateRule:
    """A rule rated otherwise than it says, until a day, findings to come included."""

    scope: Scope
    covers: tuple[str, ...]
    severity: Severity
    reason: str
    until: date
    ahead: Ahead | None = None

    def apply(self, triage: Triage, findings: Sequence[str]) -> Action:  # noqa: ARG002  (the scope says it)
        """Record the rating."""
        return rate_scope(
            triage,
            self.scope,
            self.covers,
            severity=self.severity,
            reason=self.reason,
            until=self.until,
            ahead=self.ahead,
        )


@dataclass(frozen=True, slots=True)
class EndScope:
    """What was decided about a rule ends before its day."""

    event: str
    reason: str

    def apply(self, triage: Triage, findings: Sequence[str]) -> Action:  # noqa: ARG002  (the event says it)
        """Record the end."""
        return end_scope(triage, self.event, reason=self.reason)


@dataclass(frozen=True, slots=True)
class MarkSeen:
    """Somebody has seen what the acceptance of a rule has come to cover."""

    event: str
    newly: tuple[str, ...]

    def apply(self, triage: Triage, findings: Sequence[str]) -> Action:  # noqa: ARG002  (the event says it)
        """Record it."""
        return mark_seen(triage, self.event, self.newly)
