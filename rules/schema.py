"""What a rule, a combination and a pack are: typed, frozen, without behaviour.

Every field of a YAML entry has its place here; ``rules.load`` fills it or says what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from undercroft.model import Layer, Presence, Severity, Threat
from undercroft.relations import Relation
from undercroft.triage.status import RETIRED_RULE

__all__ = [
    "Combination",
    "Example",
    "Fix",
    "Need",
    "Pack",
    "PackError",
    "Rule",
    "SeverityWhen",
    "TraitsWhen",
]


class PackError(Exception):
    """A rule file that cannot be used: says which file, which rule, which key, and why."""

    def __init__(self, problem: str, *, file: str = "", rule: str = "", key: str = "") -> None:
        self.problem = problem
        self.file = file
        self.rule = rule
        self.key = key
        super().__init__(": ".join(part for part in (file, rule, key, problem) if part))


@dataclass(frozen=True, slots=True)
class Fix:
    """What to do about it, and the command with UPPERCASE placeholders."""

    text: str
    command: str = ""


@dataclass(frozen=True, slots=True)
class SeverityWhen:
    """``severity`` instead of the rule's own if ``when`` (CEL) holds; the first that does counts."""

    when: str
    severity: Severity


@dataclass(frozen=True, slots=True)
class TraitsWhen:
    """``traits`` on top of the rule's own if ``when`` (CEL) holds."""

    when: str
    traits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """One resource (or, for a combination, one small estate) and the answer it must get."""

    expect: str
    """``fails``, ``passes`` or ``unknown``."""
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """What is wrong with one kind of resource."""

    id: str
    title: str
    """May hold ``{at.name}`` and ``{show.name}``."""
    layer: Layer
    on: tuple[str, ...]
    """Resource types; ``*`` matches any run of characters."""
    severity: Severity
    threat: Threat
    fails_when: str
    """CEL: true fails, false passes, an error or an unread input is unknown."""
    why: str
    fix: Fix
    evidence: tuple[str, ...] = ()
    """Paths shown as what decided; empty means every path that ``fails_when`` reads."""
    traits: tuple[str, ...] = ()
    traits_when: tuple[TraitsWhen, ...] = ()
    severity_when: tuple[SeverityWhen, ...] = ()
    each: str = ""
    """Path of a list: the rule is asked of every ``item`` of it."""
    at: Mapping[str, str] = field(default_factory=dict)
    """Name → CEL over ``item``: tells the findings of one resource apart."""
    show: Mapping[str, str] = field(default_factory=dict)
    """Name → CEL: further values for the title; no part of the finding's identity."""
    cve: str = ""
    cvss: str = ""
    vector: str = ""
    presence: Presence = Presence.READ
    """``absent``: asked of resources that are named somewhere but do not exist; ``stub``: of those
    that exist and were not read, from what naming them has shown."""
    tier: int = 1
    version: int = 1
    """Raised by hand when a fact changes its meaning under an unchanged condition."""
    equivalents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    frameworks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    references: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    identity_id: str = ""
    """The first id that the rule ever had, if it was renamed: its findings keep theirs."""
    file: str = ""
    logic_version: str = ""
    """Hash of what decides; wording is no part of it."""


@dataclass(frozen=True, slots=True)
class Need:
    """One ingredient of a combination: some finding with one of these ids or traits, there."""

    place: str
    """``root``, ``path`` (root or anything beneath) or ``beneath``."""
    any_of: tuple[str, ...]
    """Rule ids, or ``trait:<name>``."""
    also: tuple[str, ...] = ()
    """Rule ids or traits of which the same resource must have one, too."""
    resource: str = ""
    """Instead of a finding: any resource of this type."""
    via: tuple[Relation, ...] = ()
    """Something on the path must stand on the component by one of these relations; what the service
    merely lies in (a workspace, a project) does not speak for it."""
    along: str = ""
    """How the component is reached: ``entry`` by what is the service, carries or protects it,
    ``runtime`` by its images as well, ``own`` by anything but what it merely lies in; empty: in any
    way."""
    layers: tuple[Layer, ...] = ()
    """Layer of the finding; empty: any."""
    holder: str = ""
    """Type of a resource on the path that ``where`` also looks at."""
    where: str = ""
    """CEL over ``root``, ``component`` and ``holder`` that must hold as well."""
    shared_on: tuple[str, ...] = ()
    """The component must also be beneath another service of one of these types …"""
    shared_when: str = ""
    """… for which this CEL over ``other`` holds …"""
    shared_least: int = 1
    """… and there must be so many of them."""
    produces_on: tuple[str, ...] = ()
    """Instead of a finding: a service of these types serves what the root produced …"""
    produces_when: str = ""
    """… and this CEL over ``other`` holds …"""
    produces_through: str = ""
    """… through a resource of this type beneath it …"""
    produces_from: str = ""
    """… whose …"""
    produces_to: tuple[str, ...] = ()
    """… values at one of these paths contain the root's value at ``produces_from``."""
    least: int = 1
    """So many different resources must satisfy it."""
    label: str = ""
    """How the ingredient is named on screen."""


@dataclass(frozen=True, slots=True)
class Combination:
    """Findings that are worse together; a finding of its own, owned by the service on top."""

    id: str
    title: str
    on: tuple[str, ...]
    severity: Severity
    needs: tuple[Need, ...]
    why: str
    fix: Fix
    weight: float = 1.0
    """Hazard of the combination (risk model 1, τ)."""
    threat: Threat = Threat.DIRECT
    layer: Layer = Layer.SERVICE
    tier: int = 1
    version: int = 1
    equivalents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    frameworks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    references: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    file: str = ""
    logic_version: str = ""


@dataclass(frozen=True, slots=True)
class Pack:
    """All rules that a scan applies."""

    rules: tuple[Rule, ...]
    combinations: tuple[Combination, ...]
    version: str
    """Same version, same configuration, same answer."""
    retired: tuple[str, ...] = ()
    """Ids of rules that no longer exist: what they found is neither open nor fixed."""

    def logic_versions(self) -> dict[str, str]:
        """Rule or combination id → version of its logic; ``retired`` for those that are."""
        gone = dict.fromkeys(self.retired, RETIRED_RULE)
        return gone | {entry.id: entry.logic_version for entry in self.entries()}

    def renamed(self) -> dict[str, str]:
        """First id of a rule → its id now, of rules that were renamed."""
        return {rule.identity_id: rule.id for rule in self.rules if rule.identity_id}

    def frameworks(self) -> dict[str, Mapping[str, tuple[str, ...]]]:
        """Rule or combination id → framework → controls of it that the rule maps to."""
        return {entry.id: entry.frameworks for entry in self.entries() if entry.frameworks}

    def entries(self) -> list[Rule | Combination]:
        """Rules and combinations, in the order of their files."""
        return [*self.rules, *self.combinations]

    def find(self, rule_id: str) -> Rule | Combination | None:
        """The rule or combination of that id."""
        return next((entry for entry in self.entries() if entry.id == rule_id), None)
