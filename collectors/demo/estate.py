"""Reads the demo files into scans: an estate, what changed from one scan to the next, decisions.

A file holds groups (one provider, account and region each) of resources. A resource starts from
its type's ``defaults`` and names only what differs; ``null`` removes a key. A text that starts with
``@`` is a time relative to now: ``@-200d``, ``@-3h``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any

import yaml

from undercroft.identity import aws_key, azure_key, gcp_key
from undercroft.model import (
    Certainty,
    Coverage,
    CoverageStatus,
    Edge,
    Layer,
    Presence,
    Resource,
)
from undercroft.protocols import Collected, Meter, Scope, Target
from undercroft.relations import Relation

__all__ = ["Demo", "DemoCollector", "DemoDecision", "DemoScan", "load_demo"]

_RELATIVE = re.compile(r"@([+-]\d+)([dhm])$")
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


@dataclass(frozen=True, slots=True)
class DemoDecision:
    """A decision that somebody took after a scan."""

    kind: str
    """accept, false_positive, claim_fixed or note"""
    rule: str
    resource: str
    """Name of the resource that owns the finding."""
    payload: Mapping[str, str]
    at: datetime
    actor: str


@dataclass(frozen=True, slots=True)
class DemoScan:
    """One saved scan of the demo: when it ran, what it saw, what was decided afterwards."""

    name: str
    at: datetime
    collectors: tuple[DemoCollector, ...]
    decisions: tuple[DemoDecision, ...]


@dataclass(frozen=True, slots=True)
class Demo:
    """The demo estate over time, oldest scan first."""

    scans: tuple[DemoScan, ...]


@dataclass(slots=True)
class DemoCollector:
    """Hands out one group's resources as a collector would: a real one for the pipeline."""

    name: str
    provider: str
    account: str
    region: str
    items: tuple[Collected, ...]
    stage: int = 0

    def targets(self, scope: Scope, wanted: Sequence[Resource]) -> Iterator[Target]:  # noqa: ARG002
        """One unit: the group."""
        yield Target(self.name, self.provider, self.account, self.region)

    def collect(self, target: Target, meter: Meter) -> Iterator[Collected]:  # noqa: ARG002
        """The group's resources and edges, then what could not be read."""
        for item in self.items:
            meter.check()
            if isinstance(item, Resource):
                meter.calls += 1
            yield item


def load_demo(now: datetime) -> Demo:
    """The bundled estate, its times relative to ``now``.

    Raises ``ValueError`` naming the file and resource if a reference points nowhere.
    """
    folder = files(__package__).joinpath("data")
    estate = [
        _read(entry.read_text("utf-8"))
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.startswith("estate-")
    ]
    story = _read(folder.joinpath("story.yaml").read_text("utf-8"))
    defaults: dict[str, Any] = {}
    groups: list[dict[str, Any]] = []
    for document in estate:
        defaults |= document.get("defaults", {})
        groups += document["groups"]
    scans = []
    for chapter in story["scans"]:
        at = _time(chapter["at"], now)
        _apply(groups, chapter)
        collectors = _collectors(groups, defaults, chapter.get("unread", []), now, at)
        decisions = tuple(_decision(raw, now) for raw in chapter.get("decisions", []))
        scans.append(DemoScan(chapter["name"], at, collectors, decisions))
    return Demo(tuple(scans))


def _read(text: str) -> dict[str, Any]:
    document = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    return dict(document)


def _time(text: str, now: datetime) -> datetime:
    match = _RELATIVE.match(text)
    if match is None:
        return datetime.fromisoformat(text)
    return now + timedelta(**{_UNITS[match[2]]: int(match[1])})


def _resolve(value: Any, now: datetime) -> Any:
    if isinstance(value, str):
        return _stamp(_time(value, now)) if _RELATIVE.match(value) else value
    if isinstance(value, dict):
        return {key: _resolve(item, now) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolve(item, now) for item in value]
    return value


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _merge(base: Any, over: Any, *, keep_null: bool = False) -> Any:
    """``over`` laid on ``base``; a null removes the key, or stays to remove it from a later base."""
    if not isinstance(over, dict):
        return over
    merged = dict(base) if isinstance(base, dict) else {}
    for key, value in over.items():
        if value is None and not keep_null:
            merged.pop(key, None)
        elif value is None:
            merged[key] = None
        else:
            merged[key] = _merge(merged.get(key), value, keep_null=keep_null)
    return merged


def _apply(groups: list[dict[str, Any]], chapter: Mapping[str, Any]) -> None:
    """Change the estate in place to what this chapter's scan saw."""
    removed = set(chapter.get("remove", []))
    changes = dict(chapter.get("change", {}))
    for group in groups:
        kept = []
        for raw in group["resources"]:
            if raw["name"] in removed:
                removed.discard(raw["name"])
                continue
            kept.append(_merge(raw, changes.pop(raw["name"], {}), keep_null=True))
        kept += chapter.get("add", {}).get(group["name"], [])
        group["resources"] = kept
    if removed or changes:
        raise ValueError(f"story.yaml names unknown resources: {sorted(removed | set(changes))}")


def _collectors(
    groups: Sequence[Mapping[str, Any]],
    defaults: Mapping[str, Any],
    unread: Sequence[Mapping[str, str]],
    now: datetime,
    at: datetime,
) -> tuple[DemoCollector, ...]:
    raws = [
        (group, _merge(defaults.get(raw["type"], {}), raw))
        for group in groups
        for raw in group["resources"]
    ]
    keys = {raw["name"]: _key(group, raw) for group, raw in raws}
    collectors: dict[tuple[str, str, str], list[Collected]] = {}
    types: dict[tuple[str, str, str], set[str]] = {}
    providers = {}
    for group, raw in raws:
        collector = f"{group['provider']}.{_service(raw['type'])}"
        unit = (collector, str(group["account"]), _region(group, raw))
        gap = next(
            (gap for gap in unread if (gap["collector"], gap["account"], gap["region"]) == unit),
            None,
        )
        providers[unit] = group["provider"]
        items = collectors.setdefault(unit, [])
        if gap is not None:
            types[unit] = set()
            if not items:
                items.append(
                    Coverage(
                        group["provider"], unit[1], unit[2], collector, CoverageStatus.DENIED,
                        gap["reason"],
                    )
                )  # fmt: skip
            continue
        types.setdefault(unit, set()).add(raw["type"])
        items.append(_resource(group, raw, keys[raw["name"]], collector, now, at))
        items += _edges(raw, keys)
    for unit, names in types.items():
        if names:
            collectors[unit].append(
                Coverage(
                    providers[unit], unit[1], unit[2], unit[0], CoverageStatus.COMPLETE,
                    lists=tuple(sorted(names)),
                )
            )  # fmt: skip
    return tuple(
        DemoCollector(name, providers[name, account, region], account, region, tuple(items))
        for (name, account, region), items in sorted(collectors.items())
    )


def _service(resource_type: str) -> str:
    """``sagemaker`` of ``sagemaker:model``, ``aiplatform`` of ``aiplatform.googleapis.com/Model``."""
    head = re.split(r"[:/]", resource_type, maxsplit=1)[0]
    return head.removeprefix("Microsoft.").split(".")[0].lower()


def _region(group: Mapping[str, Any], raw: Mapping[str, Any]) -> str:
    return str(raw.get("region", group["region"]))


def _key(group: Mapping[str, Any], raw: Mapping[str, Any]) -> str:
    if "key" in raw:
        return str(raw["key"])
    native = _native_id(group, raw)
    provider, account, region = group["provider"], group["account"], _region(group, raw)
    if provider == "azure":
        return azure_key(native)
    if provider == "gcp":
        service, kind = str(raw["type"]).split("/", 1)
        return gcp_key(account, service.split(".")[0], region, kind, raw["name"])
    service, kind = str(raw["type"]).split(":", 1)
    return aws_key("aws", account, region, service, kind, raw["name"])


def _native_id(group: Mapping[str, Any], raw: Mapping[str, Any]) -> str:
    if "id" in raw:
        return str(raw["id"])
    account, region, name = group["account"], _region(group, raw), raw["name"]
    if group["provider"] == "azure":
        resource_group = raw.get("resource_group", group.get("resource_group", "ml"))
        return f"/subscriptions/{account}/resourceGroups/{resource_group}/providers/{raw['type']}/{name}"
    if group["provider"] == "gcp":
        service, kind = str(raw["type"]).split("/", 1)
        return f"//{service}/projects/{account}/locations/{region}/{kind}s/{name}"
    service, kind = str(raw["type"]).split(":", 1)
    if service == "s3":
        return f"arn:aws:s3:::{name}"
    place = "" if region == "-" else region
    return f"arn:aws:{service}:{place}:{account}:{kind}/{name}"


def _resource(
    group: Mapping[str, Any],
    raw: Mapping[str, Any],
    key: str,
    collector: str,
    now: datetime,
    at: datetime,
) -> Resource:
    return Resource(
        key=key,
        provider=group["provider"],
        account=str(group["account"]),
        region=_region(group, raw),
        type=raw["type"],
        layer=Layer(raw["layer"]),
        name=raw.get("display", raw["name"]),
        native_id=_native_id(group, raw),
        tags=raw.get("tags", {}),
        config=_resolve(raw.get("config", {}), now),
        facts=_resolve(_facts(raw.get("facts", {})), now),
        unknown=raw.get("unknown", {}),
        incarnation=_resolve(raw.get("created"), now),
        implied=raw.get("implied", False),
        service=raw.get("service", False),
        presence=Presence(raw.get("presence", "read")),
        collector=collector,
        collected_at=_stamp(at),
    )


def _facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Vulnerabilities are written as short lists, to be readable; give each its field names."""
    rows = facts.get("vulnerabilities")
    if rows is None:
        return dict(facts)
    return {**facts, "vulnerabilities": [_vulnerability(row) for row in rows]}


def _vulnerability(row: Sequence[Any]) -> dict[str, Any]:
    identifier, severity, kind, package, installed, fixed, cvss, vector = row
    return {
        "id": identifier,
        "severity": severity,
        "purl_type": kind,
        "package": package,
        "installed": str(installed),
        "fixed": str(fixed or ""),
        "cvss": cvss,
        "vector": vector,
        "exploit_available": False,
        "fix_available": bool(fixed),
    }


def _edges(raw: Mapping[str, Any], keys: Mapping[str, str]) -> Iterator[Edge]:
    """``beneath: {uses_identity RoleArn: name, loads_artifact_from ModelDataUrl: [name, prefix]}``."""
    for how, what in raw.get("beneath", {}).items():
        relation, via = how.split(" ", 1)
        target, detail = (what, "") if isinstance(what, str) else what
        if target not in keys:
            raise ValueError(f"demo resource {raw['name']} names {target}, which does not exist")
        certainty = Certainty.DEFAULT if via.startswith("(") else Certainty.STATED
        yield Edge(
            keys[raw["name"]], keys[target], Relation(relation), via.strip("()"), certainty, detail
        )


def _decision(raw: Mapping[str, Any], now: datetime) -> DemoDecision:
    payload = {
        key: _time(value, now).date().isoformat() if _RELATIVE.match(value) else value
        for key, value in raw.get("with", {}).items()
    }
    return DemoDecision(
        raw["kind"], raw["rule"], raw["resource"], payload, _time(raw["at"], now), raw["by"]
    )
