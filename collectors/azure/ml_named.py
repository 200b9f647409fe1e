"""Azure ML: versions of assets that something names, and registries that workspaces share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from collectors.azure.errors import ArmError
from collectors.azure.facts import mappings
from collectors.azure.ids import parse_id
from collectors.azure.ml import ML, MachineLearningReader
from collectors.azure.units import AzureCollector, Node, Unit, Unread, absent, resource_of
from collectors.reading import Ended, Reading, side_by_side
from undercroft.model import Resource
from undercroft.protocols import Collected

__all__ = ["MachineLearningAssets", "MachineLearningRegistries"]


class MachineLearningAssets(MachineLearningReader):
    """Versions of environments, models, code and data that something names and no list gave."""

    name = "azure.ml.assets"
    reads = tuple(
        f"{ML}/workspaces/{segment}"
        for segment in (
            "environments/versions",
            "models/versions",
            "codes/versions",
            "data/versions",
            "datastores",
        )
    )

    def read(self, unit: Unit) -> Reading:
        """Each by its id; what does not exist comes out as absent."""
        unread = Unread()

        def one(named: Resource) -> list[Collected]:
            unread.asked()
            arm = parse_id(named.native_id)
            if arm is None:
                return []
            try:
                config, version = self.one(unit.meter, unit.subscription, arm.text)
            except ArmError as error:
                if error.is_gone:
                    return [absent(named, self.name)]
                unread.failed(error)
                return []
            node = Node(arm, config, self.name)
            self.describe(unit.meter, node, version)
            return resource_of(node)

        for found in side_by_side(unit.wanted, one):
            yield from found
        return unread.ended()


class MachineLearningRegistries(AzureCollector):
    """Registries that share models and environments between workspaces."""

    name = "azure.ml.registries"
    lists = (f"{ML}/registries",)

    def read(self, unit: Unit) -> Reading:
        """From the bulk inventory."""
        for row in self.inventory.resources(unit.meter, unit.subscription, f"{ML}/registries"):
            arm = parse_id(row.get("id"))
            if arm is None:
                continue
            node = Node(arm, row, self.name, service=True)
            node.facts["public_blobs"] = any(
                _public_blobs(account)
                for region in mappings(node.get("regionDetails"))
                for account in mappings(region.get("storageAccountDetails"))
            )
            yield from resource_of(node)
        return Ended()


def _public_blobs(account: Mapping[str, Any]) -> bool:
    made = account.get("systemCreatedStorageAccount")
    return isinstance(made, Mapping) and made.get("allowBlobPublicAccess") is True
