"""Risk model 1: one number per finding, one per AI service, and a bill that adds up to it.

Everything is counted in *hazard* units, which add, and turned into a score (0 to below 100) at the
end: ``score = 100 · (1 − e^(−H))``. The number orders work; it is not a probability of breach.

Where no exploitation estimate is given, the stated neutral value is used and labelled "assumed". A
combination enters as an item of the layer ``combination`` with the hazard that its rule declares.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from undercroft.model import Severity, Threat
from undercroft.records import dataclass
from undercroft.relations import ATTENUATION, CUTOFF

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

RISK_MODEL = 1
"""Version of every constant below; stored next to any score that leaves the program."""

COMBINATION = "combination"
"""Name of the layer that toxic combinations form in a service's sum."""


class Exposure(StrEnum):
    """Who can reach the resource that owns a finding (SSVC "System Exposure")."""

    OPEN = "open"
    CONTROLLED = "controlled"
    SMALL = "small"
    UNKNOWN = "unknown"


class Criticality(StrEnum):
    """What the user says a resource is worth; ``normal`` unless somebody tagged it."""

    VERY_HIGH = "very_high"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"
    VERY_LOW = "very_low"


# B: convex in the CVSS base score, so that one high is worth several mediums. Labels stand for the
# middle of their CVSS band.
IMPACT_SCALE = 0.9
LABEL_BASE: dict[Severity, float] = {
    Severity.CRITICAL: 9.5,
    Severity.HIGH: 8.0,
    Severity.MEDIUM: 5.5,
    Severity.LOW: 2.5,
    Severity.INFO: 0.0,
}
UNKNOWN_BASE = 5.5

# T: evidence of exploitation outranks any estimate, so the estimate's ceiling stays below 1. Cube
# root because published probabilities are extremely skewed towards zero.
THREAT: dict[Threat, float] = {
    Threat.DIRECT: 1.0,
    Threat.CONDITIONAL: 0.7,
    Threat.HARDENING: 0.4,
}
THREAT_REASON: dict[Threat, str] = {
    Threat.DIRECT: "direct: harm needs no further flaw",
    Threat.CONDITIONAL: "conditional: needs a foothold",
    Threat.HARDENING: "hardening: defence in depth",
}
KNOWN_EXPLOITED = 1.0
PUBLIC_EXPLOIT = 0.55
EPSS_FLOOR, EPSS_SPAN = 0.30, 0.65
EPSS_MISSING = 0.45

EXPOSURE: dict[Exposure, float] = {
    Exposure.OPEN: 1.25,
    Exposure.CONTROLLED: 1.0,
    Exposure.SMALL: 0.8,
    Exposure.UNKNOWN: 1.0,
}
AUTOMATABLE = 1.2
CRITICALITY: dict[Criticality, float] = {
    Criticality.VERY_HIGH: 1.5,
    Criticality.HIGH: 1.25,
    Criticality.NORMAL: 1.0,
    Criticality.LOW: 0.8,
    Criticality.VERY_LOW: 0.6,
}

IN_LAYER = 0.5
"""Each further finding of one layer counts half of the one before."""
ACROSS_LAYERS = 0.6
"""Each further layer counts this share of the one before: breadth outweighs depth."""
DEPTH = 32
"""Items of a layer that its sum looks at: the next would weigh 0.5^32, under a millionth of a point.

Cutting a sum over ranked items keeps it monotone: every rank's item can only grow when an item is
added.
"""

_BANDS: tuple[tuple[float, Severity], ...] = (
    (70.0, Severity.CRITICAL),
    (45.0, Severity.HIGH),
    (20.0, Severity.MEDIUM),
)
_BELOW_100 = math.nextafter(100.0, 0.0)


@dataclass(frozen=True, slots=True)
class Hazard:
    """The hazard of one finding and the factors whose product it is."""

    value: float
    factors: Mapping[str, tuple[float, str]]
    """Letter (B impact, T threat, X exposure, A automatable, M criticality) → (value, reason)."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a service's bill."""

    finding: str
    layer: str
    hazard: float
    """Hazard after attenuation along the path: h · a."""
    layer_rank: int
    """j: 0 for the layer that weighs most."""
    rank: int
    """k: 0 for the worst item of its layer."""
    effective: float
    """hazard · 0.5^k · 0.6^j"""
    points: float
    """Share of the score."""


@dataclass(frozen=True, slots=True)
class Score:
    """A service's score with its bill, largest line first; the points add up to the value."""

    value: float
    hazard: float
    lines: tuple[Line, ...]


def hazard(
    severity: Severity | None,
    threat: Threat | None = None,
    exposure: Exposure = Exposure.UNKNOWN,
    cvss: float | None = None,
    vector: str | None = None,
    epss: float | None = None,
    kev: bool = False,
    criticality: Criticality = Criticality.NORMAL,
    *,
    exploit: bool = False,
) -> Hazard:
    """``B · T · X · A · M`` of one finding (risk model 1, section 2).

    ``threat`` is None for a vulnerability, whose T comes from ``kev``, ``exploit`` (a public
    exploit is known) and ``epss`` (a probability). Values outside their range (a CVSS base of 0 to
    10, a probability of 0 to 1) count as missing: they come from scanners, and one odd number must
    not cost a scan.
    """
    factors = {
        "B": _impact(severity, cvss),
        "T": exploitation(epss, kev=kev, exploit=exploit) if threat is None else _declared(threat),
        "X": _exposure(exposure),
        "A": _automatable(vector),
        "M": _criticality(criticality),
    }
    return Hazard(math.prod(value for value, _ in factors.values()), factors)


def constants() -> dict[str, dict[str, float]]:
    """The model's whole table of constants, by what they are for: what ``explain`` prints."""
    return {
        "B impact, base score of a label": {
            **{severity.value: base for severity, base in LABEL_BASE.items()},
            "unknown": UNKNOWN_BASE,
            "scale": IMPACT_SCALE,
        },
        "T threat": {
            **{threat.value: value for threat, value in THREAT.items()},
            "known exploited": KNOWN_EXPLOITED,
            "public exploit": PUBLIC_EXPLOIT,
            "EPSS floor": EPSS_FLOOR,
            "EPSS span": EPSS_SPAN,
            "EPSS missing": EPSS_MISSING,
        },
        "X exposure": {exposure.value: value for exposure, value in EXPOSURE.items()},
        "A automatable": {"yes": AUTOMATABLE, "no": 1.0},
        "M criticality": {level.value: value for level, value in CRITICALITY.items()},
        "relations": {relation.value: value for relation, value in ATTENUATION.items()},
        "sums": {"in a layer": IN_LAYER, "across layers": ACROSS_LAYERS, "cut-off": CUTOFF},
    }


def criticality_there(resource: Criticality, service: Criticality) -> float:
    """By what the tag of a service multiplies the hazards that a resource beneath it owns.

    It speaks for all beneath the service that nobody tagged; of two tags that of the higher level
    counts, as the higher of two ratings does.
    """
    levels = list(Criticality)
    tagged = {level for level in (resource, service) if level is not Criticality.NORMAL}
    counts = min(tagged, key=levels.index, default=Criticality.NORMAL)
    return CRITICALITY[counts] / CRITICALITY[resource]


def hazard_there(h: Hazard, scale: float) -> Hazard:
    """A finding's hazard as a service counts it whose tag multiplies it by ``scale``."""
    if scale == 1.0 or "M" not in h.factors:
        return h
    wanted = h.factors["M"][0] * scale
    level = min(Criticality, key=lambda one: abs(CRITICALITY[one] - wanted))
    reason = f"service tagged {level.value.replace('_', ' ')}"
    factors = {**h.factors, "M": (CRITICALITY[level], reason)}
    return Hazard(math.prod(value for value, _ in factors.values()), factors)


def combination_hazard(tau: float) -> Hazard:
    """The hazard of a toxic combination is the τ that its rule declares (model 1, section 5)."""
    return Hazard(tau, {"τ": (tau, "declared by the combination rule")})


def finding_score(h: Hazard | float) -> float:
    """``100 · (1 − e^(−h))``: 0 to below 100, for one finding's hazard or a service's sum."""
    value = h.value if isinstance(h, Hazard) else h
    return min(-100.0 * math.expm1(-value), _BELOW_100)


def band(score: float) -> Severity | None:
    """The word for a score: critical from 70, high from 45, medium from 20, low above 0."""
    for least, severity in _BANDS:
        if score >= least:
            return severity
    return Severity.LOW if score > 0 else None


def service_score(items: Iterable[tuple[str, str, float]], *, lines: bool = True) -> Score:
    """Sum what reaches one service, with diminishing returns in and across layers.

    ``items``: (finding id, layer, h · a). A finding counts once however often it is given (the
    largest value wins), and the order of the items does not matter. ``lines=False`` leaves the
    bill out, for ranking many services. ValueError for a negative or infinite hazard.

    Source: risk model 1, section 3 (ordered weighted sums; monotone because inserting an item at
    rank r adds h·d^r and costs the later ones at most that much).
    """
    layers: dict[str, list[tuple[float, str]]] = {}
    for finding, (negative, layer) in _distinct(items).items():
        layers.setdefault(layer, []).append((negative, finding))
    ranked: list[tuple[float, str, list[tuple[float, str]]]] = []
    for layer, members in layers.items():
        top = sorted(members) if lines else heapq.nsmallest(DEPTH, members)
        total = math.fsum(-h * IN_LAYER**k for k, (h, _) in enumerate(top[:DEPTH]))
        ranked.append((-total, layer, top))
    ranked.sort()
    total = math.fsum(-layer[0] * ACROSS_LAYERS**j for j, layer in enumerate(ranked))
    score = finding_score(total)
    return Score(score, total, _bill(ranked, score, total) if lines else ())


def printed(score: Score) -> tuple[float, tuple[float, ...]]:
    """The score and its lines' points in tenths, such that the printed lines add up exactly.

    Largest remainder: the printed score is shared out by effective hazard, every line is rounded
    down, and the tenths left over go to the lines that lost most. A score never prints as 100.
    """
    tenths = min(math.floor(score.value * 10 + 0.5), 999)
    if score.hazard <= 0:
        return tenths / 10, tuple(0.0 for _ in score.lines)
    exact = [tenths * line.effective / score.hazard for line in score.lines]
    shares = [math.floor(value) for value in exact]
    order = sorted(range(len(shares)), key=lambda i: (shares[i] - exact[i], i))
    for index in order[: tenths - sum(shares)]:
        shares[index] += 1
    return tenths / 10, tuple(share / 10 for share in shares)


def _distinct(items: Iterable[tuple[str, str, float]]) -> dict[str, tuple[float, str]]:
    best: dict[str, tuple[float, str]] = {}
    for finding, layer, value in items:
        if not 0.0 <= value < math.inf:
            message = f"hazard of {finding!r} must be finite and not negative: {value}"
            raise ValueError(message)
        entry = (-value, str(layer))
        known = best.get(finding)
        if known is None or entry < known:
            best[finding] = entry
    return best


def _bill(
    ranked: Sequence[tuple[float, str, list[tuple[float, str]]]], score: float, total: float
) -> tuple[Line, ...]:
    bill: list[Line] = []
    for j, (_, layer, members) in enumerate(ranked):
        for k, (negative, finding) in enumerate(members):
            weight = IN_LAYER**k if k < DEPTH else 0.0
            effective = -negative * weight * ACROSS_LAYERS**j
            points = score * effective / total if total > 0 else 0.0
            bill.append(Line(finding, layer, -negative, j, k, effective, points))
    bill.sort(key=lambda line: (-line.effective, line.finding))
    return tuple(bill)


def _impact(severity: Severity | None, cvss: float | None) -> tuple[float, str]:
    # Scanners write a base score of 0 for "nobody scored it"; next to a label it means missing.
    given = cvss if cvss is not None and 0.0 < cvss <= 10.0 else None
    if given is not None:
        base, reason = given, f"CVSS base {given:g}"
    elif severity is None:
        base, reason = UNKNOWN_BASE, f"severity assumed {UNKNOWN_BASE:g}: unknown"
    else:
        base = LABEL_BASE[severity]
        reason = f"{severity.value}: middle of its band, {base:g}"
    return IMPACT_SCALE * (base / 10.0) ** 2, reason


def _declared(threat: Threat) -> tuple[float, str]:
    return THREAT[threat], THREAT_REASON[threat]


def exploitation(
    epss: float | None, *, kev: bool = False, exploit: bool = False
) -> tuple[float, str]:
    """T of a vulnerability with its reason: evidence first, then the estimate, then the neutral value."""
    if kev:
        return KNOWN_EXPLOITED, "known exploited"
    if epss is not None and 0.0 <= epss <= 1.0:
        value, reason = EPSS_FLOOR + EPSS_SPAN * epss ** (1.0 / 3.0), f"EPSS {epss:g}"
    else:
        value, reason = EPSS_MISSING, f"exploitation assumed {EPSS_MISSING:g}: no EPSS value"
    if exploit and value < PUBLIC_EXPLOIT:
        return PUBLIC_EXPLOIT, "public exploit"
    return value, reason


def _exposure(exposure: Exposure) -> tuple[float, str]:
    if exposure is Exposure.UNKNOWN:
        return EXPOSURE[exposure], "exposure assumed controlled: unknown"
    return EXPOSURE[exposure], f"exposure {exposure.value}"


def _automatable(vector: str | None) -> tuple[float, str]:
    if not vector:
        return 1.0, "automatable assumed no: no CVSS vector"
    metrics = dict(part.split(":", 1) for part in vector.split("/") if ":" in part)
    needed = {"AV": "N", "AC": "L", "PR": "N", "UI": "N"}
    # CVSS 4 moved attack requirements out of AC into AT; version 3 vectors have no AT.
    yes = all(metrics.get(name) == value for name, value in needed.items())
    if yes and metrics.get("AT", "N") == "N":
        return AUTOMATABLE, "automatable: network, low complexity, no privileges, no interaction"
    return 1.0, "not automatable by its CVSS vector"


def _criticality(criticality: Criticality) -> tuple[float, str]:
    if criticality is Criticality.NORMAL:
        return CRITICALITY[criticality], "not tagged as more or less critical"
    return CRITICALITY[criticality], f"tagged {criticality.value.replace('_', ' ')}"
