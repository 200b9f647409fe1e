"""Two people, two copies: decisions through a file, through git, and from cache to cache."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.kit import Done
from tests.undercroft.store_kit import Clock, save, tower_estate
from undercroft.store import Store
from undercroft.views import Query

Command = Callable[..., Done]
UNTIL = ("--until", "300d", "--owner", "ml")


@pytest.fixture
def two(fresh_undercroft: Command, tmp_path: Path) -> tuple[Path, Path]:
    """Two copies of a cache in which nobody has decided anything."""
    ada, bob = tmp_path / "ada.db", tmp_path / "bob.db"
    with Store.open(ada, clock=Clock()) as store:
        save(store, tower_estate(), Clock())
    shutil.copy(ada, bob)
    return ada, bob


def ids(db: Path) -> dict[str, str]:
    with Store.open(db, read_only=True) as store:
        return {row.rule: row.id for row in store.findings(store.scan().id, Query())}


def status(db: Path, rule: str) -> str:
    with Store.open(db, read_only=True) as store:
        (row,) = store.findings(store.scan().id, Query(f"rule:{rule}"))
        return row.status


def as_bob(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERCROFT_ACTOR", "Bob <bob@example.org>")


def test_a_file_brings_both_to_the_same(
    fresh_undercroft: Command,
    two: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, (ada, bob) = fresh_undercroft, two
    found = ids(ada)
    run("accept", found["nb-root"], "--reason", "isolated network", *UNTIL, "--db", ada)
    run("note", found["role-admin"], "--text", "asked the team", "--db", ada)
    as_bob(monkeypatch)
    run("false-positive", found["nb-root"], "--reason", "not reachable at all", "--db", bob)
    run("fixed", found["bucket-public"], "--db", bob)

    file = tmp_path / "decisions.jsonl"
    assert "wrote 2 events" in run("decisions", "export", file, "--db", ada).err
    assert "2 events of them are not in this" in run("decisions", "export", file, "--db", bob).err
    lines = file.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 4
    assert [json.loads(line)["lamport"] for line in lines] == [1, 1, 2, 2]

    done = run("decisions", "merge", file, "--db", ada)
    assert "2 new events, 1 conflict, 1 finding changed status" in done.err
    assert "open → fix claimed" in done.err
    done = run("decisions", "merge", file, "--db", bob)
    assert "2 new events, 1 conflict, 1 finding changed status" in done.err
    assert "false positive → accepted" in done.err
    for db in two:
        # What hides least is in force on both sides, and the conflict is said once.
        assert (status(db, "nb-root"), status(db, "bucket-public")) == ("accepted", "fix_claimed")
        rows = run("decisions", "conflicts", "--db", db).rows
        assert [(row[1], row[5]) for row in rows] == [("yes", "accept"), ("", "false positive")]
        again = run("decisions", "merge", file, "--db", db)
        assert "0 new events, 0 conflicts, 0 findings changed status" in again.err
        assert "2 copies: every chain is whole" in run("decisions", "verify", "--db", db).err
    # Deciding once more settles it, here and there.
    run("reopen", found["nb-root"], "--reason", "we have talked it over", "--db", bob)
    run("decisions", "merge", bob, "--db", ada)
    for db in two:
        assert run("decisions", "conflicts", "--db", db).rows == []
        assert status(db, "nb-root") == "open"


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_git_merges_the_file_without_a_conflict(
    fresh_undercroft: Command, two: tuple[Path, Path], tmp_path: Path
) -> None:
    run, (ada, bob) = fresh_undercroft, two
    found = ids(ada)
    repository = tmp_path / "repository"
    repository.mkdir()
    git(repository, "init", "-q", "-b", "main")
    file = repository / "decisions.jsonl"
    (repository / ".gitattributes").write_text("decisions.jsonl merge=union\n", encoding="utf-8")
    run("note", found["nb-root"], "--text", "seen", "--db", ada)
    run("decisions", "export", file, "--db", ada)
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "first")
    git(repository, "branch", "other")
    for number in range(3):
        run("note", found["role-admin"], "--text", f"ada {number}", "--db", ada)
    run("decisions", "export", file, "--db", ada)
    git(repository, "commit", "-qam", "ada")
    git(repository, "checkout", "-q", "other")
    run("decisions", "merge", file, "--db", bob)
    for number in range(2):
        run("note", found["role-admin"], "--text", f"bob {number}", "--db", bob)
    run("decisions", "export", file, "--db", bob)
    git(repository, "commit", "-qam", "bob")
    git(repository, "merge", "-q", "main", "-m", "together")
    for db in two:
        run("decisions", "merge", file, "--db", db)
        notes = [row[6] for row in run("history", "--kind", "note", "--db", db).rows]
        assert sorted(notes) == ["ada 0", "ada 1", "ada 2", "bob 0", "bob 1", "seen"]


def test_marks_of_an_unfinished_merge_do_no_harm(
    fresh_undercroft: Command, two: tuple[Path, Path], tmp_path: Path
) -> None:
    run, (ada, bob) = fresh_undercroft, two
    run("note", ids(ada)["nb-root"], "--text", "seen", "--db", ada)
    text = run("decisions", "export", "-", "--db", ada).out
    file = tmp_path / "d.jsonl"
    file.write_text(f"<<<<<<< HEAD\r\n{text}=======\n\n{text}>>>>>>> other\n", encoding="utf-8")
    assert "1 new event," in run("decisions", "merge", file, "--db", bob).err


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda text: text.replace("seen", "sEEn"), "line 1: event .* was changed"),
        (lambda text: text + "{}\n", "line 2: event field"),
        (lambda text: text + "[" * 100_000 + "\n", "line 2: it is not a line of JSON"),
        (lambda text: text + "null\n", "line 2: it is not a JSON object"),
        (lambda text: text + "\x00", "line 2: it is not a line of JSON"),
    ],
)
def test_a_damaged_file_is_refused_whole(
    fresh_undercroft: Command,
    two: tuple[Path, Path],
    tmp_path: Path,
    change: Callable[[str], str],
    word: str,
) -> None:
    import re

    run, (ada, bob) = fresh_undercroft, two
    run("note", ids(ada)["nb-root"], "--text", "seen", "--db", ada)
    file = tmp_path / "d.jsonl"
    file.write_text(change(run("decisions", "export", "-", "--db", ada).out), encoding="utf-8")
    done = run("decisions", "merge", file, "--db", bob, status=2)
    assert re.search(word, done.err)
    assert run("history", "--db", bob).rows == []
    before = file.read_bytes()
    run("decisions", "export", file, "--db", ada, status=2)
    assert file.read_bytes() == before


def test_a_changed_log_is_found(fresh_undercroft: Command, two: tuple[Path, Path]) -> None:
    import sqlite3

    run, (ada, _) = fresh_undercroft, two
    run("note", ids(ada)["nb-root"], "--text", "seen", "--db", ada)
    assert "1 event of 1 copy: every chain is whole" in run("history", "--verify", "--db", ada).err
    with sqlite3.connect(ada) as connection:
        connection.execute("DROP TRIGGER event_no_update")
        connection.execute("UPDATE event SET actor = 'nobody'")
    connection.close()
    done = run("history", "--verify", "--db", ada, status=1)
    assert "its content was changed after it was written" in done.err
