"""What the export dialog writes: findings in every exchange format, services as CSV or JSON."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TextIO

from tui.dialogs.export import FORMATS, ExportDialog
from undercroft.exchange import (
    SERVICE_FORMATS,
    Format,
    Head,
    export_findings,
    export_services,
    write_whole,
)
from undercroft.store import Store
from undercroft.triage.limits import ServiceLevel
from undercroft.views import FindingRecord, Query, ServiceRow

__all__ = ["export_dialog"]

_PREVIEW_ROWS = 8


def export_dialog(
    *,
    store: Store,
    scan_id: int,
    query: Query,
    total: int,
    now: datetime,
    what: str = "findings",
    level: ServiceLevel | None = None,
) -> ExportDialog:
    """The dialog for what a list shows. ``what``: ``findings`` or ``services``."""
    if what == "services":
        services = _Services(store, scan_id, query, now)
        return ExportDialog(
            what="service",
            total=total,
            filter_text=query.filter,
            preview=services.preview,
            write=services.write,
            stem=f"undercroft-services-{now:%Y-%m-%d}",
            formats=[choice for choice in FORMATS if choice.value in SERVICE_FORMATS],
        )
    findings = _Findings(store, scan_id, query, now, level)
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

    def __init__(
        self, store: Store, scan_id: int, query: Query, now: datetime, level: ServiceLevel | None
    ) -> None:
        self._store, self._scan_id, self._query, self._now = store, scan_id, query, now
        self._level = level

    def preview(self, form: str) -> str:
        out = io.StringIO()
        export_findings(islice(self._records(form), _PREVIEW_ROWS), self._head(), Format(form), out)
        return out.getvalue()

    def write(self, form: str, path: Path) -> int:
        counted = _Counted(self._records(form))
        write_whole(path, lambda out: export_findings(counted, self._head(), Format(form), out))
        return counted.number

    def _head(self) -> Head:
        return _head(self._store, self._scan_id, self._query, self._now, self._level)

    def _records(self, form: str) -> Iterator[FindingRecord]:
        return self._store.iter_records(
            self._scan_id, self._query, ages=Format(form).has_ages(self._head().level)
        )


class _Counted:
    """Counts what passes through."""

    def __init__(self, records: Iterable[FindingRecord]) -> None:
        self._records, self.number = records, 0

    def __iter__(self) -> Iterator[FindingRecord]:
        for record in self._records:
            self.number += 1
            yield record


class _Services:
    def __init__(self, store: Store, scan_id: int, query: Query, now: datetime) -> None:
        self._store, self._scan_id, self._query, self._now = store, scan_id, query, now

    def preview(self, form: str) -> str:
        out = io.StringIO()
        rows = self._store.services(self._scan_id, self._query, limit=_PREVIEW_ROWS)
        self._put(rows, form, out)
        return out.getvalue()

    def write(self, form: str, path: Path) -> int:
        rows = self._store.services(self._scan_id, self._query)
        write_whole(path, lambda out: self._put(rows, form, out))
        return len(rows)

    def _put(self, rows: Sequence[ServiceRow], form: str, out: TextIO) -> None:
        export_services(
            rows, _head(self._store, self._scan_id, self._query, self._now), Format(form), out
        )


def _head(
    store: Store, scan_id: int, query: Query, now: datetime, level: ServiceLevel | None = None
) -> Head:
    return Head.of(store, store.scan(str(scan_id)), query.filter, now, level)
