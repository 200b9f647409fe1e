"""The JSON shapes of what leaves the program: a documented contract (docs/json.md).

A shape only ever gains keys; a change that breaks readers gets a new number in ``schema``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from undercroft import __version__
from undercroft.clock import stamp
from undercroft.model import LAYERS, Coverage, Json
from undercroft.risk import DEFAULT, RISK_MODEL, RiskModel
from undercroft.triage.limits import ServiceLevel
from undercroft.views import (
    DecisionView,
    EventRow,
    FindingDetail,
    FindingRecord,
    ResourceDetail,
    ScanRow,
    ServiceRow,
)

if TYPE_CHECKING:
    from undercroft.store import Store

__all__ = [
    "FINDINGS_SCHEMA",
    "FINDING_SCHEMA",
    "Exportable",
    "Head",
    "decision_record",
    "finding_document",
    "finding_record",
    "findings_document",
    "history_document",
    "opening",
    "provenance",
    "resource_document",
    "scan_document",
    "scan_record",
    "scans_document",
    "service_level_record",
    "service_record",
    "services_document",
]

Exportable: TypeAlias = FindingRecord | FindingDetail
"""A finding with its evidence, decision and services."""

FINDINGS_SCHEMA = "undercroft/findings/1"
FINDING_SCHEMA = "undercroft/finding/1"
SERVICES_SCHEMA = "undercroft/services/1"
RESOURCE_SCHEMA = "undercroft/resource/1"
SCANS_SCHEMA = "undercroft/scans/1"
SCAN_SCHEMA = "undercroft/scan/1"
HISTORY_SCHEMA = "undercroft/history/1"


@dataclass(frozen=True, slots=True)
class Head:
    """What every export says about itself."""

    version: str
    scan: ScanRow
    coverage: Sequence[Coverage]
    filter: str
    as_of: str
    """RFC 3339: the moment for which statuses were computed."""
    feeds: tuple[str, ...] = ()
    """What was known about exploitation, each feed with its day; says so where one is stale."""
    level: ServiceLevel = field(default_factory=ServiceLevel)
    """In which time findings are to be fixed."""
    model: RiskModel = DEFAULT
    """By which the scan is scored."""
    decisions: tuple[int, str] = (0, "")
    """How many were recorded, and the id of the last one."""

    @classmethod
    def of(
        cls,
        store: Store,
        scan: ScanRow,
        filter_text: str,
        now: datetime,
        level: ServiceLevel | None = None,
    ) -> Self:
        """The head of what ``store`` says about a scan at the moment ``now``."""
        feeds = tuple(feed.words(now) for feed in store.feeds())
        coverage = store.coverage(scan.id)
        level = level or ServiceLevel()
        model, decided = store.model(scan.id), store.decided_so_far()
        words = (filter_text, stamp(now), feeds)
        return cls(__version__, scan, coverage, *words, level, model, decided)

    @property
    def moment(self) -> datetime:
        """``as_of`` as a moment."""
        return datetime.fromisoformat(self.as_of)


def provenance(head: Head) -> dict[str, Json]:
    """What a score depends on besides scan, feeds and moment, which every document names as a whole.

    The same for as long as nothing has changed, so that files can be compared line by line.
    """
    count, last = head.decisions
    return {
        "risk_model": RISK_MODEL,
        "risk_constants": head.model.digest,
        "decisions": {"count": count, "last": last},
    }


def opening(schema: str, head: Head) -> dict[str, Json]:
    """What a document about one scan begins with."""
    return {
        "schema": schema,
        "undercroft": head.version,
        **provenance(head),
        "feeds": list(head.feeds),
        "as_of": head.as_of,
        "filter": head.filter,
        "scan": scan_record(head.scan, head.coverage),
    }


def finding_record(detail: Exportable, head: Head) -> dict[str, Json]:
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
        "age_days": detail.ageing.age.days if detail.ageing else None,
        "open_days": detail.ageing.open.days if detail.ageing else None,
        "service_level": service_level_record(detail, head.level, head.moment),
        "decision": None if decision is None else decision_record(decision),
    }


def decision_record(decision: DecisionView) -> dict[str, Json]:
    """The decision in force on a finding."""
    return {
        "kind": decision.kind,
        "reason": decision.reason,
        "until": decision.until,
        "owner": decision.owner,
        "actor": decision.actor,
        "at": decision.at,
        "scope": decision.scope,
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
        "spared": row.spared,
        "risk_constants": row.model,
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
        **opening(FINDINGS_SCHEMA, head),
        "findings": [finding_record(detail, head) for detail in findings],
    }


def finding_document(head: Head, detail: Exportable) -> dict[str, Json]:
    """One finding on its own: ``show --format json``, and a line of JSON Lines."""
    return {
        "schema": FINDING_SCHEMA,
        "scan": head.scan.uid,
        **provenance(head),
        **finding_record(detail, head),
    }


def service_level_record(
    detail: Exportable, level: ServiceLevel, now: datetime
) -> dict[str, Json] | None:
    """In which time a finding is to be fixed; None where the policy says nothing or no clock runs."""
    times, severity = detail.ageing, detail.row.severity
    if times is None:
        return None
    due = level.due(times, severity, kev=detail.kev, kev_due=detail.kev_due)
    if due is None:
        return None
    return {
        "days": level.limit(severity, kev=detail.kev),
        "clock_from": stamp(times.clock_from) if times.clock_from else None,
        "paused_days": times.paused.days,
        "paused": times.is_paused,
        "due": stamp(due),
        "overdue": due <= now,
    }


def services_document(head: Head, services: Iterable[ServiceRow]) -> dict[str, Any]:
    """The whole answer of ``services --format json``."""
    return {
        **opening(SERVICES_SCHEMA, head),
        "services": [service_record(row) for row in services],
    }


def resource_document(scan: ScanRow, detail: ResourceDetail) -> dict[str, Any]:
    """One resource as it is stored (redacted), with its surroundings: ``show --format json``."""
    return {
        "schema": RESOURCE_SCHEMA,
        "scan": scan.uid,
        **asdict(detail.resource),
        "beneath": [ref.key for _, ref in detail.beneath],
        "services": [ref.key for ref, _ in detail.services],
        "findings": [finding.id for finding in detail.findings],
    }


def scans_document(scans: Iterable[tuple[ScanRow, Sequence[Coverage]]]) -> dict[str, Any]:
    """The whole answer of ``scans --format json``: each scan with its coverage records."""
    return {
        "schema": SCANS_SCHEMA,
        "undercroft": __version__,
        "scans": [scan_record(row, coverage) for row, coverage in scans],
    }


def scan_document(row: ScanRow, coverage: Sequence[Coverage]) -> dict[str, Json]:
    """The whole answer of ``scans show --format json``."""
    return {"schema": SCAN_SCHEMA, "undercroft": __version__, **scan_record(row, coverage)}


def history_document(rows: Iterable[EventRow]) -> dict[str, Any]:
    """The whole answer of ``history --format json``, newest first."""
    return {
        "schema": HISTORY_SCHEMA,
        "undercroft": __version__,
        "events": [_event_record(row) for row in rows],
    }


def _event_record(row: EventRow) -> dict[str, Json]:
    return {
        "id": row.id,
        "type": row.type,
        "at": row.at,
        "actor": row.actor,
        "finding": row.finding,
        "title": row.title,
        "resource": row.resource_name,
        "reason": row.reason,
        "scope": row.scope,
        "payload": dict(row.payload),
        "batch": row.batch,
        "live": row.live,
        "target": row.target,
    }
