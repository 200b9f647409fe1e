"""Studio's spaces and apps, and the images and code repositories that they are made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from collectors.aws.arns import Place, bucket, file_system, image, role, sagemaker
from collectors.aws.hosts import Host, only
from collectors.aws.kinds import Kind, Read
from collectors.aws.references import SECRET, pinned_images, resource_spec, studio_apps
from collectors.references import Reference
from undercroft.model import Certainty, Edge, Json, Layer, Resource
from undercroft.relations import Relation

__all__ = ["KINDS"]

_ROLE = Relation.USES_IDENTITY
_READS = Relation.READS_DATA_FROM
_IMAGE = Relation.RUNS_IMAGE
_SAME = Relation.SAME_WORKLOAD

_DOMAIN = sagemaker("domain", "sagemaker:domain")
_PROFILE = sagemaker("user-profile", "sagemaker:user-profile")
_SPACE_OF = sagemaker("space", "sagemaker:space")
_FSX = file_system("fsx")
_SPACE = "SpaceSettings"


def _app_host(config: Mapping[str, Json]) -> Iterator[Host]:
    spec = config.get("ResourceSpec")
    if isinstance(spec, Mapping) and spec.get("InstanceType"):
        said = only(spec, ("InstanceType", "SageMakerImageVersionArn"))
        # It has what was new when it was started.
        yield Host("", "ResourceSpec.InstanceType", {**said, **only(config, ("CreationTime",))})


def _of_domain(place: Place, part: Resource) -> Iterator[Resource | Edge]:
    """A domain stands on its spaces and apps: who works in them works in the domain."""
    identifier = part.config.get("DomainId")
    target = _DOMAIN(place, identifier) if isinstance(identifier, str) and identifier else None
    if target is not None:
        yield target.stub
        yield Edge(target.stub.key, part.key, _SAME, "DomainId", Certainty.STATED)


def _runs_for(place: Place, app: Resource) -> Iterator[Resource | Edge]:
    """An app runs in a space, or as a user: with their role, their scripts and their files."""
    yield from _of_domain(place, app)
    domain = app.config.get("DomainId")
    for field, target in (("SpaceName", _SPACE_OF), ("UserProfileName", _PROFILE)):
        name = app.config.get(field)
        if isinstance(name, str) and name and isinstance(domain, str):
            found = target(place, f"{domain}/{name}")
            if found is not None:
                yield found.stub
                yield Edge(app.key, found.stub.key, _SAME, field, Certainty.STATED)


def _is_private(space: Resource) -> bool:
    sharing = space.config.get("SpaceSharingSettings")
    return isinstance(sharing, Mapping) and sharing.get("SharingType") == "Private"


def _works_as(place: Place, space: Resource) -> Iterator[Resource | Edge]:
    """A private space has the role of its owner; a shared one that of the domain's spaces."""
    yield from _of_domain(place, space)
    yield from pinned_images(place, space)
    domain, owner = space.config.get("DomainId"), space.config.get("OwnershipSettings")
    name = owner.get("OwnerUserProfileName") if isinstance(owner, Mapping) else None
    if not _is_private(space) or not isinstance(name, str) or not isinstance(domain, str):
        return
    found = _PROFILE(place, f"{domain}/{name}")
    if found is not None:
        yield found.stub
        via = "OwnershipSettings.OwnerUserProfileName"
        yield Edge(space.key, found.stub.key, _SAME, via, Certainty.STATED)


KINDS: tuple[Kind, ...] = (
    Kind(
        name="image",
        type="sagemaker:image",
        segment="image",
        layer=Layer.CONTAINER,
        list_operation="",
        list_key="",
        describe_operation="describe_image",
        identifiers=("ImageName",),
        arn="ImageArn",
        title="ImageName",
        reads=(
            Read(
                "LatestVersion",
                "describe_image_version",
                {"ImageName": "ImageName"},
                answers=frozenset({"ResourceNotFound"}),
            ),
        ),
        references=(
            Reference("RoleArn", role, _ROLE),
            Reference("LatestVersion.ContainerImage", image, _IMAGE),
        ),
    ),
    Kind(
        name="image-version",
        type="sagemaker:image-version",
        segment="image-version",
        layer=Layer.CONTAINER,
        list_operation="",
        list_key="",
        describe_operation="describe_image_version",
        identifiers=("ImageName", "Version"),
        numbers=("Version",),
        arn="ImageVersionArn",
        title="",
        references=(Reference("ContainerImage", image, _IMAGE),),
    ),
    Kind(
        name="code-repository",
        type="sagemaker:code-repository",
        segment="code-repository",
        list_operation="",
        list_key="",
        describe_operation="describe_code_repository",
        identifiers=("CodeRepositoryName",),
        arn="CodeRepositoryArn",
        title="CodeRepositoryName",
        references=(Reference("GitConfig.SecretArn", SECRET, _ROLE),),
    ),
    Kind(
        name="space",
        type="sagemaker:space",
        segment="space",
        within="domain",
        list_operation="list_spaces",
        list_key="Spaces",
        describe_operation="describe_space",
        identifiers=("DomainId", "SpaceName"),
        arn="SpaceArn",
        title="SpaceName",
        more=_works_as,
        references=(
            *studio_apps(_SPACE),
            Reference(
                f"{_SPACE}.CustomFileSystems[].EFSFileSystem.FileSystemId",
                file_system("efs"),
                _READS,
            ),
            Reference(
                f"{_SPACE}.CustomFileSystems[].FSxLustreFileSystem.FileSystemId", _FSX, _READS
            ),
            Reference(f"{_SPACE}.CustomFileSystems[].S3FileSystem.S3Uri", bucket, _READS),
        ),
    ),
    Kind(
        name="app",
        type="sagemaker:app",
        segment="app",
        within="domain",
        list_operation="list_apps",
        list_key="Apps",
        gone=("Deleted", "Failed"),
        # The list says all that matters, and a description would need to know whose app it is.
        describe_operation="",
        identifiers=("DomainId", "AppType", "AppName"),
        arn="",
        title="AppName",
        hosts=_app_host,
        more=_runs_for,
        references=resource_spec("ResourceSpec"),
    ),
)
