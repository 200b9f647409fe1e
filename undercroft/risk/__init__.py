"""Risk model 1: scores that add up, what they are made of, and what to repair first.

``model`` has the formulae, ``bills`` what is shown of them, ``plan`` what a repair would change.
"""

from undercroft.risk.model import (
    ACROSS_LAYERS,
    COMBINATION,
    DEPTH,
    IN_LAYER,
    KNOWN_EXPLOITED,
    PUBLIC_EXPLOIT,
    RISK_MODEL,
    Criticality,
    Exposure,
    Hazard,
    Line,
    Score,
    band,
    combination_hazard,
    constants,
    criticality_there,
    exploitation,
    finding_score,
    hazard,
    hazard_there,
    printed,
    service_score,
)

__all__ = [
    "ACROSS_LAYERS",
    "COMBINATION",
    "DEPTH",
    "IN_LAYER",
    "KNOWN_EXPLOITED",
    "PUBLIC_EXPLOIT",
    "RISK_MODEL",
    "Criticality",
    "Exposure",
    "Hazard",
    "Line",
    "Score",
    "band",
    "combination_hazard",
    "constants",
    "criticality_there",
    "exploitation",
    "finding_score",
    "hazard",
    "hazard_there",
    "printed",
    "service_score",
]
