"""Why a score is not what it was in the scan before: one cause for every finding that counts otherwise.

A score also moves between two scans, by decisions and by what feeds say: both apply to saved scans.
What it was when its scan was saved, and how much of what moved since is a feed's doing, are kept
beside it; the rest is decisions, and the clock that ends them.
"""

# ruff: noqa: S608  (only names of our own columns are put together; values are bound)

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple

from undercroft.model import Outcome
from undercroft.risk.trends import CAUSES, Cause, Entry, attribute
from undercroft.store.combos import ALIVE, Components
from undercroft.store.coverage import Units
from undercroft.store.encode import load
from undercroft.store.models import model_of
from undercroft.store.rollup import score_items

__all__ = ["Compared", "by_feed", "by_model"]

_DECIDED = ("accepted", "false_positive")
_ACTIVE = ("open", "reopened", "fix_claimed")
_ENDED = ("fixed", "gone", "retired")


def by_feed(connection: sqlite3.Connection) -> AbstractContextManager[None]:
    """Whatever scores move within is a feed's doing; inside the caller's transaction."""
    return _moving(connection, "fed")


def by_model(connection: sqlite3.Connection) -> AbstractContextManager[None]:
    """Whatever scores move within is the doing of other constants; inside the caller's transaction.

    What a score was when its scan was saved moves along: one change, between two scans of different
    models, tells of it.
    """
    return _moving(connection, "saved")


@contextmanager
def _moving(connection: sqlite3.Connection, column: str) -> Iterator[None]:
    select = "SELECT scan, resource, score FROM service"
    before = {(scan, service): score for scan, service, score in connection.execute(select)}
    yield
    moved = [
        (score - before[scan, service], scan, service)
        for scan, service, score in connection.execute(select)
        if (scan, service) in before and score != before[scan, service]
    ]
    connection.executemany(
        f"UPDATE service SET {column} = {column} + ? WHERE scan = ? AND resource = ?", moved
    )


class _State(NamedTuple):
    """A finding in one scan."""

    rule: str
    status: str
    rated: str
    """Severity, exposure, criticality."""
    combined: int
    resource: int
    evidence: str


_STATE = (
    "SELECT u.name, t.status, t.severity || t.exposure || t.criticality, t.combined, t.resource, "
    "o.evidence FROM finding f JOIN state t ON t.finding = f.id AND t.scan = ? "
    "JOIN rule u ON u.id = f.rule JOIN observation o ON o.id = t.observation WHERE "
)


class Compared:
    """Two scans, and why a finding counts in one of them as it does not in the other."""

    def __init__(self, connection: sqlite3.Connection, before: int, after: int) -> None:
        self._connection = connection
        self._before, self._after = before, after
        self._rules = [self._versions(before), self._versions(after)]
        self._models = (model_of(connection, before), model_of(connection, after))
        first, last = self._models
        self._otherwise = "model" if first.combines_otherwise(last) else "structure"
        """Why a combination is another one though its parts are the same."""
        self._units = Units(connection, before)
        self._components = {scan: Components(connection, scan) for scan in (before, after)}
        self._unfed = Components(connection, before, feeds=False)
        self._known: dict[tuple[int, str], _State | None] = {}
        self._beneath: dict[tuple[int, int], frozenset[str]] = {}

    def service(self, number: int) -> tuple[float, float, list[Cause]]:
        """(score when the scan before was saved, score now, causes) of one service."""
        entries = [self._entries(scan, number) for scan in (self._before, self._after)]
        first, last, causes = attribute(
            entries[0], entries[1], lambda finding: self._cause(finding, entries), self._models
        )
        found = {cause.name: cause for cause in causes}
        decided, fed = self._meanwhile(number)
        for name, points in (("decision", decided), ("feed", fed)):
            known = found.get(name, Cause(name, 0.0, 0))
            if points:
                found[name] = Cause(name, known.points + points, known.findings)
        return first - decided - fed, last, [found[name] for name in CAUSES if name in found]

    def _meanwhile(self, service: int) -> tuple[float, float]:
        """Points that decisions, and feeds, moved in the scan before after it had been saved."""
        row = self._connection.execute(
            "SELECT score - coalesce(saved, score), fed FROM service "
            "WHERE scan = ? AND resource = ? AND saved IS NOT NULL",
            (self._before, service),
        ).fetchone()
        return (0.0, 0.0) if row is None else (row[0] - row[1], row[1])

    def _entries(self, scan: int, service: int) -> dict[str, Entry]:
        return {
            item.finding: Entry(item.layer, value)
            for item, value in score_items(self._connection, scan, service)
            if not item.accepted
        }

    def _cause(self, finding: str, entries: Sequence[Mapping[str, Entry]]) -> str:
        then, now = (self._state(scan, finding) for scan in (self._before, self._after))
        if self._is_model(then, now):
            return "model"
        if finding not in entries[1]:
            cause = self._why_gone(then, now)
            if cause == "fixed" and then is not None and then.combined:
                return self._why_broken(then)
            return cause
        if finding not in entries[0]:
            cause = self._why_there(then, now)
            if cause == "new" and now is not None and now.combined:
                return self._why_complete(now)
            return cause
        rule = now.rule if now else ""
        old, new = (rules.get(rule) for rules in self._rules)
        return "rules" if old != new else "structure"

    def _is_model(self, then: _State | None, now: _State | None) -> bool:
        """Whether a finding is what it was, and only the constants are others."""
        if then is None or now is None or self._models[0].digest == self._models[1].digest:
            return False
        same = (then.status in _ACTIVE, then.rated) == (now.status in _ACTIVE, now.rated)
        rules = (versions.get(now.rule) for versions in self._rules)
        return same and then.status in _ACTIVE and len(set(rules)) == 1

    def _why_gone(self, then: _State | None, now: _State | None) -> str:
        status = now.status if now else ""
        if status in _DECIDED:
            return "decision"
        if status in ("fixed", "gone"):
            return "fixed"
        known = now or then
        if status == "retired" or (known is not None and known.rule not in self._rules[1]):
            return "rules"
        return "structure"

    def _why_there(self, then: _State | None, now: _State | None) -> str:
        if then is not None and then.status in _DECIDED:
            return "decision"
        if then is not None and then.status not in _ENDED:
            return "structure"
        if now is not None and now.rule not in self._rules[0]:
            return "rules"
        if then is None and now is not None and self._unseen(now):
            return "coverage"
        return "new"

    def _unseen(self, now: _State) -> bool:
        """Whether the scan before could not tell of this finding."""
        row = self._connection.execute(
            "SELECT b.presence = 'stub' OR EXISTS (SELECT 1 FROM blind d JOIN rule u "
            "ON u.id = d.rule WHERE d.judgement IN (s.judgement, s.combined) AND u.name = ?) "
            "FROM snapshot s JOIN body b ON b.id = s.body WHERE s.scan = ? AND s.resource = ?",
            (now.rule, self._before, now.resource),
        ).fetchone()
        if row is not None:
            return bool(row[0])
        place = self._connection.execute(
            "SELECT coalesce(u.provider, b.provider), coalesce(u.scope, b.account), "
            "coalesce(u.location, b.region), coalesce(u.collector, b.collector), b.type, u.id "
            "FROM snapshot s JOIN body b ON b.id = s.body LEFT JOIN unit u ON u.id = s.unit "
            "WHERE s.scan = ? AND s.resource = ?",
            (self._after, now.resource),
        ).fetchone()
        if place is None:
            return False
        outcome = self._units.absence(place[:4], place[4]).outcome
        # Not asked for at all, as far as it is known which part of a scan reads it.
        not_asked = outcome is None and place[5] is not None
        return not_asked or outcome is Outcome.UNKNOWN

    # Combinations: what completed or broke them

    def _why_complete(self, now: _State) -> str:
        """Why a combination holds that was not there before, though its rule was."""
        missing = self._missing(now, self._before, self._components[self._before])
        if not missing:
            # All of it was there: either nobody knew that a flaw is exploited, or it is who shares
            # or serves what is made.
            unfed = self._missing(now, self._before, self._unfed)
            return "feed" if unfed else self._otherwise
        causes = {self._why_there(self._state(self._before, f), self._state(self._after, f))
                  for f in self._parts(missing, self._after)
                  if not self._alive(self._before, f)}  # fmt: skip
        return self._first(causes, ("new", "rules", "coverage", "decision"))

    def _why_broken(self, then: _State) -> str:
        """Why a combination that held no longer does."""
        if self._missing(then, self._before, self._components[self._before]):
            # With what is known today it would not have held then.
            return "feed"
        missing = self._missing(then, self._after, self._components[self._after])
        causes = {self._why_gone(self._state(self._before, f), self._state(self._after, f))
                  for f in self._parts(missing, self._before)
                  if not self._alive(self._after, f)}  # fmt: skip
        return self._first(causes, ("fixed", "decision", "rules"))

    def _first(self, causes: Collection[str], order: Sequence[str]) -> str:
        found = next((name for name in order if name in causes), None)
        return found or ("structure" if causes else self._otherwise)

    def _missing(
        self, state: _State, scan: int, components: Components
    ) -> list[tuple[str, Mapping[str, Any]]]:
        """The components of every ingredient that had none at all in a scan, beneath the owner."""
        beneath = self._keys(scan, state.resource)
        slots: dict[int, list[tuple[str, Mapping[str, Any]]]] = {}
        for key, value in load(state.evidence):
            if isinstance(value, dict) and "slot" in value:
                slots.setdefault(int(value["slot"]), []).append((key, value))
        missing = []
        for parts in slots.values():
            if not any(key in beneath and all(components.groups(key, v)) for key, v in parts):
                missing += parts
        return missing

    def _parts(self, missing: Sequence[tuple[str, Mapping[str, Any]]], scan: int) -> set[str]:
        """Ids of the findings that make components in a scan."""
        numbers = {
            item.finding
            for key, value in missing
            for group in self._components[scan].groups(key, value)
            for item in group
        }
        return {
            self._connection.execute("SELECT fid FROM finding WHERE id = ?", (n,)).fetchone()[0]
            for n in numbers
        }

    def _keys(self, scan: int, service: int) -> frozenset[str]:
        if (scan, service) not in self._beneath:
            rows = self._connection.execute(
                "SELECT r.key FROM closure c JOIN resource r ON r.id = c.resource "
                "WHERE c.scan = ? AND c.service = ?",
                (scan, service),
            )
            self._beneath[scan, service] = frozenset(row[0] for row in rows)
        return self._beneath[scan, service]

    def _alive(self, scan: int, finding: str) -> bool:
        state = self._state(scan, finding)
        return state is not None and state.status in ALIVE

    def _state(self, scan: int, finding: str) -> _State | None:
        if (scan, finding) not in self._known:
            row = self._connection.execute(f"{_STATE} f.fid = ?", (scan, finding)).fetchone()
            self._known[scan, finding] = None if row is None else _State(*row)
        return self._known[scan, finding]

    def _versions(self, scan: int) -> Mapping[str, str]:
        found: Mapping[str, str] = load(
            self._connection.execute("SELECT rules FROM scan WHERE id = ?", (scan,)).fetchone()[0]
        )
        return found
