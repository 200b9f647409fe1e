"""The cache: one SQLite file that holds scans, what they observed, and every decision.

Readers get frozen rows (``undercroft.views``); writers stream a scan that appears by one commit.
"""

from typing import TYPE_CHECKING, Any

from undercroft.store.errors import (
    AmbiguousError,
    BusyError,
    GivenUpError,
    NewerSchemaError,
    NotFoundError,
    OlderSchemaError,
    ReadOnlyError,
    StoreError,
)
from undercroft.store.store import Store

if TYPE_CHECKING:
    from undercroft.store.writer import ScanWriter

__all__ = [
    "AmbiguousError",
    "BusyError",
    "GivenUpError",
    "NewerSchemaError",
    "NotFoundError",
    "OlderSchemaError",
    "ReadOnlyError",
    "ScanWriter",
    "Store",
    "StoreError",
]


def __getattr__(name: str) -> Any:
    """The writer brings along all that saving needs; who only reads does without."""
    if name == "ScanWriter":
        from undercroft.store.writer import ScanWriter

        return ScanWriter
    raise AttributeError(name)
