"""What decision dialogs return: frozen, and able to carry themselves out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from undercroft.triage.decide import Action, Triage

__all__ = ["Accept", "Decide", "FalsePositive", "Fixed", "Note", "Reopen", "TakeBack"]


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
class TakeBack:
    """Undo one event or batch, with a reason if it is somebody else's."""

    target: str
    reason: str = ""

    def apply(self, triage: Triage, findings: Sequence[str]) -> Action:  # noqa: ARG002  (the target says it all)
        """Record the undo."""
        return triage.undo(self.target, reason=self.reason)
