"""Functions, vector stores, file systems, clusters; and services that answer from documents."""

from __future__ import annotations

import pytest

from collectors.aws.agentcore_shared_kinds import instance_profile
from collectors.aws.arns import account_region, by_arn, file_system, function, named
from collectors.aws.references import SECRET, vector_index
from collectors.aws.session import Clients
from tests.cloud.model_server import ModelCloud, Record, load_records
from tests.collectors.aws import modelled
from tests.collectors.aws.modelled import PLACE, REGION, findings, unknowns
from undercroft.model import CoverageStatus, Layer, Presence, Resource

ARN = "arn:aws:{}:us-east-1:123456789012:{}"


@pytest.fixture
def cloud(aws_model: ModelCloud) -> ModelCloud:
    aws_model.add(load_records("stores", REGION))
    return aws_model


@pytest.fixture
def clients(cloud: ModelCloud) -> Clients:
    return Clients({"max_attempts": 1})


def stubs(*states: str) -> list[Resource]:
    """Everything that the estate has, as a service would name it."""
    secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:"
    collection = by_arn("aoss", "collection", "aoss:collection", Layer.STORAGE)
    domain = by_arn("es", "domain", "opensearch:domain", Layer.STORAGE)
    cluster = by_arn("eks", "cluster", "eks:cluster", Layer.CONTAINER)
    vectors = named("s3vectors", "bucket", "s3vectors:vector-bucket", Layer.STORAGE, colon=True)
    references = [
        *((function, ARN.format("lambda", f"function:tools-{state}:live")) for state in states),
        *((collection, ARN.format("aoss", f"collection/coll{state}")) for state in states),
        *((domain, ARN.format("es", f"domain/search-{state}")) for state in states),
        *(
            (vectors, ARN.format("s3vectors", f"bucket/embeddings-{state}/index/i"))
            for state in states
        ),
        *((cluster, ARN.format("eks", f"cluster/gpu-{state}")) for state in states),
        *(
            (vector_index, ARN.format("s3vectors", f"bucket/embeddings-{state}/index/i"))
            for state in states
            if state != "bad"
        ),
        (instance_profile, "arn:aws:iam::123456789012:instance-profile/team/machines"),
        (file_system("efs"), "fs-0bad0bad"),
        (file_system("efs"), "fs-0c1ea0c1"),
        (file_system("fsx"), "fs-0123456789abcdef0"),
        (file_system("fsx"), "fs-0bad0bad0bad0bad0"),
        (SECRET, f"{secret}wiki/login-bad-AbCdEf"),
        (SECRET, f"{secret}plugin-clean-AbCdEf"),
    ]
    targets = [referent(PLACE, text) for referent, text in references]
    return [target.stub for target in targets if target is not None]


FAILS = {
    "tools-bad": {
        "aws-lambda-ai-public",
        "aws-lambda-bedrock-permission-unscoped",
        "aws-lambda-ai-runtime-or-secret",
    },
    "vectors-bad": {"aws-aoss-public-network", "aws-aoss-no-cmk", "aws-aoss-broad-data-access"},
    "search-bad": {"aws-opensearch-vector-domain-exposed"},
    "embeddings-bad": {"aws-s3vectors-exposed"},
    "home-bad": {"aws-efs-ai-unprotected", "aws-efs-access-point-open"},
    "wiki/login-bad": {"aws-secret-policy-foreign"},
    "fs-0bad0bad0bad0bad0": {"aws-fsx-ai-no-cmk"},
    "gpu-bad": {"aws-eks-public-endpoint", "aws-eks-hygiene"},
    "old-bad": {"aws-eks-nodegroup-old-ami"},
}


def test_what_is_named_is_read_and_judged(clients: Clients) -> None:
    read = modelled.named(clients, *stubs("bad", "clean"))
    assert {c.status for c in read.coverage} == {CoverageStatus.COMPLETE}
    assert [c.reason for c in read.coverage if c.reason] == []
    assert findings(read) == FAILS
    assert unknowns(read) == {}
    assert read.links("tools-clean", "lambda:function") == {
        ("runs_on", "lambda/function/tools-clean#host"),
        ("uses_identity", "iam/role/tools"),
        ("protected_by", "elasticloadbalancing/targetgroup/tools/0123"),
        ("protected_by", "ec2/subnet/subnet-1"),
        ("protected_by", "ec2/security-group/sg-1"),
    }
    assert read.links("home-bad") == {
        ("protected_by", "ec2/subnet/subnet-1"),
        ("protected_by", "ec2/security-group/sg-1"),
        ("protected_by", "ec2/security-group/sg-2"),
    }
    assert ("runs_on", "eks/nodegroup/gpu-bad/old-bad") in read.links("gpu-bad")
    assert read.links("new-clean") == {("same_workload", "ec2/launch-template/lt-1/3")}
    assert read.links("old-bad") == {("uses_identity", "iam/role/nodes")}
    assert ("uses_identity", "iam/role/pods") in read.links("gpu-bad")
    assert read.links("small") == {
        ("uses_identity", "iam/role/fargate"),
        ("protected_by", "ec2/subnet/subnet-2"),
    }
    assert read.links("i") == {("encrypted_with", "kms/key/k1")}
    assert read.links("machines") == {("uses_identity", "iam/role/machines")}
    assert read.links("wiki/login-bad") == {
        ("encrypted_with", "kms/alias/wiki"),
        ("invokes_tool", "lambda/function/rotate"),
    }


def test_collections_and_their_policies_are_asked_for_together(
    clients: Clients, cloud: ModelCloud
) -> None:
    cloud.page = 100
    read = modelled.named(clients, *stubs("bad", "clean", "gone"))
    told = {r.name: r.presence for r in read.resources.values() if r.type == "aoss:collection"}
    assert sorted(told.values()) == [Presence.ABSENT, Presence.READ, Presence.READ]
    asked = {name: n for (service, name), n in cloud.calls.items() if "serverless" in service}
    assert asked == {
        "BatchGetCollection": 1,
        "ListSecurityPolicies": 1,
        "GetSecurityPolicy": 3,
        "ListAccessPolicies": 1,
        "GetAccessPolicy": 2,
    }
    cloud.fail("opensearchserverless", "BatchGetCollection", "AccessDeniedException", 403)
    read = modelled.named(clients, *stubs("bad"))
    assert "denied: needs aoss:BatchGetCollection" in str([r.unknown for r in read.stubs])


def test_what_does_not_exist_is_absent(clients: Clients) -> None:
    read = modelled.named(clients, *stubs("gone"))
    gone = {r.type for r in read.resources.values() if r.presence is Presence.ABSENT}
    assert gone == {
        "lambda:function",
        "aoss:collection",
        "opensearch:domain",
        "s3vectors:vector-bucket",
        "s3vectors:index",
        "eks:cluster",
    }


def test_what_may_not_be_read_stays_a_stub_with_the_reason(
    clients: Clients, cloud: ModelCloud
) -> None:
    cloud.fail("lambda", "GetFunctionConfiguration", "AccessDeniedException", 403)
    read = modelled.named(clients, *stubs("bad")[:1])
    (function_,) = (r for r in read.stubs if r.type == "lambda:function")
    assert function_.unknown == {"config": "denied: needs lambda:GetFunctionConfiguration"}
    (coverage,) = read.coverage
    assert coverage.status is CoverageStatus.DENIED


def test_a_policy_of_a_store_that_may_not_be_read_is_unknown(
    clients: Clients, cloud: ModelCloud
) -> None:
    cloud.fail("opensearchserverless", "GetSecurityPolicy", "AccessDeniedException", 403)
    read = modelled.named(clients, *stubs("clean"))
    assert unknowns(read)["vectors-clean"] == {
        "aws-aoss-public-network",
        "aws-aoss-broad-data-access",
    }


def test_search_services(clients: Clients) -> None:
    read = modelled.listed(clients, "kendra", "qbusiness")
    assert {c.status for c in read.coverage} == {CoverageStatus.COMPLETE}
    assert findings(read) == {
        "find-bad": {"aws-kendra-index-no-cmk", "aws-kendra-no-user-token"},
        "ask-bad": {"aws-qbusiness-anonymous"},
    }
    assert read.links("docs") == {
        ("uses_identity", "iam/role/kendra-docs"),
        ("reads_data_from", "s3/bucket/kendra-docs"),
        ("uses_identity", "iam/role/enrich"),
        ("invokes_tool", "lambda/function/clean-up"),
        ("writes_to", "s3/bucket/kendra-scratch"),
    }
    assert any(edge.via == "DataSources" for edge in read.edges)
    assert read.links("wiki") == {
        ("uses_identity", "iam/role/q-wiki"),
        ("uses_identity", "secretsmanager/secret/wiki/login-bad-AbCdEf"),
        ("reads_data_from", "s3/bucket/q-documents"),
        ("writes_to", "s3/bucket/q-scratch"),
        ("invokes_tool", "lambda/function/clean-up"),
    }
    kendra = "kendra/index/11111111-1111-1111-1111-111111111111"
    assert read.links("find") == {("reads_data_from", kendra)}
    assert read.links("tickets") == {
        ("uses_identity", "iam/role/q-plugin"),
        ("uses_identity", "secretsmanager/secret/plugin-clean-AbCdEf"),
    }
    assert read.links("ask") == {("uses_identity", "iam/role/q-web")}


SMALLER = (
    *("glue", "translate", "healthlake"),
    *("forecast", "frauddetector", "lookoutequipment", "lex"),
)


def test_smaller_managed_services(clients: Clients, cloud: ModelCloud) -> None:
    cloud.add(load_records("managed", REGION))
    read = modelled.listed(clients, *SMALLER)
    assert {c.status for c in read.coverage} == {CoverageStatus.COMPLETE}
    names = ("dedupe-bad", "letters-bad", "patients-bad", "sales-bad", "pumps-bad", "help-live-bad")
    assert findings(read) == {name: {"aws-mlservice-no-cmk"} for name in names}
    assert unknowns(read) == {}
    assert read.links("letters-bad") == {
        ("uses_identity", "iam/role/translate"),
        ("reads_data_from", "s3/bucket/letters"),
        ("writes_to", "s3/bucket/letters"),
    }
    assert read.links("patients-clean") == {("encrypted_with", "kms/key/key-1")}
    assert read.named("patients-bad").key.endswith("healthlake/datastore/fhir/0123")
    assert read.links("sales-clean") == {
        ("uses_identity", "iam/role/forecast"),
        ("encrypted_with", "kms/key/key-1"),
    }
    assert read.links("cards") == {
        ("uses_identity", "iam/role/fraud"),
        ("reads_data_from", "s3/bucket/payments"),
    }
    assert read.links("pumps-clean") == {
        ("encrypted_with", "kms/key/key-1"),
        ("reads_data_from", "lookoutequipment/dataset/pumps-bad"),
    }
    assert read.links("help") == {
        ("uses_identity", "iam/role/lex"),
        ("same_workload", "lex/bot-alias/BOT0000001/ALIASBAD01"),
        ("same_workload", "lex/bot-alias/BOT0000001/ALIASOK001"),
    }
    assert read.links("help-live-bad") == {
        ("writes_to", "s3/bucket/calls"),
        ("writes_to", "logs/log-group//lex/help"),
        ("invokes_tool", "lambda/function/answer"),
    }
    (settings,) = (stub for stub in read.stubs if stub.type == "frauddetector:settings")
    (one,) = findings(modelled.named(clients, settings)).values()
    assert one == {"aws-mlservice-no-cmk"}


def test_language_models_their_endpoints_and_what_trains_them(
    clients: Clients, cloud: ModelCloud
) -> None:
    cloud.add(load_records("managed", REGION))
    read = modelled.listed(clients, "comprehend")
    assert {c.status for c in read.coverage} == {CoverageStatus.COMPLETE}
    assert findings(read) == {
        "letters-bad": {"aws-comprehend-no-kms", "aws-comprehend-no-vpc"},
        "wheel-bad": {"aws-comprehend-no-kms", "aws-comprehend-no-vpc"},
    }
    model = "comprehend/entity-recognizer/parts/version/v2"
    assert read.links("parts/version/v2") >= {
        ("reads_data_from", "s3/bucket/letters"),
        ("reads_data_from", "s3/bucket/labels"),
    }
    assert read.links("letters-bad") >= {
        ("writes_to", "s3/bucket/matrix"),
        ("loads_artifact_from", "comprehend/document-classifier/theirs"),
    }
    # Endpoints of both sorts of models may have one name.
    assert read.links("entity-recognizer-endpoint/parts") == {
        ("same_workload", model),
        ("uses_identity", "iam/role/reader"),
        ("loads_artifact_from", "comprehend/flywheel/wheel-bad"),
    }
    assert read.named("document-classifier-endpoint/parts").service
    assert read.links("wheel-bad") >= {
        ("produces", model),
        ("reads_data_from", "s3/bucket/lake"),
        ("uses_identity", "iam/role/wheel"),
    }
    cloud.fail("comprehend", "DescribeFlywheel", "AccessDeniedException", 403)
    read = modelled.listed(clients, "comprehend")
    assert unknowns(read)["wheel-clean"] == {"aws-comprehend-no-kms", "aws-comprehend-no-vpc"}
    wheels = next(c for c in read.coverage if c.collector == "aws.comprehend.flywheel")
    assert "comprehend:DescribeFlywheel" in wheels.reason


@pytest.mark.parametrize(
    ("approval", "unused"), [("Approved", False), ("Rejected", True), ("", True)]
)
def test_a_registry_counts_if_something_in_it_is_approved(
    clients: Clients, cloud: ModelCloud, approval: str, unused: bool
) -> None:
    cloud.add([Record("sagemaker", "Model", REGION, {"ModelName": "m", "ModelArn": "a"})])
    if approval:
        package = {"ModelPackageArn": "p", "ModelApprovalStatus": approval}
        cloud.add([Record("sagemaker", "ModelPackage", REGION, package)])
    (region,) = modelled.named(clients, account_region(PLACE)).resources.values()
    assert region.config["HasModels"] is True
    assert region.config["HasApprovedModels"] is not unused


def test_without_models_no_registry_is_asked_for(clients: Clients, cloud: ModelCloud) -> None:
    (region,) = modelled.named(clients, account_region(PLACE)).resources.values()
    assert region.config["HasModels"] is False
    assert cloud.calls["sagemaker", "ListModelPackages"] == 0
