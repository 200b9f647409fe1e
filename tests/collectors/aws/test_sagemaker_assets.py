"""The rest of SageMaker: jobs, clusters, registries, servers and workspaces."""

from __future__ import annotations

import pytest

from collectors.aws.arns import sagemaker
from collectors.aws.listed import SageMakerReferenced
from collectors.aws.session import Clients
from collectors.values import mappings
from tests.cloud.fixtures import model_estate
from tests.cloud.model_server import ModelCloud, load_records
from tests.collectors.aws.modelled import PLACE, REGION, Read, findings, listed, unknowns
from undercroft.model import CoverageStatus, Layer, Resource
from undercroft.protocols import Meter, Scope


@pytest.fixture
def cloud(aws_model: ModelCloud) -> ModelCloud:
    aws_model.add(load_records("sagemaker", REGION))
    return aws_model


@pytest.fixture
def clients(cloud: ModelCloud) -> Clients:
    return Clients({"max_attempts": 1})


@pytest.fixture(scope="module")
def read(_aws_model: tuple[ModelCloud, str]) -> Read:
    """All of it, for tests that only look."""
    with model_estate(_aws_model) as cloud:
        cloud.add(load_records("sagemaker", REGION))
        return listed(Clients({"max_attempts": 1}), "sagemaker")


FAILS = {
    "clean-up-bad": {"aws-sagemaker-processing-open-network", "aws-sagemaker-batch-no-cmk"},
    "batch-bad": {"aws-sagemaker-batch-no-cmk"},
    "quality-bad": {
        "aws-sagemaker-monitor-no-network-isolation",
        "aws-sagemaker-monitor-no-traffic-encryption",
        "aws-sagemaker-monitor-no-cmk",
    },
    "shadow-bad": {"aws-sagemaker-inference-experiment-no-cmk"},
    "pod-bad": {
        "aws-sagemaker-hyperpod-node-image-outdated",
        "aws-sagemaker-hyperpod-no-vpc",
    },
    "closed-bad": {"aws-sagemaker-hyperpod-node-image-outdated"},
    "tracking-bad": {
        "aws-sagemaker-mlflow-bucket-owner-unverified",
        "aws-sagemaker-mlflow-outdated",
    },
    "features-bad": {
        "aws-sagemaker-feature-offline-no-cmk",
        "aws-sagemaker-feature-online-no-cmk",
    },
    "group-bad": {"aws-sagemaker-model-package-group-foreign"},
    "review-bad": {"aws-sagemaker-flow-definition-no-cmk"},
    "space-bad": {"aws-sagemaker-space-remote-access"},
    "lonely-bad": {
        "aws-sagemaker-endpoint-public-policy",
        "aws-sagemaker-endpoint-unmonitored",
        "aws-sagemaker-endpoint-no-data-capture",
    },
    "churn": {"aws-sagemaker-endpoint-no-data-capture"},
}


def test_everything_is_read_and_judged(read: Read) -> None:
    assert {c.status for c in read.coverage} == {CoverageStatus.COMPLETE}
    assert [c.reason for c in read.coverage if c.reason] == []
    assert findings(read) == FAILS
    # No variants were described, so nobody can say which images run.
    assert unknowns(read) == {
        key: {"aws-sagemaker-endpoint-frozen-image"} for key in ("churn", "lonely-bad")
    }


def test_a_cluster_stands_on_its_bootstrap_nodes_and_orchestrator(read: Read) -> None:
    assert read.links("pod-bad") == {
        ("runs_on", "eks/cluster/gpu"),
        ("runs_on", "sagemaker/cluster/pod-bad#host/workers"),
        ("uses_identity", "iam/role/pod"),
        ("loads_artifact_from", "s3/bucket/pod-bootstrap"),
        ("reads_data_from", "fsx/file-system/fs-0123456789abcdef0"),
    }


def test_of_restricted_groups_only_the_nodes_say_how_old_they_are(
    read: Read, clients: Clients, cloud: ModelCloud
) -> None:
    group = read.named("closed-bad tuners", "sagemaker:host")
    nodes = group.config["Nodes"]
    assert isinstance(nodes, list)
    assert [node["InstanceId"] for node in nodes if isinstance(node, dict)] == ["i-1", "i-2"]
    (old,) = mappings(read.named("closed-bad").facts["node_images"])
    assert old == {"group": "tuners", "status": "EndOfLife", "release": "1.0"}
    cloud.fail("sagemaker", "ListClusterNodes", "AccessDeniedException", 403)
    read = listed(clients, "sagemaker")
    missing = "denied: needs sagemaker:ListClusterNodes"
    assert read.named("pod-clean").unknown["config.Nodes"] == missing
    assert "aws-sagemaker-hyperpod-node-image-outdated" in unknowns(read)["pod-clean"]


LINKS = {
    ("search", "sagemaker:tuning-job"): {
        ("runs_image", "sagemaker/algorithm/own-algorithm"),
        ("reads_data_from", "elasticfilesystem/file-system/fs-0c1ea0c1"),
        ("runs_on", "sagemaker/hyper-parameter-tuning-job/search#host"),
        ("encrypted_with", "kms/key/key-1"),
    },
    ("clean-up-bad", "sagemaker:processing-job"): {
        ("uses_identity", "iam/role/warehouse"),
        ("reads_data_from", "s3/bucket/unloaded"),
    },
    ("quality-bad", "sagemaker:monitoring-job"): {
        ("loads_artifact_from", "s3/bucket/scripts"),
        ("runs_on", "sagemaker/data-quality-job-definition/quality-bad#host"),
    },
    ("hourly-clean", "sagemaker:monitoring-job"): {
        ("same_workload", "sagemaker/data-quality-job-definition/quality-bad")
    },
    ("features-bad", "sagemaker:feature-group"): {("writes_to", "glue/table/features/rows")},
    ("labels", "sagemaker:labeling-job"): {
        ("reads_data_from", "s3/bucket/raw"),
        ("loads_artifact_from", "s3/bucket/templates"),
        ("writes_to", "s3/bucket/labelled"),
        ("invokes_tool", "lambda/function/prepare"),
        ("uses_identity", "iam/role/label"),
    },
    ("router", "sagemaker:inference-router"): {
        ("same_workload", "sagemaker/endpoint/churn"),
        ("same_workload", "sagemaker/inference-component/part"),
        ("writes_to", "s3/bucket/routed"),
    },
    ("space-bad", "sagemaker:space"): {
        ("same_workload", "sagemaker/user-profile/d-1/ada"),
        ("same_workload", "sagemaker/studio-lifecycle-config/start"),
        ("runs_image", "sagemaker/image-version/studio-image/3"),
    },
    ("closed-bad", "sagemaker:cluster"): {("writes_to", "s3/bucket/tuned-out")},
}


def test_what_each_stands_on(read: Read) -> None:
    missing = {one: links - read.links(*one) for one, links in LINKS.items()}
    assert missing == {one: set() for one in LINKS}


def test_an_endpoint_stands_on_its_components_and_feeds_what_watches_it(read: Read) -> None:
    assert read.links("churn") >= {
        ("same_workload", "sagemaker/inference-component/part"),
        ("writes_to", "sagemaker/monitoring-schedule/hourly-clean"),
        ("writes_to", "sagemaker/data-quality-job-definition/quality-bad"),
    }


def test_a_pipeline_stands_on_what_its_steps_name(read: Read) -> None:
    links = read.links("weekly")
    assert ("reads_data_from", "s3/bucket/pipeline-in") in links
    assert any(relation == "runs_image" for relation, _ in links)


def test_a_domain_stands_on_its_spaces_and_running_apps(read: Read) -> None:
    assert read.links("studio") >= {
        ("same_workload", "sagemaker/space/d-1/space-bad"),
        ("same_workload", "sagemaker/app/d-1/JupyterLab/lab"),
    }
    assert read.links("lab", "sagemaker:app") == {
        ("runs_on", "sagemaker/app/d-1/JupyterLab/lab#host"),
        ("same_workload", "sagemaker/space/d-1/space-bad"),
    }
    assert not [r for r in read.resources.values() if r.name == "old-lab"], "it was deleted"


def test_what_is_only_named_is_read_by_its_name(clients: Clients) -> None:
    named = {
        "model-package": "arn:aws:sagemaker:us-east-1:123456789012:model-package/group-bad/1",
        "image": "arn:aws:sagemaker:us-east-1:123456789012:image/studio-image",
        "code-repository": "team-code",
        "image-version": "arn:aws:sagemaker:us-east-1:123456789012:image-version/studio-image/3",
        "algorithm": "own-algorithm",
        "hub-content": (
            "arn:aws:sagemaker:us-east-1:123456789012:hub-content/own-hub/Model/llama/1.0.0"
        ),
    }
    stubs: list[Resource] = []
    lacking = "arn:aws:sagemaker:us-east-1:123456789012:hub-content/own-hub/Model/llama"
    more = [
        ("code-repository", "open-code-bad"),
        ("hub-content", lacking),
        ("image-version", "studio-image/newest"),
    ]
    for kind, text in [*named.items(), *more]:
        target = sagemaker(kind, f"sagemaker:{kind}", Layer.SERVICE)(PLACE, text)
        assert target is not None
        stubs.append(target.stub)
    collector = SageMakerReferenced(clients)
    (unit,) = collector.targets(Scope("aws"), stubs)
    read = Read(collector.collect(unit, Meter()))
    assert len(read.resources) == 7
    assert "1 of 9 not read" in read.coverage[0].reason
    assert findings(read) == {"open-code-bad": {"aws-sagemaker-code-repository-external"}}
    package = read.named("group-bad/1")
    assert package.config["ModelApprovalStatus"] == "PendingManualApproval"
    assert ("loads_artifact_from", "s3/bucket/weights") in read.links("group-bad/1")
    digests = [e.detail for e in read.edges if e.src == package.key and e.detail.startswith("@")]
    assert digests == [f"@sha256:{'1' * 64}"], "the very image that was registered"
    assert any(relation == "runs_image" for relation, _ in read.links("studio-image/3"))
    assert any(relation == "runs_image" for relation, _ in read.links("own-algorithm"))
    assert read.links("llama") >= {
        ("loads_artifact_from", "sagemaker/hub/own-hub"),
        ("loads_artifact_from", "s3/bucket/hub-weights"),
    }
    assert any(relation == "runs_image" for relation, _ in read.links("studio-image"))
    assert read.links("team-code") == {("uses_identity", "secretsmanager/secret/git-AbCdEf")}
