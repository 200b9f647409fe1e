"""Two scans side by side, of one cache or of two: findings, configuration, coverage and scores."""

# ruff: noqa: S608  (only names of our own tables are put together; values are bound)

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

from undercroft.comparison import Change, Comparison, CoverageChange, ResourceChange, ScoreChange
from undercroft.fields import FieldChange, field_changes
from undercroft.model import LAYERS, Outcome, Presence, Severity
from undercroft.store import read_services, scans
from undercroft.store.connection import Database
from undercroft.store.coverage import Units
from undercroft.store.encode import load
from undercroft.store.errors import StoreError
from undercroft.store.fresh import ensure_fresh
from undercroft.store.looked import Looked, Subject
from undercroft.store.statuses import versions_of
from undercroft.triage.compare import Kind, Side, broken_invariant, classify
from undercroft.views import Query

__all__ = ["compare", "config_changes"]

_ORDER = {kind: number for number, kind in enumerate(Kind)}
_SAME = (
    "oa.severity = ob.severity AND oa.evidence_hash = ob.evidence_hash "
    "AND sa.exposure = sb.exposure AND (sa.incarnation IS NULL OR sb.incarnation IS NULL "
    "OR sa.incarnation = sb.incarnation)"
)


def compare(old: tuple[Database, int], new: tuple[Database, int]) -> Comparison:
    """See ``Store.compare``."""
    for database, scan_id in (old, new):
        ensure_fresh(database, scan_id)
    older, newer = (scans.row(database.connection(), scan) for database, scan in (old, new))
    sides = {"a": _Reader(*old), "b": _Reader(*new)}
    with closing(_attached(old[0], new[0])) as both:
        both.execute("BEGIN")
        names = {"a": old[1], "b": new[1]}
        counts: Counter[Kind] = Counter()
        counts[Kind.PERSISTING] = _persisting(both, names)
        changes: list[Change] = []
        for near, far in (("a", "b"), ("b", "a")):
            for change in _changes(both, names, near, far, sides):
                counts[change.kind] += 1
                if change.kind is not Kind.PERSISTING:
                    changes.append(change)
        fails = [_fails(both, side, scan) for side, scan in names.items()]
        resources = tuple(_resources(both, names, sides))
    if problem := broken_invariant(counts, *fails):
        msg = f"The scans could not be compared: {problem}."
        raise StoreError(msg)
    return Comparison(
        older=older,
        newer=newer,
        counts={kind: counts[kind] for kind in Kind},
        changes=tuple(sorted(changes, key=_worst_first)),
        resources=resources,
        coverage=tuple(_coverage(old, new)),
        scores=tuple(_scores(old, new)),
    )


def config_changes(
    old: tuple[Database, int], new: tuple[Database, int], key: str
) -> list[FieldChange]:
    """Fields of one resource that differ between two scans: configuration, then tags."""
    (config, tags), (config2, tags2) = (
        _content(database.connection(), scan, key) for database, scan in (old, new)
    )
    return [*field_changes(config, config2), *field_changes(tags, tags2, "tags")]


class _Reader:
    """One side's scan: what it says where it has no row."""

    def __init__(self, database: Database, scan_id: int) -> None:
        self.looked = Looked(database, scan_id)
        self.units = Units(database.connection(), scan_id)
        rules = database.connection().execute("SELECT rules FROM scan WHERE id = ?", (scan_id,))
        self.rules = versions_of(rules.fetchone()[0])


def _attached(old: Database, new: Database) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", uri=True, isolation_level=None)
    try:
        connection.execute("ATTACH ? AS a", (old.uri(),))
        connection.execute("ATTACH ? AS b", (new.uri(),))
    except BaseException:
        connection.close()
        raise
    return connection


def _fails(both: sqlite3.Connection, side: str, scan_id: int) -> int:
    row = both.execute(
        f"SELECT count(*) FROM {side}.state WHERE scan = ? AND outcome = 'fail'", (scan_id,)
    ).fetchone()
    return int(row[0])


def _persisting(both: sqlite3.Connection, names: dict[str, int]) -> int:
    """Fails on both sides that nothing tells apart: counted, never read."""
    row = both.execute(
        "SELECT count(*) FROM a.state sa JOIN a.finding fa ON fa.id = sa.finding "
        "JOIN a.observation oa ON oa.id = sa.observation JOIN b.finding fb ON fb.fid = fa.fid "
        "JOIN b.state sb ON sb.finding = fb.id AND sb.scan = :b "
        "JOIN b.observation ob ON ob.id = sb.observation "
        f"WHERE sa.scan = :a AND sa.outcome = 'fail' AND sb.outcome = 'fail' AND {_SAME}",
        names,
    ).fetchone()
    return int(row[0])


def _changes(
    both: sqlite3.Connection,
    names: dict[str, int],
    near: str,
    far: str,
    sides: dict[str, _Reader],
) -> Iterator[Change]:
    """Fails of one side that are not the same on the other.

    ``near`` b: only what does not fail in a, which the other direction has brought already.
    """
    # NOT (…) of a NULL is NULL: a missing row is named on its own.
    other = f"s{far}.outcome IS NULL OR s{far}.outcome <> 'fail'"
    differs = f"({other} OR NOT ({_SAME}))" if near == "a" else f"({other})"

    def columns(side: str) -> str:
        # Whether a fix had been verified is asked of the older scan's history.
        fixed = (
            f"EXISTS (SELECT 1 FROM {side}.state p JOIN {side}.scan c ON c.id = p.scan "
            f"WHERE p.finding = f{side}.id AND p.scan <= s{side}.scan AND p.outcome = 'pass' "
            "AND c.state IN ('complete', 'partial', 'failed'))"
            if side == "a"
            else "0"
        )
        return (
            f"s{side}.outcome, s{side}.reason, o{side}.severity, s{side}.exposure, "
            f"o{side}.evidence_hash, s{side}.incarnation, d{side}.hash, {fixed}"
        )

    rows = both.execute(
        f"SELECT f{near}.fid, u.name, f{near}.cve, r.key, d{near}.name, d{near}.type, "
        f"d{near}.provider, d{near}.account, d{near}.region, d{near}.collector, n.provider, "
        f"n.scope, n.location, n.collector, o{near}.title, s{near}.layer, s{near}.severity, "
        f"coalesce(s{far}.status, ''), coalesce(s{far}.cause, ''), s{near}.status, s{near}.cause, "
        f"s{near}.services, f{near}.combined, "
        f"{columns(near)}, {columns(far)} "
        f"FROM {near}.state s{near} JOIN {near}.finding f{near} ON f{near}.id = s{near}.finding "
        f"JOIN {near}.observation o{near} ON o{near}.id = s{near}.observation "
        f"JOIN {near}.rule u ON u.id = f{near}.rule "
        f"JOIN {near}.resource r ON r.id = s{near}.resource "
        f"JOIN {near}.body d{near} ON d{near}.id = s{near}.body "
        f"LEFT JOIN {near}.snapshot p ON p.scan = s{near}.scan AND p.resource = s{near}.resource "
        f"LEFT JOIN {near}.unit n ON n.id = p.unit "
        f"LEFT JOIN {far}.finding f{far} ON f{far}.fid = f{near}.fid "
        f"LEFT JOIN {far}.state s{far} ON s{far}.finding = f{far}.id AND s{far}.scan = :{far} "
        f"LEFT JOIN {far}.observation o{far} ON o{far}.id = s{far}.observation "
        f"LEFT JOIN {far}.body d{far} ON d{far}.id = s{far}.body "
        f"WHERE s{near}.scan = :{near} AND s{near}.outcome = 'fail' AND {differs}",
        names,
    )
    for row in rows:
        fid, rule, cve, key, name, kind, *rest = row
        provider, account, region, collector, *more = rest
        unit, (title, layer, severity, *states, services, combined) = more[:4], more[4:13]
        far_state, near_state = states[:2], states[2:]
        # What the newer scan says; the older one's word if the newer knows nothing of it.
        status, cause = near_state if near == "b" or not far_state[0] else far_state
        here = _side(more[13:21], sides[near].rules.get(rule))
        there = _side(more[21:29], sides[far].rules.get(rule))
        if there.outcome is None:
            place = (provider, account, region, collector)
            known: Any = tuple(unit) if unit[0] is not None else place
            there = sides[far].looked.side(Subject(rule, key, known, kind, combined=bool(combined)))
        older, newer = (here, there) if near == "a" else (there, here)
        verdict = classify(older, newer)
        yield Change(
            id=fid,
            kind=verdict.kind,
            reason=verdict.reason,
            differences=verdict.differences,
            title=title,
            rule=rule,
            cve=cve,
            severity=Severity.from_rank(severity),
            layer=LAYERS[layer],
            resource_key=key,
            resource_name=name,
            resource_type=kind,
            account=account,
            region=region,
            status=status,
            cause=cause,
            services=services,
        )


def _side(columns: Sequence[Any], rule_version: str | None) -> Side:
    outcome, reason, severity, exposure, evidence, incarnation, body, was_fixed = columns
    if outcome is None:
        return Side(None)
    found = Outcome(outcome)
    looked = found in {Outcome.FAIL, Outcome.PASS}
    return Side(
        found,
        reason,
        None if severity is None else Severity.from_rank(severity),
        exposure,
        evidence or "",
        incarnation,
        body if looked else None,
        rule_version,
        bool(was_fixed),
    )


def _worst_first(change: Change) -> tuple[int, int, int, str, str]:
    rank = change.severity.rank
    return (_ORDER[change.kind], -rank, -change.services, change.title, change.id)


def _resources(
    both: sqlite3.Connection, names: dict[str, int], sides: dict[str, _Reader]
) -> Iterator[ResourceChange]:
    """What was read on both sides and differs, and what was read on one side only."""

    read = f"d.presence = '{Presence.READ.value}' AND NOT s.carried"
    there = f"e.presence = '{Presence.READ.value}' AND NOT t.carried"

    def pairs(near: str, far: str) -> str:
        # By the key's and the snapshot's own indexes; a subquery would be walked for every row.
        return (
            f"FROM {near}.snapshot s JOIN {near}.body d ON d.id = s.body "
            f"JOIN {near}.resource r ON r.id = s.resource "
            f"LEFT JOIN {far}.resource q ON q.key = r.key "
            f"LEFT JOIN {far}.snapshot t ON t.scan = :{far} AND t.resource = q.id "
            f"LEFT JOIN {far}.body e ON e.id = t.body "
        )

    rows = both.execute(
        f"SELECT r.key, e.name, e.type, d.incarnation, e.incarnation {pairs('a', 'b')} "
        f"WHERE s.scan = :a AND {read} AND {there} AND d.hash <> e.hash "
        "ORDER BY e.type, e.name, r.key",
        names,
    ).fetchall()
    for key, name, kind, first, second in rows:
        what = "re-created" if first and second and first != second else "changed"
        yield ResourceChange(key, name, kind, what)
    for near, far in (("a", "b"), ("b", "a")):
        found = both.execute(
            "SELECT r.key, d.name, d.type, d.provider, d.account, d.region, d.collector, "
            f"n.provider, n.scope, n.location, n.collector {pairs(near, far)} "
            f"LEFT JOIN {near}.unit n ON n.id = s.unit "
            f"WHERE s.scan = :{near} AND {read} AND ({there}) IS NOT TRUE "
            "ORDER BY d.type, d.name, r.key",
            names,
        ).fetchall()
        for key, name, kind, *rest in found:
            place, unit = tuple(rest[:4]), tuple(rest[4:])
            known: Any = unit if unit[0] is not None else place
            side = sides[far].looked.side(Subject("", key, known, kind, combined=False))
            seen = side.outcome is Outcome.GONE
            if near == "a":
                what = "gone" if seen else "not observed"
            else:
                what = "new" if seen else "newly seen"
            reason = "" if seen else side.reason or "out of scope"
            yield ResourceChange(key, name, kind, what, reason)


def _coverage(old: tuple[Database, int], new: tuple[Database, int]) -> Iterator[CoverageChange]:
    """Units that could be read on one side and not on the other."""
    before, after = (
        {
            (item.provider, item.scope, item.location, item.collector): item
            for item in scans.coverage(database, scan)
        }
        for database, scan in (old, new)
    )
    for unit in sorted({*before, *after}):
        one, two = before.get(unit), after.get(unit)
        was = one.status.value if one else "not_requested"
        now = two.status.value if two else "not_requested"
        if was == now:
            continue
        gap = two if two is not None and two.status.is_gap else one
        yield CoverageChange(*unit, was, now, gap.reason if gap else "")


def _scores(old: tuple[Database, int], new: tuple[Database, int]) -> Iterator[ScoreChange]:
    before, after = (
        {row.key: row for row in read_services.window(database, scan, Query(), 0, None)}
        for database, scan in (old, new)
    )
    found = [
        ScoreChange(
            key,
            (after.get(key) or before[key]).name,
            before[key].score if key in before else None,
            after[key].score if key in after else None,
        )
        for key in {*before, *after}
    ]
    changed = [
        one
        for one in found
        if one.before is None or one.after is None or abs(one.after - one.before) >= 0.05
    ]
    changed.sort(key=lambda one: ((one.before or 0.0) - (one.after or 0.0), one.name, one.key))
    yield from changed


def _content(connection: sqlite3.Connection, scan_id: int, key: str) -> tuple[Any, Any]:
    row = connection.execute(
        "SELECT c.config, c.tags FROM resource r JOIN snapshot s ON s.resource = r.id "
        "AND s.scan = ? JOIN content c ON c.body = s.body WHERE r.key = ?",
        (scan_id, key),
    ).fetchone()
    return ({}, {}) if row is None else (load(row[0]), load(row[1]))
