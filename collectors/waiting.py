"""Waiting that ends when the scan is asked to stop."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["NAP", "wait"]

NAP = 0.2
"""Seconds after which a wait looks again whether it is still wanted."""


def wait(seconds: float, check: Callable[[], None]) -> None:
    """Wait ``seconds``; ``check`` is asked every moment and raises to end it (``Meter.check``)."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        check()
        time.sleep(min(left, NAP))
