"""Writes AI services in the format that was asked for."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable
from typing import TextIO

from undercroft.exchange.cells import cell
from undercroft.exchange.export import Format
from undercroft.exchange.records import Head, service_record, services_document
from undercroft.model import LAYERS
from undercroft.views import ServiceRow

__all__ = ["SERVICE_FORMATS", "export_services"]

SERVICE_FORMATS = (Format.CSV, Format.JSON)
"""What services can be written as."""

_PLAIN_COLUMNS = (
    "key", "id", "name", "type", "provider", "account", "region", "owner", "score", "inherent",
    "change", "open", "accepted", "claimed", "combinations", "unread",
)  # fmt: skip
"""Keys of a service's record that hold one value; a column per layer follows them."""


def export_services(services: Iterable[ServiceRow], head: Head, form: Format, out: TextIO) -> None:
    """Write ``services`` as they come. KeyError for a format not in ``SERVICE_FORMATS``."""
    _WRITERS[form](services, head, out)


def _write_csv(services: Iterable[ServiceRow], head: Head, out: TextIO) -> None:  # noqa: ARG001
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([*_PLAIN_COLUMNS, *(layer.value for layer in LAYERS)])
    for row in services:
        record = service_record(row)
        values = ["" if record[name] is None else record[name] for name in _PLAIN_COLUMNS]
        worst = [row.layers[layer].worst or "" for layer in LAYERS]
        writer.writerow([cell(value) for value in (*values, *worst)])


def _write_json(services: Iterable[ServiceRow], head: Head, out: TextIO) -> None:
    json.dump(services_document(head, services), out, indent=2, ensure_ascii=True)
    out.write("\n")


_WRITERS: dict[Format, Callable[[Iterable[ServiceRow], Head, TextIO], None]] = {
    Format.CSV: _write_csv,
    Format.JSON: _write_json,
}
