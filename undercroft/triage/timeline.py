"""Sightings of one finding over all scans and sources, put in order and read as one story."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from undercroft.model import Outcome
from undercroft.records import dataclass
from undercroft.triage.when import instant

__all__ = ["BLIND", "START", "Moment", "Sighting", "Story", "in_order", "moments", "story"]

BLIND: Final = frozenset({Outcome.UNKNOWN, Outcome.NOT_RUN})
"""Outcomes that establish nothing."""
START: Final = datetime.min.replace(tzinfo=UTC)
"""Earlier than any scan: stands for a time that is not known."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one scan whose scope included the resource says about the finding."""

    scan_uid: str
    collected_at: str
    """When the resource was read (RFC 3339), or, if it was not, when the scan looked."""
    outcome: Outcome
    incarnation: str | None = None
    reason: str = ""
    """For unknown and not_run: what could not be looked at, and why."""
    source: str = ""
    """Scanner that reported it; each has its own line. Empty: our own rules."""

    @property
    def at(self) -> datetime:
        """``collected_at`` as an instant."""
        return instant(self.collected_at) or START


class Moment(NamedTuple):
    """What all sources together say from one time on: fail, pass or gone."""

    at: datetime
    collected_at: str
    outcome: Outcome
    incarnation: str | None


@dataclass(frozen=True, slots=True)
class Story:
    """How the finding came to be as it is."""

    comeback: str = ""
    """``regressed`` (after a verified fix), ``returned`` (after having been gone) or ``re-created``
    (the same name, another resource); empty if it never went away."""
    regressions: int = 0
    reopened_at: str | None = None
    """Collection time of the newest fail that followed a pass or gone."""


def in_order(sightings: Iterable[Sighting]) -> list[Sighting]:
    """By collection time; sightings of one time stay in the order given."""
    found = list(sightings)
    if len(found) > 1:
        found.sort(key=lambda sighting: sighting.at)
    return found


def moments(ordered: Sequence[Sighting]) -> list[Moment]:
    """The combined outcome after every sighting that establishes something.

    Fail while any source's newest word is fail; else what the newest word of all says.
    """
    newest: dict[str, Outcome] = {}
    found = []
    for sighting in ordered:
        if sighting.outcome in BLIND:
            continue
        newest[sighting.source] = sighting.outcome
        outcome = Outcome.FAIL if Outcome.FAIL in newest.values() else sighting.outcome
        found.append(Moment(sighting.at, sighting.collected_at, outcome, sighting.incarnation))
    return found


def story(found: Sequence[Moment]) -> Story:
    """Read the moments from the first fail on; what came before was never a finding."""
    incarnation: str | None = None
    failing = seen = ever_passed = passed_since = False
    comeback, regressions, reopened_at = "", 0, None
    for moment in found:
        if moment.outcome is not Outcome.FAIL:
            failing = False
            if seen and moment.outcome is Outcome.PASS:
                ever_passed = passed_since = True
        elif not seen:
            seen = failing = True
        elif not failing:
            failing, reopened_at = True, moment.collected_at
            if incarnation and moment.incarnation and incarnation != moment.incarnation:
                comeback = "re-created"
            else:
                comeback = "regressed" if ever_passed else "returned"
                regressions += passed_since
            passed_since = False
        incarnation = moment.incarnation or incarnation
    return Story(comeback, regressions, reopened_at)
