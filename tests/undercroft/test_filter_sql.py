"""Compiled filters on a real table, against an evaluation of the same tree in Python."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.undercroft.filter_lines import lines
from undercroft.filter import (
    And,
    Column,
    Columns,
    FilterError,
    Node,
    Not,
    Or,
    Term,
    Value,
    Word,
    parse,
    to_sql,
    unparse,
)
from undercroft.filter.parser import MAX_DEPTH, MAX_VALUES
from undercroft.model import Severity

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Row:
    title: str = ""
    resource: str = ""
    region: str = ""
    cve: str | None = None
    severity: str = "low"
    status: str = "open"
    score: float | None = None
    kev: int | None = None
    first_seen: str = "2026-11-01T00:00:00.000000Z"
    until: str | None = None
    lapses_at: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


COLUMNS: Columns = {
    "text": [
        Column("f.title", "contains"),
        Column("r.name", "contains", within=("f.resource IN (SELECT id FROM r WHERE ", ")")),
    ],
    "resource": Column("r.name", "name", within=("f.resource IN (SELECT id FROM r WHERE ", ")")),
    "region": Column("f.region", "exact", fold="lower"),
    "cve": Column("f.cve", "exact", fold="upper"),
    "severity": Column("f.severity", values={s.value: s.rank for s in Severity}),
    "status": Column("f.status"),
    "score": Column("f.score", "number"),
    "kev": Column("f.kev", "flag"),
    "since": Column("f.first_seen", "time"),
    "lapses": Column("f.until", "date"),
    "tag": Column(
        "t.value",
        "name",
        within=("EXISTS (SELECT 1 FROM t WHERE t.finding = f.id AND ", ")"),
        name_expr="t.name",
    ),
}


def table(rows: list[Row]) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.executescript(
        """CREATE TABLE f (id INTEGER PRIMARY KEY, title TEXT, resource INTEGER, region TEXT,
            cve TEXT, severity INTEGER, status TEXT, score REAL, kev INTEGER, first_seen TEXT,
            until TEXT, lapses_at TEXT);
        CREATE TABLE r (id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE t (finding INTEGER, name TEXT, value TEXT);"""
    )
    for number, row in enumerate(rows):
        connection.execute("INSERT INTO r VALUES (?, ?)", (number, row.resource))
        connection.execute(
            "INSERT INTO f VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                number,
                row.title,
                number,
                row.region,
                row.cve,
                Severity(row.severity).rank,
                row.status,
                row.score,
                row.kev,
                row.first_seen,
                row.until,
                row.lapses_at,
            ),
        )
        connection.executemany(
            "INSERT INTO t VALUES (?, ?, ?)", [(number, *tag) for tag in row.tags.items()]
        )
    return connection


def select(
    rows: list[Row], what: Node | str, columns: Columns = COLUMNS, now: datetime = NOW
) -> list[int]:
    sql, params = to_sql(parse(what) if isinstance(what, str) else what, columns, now)
    found = table(rows).execute(f"SELECT id FROM f WHERE {sql} ORDER BY id", params)
    return [number for (number,) in found]


# The same, said in Python


def ascii_lower(text: str) -> str:
    return re.sub("[A-Z]", lambda found: found[0].lower(), text)


def is_like(value: Value, text: str, *, anywhere: bool = False) -> bool:
    pattern = ".*".join(re.escape(ascii_lower(part)) for part in value.parts)
    if anywhere:
        pattern = f".*{pattern}.*"
    return re.fullmatch(pattern, ascii_lower(text), re.DOTALL) is not None


def is_name(value: Value, text: str | None) -> bool:
    if text is None:
        return False
    return bool(text) if value.is_wild and not any(value.parts) else is_like(value, text)


def is_exact(value: Value, text: str | None, fold: str) -> bool:
    if value.is_wild:
        return is_name(value, text)
    return text == (value.text.lower() if fold == "lower" else value.text.upper())


def compare(op: str, left: float, right: float) -> bool:
    return {
        ">=": left >= right,
        "<=": left <= right,
        ">": left > right,
        "<": left < right,
    }[op]


def holds(node: Node, row: Row) -> bool:
    match node:
        case And():
            return all(holds(child, row) for child in node.children)
        case Or():
            return any(holds(child, row) for child in node.children)
        case Not():
            return not holds(node.child, row)
        case Word():
            return any(
                is_like(node.value, text, anywhere=True) for text in (row.title, row.resource)
            )
        case Term():
            return any(term_holds(node, value, row) for value in node.values)


def term_holds(term: Term, value: Value, row: Row) -> bool:
    match term.key:
        case "resource":
            return is_name(value, row.resource)
        case "region":
            return is_exact(value, row.region, "lower")
        case "cve":
            return is_exact(value, row.cve, "upper")
        case "tag":
            names = [name for name in row.tags if ascii_lower(name) == ascii_lower(term.tag)]
            return any(is_name(value, row.tags[name]) for name in names)
        case "severity":
            rank = Severity(row.severity).rank
            if term.op == ":":
                return is_like(value, row.severity)
            return compare(term.op, rank, Severity(value.text).rank)
        case "status":
            if value.text == "active":
                return row.status in {"open", "reopened", "fix_claimed"}
            return is_like(value, row.status)
        case "kev":
            return (row.kev == 1) is (value.text == "yes")
        case "score":
            if row.score is None:
                return False
            if term.op == ":":
                return float(value.text) - 0.5 <= row.score < float(value.text) + 0.5
            return compare(term.op, row.score, float(value.text))
        case "since":
            seen = datetime.fromisoformat(row.first_seen)
            if value.text.endswith("d"):
                limit = NOW - timedelta(days=int(value.text[:-1]))
                op = ">=" if term.op == ":" else term.op
                return compare(op, seen.timestamp(), limit.timestamp())
            op, day = term.op, date.fromisoformat(value.text)
            return compare(">=" if op == ":" else op, seen.date().toordinal(), day.toordinal())
        case "lapses":
            if row.until is None:
                return False
            until = date.fromisoformat(row.until)
            if value.text.endswith("d"):
                day = NOW.date() + timedelta(days=int(value.text[:-1]))
            else:
                day = date.fromisoformat(value.text)
            op = "<=" if term.op == ":" else term.op
            return compare(op, until.toordinal(), day.toordinal())
    raise AssertionError(term.key)


small = st.text(st.sampled_from("aAb%_*\\ '\"ä;-"), max_size=4)
days = st.sampled_from(["2026-11-01", "2026-11-20", "2026-11-23", "2026-12-01"])
rows_strategy = st.lists(
    st.builds(
        Row,
        title=small,
        resource=small,
        region=st.sampled_from(["us-east-1", "eu-west-1", "a%", "a_", ""]),
        cve=st.sampled_from([None, "", "CVE-2023-1", "CVE-2023-10"]),
        severity=st.sampled_from([s.value for s in Severity]),
        status=st.sampled_from(["open", "reopened", "fix_claimed", "accepted", "fixed"]),
        score=st.none() | st.sampled_from([0.0, 39.4, 39.5, 40.0, 40.5, 99.9]),
        kev=st.sampled_from([None, 0, 1]),
        first_seen=days.map(lambda day: f"{day}T09:00:00.000000Z"),
        until=st.none() | days,
        tags=st.dictionaries(st.sampled_from(["env", "Env", "team", "a b"]), small, max_size=2),
    ),
    min_size=1,
    max_size=6,
)
value_strategy = st.lists(small, min_size=1, max_size=3).map(lambda p: Value(tuple(p)))
leaf_strategy: st.SearchStrategy[Node] = st.one_of(
    value_strategy.filter(lambda value: value.parts != ("",)).map(Word),
    st.builds(
        lambda key, found, tag: Term(key, ":", tuple(found), tag if key == "tag" else ""),
        st.sampled_from(["resource", "region", "cve", "tag"]),
        st.lists(value_strategy, min_size=1, max_size=3),
        st.sampled_from(["env", "ENV", "a b", "none"]),
    ),
    st.sampled_from(
        [
            "region:US-east-1",
            "region:eu-*,a%",
            "cve:cve-2023-1",
            "cve:*",
            'cve:""',
            "severity:high,low",
            "severity:*i*",
            "status:active,fixed",
            "status:*ed",
            "kev:yes",
            "kev:no",
            *(f"severity{op}medium" for op in (">=", "<=", ">", "<")),
            *(f"score{op}40" for op in (":", ">=", "<=", ">", "<")),
            *(f"since{op}2026-11-20" for op in (":", ">=", "<=", ">", "<")),
            *(f"since{op}3d" for op in (":", ">=", "<=", ">", "<")),
            *(f"lapses{op}2026-11-23" for op in (":", ">=", "<=", ">", "<")),
            *(f"lapses{op}8d" for op in (":", ">=", "<=", ">", "<")),
        ]
    ).map(parse),
)


def _combined(children: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(children, min_size=2, max_size=3).map(tuple)
    return st.one_of(children.map(Not), several.map(And), several.map(Or))


trees = st.recursive(leaf_strategy, _combined, max_leaves=8)


@settings(max_examples=500)
@given(trees, rows_strategy)
def test_sql_and_python_agree(tree: Node, rows: list[Row]) -> None:
    expected = [number for number, row in enumerate(rows) if holds(tree, row)]
    assert select(rows, tree) == expected
    assert select(rows, unparse(tree)) == expected


@settings(max_examples=400)
@given(lines)
def test_whatever_is_typed_is_a_question_and_nothing_else(line: str) -> None:
    rows = [Row(title="a"), Row(resource=line.replace("\ud800", ""))]
    connection = table([rows[0]])
    try:
        sql, params = to_sql(parse(line), COLUMNS, NOW)
    except FilterError:
        return
    assert len(params) == sql.count("?")
    before = connection.total_changes
    connection.execute(f"SELECT id FROM f WHERE {sql}", params).fetchall()
    assert connection.total_changes == before


@pytest.mark.parametrize(
    "attack",
    [
        "'; DROP TABLE f; --",
        "' OR 1=1 --",
        "x') OR ('1",
        "%",
        "_",
        "\\",
        "?",
        "?1",
        ":name",
        "{0}",
        "%s",
        "a\\' OR 1",
    ],
)
def test_sql_in_a_value_is_text(attack: str) -> None:
    rows = [Row(title="harmless", region="eu-west-1"), Row(title=f"has {attack} in it")]
    rows.append(Row(resource=attack, region=attack.lower(), tags={attack: attack}))
    quoted = unparse(Word(Value((attack,))))
    assert select(rows, Word(Value((attack,)))) == [1, 2]
    assert select(rows, f"({quoted})") == [1, 2]
    for key in ("resource", "region"):
        assert select(rows, Term(key, ":", (Value((attack,)),))) == [2]
    assert select(rows, Term("tag", ":", (Value((attack,)),), attack)) == [2]


def test_everything_and_nothing() -> None:
    rows = [Row(), Row()]
    assert select(rows, "") == [0, 1]
    assert select(rows, "*") == [0, 1]
    assert select(rows, "nowhere") == []
    assert select(rows, "-nowhere") == [0, 1]


def test_no_value_is_no_match_and_its_negation_is_one() -> None:
    rows = [Row(), Row(cve="CVE-1", kev=1, score=50.0)]
    assert select(rows, "cve:*") == [1]
    assert select(rows, "-cve:*") == [0]
    assert select(rows, "-cve:CVE-1") == [0]
    assert select(rows, "-score>=40") == [0]
    assert select(rows, "kev:no") == [0]
    assert select(rows, "kev:y*") == [1]
    assert select(rows, "kev:n*") == [0]
    assert select(rows, "kev:*") == select(rows, "kev:yes,no") == [0, 1]
    assert select(rows, "-tag.env:*") == [0, 1]


def test_numbers_match_at_the_precision_that_was_typed() -> None:
    rows = [Row(score=value) for value in (39.4, 39.5, 40.0, 40.4, 40.5)]
    assert select(rows, "score:40") == [1, 2, 3]
    assert select(rows, "score:40.4") == [3]
    assert select(rows, "score:39.5..40.4") == [1, 2, 3]
    assert select(rows, "score:70..40") == [2, 3, 4]


def test_an_acceptance_that_ends_at_midnight_ends_on_the_day_before() -> None:
    columns = {"lapses": Column("f.lapses_at", "time")}
    rows = [
        Row(lapses_at=moment)
        for moment in (
            "2026-11-30T00:00:00.000000Z",
            "2026-12-01T00:00:00.000000Z",
            "2026-12-01T00:00:01.000000Z",
        )
    ]
    assert select(rows, "lapses:2026-11-30", columns) == [0, 1]
    assert select(rows, "lapses<2026-11-30", columns) == [0]
    assert select(rows, "lapses>2026-11-30", columns) == [2]
    assert select(rows, "lapses>=2026-11-30", columns) == [1, 2]
    assert select(rows, "lapses:7d", columns) == [0]


def test_days_are_those_of_the_zone_of_now() -> None:
    rows = [Row(first_seen="2026-11-19T23:30:00.000000Z")]
    berlin = NOW.astimezone(ZoneInfo("Europe/Berlin"))
    assert select(rows, "since:2026-11-20") == []
    assert select(rows, "since:2026-11-20", now=berlin) == [0]
    assert select([Row(first_seen="2026-11-23T00:00:00.000000Z")], "since:today") == [0]
    assert select([Row(first_seen="2026-11-22T00:00:00.000000Z")], "since:yesterday") == [0]
    assert select([Row(first_seen="2026-08-23T09:00:00.000000Z")], "since:3m") == [0]
    assert select([Row(first_seen="2025-11-23T08:59:59.000000Z")], "since:1y") == []


def test_an_instant_can_be_given() -> None:
    rows = [
        Row(first_seen="2026-11-20T10:00:00.000000Z"),
        Row(first_seen="2026-11-20T12:00:00.000000Z"),
    ]
    assert select(rows, "since:2026-11-20T12:00+01:00") == [1]
    assert select(rows, "since<2026-11-20T11:00:00Z") == [0]


@pytest.mark.parametrize(
    "line", ["since:9999y", "lapses:999999w", "since:9999-12-31", "since:0001-01-01T00:00Z"]
)
def test_what_lies_outside_of_the_calendar(line: str) -> None:
    with pytest.raises(FilterError, match="is outside of the calendar"):
        select([], line)


def test_a_key_that_the_list_lacks_is_named() -> None:
    with pytest.raises(FilterError) as caught:
        to_sql(parse("a region:x"), {"text": Column("f.title", "contains")}, NOW)
    assert caught.value.message.startswith("'region' at 3 cannot be asked of this list")
    assert caught.value.position == 2
    with pytest.raises(FilterError, match="plain words at 1"):
        to_sql(parse("a"), {"region": Column("f.region")}, NOW)


def test_an_index_serves_exact_values() -> None:
    connection = table([])
    connection.execute("CREATE INDEX f_region ON f (region)")
    for line in ("region:us-east-1", "region:us-east-1,eu-west-1", "region:a -cve:CVE-1"):
        sql, params = to_sql(parse(line), COLUMNS, NOW)
        plan = connection.execute(f"EXPLAIN QUERY PLAN SELECT id FROM f WHERE {sql}", params)
        assert any("f_region" in str(step) for step in plan.fetchall())


def big() -> Iterator[str]:
    yield " ".join(["a"] * MAX_VALUES)
    yield " or ".join(["a*b"] * MAX_VALUES)
    yield "region:" + ",".join(["a*"] * MAX_VALUES)
    yield "tag.x:" + ",".join(["a"] * MAX_VALUES)
    yield "-(a or " * (MAX_DEPTH // 2 - 1) + "b" + ")" * (MAX_DEPTH // 2 - 1)
    yield "(a (b or " * (MAX_DEPTH // 2 - 1) + "b" + "))" * (MAX_DEPTH // 2 - 1)
    yield "-" * (MAX_DEPTH - 1) + "a"


@pytest.mark.parametrize("line", list(big()), ids=lambda line: line[:20])
def test_the_longest_lines_are_still_questions(line: str) -> None:
    assert isinstance(select([Row(title="ab")], line), list)
