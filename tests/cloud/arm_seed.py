"""Makes an estate description real on an ``ArmServer``: clean unless an entry says otherwise.

The clean state of every type, and what it refers to, is in ``estates/azure-clean.yaml``; an entry
names its type (or a short name of it), what it is part of, and how it differs.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.cloud.arm import ArmServer
from tests.cloud.estate import Entry, Estate

__all__ = ["GROUP", "SUBSCRIPTION", "identifier", "merged", "seed_arm"]

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
GROUP = "ml-prod"
_CLEAN = Path(__file__).parent / "estates" / "azure-clean.yaml"


@cache
def _clean() -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(_CLEAN.read_text("utf-8"))
    return data


def seed_arm(server: ArmServer, estate: Estate) -> None:
    """Fill ``server``; what it held before is gone."""
    clean = _clean()
    server.resources.clear()
    server.rows = {kind: [] for kind in clean["tables"]}
    server.subscriptions = [
        {
            "subscriptionId": entry.get("id", SUBSCRIPTION),
            "displayName": entry.name,
            "state": entry.get("state", "Enabled"),
            "tenantId": "99999999-0000-0000-0000-000000000000",
        }
        for entry in estate["subscriptions"]
    ]
    server.groups = {entry.name: list(entry.get("subscriptions", [])) for entry in estate["groups"]}
    for name, rows in clean["tables"].items():
        server.rows[name] += [_filled(copy.deepcopy(row), {}) for row in rows]
    for entry in estate["resources"]:
        _resource(server, entry)
    for entry in estate["rows"]:
        row = _filled(copy.deepcopy(dict(entry.get("row"))), {"name": entry.name})
        server.rows[str(entry.get("table"))].append(row)


def identifier(entry: Entry) -> str:
    """The resource id of an entry."""
    spec = _clean()["types"][entry.get("type")]
    path = str(spec["path"]).format(
        name=entry.name, within=entry.get("within", "ws"), of=entry.get("of", "")
    )
    where = entry.get("subscription", SUBSCRIPTION)
    return f"/subscriptions/{where}/resourceGroups/{entry.get('group', GROUP)}/providers/{path}"


def _resource(server: ArmServer, entry: Entry) -> None:
    spec = _clean()["types"][entry.get("type")]
    values = {
        "name": entry.name,
        "within": str(entry.get("within", "ws")),
        "of": str(entry.get("of", "")),
    }
    body = merged(
        _filled(copy.deepcopy(spec["body"]), values), _filled(entry.get("set") or {}, values)
    )
    place = identifier(entry)
    server.put(place, body)
    for tail, extra in (spec.get("with") or {}).items():
        differences = (entry.get("with") or {}).get(tail, {})
        if differences is None:
            continue
        inside = merged(_filled(copy.deepcopy(extra), values), _filled(differences, values))
        server.put(f"{place}/{tail.format(**values)}", inside)


def merged(clean: Any, changes: Any) -> Any:
    """``clean`` with ``changes``, level by level; null removes nothing, it is the answer."""
    if isinstance(clean, Mapping) and isinstance(changes, Mapping):
        return {
            key: merged(clean[key], changes[key])
            if key in clean and key in changes
            else changes.get(key, clean.get(key))
            for key in {**clean, **changes}
        }
    return changes


def _filled(value: Any, names: Mapping[str, str]) -> Any:
    """``{s}`` stands for the subscription, ``{rg}`` for a resource group, ``{name}`` for itself."""
    if isinstance(value, str):
        for key, text in {"s": f"/subscriptions/{SUBSCRIPTION}", "rg": _group(), **names}.items():
            value = value.replace("{" + key + "}", text)
        return value
    if isinstance(value, Mapping):
        return {_filled(key, names): _filled(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, names) for item in value]
    return value


def _group() -> str:
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers"
