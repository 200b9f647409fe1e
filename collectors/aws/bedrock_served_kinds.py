"""What of Bedrock is in use: the versions of agents that aliases lead to, and the versions of
guardrails that agents and flows name. A draft is what somebody works on, not what customers meet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from collectors.aws.arns import Place, agent, function, kms_key, model, named, role
from collectors.aws.kinds import Child, Kind, Read
from collectors.aws.values import mappings
from collectors.references import Reference
from undercroft.model import Edge, Json, Layer, Resource
from undercroft.relations import Relation

__all__ = [
    "AGENT",
    "DRAFT",
    "GUARDRAIL_VERSION",
    "agent_parts",
    "alias",
    "guarded",
    "guardrails_used",
    "version_stub",
]

DRAFT = "DRAFT"
_GUARDRAIL = named("bedrock", "guardrail", "bedrock:guardrail")
_BASE = named("bedrock", "knowledge-base", "bedrock:knowledge-base")
_CALLS = Relation.INVOKES_TOOL

AGENT: tuple[Reference, ...] = (
    Reference("agentResourceRoleArn", role, Relation.USES_IDENTITY),
    Reference("customerEncryptionKeyArn", kms_key, Relation.ENCRYPTED_WITH),
    Reference("foundationModel", model, Relation.LOADS_ARTIFACT_FROM),
    # A step may ask another model than the agent's.
    Reference(
        "promptOverrideConfiguration.promptConfigurations[].foundationModel",
        model,
        Relation.LOADS_ARTIFACT_FROM,
    ),
    Reference("promptOverrideConfiguration.overrideLambda", function, _CALLS),
    Reference("KnowledgeBases[].knowledgeBaseId", _BASE, Relation.READS_DATA_FROM),
    Reference("Collaborators[].agentDescriptor.aliasArn", agent, _CALLS),
)
"""What an agent and each version of it names."""


def agent_parts(version: str) -> tuple[Read, ...]:
    """What belongs to a version of an agent; ``version``: a field, or a ``constant``."""
    asked = {"agentId": "agentId", "agentVersion": version}
    return (
        Read(
            "KnowledgeBases",
            "list_agent_knowledge_bases",
            asked,
            pick="agentKnowledgeBaseSummaries",
            listed=True,
        ),
        Read(
            "Collaborators",
            "list_agent_collaborators",
            asked,
            pick="agentCollaboratorSummaries",
            listed=True,
        ),
    )


def guardrails_used(place: Place, resource: Resource) -> Iterator[Resource | Edge]:
    """The guardrail, or the version of one, behind every ``guardrailConfiguration``."""
    for at, used in _configurations(resource.config, ""):
        yield from guarded(
            place,
            resource,
            f"{at}.guardrailIdentifier",
            used.get("guardrailIdentifier"),
            used.get("guardrailVersion"),
        )


def guarded(
    place: Place, resource: Resource, via: str, identifier: Json, version: Json
) -> Iterator[Resource | Edge]:
    """That a guardrail (id or ARN), or a version of one, stands before a resource."""
    target = _GUARDRAIL(place, identifier) if isinstance(identifier, str) and identifier else None
    if target is None:
        return
    guardrail = target.stub
    if version not in (None, "", DRAFT):
        guardrail = version_stub(place, guardrail, "guardrail", str(version))
    yield guardrail
    yield Edge(resource.key, guardrail.key, Relation.PROTECTED_BY, via)


def version_stub(place: Place, of: Resource, segment: str, version: str) -> Resource:
    """One version of a guardrail or a prompt (``segment``), which stays as it is."""
    name = f"{of.key.rpartition('/')[2]}/{version}"
    where = {"account": of.account, "region": of.region}
    return place.stub(
        f"bedrock:{segment}-version",
        Layer.SERVICE,
        place.key("bedrock", f"{segment}-version", name, **where),
        name.replace("/", ":"),
        f"{of.native_id}:{version}",
        **where,
    )


def _configurations(value: Json, at: str) -> Iterator[tuple[str, Mapping[str, Json]]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            path = f"{at}.{name}" if at else name
            if name == "guardrailConfiguration" and isinstance(inner, Mapping):
                yield path, inner
            else:
                yield from _configurations(inner, path)
    elif isinstance(value, list):
        for number, inner in enumerate(mappings(value)):
            yield from _configurations(inner, f"{at}[{number}]")


def _is_served(item: Mapping[str, Json]) -> bool:
    routes = list(mappings(item.get("routingConfiguration")))
    return bool(routes) and routes[0].get("agentVersion") not in (None, "", DRAFT)


def alias(action_group: Kind) -> Kind:
    """An alias of an agent, with the configuration of the version that it leads to.

    ``action_group``: the kind of the draft's tools.
    """
    tools = replace(
        action_group,
        name="served-action-group",
        identifiers=("agentId", "agentVersion", "actionGroupId"),
    )
    return Kind(
        family="bedrock",
        name="agent-alias",
        type="bedrock:agent-alias",
        segment="agent-alias",
        client="bedrock-agent",
        prefix="bedrock",
        list_operation="list_agent_aliases",
        list_key="agentAliasSummaries",
        keep=_is_served,
        describe_operation="get_agent_version",
        answer="agentVersion",
        identifiers=("agentId", "agentAliasId"),
        arguments={"agentId": "agentId", "agentVersion": "routingConfiguration.agentVersion"},
        arn="",
        title="agentAliasName",
        # What is described is the version: an alias stays when it moves on.
        created="",
        reads=agent_parts("version"),
        children=(
            Child(tools, {"agentId": "agentId", "agentVersion": "version"}, _CALLS, "ActionGroups"),
        ),
        more=guardrails_used,
        references=AGENT,
    )


GUARDRAIL_VERSION = Kind(
    family="bedrock",
    name="guardrail-version",
    type="bedrock:guardrail-version",
    segment="guardrail-version",
    client="bedrock",
    prefix="bedrock",
    list_operation="",
    list_key="",
    describe_operation="get_guardrail",
    identifiers=(),
    # Its key ends with both.
    arguments={"guardrailIdentifier": "$1", "guardrailVersion": "$2"},
    arn="",
    title="name",
    created="createdAt",
    references=(Reference("kmsKeyArn", kms_key, Relation.ENCRYPTED_WITH),),
)
