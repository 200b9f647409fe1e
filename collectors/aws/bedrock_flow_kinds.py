"""Flows and prompts of Bedrock: drafts, and the versions of them that are in use."""

from __future__ import annotations

from collections.abc import Mapping

from collectors.aws.arns import (
    Arn,
    Place,
    agent,
    bucket,
    function,
    kms_key,
    model,
    named,
    role,
)
from collectors.aws.bedrock_served_kinds import DRAFT, guardrails_used, version_stub
from collectors.aws.kinds import Child, Kind, Tags
from collectors.aws.values import mappings
from collectors.references import Reference, Target
from undercroft.model import Json
from undercroft.relations import Relation

__all__ = ["KINDS", "PROMPT_VERSION"]

_CALLS = Relation.INVOKES_TOOL
_LOADS = Relation.LOADS_ARTIFACT_FROM
_READS = Relation.READS_DATA_FROM
_SAME = Relation.SAME_WORKLOAD
_KEY = Relation.ENCRYPTED_WITH

_TAGS = Tags("list_tags_for_resource", "resourceArn", "tags")
_BASE = named("bedrock", "knowledge-base", "bedrock:knowledge-base")
_PROMPT = named("bedrock", "prompt", "bedrock:prompt", colon=True)
_BOT = named("lex", "bot", "lex:bot")


def _prompt(place: Place, text: str) -> Target | None:
    """A prompt, or the version of it that an ARN ends with."""
    target = _PROMPT(place, text)
    if target is None or target.detail in ("", DRAFT):
        return target
    return Target(version_stub(place, target.stub, "prompt", target.detail))


def _bot(place: Place, text: str) -> Target | None:
    """A bot of Lex, by the ARN of one of its aliases: ``…:bot-alias/<bot>/<alias>``."""
    arn = Arn.parse(text)
    if arn is None or arn.service != "lex" or not arn.resource.startswith("bot-alias/"):
        return None
    bot, _, alias = arn.name.partition("/")
    found = _BOT(place, f"arn:{arn.partition}:lex:{arn.region}:{arn.account}:bot/{bot}")
    return Target(found.stub, alias) if found else None


_RERANKING = "rerankingConfiguration.bedrockRerankingConfiguration"
_OF_STEPS = (
    ("lambdaFunction.lambdaArn", function, _CALLS),
    ("knowledgeBase.knowledgeBaseId", _BASE, _READS),
    ("knowledgeBase.modelId", model, _LOADS),
    (f"knowledgeBase.{_RERANKING}.modelConfiguration.modelArn", model, _LOADS),
    ("agent.agentAliasArn", agent, _CALLS),
    ("lex.botAliasArn", _bot, _CALLS),
    ("prompt.sourceConfiguration.resource.promptArn", _prompt, _SAME),
    ("prompt.sourceConfiguration.inline.modelId", model, _LOADS),
    ("storage.serviceConfiguration.s3.bucketName", bucket, Relation.WRITES_TO),
    ("retrieval.serviceConfiguration.s3.bucketName", bucket, _READS),
)
_STEP = "definition.nodes[].configuration"

_FLOW: tuple[Reference, ...] = (
    Reference("executionRoleArn", role, Relation.USES_IDENTITY),
    Reference("customerEncryptionKeyArn", kms_key, _KEY),
    *(
        Reference(f"{at}.{path}", to, relation)
        # A loop has steps of its own, but no further loops.
        for at in (_STEP, f"{_STEP}.loop.{_STEP}")
        for path, to, relation in _OF_STEPS
    ),
)

_WITHIN: tuple[Reference, ...] = (
    Reference("customerEncryptionKeyArn", kms_key, _KEY),
    Reference("variants[].modelId", model, _LOADS),
    Reference("variants[].genAiResource.agent.agentIdentifier", agent, _CALLS),
)


def _is_served(item: Mapping[str, Json]) -> bool:
    routes = list(mappings(item.get("routingConfiguration")))
    return bool(routes) and routes[0].get("flowVersion") not in (None, "", DRAFT)


_ALIAS = Kind(
    family="bedrock",
    name="flow-alias",
    type="bedrock:flow-alias",
    segment="flow-alias",
    client="bedrock-agent",
    prefix="bedrock",
    list_operation="list_flow_aliases",
    list_key="flowAliasSummaries",
    keep=_is_served,
    # What is described is the version that it leads to.
    describe_operation="get_flow_version",
    identifiers=("flowId", "id"),
    arguments={"flowIdentifier": "flowId", "flowVersion": "routingConfiguration.flowVersion"},
    arn="",
    title="name",
    created="",
    more=guardrails_used,
    references=_FLOW,
)

KINDS: tuple[Kind, ...] = (
    Kind(
        family="bedrock",
        name="flow",
        type="bedrock:flow",
        segment="flow",
        client="bedrock-agent",
        prefix="bedrock",
        list_operation="list_flows",
        list_key="flowSummaries",
        describe_operation="get_flow",
        identifiers=("id",),
        arguments={"flowIdentifier": "id"},
        arn="arn",
        title="name",
        created="createdAt",
        service=True,
        settings="bedrock",
        more=guardrails_used,
        tags=_TAGS,
        children=(Child(_ALIAS, {"flowIdentifier": "id"}, _SAME, "Aliases"),),
        references=_FLOW,
    ),
    Kind(
        family="bedrock",
        name="prompt",
        type="bedrock:prompt",
        segment="prompt",
        client="bedrock-agent",
        prefix="bedrock",
        list_operation="list_prompts",
        list_key="promptSummaries",
        describe_operation="get_prompt",
        identifiers=("id",),
        arguments={"promptIdentifier": "id"},
        arn="arn",
        title="name",
        created="createdAt",
        references=_WITHIN,
    ),
)

PROMPT_VERSION = Kind(
    family="bedrock",
    name="prompt-version",
    type="bedrock:prompt-version",
    segment="prompt-version",
    client="bedrock-agent",
    prefix="bedrock",
    list_operation="",
    list_key="",
    describe_operation="get_prompt",
    identifiers=(),
    # Its key ends with both.
    arguments={"promptIdentifier": "$1", "promptVersion": "$2"},
    arn="",
    title="name",
    created="createdAt",
    references=_WITHIN,
)
