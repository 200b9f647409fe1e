"""Fixtures that every test may ask for, and when a test run looks for garbage."""

from __future__ import annotations

import gc
from collections.abc import Generator

import pytest

pytest_plugins = ["tests.cloud.fixtures", "tests.end_to_end.fixtures"]

_THRESHOLDS = (10_000, 10, 10)
"""Objects made, and collections of the younger generations, between two looks."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collecting makes modules and tests, which stay to the end: no garbage is looked for meanwhile,
    and never among them. With SDKs and their models in memory, looking as often as a small program
    should takes a fifth of the whole run.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_THRESHOLDS)
        gc.enable()
