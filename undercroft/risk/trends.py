"""How scores went over the saved scans, and what a change since the scan before is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from undercroft.risk.constants import DEFAULT, RiskModel
from undercroft.risk.model import service_score
from undercroft.views import ScanRow

__all__ = ["CAUSES", "Cause", "Change", "Entry", "TrendPoint", "attribute", "sparkline"]

CAUSES = ("fixed", "decision", "rules", "coverage", "structure", "feed", "model", "new")
"""What may have moved a score, in the order in which the change is taken apart.

fixed: repaired or gone; decision: accepted, withdrawn, false positive; rules: the pack asks something
else; coverage: what could (or could no longer) be read; structure: the service stands on other
things, or they are exposed differently; feed: exploitation is known differently; model: the two scans
are scored by other constants; new: new findings.
"""
_BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """One scan in a trend."""

    scan: ScanRow
    total: float
    """Points over all services."""
    services: int


@dataclass(frozen=True, slots=True)
class Cause:
    """One part of a change."""

    name: str
    """One of ``CAUSES``."""
    points: float
    findings: int
    """How many it is about; 0: it moved the earlier scan after that was saved, and none is named."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a score (or of many) since the scan before was saved; the causes' points add up
    to it."""

    since: ScanRow
    before: float
    after: float
    causes: tuple[Cause, ...]
    """Those that moved anything, largest first."""
    left_out: int = 0
    """Services that moved but were not taken apart: ``before`` and ``after`` count them, no cause does."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A finding in a service's sum in one scan."""

    layer: str
    value: float
    """h · a"""


def attribute(
    before: Mapping[str, Entry],
    after: Mapping[str, Entry],
    cause_of: Callable[[str], str],
    models: tuple[RiskModel, RiskModel] = (DEFAULT, DEFAULT),
) -> tuple[float, float, list[Cause]]:
    """(score before, score after, causes) of one service; their points add up to the difference.

    ``models``: by which the entries before and after were weighed.
    ``cause_of`` names the cause of every finding whose entry differs. Causes are let in one after
    another, in the order of ``CAUSES``, and the score is computed after each: the sums have
    diminishing returns, so shares depend on an order, which is therefore always the same.
    """
    groups: dict[str, list[str]] = {}
    for finding in sorted(before.keys() | after.keys()):
        if before.get(finding) != after.get(finding):
            groups.setdefault(cause_of(finding), []).append(finding)
    model, later = models
    if model.across != later.across or model.in_layer != later.in_layer:
        groups.setdefault("model", [])
    now = dict(before)
    first = last = _score(now, model)
    causes = []
    for name in CAUSES:
        if name == "model":
            model = later
        for finding in groups.get(name, ()):
            entry = after.get(finding)
            if entry is None:
                del now[finding]
            else:
                now[finding] = entry
        if name in groups:
            score = _score(now, model)
            causes.append(Cause(name, score - last, len(groups[name])))
            last = score
    return first, last, causes


def sparkline(values: Iterable[float | None], width: int, top: float | None = None) -> str:
    """The last ``width`` values as bars; a gap where there is none. ``top``: value of a full bar."""
    shown = list(values)[-width:]
    highest = top if top is not None else max((v for v in shown if v is not None), default=0.0)
    if highest <= 0:
        return "".join(" " if value is None else _BARS[0] for value in shown)
    return "".join(
        " " if value is None else _BARS[min(int(value / highest * len(_BARS)), len(_BARS) - 1)]
        for value in shown
    )


def _score(entries: Mapping[str, Entry], model: RiskModel) -> float:
    items = ((finding, entry.layer, entry.value) for finding, entry in entries.items())
    return service_score(items, lines=False, model=model).value
