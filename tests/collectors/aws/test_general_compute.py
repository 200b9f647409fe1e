"""AI on Lambda, EKS and Batch: which functions and clusters count, and what they stand on."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.session import Session

from collectors.aws.batch_ai import JOB, BatchAiJobs
from collectors.aws.eks_ai import EksAiWorkloads, is_accelerated
from collectors.aws.lambda_ai import LambdaAiFunctions, marker
from collectors.aws.session import Clients
from collectors.aws.units import AwsCollector
from tests.cloud.model_server import ModelCloud, Record, load_records
from tests.collectors.aws import modelled
from tests.collectors.aws.conftest import ACCOUNT, REGION, Answer, Proxy
from tests.collectors.aws.lower_layers import allow, document
from tests.collectors.aws.test_sdk_contract import reaches
from undercroft.model import CoverageStatus
from undercroft.protocols import Meter, Scope

LAYER = f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:"


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({"Environment": {"Variables": {"OPENAI_API_KEY": "x"}}}, "environment"),
        ({"Environment": {"Variables": {"BEDROCK_REGION": "x"}}}, "environment"),
        ({"Environment": {"Variables": {"TABLE": "x", "ARRAY_SIZE": "1"}}}, ""),
        ({"Environment": {"Error": {"ErrorCode": "AccessDenied"}}}, ""),
        ({"Layers": [{"Arn": f"{LAYER}pytorch-inference:3"}]}, "layer"),
        ({"Layers": [{"Arn": f"{LAYER}requests:3"}]}, ""),
        ({}, ""),
    ],
)
def test_what_marks_a_function(config: Any, found: str) -> None:
    assert marker(config) == found


@pytest.mark.parametrize(
    ("group", "found"),
    [
        ({"amiType": "AL2023_x86_64_NVIDIA"}, True),
        ({"amiType": "AL2_x86_64_GPU"}, True),
        ({"amiType": "AL2023_x86_64_NEURON"}, True),
        ({"amiType": "CUSTOM", "instanceTypes": ["m5.large", "p5.48xlarge"]}, True),
        ({"amiType": "AL2023_x86_64_STANDARD", "instanceTypes": ["m5.large"]}, False),
        ({}, False),
    ],
)
def test_what_marks_a_group_of_nodes(group: Any, found: bool) -> None:
    assert is_accelerated(group) is found


def collect(collector: AwsCollector) -> modelled.Read:
    (target,) = collector.targets(Scope("aws"), ())
    return modelled.Read(collector.collect(target, Meter()))


def function(seed: Any, name: str, **more: Any) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/f"
    seed("lambda").create_function(FunctionName=name, Role=role, **more)


def test_functions(clients: Clients, aws: Proxy, seed: Any) -> None:
    trust = '{"Version": "2012-10-17", "Statement": []}'
    seed("iam").create_role(RoleName="f", AssumeRolePolicyDocument=trust)
    plain: dict[str, Any] = {
        "Runtime": "python3.13",
        "Handler": "f.f",
        "Code": {"ZipFile": b"PK\x05\x06" + b"\0" * 18},
    }
    registry = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
    function(
        seed, "chat", **plain, Environment={"Variables": {"OPENAI_API_KEY": "x"}}, Tags={"a": "b"}
    )
    function(seed, "shop", **plain)
    seed("iam").create_role(RoleName="ask", AssumeRolePolicyDocument=trust)
    calls = document(allow("bedrock:InvokeModel"))
    seed("iam").put_role_policy(RoleName="ask", PolicyName="p", PolicyDocument=calls)
    role = f"arn:aws:iam::{ACCOUNT}:role/ask"
    seed("lambda").create_function(FunctionName="ask", Role=role, **plain)
    images = {"llm": f"{registry}/vllm-openai:1", "web": f"{registry}/web:1"}
    for name, image in images.items():
        function(seed, name, PackageType="Image", Code={"ImageUri": image})
    read = collect(LambdaAiFunctions(clients))
    assert {r.name: r.facts["ai_marker"] for r in read.resources.values()} == {
        "ask": "role",
        "chat": "environment",
        "llm": "image",
    }
    chat = read.named("chat")
    assert (chat.type, chat.service, chat.tags) == ("lambda:ai-function", True, {"a": "b"})
    assert read.links("chat") == {("same_workload", "lambda/function/chat")}
    assert read.coverage[0].lists == ("lambda:ai-function",)

    (stub,) = (s for s in read.stubs if s.key.endswith("/function/llm"))
    beneath = modelled.named(clients, stub)
    config: Any = beneath.named("llm", "lambda:function").config
    assert config["Code"] == {
        "ImageUri": images["llm"],
        "ResolvedImageUri": config["Code"]["ResolvedImageUri"],
    }, "not the link to the code"
    assert ("uses_identity", "iam/role/f") in beneath.links("llm", "lambda:function")
    assert any(edge.relation.value == "runs_image" for edge in beneath.edges)

    aws.always[f"GET /2015-03-31/functions/{_quoted('llm')}"] = Answer.error("AccessDenied", 403)
    aws.always[f"GET /2015-03-31/functions/{_quoted('web')}"] = Answer.error("AccessDenied", 403)
    read = collect(LambdaAiFunctions(clients))
    assert [r.name for r in read.resources.values()] == ["chat", "ask"]
    assert read.coverage[0].status is CoverageStatus.DENIED
    assert "2 functions whose images could not be told" in read.coverage[0].reason

    aws.always = {
        operation: Answer.xml_error("AccessDenied", 403)
        for operation in ("GetAccountAuthorizationDetails", "GetRole")
    }
    (coverage,) = collect(LambdaAiFunctions(clients)).coverage
    assert (coverage.status, coverage.lists) == (CoverageStatus.DENIED, ())
    assert "iam:GetAccountAuthorizationDetails" in coverage.reason


def _quoted(name: str) -> str:
    return f"arn%3Aaws%3Alambda%3A{REGION}%3A{ACCOUNT}%3Afunction%3A{name}"


POLICY = {"PolicyName": "p", "PolicyDocument": document(allow("bedrock:InvokeModel"))}
DETAIL = {
    "RoleName": "asks",
    "Arn": f"arn:aws:iam::{ACCOUNT}:role/asks",
    "RolePolicyList": [POLICY],
}


def test_jobs(aws_model: ModelCloud) -> None:
    aws_model.add(load_records("stores", REGION))
    aws_model.add([Record("iam", "AccountAuthorizationDetail", "", {"RoleDetailList": [DETAIL]})])
    reader = BatchAiJobs(Clients({"max_attempts": 1}))
    read = collect(reader)
    found = {r.name: r.facts["ai_marker"] for r in read.resources.values()}
    assert found == {
        "tune": "accelerator",
        "many": "image",
        "pods": "accelerator",
        "asks": "role",
    }
    tune = read.named("tune")
    assert (tune.tags, tune.service, tune.config["revision"]) == ({"team": "ml"}, True, 2)
    assert {to for _, to in read.links("tune")} >= {
        "iam/role/tune",
        "elasticfilesystem/file-system/fs-0c1ea0c1",
    }
    assert {relation for relation, _ in read.links("many")} == {"runs_image"}
    assert ("uses_identity", "iam/role/asks") in read.links("asks")
    assert read.coverage[0].lists == ("batch:job-definition",)
    aws_model.fail("iam", "GetAccountAuthorizationDetails", "AccessDenied", 403)
    aws_model.fail("iam", "GetRole", "AccessDenied", 403)
    read = collect(reader)
    assert "asks" not in {r.name for r in read.resources.values()}
    assert (read.coverage[0].status, read.coverage[0].lists) == (CoverageStatus.DENIED, ())


def test_what_a_job_names_exists_in_the_model() -> None:
    operation = Session().get_service_model("batch").operation_model("DescribeJobDefinitions")
    shape = operation.output_shape.members["jobDefinitions"].member
    assert [ref.path for ref in JOB if not reaches(shape, ref.path)] == []


def test_clusters(aws_model: ModelCloud) -> None:
    aws_model.add(load_records("stores", REGION))
    clients = Clients({"max_attempts": 1})
    read = collect(EksAiWorkloads(clients))
    assert [(r.name, r.type) for r in read.resources.values()] == [("gpu-bad", "eks:workload")]
    assert read.links("gpu-bad") == {("runs_on", "eks/cluster/gpu-bad")}
    lost = read.named("gpu-bad").unknown
    assert set(lost) == {"facts.target_groups"}, "this cloud has no load balancers to ask"
    assert read.coverage[0].status is CoverageStatus.COMPLETE
    aws_model.fail("eks", "DescribeNodegroup", "AccessDeniedException", 403)
    read = collect(EksAiWorkloads(clients))
    assert read.resources == {}
    assert read.coverage[0].status is CoverageStatus.DENIED
    assert "1 clusters whose nodes could not be told" in read.coverage[0].reason
