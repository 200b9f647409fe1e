"""Findings as CSV: a row each, its text put together from cells that are known already."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TextIO

from undercroft.exchange.cells import quoted
from undercroft.exchange.records import Head, service_level_record
from undercroft.exchange.texts import OfServices, Remembered, only_item
from undercroft.views import FindingRecord, ResourceRef

__all__ = ["CSV_COLUMNS", "DUE_COLUMNS", "write_csv"]

CSV_COLUMNS = (
    "id",
    "severity",
    "status",
    "cause",
    "unconfirmed",
    "score",
    "title",
    "rule",
    "cve",
    "package",
    "layer",
    "provider",
    "account",
    "region",
    "resource",
    "resource_type",
    "resource_id",
    "resource_key",
    "services",
    "evidence",
    "first_seen",
    "last_seen",
    "decision",
    "reason",
    "until",
    "owner",
)
"""The order is part of the format."""
DUE_COLUMNS = ("due", "overdue")
"""What a service level adds at the end."""

_dump = json.JSONEncoder(ensure_ascii=False).encode


def write_csv(findings: Iterable[FindingRecord], head: Head, out: TextIO) -> None:
    """A heading, then a line per finding, each ended by CR LF."""
    out.write(",".join([*CSV_COLUMNS, *DUE_COLUMNS]) + "\r\n")
    cells, names, level, now = Remembered(quoted), OfServices(_names), head.level, head.moment
    is_limited = bool(level.days or level.catalogue)
    for detail in findings:
        (
            fid, rule, title, severity, status, cause, unconfirmed, layer, provider, account, region,
            key, native_id, name, kind, score, cve, package, _, first_seen, last_seen, until, owner, _,
        ) = detail.row  # fmt: skip
        decision = detail.decision
        decided = "," if decision is None else f"{cells[decision.kind]},{cells[decision.reason]}"
        due = (service_level_record(detail, level, now) if is_limited else None) or {}
        out.write(
            f"{quoted(fid)},{severity},{cells[status]},{cells[cause]},{'yes' if unconfirmed else ''},"
            f"{score:.1f},{cells[title]},{cells[rule]},{cells[cve or '']},{cells[package or '']},"
            f"{layer},{cells[provider]},{cells[account]},{cells[region]},{cells[name]},{cells[kind]},"
            f"{cells[native_id]},{cells[key]},{names.text(detail.services)},{_proof(detail)},"
            f"{cells[first_seen]},{cells[last_seen]},{decided},{cells[until or '']},"
            f"{cells[owner or '']},{due.get('due', '')},{'yes' if due.get('overdue') else ''}\r\n"
        )


def _proof(detail: FindingRecord) -> str:
    """What decided, in one cell."""
    item = only_item(detail.proof, '""')
    if item is None:
        return quoted(" | ".join(f"{one.path}={_dump(one.value)}" for one in detail.evidence))
    path, value = item
    if '"' in value and path[:1].isalnum():
        return f'"{path}={value}"'
    return quoted(f"{path}={value}".replace('""', '"'))


def _names(services: Sequence[ResourceRef]) -> str:
    return quoted(" | ".join(sorted(item.name for item in services)))
