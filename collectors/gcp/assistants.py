"""Conversational agents (Dialogflow CX) and search over documents (Agent Builder)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from collectors.gcp import names
from collectors.gcp.clients import name_in_path
from collectors.gcp.errors import CallError
from collectors.gcp.names import parse_name
from collectors.gcp.projects import Project
from collectors.gcp.units import GcpCollector, Unit, in_project, part
from collectors.reading import Ended, Gaps, Reading
from collectors.references import Reference, link
from undercroft.identity import gcp_key
from undercroft.model import CoverageStatus, Edge, Json, Layer, Resource
from undercroft.protocols import Collected, Meter, Scope
from undercroft.relations import Relation

__all__ = ["AGENT", "DATA_STORE", "ENGINE", "WEBHOOK", "AgentCollector", "SearchCollector"]

AGENT = "dialogflow.googleapis.com/Agent"
WEBHOOK = "dialogflow.googleapis.com/Webhook"
DATA_STORE = "discoveryengine.googleapis.com/DataStore"
ENGINE = "discoveryengine.googleapis.com/Engine"

_AGENT_LOCATIONS = (
    "global", "us", "eu", "us-central1", "us-east1", "us-west1", "northamerica-northeast1",
    "europe-west1", "europe-west2", "europe-west3", "asia-northeast1", "asia-south1",
    "asia-southeast1", "australia-southeast1",
)  # fmt: skip
"""Where Dialogflow CX keeps agents, each at a host of its own."""
_SEARCH_LOCATIONS = ("global", "us", "eu")
_PAGE = 50
_STORE_REFERENCES = (
    Reference("cmekConfig.kmsKey", names.crypto_key, Relation.ENCRYPTED_WITH),
    Reference("kmsKeyName", names.crypto_key, Relation.ENCRYPTED_WITH),
)
_AUTHENTICATION = (
    "oauthConfig",
    "password",
    "secretVersionForUsernamePassword",
    "secretVersionsForRequestHeaders",
    "serviceAccountAuthConfig",
)


class _Located(GcpCollector):
    """A unit per project and location of those in which the service exists."""

    known: Sequence[str]

    def places(self, project: Project, scope: Scope, meter: Meter) -> Sequence[str]:  # noqa: ARG002
        """The locations asked for, as far as the service has them."""
        return [name for name in self.known if not scope.locations or name in scope.locations]

    def _found(self, unit: Unit, version: str, below: str) -> list[dict[str, Any]]:
        """Every item of the list at ``below`` the location; a list that is not there is empty."""
        place = unit.place
        path = (
            f"/{version}/projects/{name_in_path(place.project)}/locations/{place.location}/{below}"
        )
        key = below.rpartition("/")[2]
        try:
            return list(self.clients.pages(unit.meter, self.api, path, key, pageSize=_PAGE))
        except CallError as error:
            if error.not_offered:
                return []
            raise

    def _resource(
        self, unit: Unit, kind: str, layer: Layer, config: Mapping[str, Json], **more: Any
    ) -> Resource:
        name = str(config.get("name") or "")
        settled = parse_name(unit.place, name)
        if settled is None:
            raise CallError(
                self.api, None, CoverageStatus.ERROR,
                f"{self.api}: a list holds something without a proper name",
            )  # fmt: skip
        project, location, identifier = settled
        created = config.get("createTime")
        return Resource(
            key=gcp_key(project, self.api, location, name.split("/")[-2], identifier),
            provider="gcp",
            account=project,
            region=location,
            type=kind,
            layer=layer,
            name=str(config.get("displayName") or identifier),
            native_id=f"//{self.api}.googleapis.com/projects/{project}/{'/'.join(name.split('/')[2:])}",
            config=config,
            incarnation=created if isinstance(created, str) else None,
            collector=self.name,
            **more,
        )


class AgentCollector(_Located):
    """Agents with their webhooks, and whether what is said to them is redacted."""

    name = "gcp.dialogflow"
    api = "dialogflow"
    lists = (AGENT, WEBHOOK)
    known = _AGENT_LOCATIONS

    def read(self, unit: Unit) -> Reading:
        """The agents of a location."""
        gaps = Gaps()
        strategies: dict[str, str] | CallError | None = None
        for item in self._found(unit, "v3", "agents"):
            facts, unknown = dict[str, Json](), dict[str, str]()
            settings = str(item.get("securitySettings") or "")
            if settings and strategies is None:
                strategies = self._strategies(unit)
            if isinstance(strategies, CallError) and settings:
                unknown["facts.redaction"] = strategies.unknown
            else:
                named = strategies if isinstance(strategies, dict) else {}
                facts["redaction"] = named.get(settings.rpartition("/")[2], "")
            agent = self._resource(
                unit, AGENT, Layer.SERVICE, item, facts=facts, unknown=unknown, service=True
            )
            gaps.note([agent])
            yield agent
            yield from in_project(agent)
            try:
                yield from self._webhooks(unit, agent)
            except CallError as error:
                if WEBHOOK in unit.lists:
                    unit.lists.remove(WEBHOOK)
                    yield part(unit, self.name, "webhooks", error)
        return Ended(gaps.sentence())

    def _strategies(self, unit: Unit) -> dict[str, str] | CallError:
        """How each security setting of the location redacts; empty: not at all."""
        try:
            found = self._found(unit, "v3", "securitySettings")
        except CallError as error:
            return error
        return {
            str(item.get("name")).rpartition("/")[2]: str(item.get("redactionStrategy") or "")
            for item in found
        }

    def _webhooks(self, unit: Unit, agent: Resource) -> Iterator[Collected]:
        name = str(agent.config["name"]).rpartition("/")[2]
        for item in self._found(unit, "v3", f"agents/{name_in_path(name)}/webhooks"):
            directory = item.get("serviceDirectory")
            within = directory if isinstance(directory, Mapping) else {}
            service = item.get("genericWebService") or within.get("genericWebService")
            described = service if isinstance(service, Mapping) else {}
            webhook = self._resource(
                unit, WEBHOOK, Layer.SERVICE, _without_values(item), facts=_web_facts(described)
            )
            yield webhook
            yield Edge(agent.key, webhook.key, Relation.INVOKES_TOOL, "name")


class SearchCollector(_Located):
    """Search apps and the stores of documents that they answer from."""

    name = "gcp.search"
    api = "discoveryengine"
    lists = (DATA_STORE, ENGINE)
    known = _SEARCH_LOCATIONS

    def read(self, unit: Unit) -> Reading:
        """Stores and apps of the collection that every project has."""
        stores: dict[str, Resource] = {}
        for item in self._found(unit, "v1", "collections/default_collection/dataStores"):
            store = self._resource(unit, DATA_STORE, Layer.STORAGE, item)
            stores[str(item.get("name")).rpartition("/")[2]] = store
            yield store
            yield from link(unit.place, store.key, item, _STORE_REFERENCES)
        try:
            engines = self._found(unit, "v1", "collections/default_collection/engines")
        except CallError as error:
            unit.lists.remove(ENGINE)
            yield part(unit, self.name, "engines", error)
            return Ended("")
        for item in engines:
            engine = self._resource(unit, ENGINE, Layer.SERVICE, item, service=True)
            yield engine
            yield from in_project(engine)
            named = item.get("dataStoreIds")
            for name in named if isinstance(named, list) else ():
                if name in stores:
                    yield Edge(
                        engine.key, stores[name].key, Relation.READS_DATA_FROM, "dataStoreIds"
                    )
        return Ended("")


def _web_facts(service: Mapping[str, Any]) -> dict[str, Json]:
    """``unencrypted``, ``inline_secrets`` (names of fields), ``unauthenticated``."""
    headers = service.get("requestHeaders")
    inline = ["password"] if service.get("password") else []
    inline += [
        f"requestHeaders.{name}"
        for name in (headers if isinstance(headers, Mapping) else ())
        if str(name).lower() == "authorization"
    ]
    return {
        "unencrypted": str(service.get("uri") or "").lower().startswith("http://"),
        "inline_secrets": [*inline],
        # Unspecified means that the service agent signs in with a token.
        "unauthenticated": service.get("serviceAgentAuth") == "NONE"
        and not inline
        and not any(service.get(name) for name in _AUTHENTICATION),
    }


def _without_values(item: Mapping[str, Any]) -> dict[str, Json]:
    """The webhook without what its headers and its password hold, which is a credential or may be."""
    kept: dict[str, Json] = {}
    for name, value in item.items():
        if name == "requestHeaders" and isinstance(value, Mapping):
            kept[name] = dict.fromkeys(map(str, value), "not kept")
        elif name == "password":
            kept[name] = "not kept"
        else:
            kept[name] = _without_values(value) if isinstance(value, Mapping) else value
    return kept
