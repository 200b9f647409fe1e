"""The JSON shapes of findings, services and scans: a documented contract (docs/json.md).

A shape only ever gains keys; a change that breaks readers gets a new number in ``schema``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from undercroft.model import LAYERS, Coverage, Json
from undercroft.views import FindingDetail, FindingRecord, ScanRow, ServiceRow

__all__ = [
    "FINDINGS_SCHEMA",
    "FINDING_SCHEMA",
    "SCANS_SCHEMA",
    "SERVICES_SCHEMA",
    "Exportable",
    "Head",
    "finding_record",
    "findings_document",
    "scan_record",
    "service_record",
]

Exportable: TypeAlias = FindingRecord | FindingDetail
"""A finding with its evidence, decision and services."""

FINDINGS_SCHEMA = "undercroft/findings/1"
FINDING_SCHEMA = "undercroft/finding/1"
SERVICES_SCHEMA = "undercroft/services/1"
SCANS_SCHEMA = "undercroft/scans/1"


@dataclass(frozen=True, slots=True)
class Head:
    """What every export says about itself."""

    version: str
    scan: ScanRow
    coverage: Sequence[Coverage]
    filter: str
    as_of: str
    """RFC 3339: the moment for which statuses were computed."""


def finding_record(detail: Exportable) -> dict[str, Json]:
    """One finding. ``services``: keys of every AI service that owns or inherits it."""
    row = detail.row
    decision = detail.decision
    return {
        "id": row.id,
        "rule": row.rule,
        "title": row.title,
        "severity": row.severity.value,
        "status": row.status,
        "cause": row.cause,
        "unconfirmed": row.unconfirmed,
        "unconfirmed_reason": detail.unconfirmed_reason,
        "layer": row.layer.value,
        "provider": row.provider,
        "account": row.account,
        "region": row.region,
        "resource": {
            "key": row.resource_key,
            "id": row.resource_id,
            "name": row.resource_name,
            "type": row.resource_type,
        },
        "services": sorted(service.key for service in detail.services),
        "evidence": [{"path": item.path, "value": item.value} for item in detail.evidence],
        "score": round(row.score, 1),
        "cve": row.cve,
        "package": row.package,
        "at": dict(detail.at),
        "first_seen": row.first_seen,
        "last_seen": row.last_seen,
        "decision": None
        if decision is None
        else {
            "kind": decision.kind,
            "reason": decision.reason,
            "until": decision.until,
            "owner": decision.owner,
            "actor": decision.actor,
            "at": decision.at,
        },
    }


def service_record(row: ServiceRow) -> dict[str, Json]:
    """One AI service with the six layers beneath it."""
    return {
        "key": row.key,
        "id": row.native_id,
        "name": row.name,
        "type": row.type,
        "provider": row.provider,
        "account": row.account,
        "region": row.region,
        "owner": row.owner,
        "score": round(row.score, 1),
        "inherent": round(row.inherent, 1),
        "change": None if row.change is None else round(row.change, 1),
        "layers": {
            layer.value: {
                "worst": None
                if (totals := row.layers[layer]).worst is None
                else totals.worst.value,
                "open": totals.open,
            }
            for layer in LAYERS
        },
        "open": row.open,
        "accepted": row.accepted,
        "claimed": row.claimed,
        "combinations": row.combinations,
        "unread": row.unread,
    }


def scan_record(row: ScanRow, coverage: Iterable[Coverage]) -> dict[str, Json]:
    """One saved scan with its coverage records."""
    return {
        "id": row.id,
        "uid": row.uid,
        "name": row.name,
        "kind": row.kind,
        "state": row.state,
        "started_at": row.started_at,
        "finished_at": row.finished_at,
        "scope": row.scope,
        "services": row.services,
        "resources": row.resources,
        "findings": row.findings,
        "gaps": row.gaps,
        "calls": row.calls,
        "coverage": [_coverage_record(item) for item in coverage],
    }


def _coverage_record(item: Coverage) -> Mapping[str, Json]:
    return {
        "provider": item.provider,
        "scope": item.scope,
        "location": item.location,
        "collector": item.collector,
        "status": item.status.value,
        "reason": item.reason,
    }


def findings_document(head: Head, findings: Iterable[Exportable]) -> dict[str, Any]:
    """The whole answer of ``findings --format json``."""
    return {
        "schema": FINDINGS_SCHEMA,
        "undercroft": head.version,
        "as_of": head.as_of,
        "filter": head.filter,
        "scan": scan_record(head.scan, head.coverage),
        "findings": [finding_record(detail) for detail in findings],
    }
