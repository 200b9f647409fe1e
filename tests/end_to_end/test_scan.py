"""A whole estate, scanned over HTTP by the installed command, then read back."""

from __future__ import annotations

import json
import sqlite3
import stat
from collections import Counter
from dataclasses import dataclass

import pytest

from tests.end_to_end.kit import COMBINED, SMALL, Cloud, Done, Shell, outcomes

FOREIGN = {"google", "azure", "textual", "rich"}


def test_it_ends_well_and_says_what_it_read(first_scan: Done) -> None:
    assert first_scan.status == 0, first_scan.err
    assert first_scan.out == "", "progress is not data"
    summary = first_scan.err.splitlines()
    (line,) = [line for line in summary if line.startswith("first: ")]
    assert "73 AI services" in line
    assert any(line.startswith("read completely: ") for line in summary)
    assert "could not be read" not in first_scan.err
    for unit in ("us-east-1 aws.sagemaker.notebook-instance", "eu-west-1 aws.kms", "- aws.iam"):
        assert any("complete" in line and unit in line for line in summary), unit


def test_every_planted_problem_is_found_and_nothing_on_what_is_clean(
    shell: Shell, cloud: Cloud
) -> None:
    found = outcomes(shell.findings())
    assert cloud.expected - found == set(), "planted, and not found"
    assert found - cloud.expected == COMBINED, "found, and not planted"


def test_findings_have_the_documented_shape(shell: Shell) -> None:
    done = shell.run("findings", "--format", "json")
    document = done.json
    assert done.err == ""
    assert document["schema"] == "undercroft/findings/1"
    assert document["scan"]["name"] == "first"
    services = {row["key"] for row in shell.run("services", "--format", "json").json["services"]}
    for finding in document["findings"]:
        assert {"id", "rule", "title", "severity", "status", "layer", "provider", "account",
                "region", "resource", "services", "evidence", "score", "cve", "first_seen",
                "last_seen", "decision"} <= finding.keys()  # fmt: skip
        assert set(finding["resource"]) == {"key", "id", "name", "type"}
        assert finding["id"].startswith("f1-")
        assert finding["severity"] in {"critical", "high", "medium", "low", "info"}
        assert finding["status"] == "open"
        # The last one publishes the framework images of AWS.
        assert finding["account"] in {"123456789012", "-", "763104351884"}
        assert set(finding["services"]) <= services
        assert finding["services"], f"{finding['rule']}: no AI service stands on it"
        assert 0 <= finding["score"] < 100
        assert all(set(item) == {"path", "value"} for item in finding["evidence"])
        assert (finding["cve"] is not None) == (finding["rule"] == "cve")
        assert finding["decision"] is None
    assert len({finding["id"] for finding in document["findings"]}) == len(document["findings"])
    ranks = [finding["score"] for finding in document["findings"]]
    assert ranks == sorted(ranks, reverse=True), "worst first"


def test_services_have_the_documented_shape(shell: Shell) -> None:
    document = shell.run("services", "--format", "json").json
    assert document["schema"] == "undercroft/services/1"
    services = document["services"]
    assert len(services) == 73
    assert {row["region"] for row in services} == {"us-east-1", "eu-west-1"}
    for row in services:
        assert {"key", "id", "name", "type", "provider", "account", "region", "score", "layers",
                "open", "accepted", "combinations"} <= row.keys()  # fmt: skip
        assert list(row["layers"]) == [
            "service", "container", "vm", "storage", "identity", "network"
        ]  # fmt: skip
        assert all(set(totals) == {"worst", "open"} for totals in row["layers"].values())
        assert 0 <= row["score"] < 100
    assert [row["score"] for row in services] == sorted(
        (row["score"] for row in services), reverse=True
    )
    by_name = {row["name"]: row for row in services}
    assert by_name["default-desk"]["combinations"] == 1
    assert by_name["open-desk"]["layers"]["identity"]["worst"] == "critical"
    assert by_name["open-desk"]["layers"]["network"]["open"] == 1
    # All that is open beneath it is what its account lets happen.
    assert by_name["research-1"]["open"] == 1
    assert by_name["research-1"]["score"] < by_name["default-desk"]["score"]
    assert by_name["open-desk"]["score"] > by_name["default-desk"]["score"]


def test_what_a_service_inherits_comes_from_what_it_stands_on(shell: Shell) -> None:
    admin = shell.finding("aws-iam-role-admin", "ml-admin")
    assert [key.rpartition("/")[2] for key in admin["services"]] == ["open-desk"]
    assert admin["layer"] == "identity"
    drop = shell.finding("aws-s3-public-write", "ml-public-drop")
    assert [key.rpartition("/")[2] for key in drop["services"]] == ["swap"]
    key = shell.finding("aws-kms-key-open", shell_key(shell))
    assert [name.rpartition("/")[2] for name in key["services"]] == ["leaky-key"]


def shell_key(shell: Shell) -> str:
    """The name of the key that everybody may use."""
    keys = shell.findings("rule:aws-kms-key-open region:us-east-1")
    return str(keys[0]["resource"]["name"])


def test_vulnerabilities_name_their_package(shell: Shell) -> None:
    curl = shell.finding("cve", "team/llm")
    assert curl["cve"] == "CVE-2023-38545"
    assert curl["severity"] == "critical"
    assert curl["layer"] == "container"
    assert "curl" in curl["package"]
    assert [key.rpartition("/")[2] for key in curl["services"]] == ["chat"]


def test_scans_list_their_coverage(shell: Shell) -> None:
    document = shell.run("scans", "--format", "json").json
    assert document["schema"] == "undercroft/scans/1"
    (scan,) = document["scans"]
    assert (scan["name"], scan["state"], scan["gaps"]) == ("first", "complete", 0)
    assert scan["services"] == 73
    assert scan["calls"] > 200
    assert {unit["status"] for unit in scan["coverage"]} == {"complete"}
    assert Counter(unit["collector"] for unit in scan["coverage"])["aws.ec2"] == 2
    assert scan["scope"]["locations"] == ["us-east-1", "eu-west-1"]


def test_secrets_never_reach_the_disk(shell: Shell) -> None:
    token = shell.run("show", "token-model").out
    assert "redacted:huggingface-token:" in token
    content = shell.db.read_bytes()
    for secret in (b"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", b"wJalrXUtnFEMI/K7MDENG"):
        assert secret not in content
    with sqlite3.connect(shell.db) as database:
        dump = "\n".join(database.iterdump())
    assert "hf_QwErTy" not in dump
    assert "wJalrXUtnFEMI" not in dump


def test_the_cache_is_its_owners_alone(shell: Shell) -> None:
    assert stat.S_IMODE(shell.db.stat().st_mode) == 0o600


def test_the_same_estate_again_changes_nothing(small_shell: Shell, small_cloud: Cloud) -> None:
    shell = small_shell
    before = shell.findings()
    shell.endpoint = small_cloud.endpoint
    shell.scan(*SMALL, "--name", "second")
    after = shell.findings()
    volatile = {"last_seen"}
    assert [{k: v for k, v in found.items() if k not in volatile} for found in after] == [
        {k: v for k, v in found.items() if k not in volatile} for found in before
    ]
    assert shell.findings("new:yes") == []
    assert [row["name"] for row in shell.scans()] == ["second", "first"]


def test_a_scan_of_one_region_leaves_the_other_alone(shell: Shell, cloud: Cloud) -> None:
    shell.endpoint = cloud.endpoint
    shell.scan("--region", "eu-west-1", "--name", "west")
    assert {
        row["region"] for row in shell.run("services", "--format", "json").json["services"]
    } == {"eu-west-1"}
    assert not [found for found in shell.findings() if found["status"] != "open"]
    assert len(shell.findings("", "--scan", "first")) == len(cloud.expected) + len(COMBINED)


@dataclass(frozen=True, slots=True)
class Gated:
    """Two scans with a gate: as it is, and with everything accepted."""

    first: Done
    forgiven: Done


@pytest.fixture(scope="module")
def gated(small_cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Gated:
    home = tmp_path_factory.mktemp("gated")
    shell = Shell(home, home / "cache.db", small_cloud.endpoint)
    first = shell.scan(*SMALL, "--fail-on", "critical", "--json", status=1)
    shell.run("accept", "--filter", "severity>=info", "--yes", "--until", "30d",
              "--reason", "known for this test")  # fmt: skip
    script = f"""
import sys
known = set(sys.modules)
from tui.cli import cli
from tui.cli.errors import run
status = run(cli, ["scan", "aws", *{list(SMALL)!r}, "--fail-on", "info"])
loaded = set(sys.modules) - known
print(status, "botocore" in loaded, *sorted(loaded))
"""
    return Gated(first, shell.python(script))


def test_fail_on(gated: Gated) -> None:
    assert "severity>=critical" in gated.first.err


def test_fail_on_forgives_what_is_accepted(gated: Gated) -> None:
    assert gated.forgiven.out.split()[0] == "0", gated.forgiven.err


def test_fail_on_takes_only_what_it_knows(new_shell: Shell) -> None:
    done = new_shell.scan("--fail-on", "terrible", status=2)
    assert "critical, high, medium, low, info" in done.err
    assert not new_shell.db.exists()


def test_progress_as_json_lines(gated: Gated) -> None:
    events = [json.loads(line) for line in gated.first.err.splitlines() if line.startswith("{")]
    assert gated.first.out == ""
    assert {"planned", "unit_started", "unit_done", "judging", "saving", "done"} <= {
        event["kind"] for event in events
    }
    done_units = [event for event in events if event["kind"] == "unit_done"]
    assert {event["status"] for event in done_units} == {"complete"}
    assert done_units[-1]["done"] == done_units[-1]["total"]


def test_an_aws_scan_loads_no_other_sdk(gated: Gated) -> None:
    _, ours, *loaded = gated.forgiven.out.split()
    assert ours == "True"
    foreign = [name for name in loaded if name.partition(".")[0] in FOREIGN]
    # The rule engine speaks protobuf, which lives in Google's namespace and is no cloud SDK.
    protobuf = ("google.protobuf", "google._upb")
    assert not [name for name in foreign if not name.startswith(protobuf)]
