"""Writes findings in the format that was asked for, a row at a time."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import TextIO

from undercroft.exchange.cells import cell
from undercroft.exchange.markdown import write_markdown
from undercroft.exchange.records import (
    FINDINGS_SCHEMA,
    Exportable,
    Head,
    finding_document,
    finding_record,
    opening,
    service_level_record,
)

__all__ = ["CSV_COLUMNS", "DUE_COLUMNS", "FORMATS", "Format", "export_findings"]


class Format(StrEnum):
    """What findings can be written as."""

    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"
    MARKDOWN = "markdown"


FORMATS = {
    Format.CSV: "spreadsheet, one row a finding",
    Format.JSON: "one document with the scan's coverage",
    Format.JSONL: "one finding a line, for pipes",
    Format.MARKDOWN: "a report to read or to paste",
}
"""Format → what it is good for."""

CSV_COLUMNS: dict[str, Callable[[Exportable], object]] = {
    "id": lambda detail: detail.row.id,
    "severity": lambda detail: detail.row.severity.value,
    "status": lambda detail: detail.row.status,
    "cause": lambda detail: detail.row.cause,
    "unconfirmed": lambda detail: "yes" if detail.row.unconfirmed else "",
    "score": lambda detail: f"{detail.row.score:.1f}",
    "title": lambda detail: detail.row.title,
    "rule": lambda detail: detail.row.rule,
    "cve": lambda detail: detail.row.cve or "",
    "package": lambda detail: detail.row.package or "",
    "layer": lambda detail: detail.row.layer.value,
    "provider": lambda detail: detail.row.provider,
    "account": lambda detail: detail.row.account,
    "region": lambda detail: detail.row.region,
    "resource": lambda detail: detail.row.resource_name,
    "resource_type": lambda detail: detail.row.resource_type,
    "resource_id": lambda detail: detail.row.resource_id,
    "resource_key": lambda detail: detail.row.resource_key,
    "services": lambda detail: " | ".join(sorted(item.name for item in detail.services)),
    "evidence": lambda detail: " | ".join(
        f"{item.path}={json.dumps(item.value, ensure_ascii=False)}" for item in detail.evidence
    ),
    "first_seen": lambda detail: detail.row.first_seen,
    "last_seen": lambda detail: detail.row.last_seen,
    "decision": lambda detail: detail.decision.kind if detail.decision else "",
    "reason": lambda detail: detail.decision.reason if detail.decision else "",
    "until": lambda detail: detail.row.until or "",
    "owner": lambda detail: detail.row.owner or "",
}
"""Column → its value; the order is part of the format."""
DUE_COLUMNS = ("due", "overdue")
"""What a service level adds at the end."""


def export_findings(findings: Iterable[Exportable], head: Head, form: Format, out: TextIO) -> None:
    """Write ``findings`` as they come; the same input gives the same bytes."""
    _WRITERS[form](findings, head, out)


def _write_csv(findings: Iterable[Exportable], head: Head, out: TextIO) -> None:
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([*CSV_COLUMNS, *DUE_COLUMNS])
    now = head.moment
    for detail in findings:
        due = service_level_record(detail, head.level, now) or {}
        values = [value(detail) for value in CSV_COLUMNS.values()]
        values += [due.get("due", ""), "yes" if due.get("overdue") else ""]
        writer.writerow(map(cell, values))


def _write_jsonl(findings: Iterable[Exportable], head: Head, out: TextIO) -> None:
    for detail in findings:
        out.write(json.dumps(finding_document(head, detail), ensure_ascii=True))
        out.write("\n")


def _write_json(findings: Iterable[Exportable], head: Head, out: TextIO) -> None:
    """One document, but never all of it in memory."""
    text = json.dumps(opening(FINDINGS_SCHEMA, head), indent=2, ensure_ascii=True)
    out.write(text.removesuffix("\n}") + ',\n  "findings": [')
    separator = "\n"
    for detail in findings:
        body = json.dumps(finding_record(detail, head), indent=2, ensure_ascii=True)
        out.write(separator + "    " + body.replace("\n", "\n    "))
        separator = ",\n"
    out.write("\n  ]\n}\n" if separator != "\n" else "]\n}\n")


_WRITERS: dict[Format, Callable[[Iterable[Exportable], Head, TextIO], None]] = {
    Format.CSV: _write_csv,
    Format.JSON: _write_json,
    Format.JSONL: _write_jsonl,
    Format.MARKDOWN: write_markdown,
}
