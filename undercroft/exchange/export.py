"""Writes findings in the format that was asked for, a row at a time."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import TextIO

from undercroft.exchange.cells import cells
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
from undercroft.triage.limits import ServiceLevel
from undercroft.views import ResourceRef

__all__ = ["CSV_COLUMNS", "DUE_COLUMNS", "FORMATS", "Format", "export_findings"]


_KEPT = 20_000
"""Texts that are kept for further rows."""
_json = json.JSONEncoder(ensure_ascii=False).encode


class Format(StrEnum):
    """What findings can be written as."""

    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"
    MARKDOWN = "markdown"

    def has_ages(self, level: ServiceLevel) -> bool:
        """Whether it says how old findings are or when they are due, which takes some working out."""
        return bool(level.days or level.catalogue) or self in {Format.JSON, Format.JSONL}


FORMATS = {
    Format.CSV: "spreadsheet, one row a finding",
    Format.JSON: "one document with the scan's coverage",
    Format.JSONL: "one finding a line, for pipes",
    Format.MARKDOWN: "a report to read or to paste",
}
"""Format → what it is good for."""

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


def export_findings(findings: Iterable[Exportable], head: Head, form: Format, out: TextIO) -> None:
    """Write ``findings`` as they come; the same input gives the same bytes."""
    _WRITERS[form](findings, head, out)


def _write_csv(findings: Iterable[Exportable], head: Head, out: TextIO) -> None:
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([*CSV_COLUMNS, *DUE_COLUMNS])
    names, level, now = _Names(), head.level, head.moment
    for detail in findings:
        due = (service_level_record(detail, level, now) if level.days else None) or {}
        last = str(due.get("due", "")), "yes" if due.get("overdue") else ""
        writer.writerow(cells((*_csv_values(detail, names), *last)))


class _Names:
    """Names of the services above a finding in one cell; most findings share theirs with others."""

    def __init__(self) -> None:
        # The tuples are kept, so that none gets the identity of another.
        self._known: dict[int, tuple[Sequence[ResourceRef], str]] = {}

    def of(self, services: Sequence[ResourceRef]) -> str:
        known = self._known.get(id(services))
        if known is None:
            if len(self._known) > _KEPT:
                self._known.clear()
            text = " | ".join(sorted(item.name for item in services))
            known = self._known[id(services)] = services, text
        return known[1]


def _csv_values(detail: Exportable, names: _Names) -> tuple[str, ...]:
    """A finding's cells, in the order of ``CSV_COLUMNS``."""
    row, decision = detail.row, detail.decision
    return (
        row.id,
        row.severity.value,
        row.status,
        row.cause,
        "yes" if row.unconfirmed else "",
        f"{row.score:.1f}",
        row.title,
        row.rule,
        row.cve or "",
        row.package or "",
        row.layer.value,
        row.provider,
        row.account,
        row.region,
        row.resource_name,
        row.resource_type,
        row.resource_id,
        row.resource_key,
        names.of(detail.services),
        " | ".join(f"{item.path}={_json(item.value)}" for item in detail.evidence),
        row.first_seen,
        row.last_seen,
        decision.kind if decision else "",
        decision.reason if decision else "",
        row.until or "",
        row.owner or "",
    )


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
