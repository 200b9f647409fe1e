"""Risk model 1: scores that add up, what they are made of, and what to repair first.

``constants`` has every number of the model, ``model`` the formulae, ``bills`` what is shown of them,
``plan`` what a repair would change, ``ssvc`` how the model compares with a public yardstick.
"""

from undercroft.risk.constants import (
    DEFAULT,
    DEPTH,
    RISK_MODEL,
    TABLE,
    ConstantsError,
    Criticality,
    Exposure,
    RiskModel,
)
from undercroft.risk.model import (
    COMBINATION,
    EVIDENCE,
    PUBLIC,
    Hazard,
    Line,
    Score,
    band,
    combination_hazard,
    criticality_there,
    exploitation,
    finding_score,
    hazard,
    hazard_there,
    printed,
    service_score,
)

__all__ = [
    "COMBINATION",
    "DEFAULT",
    "DEPTH",
    "EVIDENCE",
    "PUBLIC",
    "RISK_MODEL",
    "TABLE",
    "ConstantsError",
    "Criticality",
    "Exposure",
    "Hazard",
    "Line",
    "RiskModel",
    "Score",
    "band",
    "combination_hazard",
    "criticality_there",
    "exploitation",
    "finding_score",
    "hazard",
    "hazard_there",
    "printed",
    "service_score",
]
