"""Five scans of one estate: fix, false fix, lost permission, re-created bucket, expiry, regression.

The table of statuses per scan is what the rules of triage say, line by line; run with ``-s`` to see it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from typing import Any, cast

import boto3
import pytest

from tests.cloud.estate import load_estate
from tests.cloud.faults import FaultyProxy, denied
from tests.cloud.seed import seed
from tests.end_to_end.kit import Shell

pytestmark = pytest.mark.slow

REGION = "eu-west-2"
ROOT_ACCESS = "aws-sagemaker-notebook-root-access"
NO_KEY = "aws-sagemaker-notebook-no-cmk"
NO_BLOCK = "aws-s3-no-public-access-block"
PUBLIC = "aws-s3-public-read"
OLD = "aws-sagemaker-notebook-unsupported-platform"

SCANS = ("planted", "denied", "regressed", "re-created", "settled", "two days on")
EXPECTED = {
    # Claimed and never done: the next scan sees that it is still there, and it stays so.
    (ROOT_ACCESS, "only-claimed"): [
        "open", "reopened (fix ineffective)", "reopened (fix ineffective)",
        "reopened (fix ineffective)", "reopened (fix ineffective)", "reopened (fix ineffective)"],
    # Really repaired, broken again, repaired again.
    (ROOT_ACCESS, "repaired"): [
        "open", "fixed", "reopened (regressed)", "reopened (regressed)", "fixed", "fixed"],
    # Accepted until tomorrow: holds over all scans, and ends by the clock alone.
    (NO_KEY, "tolerated"): [
        "open", "accepted", "accepted", "accepted", "accepted", "reopened (expired)"],
    # A false positive needs no renewal.
    (NO_KEY, "misread"): [
        "open", "false_positive", "false_positive", "false_positive", "false_positive",
        "false_positive"],
    # Deleted, later made again under the same name: another resource.
    (OLD, "leaving"): ["open", "open", "gone", "gone", "reopened (re-created)", "reopened (re-created)"],
    # Its policy could not be read in the second scan: neither fixed nor gone.
    (PUBLIC, "story-data"): ["open", "open ?", "open", "open", "open", "open"],
    # Accepted for a month, but the bucket that it was accepted for is no more.
    (NO_BLOCK, "story-data"): [
        "open", "accepted", "accepted", "reopened (re-created)", "reopened (re-created)",
        "reopened (re-created)"],
}  # fmt: skip
Table = dict[tuple[str, str], list[str]]


def client(endpoint: str, service: str) -> Any:
    return cast("Any", boto3.client)(
        service,
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id="seed",
        aws_secret_access_key="seed",
    )


@pytest.fixture(scope="module")
def told(
    own_endpoint: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Shell, Table]]:
    seed(own_endpoint, load_estate("story"))
    home = tmp_path_factory.mktemp("story")
    sagemaker, s3 = client(own_endpoint, "sagemaker"), client(own_endpoint, "s3")
    leaving = sagemaker.describe_notebook_instance(NotebookInstanceName="leaving")
    table: Table = {place: [] for place in EXPECTED}
    with FaultyProxy(own_endpoint) as proxy:
        shell = Shell(home, home / "cache.db", proxy.endpoint)

        def look(*arguments: str) -> Mapping[tuple[str, str], Mapping[str, Any]]:
            found = {(f["rule"], f["resource"]["name"]): f for f in shell.findings("", *arguments)}
            for place, states in table.items():
                states.append(words(found[place]) if place in found else "–")
            return found

        def scan(name: str, status: int = 0) -> Mapping[tuple[str, str], Mapping[str, Any]]:
            shell.scan("--region", REGION, "--name", name, status=status)
            return look()

        def access(name: str, value: str) -> None:
            sagemaker.update_notebook_instance(NotebookInstanceName=name, RootAccess=value)

        first = scan("planted")
        tomorrow = (date.today() + timedelta(days=1)).isoformat()  # noqa: DTZ011  (a person's day)
        decide: Callable[..., object] = shell.run
        decide("fixed", first[ROOT_ACCESS, "only-claimed"]["id"])
        decide("fixed", first[ROOT_ACCESS, "repaired"]["id"], "--note", "switched it off")
        decide("accept", first[NO_KEY, "tolerated"]["id"], "--until", tomorrow,
               "--reason", "holds public data only")  # fmt: skip
        decide("false-positive", first[NO_KEY, "misread"]["id"],
               "--reason", "it has no volume of its own")  # fmt: skip
        decide("accept", first[NO_BLOCK, "story-data"]["id"], "--until", "30d",
               "--reason", "the data is public anyway")  # fmt: skip
        access("repaired", "Disabled")
        proxy.break_(denied("s3", r"GET \?policy.*"))
        scan("denied", status=3)

        proxy.repair()
        access("repaired", "Enabled")
        sagemaker.stop_notebook_instance(NotebookInstanceName="leaving")
        sagemaker.delete_notebook_instance(NotebookInstanceName="leaving")
        scan("regressed")

        policy = s3.get_bucket_policy(Bucket="story-data")["Policy"]
        s3.delete_bucket(Bucket="story-data")
        s3.create_bucket(
            Bucket="story-data", CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        s3.put_bucket_policy(Bucket="story-data", Policy=policy)
        scan("re-created")

        access("repaired", "Disabled")
        sagemaker.create_notebook_instance(
            NotebookInstanceName="leaving",
            InstanceType=leaving["InstanceType"],
            RoleArn=leaving["RoleArn"],
            PlatformIdentifier=leaving["PlatformIdentifier"],
        )
        scan("settled")
        look("--as-of", (date.today() + timedelta(days=3)).isoformat())  # noqa: DTZ011
        yield shell, table


def words(found: Mapping[str, Any]) -> str:
    cause = f" ({found['cause']})" if found["cause"] else ""
    return f"{found['status']}{cause}{' ?' if found['unconfirmed'] else ''}"


def drawn(table: Table) -> str:
    rows = [
        ["", *SCANS],
        *(
            [f"{name}: {rule.removeprefix('aws-')}", *states]
            for (rule, name), states in table.items()
        ),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(lines)


def test_every_status_is_as_the_rules_say(told: tuple[Shell, Table]) -> None:
    _, table = told
    sys.stdout.write(f"\n{drawn(table)}\n")
    assert table == EXPECTED


def test_the_first_scan_and_the_last_side_by_side(told: tuple[Shell, Table]) -> None:
    shell, _ = told
    found = shell.run("diff", "planted", "settled", "--format", "json").json
    kinds = {
        (change["rule"], change["resource"]["name"]): change["change"]
        for change in found["changes"]
    }
    assert kinds[ROOT_ACCESS, "repaired"] == "fixed"
    assert kinds[NO_BLOCK, "story-data"] == "re-created"
    assert kinds[OLD, "leaving"] == "re-created"
    back = shell.run("diff", "planted", "regressed", "--format", "json").json
    gone = {c["resource"]["name"] for c in back["changes"] if c["change"] == "gone"}
    assert "leaving" in gone
    blind = shell.run("diff", "planted", "denied", "--format", "json").json
    unseen = {
        (c["rule"], c["change"]) for c in blind["changes"] if "s3:GetBucketPolicy" in c["reason"]
    }
    assert (PUBLIC, "unconfirmed") in unseen
    again = shell.run("diff", "denied", "regressed", "--format", "json").json
    assert [
        c["change"]
        for c in again["changes"]
        if (c["rule"], c["resource"]["name"]) == (ROOT_ACCESS, "repaired")
    ] == ["regressed"]


def test_the_log_is_whole(told: tuple[Shell, Table]) -> None:
    shell, _ = told
    assert "5 events of 1 copy: every chain is whole" in shell.run("history", "--verify").err
