"""What an earlier scan kept is used again exactly where the list shows that it still holds."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from collectors.aws import collectors
from collectors.aws.arns import Place
from collectors.aws.catalogue import EVERY
from collectors.aws.describing import TOGETHER, Reader
from collectors.aws.kinds import Kind
from collectors.aws.session import Clients
from collectors.aws.unchanged import DESCRIBED_ANYWAY, SAFE, kept_answer
from collectors.aws.units import Unit
from rules import Engine, Pack
from tests.cloud.model_server import ModelCloud, Record, load_records
from tests.collectors.aws.modelled import KINDS
from tests.collectors.aws.test_sdk_contract import answer_of, by_name, item_of, model  # noqa: F401
from undercroft.model import Json, Layer, Presence, Resource
from undercroft.protocols import Meter, Progress, Scope
from undercroft.scan import run_scan
from undercroft.store import Store

CHANGED, READ = "2026-05-01T10:00:00Z", "2026-06-01T00:00:00Z"


def kept(**config: Json) -> Resource:
    """What an earlier scan kept of a guardrail."""
    told: dict[str, Json] = {"name": "g", "status": "READY", "updatedAt": CHANGED, **config}
    return Resource(
        "aws/aws/1/eu-west-1/bedrock/guardrail/g",
        "aws",
        "1",
        "eu-west-1",
        "bedrock:guardrail",
        Layer.SERVICE,
        "g",
        config={**told, "kmsKeyArn": "k", "ResourcePolicy": {"Statement": []}},
        collected_at=READ,
    )


ITEM: dict[str, Json] = {"id": "g", "name": "g", "status": "READY", "updatedAt": CHANGED}
KNOWN = kept()


def test_what_has_not_changed_is_used_again_without_what_is_read_beside_it() -> None:
    assert kept_answer(KINDS["bedrock.guardrail"], ITEM, KNOWN) == {
        "name": "g",
        "status": "READY",
        "updatedAt": CHANGED,
        "kmsKeyArn": "k",
    }
    aside = replace(KNOWN, unknown={"config.ResourcePolicy": "denied: needs …", "tags": "denied"})
    assert kept_answer(KINDS["bedrock.guardrail"], ITEM, aside)


@pytest.mark.parametrize(
    ("item", "known"),
    [
        ({**ITEM, "updatedAt": "2026-05-01T10:00:01Z"}, KNOWN),
        ({**ITEM, "status": "UPDATING"}, KNOWN),
        ({**ITEM, "name": "another"}, KNOWN),
        ({"id": "g", "name": "g"}, KNOWN),
        (ITEM, replace(KNOWN, unknown={"config.contentPolicy": "denied"})),
        (ITEM, replace(KNOWN, unknown={"config": "error"})),
        (ITEM, replace(KNOWN, presence=Presence.STUB)),
        (ITEM, replace(KNOWN, collected_at="2026-05-01T10:09:00Z")),
        (ITEM, replace(KNOWN, collected_at="")),
        ({**ITEM, "updatedAt": None}, kept(updatedAt=None)),
    ],
    ids=(
        "time", "state", "another field", "no time", "a field unread", "unread", "never read",
        "changed just before", "read nobody knows when", "time unknown",
    ),
)  # fmt: skip
def test_whatever_speaks_against_it_decides(item: dict[str, Json], known: Resource) -> None:
    assert kept_answer(KINDS["bedrock.guardrail"], item, known) is None


def test_a_job_has_to_have_ended() -> None:
    kind = KINDS["bedrock.model-customization-job"]
    for status, used in (("Completed", True), ("InProgress", False)):
        said: dict[str, Json] = {"status": status, "lastModifiedTime": CHANGED}
        known = replace(KNOWN, config=said)
        assert (kept_answer(kind, said, known) is not None) is used


def test_what_passes_is_not_kept() -> None:
    """The last run of a schedule, which its list does not tell of."""
    kind = KINDS["sagemaker.monitoring-schedule"]
    unit = Unit(Place("aws", "1", "eu-west-1"), (), Meter())
    item: dict[str, Json] = {
        "MonitoringScheduleName": "hourly",
        "MonitoringScheduleStatus": "Scheduled",
        "LastModifiedTime": CHANGED,
    }
    run: dict[str, Json] = {"MonitoringExecutionStatus": "Failed"}
    answer = {**item, "LastMonitoringExecutionSummary": run, "EndpointName": "e"}
    told = {**item, TOGETHER: answer}
    found = Reader(Clients(), unit, "aws.x").describe(kind, told)[0]
    assert isinstance(found, Resource)
    assert found.config == {**item, "EndpointName": "e"}
    known = replace(found, collected_at=READ)
    assert kept_answer(kind, item, known) == found.config
    failed: dict[str, Json] = {"MonitoringScheduleStatus": "Failed"}
    known = replace(known, config={**found.config, **failed})
    assert kept_answer(kind, {**item, **failed}, known) is None


def test_a_kind_that_is_not_in_the_table_is_described() -> None:
    said: dict[str, Json] = {"updatedAt": CHANGED}
    assert kept_answer(KINDS["bedrock.agent"], said, replace(KNOWN, config=said)) is None


def test_the_table_knows_its_kinds() -> None:
    assert set(SAFE) | set(DESCRIBED_ANYWAY) <= set(KINDS)
    assert not set(SAFE) & set(DESCRIBED_ANYWAY)


@pytest.mark.parametrize("kind", [k for k in EVERY if by_name(k) in SAFE], ids=by_name)
def test_the_list_and_the_description_say_when(kind: Kind, model: Any) -> None:  # noqa: F811
    rule = SAFE[by_name(kind)]
    fields = {rule.by, *filter(None, [rule.state])}
    assert fields <= set(item_of(kind, model).members)
    assert {*fields, *kind.passing} <= set(answer_of(kind, model).members)
    if "no operation" in rule.why:
        noun = answer_of(kind, model).name.removeprefix("Describe").removeprefix("Get")
        noun = noun.removesuffix("Response").removesuffix("Output")
        assert f"Update{noun}" not in model(kind.client).operation_names


# ------------------------------------------------------------------------------------ whole scans

READERS = (
    "sagemaker.model", "sagemaker.processing-job", "sagemaker.domain", "bedrock.guardrail",
    "bedrock.knowledge-base", "bedrock.agent", "agentcore.runtime",
)  # fmt: skip
NAME = "SECRET-MODEL"
MODEL = {
    "ModelName": NAME,
    "ModelArn": f"arn:aws:sagemaker:us-east-1:123456789012:model/{NAME}",
    "CreationTime": CHANGED,
    "PrimaryContainer": {
        "Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/serve:v1",
        "ModelDataUrl": "s3://weights/m.tar.gz",
        "Environment": {"HF_TOKEN": "hf_" + "aB3dE5gH7jK9mN1pQ3sT5vX7zA2cD4fG6h"},
    },
}


@pytest.fixture
def cloud(aws_model: ModelCloud) -> ModelCloud:
    for name in ("bedrock", "sagemaker"):
        aws_model.add(load_records(name, "us-east-1"))
    aws_model.add([Record("sagemaker", "Model", "us-east-1", MODEL)])
    aws_model.page = 100
    return aws_model


@pytest.fixture
def scan(cloud: ModelCloud, tmp_path: Path) -> Callable[..., tuple[Counter[str], int]]:
    """Scans at a time into a cache: which operations were called, and how many were spared."""
    engine = Engine(Pack((), (), "none"))

    def scan(name: str, month: int, *, full: bool = False) -> tuple[Counter[str], int]:
        def clock() -> datetime:
            return datetime(2027, month, 1, tzinfo=UTC)

        cloud.calls.clear()
        said: list[Progress] = []
        wanted = {f"aws.{reader}" for reader in READERS}
        found = [c for c in collectors({"max_attempts": 1}, clock) if c.name in wanted]
        assert len(found) == len(READERS)
        with Store.open(tmp_path / name, clock=clock) as store:
            row = run_scan(
                store, found, engine, Scope("aws"), full=full, progress=said.append, clock=clock
            )
            assert store.scan(row.uid).spared == said[-1].spared
        return Counter(op for _, op in cloud.calls.elements()), row.spared

    return scan


def contents(path: Path) -> list[Any]:
    """Everything that the newest scan of a cache holds about resources, edges and coverage."""
    with sqlite3.connect(path) as db:
        (scan,) = db.execute("SELECT max(id) FROM scan").fetchone()
        return [
            db.execute(f"{query} ORDER BY 1, 2, 3, 4", (scan,)).fetchall()
            for query in (
                """SELECT r.key, hex(b.hash), s.collected_at, s.carried FROM snapshot s
                JOIN resource r ON r.id = s.resource JOIN body b ON b.id = s.body WHERE s.scan = ?
                """,
                "SELECT src, dst, relation, via, certainty, detail FROM edge WHERE scan = ?",
                "SELECT unit, status, reason, lists FROM coverage WHERE scan = ?",
            )
        ]


def test_a_scan_again_finds_the_same_with_fewer_calls(
    scan: Callable[..., tuple[Counter[str], int]], cloud: ModelCloud, tmp_path: Path
) -> None:
    first, spared = scan("cache.db", 6)
    assert first["DescribeModel"] == 1
    assert spared == 0
    shutil.copy(tmp_path / "cache.db", tmp_path / "whole.db")
    again, spared = scan("cache.db", 7)
    whole, none = scan("whole.db", 7, full=True)
    assert none == 0
    assert whole == first
    assert spared == (whole - again).total() > 8
    assert set(whole - again) == {
        "DescribeModel", "GetGuardrail", "GetKnowledgeBase", "GetDataSource",
        "GetAgentActionGroup", "GetAgentRuntime",
    }, "an agent, for one, is described every time; so is a job that has not ended"  # fmt: skip
    told = contents(tmp_path / "cache.db")
    assert told == contents(tmp_path / "whole.db")
    assert NAME in str(told)
    assert b"hf_aB3" not in (tmp_path / "cache.db").read_bytes()

    (changed,) = (r for r in cloud.records if r.data.get("id") == "gbad")
    cloud.records.remove(changed)
    cloud.add(
        [replace(changed, data={**changed.data, "updatedAt": "2027-07-02T00:00:00+00:00",
                                "kmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/k9"})]
    )  # fmt: skip
    after, _ = scan("cache.db", 8)
    assert after["GetGuardrail"] == 2, "what has changed, and the version that an agent uses"
    assert after - again == Counter({"GetGuardrail": 1})
    with Store.open(tmp_path / "cache.db") as store:
        key = "aws/aws/123456789012/us-east-1/bedrock/guardrail/gbad"
        detail = store.resource(store.scan(None).id, key)
        assert detail.resource.config["kmsKeyArn"].endswith("k9")  # type: ignore[union-attr]
