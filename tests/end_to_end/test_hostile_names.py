"""A resource with a hostile name: literal on every surface, harmless in every file."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import shutil
from pathlib import Path

import pytest

from tests.end_to_end.kit import Shell
from undercroft.exchange.markdown import escape

ODD = "[bold red]x[/]\x1b[31m=cmd()"
SHOWN = "[bold red]x[/]␛[31m=cmd()"
"""The same where people read it: only the escape character is replaced, by its picture."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def test_json_keeps_the_name_and_escapes_it(shell: Shell) -> None:
    done = shell.run("services", "--format", "json")
    assert "\x1b" not in done.out
    (odd,) = [row for row in done.json["services"] if row["name"].startswith("[")]
    assert odd["name"] == ODD


@pytest.fixture(scope="module")
def decided(scanned_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A cache with a decision that is as hostile as what it is about."""
    home = tmp_path_factory.mktemp("hostile")
    shell = Shell(home, home / "cache.db")
    shutil.copy(scanned_cache, shell.db)
    (found,) = [found["id"] for found in shell.findings("package:*cmd*")]
    shell.run("accept", found, "--reason", f"because of {ODD}", "--until", "30d", "--owner", ODD)
    return shell


@pytest.mark.parametrize(
    "arguments",
    [
        ("services",),
        ("findings",),
        ("findings", "--format", "csv"),
        ("findings", "--format", "jsonl"),
        ("services", "--format", "csv"),
        ("export", "--format", "markdown"),
        ("export", "--format", "csv"),
        ("tower", ODD),
        ("show", ODD),
        ("show", ODD, "--format", "json"),
        ("scans",),
        ("history",),
    ],
    ids=" ".join,
)
def test_nothing_reaches_the_terminal(decided: Shell, arguments: tuple[str, ...]) -> None:
    out = decided.run(*arguments).out.replace("\r\n", "\n")
    assert not CONTROL.search(out.replace("\t", " "))


def test_tables_show_it_literally(shell: Shell) -> None:
    names = [row[1] for row in shell.run("services").rows]
    assert SHOWN in names
    assert shell.run("tower", ODD).out.startswith(f"{SHOWN}  sagemaker:endpoint")


def test_it_can_be_named_and_filtered_for(shell: Shell) -> None:
    # An asterisk is a wildcard outside quotes only.
    pieces = "*".join(json.dumps(piece) for piece in ODD.split("\x1b"))
    done = shell.run("services", "--filter", f"service:{pieces}", "--format", "json")
    assert [row["name"] for row in done.json["services"]] == [ODD]


@pytest.mark.parametrize("command", ["findings", "services"])
def test_no_csv_cell_is_a_formula(shell: Shell, command: str) -> None:
    (package,) = shell.findings("package:*cmd*")
    shell.run("accept", package["id"], "--reason", "=HYPERLINK(evil) is text", "--until", "30d",
              "--owner", "@everyone")  # fmt: skip
    done = shell.run(command, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    cells = [cell for row in rows for cell in row.values()]
    assert not [cell for cell in cells if cell.startswith(FORMULA)]
    if command == "services":
        assert SHOWN in [row["name"] for row in rows]
        return
    (row,) = [row for row in rows if row["id"] == package["id"]]
    assert row["reason"] == "'=HYPERLINK(evil) is text"
    assert row["owner"] == "'@everyone"
    assert "cmd()" in row["package"]


def test_markdown_is_text_only(shell: Shell) -> None:
    out = shell.run("export", "--format", "markdown", "--filter", "package:*cmd*").out
    assert escape(SHOWN) in out
    text = re.sub(r"`+[^`]*`+", "", out)
    assert not re.search(r"(?<!\\)\[bold", text), "no link or markup begins"
    assert html.unescape(out) == out
