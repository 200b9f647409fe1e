"""Exchange formats: what leaves Undercroft, deterministic, filtered and harmless to open.

Each format is imported when it is first asked for: a command writes one of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_WHERE = {
    "FORMATS": "export",
    "SERVICE_FORMATS": "services",
    "DecisionFileError": "decisions",
    "FileExistsRefusedError": "files",
    "Format": "export",
    "Head": "records",
    "diff_document": "diff",
    "export_findings": "export",
    "export_services": "services",
    "finding_document": "records",
    "findings_document": "records",
    "history_document": "records",
    "read_decisions": "decisions",
    "resource_document": "records",
    "scan_document": "records",
    "scans_document": "records",
    "service_level_record": "records",
    "write_decisions": "decisions",
    "write_diff_markdown": "diff",
    "write_whole": "files",
}


def __getattr__(name: str) -> Any:
    """A name of this package, from the module that has it."""
    if name not in _WHERE:
        raise AttributeError(name)
    return getattr(import_module(f"undercroft.exchange.{_WHERE[name]}"), name)
