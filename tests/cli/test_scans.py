"""Saved scans: listed, looked into, deleted; decisions outlive them."""

from __future__ import annotations

from tests.cli.conftest import Command


def test_list(undercroft: Command) -> None:
    (row,) = undercroft("scans").rows
    assert row[1:3] == ["first", "complete"]
    assert undercroft("scans", "list").rows == [row]
    assert undercroft("scans", "list", "--format", "json").json["scans"][0]["name"] == "first"


def test_show(undercroft: Command) -> None:
    text = undercroft("scans", "show", "first").out
    assert "58 AI services" in text
    assert "aws.sagemaker.endpoint" in text
    assert undercroft("scans", "show", "latest", "--format", "json").json["gaps"] == 0


def test_show_of_nothing(undercroft: Command) -> None:
    done = undercroft("scans", "show", "last year", status=2)
    assert "last year" in done.err


def test_delete_keeps_decisions(undercroft: Command) -> None:
    found = undercroft("findings", "--format", "json").json["findings"][0]["id"]
    undercroft("fixed", found)
    done = undercroft("scans", "delete", "first", "--yes")
    assert "decisions are kept" in done.err
    assert undercroft("scans").rows == []
    assert len(undercroft("history").rows) == 1
    done = undercroft("findings", status=2)
    assert "no scan" in done.err


def test_nothing_to_read_yet(fresh_undercroft: Command) -> None:
    for command in ("findings", "services", "scans", "history"):
        done = fresh_undercroft(command, status=2)
        assert done.err.startswith("undercroft: there is no cache at ")
        assert "undercroft scan aws" in done.err


def test_a_file_that_is_no_cache(fresh_undercroft: Command, tmp_path: object) -> None:
    from pathlib import Path

    path = Path(str(tmp_path)) / "notes.db"
    path.write_text("these are my notes, not a database\n" * 100)
    done = fresh_undercroft("findings", "--db", path, status=2)
    assert str(path) in done.err
    assert "--debug" not in done.err, "it was to be expected"
    assert path.read_text().startswith("these are my notes")
