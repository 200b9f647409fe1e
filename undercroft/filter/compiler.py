"""From a tree to an SQL condition. What was typed only ever becomes a bound parameter."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from undercroft.filter.columns import TEXT, Bindable, Column, Columns
from undercroft.filter.errors import FilterError
from undercroft.filter.keys import KEYS
from undercroft.filter.nodes import And, Node, Not, Or, Term, Value, Word
from undercroft.filter.values import bound, expand, number_range, span

__all__ = ["any_of", "to_sql"]

_Sql = tuple[str, list[Bindable]]


def to_sql(node: Node, columns: Columns, now: datetime) -> tuple[str, list[Bindable]]:
    """A condition and its parameters, to be put after ``WHERE``; ``1`` if everything matches.

    ``now`` is aware; ages count from it and days are those of its zone. A comparison with a column
    that is NULL does not match, and its negation does.

    Raises:
        FilterError: a key that this table does not have.
    """
    return _compile(node, columns, now)


def _compile(node: Node, columns: Columns, now: datetime) -> _Sql:
    match node:
        case Word():
            return any_of(_contains(column, node.value) for column in _of(columns, TEXT, node.at))
        case Term():
            found = _of(columns, node.key, node.at)
            return any_of(_term(node, column, now) for column in found)
        case Not():
            sql, params = _compile(node.child, columns, now)
            return f"({sql}) IS NOT TRUE", params
        case And():
            return _join("AND", [_compile(child, columns, now) for child in node.children])
        case Or():
            return _join("OR", [_compile(child, columns, now) for child in node.children])


def _of(columns: Columns, key: str, at: int) -> Sequence[Column]:
    found = columns.get(key)
    if found is None:
        here = ", ".join(name for name in columns if name != TEXT)
        what = "plain words" if key == TEXT else repr(key)
        raise FilterError(f"{what} at {at + 1} cannot be asked of this list, which has {here}", at)
    return (found,) if isinstance(found, Column) else found


def _term(term: Term, column: Column, now: datetime) -> _Sql:
    key = KEYS[term.key]
    match key.kind:
        case "enum" | "severity":
            words = [word for value in term.values for word in expand(key, term.op, value)]
            sql, params = _equalany_of(column, [Value((word,)) for word in words])
        case "flag":
            wanted = {word for value in term.values for word in expand(key, term.op, value)}
            return _flag(column, wanted)
        case "number":
            sql, params = any_of(_number(column, term.op, value) for value in term.values)
        case "since" | "lapses":
            sql, params = any_of(
                _time(column, key.kind, term.op, value, now, term.at) for value in term.values
            )
        case "name" | "tag":
            sql, params = _equalany_of(column, term.values)
    if key.kind == "tag":
        sql = f"{column.name_expr} = ? COLLATE NOCASE AND ({sql})"
        params = [term.tag, *params]
    return column.placed(sql, params)


def _contains(column: Column, value: Value) -> _Sql:
    sql = f"{column.expr} LIKE ? ESCAPE '\\'"
    return column.placed(sql, [f"%{_like(value)}%"])


def _equalany_of(column: Column, values: Sequence[Value]) -> _Sql:
    """One of ``values``: those without wildcards by IN, so that an index can serve them."""
    plain: list[Bindable] = [_stored(column, value) for value in values if not value.is_wild]
    found: list[_Sql] = []
    if plain:
        marks = ",".join("?" * len(plain))
        # IN takes its collation from the left side.
        left = column.expr if column.kind == "exact" else f"{column.expr} COLLATE NOCASE"
        found.append((f"{left} IN ({marks})", plain))
    found += [_wild(column, value) for value in values if value.is_wild]
    return _join("OR", found) if found else ("0", [])


def _wild(column: Column, value: Value) -> _Sql:
    if not any(value.parts):
        return f"{column.expr} <> ''", []
    return f"{column.expr} LIKE ? ESCAPE '\\'", [_like(value)]


def _stored(column: Column, value: Value) -> Bindable:
    text = value.text
    if column.kind != "exact":
        return text
    if text in column.values:
        return column.values[text]
    if column.fold == "lower":
        return text.lower()
    return text.upper() if column.fold == "upper" else text


def _like(value: Value) -> str:
    return "%".join(
        part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") for part in value.parts
    )


def _flag(column: Column, words: Collection[str]) -> _Sql:
    if len(words) > 1:
        return "1", []
    wanted, params = column.placed(f"{column.expr} = 1", [])
    return (wanted if "yes" in words else f"({wanted}) IS NOT TRUE"), params


def _number(column: Column, op: str, value: Value) -> _Sql:
    wanted = number_range(value.text)
    if wanted is None:  # pragma: no cover  (the parser has refused it)
        return "0", []
    if op != ":":
        return f"{column.expr} {op} ?", [wanted.value]
    upper = "<=" if wanted.inclusive else "<"
    return (
        f"({column.expr} >= ? AND {column.expr} {upper} ?)",
        [wanted.low, wanted.high],
    )


def _time(column: Column, kind: str, op: str, value: Value, now: datetime, at: int) -> _Sql:
    when = span(kind, value.text, now, at)
    if op == ":":
        op = ">=" if kind == "since" else "<="
    if column.kind == "date":
        return f"{column.expr} {op} ?", [when.day.isoformat()]
    op, moment = bound(op, when, ends=kind == "lapses")
    return f"{column.expr} {op} ?", [column.encode(moment)]


def any_of(found: Iterable[_Sql]) -> _Sql:
    """Conditions with their parameters, one of which is enough; ``0`` is one that nothing fulfils."""
    return _join("OR", list(found))


def _join(word: str, found: Sequence[_Sql]) -> _Sql:
    """A balanced tree, because SQLite limits the depth of an expression, not its width."""
    if word == "OR":
        # What matches nothing would keep SQLite from using an index for the rest.
        found = [part for part in found if part[0] != "0"]
    if not found:
        return "1" if word == "AND" else "0", []
    if len(found) == 1:
        return found[0]
    middle = len(found) // 2
    left, left_params = _join(word, found[:middle])
    right, right_params = _join(word, found[middle:])
    return f"({left} {word} {right})", [*left_params, *right_params]
