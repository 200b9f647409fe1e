"""Words are looked for among what findings are called, and found in the scans that called them so."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from tests.undercroft.store_kit import Clock, Estate, fail, notebook, save
from undercroft.store import Store
from undercroft.views import Query, ScanRow

NOTEBOOK = notebook()


def said(fixed: str, rule: str = "nb-root") -> Estate:
    """A vulnerability and a setting, both of which are called by what mends them."""
    found = Estate()
    setting = replace(fail(NOTEBOOK, rule, title=f"Root, off since {fixed}"), identity="nb-root")
    package = {"package": "deb/curl"}
    found.add(
        NOTEBOOK,
        setting,
        fail(NOTEBOOK, "cve", cve="CVE-1", at=package, title=f"CVE-1 in curl (fixed in {fixed})"),
    )
    return found


def hits(store: Store, scan: ScanRow, word: str) -> set[str]:
    return {row.rule for row in store.findings(scan.id, Query(word))}


def table(path: Path) -> set[tuple[str, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return set(
            connection.execute(
                "SELECT cve, package, u.name, title FROM wording w JOIN rule u ON u.id = w.rule"
            )
        )


def test_a_word_is_found_where_it_was_said(store: Store, clock: Clock) -> None:
    first = save(store, said("1.7"), clock)
    clock.forward(hours=1)
    second = save(store, said("1.8"), clock, pack="pack-2")
    assert hits(store, first, "1.7") == hits(store, second, "1.8") == {"nb-root", "cve"}
    assert hits(store, first, "1.8") == hits(store, second, "1.7") == set()
    assert hits(store, second, "curl") == hits(store, second, "cve-1") == {"cve"}
    assert len(table(store.path)) == 4

    store.delete_scan(first.id)
    assert {row[3][-4:].strip("). ") for row in table(store.path)} == {"1.8"}


def test_a_renamed_rule_is_found_by_what_it_said_before(store: Store, clock: Clock) -> None:
    first = save(store, said("1.7"), clock)
    clock.forward(hours=1)
    save(store, said("1.8", "nb-admin"), clock, rules={"nb-admin": "1", "cve": "1"}, pack="p2")
    titles = {row[3][-3:] for row in table(store.path) if row[2] == "nb-admin"}
    assert titles == {"1.7", "1.8"}
    assert "cve" in hits(store, first, "1.7")


def test_an_older_cache_learns_what_its_findings_are_called(store: Store, clock: Clock) -> None:
    scan = save(store, said("1.7"), clock)
    known = table(store.path)
    store.close()
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("DROP TABLE wording")
        connection.execute("DELETE FROM _sqlite_migrations WHERE name = '0014_wordings'")
        connection.execute("PRAGMA user_version = 13")
    with Store.open(store.path, clock=clock) as again:
        assert table(store.path) == known
        assert hits(again, scan, "1.7") == {"nb-root", "cve"}
