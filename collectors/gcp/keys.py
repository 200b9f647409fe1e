"""KMS keys and BigQuery data sets that something stands on, each asked for by its name."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from collectors.gcp import names
from collectors.gcp.clients import Clients, name_in_path
from collectors.gcp.errors import CallError
from collectors.gcp.names import CRYPTO_KEY, REQUEST_LOG
from collectors.gcp.policies import Policies, bindings
from collectors.gcp.units import GcpCollector, Unit, Unread, labels_of
from collectors.reading import Gaps, Reading, side_by_side
from collectors.references import Reference, link
from undercroft.model import Presence, Resource
from undercroft.protocols import Collected
from undercroft.relations import Relation

__all__ = ["DATASET", "CryptoKeyCollector", "DatasetCollector"]

DATASET = "bigquery.googleapis.com/Dataset"
_DATASET_REFERENCES = (
    Reference(
        "defaultEncryptionConfiguration.kmsKeyName", names.crypto_key, Relation.ENCRYPTED_WITH
    ),
)


class _ByName(GcpCollector):
    """What is read one by one; ``fetch`` reads one."""

    def read(self, unit: Unit) -> Reading:
        """Every wanted one."""
        gaps, unread = Gaps(), Unread()
        fetch: Callable[[Resource, Unit], list[Collected]] = self.fetch

        def one(stub: Resource) -> list[Collected] | tuple[Resource, CallError]:
            try:
                return fetch(stub, unit)
            except CallError as error:
                if error.missing:
                    facts = {"exists": False}
                    return [
                        replace(stub, presence=Presence.ABSENT, facts=facts, collector=self.name)
                    ]
                return replace(stub, unknown={"config": error.unknown}, collector=self.name), error

        for found in side_by_side(unit.wanted, one):
            if isinstance(found, tuple):
                unread.add(found[1])
                yield found[0]
            else:
                gaps.note(found)
                yield from found
        return unread.ended(gaps)

    @abstractmethod
    def fetch(self, stub: Resource, unit: Unit) -> list[Collected]:
        """One resource with its references; raises ``CallError``."""


class CryptoKeyCollector(_ByName):
    """Keys with their own policies and those of their rings."""

    name = "gcp.kms"
    reads = (CRYPTO_KEY,)
    api = "cloudkms"

    def __init__(self, clients: Clients) -> None:
        super().__init__(clients)
        self._policies = Policies(clients)

    def fetch(self, stub: Resource, unit: Unit) -> list[Collected]:
        """A key."""
        relative = stub.native_id.removeprefix("//cloudkms.googleapis.com/")
        path = f"/v1/{'/'.join(name_in_path(part) for part in relative.split('/'))}"
        config: dict[str, Any] = self.clients.get(unit.meter, "cloudkms", path)
        unknown: dict[str, str] = {}
        self._policies.attach_or_ask(
            stub.account, stub.native_id, unit.meter, config, unknown,
            ("cloudkms", f"{path}:getIamPolicy"),
        )  # fmt: skip
        ring: dict[str, Any] = {}
        self._policies.attach_or_ask(
            stub.account, stub.native_id.partition("/cryptoKeys/")[0], unit.meter, ring, unknown,
            ("cloudkms", f"{path.partition('/cryptoKeys/')[0]}:getIamPolicy"),
        )  # fmt: skip
        if "iamPolicy" in config and "iamPolicy" in ring:
            # What the ring grants, every key in it grants.
            config["iamPolicy"] = {
                **config["iamPolicy"],
                "bindings": [*bindings(config["iamPolicy"]), *bindings(ring["iamPolicy"])],
            }
        created = config.get("createTime")
        return [
            replace(
                stub,
                tags=labels_of(config),
                config=config,
                unknown=unknown,
                incarnation=created if isinstance(created, str) else None,
                presence=Presence.READ,
                collector=self.name,
            )
        ]  # fmt: skip


class DatasetCollector(_ByName):
    """BigQuery data sets, and logs in them; who may read them stands in the answer itself."""

    name = "gcp.bigquery"
    reads = (DATASET, REQUEST_LOG)

    def fetch(self, stub: Resource, unit: Unit) -> list[Collected]:
        """A data set."""
        path = (
            f"/bigquery/v2/projects/{name_in_path(stub.account)}/datasets/{name_in_path(stub.name)}"
        )
        config = self.clients.remember(
            ("data set", path), lambda: self.clients.get(unit.meter, "bigquery", path)
        )
        created = config.get("creationTime")
        resource = replace(
            stub,
            region=str(config.get("location") or "-").lower(),
            tags=labels_of(config),
            config=config,
            incarnation=str(created) if created else None,
            presence=Presence.READ,
            collector=self.name,
        )
        if stub.type == REQUEST_LOG:
            return [replace(resource, implied=True)]
        return [resource, *self._links(unit, resource)]

    def _links(self, unit: Unit, resource: Resource) -> Iterator[Collected]:
        yield from link(unit.place, resource.key, resource.config, _DATASET_REFERENCES)
