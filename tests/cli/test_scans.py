"""Saved scans: listed, looked into, deleted; decisions outlive them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Command
from tests.end_to_end.kit import Shell
from tui.cli.errors import Exit
from tui.cli.scan import _gate, _status, _summary, _text_reporter
from undercroft.model import Coverage, CoverageStatus
from undercroft.protocols import Progress
from undercroft.store import Store


def test_list(undercroft: Command) -> None:
    (row,) = undercroft("scans").rows
    assert row[1:3] == ["first", "complete"]
    assert undercroft("scans", "list").rows == [row]
    assert undercroft("scans", "list", "--format", "json").json["scans"][0]["name"] == "first"


def test_show(undercroft: Command) -> None:
    text = undercroft("scans", "show", "first").out
    services = undercroft("services", "--format", "json").json["services"]
    assert f"{len(services)} AI services" in text
    standing = undercroft("findings", "--filter", "-status:fixed,gone,retired").rows
    assert f"{len(standing)} findings standing" in text
    assert "aws.sagemaker.endpoint" in text
    assert undercroft("scans", "show", "latest", "--format", "json").json["gaps"] == 0


def test_show_of_nothing(undercroft: Command) -> None:
    done = undercroft("scans", "show", "last year", status=2)
    assert "last year" in done.err


def test_calls_that_were_not_needed_are_shown(undercroft: Command, shell: Shell) -> None:
    with Store.open(shell.db) as store:
        for spared in (0, 1_200):
            with store.write_scan(
                name=f"again-{spared}", kind="live", scope={}, rules={}, pack="p"
            ) as writer:
                writer.commit(
                    calls=9, spared=spared, throttled=0, now=datetime(2026, 11, 21, tzinfo=UTC)
                )
    assert [row[-2:] for row in undercroft("scans").rows[:2]] == [["9", "1200"], ["9", "0"]]
    assert "9 calls (1,200 spared: nothing changed)\n" in undercroft("scans", "show", "latest").out
    assert "9 calls\n" in undercroft("scans", "show", "again-0").out
    shown = undercroft("scans", "show", "latest", "--format", "json").json
    assert (shown["calls"], shown["spared"]) == (9, 1_200)


def test_delete_keeps_decisions(undercroft: Command) -> None:
    found = undercroft("findings", "--format", "json").json["findings"][0]["id"]
    undercroft("fixed", found)
    done = undercroft("scans", "delete", "first", "--yes")
    assert "decisions are kept" in done.err
    assert undercroft("scans").rows == []
    assert len(undercroft("history").rows) == 1
    done = undercroft("findings", status=2)
    assert "no scan" in done.err


def test_prune_keeps_the_newest(undercroft: Command, shell: Shell) -> None:
    assert "nothing to delete" in undercroft("scans", "prune", "--keep", "1", "--yes").err
    with Store.open(shell.db) as store:
        for name in ("second", "third"):
            with store.write_scan(name=name, kind="live", scope={}, rules={}, pack="p") as writer:
                writer.commit(calls=0, throttled=0, now=datetime(2026, 11, 21, tzinfo=UTC))
    done = undercroft("scans", "prune", "--keep", "2", "--yes")
    assert "deleted 1 scan; decisions are kept" in done.err
    assert [row[1] for row in undercroft("scans").rows] == ["third", "second"]


@pytest.mark.parametrize(
    ("total", "event", "lines"),
    [
        (80, {"calls": 1}, ["[7/80] complete   1 r aws.x: 0 resources, 1 call"]),
        (900, {"calls": 1}, []),
        (900, {"calls": 1, "status": CoverageStatus.NOT_ENABLED, "reason": "not there"}, []),
        (900, {"resources": 3, "calls": 4}, ["[7/900] complete   1 r aws.x: 3 resources, 4 calls"]),
        (900, {"calls": 9, "throttled": 1},
         ["[7/900] complete   1 r aws.x: 0 resources, 9 calls, 1 retry after throttling"]),
        (900, {"status": CoverageStatus.DENIED, "reason": "needs x"},
         ["[7/900] denied     1 r aws.x: needs x"]),
        (80, {"resources": 3, "calls": 4, "recalled": True}, []),
    ],
)  # fmt: skip
def test_of_very_many_units_only_news_is_told(
    total: int, event: dict[str, Any], lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    report = _text_reporter(plain=True)
    report(Progress("unit_done", "aws.x", "1", "r", done=7, total=total, **event))
    assert capsys.readouterr().err.splitlines() == lines


def test_a_long_scan_shows_that_it_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    report = _text_reporter(plain=True)
    for done in range(1, 251):
        report(Progress("unit_done", "aws.x", "1", "r", done=done, total=900, calls=1))
    for kind in ("judging", "judging", "saving"):
        report(Progress(kind, done=500, total=900))
    assert capsys.readouterr().err.splitlines() == ["[100/900]", "[200/900]", "judging", "saving"]


def test_nothing_to_read_yet(fresh_undercroft: Command) -> None:
    for command in ("findings", "services", "scans", "history"):
        done = fresh_undercroft(command, status=2)
        assert done.err.startswith("undercroft: there is no cache at ")
        assert "make one with 'undercroft scan'" in done.err
        assert "'undercroft demo'" in done.err


def test_a_file_that_is_no_cache(fresh_undercroft: Command, tmp_path: object) -> None:
    from pathlib import Path

    path = Path(str(tmp_path)) / "notes.db"
    path.write_text("these are my notes, not a database\n" * 100)
    done = fresh_undercroft("findings", "--db", path, status=2)
    assert str(path) in done.err
    assert "--debug" not in done.err, "it was to be expected"
    assert path.read_text().startswith("these are my notes")


def test_feeds(undercroft: Command, tmp_path: Path) -> None:
    assert "no feed imported" in undercroft("feeds").err
    file = tmp_path / "epss.csv"
    file.write_text(
        "#model_version:v1,score_date:2026-11-19T00:00:00+0000\n"
        "cve,epss,percentile\nCVE-2023-38545,0.9,0.99\n"
    )
    assert "EPSS v1 of 2026-11-19: 1 vulnerability" in undercroft("feeds", "import", file).err
    (row,) = undercroft("feeds", "list", "--format", "json").json["feeds"]
    assert (row["name"], row["dated"], row["entries"]) == ("epss", "2026-11-19", 1)
    (later,) = undercroft("feeds", "list", "--as-of", "2026-11-29").out.splitlines()[1:]
    assert "\t10 d\t" in later
    assert undercroft("findings", "--format", "json").json["feeds"][0].startswith("EPSS v1")
    file.write_text("nonsense")
    done = undercroft("feeds", "import", file, status=2)
    assert "neither a KEV catalogue" in done.err
    undercroft("feeds", "import", tmp_path / "missing", status=2)


@pytest.mark.parametrize(
    ("gate", "status", "said"),
    [
        (None, Exit.DONE, ""),
        ("critical", Exit.FAIL_ON, "status:active severity>=critical"),
        ("score>=99", Exit.DONE, ""),
        ("score >= 1", Exit.FAIL_ON, "status:active score>=1"),
    ],
)
def test_a_gate_is_a_filter_of_what_is_active(
    undercroft: Command,
    shell: Shell,
    capsys: pytest.CaptureFixture[str],
    gate: str | None,
    status: Exit,
    said: str,
) -> None:
    with Store.open(shell.db, read_only=True) as store:
        assert _status(store, store.scan(), _gate(gate)) is status
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(("regions", "lines"), [(3, 3), (11, 1)])
def test_one_reason_for_very_many_parts_is_said_once(
    fresh_undercroft: Command,
    new_shell: Shell,
    capsys: pytest.CaptureFixture[str],
    regions: int,
    lines: int,
) -> None:
    with Store.open(new_shell.db) as store:
        with store.write_scan(name="x", kind="live", scope={}, rules={}, pack="p") as writer:
            for number in range(regions):
                denied = CoverageStatus.DENIED
                writer.add([Coverage("aws", "1", f"r{number}", "aws.kms", denied, "sign in")])
            writer.commit(calls=0, throttled=0, now=datetime(2026, 11, 21, tzinfo=UTC))
        _summary(store, store.scan())
    said = capsys.readouterr().err
    assert f"could not be read: {regions} parts" in said
    assert said.count("sign in") == lines
    for command in ("findings", "services"):
        done = fresh_undercroft(command)
        assert done.rows == []
        assert f"could not read {regions} parts; 'undercroft scans show 1' names" in done.err
