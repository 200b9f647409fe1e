"""Bills: the score of a service taken apart, from the same rows that made it."""

# ruff: noqa: S608  (only names of our own columns are put together; values are bound)

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from undercroft import risk
from undercroft.clock import stamp
from undercroft.feeds import FeedInfo
from undercroft.model import Outcome
from undercroft.risk.bills import Bill, BillLine, FindingExplanation, Reach, ServiceExplanation
from undercroft.store import feeds, read_details, read_services, scans
from undercroft.store.connection import Database
from undercroft.store.encode import REF_COLUMNS, ref_of, severity_of
from undercroft.store.errors import NotFoundError
from undercroft.store.exploits import EXPLOIT_SQL
from undercroft.store.fresh import ensure_fresh
from undercroft.store.models import model_of
from undercroft.store.reach import path_to
from undercroft.store.rollup import Item, score_items
from undercroft.store.statuses import Seen, weigh
from undercroft.views import Path, Query, ResourceRef

__all__ = ["explain_finding", "explain_service"]

_PART = 400


def explain_service(database: Database, scan_id: int, service_key: str) -> ServiceExplanation:
    """See ``Store.explain_service``. NotFoundError."""
    ensure_fresh(database, scan_id)
    with database.snapshot() as connection:
        found = read_services.window(database, scan_id, Query(service=service_key))
        if not found:
            msg = f"This scan has no AI service {service_key!r}."
            raise NotFoundError(msg)
        number = _number(connection, service_key)
        items = score_items(connection, scan_id, number)
        known = feeds.listing(database)
        findings = [item.finding for item, _ in items]
        model = model_of(connection, scan_id)
        parts = _parts(connection, scan_id, number, findings, known, model)
        return ServiceExplanation(
            service=found[0],
            scan=scans.row(connection, scan_id),
            as_of=stamp(database.now()),
            feeds=tuple(feed.words(database.now()) for feed in feeds.listing(database)),
            residual=_bill([pair for pair in items if not pair[0].accepted], parts, model),
            inherent=_bill(items, parts, model),
            model=model,
        )


def explain_finding(
    database: Database, scan_id: int, finding_id: str, most: int = 20
) -> FindingExplanation:
    """See ``Store.explain_finding``. NotFoundError."""
    detail = read_details.finding(database, scan_id, finding_id)
    with database.snapshot() as connection:
        owner = _number(connection, detail.row.resource_key)
        above = connection.execute(
            f"SELECT c.service, c.attenuation, c.scale, v.score, {REF_COLUMNS} FROM closure c "
            "JOIN service v ON v.scan = c.scan AND v.resource = c.service "
            "JOIN body b ON b.id = v.body JOIN resource r ON r.id = c.service "
            "WHERE c.scan = ? AND c.resource = ? ORDER BY v.score DESC, v.name, c.service",
            (scan_id, owner),
        ).fetchall()
        model = model_of(connection, scan_id)
        own = risk.Hazard(_product(detail.hazard.values()), detail.hazard)
        reaches = []
        for service, attenuation, scale, score, *ref in above[:most]:
            items = score_items(connection, scan_id, service)
            bill = risk.service_score(_residual(items), model=model)
            _, points = risk.printed(bill)
            at = next((i for i, line in enumerate(bill.lines) if line.finding == finding_id), None)
            line = None if at is None else bill.lines[at]
            reaches.append(
                Reach(
                    service=ref_of(ref),
                    score=score,
                    path=path_to(connection, scan_id, service, owner),
                    attenuation=attenuation,
                    hazard=risk.hazard_there(own, scale, model),
                    printed=0.0 if at is None else points[at],
                    rank=line.rank if line else None,
                    layer_rank=line.layer_rank if line else None,
                )
            )
        return FindingExplanation(
            row=detail.row,
            scan=scans.row(connection, scan_id),
            as_of=stamp(database.now()),
            feeds=tuple(feed.words(database.now()) for feed in feeds.listing(database)),
            hazard=own,
            services=tuple(reaches),
            above=len(above),
            model=model,
        )


@dataclass(frozen=True, slots=True)
class _Part:
    """What a bill says about a finding besides the arithmetic."""

    rule: str
    title: str
    severity: str
    status: str
    owner: ResourceRef
    path: Path
    attenuation: float
    hazard: risk.Hazard


def _bill(
    items: Sequence[tuple[Item, float]], parts: dict[str, _Part], model: risk.RiskModel
) -> Bill:
    score = risk.service_score(
        ((item.finding, item.layer, value) for item, value in items), model=model
    )
    total, points = risk.printed(score)
    lines = []
    for line, printed in zip(score.lines, points, strict=True):
        part = parts[line.finding]
        lines.append(
            BillLine(
                finding=line.finding,
                rule=part.rule,
                title=part.title,
                severity=part.severity,
                status=part.status,
                owner=part.owner,
                layer=line.layer,
                path=part.path,
                hazard=part.hazard,
                attenuation=part.attenuation,
                rank=line.rank,
                layer_rank=line.layer_rank,
                effective=line.effective,
                points=line.points,
                printed=printed,
            )
        )
    return Bill(score.value, total, score.hazard, tuple(lines))


def _residual(items: Iterable[tuple[Item, float]]) -> Iterable[tuple[str, str, float]]:
    return ((item.finding, item.layer, value) for item, value in items if not item.accepted)


def _parts(
    connection: sqlite3.Connection,
    scan_id: int,
    service: int,
    findings: Sequence[str],
    dates: Sequence[FeedInfo],
    model: risk.RiskModel,
) -> dict[str, _Part]:
    found: dict[str, _Part] = {}
    paths: dict[int, Path] = {}
    for start in range(0, len(findings), _PART):
        part = findings[start : start + _PART]
        rows = connection.execute(
            "SELECT f.fid, u.name, o.title, t.severity, t.status, t.resource, c.attenuation, c.scale, "
            "o.severity, o.threat, o.cvss, o.vector, o.weight, f.cve, t.exposure, t.criticality, "
            f"{EXPLOIT_SQL}, {REF_COLUMNS} FROM finding f "
            # CROSS JOIN keeps this order: the other way round reads the whole scan.
            "CROSS JOIN state t ON t.finding = f.id AND t.scan = ? "
            "JOIN rule u ON u.id = t.rule JOIN observation o ON o.id = t.observation "
            "JOIN body b ON b.id = t.body JOIN resource r ON r.id = t.resource "
            "JOIN closure c ON c.scan = t.scan AND c.service = ? AND c.resource = t.resource "
            f"WHERE f.fid IN ({','.join('?' * len(part))})",
            (scan_id, service, *part),
        ).fetchall()
        exploited = feeds.known(connection, [row[13] for row in rows if row[13]])
        for row in rows:
            fid, rule, title, rank, status, resource, attenuation, scale, *rest = row[:17]
            rated, threat, cvss, vector, weight, cve, exposure, criticality, exploit = rest
            if resource not in paths:
                paths[resource] = path_to(connection, scan_id, service, resource)
            severity = severity_of(rank)
            assert severity is not None  # noqa: S101  (the column is NOT NULL)
            seen = Seen(
                finding=fid,
                scan="",
                collected_at="",
                outcome=Outcome.FAIL,
                incarnation=None,
                severity=rated,
                threat=threat,
                cvss=cvss,
                vector=vector,
                weight=weight,
                cve=cve,
                exposure=exposure,
                evidence_hash="",
                rule_version=None,
                owner_tag="",
                criticality=criticality,
                exploit=exploit,
            )
            found[fid] = _Part(
                rule,
                title,
                severity.value,
                status,
                ref_of(row[17:]),
                paths[resource],
                attenuation,
                risk.hazard_there(
                    feeds.dated(weigh(seen, severity, model), exploited.get(cve), dates, model),
                    scale,
                    model,
                ),
            )
    return found


def _number(connection: sqlite3.Connection, key: str) -> int:
    row = connection.execute("SELECT id FROM resource WHERE key = ?", (key,)).fetchone()
    return int(row[0])


def _product(factors: Iterable[tuple[float, str]]) -> float:
    value = 1.0
    for factor, _ in factors:
        value *= factor
    return value
