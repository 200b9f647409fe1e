"""How a model orders findings, compared with the public yardstick that it is calibrated to.

The 72 rows are facts of CERT/CC's decision table (SSVC, deployer patch application priority 1.0.0):
for each exploitation × exposure × automatable, the outcomes for human impact low to very high.
"""

from __future__ import annotations

from itertools import combinations, product
from typing import Final

from undercroft.model import Severity
from undercroft.risk.constants import Exposure, RiskModel

__all__ = ["LEAST", "concordance", "in_words", "rows"]

LEAST: Final = 0.92
"""Share of comparable pairs that a model is to order as SSVC does."""

_OUTCOMES = "dsoi"
"""Defer, scheduled, out of cycle, immediate."""
# small/no small/yes controlled/no controlled/yes open/no open/yes
_TABLE = {
    "none": "ddss dsss dsss ssss dsss ssso",
    "public poc": "dsss ssss dsss ssso ssso ssoo",
    "active": "ssoo sooo ssoo oooo sooi ooii",
}
_NO_EXPLOIT_KNOWN = 0.35
"""T where nobody is known to have exploited it: an EPSS probability of about 0.0005."""
_IMPACTS = (Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)
"""For the published labels low, medium, high, very high of human impact."""


def rows(model: RiskModel) -> list[tuple[float, int]]:
    """(hazard, outcome from 0 defer to 3 immediate) of every row of the table."""
    # A model whose estimates begin elsewhere moves what stands for "nothing known" along.
    none = _NO_EXPLOIT_KNOWN - 0.30 + model.epss_floor
    threat = {"none": none, "public poc": model.public_exploit, "active": model.known_exploited}
    found = []
    for exploitation, letters in _TABLE.items():
        cells = product(
            (Exposure.SMALL, Exposure.CONTROLLED, Exposure.OPEN), (1.0, model.automatable), _IMPACTS
        )
        for (exposure, automatable, impact), letter in zip(
            cells, letters.replace(" ", ""), strict=True
        ):
            base = model.impact_scale * (model.base[impact] / 10) ** 2
            hazard = base * threat[exploitation] * model.exposure[exposure] * automatable
            found.append((hazard, _OUTCOMES.index(letter)))
    return found


def concordance(model: RiskModel) -> tuple[int, int]:
    """(pairs that the model orders as SSVC does, pairs whose outcomes differ)."""
    pairs = [(a, b) for a, b in combinations(rows(model), 2) if a[1] != b[1]]
    return sum((a[0] - b[0]) * (a[1] - b[1]) > 0 for a, b in pairs), len(pairs)


def in_words(model: RiskModel) -> tuple[bool, str]:
    """Whether a model agrees well enough, and the sentence that says so."""
    agreeing, pairs = concordance(model)
    share = f"it orders {agreeing:,} of {pairs:,} pairs ({agreeing / pairs:.1%}) as SSVC does"
    enough = agreeing / pairs >= LEAST
    return enough, share if enough else f"{share}: less than {LEAST:.0%}, look at it again"
