"""Q Business: what answers a company's questions, from which documents, with which tools."""

from __future__ import annotations

from collectors.aws.arns import bucket, function, kms_key, named, role
from collectors.aws.kinds import Child, Kind, Tags
from collectors.aws.references import SECRET, vpc
from collectors.references import Reference
from undercroft.relations import Relation

__all__ = ["APPLICATION", "documents"]

_ROLE = Relation.USES_IDENTITY
_READS = Relation.READS_DATA_FROM
_CALLS = Relation.INVOKES_TOOL
_KENDRA = named("kendra", "index", "kendra:index")
_IN_APPLICATION = {"applicationId": "applicationId"}


def documents(at: str) -> tuple[Reference, ...]:
    """What the document at ``at`` names that tells a connector where to read.

    The API takes any JSON there; these are the fields of the connectors' published templates.
    """
    return (
        Reference(
            f"{at}.connectionConfiguration.repositoryEndpointMetadata.BucketName", bucket, _READS
        ),
        Reference(f"{at}.secretArn", SECRET, _ROLE),
        Reference(
            f"{at}.connectionConfiguration.repositoryEndpointMetadata.secretArn", SECRET, _ROLE
        ),
    )


def _hook(name: str) -> tuple[Reference, ...]:
    at = f"documentEnrichmentConfiguration.{name}"
    return (
        Reference(f"{at}.lambdaArn", function, _CALLS),
        Reference(f"{at}.s3BucketName", bucket, Relation.WRITES_TO),
        Reference(f"{at}.roleArn", role, _ROLE),
    )


_SOURCE = Kind(
    family="qbusiness",
    name="data-source",
    type="qbusiness:data-source",
    segment="data-source",
    client="qbusiness",
    prefix="qbusiness",
    list_operation="list_data_sources",
    list_key="dataSources",
    describe_operation="get_data_source",
    identifiers=("applicationId", "indexId", "dataSourceId"),
    arn="dataSourceArn",
    title="displayName",
    created="createdAt",
    references=(
        Reference("roleArn", role, _ROLE),
        *documents("configuration"),
        *_hook("preExtractionHookConfiguration"),
        *_hook("postExtractionHookConfiguration"),
        *vpc("vpcConfiguration", "subnetIds", "securityGroupIds"),
    ),
)

_INDEX = Kind(
    family="qbusiness",
    name="index",
    type="qbusiness:index",
    segment="index",
    client="qbusiness",
    prefix="qbusiness",
    list_operation="list_indices",
    list_key="indices",
    # The list says all that matters of the index itself.
    describe_operation="",
    identifiers=("applicationId", "indexId"),
    arn="",
    title="displayName",
    created="createdAt",
    children=(Child(_SOURCE, {**_IN_APPLICATION, "indexId": "indexId"}, _READS, "DataSources"),),
)

_RETRIEVER = Kind(
    family="qbusiness",
    name="retriever",
    type="qbusiness:retriever",
    segment="retriever",
    client="qbusiness",
    prefix="qbusiness",
    list_operation="list_retrievers",
    list_key="retrievers",
    describe_operation="get_retriever",
    identifiers=("applicationId", "retrieverId"),
    arn="retrieverArn",
    title="displayName",
    created="createdAt",
    references=(
        Reference("roleArn", role, _ROLE),
        Reference("configuration.kendraIndexConfiguration.indexId", _KENDRA, _READS),
    ),
)

_PLUGIN = Kind(
    family="qbusiness",
    name="plugin",
    type="qbusiness:plugin",
    segment="plugin",
    client="qbusiness",
    prefix="qbusiness",
    list_operation="list_plugins",
    list_key="plugins",
    describe_operation="get_plugin",
    identifiers=("applicationId", "pluginId"),
    arn="pluginArn",
    title="displayName",
    created="createdAt",
    references=(
        Reference("authConfiguration.*Configuration.roleArn", role, _ROLE),
        Reference("authConfiguration.*Configuration.secretArn", SECRET, _ROLE),
        Reference("customPluginConfiguration.apiSchema.s3.bucket", bucket, Relation.SAME_WORKLOAD),
    ),
)

_EXPERIENCE = Kind(
    family="qbusiness",
    name="web-experience",
    type="qbusiness:web-experience",
    segment="web-experience",
    client="qbusiness",
    prefix="qbusiness",
    list_operation="list_web_experiences",
    list_key="webExperiences",
    describe_operation="get_web_experience",
    identifiers=("applicationId", "webExperienceId"),
    arn="webExperienceArn",
    title="title",
    created="createdAt",
    references=(
        Reference("roleArn", role, _ROLE),
        Reference(
            "identityProviderConfiguration.openIDConnectConfiguration.secretsArn", SECRET, _ROLE
        ),
        Reference(
            "identityProviderConfiguration.openIDConnectConfiguration.secretsRole", role, _ROLE
        ),
    ),
)

APPLICATION = Kind(
    family="qbusiness",
    name="application",
    type="qbusiness:application",
    segment="application",
    client="qbusiness",
    prefix="qbusiness",
    list_operation="list_applications",
    list_key="applications",
    describe_operation="get_application",
    identifiers=("applicationId",),
    arn="applicationArn",
    title="displayName",
    created="createdAt",
    service=True,
    tags=Tags("list_tags_for_resource", "resourceARN", "tags"),
    children=(
        Child(_INDEX, _IN_APPLICATION, _READS, "Indices"),
        Child(_RETRIEVER, _IN_APPLICATION, _READS, "Retrievers"),
        Child(_PLUGIN, _IN_APPLICATION, _CALLS, "Plugins"),
        Child(_EXPERIENCE, _IN_APPLICATION, Relation.SAME_WORKLOAD, "WebExperiences"),
    ),
    references=(
        Reference("roleArn", role, _ROLE),
        Reference("encryptionConfiguration.kmsKeyId", kms_key, Relation.ENCRYPTED_WITH),
    ),
)
