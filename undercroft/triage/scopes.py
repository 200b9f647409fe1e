"""Rule scopes: one decision for all findings of a rule within a literal boundary, now and later.

A rule is accepted so, or rated otherwise than it says; within no boundary that is the rule as a
whole, wherever it fails.

A scope is data, matched when statuses are worked out. Matching is equality or prefix, never a
pattern: what it covers must be plain to whoever reads it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import field, replace
from typing import NamedTuple

from undercroft.model import Json
from undercroft.records import dataclass
from undercroft.triage.events import Event
from undercroft.triage.places import resource_words, within

__all__ = ["Place", "Scope", "as_own", "ended_scopes", "is_scoped", "scope_of", "whole"]


class Place(NamedTuple):
    """What a scope looks at: where a finding is."""

    rule: str
    cve: str | None
    resource: str
    """Resource key."""
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Scope:
    """All findings of one rule (of one vulnerability, for the rule ``cve``) within a boundary.

    Every boundary that is set has to hold; with none it is wherever the rule fails.
    """

    rule: str
    cve: str | None = None
    resource: str = ""
    """This resource key, exactly."""
    prefix: str = ""
    """Resource keys that begin so: ``aws/aws/111122223333/eu-west-1/``."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tags that the resource carries with exactly these values."""

    def covers(self, place: Place) -> bool:
        """Whether a finding at this place is within the boundary."""
        return (
            place.rule == self.rule
            and (self.cve is None or place.cve == self.cve)
            and (not self.resource or place.resource == self.resource)
            and place.resource.startswith(self.prefix)
            and all(place.tags.get(name) == value for name, value in self.tags.items())
        )

    def to_json(self) -> dict[str, Json]:
        """As an event carries it."""
        found: dict[str, Json] = {"rule": self.rule}
        if self.cve is not None:
            found["cve"] = self.cve
        if self.resource:
            found["resource"] = self.resource
        if self.prefix:
            found["prefix"] = self.prefix
        if self.tags:
            found["tags"] = dict(self.tags)
        return found

    @property
    def subject(self) -> str:
        """The rule, or the vulnerability."""
        return self.cve or self.rule

    def where(self) -> str:
        """``on s3 bucket samples in account 111122223333, tagged env=dev``, or ``everywhere``."""
        found = []
        if self.resource:
            found.append(f"on {resource_words(self.resource)}")
        if self.prefix:
            found.append(within(self.prefix))
        if self.tags:
            tags = ", ".join(f"{name}={value}" for name, value in sorted(self.tags.items()))
            found.append(f"tagged {tags}")
        return ", ".join(found) or "everywhere"

    def words(self) -> str:
        """``aws-s3-public-read on s3 bucket samples in account 111122223333, tagged env=dev``."""
        return f"{self.subject} {self.where()}"


_KNOWN = frozenset({"rule", "cve", "resource", "prefix", "tags"})


def scope_of(event: Event) -> Scope | None:
    """The scope that an event carries; None if it has none that can be read.

    A boundary that this version does not know would be left out if it were ignored, and the scope
    would cover more than was meant: such a scope covers nothing.
    """
    data = event.scope
    if data is None or not set(data) <= _KNOWN:
        return None
    tags = data.get("tags", {})
    texts = [data.get("rule"), data.get("resource", ""), data.get("prefix", "")]
    cve = data.get("cve")
    if not isinstance(tags, Mapping) or not (cve is None or isinstance(cve, str)):
        return None
    rule, resource, prefix = (text if isinstance(text, str) else None for text in texts)
    if not rule or resource is None or prefix is None:
        return None
    return Scope(rule, cve, resource, prefix, {str(k): str(v) for k, v in tags.items()})


def is_scoped(event: Event) -> bool:
    """Whether an event decides about whatever is within its scope, not about one finding."""
    return event.type == "scope_accept" or (
        event.type == "override_severity" and event.finding is None
    )


def as_own(event: Event, finding: str) -> Event:
    """A decision within a scope as the decision about one finding that it is; it keeps its id."""
    kind = "accept" if event.type == "scope_accept" else event.type
    return replace(event, type=kind, finding=finding, stored_id=event.id)


def whole(rule: str) -> Place:
    """A place that only decisions about the rule as a whole cover: it is within no boundary."""
    return Place(rule, None, "", {})


def ended_scopes(events: Iterable[Event], dead: Collection[str]) -> frozenset[str]:
    """Ids of decisions within a scope that a ``scope_end`` which is not undone has ended."""
    return frozenset(
        str(event.payload.get("target"))
        for event in events
        if event.type == "scope_end" and event.id not in dead
    )
