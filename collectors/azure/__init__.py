"""Azure: what AI services exist in its subscriptions, and what they stand on.

The SDK is imported when ``collectors`` or ``preflight`` is called, never by importing this package.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from undercroft.model import Json
from undercroft.protocols import Collector

if TYPE_CHECKING:
    from collectors.azure.session import Arm

__all__ = ["Preflight", "collectors", "preflight"]


@dataclass(frozen=True, slots=True)
class Preflight:
    """What can be said before a scan."""

    endpoint: str
    signed_in: str
    """How the credentials were found; empty if there are none, or none are used."""
    subscriptions: tuple[tuple[str, str], ...]
    """(id, name) of what a scan would read."""
    problems: tuple[str, ...]
    """In words, each with what to do about it; empty: ready."""


def collectors(options: Mapping[str, Json] | None = None) -> list[Collector]:
    """Every Azure collector, on one shared session.

    Options: see ``collectors.azure.session.Arm``; and ``trusted_registries``,
    ``approved_registries``, ``trusted_issuers`` (lists of names that are not foreign).

    Raises:
        EndpointError: the address that options or environment name may not be talked to.
    """
    from collectors.azure.beneath import GROUPS, Beneath
    from collectors.azure.cognitive import CognitiveServices
    from collectors.azure.defender import ContainerImages, DefenderPlans
    from collectors.azure.inventory import Inventory
    from collectors.azure.ml import MachineLearning
    from collectors.azure.ml_named import MachineLearningAssets, MachineLearningRegistries
    from collectors.azure.roles import Identities
    from collectors.azure.services import KINDS, ServiceList, ServicesReferenced
    from collectors.azure.session import Arm
    from collectors.azure.units import AzureCollector

    inventory = Inventory(Arm(options))
    late = {"azure.keyvault", "azure.network.groups"}
    stages: list[list[AzureCollector]] = [
        # Services, and what belongs to them.
        [
            MachineLearning(inventory),
            MachineLearningRegistries(inventory),
            CognitiveServices(inventory),
            *(ServiceList(inventory, name) for name in KINDS),
        ],
        # What they only refer to.
        [MachineLearningAssets(inventory), ServicesReferenced(inventory)],
        # What all of that stands on.
        [
            ContainerImages(inventory),
            *(Beneath(inventory, name) for name in GROUPS if name not in late),
        ],
        # What that refers to in turn.
        [Identities(inventory), *(Beneath(inventory, name) for name in GROUPS if name in late)],
        # Who watches over it.
        [DefenderPlans(inventory)],
    ]
    for stage, found in enumerate(stages):
        for collector in found:
            collector.stage = stage
    return [collector for found in stages for collector in found]


def preflight(options: Mapping[str, Json] | None = None) -> Preflight:
    """Who the credentials are and what a scan would read: one or two calls, never raises."""
    from collectors.azure.endpoint import EndpointError
    from collectors.azure.session import Arm

    try:
        return _preflight(Arm(options))
    except EndpointError as error:
        return Preflight("", "", (), (str(error),))


def _preflight(arm: Arm) -> Preflight:
    from collectors.azure.credentials import link_of
    from collectors.azure.errors import ArmError

    problems: list[str] = []
    chosen: list[tuple[str, str]] = []
    try:
        for one in arm.subscriptions():
            if one.state == "NotVisible":
                problems.append(f"the credentials do not see subscription {one.id}; check its id")
            elif not one.readable:
                problems.append(f"subscription {one.name or one.id} is {one.state.lower()}")
            else:
                chosen.append((one.id, one.name))
        if not chosen and not problems:
            problems.append("the credentials see no subscription; assign them the role Reader")
    except ArmError as error:
        problems.append(error.reason)
    signed_in = "no credential (plain http on this machine)"
    if not arm.endpoint.plain:
        signed_in = link_of(arm.credential)
    return Preflight(arm.endpoint.url, signed_in, tuple(chosen), tuple(problems))
