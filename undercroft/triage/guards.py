"""Guards: the facts a decision rests on, and whether one of them has become worse since.

A guard is on if its name is a key of the event's ``guards``. A fact that nobody knew then and that is
bad now has become worse (the decider did not know it); a fact that nobody knows now has not.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final

from undercroft.model import Json, Severity
from undercroft.triage.events import FindingFacts

__all__ = ["EPSS_STEPS", "GUARDS", "guards_for", "tripped"]

EPSS_STEPS: Final = (0.1, 0.5)
"""Crossing one of these upward trips the ``epss`` guard."""

_FALSE_POSITIVE_ONLY: Final = frozenset({"evidence", "rule_version"})
_EVIDENCE_CATEGORIES: Final = frozenset({"wrong_rule_logic", "bad_data"})


def guards_for(
    kind: str, facts: FindingFacts, *, category: str = "", off: Collection[str] = ()
) -> dict[str, Json]:
    """What an ``accept`` or ``false_positive`` on these facts is to be guarded by.

    ``category``: of a false positive. ``off``: guards to leave out.
    """
    recorded: dict[str, Json] = {
        "severity": facts.severity.value,
        "kev": facts.kev,
        "epss": facts.epss,
        "exposure": facts.exposure,
        "incarnation": facts.incarnation,
    }
    if kind == "false_positive":
        recorded["rule_version"] = facts.rule_version
        if category in _EVIDENCE_CATEGORIES:
            recorded["evidence"] = facts.evidence_hash
    return {name: value for name, value in recorded.items() if name not in off}


def tripped(kind: str, guards: Mapping[str, Json] | None, facts: FindingFacts) -> str:
    """Name of the first guard that says the decision no longer holds; empty if all hold."""
    if not guards:
        return ""
    for name, worse in GUARDS.items():
        if name not in guards or (kind != "false_positive" and name in _FALSE_POSITIVE_ONLY):
            continue
        if worse(guards[name], facts):
            return name
    return ""


def _severity(recorded: Json, facts: FindingFacts) -> bool:
    try:
        return facts.severity.rank > Severity(str(recorded)).rank
    except ValueError:
        # Written by a version with other severities: better shown once too often.
        return True


def _kev(recorded: Json, facts: FindingFacts) -> bool:
    return bool(facts.kev) and not recorded


def _epss(recorded: Json, facts: FindingFacts) -> bool:
    then = recorded if isinstance(recorded, int | float) else 0.0
    return _step(facts.epss or 0.0) > _step(then)


def _step(probability: float) -> int:
    return sum(probability >= threshold for threshold in EPSS_STEPS)


def _exposure(recorded: Json, facts: FindingFacts) -> bool:
    return facts.exposure == "open" and recorded != "open"


def _incarnation(recorded: Json, facts: FindingFacts) -> bool:
    return _changed(recorded, facts.incarnation)


def _evidence(recorded: Json, facts: FindingFacts) -> bool:
    return _changed(recorded, facts.evidence_hash)


def _rule_version(recorded: Json, facts: FindingFacts) -> bool:
    return _changed(recorded, facts.rule_version)


def _changed(then: Json, now: str | None) -> bool:
    return then is not None and now is not None and then != now


GUARDS: Final[Mapping[str, Callable[[Json, FindingFacts], bool]]] = {
    "severity": _severity,
    "kev": _kev,
    "epss": _epss,
    "exposure": _exposure,
    "incarnation": _incarnation,
    "evidence": _evidence,
    "rule_version": _rule_version,
}
"""Name → whether the fact is worse now than what was recorded."""
