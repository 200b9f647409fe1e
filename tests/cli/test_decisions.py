"""Deciding from the command line: what is recorded, what is refused, what can be taken back."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Command
from tests.end_to_end.kit import ACTOR

REASON = ("--reason", "isolated network, reviewed")


def some(undercroft: Command, filter_text: str, *arguments: str) -> list[dict[str, Any]]:
    done = undercroft("findings", "--format", "json", "--filter", filter_text, *arguments)
    found: list[dict[str, Any]] = done.json["findings"]
    return found


def root_access(undercroft: Command) -> dict[str, Any]:
    (found,) = some(undercroft, "rule:aws-sagemaker-notebook-root-access resource:open-desk")
    return found


def test_accept_until_a_date_by_an_owner(undercroft: Command) -> None:
    found = root_access(undercroft)
    day = date.today() + timedelta(days=40)  # noqa: DTZ011  (the day on the person's calendar)
    done = undercroft("accept", found["id"], *REASON, "--until", day, "--owner", "ml-platform")
    assert done.out == ""
    assert f"accepted 1 finding until {day}" in done.err
    again = root_access(undercroft)
    assert again["status"] == "accepted"
    decision = again["decision"]
    assert decision.pop("at").startswith("20")
    assert decision == {
        "kind": "accept",
        "reason": REASON[1],
        "until": day.isoformat(),
        "owner": "ml-platform",
        "actor": ACTOR,
        "scope": "",
    }


def test_the_longest_acceptance_is_a_setting(
    undercroft: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "undercroft").mkdir()
    (tmp_path / "undercroft/config.toml").write_text("max_accept_days = 20")
    found = undercroft("findings", "--format", "json").json["findings"][0]
    done = undercroft("accept", found["id"], *REASON, "--until", "21d", "--owner", "ml", status=2)
    assert "more than 20 days away" in done.err


def test_an_accepted_finding_leaves_the_score(undercroft: Command) -> None:
    before = {
        row["name"]: row for row in undercroft("services", "--format", "json").json["services"]
    }["open-desk"]
    undercroft("accept", "--filter", "service:open-desk", "--yes", *REASON, "--until", "eoy")
    after = {
        row["name"]: row for row in undercroft("services", "--format", "json").json["services"]
    }["open-desk"]
    assert before["accepted"] == 0
    assert after["open"] == after["score"] == 0
    assert after["accepted"] == before["open"]
    assert after["inherent"] == before["inherent"]


@pytest.mark.parametrize("shape", ["f1-{}", "{}"])
def test_a_finding_may_be_named_by_its_beginning(undercroft: Command, shape: str) -> None:
    found = root_access(undercroft)
    undercroft("note", shape.format(found["id"][3:13]), "--text", "asked the team about it")
    shown = undercroft("show", found["id"]).out
    assert "asked the team about it" in shown
    assert root_access(undercroft)["status"] == "open"


def test_an_ambiguous_beginning_names_the_candidates(undercroft: Command) -> None:
    beginnings = Counter(found["id"][:4] for found in some(undercroft, ""))
    (common, _), *_ = beginnings.most_common(1)
    done = undercroft("note", common, "--text", "asked the team", status=2)
    assert done.err.startswith("undercroft: ")
    assert done.err.count(common) > 2


def test_false_positive_and_reopen(undercroft: Command) -> None:
    found = root_access(undercroft)["id"]
    undercroft("false-positive", found, "--reason", "the rule misreads this field",
               "--category", "wrong_rule_logic")  # fmt: skip
    assert root_access(undercroft)["status"] == "false_positive"
    undercroft("reopen", found, "--reason", "it does not after all")
    assert root_access(undercroft)["status"] == "open"
    assert root_access(undercroft)["decision"] is None


def test_fixed_is_a_claim(undercroft: Command) -> None:
    before = len(some(undercroft, "status:active"))
    undercroft("fixed", root_access(undercroft)["id"], "--note", "redeployed")
    assert root_access(undercroft)["status"] == "fix_claimed"
    assert len(some(undercroft, "status:active")) == before, "a claim is no proof"


def test_undo_takes_back_the_whole_last_decision(undercroft: Command) -> None:
    first = root_access(undercroft)["id"]
    undercroft("fixed", first)
    undercroft("accept", "--filter", "rule:aws-s3-*", "--yes", *REASON, "--until", "2w")
    many = len(some(undercroft, "status:accepted"))
    assert many > 5
    done = undercroft("undo")
    assert str(many) in done.err
    assert some(undercroft, "status:accepted") == []
    assert root_access(undercroft)["status"] == "fix_claimed"
    undercroft("undo")
    assert root_access(undercroft)["status"] == "open"
    done = undercroft("undo", status=2)
    assert done.err.startswith("undercroft: ")


def test_undo_of_a_named_event(undercroft: Command) -> None:
    first, second, *_ = (found["id"] for found in some(undercroft, "rule:aws-ec2-*"))
    undercroft("fixed", first)
    undercroft("fixed", second)
    events = undercroft("history", "--format", "json").json["events"]
    undercroft("undo", events[-1]["id"])
    assert [found["id"] for found in some(undercroft, "status:fix_claimed")] == [second]
    newest, *_, oldest = undercroft("history", "--format", "json").json["events"]
    assert newest["type"] == "undo"
    assert not oldest["live"]


def test_history_tells_who_what_and_why(undercroft: Command) -> None:
    found = root_access(undercroft)
    undercroft("accept", found["id"], *REASON, "--until", "30d")
    undercroft("note", found["id"], "--text", "the team is on it")
    document = undercroft("history", "--format", "json").json
    assert document["schema"] == "undercroft/history/1"
    note, accept = document["events"]
    assert {event["actor"] for event in (note, accept)} == {ACTOR}
    assert accept["finding"] == found["id"]
    assert accept["resource"] == "open-desk"
    assert accept["reason"] == REASON[1]
    assert accept["live"]
    (row,) = undercroft("history", "--text", "isolated").rows
    assert REASON[1] in row
    assert len(undercroft("history", "--limit", "1").rows) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("accept", "ID", "--reason", "short", "--until", "30d"), "10"),
        (("accept", "ID", *REASON, "--until", "2001-01-01"), "has passed"),
        (("accept", "ID", *REASON, "--until", "800d"), "365"),
        (("accept", "ID", *REASON, "--until", "someday"), "someday"),
        (("accept", "ID", "--until", "30d"), "--reason"),
        (("accept", *REASON, "--until", "30d"), "--filter"),
        (("accept", "ID", "--filter", "layer:vm", *REASON, "--until", "30d"), "one of the two"),
        (("accept", "f1-nothing", *REASON, "--until", "30d"), "f1-nothing"),
        (("fixed", "--filter", "severity:hihg", "--yes"), "high"),
        (("fixed", "--filter", "colour:red", "--yes"), "colour"),
        (("fixed", "--filter", "region:mars", "--yes"), "no finding"),
        (("reopen", "ID", "--reason", "nothing to withdraw"), "decision"),
        (("undo", "no-such-event"), "no-such-event"),
    ],
)
def test_refusals_are_one_sentence(
    undercroft: Command, arguments: tuple[str, ...], said: str
) -> None:
    found = root_access(undercroft)["id"]
    done = undercroft(*(found if word == "ID" else word for word in arguments), status=2)
    assert done.out == ""
    assert said in done.err
    assert len(done.err.splitlines()) <= 2
    assert undercroft("history").rows == []


def test_a_filter_is_acted_on_only_when_told(
    undercroft: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", open("/dev/null"))  # noqa: SIM115, PTH123
    done = undercroft("fixed", "--filter", "layer:vm", status=2)
    assert "add --yes" in done.err
    assert some(undercroft, "status:fix_claimed") == []


def test_deciding_on_grave_findings_names_the_services_above(undercroft: Command) -> None:
    (found,) = some(undercroft, "rule:aws-iam-role-admin")
    done = undercroft("accept", found["id"], *REASON, "--until", "30d")
    assert "1 critical finding beneath open-desk" in done.err


def test_many_services_above_are_counted_after_the_first_few(undercroft: Command) -> None:
    services = {key for row in some(undercroft, "severity:critical") for key in row["services"]}
    assert len(services) > 6
    done = undercroft("accept", "--filter", "severity:critical", "--yes", *REASON, "--until", "30d")
    (line,) = (line for line in done.err.splitlines() if "beneath" in line)
    named, _, rest = line.partition(" and ")
    assert len(named.partition(" beneath ")[2].split(", ")) == 5
    assert rest == f"{len(services) - 5} more AI services"
