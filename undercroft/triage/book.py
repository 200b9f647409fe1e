"""A whole log, or the part of it that concerns some findings, asked finding by finding."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from undercroft.triage.events import Event, graph_heads, order_key
from undercroft.triage.resolve import Resolved, dead_events, resolve
from undercroft.triage.scopes import Place, Scope, ended_scopes, is_scoped, scope_of

__all__ = ["SCOPE_TYPES", "WHOLE_LOG_TYPES", "Book"]

SCOPE_TYPES: Final = ("scope_accept", "scope_end", "scope_seen")
WHOLE_LOG_TYPES: Final = ("undo", "alias.link", *SCOPE_TYPES)
"""Event types that may concern a finding without naming it.

A part of a log needs all of them, and whatever else names no finding: the rating of a rule.
"""


class Book:
    """What people said, with undone events, scopes and aliases taken into account.

    ``events``: a whole log, or everything about some findings, all of ``WHOLE_LOG_TYPES``, and all
    that names no finding.
    """

    def __init__(self, events: Iterable[Event]) -> None:
        known = list(events)
        self.dead = dead_events(known)
        self._own: dict[str, list[Event]] = {}
        self._scopes: dict[str, Event] = {}
        links: list[Event] = []
        for event in known:
            if is_scoped(event):
                self._scopes[event.id] = event
            if event.finding is not None:
                self._own.setdefault(event.finding, []).append(event)
            if event.type == "alias.link" and event.id not in self.dead:
                links.append(event)
        self.ended = ended_scopes(known, self.dead)
        self._by_rule: dict[str, list[tuple[Event, Scope]]] = {}
        for event in self._scopes.values():
            scope = scope_of(event)
            if scope is not None:
                self._by_rule.setdefault(scope.rule, []).append((event, scope))
        self._alias = _groups(links)

    def __bool__(self) -> bool:
        return bool(self._own or self._scopes)

    def scoped(self, rule: str) -> bool:
        """Whether any scope, ended or not, is about this rule: only then a place is needed."""
        return rule in self._by_rule

    def tagged(self, rule: str) -> bool:
        """Whether any scope about this rule looks at tags."""
        return any(scope.tags for _, scope in self._by_rule.get(rule, ()))

    @property
    def rules(self) -> frozenset[str]:
        """Rules that any scope, ended or not, is about."""
        return frozenset(self._by_rule)

    @property
    def subjects(self) -> frozenset[tuple[str, str | None]]:
        """(rule, the one CVE of it or None) that any scope, ended or not, is about."""
        return frozenset(
            (scope.rule, scope.cve) for found in self._by_rule.values() for _, scope in found
        )

    def standing(self, scope: Scope) -> list[Event]:
        """What was decided within exactly this boundary and is not undone or ended, oldest first."""
        found = [
            event
            for event, other in self._by_rule.get(scope.rule, ())
            if other == scope and event.id not in self.dead and event.id not in self.ended
        ]
        return sorted(found, key=order_key)

    def aliases(self, finding: str) -> tuple[str, ...]:
        """All ids under which a finding is known, itself included."""
        return self._alias.get(finding, (finding,))

    def alias_groups(self) -> frozenset[tuple[str, ...]]:
        """Every set of ids that mean one finding, the one that is kept first."""
        return frozenset(self._alias.values())

    def covering(self, place: Place) -> list[Event]:
        """Decisions within a scope that are not undone or ended and cover this place."""
        return [
            event
            for event, scope in self._by_rule.get(place.rule, ())
            if event.id not in self.dead and event.id not in self.ended and scope.covers(place)
        ]

    def ever_covering(self, place: Place) -> list[Event]:
        """Decisions within a scope that covers this place, whether they still hold or not."""
        return [event for event, scope in self._by_rule.get(place.rule, ()) if scope.covers(place)]

    def resolved(self, finding: str, place: Place | None = None) -> Resolved | None:
        """What holds for a finding; None if nobody said anything about it.

        ``place``: where it is; without it no scope covers it.
        """
        own = [event for name in self.aliases(finding) for event in self._own.get(name, ())]
        covering = self.covering(place) if place is not None else []
        if not own and not covering:
            return None
        return resolve(own, self.dead, scopes=self._scopes, covering=covering)

    def heads(self, finding: str, place: Place | None = None) -> tuple[str, ...]:
        """Parents of the next event about a finding: scopes that cover it were known too."""
        own = [event for name in self.aliases(finding) for event in self._own.get(name, ())]
        return graph_heads([*own, *(self.covering(place) if place is not None else ())])


def _groups(links: Iterable[Event]) -> Mapping[str, tuple[str, ...]]:
    """Finding → all ids of the same finding; the one kept is the first that a link names as kept."""
    groups: dict[str, list[str]] = {}
    for link in sorted(links, key=lambda event: (event.lamport, event.id)):
        kept, other = link.finding, link.payload.get("alias")
        if kept is None or not isinstance(other, str) or kept == other:
            continue
        one, two = groups.get(kept, [kept]), groups.get(other, [other])
        if one is not two:
            joined = [*one, *two]
            for name in joined:
                groups[name] = joined
    return {name: tuple(joined) for name, joined in groups.items()}
