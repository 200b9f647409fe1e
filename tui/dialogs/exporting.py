"""What the export dialog writes: findings in every exchange format, services as CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TextIO

from tui.dialogs.export import FORMATS, ExportDialog
from undercroft import __version__
from undercroft.exchange import (
    Format,
    Head,
    export_findings,
    scan_record,
    service_record,
    write_whole,
)
from undercroft.exchange.export import cell
from undercroft.model import Json
from undercroft.store import Store
from undercroft.views import FindingRecord, Query, ServiceRow

__all__ = ["export_dialog"]

_PREVIEW_ROWS = 8
_SERVICE_COLUMNS = (
    "key", "id", "name", "type", "provider", "account", "region", "score", "open", "accepted",
    "combinations",
)  # fmt: skip


def export_dialog(
    *,
    store: Store,
    scan_id: int,
    query: Query,
    total: int,
    now: datetime,
    what: str = "findings",
) -> ExportDialog:
    """The dialog for what a list shows. ``what``: ``findings`` or ``services``."""
    if what == "services":
        services = _Services(store, scan_id, query)
        return ExportDialog(
            what="service",
            total=total,
            filter_text=query.filter,
            preview=services.preview,
            write=services.write,
            stem=f"undercroft-services-{now:%Y-%m-%d}",
            formats=[choice for choice in FORMATS if choice.value in {"csv", "json"}],
        )
    findings = _Findings(store, scan_id, query, now)
    return ExportDialog(
        what="finding",
        total=total,
        filter_text=query.filter,
        preview=findings.preview,
        write=findings.write,
        stem=f"undercroft-findings-{now:%Y-%m-%d}",
    )


class _Findings:
    """Reads row by row, so that a million findings never are in memory."""

    def __init__(self, store: Store, scan_id: int, query: Query, now: datetime) -> None:
        self._store, self._scan_id, self._query, self._now = store, scan_id, query, now

    def preview(self, form: str) -> str:
        out = io.StringIO()
        export_findings(islice(self._records(), _PREVIEW_ROWS), self._head(), Format(form), out)
        return out.getvalue()

    def write(self, form: str, path: Path) -> int:
        counted = _Counted(self._records())
        write_whole(path, lambda out: export_findings(counted, self._head(), Format(form), out))
        return counted.number

    def _head(self) -> Head:
        scan = self._store.scan(str(self._scan_id))
        coverage = self._store.coverage(self._scan_id)
        as_of = self._now.isoformat().replace("+00:00", "Z")
        return Head(__version__, scan, coverage, self._query.filter, as_of)

    def _records(self) -> Iterator[FindingRecord]:
        return self._store.iter_records(self._scan_id, self._query)


class _Counted:
    """Counts what passes through."""

    def __init__(self, records: Iterable[FindingRecord]) -> None:
        self._records, self.number = records, 0

    def __iter__(self) -> Iterator[FindingRecord]:
        for record in self._records:
            self.number += 1
            yield record


class _Services:
    def __init__(self, store: Store, scan_id: int, query: Query) -> None:
        self._store, self._scan_id, self._query = store, scan_id, query

    def preview(self, form: str) -> str:
        out = io.StringIO()
        rows = self._store.services(self._scan_id, self._query, limit=_PREVIEW_ROWS)
        self._put(rows, form, out)
        return out.getvalue()

    def write(self, form: str, path: Path) -> int:
        rows = self._store.services(self._scan_id, self._query)
        write_whole(path, lambda out: self._put(rows, form, out))
        return len(rows)

    def _put(self, rows: Iterable[ServiceRow], form: str, out: TextIO) -> None:
        records = [service_record(row) for row in rows]
        if form == "csv":
            writer = csv.writer(out, lineterminator="\r\n")
            writer.writerow(_SERVICE_COLUMNS)
            for record in records:
                writer.writerow(cell(record.get(column, "")) for column in _SERVICE_COLUMNS)
            return
        scan = self._store.scan(str(self._scan_id))
        document: dict[str, Json] = {
            "schema": "undercroft/services/1",
            "scan": scan_record(scan, self._store.coverage(self._scan_id)),
            "services": records,
        }
        json.dump(document, out, indent=2, ensure_ascii=True)
        out.write("\n")
