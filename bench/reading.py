"""Pages of the findings table and one service's tower, against hand-written SQL."""

from __future__ import annotations

from typing import Any, NamedTuple

from bench import sql
from bench.measure import Figure, in_turns
from bench.world import World
from undercroft.views import Query, Tower

__all__ = ["jumps", "pages", "towers"]

_PAGE = 64
"""Rows that the table on screen asks for at once."""
_WORST = "t.score DESC, t.tie"
_ROUNDS = 9
_SHOWN = 8
"""Services that are opened, from the worst to the last."""


class _Page(NamedTuple):
    what: str
    query: Query
    condition: str
    order: str = _WORST
    source: str = "state t"
    params: tuple[Any, ...] = ()


_WORD = "%package-17%"
_PAGES = (
    _Page("first page", Query(), "t.scan = ?1"),
    _Page(
        "first page, status and severity",
        Query("status:active severity>=high"),
        # The plus keeps SQLite on the order's index, which ends after a page.
        "t.scan = ?1 AND +t.status IN ('open', 'reopened', 'fix_claimed') AND +t.severity >= 3",
    ),
    _Page(
        "first page, one rule",
        Query("rule:aws-s3-no-kms"),
        "t.scan = ?1 AND t.rule = (SELECT id FROM rule WHERE name = ?2)",
        params=("aws-s3-no-kms",),
    ),
    _Page(
        "first page, one service",
        Query("service:fraud-0"),
        "t.scan = ?1 AND t.resource IN (SELECT c.resource FROM closure c WHERE c.scan = ?1 "
        "AND c.service IN (SELECT resource FROM service WHERE scan = ?1 AND name = ?2))",
        # The plus keeps SQLite off the order's index, which it would walk for long.
        order="+t.score DESC, t.tie",
        params=("fraud-0",),
    ),
    _Page(
        "first page, a word anywhere",
        Query("package-17"),
        "t.scan = ?1 AND (f.package LIKE ?2 OR o.title LIKE ?2 OR f.cve LIKE ?2 "
        "OR u.name LIKE ?2 OR b.name LIKE ?2 OR r.key LIKE ?2)",
        source=f"state t {sql.JOINS}",
        params=(_WORD,),
    ),
    _Page(
        "first page, sorted by severity",
        Query(sort="severity"),
        # The best of each severity, from its index.
        "t.scan = ?1 AND w.id IN ("
        + " UNION ALL ".join(
            "SELECT id FROM (SELECT id FROM state WHERE scan = ?1 "
            f"AND severity = {rank} ORDER BY score DESC, tie LIMIT {_PAGE})"
            for rank in range(4, -1, -1)
        )
        + ")",
        "t.severity DESC, t.score DESC, t.tie",
        "state_row w CROSS JOIN state t ON t.id = w.id",
    ),
    _Page(
        "first page, sorted by resource",
        Query(sort="resource_name"),
        "t.scan = ?1",
        "b.name DESC, t.score DESC, t.tie",
        "state t JOIN body b ON b.id = t.body",
    ),
)


def pages(world: World) -> list[Figure]:
    """The first page of the findings table: unsorted, filtered, sorted."""
    connection = world.bare()
    found = []
    for page in _PAGES:

        def ours(page: _Page = page) -> list[str]:
            rows = world.store.findings(world.scan.id, page.query, 0, _PAGE)
            return [row.id for row in rows]

        def bare(page: _Page = page) -> list[str]:
            rows = sql.page(
                connection,
                page.condition,
                page.order,
                (world.scan.id, *page.params),
                limit=_PAGE,
                source=page.source,
            )
            return [row[0] for row in rows]

        if ours() != bare():
            raise RuntimeError(f"{page.what}: the yardstick shows other rows than the store")
        found.append(Figure.of(page.what, in_turns(ours, bare, rounds=world.rounds(_ROUNDS)), 2.0))
    connection.close()
    return found


def jumps(world: World) -> list[Figure]:
    """A page in the middle and at the end against the first one, through the store."""
    total = world.store.count_findings(world.scan.id, Query())
    found = []
    for what, offset in (("middle", total // 2), ("end", max(0, total - _PAGE))):

        def there(offset: int = offset) -> object:
            return world.store.findings(world.scan.id, Query(), offset, _PAGE)

        def first() -> object:
            return world.store.findings(world.scan.id, Query(), 0, _PAGE)

        pair = in_turns(there, first, rounds=world.rounds(3 * _ROUNDS))
        note = f"row {offset:,} of {total:,}; bare: the first page through the store"
        found.append(Figure.of(f"page at the {what}", pair, 1.2, note=note))
    return found


def towers(world: World) -> list[Figure]:
    """Opening services, from the worst to the last."""
    store, scan = world.store, world.scan
    step = max(1, scan.services // _SHOWN)
    rows = [
        store.services(scan.id, Query(), offset, 1)[0] for offset in range(0, scan.services, step)
    ]
    connection = world.bare()
    numbers = {
        row.key: connection.execute("SELECT id FROM resource WHERE key = ?", (row.key,)).fetchone()
        for row in rows
    }
    lines = {row.key: len(store.tower(scan.id, row.key).contributions) for row in rows}

    def ours() -> list[Tower]:
        return [store.tower(scan.id, row.key) for row in rows]

    def bare() -> object:
        return [sql.tower(connection, scan.id, numbers[row.key][0], lines[row.key]) for row in rows]

    pair = in_turns(ours, bare, rounds=world.rounds(_ROUNDS))
    below = [sum(len(layer.resources) for layer in tower.layers) for tower in ours()]
    note = (
        f"{len(rows)} services together; beneath each {min(below)} to {max(below)} resources, "
        f"{min(row.open for row in rows):,} to {max(row.open for row in rows):,} open findings"
    )
    connection.close()
    return [Figure.of("open a service", pair, 2.0, note=note)]
