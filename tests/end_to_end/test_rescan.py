"""Decisions, a changed estate, a rescan: what was claimed, what was done, what could not be seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import boto3
import pytest

from tests.cloud.estate import load_estate
from tests.cloud.faults import FaultyProxy, denied
from tests.cloud.seed import seed
from tests.end_to_end.kit import ACTOR, SMALL, Done, Shell, outcomes

ROOT_ACCESS = "aws-sagemaker-notebook-root-access"
Found = Mapping[tuple[str, str], Mapping[str, Any]]
"""(rule, resource) → finding."""


@dataclass(frozen=True, slots=True)
class Story:
    """Three scans of one cache."""

    shell: Shell
    seeded: frozenset[tuple[str, str]]
    before: Found
    changed: Found
    """After claims, repairs, a deletion and a permission taken away."""
    changed_scan: Done
    broken_again: Found
    """The repair undone, the permission given back."""


def by_place(shell: Shell) -> Found:
    return {
        (found["rule"], found["resource"]["name"]): found for found in shell.findings()
    }  # no rule finds two things on one resource here


def notebooks(endpoint: str) -> Any:
    return cast("Any", boto3.client)(
        "sagemaker",
        region_name=SMALL[1],
        endpoint_url=endpoint,
        aws_access_key_id="seed",
        aws_secret_access_key="seed",
    )


@pytest.fixture(scope="module")
def story(own_endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    home = tmp_path_factory.mktemp("rescan")
    seeded = seed(own_endpoint, load_estate("changing"))
    sagemaker = notebooks(own_endpoint)
    with FaultyProxy(own_endpoint) as proxy:
        shell = Shell(home, home / "cache.db", proxy.endpoint)
        shell.scan(*SMALL, "--name", "before")
        before = by_place(shell)

        shell.run("fixed", before[ROOT_ACCESS, "still-root"]["id"], "--note", "switched it off")
        shell.run("fixed", before[ROOT_ACCESS, "repaired"]["id"])
        shell.run("accept", before["aws-sagemaker-notebook-no-cmk", "tolerated"]["id"],
                  "--reason", "holds public data only", "--until", "30d")  # fmt: skip
        sagemaker.update_notebook_instance(NotebookInstanceName="repaired", RootAccess="Disabled")
        sagemaker.stop_notebook_instance(NotebookInstanceName="leaving")
        sagemaker.delete_notebook_instance(NotebookInstanceName="leaving")
        proxy.break_(denied("s3", r"GET \?policy.*"))
        changed_scan = shell.scan(*SMALL, "--name", "changed", status=None)
        changed = by_place(shell)

        proxy.repair()
        sagemaker.update_notebook_instance(NotebookInstanceName="repaired", RootAccess="Enabled")
        shell.scan(*SMALL, "--name", "broken again")
        broken_again = by_place(shell)
        planted = frozenset((item.rule, item.resource) for item in seeded.expected)
        yield Story(shell, planted, before, changed, changed_scan, broken_again)


def test_it_begins_with_what_was_planted(story: Story) -> None:
    assert outcomes(story.before.values()) == story.seeded
    assert {found["status"] for found in story.before.values()} == {"open"}


def test_a_claim_is_only_a_claim_until_a_scan_looks(story: Story) -> None:
    claimed = story.changed[ROOT_ACCESS, "still-root"]
    assert (claimed["status"], claimed["cause"]) == ("reopened", "fix ineffective")
    assert story.broken_again[ROOT_ACCESS, "still-root"]["status"] == "reopened"


def test_a_real_fix_is_fixed(story: Story) -> None:
    fixed = story.changed[ROOT_ACCESS, "repaired"]
    assert (fixed["status"], fixed["unconfirmed"]) == ("fixed", False)


def test_a_fix_that_does_not_last_is_a_regression(story: Story) -> None:
    again = story.broken_again[ROOT_ACCESS, "repaired"]
    assert (again["status"], again["cause"]) == ("reopened", "regressed")
    assert again["first_seen"] == story.before[ROOT_ACCESS, "repaired"]["first_seen"]
    assert again["id"] == story.before[ROOT_ACCESS, "repaired"]["id"]


def test_what_was_accepted_stays_accepted(story: Story) -> None:
    for scan in (story.changed, story.broken_again):
        tolerated = scan["aws-sagemaker-notebook-no-cmk", "tolerated"]
        assert tolerated["status"] == "accepted"
        assert tolerated["decision"]["kind"] == "accept"
        assert tolerated["decision"]["reason"] == "holds public data only"
        assert tolerated["decision"]["actor"] == ACTOR


def test_what_was_deleted_is_gone_not_fixed(story: Story) -> None:
    rule = "aws-sagemaker-notebook-unsupported-platform"
    assert story.changed[rule, "leaving"]["status"] == "gone"
    assert story.changed[rule, "leaving"]["cause"] == ""


def test_what_may_not_be_read_stays_open_and_says_so(story: Story) -> None:
    assert story.changed_scan.status == 3
    assert "s3:GetBucketPolicy" in story.changed_scan.err.partition("could not be read")[2]
    unread = story.changed["aws-s3-public-read", "change-data"]
    assert (unread["status"], unread["unconfirmed"]) == ("open", True)
    assert "s3:GetBucketPolicy" in unread["unconfirmed_reason"]
    read = story.changed["aws-s3-no-public-access-block", "change-data"]
    assert (read["status"], read["unconfirmed"]) == ("open", False)


def test_it_is_confirmed_again_when_it_can_be_read(story: Story) -> None:
    again = story.broken_again["aws-s3-public-read", "change-data"]
    assert (again["status"], again["unconfirmed"], again["unconfirmed_reason"]) == (
        "open",
        False,
        "",
    )
    assert again["last_seen"] > story.changed["aws-s3-public-read", "change-data"]["last_seen"]


def test_every_scan_keeps_its_own_view(story: Story) -> None:
    assert [row["name"] for row in story.shell.scans()] == ["broken again", "changed", "before"]
    before = story.shell.findings("", "--scan", "before")
    assert outcomes(before) == story.seeded
    previous = story.shell.findings("status:gone", "--scan", "previous")
    assert [found["resource"]["name"] for found in previous] == ["leaving"]
