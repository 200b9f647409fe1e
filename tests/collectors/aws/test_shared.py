"""What a unit asks once for all of its resources: how often, and what if it is refused."""

from __future__ import annotations

from typing import Any

import pytest

from collectors.aws.listed import KindList
from collectors.aws.session import Clients
from tests.cloud.model_server import ModelCloud, Record
from tests.collectors.aws.modelled import ACCOUNT, KINDS, NOW, REGION, Read
from undercroft.model import CoverageStatus
from undercroft.protocols import Meter, Scope

MANY = 6


def arn(kind: str, name: str) -> str:
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{kind}/{name}"


def record(noun: str, data: dict[str, Any], service: str = "sagemaker") -> Record:
    return Record(service, noun, REGION, data)


def tagged(name: str, *tags: tuple[str, str]) -> Record:
    pairs = [{"Key": key, "Value": value} for key, value in tags]
    data = {"ResourceARN": arn("processing-job", name), "Tags": pairs}
    kind = {"kind": "sagemaker:processing-job"}
    return Record("resourcegroupstaggingapi", "Resource", REGION, data, kind)


def read(kind: str, **options: Any) -> tuple[Read, Meter]:
    collector = KindList(Clients({"max_attempts": 1, **options}), KINDS[kind], lambda: NOW)
    meter = Meter()
    (target,) = collector.targets(Scope("aws"), ())
    return Read(collector.collect(target, meter)), meter


@pytest.fixture
def jobs(aws_model: ModelCloud) -> ModelCloud:
    """Six jobs: four are listed with tags, one without any, one is not in that list."""
    names = [f"job-{number}" for number in range(MANY)]
    aws_model.add(
        record("ProcessingJob", {"ProcessingJobName": name, "ProcessingJobArn": arn("processing-job", name)})
        for name in names
    )  # fmt: skip
    aws_model.add(tagged(name, ("team", name)) for name in names[:4])
    aws_model.add([tagged(names[4])])
    pair = {"Key": "team", "Value": "late"}
    aws_model.add(
        [Record("sagemaker", "Tag", REGION, pair, {"arn": arn("processing-job", names[5])})]
    )
    return aws_model


@pytest.mark.parametrize("refused", [False, True])
def test_tags_of_many_are_asked_for_together(jobs: ModelCloud, refused: bool) -> None:
    if refused:
        jobs.fail("resourcegroupstaggingapi", "GetResources", "AccessDeniedException", 400)
    found, _ = read("sagemaker.processing-job")
    assert jobs.calls["sagemaker", "ListTags"] == (MANY if refused else 1)
    assert [c.reason for c in found.coverage if c.collector.endswith("processing-job")] == [""]
    told = {r.name: dict(r.tags) for r in found.resources.values() if not r.implied}
    assert told["job-5"] == {"team": "late"}, "what is not in the list may still have tags"
    assert told["job-4"] == {}
    if not refused:
        assert [told[f"job-{number}"] for number in range(4)] == [
            {"team": f"job-{number}"} for number in range(4)
        ]
        assert jobs.calls["resourcegroupstaggingapi", "GetResources"] == 3  # two to a page
    else:
        assert jobs.calls["resourcegroupstaggingapi", "GetResources"] == 1


@pytest.fixture
def endpoints(aws_model: ModelCloud) -> ModelCloud:
    """Three endpoints, of which two are watched."""
    for name in ("a", "b", "c"):
        aws_model.add(
            [record("Endpoint", {"EndpointName": name, "EndpointArn": arn("endpoint", name)})]
        )
    aws_model.add(
        record("MonitoringSchedule", {"MonitoringScheduleName": f"{of}-{n}", "EndpointName": of})
        for of, n in (("a", 1), ("b", 1), ("a", 2))
    )  # fmt: skip
    return aws_model


def test_schedules_are_listed_once_for_all_endpoints(endpoints: ModelCloud) -> None:
    endpoints.page = 100
    found, _ = read("sagemaker.endpoint")
    assert endpoints.calls["sagemaker", "ListMonitoringSchedules"] == 1
    schedules: Any = {name: found.named(name).config["MonitoringSchedules"] for name in "abc"}
    assert {name: [s["MonitoringScheduleName"] for s in schedules[name]] for name in "abc"} == {
        "a": ["a-1", "a-2"],
        "b": ["b-1"],
        "c": [],
    }


def test_schedules_that_may_not_be_listed_are_unknown_at_each(endpoints: ModelCloud) -> None:
    endpoints.fail("sagemaker", "ListMonitoringSchedules", "AccessDeniedException", 400)
    found, _ = read("sagemaker.endpoint")
    assert endpoints.calls["sagemaker", "ListMonitoringSchedules"] == 1
    for name in "abc":
        unknown = found.named(name).unknown["config.MonitoringSchedules"]
        assert unknown == "denied: needs sagemaker:ListMonitoringSchedules"


def test_a_throttled_cloud_is_read_to_the_end(jobs: ModelCloud) -> None:
    jobs.fail("sagemaker", "DescribeProcessingJob", "ThrottlingException", 400, times=1)
    found, meter = read("sagemaker.processing-job", max_attempts=4)
    assert meter.throttled == 1
    assert found.coverage[0].status is CoverageStatus.COMPLETE
    assert not any(resource.unknown for resource in found.resources.values())
    assert jobs.calls["sagemaker", "DescribeProcessingJob"] == MANY + 1
