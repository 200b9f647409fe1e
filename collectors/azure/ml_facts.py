"""What is derived about Azure ML resources from themselves and from what they belong to. No calls."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from collectors.azure.facts import (
    host_of,
    image_entry,
    mappings,
    strings,
    unpinned_packages,
    version_date,
)
from collectors.azure.references import storage_name
from collectors.azure.units import Node
from undercroft.model import Json

__all__ = [
    "about_compute",
    "about_connection",
    "about_data",
    "about_datastore",
    "about_deployment",
    "about_environment",
    "about_model",
    "about_outbound_rule",
    "approved_registries",
    "isolation_of",
]

_PREVIEW_ONLY = ("enableRootAccess", "enableOSPatching", "releaseQuotaOnStop")
_SYSTEM_STORES = frozenset(
    {
        "workspaceblobstore",
        "workspaceartifactstore",
        "workspacefilestore",
        "workspaceworkingdirectory",
    }
)
_REGISTRY = re.compile(r"azureml://registries/(?P<name>[^/]+)/", re.IGNORECASE)
_DATA_ONLY = re.compile(r"\.(safetensors|onnx|gguf)$", re.IGNORECASE)
_CODE_FLAVORS = frozenset({"python_function", "sklearn", "pytorch", "xgboost", "spark"})
_ANY_CODE_HOSTS = frozenset(
    {
        "pastebin.com",
        "raw.githubusercontent.com",
        "gist.githubusercontent.com",
        "github.com",
        "gitlab.com",
        "transfer.sh",
        "huggingface.co",
    }
)
_WIDE_TAGS = frozenset({"internet", "azurecloud", "storage"})


def isolation_of(workspace: Mapping[str, Any] | None) -> str | None:
    """``disabled``, ``allowinternetoutbound`` or ``allowonlyapprovedoutbound``; None: not known."""
    if workspace is None:
        return None
    properties = workspace.get("properties")
    if not isinstance(properties, Mapping):
        return None
    network = properties.get("managedNetwork")
    mode = network.get("isolationMode") if isinstance(network, Mapping) else None
    return str(mode or "Disabled").lower()


def about_compute(node: Node, version: str, trusted: Collection[str]) -> None:
    """Facts of a compute instance or cluster; what only previews return is unknown elsewhere."""
    inner = node.properties.get("properties")
    settings: Mapping[str, Any] = inner if isinstance(inner, Mapping) else {}
    if not version.endswith("-preview"):
        for name in _PREVIEW_ONLY:
            node.unknown[f"config.properties.properties.{name}"] = (
                f"not returned: only preview versions of the API say it, {version} was answered"
            )
    image = settings.get("osImageMetadata")
    if isinstance(image, Mapping):
        current = version_date(image.get("currentImageVersion"))
        latest = version_date(image.get("latestImageVersion"))
        if current and latest:
            node.facts["image_days_behind"] = max((latest - current).days, 0)
    stops = settings.get("schedules")
    planned = stops.get("computeStartStop") if isinstance(stops, Mapping) else None
    node.facts["stops_itself"] = bool(settings.get("idleTimeBeforeShutdown")) or any(
        str(stop.get("action")).lower() == "stop" and str(stop.get("status")).lower() == "enabled"
        for stop in mappings(planned)
    )
    services: list[Json] = []
    for service in mappings(settings.get("customServices")):
        said = service.get("image")
        reference = said.get("reference") if isinstance(said, Mapping) else None
        docker = service.get("docker")
        privileged = docker.get("privileged") if isinstance(docker, Mapping) else None
        entry = image_entry(str(reference or ""), trusted)
        services.append(
            {**entry, "name": str(service.get("name")), "privileged": privileged is True}
        )
    node.facts["services"] = services
    scripts = settings.get("setupScripts")
    inside = scripts.get("scripts") if isinstance(scripts, Mapping) else None
    node.facts["setup_scripts"] = [
        name
        for name in ("startupScript", "creationScript")
        if isinstance(inside, Mapping)
        and isinstance(inside.get(name), Mapping)
        and inside[name].get("scriptData")
    ]


def about_deployment(node: Node, approved: Collection[str]) -> None:
    """``collects`` (traces or data of its calls) and ``foreign_registry`` of its model."""
    collector = node.get("dataCollector", "collections")
    kept = collector.values() if isinstance(collector, Mapping) else ()
    node.facts["collects"] = node.get("appInsightsEnabled") is True or any(
        str(one.get("dataCollectionMode")).lower() == "enabled" for one in mappings(list(kept))
    )
    model = node.get("model") or node.get("modelSettings", "modelId")
    if isinstance(model, Mapping):
        model = model.get("assetId")
    match = _REGISTRY.match(model) if isinstance(model, str) else None
    foreign = match["name"] if match and match["name"].lower() not in approved else ""
    node.facts["foreign_registry"] = foreign


def about_environment(node: Node, trusted: Collection[str], why_unsure: str) -> None:
    """``image`` and how loosely packages are named."""
    text = node.get("image")
    image = image_entry(text, trusted) if isinstance(text, str) and text else None
    node.facts["image"] = image
    if image is not None and why_unsure and not image["trusted"]:
        node.unknown["facts.image.trusted"] = why_unsure
    packages, elsewhere = unpinned_packages(node.get("condaFile"))
    node.facts["unpinned_packages"] = list[Json](packages)
    node.facts["other_index"] = elsewhere


def about_model(node: Node, approved: Collection[str]) -> None:
    """``runs_code`` (its format executes what it holds) and ``outside`` (where it lies)."""
    uri = str(node.get("modelUri") or "")
    flavors = node.get("flavors")
    named = set(flavors) if isinstance(flavors, Mapping) else set()
    custom = str(node.get("modelType")).lower() == "custom_model"
    node.facts["runs_code"] = (custom or bool(named & _CODE_FLAVORS)) and not _DATA_ONLY.search(uri)
    lowered = uri.lower()
    registry = _REGISTRY.match(uri)
    if registry is not None:
        outside = registry["name"].lower() not in approved
    elif lowered.startswith("azureml:"):
        place = re.match(
            r"azureml://subscriptions/[^/]+/resourcegroups/[^/]+/workspaces/([^/]+)/", lowered
        )
        outside = place is not None and place[1] != node.arm.names[0].lower()
    else:
        # "http://", "https://" and "wasbs://" alike: no data store of the workspace.
        outside = bool(uri) and not lowered.startswith(("runs:", "/", "./"))
    node.facts["outside"] = outside


def about_datastore(node: Node, known: Collection[str], why_unsure: str) -> None:
    """``foreign``: its storage is not ours; ``built_in``: the workspace made it."""
    node.facts["built_in"] = node.arm.name.lower() in _SYSTEM_STORES
    kind = str(node.get("datastoreType")).lower()
    account = str(node.get("accountName") or "").lower()
    if kind not in {"azureblob", "azurefile", "azuredatalakegen2"} or not account:
        node.facts["foreign"] = False
    elif account in known or not why_unsure:
        node.facts["foreign"] = account not in known
    else:
        node.unknown["facts.foreign"] = why_unsure
    node.facts["plain_http"] = str(node.get("protocol")).lower() == "http"


def about_data(node: Node, known: Collection[str], why_unsure: str) -> None:
    """The same for a data asset, by its address."""
    uri = str(node.get("dataUri") or "")
    node.facts["plain_http"] = uri.lower().startswith("http://")
    node.facts["built_in"] = False
    account, _ = storage_name(uri)
    if not uri.lower().startswith(("http://", "https://", "abfss://", "wasbs://")):
        node.facts["foreign"] = False
    elif account in known or not why_unsure:
        node.facts["foreign"] = account not in known
    else:
        node.unknown["facts.foreign"] = why_unsure


def about_connection(node: Node, trusted: Collection[str]) -> None:
    """``plain_http`` and ``foreign_feed``: where packages, code or images come from."""
    target = str(node.get("target") or "")
    node.facts["plain_http"] = target.lower().startswith("http://")
    feed = str(node.get("category")).lower() in {"pythonfeed", "git", "containerregistry"}
    host = host_of(target) or host_of(f"//{target}")
    node.facts["foreign_feed"] = host if feed and host and host not in trusted else ""


def about_outbound_rule(node: Node) -> None:
    """``wide``: what the destination lets out that is no particular place; empty if nothing."""
    kind, destination = str(node.get("type")).lower(), node.get("destination")
    wide = ""
    if kind == "fqdn" and isinstance(destination, str):
        lowered = destination.lower()
        if lowered.startswith("*") or lowered in _ANY_CODE_HOSTS:
            wide = destination
    elif kind == "servicetag" and isinstance(destination, Mapping):
        tag = str(destination.get("serviceTag") or "")
        denies = str(destination.get("action") or "").lower() == "deny"
        if tag.lower() in _WIDE_TAGS and not denies:
            wide = tag
    node.facts["wide"] = wide


def approved_registries(options: Mapping[str, Json]) -> frozenset[str]:
    """Registries whose models count as looked at: the cloud's own and those configured."""
    return frozenset({"azureml", "azure-openai", *(n.lower() for n in strings(options.get("approved_registries")))})  # fmt: skip
