"""Exchange formats: what leaves Undercroft, deterministic, filtered and harmless to open."""

from undercroft.exchange.decisions import DecisionFileError, read_decisions, write_decisions
from undercroft.exchange.diff import diff_document, write_diff_markdown
from undercroft.exchange.export import FORMATS, Format, export_findings
from undercroft.exchange.files import FileExistsRefusedError, write_whole
from undercroft.exchange.records import (
    Head,
    finding_document,
    findings_document,
    history_document,
    resource_document,
    scan_document,
    scans_document,
    service_level_record,
)
from undercroft.exchange.services import SERVICE_FORMATS, export_services

__all__ = [
    "FORMATS",
    "SERVICE_FORMATS",
    "DecisionFileError",
    "FileExistsRefusedError",
    "Format",
    "Head",
    "diff_document",
    "export_findings",
    "export_services",
    "finding_document",
    "findings_document",
    "history_document",
    "read_decisions",
    "resource_document",
    "scan_document",
    "scans_document",
    "service_level_record",
    "write_decisions",
    "write_diff_markdown",
    "write_whole",
]
