"""Two scans of one estate: what became of every finding that either of them saw failing.

Each gets exactly one class. What one side could not look at is never counted as fixed or new, so a
comparison of scans with errors is as sound as any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from undercroft.model import Outcome, Severity

__all__ = [
    "FAILS_AFTER",
    "FAILS_BEFORE",
    "Difference",
    "Kind",
    "Side",
    "Verdict",
    "broken_invariant",
    "classify",
]


class Kind(StrEnum):
    """What became of a finding, in the order in which people want to know."""

    NEW = "new"
    """It fails now; the resource was seen, or seen not to exist, without it."""
    REGRESSED = "regressed"
    """The same, after a fix that had been verified."""
    RE_CREATED = "re-created"
    """It fails before and after, on two resources of one name."""
    CHANGED = "changed"
    """It still fails, and something about it is different."""
    NEWLY_SEEN = "newly seen"
    """It fails now; whether it did before was not looked at."""
    UNCONFIRMED = "unconfirmed"
    """It failed before; whether it still does could not be looked at."""
    FIXED = "fixed"
    GONE = "gone"
    """The resource is no longer there, by a complete listing."""
    PERSISTING = "persisting"


FAILS_BEFORE: Final = (
    Kind.PERSISTING,
    Kind.CHANGED,
    Kind.FIXED,
    Kind.GONE,
    Kind.UNCONFIRMED,
    Kind.RE_CREATED,
)
"""Classes that together are all fails of the older scan."""
FAILS_AFTER: Final = (
    Kind.PERSISTING,
    Kind.CHANGED,
    Kind.NEW,
    Kind.REGRESSED,
    Kind.NEWLY_SEEN,
    Kind.RE_CREATED,
)
"""Classes that together are all fails of the newer scan."""

OUT_OF_SCOPE: Final = "out of scope"
RULE_CHANGED: Final = "rule logic changed"


@dataclass(frozen=True, slots=True)
class Side:
    """What one scan says about a finding."""

    outcome: Outcome | None
    """None: neither the resource nor what lists it was part of the scan."""
    reason: str = ""
    """For unknown and not_run."""
    severity: Severity | None = None
    """As the rule rates it; of a fail."""
    exposure: str = "unknown"
    evidence: str = ""
    """Hash of what decided."""
    incarnation: str | None = None
    body: bytes | None = None
    """Hash of the resource's configuration, if this scan read it."""
    rule_version: str | None = None
    was_fixed: bool = False
    """A fix had been verified in or before this scan."""


class Difference(NamedTuple):
    """One thing that is different about a finding that still fails."""

    what: str
    """``severity``, ``exposure`` or ``evidence``."""
    before: str
    after: str
    worse: bool


class Verdict(NamedTuple):
    """The class of a finding, and why."""

    kind: Kind
    reason: str = ""
    """For unconfirmed and newly seen: what was not looked at."""
    differences: tuple[Difference, ...] = ()

    @property
    def worse(self) -> bool:
        """Whether a change is one for the worse."""
        return any(difference.worse for difference in self.differences)


def classify(before: Side, after: Side) -> Verdict:
    """The class of a finding that fails on at least one side.

    Raises:
        ValueError: it fails on neither.
    """
    fails_before = before.outcome is Outcome.FAIL
    fails_after = after.outcome is Outcome.FAIL
    if fails_before and fails_after:
        if before.incarnation and after.incarnation and before.incarnation != after.incarnation:
            return Verdict(Kind.RE_CREATED)
        differences = _differences(before, after)
        return Verdict(Kind.CHANGED if differences else Kind.PERSISTING, "", differences)
    if fails_before:
        return _ended(before, after)
    if fails_after:
        return _begun(before, after)
    msg = "a finding that fails in neither scan cannot be compared"
    raise ValueError(msg)


def _ended(before: Side, after: Side) -> Verdict:
    match after.outcome:
        case Outcome.PASS if _only_the_rule(before, after):
            return Verdict(Kind.UNCONFIRMED, RULE_CHANGED)
        case Outcome.PASS:
            return Verdict(Kind.FIXED)
        case Outcome.GONE:
            return Verdict(Kind.GONE)
        case _:
            return Verdict(Kind.UNCONFIRMED, _why(after))


def _begun(before: Side, after: Side) -> Verdict:
    match before.outcome:
        case Outcome.PASS if _only_the_rule(before, after):
            return Verdict(Kind.NEWLY_SEEN, RULE_CHANGED)
        case Outcome.PASS | Outcome.GONE:
            return Verdict(Kind.REGRESSED if before.was_fixed else Kind.NEW)
        case _:
            return Verdict(Kind.NEWLY_SEEN, _why(before))


def _only_the_rule(before: Side, after: Side) -> bool:
    """The resource is as it was and its rule is not: nothing in the estate has changed."""
    return (
        before.body is not None
        and before.body == after.body
        and before.rule_version != after.rule_version
    )


def _why(side: Side) -> str:
    return OUT_OF_SCOPE if side.outcome is None else side.reason or str(side.outcome)


def _differences(before: Side, after: Side) -> tuple[Difference, ...]:
    found = []
    if before.severity is not after.severity:
        ranks = [side.severity.rank if side.severity else -1 for side in (before, after)]
        one, two = (side.severity.value if side.severity else "" for side in (before, after))
        found.append(Difference("severity", one, two, worse=ranks[1] > ranks[0]))
    if before.exposure != after.exposure:
        worse = after.exposure == "open"
        found.append(Difference("exposure", before.exposure, after.exposure, worse))
    if before.evidence != after.evidence:
        found.append(Difference("evidence", before.evidence[:8], after.evidence[:8], False))
    return tuple(found)


def broken_invariant(counts: Mapping[Kind, int], fails_before: int, fails_after: int) -> str:
    """What does not add up, in words; empty if every fail has exactly one class."""
    for side, kinds, expected in (
        ("older", FAILS_BEFORE, fails_before),
        ("newer", FAILS_AFTER, fails_after),
    ):
        found = sum(counts.get(kind, 0) for kind in kinds)
        if found != expected:
            return f"the {side} scan has {expected} fails, and {found} were compared"
    return ""
