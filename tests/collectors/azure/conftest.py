"""A local Resource Manager with the Azure estate, fresh for each test that breaks it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cloud.arm import ArmServer
from tests.cloud.arm_seed import seed_arm
from tests.cloud.estate import Entry, Estate, load_estate


@pytest.fixture
def server() -> Iterator[ArmServer]:
    with ArmServer() as arm:
        seed_arm(arm, load_estate("azure"))
        yield arm


@pytest.fixture
def empty() -> Iterator[ArmServer]:
    with ArmServer() as arm:
        arm.subscriptions = [
            {
                "subscriptionId": "11111111-2222-3333-4444-555555555555",
                "displayName": "production",
                "state": "Enabled",
                "tenantId": "t",
            }
        ]
        yield arm


@pytest.fixture
def small() -> Iterator[ArmServer]:
    """One workspace and one account, where the whole estate would only cost time."""
    things = {
        "ws": {"type": "workspace"},
        "ci": {"type": "compute"},
        "ai": {"type": "account"},
        "strict": {"type": "filter", "within": "ai"},
        "ml-identity": {"type": "identity"},
    }
    resources = tuple(Entry(name, "", spec) for name, spec in things.items())
    with ArmServer() as arm:
        seed_arm(
            arm, Estate("small", {"subscriptions": (Entry("one", "", {}),), "resources": resources})
        )
        yield arm
