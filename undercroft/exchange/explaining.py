"""A score taken apart, as JSON (docs/json.md)."""

from __future__ import annotations

from undercroft.exchange.records import Head, opening, service_record
from undercroft.model import Json
from undercroft.relations import Relation
from undercroft.risk import RiskModel, band
from undercroft.risk.bills import Bill, BillLine, FindingExplanation, ServiceExplanation
from undercroft.risk.model import Hazard
from undercroft.risk.trends import Change
from undercroft.views import Path

__all__ = ["EXPLAIN_SCHEMA", "explain_finding_document", "explain_service_document"]

EXPLAIN_SCHEMA = "undercroft/explain/1"


def explain_service_document(
    head: Head, found: ServiceExplanation, change: Change | None
) -> dict[str, Json]:
    """Both bills of a service, and what moved its score since the scan before."""
    return {
        **opening(EXPLAIN_SCHEMA, head),
        **_model(found.model),
        "service": service_record(found.service),
        "change": _change(change),
        "residual": _bill(found.residual, found.model),
        "inherent": _bill(found.inherent, found.model),
    }


def explain_finding_document(head: Head, found: FindingExplanation) -> dict[str, Json]:
    """A finding's score and its part in the services above."""
    row = found.row
    return {
        **opening(EXPLAIN_SCHEMA, head),
        **_model(found.model),
        "finding": {
            "id": row.id,
            "rule": row.rule,
            "title": row.title,
            "severity": row.severity.value,
            "status": row.status,
            "layer": row.layer.value,
            "owner": row.resource_key,
            "score": row.score,
            "band": band(row.score, found.model),
            **_hazard(found.hazard),
        },
        "above": found.above,
        "services": [
            {
                "key": reach.service.key,
                "name": reach.service.name,
                "score": reach.score,
                "a": reach.attenuation,
                "h": reach.hazard.value,
                "M": reach.hazard.factors.get("M", (1.0, ""))[0],
                "path": _path(reach.path, found.model),
                "points": reach.printed,
                "k": reach.rank,
                "j": reach.layer_rank,
            }
            for reach in found.services
        ],
    }


def _model(model: RiskModel) -> dict[str, Json]:
    return {
        "constants": {group: dict(values) for group, values in model.table.items()},
        "changed": {
            name: {"value": value, "published": published}
            for name, (value, published) in model.changes().items()
        },
    }


def _change(change: Change | None) -> Json:
    if change is None:
        return None
    return {
        "since": change.since.uid,
        "before": change.before,
        "after": change.after,
        "causes": [
            {"cause": cause.name, "points": cause.points, "findings": cause.findings}
            for cause in change.causes
        ],
    }


def _bill(bill: Bill, model: RiskModel) -> dict[str, Json]:
    return {
        "H": bill.hazard,
        "S": bill.score,
        "printed": bill.printed,
        "band": band(bill.score, model),
        "lines": [_line(line, model) for line in bill.lines],
    }


def _line(line: BillLine, model: RiskModel) -> dict[str, Json]:
    return {
        "id": line.finding,
        "rule": line.rule,
        "title": line.title,
        "severity": line.severity,
        "status": line.status,
        "owner": {"key": line.owner.key, "name": line.owner.name, "type": line.owner.type},
        "layer": line.layer,
        "path": _path(line.path, model),
        "a": line.attenuation,
        **_hazard(line.hazard),
        "k": line.rank,
        "j": line.layer_rank,
        "effective": line.effective,
        "points": line.points,
        "printed": line.printed,
    }


def _hazard(hazard: Hazard) -> dict[str, Json]:
    factors: dict[str, Json] = {
        letter: {"value": value, "reason": reason}
        for letter, (value, reason) in hazard.factors.items()
    }
    return {"h": hazard.value, "factors": factors}


def _path(path: Path, model: RiskModel) -> list[Json]:
    return [
        {
            "from": step.src,
            "to": step.dst,
            "relation": step.relation,
            "via": step.via,
            "certainty": step.certainty,
            "alpha": model.attenuation.get(Relation(step.relation)),
        }
        for step in path
    ]
