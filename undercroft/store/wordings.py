"""What findings are called: rule, CVE, package and title, each wording once however many say so.

A word is looked for in here. Findings are then found by rule, CVE and package, which have indexes.
"""

# ruff: noqa: S608  (only names of our own columns are put together; values are bound)

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from undercroft.filter import Bindable, Placed
    from undercroft.store.lookup import Lookup

__all__ = ["Wording", "called", "rebuild", "rename", "write"]

Wording = tuple[str, str, int, str]
"""CVE and package (each may be empty), rule and title."""

_LIKE = "LIKE ? ESCAPE '\\'"
_TITLE = f"EXISTS (SELECT 1 FROM observation o WHERE o.id = t.observation AND o.title {_LIKE})"
_NAMED = (
    "EXISTS (SELECT 1 FROM finding f WHERE f.id = t.finding "
    f"AND (f.cve {_LIKE} OR f.package {_LIKE}))"
)
_ANY = f"w.title {_LIKE} OR w.cve {_LIKE} OR w.package {_LIKE}"
_HITS = (
    f"SELECT w.cve, w.package, w.rule, w.cve {_LIKE}, w.package {_LIKE} FROM wording w WHERE {_ANY}"
)
_LISTED = "SELECT value FROM json_each(?)"
_BY_PAIR = (
    "SELECT f.id FROM json_each(?) j CROSS JOIN finding f "
    "ON f.cve = json_extract(j.value, '$[0]') COLLATE NOCASE "
    "AND coalesce(f.package, '') = json_extract(j.value, '$[1]')"
)
_BY_TITLE = (
    "SELECT f.id FROM wording w CROSS JOIN finding f ON f.cve = w.cve COLLATE NOCASE "
    f"AND coalesce(f.package, '') = w.package WHERE w.cve <> '' AND w.title {_LIKE} "
    # Those are found by their names.
    f"AND NOT (w.cve {_LIKE} OR w.package {_LIKE})"
)
_OF_ALL = f"t.observation IN (SELECT o.id FROM observation o WHERE o.title {_LIKE})"
_FREQUENT = 20_000
"""Findings from which on all titles are looked through."""
_OTHERS = "SELECT w.rule FROM wording w WHERE w.cve = '' GROUP BY w.rule HAVING"
_WHOLE_RULES = f"{_OTHERS} min(w.title {_LIKE})"
_PARTS_OF_RULES = f"{_OTHERS} max(w.title {_LIKE}) > min(w.title {_LIKE})"


class _Asked(NamedTuple):
    """Queries, each with its parameters, for what the wordings that a pattern is like lead to."""

    names: Sequence[tuple[str, list[Bindable]]]
    """Findings with such a package or CVE."""
    titles: tuple[str, list[Bindable]]
    """Findings with a CVE that only some title of theirs is like."""
    rules: tuple[str, list[Bindable]]
    """Rules with any of these findings."""


def called(lookup: Lookup, pattern: Bindable) -> list[Placed]:
    """Conditions on ``state t``, any of which holds for findings whose title, CVE or package is like
    ``pattern``.
    """
    hits = lookup.rows(_HITS, [pattern] * 5)
    asked = _asked_again(pattern) if hits is None else _asked(hits)
    many = hits is None
    found: list[Placed] = []
    if not (lookup.near and many):
        found += [lookup.among("t.finding", *one) for one in asked.names]
        place, bound = lookup.among("t.finding", *asked.titles)
        many = any("SELECT f.id" in part for part in (place, *(one for one, _ in found)))
    if lookup.near and many:
        lookup.is_frequent = True
        # Asked of one row after the other, in the order of the only rule, if it is one.
        rules, numbers = lookup.among("t.rule", *asked.rules)
        return [(f"({rules} AND ({_TITLE} OR {_NAMED}))", [*numbers, *[pattern] * 3])]
    if bound is asked.titles[1] and lookup.number(*asked.titles, _FREQUENT) == _FREQUENT:
        return [*found, (_OF_ALL, [pattern])]
    if place != "0":
        # The same finding may have been called otherwise in another scan.
        found.append((f"({place} AND {_TITLE})", [*bound, pattern]))
    found.append(lookup.among("t.rule", _WHOLE_RULES, [pattern]))
    place, bound = lookup.among("t.rule", _PARTS_OF_RULES, [pattern] * 2)
    if place != "0":
        found.append((f"({place} AND {_TITLE})", [*bound, pattern]))
    return found


def _asked(hits: Sequence[tuple[Any, ...]]) -> _Asked:
    """By what the wordings name: they have been read."""
    rules, packages, cves, pairs = set(), set(), set(), set()
    for cve, package, rule, by_cve, by_package in hits:
        rules.add(rule)
        if by_cve:
            cves.add(cve)
        if by_package:
            packages.add(package)
        if cve and not by_cve and not by_package:
            pairs.add((cve, package))
    return _Asked(
        [
            (_by_name("package", _LISTED), [json.dumps(sorted(packages))]),
            (_by_name("cve", _LISTED), [json.dumps(sorted(cves))]),
        ],
        (_BY_PAIR, [json.dumps(sorted(pairs))]),
        (_LISTED, [json.dumps(sorted(rules))]),
    )


def _asked_again(pattern: Bindable) -> _Asked:
    """By the pattern: they are too many to be read."""
    return _Asked(
        [
            (
                _by_name(name, f"SELECT DISTINCT w.{name} FROM wording w WHERE w.{name} {_LIKE}"),
                [pattern],
            )
            for name in ("package", "cve")
        ],
        (_BY_TITLE, [pattern] * 3),
        (f"SELECT DISTINCT w.rule FROM wording w WHERE {_ANY}", [pattern] * 3),
    )


def _by_name(column: str, names: str) -> str:
    return f"SELECT f.id FROM finding f WHERE f.{column} COLLATE NOCASE IN ({names})"


def write(connection: sqlite3.Connection, wordings: Sequence[Wording]) -> None:
    """Keep those that are new. Runs inside the caller's transaction."""
    connection.executemany(
        "INSERT OR IGNORE INTO wording (cve, package, rule, title) VALUES (?, ?, ?, ?)",
        sorted(wordings),
    )


def rename(connection: sqlite3.Connection, old: int, new: int) -> None:
    """A renamed rule goes on under its new name, with what it said before."""
    connection.execute(
        "INSERT OR IGNORE INTO wording SELECT cve, package, ?, title FROM wording WHERE rule = ?",
        (new, old),
    )


def rebuild(connection: sqlite3.Connection) -> None:
    """Those of the answers that there are. Runs inside the caller's transaction."""
    connection.execute("DELETE FROM wording")
    connection.execute(
        "INSERT INTO wording SELECT DISTINCT coalesce(f.cve, ''), coalesce(f.package, ''), f.rule, "
        "o.title FROM observation o JOIN finding f ON f.id = o.finding ORDER BY 1, 2, 3, 4"
    )
