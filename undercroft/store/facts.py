"""What a decision is based on: the facts about a finding as a scan knows them."""

# ruff: noqa: S608  (only names of our own tables are put together; values are bound)

from __future__ import annotations

from collections.abc import Sequence

from undercroft.model import Outcome, Severity
from undercroft.steps import Step, unwatched
from undercroft.store.connection import Database
from undercroft.store.fresh import ensure_fresh
from undercroft.store.scans import FINISHED
from undercroft.store.statuses import versions_in
from undercroft.triage.events import FindingFacts

__all__ = ["facts_for"]

_PART = 500


def facts_for(
    database: Database,
    finding_ids: Sequence[str],
    scan_id: int | None = None,
    step: Step = unwatched,
) -> dict[str, FindingFacts]:
    """Finding → facts; findings that are in no finished scan (or not in that one) are left out."""
    connection = database.connection()
    if scan_id is not None:
        ensure_fresh(database, scan_id)
    else:
        newest = connection.execute(
            f"SELECT max(id) FROM scan WHERE state IN {FINISHED}"
        ).fetchone()[0]
        if newest is not None:
            ensure_fresh(database, int(newest))
    found: dict[str, FindingFacts] = {}
    wanted = list(dict.fromkeys(finding_ids))
    with database.snapshot() as reading:
        versions = versions_in(reading)
        for start in range(0, len(wanted), _PART):
            step("looking up", start, len(wanted))
            part = wanted[start : start + _PART]
            marks = ",".join("?" * len(part))
            for (
                fid,
                severity,
                exposure,
                incarnation,
                evidence_hash,
                rule,
                scan,
                uid,
                collected_at,
                outcome,
                status,
                title,
                kev,
                epss,
            ) in reading.execute(
                "SELECT f.fid, o.severity, t.exposure, b.incarnation, o.evidence_hash, u.name, "
                "s.id, s.uid, t.collected_at, t.outcome, t.status, o.title, "
                "v.kev IS NOT NULL, v.epss "
                "FROM finding f LEFT JOIN vulnerability v ON v.cve = f.cve JOIN state t ON t.finding = f.id JOIN scan s ON s.id = t.scan "
                "JOIN observation o ON o.id = t.observation JOIN rule u ON u.id = f.rule "
                f"JOIN body b ON b.id = t.body WHERE f.fid IN ({marks}) "
                f"AND s.state IN {FINISHED} AND (? IS NULL OR t.scan = ?) ORDER BY t.scan",
                (*part, scan_id, scan_id),
            ):
                found[fid] = FindingFacts(
                    finding=fid,
                    severity=Severity.from_rank(severity),
                    kev=bool(kev) or None,
                    epss=epss,
                    exposure=exposure,
                    incarnation=incarnation,
                    evidence_hash=evidence_hash,
                    rule_version=versions[scan].get(rule),
                    scan=uid,
                    collected_at=collected_at,
                    outcome=Outcome(outcome),
                    status=status,
                    title=title,
                )
    return found
