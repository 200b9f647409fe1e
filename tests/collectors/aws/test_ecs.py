"""AI on ECS: which services count, what they stand on, and what happens where something is refused."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest

from collectors.aws.ecs import _OF_TASK, _VOLATILE, EcsAiServices
from collectors.aws.ecs_workloads import SERVICE, TASK, TASK_DEFINITION, ai_marker, secret
from collectors.aws.guard import READS
from collectors.aws.parameters import PARAMETER, Parameters, parameter
from collectors.aws.session import Clients
from tests.cloud.model_server import ModelCloud, Record
from tests.collectors.aws.conftest import Answer, Proxy
from tests.collectors.aws.lower_layers import ACCOUNT, PLACE, allow, document
from tests.collectors.aws.modelled import REGION, Read, findings, unknowns
from tests.collectors.aws.test_sdk_contract import reaches
from undercroft.model import CoverageStatus, Presence
from undercroft.protocols import Meter, Scope

ARN = f"arn:aws:ecs:{REGION}:{ACCOUNT}:"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/"
DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("container", "marker"),
    [
        ({"image": "vllm/vllm-openai:v0.8.4"}, "image"),
        ({"image": f"{IMAGE}shop:1"}, ""),
        ({"image": f"{IMAGE}shop:1", "resourceRequirements": [{"type": "GPU"}]}, "accelerator"),
        ({"resourceRequirements": [{"type": "NeuronDevice", "value": "1"}]}, "accelerator"),
        ({"environment": [{"name": "RAY_ADDRESS", "value": "x"}]}, "environment"),
        ({"environment": [{"name": "LLM_MODEL_ID", "value": "x"}]}, "environment"),
        ({"secrets": [{"name": "OPENAI_API_KEY", "valueFrom": "x"}]}, "environment"),
        (
            {"environment": [{"name": "ARRAY_SIZE", "value": "x"}, {"name": "MODEL", "value": ""}]},
            "",
        ),
        ({}, ""),
    ],
)
def test_what_marks_ai_work(container: Any, marker: str) -> None:
    assert ai_marker({"containerDefinitions": [{"image": " "}, container]}) == marker


def test_an_inference_accelerator_of_the_task_marks_it() -> None:
    assert ai_marker({"inferenceAccelerators": [{"deviceName": "d"}]}) == "accelerator"
    assert ai_marker({"containerDefinitions": None}) == ""


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:hub-AbCdEf", "secret/hub-AbCdEf"),
        (f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:hub-AbCdEf:key::", "secret/hub-AbCdEf"),
        (f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/hub", "parameter/hub"),
        (f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/prod/hub:3", "parameter/prod/hub"),
        ("hub", "parameter/hub"),
        ("/prod/hub:3", "parameter/prod/hub"),
        ("/", ""),
        (f"arn:aws:ssm:{REGION}:{ACCOUNT}:document/hub", ""),
    ],
)
def test_secrets_and_parameters_share_a_field(text: str, key: str) -> None:
    target = secret(PLACE, text) or parameter(PLACE, text)
    assert (target.stub.key.split("/", 5)[-1] if target else "") == key


def test_parameters(
    clients: Clients, aws: Proxy, seed: Any, service_models: dict[str, Any]
) -> None:
    ssm = seed("ssm")
    ssm.put_parameter(Name="/prod/hub", Value="x", Type="String")
    ssm.put_parameter(Name="hub", Value="x", Type="SecureString", KeyId="alias/ml")
    named = [parameter(PLACE, text) for text in ("/prod/hub", "hub", "gone")]
    collector = Parameters(clients)
    (target,) = collector.targets(Scope("aws"), [target.stub for target in named if target])
    read = Read(collector.collect(target, Meter()))
    assert findings(read) == {"prod/hub": {"aws-ssm-parameter-plain"}}
    assert read.links("hub") == {("encrypted_with", "kms/alias/ml")}
    assert read.named("gone").presence is Presence.ABSENT
    assert "Value" not in str([r.config for r in read.resources.values()])
    assert aws.seen.count("DescribeParameters") == 1
    aws.always["DescribeParameters"] = Answer.error("AccessDeniedException", 400)
    read = Read(collector.collect(target, Meter()))
    assert read.resources == {}
    assert "ssm:DescribeParameters" in read.coverage[0].reason
    listed = service_models["ssm"].operation_model("DescribeParameters").output_shape
    for path in ("Name", "Type", *(reference.path for reference in PARAMETER)):
        assert reaches(listed, f"Parameters[].{path}")


def definition(family: str, revision: int = 1, **more: Any) -> Record:
    data = {
        "taskDefinitionArn": f"{ARN}task-definition/{family}:{revision}",
        "family": family,
        "revision": revision,
        "containerDefinitions": [{"name": "serve", "image": "ollama/ollama:0.3", "user": "1000"}],
    }
    return Record("ecs", "TaskDefinition", REGION, {**data, **more})


def service(name: str, task: str, **more: Any) -> Record:
    data = {
        "serviceArn": f"{ARN}service/ml/{name}",
        "serviceName": name,
        "clusterArn": f"{ARN}cluster/ml",
        "status": "ACTIVE",
        "taskDefinition": f"{ARN}task-definition/{task}",
        "tags": [{"key": "team", "value": "search"}],
        "runningCount": 2,
        "desiredCount": 2,
    }
    return Record("ecs", "Service", REGION, {**data, **more}, {"cluster": f"{ARN}cluster/ml"})


GPU = {
    "executionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/start",
    "taskRoleArn": f"arn:aws:iam::{ACCOUNT}:role/ml/work",
    "volumes": [{"name": "w", "efsVolumeConfiguration": {"fileSystemId": "fs-0123"}}],
    "containerDefinitions": [
        {
            "name": "serve",
            "image": f"{IMAGE}serve:v1",
            "user": "1000",
            "resourceRequirements": [{"type": "GPU", "value": "1"}],
            "secrets": [
                {
                    "name": "TOKEN",
                    "valueFrom": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:hub-AbCdEf:t::",
                }
            ],
            "environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::settings/prod.env"}],
        }
    ],
}


RUNS: list[tuple[str, dict[str, Any]]] = [
    ("gpu:3", {"launchType": "FARGATE", "startedAt": "2026-05-01T00:00:00Z"}),
    (
        "gpu:7",
        {
            "launchType": "FARGATE",
            "startedAt": "2026-05-02T00:00:00Z",
            "tags": [{"key": "team", "value": "search"}],
            "overrides": {"taskRoleArn": f"arn:aws:iam::{ACCOUNT}:role/nightly"},
            "attachments": [
                {"details": [{"name": "macAddress", "value": "0a"}, {"value": "subnet-7"}]}
            ],
        },
    ),
    ("shop:1", {}),
]


@pytest.fixture
def cloud(aws_model: ModelCloud) -> ModelCloud:
    task, machine = f"{ARN}task/ml/1", f"{ARN}container-instance/ml/2"
    running = {"name": "serve", "image": f"{IMAGE}serve:v1", "imageDigest": DIGEST}
    vpc = {"subnets": ["subnet-1"], "securityGroups": ["sg-1"], "assignPublicIp": "DISABLED"}
    network = {"networkConfiguration": {"awsvpcConfiguration": vpc}}
    aws_model.add(
        [
            Record("ecs", "Cluster", REGION, {"clusterArn": f"{ARN}cluster/ml"}),
            service("gpu", "gpu:7"),
            service("old", "gpu:3", launchType="FARGATE", platformVersion="1.4.0", **network),
            service("shop", "shop:1"),
            service("gone", "gpu:7", status="INACTIVE"),
            definition("gpu", 7, **GPU),
            definition("gpu", 3),
            definition("shop", containerDefinitions=[{"name": "web", "image": "nginx"}]),
            Record(
                "ecs",
                "Task",
                REGION,
                {
                    "taskArn": task,
                    "taskDefinitionArn": f"{ARN}task-definition/gpu:7",
                    "clusterArn": f"{ARN}cluster/ml",
                    "group": "service:gpu",
                    "containerInstanceArn": machine,
                    "containers": [running],
                },
            ),
            *(
                Record("ecs", "Task", REGION, {**alone, **data})
                for number, (family, data) in enumerate(RUNS)
                for alone in [
                    {
                        "taskArn": f"{ARN}task/ml/alone-{number}",
                        "taskDefinitionArn": f"{ARN}task-definition/{family}",
                        "clusterArn": f"{ARN}cluster/ml",
                        "group": f"family:{family}",
                        "containers": [{"name": "c", "image": "ollama/ollama:0.3"}],
                    }
                ]
            ),
            Record(
                "ecs",
                "ContainerInstance",
                REGION,
                {"containerInstanceArn": machine, "ec2InstanceId": "i-0abc"},
            ),
        ]
    )
    return aws_model


def scanned() -> Read:
    collector = EcsAiServices(Clients({"max_attempts": 1}))
    (target,) = collector.targets(Scope("aws"), ())
    return Read(collector.collect(target, Meter()))


def test_ai_services_with_what_they_stand_on_and_nothing_else(cloud: ModelCloud) -> None:
    read = scanned()
    (coverage,) = read.coverage
    assert (coverage.status, coverage.reason) == (CoverageStatus.COMPLETE, "")
    assert coverage.lists == ("ecs:service", "ecs:task", "ecs:task-definition", "ecs:host")
    assert {key.split("/", 4)[-1] for key in read.resources} == {
        "ecs/service/ml/gpu",
        "ecs/service/ml/old",
        "ecs/service/ml/old#host",
        "ecs/task/ml/gpu",
        "ecs/task/ml/gpu#host",
        "ecs/task-definition/gpu",
        "ecs/task-definition/gpu:3",
    }
    row = read.named("gpu", "ecs:service")
    assert row.service
    assert row.tags == {"team": "search"}
    assert set(row.config) == {
        "serviceArn",
        "serviceName",
        "clusterArn",
        "status",
        "taskDefinition",
    }
    assert row.facts == {"instances": ["i-0abc"]}
    assert read.links("gpu", "ecs:service") == {
        ("same_workload", "ecs/task-definition/gpu"),
        ("runs_on", "ec2/instance/i-0abc"),
        ("runs_image", "serve"),
    }
    assert read.links("old", "ecs:service") == {
        ("same_workload", "ecs/task-definition/gpu:3"),
        ("runs_on", "ecs/service/ml/old#host"),
        ("protected_by", "ec2/subnet/subnet-1"),
        ("protected_by", "ec2/security-group/sg-1"),
    }
    assert read.named("gpu", "ecs:task").service
    assert read.links("gpu", "ecs:task") == {
        ("same_workload", "ecs/task-definition/gpu"),
        ("same_workload", "ecs/task-definition/gpu:3"),
        ("runs_on", "ecs/task/ml/gpu#host"),
        ("uses_identity", "iam/role/nightly"),
        ("protected_by", "ec2/subnet/subnet-7"),
    }
    assert cloud.calls["ecs", "ListTasks"] == 2, "two pages for all services together"
    assert read.named("gpu", "ecs:task-definition").facts == {"ai_marker": "accelerator"}
    links = read.links("gpu", "ecs:task-definition")
    assert links >= {
        ("uses_identity", "iam/role/start"),
        ("uses_identity", "iam/role/ml/work"),
        ("uses_identity", "secretsmanager/secret/hub-AbCdEf"),
        ("reads_data_from", "s3/bucket/settings"),
        ("reads_data_from", "elasticfilesystem/file-system/fs-0123"),
    }
    assert [edge.detail for edge in read.edges if edge.relation.value == "runs_image"] == [
        f"@{DIGEST}",
        ":v1",
        ":0.3",
    ]
    assert findings(read) == {}
    assert unknowns(read) == {}


def test_a_definition_that_may_not_be_read_leaves_the_list_open(cloud: ModelCloud) -> None:
    cloud.fail("ecs", "DescribeTaskDefinition", "AccessDeniedException", 400, times=1)
    read = scanned()
    (coverage,) = read.coverage
    assert coverage.status is CoverageStatus.DENIED
    assert "1 of 3 task definitions not read" in coverage.reason
    assert "ecs:DescribeTaskDefinition" in coverage.reason
    assert coverage.lists == ()
    assert {r.type for r in read.resources.values()} >= {"ecs:service", "ecs:task-definition"}


def test_tasks_that_may_not_be_read_leave_the_machines_unknown(cloud: ModelCloud) -> None:
    cloud.fail("ecs", "DescribeTasks", "AccessDeniedException", 400)
    read = scanned()
    (coverage,) = read.coverage
    assert (coverage.status, coverage.lists) == (CoverageStatus.DENIED, ())
    assert "ecs:DescribeTasks" in coverage.reason
    row = read.named("gpu", "ecs:service")
    assert row.unknown == {"facts.instances": "denied: needs ecs:DescribeTasks"}
    assert "instances" not in row.facts


def test_services_that_are_not_described_are_counted(cloud: ModelCloud) -> None:
    cloud.fail("ecs", "DescribeServices", "ClusterNotFoundException", 400)
    (coverage,) = scanned().coverage
    assert coverage.status is CoverageStatus.ERROR
    assert coverage.lists == ()


def test_a_role_that_may_call_models_marks_it_too(aws: Proxy, seed: Any) -> None:
    ecs, iam = seed("ecs"), seed("iam")
    ecs.create_cluster(clusterName="ml")
    for name, actions in (("app", ["bedrock:Invoke*"]), ("shop", ["*"]), ("web", ["s3:GetObject"])):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(allow(actions)))
        made = ecs.register_task_definition(
            family=name,
            taskRoleArn=f"arn:aws:iam::{ACCOUNT}:role/{name}",
            containerDefinitions=[{"name": "web", "image": "nginx", "memory": 64}],
        )
        arn = made["taskDefinition"]["taskDefinitionArn"]
        ecs.create_service(cluster="ml", serviceName=name, taskDefinition=arn, desiredCount=1)
    read = scanned()
    assert read.coverage[0].status is CoverageStatus.COMPLETE
    assert {r.name for r in read.resources.values()} == {"app"}
    assert read.named("app", "ecs:task-definition").facts == {"ai_marker": "role"}
    denied = Answer.xml_error("AccessDenied", 403)
    for operation in ("GetAccountAuthorizationDetails", "GetRole"):
        aws.always[operation] = denied
    (coverage,) = scanned().coverage
    assert coverage.status is CoverageStatus.DENIED
    assert "iam:GetAccountAuthorizationDetails" in coverage.reason
    assert coverage.lists == ()


_OF_SETS = {"computedDesiredCount", "stabilityStatus", "stabilityStatusAt", "updatedAt"}

FIELDS = {
    "ListClusters": ["clusterArns[]"],
    "ListServices": ["serviceArns[]"],
    "ListTasks": ["taskArns[]"],
    "DescribeServices": [
        "failures[].reason",
        *(
            f"services[].{name}"
            for name in (
                "serviceArn",
                "serviceName",
                "clusterArn",
                "createdAt",
                "launchType",
                "platformFamily",
                "platformVersion",
                "status",
                "taskDefinition",
                "tags[].key",
                "tags[].value",
                "taskSets[].taskDefinition",
                "capacityProviderStrategy[].capacityProvider",
                *sorted(_VOLATILE - _OF_SETS),
                *(f"taskSets[].{name}" for name in sorted(_OF_SETS)),
                *(ref.path for ref in SERVICE),
            )
        ),
    ],
    "DescribeTaskDefinition": [
        "tags[].key",
        *(
            f"taskDefinition.{name}"
            for name in (
                "taskDefinitionArn",
                "inferenceAccelerators",
                "taskRoleArn",
                "containerDefinitions[].resourceRequirements[].type",
                "containerDefinitions[].environment[].name",
                "containerDefinitions[].secrets[].name",
                *(ref.path for ref in TASK_DEFINITION),
            )
        ),
    ],
    "DescribeTasks": [
        *(f"tasks[].{name}" for name in _OF_TASK),
        *(f"tasks[].{ref.path}" for ref in TASK),
        *(f"tasks[].{name}" for name in ("group", "startedAt", "tags[].key")),
        "tasks[].containerInstanceArn",
        "tasks[].containers[].image",
        "tasks[].containers[].imageDigest",
    ],
    "DescribeContainerInstances": [
        f"containerInstances[].{name}" for name in ("containerInstanceArn", "ec2InstanceId")
    ],
}


@pytest.mark.parametrize("operation", FIELDS)
def test_fields_exist(operation: str) -> None:
    model: Any = botocore.session.Session().get_service_model("ecs")
    output = model.operation_model(operation).output_shape
    whole = {"events", "deployments", "currentServiceDeployment", "tags", "inferenceAccelerators"}
    for path in FIELDS[operation]:
        last = path.rpartition(".")[2]
        assert reaches(output, path) or (last in whole and reaches(output, f"{path}[]")), path
    assert operation in READS["ecs"]
