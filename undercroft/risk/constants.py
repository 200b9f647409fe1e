"""Every constant of the risk model in one table, and what a policy may make of them.

The formulae are in ``model``; they take a ``RiskModel``, whose constants never change. A policy sets
some of them otherwise within the bounds that keep what the model promises: more findings never lower
a score, volume never outweighs severity, and what is unknown is never taken for harmless.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from itertools import pairwise
from types import MappingProxyType
from typing import Final, Self

from undercroft.model import Severity, Threat
from undercroft.relations import ATTENUATION, CUTOFF, Relation

__all__ = [
    "DEFAULT",
    "DEPTH",
    "RISK_MODEL",
    "TABLE",
    "ConstantsError",
    "Criticality",
    "Exposure",
    "RiskModel",
]

RISK_MODEL: Final = 1
"""Version of the formulae and of the table below; stored next to any score that leaves the program."""

DEPTH: Final = 32
"""Items of a layer that its sum looks at: the next would weigh 0.5^32, under a millionth of a point.

Cutting a sum over ranked items keeps it monotone: every rank's item can only grow when an item is
added.
"""
_LAYERS = 16
"""More layers than there are."""


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


Table = Mapping[str, Mapping[str, float]]

TABLE: Final[Table] = MappingProxyType(
    {
        # B: 0.9 · (base / 10)², convex in the CVSS base score, so that one high is worth several
        # mediums. Labels stand for the middle of their CVSS band.
        "impact": {
            "critical": 9.5,
            "high": 8.0,
            "medium": 5.5,
            "low": 2.5,
            "info": 0.0,
            "unknown": 5.5,
            "scale": 0.9,
        },
        # T: evidence of exploitation outranks any estimate, so the estimate's ceiling (floor + span)
        # stays below it. Cube root because published probabilities are extremely skewed towards zero.
        "threat": {
            "direct": 1.0,
            "conditional": 0.7,
            "hardening": 0.4,
            "known_exploited": 1.0,
            "public_exploit": 0.55,
            "epss_floor": 0.30,
            "epss_span": 0.65,
            "epss_missing": 0.45,
        },
        "exposure": {"open": 1.25, "controlled": 1.0, "small": 0.8, "unknown": 1.0},
        "automatable": {"yes": 1.2, "no": 1.0},
        "criticality": {
            "very_high": 1.5,
            "high": 1.25,
            "normal": 1.0,
            "low": 0.8,
            "very_low": 0.6,
        },
        "relations": {relation.value: value for relation, value in ATTENUATION.items()},
        # From which base score and probability on a vulnerability that nobody is known to have
        # exploited is an ingredient of combinations.
        "exploitable": {"cvss": 9.0, "epss": 0.1},
        # Each further finding of a layer counts half of the one before, each further layer 0.6.
        "sums": {"in_layer": 0.5, "across_layers": 0.6, "cutoff": CUTOFF},
        # From which score on it is called so.
        "bands": {"critical": 70.0, "high": 45.0, "medium": 20.0},
    }
)
"""Group → name → value: what ``explain`` prints and ``[risk.GROUP]`` of the settings may change."""

_RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "impact": (0.0, 10.0),
    "impact.scale": (0.01, 5.0),
    "threat": (0.01, 2.0),
    "threat.epss_floor": (0.0, 2.0),
    "threat.epss_span": (0.0, 2.0),
    "exposure": (0.01, 5.0),
    "automatable": (1.0, 5.0),
    "criticality": (0.01, 5.0),
    "relations": (0.0, 1.0),
    "exploitable.cvss": (0.0, 10.0),
    "exploitable.epss": (0.0, 1.0),
    "sums": (0.0, 0.9),
    # So that a layer stays within twice its worst finding.
    "sums.in_layer": (0.0, 0.5),
    "sums.cutoff": (0.01, 1.0),
    "bands": (0.1, 99.9),
}
"""Inclusive bounds, of a group or of one of its constants."""
_FIXED: Final = {
    "automatable.no": "it is what the others are measured by",
    "criticality.normal": "it is what the others are measured by",
}
_ORDERS: Final[tuple[tuple[str, tuple[str, ...], str], ...]] = (
    ("impact", ("info", "low", "medium", "high", "critical"), "worse may not weigh less"),
    ("impact", ("info", "unknown", "critical"), "what is unknown lies between"),
    ("threat", ("hardening", "conditional", "direct"), "what needs less may not weigh less"),
    ("threat", ("public_exploit", "known_exploited"), "use outranks the means to it"),
    ("threat", ("epss_floor", "epss_missing", "known_exploited"), "what is unknown lies between"),
    ("exposure", ("small", "controlled", "open"), "more exposed may not weigh less"),
    ("exposure", ("small", "unknown", "open"), "what is unknown lies between"),
    (
        "criticality",
        ("very_low", "low", "normal", "high", "very_high"),
        "worth more may not weigh less",
    ),
)
"""(group, names in rising order, why)"""
_BAND_ORDER = ("medium", "high", "critical")
_DECIMALS = 4
"""Shares of a path are multiplied as whole ten-thousandths, so that ties are exact."""


class ConstantsError(ValueError):
    """A policy asks for something that the model cannot keep its promises with.

    The message begins with the constant's place, such as ``risk.threat.known_exploited``.
    """

    def __init__(self, said: str) -> None:
        super().__init__(f"risk.{said}")


class RiskModel:
    """The formulae's constants. Nobody changes them; made by ``of``, and compared by ``digest``."""

    def __init__(self, table: Table) -> None:
        """``table``: all constants in force, as ``TABLE`` has them."""
        threat, sums, impact = table["threat"], table["sums"], table["impact"]
        self.table: Final = table
        self.base: Final = {severity: impact[severity.value] for severity in Severity}
        self.threat: Final = {one: threat[one.value] for one in Threat}
        self.exposure: Final = {one: table["exposure"][one.value] for one in Exposure}
        self.criticality: Final = {one: table["criticality"][one.value] for one in Criticality}
        self.attenuation: Final = {
            Relation(name): value for name, value in table["relations"].items()
        }
        """Share of a hazard that reaches the dependant; a relation that is missing does not inherit."""
        self.bands: Final = tuple(
            (table["bands"][name], Severity(name)) for name in reversed(_BAND_ORDER)
        )
        """(from which score on, its word), highest first."""
        self.in_layer: Final = tuple(sums["in_layer"] ** k for k in range(DEPTH))
        """What the k-th finding of a layer counts, ``DEPTH`` of them."""
        self.across: Final = tuple(sums["across_layers"] ** j for j in range(_LAYERS))
        """What the j-th layer counts."""
        self.impact_scale: Final = impact["scale"]
        self.unknown_base: Final = impact["unknown"]
        self.known_exploited: Final = threat["known_exploited"]
        self.public_exploit: Final = threat["public_exploit"]
        self.epss_floor: Final = threat["epss_floor"]
        self.epss_span: Final = threat["epss_span"]
        self.epss_missing: Final = threat["epss_missing"]
        self.automatable: Final = table["automatable"]["yes"]
        self.cutoff: Final = sums["cutoff"]
        self.dangerous_cvss: Final = table["exploitable"]["cvss"]
        self.likely_epss: Final = table["exploitable"]["epss"]

    @classmethod
    def of(cls, changes: Table) -> Self:
        """The model with some constants changed. What it knows nothing of is left out, and nothing is
        checked: see ``from_policy`` for what people write.
        """
        table: dict[str, Mapping[str, float]] = {
            group: MappingProxyType(
                {
                    name: float(changes.get(group, {}).get(name, value))
                    for name, value in values.items()
                }
            )
            for group, values in TABLE.items()
        }
        return cls(MappingProxyType(table))

    @classmethod
    def from_policy(cls, policy: object) -> Self:
        """The model that a policy asks for: ``{group: {name: number}}``.

        Raises:
            ConstantsError: An unknown name, no number, or a value with which the model would break
                one of its promises.
        """
        model = cls.of(_checked(policy))
        _check_promises(model.table)
        return model

    @cached_property
    def digest(self) -> str:
        """Names these constants: equal where every one of them is (16 hexadecimal digits)."""
        import hashlib

        return hashlib.sha256(f"{RISK_MODEL} {self.text}".encode()).hexdigest()[:16]

    @cached_property
    def text(self) -> str:
        """The table as JSON, always written the same way."""
        return json.dumps(
            {group: dict(values) for group, values in self.table.items()},
            sort_keys=True,
            separators=(",", ":"),
        )

    @property
    def is_default(self) -> bool:
        """Whether every constant is as published."""
        return self.digest == DEFAULT.digest

    @property
    def name(self) -> str:
        """``1``, or with other constants ``1+`` and the first digits of their digest."""
        return str(RISK_MODEL) if self.is_default else f"{RISK_MODEL}+{self.digest[:8]}"

    def reaches_otherwise(self, other: RiskModel) -> bool:
        """Whether a service may stand on other things by ``other``, or in other strength."""
        return (self.attenuation, self.cutoff) != (other.attenuation, other.cutoff)

    def combines_otherwise(self, other: RiskModel) -> bool:
        """Whether combinations may be others by ``other``."""
        mine, others = (self.table["exploitable"], other.table["exploitable"])
        return self.reaches_otherwise(other) or mine != others

    def changes(self) -> dict[str, tuple[float, float]]:
        """``group.name`` → (value in force, published value) of what differs."""
        return {
            f"{group}.{name}": (value, TABLE[group][name])
            for group, values in self.table.items()
            for name, value in values.items()
            if value != TABLE[group][name]
        }

    def lines(self) -> list[str]:
        """The table in words, a line per group; what was changed shows the published value too."""
        return [
            f"{group}: "
            + ", ".join(
                f"{name} {value:g}"
                + ("" if value == TABLE[group][name] else f" (changed from {TABLE[group][name]:g})")
                for name, value in values.items()
            )
            for group, values in self.table.items()
        ]


def _checked(policy: object) -> dict[str, dict[str, float]]:
    """A policy's numbers, each known and within its range."""
    if not isinstance(policy, Mapping):
        raise ConstantsError("GROUP must be tables, such as [risk.threat]")
    found: dict[str, dict[str, float]] = {}
    for group, values in policy.items():
        if group not in TABLE:
            raise ConstantsError(f"{group} is not known{_near(group, TABLE)}")
        if not isinstance(values, Mapping):
            raise ConstantsError(f"{group} must be a table, [risk.{group}]")
        for name, value in values.items():
            found.setdefault(group, {})[name] = _number(group, name, value)
    return found


def _number(group: str, name: str, value: object) -> float:
    where = f"{group}.{name}"
    if name not in TABLE[group]:
        raise ConstantsError(f"{where} is not known{_near(name, TABLE[group])}")
    # A truth value is a number to Python, not to the person.
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ConstantsError(f"{where} must be a number")
    number = float(value)
    if where in _FIXED:
        if number == TABLE[group][name]:
            return number
        raise ConstantsError(f"{where} is always {TABLE[group][name]:g}: {_FIXED[where]}")
    low, high = _RANGES.get(where) or _RANGES[group]
    if not low <= number <= high:
        raise ConstantsError(f"{where} must be from {low:g} to {high:g}, not {number:g}")
    if group == "relations" and round(number, _DECIMALS) != number:
        raise ConstantsError(f"{where} may have {_DECIMALS} decimals, not more")
    return number


def _check_promises(table: Table) -> None:
    for group, names, why in _ORDERS:
        values = table[group]
        for lower, upper in pairwise(names):
            if values[lower] > values[upper]:
                raise ConstantsError(
                    f"{group}.{upper} ({values[upper]:g}) must not be below {group}.{lower} "
                    f"({values[lower]:g}): {why}"
                )
    threat, bands = table["threat"], table["bands"]
    ceiling = threat["epss_floor"] + threat["epss_span"]
    if threat["known_exploited"] < ceiling:
        raise ConstantsError(
            f"threat.known_exploited ({threat['known_exploited']:g}) must not be below "
            f"epss_floor + epss_span ({ceiling:g}): evidence outranks any estimate"
        )
    # As many of the lesser as there may be in one layer stay under one of the worse.
    most = 1.0 / (1.0 - table["sums"]["in_layer"])
    impact = table["impact"]
    for lesser, worse in (("low", "medium"), ("medium", "high")):
        if impact[lesser] ** 2 * most > impact[worse] ** 2:
            raise ConstantsError(
                f"impact.{worse} ({impact[worse]:g}) is too near to impact.{lesser} "
                f"({impact[lesser]:g}): many {lesser} findings of a layer would outweigh one "
                f"{worse} (with sums.in_layer {table['sums']['in_layer']:g} it takes "
                f"{impact[lesser] * most**0.5:.3g})"
            )
    for lower, upper in pairwise(_BAND_ORDER):
        if bands[lower] >= bands[upper]:
            raise ConstantsError(f"bands.{upper} must be above bands.{lower}")


def _near(name: object, known: Mapping[str, object]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(str(name), known, 1)
    return f"; did you mean {near[0]}?" if near else f"; known: {', '.join(known)}"


DEFAULT: Final = RiskModel.of({})
"""Risk model 1 as published."""
