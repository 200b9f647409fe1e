"""``rules``, ``doctor``, ``config``, and what a wrong command line gets."""

from __future__ import annotations

import re
import sqlite3
import stat
from datetime import timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.end_to_end.kit import Shell
from tests.undercroft.store_kit import Clock, save, tower_estate
from undercroft.model import Severity
from undercroft.store import Store
from undercroft.store.schema import APPLICATION_ID
from undercroft.triage.decide import Triage
from undercroft.triage.scopes import Scope
from undercroft.triage.scoping import Ahead, accept_scope, rate_scope

RULE = """\
- id: team-notebook-name
  title: Notebook is not named after its team
  on: sagemaker:notebook-instance
  layer: service
  severity: low
  threat: conditional
  fails_when: '!config.NotebookInstanceName.startsWith("team-")'
  evidence: [config.NotebookInstanceName]
  why: Nobody knows whom to ask.
  fix: {text: Name it after the team.}
  examples:
    - fails: {config: {NotebookInstanceName: desk}}
    - passes: {config: {NotebookInstanceName: team-desk}}
    - unknown: {}
"""


@pytest.mark.parametrize("command", [(), ("open",), ("demo",)])
def test_a_screen_that_there_is_not_names_those_that_there_are(
    fresh_undercroft: Command, command: tuple[str, ...]
) -> None:
    done = fresh_undercroft(*command, "--screen", "nope", status=2)
    assert "there is no screen 'nope'; there are services, findings," in done.err
    assert "fix-first" in done.err
    assert "accepted-rules" in done.err
    assert "scan-progress" not in done.err, "nothing runs yet"


@pytest.mark.parametrize("name", ["fix-first", "fix_first", "Fix first", "accepted-rules"])
def test_screens_go_by_their_names(fresh_undercroft: Command, name: str) -> None:
    done = fresh_undercroft("--screen", name, status=2)
    assert "needs a terminal" in done.err, "the name was taken"


def test_rules_list(fresh_undercroft: Command) -> None:
    rows = fresh_undercroft("rules", "list").rows
    assert len(rows) > 60
    document = fresh_undercroft("rules", "list", "--format", "json").json
    assert document["schema"] == "undercroft/rules/1"
    assert [rule["id"] for rule in document["rules"]] == [row[0] for row in rows]


def test_rules_say_what_was_decided_about_them(fresh_undercroft: Command, tmp_path: Path) -> None:
    run, db = fresh_undercroft, tmp_path / "decided.db"
    scope, why = Scope("aws-s3-public-read"), "only samples [red]\x1b[31m"
    with Store.open(db, clock=Clock()) as store:
        scan = save(store, tower_estate(), Clock())
        ahead = Ahead(Severity.HIGH, scan.uid, scan.started_at)
        triage = Triage(store, actor="ada <a@x>", clock=Clock())
        until = triage.today + timedelta(days=9)
        accept_scope(triage, scope, (), reason=why, until=until, owner="ml", ahead=ahead)
        rate_scope(triage, scope, (), severity=Severity.INFO, reason=why, until=until, ahead=ahead)
    now = ("--db", db, "--as-of", "2026-11-21")
    (row,) = (row for row in run("rules", "list", *now).rows if row[0] == scope.rule)
    (plain,) = (row for row in run("rules", "list").rows if row[0] == scope.rule)
    says = plain[1]
    assert (row[1], row[5]) == (
        "info",
        f"off until {until}; info instead of {says} until {until}",
    )
    assert row[2:5] == plain[2:], "without a cache there is no such column"
    document = run("rules", "list", *now, "--format", "json").json
    rules = {one["id"]: one for one in document["rules"]}
    one = rules.pop(scope.rule)
    assert (one["severity"], one["rated"]["severity"]) == (says, "info")
    assert one["off"]["reason"] == one["rated"]["reason"] == why
    assert (one["off"]["until"], one["off"]["owner"]) == (str(until), "ml")
    assert not any(other["off"] or other["rated"] for other in rules.values())
    text = run("rules", "show", scope.rule, *now).out
    assert text.startswith("info  ")
    assert f"off until {until} by ada <a@x>: only samples [red]" in text
    assert "\x1b" not in text
    later = run("rules", "list", "--db", db, "--as-of", str(until + timedelta(days=2))).rows
    assert not any(row[5] for row in later)
    run("rules", "list", "--db", tmp_path / "none.db", status=2)


def test_rules_show(fresh_undercroft: Command) -> None:
    text = fresh_undercroft("rules", "show", "aws-sagemaker-notebook-root-access").out
    for label in ("id", "fails when", "why", "fix", "command"):
        assert re.search(rf"^  {label} ", text, re.MULTILINE), label
    combination = fresh_undercroft("rules", "show", "aws-toxic-notebook-takeover").out
    assert "needs" in combination


def test_rules_show_guesses_what_was_meant(fresh_undercroft: Command) -> None:
    done = fresh_undercroft("rules", "show", "aws-sagemaker-notebok-root-access", status=2)
    assert "did you mean 'aws-sagemaker-notebook-root-access'" in done.err


def test_the_shipped_rules_do_what_their_examples_say(fresh_undercroft: Command) -> None:
    done = fresh_undercroft("rules", "test")
    assert done.out == ""
    assert done.err.endswith(": 0 wrong\n")


def test_a_pack_of_ones_own(fresh_undercroft: Command, tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "team.yaml").write_text(RULE)
    assert "0 wrong" in fresh_undercroft("rules", "test", folder).err
    ids = [row[0] for row in fresh_undercroft("rules", "list", "--rules", folder).rows]
    assert "team-notebook-name" in ids

    (folder / "team.yaml").write_text(RULE.replace('"team-"', '"group-"'))
    done = fresh_undercroft("rules", "test", folder, status=1)
    assert "team-notebook-name: example 2" in done.out

    (folder / "team.yaml").write_text(RULE.replace("evidence:", "evidense:"))
    done = fresh_undercroft("rules", "test", folder, status=2)
    assert "evidense" in done.err
    assert 'did you mean "evidence"' in done.err
    assert "team.yaml" in done.err


def test_doctor_on_a_new_machine(fresh_undercroft: Command) -> None:
    out = fresh_undercroft("doctor").out
    assert "FIX" not in out
    assert "none yet at" in out
    assert re.search(r"ok +rules +\d+ rules, \d+ combinations", out)
    assert "credentials in the environment" in out


def test_doctor_finds_a_cache_that_others_can_read(undercroft: Command, shell: Shell) -> None:
    assert "file and decision log are whole" in undercroft("doctor").out
    shell.db.chmod(stat.S_IRUSR | stat.S_IWUSR | stat.S_IRGRP)
    done = undercroft("doctor", status=1)
    assert f"chmod 600 {shell.db}" in done.out


def test_doctor_finds_a_broken_cache(undercroft: Command, shell: Shell) -> None:
    with shell.db.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 65536)
    done = undercroft("doctor", status=1)
    assert re.search(r"^FIX +(cache|integrity) +.*damaged", done.out, re.MULTILINE)
    done = undercroft("findings", status=2)
    assert "restore it from a copy" in done.err


def test_doctor_has_no_advice_about_a_file_that_is_no_cache(
    fresh_undercroft: Command, tmp_path: Path
) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("nothing to do with it")
    other.chmod(0o644)
    out = fresh_undercroft("doctor", "--db", other, status=1).out
    assert "is not an Undercroft cache" in out
    assert "chmod" not in out


def test_a_cache_of_an_older_release_is_brought_up_to_date_by_any_command(
    fresh_undercroft: Command, new_shell: Shell
) -> None:
    with sqlite3.connect(new_shell.db) as database:
        database.execute("CREATE TABLE relic (text TEXT)")
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        database.execute("PRAGMA user_version = -1")
    assert fresh_undercroft("scans").rows == []
    assert [file for file in new_shell.db.parent.iterdir() if file.suffix == ".bak"]


def test_config_path_and_show(fresh_undercroft: Command, new_shell: Shell) -> None:
    path = Path(fresh_undercroft("config", "path").out.strip())
    assert path == new_shell.home / ".config" / "undercroft" / "config.toml"
    assert "everything has its default" in fresh_undercroft("config", "show").err
    path.parent.mkdir(parents=True)
    path.write_text('actor = "Grace <grace@example.org>"\n')
    assert fresh_undercroft("config", "show").out == 'actor = "Grace <grace@example.org>"\n'
    path.write_text('acter = "x"\n')
    done = fresh_undercroft("config", "show", status=2)
    assert "did you mean actor" in done.err


def test_config_edit_makes_a_file_that_is_valid(
    fresh_undercroft: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDITOR", "true")
    fresh_undercroft("config", "edit")
    assert fresh_undercroft("config", "show").out.startswith("# Undercroft's settings")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("fnord",), "fnord"),
        (("findings", "--fromat", "json"), "--format"),
        (("findings", "--format", "xml"), "xml"),
        (("scan",), ""),
        (("export",), "--format"),
        (("tower",), "SERVICE"),
    ],
)
def test_a_wrong_command_line(
    fresh_undercroft: Command, arguments: tuple[str, ...], said: str
) -> None:
    done = fresh_undercroft(*arguments, status=2)
    assert said in done.err
    assert "Traceback" not in done.err


def test_the_cache_may_be_named_in_three_ways(
    undercroft: Command, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_environment = undercroft("scans").out
    monkeypatch.delenv("UNDERCROFT_DB")
    undercroft("scans", status=2)
    assert undercroft("scans", "--db", shell.db).out == by_environment
    assert undercroft("--db", shell.db, "scans").out == by_environment
    assert undercroft("scans", "--db", shell.db, "list").out == by_environment


def test_a_traceback_only_when_asked(undercroft: Command, shell: Shell) -> None:
    shell.db.write_bytes(b"SQLite format 3\x00" + b"\xff" * 5000)
    assert "Traceback" not in undercroft("findings", status=2).err
    assert "Traceback" in undercroft("findings", "--debug", status=2).err
