"""Kendra and Q Business: what answers from documents, and what they are read from."""

from __future__ import annotations

from collectors.aws.arns import bucket, file_system, function, kms_key, role
from collectors.aws.kinds import Child, Kind, Tags
from collectors.aws.q_kinds import APPLICATION, documents
from collectors.aws.references import SECRET, vpc
from collectors.references import Reference
from undercroft.model import Layer
from undercroft.relations import Relation

__all__ = ["KINDS"]

_ROLE = Relation.USES_IDENTITY
_KEY = Relation.ENCRYPTED_WITH
_READS = Relation.READS_DATA_FROM

_ENRICHMENT = "CustomDocumentEnrichmentConfiguration"

_KENDRA_SOURCE = Kind(
    family="kendra",
    name="data-source",
    type="kendra:data-source",
    segment="data-source",
    client="kendra",
    prefix="kendra",
    layer=Layer.SERVICE,
    list_operation="list_data_sources",
    list_key="SummaryItems",
    describe_operation="describe_data_source",
    identifiers=("IndexId", "Id"),
    arn="",
    title="Name",
    created="CreatedAt",
    references=(
        Reference("RoleArn", role, _ROLE),
        Reference("Configuration.S3Configuration.BucketName", bucket, _READS),
        Reference("Configuration.*Configuration.SecretArn", SECRET, _ROLE),
        Reference(
            "Configuration.DatabaseConfiguration.ConnectionConfiguration.SecretArn", SECRET, _ROLE
        ),
        *vpc("Configuration.*Configuration.VpcConfiguration", "SubnetIds"),
        Reference(f"{_ENRICHMENT}.RoleArn", role, _ROLE),
        Reference(f"{_ENRICHMENT}.*HookConfiguration.LambdaArn", function, Relation.INVOKES_TOOL),
        Reference(f"{_ENRICHMENT}.*HookConfiguration.S3Bucket", bucket, Relation.WRITES_TO),
        Reference("Configuration.FsxConfiguration.FileSystemId", file_system("fsx"), _READS),
        *documents("Configuration.TemplateConfiguration.Template"),
        *vpc("VpcConfiguration", "SubnetIds"),
    ),
)


KINDS: tuple[Kind, ...] = (
    Kind(
        family="kendra",
        name="index",
        type="kendra:index",
        segment="index",
        client="kendra",
        prefix="kendra",
        list_operation="list_indices",
        list_key="IndexConfigurationSummaryItems",
        describe_operation="describe_index",
        identifiers=("Id",),
        arn="",
        title="Name",
        created="CreatedAt",
        service=True,
        tags=Tags("list_tags_for_resource", "ResourceARN", "Tags"),
        children=(Child(_KENDRA_SOURCE, {"IndexId": "Id"}, _READS, "DataSources"),),
        references=(
            Reference("RoleArn", role, _ROLE),
            Reference("ServerSideEncryptionConfiguration.KmsKeyId", kms_key, _KEY),
        ),
    ),
    APPLICATION,
)
