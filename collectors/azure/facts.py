"""What a configuration alone says, worked out once so that rules only compare. No calls."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from collectors.azure.errors import ArmError
from collectors.azure.images import parse_image
from collectors.azure.session import Arm
from collectors.azure.units import Node
from undercroft.model import CoverageStatus, Json
from undercroft.protocols import Meter

__all__ = [
    "diagnostics",
    "host_of",
    "image_entry",
    "is_sensitive",
    "mappings",
    "posture",
    "strings",
    "unpinned_packages",
    "version_date",
]

_DIAGNOSTICS = "2021-05-01-preview"
_WIDEST = 8
"""A range of this many leading bits or fewer is a large part of the internet."""
_EVERYBODY = frozenset({"*", "any", "internet", "0.0.0.0", "::", "0.0.0.0/0", "::/0"})  # noqa: S104
_SINKS = (
    "workspaceId",
    "storageAccountId",
    "eventHubAuthorizationRuleId",
    "marketplacePartnerId",
)


def mappings(value: Any) -> list[Mapping[str, Any]]:
    """The objects in a list; none if it is not a list."""
    listed = value if isinstance(value, Sequence) and not isinstance(value, str) else ()
    return [item for item in listed if isinstance(item, Mapping)]


def strings(value: Any) -> list[str]:
    """The texts in a list; none if it is not a list."""
    listed = value if isinstance(value, Sequence) and not isinstance(value, str) else ()
    return [item for item in listed if isinstance(item, str)]


def posture(node: Node) -> None:
    """``private_endpoint`` (one is approved) and ``wide_ranges`` (that the firewall admits)."""
    states = (
        _deep(item, "properties", "privateLinkServiceConnectionState", "status")
        for item in mappings(node.get("privateEndpointConnections"))
    )
    node.facts["private_endpoint"] = any(str(state).lower() == "approved" for state in states)
    ranges = [
        *strings(node.get("ipAllowlist")),
        *_values(node.get("networkAcls", "ipRules")),
        *_values(node.get("networkRuleSet", "ipRules")),
    ]
    node.facts["wide_ranges"] = [text for text in ranges if _is_wide(text)]


def _values(rules: Any) -> list[str]:
    return [
        str(rule.get("value") or rule.get("ipAddressOrRange") or "") for rule in mappings(rules)
    ]


def _is_wide(text: str) -> bool:
    if text.strip().lower() in _EVERYBODY:
        return True
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return False
    return "/" in text and network.prefixlen <= _WIDEST


def _deep(value: Any, *path: str) -> Any:
    for step in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(step)
    return value


def diagnostics(arm: Arm, meter: Meter, node: Node) -> None:
    """``logs``: categories and groups of resource logs that are kept somewhere. One call."""
    path = f"{node.arm.text}/providers/Microsoft.Insights/diagnosticSettings"
    try:
        settings = list(arm.pages(meter, path, _DIAGNOSTICS))
    except ArmError as error:
        supported = error.http_status != 404 and error.status is not CoverageStatus.NOT_ENABLED
        why = error.unknown if supported else "not applicable: this type has no diagnostic settings"
        node.unknown["facts.logs"] = why
        return
    kept = set[str]()
    for setting in settings:
        said = setting.get("properties")
        if not isinstance(said, Mapping) or not any(said.get(sink) for sink in _SINKS):
            continue
        for log in mappings(said.get("logs")):
            if log.get("enabled") is True:
                kept.add(str(log.get("categoryGroup") or log.get("category") or "a log"))
    node.facts["logs"] = sorted(kept)


def image_entry(text: str, trusted: Iterable[str]) -> dict[str, Json]:
    """What a reference to an image says: registry, tag, whether pinned and from a trusted place."""
    image = parse_image(text)
    if image is None:
        return {"ref": text, "registry": "", "tag": "", "pinned": False, "trusted": False}
    return {
        "ref": text,
        "registry": image.registry,
        "tag": image.tag,
        "pinned": bool(image.digest),
        "trusted": image.registry in set(trusted),
    }


_PINNED = re.compile(r"(==|===|@\s*https?://\S+#|@\s*file:)")
_CONDA_PINNED = re.compile(r"^[A-Za-z0-9_.:-]+\s*={1,2}\s*[0-9]")
_OTHER_INDEX = re.compile(r"--(extra-)?index-url|--find-links|git\+https?://|-i\s+https?://")


def unpinned_packages(conda_file: Any) -> tuple[list[str], bool]:
    """(packages without an exact version, whether another index is used) of a conda file."""
    import yaml

    if not isinstance(conda_file, str) or not conda_file.strip():
        return [], False
    elsewhere = bool(_OTHER_INDEX.search(conda_file))
    try:
        parsed = yaml.safe_load(conda_file)
    except (yaml.YAMLError, RecursionError):
        return [], elsewhere
    found: list[str] = []
    listed = parsed.get("dependencies") if isinstance(parsed, Mapping) else None
    for entry in listed if isinstance(listed, list) else ():
        if isinstance(entry, str):
            name = re.split(r"[=<>!~ ]", entry, maxsplit=1)[0]
            if not _CONDA_PINNED.match(entry) and name != "pip":
                found.append(name)
        elif isinstance(entry, Mapping):
            found += (
                re.split(r"[=<>!~ \[;]", line, maxsplit=1)[0]
                for line in strings(entry.get("pip"))
                if not line.startswith("-") and not _PINNED.search(line)
            )
    return sorted(set(found))[:50], elsewhere


def version_date(text: Any) -> date | None:
    """The day in an image version such as ``25.11.04``; None if it does not start with one."""
    match = re.match(r"(\d{2})\.(\d{2})\.(\d{2})", text) if isinstance(text, str) else None
    if match is None:
        return None
    try:
        return date(2000 + int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None


_CLASSES = re.compile(r"class|sensitiv|confidential|data.?type|privacy", re.IGNORECASE)
_SECRET = re.compile(
    r"confidential|sensitive|restricted|secret|personal|\bpii\b|\bphi\b|\bpci\b|gdpr|hipaa",
    re.IGNORECASE,
)


def is_sensitive(tags: Any) -> bool:
    """Whether a tag says that the content is to be kept from others."""
    said = tags.items() if isinstance(tags, Mapping) else ()
    return any(_CLASSES.search(str(k)) and _SECRET.search(str(v)) for k, v in said)


def host_of(text: Any) -> str:
    """The host of an address; empty if it has none."""
    try:
        return (urlsplit(text).hostname or "").lower() if isinstance(text, str) else ""
    except ValueError:
        return ""
