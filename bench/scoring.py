"""Scores: all services against one aggregation in SQL, and what one decision sets off."""

from __future__ import annotations

import time
from datetime import date

from bench.measure import Figure, in_turns, settled
from bench.world import NOW, World
from undercroft.feeds import KEV, ParsedFeed
from undercroft.store import Store, weights
from undercroft.triage.decide import Triage

__all__ = ["combining", "planning", "rescoring", "scoring"]

_ROUNDS = 7
_ROWS = 20
"""Of a list of repairs, as many as a screen shows."""
_AGGREGATE = (
    "SELECT c.service, t.layer, sum(t.findings), max(t.severity) FROM closure c "
    "CROSS JOIN tally t ON t.scan = c.scan AND t.resource = c.resource "
    "WHERE c.scan = ? GROUP BY c.service, t.layer"
)
_SHARED = (
    "SELECT f.fid, c.services FROM (SELECT x.resource, count(*) AS services FROM closure x "
    "JOIN snapshot s ON s.scan = x.scan AND s.resource = x.resource JOIN body b ON b.id = s.body "
    "WHERE x.scan = ? AND b.type = 'iam:role' GROUP BY x.resource) c "
    "JOIN state t ON t.scan = ? AND t.resource = c.resource JOIN finding f ON f.id = t.finding "
    "WHERE t.status = 'open' ORDER BY c.services DESC LIMIT 1"
)
_AT_ONCE = 1.0
"""Seconds: what a decision may take until every screen shows its scores."""


def scoring(world: World) -> list[Figure]:
    """Every service, residual and inherent, from closure and the weights of each resource."""
    scan = world.scan.id
    ours, bare = world.bare(), world.bare()
    pair = in_turns(
        lambda: weights.scores(ours, scan),
        lambda: bare.execute(_AGGREGATE, (scan,)).fetchall(),
        rounds=world.rounds(_ROUNDS),
    )
    note = "bare: GROUP BY over closure and the roll-up of counts"
    return [Figure.of("score all services", pair, 5.0, note=note)]


def rescoring(world: World) -> list[Figure]:
    """Accepting, and undoing it, on the role that most services share."""
    row = world.bare().execute(_SHARED, (world.scan.id, world.scan.id)).fetchone()
    if row is None:
        return []
    finding, services = row
    with Store.open(world.copy("decided.db"), clock=lambda: NOW) as store:
        triage = Triage(store, actor="bench <bench@example.com>", clock=lambda: NOW)

        def decide() -> float:
            start = time.process_time()
            triage.accept(
                [finding],
                reason="measured and found bearable",
                until=date(2027, 6, 1),
                owner="bench",
                scan_id=world.scan.id,
            )
            end = time.process_time()
            triage.undo()
            return end - start

        pair = settled(decide, lambda: _AT_ONCE, rounds=world.rounds(_ROUNDS))
    note = f"{services:,} services stand on it; bare: the time allowed"
    return [Figure.of("one decision on the most shared role", pair, 1.0, note=note)]


def planning(world: World) -> list[Figure]:
    """The first page of repairs in order, loading included; then one of them marked as planned."""
    scan = world.scan.id
    start = time.process_time()
    plan = world.store.repair_plan(scan)
    loaded = time.process_time()
    rows = plan.first(_ROWS)
    listed = time.process_time()
    plan.what_if([rows[0].id])
    marked = time.process_time()
    plan.what_if([])
    end = time.process_time()
    return [
        Figure(
            f"the first {len(rows)} repairs",
            (listed - start) * 1000,
            (loaded - start) * 1000,
            None,
            note="bare: reading hazards and scoring all services as they are",
        ),
        Figure(
            "what if: the repair that helps most, planned",
            (marked - listed) * 1000,
            _AT_ONCE * 1000,
            1.0,
            note=f"{len(rows[0].helps):,} services change; bare: the time allowed",
            parts={"and taken out again": (end - marked) * 1000},
        ),
    ]


def combining(world: World) -> list[Figure]:
    """A catalogue that names one in a hundred of the estate's vulnerabilities."""
    known = [
        row[0]
        for row in world.bare().execute(
            "SELECT DISTINCT cve FROM finding WHERE cve IS NOT NULL ORDER BY cve"
        )
    ]
    feed = ParsedFeed(KEV, "1", "2026-10-31", dict.fromkeys(known[::100], "2026-10-01"))
    with Store.open(world.copy("fed.db"), clock=lambda: NOW) as store:
        start = time.process_time()
        store.import_feed(feed)
        imported = time.process_time()
        found = store.combine_again(world.engine)
        end = time.process_time()
    note = f"{len(found.appeared):,} appeared; bare: importing {len(feed.values):,} vulnerabilities"
    return [
        Figure(
            "combinations of all services anew",
            (end - imported) * 1000,
            (imported - start) * 1000,
            None,
            note=note,
        )
    ]
