"""The finding's formula against the SSVC deployer tree, the public yardstick it is calibrated to.

The 72 rows are facts of CERT/CC's decision table (SSVC, deployer patch application priority 1.0.0):
for each exploitation × exposure × automatable, the outcomes for human impact low to very high.
"""

from __future__ import annotations

import itertools
import statistics

from undercroft.risk.model import AUTOMATABLE, EXPOSURE, IMPACT_SCALE, LABEL_BASE, Exposure

DEFER, SCHEDULED, OUT_OF_CYCLE, IMMEDIATE = range(4)
OUTCOMES = {"d": DEFER, "s": SCHEDULED, "o": OUT_OF_CYCLE, "i": IMMEDIATE}
EXPLOITATION = {"none": 0.35, "public poc": 0.55, "active": 1.0}
# small/no small/yes controlled/no controlled/yes open/no open/yes
TABLE = {
    "none": "ddss dsss dsss ssss dsss ssso",
    "public poc": "dsss ssss dsss ssso ssso ssoo",
    "active": "ssoo sooo ssoo oooo sooi ooii",
}
# The published labels low, medium, high, very high of human impact.
IMPACTS = tuple(sorted(base for base in LABEL_BASE.values() if base > 0))


def rows() -> list[tuple[float, int]]:
    """(hazard, outcome) of every row of the table."""
    found = []
    exposures = (Exposure.SMALL, Exposure.CONTROLLED, Exposure.OPEN)
    for exploitation, letters in TABLE.items():
        cells = itertools.product(exposures, (1.0, AUTOMATABLE), IMPACTS)
        outcomes = letters.replace(" ", "")
        for (exposure, automatable, base), letter in zip(cells, outcomes, strict=True):
            impact = IMPACT_SCALE * (base / 10) ** 2
            hazard = impact * EXPLOITATION[exploitation] * EXPOSURE[exposure] * automatable
            found.append((hazard, OUTCOMES[letter]))
    return found


def test_it_orders_as_ssvc_does() -> None:
    table = rows()
    assert len(table) == 72
    pairs = [(a, b) for a, b in itertools.combinations(table, 2) if a[1] != b[1]]
    agreeing = sum((a[0] - b[0]) * (a[1] - b[1]) > 0 for a, b in pairs)
    assert len(pairs) == 1481
    assert agreeing / len(pairs) >= 0.92
    assert agreeing == 1368


def test_the_mean_grows_with_the_outcome() -> None:
    means = [
        statistics.mean(hazard for hazard, outcome in rows() if outcome == wanted)
        for wanted in range(4)
    ]
    assert [round(mean, 2) for mean in means] == [0.03, 0.20, 0.52, 1.03]
    assert min(hazard for hazard, outcome in rows() if outcome == IMMEDIATE) >= 0.86
