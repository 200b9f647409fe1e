"""A local Resource Manager with the Azure estate, fresh for each test that breaks it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cloud.arm import ArmServer
from tests.cloud.arm_seed import seed_arm
from tests.cloud.estate import load_estate


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
