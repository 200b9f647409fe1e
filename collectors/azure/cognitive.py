"""Azure OpenAI and the other AI service accounts, with deployments, content filters and projects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from collectors.azure.errors import ArmError, is_version_refusal
from collectors.azure.facts import diagnostics, mappings, posture
from collectors.azure.ids import parse_id
from collectors.azure.units import AzureCollector, Losses, Node, Unit, concat, plan, resource_of
from collectors.reading import Ended, Reading
from undercroft.model import CoverageStatus, Edge
from undercroft.protocols import Collected, Meter
from undercroft.relations import Relation

__all__ = ["CognitiveServices"]

COG = "Microsoft.CognitiveServices/accounts"
VERSION = "2025-09-01"
_MODEL_KINDS = frozenset({"openai", "aiservices"})
_NO_TEXT = re.compile(r"embed|whisper|dall-?e|tts|image|sora|transcribe|rerank|ocr", re.IGNORECASE)


def _part(kind: str) -> str:
    """The name of the record about one kind of child."""
    return f"azure.cognitive.{kind.removeprefix(f'{COG}/').replace('/', '-').lower()}"


class CognitiveServices(AzureCollector):
    """Accounts of a subscription and their children."""

    name = "azure.cognitive.accounts"
    lists = (COG,)
    parts: Mapping[str, tuple[str, ...]] = MappingProxyType(
        {
            _part(kind): (kind,)
            for kind in (
                f"{COG}/deployments",
                f"{COG}/raiPolicies",
                f"{COG}/connections",
                f"{COG}/capabilityHosts",
                f"{COG}/projects",
                f"{COG}/projects/connections",
                f"{COG}/projects/capabilityHosts",
                f"{COG}/defenderForAISettings",
            )
        }
    )

    def read(self, unit: Unit) -> Reading:
        """The accounts from the bulk inventory, then what only the account itself can tell."""
        rows = self.inventory.resources(unit.meter, unit.subscription, COG)
        nodes = [
            Node(arm, row, self.name, service=True)
            for row in rows
            if (arm := parse_id(row.get("id"))) is not None
        ]
        yield from concat(nodes, lambda node: self._account(unit.meter, node, unit.losses))
        return Ended()

    def _account(self, meter: Meter, node: Node, losses: Losses) -> list[Collected]:
        posture(node)
        diagnostics(self.arm, meter, node)
        found: list[Collected] = []
        if str(node.config.get("kind")).lower() in _MODEL_KINDS:
            found = self._models(meter, node, losses)
            node.edges += plan(node, "AI")
        return [*resource_of(node), *found]

    def _models(self, meter: Meter, node: Node, losses: Losses) -> list[Collected]:
        """Deployments, filters, connections, projects and agents of one account."""
        deployments = self._children(meter, node, "deployments", losses)
        policies = self._children(meter, node, "raiPolicies", losses)
        connections: list[Node] = []
        hosts: list[Node] | None = []
        projects: list[Node] | None = []
        if str(node.config.get("kind")).lower() == "aiservices":
            # Plain Azure OpenAI accounts have neither.
            connections = self._children(meter, node, "connections", losses) or []
            hosts = self._children(meter, node, "capabilityHosts", losses)
        if node.get("allowProjectManagement") is True:
            projects = self._children(meter, node, "projects", losses)
        found: list[Collected] = []
        for project in projects or []:
            project.service = True
            found += resource_of(project)
            found.append(Edge(project.arm.key, node.arm.key, Relation.SAME_WORKLOAD, "id"))
            inner = self._children(meter, project, "connections", losses) or []
            agents = self._children(meter, project, "capabilityHosts", losses)
            found += _held(project, inner, Relation.USES_IDENTITY, "connections")
            found += _held(project, agents or [], Relation.SAME_WORKLOAD, "capabilityHosts")
            hosts = None if hosts is None or agents is None else [*hosts, *agents]
        if hosts is None or projects is None:
            node.unknown["facts.agents"] = "error: agents and projects were not all read"
        else:
            node.facts["agents"] = any(
                str(host.get("capabilityHostKind") or "Agents").lower() == "agents"
                for host in hosts
            )
        self._defender(meter, node, losses)
        self._filters(node, deployments, policies, connections, agents=bool(hosts or projects))
        self._retirement(meter, node, deployments or [])
        own = [host for host in hosts or [] if host.parent is node]
        found += _held(node, own, Relation.SAME_WORKLOAD, "capabilityHosts")
        found += _held(node, deployments or [], Relation.SAME_WORKLOAD, "deployments")
        found += _held(node, policies or [], Relation.PROTECTED_BY, "raiPolicies")
        found += _held(node, connections, Relation.USES_IDENTITY, "connections")
        return found

    def _children(
        self, meter: Meter, node: Node, segment: str, losses: Losses
    ) -> list[Node] | None:
        """The children of one kind; None if they could not be read, which ``losses`` then knows."""
        kind = f"{node.arm.type}/{segment}"
        name = _part(kind)
        losses.asked(name)
        found = []
        try:
            for item in self.arm.pages(meter, f"{node.arm.text}/{segment}", VERSION):
                arm = parse_id(item.get("id"))
                if arm is not None:
                    found.append(Node(arm, item, name, node))
        except ArmError as error:
            if error.status is CoverageStatus.NOT_ENABLED or error.is_gone:
                return []
            if is_version_refusal(error):
                why = f"{error.action}: version {VERSION} of the API does not offer it"
                error = ArmError(CoverageStatus.NOT_ENABLED, why, action=error.action)
            losses.failed(name, error)
            return None
        return found

    def _defender(self, meter: Meter, node: Node, losses: Losses) -> None:
        """``defender_off``: threat protection was switched off for this account alone."""
        settings = self._children(meter, node, "defenderForAISettings", losses)
        if settings is None:
            node.unknown["facts.defender_off"] = "error: its Defender setting was not read"
            return
        node.facts["defender_off"] = any(
            str(setting.get("state")).lower() == "disabled" for setting in settings
        )

    def _filters(
        self,
        node: Node,
        deployments: list[Node] | None,
        policies: list[Node] | None,
        connections: list[Node],
        *,
        agents: bool,
    ) -> None:
        """Which deployment is guarded by which filter."""
        searching = any(
            str(one.get("category")).lower() == "cognitivesearch" for one in connections
        )
        used: dict[str, list[str]] = {}
        known = {policy.arm.name.lower(): policy for policy in policies or []}
        for deployment in deployments or []:
            model = deployment.get("model")
            name = str(model.get("name") if isinstance(model, Mapping) else "")
            deployment.facts["chat"] = bool(name) and not _NO_TEXT.search(name)
            guard = str(deployment.get("raiPolicyName") or "").lower()
            used.setdefault(guard, []).append(deployment.arm.name)
            policy = known.get(guard)
            if policy is not None:
                deployment.edges.append(
                    Edge(
                        deployment.arm.key,
                        policy.arm.key,
                        Relation.PROTECTED_BY,
                        "properties.raiPolicyName",
                    )
                )
        for policy in policies or []:
            policy.facts["reads_documents"] = agents or searching
            if deployments is None:
                policy.unknown["facts.used_by"] = "error: the account's deployments were not read"
            else:
                policy.facts["used_by"] = [*used.get(policy.arm.name.lower(), [])]
            policy.facts["filters"] = [
                {
                    "name": str(one.get("name") or "").lower().replace(" ", ""),
                    "source": str(one.get("source") or "").lower(),
                    "blocks": one.get("enabled") is True and one.get("blocking") is True,
                    "lenient": str(one.get("severityThreshold") or "").lower() == "high",
                }
                for one in mappings(policy.get("contentFilters"))
            ]
        del node

    def _retirement(self, meter: Meter, node: Node, deployments: list[Node]) -> None:
        """``retires``: the day on which a model that is not upgraded stops answering."""
        pinned = [
            one
            for one in deployments
            if str(one.get("versionUpgradeOption")).lower() == "noautoupgrade"
        ]
        if not pinned:
            return
        try:
            models = list(self.arm.pages(meter, f"{node.arm.text}/models", VERSION))
        except ArmError as error:
            for deployment in pinned:
                deployment.unknown["facts.retires"] = error.unknown
            return
        days = {_named(model): _retires(model) for model in models}
        for deployment in pinned:
            day = days.get(_named(deployment.get("model")))
            if day:
                deployment.facts["retires"] = day
            else:
                deployment.unknown["facts.retires"] = "not listed: the account names no day for it"


def _held(node: Node, children: list[Node], relation: Relation, via: str) -> list[Collected]:
    found: list[Collected] = []
    for child in children:
        found += resource_of(child)
        found.append(Edge(node.arm.key, child.arm.key, relation, via))
    return found


def _named(model: Any) -> tuple[str, str]:
    said = model if isinstance(model, Mapping) else {}
    return str(said.get("name")).lower(), str(said.get("version"))


def _retires(model: Mapping[str, Any]) -> str:
    deprecation = model.get("deprecation")
    day = deprecation.get("inference") if isinstance(deprecation, Mapping) else None
    return day if isinstance(day, str) else ""
