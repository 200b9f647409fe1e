"""A cloud that answers badly: what is not read is named, and nothing is concluded from it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cloud.faults import FaultyProxy, denied, not_implemented, throttled
from tests.end_to_end.kit import SMALL, Cloud, Done, Shell, outcomes

UNREAD_KINDS = ("ecr:registry", "ecr:repository", "ecr:image", "kms:key", "sagemaker:domain")
OF_AWS = "pytorch-inference"
"""An image that AWS publishes: all that can be known of it is in its name."""


@dataclass(frozen=True, slots=True)
class Story:
    """A scan with faults, into a cache that knows the estate and into an empty one."""

    known: Shell
    empty: Shell
    done: Done
    done_empty: Done


def break_(proxy: FaultyProxy) -> None:
    """403 for one service, 429 for a while, 500 for what the endpoint does not implement."""
    proxy.break_(
        denied("ecr"),
        denied("kms", "GetKeyPolicy", region="us-east-1"),
        throttled("sagemaker", "DescribeModel", times=4),
        not_implemented("sagemaker", "ListDomains"),
    )


@pytest.fixture(scope="module")
def story(
    cloud: Cloud, scanned_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Story]:
    home = tmp_path_factory.mktemp("faults")
    with (
        FaultyProxy(cloud.endpoint) as one,
        FaultyProxy(cloud.endpoint) as other,
        ThreadPoolExecutor() as pool,
    ):
        known = Shell(home, home / "known.db", one.endpoint)
        empty = Shell(home, home / "empty.db", other.endpoint)
        shutil.copy(scanned_cache, known.db)
        break_(one)
        break_(other)
        # Side by side: most of either is waiting until throttling passes.
        done, done_empty = pool.map(
            lambda shell: shell.scan("--name", "broken", "--fail-on", "critical", status=None),
            (known, empty),
        )
        yield Story(known, empty, done, done_empty)


def test_it_ends_incomplete(story: Story) -> None:
    assert story.done.status == 3, story.done.err
    assert story.done_empty.status == 3, story.done_empty.err
    assert [row["state"] for row in story.known.scans()] == ["partial", "complete"]


def test_the_gate_cannot_hide_a_gap(story: Story) -> None:
    for done in (story.done, story.done_empty):
        assert done.status == 3
        assert "--fail-on" in done.err, "both are said"


def test_it_names_what_it_could_not_read(story: Story) -> None:
    _, _, summary = story.done.err.partition("could not be read")
    assert "denied     123456789012 us-east-1 aws.ecr: needs ecr:DescribeRepositories" in summary
    assert "denied     123456789012 eu-west-1 aws.ecr: needs ecr:DescribeRepositories" in summary
    assert (
        "error      123456789012 eu-west-1 aws.sagemaker.domain: sagemaker:ListDomains" in summary
    )
    assert "us-east-1 aws.kms: 2 of 2 read in part (denied: needs kms:GetKeyPolicy)" in summary
    coverage = story.known.run("scans", "show", "latest").out
    assert "denied\t123456789012\tus-east-1\taws.ecr\tneeds ecr:DescribeRepositories" in coverage


def test_throttling_that_passes_leaves_no_gap(story: Story) -> None:
    models = [line for line in story.done.err.splitlines() if "aws.sagemaker.model:" in line]
    assert len(models) == 2
    assert all("complete" in line for line in models)
    assert any("after throttling" in line for line in models)


def test_nothing_is_fixed_or_gone_that_was_not_read(story: Story) -> None:
    before = {found["id"]: found for found in story.known.findings("", "--scan", "first")}
    after = {found["id"]: found for found in story.known.findings()}
    assert after.keys() == before.keys()
    for found in after.values():
        unread = found["resource"]["type"] in UNREAD_KINDS and (
            found["resource"]["type"] != "kms:key" or found["region"] == "us-east-1"
        )
        unread &= found["resource"]["name"] != OF_AWS
        # Its role is only known from a domain that could not be listed.
        unread |= found["resource"]["name"] == "ml-climber"
        # One of its parts is the image, which could not be read.
        unread |= (found["rule"], found["resource"]["name"]) == (
            "toxic-foothold-broad-identity",
            "chat",
        )
        assert found["status"] == "open", (found["rule"], found["resource"]["name"])
        assert found["unconfirmed"] == unread, (found["rule"], found["resource"]["name"])
        assert bool(found["unconfirmed_reason"]) == unread
        if unread:
            assert found["last_seen"] == before[found["id"]]["last_seen"]
    denied_reasons = {
        found["unconfirmed_reason"]
        for found in after.values()
        if found["resource"]["type"].startswith("ecr:") and found["resource"]["name"] != OF_AWS
    }
    assert all(reason.startswith("denied: needs ecr:") for reason in denied_reasons)


def test_an_image_that_is_not_ours_was_read_and_stays_confirmed(story: Story) -> None:
    (found,) = story.known.findings("rule:aws-container-image-third-party")
    assert found["unconfirmed"] is False


def test_an_empty_cache_claims_nothing_about_it(story: Story, cloud: Cloud) -> None:
    found = story.empty.findings()
    of_ecr = [item for item in found if item["resource"]["type"].startswith("ecr:")]
    assert {item["resource"]["name"] for item in of_ecr} == {OF_AWS}
    assert {item["region"] for item in found if item["resource"]["type"] == "kms:key"} == {
        "eu-west-1"
    }
    assert outcomes(item for item in found if "toxic" not in item["rule"]) < cloud.expected
    services = story.empty.run("services", "--format", "json").json["services"]
    chat = next(row for row in services if row["name"] == "chat")
    assert chat["unread"] > 0
    assert (
        "not read: facts.open_to: denied: needs kms:GetKeyPolicy"
        in story.empty.run("tower", "chat").out
    )


def test_all_denied_reads_nothing(small_shell: Shell, small_cloud: Cloud) -> None:
    with FaultyProxy(small_cloud.endpoint) as proxy:
        proxy.break_(denied())
        small_shell.endpoint = proxy.endpoint
        done = small_shell.scan(*SMALL, "--name", "locked out", status=4)
    assert "denied" in done.err
    assert "sts:GetCallerIdentity" in done.err
    assert [row["state"] for row in small_shell.scans()] == ["failed", "complete"]
    assert small_shell.run("findings").rows, "what was known stays in view"


def test_nobody_answers(new_shell: Shell) -> None:
    done = new_shell.scan("--region", "us-east-1", status=4)
    assert "http://127.0.0.1:9" in done.err
    assert "check network and region" in done.err
