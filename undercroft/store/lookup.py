"""Answers what a condition asks of the small tables beforehand, as long as that gives few numbers.

The large table is then asked by number, which its indexes serve; as a subquery SQLite would rather
walk the whole list in its order and ask of each row.
"""

# ruff: noqa: S608  (only names of our own tables and columns are put together; values are bound)

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from undercroft.filter import Bindable, FilterError, Placed
from undercroft.store.connection import Database

__all__ = ["Lookup"]

_MANY = 2_000
"""Numbers that one lookup hands over; what names more stays a subquery, which is then no worse."""
_MOST = 10_000
"""Numbers in one condition, however many words it has: SQLite limits what can be bound."""
_FREQUENT = 20_000
"""Findings of a rule from which on its index is of no use for a whole list."""


class Lookup:
    """For one condition on one scan's findings."""

    def __init__(self, database: Database, scan: int, *, near: bool = False) -> None:
        """``near``: what names much is asked of one row after the other, which is best where a few
        rows are enough.
        """
        self.scan = scan
        self.near = near
        self.resources: list[int] = []
        """Resources that the condition names one by one."""
        self.is_frequent = False
        """Something in the condition holds for so many findings that each row is asked."""
        self._database = database
        self._connection = database.connection()
        self._left = _MOST

    def among(self, expr: str, select: str, params: list[Bindable]) -> Placed:
        """``expr IN (select)``; with the numbers themselves if there are few."""
        found = self._few(select, params)
        if found is None:
            return f"{expr} IN ({select})", params
        if expr == "t.resource":
            self.resources += found
        return _one_of(expr, found)

    def by(self, expr: str, select: str, end: str = "") -> Callable[[str, list[Bindable]], Placed]:
        """How a column is placed whose condition chooses what ``select`` gives."""
        return lambda sql, params: self.among(expr, f"{select}{sql}{end}", params)

    def rows(self, select: str, params: Sequence[Bindable]) -> list[tuple[Any, ...]] | None:
        """What a query gives, unless that is many rows."""
        rows = self._connection.execute(f"{select} LIMIT ?", (*params, _MANY + 1)).fetchall()
        return rows if len(rows) <= _MANY else None

    def by_id(
        self, expr: str, table: str, frequent: int = 0
    ) -> Callable[[str, list[Bindable]], Placed]:
        """How a column of a smaller table is placed whose rows ``expr`` names.

        ``table``: with the letter that it goes by; ``frequent``: of how many rows fewer are better
        collected than met on a walk.
        """

        def place(sql: str, params: list[Bindable]) -> Placed:
            select = f"SELECT {table[-1]}.id FROM {table} WHERE ({sql})"
            place, bound = self.among(expr, select, params)
            if self.near and bound is params and self.number(select, params, frequent) == frequent:
                # As a list it would first be made in full, however few rows are wanted.
                self.is_frequent = True
                return f"EXISTS ({select} AND {table[-1]}.id = {expr})", params
            return place, bound

        return place

    def number(self, select: str, params: Sequence[Bindable], most: int) -> int:
        """How many rows a query gives, counted no further than ``most``."""
        row = self._connection.execute(
            f"SELECT count(*) FROM ({select} LIMIT ?)", (*params, most)
        ).fetchone()
        return int(row[0])

    def rules(self, sql: str, params: list[Bindable]) -> Placed:
        """Findings of rules ``u`` that fulfil a condition."""
        place, bound = self.among("t.rule", f"SELECT u.id FROM rule u WHERE {sql}", params)
        if self.near or not place.startswith("t.rule IN (?"):
            return place, bound
        rows = self.number(
            f"SELECT 1 FROM state t WHERE t.scan = ? AND {place}", [self.scan, *bound], _FREQUENT
        )
        # A whole list is read faster from end to end than through an index that gives much of it.
        return (f"+{place}" if rows == _FREQUENT else place), bound

    def controls(self, sql: str, params: list[Bindable]) -> Placed:
        """Findings of rules that map to a control ``k`` which fulfils a condition."""
        if self._connection.execute("SELECT 1 FROM control LIMIT 1").fetchone() is None:
            raise FilterError(
                "no scan in this cache says which frameworks its rules map to: scan again", 0
            )
        return self.among("t.rule", f"SELECT DISTINCT k.rule FROM control k WHERE {sql}", params)

    def bodies(self, sql: str, params: list[Bindable]) -> Placed:
        """Findings of resources whose body ``b`` fulfils a condition.

        A row of a resource that this scan did not read keeps the body that was read last.
        """
        select = f"SELECT b.id FROM body b WHERE ({sql})"
        found = self._few(select, params)
        if found is None:
            if self.near:
                self.is_frequent = True
                return f"EXISTS ({select} AND b.id = t.body)", params
            return f"t.body IN ({select})", params
        place, bound = _one_of("t.body", found)
        strays = self.strays()
        if not found or strays is None:
            return place, bound
        # There is an index by resource and none by body.
        owners = self._few(
            f"SELECT DISTINCT s.resource FROM snapshot s WHERE s.body IN ({_marks(found)})", found
        )
        if owners is None:
            return place, bound
        owners += strays
        if not owners:
            return "0", []
        self.resources += owners
        of_these, numbers = _one_of("t.resource", owners)
        return f"({of_these} AND {place})", [*numbers, *bound]

    def _few(self, select: str, params: Sequence[Bindable]) -> list[int] | None:
        """The numbers that a query gives, unless they are many."""
        most = min(_MANY, self._left)
        rows = self._connection.execute(f"{select} LIMIT ?", (*params, most + 1)).fetchall()
        if len(rows) > most:
            return None
        self._left -= len(rows)
        return [row[0] for row in rows]

    def strays(self) -> list[int] | None:
        """Resources with findings in this scan whose body no scan in this cache may have read any
        more; None if they are many.
        """
        strays = self._database.strays
        (deleted,) = self._connection.execute(
            "SELECT (SELECT seq FROM sqlite_sequence WHERE name = 'scan') > count(*) FROM scan"
        ).fetchone()
        if not deleted:
            return []
        if self.scan not in strays:
            rows = self._connection.execute(
                "SELECT DISTINCT resource FROM tally WHERE scan = ?1 AND resource NOT IN "
                "(SELECT resource FROM snapshot WHERE scan = ?1) LIMIT ?2",
                (self.scan, _MANY + 1),
            ).fetchall()
            strays[self.scan] = None if len(rows) > _MANY else [row[0] for row in rows]
        return strays[self.scan]


def _one_of(expr: str, numbers: list[int]) -> Placed:
    if not numbers:
        return "0", []
    return f"{expr} IN ({_marks(numbers)})", list(numbers)


def _marks(numbers: Sequence[int]) -> str:
    return ",".join("?" * len(numbers))
