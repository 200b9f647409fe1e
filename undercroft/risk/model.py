"""Risk model 1: one number per finding, one per AI service, and a bill that adds up to it.

The formulae; their constants are in ``constants``.

Everything is counted in *hazard* units, which add, and turned into a score (0 to below 100) at the
end: ``score = 100 · (1 − e^(−H))``. The number orders work; it is not a probability of breach.

Where no exploitation estimate is given, the stated neutral value is used and labelled "assumed". A
combination enters as an item of the layer ``combination`` with the hazard that its rule declares.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from undercroft.model import Severity, Threat
from undercroft.risk.constants import DEFAULT, DEPTH, Criticality, Exposure, RiskModel

__all__ = [
    "COMBINATION",
    "EVIDENCE",
    "PUBLIC",
    "Hazard",
    "Line",
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

COMBINATION = "combination"
"""Name of the layer that toxic combinations form in a service's sum."""

THREAT_REASON: dict[Threat, str] = {
    Threat.DIRECT: "direct: harm needs no further flaw",
    Threat.CONDITIONAL: "conditional: needs a foothold",
    Threat.HARDENING: "hardening: defence in depth",
}
EVIDENCE = "known exploited"
"""Reason of a vulnerability's T where a catalogue or a report has evidence."""
PUBLIC = "public exploit"
_BELOW_100 = math.nextafter(100.0, 0.0)


class Hazard(NamedTuple):
    """The hazard of one finding and the factors whose product it is."""

    value: float
    factors: Mapping[str, tuple[float, str]]
    """Letter (B impact, T threat, X exposure, A automatable, M criticality) → (value, reason)."""


class Line(NamedTuple):
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


class Score(NamedTuple):
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
    model: RiskModel = DEFAULT,
) -> Hazard:
    """``B · T · X · A · M`` of one finding (risk model 1, section 2).

    ``threat`` is None for a vulnerability, whose T comes from ``kev``, ``exploit`` (a public
    exploit is known) and ``epss`` (a probability). Values outside their range (a CVSS base of 0 to
    10, a probability of 0 to 1) count as missing: they come from scanners, and one odd number must
    not cost a scan.
    """
    factors = {
        "B": _impact(severity, cvss, model),
        "T": (
            exploitation(epss, kev=kev, exploit=exploit, model=model)
            if threat is None
            else (model.threat[threat], THREAT_REASON[threat])
        ),
        "X": _exposure(exposure, model),
        "A": _automatable(vector, model),
        "M": _criticality(criticality, model),
    }
    return Hazard(math.prod(value for value, _ in factors.values()), factors)


def criticality_there(
    resource: Criticality, service: Criticality, model: RiskModel = DEFAULT
) -> float:
    """By what the tag of a service multiplies the hazards that a resource beneath it owns.

    It speaks for all beneath the service that nobody tagged; of two tags that of the higher level
    counts, as the higher of two ratings does.
    """
    levels = list(Criticality)
    tagged = {level for level in (resource, service) if level is not Criticality.NORMAL}
    counts = min(tagged, key=levels.index, default=Criticality.NORMAL)
    return model.criticality[counts] / model.criticality[resource]


def hazard_there(h: Hazard, scale: float, model: RiskModel = DEFAULT) -> Hazard:
    """A finding's hazard as a service counts it whose tag multiplies it by ``scale``."""
    if scale == 1.0 or "M" not in h.factors:
        return h
    wanted = h.factors["M"][0] * scale
    level = min(Criticality, key=lambda one: abs(model.criticality[one] - wanted))
    reason = f"service tagged {level.value.replace('_', ' ')}"
    factors = {**h.factors, "M": (model.criticality[level], reason)}
    return Hazard(math.prod(value for value, _ in factors.values()), factors)


def combination_hazard(tau: float) -> Hazard:
    """The hazard of a toxic combination is the τ that its rule declares (model 1, section 5)."""
    return Hazard(tau, {"τ": (tau, "declared by the combination rule")})


def finding_score(h: Hazard | float) -> float:
    """``100 · (1 − e^(−h))``: 0 to below 100, for one finding's hazard or a service's sum."""
    value = h.value if isinstance(h, Hazard) else h
    return min(-100.0 * math.expm1(-value), _BELOW_100)


def band(score: float, model: RiskModel = DEFAULT) -> Severity | None:
    """The word for a score: critical from 70, high from 45, medium from 20, low above 0."""
    for least, severity in model.bands:
        if score >= least:
            return severity
    return Severity.LOW if score > 0 else None


def service_score(
    items: Iterable[tuple[str, str, float]], *, lines: bool = True, model: RiskModel = DEFAULT
) -> Score:
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
        total = math.fsum(-h * model.in_layer[k] for k, (h, _) in enumerate(top[:DEPTH]))
        ranked.append((-total, layer, top))
    ranked.sort()
    total = math.fsum(-layer[0] * model.across[j] for j, layer in enumerate(ranked))
    score = finding_score(total)
    return Score(score, total, _bill(ranked, score, total, model) if lines else ())


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
    ranked: Sequence[tuple[float, str, list[tuple[float, str]]]],
    score: float,
    total: float,
    model: RiskModel,
) -> tuple[Line, ...]:
    bill: list[Line] = []
    for j, (_, layer, members) in enumerate(ranked):
        for k, (negative, finding) in enumerate(members):
            weight = model.in_layer[k] if k < DEPTH else 0.0
            effective = -negative * weight * model.across[j]
            points = score * effective / total if total > 0 else 0.0
            bill.append(Line(finding, layer, -negative, j, k, effective, points))
    bill.sort(key=lambda line: (-line.effective, line.finding))
    return tuple(bill)


def _impact(severity: Severity | None, cvss: float | None, model: RiskModel) -> tuple[float, str]:
    # Scanners write a base score of 0 for "nobody scored it"; next to a label it means missing.
    given = cvss if cvss is not None and 0.0 < cvss <= 10.0 else None
    if given is not None:
        base, reason = given, f"CVSS base {given:g}"
    elif severity is None:
        base, reason = model.unknown_base, f"severity assumed {model.unknown_base:g}: unknown"
    else:
        base = model.base[severity]
        reason = f"{severity.value}: middle of its band, {base:g}"
    return model.impact_scale * (base / 10.0) ** 2, reason


def exploitation(
    epss: float | None,
    *,
    kev: bool = False,
    exploit: bool = False,
    model: RiskModel = DEFAULT,
) -> tuple[float, str]:
    """T of a vulnerability with its reason: evidence first, then the estimate, then the neutral value."""
    if kev:
        return model.known_exploited, EVIDENCE
    if epss is not None and 0.0 <= epss <= 1.0:
        value = model.epss_floor + model.epss_span * epss ** (1.0 / 3.0)
        reason = f"EPSS {epss:g}"
    else:
        value = model.epss_missing
        reason = f"exploitation assumed {value:g}: no EPSS value"
    if exploit and value < model.public_exploit:
        return model.public_exploit, PUBLIC
    return value, reason


def _exposure(exposure: Exposure, model: RiskModel) -> tuple[float, str]:
    if exposure is Exposure.UNKNOWN:
        value = model.exposure[exposure]
        as_controlled = value == model.exposure[Exposure.CONTROLLED]
        return value, f"exposure assumed {'controlled' if as_controlled else f'{value:g}'}: unknown"
    return model.exposure[exposure], f"exposure {exposure.value}"


def _automatable(vector: str | None, model: RiskModel) -> tuple[float, str]:
    if not vector:
        return 1.0, "automatable assumed no: no CVSS vector"
    metrics = dict(part.split(":", 1) for part in vector.split("/") if ":" in part)
    needed = {"AV": "N", "AC": "L", "PR": "N", "UI": "N"}
    # CVSS 4 moved attack requirements out of AC into AT; version 3 vectors have no AT.
    yes = all(metrics.get(name) == value for name, value in needed.items())
    if yes and metrics.get("AT", "N") == "N":
        reason = "automatable: network, low complexity, no privileges, no interaction"
        return model.automatable, reason
    return 1.0, "not automatable by its CVSS vector"


def _criticality(criticality: Criticality, model: RiskModel) -> tuple[float, str]:
    if criticality is Criticality.NORMAL:
        return model.criticality[criticality], "not tagged as more or less critical"
    return model.criticality[criticality], f"tagged {criticality.value.replace('_', ' ')}"
