"""GKE clusters with accelerators, and Cloud TPU machines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from collectors.gcp import names
from collectors.gcp.clients import items, name_in_path
from collectors.gcp.names import compute, parse_name, service_account
from collectors.gcp.units import GcpCollector, Unit, in_project, labels_of
from collectors.reading import Ended, Reading
from collectors.references import Reference, link
from collectors.values import mappings
from undercroft.identity import gcp_key
from undercroft.model import CoverageStatus, Edge, Json, Layer, Resource
from undercroft.protocols import Collected
from undercroft.relations import Relation

__all__ = ["CLUSTER", "NODE_POOL", "TPU", "ClusterCollector", "TpuCollector"]

CLUSTER = "container.googleapis.com/Cluster"
NODE_POOL = "container.googleapis.com/NodePool"
TPU = "tpu.googleapis.com/Node"

_CLUSTER_REFERENCES = (
    Reference("networkConfig.network", compute("networks"), Relation.PROTECTED_BY),
    Reference("networkConfig.subnetwork", compute("subnetworks"), Relation.PROTECTED_BY),
    Reference("databaseEncryption.keyName", names.crypto_key, Relation.ENCRYPTED_WITH),
)
_POOL_REFERENCES = (
    Reference("config.serviceAccount", service_account, Relation.USES_IDENTITY),
    Reference("config.bootDiskKmsKey", names.crypto_key, Relation.ENCRYPTED_WITH),
)
_TPU_REFERENCES = (
    Reference("serviceAccount.email", service_account, Relation.USES_IDENTITY),
    Reference("networkConfig.network", compute("networks"), Relation.PROTECTED_BY),
)


class ClusterCollector(GcpCollector):
    """All clusters of a project in one call; those without accelerators are left out."""

    name = "gcp.gke"
    api = "container"
    lists = (CLUSTER, NODE_POOL)

    def read(self, unit: Unit) -> Reading:
        """Clusters and their pools with accelerators."""
        project = unit.place.project
        path = f"/v1/projects/{name_in_path(project)}/locations/-/clusters"
        page = self.clients.get(unit.meter, "container", path)
        for item in items("container", page, "clusters"):
            pools = [pool for pool in mappings(item.get("nodePools")) if _has_accelerators(pool)]
            if pools and unit.covers(str(item.get("location"))):
                yield from self._cluster(unit, item, pools)
        missing = page.get("missingZones")
        if isinstance(missing, list) and missing:
            places = ", ".join(sorted(str(zone) for zone in missing))
            return Ended(f"no answer from {places}", CoverageStatus.ERROR)
        return Ended()

    def _cluster(
        self, unit: Unit, item: Mapping[str, Any], pools: list[Mapping[str, Json]]
    ) -> Iterator[Collected]:
        project, location, name = (
            unit.place.project,
            str(item.get("location")),
            str(item.get("name")),
        )
        native = (
            f"//container.googleapis.com/projects/{project}/locations/{location}/clusters/{name}"
        )
        unique = item.get("id")
        cluster = Resource(
            key=gcp_key(project, "container", location, "clusters", name),
            provider="gcp",
            account=project,
            region=location,
            type=CLUSTER,
            layer=Layer.SERVICE,
            name=name,
            native_id=native,
            tags=labels_of(item, "resourceLabels"),
            config=item,
            incarnation=str(unique) if unique else None,
            service=True,
            collector=self.name,
        )
        yield cluster
        yield from link(unit.place, cluster.key, item, _CLUSTER_REFERENCES)
        yield from in_project(cluster)
        for pool in pools:
            resource = Resource(
                key=gcp_key(
                    project, "container", location, "nodePools", f"{name}/{pool.get('name')}"
                ),
                provider="gcp",
                account=project,
                region=location,
                type=NODE_POOL,
                layer=Layer.VM,
                name=f"{name}/{pool.get('name')}",
                native_id=f"{native}/nodePools/{pool.get('name')}",
                config=pool,
                collector=self.name,
            )
            yield resource
            yield Edge(cluster.key, resource.key, Relation.RUNS_ON, "nodePools")
            yield from link(unit.place, resource.key, pool, _POOL_REFERENCES)


class TpuCollector(GcpCollector):
    """All TPU machines of a project in one call."""

    name = "gcp.tpu"
    api = "tpu"
    lists = (TPU,)

    def read(self, unit: Unit) -> Reading:
        """Every node."""
        path = f"/v2/projects/{name_in_path(unit.place.project)}/locations/-/nodes"
        silent = set[str]()
        for page in self.clients.whole_pages(unit.meter, "tpu", path):
            unreachable = page.get("unreachable")
            silent.update(
                str(p).rpartition("/")[2]
                for p in unreachable or ()
                if isinstance(unreachable, list)
            )
            for item in items("tpu", page, "nodes"):
                settled = parse_name(unit.place, str(item.get("name")))
                if settled is not None and unit.covers(settled[1]):
                    yield from self._node(unit, item, *settled)
        if silent:
            return Ended(f"no answer from {', '.join(sorted(silent))}", CoverageStatus.ERROR)
        return Ended()

    def _node(
        self, unit: Unit, item: Mapping[str, Any], project: str, location: str, name: str
    ) -> Iterator[Collected]:
        unique = item.get("id")
        node = Resource(
            key=gcp_key(project, "tpu", location, "nodes", name),
            provider="gcp",
            account=project,
            region=location,
            type=TPU,
            layer=Layer.SERVICE,
            name=name,
            native_id=f"//tpu.googleapis.com/projects/{project}/locations/{location}/nodes/{name}",
            tags=labels_of(item),
            config=item,
            incarnation=str(unique) if unique else None,
            service=True,
            collector=self.name,
        )
        yield node
        yield from link(unit.place, node.key, item, _TPU_REFERENCES)
        yield from in_project(node)


def _has_accelerators(pool: Mapping[str, Any]) -> bool:
    config = pool.get("config")
    if not isinstance(config, Mapping):
        return False
    # Machines of these families hold TPUs.
    return bool(config.get("accelerators")) or str(config.get("machineType")).startswith("ct")
