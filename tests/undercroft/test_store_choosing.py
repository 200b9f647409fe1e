"""How lists are read: along an index where that is quick, and always the same rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.undercroft.filter_lines import lines
from tests.undercroft.store_kit import (
    Clock,
    Estate,
    accept,
    covered,
    fail,
    notebook,
    role,
    save,
    thing,
)
from undercroft.filter import FilterError
from undercroft.model import CoverageStatus, Layer, Severity
from undercroft.relations import Relation
from undercroft.store import GivenUpError, Store, choosing, columns, connection, lookup, wordings
from undercroft.views import FindingRow, Query


def estate(services: int = 30) -> Estate:
    found = Estate()
    shared = found.add(role("shared"), fail(role("shared"), "role-admin"))
    image = thing("container:image", "Pytorch_1", Layer.CONTAINER)
    severities = list(Severity)
    found.add(
        image,
        *(
            fail(
                image,
                "cve",
                severities[number % 5],
                cve=f"CVE-2024-{number}",
                at={"package": f"deb/lib{number % 7}"},
                title=f"CVE-2024-{number} in lib{number % 7}",
            )
            for number in range(40)
        ),
    )
    for number in range(services):
        service = notebook(f"nb-{number}", tags={"team": f"t{number % 3}"})
        found.add(service, fail(service, severity=severities[number % 5]))
        found.link(service, shared, Relation.USES_IDENTITY)
        if number % 2:
            found.link(service, image, Relation.RUNS_IMAGE)
    return found


LINES = (
    "",
    "status:active severity>=high",
    "cve:cve-2024-7",
    "cve:CVE-2024-1*",
    "package:DEB/lib3",
    "resource:pytorch_1",
    "resource:NB-1*",
    "service:nb-3",
    "tag.team:t1",
    "type:sagemaker:* -resource:nb-1",
    "lib3",
    "nb-2 or lib6",
    '"in lib"',
    '"t on nb-1"',
    "-lib3 severity:high,low",
    "-resource:nb-1* -package:deb/lib1",
    "owner:ml",
    "kev:yes or epss>0",
    "nowhere",
)


@pytest.mark.parametrize(("patience", "many"), [(1, 0), (1, 200), (10**8, 0)])
def test_every_way_shows_the_same_rows(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch, patience: int, many: int
) -> None:
    scan = save(store, estate(), clock)
    queries = [
        Query(line, sort, descending)
        for line in LINES
        for sort, descending in (("", True), ("", False), ("severity", True), ("title", False))
    ]
    expected = [store.findings(scan.id, query) for query in queries]
    assert len(expected[0]) == 71
    # Walks that are given up at once or never; small tables whose answers are never handed over.
    monkeypatch.setattr(choosing, "_PATIENCE", patience)
    monkeypatch.setattr(lookup, "_MANY", many)
    monkeypatch.setattr(wordings, "_FREQUENT", max(many, 1))
    monkeypatch.setattr(columns, "_FREQUENT", many)
    for query, rows in zip(queries, expected, strict=True):
        assert store.findings(scan.id, query, 0, 10) == rows[:10], query
        assert store.findings(scan.id, query, 3, 4) == rows[3:7], query
        assert store.count_findings(scan.id, query) == len(rows), query


def test_a_list_led_by_its_order_has_the_same_rows(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = save(store, estate(), clock)
    clock.forward(hours=1)
    # The second scan could not read one kind: its findings keep what the first one read.
    smaller = estate(3)
    smaller.coverage = (covered(status=CoverageStatus.DENIED, reason="no"),)
    scan = save(store, smaller, clock)
    queries = [
        Query(line, sort, descending)
        for line in ("", "severity>=medium", "cve:*", "nothing", "nb-2")
        for sort in choosing._LED
        for descending in (True, False)
    ]
    expected = [store.findings(scan.id, query) for query in queries]
    assert [len(rows) for rows in expected[:2]] == [71, 71]
    monkeypatch.setattr(choosing, "_GATHERED", 0)
    led = [
        bool(choosing._led(store._db, query, choosing.where(store._db, scan.id, query), 5, 0))
        for query in queries
    ]
    assert led.count(True) > len(queries) // 2
    for again in (False, True):
        for query, rows in zip(queries, expected, strict=True):
            assert store.findings(scan.id, query, 0, 10) == rows[:10], query
            assert store.findings(scan.id, query, 38, 7) == rows[38:45], query
        if not again:  # from now on nobody knows any more what the first scan read
            store.delete_scan(first.id)


@pytest.mark.parametrize(
    "line", ["", "severity>=medium layer:container,service", "nb-1 or lib3", "rule:nb-root,cve"]
)
def test_groups_are_what_adding_up_gives(store: Store, clock: Clock, line: str) -> None:
    save(store, estate(6), clock)
    clock.forward(hours=1)
    # Of what the second scan cannot read, the first one knows.
    scan = save(
        store, Estate(coverage=(covered(status=CoverageStatus.DENIED, reason="no"),)), clock
    )
    rows = store.findings(scan.id, Query(line))
    assert rows
    by_name: dict[str, Callable[[FindingRow], str]] = {
        "rule": lambda row: row.rule,
        "resource": lambda row: row.resource_key,
        "account": lambda row: row.account,
        "layer": lambda row: row.layer.value,
        "package": lambda row: row.package or "",
        "severity": lambda row: row.severity.value,
        "status": lambda row: row.status,
    }
    for by, value in by_name.items():
        groups = store.group_findings(scan.id, Query(line), by)
        expected = {
            value(row): [other for other in rows if value(other) == value(row)] for row in rows
        }
        assert {group.value: group.findings for group in groups} == {
            name: len(members) for name, members in expected.items()
        }, by
        for group in groups:
            members = expected[group.value]
            assert group.worst is max((row.severity for row in members), key=lambda s: s.rank)
            above = store.services_of(scan.id, [row.id for row in members])
            assert group.services == len(above), (by, group)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, int]]:
    clock = Clock()
    with Store.open(tmp_path_factory.mktemp("asked") / "cache.db", clock=clock) as opened:
        yield opened, save(opened, estate(3), clock).id


@settings(max_examples=40)
@given(
    st.sampled_from(
        ("lib3", "CVE-2024-3", "in lib", "b on nb", "nb-root", "pytorch_1", "deb/lib0", "role/")
    ).flatmap(
        lambda text: st.tuples(
            st.integers(0, len(text) - 1), st.integers(1, len(text)), st.booleans()
        ).map(lambda cut: (text.upper() if cut[2] else text)[cut[0] :][: cut[1]])
    ),
    st.sampled_from([0, 3, 12, 2_000]),
)
def test_a_word_is_found_wherever_it_stands(asked: tuple[Store, int], word: str, many: int) -> None:
    """However many wordings or names are read beforehand rather than asked of each row."""
    opened, scan = asked
    expected = [
        row
        for row in opened.findings(scan, Query())
        if any(
            word.casefold() in (text or "").casefold()
            for text in (
                *(row.title, row.cve, row.package, row.rule),
                *(row.resource_name, row.resource_key),
            )
        )
    ]
    query = Query(f'"{word}"')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lookup, "_MANY", many)
        assert opened.findings(scan, query) == expected
        assert opened.findings(scan, query, 0, 7) == expected[:7]
        assert opened.count_findings(scan, query) == len(expected)


@settings(max_examples=80)
@given(lines, st.sampled_from(["", "severity", "title"]))
def test_whatever_is_typed_is_asked_or_refused_in_words(
    asked: tuple[Store, int], line: str, sort: str
) -> None:
    opened, scan = asked
    connection = opened._db.connection()
    before = connection.total_changes, len(opened.findings(scan, Query()))
    for read in (opened.findings, opened.count_findings, opened.services, opened.count_services):
        with suppress(FilterError):
            read(scan, Query(line, sort if read == opened.findings else ""))
    assert (connection.total_changes, len(opened.findings(scan, Query()))) == before


def test_what_nobody_waits_for_any_more_is_given_up(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = save(store, estate(), clock)
    monkeypatch.setattr(connection, "_STEPS", 20)
    asked: list[bool] = []

    def when() -> bool:
        asked.append(True)
        return len(asked) > 3

    for read in (store.findings, store.count_findings, store.services):
        asked.clear()
        with pytest.raises(GivenUpError), store.giving_up(when):
            read(scan.id, Query("lib3 or tag.team:t1"))
        with store.giving_up(lambda: False):
            assert read(scan.id, Query("lib3 or tag.team:t1"))
    assert store.count_findings(scan.id, Query("lib3 or tag.team:t1")) > 10


def test_what_a_scan_could_not_read_is_found_by_its_name_all_the_same(
    store: Store, clock: Clock
) -> None:
    first = save(store, estate(3), clock)
    clock.forward(hours=1)
    blind = Estate(coverage=(covered(status=CoverageStatus.DENIED, reason="no"),))
    scan = save(store, blind, clock)
    for pruned in (False, True):
        if pruned:  # not even the scan that read it is there
            store.delete_scan(first.id)
        for line in ("resource:nb-1", "resource:nb-1*", "nb-1", "type:sagemaker:* nb-1"):
            rows = store.findings(scan.id, Query(line), 0, 10)
            assert [(row.resource_name, row.unconfirmed) for row in rows] == [("nb-1", True)], line


def test_lists_are_read_by_index(store: Store, clock: Clock) -> None:
    """Also what depends on the clock: statuses, and the days on which acceptances lapse."""
    scan = save(store, estate(), clock)
    for row in store.findings(scan.id, Query(), 0, 5):
        accept(store, row.id, clock)
    for query, index in (
        (Query(), "state_order (line=?)"),
        (Query(sort="score"), "state_order (line=?)"),
        (Query(sort="severity"), "state_severity (line=?)"),
        (Query("status:accepted"), "state_status (line=? AND status=?)"),
        (Query("severity:high"), "state_severity (line=? AND severity=?)"),
        (Query("rule:nb-root"), "state_rule (line=? AND rule=?)"),
        (Query("lapses:60d"), "state_until (line=? AND until<?)"),
        (Query("lapses>=today"), "state_until (line=? AND until>?)"),
        (Query("owner:platform"), "state_owner (line=? AND owner=?)"),
        (Query("unconfirmed:yes"), "state_unconfirmed (line=?)"),
        (Query("resource:nb-1"), "state_resource (line=? AND resource=?)"),
        (Query("service:nb-1"), "state_resource (line=? AND resource=?)"),
        (Query("cve:cve-2024-1"), "state_finding (finding=? AND line=? AND since<?)"),
        (Query("package:deb/lib1"), "state_finding (finding=? AND line=? AND since<?)"),
    ):
        plans = how_read(store, scan.id, query)
        steps = [step for step in plans if " t " in step and "snapshot" not in step]
        assert steps == [f"SEARCH t USING INDEX {index}"], query


def test_rows_are_read_by_id_or_by_resource(store: Store, clock: Clock) -> None:
    scan = save(store, estate(), clock)
    key = store.findings(scan.id, Query(), 0, 1)[0].resource_key
    for read, begin, index in (
        (lambda: store.findings(scan.id, Query(), 0, 10), "SELECT t.id, ", "INTEGER PRIMARY KEY"),
        (
            lambda: list(store.iter_records(scan.id, Query(), ages=False)),
            "SELECT t.id, ",
            "INTEGER PRIMARY KEY",
        ),
        (
            lambda: store.resource(scan.id, key),
            "SELECT f.fid, ",
            "INDEX state_resource (line=? AND resource=?)",
        ),
    ):
        plan = plan_of(store, begin, read)
        (step,) = (step for step in plan if " t " in step and "snapshot" not in step)
        assert step.startswith(f"SEARCH t USING {index}"), begin


def how_read(store: Store, scan: int, query: Query) -> list[str]:
    """The plan of the statement that chose the rows of a page."""
    return plan_of(store, "SELECT t.id FROM state t", lambda: store.findings(scan, query, 0, 10))


def plan_of(store: Store, begin: str, read: Callable[[], object]) -> list[str]:
    """The plan of the last statement with that beginning."""
    used: list[str] = []
    connection = store._db.connection()

    def note(statement: str) -> None:
        if statement.startswith(begin):
            used.append(statement)

    connection.set_trace_callback(note)
    read()
    connection.set_trace_callback(None)
    plan = connection.execute(f"EXPLAIN QUERY PLAN {used[-1]}").fetchall()
    return [step[3].replace("COVERING ", "") for step in plan]


def test_names_are_looked_up_by_index(store: Store) -> None:
    connection = store._db.connection()
    for select, index in (
        ("finding f WHERE f.cve COLLATE NOCASE IN (?)", "finding_cve"),
        ("finding f WHERE f.cve LIKE 'CVE-2024%' ESCAPE '!'", "finding_cve"),
        ("finding f WHERE f.package COLLATE NOCASE IN (?)", "finding_package"),
        ("body b WHERE b.name COLLATE NOCASE IN (?)", "body_name"),
        ("body b WHERE b.native_id COLLATE NOCASE IN (?)", "body_native_id"),
        ("resource r WHERE r.key COLLATE NOCASE IN (?)", "resource_nocase"),
    ):
        params = ["x"] * select.count("?")
        plan = connection.execute(f"EXPLAIN QUERY PLAN SELECT id FROM {select}", params).fetchall()
        assert f"USING COVERING INDEX {index} " in plan[0][3]
