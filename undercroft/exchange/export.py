"""Writes findings in the format that was asked for, a row at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import TextIO

from undercroft.exchange.lines import write_lines
from undercroft.exchange.markdown import write_markdown
from undercroft.exchange.records import FINDINGS_SCHEMA, Head, finding_record, opening
from undercroft.exchange.table import write_csv
from undercroft.triage.limits import ServiceLevel
from undercroft.views import FindingRecord

__all__ = ["FORMATS", "Format", "export_findings"]


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


def export_findings(
    findings: Iterable[FindingRecord], head: Head, form: Format, out: TextIO
) -> None:
    """Write ``findings`` as they come; the same input gives the same bytes."""
    _WRITERS[form](findings, head, out)


def _write_json(findings: Iterable[FindingRecord], head: Head, out: TextIO) -> None:
    """One document, but never all of it in memory."""
    text = json.dumps(opening(FINDINGS_SCHEMA, head), indent=2, ensure_ascii=True)
    out.write(text.removesuffix("\n}") + ',\n  "findings": [')
    separator = "\n"
    for detail in findings:
        body = json.dumps(finding_record(detail, head), indent=2, ensure_ascii=True)
        out.write(separator + "    " + body.replace("\n", "\n    "))
        separator = ",\n"
    out.write("\n  ]\n}\n" if separator != "\n" else "]\n}\n")


_WRITERS: dict[Format, Callable[[Iterable[FindingRecord], Head, TextIO], None]] = {
    Format.CSV: write_csv,
    Format.JSON: _write_json,
    Format.JSONL: write_lines,
    Format.MARKDOWN: write_markdown,
}
