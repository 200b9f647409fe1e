"""How a key of the filter language is asked of a table: supplied by whoever owns the table.

Everything in a ``Column`` is SQL written by a programmer. What a user typed only ever becomes a bound
parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Literal, TypeAlias

from undercroft.clock import stamp
from undercroft.records import dataclass

__all__ = ["TEXT", "Bindable", "Column", "Columns", "Placed"]

Bindable: TypeAlias = "str | int | float"

Placed: TypeAlias = tuple[str, list[Bindable]]
"""A condition and its parameters."""

TEXT = "text"
"""The entry of a column map that plain words are matched against."""


@dataclass(frozen=True, slots=True)
class Column:
    """One place where a key's value can be found."""

    expr: str
    """SQL expression, such as ``f.region`` or, inside ``within``, ``r.name``."""
    kind: Literal["contains", "name", "exact", "number", "time", "date", "flag"] = "exact"
    """How values are compared:

    contains: the value occurs in it, without regard to ASCII case; for plain words.
    name: it is the value, without regard to ASCII case; ``*`` stands for anything.
    exact: it equals the value after ``fold`` and ``values`` (an index can serve it); with ``*``, as
    name.
    number: ``:`` means equal at the precision that was typed.
    time: stored as ``encode`` writes it, so that order is order in time.
    date: an ISO calendar day; for ``lapses``, whose acceptances end with a day.
    flag: 1 means yes, anything else (NULL too) no.
    """
    fold: Literal["", "lower", "upper"] = ""
    """Letter case in which an exact column keeps its values."""
    values: Mapping[str, Bindable] = field(default_factory=dict)
    """Exact: what the language calls a value → what the column holds, where these differ."""
    within: tuple[str, str] = ("", "")
    """SQL around the condition: ``("f.rule IN (SELECT id FROM rules WHERE ", ")")``."""
    place: Callable[[str, list[Bindable]], Placed] | None = None
    """Instead of ``within``: a condition on ``expr`` → the one to ask of the table. May look up at once
    what ``within`` would leave to a subquery.
    """
    name_expr: str = ""
    """For ``tag``: the expression that holds the tag's name (compared without regard to case)."""
    encode: Callable[[datetime], Bindable] = stamp
    """Time: an aware datetime as this column stores it."""

    def placed(self, sql: str, params: list[Bindable]) -> Placed:
        """A condition on ``expr`` as it is asked of the table."""
        if self.place is not None:
            return self.place(sql, params)
        before, after = self.within
        return f"{before}{sql}{after}", params


Columns: TypeAlias = Mapping[str, Column | Sequence[Column]]
"""Key of the language (``tag`` for all ``tag.NAME``; ``TEXT`` for words) → column, or several of which
any may match. A key that is missing cannot be asked of this table."""
