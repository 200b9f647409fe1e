"""What a saved scan can say about a finding that it has no row for: it never failed in or before it."""

from __future__ import annotations

from functools import cached_property

from undercroft.model import Outcome, Presence
from undercroft.store.commit import blind_services
from undercroft.store.connection import Database
from undercroft.store.coverage import Absence, Units
from undercroft.store.statuses import versions_of
from undercroft.triage.compare import Side
from undercroft.triage.status import RETIRED_RULE

__all__ = ["Looked", "Subject"]


class Subject:
    """The finding in question, as the other scan knows it."""

    __slots__ = ("combined", "kind", "resource", "rule", "unit")

    def __init__(
        self,
        rule: str,
        resource: str,
        unit: tuple[str, str, str, str],
        kind: str,
        *,
        combined: bool,
    ) -> None:
        self.rule = rule
        self.resource = resource
        """Resource key."""
        self.unit = unit
        """Provider, scope, location and collector of the unit that read it."""
        self.kind = kind
        """Resource type."""
        self.combined = combined


class Looked:
    """One scan, asked after the fact."""

    def __init__(self, database: Database, scan_id: int) -> None:
        self._connection = database.connection()
        self._scan = scan_id
        self._units = Units(self._connection, scan_id)
        row = self._connection.execute("SELECT rules FROM scan WHERE id = ?", (scan_id,))
        self._rules = versions_of(row.fetchone()[0])

    def side(self, subject: Subject) -> Side:
        """What the scan could establish about it: anything but a fail."""
        row = self._connection.execute(
            "SELECT s.resource, b.presence, s.carried, s.judgement, s.combined, b.incarnation, "
            "b.hash FROM resource r JOIN snapshot s ON s.resource = r.id AND s.scan = ? "
            "JOIN body b ON b.id = s.body WHERE r.key = ?",
            (self._scan, subject.resource),
        ).fetchone()
        version = self._rules.get(subject.rule)
        if row is None:
            missing = self._units.absence(subject.unit, subject.kind)
            return Side(missing.outcome, missing.reason, rule_version=version)
        number, presence, carried, judgement, combined, incarnation, body = row
        outcome, reason = self._outcome(
            subject, number, presence, bool(carried), (judgement, combined)
        )
        read = outcome is Outcome.PASS
        return Side(
            outcome,
            reason,
            incarnation=incarnation if read else None,
            body=body if read else None,
            rule_version=version,
        )

    def _outcome(
        self,
        subject: Subject,
        number: int,
        presence: str,
        carried: bool,
        judgements: tuple[int | None, int | None],
    ) -> Absence:
        if presence == Presence.ABSENT:
            return Absence(Outcome.GONE)
        if carried or presence == Presence.STUB:
            missing = self._units.absence(subject.unit, subject.kind)
            if missing.outcome is Outcome.UNKNOWN:
                return missing
            return Absence(Outcome.UNKNOWN, "it was not read in this scan")
        version = self._rules.get(subject.rule)
        if version == RETIRED_RULE:
            return Absence(Outcome.NOT_RUN, "the rule is retired")
        if version is None:
            return Absence(Outcome.NOT_RUN, "the rule was not part of this scan")
        blind = self._connection.execute(
            "SELECT d.reason FROM blind d JOIN rule u ON u.id = d.rule "
            "WHERE d.judgement IN (?, ?) AND u.name = ? LIMIT 1",
            (*judgements, subject.rule),
        ).fetchone()
        if blind is not None:
            return Absence(Outcome.UNKNOWN, blind[0])
        if subject.combined and number in self._blind_services:
            return Absence(Outcome.UNKNOWN, "something beneath this service could not be read")
        return Absence(Outcome.PASS)

    @cached_property
    def _blind_services(self) -> frozenset[int]:
        return blind_services(self._connection, self._scan, gaps=self._units.gaps() > 0)
