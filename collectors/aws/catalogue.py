"""Every table of kinds in one place, for the collectors and for the tests that walk them."""

from __future__ import annotations

from collectors.aws import (
    agentcore_kinds,
    agentcore_shared_kinds,
    bedrock_kinds,
    comprehend_kinds,
    managed_kinds,
    sagemaker_asset_kinds,
    sagemaker_cluster_kinds,
    sagemaker_job_kinds,
    sagemaker_kinds,
    sagemaker_registry_kinds,
    sagemaker_studio_kinds,
    search_kinds,
    store_kinds,
)
from collectors.aws.account_kinds import ACCOUNT, ACCOUNT_REGION, BEDROCK_SETTINGS
from collectors.aws.agentcore_shared_kinds import INSTANCE_PROFILE
from collectors.aws.bedrock_flow_kinds import PROMPT_VERSION
from collectors.aws.bedrock_served_kinds import GUARDRAIL_VERSION
from collectors.aws.kinds import Kind
from collectors.aws.secret_kinds import SECRET

__all__ = ["EVERY", "LAST", "LISTED", "NAMED", "REGIONS", "SETTINGS"]

LISTED: tuple[Kind, ...] = (
    *sagemaker_kinds.KINDS,
    *sagemaker_job_kinds.KINDS,
    *sagemaker_asset_kinds.KINDS,
    *sagemaker_cluster_kinds.KINDS,
    *sagemaker_registry_kinds.KINDS,
    *sagemaker_studio_kinds.KINDS,
    *bedrock_kinds.KINDS,
    *agentcore_kinds.KINDS,
    *agentcore_shared_kinds.KINDS,
    *search_kinds.KINDS,
    *comprehend_kinds.KINDS,
    *managed_kinds.KINDS,
)
"""Kinds that are listed in every region."""

SETTINGS: tuple[Kind, ...] = (BEDROCK_SETTINGS, managed_kinds.FRAUD_SETTINGS)
"""What is set once in a region for all of a service, read as soon as there is one of it."""

NAMED: tuple[Kind, ...] = (
    GUARDRAIL_VERSION,
    PROMPT_VERSION,
    INSTANCE_PROFILE,
    SECRET,
    *store_kinds.KINDS,
)
"""Kinds that are only read where something names one."""

REGIONS: tuple[Kind, ...] = (ACCOUNT_REGION,)
"""What is read of regions, together with the buckets that only a region's name gives away."""

LAST: tuple[Kind, ...] = (ACCOUNT,)
"""Kinds that only other named kinds name."""

EVERY: tuple[Kind, ...] = (
    *LISTED,
    *SETTINGS,
    *NAMED,
    *REGIONS,
    *LAST,
    *(child.kind for kind in (*LISTED, *NAMED) for child in kind.children),
    *(inner.kind for kind in LISTED for child in kind.children for inner in child.kind.children),
)
