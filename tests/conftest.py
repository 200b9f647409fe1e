"""Fixtures that every test may ask for; no clock on properties; when a test run looks for garbage."""

from __future__ import annotations

import gc
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no fault of what is tested.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

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
