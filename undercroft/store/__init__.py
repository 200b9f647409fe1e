"""The cache: one SQLite file that holds scans, what they observed, and every decision.

Readers get frozen rows (``undercroft.views``); writers stream a scan that appears by one commit.
"""

from undercroft.store.errors import (
    AmbiguousError,
    NewerSchemaError,
    NotFoundError,
    ReadOnlyError,
    StoreError,
)
from undercroft.store.store import Store
from undercroft.store.writer import ScanWriter

__all__ = [
    "AmbiguousError",
    "NewerSchemaError",
    "NotFoundError",
    "ReadOnlyError",
    "ScanWriter",
    "Store",
    "StoreError",
]
