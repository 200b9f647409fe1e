"""What moto forgets is put back as AWS would answer it."""

from __future__ import annotations

from typing import Any, cast

import boto3
import pytest

from tests.cloud.server import AwsServer

ROLE = "arn:aws:iam::123456789012:role/r"


@pytest.fixture
def sagemaker(aws_server: AwsServer) -> Any:
    return cast("Any", boto3.client)("sagemaker")


def test_notebooks_keep_their_fields_and_get_defaults(sagemaker: Any) -> None:
    sagemaker.create_notebook_instance(
        NotebookInstanceName="n", InstanceType="ml.g6.xlarge", RoleArn=ROLE
    )
    notebook = sagemaker.describe_notebook_instance(NotebookInstanceName="n")
    assert notebook["InstanceType"] == "ml.g6.xlarge"
    assert notebook["RootAccess"] == notebook["DirectInternetAccess"] == "Enabled"
    assert notebook["PlatformIdentifier"] == "notebook-al2023-v1"
    sagemaker.update_notebook_instance(NotebookInstanceName="n", RootAccess="Disabled")
    notebook = sagemaker.describe_notebook_instance(NotebookInstanceName="n")
    assert notebook["RootAccess"] == "Disabled"


def test_endpoints_say_which_images_they_run(sagemaker: Any) -> None:
    digest = "sha256:" + "a" * 64
    container = {"Image": f"vllm/vllm-openai@{digest}", "ModelDataUrl": "s3://b/m.tar.gz"}
    sagemaker.create_model(ModelName="m", PrimaryContainer=container, ExecutionRoleArn=ROLE)
    model = sagemaker.describe_model(ModelName="m")
    assert "VpcConfig" not in model
    assert "Containers" not in model
    variant = {
        "VariantName": "v",
        "ModelName": "m",
        "InstanceType": "ml.g5.2xlarge",
        "InferenceAmiVersion": "al2-ami-sagemaker-inference-gpu-2",
        "InitialInstanceCount": 1,
    }
    sagemaker.create_endpoint_config(
        EndpointConfigName="c", ProductionVariants=[variant], KmsKeyId="key"
    )
    config = sagemaker.describe_endpoint_config(EndpointConfigName="c")
    assert config["ProductionVariants"] == [variant]
    assert config["KmsKeyId"] == "key"
    sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="c")
    (running,) = sagemaker.describe_endpoint(EndpointName="e")["ProductionVariants"]
    (image,) = running["DeployedImages"]
    assert image["ResolvedImage"] == f"vllm/vllm-openai@{digest}"


def test_user_profiles_and_lifecycle_configurations_are_listed_in_pages(sagemaker: Any) -> None:
    domain = sagemaker.create_domain(
        DomainName="d", AuthMode="IAM", DefaultUserSettings={"ExecutionRole": ROLE}
    )["DomainArn"].rpartition("/")[2]
    for number in range(5):
        sagemaker.create_user_profile(DomainId=domain, UserProfileName=f"u{number}")
        sagemaker.create_notebook_instance_lifecycle_config(
            NotebookInstanceLifecycleConfigName=f"s{number}"
        )
    pages = sagemaker.get_paginator("list_user_profiles").paginate(
        PaginationConfig={"PageSize": 2}, DomainIdEquals=domain
    )
    names = [profile["UserProfileName"] for page in pages for profile in page["UserProfiles"]]
    assert names == ["u0", "u1", "u2", "u3", "u4"]
    listed = sagemaker.list_notebook_instance_lifecycle_configs()
    assert len(listed["NotebookInstanceLifecycleConfigs"]) == 5
    profile = sagemaker.describe_user_profile(DomainId=domain, UserProfileName="u0")
    assert profile["Status"] == "InService"
    with pytest.raises(sagemaker.exceptions.ClientError, match="not found"):
        sagemaker.describe_user_profile(DomainId=domain, UserProfileName="none")


def test_reset_empties_everything(sagemaker: Any, aws_server: AwsServer) -> None:
    sagemaker.create_notebook_instance_lifecycle_config(NotebookInstanceLifecycleConfigName="s")
    aws_server.reset()
    assert not sagemaker.list_notebook_instance_lifecycle_configs()[
        "NotebookInstanceLifecycleConfigs"
    ]


def test_managed_policies_are_there(aws_server: AwsServer) -> None:
    iam = cast("Any", boto3.client)("iam")
    arn = "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"
    assert iam.get_policy(PolicyArn=arn)["Policy"]["PolicyName"] == "AmazonSageMakerFullAccess"
