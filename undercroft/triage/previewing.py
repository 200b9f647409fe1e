"""What an undo would do, before it is done."""

from __future__ import annotations

from typing import NamedTuple

from undercroft.model import Json
from undercroft.triage.decide import Triage
from undercroft.triage.errors import DecisionError
from undercroft.triage.events import Event
from undercroft.triage.reports import StatusChange
from undercroft.triage.undoing import Log

__all__ = ["Consequences", "undo_consequences"]


class Consequences(NamedTuple):
    """Of undoing one event or batch."""

    summary: str
    """What was done, and how long ago."""
    changes: tuple[StatusChange, ...]
    """Findings whose status would change."""
    others: tuple[str, ...]
    """Other people whose decision it is: undoing it needs a reason."""


def undo_consequences(triage: Triage, target: str) -> Consequences:
    """Try it and take it back: nothing is recorded. Tells whoever watches ``triage`` how far it is.

    Raises:
        DecisionError: there is no such decision, or it is undone already.
    """
    log = Log(triage.store, triage.actor)
    events = log.named(target)
    others = tuple(sorted({event.actor for event in events} - {triage.actor}))
    # Whether somebody else's decision needs a reason is for the undo itself to ask.
    log.check_undo(target, reason="-", min_reason=1)
    payload: dict[str, Json] = {"target": target}
    draft = Event(type="undo", actor=triage.actor or "-", at=triage.stamp(), payload=payload)
    if triage.store.read_only:
        raise DecisionError("this cache is open for reading only: open it again for writing")
    changes = triage.store.preview([draft], triage.step)
    return Consequences(log.preview(target, triage.now()), tuple(changes), others)
