"""SageMaker's units against moto over HTTP, and against an endpoint that misbehaves."""

from __future__ import annotations

import socket
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from collectors.aws.listed import KindList, SageMakerReferenced
from collectors.aws.session import Clients
from tests.collectors.aws.conftest import ACCOUNT, HTML_500, REGION, Answer, Proxy
from tests.collectors.aws.sagemaker_kit import (
    DENIED,
    HERE,
    IMAGE,
    IMAGE_KEY,
    KIND,
    NOW,
    ROLE,
    ROLE_KEY,
    Found,
    collect,
    listing,
)
from undercroft.model import Coverage, CoverageStatus, Layer, Presence, Resource
from undercroft.protocols import Cancelled, Meter, Scope, Target


def train(seed: Any, *names: str) -> None:
    for name in names:
        seed("sagemaker").create_training_job(
            TrainingJobName=name,
            AlgorithmSpecification={"TrainingImage": IMAGE, "TrainingInputMode": "File"},
            RoleArn=ROLE,
            OutputDataConfig={"S3OutputPath": "s3://models/out"},
            ResourceConfig={
                "InstanceType": "ml.m5.large",
                "InstanceCount": 1,
                "VolumeSizeInGB": 1,
            },
            StoppingCondition={"MaxRuntimeInSeconds": 60},
        )


def test_only_the_last_ninety_days_are_asked_for(clients: Clients, aws: Proxy) -> None:
    sent: list[Any] = []
    client: Any = clients.client("sagemaker")
    client.meta.events.register(
        "provide-client-params.sagemaker.ListTrainingJobs",
        lambda params, **_: sent.append(dict(params)),
    )
    collect(clients, "training-job")
    assert sent[0]["CreationTimeAfter"] == NOW - timedelta(days=90)
    assert (sent[0]["SortBy"], sent[0]["SortOrder"]) == ("CreationTime", "Descending")


def test_more_jobs_than_the_limit_is_said(clients: Clients, aws: Proxy, seed: Any) -> None:
    train(seed, "a", "b", "c")
    everything = collect(clients, "training-job", now=datetime.now(UTC), limit=3)
    assert everything.coverage.status is CoverageStatus.COMPLETE
    some = collect(clients, "training-job", now=datetime.now(UTC), limit=2)
    assert some.coverage.status is CoverageStatus.TRUNCATED
    assert some.coverage.reason == "only the newest 2 jobs of the last 90 days were read"
    assert some.coverage.lists == ()
    assert sum(item.type == "sagemaker:training-job" for item in some.resources.values()) == 2


def test_what_others_name_is_read_by_name(clients: Clients, aws: Proxy, seed: Any) -> None:
    train(seed, "train-7")
    seed("sagemaker").create_notebook_instance_lifecycle_config(
        NotebookInstanceLifecycleConfigName="setup", OnStart=[{"Content": "ZWNobyBoaQ=="}]
    )
    seed("sagemaker").create_notebook_instance(
        NotebookInstanceName="nb",
        InstanceType="ml.t3.medium",
        RoleArn=ROLE,
        LifecycleConfigName="setup",
    )
    for name, job in (("m", "train-7"), ("n", "never-was")):
        seed("sagemaker").create_model(
            ModelName=name,
            ExecutionRoleArn=ROLE,
            PrimaryContainer={
                "Image": IMAGE,
                "ModelDataUrl": f"s3://models/{job}/output/model.tar.gz",
            },
        )
    stubs = [
        *collect(clients, "notebook-instance").stubs.values(),
        *collect(clients, "model").stubs.values(),
    ]
    collector = SageMakerReferenced(clients)
    (target,) = collector.targets(Scope("aws"), stubs)
    assert target.location == REGION
    found = Found(collector.collect(target, Meter()))
    script = found.resources[f"{HERE}/sagemaker/notebook-instance-lifecycle-config/setup"]
    assert script.config["OnStart"] == [{"Content": "ZWNobyBoaQ=="}]
    assert script.presence is Presence.READ
    assert found.resources[f"{HERE}/sagemaker/training-job/train-7"].presence is Presence.READ
    gone = found.resources[f"{HERE}/sagemaker/training-job/never-was"]
    assert gone.presence is Presence.ABSENT
    assert found.coverage.status is CoverageStatus.COMPLETE
    assert found.coverage.lists == ()


def test_what_cannot_be_read_by_name_stays_a_stub(clients: Clients, aws: Proxy) -> None:
    aws.always["DescribeTrainingJob"] = DENIED
    stub = Resource(
        key=f"{HERE}/sagemaker/training-job/t",
        provider="aws",
        account=ACCOUNT,
        region=REGION,
        type="sagemaker:training-job",
        layer=Layer.SERVICE,
        name="t",
        presence=Presence.STUB,
    )
    target = Target("aws.sagemaker.referenced", "aws", ACCOUNT, REGION, (stub,))
    found = Found(SageMakerReferenced(clients).collect(target, Meter()))
    assert found.resources == {}
    assert found.coverage.status is CoverageStatus.DENIED
    assert found.coverage.reason.startswith("1 of 1 not read: needs sagemaker:DescribeTrainingJob")


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (DENIED, CoverageStatus.DENIED, "needs sagemaker:ListModels"),
        (Answer.error("ThrottlingException", 429), CoverageStatus.THROTTLED, "scan again later"),
        (HTML_500, CoverageStatus.ERROR, "not implemented by this endpoint"),
        (Answer.json({"__type": "InternalFailure"}, 500), CoverageStatus.ERROR, "answered 500"),
    ],
)
def test_a_list_that_fails_is_not_an_empty_list(
    clients: Clients, aws: Proxy, answer: Answer, status: CoverageStatus, words: str
) -> None:
    aws.always["ListModels"] = answer
    found = collect(clients, "model")
    assert found.resources == {}
    assert found.coverage.status is status
    assert words in found.coverage.reason
    assert found.coverage.lists == ()


def test_a_second_page_that_fails_leaves_the_list_incomplete(clients: Clients, aws: Proxy) -> None:
    first = Answer.json({"Models": [{"ModelName": "a"}], "NextToken": "more"})
    aws.script["ListModels"] = deque([first, DENIED])
    aws.always["DescribeModel"] = Answer.json({"ModelName": "a", "ModelArn": "arn:a"})
    found = collect(clients, "model")
    assert list(found.resources) in ([], [f"{HERE}/sagemaker/model/a"])
    assert found.coverage.status is CoverageStatus.DENIED


def test_a_denied_describe_keeps_the_list_and_passes_nothing(
    clients: Clients, aws: Proxy, seed: Any
) -> None:
    seed("sagemaker").create_notebook_instance(
        NotebookInstanceName="nb", InstanceType="ml.t3.medium", RoleArn=ROLE, RootAccess="Disabled"
    )
    aws.always["DescribeNotebookInstance"] = DENIED
    aws.always["ListTags"] = Answer.error("AccessDeniedException", 403)
    found = collect(clients, "notebook-instance")
    notebook = found.resources[f"{HERE}/sagemaker/notebook-instance/nb"]
    reason = "denied: needs sagemaker:DescribeNotebookInstance"
    assert notebook.config["InstanceType"] == "ml.t3.medium"
    assert "RootAccess" not in notebook.config
    for path in ("config.RootAccess", "config.SubnetId", "config.KmsKeyId", "facts.secrets"):
        assert notebook.unknown[path] == reason
    assert notebook.unknown["tags"] == "denied: needs sagemaker:ListTags"
    assert "config.InstanceType" not in notebook.unknown
    host = found.resources[f"{notebook.key}#host"]
    assert host.unknown["config.PlatformIdentifier"] == reason
    assert "config.RoleArn" not in host.unknown
    assert found.coverage.status is CoverageStatus.COMPLETE
    assert f"1 of 1 read in part ({reason})" in found.coverage.reason
    assert found.coverage.lists == ("sagemaker:notebook-instance", "sagemaker:host")


def test_what_vanishes_between_list_and_describe_is_gone(clients: Clients, aws: Proxy) -> None:
    aws.always["ListModels"] = listing("model", {"ModelName": "gone"})
    found = collect(clients, "model")
    assert found.resources == {}
    assert found.coverage.status is CoverageStatus.COMPLETE


def test_a_region_that_does_not_offer_the_service(
    aws: Proxy, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients.identity()
    monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER", "http://127.0.0.1:9")
    collector = KindList(clients, KIND["model"], lambda: NOW)

    def coverage(region: str) -> Coverage:
        return Found(
            collector.collect(Target(collector.name, "aws", ACCOUNT, region), Meter())
        ).coverage

    without = next(
        region
        for partition in clients.session.get_available_partitions()
        for region in clients.session.get_available_regions("ec2", partition)
        if not clients.offers("sagemaker", region)
    )
    assert coverage(without).status is CoverageStatus.NOT_ENABLED
    assert coverage(without).reason == f"sagemaker is not offered in {without}"
    assert coverage("eu-west-1").status is CoverageStatus.ERROR
    assert coverage("mars-north-1").status is CoverageStatus.ERROR
    assert coverage("mars-north-1").reason.startswith("no region mars-north-1 is known")


def test_a_service_without_a_name_in_a_region_is_not_offered_there(
    aws: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = socket.getaddrinfo

    def lookup(host: Any, *more: Any, **named: Any) -> Any:
        if str(host).endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return find(host, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER", "https://sagemaker.invalid")
    clients = Clients()

    def coverage() -> tuple[Coverage, int]:
        collector, meter = KindList(clients, KIND["model"], lambda: NOW), Meter()
        target = Target(collector.name, "aws", ACCOUNT, "eu-west-1")
        return Found(collector.collect(target, meter)).coverage, meter.calls

    told, calls = coverage()
    assert told.status is CoverageStatus.NOT_ENABLED
    assert told.reason == "sagemaker is not offered in eu-west-1"
    assert calls - 1 == 2, (
        "who asks is known after one; the name is asked for twice, not eight times"
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", "https://ec2.invalid")
    clients.forget("ec2", "eu-west-1")
    told, _ = coverage()
    assert told.status is CoverageStatus.ERROR, (
        "where no name is found, that one is not says nothing"
    )


def test_credentials_of_another_account_read_nothing(clients: Clients, aws: Proxy) -> None:
    collector = KindList(clients, KIND["model"], lambda: NOW)
    found = Found(collector.collect(Target(collector.name, "aws", "999999999999", REGION), Meter()))
    assert found.coverage.status is CoverageStatus.ERROR
    assert "belong to account 123456789012" in found.coverage.reason
    assert aws.seen == ["GetCallerIdentity"]


def test_an_account_that_was_asked_for_is_not_replaced(clients: Clients, aws: Proxy) -> None:
    collector = KindList(clients, KIND["model"], lambda: NOW)
    (target,) = collector.targets(Scope("aws", accounts=("999999999999",)), ())
    assert target.scope == "999999999999"


def test_credentials_that_are_not_accepted(clients: Clients, aws: Proxy) -> None:
    aws.always["GetCallerIdentity"] = Answer.xml_error("InvalidClientTokenId", 403)
    found = collect(clients, "model")
    assert found.coverage.status is CoverageStatus.DENIED
    assert "sign in again" in found.coverage.reason


def test_cancellation_ends_a_unit_between_calls(clients: Clients, aws: Proxy, seed: Any) -> None:
    for index in range(30):
        seed("sagemaker").create_model(
            ModelName=f"m{index}", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": IMAGE}
        )
    aws.seen.clear()
    meter = Meter()
    meter.cancelled = lambda: meter.calls >= 6
    with pytest.raises(Cancelled):
        collect(clients, "model", meter)
    assert len(aws.seen) < 20


def test_shared_dependencies_are_named_once(clients: Clients, aws: Proxy, seed: Any) -> None:
    for name, tag in (("a", "v1"), ("b", "v1"), ("c", "v2")):
        seed("sagemaker").create_model(
            ModelName=name,
            ExecutionRoleArn=ROLE,
            PrimaryContainer={"Image": IMAGE.replace("v1", tag)},
        )
    found = collect(clients, "model")
    stubs = [
        item.key
        for item in found.items
        if isinstance(item, Resource) and item.presence is Presence.STUB
    ]
    assert sorted(stubs) == sorted([ROLE_KEY, IMAGE_KEY, IMAGE_KEY])
    assert sum(edge.dst == ROLE_KEY for edge in found.edges) == 3


def test_units_run_in_every_region_asked_for(clients: Clients, aws: Proxy) -> None:
    collector = KindList(clients, KIND["model"], lambda: NOW)
    scope = Scope("aws", locations=("eu-west-1", "us-east-1"), options={"trusted_accounts": ["1"]})
    targets = list(collector.targets(scope, ()))
    assert [target.location for target in targets] == ["eu-west-1", "us-east-1"]
    assert all(target.options == {"trusted_accounts": ["1"]} for target in targets)
    assert all(target.scope == ACCOUNT for target in targets)
