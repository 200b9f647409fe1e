"""The SageMaker types that are read: how each is listed, described, named and linked, as data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from collectors.aws import hosts, references
from collectors.aws.arns import Place, file_system, sagemaker
from collectors.aws.artifacts import artifacts
from collectors.aws.kinds import Kind, Read, Tags
from collectors.values import find
from undercroft.model import Certainty, Edge, Layer, Resource
from undercroft.relations import Relation

__all__ = ["KINDS", "mounts"]


# …/<job name>/output/model.tar.gz is where a training job leaves its model unless told otherwise.
_JOB_OUTPUT = re.compile(r"/(?P<job>[A-Za-z0-9][A-Za-z0-9-]{0,62})/output/model\.tar\.gz$")
_JOB = sagemaker("training-job", "sagemaker:training-job")
_DOMAIN = sagemaker("domain", "sagemaker:domain")


def _made_of(place: Place, model: Resource) -> Iterator[Resource | Edge]:
    """What a model is loaded from, and the training job that its path gives away."""
    yield from artifacts(place, model)
    for path in ("PrimaryContainer.ModelDataUrl", "Containers[].ModelDataUrl"):
        for _, url in find(model.config, path):
            made = _JOB_OUTPUT.search(url) if isinstance(url, str) else None
            job = _JOB(place, made["job"]) if made else None
            if job is not None:
                yield job.stub
                yield Edge(
                    job.stub.key,
                    model.key,
                    Relation.PRODUCES,
                    "ModelArtifacts.S3ModelArtifacts",
                    Certainty.INFERRED,
                )


def _in_domain(place: Place, profile: Resource) -> Iterator[Resource | Edge]:
    """A domain stands on its profiles: what a profile's role may do, the domain's users may do."""
    domain_id = profile.config.get("DomainId")
    domain = _DOMAIN(place, domain_id) if isinstance(domain_id, str) and domain_id else None
    if domain is not None:
        yield domain.stub
        yield Edge(domain.stub.key, profile.key, Relation.SAME_WORKLOAD, "UserProfiles")
    yield from references.pinned_images(place, profile)


_FILE_SYSTEMS = {"EFS": file_system("efs"), "FSxLustre": file_system("fsx")}


def mounts(
    place: Place, job: Resource, inputs: str = "InputDataConfig[]"
) -> Iterator[Resource | Edge]:
    """File systems of a training job: the id alone does not say which kind."""
    for at, source in find(job.config, f"{inputs}.DataSource.FileSystemDataSource"):
        if not isinstance(source, Mapping):
            continue
        referent = _FILE_SYSTEMS.get(str(source.get("FileSystemType")))
        identifier = source.get("FileSystemId")
        target = referent(place, identifier) if referent and isinstance(identifier, str) else None
        if target is not None:
            yield target.stub
            yield Edge(
                job.key,
                target.stub.key,
                Relation.READS_DATA_FROM,
                f"{at}.FileSystemId",
                Certainty.STATED,
                str(source.get("DirectoryPath") or ""),
            )


_TAGS = Tags("list_tags", "ResourceArn", "Tags")

_TRAINING_JOB = Kind(
    name="training-job",
    type="sagemaker:training-job",
    segment="training-job",
    list_operation="list_training_jobs",
    list_key="TrainingJobSummaries",
    describe_operation="describe_training_job",
    identifiers=("TrainingJobName",),
    arn="TrainingJobArn",
    title="TrainingJobName",
    service=True,
    tags=_TAGS,
    history="CreationTimeAfter",
    references=references.TRAINING_JOB,
    hosts=hosts.training_hosts,
    more=mounts,
)

KINDS: tuple[Kind, ...] = (
    Kind(
        name="notebook-instance",
        type="sagemaker:notebook-instance",
        segment="notebook-instance",
        list_operation="list_notebook_instances",
        list_key="NotebookInstances",
        describe_operation="describe_notebook_instance",
        identifiers=("NotebookInstanceName",),
        arn="NotebookInstanceArn",
        title="NotebookInstanceName",
        service=True,
        tags=_TAGS,
        references=references.NOTEBOOK_INSTANCE,
        hosts=hosts.notebook_host,
    ),
    Kind(
        name="notebook-lifecycle-config",
        type="sagemaker:lifecycle-config",
        segment="notebook-instance-lifecycle-config",
        list_operation="",
        list_key="",
        describe_operation="describe_notebook_instance_lifecycle_config",
        identifiers=("NotebookInstanceLifecycleConfigName",),
        arn="NotebookInstanceLifecycleConfigArn",
        title="NotebookInstanceLifecycleConfigName",
        layer=Layer.VM,
    ),
    Kind(
        name="studio-lifecycle-config",
        type="sagemaker:lifecycle-config",
        segment="studio-lifecycle-config",
        list_operation="",
        list_key="",
        describe_operation="describe_studio_lifecycle_config",
        identifiers=("StudioLifecycleConfigName",),
        arn="StudioLifecycleConfigArn",
        title="StudioLifecycleConfigName",
        layer=Layer.VM,
    ),
    Kind(
        name="domain",
        type="sagemaker:domain",
        segment="domain",
        list_operation="list_domains",
        list_key="Domains",
        describe_operation="describe_domain",
        identifiers=("DomainId",),
        arn="DomainArn",
        title="DomainName",
        service=True,
        tags=_TAGS,
        references=references.DOMAIN,
        more=references.pinned_images,
    ),
    Kind(
        name="user-profile",
        type="sagemaker:user-profile",
        segment="user-profile",
        list_operation="list_user_profiles",
        list_key="UserProfiles",
        describe_operation="describe_user_profile",
        identifiers=("DomainId", "UserProfileName"),
        arn="UserProfileArn",
        title="UserProfileName",
        references=references.USER_PROFILE,
        more=_in_domain,
        within="domain",
    ),
    Kind(
        name="model",
        type="sagemaker:model",
        segment="model",
        list_operation="list_models",
        list_key="Models",
        describe_operation="describe_model",
        identifiers=("ModelName",),
        arn="ModelArn",
        title="ModelName",
        references=references.MODEL,
        more=_made_of,
    ),
    Kind(
        name="endpoint-config",
        type="sagemaker:endpoint-config",
        segment="endpoint-config",
        list_operation="list_endpoint_configs",
        list_key="EndpointConfigs",
        describe_operation="describe_endpoint_config",
        identifiers=("EndpointConfigName",),
        arn="EndpointConfigArn",
        title="EndpointConfigName",
        references=references.ENDPOINT_CONFIG,
        hosts=hosts.variant_hosts,
    ),
    Kind(
        name="endpoint",
        type="sagemaker:endpoint",
        segment="endpoint",
        list_operation="list_endpoints",
        list_key="Endpoints",
        describe_operation="describe_endpoint",
        identifiers=("EndpointName",),
        arn="EndpointArn",
        title="EndpointName",
        service=True,
        tags=_TAGS,
        references=references.ENDPOINT,
        reads=(
            Read(
                "ResourcePolicy",
                "get_endpoint_policy",
                {"EndpointName": "EndpointName"},
                pick="ResourcePolicy",
                answers=frozenset({"ValidationException"}),
                grants=("sagemaker:InvokeEndpoint",),
            ),
            Read(
                "MonitoringSchedules",
                "list_monitoring_schedules",
                {"EndpointName": "EndpointName"},
                pick="MonitoringScheduleSummaries",
                listed=True,
                shared=True,
            ),
        ),
    ),
    _TRAINING_JOB,
)
