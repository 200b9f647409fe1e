"""``services``, ``findings``, ``tower``, ``show``, ``export``."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import Command


def test_filters_narrow_both_lists(undercroft: Command) -> None:
    rows = undercroft("findings", "--filter", "severity:critical layer:identity").rows
    assert rows
    assert {tuple(row[index] for index in (1, 4)) for row in rows} == {("critical", "identity")}
    assert [row[1] for row in undercroft("services", "--filter", "service:gpu-public").rows] == [
        "gpu-public"
    ]


def test_a_wrong_filter_points_at_the_place(undercroft: Command) -> None:
    done = undercroft("findings", "--filter", "layer:identity sevrity:high", status=2)
    assert "sevrity" in done.err
    assert "severity" in done.err
    for form in ("json", "jsonl", "csv"):
        for command in (("findings",), ("export",)):
            done = undercroft(*command, "--format", form, "--filter", "cve:", status=2)
            assert done.out == "", "no document is begun"


def test_tower(undercroft: Command) -> None:
    text = undercroft("tower", "open-desk").out
    for layer in ("service", "container", "vm", "storage", "identity", "network"):
        assert f"\n{layer}" in text
    assert "ml-admin (iam:role) via RoleArn" in text
    assert "largest contributions" in text


def test_tower_of_what_is_not_there(undercroft: Command) -> None:
    done = undercroft("tower", "open-desc", status=2)
    assert "open-desc" in done.err


def test_show_a_finding(undercroft: Command) -> None:
    found = undercroft("findings", "--format", "json", "--filter", "rule:aws-iam-role-admin").json
    finding = found["findings"][0]
    text = undercroft("show", finding["id"]).out
    assert text.startswith("critical")
    for part in ("ml-admin", "open-desk", "facts.admin", "aws-iam-role-admin"):
        assert part in text
    shown = undercroft("show", finding["id"], "--format", "json").json
    assert (shown["id"], shown["service_level"]) == (finding["id"], None)


def test_show_says_when_a_finding_is_due(
    undercroft: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "undercroft").mkdir()
    (tmp_path / "undercroft/config.toml").write_text("[service_level]\ncritical = 7")
    findings = undercroft("findings", "--format", "json", "--filter", "rule:aws-iam-role-admin")
    (found,) = findings.json["findings"]
    seen = datetime.fromisoformat(found["first_seen"])
    later = (seen + timedelta(days=10)).isoformat()
    assert "overdue by 3 days" in undercroft("show", found["id"], "--as-of", later).out
    shown = undercroft("show", found["id"], "--as-of", later, "--format", "json").json
    assert (shown["age_days"], shown["open_days"]) == (10, 10)
    level = shown["service_level"]
    assert (level["days"], level["overdue"], level["paused"]) == (7, True, False)
    assert datetime.fromisoformat(level["due"]) == seen + timedelta(days=7)
    rule = ("--filter", "rule:aws-iam-role-admin", "--as-of", later)
    (again,) = undercroft("findings", "--format", "json", *rule).json["findings"]
    assert again["service_level"] == level
    head, line = undercroft("export", "--format", "csv", *rule).out.splitlines()
    assert head.endswith(",due,overdue")
    assert line.endswith(f",{level['due']},yes")


def test_show_a_resource(undercroft: Command) -> None:
    text = undercroft("show", "ml-public-drop").out
    assert "Anyone can write to the bucket" in text
    assert "swap → " in text
    document = undercroft("show", "ml-public-drop", "--format", "json").json
    assert document["type"] == "s3:bucket"
    assert len(document["services"]) == 1


def test_show_a_name_that_two_resources_have(undercroft: Command) -> None:
    done = undercroft("show", "team/clean", status=2)
    assert done.err.count("team/clean") > 1


@pytest.mark.parametrize("form", ["csv", "json", "jsonl", "markdown"])
def test_export_to_a_file_whole_or_not_at_all(
    undercroft: Command, tmp_path: Path, form: str
) -> None:
    file = tmp_path / f"findings.{form}"
    arguments = ("export", "--format", form, "--filter", "severity>=high", "-o", file)
    done = undercroft(*arguments)
    assert done.out == ""
    written = file.read_text("utf-8")
    total = len(undercroft("findings", "--filter", "severity>=high").rows)
    assert f"wrote {total} findings" in done.err
    counted = {
        "csv": lambda: len(list(csv.DictReader(io.StringIO(written)))),
        "json": lambda: len(json.loads(written)["findings"]),
        "jsonl": lambda: len([json.loads(line) for line in written.splitlines()]),
        "markdown": lambda: sum(
            written.count(f"<br>`{rule}") for rule in ("aws-", "cve`", "toxic-")
        ),
    }
    assert counted[form]() == total

    file.write_text("mine")
    done = undercroft(*arguments, status=2)
    assert "--force" in done.err
    assert file.read_text() == "mine"
    undercroft(*arguments, "--force")
    assert len(file.read_text("utf-8")) > 1000
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")] == []


def test_export_where_nothing_can_be_written(undercroft: Command, tmp_path: Path) -> None:
    file = tmp_path / "missing" / "findings.csv"
    done = undercroft("export", "--format", "csv", "-o", file, status=2)
    assert str(file) in done.err
    assert "not expected" not in done.err


def test_export_gives_the_same_bytes_twice(undercroft: Command) -> None:
    for form in ("csv", "jsonl"):
        assert undercroft("export", "--format", form).out == undercroft(
            "export", "--format", form
        ).out  # fmt: skip


def test_a_table_in_a_pipe_is_tabs_and_no_colour(undercroft: Command) -> None:
    for command in ("findings", "services", "scans"):
        out = undercroft(command).out
        assert "\x1b" not in out
        widths = {line.count("\t") for line in out.splitlines()}
        assert len(widths) == 1


def test_explain_a_service_and_a_finding(undercroft: Command) -> None:
    text = undercroft("explain", "open-desk").out
    assert "risk model 1" in text
    assert "feeds: none imported" in text
    printed = [
        float(line[:5])
        for line in text.splitlines()
        if line[:5].strip(" .0123456789") == "" and line[3:4] == "."
    ]
    assert round(sum(printed[:-1]), 1) == printed[-1]
    document = undercroft("explain", "open-desk", "--format", "json").json
    assert document["schema"] == "undercroft/explain/1"
    assert document["residual"]["printed"] == printed[-1]
    worst = document["residual"]["lines"][0]
    alone = undercroft("explain", worst["id"]).out
    assert f"h = {worst['h']:.4f}" in alone
    assert "open-desk" in alone
    undercroft("explain", "no-such-thing", status=2)
    everything = undercroft("explain", "open-desk", "--all").out
    assert "constants of risk model 1" in everything
    assert "uses_identity 0.9" in everything


def test_fix_first(undercroft: Command) -> None:
    rows = undercroft("fix-first", "--top", "3").rows
    assert len(rows) == 3
    left = [float(row[1]) for row in rows]
    assert left == sorted(left, reverse=True)
    document = undercroft("fix-first", "--top", "3", "--format", "json").json
    assert document["schema"] == "undercroft/fix-first/1"
    services = undercroft("services", "--format", "json").json["services"]
    each = [row["score"] for row in services]  # in tenths
    assert document["total"] == pytest.approx(sum(each), abs=0.05 * len(each))
    total = document["total"]
    for repair in document["repairs"]:
        taken = sum(one["before"] - one["after"] for one in repair["services"])
        assert repair["value"] == pytest.approx(taken)
        total -= repair["value"]
        assert repair["total_after"] == pytest.approx(total)
    checklist = undercroft("fix-first", "--top", "3", "--format", "markdown").out
    assert checklist.count("- [ ] ") == 3
    assert "        aws " in checklist
    assert undercroft("findings", "--filter", "status:fix_claimed").rows == []
