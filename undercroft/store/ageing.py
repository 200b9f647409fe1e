"""The times of findings, read from all their scans and decisions."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from datetime import datetime

from undercroft.store.refresh import states_of
from undercroft.store.scoped import place_of
from undercroft.store.statuses import events_for, facts_of, versions_in
from undercroft.triage.ageing import Ageing, Look, ageing, spans, unbroken
from undercroft.triage.book import Book
from undercroft.triage.status import RETIRED_RULE
from undercroft.triage.when import instant
from undercroft.views import FindingRow

__all__ = ["BROKEN", "ageings"]

BROKEN = "EXISTS (SELECT 1 FROM state_row k WHERE k.finding = t.finding AND k.outcome <> 'fail')"
"""Whether any scan saw the finding of ``state t`` otherwise than failing."""


def ageings(
    connection: sqlite3.Connection,
    scan_id: int,
    rows: Sequence[FindingRow],
    now: datetime,
    broken: Collection[str],
) -> dict[str, Ageing]:
    """Finding → its times at ``now``, as known with this scan and those before it.

    ``broken``: the findings for which ``BROKEN`` holds.
    """
    events = events_for(connection, [row.id for row in rows])
    book = Book(events)
    found: dict[str, Ageing] = {}
    since: dict[str, Ageing] = {}
    versions = versions_in(connection)
    for row in rows:
        if not book and row.id not in broken:  # as most are
            known = since.get(row.first_seen)
            if known is not None:
                found[row.id] = known
                continue
        first_seen = instant(row.first_seen)
        if first_seen is None:
            continue
        place = place_of(connection, book, row.id) if book.scoped(row.rule) else None
        said = book.resolved(row.id, place) or (place and book.ever_covering(place))
        if row.id not in broken and not said:
            found[row.id] = since[row.first_seen] = unbroken(first_seen, now)
            continue
        looks = [
            Look(sighting, facts_of(seen), seen.rule_version == RETIRED_RULE)
            for scan, _, _, _, _, sighting, seen in states_of(connection, row.id, None, versions)
            if scan <= scan_id
        ]
        found[row.id] = ageing(spans(looks, events, row.id, place, now), first_seen, now)
    return found
