"""SageMaker's types against moto over HTTP: what each is described and linked by."""

from __future__ import annotations

from typing import Any

import pytest

from collectors.aws.session import Clients
from tests.collectors.aws.conftest import ACCOUNT, REGION, Answer, Proxy
from tests.collectors.aws.sagemaker_kit import (
    BUCKET_KEY,
    DENIED,
    HERE,
    IMAGE,
    IMAGE_KEY,
    ROLE,
    ROLE_KEY,
    collect,
    listing,
)
from undercroft.model import Certainty, Coverage, CoverageStatus, Layer
from undercroft.protocols import Meter
from undercroft.relations import Relation


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
