"""SageMaker collectors against moto over HTTP, and against an endpoint that misbehaves."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from collectors.aws.listed import KindList, SageMakerReferenced
from collectors.aws.sagemaker_kinds import KINDS
from collectors.aws.session import Clients
from tests.collectors.aws.conftest import ACCOUNT, HTML_500, REGION, Answer, Proxy
from undercroft.model import Certainty, Coverage, CoverageStatus, Edge, Layer, Presence, Resource
from undercroft.protocols import Cancelled, Collected, Meter, Scope, Target
from undercroft.relations import Relation

ROLE = f"arn:aws:iam::{ACCOUNT}:role/exec"
HERE = f"aws/aws/{ACCOUNT}/{REGION}"
ROLE_KEY = f"aws/aws/{ACCOUNT}/-/iam/role/exec"
BUCKET_KEY = f"aws/aws/{ACCOUNT}/-/s3/bucket/models"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/serve:v1"
IMAGE_KEY = f"image/{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/serve"
DENIED = Answer.error("AccessDeniedException", 400)
NOW = datetime(2026, 5, 1, tzinfo=UTC)
KIND = {kind.name: kind for kind in KINDS}


class Found:
    """What one unit yielded."""

    def __init__(self, items: Iterable[Collected]) -> None:
        self.items = list(items)
        self.resources = {
            item.key: item
            for item in self.items
            if isinstance(item, Resource) and item.presence is not Presence.STUB
        }
        self.stubs = {
            item.key: item
            for item in self.items
            if isinstance(item, Resource) and item.presence is Presence.STUB
        }
        self.edges = [item for item in self.items if isinstance(item, Edge)]
        *self.parts, self.coverage = [item for item in self.items if isinstance(item, Coverage)]
        assert self.items[-1] is self.coverage

    def links(self, src: str) -> set[tuple[Relation, str, str]]:
        return {
            (edge.relation, edge.via, edge.dst.removeprefix(f"{HERE}/"))
            for edge in self.edges
            if edge.src == f"{HERE}/{src}" and edge.relation is not Relation.CONTAINED_IN
        }


def collect(
    clients: Clients,
    name: str,
    meter: Meter | None = None,
    *,
    now: datetime = NOW,
    limit: int = 100,
) -> Found:
    collector = KindList(clients, KIND[name], lambda: now, limit)
    (target,) = collector.targets(Scope("aws"), ())
    return Found(collector.collect(target, meter or Meter()))


def listing(name: str, *items: Mapping[str, Any]) -> Answer:
    return Answer.json({KIND[name].list_key: list(items)})


# ------------------------------------------------------------------------------------- each type


def test_notebook_instance(clients: Clients, seed: Any, aws: Proxy) -> None:
    seed("sagemaker").create_notebook_instance(
        NotebookInstanceName="nb",
        InstanceType="ml.t3.medium",
        RoleArn=ROLE,
        SubnetId="subnet-1",
        SecurityGroupIds=["sg-1", "sg-2"],
        KmsKeyId="alias/nb",
        LifecycleConfigName="setup",
        DefaultCodeRepository="https://x:token@git.example.com/team/nb.git",
        AdditionalCodeRepositories=["registered"],
        RootAccess="Enabled",
        DirectInternetAccess="Enabled",
        VolumeSizeInGB=20,
        Tags=[{"Key": "owner", "Value": "ann"}],
    )
    meter = Meter()
    found = collect(clients, "notebook-instance", meter)
    key = f"{HERE}/sagemaker/notebook-instance/nb"
    notebook = found.resources[key]
    assert (notebook.type, notebook.layer, notebook.name) == (
        "sagemaker:notebook-instance",
        Layer.SERVICE,
        "nb",
    )
    assert notebook.native_id == f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:notebook-instance/nb"
    assert notebook.service
    assert notebook.tags == {"owner": "ann"}
    assert notebook.config["RootAccess"] == "Enabled"
    assert notebook.incarnation == notebook.config["CreationTime"]
    assert str(notebook.incarnation).endswith("Z")
    assert notebook.unknown == {}
    assert notebook.collector == "aws.sagemaker.notebook-instance"
    assert found.links("sagemaker/notebook-instance/nb") == {
        (Relation.USES_IDENTITY, "RoleArn", ROLE_KEY),
        (Relation.PROTECTED_BY, "SubnetId", "ec2/subnet/subnet-1"),
        (Relation.PROTECTED_BY, "SecurityGroups[0]", "ec2/security-group/sg-1"),
        (Relation.PROTECTED_BY, "SecurityGroups[1]", "ec2/security-group/sg-2"),
        (Relation.ENCRYPTED_WITH, "KmsKeyId", "kms/alias/nb"),
        (
            Relation.SAME_WORKLOAD,
            "NotebookInstanceLifecycleConfigName",
            "sagemaker/notebook-instance-lifecycle-config/setup",
        ),
        (Relation.SAME_WORKLOAD, "DefaultCodeRepository", "git/git.example.com/team/nb"),
        (
            Relation.SAME_WORKLOAD,
            "AdditionalCodeRepositories[0]",
            "sagemaker/code-repository/registered",
        ),
        (Relation.RUNS_ON, "InstanceType", "sagemaker/notebook-instance/nb#host"),
    }
    host = found.resources[f"{key}#host"]
    assert (host.type, host.layer, host.implied, host.service) == (
        "sagemaker:host",
        Layer.VM,
        True,
        False,
    )
    assert host.config["InstanceType"] == "ml.t3.medium"
    assert host.config["RootAccess"] == "Enabled"
    assert {edge.dst for edge in found.edges} <= {*found.stubs, *found.resources}
    assert found.coverage == Coverage(
        "aws",
        ACCOUNT,
        REGION,
        "aws.sagemaker.notebook-instance",
        CoverageStatus.COMPLETE,
        "",
        ("sagemaker:notebook-instance", "sagemaker:host"),
    )
    assert meter.calls == 3


def test_domain_and_its_profiles(clients: Clients, aws: Proxy) -> None:
    script = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:studio-lifecycle-config/init"
    settings = {
        "ExecutionRole": ROLE,
        "SecurityGroups": ["sg-1"],
        "SharingSettings": {"S3OutputPath": "s3://models/share"},
        "JupyterLabAppSettings": {
            "LifecycleConfigArns": [script],
            "CustomImages": [{"ImageName": "lab", "AppImageConfigName": "c"}],
            "CodeRepositories": [{"RepositoryUrl": "https://git.example.com/a"}],
        },
        "CanvasAppSettings": {"WorkspaceSettings": {"S3ArtifactPath": "s3://canvas/x"}},
        "CustomFileSystemConfigs": [
            {"EFSFileSystemConfig": {"FileSystemId": "fs-1"}},
            {"FSxLustreFileSystemConfig": {"FileSystemId": "fs-2"}},
            {"S3FileSystemConfig": {"S3Uri": "s3://mounted/"}},
        ],
    }
    domain = {
        "DomainId": "d-1",
        "DomainName": "lab",
        "DomainArn": "arn:aws:sagemaker:r:a:domain/d-1",
    }
    aws.always["ListDomains"] = listing("domain", domain)
    aws.always["ListTags"] = Answer.json({"Tags": []})
    aws.always["DescribeDomain"] = Answer.json(
        {
            **domain,
            "DefaultUserSettings": settings,
            "DefaultSpaceSettings": {"ExecutionRole": f"{ROLE}-space"},
            "DomainSettings": {"SecurityGroupIds": ["sg-2"]},
            "SubnetIds": ["subnet-1"],
            "KmsKeyId": "1-2-3",
            "HomeEfsFileSystemId": "fs-home",
            "AppNetworkAccessType": "PublicInternetOnly",
        }
    )
    found = collect(clients, "domain")
    at = "DefaultUserSettings"
    assert found.links("sagemaker/domain/d-1") == {
        (Relation.USES_IDENTITY, f"{at}.ExecutionRole", ROLE_KEY),
        (Relation.PROTECTED_BY, f"{at}.SecurityGroups[0]", "ec2/security-group/sg-1"),
        (Relation.WRITES_TO, f"{at}.SharingSettings.S3OutputPath", BUCKET_KEY),
        (
            Relation.SAME_WORKLOAD,
            f"{at}.JupyterLabAppSettings.LifecycleConfigArns[0]",
            "sagemaker/studio-lifecycle-config/init",
        ),
        (
            Relation.RUNS_IMAGE,
            f"{at}.JupyterLabAppSettings.CustomImages[0].ImageName",
            "sagemaker/image/lab",
        ),
        (
            Relation.SAME_WORKLOAD,
            f"{at}.JupyterLabAppSettings.CodeRepositories[0].RepositoryUrl",
            "git/git.example.com/a",
        ),
        (
            Relation.WRITES_TO,
            f"{at}.CanvasAppSettings.WorkspaceSettings.S3ArtifactPath",
            f"aws/aws/{ACCOUNT}/-/s3/bucket/canvas",
        ),
        (
            Relation.READS_DATA_FROM,
            f"{at}.CustomFileSystemConfigs[0].EFSFileSystemConfig.FileSystemId",
            "elasticfilesystem/file-system/fs-1",
        ),
        (
            Relation.READS_DATA_FROM,
            f"{at}.CustomFileSystemConfigs[1].FSxLustreFileSystemConfig.FileSystemId",
            "fsx/file-system/fs-2",
        ),
        (
            Relation.READS_DATA_FROM,
            f"{at}.CustomFileSystemConfigs[2].S3FileSystemConfig.S3Uri",
            f"aws/aws/{ACCOUNT}/-/s3/bucket/mounted",
        ),
        (Relation.USES_IDENTITY, "DefaultSpaceSettings.ExecutionRole", f"{ROLE_KEY}-space"),
        (Relation.PROTECTED_BY, "DomainSettings.SecurityGroupIds[0]", "ec2/security-group/sg-2"),
        (Relation.PROTECTED_BY, "SubnetIds[0]", "ec2/subnet/subnet-1"),
        (Relation.ENCRYPTED_WITH, "KmsKeyId", "kms/key/1-2-3"),
        (
            Relation.READS_DATA_FROM,
            "HomeEfsFileSystemId",
            "elasticfilesystem/file-system/fs-home",
        ),
    }
    lab = found.resources[f"{HERE}/sagemaker/domain/d-1"]
    assert (lab.name, lab.service) == ("lab", True)


PROFILES = "aws.sagemaker.domain.user-profile"
DOMAIN = {"DomainId": "d-1", "DomainName": "lab", "DomainArn": "arn:d"}


@pytest.fixture
def lab(aws: Proxy) -> Proxy:
    """One domain with one profile."""
    profile = {"DomainId": "d-1", "UserProfileName": "ann"}
    aws.always["ListDomains"] = listing("domain", DOMAIN)
    aws.always["DescribeDomain"] = Answer.json(DOMAIN)
    aws.always["ListTags"] = Answer.json({"Tags": []})
    aws.always["ListUserProfiles"] = listing("user-profile", profile)
    aws.always["DescribeUserProfile"] = Answer.json(
        {**profile, "UserProfileArn": "arn:p", "UserSettings": {"ExecutionRole": ROLE}}
    )
    return aws


def test_a_domain_stands_on_its_profiles(clients: Clients, lab: Proxy) -> None:
    found = collect(clients, "domain")
    assert found.links("sagemaker/user-profile/d-1/ann") == {
        (Relation.USES_IDENTITY, "UserSettings.ExecutionRole", ROLE_KEY)
    }
    assert found.links("sagemaker/domain/d-1") == {
        (Relation.SAME_WORKLOAD, "UserProfiles", "sagemaker/user-profile/d-1/ann")
    }
    assert found.resources[f"{HERE}/sagemaker/user-profile/d-1/ann"].collector == PROFILES
    profiles = found.parts[0]
    assert [part.collector.rpartition(".")[2] for part in found.parts] == [
        "user-profile",
        "space",
        "app",
    ]
    assert (profiles.collector, profiles.lists) == (PROFILES, ("sagemaker:user-profile",))
    assert found.coverage.lists == ("sagemaker:domain",)


def test_without_a_domain_nobody_asks_for_profiles(clients: Clients, aws: Proxy) -> None:
    found = collect(clients, "domain")
    assert aws.seen == ["GetCallerIdentity", "ListDomains"]
    profiles = found.parts[0]
    assert profiles.status is CoverageStatus.COMPLETE
    assert profiles.lists == ("sagemaker:user-profile",), "none can exist, so none is left"


def test_profiles_that_are_denied_leave_the_domains_complete(clients: Clients, lab: Proxy) -> None:
    lab.always["ListUserProfiles"] = DENIED
    found = collect(clients, "domain")
    profiles = found.parts[0]
    assert (profiles.status, profiles.lists) == (CoverageStatus.DENIED, ())
    assert "needs sagemaker:ListUserProfiles" in profiles.reason
    assert found.coverage.status is CoverageStatus.COMPLETE


def test_domains_that_are_denied_say_nothing_of_profiles(clients: Clients, lab: Proxy) -> None:
    lab.always["ListDomains"] = DENIED
    found = collect(clients, "domain")
    assert found.parts == []
    assert found.coverage.status is CoverageStatus.DENIED


def test_model(clients: Clients, seed: Any, aws: Proxy) -> None:
    seed("sagemaker").create_model(
        ModelName="m",
        ExecutionRoleArn=ROLE,
        Containers=[
            {
                "Image": IMAGE,
                "ModelDataUrl": "s3://models/out/train-7/output/model.tar.gz",
                "Environment": {"MODE": "x"},
                "ImageConfig": {
                    "RepositoryAccessMode": "Vpc",
                    "RepositoryAuthConfig": {
                        "RepositoryCredentialsProviderArn": "arn:aws:lambda:us-east-1:1:function:f"
                    },
                },
            },
            {
                "Image": "vllm/vllm-openai",
                "ModelPackageName": "pkg",
                "ModelDataSource": {
                    "S3DataSource": {
                        "S3Uri": "https://weights.s3.amazonaws.com/llm/",
                        "S3DataType": "S3Prefix",
                        "CompressionType": "None",
                    }
                },
            },
        ],
        VpcConfig={"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
    )
    found = collect(clients, "model")
    assert found.links("sagemaker/model/m") == {
        (Relation.USES_IDENTITY, "ExecutionRoleArn", ROLE_KEY),
        (Relation.RUNS_IMAGE, "Containers[0].Image", IMAGE_KEY),
        (Relation.RUNS_IMAGE, "Containers[1].Image", "image/docker.io/vllm/vllm-openai"),
        (Relation.LOADS_ARTIFACT_FROM, "Containers[0].ModelDataUrl", BUCKET_KEY),
        (
            Relation.LOADS_ARTIFACT_FROM,
            "Containers[1].ModelDataSource.S3DataSource.S3Uri",
            f"aws/aws/{ACCOUNT}/-/s3/bucket/weights",
        ),
        (
            Relation.LOADS_ARTIFACT_FROM,
            "Containers[0].ModelDataUrl",
            f"aws/aws/{ACCOUNT}/-/s3/artifact/models/out/train-7/output/model.tar.gz",
        ),
        (
            Relation.LOADS_ARTIFACT_FROM,
            "Containers[1].ModelDataSource.S3DataSource.S3Uri",
            f"aws/aws/{ACCOUNT}/-/s3/artifact/weights/llm",
        ),
        (Relation.SAME_WORKLOAD, "Containers[1].ModelPackageName", "sagemaker/model-package/pkg"),
        (
            Relation.INVOKES_TOOL,
            "Containers[0].ImageConfig.RepositoryAuthConfig.RepositoryCredentialsProviderArn",
            "aws/aws/1/us-east-1/lambda/function/f",
        ),
        (Relation.PROTECTED_BY, "VpcConfig.Subnets[0]", "ec2/subnet/subnet-1"),
        (Relation.PROTECTED_BY, "VpcConfig.SecurityGroupIds[0]", "ec2/security-group/sg-1"),
    }
    details = {edge.via: edge.detail for edge in found.edges}
    assert details["Containers[0].Image"] == ":v1"
    assert details["Containers[0].ModelDataUrl"] == "out/train-7/output/model.tar.gz"
    (lineage,) = (edge for edge in found.edges if edge.relation is Relation.PRODUCES)
    assert lineage.src == f"{HERE}/sagemaker/training-job/train-7"
    assert lineage.dst == f"{HERE}/sagemaker/model/m"
    assert lineage.certainty is Certainty.INFERRED
    assert not found.resources[f"{HERE}/sagemaker/model/m"].service


def test_endpoint_config(clients: Clients, aws: Proxy) -> None:
    summary = {"EndpointConfigName": "c", "EndpointConfigArn": "arn:c"}
    aws.always["ListEndpointConfigs"] = listing("endpoint-config", summary)
    aws.always["DescribeEndpointConfig"] = Answer.json(
        {
            **summary,
            "CreationTime": 1_760_000_000,
            "KmsKeyId": "k",
            "ProductionVariants": [
                {
                    "VariantName": "gpu",
                    "ModelName": "m",
                    "InstanceType": "ml.g5.xlarge",
                    "InferenceAmiVersion": "al2-ami-sagemaker-inference-gpu-2",
                    "CoreDumpConfig": {"DestinationS3Uri": "s3://dumps/d"},
                },
                {
                    "VariantName": "less",
                    "ModelName": "n",
                    "ServerlessConfig": {"MaxConcurrency": 1},
                },
                {
                    "VariantName": "pools",
                    "InstancePools": [{"InstanceType": "ml.m5.large", "ModelNameOverride": "o"}],
                },
                {"VariantName": "bare", "ModelName": "m"},
            ],
            "ShadowProductionVariants": [
                {"VariantName": "dark", "ModelName": "s", "InstanceType": "ml.m5.large"}
            ],
            "DataCaptureConfig": {"DestinationS3Uri": "s3://capture/x", "KmsKeyId": "k2"},
            "AsyncInferenceConfig": {"OutputConfig": {"S3OutputPath": "s3://async/o"}},
        }
    )
    found = collect(clients, "endpoint-config")
    base = "sagemaker/endpoint-config/c"
    assert found.links(base) == {
        (Relation.SAME_WORKLOAD, "ProductionVariants[0].ModelName", "sagemaker/model/m"),
        (Relation.SAME_WORKLOAD, "ProductionVariants[1].ModelName", "sagemaker/model/n"),
        (
            Relation.SAME_WORKLOAD,
            "ProductionVariants[2].InstancePools[0].ModelNameOverride",
            "sagemaker/model/o",
        ),
        (Relation.SAME_WORKLOAD, "ShadowProductionVariants[0].ModelName", "sagemaker/model/s"),
        (
            Relation.WRITES_TO,
            "ProductionVariants[0].CoreDumpConfig.DestinationS3Uri",
            f"aws/aws/{ACCOUNT}/-/s3/bucket/dumps",
        ),
        (
            Relation.WRITES_TO,
            "DataCaptureConfig.DestinationS3Uri",
            f"aws/aws/{ACCOUNT}/-/s3/bucket/capture",
        ),
        (
            Relation.WRITES_TO,
            "AsyncInferenceConfig.OutputConfig.S3OutputPath",
            f"aws/aws/{ACCOUNT}/-/s3/bucket/async",
        ),
        (Relation.ENCRYPTED_WITH, "KmsKeyId", "kms/key/k"),
        (Relation.ENCRYPTED_WITH, "DataCaptureConfig.KmsKeyId", "kms/key/k2"),
        (Relation.RUNS_ON, "ProductionVariants[0].InstanceType", f"{base}#host/gpu"),
        (Relation.RUNS_ON, "ProductionVariants[2].InstancePools", f"{base}#host/pools"),
        (Relation.RUNS_ON, "ShadowProductionVariants[0].InstanceType", f"{base}#host/dark"),
    }
    host = found.resources[f"{HERE}/{base}#host/gpu"]
    assert host.config == {
        "VariantName": "gpu",
        "InstanceType": "ml.g5.xlarge",
        "InferenceAmiVersion": "al2-ami-sagemaker-inference-gpu-2",
        "KmsKeyId": "k",
    }
    assert found.resources[f"{HERE}/{base}"].incarnation == "2025-10-09T08:53:20Z"


def test_endpoint(clients: Clients, aws: Proxy) -> None:
    summary = {"EndpointName": "e", "EndpointArn": "arn:e", "EndpointStatus": "InService"}
    aws.always["ListEndpoints"] = listing("endpoint", summary)
    aws.always["ListTags"] = Answer.json({"Tags": [{"Key": "team", "Value": "ml"}]})
    digest = f"{IMAGE.partition(':')[0]}@sha256:{'a' * 64}"
    aws.always["DescribeEndpoint"] = Answer.json(
        {
            **summary,
            "EndpointConfigName": "c",
            "ProductionVariants": [
                {
                    "VariantName": "v",
                    "DeployedImages": [{"SpecifiedImage": IMAGE, "ResolvedImage": digest}],
                }
            ],
        }
    )
    found = collect(clients, "endpoint")
    endpoint = found.resources[f"{HERE}/sagemaker/endpoint/e"]
    assert endpoint.facts == {"in_service": True, "public": False, "open_to": []}
    assert endpoint.tags == {"team": "ml"}
    assert endpoint.service
    assert found.links("sagemaker/endpoint/e") == {
        (Relation.SAME_WORKLOAD, "EndpointConfigName", "sagemaker/endpoint-config/c"),
        (
            Relation.RUNS_IMAGE,
            "ProductionVariants[0].DeployedImages[0].ResolvedImage",
            IMAGE_KEY,
        ),
    }
    (runs,) = (edge for edge in found.edges if edge.relation is Relation.RUNS_IMAGE)
    assert runs.detail == f"@sha256:{'a' * 64}"


def test_training_job(clients: Clients, aws: Proxy) -> None:
    summary = {"TrainingJobName": "t", "TrainingJobArn": "arn:t"}
    aws.always["ListTrainingJobs"] = listing("training-job", summary)
    aws.always["ListTags"] = Answer.json({"Tags": []})
    aws.always["DescribeTrainingJob"] = Answer.json(
        {
            **summary,
            "AlgorithmSpecification": {"TrainingImage": IMAGE},
            "RoleArn": ROLE,
            "InputDataConfig": [
                {"DataSource": {"S3DataSource": {"S3Uri": "s3://models/in"}}},
                {
                    "DataSource": {
                        "FileSystemDataSource": {
                            "FileSystemId": "fs-1",
                            "FileSystemType": "FSxLustre",
                            "DirectoryPath": "/data",
                        }
                    }
                },
                {"DataSource": {"FileSystemDataSource": {"FileSystemId": "fs-2"}}},
            ],
            "OutputDataConfig": {"S3OutputPath": "s3://models/out", "KmsKeyId": "k"},
            "CheckpointConfig": {"S3Uri": "s3://checkpoints/x"},
            "ResourceConfig": {
                "VolumeKmsKeyId": "alias/v",
                "InstanceGroups": [
                    {"InstanceGroupName": "a", "InstanceType": "ml.p4d.24xlarge"},
                    {"InstanceGroupName": "b", "InstanceType": "ml.m5.large"},
                ],
            },
            "OutputModelPackageArn": "arn:aws:sagemaker:us-east-1:1:model-package/g/1",
        }
    )
    found = collect(clients, "training-job")
    assert found.links("sagemaker/training-job/t") == {
        (Relation.RUNS_IMAGE, "AlgorithmSpecification.TrainingImage", IMAGE_KEY),
        (Relation.USES_IDENTITY, "RoleArn", ROLE_KEY),
        (Relation.READS_DATA_FROM, "InputDataConfig[0].DataSource.S3DataSource.S3Uri", BUCKET_KEY),
        (
            Relation.READS_DATA_FROM,
            "InputDataConfig[1].DataSource.FileSystemDataSource.FileSystemId",
            "fsx/file-system/fs-1",
        ),
        (Relation.WRITES_TO, "OutputDataConfig.S3OutputPath", BUCKET_KEY),
        (
            Relation.WRITES_TO,
            "CheckpointConfig.S3Uri",
            f"aws/aws/{ACCOUNT}/-/s3/bucket/checkpoints",
        ),
        (Relation.ENCRYPTED_WITH, "OutputDataConfig.KmsKeyId", "kms/key/k"),
        (Relation.ENCRYPTED_WITH, "ResourceConfig.VolumeKmsKeyId", "kms/alias/v"),
        (
            Relation.PRODUCES,
            "OutputModelPackageArn",
            "aws/aws/1/us-east-1/sagemaker/model-package/g/1",
        ),
        (
            Relation.RUNS_ON,
            "ResourceConfig.InstanceGroups[0].InstanceType",
            "sagemaker/training-job/t#host/a",
        ),
        (
            Relation.RUNS_ON,
            "ResourceConfig.InstanceGroups[1].InstanceType",
            "sagemaker/training-job/t#host/b",
        ),
    }
    assert found.resources[f"{HERE}/sagemaker/training-job/t#host/b"].config == {
        "InstanceType": "ml.m5.large",
        "VolumeKmsKeyId": "alias/v",
    }


# ------------------------------------------------------------------------------ history and limits


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


# -------------------------------------------------------------------------------------- it breaks


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
