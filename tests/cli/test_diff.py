"""``diff`` as a report, as data and as a gate; ``--as-of``; the acceptance of a rule."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.end_to_end.kit import Done, Shell
from tests.undercroft.store_kit import (
    Clock,
    Estate,
    accept,
    covered,
    fail,
    notebook,
    save,
    tower_estate,
)
from undercroft.model import CoverageStatus
from undercroft.store import Store
from undercroft.views import Query

Command = Callable[..., Done]


def estate(*names: str, **config: object) -> Estate:
    made = Estate()
    for name in names:
        nb = notebook(name, config={"Name": name, **config})
        made.add(nb, fail(nb))
    return made


@pytest.fixture
def db(new_shell: Shell) -> Path:
    """Scans: a and b; then a, b and c with another field; then nothing could be listed."""
    clock = Clock()
    with Store.open(new_shell.db, clock=clock) as store:
        save(store, estate("a", "b"), clock, name="monday")
        changed = estate("b", "c", Size=5)
        changed.add(notebook("a", config={"Fixed": "<b>`|x"}))
        save(store, changed, clock, name="tuesday")
        denied = Estate(coverage=[covered(status=CoverageStatus.DENIED, reason="needs s:L")])
        save(store, denied, clock, name="wednesday")
    return new_shell.db


def test_table_says_what_could_not_be_checked_first(fresh_undercroft: Command, db: Path) -> None:
    done = fresh_undercroft("diff", "monday", "tuesday")
    assert [(row[0], row[3]) for row in done.rows] == [("new", "c"), ("fixed", "a")]
    assert "monday → tuesday: 1 new, 1 fixed, 1 as before" in done.err
    # The last one holds no data of its own, so it is not the one compared unless it is named.
    assert fresh_undercroft("diff").rows == fresh_undercroft("diff", "monday", "tuesday").rows
    done = fresh_undercroft("diff", "tuesday", "wednesday")
    assert [(row[0], row[5]) for row in done.rows] == [("unconfirmed", "denied: needs s:L")] * 2
    assert "2 findings could not be re-checked" in done.err
    assert "no longer read: aws.sagemaker 111122223333 us-east-1 (denied): needs s:L" in done.err


def test_json_has_fields_and_counts(fresh_undercroft: Command, db: Path) -> None:
    found = fresh_undercroft("diff", "monday", "tuesday", "--format", "json").json
    assert found["schema"] == "undercroft/diff/1"
    assert (found["older"]["name"], found["newer"]["name"]) == ("monday", "tuesday")
    assert {k: n for k, n in found["counts"].items() if n} == {
        "new": 1,
        "fixed": 1,
        "persisting": 1,
    }
    fields = {resource["name"]: resource["fields"] for resource in found["resources"]}
    assert fields["b"] == [{"path": "Size", "after": 5}]
    assert fields["a"] == [
        {"path": "Fixed", "after": "<b>`|x"},
        {"path": "Name", "before": "a"},
    ]
    assert {score["name"] for score in found["scores"]} == {"a", "c"}


def test_markdown_is_text_only(fresh_undercroft: Command, db: Path) -> None:
    text = fresh_undercroft("diff", "monday", "tuesday", "--format", "markdown").out
    assert text.startswith("# monday → tuesday\n")
    assert "## New: 1 finding" in text
    assert "  - `Fixed`: absent → ``" in text
    assert "<b>`|" not in text
    text = fresh_undercroft("diff", "tuesday", "wednesday", "--format", "markdown").out
    assert text.index("## Unconfirmed") > text.index("Coverage lost")


def test_two_caches(fresh_undercroft: Command, db: Path, tmp_path: Path) -> None:
    clock = Clock()
    other = tmp_path / "other.db"
    with Store.open(other, clock=clock) as store:
        save(store, estate("a", "b"), clock, name="theirs")
    assert "2 as before" in fresh_undercroft("diff", "monday", other).err
    assert "1 new, 1 fixed, 1 as before" in fresh_undercroft("diff", other, f"{db}:tuesday").err
    fresh_undercroft("diff", "monday", tmp_path / "none.db", status=2)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("monday", "tuesday"), 0),
        (("monday", "tuesday", "--fail-on", "high"), 1),
        (("monday", "tuesday", "--fail-on", "critical"), 0),
        (("monday", "monday", "--fail-on", "low"), 0),
        (("tuesday", "wednesday", "--fail-on", "low"), 3),
        (("tuesday", "wednesday", "--fail-on-unconfirmed"), 1),
        (("tuesday", "wednesday"), 0),
        (("monday", "tuesday", "--fail-on-expired"), 0),
        (("monday", "thursday"), 2),
    ],
)
def test_the_gate(
    fresh_undercroft: Command, db: Path, arguments: tuple[str, ...], status: int
) -> None:
    fresh_undercroft("diff", *arguments, status=status)


def test_what_is_accepted_trips_nothing_until_it_expires(
    fresh_undercroft: Command, db: Path
) -> None:
    with Store.open(db, clock=Clock()) as store:
        scan = store.scan("tuesday")
        (new,) = store.findings(scan.id, Query("resource:c"))
        accept(store, new.id, Clock())
    gate = ("diff", "monday", "tuesday", "--fail-on", "low")
    fresh_undercroft(*gate, "--as-of", "2026-12-31", status=0)
    fresh_undercroft(*gate, "--as-of", "2027-01-01", status=1)
    expired = ("diff", "monday", "tuesday", "--fail-on-expired")
    fresh_undercroft(*expired, "--as-of", "2026-12-31", status=0)
    fresh_undercroft(*expired, "--as-of", "2027-01-01", status=1)


def test_t23_as_of_gives_the_same_bytes(fresh_undercroft: Command, new_shell: Shell) -> None:
    clock = Clock()
    with Store.open(new_shell.db, clock=clock) as store:
        scan = save(store, tower_estate(), clock)
        for row in store.findings(scan.id, Query()):
            accept(store, row.id, clock)
    for command in (
        ("findings", "--format", "json"),
        ("services", "--format", "json"),
        ("export", "--format", "markdown"),
        ("tower", "nb"),
        ("diff", "latest", "latest", "--format", "json"),
    ):
        held = fresh_undercroft(*command, "--as-of", "2026-12-31").out
        assert fresh_undercroft(*command, "--as-of", "2026-12-31T00:00+00:00").out == held
        ended = fresh_undercroft(*command, "--as-of", "2027-01-01T01:00+01:00").out
        assert ended != held
        assert fresh_undercroft(*command, "--as-of", "2027-01-01").out == ended
        assert fresh_undercroft(*command, "--as-of", "2026-12-31").out == held
    assert "is no moment" in fresh_undercroft("findings", "--as-of", "friday", status=2).err


def test_a_rule_is_accepted_within_a_boundary(fresh_undercroft: Command, db: Path) -> None:
    run = fresh_undercroft
    why = ("--reason", "the lab is closed to all", "--until", "300d")
    prefix = ("--prefix", "aws/aws/111122223333/us-east-1/sagemaker/notebook-instance/")
    done = run("accept", "--rule", "nb-root", *prefix, *why, status=2)
    assert "2 findings now, and more to come; add --yes" in done.err
    done = run("accept", "--rule", "nb-root", *prefix, *why, "--yes")
    assert "now 2 findings" in done.err
    assert {
        row[2] for row in run("findings", "--scan", "tuesday", "--filter", "resource:b,c").rows
    } == {"accepted"}
    clock = Clock(datetime(2026, 11, 21, tzinfo=UTC))
    with Store.open(db, clock=clock) as store:
        save(store, estate("b", "c", "d"), clock)
    done = run("decisions", "scopes")
    ((event, state, _, covers, newly, *_),) = done.rows
    assert (state, covers, newly) == ("active", "3", "1")
    assert "newly covers" in done.err
    run("decisions", "seen", event)
    assert run("decisions", "scopes").rows[0][4] == "0"
    run("decisions", "end", event, "--reason", "the lab is open again")
    assert run("decisions", "scopes").rows[0][1] == "ended"
    assert {row[2] for row in run("findings", "--filter", "resource:b,c,d").rows} == {"open"}
    run("undo")
    assert {row[2] for row in run("findings", "--filter", "resource:b,c,d").rows} == {"accepted"}
    first = run("findings").rows[0][0]
    run("override-severity", first, "--severity", "info", *why[:3], "30d")
    (count,) = run("override-severity", "--rule", "nb-root", "--severity", "low", *why[:3], "30d",
                   status=2).err.splitlines()  # fmt: skip
    assert "would rate nb-root everywhere as low: 3 findings now" in count
    assert "(1 of them has a rating of its own, which gives way to this)" in count
    run("undo")
    run("override-severity", "--rule", "nb-root", "--severity", "low", *why[:3], "30d", "--yes")
    assert {row[1] for row in run("findings").rows} == {"low"}
    rated = run("decisions", "scopes").rows[0]
    assert (rated[1], rated[8]) == ("active", "low")
    exported = run("export", "--format", "json", "--filter", "severity:low").json["findings"]
    shown = run("show", exported[0]["id"]).out
    assert "the lab is closed to all, as a rule: nb-root everywhere" in shown
    assert {finding["severity"] for finding in exported} == {"low"}
    run("decisions", "end", rated[0], "--reason", "as the rule says again")
    assert {row[1] for row in run("findings").rows} == {"high"}
    # What finds nothing can be switched off as a whole, if there is such a rule.
    run("accept", "--rule", "aws-s3-public-read", *why)
    run("accept", "--rule", "aws-s3-publik-read", *why, status=2)
    rules = {row[0]: row[-1] for row in run("rules", "list").rows}
    assert rules.pop("aws-s3-public-read").startswith("off until ")
    assert not any(rules.values()), "what was ended holds no longer"
    run("accept", "--rule", "aws-s3-public-read", "--tag", "env=x", *why, status=2)
    run("accept", "--rule", "nb-root", "--tag", "novalue", *why, "--yes", status=2)
    run("accept", "--prefix", "x", *why, status=2)


def test_assign_rate_redo_and_history(fresh_undercroft: Command, db: Path) -> None:
    run = fresh_undercroft
    chosen = ("--filter", "resource:c", "--yes", "--scan", "tuesday")
    run("assign", *chosen, "--to", "team-ml")
    run("override-severity", *chosen, "--severity", "low", "--reason", "nobody can reach it",
        "--until", "30d")  # fmt: skip
    (found,) = run("findings", "--scan", "tuesday", "--filter", "resource:c").rows
    assert found[1] == "low"
    assert [row[3] for row in run("history").rows] == ["rated", "assigned"]
    run("undo")
    assert run("findings", "--scan", "tuesday", "--filter", "resource:c").rows[0][1] == "high"
    run("redo")
    assert run("findings", "--scan", "tuesday", "--filter", "resource:c").rows[0][1] == "low"
    assert len(run("history", "--kind", "assign", "--who", "ada").rows) == 1
    assert run("history", "--who", "bob").rows == []
    assert len(run("history", "--filter", "kind:undo live:no").rows) == 1
    event = run("history", "--kind", "assign").rows[0][0]
    run("undo", event)
    assert run("history", "--filter", "kind:assign live:yes").rows == []
    both = ("history", "--filter", "kind:undo or kind:assign")
    assert {row[3] for row in run(*both).rows} == {"undone", "undone (undone)", "assigned (undone)"}
    assert [row[3] for row in run(*both, "--kind", "assign").rows] == ["assigned (undone)"]
    assert run(*both, "--text=-zz").rows == [], "a word, not the language's"
    wrong = run("history", "--filter", "ada kin:x", status=2).err
    assert "unknown key 'kin' at 5: did you mean 'kind'?" in wrong
    assert "did you mean 'assigned'?" in run("history", "--kind", "asign", status=2).err
    run("assign", *chosen, status=2)


def test_accepting_again_and_without_a_guard(fresh_undercroft: Command, db: Path) -> None:
    run = fresh_undercroft
    with Store.open(db, clock=Clock()) as store:
        rows = store.findings(store.scan("tuesday").id, Query("status:open"))
        ids = {row.resource_name: row.id for row in rows}
        accept(store, ids["c"], Clock(), until="2026-11-24", lapses_at="2026-11-25T00:00:00Z")
    done = run("accept", ids["c"], "--again")
    assert "accepted 1 finding until" in done.err
    reasons = [row[6] for row in run("history", "--kind", "accept").rows]
    assert reasons == ["the risk is known"] * 2
    assert (
        "no acceptance of this finding has lapsed"
        in run("accept", ids["c"], "--again", status=2).err
    )
    run("accept", ids["c"], "--again", "--until", "30d", status=2)
    run("accept", ids["b"], status=2)
    run("accept", ids["b"], "--reason", "a change is planned", "--until", "30d",
        "--without-guard", "severity", "--ticket", "ML-7")  # fmt: skip
    with Store.open(db, read_only=True) as store:
        event = store.events(ids["b"])[-1]
    assert event.guards is not None
    assert "severity" not in event.guards
    assert "exposure" in event.guards
    assert event.payload["ticket"] == "ML-7"
