"""Exchange formats: what leaves Undercroft, deterministic, filtered and harmless to open."""

from undercroft.exchange.export import FORMATS, Format, export_findings
from undercroft.exchange.files import FileExistsRefusedError, write_whole
from undercroft.exchange.records import (
    Head,
    finding_record,
    findings_document,
    scan_record,
    service_record,
)

__all__ = [
    "FORMATS",
    "FileExistsRefusedError",
    "Format",
    "Head",
    "export_findings",
    "finding_record",
    "findings_document",
    "scan_record",
    "service_record",
    "write_whole",
]
